/* resize.c - Resize: every output element is a weighted sum of a box of input elements.
 *
 * The axes are independent: for each, source indices and weights of every output position are
 * computed at compile time, in double as the ONNX reference does, and become small constant tables.
 * An axis that keeps its size has none. */
#include "elem.h"
#include "nest.h"
#include "ops.h"
#include "resize.h"

#include <math.h>
#include <string.h>

typedef enum Input { X, ROI, SCALES, SIZES } Input;

typedef struct Axis {
    int64_t in, out;
    double scale, roi_begin, roi_end;
    bool identity;
    int taps;
    Buffer *source, *weight,
        *outside; /* out * taps, out * taps, out; weight NULL: 1, outside NULL: never */
} Axis;

typedef struct Resize {
    const Node *node;
    int rank, n_inner;
    Axis axis[MAX_RANK];
    int inner[MAX_RANK]; /* axis -> place in the box, or -1 */
    DType wide;
} Resize;

static bool is(const Node *n, const char *attribute, const char *value) {
    return !strcmp(node_string(n, attribute), value);
}

static bool check_text(Infer *f, Node *n, const char *attribute, const char *const *known) {
    for (int i = 0; known[i]; i++)
        if (is(n, attribute, known[i])) return true;
    return infer_fail_attr(f, n, attribute, "is '%s'", node_string(n, attribute));
}

static bool check_attributes(Infer *f, Node *n) {
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
    static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                          "ceil", NULL};
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    static const char *const coordinates[] = {"half_pixel",
                                              "half_pixel_symmetric",
                                              "pytorch_half_pixel",
                                              "align_corners",
                                              "asymmetric",
                                              "tf_crop_and_resize",
                                              NULL};
    return check_text(f, n, "mode", modes) && check_text(f, n, "nearest_mode", nearest) &&
           check_text(f, n, "keep_aspect_ratio_policy", policies) &&
           check_text(f, n, "coordinate_transformation_mode", coordinates);
}

/* The axes that roi, scales and sizes are about; their number, or -1. */
static int named_axes(Infer *f, const Node *n, int rank, int *axes) {
    int count;
    bool seen[MAX_RANK] = {false};
    const int64_t *given = node_ints(n, "axes", &count);
    if (!given) count = rank;
    if (count > rank) {
        infer_fail_attr(f, n, "axes", "names %d axes of %d", count, rank);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        axes[i] = given ? infer_axis(f, n, given[i], rank, "axes") : i;
        if (axes[i] < 0) return -1;
        if (seen[axes[i]]) {
            infer_fail_attr(f, n, "axes", "axis %d is named twice", axes[i]);
            return -1;
        }
        seen[axes[i]] = true;
    }
    return count;
}

static const Tensor *nonempty(const Node *n, int k) {
    const Tensor *t = infer_constant(n, k);
    return t && t->count > 0 ? t : NULL;
}

static bool read_scales(Infer *f, const Node *n, const Tensor *scales, const int *axes, int count,
                        Axis *axis) {
    if (scales->count != count)
        return infer_fail(f, n, D_SHAPE, "scales must have one element an axis");
    for (int i = 0; i < count; i++) {
        Axis *a = &axis[axes[i]];
        a->scale = tensor_get_double(scales, i);
        if (!(a->scale > 0) || a->scale * (double)a->in > 0x1p40)
            return infer_fail(f, n, D_SHAPE, "a scale is not positive or too large");
        a->out = (int64_t)(a->scale * (double)a->in);
    }
    return true;
}

/* One scale for all: the smallest or the largest that a size asks for. */
static void keep_aspect(const Node *n, const int *axes, int count, Axis *axis) {
    double scale = axis[axes[0]].scale;
    bool larger = is(n, "keep_aspect_ratio_policy", "not_smaller");
    for (int i = 1; i < count; i++) {
        double s = axis[axes[i]].scale;
        if (larger ? s > scale : s < scale) scale = s;
    }
    for (int i = 0; i < count; i++) {
        Axis *a = &axis[axes[i]];
        a->scale = scale;
        a->out = (int64_t)(scale * (double)a->in + 0.5);
    }
}

