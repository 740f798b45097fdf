pass infer,simplify
graph one_value(%x: f32[1,2]) -> (%y, %z) {
    %y = Concat(%x, %x) {axis = 0} : f32[2,2]
    %z = Concat(%x, %x, %x) {axis = -1} : f32[1,6]
}
---
graph one_value(%x: f32[1,2]) -> (%y, %z) {
    %repeats = constant i64[2] {2, 1}
    %repeats_4 = constant i64[2] {1, 3}
    %y = Tile(%x, %repeats) : f32[2,2]
    %z = Tile(%x, %repeats_4) : f32[1,6]
}
===
pass infer,simplify
# near miss of simplify: another value stands among them
graph two_values(%x: f32[1,2], %z: f32[1,2]) -> (%y) {
    %y = Concat(%x, %z, %x) {axis = 0} : f32[3,2]
}
---
graph two_values(%x: f32[1,2], %z: f32[1,2]) -> (%y) {
    %y = Concat(%x, %z, %x) {axis = 0} : f32[3,2]
}
===
pass infer,simplify
# refused by simplify: there is nothing to repeat
graph once(%x: f32[1,2]) -> (%y) {
    %y = Concat(%x) {axis = 0} : f32[1,2]
}
---
graph once(%x: f32[1,2]) -> (%y) {
    %y = Concat(%x) {axis = 0} : f32[1,2]
}
