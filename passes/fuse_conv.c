/* fuse_conv.c - what is linear around a convolution goes into its weights and bias.
 *
 *     BatchNormalization, Mul, Add, Sub, Div by a constant a channel, behind Conv, ConvTranspose,
 * DeformConv, or behind a Concat or Add of such; and before Conv
 *
 * Before a convolution an addition is exact only where no padding is read: zeros are padded behind
 * it.  REAL. */
#include "match.h"
#include "pass.h"

#include <math.h>
#include <string.h>

/* y = x * factor + addend, of each channel; either NULL: 1 and 0. */
typedef struct Affine {
    Value *x;
    double *factor, *addend;
    int64_t channels;
} Affine;

static bool all_constant(const Node *n, int first) {
    for (int k = first; k < n->n_inputs; k++)
        if (!n->inputs[k] || !n->inputs[k]->constant) return false;
    return true;
}

static double of_channel(const Value *v, int64_t c) {
    return tensor_get_double(v->constant, v->constant->count == 1 ? 0 : c);
}

static bool read_batch_norm(Graph *g, const Node *n, Affine *a) {
    if (n->n_outputs != 1 || node_int(n, "training_mode") || !all_constant(n, 1)) return false;
    double epsilon = node_float(n, "epsilon");
    a->x = n->inputs[0];
    a->channels = value_count(n->inputs[1]);
    a->factor = NEW_ARRAY(g->unit->arena, double, a->channels);
    a->addend = NEW_ARRAY(g->unit->arena, double, a->channels);
    for (int64_t c = 0; c < a->channels; c++) {
        a->factor[c] = of_channel(n->inputs[1], c) / sqrt(of_channel(n->inputs[4], c) + epsilon);
        a->addend[c] = of_channel(n->inputs[2], c) - of_channel(n->inputs[3], c) * a->factor[c];
    }
    return true;
}

static bool read_arithmetic(Graph *g, const Node *n, Affine *a) {
    bool adds = n->op->id == OP_Add || n->op->id == OP_Sub,
         multiplies = n->op->id == OP_Mul || n->op->id == OP_Div;
    if (!adds && !multiplies) return false;
    bool second_only = n->op->id == OP_Sub || n->op->id == OP_Div;
    const Value *c = n->inputs[1]->constant || second_only ? n->inputs[1] : n->inputs[0];
    a->x = c == n->inputs[1] ? n->inputs[0] : n->inputs[1];
    if (!c->constant || a->x->constant || a->x->rank < 3 || !same_shape(a->x, n->outputs[0]))
        return false;
    a->channels = a->x->dims[1].size;
    if (!is_per_channel(c, a->x->rank, a->channels)) return false;
    double *values = NEW_ARRAY(g->unit->arena, double, a->channels);
    for (int64_t i = 0; i < a->channels; i++) {
        double x = of_channel(c, i);
        values[i] = n->op->id == OP_Sub ? -x : n->op->id == OP_Div ? 1 / x : x;
        if (!isfinite(values[i])) return false;
    }
    *(adds ? &a->addend : &a->factor) = values;
    return true;
}

static bool read_affine(Graph *g, const Node *n, Affine *a) {
    *a = (Affine){0};
    if (n->n_outputs < 1 || !n->outputs[0] || n->outputs[0]->rank < 3 ||
        !value_is_static(n->outputs[0]))
        return false;
    return n->op->id == OP_BatchNormalization ? read_batch_norm(g, n, a) : read_arithmetic(g, n, a);
}

static int bias_at(OpId op) { return op == OP_DeformConv ? 3 : 2; }

static bool has_folding_type(DType t) { return t == DT_F32 || t == DT_F64; }

/* Weights, and a bias if there is one, that may be changed. */
static bool is_foldable(const Node *conv) {
    if (conv->op->id != OP_Conv && conv->op->id != OP_ConvTranspose &&
        conv->op->id != OP_DeformConv)
        return false;
    const Value *w = conv->inputs[1];
    int b = bias_at(conv->op->id);
    return w->constant && has_folding_type(w->dtype) && w->rank >= 3 &&
           (!node_has_input(conv, b) || conv->inputs[b]->constant);
}

