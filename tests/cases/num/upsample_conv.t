num atol=1e-5
# two images, taps outside the map, sizes that are no multiples
graph upsampled_by_parts(%x: f32[2,3,4,5], %w: f32[5,3,3,2], %b: f32[5]) -> (%y) {
    %sizes = constant i64[4] {2, 3, 9, 13}
    %r = Resize(%x, _, _, %sizes) {mode = "linear", coordinate_transformation_mode = "align_corners"}
    %y = Conv(%r, %w, %b) {pads = [1, 1, 1, 0]}
}
---
def along(size, out):
    p = np.arange(out) * (size - 1) / (out - 1)
    q = np.minimum(p.astype(int), size - 2)
    m = np.zeros((out, size))
    m[np.arange(out), q] += 1 - (p - q)
    m[np.arange(out), q + 1] += p - q
    return m

u = np.einsum("nchw,ih,jw->ncij", x, along(4, 9), along(5, 13))
u = np.pad(u, ((0, 0), (0, 0), (1, 1), (1, 0)))
windows = np.lib.stride_tricks.sliding_window_view(u, (3, 2), (2, 3))
y = np.einsum("nchwij,ocij->nohw", windows, w) + b[:, None, None]
===
num atol=1e-3
# so many input channels that the outputs are made in strips
graph upsampled_in_strips(%x: f32[1,300,2,33]) -> (%y) {
    %sizes = constant i64[4] {1, 300, 4, 66}
    %zero = constant f32[] {0}
    %n = constant f32[] {86400}
    %one = constant f32[] {1}
    %shape = constant i64[4] {32, 300, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %r = Resize(%x, _, _, %sizes) {mode = "linear"}
    %y = Conv(%r, %w) {pads = [1, 1, 1, 1]}
}
---
def along(size, out):
    p = np.clip((np.arange(out) + 0.5) * size / out - 0.5, 0, size - 1)
    q = np.minimum(p.astype(int), size - 2)
    m = np.zeros((out, size))
    m[np.arange(out), q] += 1 - (p - q)
    m[np.arange(out), q + 1] += p - q
    return m

w = np.sin(np.arange(86400.0)).reshape(32, 300, 3, 3)
u = np.einsum("nchw,ih,jw->ncij", x, along(2, 4), along(33, 66))
u = np.pad(u, ((0, 0), (0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(u, (3, 3), (2, 3))
y = np.einsum("nchwij,ocij->nohw", windows, w)
===
num atol=1e-3
# strips that need 18 and 17 input columns: the last begins one earlier
graph upsampled_in_uneven_strips(%x: f32[1,300,2,33]) -> (%y) {
    %sizes = constant i64[4] {1, 300, 4, 66}
    %zero = constant f32[] {0}
    %n = constant f32[] {86400}
    %one = constant f32[] {1}
    %shape = constant i64[4] {32, 300, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %r = Resize(%x, _, _, %sizes) {mode = "linear"}
    %y = Conv(%r, %w) {pads = [1, 0, 1, 2]}
}
---
def along(size, out):
    p = np.clip((np.arange(out) + 0.5) * size / out - 0.5, 0, size - 1)
    q = np.minimum(p.astype(int), size - 2)
    m = np.zeros((out, size))
    m[np.arange(out), q] += 1 - (p - q)
    m[np.arange(out), q + 1] += p - q
    return m

w = np.sin(np.arange(86400.0)).reshape(32, 300, 3, 3)
u = np.einsum("nchw,ih,jw->ncij", x, along(2, 4), along(33, 66))
u = np.pad(u, ((0, 0), (0, 0), (1, 1), (0, 2)))
windows = np.lib.stride_tricks.sliding_window_view(u, (3, 3), (2, 3))
y = np.einsum("nchwij,ocij->nohw", windows, w)
