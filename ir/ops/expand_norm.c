/* expand_norm.c - normalisations, softmaxes and losses as graphs.
 *
 * Statistics are two-pass (mean, then mean of squared distances), in f32 or f64; the big map is
 * then scaled once, as (x - mean) * (scale / std) + bias with small per-channel factors: folding
 * the mean into the bias would cancel. */
#include "expand.h"
#include "ops.h"

#include <string.h>

static bool check_floats(Infer *f, const Node *n) {
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] && !dtype_is_float(n->inputs[k]->dtype))
            return infer_fail(f, n, D_DTYPE,
                              arena_format(f->unit->arena,
                                           "input %d ('%s') is %s; the operator takes floats", k,
                                           n->inputs[k]->name, dtypes[n->inputs[k]->dtype].text));
    return true;
}

static bool check_rank(Infer *f, const Node *n, int least) {
    if (n->inputs[0]->rank >= least) return true;
    return infer_fail(f, n, D_SHAPE,
                      arena_format(f->unit->arena,
                                   "input 0 ('%s') is of rank %d, should be of %d or more",
                                   n->inputs[0]->name, n->inputs[0]->rank, least));
}

/* Inputs first..last are vectors of `extent`. */
static bool check_vectors(Infer *f, const Node *n, int first, int last, int64_t extent) {
    for (int k = first; k <= last; k++) {
        const Value *v = n->inputs[k];
        if (v->rank == 1 && v->dims[0].size == extent) continue;
        return infer_fail(f, n, D_SHAPE,
                          arena_format(f->unit->arena, "input %d ('%s') should be a vector of %lld",
                                       k, v->name, (long long)extent));
    }
    return true;
}

static int axis_of(const Node *n) {
    int64_t axis = node_int(n, "axis");
    return (int)(axis < 0 ? axis + n->inputs[0]->rank : axis);
}

static void one_axis(bool *axes, int axis) {
    memset(axes, 0, MAX_RANK * sizeof *axes);
    axes[axis] = true;
}

static void axes_from(bool *axes, int rank, int first) {
    for (int d = 0; d < MAX_RANK; d++) axes[d] = d >= first && d < rank;
}

static Value *wide_input(Expansion *e, int k) {
    Value *v = e->node->inputs[k];
    return make_cast(e, v, lower_wide(v->dtype));
}

/* Input k in the type of the computation. */
static Value *input_as(Expansion *e, int k, DType t) { return make_cast(e, e->node->inputs[k], t); }

/* Softmax and its kin. */

bool infer_softmax(Infer *f, Node *n) {
    if (!check_floats(f, n)) return false;
    if (infer_axis(f, n, node_int(n, "axis"), n->inputs[0]->rank, "axis") < 0) return false;
    return infer_same(f, n);
}

static Value *minus_maximum(Expansion *e, Value *x, const bool *axes) {
    return make_binary(e, OP_Sub, x, make_reduce(e, OP_ReduceMax, x, axes));
}

static Value *softmax(Expansion *e, Value *x, int axis) {
    bool axes[MAX_RANK];
    one_axis(axes, axis);
    Value *power = make_unary(e, OP_Exp, minus_maximum(e, x, axes));
    return make_binary(e, OP_Div, power, make_reduce(e, OP_ReduceSum, power, axes));
}

static Value *log_softmax(Expansion *e, Value *x, int axis) {
    bool axes[MAX_RANK];
    one_axis(axes, axis);
    Value *shifted = minus_maximum(e, x, axes);
    Value *sum = make_reduce(e, OP_ReduceSum, make_unary(e, OP_Exp, shifted), axes);
    return make_binary(e, OP_Sub, shifted, make_unary(e, OP_Log, sum));
}

bool expand_softmax(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    expansion_give(&e, 0, softmax(&e, wide_input(&e, 0), axis_of(n)));
    return expansion_end(&e);
}

