pass infer,tidy,raise_shuffle,dead
graph pixel_shuffle(%x: f32[1,8,2,3]) -> (%y) {
    %six = constant i64[6] {1, 2, 2, 2, 2, 3}
    %a = Reshape(%x, %six)
    %b = Transpose(%a) {perm = [0, 1, 4, 2, 5, 3]}
    %four = constant i64[4] {1, 2, 4, 6}
    %y = Reshape(%b, %four)
}
---
graph pixel_shuffle(%x: f32[1,8,2,3]) -> (%y) {
    %y = DepthToSpace(%x) {blocksize = 2, mode = "CRD"} : f32[1,2,4,6]
}
===
pass infer,tidy,raise_shuffle,dead
graph block_first(%x: f32[1,8,2,3]) -> (%y) {
    %six = constant i64[6] {1, 2, 2, 2, 2, 3}
    %a = Reshape(%x, %six)
    %b = Transpose(%a) {perm = [0, 3, 4, 1, 5, 2]}
    %four = constant i64[4] {1, 2, 4, 6}
    %y = Reshape(%b, %four)
}
---
graph block_first(%x: f32[1,8,2,3]) -> (%y) {
    %y = DepthToSpace(%x) {blocksize = 2} : f32[1,2,4,6]
}
===
pass infer,tidy,raise_shuffle,dead
graph back(%x: f32[1,2,4,6]) -> (%y) {
    %six = constant i64[6] {1, 2, 2, 2, 3, 2}
    %a = Reshape(%x, %six)
    %b = Transpose(%a) {perm = [0, 3, 5, 1, 2, 4]}
    %four = constant i64[4] {1, 8, 2, 3}
    %y = Reshape(%b, %four)
}
---
graph back(%x: f32[1,2,4,6]) -> (%y) {
    %y = SpaceToDepth(%x) {blocksize = 2} : f32[1,8,2,3]
}
===
pass infer,tidy,raise_shuffle,dead
# missed: axes or sizes are in another order
graph no_shuffle(%x: f32[1,8,2,3]) -> (%y) {
    %six = constant i64[6] {1, 2, 2, 2, 2, 3}
    %a = Reshape(%x, %six)
    %b = Transpose(%a) {perm = [0, 1, 4, 2, 3, 5]}
    %four = constant i64[4] {1, 2, 4, 6}
    %c = Reshape(%b, %four)
    %y = Relu(%c)
}
---
graph no_shuffle(%x: f32[1,8,2,3]) -> (%y) {
    %six = constant i64[6] {1, 2, 2, 2, 2, 3}
    %four = constant i64[4] {1, 2, 4, 6}
    %a = Reshape(%x, %six) : f32[1,2,2,2,2,3]
    %b = Transpose(%a) {perm = [0, 1, 4, 2, 3, 5]} : f32[1,2,2,2,2,3]
    %c = Reshape(%b, %four) : f32[1,2,4,6]
    %y = Relu(%c) : f32[1,2,4,6]
}
