pass infer,tidy,fuse_conv,dead
graph batch_norm_behind(%x: f32[1,1,3,3]) -> (%y) {
    %w = constant f32[2,1,1,1] {1.0, 2.0}
    %b = constant f32[2] {3.0, 4.0}
    %c = Conv(%x, %w, %b)
    %s = constant f32[2] {2.0, 3.0}
    %t = constant f32[2] {5.0, 6.0}
    %m = constant f32[2] {1.0, 2.0}
    %v = constant f32[2] {0.75, 3.75}
    %y = BatchNormalization(%c, %s, %t, %m, %v) {epsilon = 0.25}
}
---
graph batch_norm_behind(%x: f32[1,1,3,3]) -> (%y) {
    %b_9 = constant f32[2] {9.0, 9.0}
    %w_10 = constant f32[2,1,1,1] {2.0, 3.0}
    %y = Conv(%x, %w_10, %b_9) : f32[1,2,3,3]
}
===
pass infer,tidy,fuse_conv,dead
graph scales_on_both_sides(%x: f32[1,2,3,3]) -> (%y) {
    %s = constant f32[2,1,1] {2.0, 3.0}
    %a = Mul(%s, %x)
    %t = constant f32[] {1.0}
    %d = Add(%a, %t)
    %w = constant f32[1,2,1,1] {5.0, 7.0}
    %c = Conv(%d, %w)
    %u = constant f32[1,1,1,1] {4.0}
    %y = Sub(%c, %u)
}
---
graph scales_on_both_sides(%x: f32[1,2,3,3]) -> (%y) {
    %bias_12_14 = constant f32[1] {8.0}
    %w_10_15 = constant f32[1,2,1,1] {10.0, 21.0}
    %y = Conv(%x, %w_10_15, %bias_12_14) : f32[1,1,3,3]
}
===
pass infer,tidy,fuse_conv,dead
# missed: it would be added to the padding, too
graph shift_before_padding(%x: f32[1,1,3,3]) -> (%y) {
    %t = constant f32[1] {1.0}
    %d = Add(%x, %t)
    %w = constant f32[1,1,1,1] {5.0}
    %y = Conv(%d, %w) {pads = [1, 1, 1, 1]}
}
---
graph shift_before_padding(%x: f32[1,1,3,3]) -> (%y) {
    %t = constant f32[1] {1.0}
    %w = constant f32[1,1,1,1] {5.0}
    %d = Add(%x, %t) : f32[1,1,3,3]
    %y = Conv(%d, %w) {pads = [1, 1, 1, 1]} : f32[1,1,5,5]
}
===
pass infer,tidy,fuse_conv,dead
# missed: something else reads the result
graph read_twice(%x: f32[1,1,3,3]) -> (%y, %z) {
    %w = constant f32[1,1,1,1] {5.0}
    %c = Conv(%x, %w)
    %t = constant f32[1] {2.0}
    %y = Mul(%c, %t)
    %z = Relu(%c)
}
---
graph read_twice(%x: f32[1,1,3,3]) -> (%y, %z) {
    %w = constant f32[1,1,1,1] {5.0}
    %t = constant f32[1] {2.0}
    %c = Conv(%x, %w) : f32[1,1,3,3]
    %y = Mul(%c, %t) : f32[1,1,3,3]
    %z = Relu(%c) : f32[1,1,3,3]
}
===
pass infer,tidy,fuse_conv,dead
graph transposed(%x: f32[1,2,2,2]) -> (%y) {
    %w = constant f32[2,2,1,1] {1.0, 2.0, 3.0, 4.0}
    %c = ConvTranspose(%x, %w)
    %s = constant f32[2,1,1] {10.0, 100.0}
    %y = Mul(%c, %s)
}
---
graph transposed(%x: f32[1,2,2,2]) -> (%y) {
    %w_5 = constant f32[2,2,1,1] {10.0, 200.0, 30.0, 400.0}
    %y = ConvTranspose(%x, %w_5) : f32[1,2,2,2]
}
===
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
# missed: is no padding with zeros of spatial axes
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
