num atol=5e-5
graph g(%x: f32[7,700], %w: f32[700,33]) -> (%y) {
    %y = MatMul(%x, %w)
}
---
y = x @ w
===
num atol=1e-6
# one row by several matrices of one column
graph g(%x: f32[4], %w: f32[2,4,1]) -> (%y) {
    %y = MatMul(%x, %w)
}
---
y = x @ w
===
num atol=1e-4
graph g(%x: f32[1,1280], %w: f32[2,1280], %b: f32[2]) -> (%y) {
    %y = Gemm(%x, %w, %b) {transB = 1}
}
---
y = x @ w.T + b
===
num atol=1e-5
graph g(%x: f32[1,3,9,11], %w: f32[5,3,3,3], %b: f32[5]) -> (%y) {
    %c = Conv(%x, %w, %b) {pads = [1, 1, 1, 1], strides = [2, 2]}
    %y = Relu(%c)
}
---
p = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (1, 2))[:, ::2, ::2]
y = np.maximum(np.einsum("chwij,ocij->ohw", windows, w) + b[:, None, None], 0)[None]
===
num atol=1e-6
graph g(%x: f32[3,70]) -> (%y) {
    %y = ReduceMean(%x) {keepdims = 0}
}
---
y = x.mean()
