/* sample.c - GridSample and RoiAlign: reading an image between its elements, at places that are
 * data.
 *
 * Coordinates are bounded as floats before they become indices, so that no value of them, NaN
 * included, leads astray. */
#include "nest.h"
#include "ops.h"

#include <string.h>

static bool is(const Node *n, const char *attribute, const char *value) {
    return !strcmp(node_string(n, attribute), value);
}

/* x within low..high; NaN becomes low. */
static const Expr *bounded(Lower *l, const Expr *x, double low, double high) {
    return ex_min(l->b, ex_max(l->b, x, ex_const(l->b, x->type, low)),
                  ex_const(l->b, x->type, high));
}

static const Expr *to_index(Lower *l, const Expr *x, int64_t n) {
    return ex_cast(l->b, DT_I64, bounded(l, x, -4, (double)n + 4));
}

static const Expr *constant(Lower *l, const Expr *like, double v) {
    return ex_const(l->b, like->type, v);
}

/* GridSample-22 */

enum { GRID_AXES = 3 };

static bool check_modes(Infer *f, Node *n) {
    static const char *const modes[] = {"linear", "nearest", "cubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    bool mode = false, padding = false;
    for (int i = 0; i < 3; i++) {
        mode |= is(n, "mode", modes[i]);
        padding |= is(n, "padding_mode", paddings[i]);
    }
    if (!mode) return infer_fail_attr(f, n, "mode", "is '%s'", node_string(n, "mode"));
    return padding ||
           infer_fail_attr(f, n, "padding_mode", "is '%s'", node_string(n, "padding_mode"));
}

bool infer_grid_sample(Infer *f, Node *n) {
    int64_t x[MAX_RANK], grid[MAX_RANK];
    int rank = infer_dims(f, n, 0, x), grid_rank = infer_dims(f, n, 1, grid);
    if (rank < 0 || grid_rank < 0 || !check_modes(f, n)) return false;
    if (rank < 3 || rank > 2 + GRID_AXES || grid_rank != rank || grid[0] != x[0] ||
        grid[rank - 1] != rank - 2)
        return infer_fail(f, n, D_SHAPE, "the grid does not fit the input");
    if (!dtype_is_float(n->inputs[0]->dtype) || !dtype_is_float(n->inputs[1]->dtype))
        return infer_fail(f, n, D_DTYPE, "input and grid must be of float types");
    for (int d = 2; d < rank; d++)
        if (x[d] < 1) return infer_fail(f, n, D_SHAPE, "a spatial axis has no elements");
    for (int d = 2; d < rank; d++) x[d] = grid[d - 1];
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, x);
    return true;
}

typedef enum Padding { PAD_ZEROS, PAD_BORDER, PAD_REFLECTION } Padding;

typedef struct Grid {
    int axes, taps;
    bool align, nearest;
    Padding padding;
} Grid;

/* Folded at both borders as often as needed. */
static const Expr *reflect(Lower *l, const Grid *g, const Expr *x, int64_t n) {
    Builder *b = l->b;
    double low = g->align ? 0 : -0.5, span = (double)n - (g->align ? 1 : 0);
    if (span == 0) return constant(l, x, 0);
    const Expr *below = constant(l, x, low), *above = constant(l, x, low + span);
    const Expr *far = ex_select(b, ex_lt(b, x, below), ex_sub(b, below, x), ex_sub(b, x, above));
    const Expr *times = math_floor(b, ex_div(b, far, constant(l, x, span)));
    const Expr *rest = ex_sub(b, far, ex_mul(b, times, constant(l, x, span)));
    const Expr *half = ex_mul(b, times, constant(l, x, 0.5));
    const Expr *even = ex_eq(b, math_floor(b, half), half);
    const Expr *from_low = ex_eq(b, even, ex_lt(b, x, below));
    const Expr *folded = ex_select(b, from_low, ex_add(b, below, rest), ex_sub(b, above, rest));
    const Expr *inside = ex_and(b, ex_le(b, below, x), ex_le(b, x, above));
    return ex_select(b, inside, x, folded);
}

