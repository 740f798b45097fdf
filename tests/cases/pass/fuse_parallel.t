pass infer,tidy,fuse_parallel,dead
graph offset_and_mask(%x: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[1,1,1,1] {2.0}
    %wo = constant f32[2,1,1,1] {3.0, 4.0}
    %bo = constant f32[2] {5.0, 6.0}
    %m = Conv(%x, %w)
    %s = Sigmoid(%m)
    %o = Conv(%x, %wo, %bo)
    %y = DeformConv(%x, %w, %o, _, %s)
}
---
graph offset_and_mask(%x: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[1,1,1,1] {2.0}
    %wo_8 = constant f32[3,1,1,1] {3.0, 4.0, 2.0}
    %wo_9 = constant f32[3] {5.0, 6.0, 0.0}
    %begin = constant i64[1] {0}
    %end = constant i64[1] {2}
    %axis = constant i64[1] {1}
    %begin_15 = constant i64[1] {2}
    %end_16 = constant i64[1] {3}
    %axis_17 = constant i64[1] {1}
    %o_10 = Conv(%x, %wo_8, %wo_9) : f32[1,3,2,2]
    %m_18 = Slice(%o_10, %begin_15, %end_16, %axis_17) : f32[1,1,2,2]
    %s = Sigmoid(%m_18) : f32[1,1,2,2]
    %o_14 = Slice(%o_10, %begin, %end, %axis) : f32[1,2,2,2]
    %y = DeformConv(%x, %w, %o_14, _, %s) : f32[1,1,2,2]
}
===
pass infer,tidy,fuse_parallel,dead
# missed: a convolution behind one would want a copy
graph feeds_a_conv(%x: f32[1,1,2,2]) -> (%y, %z) {
    %w = constant f32[1,1,1,1] {2.0}
    %v = constant f32[1,1,1,1] {3.0}
    %a = Conv(%x, %w)
    %y = ReduceSum(%a)
    %b = Conv(%x, %v)
    %r = Relu(%b)
    %z = Conv(%r, %w)
}
---
graph feeds_a_conv(%x: f32[1,1,2,2]) -> (%y, %z) {
    %w = constant f32[1,1,1,1] {2.0}
    %v = constant f32[1,1,1,1] {3.0}
    %a = Conv(%x, %w) : f32[1,1,2,2]
    %y = ReduceSum(%a) : f32[1,1,1,1]
    %b = Conv(%x, %v) : f32[1,1,2,2]
    %r = Relu(%b) : f32[1,1,2,2]
    %z = Conv(%r, %w) : f32[1,1,2,2]
}
===
pass infer,tidy,fuse_parallel,dead
# near miss of fuse_parallel: kernels of two sizes
graph other_geometry(%x: f32[1,1,2,2]) -> (%y, %z) {
    %w = constant f32[1,1,1,1] {2.0}
    %a = Conv(%x, %w)
    %y = ReduceSum(%a)
    %b = Conv(%x, %w) {pads = [1, 1, 1, 1]}
    %z = ReduceSum(%b)
}
---
graph other_geometry(%x: f32[1,1,2,2]) -> (%y, %z) {
    %w = constant f32[1,1,1,1] {2.0}
    %a = Conv(%x, %w) : f32[1,1,2,2]
    %y = ReduceSum(%a) : f32[1,1,1,1]
    %b = Conv(%x, %w) {pads = [1, 1, 1, 1]} : f32[1,1,4,4]
    %z = ReduceSum(%b) : f32[1,1,1,1]
}
