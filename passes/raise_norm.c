/* raise_norm.c - normalisations that an exporter wrote out are one node again.
 *
 *     Reshape (N x G x L), InstanceNormalization, Reshape back             GroupNormalization
 *     (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon)                LayerNormalization, InstanceNormalization
 *
 * and a multiplication or addition by constants behind one, a number each that it scales and shifts, is its scale and
 * bias.  REAL. */
#include "match.h"
#include "pass.h"

#include <string.h>

static Value *uniform_vector(Graph *g, const Node *like, DType dtype, int rank, const int64_t *dims, double x) {
    Tensor *t = tensor_new(g->unit->arena, dtype, rank, dims);
    const Tensor *one = tensor_scalar(g->unit->arena, dtype, x);
    size_t bytes = (size_t)dtypes[dtype].bytes;
    for (int64_t i = 0; i < t->count; i++) memcpy((char *)t->data + (size_t)i * bytes, one->data, bytes);
    return graph_add_constant(g, like->name, t);
}

static bool is_private_constant_pair(const Node *n) {
    return n->n_inputs == 3 && n->inputs[1]->constant && n->inputs[2]->constant;
}

/* Element `from` of source, repeated for every channel of its group. */
static Value *of_groups(Graph *g, const Value *source, int64_t groups, int64_t channels) {
    Tensor *t = tensor_new(g->unit->arena, source->dtype, 1, &channels);
    size_t bytes = (size_t)dtypes[source->dtype].bytes;
    for (int64_t c = 0; c < channels; c++)
        memcpy((char *)t->data + (size_t)c * bytes,
               (const char *)source->constant->data + (size_t)(c / (channels / groups)) * bytes, bytes);
    return graph_add_constant(g, source->name, t);
}

/* The Reshape of n splits the channels of an N x C x ... in groups and nothing else. */
static bool splits_channels(const Value *x, const Value *grouped) {
    if (x->rank < 3 || grouped->rank < 3 || x->dims[0].size != grouped->dims[0].size) return false;
    int64_t groups = grouped->dims[1].size, channels = x->dims[1].size;
    return groups > 0 && channels % groups == 0 && value_count(x) > 0;
}

