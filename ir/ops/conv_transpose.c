/* conv_transpose.c - ConvTranspose as a gather: an output element asks every tap which input
 * element would have been multiplied with it, o = i * stride + k * dilation - pad, so that each
 * output element is written once. */
#include "conv_transpose.h"
#include "nest.h"
#include "ops.h"
#include "window.h"

#include <string.h>

typedef struct Geometry {
    int axes;
    int64_t groups, in, out; /* channels of a group */
    int64_t kernel[WINDOW_AXES], stride[WINDOW_AXES], dilation[WINDOW_AXES], pad[WINDOW_AXES],
        size[WINDOW_AXES];
} Geometry;

static int64_t entry(const Node *n, const char *name, int d, int64_t otherwise) {
    int count;
    const int64_t *given = node_ints(n, name, &count);
    return given && d < count ? given[d] : otherwise;
}

/* Padding and output size along axis d, which decide each other. */
static void fit_axis(const Node *n, const int64_t *x, int d, Geometry *g) {
    int shape_count;
    const char *auto_pad = node_string(n, "auto_pad");
    bool same = !strncmp(auto_pad, "SAME", 4),
         asked = node_ints(n, "output_shape", &shape_count) != NULL;
    int64_t full = g->stride[d] * (x[d + 2] - 1) + entry(n, "output_padding", d, 0) +
                   (g->kernel[d] - 1) * g->dilation[d] + 1;
    int64_t begin = entry(n, "pads", d, 0), end = entry(n, "pads", g->axes + d, 0);
    if (!strcmp(auto_pad, "VALID")) begin = end = 0;
    g->pad[d] = begin;
    g->size[d] = full - begin - end;
    if (!same && !asked) return;
    int skipped = asked && shape_count == g->axes + 2 ? 2 : 0;
    g->size[d] = asked ? entry(n, "output_shape", d + skipped, 0) : x[d + 2] * g->stride[d];
    int64_t total = full > g->size[d] ? full - g->size[d] : 0;
    g->pad[d] = !strcmp(auto_pad, "SAME_UPPER") ? total / 2 : total - total / 2;
}

static void read_geometry(const Node *n, const int64_t *x, const int64_t *w, int rank,
                          Geometry *g) {
    *g = (Geometry){.axes = rank - 2, .groups = node_int(n, "group"), .out = w[1]};
    g->in = x[1] / g->groups;
    for (int d = 0; d < g->axes; d++) {
        g->kernel[d] = w[d + 2];
        g->stride[d] = entry(n, "strides", d, 1);
        g->dilation[d] = entry(n, "dilations", d, 1);
        fit_axis(n, x, d, g);
    }
}

static bool check_entries(Infer *f, Node *n, const char *name, int want, int64_t least) {
    int count;
    const int64_t *given = node_ints(n, name, &count);
    if (!given) return true;
    bool shape = !strcmp(name, "output_shape") && count == want + 2;
    if (count != want && !shape)
        return infer_fail_attr(f, n, name, "has %d entries, must have %d", count, want);
    for (int i = 0; i < count; i++)
        if (given[i] < least || given[i] > INT64_C(1) << 31)
            return infer_fail_attr(f, n, name, "entry %d is %lld", i, (long long)given[i]);
    return true;
}

static bool check_lists(Infer *f, Node *n, int axes) {
    return check_entries(f, n, "strides", axes, 1) && check_entries(f, n, "dilations", axes, 1) &&
           check_entries(f, n, "pads", 2 * axes, 0) &&
           check_entries(f, n, "output_padding", axes, 0) &&
           check_entries(f, n, "output_shape", axes, 1) &&
           check_entries(f, n, "kernel_shape", axes, 1);
}

bool infer_conv_transpose(Infer *f, Node *n) {
    int64_t x[MAX_RANK], w[MAX_RANK], b[MAX_RANK], group = node_int(n, "group");
    int rank = infer_dims(f, n, 0, x), w_rank = infer_dims(f, n, 1, w);
    if (rank < 0 || w_rank < 0) return false;
    DType t = n->inputs[0]->dtype;
    if (rank < 3 || rank > 2 + WINDOW_AXES || w_rank != rank)
        return infer_fail(f, n, D_SHAPE, "input and weights must have the same rank, 3 to 5");
    if (!dtype_is_float(t) || n->inputs[1]->dtype != t)
        return infer_fail(f, n, D_DTYPE, "input and weights must be of one float type");
    if (group < 1 || w[0] % group || x[1] != w[0])
        return infer_fail_attr(f, n, "group",
                               "%lld groups do not fit %lld channels and weights for %lld",
                               (long long)group, (long long)x[1], (long long)w[0]);
    if (node_has_input(n, 2) && (infer_dims(f, n, 2, b) != 1 || b[0] != w[1] * group))
        return infer_fail(f, n, D_SHAPE, "the bias must have one element an output channel");
    for (int d = 2; d < rank; d++)
        if (x[d] < 1 || x[d] > INT64_C(1) << 31 || w[d] < 1 || w[d] > INT64_C(1) << 30)
            return infer_fail(f, n, D_SHAPE, "a spatial axis has no elements, or too many");
    if (!check_lists(f, n, rank - 2)) return false;
    Geometry g;
    read_geometry(n, x, w, rank, &g);
    x[1] = w[1] * group;
    for (int d = 0; d < g.axes; d++) {
        if (g.size[d] < 1)
            return infer_fail(f, n, D_SHAPE, "the padding is larger than the output");
        x[d + 2] = g.size[d];
    }
    infer_set(f, n, 0, t, rank, x);
    return true;
}