bool expand_log_softmax(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    expansion_give(&e, 0, log_softmax(&e, wide_input(&e, 0), axis_of(n)));
    return expansion_end(&e);
}

/* 1 at the first maximum. */
bool expand_hardmax(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = n->inputs[0];
    int axis = axis_of(n);
    if (x->dims[axis].size == 0) {
        expansion_give(&e, 0, x);
        return expansion_end(&e);
    }
    Value *place = make_arg(&e, OP_ArgMax, x, axis);
    Value *position = make_iota(&e, DT_I64, x->rank, axis, x->dims[axis].size);
    expansion_give(&e, 0, make_binary(&e, OP_Equal, position, place));
    return expansion_end(&e);
}

/* Normalisations over spatial axes. */

bool infer_instance_normalization(Infer *f, Node *n) {
    if (!check_floats(f, n) || !check_rank(f, n, 3)) return false;
    return check_vectors(f, n, 1, 2, n->inputs[0]->dims[1].size) && infer_same(f, n);
}

static bool check_groups(Infer *f, Node *n) {
    int64_t groups = node_int(n, "num_groups"), channels = n->inputs[0]->dims[1].size;
    if (groups > 0 && channels % groups == 0) return true;
    return infer_fail_attr(f, n, "num_groups", "%lld does not divide %lld channels",
                           (long long)groups, (long long)channels);
}

bool infer_group_normalization(Infer *f, Node *n) {
    if (!check_floats(f, n) || !check_rank(f, n, 2)) return false;
    if (n->inputs[0]->rank == MAX_RANK)
        return infer_fail(f, n, D_UNSUPPORTED, "so many dimensions");
    return check_groups(f, n) && check_vectors(f, n, 1, 2, n->inputs[0]->dims[1].size) &&
           infer_same(f, n);
}

static Value *join_channels(Expansion *e, Value *x) {
    int64_t dims[MAX_RANK];
    int rank = value_dims(x, dims);
    dims[1] *= dims[2];
    memmove(dims + 2, dims + 3, (size_t)(rank - 3) * sizeof *dims);
    return make_reshape(e, x, rank - 1, dims);
}

/* A statistic of groups, [N, G, 1, 1, ..], for every channel: added to zeros rather than expanded,
 * so that it is a small map of its own and no loop over channels has to divide its index by the
 * size of a group. */
static Value *for_each_channel(Expansion *e, Value *statistic, int64_t in_group) {
    int64_t dims[MAX_RANK];
    for (int d = 0; d < statistic->rank; d++) dims[d] = d == 2 ? in_group : 1;
    Value *zeros =
        make_tensor(e, tensor_new(e->graph->unit->arena, statistic->dtype, statistic->rank, dims));
    return join_channels(e, make_binary(e, OP_Add, statistic, zeros));
}

/* A vector over the groups, as one over the channels. */
static Value *group_vector(Expansion *e, Value *vector, int64_t in_group) {
    int64_t channels = vector->dims[0].size * in_group;
    Value *each = for_each_channel(e, make_along(e, vector, 3, 1), in_group);
    return make_reshape(e, each, 1, &channels);
}

/* (x - mean) * factor + bias over groups of channels; scale and bias are vectors over the
 * channels. */
static Value *normalize_groups(Expansion *e, Value *x, int64_t groups, Value *scale, Value *bias) {
    Value *inputs[] = {x, scale};
    Node *n = make_open(e, OP_Moments, inputs, 2);
    node_set_int(e->graph, n, "groups", groups);
    node_set_float(e->graph, n, "epsilon", node_float(e->node, "epsilon"));
    Value *factor = make_output(e, n), *mean = make_close(e, n);
    Value *centred = make_binary(e, OP_Sub, x, mean);
    return make_binary(e, OP_Add, make_binary(e, OP_Mul, centred, factor),
                       make_along(e, bias, x->rank, 1));
}

