num atol=1e-4
graph transposed_apart(%x: f32[2,5,3,4]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {60}
    %one = constant f32[] {1}
    %shape = constant i64[4] {5, 3, 2, 2}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %b = constant f32[3] {0.5, -1.0, 2.0}
    %y = ConvTranspose(%x, %w, %b) {strides = [2, 2]}
}
---
w = np.sin(np.arange(60.0)).reshape(5, 3, 2, 2)
y = np.einsum("nchw,coij->nohiwj", x, w).reshape(2, 3, 6, 8) + np.array([0.5, -1, 2])[:, None, None]
===
num atol=1e-4
graph transposed_of_two_steps(%x: f32[1,20,6,12]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {3960}
    %one = constant f32[] {1}
    %shape = constant i64[4] {20, 33, 2, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %c = ConvTranspose(%x, %w) {strides = [2, 3]}
    %y = Relu(%c)
}
---
w = np.sin(np.arange(3960.0)).reshape(20, 33, 2, 3)
y = np.maximum(np.einsum("nchw,coij->nohiwj", x, w).reshape(1, 33, 12, 36), 0)
===
num atol=1e-4
graph depthwise_channels_and_a_rest(%x: f32[1,21,7,9]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {189}
    %one = constant f32[] {1}
    %shape = constant i64[4] {21, 1, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %y = Conv(%x, %w) {group = 21, pads = [1, 1, 1, 1], strides = [2, 1]}
}
---
w = np.sin(np.arange(189.0)).reshape(21, 3, 3)
p = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (1, 2))[:, ::2]
y = np.einsum("chwij,cij->chw", windows, w)[None]
===
num atol=1e-4
graph depthwise_dilated_two_outputs_a_channel(%x: f32[2,8,6,23]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {160}
    %one = constant f32[] {1}
    %shape = constant i64[4] {16, 1, 2, 5}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %c = Conv(%x, %w) {group = 8, pads = [0, 3, 1, 4], dilations = [2, 2], strides = [1, 3]}
    %y = Relu(%c)
}
---
w = np.sin(np.arange(160.0)).reshape(8, 2, 2, 5)
p = np.pad(x, ((0, 0), (0, 0), (0, 1), (3, 4)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 9), (2, 3))[:, :, :, ::3, ::2, ::2]
y = np.maximum(np.einsum("nchwij,cdij->ncdhw", windows, w).reshape(2, 16, 5, 8), 0)
===
num atol=1e-4
graph depthwise_of_a_long_kernel(%x: f32[1,16,20]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {144}
    %one = constant f32[] {1}
    %shape = constant i64[3] {16, 1, 9}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %y = Conv(%x, %w) {group = 16, pads = [4, 4]}
}
---
w = np.sin(np.arange(144.0)).reshape(16, 9)
p = np.pad(x[0], ((0, 0), (4, 4)))
y = np.einsum("cwi,ci->cw", np.lib.stride_tricks.sliding_window_view(p, 9, 1), w)[None]
