num atol=1e-4
graph groups_in_chunks(%x: f32[2,20,3,300]) -> (%y) {
    %s = constant f32[20] {1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1.0, 2.0, 3.0, 4.0, 5.0}
    %b = constant f32[20] {0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0}
    %ramp = constant f32[20,1,1] {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 20.0}
    %t = Mul(%x, %ramp)
    %u = Add(%t, %ramp)
    %y = GroupNormalization(%u, %s, %b) {epsilon = 0.1, num_groups = 5}
}
---
u = (x + 1.0) * np.arange(1.0, 21)[:, None, None]
g = u.reshape(2, 5, -1)
g = (g - g.mean(2, keepdims=True)) / np.sqrt(g.var(2, keepdims=True) + 0.1)
b = np.array([0.5] + 18 * [0] + [-1.0])[:, None, None]
y = g.reshape(u.shape) * np.tile(np.arange(1.0, 6), 4)[:, None, None] + b
===
num atol=1e-4
graph few_channels_and_a_rest(%x: f32[2,19,5,7]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {57}
    %one = constant f32[] {1}
    %shape = constant i64[4] {3, 19, 1, 1}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %b = constant f32[3] {0.5, -1.0, 2.0}
    %r = Relu(%x)
    %y = Conv(%r, %w, %b)
}
---
w = np.sin(np.arange(57.0)).reshape(3, 19)
y = np.einsum("nchw,oc->nohw", np.maximum(x, 0), w) + np.array([0.5, -1, 2])[:, None, None]
===
num atol=1e-3
graph small_tiles(%x: f32[1,64,17,19]) -> (%y) {
    # choices: target x86-64-v3
    # choices: Conv(f32[1,64,17,19], constant f32[72,64,3,3]) pads=[1,1,1,1]: winograd-4-few
    %zero = constant f32[] {0}
    %n = constant f32[] {41472}
    %one = constant f32[] {1}
    %shape = constant i64[4] {72, 64, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %y = Conv(%x, %w) {pads = [1, 1, 1, 1]}
}
---
w = np.sin(np.arange(41472.0)).reshape(72, 64, 3, 3)
p = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (1, 2))
y = np.einsum("chwij,ocij->ohw", windows, w)[None]