static void transpose_start(Lower *l, const Nest *nest, const Expr *const *index,
                            const Expr **acc) {
    const Node *n = nest->node;
    acc[0] = node_has_input(n, 2) ? lower_load_wide(l, n->inputs[2], index + 1)
                                  : ex_const(l->b, nest->acc[0], 0);
}

/* k: the taps, then the input channel of the group. */
static void transpose_step(Lower *l, const Nest *nest, const Expr *const *index,
                           const Expr *const *k, const Expr **acc) {
    const Geometry *g = nest->context;
    const Node *n = nest->node;
    const Expr *group = ex_div(l->b, index[1], ex_index(l->b, g->out)),
               *inside = ex_bool(l->b, true);
    const Expr *channel = ex_offset(l->b, group, g->in, k[g->axes]);
    const Expr *x[MAX_RANK] = {index[0], channel};
    const Expr *w[MAX_RANK] = {channel, ex_rem(l->b, index[1], ex_index(l->b, g->out))};
    for (int d = 0; d < g->axes; d++) {
        const Expr *stride = ex_index(l->b, g->stride[d]);
        const Expr *at = ex_add(l->b, index[d + 2], ex_index(l->b, g->pad[d]));
        at = ex_offset(l->b, k[d], -g->dilation[d], at);
        const Expr *i = ex_div(l->b, at, stride);
        inside = ex_and(l->b, inside, ex_le(l->b, ex_index(l->b, 0), at));
        inside = ex_and(l->b, inside, ex_eq(l->b, ex_rem(l->b, at, stride), ex_index(l->b, 0)));
        inside = ex_and(l->b, inside, index_inside(l, i, dim_of(n->inputs[0], d + 2)));
        x[d + 2] = index_clamp(l, i, dim_of(n->inputs[0], d + 2));
        w[d + 2] = k[d];
    }
    const Expr *sum = ex_fma(l->b, lower_load_wide(l, n->inputs[0], x),
                             lower_load_wide(l, n->inputs[1], w), acc[0]);
    acc[0] = ex_select(l->b, inside, sum, acc[0]);
}

static void transpose_finish(Lower *l, const Nest *nest, const Expr *const *index,
                             const Expr *const *acc) {
    lower_store(l, nest->out, index, acc[0]);
}

static Geometry geometry_of(const Node *n) {
    int64_t x[MAX_RANK], w[MAX_RANK];
    int rank = n->inputs[0]->rank;
    for (int d = 0; d < rank; d++) {
        x[d] = dim_of(n->inputs[0], d);
        w[d] = dim_of(n->inputs[1], d);
    }
    Geometry g;
    read_geometry(n, x, w, rank, &g);
    return g;
}

/* Has every output element one tap, and every tap an output element? */
static bool taps_are_apart(const Node *n, const Geometry *g) {
    for (int d = 0; d < g->axes; d++) {
        bool same = g->kernel[d] == g->stride[d] && g->dilation[d] == 1 && g->pad[d] == 0;
        if (!same || g->size[d] != dim_of(n->inputs[0], d + 2) * g->stride[d]) return false;
    }
    return g->groups == 1;
}

void need_conv_transpose(const Lower *l, const Node *n, int input, InputNeed *need) {
    (void)l;
    Geometry g = geometry_of(n);
    if (input == 2 || !taps_are_apart(n, &g)) return;
    need->need = input == 0 ? NEED_CHANNELS_LAST : NEED_BUFFER;
}

void code_conv_transpose(Lower *l, Node *n) {
    Geometry g = geometry_of(n);
    bool is_empty = value_count(n->outputs[0]) == 0 || value_count(n->inputs[1]) == 0;
    if (!lower_is_plain(l) && !is_empty && taps_are_apart(n, &g)) {
        conv_transpose_products(l, n);
        return;
    }
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_acc = 1,
                 .acc = {lower_wide(n->inputs[0]->dtype)},
                 .start = transpose_start,
                 .step = transpose_step,
                 .finish = transpose_finish,
                 .context = &g};
    for (int d = 0; d < g.axes; d++) nest.inner[nest.n_inner++] = g.kernel[d];
    nest.inner[nest.n_inner++] = g.in;
    nest_lower(l, &nest);
}