bool expand_group_normalization(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = wide_input(&e, 0);
    Value *y = normalize_groups(&e, x, node_int(n, "num_groups"), input_as(&e, 1, x->dtype),
                                input_as(&e, 2, x->dtype));
    expansion_give(&e, 0, y);
    return expansion_end(&e);
}

/* Exporters write a GroupNormalization of [N, C, H, W] as an InstanceNormalization of its reshaping
 * to [N, G, -1]. That map with all its channels, or NULL: over it the loops need no division of
 * indices. */
static Value *map_before_reshape(const Value *x) {
    if (!x->producer || x->producer->op->id != OP_Reshape || !x->dims[1].size) return NULL;
    Value *v = x->producer->inputs[0];
    bool fits = v->rank >= 3 && v->rank < MAX_RANK && v->dims[0].size == x->dims[0].size &&
                v->dims[1].size % x->dims[1].size == 0;
    return fits ? v : NULL;
}

static Value *normalized_map(Expansion *e, Value *map, DType t) {
    const Value *x = e->node->inputs[0];
    Value *wide = make_cast(e, map, t);
    int64_t dims[MAX_RANK], groups = x->dims[1].size, in_group = map->dims[1].size / groups;
    int rank = value_dims(x, dims);
    Value *scale = group_vector(e, input_as(e, 1, t), in_group);
    Value *bias = group_vector(e, input_as(e, 2, t), in_group);
    return make_reshape(e, normalize_groups(e, wide, groups, scale, bias), rank, dims);
}

bool expand_instance_normalization(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    DType t = lower_wide(n->inputs[0]->dtype);
    Value *map = map_before_reshape(n->inputs[0]);
    if (map) {
        expansion_give(&e, 0, normalized_map(&e, map, t));
        return expansion_end(&e);
    }
    Value *x = wide_input(&e, 0);
    expansion_give(
        &e, 0, normalize_groups(&e, x, x->dims[1].size, input_as(&e, 1, t), input_as(&e, 2, t)));
    return expansion_end(&e);
}

bool infer_batch_normalization(Infer *f, Node *n) {
    if (!check_floats(f, n) || !check_rank(f, n, 2)) return false;
    if (node_int(n, "training_mode"))
        return infer_fail_attr(f, n, "training_mode", "training is not supported");
    for (int k = 1; k < n->n_outputs; k++)
        if (n->outputs[k]) return infer_fail(f, n, D_UNSUPPORTED, "outputs for training");
    return check_vectors(f, n, 1, 4, n->inputs[0]->dims[1].size) && infer_same(f, n);
}

/* x * s + t with s = scale / sqrt(variance + epsilon) and t = bias - mean * s: of constants s and t
 * are constants. */
bool expand_batch_normalization(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = wide_input(&e, 0);
    Value *epsilon = make_scalar(&e, x->dtype, node_float(n, "epsilon"));
    Value *std =
        make_unary(&e, OP_Sqrt, make_binary(&e, OP_Add, input_as(&e, 4, x->dtype), epsilon));
    Value *s = make_binary(&e, OP_Div, input_as(&e, 1, x->dtype), std);
    Value *offset = make_binary(&e, OP_Mul, input_as(&e, 3, x->dtype), s);
    Value *t = make_binary(&e, OP_Sub, input_as(&e, 2, x->dtype), offset);
    Value *scaled = make_binary(&e, OP_Mul, x, make_along(&e, s, x->rank, 1));
    expansion_give(&e, 0, make_binary(&e, OP_Add, scaled, make_along(&e, t, x->rank, 1)));
    return expansion_end(&e);
}

/* Normalisations over trailing axes. */

/* Scale and bias broadcast to the input. */
static bool check_broadcast(Infer *f, const Node *n, int k) {
    int64_t own[MAX_RANK], dims[MAX_RANK], both[MAX_RANK];
    if (!node_has_input(n, k)) return true;
    int rank = value_dims(n->inputs[0], own), rank_k = value_dims(n->inputs[k], dims);
    if (dims_broadcast(own, rank, dims, rank_k, both) == rank &&
        !memcmp(both, own, (size_t)rank * sizeof *own))
        return true;
    return infer_fail(f, n, D_SHAPE,
                      arena_format(f->unit->arena, "input %d ('%s') does not broadcast to input 0",
                                   k, n->inputs[k]->name));
}

