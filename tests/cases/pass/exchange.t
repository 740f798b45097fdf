pass infer,exchange
graph behind_upsampling(%x: f32[1,1,2,2]) -> (%y) {
    %sizes = constant i64[4] {1, 1, 4, 4}
    %w = constant f32[1,1,1,1] {2.0}
    %r = Resize(%x, _, _, %sizes) {mode = "linear"}
    %y = Conv(%r, %w)
}
---
graph behind_upsampling(%x: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[1,1,1,1] {2.0}
    %bias = constant f32[1] {0.0}
    %source_y = constant i64[4,2] {0, 0, 0, 1, 0, 1, 1, 1}
    %weight_y = constant f32[4,2] {0.25, 0.75, 0.75, 0.25, 0.25, 0.75, 0.75, 0.25}
    %source_x = constant i64[4,2] {0, 0, 0, 1, 0, 1, 1, 1}
    %weight_x = constant f32[4,2] {0.25, 0.75, 0.75, 0.25, 0.25, 0.75, 0.75, 0.25}
    %y = sonoc::UpsampleConv(%x, %w, %bias, %source_y, %weight_y, %source_x, %weight_x) {pads = [0, 0, 0, 0]} : f32[1,1,4,4]
}
===
pass infer,exchange
# near miss of exchange: nearest pixels, steps of two, groups
graph other_forms(%x: f32[1,2,2,2]) -> (%y, %z, %u) {
    %sizes = constant i64[4] {1, 2, 4, 4}
    %w = constant f32[1,2,1,1] {2.0, 3.0}
    %v = constant f32[2,1,1,1] {2.0, 3.0}
    %n = Resize(%x, _, _, %sizes) {mode = "nearest"}
    %y = Conv(%n, %w)
    %r = Resize(%x, _, _, %sizes) {mode = "linear"}
    %z = Conv(%r, %w) {strides = [2, 2]}
    %s = Resize(%x, _, _, %sizes) {mode = "linear"}
    %u = Conv(%s, %v) {group = 2}
}
---
graph other_forms(%x: f32[1,2,2,2]) -> (%y, %z, %u) {
    %sizes = constant i64[4] {1, 2, 4, 4}
    %w = constant f32[1,2,1,1] {2.0, 3.0}
    %v = constant f32[2,1,1,1] {2.0, 3.0}
    %n = Resize(%x, _, _, %sizes) {mode = "nearest"} : f32[1,2,4,4]
    %y = Conv(%n, %w) : f32[1,1,4,4]
    %r = Resize(%x, _, _, %sizes) {mode = "linear"} : f32[1,2,4,4]
    %z = Conv(%r, %w) {strides = [2, 2]} : f32[1,1,2,2]
    %s = Resize(%x, _, _, %sizes) {mode = "linear"} : f32[1,2,4,4]
    %u = Conv(%s, %v) {group = 2} : f32[1,2,4,4]
}
===
pass infer,exchange
# refused by exchange: the large map has another reader, or is hardly larger
graph no_gain(%x: f32[1,1,3,3]) -> (%y, %p, %z) {
    %six = constant i64[4] {1, 1, 6, 6}
    %four = constant i64[4] {1, 1, 4, 4}
    %w = constant f32[1,1,1,1] {2.0}
    %r = Resize(%x, _, _, %six) {mode = "linear"}
    %y = Conv(%r, %w)
    %p = Relu(%r)
    %s = Resize(%x, _, _, %four) {mode = "linear"}
    %z = Conv(%s, %w)
}
---
graph no_gain(%x: f32[1,1,3,3]) -> (%y, %p, %z) {
    %six = constant i64[4] {1, 1, 6, 6}
    %four = constant i64[4] {1, 1, 4, 4}
    %w = constant f32[1,1,1,1] {2.0}
    %r = Resize(%x, _, _, %six) {mode = "linear"} : f32[1,1,6,6]
    %y = Conv(%r, %w) : f32[1,1,6,6]
    %p = Relu(%r) : f32[1,1,6,6]
    %s = Resize(%x, _, _, %four) {mode = "linear"} : f32[1,1,4,4]
    %z = Conv(%s, %w) : f32[1,1,4,4]
}
