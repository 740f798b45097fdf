pass infer,tidy,dead
graph nothing_moves(%x: f32[2,3,4]) -> (%y) {
    %a = Identity(%x)
    %b = Cast(%a) {to = 1}
    %p = constant i64[6] {0, 0, 0, 0, 0, 0}
    %c = Pad(%b, %p)
    %z = constant i64[1] {0}
    %e = constant i64[1] {4}
    %ax = constant i64[1] {2}
    %d = Slice(%c, %z, %e, %ax)
    %s = constant i64[3] {2, 3, 4}
    %f = Expand(%d, %s)
    %y = Relu(%f)
}
---
graph nothing_moves(%x: f32[2,3,4]) -> (%y) {
    %y = Relu(%x) : f32[2,3,4]
}
===
pass infer,tidy,dead
graph one_reshape(%x: f32[2,3,4]) -> (%y, %z) {
    %a = constant i64[1] {0}
    %b = Unsqueeze(%x, %a)
    %c = Flatten(%b) {axis = 2}
    %y = Relu(%c)
    %s = constant i64[3] {2, 3, 4}
    %d = Reshape(%c, %s)
    %z = Neg(%d)
}
---
graph one_reshape(%x: f32[2,3,4]) -> (%y, %z) {
    %shape_10 = constant i64[2] {2, 12}
    %c_11 = Reshape(%x, %shape_10) : f32[2,12]
    %y = Relu(%c_11) : f32[2,12]
    %z = Neg(%x) : f32[2,3,4]
}
===
pass infer,tidy,dead
graph transposes(%x: f32[2,3,4]) -> (%y, %z, %w) {
    %a = Transpose(%x) {perm = [1, 2, 0]}
    %b = Transpose(%a) {perm = [2, 0, 1]}
    %y = Relu(%b)
    %c = Transpose(%a) {perm = [1, 0, 2]}
    %z = Relu(%c)
    %s = constant i64[4] {2, 1, 3, 4}
    %d = Reshape(%x, %s)
    %e = Transpose(%d) {perm = [1, 0, 2, 3]}
    %w = Relu(%e)
}
---
graph transposes(%x: f32[2,3,4]) -> (%y, %z, %w) {
    %shape = constant i64[4] {1, 2, 3, 4}
    %y = Relu(%x) : f32[2,3,4]
    %c_11 = Transpose(%x) {perm = [2, 1, 0]} : f32[4,3,2]
    %z = Relu(%c_11) : f32[4,3,2]
    %e_13 = Reshape(%x, %shape) : f32[1,2,3,4]
    %w = Relu(%e_13) : f32[1,2,3,4]
}
===
pass infer,tidy,dead
graph slice_of_concat(%x: f32[2,3], %y: f32[2,4]) -> (%p, %q, %both) {
    %c = Concat(%x, %y) {axis = -1}
    %ax = constant i64[1] {1}
    %i0 = constant i64[1] {0}
    %i3 = constant i64[1] {3}
    %i5 = constant i64[1] {5}
    %i7 = constant i64[1] {7}
    %a = Slice(%c, %i0, %i3, %ax)
    %p = Relu(%a)
    %b = Slice(%c, %i5, %i7, %ax)
    %q = Relu(%b)
    %d = Slice(%c, %i0, %i5, %ax)
    %both = Relu(%d)
}
---
graph slice_of_concat(%x: f32[2,3], %y: f32[2,4]) -> (%p, %q, %both) {
    %ax = constant i64[1] {1}
    %i0 = constant i64[1] {0}
    %i5 = constant i64[1] {5}
    %begin = constant i64[1] {2}
    %end = constant i64[1] {4}
    %axis = constant i64[1] {1}
    %c = Concat(%x, %y) {axis = 1} : f32[2,7]
    %p = Relu(%x) : f32[2,3]
    %b_17 = Slice(%y, %begin, %end, %axis) : f32[2,2]
    %q = Relu(%b_17) : f32[2,2]
    %d = Slice(%c, %i0, %i5, %ax) : f32[2,5]
    %both = Relu(%d) : f32[2,5]
}
===
pass infer,tidy,dead
graph repeated_for_nothing(%x: f32[2,3], %s: f32[1,1]) -> (%y, %z) {
    %to = constant i64[2] {2, 3}
    %e = Expand(%s, %to)
    %y = Mul(%e, %x)
    %z = Add(%e, %s)
}
---
graph repeated_for_nothing(%x: f32[2,3], %s: f32[1,1]) -> (%y, %z) {
    %to = constant i64[2] {2, 3}
    %e = Expand(%s, %to) : f32[2,3]
    %y = Mul(%s, %x) : f32[2,3]
    %z = Add(%e, %s) : f32[2,3]
}
===
pass infer,tidy,dead
graph backwards_is_a_move(%x: f32[4]) -> (%y) {
    %b = constant i64[1] {-1}
    %e = constant i64[1] {-9}
    %ax = constant i64[1] {0}
    %st = constant i64[1] {-1}
    %s = Slice(%x, %b, %e, %ax, %st)
    %y = Relu(%s)
}
---
graph backwards_is_a_move(%x: f32[4]) -> (%y) {
    %b = constant i64[1] {-1}
    %e = constant i64[1] {-9}
    %ax = constant i64[1] {0}
    %st = constant i64[1] {-1}
    %s = Slice(%x, %b, %e, %ax, %st) : f32[4]
    %y = Relu(%s) : f32[4]
}
===
pass infer,tidy
# near miss of tidy: axes that are larger than 1 change places, a Reshape of another rank, repetition that shows
graph what_moves(%x: f32[2,3], %s: f32[1,3]) -> (%y, %z, %w) {
    %t = Transpose(%x) {perm = [1, 0]} : f32[3,2]
    %y = Relu(%t) : f32[3,2]
    %shape = constant i64[1] {6}
    %f = Reshape(%x, %shape) : f32[6]
    %z = Relu(%f) : f32[6]
    %twice = constant i64[2] {2, 1}
    %r = Tile(%s, %twice) : f32[2,3]
    %w = Relu(%r) : f32[2,3]
}
---
graph what_moves(%x: f32[2,3], %s: f32[1,3]) -> (%y, %z, %w) {
    %shape = constant i64[1] {6}
    %twice = constant i64[2] {2, 1}
    %t = Transpose(%x) {perm = [1, 0]} : f32[3,2]
    %y = Relu(%t) : f32[3,2]
    %f = Reshape(%x, %shape) : f32[6]
    %z = Relu(%f) : f32[6]
    %r = Tile(%s, %twice) : f32[2,3]
    %w = Relu(%r) : f32[2,3]
}
===
pass infer,tidy
# refused by tidy: the first of two has another reader; a slice of a Concat that takes of both
graph someone_else_reads(%x: f32[2,3], %z: f32[2,4]) -> (%p, %y) {
    %b = constant i64[1] {2}
    %e = constant i64[1] {5}
    %one = constant i64[1] {1}
    %c = Concat(%x, %z) {axis = 1} : f32[2,7]
    %s = Slice(%c, %b, %e, %one) : f32[2,3]
    %p = Relu(%s) : f32[2,3]
    %y = Relu(%c) : f32[2,7]
}
---
graph someone_else_reads(%x: f32[2,3], %z: f32[2,4]) -> (%p, %y) {
    %b = constant i64[1] {2}
    %e = constant i64[1] {5}
    %one = constant i64[1] {1}
    %c = Concat(%x, %z) {axis = 1} : f32[2,7]
    %s = Slice(%c, %b, %e, %one) : f32[2,3]
    %p = Relu(%s) : f32[2,3]
    %y = Relu(%c) : f32[2,7]
}
