diag 3
graph g(%a: f32[8,4], %b: f32[4,8]) -> (%y) {
    # choices: target pdp-11
    # error: case.choices: line 1: there is no target 'pdp-11': see sonoc targets
    %y = MatMul(%a, %b)
}
===
diag 3
graph g(%a: f32[8,4], %b: f32[4,8]) -> (%y) {
    # choices: target x86-64-v3
    # choices: target x86-64-v3
    # error: line 2: the target is told twice
    %y = MatMul(%a, %b)
}
===
diag 3
graph g(%a: f32[8,4], %b: f32[4,8]) -> (%y) {
    # choices: MatMul(f32[8,4], f32[4,8]): product
    # error: line 1: the first line should be: target NAME
    %y = MatMul(%a, %b)
}
===
diag 3
graph g(%a: f32[8,4], %b: f32[4,8]) -> (%y) {
    # choices: # nothing but this
    # error: line 1: the line is missing: target NAME
    %y = MatMul(%a, %b)
}
===
diag 3
graph g(%a: f32[8,4], %b: f32[4,8]) -> (%y) {
    # choices: target aarch64
    # error: case.choices: its choices are for target aarch64, not x86-64-v3
    %y = MatMul(%a, %b)
}
===
diag 3
graph g(%a: f32[8,4], %b: f32[4,8]) -> (%y) {
    # choices: target x86-64-v3
    # choices: MatMul(f32[8,4], f32[4,8]) product
    # choices: Softmax(f32[8,4]): product
    # choices: MatMul(f32[8,4], f32[4,8]): winograd-4
    # choices: MatMul(f32[8,4], f32[4,8]): product
    # choices: MatMul(f32[8,4],f32[4,8]):product-4x3
    # error: line 2: should be NODE: VARIANT
    # error: line 3: 'Softmax' is no operator that has variants
    # error: line 4: MatMul has no variant 'winograd-4', it has product, product-4x3, product-8x3
    # error: line 6: line 5 says it of the same node
    %y = MatMul(%a, %b)
}
===
diag 3
graph g(%a: f32[8,4], %b: f32[4,8]) -> (%y) {
    # choices: target x86-64-v3
    # choices: MatMul(f32[8,4], f32[4,8]): product-8x3
    # error: line 2: product-8x3 is not possible: the target has no registers for such a tile, or it is its own
    %y = MatMul(%a, %b)
}
===
diag 3
graph g(%x: f32[1,8,6,6]) -> (%y) {
    # choices: target x86-64-v3
    # choices: Conv(f32[1,8,6,6], constant f32[8,8,3,3]) strides=[2,2]: winograd-4-few
    # error: line 2: winograd-4-few is not possible: the operator cannot be computed so with these shapes and attributes
    %zero = constant f32[] {0}
    %shape = constant i64[4] {8, 8, 3, 3}
    %w = Expand(%zero, %shape)
    %y = Conv(%x, %w) {strides = [2, 2]}
}
===
diag 3
graph g(%x: f32[1,8,6,6]) -> (%y) {
    # choices: target x86-64-v3
    # choices: Conv(f32[1,8,6,6], constant f32[8,8,3,3]): winograd-4-few
    # error: line 2: winograd-4-few is not possible: it rounds otherwise, and --exactness or -O rules that out
    # in --exactness=bit
    %zero = constant f32[] {0}
    %shape = constant i64[4] {8, 8, 3, 3}
    %w = Expand(%zero, %shape)
    %y = Conv(%x, %w)
}