static void put(Tensor *t, int64_t i, double x) {
    float f = (float)x;
    memcpy((char *)t->data + i * dtypes[t->dtype].bytes,
           t->dtype == DT_F64 ? (void *)&x : (void *)&f, (size_t)dtypes[t->dtype].bytes);
}

/* The channel of the output that element i of the weights is for. */
static int64_t output_channel(const Node *conv, int64_t i) {
    const Tensor *w = conv->inputs[1]->constant;
    int64_t per_first = w->count / w->dims[0];
    if (conv->op->id != OP_ConvTranspose) return i / per_first;
    int64_t groups = node_int(conv, "group"), taps = per_first / w->dims[1];
    return i / per_first / (w->dims[0] / groups) * w->dims[1] + i / taps % w->dims[1];
}

static Value *scaled_weights(Graph *g, const Node *conv, const double *factor) {
    const Value *w = conv->inputs[1];
    if (!factor) return conv->inputs[1];
    Tensor *t = tensor_new(g->unit->arena, w->dtype, w->rank, w->constant->dims);
    for (int64_t i = 0; i < t->count; i++)
        put(t, i, tensor_get_double(w->constant, i) * factor[output_channel(conv, i)]);
    return graph_add_constant(g, w->name, t);
}

static Value *changed_bias(Graph *g, const Node *conv, const Affine *a) {
    int b = bias_at(conv->op->id);
    const Value *old = node_has_input(conv, b) ? conv->inputs[b] : NULL;
    if (!old && !a->addend) return NULL;
    Tensor *t = tensor_new(g->unit->arena, conv->inputs[1]->dtype, 1, &a->channels);
    for (int64_t c = 0; c < a->channels; c++)
        put(t, c,
            (old ? of_channel(old, c) : 0) * (a->factor ? a->factor[c] : 1) +
                (a->addend ? a->addend[c] : 0));
    return graph_add_constant(g, old ? old->name : "bias", t);
}

static Value *conv_with(Graph *g, const Node *conv, Value *x, Value *weights, Value *bias) {
    Value *inputs[5] = {0};
    int b = bias_at(conv->op->id), count = conv->n_inputs;
    for (int k = 0; k < count; k++) inputs[k] = conv->inputs[k];
    inputs[0] = x;
    inputs[1] = weights;
    inputs[b] = bias;
    if (bias && count <= b) count = b + 1;
    Node *made = node_open(g, conv, conv->op->id, inputs, count);
    copy_attrs(g, made, conv);
    return node_close(g, made);
}

static const char *kind_of(const Affine *a) {
    return a->factor && a->addend ? "scale and bias" : a->factor ? "scale" : "bias";
}

static bool affine_behind(Graph *g, const PassOptions *options, Node *n) {
    Affine a;
    if (!read_affine(g, n, &a)) return false;
    const Node *conv = a.x->producer;
    if (!conv || conv->dead || !is_foldable(conv)) return false;
    if (!value_is_private(a.x)) {
        remark(g, options, REMARK_MISSED, n,
               "not folded: something else reads the result of '%s', too", conv->name);
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "%s of '%s'", kind_of(&a), conv->name);
    Value *weights = scaled_weights(g, conv, a.factor);
    Value *bias = changed_bias(g, conv, &a);
    node_become(g, n, conv_with(g, conv, conv->inputs[0], weights, bias));
    return true;
}

static const Node *private_conv(const Value *v) {
    const Node *conv = v->producer;
    return conv && !conv->dead && is_foldable(conv) && value_is_private(v) ? conv : NULL;
}

/* The convolutions that n joins (Concat of channels) or adds: all its inputs, and nobody else reads
 * them. */
static bool joins_convs(const Node *n) {
    bool joins = n->op->id == OP_Concat && n->outputs[0]->rank >= 3 && value_axis(n, "axis") == 1;
    if (!joins && !(n->op->id == OP_Add && same_shape(n->inputs[0], n->inputs[1]))) return false;
    for (int k = 0; k < n->n_inputs; k++)
        if (!private_conv(n->inputs[k])) return false;
    return joins || n->inputs[0] != n->inputs[1];
}

