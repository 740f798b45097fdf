pass infer,tidy,raise_pool,tidy,dead
graph means_of_maps(%x: f32[1,4,5,6]) -> (%a, %b, %c) {
    %axes = constant i64[2] {-1, -2}
    %m = ReduceMean(%x, %axes) {keepdims = 0}
    %a = Relu(%m)
    %p = MaxPool(%x) {kernel_shape = [5, 6], strides = [5, 6]}
    %b = Relu(%p)
    %q = AveragePool(%x) {kernel_shape = [5, 6]}
    %c = Relu(%q)
}
---
graph means_of_maps(%x: f32[1,4,5,6]) -> (%a, %b, %c) {
    %shape = constant i64[2] {1, 4}
    %m_8 = GlobalAveragePool(%x) : f32[1,4,1,1]
    %m_10 = Reshape(%m_8, %shape) : f32[1,4]
    %a = Relu(%m_10) : f32[1,4]
    %p_11 = GlobalMaxPool(%x) : f32[1,4,1,1]
    %b = Relu(%p_11) : f32[1,4,1,1]
    %q_12 = GlobalAveragePool(%x) : f32[1,4,1,1]
    %c = Relu(%q_12) : f32[1,4,1,1]
}
===
pass infer,tidy,raise_pool
# the slice leaves one channel to be pooled
graph slice_first(%x: f32[1,4,5,6]) -> (%a) {
    %m = GlobalMaxPool(%x)
    %ax = constant i64[1] {1}
    %two = constant i64[1] {2}
    %s = Slice(%m, %ax, %two, %ax)
    %a = Relu(%s)
}
---
graph slice_first(%x: f32[1,4,5,6]) -> (%a) {
    %ax = constant i64[1] {1}
    %two = constant i64[1] {2}
    %s_6 = Slice(%x, %ax, %two, %ax) : f32[1,1,5,6]
    %m_7 = GlobalMaxPool(%s_6) : f32[1,1,1,1]
    %a = Relu(%m_7) : f32[1,1,1,1]
}
===
pass infer,tidy,raise_pool
# near miss of raise_pool: other axes, a smaller window, padding
graph near_misses(%x: f32[1,4,5,6]) -> (%a, %b, %c) {
    %axes = constant i64[2] {1, 2}
    %m = ReduceMean(%x, %axes)
    %a = Relu(%m)
    %p = MaxPool(%x) {kernel_shape = [5, 5]}
    %b = Relu(%p)
    %q = AveragePool(%x) {count_include_pad = 1, kernel_shape = [5, 6], pads = [1, 0, 0, 0]}
    %c = Relu(%q)
}
---
graph near_misses(%x: f32[1,4,5,6]) -> (%a, %b, %c) {
    %axes = constant i64[2] {1, 2}
    %m = ReduceMean(%x, %axes) : f32[1,1,1,6]
    %a = Relu(%m) : f32[1,1,1,6]
    %p = MaxPool(%x) {kernel_shape = [5, 5]} : f32[1,4,1,2]
    %b = Relu(%p) : f32[1,4,1,2]
    %q = AveragePool(%x) {count_include_pad = 1, kernel_shape = [5, 6], pads = [1, 0, 0, 0]} : f32[1,4,2,1]
    %c = Relu(%q) : f32[1,4,2,1]
}
===
pass infer,tidy,raise_pool
# refused by raise_pool: all channels are pooled for someone else, or the maps are of integers
graph read_as_a_whole(%x: f32[1,4,5,6], %n: i32[1,4,5,6]) -> (%a, %m, %k) {
    %m = GlobalMaxPool(%x)
    %ax = constant i64[1] {1}
    %two = constant i64[1] {2}
    %s = Slice(%m, %ax, %two, %ax)
    %a = Relu(%s)
    %axes = constant i64[2] {2, 3}
    %k = ReduceMax(%n, %axes)
}
---
graph read_as_a_whole(%x: f32[1,4,5,6], %n: i32[1,4,5,6]) -> (%a, %m, %k) {
    %ax = constant i64[1] {1}
    %two = constant i64[1] {2}
    %axes = constant i64[2] {2, 3}
    %m = GlobalMaxPool(%x) : f32[1,4,1,1]
    %s = Slice(%m, %ax, %two, %ax) : f32[1,1,1,1]
    %a = Relu(%s) : f32[1,1,1,1]
    %k = ReduceMax(%n, %axes) : i32[1,4,1,1]
}
