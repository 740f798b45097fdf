pass infer,rules
graph comes_to_nothing(%x: f32[2,3], %c: bool[3]) -> (%y, %z) {
    %one = constant f32[] {1.0}
    %axis = constant i64[1] {0}
    %p = constant i64[4] {0, 0, 0, 0}
    %m = Mul(%x, %one)
    %n = Neg(%m)
    %o = Neg(%n)
    %q = Pad(%o, %p)
    %u = Unsqueeze(%q, %axis)
    %s = Squeeze(%u, %axis)
    %y = Abs(%s)
    %not = Not(%c)
    %z = Not(%not)
}
---
graph comes_to_nothing(%x: f32[2,3], %c: bool[3]) -> (%y, %z) {
    %y = Abs(%x) : f32[2,3]
    %z = Identity(%c) : bool[3]
}
===
pass infer,rules
graph zero_of_floats(%x: f32[2,3], %n: i32[2]) -> (%y, %z, %m) {
    %zero = constant f32[] {0.0}
    %minus = constant f32[] {-0.0}
    %none = constant i32[] {0}
    %y = Add(%x, %zero)
    %a = Add(%x, %minus)
    %z = Abs(%a)
    %b = Add(%n, %none)
    %m = Neg(%b)
}
---
graph zero_of_floats(%x: f32[2,3], %n: i32[2]) -> (%y, %z, %m) {
    %zero = constant f32[] {0.0}
    %y = Add(%x, %zero) : f32[2,3]
    %z = Abs(%x) : f32[2,3]
    %m = Neg(%n) : i32[2]
}
===
pass infer,rules
graph one_makes_it_larger(%x: f32[3], %z: f32[1]) -> (%y, %t) {
    %ones = constant f32[2,3] {1.0, 1.0, 1.0, 1.0, 1.0, 1.0}
    %one = constant f32[3] {1.0, 1.0, 1.0}
    %y = Mul(%x, %ones) : f32[2,3]
    %t = Mul(%z, %one) : f32[3]
}
---
unchanged
===
pass infer,rules
graph permutations(%x: f32[2,3,4]) -> (%y, %z) {
    %a = Transpose(%x) {perm = [1, 2, 0]}
    %y = Transpose(%a)
    %z = Transpose(%a) {perm = [2, 0, 1]}
}
---
graph permutations(%x: f32[2,3,4]) -> (%y, %z) {
    %y = Transpose(%x) {perm = [0, 2, 1]} : f32[2,4,3]
    %z = Identity(%x) : f32[2,3,4]
}
===
pass infer,rules
graph casts(%x: f16[3], %n: i32[3]) -> (%y, %z, %w) {
    %a = Cast(%x) {to = 1}
    %y = Cast(%a) {to = 11}
    %b = Cast(%n) {to = 7}
    %z = Cast(%b) {to = 6}
    %c = Cast(%n) {to = 1}
    %w = Cast(%c) {to = 6}
}
---
graph casts(%x: f16[3], %n: i32[3]) -> (%y, %z, %w) {
    %c = Cast(%n) {to = 1} : f32[3]
    %w = Cast(%c) {to = 6} : i32[3]
    %y = Cast(%x) {to = 11} : f64[3]
    %z = Identity(%n) : i32[3]
}
===
pass infer,rules
graph divisions(%x: f32[2,3]) -> (%y, %z) {
    %four = constant f32[1,1] {4.0}
    %three = constant f32[] {3.0}
    %y = Div(%x, %four)
    %z = Div(%x, %three)
}
---
graph divisions(%x: f32[2,3]) -> (%y, %z) {
    %three = constant f32[] {3.0}
    %div_power_of_two = constant f32[] {0.25}
    %z = Div(%x, %three) : f32[2,3]
    %y = Mul(%x, %div_power_of_two) : f32[2,3]
}
===
pass infer,rules
graph clips(%x: f32[2,3], %hi: f32[]) -> (%y, %z, %w) {
    %zero = constant f32[] {0.0}
    %six = constant f32[] {6.0}
    %a = Max(%zero, %x)
    %y = Min(%six, %a)
    %b = Min(%x, %zero)
    %z = Max(%b, %six)
    %w = Min(%a, %hi)
}
---
graph clips(%x: f32[2,3], %hi: f32[]) -> (%y, %z, %w) {
    %zero = constant f32[] {0.0}
    %six = constant f32[] {6.0}
    %min_relu = constant f32[] {0.0}
    %b = Min(%x, %zero) : f32[2,3]
    %z = Max(%b, %six) : f32[2,3]
    %a = Relu(%x) : f32[2,3]
    %w = Min(%a, %hi) : f32[2,3]
    %y = Clip(%x, %min_relu, %six) : f32[2,3]
}
===
pass infer,rules
graph comparisons(%x: f32[2], %z: f32[2], %n: i64[2], %m: i64[2]) -> (%p, %q) {
    %a = Less(%x, %z)
    %p = Not(%a)
    %b = Less(%n, %m)
    %q = Not(%b)
}
---
graph comparisons(%x: f32[2], %z: f32[2], %n: i64[2], %m: i64[2]) -> (%p, %q) {
    %a = Less(%x, %z) : bool[2]
    %p = Not(%a) : bool[2]
    %q = GreaterOrEqual(%n, %m) : bool[2]
}
===
pass infer,rules
graph pixel_shuffle(%x: f32[1,8,3,5]) -> (%y) {
    %a = constant i64[6] {1, 2, 2, 2, 3, 5}
    %s = constant i64[4] {1, 2, -1, 10}
    %m = Reshape(%x, %a)
    %t = Transpose(%m) {perm = [0, 1, 4, 2, 5, 3]}
    %y = Reshape(%t, %s)
}
---
graph pixel_shuffle(%x: f32[1,8,3,5]) -> (%y) {
    %y = DepthToSpace(%x) {blocksize = 2, mode = "CRD"} : f32[1,2,6,10]
}
===
pass infer,rules
graph pixel_shuffle_of_another_order(%x: f32[1,8,3,5]) -> (%y) {
    %a = constant i64[6] {1, 2, 2, 2, 3, 5}
    %s = constant i64[4] {1, 2, 6, 10}
    %m = Reshape(%x, %a) : f32[1,2,2,2,3,5]
    %t = Transpose(%m) {perm = [0, 1, 4, 3, 5, 2]} : f32[1,2,3,2,5,2]
    %y = Reshape(%t, %s) : f32[1,2,6,10]
}
---
unchanged
===
pass infer,rules
graph pixel_shuffle_of_two_factors(%x: f32[1,12,3,5]) -> (%y) {
    %a = constant i64[6] {1, 2, 2, 3, 3, 5}
    %s = constant i64[4] {1, 2, 6, 15}
    %m = Reshape(%x, %a) : f32[1,2,2,3,3,5]
    %t = Transpose(%m) {perm = [0, 1, 4, 2, 5, 3]} : f32[1,2,3,2,5,3]
    %y = Reshape(%t, %s) : f32[1,2,6,15]
}
---
unchanged
===
pass infer,rules
graph cut_and_joined(%x: f32[2,7]) -> (%y, %b) {
    %s = constant i64[2] {3, 4}
    %a, %b = Split(%x, %s) {axis = 1}
    %j = Concat(%a, %b) {axis = -1}
    %y = Relu(%j)
}
---
graph cut_and_joined(%x: f32[2,7]) -> (%y, %b) {
    %s = constant i64[2] {3, 4}
    %a, %b = Split(%x, %s) {axis = 1} : f32[2,3], f32[2,4]
    %y = Relu(%x) : f32[2,7]
}
===
pass infer,rules
graph cut_and_joined_crosswise(%x: f32[2,7]) -> (%y) {
    %s = constant i64[2] {3, 4}
    %a, %b = Split(%x, %s) {axis = 1} : f32[2,3], f32[2,4]
    %y = Concat(%b, %a) {axis = -1} : f32[2,7]
}
---
unchanged
===
pass infer,rules
graph broadcast_by_itself(%x: f32[1,3], %z: f32[2,3], %w: f32[1,3]) -> (%y, %v) {
    %s = constant i64[2] {2, 3}
    %e = Expand(%x, %s)
    %y = Add(%z, %e)
    %v = Add(%w, %e)
}
---
graph broadcast_by_itself(%x: f32[1,3], %z: f32[2,3], %w: f32[1,3]) -> (%y, %v) {
    %s = constant i64[2] {2, 3}
    %e = Expand(%x, %s) : f32[2,3]
    %v = Add(%w, %e) : f32[2,3]
    %y = Add(%x, %z) : f32[2,3]
}
===
pass infer,rules --rules=tests/rules/several.rules
graph several_roots(%x: f32[4], %n: i32[4]) -> (%p, %q, %a, %b) {
    %p = Softsign(%x)
    %q = Abs(%x)
    %a = Abs(%n)
    %b = Neg(%n)
}
---
graph several_roots(%x: f32[4], %n: i32[4]) -> (%p, %q, %a, %b) {
    %by_the_same_abs = constant f32[] {1.0}
    %abs_and_neg = constant i32[] {0}
    %q = Abs(%x) : f32[4]
    %by_the_same_abs_7 = Add(%q, %by_the_same_abs) : f32[4]
    %p = Div(%x, %by_the_same_abs_7) : f32[4]
    %b = Sub(%abs_and_neg, %n) : i32[4]
    %a = Max(%n, %b) : i32[4]
}
===
pass infer,rules --rules=tests/rules/several.rules
graph together(%x: f32[2,3], %z: f32[4,3]) -> (%a, %b) {
    %c = constant f32[] {3.0}
    %a = Mul(%x, %c)
    %b = Mul(%c, %z)
}
---
graph together(%x: f32[2,3], %z: f32[4,3]) -> (%a, %b) {
    %c = constant f32[] {3.0}
    %scaled_together_7 = constant i64[2] {4, 2}
    %scaled_together = Concat(%z, %x) {axis = 0} : f32[6,3]
    %scaled_together_6 = Mul(%scaled_together, %c) : f32[6,3]
    %b, %a = Split(%scaled_together_6, %scaled_together_7) {axis = 0} : f32[4,3], f32[2,3]
}
===
pass infer,rules --rules=tests/rules/several.rules
graph would_need_itself(%x: f32[2,3]) -> (%b) {
    %c = constant f32[] {3.0}
    %a = Mul(%x, %c) : f32[2,3]
    %z = Relu(%a) : f32[2,3]
    %b = Mul(%z, %c) : f32[2,3]
}
---
unchanged
===
pass infer,tidy,rules,dead
graph block_first(%x: f32[1,8,2,3]) -> (%y) {
    %six = constant i64[6] {1, 2, 2, 2, 2, 3}
    %a = Reshape(%x, %six)
    %b = Transpose(%a) {perm = [0, 3, 4, 1, 5, 2]}
    %four = constant i64[4] {1, 2, 4, 6}
    %y = Reshape(%b, %four)
}
---
graph block_first(%x: f32[1,8,2,3]) -> (%y) {
    %y = DepthToSpace(%x) {blocksize = 2, mode = "DCR"} : f32[1,2,4,6]
}
===
pass infer,tidy,rules,dead
graph back(%x: f32[1,2,4,6]) -> (%y) {
    %six = constant i64[6] {1, 2, 2, 2, 3, 2}
    %a = Reshape(%x, %six)
    %b = Transpose(%a) {perm = [0, 3, 5, 1, 2, 4]}
    %four = constant i64[4] {1, 8, 2, 3}
    %y = Reshape(%b, %four)
}
---
graph back(%x: f32[1,2,4,6]) -> (%y) {
    %y = SpaceToDepth(%x) {blocksize = 2, mode = "DCR"} : f32[1,8,2,3]
}
