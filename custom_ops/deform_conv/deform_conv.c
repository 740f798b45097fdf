/* deform_conv.c - deformable convolution under the names that frameworks export, as ONNX's
 * DeformConv.
 *
 * domain                operator                   inputs                                  taken
 * from mmcv, mmdeploy        MMCVDeformConv2d           x offset weight mmcv, DCN v1 mmcv, mmdeploy
 * MMCVModulatedDeformConv2d  x offset mask weight [bias]             mmcv, DCN v2
 * org.openvinotoolkit   DeformableConv2D           x offset weight [mask]                  OpenVINO
 * torchvision           deform_conv2d              x weight offset mask bias, ten numbers
 * torchvision sonoc                 DeformConv                 x weight offset [bias] [mask] us: a
 * border rule
 *
 * border = "clamp" is the rule of the first operator (MXNet, 2017): a sample counts where 0 <= row
 * < H and 0 <= column < W, and beyond the last row or column it is the last one's.  ONNX's rule
 * extends the image by zeros.  The first is had from the second: offsets that lead beyond the last
 * row lead to it, and a mask is zero where a sample does not count.  All expansions are exact. */
#include "sonoc_op.h"

#include <stdlib.h>
#include <string.h>

typedef const struct sonoc S;
typedef struct sonoc_node Node;
typedef struct sonoc_value Value;

/* What DeformConv needs to know, however it was said. */
typedef struct Deform {
    Value *x, *weight, *offset, *bias, *mask;
    int64_t stride[2], pad[4], dilation[2], group, offset_group;
} Deform;

static const Deform plain = {.stride = {1, 1}, .dilation = {1, 1}, .group = 1, .offset_group = 1};

static void give_deform(S *s, Node *n, const Deform *d) {
    Value *inputs[] = {d->x, d->weight, d->offset, d->bias, d->mask};
    s->give(
        s, n, 0,
        s->make(s, "DeformConv", inputs, 5,
                "strides=[%lld,%lld] pads=[%lld,%lld,%lld,%lld] dilations=[%lld,%lld] group=%lld "
                "offset_group=%lld",
                (long long)d->stride[0], (long long)d->stride[1], (long long)d->pad[0],
                (long long)d->pad[1], (long long)d->pad[2], (long long)d->pad[3],
                (long long)d->dilation[0], (long long)d->dilation[1], (long long)d->group,
                (long long)d->offset_group));
}

/* Padding as rows and columns, the same at both ends. */
static void set_pads(Deform *d, int64_t rows, int64_t columns) {
    d->pad[0] = d->pad[2] = rows;
    d->pad[1] = d->pad[3] = columns;
}

/* mmcv: attributes in pairs. */

static const struct sonoc_attr mmcv_attrs[] = {
    {"stride", SONOC_INTS, NULL},      {"padding", SONOC_INTS, NULL},
    {"dilation", SONOC_INTS, NULL},    {"groups", SONOC_INT, "1"},
    {"deform_groups", SONOC_INT, "1"}, {"bias", SONOC_INT, "0"},
    {"im2col_step", SONOC_INT, "32"},  {0}};

static Deform mmcv_deform(S *s, const Node *n) {
    Deform d = plain;
    int64_t pad[2] = {0, 0};
    s->get_ints(s, n, "stride", d.stride, 2);
    s->get_ints(s, n, "padding", pad, 2);
    s->get_ints(s, n, "dilation", d.dilation, 2);
    set_pads(&d, pad[0], pad[1]);
    d.group = s->get_int(s, n, "groups");
    d.offset_group = s->get_int(s, n, "deform_groups");
    d.x = s->input(s, n, 0);
    d.offset = s->input(s, n, 1);
    return d;
}

static bool mmcv_expand(S *s, Node *n) {
    Deform d = mmcv_deform(s, n);
    if (s->get_int(s, n, "bias")) return s->fail(s, n, "bias", "a bias has no input here");
    d.weight = s->input(s, n, 2);
    give_deform(s, n, &d);
    return true;
}

static bool mmcv_modulated_expand(S *s, Node *n) {
    Deform d = mmcv_deform(s, n);
    d.mask = s->input(s, n, 2);
    d.weight = s->input(s, n, 3);
    d.bias = s->input(s, n, 4);
    give_deform(s, n, &d);
    return true;
}

/* OpenVINO: its border rule is ONNX's where bilinear_interpolation_pad is set, else the clamping
 * one. */