static bool read_sizes(Infer *f, const Node *n, const Tensor *sizes, const int *axes, int count,
                       Axis *axis) {
    if (sizes->count != count)
        return infer_fail(f, n, D_SHAPE, "sizes must have one element an axis");
    for (int i = 0; i < count; i++) {
        Axis *a = &axis[axes[i]];
        a->out = tensor_get_int(sizes, i);
        if (a->out < 0 || a->out > INT64_C(1) << 40)
            return infer_fail(f, n, D_SHAPE, "a size is out of range");
        if (a->in == 0 && a->out > 0)
            return infer_fail(f, n, D_SHAPE, "an axis without elements cannot grow");
        a->scale = a->in ? (double)a->out / (double)a->in : 1;
    }
    if (count && !is(n, "keep_aspect_ratio_policy", "stretch")) keep_aspect(n, axes, count, axis);
    return true;
}

static bool read_roi(Infer *f, const Node *n, const int *axes, int count, Axis *axis) {
    if (!is(n, "coordinate_transformation_mode", "tf_crop_and_resize")) return true;
    const Tensor *roi = nonempty(n, ROI);
    if (!roi) return infer_fail(f, n, D_DYNAMIC_SHAPE, "roi is not a constant");
    if (roi->count != 2 * count)
        return infer_fail(f, n, D_SHAPE, "roi must have two elements an axis");
    for (int i = 0; i < count; i++) {
        axis[axes[i]].roi_begin = tensor_get_double(roi, i);
        axis[axes[i]].roi_end = tensor_get_double(roi, i + count);
    }
    return true;
}

static bool read_geometry(Infer *f, const Node *n, int rank, const int64_t *dims, Axis *axis) {
    int axes[MAX_RANK], count = named_axes(f, n, rank, axes);
    const Tensor *scales = nonempty(n, SCALES), *sizes = nonempty(n, SIZES);
    if (count < 0) return false;
    for (int d = 0; d < rank; d++)
        axis[d] = (Axis){.in = dims[d], .out = dims[d], .scale = 1, .roi_end = 1};
    if (!scales && !sizes) {
        bool asked = node_has_input(n, SCALES) || node_has_input(n, SIZES);
        return infer_fail(f, n, D_DYNAMIC_SHAPE,
                          asked ? "scales and sizes are not constants"
                                : "scales or sizes are needed");
    }
    bool ok = sizes ? read_sizes(f, n, sizes, axes, count, axis)
                    : read_scales(f, n, scales, axes, count, axis);
    if (!ok || !read_roi(f, n, axes, count, axis)) return false;
    for (int d = 0; d < rank; d++) {
        const Axis *a = &axis[d];
        axis[d].identity = fabs(a->scale - 1) < 1e-9 && a->in == a->out &&
                           fabs(a->roi_begin) < 1e-9 && fabs(a->roi_end - 1) < 1e-9;
    }
    return true;
}

bool infer_resize(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    Axis axis[MAX_RANK];
    int rank = infer_dims(f, n, X, dims), boxed = 0;
    if (rank < 0 || !check_attributes(f, n) || !read_geometry(f, n, rank, dims, axis)) return false;
    for (int d = 0; d < rank; d++) {
        dims[d] = axis[d].out;
        boxed += !axis[d].identity;
    }
    if (boxed > NEST_INNER) return infer_fail(f, n, D_UNSUPPORTED, "a Resize of so many axes");
    if (node_int(n, "antialias") && is(n, "mode", "nearest"))
        return infer_fail_attr(f, n, "antialias", "does not go with the mode nearest");
    DType t = n->inputs[X]->dtype;
    if (!dtype_is_float(t) && !dtype_is_int(t) && !is(n, "mode", "nearest"))
        return infer_fail(f, n, D_DTYPE, "only numbers are interpolated");
    infer_set(f, n, 0, t, rank, dims);
    return true;
}

/* Where output position y lies in the input. */
static double source_position(const Node *n, const Axis *a, int64_t y) {
    double in = (double)a->in, width = a->scale * in, x = (double)y;
    const char *mode = node_string(n, "coordinate_transformation_mode");
    if (!strcmp(mode, "align_corners")) return width == 1 ? 0 : x * (in - 1) / (width - 1);
    if (!strcmp(mode, "asymmetric")) return x / a->scale;
    if (!strcmp(mode, "tf_crop_and_resize")) {
        double span = a->roi_end - a->roi_begin;
        double offset = width == 1 ? span * (in - 1) / 2 : x * span * (in - 1) / (width - 1);
        return offset + a->roi_begin * (in - 1);
    }
    if (!strcmp(mode, "pytorch_half_pixel") && width == 1) return -0.5;
    double centre = (x + 0.5) / a->scale - 0.5;
    if (!strcmp(mode, "half_pixel_symmetric"))
        return in / 2 * (1 - (double)a->out / width) + centre;
    return centre;
}

