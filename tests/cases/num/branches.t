num atol=2e-5
# Two scalings of a map, joined, read by a deformable convolution and by the one that gives its offsets and mask: neither
# they nor their Concat are made.
graph attention(%x: f32[2,16,5,7], %p: f32[2,1,5,7], %q: f32[2,1,5,7]) -> (%y) {
    %zero = constant f32[] {0}
    %one = constant f32[] {1}
    %n = constant f32[] {864}
    %shape = constant i64[4] {3, 32, 3, 3}
    %i = Range(%zero, %n, %one)
    %t = Sin(%i)
    %w = Reshape(%t, %shape)
    %m = constant f32[] {128}
    %flat = constant i64[4] {4, 32, 1, 1}
    %k = Range(%zero, %m, %one)
    %u = Sin(%k)
    %v = Reshape(%u, %flat)
    %b = constant f32[3] {0.5, -0.5, 0.25}
    %xp = Mul(%x, %p)
    %xq = Mul(%q, %x)
    %both = Concat(%xp, %xq) {axis = 1}
    %c = Conv(%both, %w, %b) {pads = [1, 1, 1, 1]}
    %first = constant i64[1] {0}
    %two = constant i64[1] {2}
    %three = constant i64[1] {3}
    %axis = constant i64[1] {1}
    %offset = Slice(%c, %first, %two, %axis)
    %marked = Slice(%c, %two, %three, %axis)
    %mask = Sigmoid(%marked)
    %y = DeformConv(%both, %v, %offset, _, %mask)
}
---
w, v = np.sin(np.arange(864.0)).reshape(3, 32, 3, 3), np.sin(np.arange(128.0)).reshape(4, 32)
joined = np.concatenate([x * p, x * q], 1)
padded = np.pad(joined, ((0, 0), (0, 0), (1, 1), (1, 1)))
c = np.einsum("nchwij,ocij->nohw", np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3)), w)
c = c + np.array([0.5, -0.5, 0.25])[:, None, None]
rows, columns = np.arange(5)[:, None] + c[:, 0], np.arange(7) + c[:, 1]
y = 0
for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
    r, s = np.floor(rows).astype(int) + i, np.floor(columns).astype(int) + j
    inside = (r >= 0) & (r < 5) & (s >= 0) & (s < 7)
    weight = np.where(inside, (1 - abs(rows - r)) * (1 - abs(columns - s)), 0)
    for n in range(2):
        y = y + np.eye(2)[n][:, None, None, None] * np.einsum("oc,chw->ohw", v, weight[n] * joined[n][:, r[n].clip(0, 4), s[n].clip(0, 6)])
y = y / (1 + np.exp(-c[:, 2:]))
===
num atol=2e-4
# So many channels that they are gathered chunk by chunk; three branches, three by three taps, a stride.
graph many_channels(%x: f32[1,224,6,7], %p: f32[1,1,6,7], %q: f32[1,1,6,7], %r: f32[1,1,6,7], %offset: f32[1,18,3,4]) -> (%y) {
    %zero = constant f32[] {0}
    %one = constant f32[] {1}
    %n = constant f32[] {30240}
    %shape = constant i64[4] {5, 672, 3, 3}
    %i = Range(%zero, %n, %one)
    %t = Sin(%i)
    %w = Reshape(%t, %shape)
    %b = constant f32[5] {1, 2, 3, 4, 5}
    %xp = Mul(%x, %p)
    %xq = Mul(%x, %q)
    %xr = Mul(%x, %r)
    %all = Concat(%xp, %xq, %xr) {axis = 1}
    %y = DeformConv(%all, %w, %offset, %b) {pads = [1, 1, 1, 1], strides = [2, 2]}
}
---
w = np.sin(np.arange(30240.0)).reshape(5, 672, 9)
joined = np.concatenate([x * p, x * q, x * r], 1)[0]
y = np.arange(1, 6)[:, None, None] + np.zeros((5, 3, 4))
for tap in range(9):
    rows = 2 * np.arange(3)[:, None] - 1 + tap // 3 + offset[0, 2 * tap]
    columns = 2 * np.arange(4) - 1 + tap % 3 + offset[0, 2 * tap + 1]
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        k, s = np.floor(rows).astype(int) + i, np.floor(columns).astype(int) + j
        inside = (k >= 0) & (k < 6) & (s >= 0) & (s < 7)
        weight = np.where(inside, (1 - abs(rows - k)) * (1 - abs(columns - s)), 0)
        y = y + np.einsum("oc,chw->ohw", w[:, :, tap], weight * joined[:, k.clip(0, 5), s.clip(0, 6)])
y = y[None]
