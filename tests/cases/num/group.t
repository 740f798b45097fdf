num ulp=4 kernels=1
# folds of one value over the same axes share a kernel; an epilogue takes another fold's result
graph folds(%x: f32[3,40,600,2]) -> (%low, %spread, %size) {
    %axes = constant i64[2] {2, 0}
    %low = ReduceMin(%x, %axes)
    %mean = ReduceMean(%x, %axes)
    %high = ReduceMax(%x, %axes)
    %spread = Sub(%high, %mean)
    %size = ReduceL2(%x, %axes) {keepdims = 0}
}
---
low, high, mean = x.min((0, 2), keepdims=True), x.max((0, 2), keepdims=True), x.mean((0, 2), keepdims=True)
spread = np.float32(high) - np.float32(mean)
size = np.sqrt((x * x).sum((0, 2)))
===
num atol=1e-6 kernels=2
# what reads a fold comes after the shared kernel, wherever the other fold stood
graph between(%x: f32[2,6,5,7]) -> (%y, %low) {
    %axes = constant i64[3] {1, 2, 3}
    %zero = constant i64[] {0}
    %high = ReduceMax(%x, %axes)
    %sums = CumSum(%high, %zero)
    %low = ReduceMin(%x, %axes)
    %more = CumSum(%low, %zero)
    %y = Add(%sums, %more)
}
---
low = x.min((1, 2, 3), keepdims=True)
y = np.cumsum(x.max((1, 2, 3), keepdims=True), 0) + np.cumsum(low, 0)
===
num ulp=4 kernels=2
# an epilogue that needs what was made of the other fold's result keeps them apart
graph apart(%x: f32[2,6,5,7]) -> (%y, %sums) {
    %axes = constant i64[3] {1, 2, 3}
    %zero = constant i64[] {0}
    %high = ReduceMax(%x, %axes)
    %sums = CumSum(%high, %zero)
    %low = ReduceMin(%x, %axes)
    %half = Mul(%low, %sums)
    %y = CumSum(%half, %zero)
}
---
high, low = x.max((1, 2, 3), keepdims=True), x.min((1, 2, 3), keepdims=True)
sums = np.float32(np.cumsum(high, 0))
y = np.cumsum(np.float32(low * sums), 0)
===
num atol=1e-6 kernels=1
# parts that lie differently in memory have loops of their own
graph turned(%x: f32[5,5,9], %z: f32[5,5,9]) -> (%a, %b) {
    %axis = constant i64[1] {2}
    %t = Transpose(%x) {perm = [1, 0, 2]}
    %a = ReduceSum(%x, %axis) {keepdims = 0}
    %b = ReduceMin(%t, %axis) {keepdims = 0}
}
---
a, b = x.sum(2), x.min(2).T
===
num ulp=4 kernels=1
# an epilogue that takes another element of the other result has loops of its own
graph transposed(%x: f32[5,5,9]) -> (%y) {
    %axis = constant i64[1] {2}
    %a = ReduceMax(%x, %axis) {keepdims = 0}
    %b = ReduceMin(%x, %axis) {keepdims = 0}
    %t = Transpose(%a) {perm = [1, 0]}
    %y = Sub(%b, %t)
}
---
y = np.float32(x.min(2)) - np.float32(x.max(2).T)
===
num ulp=4 kernels=1
# channels of one map: a maximum of the first, a mean of the second, as gates have them
graph slices(%x: f32[2,2,40,31]) -> (%y) {
    %zero = constant i64[1] {0}
    %one = constant i64[1] {1}
    %two = constant i64[1] {2}
    %a = Slice(%x, %zero, %one, %one)
    %b = Slice(%x, %one, %two, %one)
    %mean = GlobalAveragePool(%b)
    %high = GlobalMaxPool(%a)
    %y = Add(%high, %mean)
}
---
y = np.float32(x[:, :1].max((2, 3), keepdims=True)) + np.float32(x[:, 1:].mean((2, 3), keepdims=True))
===
num kernels=2
# nothing to fold: sizes of one, and none
graph single(%x: f32[3,1,2], %e: f32[0,4]) -> (%a, %b, %c, %d) {
    %axis = constant i64[1] {1}
    %a = ReduceMax(%x, %axis)
    %b = ReduceSum(%x, %axis)
    %first = constant i64[1] {0}
    %c = ReduceSum(%e, %first)
    %d = ReduceProd(%e, %first)
}
---
a, b, c, d = x, x, np.zeros((1, 4)), np.ones((1, 4))
