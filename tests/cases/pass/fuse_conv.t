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
    %w_9 = constant f32[2,1,1,1] {2.0, 3.0}
    %b_10 = constant f32[2] {9.0, 9.0}
    %y = Conv(%x, %w_9, %b_10) : f32[1,2,3,3]
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
    %w_9_14 = constant f32[1,2,1,1] {10.0, 21.0}
    %bias_12_15 = constant f32[1] {8.0}
    %y = Conv(%x, %w_9_14, %bias_12_15) : f32[1,1,3,3]
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
pass infer,tidy,fuse_conv,dead
graph behind_concat(%x: f32[1,1,3,3]) -> (%y) {
    %w = constant f32[1,1,1,1] {5.0}
    %v = constant f32[2,1,1,1] {6.0, 7.0}
    %p = Conv(%x, %w)
    %q = Conv(%x, %v)
    %c = Concat(%p, %q) {axis = 1}
    %s = constant f32[3,1,1] {1.0, 2.0, 3.0}
    %m = Mul(%c, %s)
    %y = Add(%m, %s)
}
---
graph behind_concat(%x: f32[1,1,3,3]) -> (%y) {
    %w_9 = constant f32[1,1,1,1] {5.0}
    %v_11 = constant f32[2,1,1,1] {12.0, 21.0}
    %bias = constant f32[1] {1.0}
    %bias_16 = constant f32[2] {2.0, 3.0}
    %p_10_15 = Conv(%x, %w_9, %bias) : f32[1,1,3,3]
    %q_12_17 = Conv(%x, %v_11, %bias_16) : f32[1,2,3,3]
    %y = Concat(%p_10_15, %q_12_17) {axis = 1} : f32[1,3,3,3]
}
===
pass infer,tidy,fuse_conv,dead
graph behind_add(%x: f32[1,1,3,3]) -> (%y) {
    %w = constant f32[1,1,1,1] {5.0}
    %v = constant f32[1,1,1,1] {6.0}
    %p = Conv(%x, %w)
    %q = Conv(%x, %v)
    %c = Add(%p, %q)
    %s = constant f32[1] {2.0}
    %m = Mul(%c, %s)
    %y = Sub(%m, %s)
}
---
graph behind_add(%x: f32[1,1,3,3]) -> (%y) {
    %w_9 = constant f32[1,1,1,1] {10.0}
    %v_11 = constant f32[1,1,1,1] {12.0}
    %bias = constant f32[1] {-2.0}
    %p_10_15 = Conv(%x, %w_9, %bias) : f32[1,1,3,3]
    %q_12_16 = Conv(%x, %v_11) : f32[1,1,3,3]
    %y = Add(%p_10_15, %q_12_16) : f32[1,1,3,3]
}
===
pass infer,tidy,fuse_conv,dead
# one of the two is no convolution
# near miss of fuse_conv: a sum of a convolution and something else
graph behind_a_shortcut(%x: f32[1,1,3,3]) -> (%y) {
    %w = constant f32[1,1,1,1] {5.0}
    %p = Conv(%x, %w)
    %c = Add(%p, %x)
    %s = constant f32[1] {2.0}
    %y = Mul(%c, %s)
}
---
graph behind_a_shortcut(%x: f32[1,1,3,3]) -> (%y) {
    %w = constant f32[1,1,1,1] {5.0}
    %s = constant f32[1] {2.0}
    %p = Conv(%x, %w) : f32[1,1,3,3]
    %c = Add(%p, %x) : f32[1,1,3,3]
    %y = Mul(%c, %s) : f32[1,1,3,3]
}