static DType stash_type(Infer *f, Node *n) {
    DType t = node_dtype(n, "stash_type");
    if (dtype_is_float(t)) return t;
    infer_fail_attr(f, n, "stash_type", "%lld is no float type",
                    (long long)node_int(n, "stash_type"));
    return DT_NONE;
}

bool infer_layer_normalization(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    DType stash = stash_type(f, n);
    if (stash == DT_NONE || !check_floats(f, n)) return false;
    int rank = infer_dims(f, n, 0, dims),
        axis = infer_axis(f, n, node_int(n, "axis"), rank, "axis");
    if (axis < 0 || !check_broadcast(f, n, 1) || !check_broadcast(f, n, 2)) return false;
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    for (int d = axis; d < rank; d++) dims[d] = 1;
    for (int k = 1; k < n->n_outputs; k++) infer_set(f, n, k, stash, rank, dims);
    return true;
}

bool expand_layer_normalization(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = wide_input(&e, 0);
    bool axes[MAX_RANK];
    axes_from(axes, x->rank, axis_of(n));
    Moments m = make_moments(&e, x, axes, node_float(n, "epsilon"));
    Value *y = make_binary(&e, OP_Mul, m.centred, m.inverse_std);
    y = make_binary(&e, OP_Mul, y, input_as(&e, 1, x->dtype));
    if (node_has_input(n, 2)) y = make_binary(&e, OP_Add, y, input_as(&e, 2, x->dtype));
    expansion_give(&e, 0, y);
    expansion_give(&e, 1, m.mean);
    expansion_give(&e, 2, m.inverse_std);
    return expansion_end(&e);
}

bool infer_rms_normalization(Infer *f, Node *n) {
    if (stash_type(f, n) == DT_NONE || !check_floats(f, n)) return false;
    if (infer_axis(f, n, node_int(n, "axis"), n->inputs[0]->rank, "axis") < 0) return false;
    return check_broadcast(f, n, 1) && infer_same(f, n);
}

bool expand_rms_normalization(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = wide_input(&e, 0);
    bool axes[MAX_RANK];
    axes_from(axes, x->rank, axis_of(n));
    Value *mean = make_reduce(&e, OP_ReduceMean, make_binary(&e, OP_Mul, x, x), axes);
    Value *shifted =
        make_binary(&e, OP_Add, mean, make_scalar(&e, x->dtype, node_float(n, "epsilon")));
    Value *inverse = make_unary(&e, OP_Reciprocal, make_unary(&e, OP_Sqrt, shifted));
    Value *y =
        make_binary(&e, OP_Mul, make_binary(&e, OP_Mul, x, inverse), input_as(&e, 1, x->dtype));
    expansion_give(&e, 0, y);
    return expansion_end(&e);
}

/* The others. */

bool infer_lp_normalization(Infer *f, Node *n) {
    int64_t p = node_int(n, "p");
    if (p != 1 && p != 2)
        return infer_fail_attr(f, n, "p", "is %lld, should be 1 or 2", (long long)p);
    return infer_softmax(f, n);
}

/* A vector of norm 0 stays 0. */
bool expand_lp_normalization(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = wide_input(&e, 0);
    bool axes[MAX_RANK];
    one_axis(axes, axis_of(n));
    Value *norm = make_reduce(&e, node_int(n, "p") == 1 ? OP_ReduceL1 : OP_ReduceL2, x, axes);
    Value *zero = make_scalar(&e, x->dtype, 0), *one = make_scalar(&e, x->dtype, 1);
    Value *divisor = make_where(&e, make_binary(&e, OP_Equal, norm, zero), one, norm);
    expansion_give(&e, 0, make_binary(&e, OP_Div, x, divisor));
    return expansion_end(&e);
}

