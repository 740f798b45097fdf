/* col2im.c - Col2Im-18: overlapping blocks summed back into an image, as a gather: a pixel asks
 * every tap which block has it there. */
#include "nest.h"
#include "ops.h"

enum { AXES = 6 };

typedef struct Blocks {
    int axes;
    int64_t image[AXES], kernel[AXES], stride[AXES], dilation[AXES], pad[AXES], count[AXES];
} Blocks;

static int64_t entry(const Node *n, const char *name, int d, int64_t otherwise) {
    int count;
    const int64_t *given = node_ints(n, name, &count);
    return given && d < count ? given[d] : otherwise;
}

static bool check_list(Infer *f, Node *n, const char *name, int want, int64_t least) {
    int count;
    const int64_t *given = node_ints(n, name, &count);
    if (!given) return true;
    if (count != want)
        return infer_fail_attr(f, n, name, "has %d entries, must have %d", count, want);
    for (int i = 0; i < count; i++)
        if (given[i] < least || given[i] > INT64_C(1) << 30)
            return infer_fail_attr(f, n, name, "entry %d is %lld", i, (long long)given[i]);
    return true;
}

/* Fills in the geometry; false: the sizes are out of range. */
static bool read_blocks(const Node *n, Blocks *s) {
    const Tensor *image = infer_constant(n, 1), *kernel = infer_constant(n, 2);
    s->axes = (int)image->count;
    for (int d = 0; d < s->axes; d++) {
        s->image[d] = tensor_get_int(image, d);
        s->kernel[d] = tensor_get_int(kernel, d);
        s->stride[d] = entry(n, "strides", d, 1);
        s->dilation[d] = entry(n, "dilations", d, 1);
        s->pad[d] = entry(n, "pads", d, 0);
        if (s->image[d] < 1 || s->image[d] > INT64_C(1) << 30 || s->kernel[d] < 1 ||
            s->kernel[d] > INT64_C(1) << 30)
            return false;
        int64_t span = (s->kernel[d] - 1) * s->dilation[d] + 1;
        int64_t room = s->image[d] + s->pad[d] + entry(n, "pads", s->axes + d, 0) - span;
        if (room < 0) return false;
        s->count[d] = room / s->stride[d] + 1;
    }
    return true;
}

bool infer_col2im(Infer *f, Node *n) {
    int64_t x[MAX_RANK], sizes[AXES];
    int rank = infer_dims(f, n, 0, x), axes, kernel_axes;
    if (rank < 0 || !infer_ints(f, n, 1, sizes, &axes, AXES) ||
        !infer_ints(f, n, 2, sizes, &kernel_axes, AXES))
        return false;
    if (rank != 3 || axes < 1 || kernel_axes != axes)
        return infer_fail(f, n, D_SHAPE,
                          "input, image shape and block shape do not fit each other");
    DType t = n->inputs[0]->dtype;
    if (!dtype_is_float(t) && !dtype_is_int(t))
        return infer_fail(f, n, D_DTYPE, "the input must be numbers");
    if (!check_list(f, n, "strides", axes, 1) || !check_list(f, n, "dilations", axes, 1) ||
        !check_list(f, n, "pads", 2 * axes, 0))
        return false;
    Blocks s;
    if (!read_blocks(n, &s))
        return infer_fail(f, n, D_SHAPE, "the image or the block has an impossible size");
    int64_t taps = dims_product(s.kernel, axes), count = dims_product(s.count, axes);
    if (taps < 1 || x[1] % taps || x[2] != count)
        return infer_fail(f, n, D_SHAPE, "the input does not hold the blocks of such an image");
    x[1] /= taps;
    for (int d = 0; d < axes; d++) x[d + 2] = s.image[d];
    infer_set(f, n, 0, t, axes + 2, x);
    return true;
}

static void col2im_start(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc) {
    (void)index;
    acc[0] = ex_const(l->b, nest->acc[0], 0);
}

static void col2im_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                        const Expr **acc) {
    const Blocks *s = nest->context;
    const Expr *row = index[1], *block = ex_index(l->b, 0), *inside = ex_bool(l->b, true);
    for (int d = 0; d < s->axes; d++) {
        const Expr *stride = ex_index(l->b, s->stride[d]);
        const Expr *at = ex_add(l->b, index[d + 2], ex_index(l->b, s->pad[d]));
        at = ex_offset(l->b, k[d], -s->dilation[d], at);
        const Expr *i = ex_div(l->b, at, stride);
        inside = ex_and(l->b, inside, ex_le(l->b, ex_index(l->b, 0), at));
        inside = ex_and(l->b, inside, ex_eq(l->b, ex_rem(l->b, at, stride), ex_index(l->b, 0)));
        inside = ex_and(l->b, inside, index_inside(l, i, s->count[d]));
        block = ex_offset(l->b, block, s->count[d], index_clamp(l, i, s->count[d]));
        row = ex_offset(l->b, row, s->kernel[d], k[d]);
    }
    const Expr *from[3] = {index[0], row, block};
    const Expr *x = lower_load_wide(l, nest->node->inputs[0], from);
    acc[0] = ex_add(l->b, acc[0], ex_select(l->b, inside, x, ex_const(l->b, x->type, 0)));
}

static void col2im_finish(Lower *l, const Nest *nest, const Expr *const *index,
                          const Expr *const *acc) {
    lower_store(l, nest->out, index, acc[0]);
}

void code_col2im(Lower *l, Node *n) {
    Blocks s;
    if (!read_blocks(n, &s)) BUG(l->unit, "Col2Im '%s' was not inferred", n->name);
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_inner = s.axes,
                 .n_acc = 1,
                 .acc = {lower_wide(n->inputs[0]->dtype)},
                 .start = col2im_start,
                 .step = col2im_step,
                 .finish = col2im_finish,
                 .context = &s};
    for (int d = 0; d < s.axes; d++) nest.inner[d] = s.kernel[d];
    nest_lower(l, &nest);
}
