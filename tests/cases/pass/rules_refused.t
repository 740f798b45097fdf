pass infer,rules
# missed: rule reshape_reshape: not count(y) > 0
# missed: rule reshape_flatten: not count(y) > 0
# missed: rule flatten_reshape: not count(y) > 0
# missed: rule flatten_flatten: not count(y) > 0
# missed: rule reshape_squeeze: not count(y) > 0
# missed: rule squeeze_reshape: not count(y) > 0
# missed: rule reshape_unsqueeze: not count(y) > 0
# missed: rule unsqueeze_reshape: not count(y) > 0
# missed: rule squeeze_unsqueeze: not count(y) > 0
# missed: rule unsqueeze_squeeze: not count(y) > 0
# missed: rule unsqueeze_unsqueeze: not count(y) > 0
# missed: rule squeeze_squeeze: not count(y) > 0
graph of_no_elements(%x: f32[0,1,1]) -> (%a, %b, %c, %d, %e, %f, %g, %h, %i, %j, %k, %l) {
    %two = constant i64[2] {0, 1}
    %four = constant i64[4] {0, 1, 1, 1}
    %last = constant i64[1] {-1}
    %one = constant i64[1] {1}
    %r = Reshape(%x, %two)
    %t = Flatten(%x) {axis = 2}
    %s = Squeeze(%x, %last)
    %u = Unsqueeze(%x, %one)
    %a = Reshape(%r, %four)
    %b = Reshape(%t, %four)
    %c = Flatten(%r) {axis = 0}
    %d = Flatten(%t) {axis = 0}
    %e = Reshape(%s, %four)
    %f = Squeeze(%r, %last)
    %g = Reshape(%u, %two)
    %h = Unsqueeze(%r, %last)
    %i = Squeeze(%u, %last)
    %j = Unsqueeze(%s, %last)
    %k = Unsqueeze(%u, %last)
    %l = Squeeze(%s, %last)
}
---
graph of_no_elements(%x: f32[0,1,1]) -> (%a, %b, %c, %d, %e, %f, %g, %h, %i, %j, %k, %l) {
    %two = constant i64[2] {0, 1}
    %four = constant i64[4] {0, 1, 1, 1}
    %last = constant i64[1] {-1}
    %one = constant i64[1] {1}
    %r = Reshape(%x, %two) : f32[0,1]
    %t = Flatten(%x) {axis = 2} : f32[0,1]
    %s = Squeeze(%x, %last) : f32[0,1]
    %u = Unsqueeze(%x, %one) : f32[0,1,1,1]
    %a = Reshape(%r, %four) : f32[0,1,1,1]
    %b = Reshape(%t, %four) : f32[0,1,1,1]
    %c = Flatten(%r) {axis = 0} : f32[1,0]
    %d = Flatten(%t) {axis = 0} : f32[1,0]
    %e = Reshape(%s, %four) : f32[0,1,1,1]
    %f = Squeeze(%r, %last) : f32[0]
    %g = Reshape(%u, %two) : f32[0,1]
    %h = Unsqueeze(%r, %last) : f32[0,1,1]
    %i = Squeeze(%u, %last) : f32[0,1,1]
    %j = Unsqueeze(%s, %last) : f32[0,1,1]
    %k = Unsqueeze(%u, %last) : f32[0,1,1,1,1]
    %l = Squeeze(%s, %last) : f32[0]
}
===
pass infer,rules
# missed: rule pixel_shuffle: not dim(m, 3) == r
# missed: rule depth_to_space: not dim(m, 2) == r
# missed: rule space_to_depth: not dim(m, 5) == r
# missed: rule pixel_unshuffle: not dim(m, 5) == r
graph blocks_that_are_not_square(%x: f32[1,12,2,3], %z: f32[1,2,4,6]) -> (%a, %b, %c, %d) {
    %m1 = constant i64[6] {1, 2, 2, 3, 2, 3}
    %m2 = constant i64[6] {1, 2, 3, 2, 2, 3}
    %m3 = constant i64[6] {1, 2, 2, 2, 2, 3}
    %up = constant i64[4] {1, 2, 4, 9}
    %down = constant i64[4] {1, 12, 2, 2}
    %p = Reshape(%x, %m1)
    %q = Transpose(%p) {perm = [0, 1, 4, 2, 5, 3]}
    %a = Reshape(%q, %up)
    %r = Reshape(%x, %m2)
    %s = Transpose(%r) {perm = [0, 3, 4, 1, 5, 2]}
    %b = Reshape(%s, %up)
    %t = Reshape(%z, %m3)
    %u = Transpose(%t) {perm = [0, 3, 5, 1, 2, 4]}
    %c = Reshape(%u, %down)
    %v = Transpose(%t) {perm = [0, 1, 3, 5, 2, 4]}
    %d = Reshape(%v, %down)
}
---
graph blocks_that_are_not_square(%x: f32[1,12,2,3], %z: f32[1,2,4,6]) -> (%a, %b, %c, %d) {
    %m1 = constant i64[6] {1, 2, 2, 3, 2, 3}
    %m2 = constant i64[6] {1, 2, 3, 2, 2, 3}
    %m3 = constant i64[6] {1, 2, 2, 2, 2, 3}
    %up = constant i64[4] {1, 2, 4, 9}
    %down = constant i64[4] {1, 12, 2, 2}
    %p = Reshape(%x, %m1) : f32[1,2,2,3,2,3]
    %q = Transpose(%p) {perm = [0, 1, 4, 2, 5, 3]} : f32[1,2,2,2,3,3]
    %a = Reshape(%q, %up) : f32[1,2,4,9]
    %r = Reshape(%x, %m2) : f32[1,2,3,2,2,3]
    %s = Transpose(%r) {perm = [0, 3, 4, 1, 5, 2]} : f32[1,2,2,2,3,3]
    %b = Reshape(%s, %up) : f32[1,2,4,9]
    %t = Reshape(%z, %m3) : f32[1,2,2,2,2,3]
    %u = Transpose(%t) {perm = [0, 3, 5, 1, 2, 4]} : f32[1,2,3,2,2,2]
    %c = Reshape(%u, %down) : f32[1,12,2,2]
    %v = Transpose(%t) {perm = [0, 1, 3, 5, 2, 4]} : f32[1,2,2,3,2,2]
    %d = Reshape(%v, %down) : f32[1,12,2,2]
}
===
pass infer,rules
# missed: rule split_of_concat: not list(s) == [dim(p, k), dim(q, k)]
# missed: rule concat_of_split: not k == m
# missed: rule mul_neg_constant: not const(c)
# refused by unsqueeze_same: it adds an axis
# near miss of unsqueeze_same, sum_of_one, sum_of_two, concat_of_one: one axis or operand more
graph cut_elsewhere(%x: f32[2,2], %z: f32[2,4], %n: f32[2,2]) -> (%a, %b, %y, %w, %u, %s, %c) {
    %half = constant i64[2] {3, 3}
    %ones = constant i64[2] {1, 1}
    %axis = constant i64[1] {0}
    %j = Concat(%x, %z) {axis = 1}
    %a, %b = Split(%j, %half) {axis = 1}
    %p, %q = Split(%x, %ones) {axis = 0}
    %y = Concat(%p, %q) {axis = 1}
    %m = Neg(%x)
    %w = Mul(%m, %n)
    %u = Unsqueeze(%x, %axis)
    %s = Sum(%x, %n, %x)
    %c = Concat(%x, %n) {axis = 0}
}
---
graph cut_elsewhere(%x: f32[2,2], %z: f32[2,4], %n: f32[2,2]) -> (%a, %b, %y, %w, %u, %s, %c) {
    %half = constant i64[2] {3, 3}
    %ones = constant i64[2] {1, 1}
    %axis = constant i64[1] {0}
    %j = Concat(%x, %z) {axis = 1} : f32[2,6]
    %a, %b = Split(%j, %half) {axis = 1} : f32[2,3], f32[2,3]
    %p, %q = Split(%x, %ones) {axis = 0} : f32[1,2], f32[1,2]
    %y = Concat(%p, %q) {axis = 1} : f32[1,4]
    %m = Neg(%x) : f32[2,2]
    %w = Mul(%m, %n) : f32[2,2]
    %u = Unsqueeze(%x, %axis) : f32[1,2,2]
    %s = Sum(%x, %n, %x) : f32[2,2]
    %c = Concat(%x, %n) {axis = 0} : f32[4,2]
}
===
pass infer,rules_real
# missed: rule leaky_relu_max: not
# missed: rule softmax_max: not
# missed: rule rms_norm: not
# missed: rule reduce_mean: not
# missed: rule reduce_mean_scaled: not
graph other_numbers(%x: f32[2,4], %g: f32[4]) -> (%a, %b, %c, %d, %e) {
    %two = constant f32[] {2.0}
    %three = constant f32[] {3.0}
    %small = constant f32[] {0.01}
    %first = constant i64[1] {0}
    %last = constant i64[1] {1}
    %m = Mul(%x, %two)
    %a = Max(%x, %m)
    %top = ReduceMax(%x, %first)
    %below = Sub(%x, %top)
    %exp = Exp(%below)
    %both = constant i64[2] {0, 1}
    %total = ReduceSum(%exp, %both)
    %b = Div(%exp, %total)
    %sq = Mul(%x, %x)
    %mean = ReduceMean(%sq, %first)
    %more = Add(%mean, %small)
    %root = Sqrt(%more)
    %n = Div(%x, %root)
    %c = Mul(%n, %g)
    %sum = ReduceSum(%x, %last)
    %many = constant f32[] {99999.0}
    %d = Div(%sum, %many)
    %e = Mul(%sum, %three)
}
---
graph other_numbers(%x: f32[2,4], %g: f32[4]) -> (%a, %b, %c, %d, %e) {
    %two = constant f32[] {2.0}
    %three = constant f32[] {3.0}
    %small = constant f32[] {0.01}
    %first = constant i64[1] {0}
    %last = constant i64[1] {1}
    %both = constant i64[2] {0, 1}
    %many = constant f32[] {99999.0}
    %m = Mul(%x, %two) : f32[2,4]
    %a = Max(%x, %m) : f32[2,4]
    %top = ReduceMax(%x, %first) : f32[1,4]
    %below = Sub(%x, %top) : f32[2,4]
    %exp = Exp(%below) : f32[2,4]
    %total = ReduceSum(%exp, %both) : f32[1,1]
    %b = Div(%exp, %total) : f32[2,4]
    %sq = Mul(%x, %x) : f32[2,4]
    %mean = ReduceMean(%sq, %first) : f32[1,4]
    %more = Add(%mean, %small) : f32[1,4]
    %root = Sqrt(%more) : f32[1,4]
    %n = Div(%x, %root) : f32[2,4]
    %c = Mul(%n, %g) : f32[2,4]
    %sum = ReduceSum(%x, %last) : f32[2,1]
    %d = Div(%sum, %many) : f32[2,1]
    %e = Mul(%sum, %three) : f32[2,1]
}
