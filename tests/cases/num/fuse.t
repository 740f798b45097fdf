num ulp=20 atol=1e-5
# gates and parallel convolutions: per image scalars of a batch of two, scales on both sides of convolutions
graph gates(%x: f32[2,2,3,3], %p: f32[2,1,1,1], %q: f32[2,1,1,1]) -> (%z, %top) {
    %w = constant f32[2,2,1,1] {0.5, -1.0, 2.0, 0.25}
    %b = constant f32[2] {0.5, -0.25}
    %v = constant f32[1,2,1,1] {1.5, -0.5}
    %xp = Mul(%x, %p)
    %qx = Mul(%q, %x)
    %gated = Add(%xp, %qx)
    %c = Conv(%gated, %w, %b)
    %axes = constant i64[2] {2, 3}
    %z = ReduceMean(%c, %axes) {keepdims = 1}
    %gate = Conv(%x, %v)
    %s = Sigmoid(%gate)
    %top = ReduceMax(%s, %axes) {keepdims = 1}
}
---
w, b, v = np.array([[0.5, -1], [2, 0.25]]), np.array([0.5, -0.25]), np.array([1.5, -0.5])
c = np.einsum("oc,nchw->nohw", w, x * (p + q)) + b[:, None, None]
z = c.mean((2, 3), keepdims=True)
m = 1 / (1 + np.exp(-np.einsum("c,nchw->nhw", v, x)[:, None]))
top = m.max((2, 3), keepdims=True)
===
num ulp=20 atol=1e-5
graph scales(%x: f32[1,4,3,3]) -> (%y, %t) {
    %s = constant f32[4,1,1] {2.0, 3.0, 0.5, -1.0}
    %a = Mul(%x, %s)
    %w = constant f32[4,2,1,1] {0.5, -1.0, 2.0, 0.25, 1.0, 3.0, -2.0, 0.75}
    %c = Conv(%a, %w) {group = 2, pads = [1, 1, 1, 1]}
    %u = constant f32[1,4,1,1] {1.0, 2.0, 3.0, 4.0}
    %y = Div(%c, %u)
    %tw = constant f32[4,2,1,1] {0.5, -1.0, 2.0, 0.25, 1.0, 3.0, -2.0, 0.75}
    %d = ConvTranspose(%x, %tw) {group = 2}
    %m = Mul(%d, %u)
    %t = Add(%m, %u)
}
---
w = np.array([0.5, -1, 2, 0.25, 1, 3, -2, 0.75]).reshape(4, 2)
s, u = np.array([2, 3, 0.5, -1]), np.array([1, 2, 3, 4])[:, None, None]
both = [np.einsum("oc,nchw->nohw", w[2 * g : 2 * g + 2], (x * s[:, None, None])[:, 2 * g : 2 * g + 2]) for g in (0, 1)]
y = np.pad(np.concatenate(both, 1), ((0, 0), (0, 0), (1, 1), (1, 1))) / u
both = [np.einsum("co,nchw->nohw", w[2 * g : 2 * g + 2], x[:, 2 * g : 2 * g + 2]) for g in (0, 1)]
t = np.concatenate(both, 1) * u + u
===
num atol=1e-6
graph channel_attention(%x: f32[2,3,4,5], %w: f32[2,6], %b: f32[2], %v: f32[3,2], %c: f32[3]) -> (%y) {
    %a = sonoc::ChannelAttention(%x, %w, %b, %v, %c)
    %y = Relu(%a)
}
---
means = np.concatenate([x.mean((2, 3)), x.max((2, 3))], 1)
hidden = np.maximum(means @ w.T + b, 0)
factor = 1 / (1 + np.exp(-(hidden @ v.T + c)))
y = np.maximum(x * factor[:, :, None, None], 0)
