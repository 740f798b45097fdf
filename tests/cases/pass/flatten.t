pass infer,flatten,dead
graph squeeze(%x: f32[2,3,4,5], %w: f32[6,1]) -> (%y) {
    %shape = constant i64[2] {2, 6}
    %mean = GlobalAveragePool(%x)
    %most = GlobalMaxPool(%x)
    %both = Concat(%mean, %most) {axis = 1}
    %flat = Reshape(%both, %shape)
    %y = Gemm(%flat, %w)
}
---
graph squeeze(%x: f32[2,3,4,5], %w: f32[6,1]) -> (%y) {
    %axes = constant i64[2] {2, 3}
    %axes_15 = constant i64[2] {2, 3}
    %mean_14 = ReduceMean(%x, %axes) {keepdims = 0} : f32[2,3]
    %most_16 = ReduceMax(%x, %axes_15) {keepdims = 0} : f32[2,3]
    %both_12 = Concat(%mean_14, %most_16) {axis = 1} : f32[2,6]
    %y = Gemm(%both_12, %w) : f32[2,1]
}
===
pass infer,flatten,dead
# What is reshaped has another reader; is no pixel; keeps its axes; joins images.
graph near_misses(%x: f32[2,3,4,5], %z: f32[2,3,1,2]) -> (%a, %b, %c, %d, %e) {
    %two = constant i64[2] {2, 3}
    %six = constant i64[2] {2, 6}
    %three = constant i64[3] {2, 3, 1}
    %four = constant i64[2] {4, 3}
    %mean = GlobalAveragePool(%x)
    %a = Reshape(%mean, %two)
    %b = Relu(%mean)
    %c = Reshape(%z, %six)
    %most = GlobalMaxPool(%x)
    %d = Reshape(%most, %three)
    %m = GlobalMaxPool(%x)
    %n = GlobalAveragePool(%x)
    %both = Concat(%m, %n) {axis = 0}
    %e = Reshape(%both, %four)
}
---
graph near_misses(%x: f32[2,3,4,5], %z: f32[2,3,1,2]) -> (%a, %b, %c, %d, %e) {
    %two = constant i64[2] {2, 3}
    %six = constant i64[2] {2, 6}
    %three = constant i64[3] {2, 3, 1}
    %four = constant i64[2] {4, 3}
    %mean = GlobalAveragePool(%x) : f32[2,3,1,1]
    %a = Reshape(%mean, %two) : f32[2,3]
    %b = Relu(%mean) : f32[2,3,1,1]
    %c = Reshape(%z, %six) : f32[2,6]
    %most = GlobalMaxPool(%x) : f32[2,3,1,1]
    %d = Reshape(%most, %three) : f32[2,3,1]
    %m = GlobalMaxPool(%x) : f32[2,3,1,1]
    %n = GlobalAveragePool(%x) : f32[2,3,1,1]
    %both = Concat(%m, %n) {axis = 0} : f32[4,3,1,1]
    %e = Reshape(%both, %four) : f32[4,3]
}
