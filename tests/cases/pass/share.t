pass infer,share
graph twice(%x: f32[3], %y: f32[3]) -> (%z) {
    %one = constant f32[1] {1.0}
    %eins = constant f32[1] {1.0}
    %a = Add(%x, %one)
    %b = Add(%eins, %x)
    %p = Mul(%a, %y)
    %q = Mul(%b, %y)
    %z = Sub(%p, %q)
}
---
graph twice(%x: f32[3], %y: f32[3]) -> (%z) {
    %one = constant f32[1] {1.0}
    %a = Add(%x, %one) : f32[3]
    %p = Mul(%a, %y) : f32[3]
    %z = Sub(%p, %p) : f32[3]
}
===
pass infer,share
# near miss of share: operands the other way round, another axis
graph not_the_same(%x: f32[2,3], %y: f32[2,3]) -> (%z, %w) {
    %a = Sub(%x, %y)
    %b = Sub(%y, %x)
    %z = Div(%a, %b)
    %p = Softmax(%x) {axis = 0}
    %q = Softmax(%x) {axis = 1}
    %w = Div(%p, %q)
}
---
graph not_the_same(%x: f32[2,3], %y: f32[2,3]) -> (%z, %w) {
    %a = Sub(%x, %y) : f32[2,3]
    %b = Sub(%y, %x) : f32[2,3]
    %z = Div(%a, %b) : f32[2,3]
    %p = Softmax(%x) {axis = 0} : f32[2,3]
    %q = Softmax(%x) {axis = 1} : f32[2,3]
    %w = Div(%p, %q) : f32[2,3]
}
===
pass infer,share
# refused by share: both results are outputs
graph outputs_keep_their_names(%x: f32[3]) -> (%y, %z) {
    %y = Relu(%x)
    %z = Relu(%x)
}
---
graph outputs_keep_their_names(%x: f32[3]) -> (%y, %z) {
    %y = Relu(%x) : f32[3]
    %z = Relu(%x) : f32[3]
}