static bool variance_axes(Infer *f, const Node *n, bool *axes) {
    static const int64_t usual[] = {0, 2, 3};
    int count, rank = n->inputs[0]->rank;
    const int64_t *list = node_ints(n, "axes", &count);
    if (!list) list = usual, count = 3;
    memset(axes, 0, MAX_RANK * sizeof *axes);
    for (int i = 0; i < count; i++) {
        int64_t axis = list[i] < 0 ? list[i] + rank : list[i];
        if (f && infer_axis(f, n, list[i], rank, "axes") < 0) return false;
        axes[axis] = true;
    }
    return true;
}

bool infer_mean_variance_normalization(Infer *f, Node *n) {
    bool axes[MAX_RANK];
    return check_floats(f, n) && variance_axes(f, n, axes) && infer_same(f, n);
}

/* Here the tiny number is added to the standard deviation, not to the variance. */
bool expand_mean_variance_normalization(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = wide_input(&e, 0);
    bool axes[MAX_RANK];
    variance_axes(NULL, n, axes);
    Value *centred = make_binary(&e, OP_Sub, x, make_reduce(&e, OP_ReduceMean, x, axes));
    Value *variance =
        make_reduce(&e, OP_ReduceMean, make_binary(&e, OP_Mul, centred, centred), axes);
    Value *std =
        make_binary(&e, OP_Add, make_unary(&e, OP_Sqrt, variance), make_scalar(&e, x->dtype, 1e-9));
    expansion_give(&e, 0, make_binary(&e, OP_Div, centred, std));
    return expansion_end(&e);
}

enum { MAX_WINDOW = 64 };

bool infer_lrn(Infer *f, Node *n) {
    int64_t size = node_int(n, "size");
    if (size < 1)
        return infer_fail_attr(f, n, "size", "is %lld, should be positive", (long long)size);
    if (size > MAX_WINDOW)
        return infer_fail_attr(f, n, "size", "more than %d channels are not supported", MAX_WINDOW);
    return check_floats(f, n) && check_rank(f, n, 2) && infer_same(f, n);
}

/* The squares of `size` neighbouring channels, summed: so many shifted views of the padded map. */
static Value *window_sum(Expansion *e, Value *square, int64_t size) {
    int64_t channels = square->dims[1].size, before = (size - 1) / 2;
    Value *padded = make_pad(e, square, 1, before, size - 1 - before, NULL), *views[MAX_WINDOW];
    for (int64_t i = 0; i < size; i++) views[i] = make_slice(e, padded, 1, i, i + channels);
    return make_close(e, make_open(e, OP_Sum, views, (int)size));
}

bool expand_lrn(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *x = wide_input(&e, 0);
    int64_t size = node_int(n, "size");
    Value *sum = window_sum(&e, make_binary(&e, OP_Mul, x, x), size);
    Value *alpha = make_scalar(&e, x->dtype, (double)node_float(n, "alpha") / (double)size);
    Value *base = make_binary(&e, OP_Add, make_binary(&e, OP_Mul, sum, alpha),
                              make_scalar(&e, x->dtype, node_float(n, "bias")));
    Value *power = make_binary(&e, OP_Pow, base, make_scalar(&e, x->dtype, node_float(n, "beta")));
    expansion_give(&e, 0, make_binary(&e, OP_Div, x, power));
    return expansion_end(&e);
}

/* Losses, as they stand in exported training graphs. */

