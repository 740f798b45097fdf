num ulp=2
graph g(%x: f32[7,5]) -> (%y) {
    %y = Sigmoid(%x)
}
---
y = 1 / (1 + np.exp(-x))
===
num ulp=2
x = rng.uniform(-20, 20, (3, 41))
graph g(%x: f32[3,41]) -> (%y) {
    %y = Tanh(%x)
}
---
y = np.tanh(x)
===
num
x = np.array([1, -0.0, 0.0, np.inf, -np.inf, np.nan])
graph g(%x: f32[6]) -> (%y, %z) {
    %y = Relu(%x)
    %z = Neg(%x)
}
---
y = np.array([1, 0, 0, np.inf, 0, np.nan])
z = -x
===
num ulp=1
graph g(%x: f32[2,1,5], %w: f32[3,1]) -> (%y) {
    %s = Add(%x, %w)
    %y = Mul(%s, %w)
}
---
y = (x + w).astype(np.float32).astype(float) * w
===
num
a = rng.integers(-100, 100, 50)
b = rng.integers(1, 9, 50)
graph g(%a: i32[50], %b: i32[50]) -> (%q, %r) {
    %q = Div(%a, %b)
    %r = Mod(%a, %b)
}
---
q = np.trunc(a / b).astype(np.int32)
r = a % b
