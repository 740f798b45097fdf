/* quantized.c - products of 8-bit integers: MatMulInteger, ConvInteger, QLinearMatMul, QLinearConv.
 *
 * The sum of (a - a_zero) (b - b_zero) is in i32.  The QLinear forms give round(sum * (a_scale *
 * b_scale / y_scale) + y_zero), half to even, saturated; zero points and the scale of b may differ
 * by row or column. */
#include "elem.h"
#include "nest.h"
#include "ops.h"
#include "window.h"

/* Which inputs hold what; -1: none. */
typedef struct Roles {
    int a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, bias;
} Roles;

static const Roles integer_roles = {0, -1, 2, 1, -1, 3, -1, -1, -1};
static const Roles linear_roles = {0, 1, 2, 3, 4, 5, 6, 7, 8};

static const Roles *roles_of(const Node *n) {
    return n->op->id == OP_QLinearMatMul || n->op->id == OP_QLinearConv ? &linear_roles
                                                                        : &integer_roles;
}

typedef struct Product {
    const Roles *roles;
    bool conv;
    Window window;
    int axes;        /* spatial */
    int64_t in, out; /* conv: channels of a group */
} Product;

static bool is_narrow(DType t) { return t == DT_I8 || t == DT_U8; }

static bool check_types(Infer *f, const Node *n) {
    const Roles *r = roles_of(n);
    if (!is_narrow(n->inputs[r->a]->dtype) || !is_narrow(n->inputs[r->b]->dtype))
        return infer_fail(f, n, D_DTYPE, "both factors must be of type i8 or u8");
    if (node_has_input(n, r->a_zero) && n->inputs[r->a_zero]->dtype != n->inputs[r->a]->dtype)
        return infer_fail(f, n, D_DTYPE, "a zero point must have the type of its factor");
    if (node_has_input(n, r->b_zero) && n->inputs[r->b_zero]->dtype != n->inputs[r->b]->dtype)
        return infer_fail(f, n, D_DTYPE, "a zero point must have the type of its factor");
    if (r->y_zero < 0) return true;
    if (!is_narrow(n->inputs[r->y_zero]->dtype))
        return infer_fail(f, n, D_DTYPE, "the zero point of the output must be of type i8 or u8");
    DType t = n->inputs[r->a_scale]->dtype;
    if (!dtype_is_float(t) || n->inputs[r->b_scale]->dtype != t ||
        n->inputs[r->y_scale]->dtype != t)
        return infer_fail(f, n, D_DTYPE, "the scales must be of one float type");
    if (node_has_input(n, r->bias) && n->inputs[r->bias]->dtype != DT_I32)
        return infer_fail(f, n, D_DTYPE, "the bias must be of type i32");
    return true;
}

/* A parameter is one number, a vector of `extent`, or (matrices) of the factor's rank with dims
 * that broadcast. */
static bool check_parameter(Infer *f, Node *n, int k, int factor, int64_t extent, bool full_rank) {
    int64_t dims[MAX_RANK], of[MAX_RANK];
    if (k < 0 || !node_has_input(n, k)) return true;
    int rank = infer_dims(f, n, k, dims), factor_rank = infer_dims(f, n, factor, of);
    if (rank < 0 || factor_rank < 0) return false;
    int64_t count = value_count(n->inputs[k]);
    bool fits = count == 1 || (rank == 1 && dims[0] == extent);
    if (!fits && full_rank && rank == factor_rank) {
        fits = true;
        for (int d = 0; d < rank; d++) fits = fits && (dims[d] == 1 || dims[d] == of[d]);
    }
    return fits || infer_fail(f, n, D_SHAPE,
                              arena_format(f->unit->arena, "input %d does not fit its factor", k));
}

static DType output_type(const Node *n) {
    const Roles *r = roles_of(n);
    return r->y_zero < 0 ? DT_I32 : n->inputs[r->y_zero]->dtype;
}

static bool check_output_parameters(Infer *f, Node *n) {
    const Roles *r = roles_of(n);
    return check_parameter(f, n, r->a_scale, r->a, -1, false) &&
           check_parameter(f, n, r->y_scale, r->a, -1, false) &&
           check_parameter(f, n, r->y_zero, r->a, -1, false);
}

