/* expand_misc.c - quantisation, and operators of no family, as graphs. */
#include "expand.h"
#include "ops.h"

#include <string.h>

static bool same_shape(const Value *a, const Value *b) {
    return a->rank == b->rank && dims_equal(a->dims, b->dims, a->rank);
}

/* Conversions. */

bool infer_cast_like(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0) return false;
    infer_set(f, n, 0, n->inputs[1]->dtype, rank, dims);
    return true;
}

bool expand_cast_like(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    expansion_give(&e, 0, n->inputs[0]);
    return expansion_end(&e);
}

bool infer_dropout(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    const Tensor *training = infer_constant(n, 2), *ratio = infer_constant(n, 1);
    bool off = !node_has_input(n, 2) ||
               (training && training->count == 1 && !tensor_get_int(training, 0)) ||
               (ratio && ratio->count == 1 && tensor_get_double(ratio, 0) == 0);
    if (!off) return infer_fail(f, n, D_UNSUPPORTED, "dropout in training mode");
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0) return false;
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    infer_set(f, n, 1, DT_BOOL, rank, dims);
    return true;
}

bool expand_dropout(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    int64_t dims[MAX_RANK];
    int rank = value_dims(n->inputs[0], dims);
    expansion_give(&e, 0, n->inputs[0]);
    if (node_has_output(n, 1))
        expansion_give(&e, 1, make_expand(&e, make_scalar(&e, DT_BOOL, 1), rank, dims));
    return expansion_end(&e);
}

/* Quantisation: a scale for all, for every index of an axis, or for every block along an axis. */

static bool is_scalar(const Value *v) { return v->rank <= 1 && value_count(v) == 1; }

/* How many indices of x's axis share an element of a blocked scale; 0: reported. */
static int64_t block_size(Infer *f, const Node *n, int axis) {
    const Value *x = n->inputs[0], *scale = n->inputs[1];
    int64_t extent = x->dims[axis].size, blocks = scale->dims[axis].size,
            size = node_int(n, "block_size");
    if (size == 0 && blocks) size = (extent + blocks - 1) / blocks;
    bool ok = size > 0 && blocks == extent / size + (extent % size != 0);
    for (int d = 0; d < x->rank; d++)
        ok = ok && (d == axis || x->dims[d].size == scale->dims[d].size);
    if (ok) return size;
    if (f)
        infer_fail(f, n, D_SHAPE,
                   "the scale's shape is not that of the input in blocks along the axis");
    return 0;
}

static bool check_scale(Infer *f, Node *n) {
    const Value *x = n->inputs[0], *scale = n->inputs[1];
    if (!dtype_is_float(scale->dtype))
        return infer_fail(f, n, D_DTYPE, "the scale should be of a float type");
    if (node_has_input(n, 2) && !same_shape(n->inputs[2], scale) &&
        !(is_scalar(n->inputs[2]) && is_scalar(scale)))
        return infer_fail(f, n, D_SHAPE, "the scale and the zero point should have one shape");
    if (is_scalar(scale)) return true;
    int axis = infer_axis(f, n, node_int(n, "axis"), x->rank, "axis");
    if (axis < 0) return false;
    if (scale->rank == 1 && (x->rank > 1 || !node_int(n, "block_size"))) {
        if (scale->dims[0].size == x->dims[axis].size) return true;
        return infer_fail(f, n, D_SHAPE,
                          "the scale should have an element for every index of the axis");
    }
    if (scale->rank != x->rank)
        return infer_fail(f, n, D_SHAPE, "the scale should be a scalar, a vector, or of x's rank");
    return block_size(f, n, axis) > 0;
}

/* v, of the scale's shape, so that it broadcasts to x. */
static Value *spread(Expansion *e, Value *v) {
    const Node *n = e->node;
    const Value *x = n->inputs[0];
    int64_t dims[MAX_RANK + 1] = {0}, axis = node_int(n, "axis");
    if (is_scalar(v)) return make_reshape(e, v, 0, dims);
    if (axis < 0) axis += x->rank;
    if (v->rank == 1 && (x->rank > 1 || !node_int(n, "block_size")))
        return make_along(e, v, x->rank, (int)axis);
    if (v->rank != x->rank || same_shape(v, x)) return v;
    int64_t size = block_size(NULL, n, (int)axis), blocks = v->dims[axis].size;
    int rank = value_dims(v, dims);
    memmove(dims + axis + 1, dims + axis, (size_t)(rank - axis) * sizeof *dims);
    dims[axis + 1] = 1;
    v = make_reshape(e, v, rank + 1, dims);
    dims[axis + 1] = size;
    v = make_expand(e, v, rank + 1, dims);
    value_dims(x, dims);
    dims[axis] = blocks * size;
    v = make_reshape(e, v, rank, dims);
    return dims[axis] == x->dims[axis].size ? v
                                            : make_slice(e, v, (int)axis, 0, x->dims[axis].size);
}

