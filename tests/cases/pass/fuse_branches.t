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
graph gates(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3]) -> (%y) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %u = constant f32[1,1,1,3] {1.0, 2.0, 3.0}
    %v = constant f32[1,1,1,3] {4.0, 5.0, 6.0}
    %b = constant f32[1] {7.0}
    %c = constant f32[1] {8.0}
    %i = Conv(%p, %u, %b) {pads = [0, 1, 0, 1]}
    %j = Conv(%q, %v, %c) {pads = [0, 1, 0, 1]}
    %s = Sigmoid(%i)
    %t = Sigmoid(%j)
    %xs = Mul(%x, %s)
    %xt = Mul(%x, %t)
    %both = Concat(%xs, %xt) {axis = 1}
    %y = DeformConv(%both, %w, %o)
}
---
graph gates(%x: f32[1,2,2,3], %p: f32[1,1,2,3], %q: f32[1,1,2,3], %o: f32[1,2,2,3]) -> (%y) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %u_18 = constant f32[2,1,1,3] {1.0, 2.0, 3.0, 4.0, 5.0, 6.0}
    %b_19 = constant f32[2] {7.0, 8.0}
    %both_17 = Concat(%p, %q) {axis = 1} : f32[1,2,2,3]
    %i_20 = Conv(%both_17, %u_18, %b_19) {pads = [0, 1, 0, 1], group = 2} : f32[1,2,2,3]
    %s_21 = Sigmoid(%i_20) : f32[1,2,2,3]
    %y = sonoc::BranchDeformConv(%x, %w, %o, _, _, %s_21) : f32[1,1,2,3]
}
===
pass infer,tidy,fuse_branches,dead
# The gates have different paddings: each stays.
graph other_gates(%x: f32[1,2,1,3], %p: f32[1,1,1,3], %q: f32[1,1,1,3], %o: f32[1,2,1,3]) -> (%y) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %u = constant f32[1,1,1,3] {1.0, 2.0, 3.0}
    %v = constant f32[1,1,1,3] {4.0, 5.0, 6.0}
    %b = constant f32[1] {7.0}
    %i = Conv(%p, %u, %b) {pads = [0, 1, 0, 1]}
    %j = Conv(%q, %v, %b) {pads = [0, 2, 0, 0]}
    %s = Sigmoid(%i)
    %t = Sigmoid(%j)
    %xs = Mul(%x, %s)
    %xt = Mul(%x, %t)
    %both = Concat(%xs, %xt) {axis = 1}
    %y = DeformConv(%both, %w, %o)
}
---
graph other_gates(%x: f32[1,2,1,3], %p: f32[1,1,1,3], %q: f32[1,1,1,3], %o: f32[1,2,1,3]) -> (%y) {
    %w = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %u = constant f32[1,1,1,3] {1.0, 2.0, 3.0}
    %v = constant f32[1,1,1,3] {4.0, 5.0, 6.0}
    %b = constant f32[1] {7.0}
    %i = Conv(%p, %u, %b) {pads = [0, 1, 0, 1]} : f32[1,1,1,3]
    %j = Conv(%q, %v, %b) {pads = [0, 2, 0, 0]} : f32[1,1,1,3]
    %s = Sigmoid(%i) : f32[1,1,1,3]
    %t = Sigmoid(%j) : f32[1,1,1,3]
    %both_16 = Concat(%s, %t) {axis = 1} : f32[1,2,1,3]
    %y = sonoc::BranchDeformConv(%x, %w, %o, _, _, %both_16) : f32[1,1,1,3]
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
