pass infer,tidy,raise_norm,dead
graph group_norm(%x: f32[2,4,3,5]) -> (%y) {
    %g = constant i64[3] {0, 2, -1}
    %one = constant f32[2] {1.0, 2.0}
    %zero = constant f32[2] {0.0, 0.0}
    %r = Reshape(%x, %g)
    %n = InstanceNormalization(%r, %one, %zero) {epsilon = 0.001}
    %shape = constant i64[4] {2, 4, 3, 5}
    %b = Reshape(%n, %shape)
    %s = constant f32[4,1,1] {1.0, 2.0, 3.0, 4.0}
    %t = constant f32[4,1,1] {5.0, 6.0, 7.0, 8.0}
    %m = Mul(%s, %b)
    %y = Add(%m, %t)
}
---
graph group_norm(%x: f32[2,4,3,5]) -> (%y) {
    %one_12_15 = constant f32[4] {1.0, 2.0, 6.0, 8.0}
    %zero_13_16_18 = constant f32[4] {5.0, 6.0, 7.0, 8.0}
    %y = GroupNormalization(%x, %one_12_15, %zero_13_16_18) {epsilon = 0.001, num_groups = 2} : f32[2,4,3,5]
}
===
pass infer,tidy,raise_norm,dead
# missed: what is reshaped back is not of the input's shape
graph other_shape_behind(%x: f32[2,4,3,5]) -> (%y) {
    %g = constant i64[3] {0, 2, -1}
    %one = constant f32[2] {1.0, 1.0}
    %zero = constant f32[2] {0.0, 0.0}
    %r = Reshape(%x, %g)
    %n = InstanceNormalization(%r, %one, %zero)
    %shape = constant i64[4] {2, 4, 5, 3}
    %b = Reshape(%n, %shape)
    %y = Relu(%b)
}
---
graph other_shape_behind(%x: f32[2,4,3,5]) -> (%y) {
    %g = constant i64[3] {0, 2, -1}
    %one = constant f32[2] {1.0, 1.0}
    %zero = constant f32[2] {0.0, 0.0}
    %shape = constant i64[4] {2, 4, 5, 3}
    %r = Reshape(%x, %g) : f32[2,2,30]
    %n = InstanceNormalization(%r, %one, %zero) : f32[2,2,30]
    %b = Reshape(%n, %shape) : f32[2,4,5,3]
    %y = Relu(%b) : f32[2,4,5,3]
}
===
pass infer,tidy,raise_norm,dead
# missed: the constant is not one number a channel
graph scale_of_columns(%x: f32[2,4,3,2]) -> (%y) {
    %one = constant f32[4] {1.0, 1.0, 1.0, 1.0}
    %n = GroupNormalization(%x, %one, %one) {num_groups = 2}
    %s = constant f32[2] {1.0, 2.0}
    %y = Mul(%n, %s)
}
---
graph scale_of_columns(%x: f32[2,4,3,2]) -> (%y) {
    %one = constant f32[4] {1.0, 1.0, 1.0, 1.0}
    %s = constant f32[2] {1.0, 2.0}
    %n = GroupNormalization(%x, %one, %one) {num_groups = 2} : f32[2,4,3,2]
    %y = Mul(%n, %s) : f32[2,4,3,2]
}
===
pass infer,tidy,raise_norm,dead
graph layer_norm(%x: f32[2,3,4,2]) -> (%y) {
    %last = constant i64[1] {-1}
    %mean = ReduceMean(%x, %last)
    %d = Sub(%x, %mean)
    %two = constant f32[] {2.0}
    %sq = Pow(%d, %two)
    %v = ReduceMean(%sq, %last)
    %e = constant f32[] {0.01}
    %ve = Add(%v, %e)
    %std = Sqrt(%ve)
    %n = Div(%d, %std)
    %s = constant f32[2] {3.0, 4.0}
    %t = constant f32[2] {5.0, 6.0}
    %m = Mul(%n, %s)
    %y = Add(%m, %t)
}
---
graph layer_norm(%x: f32[2,3,4,2]) -> (%y) {
    %value_15_18 = constant f32[2] {3.0, 4.0}
    %value_16_19_21 = constant f32[2] {5.0, 6.0}
    %y = LayerNormalization(%x, %value_15_18, %value_16_19_21) {axis = 3, epsilon = 0.01} : f32[2,3,4,2]
}
===
pass infer,tidy,raise_norm,dead
# missed: mean and variance are not over the same last axes
graph not_last_axes(%x: f32[2,3,4]) -> (%y) {
    %one = constant i64[1] {1}
    %mean = ReduceMean(%x, %one)
    %d = Sub(%x, %mean)
    %sq = Mul(%d, %d)
    %v = ReduceMean(%sq, %one)
    %e = constant f32[] {0.01}
    %ve = Add(%v, %e)
    %std = Sqrt(%ve)
    %y = Div(%d, %std)
}
---
graph not_last_axes(%x: f32[2,3,4]) -> (%y) {
    %one = constant i64[1] {1}
    %e = constant f32[] {0.01}
    %mean = ReduceMean(%x, %one) : f32[2,1,4]
    %d = Sub(%x, %mean) : f32[2,3,4]
    %sq = Mul(%d, %d) : f32[2,3,4]
    %v = ReduceMean(%sq, %one) : f32[2,1,4]
    %ve = Add(%v, %e) : f32[2,1,4]
    %std = Sqrt(%ve) : f32[2,1,4]
    %y = Div(%d, %std) : f32[2,3,4]
}
===
pass infer,tidy,raise_norm,dead
graph layer_norm(%x: f32[2,3,4], %g: f32[4], %b: f32[4]) -> (%y) {
    %a = constant i64[1] {-1}
    %two = constant f32[] {2.0}
    %epsilon = constant f32[] {1e-05}
    %m = ReduceMean(%x, %a)
    %d = Sub(%x, %m)
    %p = Pow(%d, %two)
    %v = ReduceMean(%p, %a)
    %e = Add(%v, %epsilon)
    %s = Sqrt(%e)
    %n = Div(%d, %s)
    %w = Mul(%n, %g)
    %y = Add(%w, %b)
}
---
graph layer_norm(%x: f32[2,3,4], %g: f32[4], %b: f32[4]) -> (%y) {
    %value_15 = constant f32[4] {1.0, 1.0, 1.0, 1.0}
    %value_16 = constant f32[4] {0.0, 0.0, 0.0, 0.0}
    %n_17 = LayerNormalization(%x, %value_15, %value_16) {axis = 2, epsilon = 1e-05} : f32[2,3,4]
    %w = Mul(%n_17, %g) : f32[2,3,4]
    %y = Add(%w, %b) : f32[2,3,4]
}
===
pass infer,tidy,raise_norm,dead
# near miss of raise_norm: the mean over an axis in the middle
graph layer_norm_of_the_middle(%x: f32[2,4,4], %g: f32[4], %b: f32[4]) -> (%y) {
    %a = constant i64[1] {1}
    %epsilon = constant f32[] {1e-05}
    %m = ReduceMean(%x, %a) : f32[2,1,4]
    %d = Sub(%x, %m) : f32[2,4,4]
    %p = Mul(%d, %d) : f32[2,4,4]
    %v = ReduceMean(%p, %a) : f32[2,1,4]
    %e = Add(%v, %epsilon) : f32[2,1,4]
    %s = Sqrt(%e) : f32[2,1,4]
    %n = Div(%d, %s) : f32[2,4,4]
    %w = Mul(%n, %g) : f32[2,4,4]
    %y = Add(%w, %b) : f32[2,4,4]
}
---
graph layer_norm_of_the_middle(%x: f32[2,4,4], %g: f32[4], %b: f32[4]) -> (%y) {
    %a = constant i64[1] {1}
    %epsilon = constant f32[] {1e-05}
    %m = ReduceMean(%x, %a) : f32[2,1,4]
    %d = Sub(%x, %m) : f32[2,4,4]
    %p = Mul(%d, %d) : f32[2,4,4]
    %v = ReduceMean(%p, %a) : f32[2,1,4]
    %e = Add(%v, %epsilon) : f32[2,1,4]
    %s = Sqrt(%e) : f32[2,1,4]
    %n = Div(%d, %s) : f32[2,4,4]
    %w = Mul(%n, %g) : f32[2,4,4]
    %y = Add(%w, %b) : f32[2,4,4]
}