static bool check_quantized(Infer *f, const Node *n, DType t) {
    if (dtype_is_int(t)) return true;
    return infer_fail(f, n, D_UNSUPPORTED,
                      arena_format(f->unit->arena, "quantisation to %s", dtypes[t].text));
}

bool infer_dequantize_linear(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    DType out = n->inputs[1]->dtype;
    if (node_int(n, "output_dtype")) out = node_dtype(n, "output_dtype");
    if (!dtype_is_float(out))
        return infer_fail_attr(f, n, "output_dtype", "should be a float type");
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0 || !check_quantized(f, n, n->inputs[0]->dtype) || !check_scale(f, n)) return false;
    if (rank == MAX_RANK) return infer_fail(f, n, D_UNSUPPORTED, "so many dimensions");
    if (node_has_input(n, 2) && n->inputs[2]->dtype != n->inputs[0]->dtype)
        return infer_fail(f, n, D_DTYPE, "the zero point should be of the input's type");
    infer_set(f, n, 0, out, rank, dims);
    return true;
}

/* (x - zero point) * scale; the difference in integers, where it is exact. */
bool expand_dequantize_linear(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    DType t = lower_wide(n->outputs[0] ? n->outputs[0]->dtype : n->inputs[1]->dtype);
    Value *x = n->inputs[0];
    if (node_has_input(n, 2)) {
        DType ints = dtypes[x->dtype].bytes < 4 ? DT_I32 : DT_I64;
        Value *zero = spread(&e, make_cast(&e, n->inputs[2], ints));
        x = make_binary(&e, OP_Sub, make_cast(&e, x, ints), zero);
    }
    Value *scale = spread(&e, make_cast(&e, n->inputs[1], t));
    expansion_give(&e, 0, make_binary(&e, OP_Mul, make_cast(&e, x, t), scale));
    return expansion_end(&e);
}

static DType quantized_type(const Node *n) {
    if (node_has_input(n, 2)) return n->inputs[2]->dtype;
    return node_int(n, "output_dtype") ? node_dtype(n, "output_dtype") : DT_U8;
}

bool infer_quantize_linear(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    DType out = quantized_type(n), given = node_dtype(n, "output_dtype"), x = n->inputs[0]->dtype;
    if (given != DT_NONE && given != out)
        return infer_fail_attr(f, n, "output_dtype", "is %s, the zero point is %s",
                               dtypes[given].text, dtypes[out].text);
    if (!dtype_is_float(x) && x != DT_I32)
        return infer_fail(f, n, D_DTYPE, "the input should be floats or i32");
    if (node_int(n, "precision") && !dtype_is_float(node_dtype(n, "precision")))
        return infer_fail_attr(f, n, "precision", "should be a float type");
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0 || !check_quantized(f, n, out) || !check_scale(f, n)) return false;
    if (rank == MAX_RANK) return infer_fail(f, n, D_UNSUPPORTED, "so many dimensions");
    infer_set(f, n, 0, out, rank, dims);
    return true;
}

/* A cast to 4 bits wraps where others saturate. */
static Value *clip_to_4_bits(Expansion *e, Value *x, DType out) {
    if (out != DT_I4 && out != DT_U4) return x;
    Value *low = make_scalar(e, x->dtype, out == DT_I4 ? -8 : 0),
          *high = make_scalar(e, x->dtype, out == DT_I4 ? 7 : 15);
    return make_binary(e, OP_Min, make_binary(e, OP_Max, x, low), high);
}

/* The division is rounded to the scale's type or the given precision.  The last cast saturates. */
bool expand_quantize_linear(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    DType precision = node_int(n, "precision") ? node_dtype(n, "precision") : n->inputs[1]->dtype;
    Value *scale = spread(&e, make_cast(&e, n->inputs[1], precision));
    Value *quotient = make_binary(&e, OP_Div, make_cast(&e, n->inputs[0], precision), scale);
    Value *y = make_cast(&e, make_unary(&e, OP_Round, quotient), lower_wide(precision));
    if (node_has_input(n, 2))
        y = make_binary(&e, OP_Add, y, spread(&e, make_cast(&e, n->inputs[2], y->dtype)));
    expansion_give(&e, 0, clip_to_4_bits(&e, y, quantized_type(n)));
    return expansion_end(&e);
}

bool infer_dynamic_quantize_linear(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    if (n->inputs[0]->dtype != DT_F32) return infer_fail(f, n, D_DTYPE, "the input should be f32");
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0) return false;
    infer_set(f, n, 0, DT_U8, rank, dims);
    infer_set(f, n, 1, DT_F32, 0, dims);
    infer_set(f, n, 2, DT_U8, 0, dims);
    return true;
}

