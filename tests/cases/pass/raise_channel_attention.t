pass infer,raise_channel_attention,dead
graph attention(%x: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[2,2] {1.0, 2.0, 3.0, 4.0}
    %b = constant f32[2] {5.0, 6.0}
    %v = constant f32[1,2] {7.0, 8.0}
    %c = constant f32[1] {9.0}
    %flat = constant i64[2] {1, -1}
    %map = constant i64[4] {1, 1, 1, 1}
    %mean = GlobalAveragePool(%x)
    %most = GlobalMaxPool(%x)
    %both = Concat(%mean, %most) {axis = 1}
    %vector = Reshape(%both, %flat)
    %h = Gemm(%vector, %w, %b) {transB = 1}
    %r = Relu(%h)
    %o = Gemm(%r, %v, %c) {transB = 1}
    %s = Sigmoid(%o)
    %factor = Reshape(%s, %map)
    %y = Mul(%factor, %x)
}
---
graph attention(%x: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[2,2] {1.0, 2.0, 3.0, 4.0}
    %b = constant f32[2] {5.0, 6.0}
    %v = constant f32[1,2] {7.0, 8.0}
    %c = constant f32[1] {9.0}
    %y = sonoc::ChannelAttention(%x, %w, %b, %v, %c) : f32[1,1,2,2]
}
===
pass infer,raise_channel_attention,dead
# The maxima stand first.
graph other_order(%x: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[2,2] {1.0, 2.0, 3.0, 4.0}
    %b = constant f32[2] {5.0, 6.0}
    %v = constant f32[1,2] {7.0, 8.0}
    %c = constant f32[1] {9.0}
    %flat = constant i64[2] {1, -1}
    %map = constant i64[4] {1, 1, 1, 1}
    %mean = GlobalAveragePool(%x)
    %most = GlobalMaxPool(%x)
    %both = Concat(%most, %mean) {axis = 1}
    %vector = Reshape(%both, %flat)
    %h = Gemm(%vector, %w, %b) {transB = 1}
    %r = Relu(%h)
    %o = Gemm(%r, %v, %c) {transB = 1}
    %s = Sigmoid(%o)
    %factor = Reshape(%s, %map)
    %y = Mul(%x, %factor)
}
---
graph other_order(%x: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[2,2] {1.0, 2.0, 3.0, 4.0}
    %b = constant f32[2] {5.0, 6.0}
    %v = constant f32[1,2] {7.0, 8.0}
    %c = constant f32[1] {9.0}
    %flat = constant i64[2] {1, -1}
    %map = constant i64[4] {1, 1, 1, 1}
    %mean = GlobalAveragePool(%x) : f32[1,1,1,1]
    %most = GlobalMaxPool(%x) : f32[1,1,1,1]
    %both = Concat(%most, %mean) {axis = 1} : f32[1,2,1,1]
    %vector = Reshape(%both, %flat) : f32[1,2]
    %h = Gemm(%vector, %w, %b) {transB = 1} : f32[1,2]
    %r = Relu(%h) : f32[1,2]
    %o = Gemm(%r, %v, %c) {transB = 1} : f32[1,1]
    %s = Sigmoid(%o) : f32[1,1]
    %factor = Reshape(%s, %map) : f32[1,1,1,1]
    %y = Mul(%x, %factor) : f32[1,1,2,2]
}
===
pass infer,raise_channel_attention,dead
# The factor is for another map than it is from.
# near miss of raise_channel_attention: another map
graph other_map(%x: f32[1,1,2,2], %z: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[2,2] {1.0, 2.0, 3.0, 4.0}
    %b = constant f32[2] {5.0, 6.0}
    %v = constant f32[1,2] {7.0, 8.0}
    %c = constant f32[1] {9.0}
    %flat = constant i64[2] {1, -1}
    %map = constant i64[4] {1, 1, 1, 1}
    %mean = GlobalAveragePool(%x)
    %most = GlobalMaxPool(%x)
    %both = Concat(%mean, %most) {axis = 1}
    %vector = Reshape(%both, %flat)
    %h = Gemm(%vector, %w, %b) {transB = 1}
    %r = Relu(%h)
    %o = Gemm(%r, %v, %c) {transB = 1}
    %s = Sigmoid(%o)
    %factor = Reshape(%s, %map)
    %y = Mul(%z, %factor)
}
---
graph other_map(%x: f32[1,1,2,2], %z: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[2,2] {1.0, 2.0, 3.0, 4.0}
    %b = constant f32[2] {5.0, 6.0}
    %v = constant f32[1,2] {7.0, 8.0}
    %c = constant f32[1] {9.0}
    %flat = constant i64[2] {1, -1}
    %map = constant i64[4] {1, 1, 1, 1}
    %mean = GlobalAveragePool(%x) : f32[1,1,1,1]
    %most = GlobalMaxPool(%x) : f32[1,1,1,1]
    %both = Concat(%mean, %most) {axis = 1} : f32[1,2,1,1]
    %vector = Reshape(%both, %flat) : f32[1,2]
    %h = Gemm(%vector, %w, %b) {transB = 1} : f32[1,2]
    %r = Relu(%h) : f32[1,2]
    %o = Gemm(%r, %v, %c) {transB = 1} : f32[1,1]
    %s = Sigmoid(%o) : f32[1,1]
    %factor = Reshape(%s, %map) : f32[1,1,1,1]
    %y = Mul(%z, %factor) : f32[1,1,2,2]
}
===
pass infer,raise_channel_attention,dead
# The hidden layer has another reader.
# refused by raise_channel_attention: what would go is read
graph two_readers(%x: f32[1,1,2,2]) -> (%y, %r) {
    %w = constant f32[2,2] {1.0, 2.0, 3.0, 4.0}
    %b = constant f32[2] {5.0, 6.0}
    %v = constant f32[1,2] {7.0, 8.0}
    %c = constant f32[1] {9.0}
    %flat = constant i64[2] {1, -1}
    %map = constant i64[4] {1, 1, 1, 1}
    %mean = GlobalAveragePool(%x)
    %most = GlobalMaxPool(%x)
    %both = Concat(%mean, %most) {axis = 1}
    %vector = Reshape(%both, %flat)
    %h = Gemm(%vector, %w, %b) {transB = 1}
    %r = Relu(%h)
    %o = Gemm(%r, %v, %c) {transB = 1}
    %s = Sigmoid(%o)
    %factor = Reshape(%s, %map)
    %y = Mul(%x, %factor)
}
---
graph two_readers(%x: f32[1,1,2,2]) -> (%y, %r) {
    %w = constant f32[2,2] {1.0, 2.0, 3.0, 4.0}
    %b = constant f32[2] {5.0, 6.0}
    %v = constant f32[1,2] {7.0, 8.0}
    %c = constant f32[1] {9.0}
    %flat = constant i64[2] {1, -1}
    %map = constant i64[4] {1, 1, 1, 1}
    %mean = GlobalAveragePool(%x) : f32[1,1,1,1]
    %most = GlobalMaxPool(%x) : f32[1,1,1,1]
    %both = Concat(%mean, %most) {axis = 1} : f32[1,2,1,1]
    %vector = Reshape(%both, %flat) : f32[1,2]
    %h = Gemm(%vector, %w, %b) {transB = 1} : f32[1,2]
    %r = Relu(%h) : f32[1,2]
    %o = Gemm(%r, %v, %c) {transB = 1} : f32[1,1]
    %s = Sigmoid(%o) : f32[1,1]
    %factor = Reshape(%s, %map) : f32[1,1,1,1]
    %y = Mul(%x, %factor) : f32[1,1,2,2]
}
