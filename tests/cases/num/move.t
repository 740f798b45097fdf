num
graph g(%x: f32[2,3,4], %w: f32[2,3,1]) -> (%y) {
    %t = Transpose(%x) {perm = [0, 2, 1]}
    %u = Transpose(%w) {perm = [0, 2, 1]}
    %y = Concat(%t, %u) {axis = 1}
}
---
y = np.concatenate([x.transpose(0, 2, 1), w.transpose(0, 2, 1)], 1)
===
num
graph g(%x: f32[5,9]) -> (%y) {
    %b = constant i64[2] {4, 7}
    %e = constant i64[2] {-9, 0}
    %a = constant i64[2] {0, 1}
    %s = constant i64[2] {-2, -3}
    %y = Slice(%x, %b, %e, %a, %s)
}
---
y = x[4::-2, 7:0:-3]
===
num
i = rng.integers(0, 4, (3, 5))
graph g(%x: f32[4,5], %i: i64[3,5]) -> (%y) {
    %y = GatherElements(%x, %i) {axis = 0}
}
---
y = np.take_along_axis(x, i, 0)