/* Where axis d of the image is sampled, in its elements. */
static const Expr *position(Lower *l, const Nest *nest, const Expr *const *index, int d) {
    const Grid *g = nest->context;
    const Value *x = nest->node->inputs[0], *grid = nest->node->inputs[1];
    const Expr *at[MAX_RANK] = {index[0]};
    int64_t n = dim_of(x, d + 2);
    for (int i = 0; i < g->axes; i++) at[i + 1] = index[i + 2];
    at[g->axes + 1] = ex_index(l->b, g->axes - 1 - d);
    const Expr *p = lower_load_wide(l, grid, at);
    p = ex_add(l->b, p, constant(l, p, 1));
    if (g->align)
        p = ex_mul(l->b, ex_mul(l->b, p, constant(l, p, 0.5)), constant(l, p, (double)(n - 1)));
    else
        p = ex_mul(l->b,
                   ex_sub(l->b, ex_mul(l->b, p, constant(l, p, (double)n)), constant(l, p, 1)),
                   constant(l, p, 0.5));
    p = ex_cast(l->b, nest->acc[0], p);
    if (g->nearest) p = math_round(l->b, p);
    /* a cubic kernel that reaches over the border reads border elements there, so its centre
     * stays */
    double slack = g->taps == 4 ? 4 : 0;
    if (g->padding == PAD_BORDER) return bounded(l, p, -slack, (double)(n - 1) + slack);
    return g->padding == PAD_REFLECTION ? reflect(l, g, p, n) : p;
}

static const Expr *cubic_weight(Lower *l, const Expr *distance, const Expr *is_outer) {
    Builder *b = l->b;
    const double a = -0.75;
    const Expr *x = distance, *one = constant(l, x, 1);
    const Expr *inner = ex_fma(b, x, constant(l, x, a + 2), constant(l, x, -(a + 3)));
    inner = ex_fma(b, ex_mul(b, inner, x), x, one);
    const Expr *outer = ex_fma(b, x, constant(l, x, a), constant(l, x, -5 * a));
    outer = ex_fma(b, ex_fma(b, outer, x, constant(l, x, 8 * a)), x, constant(l, x, -4 * a));
    return ex_select(b, is_outer, outer, inner);
}

/* Tap k of an axis: the element's index, whether there is one, and its weight (NULL: 1). */
typedef struct Tap {
    const Expr *index, *inside, *weight;
} Tap;

static Tap tap_of(Lower *l, const Nest *nest, const Expr *const *index, const Expr *k, int d) {
    const Grid *g = nest->context;
    int64_t n = dim_of(nest->node->inputs[0], d + 2);
    const Expr *p = position(l, nest, index, d), *left = math_floor(l->b, p);
    const Expr *step = ex_sub(l->b, k, ex_index(l->b, g->taps == 4 ? 1 : 0));
    Tap t = {.index = ex_add(l->b, to_index(l, left, n), step)};
    if (g->taps > 1) {
        const Expr *distance = ex_sub(l->b, ex_sub(l->b, p, left), ex_cast(l->b, p->type, step));
        distance = ex_scalar(l->b, SC_ABS, distance, NULL, NULL);
        const Expr *outer =
            ex_or(l->b, ex_eq(l->b, k, ex_index(l->b, 0)), ex_eq(l->b, k, ex_index(l->b, 3)));
        t.weight = g->taps == 4 ? cubic_weight(l, distance, outer)
                                : ex_sub(l->b, constant(l, p, 1), distance);
    }
    t.inside = g->padding == PAD_ZEROS ? index_inside(l, t.index, n) : ex_bool(l->b, true);
    if (g->padding == PAD_REFLECTION)
        t.index = to_index(l, reflect(l, g, ex_cast(l->b, p->type, t.index), n), n);
    t.index = index_clamp(l, t.index, n);
    return t;
}

static void zero_start(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc) {
    (void)index;
    acc[0] = ex_const(l->b, nest->acc[0], 0);
}

static void grid_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                      const Expr **acc) {
    const Grid *g = nest->context;
    const Expr *at[MAX_RANK] = {index[0], index[1]}, *inside = ex_bool(l->b, true), *weight = NULL;
    for (int d = 0; d < g->axes; d++) {
        Tap t = tap_of(l, nest, index, k[d], d);
        at[d + 2] = t.index;
        inside = ex_and(l->b, inside, t.inside);
        if (t.weight) weight = weight ? ex_mul(l->b, weight, t.weight) : t.weight;
    }
    const Expr *x = lower_load_wide(l, nest->node->inputs[0], at);
    /* far outside a weight may be NaN: both factors are left out there */
    x = ex_select(l->b, inside, x, constant(l, x, 0));
    if (weight) weight = ex_select(l->b, inside, weight, constant(l, x, 0));
    acc[0] = weight ? ex_fma(l->b, x, weight, acc[0]) : x;
}

