pass infer,dead
graph shape_soup(%x: f32[2,3,4]) -> (%y) {
    %s = Shape(%x)
    %i = constant i64[1] {0}
    %n = Gather(%s, %i) {axis = 0}
    %m = constant i64[1] {-1}
    %t = Concat(%n, %m) {axis = 0}
    %y = Reshape(%x, %t)
}
---
graph shape_soup(%x: f32[2,3,4]) -> (%y) {
    %t = constant i64[2] {2, -1}
    %y = Reshape(%x, %t) : f32[2,12]
}
===
pass infer,dead
graph dead_end(%x: f32[2]) -> (%y) {
    %y = Relu(%x) : f32[2]
    %z = Neg(%y) : f32[2]
}
---
graph dead_end(%x: f32[2]) -> (%y) {
    %y = Relu(%x) : f32[2]
}
===
pass all
graph softmax(%x: f32[2,3]) -> (%y) {
    %y = Softmax(%x) {axis = -1}
}
---
graph softmax(%x: f32[2,3]) -> (%y) {
    %y_constant = constant i64[1] {1}
    %y_constant_6 = constant i64[1] {1}
    %y_ReduceMax = ReduceMax(%x, %y_constant) {keepdims = 1, noop_with_empty_axes = 1} : f32[2,1] @y_ReduceMax
    %y_Sub = Sub(%x, %y_ReduceMax) : f32[2,3] @y_Sub
    %y_Exp = Exp(%y_Sub) : f32[2,3] @y_Exp
    %y_ReduceSum = ReduceSum(%y_Exp, %y_constant_6) {keepdims = 1, noop_with_empty_axes = 1} : f32[2,1] @y_ReduceSum
    %y = Div(%y_Exp, %y_ReduceSum) : f32[2,3]
}
===
pass all
graph kept(%x: f32[2,3]) -> (%y) {
    %y = Relu(%x) : f32[2,3]
}
---
unchanged