bool infer_quantized_matmul(Infer *f, Node *n) {
    const Roles *r = roles_of(n);
    int64_t a[MAX_RANK], b[MAX_RANK], out[MAX_RANK];
    int a_rank = infer_dims(f, n, r->a, a), b_rank = infer_dims(f, n, r->b, b);
    if (a_rank < 0 || b_rank < 0 || !check_types(f, n)) return false;
    if (a_rank < 2 || b_rank < 2)
        return infer_fail(f, n, D_UNSUPPORTED, "a quantized product of vectors");
    if (a[a_rank - 1] != b[b_rank - 2])
        return infer_fail(f, n, D_SHAPE, "the inner dimensions differ");
    int rank = dims_broadcast(a, a_rank - 2, b, b_rank - 2, out);
    if (rank < 0) return infer_fail(f, n, D_SHAPE, "the batch dimensions do not broadcast");
    out[rank] = a[a_rank - 2];
    out[rank + 1] = b[b_rank - 1];
    if (!check_parameter(f, n, r->a_zero, r->a, out[rank], true) ||
        !check_parameter(f, n, r->b_zero, r->b, out[rank + 1], true) ||
        !check_parameter(f, n, r->b_scale, r->b, out[rank + 1], true) ||
        !check_output_parameters(f, n))
        return false;
    infer_set(f, n, 0, output_type(n), rank + 2, out);
    return true;
}

bool infer_quantized_conv(Infer *f, Node *n) {
    const Roles *r = roles_of(n);
    int64_t x[MAX_RANK], w[MAX_RANK], group = node_int(n, "group");
    int rank = infer_dims(f, n, r->a, x), w_rank = infer_dims(f, n, r->b, w);
    Window window;
    if (rank < 0 || w_rank < 0 || !check_types(f, n)) return false;
    if (rank < 3 || rank > 2 + WINDOW_AXES || w_rank != rank)
        return infer_fail(f, n, D_SHAPE, "input and weights must have the same rank, 3 to 5");
    if (group < 1 || w[0] % group || x[1] != w[1] * group)
        return infer_fail_attr(f, n, "group",
                               "%lld groups do not fit %lld channels and weights for %lld",
                               (long long)group, (long long)x[1], (long long)w[1]);
    for (int d = 2; d < rank; d++)
        if (x[d] < 1) return infer_fail(f, n, D_SHAPE, "a spatial axis has no elements");
    if (!window_infer(f, n, rank - 2, x + 2, w + 2, &window)) return false;
    if (!check_parameter(f, n, r->a_zero, r->a, -1, false) ||
        !check_parameter(f, n, r->b_zero, r->b, w[0], false) ||
        !check_parameter(f, n, r->b_scale, r->b, w[0], false) ||
        !check_parameter(f, n, r->bias, r->b, w[0], false) || !check_output_parameters(f, n))
        return false;
    x[1] = w[0];
    for (int d = 0; d < rank - 2; d++) x[d + 2] = window.out[d];
    infer_set(f, n, 0, output_type(n), rank, x);
    return true;
}

/* The parameter for a factor's element; `line` is the row or column that a vector runs over. */
static const Expr *parameter(Lower *l, const Node *n, int k, const Expr *const *factor_index,
                             const Expr *line) {
    const Value *v = n->inputs[k];
    const Expr *at[MAX_RANK];
    for (int d = 0; d < v->rank; d++)
        at[d] = dim_of(v, d) == 1 ? ex_index(l->b, 0) : v->rank == 1 ? line : factor_index[d];
    return lower_load_wide(l, v, at);
}

static const Expr *centred(Lower *l, const Node *n, int factor, int zero, const Expr *const *index,
                           const Expr *line) {
    const Expr *x = ex_cast(l->b, DT_I32, lower_load(l, n->inputs[factor], index));
    if (!node_has_input(n, zero)) return x;
    return ex_sub(l->b, x, ex_cast(l->b, DT_I32, parameter(l, n, zero, index, line)));
}

static void product_start(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc) {
    const Product *p = nest->context;
    int k = p->roles->bias;
    bool bias = p->conv && k >= 0 && node_has_input(nest->node, k);
    acc[0] = bias ? parameter(l, nest->node, k, index, index[1]) : ex_int(l->b, DT_I32, 0);
}

static void matrix_index(Lower *l, const Value *v, int rank, const Expr *const *index,
                         const Expr *row, const Expr *column, const Expr **at) {
    for (int d = 0; d < v->rank - 2; d++)
        at[d] = dim_of(v, d) == 1 ? ex_index(l->b, 0) : index[d + rank - v->rank];
    at[v->rank - 2] = row;
    at[v->rank - 1] = column;
}

