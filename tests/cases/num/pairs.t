num atol=2e-3
w = rng.integers(-2047, 2048, (9, 37, 3, 3)).astype(np.int16)
graph odd_channels(%x: f32[2,37,7,6], %w: i16[9,37,3,3], %b: f32[9], %s: f32[9]) -> (%y) {
    %m = Abs(%x)
    %axes = constant i64[3] {1, 2, 3}
    %limit = ReduceMax(%m, %axes)
    %q = sonoc::PackPairs(%x, %limit)
    %scale = constant f32[] {1e-6}
    %t = Mul(%s, %scale)
    %c = sonoc::PairConv(%q, %w, %t, %limit, %b) {pads = [1, 1, 1, 1], strides = [2, 1]}
    %y = Relu(%c)
}
---
limit = np.abs(x).max(axis=(1, 2, 3), keepdims=True)
q = np.pad(np.rint(x * (2047 / limit)), ((0, 0), (0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(q, (3, 3), (2, 3))[:, :, ::2]
sums = np.einsum("nchwij,ocij->nohw", windows, w.astype(float))
y = np.maximum(sums * 1e-6 * s[:, None, None] * limit + b[:, None, None], 0)
===
num atol=2e-2
w = rng.integers(-127, 128, (24, 640, 1, 1)).astype(np.int16)
graph parts_of_a_long_sum(%x: f32[1,640,9,5], %w: i16[24,640,1,1], %s: f32[24]) -> (%y) {
    %limit = constant f32[1,1,1,1] {2.0}
    %q = sonoc::PackPairs(%x, %limit) {bits = 8}
    %scale = constant f32[] {1e-4}
    %t = Mul(%s, %scale)
    %y = sonoc::PairConv(%q, %w, %t, %limit) {bits = 8}
}
---
q = np.clip(np.rint(x * (127 / 2.0)), -127, 127)
y = np.einsum("nchw,oc->nohw", q, w[:, :, 0, 0].astype(float)) * 1e-4 * s[:, None, None] * 2
