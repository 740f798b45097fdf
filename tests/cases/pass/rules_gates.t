pass infer,rules_real
graph relu_of_gated(%t: f32[1,3,4,4], %u: f32[1,3]) -> (%y) {
    %s = constant i64[4] {1, 3, 1, 1}
    %r = Relu(%t)
    %q = Sigmoid(%u)
    %g = Reshape(%q, %s)
    %p = Mul(%r, %g)
    %y = Relu(%p)
}
---
graph relu_of_gated(%t: f32[1,3,4,4], %u: f32[1,3]) -> (%y) {
    %s = constant i64[4] {1, 3, 1, 1}
    %r = Relu(%t) : f32[1,3,4,4]
    %q = Sigmoid(%u) : f32[1,3]
    %g = Reshape(%q, %s) : f32[1,3,1,1]
    %y = Mul(%r, %g) : f32[1,3,4,4]
}
===
pass infer,rules_real
graph relu_of_gated_of_either_sign(%t: f32[1,3,4,4], %u: f32[1,3]) -> (%y) {
    %s = constant i64[4] {1, 3, 1, 1}
    %q = Sigmoid(%u) : f32[1,3]
    %g = Reshape(%q, %s) : f32[1,3,1,1]
    %p = Mul(%t, %g) : f32[1,3,4,4]
    %y = Relu(%p) : f32[1,3,4,4]
}
---
unchanged
===
pass infer,rules_real
graph average_of_gated(%x: f32[2,3,4,5], %g: f32[2,3,1,1]) -> (%y) {
    %p = Mul(%x, %g)
    %y = GlobalAveragePool(%p)
}
---
graph average_of_gated(%x: f32[2,3,4,5], %g: f32[2,3,1,1]) -> (%y) {
    %average_of_gated = GlobalAveragePool(%x) : f32[2,3,1,1]
    %y = Mul(%average_of_gated, %g) : f32[2,3,1,1]
}
===
pass infer,rules_real
graph average_of_a_map_of_gates(%x: f32[2,3,4,5], %g: f32[2,1,4,5]) -> (%y) {
    %p = Mul(%x, %g) : f32[2,3,4,5]
    %y = GlobalAveragePool(%p) : f32[2,3,1,1]
}
---
unchanged
===
pass infer,rules_real
graph average_of_pair(%a: f32[2,3,4,5], %b: f32[2,2,4,5]) -> (%y) {
    %c = Concat(%a, %b) {axis = 1}
    %y = GlobalAveragePool(%c)
}
---
graph average_of_pair(%a: f32[2,3,4,5], %b: f32[2,2,4,5]) -> (%y) {
    %average_of_pair = GlobalAveragePool(%a) : f32[2,3,1,1]
    %average_of_pair_5 = GlobalAveragePool(%b) : f32[2,2,1,1]
    %y = Concat(%average_of_pair, %average_of_pair_5) {axis = 1} : f32[2,5,1,1]
}
===
pass infer,rules_real
graph average_of_pair_in_space(%a: f32[2,3,4,5], %b: f32[2,3,2,5]) -> (%y) {
    %c = Concat(%a, %b) {axis = 2} : f32[2,3,6,5]
    %y = GlobalAveragePool(%c) : f32[2,3,1,1]
}
---
unchanged
===
pass infer,rules_real
graph average_of_three(%a: f32[2,3,4,5], %b: f32[2,2,4,5], %c: f32[2,1,4,5]) -> (%y) {
    %d = Concat(%a, %b, %c) {axis = 1}
    %y = GlobalAveragePool(%d)
}
---
graph average_of_three(%a: f32[2,3,4,5], %b: f32[2,2,4,5], %c: f32[2,1,4,5]) -> (%y) {
    %average_of_three = GlobalAveragePool(%a) : f32[2,3,1,1]
    %average_of_three_6 = GlobalAveragePool(%b) : f32[2,2,1,1]
    %average_of_three_7 = GlobalAveragePool(%c) : f32[2,1,1,1]
    %y = Concat(%average_of_three, %average_of_three_6, %average_of_three_7) {axis = 1} : f32[2,6,1,1]
}
===
pass infer,rules_real
graph average_of_three_in_space(%a: f32[2,3,4,5], %b: f32[2,3,2,5], %c: f32[2,3,1,5]) -> (%y) {
    %d = Concat(%a, %b, %c) {axis = 2} : f32[2,3,7,5]
    %y = GlobalAveragePool(%d) : f32[2,3,1,1]
}
---
unchanged
