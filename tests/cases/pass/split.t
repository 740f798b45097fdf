pass infer,split
graph pieces(%x: f32[1,5,2]) -> (%y) {
    %axis = constant i64[1] {1}
    %zero = constant i64[1] {0}
    %two = constant i64[1] {2}
    %far = constant i64[1] {99}
    %tail = Slice(%x, %two, %far, %axis)
    %head = Slice(%x, %zero, %two, %axis)
    %a = Relu(%tail)
    %b = Relu(%head)
    %y = Concat(%a, %b) {axis = 1}
}
---
graph pieces(%x: f32[1,5,2]) -> (%y) {
    %sizes = constant i64[2] {2, 3}
    %head_11, %tail_12 = Split(%x, %sizes) {axis = 1} : f32[1,2,2], f32[1,3,2]
    %a = Relu(%tail_12) : f32[1,3,2]
    %b = Relu(%head_11) : f32[1,2,2]
    %y = Concat(%a, %b) {axis = 1} : f32[1,5,2]
}
===
pass infer,split
# The parts of the other axis stay: they do not reach the end.
graph two_axes(%x: f32[4,2]) -> (%a, %b, %c, %d, %e) {
    %zero = constant i64[1] {0}
    %one = constant i64[1] {1}
    %two = constant i64[1] {2}
    %three = constant i64[1] {3}
    %left = Slice(%x, %zero, %one, %one)
    %right = Slice(%x, %one, %two, %one)
    %top = Slice(%x, %zero, %two, %zero)
    %next = Slice(%x, %two, %three, %zero)
    %corner = Slice(%x, %zero, %one, %zero)
    %a = Relu(%left)
    %b = Relu(%right)
    %c = Relu(%top)
    %d = Relu(%next)
    %e = Relu(%corner)
}
---
graph two_axes(%x: f32[4,2]) -> (%a, %b, %c, %d, %e) {
    %zero = constant i64[1] {0}
    %one = constant i64[1] {1}
    %two = constant i64[1] {2}
    %three = constant i64[1] {3}
    %sizes = constant i64[2] {1, 1}
    %top = Slice(%x, %zero, %two, %zero) : f32[2,2]
    %next = Slice(%x, %two, %three, %zero) : f32[1,2]
    %corner = Slice(%x, %zero, %one, %zero) : f32[1,2]
    %left_16, %right_17 = Split(%x, %sizes) {axis = 1} : f32[4,1], f32[4,1]
    %a = Relu(%left_16) : f32[4,1]
    %b = Relu(%right_17) : f32[4,1]
    %c = Relu(%top) : f32[2,2]
    %d = Relu(%next) : f32[1,2]
    %e = Relu(%corner) : f32[1,2]
}
===
pass infer,split
# Pieces that overlap, leave a gap, or go in steps are no Split.
# near miss of split: pieces that overlap, leave a gap, or go in steps
graph no_pieces(%x: f32[6]) -> (%a, %b, %c, %d, %e) {
    %zero = constant i64[1] {0}
    %two = constant i64[1] {2}
    %three = constant i64[1] {3}
    %four = constant i64[1] {4}
    %six = constant i64[1] {6}
    %s = Slice(%x, %zero, %four)
    %t = Slice(%x, %three, %six)
    %u = Slice(%x, %zero, %two)
    %v = Slice(%x, %zero, %six, %zero, %two)
    %w = Slice(%x, %three, %four)
    %a = Relu(%s)
    %b = Relu(%t)
    %c = Relu(%u)
    %d = Relu(%v)
    %e = Relu(%w)
}
---
graph no_pieces(%x: f32[6]) -> (%a, %b, %c, %d, %e) {
    %zero = constant i64[1] {0}
    %two = constant i64[1] {2}
    %three = constant i64[1] {3}
    %four = constant i64[1] {4}
    %six = constant i64[1] {6}
    %s = Slice(%x, %zero, %four) : f32[4]
    %t = Slice(%x, %three, %six) : f32[3]
    %u = Slice(%x, %zero, %two) : f32[2]
    %v = Slice(%x, %zero, %six, %zero, %two) : f32[3]
    %w = Slice(%x, %three, %four) : f32[1]
    %a = Relu(%s) : f32[4]
    %b = Relu(%t) : f32[3]
    %c = Relu(%u) : f32[2]
    %d = Relu(%v) : f32[3]
    %e = Relu(%w) : f32[1]
}
===
pass infer,split
graph an_output(%x: f32[4]) -> (%a, %b) {
    %zero = constant i64[1] {0}
    %two = constant i64[1] {2}
    %four = constant i64[1] {4}
    %a = Slice(%x, %zero, %two)
    %b = Slice(%x, %two, %four)
}
---
graph an_output(%x: f32[4]) -> (%a, %b) {
    %sizes = constant i64[2] {2, 2}
    %a, %b = Split(%x, %sizes) {axis = 0} : f32[2], f32[2]
}
===
pass infer,split
# refused by split: the first piece is nothing
graph an_empty_piece(%x: f32[4]) -> (%a, %b) {
    %zero = constant i64[1] {0}
    %four = constant i64[1] {4}
    %e = Slice(%x, %zero, %zero)
    %f = Slice(%x, %zero, %four)
    %a = Relu(%e)
    %b = Relu(%f)
}
---
graph an_empty_piece(%x: f32[4]) -> (%a, %b) {
    %zero = constant i64[1] {0}
    %four = constant i64[1] {4}
    %e = Slice(%x, %zero, %zero) : f32[0]
    %f = Slice(%x, %zero, %four) : f32[4]
    %a = Relu(%e) : f32[0]
    %b = Relu(%f) : f32[4]
}