static bool check_loss(Infer *f, Node *n) {
    const Value *x = n->inputs[0], *target = n->inputs[1];
    const char *reduction = node_string(n, "reduction");
    if (strcmp(reduction, "none") && strcmp(reduction, "mean") && strcmp(reduction, "sum"))
        return infer_fail_attr(f, n, "reduction", "is '%s', should be 'none', 'mean' or 'sum'",
                               reduction);
    if (!dtype_is_float(x->dtype) || !dtype_is_int(target->dtype))
        return infer_fail(f, n, D_DTYPE, "the scores should be floats and the labels integers");
    if (!check_rank(f, n, 2)) return false;
    bool alike = target->rank == x->rank - 1 && target->dims[0].size == x->dims[0].size &&
                 dims_equal(target->dims + 1, x->dims + 2, x->rank - 2);
    if (!alike)
        return infer_fail(f, n, D_SHAPE,
                          "the labels' shape should be that of the scores without axis 1");
    return !node_has_input(n, 2) || check_vectors(f, n, 2, 2, x->dims[1].size);
}

bool infer_loss(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    if (!check_loss(f, n)) return false;
    int rank = infer_dims(f, n, 1, dims);
    infer_set(f, n, 0, n->inputs[0]->dtype, strcmp(node_string(n, "reduction"), "none") ? 0 : rank,
              dims);
    rank = infer_dims(f, n, 0, dims);
    for (int k = 1; k < n->n_outputs; k++) infer_set(f, n, k, n->inputs[0]->dtype, rank, dims);
    return true;
}

/* Of every label the element of x at it, along axis 1; the axis stays, with size 1. */
static Value *pick(Expansion *e, Value *x, Value *is_label) {
    bool axes[MAX_RANK];
    one_axis(axes, 1);
    Value *picked = make_where(e, is_label, x, make_scalar(e, x->dtype, 0));
    return make_reduce(e, OP_ReduceSum, picked, axes);
}

static Value *label_weights(Expansion *e, DType t, Value *labels, Value *is_label) {
    const Node *n = e->node;
    Value *weight = make_scalar(e, t, 1), *zero = make_scalar(e, t, 0);
    if (node_has_input(n, 2)) weight = make_along(e, input_as(e, 2, t), labels->rank, 1);
    weight = pick(e, weight, is_label);
    if (!node_has(n, "ignore_index")) return weight;
    Value *ignored = make_scalar(e, DT_I64, (double)node_int(n, "ignore_index"));
    return make_where(e, make_binary(e, OP_Equal, labels, ignored), zero, weight);
}

static Value *total(Expansion *e, Value *x) {
    bool axes[MAX_RANK];
    int64_t none[1] = {0};
    axes_from(axes, x->rank, 0);
    return make_reshape(e, make_reduce(e, OP_ReduceSum, x, axes), 0, none);
}

static void give_loss(Expansion *e, Value *log_prob) {
    Node *n = e->node;
    int64_t dims[MAX_RANK];
    const char *reduction = node_string(n, "reduction");
    int rank = value_dims(log_prob, dims);
    Value *position = make_iota(e, DT_I64, rank, 1, dims[1]);
    dims[1] = 1;
    Value *labels = make_reshape(e, input_as(e, 1, DT_I64), rank, dims);
    Value *is_label = make_binary(e, OP_Equal, position, labels);
    Value *weights = label_weights(e, log_prob->dtype, labels, is_label);
    Value *loss =
        make_unary(e, OP_Neg, make_binary(e, OP_Mul, pick(e, log_prob, is_label), weights));
    if (!strcmp(reduction, "none")) {
        rank = value_dims(n->inputs[1], dims);
        expansion_give(e, 0, make_reshape(e, loss, rank, dims));
        return;
    }
    loss = total(e, loss);
    if (!strcmp(reduction, "mean")) loss = make_binary(e, OP_Div, loss, total(e, weights));
    expansion_give(e, 0, loss);
}

bool expand_negative_log_likelihood_loss(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    give_loss(&e, wide_input(&e, 0));
    return expansion_end(&e);
}

bool expand_softmax_cross_entropy_loss(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Value *log_prob = log_softmax(&e, wide_input(&e, 0), 1);
    give_loss(&e, log_prob);
    expansion_give(&e, 1, log_prob);
    return expansion_end(&e);
}
