num atol=1e-4 kernels=7
# parts of a joined value are stored where they lie in it, through two levels, with zeros around them, whoever reads them
graph nested(%x: f32[1,8,16,16], %v: f32[16,8,1,1], %w: f32[4,48,3,3]) -> (%y, %top) {
    %p = MaxPool(%x) {kernel_shape = [3, 3], pads = [1, 1, 1, 1]}
    %a = Conv(%p, %v)
    %b = Sigmoid(%a)
    %inner = Concat(%b, %p) {axis = 1}
    %d = MaxPool(%inner) {kernel_shape = [1, 3], pads = [0, 1, 0, 1]}
    %outer = Concat(%inner, %d) {axis = -3}
    %y = Conv(%outer, %w) {pads = [1, 1, 1, 1]}
    %top = GlobalMaxPool(%inner)
}
---
def windows(x, h, w, fill=0):
    x = np.pad(x, ((0, 0), (0, 0), (h // 2, h // 2), (w // 2, w // 2)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, (h, w), (2, 3))
p = windows(x, 3, 3, -np.inf).max((-2, -1))
b = 1 / (1 + np.exp(-np.einsum("oc,nchw->nohw", v[:, :, 0, 0], p)))
inner = np.concatenate([b, p], 1)
outer = np.concatenate([inner, windows(inner, 1, 3, -np.inf).max((-2, -1))], 1)
y = np.einsum("nchwij,ocij->nohw", windows(outer, 3, 3), w)
top = inner.max((2, 3), keepdims=True)
===
num atol=1e-4 kernels=10
# joined along the height: a part whose reader wants zeros around it is copied, the other one is not
graph heights(%x: f32[2,8,8,16], %v: f32[16,8,1,1], %u: f32[16,8,1,1], %w: f32[4,16,3,3]) -> (%y, %z) {
    %a = Conv(%x, %v)
    %b = Conv(%x, %u)
    %joined = Concat(%a, %b) {axis = 2}
    %y = Conv(%joined, %w) {pads = [1, 1, 1, 1]}
    %z = Conv(%a, %w) {pads = [1, 1, 1, 1]}
}
---
a, b = (np.einsum("oc,nchw->nohw", k[:, :, 0, 0], x) for k in (v, u))
def conv(x):
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return np.einsum("nchwij,ocij->nohw", np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3)), w)
y, z = conv(np.concatenate([a, b], 2)), conv(a)
===
num kernels=3
# the joined value is an output; what occurs in it twice is copied once
graph batches(%x: f32[1,4,16,32], %w: f32[1,4,16,32]) -> (%y) {
    %a = MaxPool(%x) {kernel_shape = [1, 1]}
    %b = MaxPool(%w) {kernel_shape = [1, 1]}
    %y = Concat(%a, %a, %b) {axis = 0}
}
---
y = np.concatenate([x, x, w], 0)
===
num kernels=5
# a value joined twice lies in the first; an output, an input and a constant lie where they must
graph places(%x: f32[1,4,16,32], %z: f32[1,4,16,32]) -> (%y, %m, %top) {
    %a = MaxPool(%x) {kernel_shape = [1, 1]}
    %m = MaxPool(%z) {kernel_shape = [1, 1]}
    %first = Concat(%a, %x) {axis = 1}
    %y = Concat(%a, %m, %x) {axis = 3}
    %top = GlobalMaxPool(%first)
}
---
y, m = np.concatenate([x, z, x], 3), z
top = np.concatenate([x, x], 1).max((2, 3), keepdims=True)
===
num ulp=4 kernels=3
# what is read for the last time is written over: after all of it was read, or element by element; rest and all
graph over(%x: f32[2,3,16,23]) -> (%y) {
    %a = MaxPool(%x) {kernel_shape = [1, 1]}
    %m = GlobalMaxPool(%a)
    %d = Sub(%a, %m)
    %e = Exp(%d)
    %y = MaxPool(%e) {kernel_shape = [2, 2]}
}
---
e = np.exp(x - x.max((2, 3), keepdims=True))
y = np.maximum(np.maximum(e[:, :, :-1, :-1], e[:, :, 1:, :-1]), np.maximum(e[:, :, :-1, 1:], e[:, :, 1:, 1:]))
