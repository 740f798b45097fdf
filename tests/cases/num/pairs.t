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
===
num atol=2e-3
w = rng.integers(-127, 128, (9, 32, 3, 3)).astype(np.int16)
graph samples(%x: f32[1,32,5,6], %w: i16[9,32,3,3], %o: f32[1,18,5,6], %b: f32[9], %m: f32[1,9,5,6], %s: f32[9]) -> (%y) {
    %limit = constant f32[1,1,1,1] {4.0}
    %scale = constant f32[] {1e-6}
    %t = Mul(%s, %scale)
    %mask = Sigmoid(%m)
    %y = sonoc::PairDeformConv(%x, %w, %o, %b, %mask, _, %limit, %t) {pads = [1, 1, 1, 1]}
}
---
def sample(plane, v, u):
    r, c = int(np.floor(v)), int(np.floor(u))
    at = lambda i, j: plane[:, i, j] if 0 <= i < 5 and 0 <= j < 6 else np.zeros(len(plane))
    top = at(r, c) * (c + 1 - u) + at(r, c + 1) * (u - c)
    bottom = at(r + 1, c) * (c + 1 - u) + at(r + 1, c + 1) * (u - c)
    return top * (r + 1 - v) + bottom * (v - r)
mask = 1 / (1 + np.exp(-m[0]))
y = np.zeros((1, 9, 5, 6))
for i, j, k in np.ndindex(5, 6, 9):
    tap = sample(x[0], i - 1 + k // 3 + o[0, 2 * k, i, j], j - 1 + k % 3 + o[0, 2 * k + 1, i, j]) * mask[k, i, j]
    y[0, :, i, j] += w[:, :, k // 3, k % 3].astype(float) @ np.rint(tap * (2047 / 4))
y = y * 1e-6 * s[:, None, None] * 4 + b[:, None, None]
===
num atol=2e-3
graph two_branches_and_chunks(%x: f32[1,256,4,4], %o: f32[1,2,4,4], %s: f32[1,2,4,4]) -> (%y) {
    %limit = constant f32[1,1,1,1] {4.0}
    %shape = constant i64[4] {4, 512, 1, 1}
    %ten = constant i16[1] {10}
    %w = Expand(%ten, %shape)
    %t = constant f32[4] {1e-4, 2e-4, 3e-4, 0.0}
    %zero = constant f32[] {0}
    %none = Mul(%o, %zero)
    %y = sonoc::PairDeformConv(%x, %w, %none, _, _, %s, %limit, %t) {bits = 8}
}
---
q = [np.rint(x[0] * s[0, b] * (127 / 4)).sum(0) for b in (0, 1)]
y = (np.array([1e-4, 2e-4, 3e-4, 0])[:, None, None] * 10 * 4 * (q[0] + q[1]))[None]
