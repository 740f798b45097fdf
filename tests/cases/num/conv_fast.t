num atol=1e-4
graph g(%x: f32[1,32,34,33]) -> (%y) {
    # choices: target x86-64-v3
    # choices: Conv(f32[1,32,34,33], constant f32[32,32,3,3]) pads=[1,1,1,1]: winograd-4
    %zero = constant f32[] {0}
    %n = constant f32[] {9216}
    %one = constant f32[] {1}
    %shape = constant i64[4] {32, 32, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %c = Conv(%x, %w) {pads = [1, 1, 1, 1]}
    %y = Relu(%c)
}
---
w = np.sin(np.arange(9216.0)).reshape(32, 32, 3, 3)
p = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (1, 2))
y = np.maximum(np.einsum("chwij,ocij->ohw", windows, w), 0)[None]
===
num atol=1e-4
graph g(%x: f32[1,72,14,15], %r: f32[1,104,14,15]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {67392}
    %one = constant f32[] {1}
    %shape = constant i64[4] {104, 72, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %c = Conv(%x, %w) {pads = [1, 1, 1, 1]}
    %y = Add(%c, %r)
}
---
w = np.sin(np.arange(67392.0)).reshape(104, 72, 3, 3)
p = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (1, 2))
y = np.einsum("chwij,ocij->ohw", windows, w)[None] + r
===
num atol=1e-5
graph g(%x: f32[1,16,5,7], %b: f32[24]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {3456}
    %one = constant f32[] {1}
    %shape = constant i64[4] {24, 16, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %sizes = constant i64[4] {1, 16, 10, 14}
    %u = Resize(%x, _, _, %sizes) {coordinate_transformation_mode = "align_corners", mode = "linear"}
    %y = Conv(%u, %w, %b) {pads = [1, 1, 1, 1]}
}
---
def lines(o, i):
    at = np.arange(o) * (i - 1) / (o - 1)
    left = np.minimum(at.astype(int), i - 2)
    m = np.zeros((o, i))
    m[np.arange(o), left] = 1 - (at - left)
    m[np.arange(o), left + 1] = at - left
    return m
u = np.einsum("yh,xw,chw->cyx", lines(10, 5), lines(14, 7), x[0])
w = np.sin(np.arange(3456.0)).reshape(24, 16, 3, 3)
windows = np.lib.stride_tricks.sliding_window_view(np.pad(u, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
y = (np.einsum("chwij,ocij->ohw", windows, w) + b[:, None, None])[None]
