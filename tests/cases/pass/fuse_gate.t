pass infer,tidy,fuse_gate,dead
graph sum_of_gates(%x: f32[1,2,3,3], %a: f32[1,1,1,1], %b: f32[1,1,1,1]) -> (%y) {
    %p = Mul(%a, %x)
    %q = Mul(%b, %x)
    %y = Add(%p, %q)
}
---
graph sum_of_gates(%x: f32[1,2,3,3], %a: f32[1,1,1,1], %b: f32[1,1,1,1]) -> (%y) {
    %y_6 = Add(%a, %b) : f32[1,1,1,1]
    %y = Mul(%x, %y_6) : f32[1,2,3,3]
}
===
pass infer,tidy,fuse_gate,dead
# missed: what would be added is no smaller than it
graph maps_as_gates(%x: f32[1,2,3,3], %a: f32[1,2,3,3], %b: f32[1,1,1,1]) -> (%y) {
    %p = Mul(%a, %x)
    %q = Mul(%b, %x)
    %y = Add(%p, %q)
}
---
graph maps_as_gates(%x: f32[1,2,3,3], %a: f32[1,2,3,3], %b: f32[1,1,1,1]) -> (%y) {
    %p = Mul(%a, %x) : f32[1,2,3,3]
    %q = Mul(%x, %b) : f32[1,2,3,3]
    %y = Add(%p, %q) : f32[1,2,3,3]
}
===
pass infer,tidy,fuse_gate,dead
graph through_conv(%x: f32[1,1,3,3], %s: f32[1,1,1,1]) -> (%y, %z) {
    %w = constant f32[1,1,1,1] {2.0}
    %b = constant f32[1] {3.0}
    %v = constant f32[1,1,1,1] {4.0}
    %o = Conv(%x, %v)
    %z = Relu(%o)
    %g = Mul(%x, %s)
    %c = Conv(%g, %w, %b)
    %y = Relu(%c)
}
---
graph through_conv(%x: f32[1,1,3,3], %s: f32[1,1,1,1]) -> (%y, %z) {
    %w = constant f32[1,1,1,1] {2.0}
    %v = constant f32[1,1,1,1] {4.0}
    %value_12 = constant f32[1,1,1,1] {3.0}
    %o = Conv(%x, %v) : f32[1,1,3,3]
    %z = Relu(%o) : f32[1,1,3,3]
    %c_10 = Conv(%x, %w) : f32[1,1,3,3]
    %c_11 = Mul(%c_10, %s) : f32[1,1,3,3]
    %c_13 = Add(%c_11, %value_12) : f32[1,1,3,3]
    %y = Relu(%c_13) : f32[1,1,3,3]
}
===
pass infer,tidy,fuse_gate,dead
# missed: no convolution of its geometry reads the same map
graph alone(%x: f32[1,1,3,3], %s: f32[1,1,1,1]) -> (%y) {
    %w = constant f32[1,1,1,1] {2.0}
    %g = Mul(%x, %s)
    %c = Conv(%g, %w)
    %y = Relu(%c)
}
---
graph alone(%x: f32[1,1,3,3], %s: f32[1,1,1,1]) -> (%y) {
    %w = constant f32[1,1,1,1] {2.0}
    %g = Mul(%x, %s) : f32[1,1,3,3]
    %c = Conv(%g, %w) : f32[1,1,3,3]
    %y = Relu(%c) : f32[1,1,3,3]
}
===
pass infer,tidy,fuse_gate,dead
# a factor a channel does not leave a convolution
# near miss of fuse_gate: a factor a channel
graph factor_of_channels(%x: f32[1,2,3,3], %s: f32[1,2,1,1]) -> (%y, %z) {
    %w = constant f32[1,2,1,1] {2.0, 3.0}
    %o = Conv(%x, %w)
    %z = Relu(%o)
    %g = Mul(%x, %s)
    %c = Conv(%g, %w)
    %y = Relu(%c)
}
---
graph factor_of_channels(%x: f32[1,2,3,3], %s: f32[1,2,1,1]) -> (%y, %z) {
    %w = constant f32[1,2,1,1] {2.0, 3.0}
    %o = Conv(%x, %w) : f32[1,1,3,3]
    %z = Relu(%o) : f32[1,1,3,3]
    %g = Mul(%x, %s) : f32[1,2,3,3]
    %c = Conv(%g, %w) : f32[1,1,3,3]
    %y = Relu(%c) : f32[1,1,3,3]
}
