num ulp=8 kernels=1
# a gate on the means of channels: all of it is small, but for what it is multiplied with
graph gate(%x: f32[2,8,16,16]) -> (%y) {
    %w = constant f32[2,8,1,1] {0.5, -1.0, 2.0, 0.25, 1.0, 3.0, -2.0, 0.75, 1.5, -0.5, 0.25, 2.5, -1.0, 0.5, 1.0, -0.25}
    %v = constant f32[8,2,1,1] {1.0, -0.5, 0.25, 2.0, -1.5, 0.75, 0.5, -2.0, 1.25, 0.5, -0.25, 1.0, 2.0, 0.5, -1.0, 0.25}
    %m = GlobalAveragePool(%x)
    %c = Conv(%m, %w)
    %r = Relu(%c)
    %d = Conv(%r, %v)
    %s = Sigmoid(%d)
    %y = Mul(%x, %s)
}
---
w = np.array([[0.5, -1, 2, 0.25, 1, 3, -2, 0.75], [1.5, -0.5, 0.25, 2.5, -1, 0.5, 1, -0.25]])
v = np.array([[1, -0.5], [0.25, 2], [-1.5, 0.75], [0.5, -2], [1.25, 0.5], [-0.25, 1], [2, 0.5], [-1, 0.25]])
y = x / (1 + np.exp(-np.maximum(x.mean((2, 3)) @ w.T, 0) @ v.T))[:, :, None, None]
===
num ulp=4 kernels=3
# not joined: what a later kernel reads, too, and what is an output or large; the others are
graph apart(%x: f32[1,8,16,16]) -> (%y, %n, %d) {
    %m = GlobalMaxPool(%x)
    %a = Mul(%x, %m)
    %p = MaxPool(%a) {kernel_shape = [1, 2], strides = [1, 2]}
    %y = Mul(%p, %m)
    %n = GlobalMaxPool(%y)
    %d = Sub(%x, %n)
}
---
m = x.max((2, 3), keepdims=True)
a = np.float32(x * m).reshape(1, 8, 16, 8, 2).max(4)
y = np.float32(a) * m
n = np.float32(y).max((2, 3), keepdims=True)
d = x - n
===
num ulp=4 kernels=3
# a part of a joined value is not small: another kernel may write the rest of it later
graph parts(%x: f32[1,8,16,16], %z: f32[1,8,600,1]) -> (%y) {
    %a = GlobalMaxPool(%x)
    %t = MaxPool(%z) {kernel_shape = [1, 1]}
    %j = Concat(%a, %t) {axis = 2}
    %y = Exp(%j)
}
---
y = np.exp(np.concatenate([x.max((2, 3), keepdims=True), z], 2))
