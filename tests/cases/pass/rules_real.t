pass infer,rules_real
graph silu(%x: f32[2,3]) -> (%y) {
    %s = Sigmoid(%x)
    %y = Mul(%s, %x)
}
---
graph silu(%x: f32[2,3]) -> (%y) {
    %y = Swish(%x) {alpha = 1.0} : f32[2,3]
}
===
pass infer,rules_real
graph silu_of_two(%x: f32[2,3], %z: f32[2,3]) -> (%y) {
    %s = Sigmoid(%z) : f32[2,3]
    %y = Mul(%s, %x) : f32[2,3]
}
---
unchanged
===
pass infer,rules_real
graph silu_keeps_what_is_used(%x: f32[2,3]) -> (%y, %s) {
    %s = Sigmoid(%x)
    %y = Mul(%s, %x)
}
---
graph silu_keeps_what_is_used(%x: f32[2,3]) -> (%y, %s) {
    %s = Sigmoid(%x) : f32[2,3]
    %y = Swish(%x) {alpha = 1.0} : f32[2,3]
}
===
pass infer,rules_real
graph quick_gelu(%x: f32[2,3]) -> (%y) {
    %a = constant f32[1] {1.702}
    %t = Mul(%a, %x)
    %s = Sigmoid(%t)
    %y = Mul(%x, %s)
}
---
graph quick_gelu(%x: f32[2,3]) -> (%y) {
    %y = Swish(%x) {alpha = 1.702} : f32[2,3]
}
===
pass infer,rules_real
graph hard_swish_by_parts(%x: f32[2,3]) -> (%y) {
    %three = constant f32[] {3.0}
    %zero = constant f32[] {0.0}
    %six = constant f32[] {6.0}
    %a = Add(%x, %three)
    %lo = Max(%zero, %a)
    %hi = Min(%lo, %six)
    %s = Div(%hi, %six)
    %y = Mul(%x, %s)
}
---
graph hard_swish_by_parts(%x: f32[2,3]) -> (%y) {
    %y = HardSwish(%x) : f32[2,3]
}
===
pass infer,rules_real
graph hard_swish_of_five(%x: f32[2,3]) -> (%y) {
    %three = constant f32[] {3.0}
    %zero = constant f32[] {0.0}
    %six = constant f32[] {5.0}
    %a = Add(%x, %three)
    %c = Clip(%a, %zero, %six)
    %s = Mul(%x, %c)
    %y = Div(%s, %six)
}
---
graph hard_swish_of_five(%x: f32[2,3]) -> (%y) {
    %three = constant f32[] {3.0}
    %zero = constant f32[] {0.0}
    %six = constant f32[] {5.0}
    %div_by_constant = constant f32[] {0.2}
    %a = Add(%x, %three) : f32[2,3]
    %c = Clip(%a, %zero, %six) : f32[2,3]
    %s = Mul(%x, %c) : f32[2,3]
    %y = Mul(%s, %div_by_constant) : f32[2,3]
}
===
pass infer,rules_real
graph gelu_pytorch(%x: f32[2,3]) -> (%y) {
    %root = constant f32[] {1.4142135}
    %one = constant f32[] {1.0}
    %half = constant f32[] {0.5}
    %d = Div(%x, %root)
    %e = Erf(%d)
    %a = Add(%e, %one)
    %m = Mul(%x, %a)
    %y = Mul(%m, %half)
}
---
graph gelu_pytorch(%x: f32[2,3]) -> (%y) {
    %y = Gelu(%x) : f32[2,3]
}
===
pass infer,rules_real
graph gelu_tensorflow(%x: f32[2,3]) -> (%y) {
    %root = constant f32[] {0.70710677}
    %one = constant f32[] {1.0}
    %half = constant f32[] {0.5}
    %h = Mul(%half, %x)
    %d = Mul(%x, %root)
    %e = Erf(%d)
    %a = Add(%one, %e)
    %y = Mul(%h, %a)
}
---
graph gelu_tensorflow(%x: f32[2,3]) -> (%y) {
    %y = Gelu(%x) : f32[2,3]
}
===
pass infer,rules_real
graph gelu_of_another_root(%x: f32[2,3]) -> (%y) {
    %root = constant f32[] {0.7}
    %one = constant f32[] {1.0}
    %half = constant f32[] {0.5}
    %h = Mul(%half, %x) : f32[2,3]
    %d = Mul(%x, %root) : f32[2,3]
    %e = Erf(%d) : f32[2,3]
    %a = Add(%one, %e) : f32[2,3]
    %y = Mul(%h, %a) : f32[2,3]
}
---
unchanged
===
pass infer,rules_real
graph gelu_tanh_multiplied_out(%x: f32[2,3]) -> (%y) {
    %half = constant f32[] {0.5}
    %one = constant f32[] {1.0}
    %k = constant f32[] {0.044715}
    %r = constant f32[] {0.7978846}
    %x2 = Mul(%x, %x)
    %x3 = Mul(%x2, %x)
    %c = Mul(%k, %x3)
    %a = Add(%x, %c)
    %b = Mul(%r, %a)
    %t = Tanh(%b)
    %s = Add(%one, %t)
    %h = Mul(%half, %x)
    %y = Mul(%h, %s)
}
---
graph gelu_tanh_multiplied_out(%x: f32[2,3]) -> (%y) {
    %y = Gelu(%x) {approximate = "tanh"} : f32[2,3]
}
===
pass infer,rules_real
graph mish(%x: f32[2,3]) -> (%y) {
    %one = constant f32[] {1.0}
    %e = Exp(%x)
    %a = Add(%one, %e)
    %l = Log(%a)
    %t = Tanh(%l)
    %y = Mul(%t, %x)
}
---
graph mish(%x: f32[2,3]) -> (%y) {
    %y = Mish(%x) : f32[2,3]
}
===
pass infer,rules_real
graph mish_of_two(%x: f32[2,3]) -> (%y) {
    %two = constant f32[] {2.0}
    %e = Exp(%x) : f32[2,3]
    %a = Add(%two, %e) : f32[2,3]
    %l = Log(%a) : f32[2,3]
    %t = Tanh(%l) : f32[2,3]
    %y = Mul(%t, %x) : f32[2,3]
}
---
unchanged
===
pass infer,rules_real
graph softmax(%x: f32[2,3,4]) -> (%y) {
    %a = constant i64[1] {1}
    %b = constant i64[1] {-2}
    %m = ReduceMax(%x, %a) {keepdims = 1}
    %d = Sub(%x, %m)
    %e = Exp(%d)
    %s = ReduceSum(%e, %b)
    %y = Div(%e, %s)
}
---
graph softmax(%x: f32[2,3,4]) -> (%y) {
    %y = Softmax(%x) {axis = -2} : f32[2,3,4]
}
===
pass infer,rules_real
graph softmax_over_two_axes(%x: f32[2,3,4]) -> (%y) {
    %a = constant i64[2] {1, 2}
    %e = Exp(%x) : f32[2,3,4]
    %s = ReduceSum(%e, %a) : f32[2,1,1]
    %y = Div(%e, %s) : f32[2,3,4]
}
---
unchanged
===
pass infer,rules_real
graph l2_norm(%x: f32[2,3]) -> (%y) {
    %a = constant i64[1] {1}
    %q = Mul(%x, %x)
    %s = ReduceSum(%q, %a)
    %l = Sqrt(%s)
    %y = Div(%x, %l)
}
---
graph l2_norm(%x: f32[2,3]) -> (%y) {
    %y = LpNormalization(%x) {axis = 1, p = 2} : f32[2,3]
}
===
pass infer,rules_real
graph constants_are_gathered(%x: f32[2,3]) -> (%y) {
    %a = constant f32[3] {1.0, 2.0, 3.0}
    %b = constant f32[] {2.0}
    %c = constant f32[2,1] {1.0, 4.0}
    %p = Mul(%x, %a)
    %q = Mul(%b, %p)
    %y = Mul(%q, %c)
}
---
graph constants_are_gathered(%x: f32[2,3]) -> (%y) {
    %c = constant f32[2,1] {1.0, 4.0}
    %mul_mul = constant f32[3] {2.0, 4.0, 6.0}
    %q = Mul(%x, %mul_mul) : f32[2,3]
    %y = Mul(%q, %c) : f32[2,3]
}
===
pass infer,tidy,rules_real,dead
graph softmax_and_norm(%x: f32[2,3,4]) -> (%y, %n) {
    %ax = constant i64[1] {1}
    %max = ReduceMax(%x, %ax)
    %d = Sub(%x, %max)
    %e = Exp(%d)
    %s = ReduceSum(%e, %ax)
    %y = Div(%e, %s)
    %sq = Mul(%x, %x)
    %sum = ReduceSum(%sq, %ax) {keepdims = 0}
    %n = Sqrt(%sum)
}
---
graph softmax_and_norm(%x: f32[2,3,4]) -> (%y, %n) {
    %ax = constant i64[1] {1}
    %y = Softmax(%x) {axis = 1} : f32[2,3,4]
    %n = ReduceL2(%x, %ax) {keepdims = 0} : f32[2,4]
}
===
pass infer,tidy,rules_real,dead
graph sum_over_other_axis(%x: f32[2,3]) -> (%y) {
    %axes = constant i64[2] {0, 1}
    %e = Exp(%x)
    %s = ReduceSum(%e, %axes)
    %y = Div(%e, %s)
}
---
graph sum_over_other_axis(%x: f32[2,3]) -> (%y) {
    %axes = constant i64[2] {0, 1}
    %e = Exp(%x) : f32[2,3]
    %s = ReduceSum(%e, %axes) : f32[1,1]
    %y = Div(%e, %s) : f32[2,3]
}