static const struct sonoc_attr openvino_attrs[] = {{"strides", SONOC_INTS, NULL},
                                                   {"pads_begin", SONOC_INTS, NULL},
                                                   {"pads_end", SONOC_INTS, NULL},
                                                   {"pads", SONOC_INTS, NULL},
                                                   {"dilations", SONOC_INTS, NULL},
                                                   {"auto_pad", SONOC_STRING, "explicit"},
                                                   {"group", SONOC_INT, "1"},
                                                   {"deformable_group", SONOC_INT, "1"},
                                                   {"bilinear_interpolation_pad", SONOC_INT, "0"},
                                                   {0}};

static void clamp_border(S *s, Deform *d);

static bool openvino_expand(S *s, Node *n) {
    Deform d = plain;
    const char *auto_pad = s->get_string(s, n, "auto_pad");
    if (strcmp(auto_pad, "explicit") && strcmp(auto_pad, "NOTSET"))
        return s->fail(s, n, "auto_pad", "only explicit padding is known, not '%s'", auto_pad);
    s->get_ints(s, n, "strides", d.stride, 2);
    s->get_ints(s, n, "dilations", d.dilation, 2);
    s->get_ints(s, n, "pads_begin", d.pad, 2);
    s->get_ints(s, n, "pads_end", d.pad + 2, 2);
    s->get_ints(s, n, "pads", d.pad, 4);
    d.group = s->get_int(s, n, "group");
    d.offset_group = s->get_int(s, n, "deformable_group");
    d.x = s->input(s, n, 0);
    d.offset = s->input(s, n, 1);
    d.weight = s->input(s, n, 2);
    d.mask = s->input(s, n, 3);
    if (!s->get_int(s, n, "bilinear_interpolation_pad")) clamp_border(s, &d);
    give_deform(s, n, &d);
    return true;
}

/* torchvision: the numbers are inputs, and constants in any export. */

enum {
    NUMBERS = 9
}; /* stride, padding, dilation as pairs, groups, offset groups, is the mask used */

static bool read_numbers(S *s, const Node *n, int64_t *numbers) {
    for (int i = 0; i < NUMBERS; i++) {
        const Value *v = s->input(s, n, 5 + i);
        const void *data = v ? s->data(s, v) : NULL;
        int type = data ? s->dtype(s, v) : 0;
        unsigned char truth;
        if (type == SONOC_I64)
            memcpy(&numbers[i], data, sizeof *numbers);
        else if (type == SONOC_BOOL)
            numbers[i] = memcpy(&truth, data, 1) && truth;
        else
            return s->fail(s, n, NULL, "input %d should be a constant i64 or bool", 5 + i);
    }
    return true;
}

static bool torchvision_expand(S *s, Node *n) {
    int64_t p[NUMBERS];
    if (!read_numbers(s, n, p)) return false;
    Deform d = {
        .stride = {p[0], p[1]}, .dilation = {p[4], p[5]}, .group = p[6], .offset_group = p[7]};
    set_pads(&d, p[2], p[3]);
    d.x = s->input(s, n, 0);
    d.weight = s->input(s, n, 1);
    d.offset = s->input(s, n, 2);
    d.mask = p[8] ? s->input(s, n, 3) : NULL;
    d.bias = s->input(s, n, 4);
    give_deform(s, n, &d);
    return true;
}

/* The clamping border. */

/* The offset channels' own place in `to`: where each tap of each output lies without its offset. */
static Value *make_grid(S *s, const Deform *d, int type) {
    int64_t kh = s->dim(s, d->weight, 2), kw = s->dim(s, d->weight, 3);
    int64_t rows = s->dim(s, d->offset, 2), columns = s->dim(s, d->offset, 3);
    int64_t taps = kh * kw, dims[] = {1, d->offset_group * 2 * taps, rows, columns};
    float *grid = calloc((size_t)(dims[1] * rows * columns) + 1, sizeof *grid), *to = grid;
    for (int64_t channel = 0; grid && channel < dims[1]; channel++) {
        int64_t tap = channel / 2 % taps, axis = channel % 2, k = axis ? tap % kw : tap / kw;
        for (int64_t y = 0; y < rows; y++)
            for (int64_t x = 0; x < columns; x++)
                *to++ = (float)((axis ? x : y) * d->stride[axis] - d->pad[axis] +
                                k * d->dilation[axis]);
    }
    Value *v = s->constant(s, SONOC_F32, 4, dims, grid);
    free(grid);
    return type == SONOC_F32 ? v : s->make(s, "Cast", &v, 1, "to=%d", type);
}

