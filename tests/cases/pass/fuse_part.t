pass infer,fuse_part,dead
graph offset_and_mask(%x: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[3,1,1,1] {1.0, 2.0, 3.0}
    %v = constant f32[1,1,1,1] {4.0}
    %zero = constant i64[1] {0}
    %one = constant i64[1] {1}
    %two = constant i64[1] {2}
    %three = constant i64[1] {3}
    %c = Conv(%x, %w)
    %offset = Slice(%c, %zero, %two, %one)
    %m = Slice(%c, %two, %three, %one)
    %mask = Sigmoid(%m)
    %y = DeformConv(%x, %v, %offset, _, %mask)
}
---
graph offset_and_mask(%x: f32[1,1,2,2]) -> (%y) {
    %w = constant f32[3,1,1,1] {1.0, 2.0, 3.0}
    %v = constant f32[1,1,1,1] {4.0}
    %zero = constant i64[1] {0}
    %one = constant i64[1] {1}
    %two = constant i64[1] {2}
    %three = constant i64[1] {3}
    %marks = constant f32[1,3,1,1] {0.0, 0.0, 1.0}
    %c = Conv(%x, %w) : f32[1,3,2,2]
    %mask_13 = sonoc::SigmoidWhere(%c, %marks) : f32[1,3,2,2]
    %offset = Slice(%mask_13, %zero, %two, %one) : f32[1,2,2,2]
    %m = Slice(%mask_13, %two, %three, %one) : f32[1,1,2,2]
    %y = DeformConv(%x, %v, %offset, _, %m) : f32[1,1,2,2]
}
===
pass infer,fuse_part,dead
# missed: the same channels are read without it
graph overlapping(%x: f32[1,1,2,2]) -> (%y, %z) {
    %w = constant f32[3,1,1,1] {1.0, 2.0, 3.0}
    %zero = constant i64[1] {0}
    %one = constant i64[1] {1}
    %two = constant i64[1] {2}
    %three = constant i64[1] {3}
    %c = Conv(%x, %w)
    %a = Slice(%c, %zero, %two, %one)
    %b = Slice(%c, %one, %three, %one)
    %y = Sigmoid(%b)
    %z = Relu(%a)
}
---
graph overlapping(%x: f32[1,1,2,2]) -> (%y, %z) {
    %w = constant f32[3,1,1,1] {1.0, 2.0, 3.0}
    %zero = constant i64[1] {0}
    %one = constant i64[1] {1}
    %two = constant i64[1] {2}
    %three = constant i64[1] {3}
    %c = Conv(%x, %w) : f32[1,3,2,2]
    %a = Slice(%c, %zero, %two, %one) : f32[1,2,2,2]
    %b = Slice(%c, %one, %three, %one) : f32[1,2,2,2]
    %y = Sigmoid(%b) : f32[1,2,2,2]
    %z = Relu(%a) : f32[1,2,2,2]
}
===
pass infer,fuse_part,dead
# missed: the same channels are read without it
graph all_of_it(%x: f32[1,1,2,2]) -> (%y, %z) {
    %w = constant f32[3,1,1,1] {1.0, 2.0, 3.0}
    %one = constant i64[1] {1}
    %three = constant i64[1] {3}
    %c = Conv(%x, %w)
    %b = Slice(%c, %one, %three, %one)
    %y = Sigmoid(%b)
    %z = Relu(%c)
}
---
graph all_of_it(%x: f32[1,1,2,2]) -> (%y, %z) {
    %w = constant f32[3,1,1,1] {1.0, 2.0, 3.0}
    %one = constant i64[1] {1}
    %three = constant i64[1] {3}
    %c = Conv(%x, %w) : f32[1,3,2,2]
    %b = Slice(%c, %one, %three, %one) : f32[1,2,2,2]
    %y = Sigmoid(%b) : f32[1,2,2,2]
    %z = Relu(%c) : f32[1,3,2,2]
}
===
pass infer,fuse_part,dead
# Rows are no channels, steps leave some out, and a Slice that has another reader stays.
graph no_parts(%x: f32[1,2,2,2]) -> (%a, %b, %d, %e) {
    %w = constant f32[2,2,1,1] {1.0, 2.0, 3.0, 4.0}
    %zero = constant i64[1] {0}
    %one = constant i64[1] {1}
    %two = constant i64[1] {2}
    %c = Conv(%x, %w)
    %row = Slice(%c, %zero, %one, %two)
    %a = Sigmoid(%row)
    %k = Conv(%x, %w)
    %step = Slice(%k, %zero, %two, %one, %two)
    %b = Sigmoid(%step)
    %m = Conv(%x, %w)
    %read = Slice(%m, %zero, %one, %one)
    %d = Sigmoid(%read)
    %e = Relu(%read)
}
---
graph no_parts(%x: f32[1,2,2,2]) -> (%a, %b, %d, %e) {
    %w = constant f32[2,2,1,1] {1.0, 2.0, 3.0, 4.0}
    %zero = constant i64[1] {0}
    %one = constant i64[1] {1}
    %two = constant i64[1] {2}
    %c = Conv(%x, %w) : f32[1,2,2,2]
    %row = Slice(%c, %zero, %one, %two) : f32[1,2,1,2]
    %a = Sigmoid(%row) : f32[1,2,1,2]
    %k = Conv(%x, %w) : f32[1,2,2,2]
    %step = Slice(%k, %zero, %two, %one, %two) : f32[1,1,2,2]
    %b = Sigmoid(%step) : f32[1,1,2,2]
    %m = Conv(%x, %w) : f32[1,2,2,2]
    %read = Slice(%m, %zero, %one, %one) : f32[1,1,2,2]
    %d = Sigmoid(%read) : f32[1,1,2,2]
    %e = Relu(%read) : f32[1,1,2,2]
}
