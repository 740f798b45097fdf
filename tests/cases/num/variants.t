num atol=1e-4
graph conv(%x: f32[1,16,9,7], %b: f32[24]) -> (%y) {
    # choices: target x86-64-v3
    # choices: Conv(f32[1,16,9,7], constant f32[24,16,3,3], f32[24]) pads=[1,1,1,1]: product
    %zero = constant f32[] {0}
    %n = constant f32[] {3456}
    %one = constant f32[] {1}
    %shape = constant i64[4] {24, 16, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %c = Conv(%x, %w, %b) {pads = [1, 1, 1, 1]}
    %y = Relu(%c)
}
---
w = np.sin(np.arange(3456.0)).reshape(24, 16, 3, 3)
p = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (1, 2))
y = np.maximum(np.einsum("chwij,ocij->ohw", windows, w) + b[:, None, None], 0)[None]
===
num atol=1e-4
graph conv(%x: f32[1,16,9,7], %b: f32[24]) -> (%y) {
    # choices: target x86-64-v3
    # choices: Conv(f32[1,16,9,7], constant f32[24,16,3,3], f32[24]) pads=[1,1,1,1]: product-4x3
    %zero = constant f32[] {0}
    %n = constant f32[] {3456}
    %one = constant f32[] {1}
    %shape = constant i64[4] {24, 16, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %c = Conv(%x, %w, %b) {pads = [1, 1, 1, 1]}
    %y = Relu(%c)
}
---
w = np.sin(np.arange(3456.0)).reshape(24, 16, 3, 3)
p = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (1, 2))
y = np.maximum(np.einsum("chwij,ocij->ohw", windows, w) + b[:, None, None], 0)[None]
===
num atol=1e-4
graph conv(%x: f32[1,16,9,7], %b: f32[24]) -> (%y) {
    # choices: target x86-64-v3
    # choices: Conv(f32[1,16,9,7], constant f32[24,16,3,3], f32[24]) pads=[1,1,1,1]: winograd-4-few
    %zero = constant f32[] {0}
    %n = constant f32[] {3456}
    %one = constant f32[] {1}
    %shape = constant i64[4] {24, 16, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %c = Conv(%x, %w, %b) {pads = [1, 1, 1, 1]}
    %y = Relu(%c)
}
---
w = np.sin(np.arange(3456.0)).reshape(24, 16, 3, 3)
p = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (1, 2))
y = np.maximum(np.einsum("chwij,ocij->ohw", windows, w) + b[:, None, None], 0)[None]
===
num atol=1e-4
graph conv(%x: f32[1,16,9,7], %b: f32[24]) -> (%y) {
    # choices: target x86-64-v3
    # choices: Conv(f32[1,16,9,7], constant f32[24,16,3,3], f32[24]) pads=[1,1,1,1]: winograd-4
    %zero = constant f32[] {0}
    %n = constant f32[] {3456}
    %one = constant f32[] {1}
    %shape = constant i64[4] {24, 16, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %c = Conv(%x, %w, %b) {pads = [1, 1, 1, 1]}
    %y = Relu(%c)
}
---
w = np.sin(np.arange(3456.0)).reshape(24, 16, 3, 3)
p = np.pad(x[0], ((0, 0), (1, 1), (1, 1)))
windows = np.lib.stride_tricks.sliding_window_view(p, (3, 3), (1, 2))
y = np.maximum(np.einsum("chwij,ocij->ohw", windows, w) + b[:, None, None], 0)[None]
===
num atol=1e-4
# rows and columns that no tile divides, a sum in chunks
graph rest(%a: f32[2,11,800], %b: f32[2,800,29]) -> (%y) {
    # choices: target x86-64-v3
    # choices: MatMul( f32[2,11,800], f32[2,800,29] ) : product-4x3
    %y = MatMul(%a, %b)
}
---
y = a @ b
===
num atol=1e-4
graph gemm(%a: f32[30,9], %b: f32[50,30], %c: f32[50]) -> (%y) {
    # choices: target x86-64-v3   # attributes in the order of their names, whatever that of the model
    # choices: Gemm(f32[30,9], f32[50,30], f32[50]) alpha=0.5 transA=1 transB=1: product-4x3
    %y = Gemm(%a, %b, %c) {transB = 1, alpha = 0.5, transA = 1}
}
---
y = 0.5 * (a.T @ b.T) + c
===
num atol=1e-5
graph upsampled(%x: f32[1,8,5,7], %b: f32[64]) -> (%y) {
    # choices: target x86-64-v3
    # choices: UpsampleConv(f32[1,8,5,7], constant f32[64,8,3,3], f32[64], constant i64[10,2], constant f32[10,2], constant i64[14,2], constant f32[14,2]) pads=[1,1,1,1]: exchanged-16
    %zero = constant f32[] {0}
    %n = constant f32[] {4608}
    %one = constant f32[] {1}
    %shape = constant i64[4] {64, 8, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %sizes = constant i64[4] {1, 8, 10, 14}
    %u = Resize(%x, _, _, %sizes) {coordinate_transformation_mode = "align_corners", mode = "linear"}
    %y = Conv(%u, %w, %b) {pads = [1, 1, 1, 1]}
}
---
def lines(o, i):
    at = np.arange(o) * (i - 1) / (o - 1)
    left = np.minimum(at.astype(int), i - 2)
    m = np.zeros((o, i))
    m[np.arange(o), left] = 1 - (at - left)
    m[np.arange(o), left + 1] = at - left
    return m
u = np.einsum("yh,xw,chw->cyx", lines(10, 5), lines(14, 7), x[0])
w = np.sin(np.arange(4608.0)).reshape(64, 8, 3, 3)
windows = np.lib.stride_tricks.sliding_window_view(np.pad(u, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
y = (np.einsum("chwij,ocij->ohw", windows, w) + b[:, None, None])[None]
===
num atol=1e-5
graph upsampled(%x: f32[1,8,5,7], %b: f32[64]) -> (%y) {
    # choices: target x86-64-v3
    # choices: UpsampleConv(f32[1,8,5,7], constant f32[64,8,3,3], f32[64], constant i64[10,2], constant f32[10,2], constant i64[14,2], constant f32[14,2]) pads=[1,1,1,1]: exchanged-32
    %zero = constant f32[] {0}
    %n = constant f32[] {4608}
    %one = constant f32[] {1}
    %shape = constant i64[4] {64, 8, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %sizes = constant i64[4] {1, 8, 10, 14}
    %u = Resize(%x, _, _, %sizes) {coordinate_transformation_mode = "align_corners", mode = "linear"}
    %y = Conv(%u, %w, %b) {pads = [1, 1, 1, 1]}
}
---
def lines(o, i):
    at = np.arange(o) * (i - 1) / (o - 1)
    left = np.minimum(at.astype(int), i - 2)
    m = np.zeros((o, i))
    m[np.arange(o), left] = 1 - (at - left)
    m[np.arange(o), left + 1] = at - left
    return m
u = np.einsum("yh,xw,chw->cyx", lines(10, 5), lines(14, 7), x[0])
w = np.sin(np.arange(4608.0)).reshape(64, 8, 3, 3)
windows = np.lib.stride_tricks.sliding_window_view(np.pad(u, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2))
y = (np.einsum("chwij,ocij->ohw", windows, w) + b[:, None, None])[None]