static void matmul_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                        const Expr **acc) {
    const Product *p = nest->context;
    const Node *n = nest->node;
    int rank = nest->out->rank;
    const Expr *row = index[rank - 2], *column = index[rank - 1], *at[MAX_RANK];
    matrix_index(l, n->inputs[p->roles->a], rank, index, row, k[0], at);
    const Expr *a = centred(l, n, p->roles->a, p->roles->a_zero, at, row);
    matrix_index(l, n->inputs[p->roles->b], rank, index, k[0], column, at);
    const Expr *b = centred(l, n, p->roles->b, p->roles->b_zero, at, column);
    acc[0] = ex_add(l->b, acc[0], ex_mul(l->b, a, b));
}

/* k: the taps, then the input channel of the group. */
static void conv_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                      const Expr **acc) {
    const Product *p = nest->context;
    const Node *n = nest->node;
    const Value *x = n->inputs[p->roles->a];
    const Expr *group = ex_div(l->b, index[1], ex_index(l->b, p->out)),
               *inside = ex_bool(l->b, true);
    const Expr *at[MAX_RANK] = {index[0], ex_offset(l->b, group, p->in, k[p->axes])};
    const Expr *w[MAX_RANK] = {index[1], k[p->axes]};
    for (int d = 0; d < p->axes; d++) {
        const Expr *i = ex_offset(l->b, index[d + 2], p->window.stride[d],
                                  ex_index(l->b, -p->window.pad_begin[d]));
        i = ex_offset(l->b, k[d], p->window.dilation[d], i);
        inside = ex_and(l->b, inside, index_inside(l, i, dim_of(x, d + 2)));
        at[d + 2] = index_clamp(l, i, dim_of(x, d + 2));
        w[d + 2] = k[d];
    }
    const Expr *a = centred(l, n, p->roles->a, p->roles->a_zero, at, index[1]);
    const Expr *b = centred(l, n, p->roles->b, p->roles->b_zero, w, index[1]);
    const Expr *term = ex_select(l->b, inside, ex_mul(l->b, a, b), ex_int(l->b, DT_I32, 0));
    acc[0] = ex_add(l->b, acc[0], term);
}

static void product_finish(Lower *l, const Nest *nest, const Expr *const *index,
                           const Expr *const *acc) {
    const Product *p = nest->context;
    const Roles *r = p->roles;
    const Node *n = nest->node;
    const Expr *x = acc[0], *at[MAX_RANK];
    if (r->y_scale >= 0) {
        const Expr *line = p->conv ? index[1] : index[nest->out->rank - 1];
        if (!p->conv)
            matrix_index(l, n->inputs[r->b], nest->out->rank, index, ex_index(l->b, 0), line, at);
        const Expr *scale = ex_mul(l->b, parameter(l, n, r->a_scale, at, line),
                                   parameter(l, n, r->b_scale, at, line));
        scale = ex_div(l->b, scale, parameter(l, n, r->y_scale, at, line));
        const Expr *zero = ex_cast(l->b, scale->type, parameter(l, n, r->y_zero, at, line));
        x = ex_add(l->b, ex_mul(l->b, ex_cast(l->b, scale->type, x), scale), zero);
        x = elem_convert(l, nest->out->dtype, math_round(l->b, x));
    }
    lower_store(l, nest->out, index, x);
}

void code_quantized_matmul(Lower *l, Node *n) {
    Product p = {.roles = roles_of(n)};
    const Value *a = n->inputs[p.roles->a];
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_inner = 1,
                 .inner = {dim_of(a, a->rank - 1)},
                 .n_acc = 1,
                 .acc = {DT_I32},
                 .start = product_start,
                 .step = matmul_step,
                 .finish = product_finish,
                 .context = &p};
    nest_lower(l, &nest);
}

void code_quantized_conv(Lower *l, Node *n) {
    Product p = {.roles = roles_of(n), .conv = true};
    const Value *x = n->inputs[p.roles->a], *w = n->inputs[p.roles->b];
    int64_t size[WINDOW_AXES], kernel[WINDOW_AXES];
    p.axes = x->rank - 2;
    p.in = dim_of(w, 1);
    p.out = dim_of(w, 0) / node_int(n, "group");
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_inner = p.axes + 1,
                 .n_acc = 1,
                 .acc = {DT_I32},
                 .start = product_start,
                 .step = conv_step,
                 .finish = product_finish,
                 .context = &p};
    for (int d = 0; d < p.axes; d++) {
        size[d] = dim_of(x, d + 2);
        nest.inner[d] = kernel[d] = dim_of(w, d + 2);
    }
    nest.inner[p.axes] = p.in;
    window_of(n, p.axes, size, kernel, &p.window);
    nest_lower(l, &nest);
}