/* The left neighbour and the distance from it, in (0, 1]: an integer position is its right
 * neighbour. */
static double split_position(double x, double *left) {
    *left = ceil(x) - 1;
    return x == ceil(x) ? 1 : x - *left;
}

static int64_t nearest_source(const Node *n, double left, double ratio) {
    bool right;
    if (ratio == 1)
        right = true;
    else if (is(n, "nearest_mode", "round_prefer_floor"))
        right = ratio > 0.5;
    else if (is(n, "nearest_mode", "round_prefer_ceil"))
        right = ratio >= 0.5;
    else
        right = is(n, "nearest_mode", "ceil");
    return (int64_t)left + right;
}

static double cubic_weight(double x, double a) {
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static double tap_weight(const Node *n, double distance) {
    if (is(n, "mode", "cubic"))
        return cubic_weight(distance, (double)node_float(n, "cubic_coeff_a"));
    return fmax(0, 1 - fabs(distance));
}

/* Taps reach as far as the kernel, which antialiasing widens when it shrinks the input. */
static int tap_count(const Node *n, const Axis *a) {
    int reach = is(n, "mode", "cubic") ? 2 : 1;
    double stretch = node_int(n, "antialias") && a->scale < 1 ? a->scale : 1;
    return is(n, "mode", "nearest") ? 1 : 2 - 2 * (int)(floor(-reach / stretch) + 1);
}

static void fill_weights(const Node *n, const Axis *a, double left, double ratio, int64_t *source,
                         double *weight) {
    double stretch = node_int(n, "antialias") && a->scale < 1 ? a->scale : 1, sum = 0;
    bool exclude = node_int(n, "exclude_outside") != 0;
    for (int k = 0; k < a->taps; k++) {
        int64_t offset = k - a->taps / 2 + 1, at = (int64_t)left + offset;
        weight[k] = tap_weight(n, ((double)offset - ratio) * stretch);
        if (exclude && (at < 0 || at >= a->in)) weight[k] = 0;
        source[k] = at < 0 ? 0 : at >= a->in ? a->in - 1 : at;
        sum += weight[k];
    }
    if (sum == 0 || (!exclude && stretch == 1)) return;
    for (int k = 0; k < a->taps; k++) weight[k] /= sum;
}

static void set_element(Tensor *t, int64_t i, double x) {
    if (t->dtype == DT_F64)
        ((double *)(uintptr_t)t->data)[i] = x;
    else
        ((float *)(uintptr_t)t->data)[i] = (float)x;
}

typedef struct Tables {
    Tensor *source, *weight, *outside;
} Tables;

static bool is_crop(const Node *n) {
    return is(n, "coordinate_transformation_mode", "tf_crop_and_resize");
}

static Tables compute_tables(Arena *arena, const Node *n, const Axis *a, DType wide) {
    int64_t count[2] = {a->out, a->taps};
    Tables t = {tensor_new(arena, DT_I64, 2, count), tensor_new(arena, wide, 2, count),
                tensor_new(arena, DT_BOOL, 1, count)};
    double *row = NEW_ARRAY(arena, double, a->taps);
    for (int64_t y = 0; y < a->out; y++) {
        double left, x = source_position(n, a, y), ratio = split_position(x, &left);
        int64_t *from = (int64_t *)(uintptr_t)t.source->data + y * a->taps;
        ((uint8_t *)(uintptr_t)t.outside->data)[y] =
            is_crop(n) && (x < 0 || x > (double)(a->in - 1));
        if (!is(n, "mode", "nearest")) {
            fill_weights(n, a, left, ratio, from, row);
            for (int k = 0; k < a->taps; k++) set_element(t.weight, y * a->taps + k, row[k]);
        } else {
            int64_t at = nearest_source(n, left, ratio);
            *from = at < 0 ? 0 : at >= a->in ? a->in - 1 : at;
        }
    }
    return t;
}

static void make_tables(Lower *l, const Node *n, Axis *a, DType wide) {
    a->taps = tap_count(n, a);
    Tables t = compute_tables(l->unit->arena, n, a, wide);
    a->source = lower_constant(l, "source", t.source);
    a->weight = is(n, "mode", "nearest") ? NULL : lower_constant(l, "weight", t.weight);
    a->outside = is_crop(n) ? lower_constant(l, "outside", t.outside) : NULL;
}

bool resize_two_taps(Graph *g, const Node *n, int axis, const Tensor **source,
                     const Tensor **weight) {
    int64_t dims[MAX_RANK];
    Axis axes[MAX_RANK];
    Infer f = {.unit = g->unit, .graph = g};
    int rank = n->inputs[X]->rank;
    for (int d = 0; d < rank; d++) dims[d] = n->inputs[X]->dims[d].size;
    if (!is(n, "mode", "linear") || is_crop(n) || !read_geometry(&f, n, rank, dims, axes))
        return false;
    axes[axis].taps = tap_count(n, &axes[axis]);
    if (axes[axis].taps != 2) return false;
    Tables t = compute_tables(g->unit->arena, n, &axes[axis], lower_wide(n->inputs[X]->dtype));
    *source = t.source;
    *weight = t.weight;
    return true;
}

static const Expr *boxed_element(Lower *l, const Resize *r, const Expr *const *index,
                                 const Expr *const *k, const Expr **weight) {
    const Expr *at[MAX_RANK] = {NULL};
    *weight = NULL;
    for (int d = 0; d < r->rank; d++) {
        const Axis *a = &r->axis[d];
        at[d] = index[d];
        if (a->identity) continue;
        const Expr *i = ex_offset(l->b, index[d], a->taps, k[r->inner[d]]);
        at[d] = ex_load(l->b, a->source, i);
        if (!a->weight) continue;
        const Expr *w = ex_load(l->b, a->weight, i);
        *weight = *weight ? ex_mul(l->b, *weight, w) : w;
    }
    return lower_load_wide(l, r->node->inputs[X], at);
}

static void resize_start(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc) {
    const Resize *r = nest->context;
    (void)index;
    acc[0] = ex_const(l->b, r->wide, 0);
}

static void resize_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                        const Expr **acc) {
    const Resize *r = nest->context;
    const Expr *weight, *x = boxed_element(l, r, index, k, &weight);
    acc[0] = weight ? ex_fma(l->b, ex_cast(l->b, r->wide, x), weight, acc[0]) : x;
}