static void plain_finish(Lower *l, const Nest *nest, const Expr *const *index,
                         const Expr *const *acc) {
    lower_store(l, nest->out, index, acc[0]);
}

void code_grid_sample(Lower *l, Node *n) {
    Grid g = {.axes = n->inputs[0]->rank - 2,
              .taps = is(n, "mode", "cubic")    ? 4
                      : is(n, "mode", "linear") ? 2
                                                : 1,
              .align = node_int(n, "align_corners"),
              .nearest = is(n, "mode", "nearest")};
    g.padding = is(n, "padding_mode", "zeros")    ? PAD_ZEROS
                : is(n, "padding_mode", "border") ? PAD_BORDER
                                                  : PAD_REFLECTION;
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_inner = g.axes,
                 .n_acc = 1,
                 .acc = {lower_wide(n->inputs[0]->dtype)},
                 .start = zero_start,
                 .step = grid_step,
                 .finish = plain_finish,
                 .context = &g};
    for (int d = 0; d < g.axes; d++) nest.inner[d] = g.taps;
    nest_lower(l, &nest);
}

/* RoiAlign-22: a bin is sampled on a grid of points; axis 0 of a region is its rows. */

enum { MOST_SAMPLES = 1 << 16 };

bool infer_roi_align(Infer *f, Node *n) {
    int64_t x[MAX_RANK], rois[MAX_RANK], batch[MAX_RANK];
    int rank = infer_dims(f, n, 0, x), roi_rank = infer_dims(f, n, 1, rois),
        batch_rank = infer_dims(f, n, 2, batch);
    int64_t height = node_int(n, "output_height"), width = node_int(n, "output_width");
    if (rank < 0 || roi_rank < 0 || batch_rank < 0) return false;
    if (rank != 4 || roi_rank != 2 || rois[1] != 4 || batch_rank != 1 || batch[0] != rois[0] ||
        x[0] < 1 || x[2] < 1 || x[3] < 1)
        return infer_fail(f, n, D_SHAPE, "input, regions and batch indices do not fit each other");
    if (!dtype_is_float(n->inputs[0]->dtype) || n->inputs[1]->dtype != n->inputs[0]->dtype ||
        !dtype_is_int(n->inputs[2]->dtype))
        return infer_fail(f, n, D_DTYPE,
                          "input and regions must be of one float type, batch indices integers");
    if (height < 1 || width < 1 || height > INT64_C(1) << 31 || width > INT64_C(1) << 31)
        return infer_fail(f, n, D_SHAPE, "the output has no elements, or too many");
    if (!is(n, "mode", "avg") && !is(n, "mode", "max"))
        return infer_fail_attr(f, n, "mode", "is '%s'", node_string(n, "mode"));
    int64_t out[4] = {rois[0], x[1], height, width};
    infer_set(f, n, 0, n->inputs[0]->dtype, 4, out);
    return true;
}

/* Along one axis: where the region begins, how long a bin is, how many samples a bin has. */
typedef struct Bin {
    const Expr *start, *size, *samples;
} Bin;

static const Expr *corner(Lower *l, const Node *n, const Expr *region, int which, double offset) {
    const Expr *at[2] = {region, ex_index(l->b, which)};
    const Expr *x = lower_load_wide(l, n->inputs[1], at);
    x = ex_mul(l->b, x, constant(l, x, (double)node_float(n, "spatial_scale")));
    return ex_sub(l->b, x, constant(l, x, offset));
}

static Bin bin_of(Lower *l, const Node *n, const Expr *region, int axis) {
    bool half = is(n, "coordinate_transformation_mode", "half_pixel");
    int64_t bins = node_int(n, axis ? "output_width" : "output_height"),
            ratio = node_int(n, "sampling_ratio");
    Bin r = {.start = corner(l, n, region, axis ? 0 : 1, half ? 0.5 : 0)};
    const Expr *length = ex_sub(l->b, corner(l, n, region, axis ? 2 : 3, half ? 0.5 : 0), r.start);
    if (!half) length = ex_max(l->b, length, constant(l, length, 1));
    r.size = ex_div(l->b, length, constant(l, length, (double)bins));
    const Expr *samples = bounded(l, math_ceil(l->b, r.size), 0, MOST_SAMPLES);
    r.samples = ratio > 0 ? ex_index(l->b, ratio < MOST_SAMPLES ? ratio : MOST_SAMPLES)
                          : ex_cast(l->b, DT_I64, samples);
    return r;
}