static bool raise_group_norm(Graph *g, const PassOptions *options, Node *n) {
    const Node *norm = n->op->id == OP_Reshape ? match_op(n->inputs[0], OP_InstanceNormalization) : NULL;
    const Node *split = norm ? match_op(norm->inputs[0], OP_Reshape) : NULL;
    if (!split || !is_private_constant_pair(norm)) return false;
    Value *x = split->inputs[0];
    if (!same_shape(x, n->outputs[0]) || !splits_channels(x, split->outputs[0])) {
        remark(g, options, REMARK_MISSED, n, "no GroupNormalization: what is reshaped back is not of the input's shape");
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    int64_t groups = split->outputs[0]->dims[1].size, channels = x->dims[1].size;
    remark(g, options, REMARK_MATCHED, n, "GroupNormalization of %d groups", (int)groups);
    Value *inputs[] = {x, of_groups(g, norm->inputs[1], groups, channels), of_groups(g, norm->inputs[2], groups, channels)};
    Node *made = node_open(g, n, OP_GroupNormalization, inputs, 3);
    node_set_float(g, made, "epsilon", node_float(norm, "epsilon"));
    node_set_int(g, made, "num_groups", groups);
    node_become(g, n, node_close(g, made));
    return true;
}

/* Scale and bias. */

static double channel_of(const Tensor *t, int64_t i) { return tensor_get_double(t, t->count == 1 ? 0 : i); }

static void put(Tensor *t, int64_t i, double x) {
    if (t->dtype == DT_F64) memcpy((char *)t->data + i * 8, &x, 8);
    float f = (float)x;
    if (t->dtype == DT_F32) memcpy((char *)t->data + i * 4, &f, 4);
}

/* factor and addend applied to a constant vector, element by element */
static Value *changed(Graph *g, const Value *v, const Tensor *factor, const Tensor *addend) {
    Tensor *t = tensor_new(g->unit->arena, v->dtype, v->rank, v->dims ? v->constant->dims : NULL);
    for (int64_t i = 0; i < t->count; i++) {
        double x = tensor_get_double(v->constant, i);
        put(t, i, x * (factor ? channel_of(factor, i) : 1) + (addend ? channel_of(addend, i) : 0));
    }
    return graph_add_constant(g, v->name, t);
}

/* c has one number for every number that the norm's scale has, in its place. */
static bool fits_scale(const Node *norm, const Value *c) {
    const Value *x = norm->inputs[0];
    if (norm->op->id != OP_LayerNormalization) return is_per_channel(c, x->rank, x->dims[1].size);
    int axis = value_axis(norm, "axis");
    int64_t count = value_count(norm->inputs[1]);
    if (value_count(c) == 1) return c->rank <= x->rank;
    if (value_count(c) != count || c->rank > x->rank) return false;
    for (int d = 1; d <= x->rank - axis && d <= c->rank; d++)
        if (c->dims[c->rank - d].size != x->dims[x->rank - d].size) return false;
    return true;
}

static bool is_norm(const Node *n) {
    return n && !n->dead && (n->op->id == OP_GroupNormalization || n->op->id == OP_InstanceNormalization ||
                             (n->op->id == OP_LayerNormalization && n->n_outputs == 1));
}

static bool affine_into_norm(Graph *g, const PassOptions *options, Node *n) {
    Value *y;
    bool multiplies = n->op->id == OP_Mul;
    if (!multiplies && n->op->id != OP_Add) return false;
    const Value *c = match_either(n, value_is_constant, &y);
    Node *norm = c ? y->producer : NULL;
    if (!is_norm(norm) || !value_is_private(y) || !same_shape(y, n->outputs[0])) return false;
    Value *scale = norm->inputs[1], *bias = node_has_input(norm, 2) ? norm->inputs[2] : NULL;
    if (!scale->constant || (bias && !bias->constant) || (scale->dtype != DT_F32 && scale->dtype != DT_F64)) return false;
    if (!fits_scale(norm, c)) {
        remark(g, options, REMARK_MISSED, n, "not part of %s: the constant is not one number a channel", norm->op->name);
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "%s of %s", multiplies ? "scale" : "bias", norm->op->name);
    Value *zero = bias ? bias : uniform_vector(g, norm, scale->dtype, scale->rank, scale->constant->dims, 0);
    Value *inputs[] = {norm->inputs[0], multiplies ? changed(g, scale, c->constant, NULL) : scale,
                       changed(g, zero, multiplies ? c->constant : NULL, multiplies ? NULL : c->constant)};
    Node *made = node_open(g, norm, norm->op->id, inputs, 3);
    copy_attrs(g, made, norm);
    node_become(g, n, node_close(g, made));
    return true;
}

/* The formula of a normalisation. */

static Value *square_of(const Value *v) {
    const Node *pow = match_op(v, OP_Pow), *mul = match_op(v, OP_Mul);
    if (pow && match_scalar_is(pow->inputs[1], 2)) return pow->inputs[0];
    return mul && mul->inputs[0] == mul->inputs[1] ? mul->inputs[0] : NULL;
}

static const Node *mean_of(const Value *v) {
    for (int k = 0; k < 2; k++) {
        const Node *n = match_op(v, k ? OP_GlobalAveragePool : OP_ReduceMean);
        if (n && (k || node_int(n, "keepdims"))) return n;
    }
    return NULL;
}

/* Axes axis..rank-1; 0: other ones. */
static int trailing_axis(unsigned axes, int rank) {
    for (int axis = 1; axis < rank; axis++)
        if (axes == (1u << rank) - (1u << axis)) return axis;
    return 0;
}

/* The standard deviation: sqrt(mean(centred^2) + epsilon); or NULL. */
static Value *deviation_of(const Value *v, double *epsilon, unsigned *axes) {
    const Node *root = match_op(v, OP_Sqrt), *add = root ? match_op(root->inputs[0], OP_Add) : NULL;
    Value *variance = add ? add->inputs[0] : NULL;
    if (!add || !match_scalar(add->inputs[1], epsilon) || *epsilon <= 0) return NULL;
    const Node *mean = mean_of(variance);
    if (!mean) return NULL;
    *axes = reduced_axes(mean);
    return square_of(mean->inputs[0]);
}

/* n = centred / deviation, or centred * (1 / deviation) */
static Value *quotient_of(const Node *n, const Value **divisor) {
    if (n->op->id == OP_Div) {
        *divisor = n->inputs[1];
        return n->inputs[0];
    }
    for (int k = 0; n->op->id == OP_Mul && k < 2; k++) {
        const Node *r = match_op(n->inputs[k], OP_Reciprocal), *d = match_op(n->inputs[k], OP_Div);
        if (!r && !(d && match_scalar_is(d->inputs[0], 1))) continue;
        *divisor = r ? r->inputs[0] : d->inputs[1];
        return n->inputs[1 - k];
    }
    return NULL;
}

static bool raise_layer_norm(Graph *g, const PassOptions *options, Node *n) {
    const Value *divisor;
    double epsilon = 0;
    unsigned axes = 0;
    Value *centred = quotient_of(n, &divisor);
    if (!centred || deviation_of(divisor, &epsilon, &axes) != centred) return false;
    const Node *sub = match_op(centred, OP_Sub), *mean = sub ? mean_of(sub->inputs[1]) : NULL;
    if (!mean || mean->inputs[0] != sub->inputs[0]) return false;
    Value *x = sub->inputs[0];
    int axis = trailing_axis(axes, x->rank);
    bool plain_type = x->dtype == DT_F32 || x->dtype == DT_F64;
    if (!axis || reduced_axes(mean) != axes || !value_is_static(x) || !plain_type) {
        remark(g, options, REMARK_MISSED, n, "no normalisation: mean and variance are not over the same last axes");
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    bool image = axis == 2 && x->rank > 3;
    OpId op = image ? OP_InstanceNormalization : OP_LayerNormalization;
    remark(g, options, REMARK_MATCHED, n, "%s", op_infos[op].name);
    int64_t dims[MAX_RANK];
    value_sizes(x, dims);
    const int64_t *scaled = image ? dims + 1 : dims + axis;
    int rank = image ? 1 : x->rank - axis;
    Value *inputs[] = {x, uniform_vector(g, n, x->dtype, rank, scaled, 1), uniform_vector(g, n, x->dtype, rank, scaled, 0)};
    Node *made = node_open(g, n, op, inputs, 3);
    if (!image) node_set_int(g, made, "axis", axis);
    node_set_float(g, made, "epsilon", (float)epsilon);
    node_become(g, n, node_close(g, made));
    return true;
}

bool pass_raise_norm(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {raise_group_norm, affine_into_norm, raise_layer_norm};
    rewrite_everywhere(g, options, rewrites, (int)(sizeof rewrites / sizeof *rewrites));
    return true;
}