static void resize_finish(Lower *l, const Nest *nest, const Expr *const *index,
                          const Expr *const *acc) {
    const Resize *r = nest->context;
    const Expr *x = acc[0], *outside = ex_bool(l->b, false);
    for (int d = 0; d < r->rank; d++)
        if (r->axis[d].outside)
            outside = ex_or(l->b, outside, ex_load(l->b, r->axis[d].outside, index[d]));
    DType t = nest->out->dtype;
    if (lower_wide(t) != x->type) x = elem_convert(l, t, x);
    x = ex_select(l->b, outside,
                  ex_const(l->b, x->type, (double)node_float(r->node, "extrapolation_value")), x);
    lower_store(l, nest->out, index, x);
}

void code_resize(Lower *l, Node *n) {
    int64_t dims[MAX_RANK];
    Infer f = {.unit = l->unit, .graph = l->graph};
    Resize r = {.node = n, .rank = infer_dims(&f, n, X, dims)};
    DType t = n->inputs[X]->dtype;
    bool weighted = !is(n, "mode", "nearest");
    r.wide = weighted && !dtype_is_float(t) ? DT_F32 : lower_wide(t);
    read_geometry(&f, n, r.rank, dims, r.axis);
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_acc = 1,
                 .acc = {r.wide},
                 .start = resize_start,
                 .step = resize_step,
                 .finish = resize_finish,
                 .context = &r};
    for (int d = 0; d < r.rank; d++) {
        if (r.axis[d].identity) continue;
        if (value_count(nest.out) > 0) make_tables(l, n, &r.axis[d], weighted ? r.wide : DT_F32);
        r.inner[d] = nest.n_inner;
        nest.inner[nest.n_inner++] = r.axis[d].taps;
    }
    nest_lower(l, &nest);
}