/* The last row for row channels, the last column for the others. */
static Value *make_last(S *s, const Deform *d, int type) {
    int64_t channels = s->dim(s, d->offset, 1), dims[] = {1, channels, 1, 1};
    float *last = calloc((size_t)channels + 1, sizeof *last);
    for (int64_t c = 0; last && c < channels; c++)
        last[c] = (float)(s->dim(s, d->x, c % 2 ? 3 : 2) - 1);
    Value *v = s->constant(s, SONOC_F32, 4, dims, last);
    free(last);
    return type == SONOC_F32 ? v : s->make(s, "Cast", &v, 1, "to=%d", type);
}

static Value *two(S *s, const char *op, Value *x, Value *y) {
    return s->make(s, op, (Value *[]){x, y}, 2, NULL);
}

/* 1 for taps that count in both axes. */
static Value *make_counts(S *s, const Deform *d, Value *place, Value *last, int type) {
    Value *low = two(s, "GreaterOrEqual", place, s->scalar(s, type, 0));
    Value *high = two(s, "Less", place, two(s, "Add", last, s->scalar(s, type, 1)));
    Value *inside = two(s, "And", low, high);
    Value *number = s->make(s, "Cast", &inside, 1, "to=%d", type);
    int64_t n = s->dim(s, d->offset, 0), channels = s->dim(s, d->offset, 1);
    int64_t pairs[] = {n, channels / 2, 2, s->dim(s, d->offset, 2), s->dim(s, d->offset, 3)},
            axis = 2;
    Value *paired = two(s, "Reshape", number, s->ints(s, pairs, 5));
    return s->make(s, "ReduceMin", (Value *[]){paired, s->ints(s, &axis, 1)}, 2, "keepdims=0");
}

static void clamp_border(S *s, Deform *d) {
    int type = s->dtype(s, d->x);
    Value *grid = make_grid(s, d, type), *last = make_last(s, d, type);
    Value *place = two(s, "Add", grid, d->offset);
    Value *counts = make_counts(s, d, place, last, type);
    d->offset = two(s, "Min", d->offset, two(s, "Sub", last, grid));
    d->mask = d->mask ? two(s, "Mul", d->mask, counts) : counts;
}

static const struct sonoc_attr own_attrs[] = {{"strides", SONOC_INTS, NULL},
                                              {"pads", SONOC_INTS, NULL},
                                              {"dilations", SONOC_INTS, NULL},
                                              {"group", SONOC_INT, "1"},
                                              {"offset_group", SONOC_INT, "1"},
                                              {"border", SONOC_STRING, "zeros"},
                                              {0}};

static bool own_expand(S *s, Node *n) {
    Deform d = plain;
    const char *border = s->get_string(s, n, "border");
    s->get_ints(s, n, "strides", d.stride, 2);
    s->get_ints(s, n, "pads", d.pad, 4);
    s->get_ints(s, n, "dilations", d.dilation, 2);
    d.group = s->get_int(s, n, "group");
    d.offset_group = s->get_int(s, n, "offset_group");
    d.x = s->input(s, n, 0);
    d.weight = s->input(s, n, 1);
    d.offset = s->input(s, n, 2);
    d.bias = s->input(s, n, 3);
    d.mask = s->input(s, n, 4);
    if (!strcmp(border, "clamp"))
        clamp_border(s, &d);
    else if (strcmp(border, "zeros"))
        return s->fail(s, n, "border", "should be zeros or clamp, is '%s'", border);
    give_deform(s, n, &d);
    return true;
}

#define SPELLING(domain_, name_, least, most, attrs_, expand_)                                     \
    {.api = SONOC_API,                                                                             \
     .domain = domain_,                                                                            \
     .name = name_,                                                                                \
     .min_inputs = least,                                                                          \
     .max_inputs = most,                                                                           \
     .attrs = attrs_,                                                                              \
     .expand = expand_,                                                                            \
     .spelling = true}

static const struct sonoc_op ops[] = {
    SPELLING("mmcv", "MMCVDeformConv2d", 3, 3, mmcv_attrs, mmcv_expand),
    SPELLING("mmdeploy", "MMCVDeformConv2d", 3, 3, mmcv_attrs, mmcv_expand),
    SPELLING("mmcv", "MMCVModulatedDeformConv2d", 4, 5, mmcv_attrs, mmcv_modulated_expand),
    SPELLING("mmdeploy", "MMCVModulatedDeformConv2d", 4, 5, mmcv_attrs, mmcv_modulated_expand),
    SPELLING("org.openvinotoolkit", "DeformableConv2D", 3, 4, openvino_attrs, openvino_expand),
    SPELLING("torchvision", "deform_conv2d", 14, 14, NULL, torchvision_expand),
    SPELLING("sonoc", "DeformConv", 3, 5, own_attrs, own_expand),
};

void sonoc_register(const struct sonoc_registry *r) {
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) r->add_op(r, &ops[i]);
}