/* The smallest or largest element of x and 0. */
static Value *extreme_with_zero(Expansion *e, OpId reduce, OpId op, Value *x) {
    bool axes[MAX_RANK];
    int64_t none[1] = {0};
    memset(axes, true, sizeof axes);
    Value *extreme = make_reshape(e, make_reduce(e, reduce, x, axes), 0, none);
    return make_binary(e, op, extreme, make_scalar(e, DT_F32, 0));
}

bool expand_dynamic_quantize_linear(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = n->inputs[0];
    Value *low = extreme_with_zero(&e, OP_ReduceMin, OP_Min, x);
    Value *high = extreme_with_zero(&e, OP_ReduceMax, OP_Max, x);
    Value *range = make_binary(&e, OP_Sub, high, low);
    Value *scale = make_binary(&e, OP_Div, range, make_scalar(&e, DT_F32, 255));
    Value *at_zero = make_unary(&e, OP_Neg, make_binary(&e, OP_Div, low, scale));
    Value *zero_point = make_cast(&e, make_unary(&e, OP_Round, at_zero), DT_U8);
    Value *y = make_unary(&e, OP_Round, make_binary(&e, OP_Div, x, scale));
    expansion_give(&e, 0, make_binary(&e, OP_Add, y, make_cast(&e, zero_point, DT_F32)));
    expansion_give(&e, 1, scale);
    expansion_give(&e, 2, zero_point);
    return expansion_end(&e);
}

/* Reductions that take more than one. */

bool infer_global_lp_pool(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], p = node_int(n, "p");
    if (p < 1) return infer_fail_attr(f, n, "p", "is %lld, should be positive", (long long)p);
    if (!dtype_is_float(n->inputs[0]->dtype))
        return infer_fail(f, n, D_DTYPE, "the operator takes floats");
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0) return false;
    if (rank < 2)
        return infer_fail(f, n, D_SHAPE, "the input should have a batch and a channel axis");
    for (int d = 2; d < rank; d++) dims[d] = 1;
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    return true;
}

bool expand_global_lp_pool(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = make_cast(&e, n->inputs[0], lower_wide(n->inputs[0]->dtype));
    int64_t p = node_int(n, "p");
    bool axes[MAX_RANK];
    for (int d = 0; d < MAX_RANK; d++) axes[d] = d >= 2;
    if (p <= 2) {
        expansion_give(&e, 0, make_reduce(&e, p == 1 ? OP_ReduceL1 : OP_ReduceL2, x, axes));
        return expansion_end(&e);
    }
    Value *exponent = make_scalar(&e, x->dtype, (double)p),
          *root = make_scalar(&e, x->dtype, 1 / (double)p);
    Value *power = make_binary(&e, OP_Pow, make_unary(&e, OP_Abs, x), exponent);
    expansion_give(&e, 0,
                   make_binary(&e, OP_Pow, make_reduce(&e, OP_ReduceSum, power, axes), root));
    return expansion_end(&e);
}

/* log(sum(exp(x - m))) + m with the maximum m, or 0 where that is infinite. */
bool expand_reduce_log_sum_exp(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    DType in = n->inputs[0]->dtype;
    Value *x = make_cast(&e, n->inputs[0], dtype_is_float(in) ? lower_wide(in) : DT_F64);
    int64_t dims[MAX_RANK];
    bool axes[MAX_RANK], keepdims;
    reduce_axes(n, axes, &keepdims);
    Value *m = make_reduce(&e, OP_ReduceMax, x, axes);
    m = make_where(&e, make_unary(&e, OP_IsInf, m), make_scalar(&e, x->dtype, 0), m);
    Value *power = make_unary(&e, OP_Exp, make_binary(&e, OP_Sub, x, m));
    Value *sum = make_reduce(&e, OP_ReduceSum, power, axes);
    Value *y = make_binary(&e, OP_Add, make_unary(&e, OP_Log, sum), m);
    int rank = value_dims(n->outputs[0], dims);
    expansion_give(&e, 0, make_reshape(&e, y, rank, dims));
    return expansion_end(&e);
}

/* Grids and windows. */