/* BatchNormalization and kin behind a Concat or an Add of convolutions: a part each, or the factor
 * in all of them and the addend in one. */
static bool affine_behind_joined(Graph *g, const PassOptions *options, Node *n) {
    Affine a;
    if (!read_affine(g, n, &a)) return false;
    Node *join = a.x->producer;
    if (!join || join->dead || !value_is_private(a.x) || !joins_convs(join)) return false;
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "%s of the convolutions of '%s'", kind_of(&a),
           join->name);
    int64_t at = 0;
    Value **inputs = NEW_ARRAY(g->unit->arena, Value *, join->n_inputs);
    for (int k = 0; k < join->n_inputs; k++) {
        const Node *conv = join->inputs[k]->producer;
        Affine part = {.factor = a.factor,
                       .addend = k ? NULL : a.addend,
                       .channels = join->inputs[k]->dims[1].size};
        if (join->op->id == OP_Concat) {
            part.factor = a.factor ? a.factor + at : NULL;
            part.addend = a.addend ? a.addend + at : NULL;
            at += part.channels;
        }
        Value *bias = changed_bias(g, conv, &part);
        inputs[k] = conv_with(g, conv, conv->inputs[0], scaled_weights(g, conv, part.factor), bias);
    }
    Node *made = node_open(g, join, join->op->id, inputs, join->n_inputs);
    copy_attrs(g, made, join);
    node_become(g, n, node_close(g, made));
    return true;
}

static bool pads_nothing(const Node *n) {
    int count;
    const int64_t *pads = node_ints(n, "pads", &count);
    const char *mode = node_string(n, "auto_pad");
    if (mode && strcmp(mode, "NOTSET") && strcmp(mode, "VALID")) return false;
    for (int i = 0; i < count; i++)
        if (pads[i]) return false;
    return true;
}

/* The input channel that element i of a Conv's weights meets. */
static int64_t input_channel(const Node *conv, int64_t i) {
    const Tensor *w = conv->inputs[1]->constant;
    int64_t per_output = w->count / w->dims[0], taps = per_output / w->dims[1];
    int64_t group = i / per_output / (w->dims[0] / node_int(conv, "group"));
    return group * w->dims[1] + i % per_output / taps;
}

/* conv(x * factor + addend): weights times factor; the bias gains what the weights make of
 * addend. */
static Value *conv_of_affine(Graph *g, const Node *conv, const Affine *a) {
    const Value *w = conv->inputs[1];
    const Tensor *old = w->constant;
    Tensor *t = tensor_new(g->unit->arena, w->dtype, w->rank, old->dims);
    Affine gain = {.channels = old->dims[0]};
    if (a->addend) gain.addend = NEW_ARRAY(g->unit->arena, double, gain.channels);
    for (int64_t i = 0; i < t->count; i++) {
        int64_t c = input_channel(conv, i);
        double x = tensor_get_double(old, i);
        if (a->addend) gain.addend[output_channel(conv, i)] += x * a->addend[c];
        put(t, i, a->factor ? x * a->factor[c] : x);
    }
    Value *weights = graph_add_constant(g, w->name, t);
    Value *bias = changed_bias(g, conv, &gain);
    return conv_with(g, conv, a->x, weights, bias);
}

static bool affine_before(Graph *g, const PassOptions *options, Node *n) {
    Affine a;
    if (n->op->id != OP_Conv || !is_foldable(n)) return false;
    const Node *before = n->inputs[0]->producer;
    if (!before || before->dead || !read_affine(g, before, &a) || a.x->rank != n->inputs[0]->rank)
        return false;
    if (!value_is_private(n->inputs[0])) return false;
    if (a.addend && !pads_nothing(n)) {
        remark(g, options, REMARK_MISSED, n,
               "'%s' is not folded: it would be added to the padding, too", before->name);
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "%s '%s' goes into the weights", before->op->name,
           before->name);
    node_become(g, n, conv_of_affine(g, n, &a));
    return true;
}

bool pass_fuse_conv(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {affine_behind, affine_behind_joined, affine_before};
    rewrite_everywhere(g, options, rewrites, (int)(sizeof rewrites / sizeof *rewrites));
    return true;
}
