pass infer,tidy,fuse_pad,dead
graph pad_before(%x: f32[1,1,3,3]) -> (%y) {
    %p = constant i64[8] {0, 0, 1, 0, 0, 0, 2, 1}
    %a = Pad(%x, %p)
    %w = constant f32[1,1,2,2] {1.0, 2.0, 3.0, 4.0}
    %y = Conv(%a, %w) {pads = [0, 1, 0, 1]}
}
---
graph pad_before(%x: f32[1,1,3,3]) -> (%y) {
    %w = constant f32[1,1,2,2] {1.0, 2.0, 3.0, 4.0}
    %y = Conv(%x, %w) {pads = [1, 1, 2, 2]} : f32[1,1,5,5]
}
===
pass infer,tidy,fuse_pad,dead
# missed: is no padding of spatial axes with what it pads with itself
graph pads_ones(%x: f32[1,1,3,3]) -> (%y) {
    %p = constant i64[8] {0, 0, 1, 0, 0, 0, 2, 1}
    %one = constant f32[] {1.0}
    %a = Pad(%x, %p, %one)
    %w = constant f32[1,1,2,2] {1.0, 2.0, 3.0, 4.0}
    %y = Conv(%a, %w)
}
---
graph pads_ones(%x: f32[1,1,3,3]) -> (%y) {
    %p = constant i64[8] {0, 0, 1, 0, 0, 0, 2, 1}
    %one = constant f32[] {1.0}
    %w = constant f32[1,1,2,2] {1.0, 2.0, 3.0, 4.0}
    %a = Pad(%x, %p, %one) : f32[1,1,6,4]
    %y = Conv(%a, %w) : f32[1,1,5,3]
}
===
pass infer,tidy,fuse_pad,dead
graph pools(%x: f32[1,1,3,3]) -> (%y, %z) {
    %p = constant i64[8] {0, 0, 1, 1, 0, 0, 1, 0}
    %low = constant f32[] {-inf}
    %a = Pad(%x, %p, %low)
    %y = MaxPool(%a) {kernel_shape = [2, 2]}
    %b = Pad(%x, %p)
    %z = AveragePool(%b) {kernel_shape = [2, 2]}
}
---
graph pools(%x: f32[1,1,3,3]) -> (%y, %z) {
    %y = MaxPool(%x) {kernel_shape = [2, 2], pads = [1, 1, 1, 0]} : f32[1,1,4,3]
    %z = AveragePool(%x) {kernel_shape = [2, 2], pads = [1, 1, 1, 0], count_include_pad = 1} : f32[1,1,4,3]
}
===
pass infer,tidy,fuse_pad,dead
# missed: is no padding of spatial axes with what it pads with itself
# near miss of fuse_pad: another operator wants another filling
graph zeros_before_a_maximum(%x: f32[1,1,3,3]) -> (%y) {
    %p = constant i64[8] {0, 0, 1, 1, 0, 0, 1, 1}
    %a = Pad(%x, %p)
    %y = MaxPool(%a) {kernel_shape = [2, 2]}
}
---
graph zeros_before_a_maximum(%x: f32[1,1,3,3]) -> (%y) {
    %p = constant i64[8] {0, 0, 1, 1, 0, 0, 1, 1}
    %a = Pad(%x, %p) : f32[1,1,5,5]
    %y = MaxPool(%a) {kernel_shape = [2, 2]} : f32[1,1,4,4]
}