bool infer_affine_grid(Infer *f, Node *n) {
    int64_t size[5], dims[MAX_RANK];
    int count;
    const Value *theta = n->inputs[0];
    if (!dtype_is_float(theta->dtype)) return infer_fail(f, n, D_DTYPE, "theta should be floats");
    if (!infer_ints(f, n, 1, size, &count, 5)) return false;
    if (count < 4)
        return infer_fail(f, n, D_SHAPE,
                          "the size should be that of a 2-D or 3-D batch: 4 or 5 numbers");
    int spatial = count - 2;
    bool ok = theta->rank == 3 && theta->dims[0].size == size[0] &&
              theta->dims[1].size == spatial && theta->dims[2].size == spatial + 1;
    for (int d = 0; d < count; d++) ok = ok && size[d] > 0 && size[d] < INT32_MAX;
    if (!ok) return infer_fail(f, n, D_SHAPE, "theta's shape does not fit the size");
    dims[0] = size[0];
    for (int d = 0; d < spatial; d++) dims[d + 1] = size[d + 2];
    dims[spatial + 1] = spatial;
    infer_set(f, n, 0, theta->dtype, spatial + 2, dims);
    return true;
}

/* The coordinates along an axis, from -1 to 1: of the outermost points' centres, or of their outer
 * edges. */
static Value *coordinates(Expansion *e, DType t, int rank, int axis, int64_t extent) {
    bool centres = node_int(e->node, "align_corners");
    double step = centres ? 2.0 / (double)(extent > 1 ? extent - 1 : 1) : 2.0 / (double)extent;
    double start = centres ? (extent > 1 ? -1 : 0) : -1 + step / 2;
    Value *scaled =
        make_binary(e, OP_Mul, make_iota(e, t, rank, axis, extent), make_scalar(e, t, step));
    return make_binary(e, OP_Add, scaled, make_scalar(e, t, start));
}

/* Every point of the grid is theta * (x, y, z, 1), summed over the columns of theta. */
bool expand_affine_grid(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    static const int64_t perm[] = {0, 2, 1};
    int64_t dims[MAX_RANK];
    int rank = value_dims(n->outputs[0], dims), spatial = rank - 2;
    int64_t extent[3] = {dims[1], dims[2], dims[spatial]};
    Value *theta = make_cast(&e, n->inputs[0], lower_wide(n->inputs[0]->dtype)), *grid = NULL;
    Value *columns = make_transpose(&e, theta, perm);
    for (int d = 1; d <= spatial; d++) dims[d] = 1;
    for (int k = spatial; k >= 0; k--) {
        Value *column = make_reshape(&e, make_slice(&e, columns, 1, k, k + 1), rank, dims);
        int axis = spatial - k; /* column 0 is x, the innermost spatial axis */
        if (k < spatial)
            column = make_binary(&e, OP_Mul, column,
                                 coordinates(&e, theta->dtype, rank, axis, extent[axis - 1]));
        grid = grid ? make_binary(&e, OP_Add, grid, column) : column;
    }
    expansion_give(&e, 0, grid);
    return expansion_end(&e);
}

enum { MAX_WINDOW = 1 << 24 };

bool infer_window(Infer *f, Node *n) {
    int64_t size;
    int count;
    DType out = node_dtype(n, "output_datatype");
    if (!dtype_is_float(out) && !dtype_is_int(out))
        return infer_fail_attr(f, n, "output_datatype", "should be a number's type");
    if (!infer_ints(f, n, 0, &size, &count, 1)) return false;
    if (count != 1 || size < 0 || size > MAX_WINDOW)
        return infer_fail(f, n, D_SHAPE, "the size of the window is bad");
    infer_set(f, n, 0, out, 1, &size);
    return true;
}

/* a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N), N the size, or one less where not periodic */
static bool expand_window(Graph *g, Node *n, double a0, double a1, double a2) {
    Expansion e = expansion_begin(g, n);
    int64_t size = n->outputs[0]->dims[0].size;
    double period = (double)(node_int(n, "periodic") || size == 1 ? size : size - 1);
    Value *step = make_scalar(&e, DT_F64, 6.283185307179586 / period);
    Value *angle = make_binary(&e, OP_Mul, make_iota(&e, DT_F64, 1, 0, size), step);
    Value *wave =
        make_binary(&e, OP_Mul, make_unary(&e, OP_Cos, angle), make_scalar(&e, DT_F64, a1));
    Value *y = make_binary(&e, OP_Sub, make_scalar(&e, DT_F64, a0), wave);
    Value *twice = make_unary(&e, OP_Cos, make_binary(&e, OP_Add, angle, angle));
    y = make_binary(&e, OP_Add, y, make_binary(&e, OP_Mul, twice, make_scalar(&e, DT_F64, a2)));
    expansion_give(&e, 0, y);
    return expansion_end(&e);
}

bool expand_hann_window(Graph *g, Node *n) { return expand_window(g, n, 0.5, 0.5, 0); }
bool expand_hamming_window(Graph *g, Node *n) {
    return expand_window(g, n, 25.0 / 46, 1 - 25.0 / 46, 0);
}
bool expand_blackman_window(Graph *g, Node *n) { return expand_window(g, n, 0.42, 0.5, 0.08); }
