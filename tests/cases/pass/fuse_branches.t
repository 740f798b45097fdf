pass infer,tidy,fuse_branches,dead
graph a_match(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3]) -> (%y, %z) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %v = constant f32[2,4,1,1] {1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0}
    %b = constant f32[2] {9.0, 10.0}
    %xp = Mul(%x, %p)
    %xq = Mul(%q, %x)
    %both = Concat(%xp, %xq) {axis = 1}
    %y = DeformConv(%both, %w, %o)
    %z = Conv(%both, %v, %b) {pads = [0, 1, 0, 1]}
}
---
graph a_match(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3]) -> (%y, %z) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %b = constant f32[2] {9.0, 10.0}
    %v_14 = constant f32[4,2,1,1] {1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 8.0}
    %both_12 = Concat(%p, %q) {axis = 1} : f32[1,2,2,3]
    %y = sonoc::BranchDeformConv(%x, %w, %o, _, _, %both_12) : f32[1,1,2,3]
    %z_15 = Conv(%x, %v_14) : f32[1,4,2,3]
    %z = sonoc::TapSum(%z_15, %both_12, %b) {kernel_shape = [1, 1], pads = [0, 1, 0, 1]} : f32[1,2,2,5]
}
===
pass infer,tidy,fuse_branches,dead
# missed: its branches stay apart: it is read by what is neither a deformable nor a narrow convolution
graph another_reader(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3]) -> (%y, %z) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %xp = Mul(%x, %p)
    %xq = Mul(%x, %q)
    %both = Concat(%xp, %xq) {axis = 1}
    %y = DeformConv(%both, %w, %o)
    %z = Relu(%both)
}
---
graph another_reader(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3]) -> (%y, %z) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %xp = Mul(%x, %p) : f32[1,2,2,3]
    %xq = Mul(%x, %q) : f32[1,2,2,3]
    %both = Concat(%xp, %xq) {axis = 1} : f32[1,4,2,3]
    %y = DeformConv(%both, %w, %o) : f32[1,1,2,3]
    %z = Relu(%both) : f32[1,4,2,3]
}
===
pass infer,tidy,fuse_branches,dead
# missed: its branches stay apart: it is read by what is neither a deformable nor a narrow convolution
# The second convolution's weights are no constant: they cannot be put in another order.
graph weights_from_outside(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3], %k: f32[1,4,1,1]) -> (%y, %z) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %xp = Mul(%x, %p)
    %xq = Mul(%x, %q)
    %both = Concat(%xp, %xq) {axis = 1}
    %y = DeformConv(%both, %w, %o)
    %z = Conv(%both, %k)
}
---
graph weights_from_outside(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3], %k: f32[1,4,1,1]) -> (%y, %z) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %xp = Mul(%x, %p) : f32[1,2,2,3]
    %xq = Mul(%x, %q) : f32[1,2,2,3]
    %both = Concat(%xp, %xq) {axis = 1} : f32[1,4,2,3]
    %y = DeformConv(%both, %w, %o) : f32[1,1,2,3]
    %z = Conv(%both, %k) : f32[1,1,2,3]
}
===
pass infer,tidy,fuse_branches,dead
# missed: its branches stay apart: it is read elsewhere, too
graph an_output(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3]) -> (%y, %both) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %xp = Mul(%x, %p)
    %xq = Mul(%x, %q)
    %both = Concat(%xp, %xq) {axis = 1}
    %y = DeformConv(%both, %w, %o)
}
---
graph an_output(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3]) -> (%y, %both) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %xp = Mul(%x, %p) : f32[1,2,2,3]
    %xq = Mul(%x, %q) : f32[1,2,2,3]
    %both = Concat(%xp, %xq) {axis = 1} : f32[1,4,2,3]
    %y = DeformConv(%both, %w, %o) : f32[1,1,2,3]
}
===
pass infer,tidy,fuse_branches,dead
# Two maps, a factor of every channel, and groups are no branches of one map.
graph near_misses(%x: f32[1,2,2,3], %z: f32[1,2,2,3], %p: f32[1,1,2,3], %c: f32[1,2,1,1], %o: f32[1,2,2,3]) -> (%a, %b, %d) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %g = constant f32[2,2,1,1] {1.0, 2.0, 3.0, 4.0}
    %xp = Mul(%x, %p)
    %zp = Mul(%z, %p)
    %two = Concat(%xp, %zp) {axis = 1}
    %a = DeformConv(%two, %w, %o)
    %xs = Mul(%x, %p)
    %xc = Mul(%x, %c)
    %channel = Concat(%xs, %xc) {axis = 1}
    %b = DeformConv(%channel, %w, %o)
    %xt = Mul(%x, %p)
    %xu = Mul(%x, %p)
    %grouped = Concat(%xt, %xu) {axis = 1}
    %d = DeformConv(%grouped, %g, %o) {group = 2}
}
---
graph near_misses(%x: f32[1,2,2,3], %z: f32[1,2,2,3], %p: f32[1,1,2,3], %c: f32[1,2,1,1], %o: f32[1,2,2,3]) -> (%a, %b, %d) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %g = constant f32[2,2,1,1] {1.0, 2.0, 3.0, 4.0}
    %xp = Mul(%x, %p) : f32[1,2,2,3]
    %zp = Mul(%z, %p) : f32[1,2,2,3]
    %two = Concat(%xp, %zp) {axis = 1} : f32[1,4,2,3]
    %a = DeformConv(%two, %w, %o) : f32[1,1,2,3]
    %xs = Mul(%x, %p) : f32[1,2,2,3]
    %xc = Mul(%x, %c) : f32[1,2,2,3]
    %channel = Concat(%xs, %xc) {axis = 1} : f32[1,4,2,3]
    %b = DeformConv(%channel, %w, %o) : f32[1,1,2,3]
    %xt = Mul(%x, %p) : f32[1,2,2,3]
    %xu = Mul(%x, %p) : f32[1,2,2,3]
    %grouped = Concat(%xt, %xu) {axis = 1} : f32[1,4,2,3]
    %d = DeformConv(%grouped, %g, %o) {group = 2} : f32[1,2,2,3]
}