static const Expr *roi_extent(Lower *l, const Nest *nest, const Expr *const *index, int d) {
    return bin_of(l, nest->node, index[0], d).samples;
}

/* The two neighbours of a sample along an axis of n elements. */
typedef struct Between {
    const Expr *low, *high, *low_weight, *high_weight, *valid;
} Between;

static Between between(Lower *l, const Bin *bin, const Expr *o, const Expr *k, int64_t n) {
    Builder *b = l->b;
    DType t = bin->start->type;
    const Expr *middle = ex_add(b, ex_cast(b, t, k), ex_const(b, t, 0.5));
    const Expr *p = ex_add(b, bin->start, ex_mul(b, ex_cast(b, t, o), bin->size));
    p = ex_add(b, p, ex_div(b, ex_mul(b, middle, bin->size), ex_cast(b, t, bin->samples)));
    Between r;
    r.valid = ex_and(b, ex_le(b, ex_const(b, t, -1), p), ex_le(b, p, ex_const(b, t, (double)n)));
    p = bounded(l, p, 0, (double)(n - 1));
    const Expr *left = math_floor(b, p);
    r.low = index_clamp(l, to_index(l, left, n), n);
    r.high = index_clamp(l, ex_add(b, r.low, ex_index(b, 1)), n);
    r.high_weight = ex_sub(b, p, left);
    r.low_weight = ex_sub(b, ex_const(b, t, 1), r.high_weight);
    return r;
}

static const Expr *weighted(Lower *l, const Value *x, const Expr *image, const Expr *channel,
                            const Between *y, const Between *z, int corner_of) {
    bool lower = corner_of & 2, right = corner_of & 1;
    const Expr *at[4] = {image, channel, lower ? y->high : y->low, right ? z->high : z->low};
    const Expr *weight = ex_mul(l->b, lower ? y->high_weight : y->low_weight,
                                right ? z->high_weight : z->low_weight);
    return ex_mul(l->b, weight, lower_load_wide(l, x, at));
}

/* The operator's maximum is one of products: the four neighbours are not summed. */
static void roi_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                     const Expr **acc) {
    const Node *n = nest->node;
    const Value *x = n->inputs[0];
    Bin rows = bin_of(l, n, index[0], 0), columns = bin_of(l, n, index[0], 1);
    Between y = between(l, &rows, index[2], k[0], dim_of(x, 2)),
            z = between(l, &columns, index[3], k[1], dim_of(x, 3));
    const Expr *image = ex_cast(l->b, DT_I64, lower_load(l, n->inputs[2], index));
    image = index_clamp(l, image, dim_of(x, 0));
    bool maximum = is(n, "mode", "max");
    const Expr *value = weighted(l, x, image, index[1], &y, &z, 0);
    for (int i = 1; i < 4; i++) {
        const Expr *next = weighted(l, x, image, index[1], &y, &z, i);
        value = maximum ? ex_max(l->b, next, value) : ex_add(l->b, value, next);
    }
    value = ex_select(l->b, ex_and(l->b, y.valid, z.valid), value, constant(l, value, 0));
    if (!maximum) {
        acc[0] = ex_add(l->b, acc[0], value);
        return;
    }
    const Expr *first = ex_eq(l->b, ex_add(l->b, k[0], k[1]), ex_index(l->b, 0));
    acc[0] = ex_select(l->b, first, value, ex_max(l->b, value, acc[0]));
}

static void roi_finish(Lower *l, const Nest *nest, const Expr *const *index,
                       const Expr *const *acc) {
    const Node *n = nest->node;
    const Expr *x = acc[0];
    if (!is(n, "mode", "max")) {
        const Expr *count =
            ex_mul(l->b, bin_of(l, n, index[0], 0).samples, bin_of(l, n, index[0], 1).samples);
        count = ex_max(l->b, count, ex_index(l->b, 1));
        x = ex_div(l->b, x, ex_cast(l->b, x->type, count));
    }
    lower_store(l, nest->out, index, x);
}

void code_roi_align(Lower *l, Node *n) {
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_inner = 2,
                 .extent = roi_extent,
                 .n_acc = 1,
                 .acc = {lower_wide(n->inputs[0]->dtype)},
                 .start = zero_start,
                 .step = roi_step,
                 .finish = roi_finish};
    nest_lower(l, &nest);
}
