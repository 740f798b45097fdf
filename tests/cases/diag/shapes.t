diag 3
graph broadcast(%x: f32[2,3], %w: f32[2,4]) -> (%y) {
    %y = Add(%x, %w)          # error: (Add)
}
===
diag 3
graph inner(%x: f32[2,3], %w: f32[4,5]) -> (%y) {
    %y = MatMul(%x, %w)       # error: (MatMul)
}
===
diag 3
graph groups(%x: f32[1,64,8,8], %w: f32[64,21,3,3]) -> (%y) {
    %y = Conv(%x, %w) {group = 3}     # error: (Conv)
}
===
diag 3
graph axis(%x: f32[2,3]) -> (%y) {
    %y = Softmax(%x) {axis = 2}       # error: (Softmax): axis: axis 2 is outside a tensor of rank 2
}
===
diag 3
graph size(%x: f32[2,3]) -> (%y) {
    %s = constant i64[1] {7}
    %y = Reshape(%x, %s)      # error: (Reshape)
}
===
diag 3
graph data(%x: f32[2,3], %s: i64[1]) -> (%y) {
    %y = Reshape(%x, %s)      # error: depends on data
}
===
diag 3
graph unknown(%x: f32[2]) -> (%y) {
    %y = Dance(%x)            # error: line 2, column 15: 'Dance' is no operator
}
===
diag 3
graph scope(%x: f32[2]) -> (%y) {
    %y = Relu(%z)             # error: line 2, column 17: %z is not defined
}
===
diag 2
# in --passes=fly
graph pass(%x: f32[2]) -> (%y) {
    %y = Relu(%x)             # error: there is no pass 'fly'
}
