num atol=1e-4
graph transposed_apart(%x: f32[2,5,3,4]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {60}
    %one = constant f32[] {1}
    %shape = constant i64[4] {5, 3, 2, 2}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %b = constant f32[3] {0.5, -1.0, 2.0}
    %y = ConvTranspose(%x, %w, %b) {strides = [2, 2]}
}
===
num atol=1e-4
graph transposed_of_two_steps(%x: f32[1,20,6,12]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {3960}
    %one = constant f32[] {1}
    %shape = constant i64[4] {20, 33, 2, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %c = ConvTranspose(%x, %w) {strides = [2, 3]}
    %y = Relu(%c)
}
===
num atol=1e-4
graph depthwise_channels_and_a_rest(%x: f32[1,21,7,9]) -> (%y) {
    %zero = constant f32[] {0}
    %n = constant f32[] {189}
    %one = constant f32[] {1}
    %shape = constant i64[4] {21, 1, 3, 3}
    %i = Range(%zero, %n, %one)
    %s = Sin(%i)
    %w = Reshape(%s, %shape)
    %y = Conv(%x, %w) {group = 21, pads = [1, 1, 1, 1], strides = [2, 1]}
}
