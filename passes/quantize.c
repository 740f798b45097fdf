/* quantize.c - convolutions of numbers that are rounded to few bits.
 *
 *     Conv(x, w, b)                   PairConv(PackPairs(x, limit), w as i16, scale of w, limit, b)
 *     DeformConv(x, w, offset, ..)    PairDeformConv(x, w as i16, offset, .., limit, scale of w)
 *
 * Weights are rounded by output channel, symmetrically: scale * (-most..most) with the largest at
 * most.  The map's limit is its largest magnitude, found in every run; what a deformable
 * convolution samples is at most that times the largest magnitude of mask and scale.  FAST: the
 * bound on the results is that of passes.def.
 *
 * Kept in floats is what would gain nothing: few channels (the first layer and the last), what
 * Winograd does with fewer products, and maps of which every element meets few weights, since
 * rounding them is a sweep of its own. */
#include "match.h"
#include "pass.h"

#include "ops/conv.h"
#include "ops/deform.h"
#include "ops/pairs.h"
#include <math.h>

static int64_t bits_of(const PassOptions *options) {
    int64_t bits = pass_setting(options, "bits");
    return bits ? bits : options->fast_bits;
}

/* Weights. */

/* The largest magnitude of an output's weights; negative: one is not finite. */
static double largest(const Tensor *w, int64_t output) {
    int64_t count = w->count / w->dims[0];
    double most = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = fabs(tensor_get_double(w, output * count + i));
        if (!isfinite(x)) return -1;
        if (x > most) most = x;
    }
    return most;
}

static bool weights_are_finite(const Tensor *w) {
    for (int64_t o = 0; o < w->dims[0]; o++)
        if (largest(w, o) < 0) return false;
    return true;
}

enum { BYTE_BITS = 8, MOST_BITS = 12 }; /* of weights */

/* Weights of an output rounded, and what a sum is multiplied with, but for the map's limit. */
typedef struct Rounded {
    Value *weights, *scale;
    int64_t map_bits;
} Rounded;

/* Beside weights of a byte a map has a byte, too; else as many bits as its sums have room for. */
static int64_t map_bits_for(Graph *g, const Tensor *weights, int64_t bits) {
    int64_t sum = pair_largest_sum(g->unit->arena, weights);
    if (bits <= BYTE_BITS) return bits;
    while (bits < MAX_BITS && sum * ((INT64_C(1) << bits) - 1) <= INT32_MAX) bits++;
    return bits;
}

static Rounded round_weights(Graph *g, const Value *v, int64_t bits) {
    const Tensor *w = v->constant;
    double most = (double)((INT64_C(1) << (bits - 1)) - 1);
    Tensor *to = tensor_new(g->unit->arena, DT_I16, w->rank, w->dims);
    Tensor *scale = tensor_new(g->unit->arena, DT_F32, 1, w->dims);
    int64_t count = w->count / w->dims[0];
    for (int64_t o = 0; o < w->dims[0]; o++) {
        double limit = largest(w, o), factor = limit > 0 ? most / limit : 0;
        for (int64_t i = o * count; i < (o + 1) * count; i++)
            ((int16_t *)to->data)[i] = (int16_t)rint(tensor_get_double(w, i) * factor);
    }
    int64_t map_bits = map_bits_for(g, to, bits);
    double map_most = (double)((INT64_C(1) << (map_bits - 1)) - 1);
    for (int64_t o = 0; o < w->dims[0]; o++)
        ((float *)scale->data)[o] = (float)(largest(w, o) / most / map_most);
    return (Rounded){graph_add_constant(g, v->name, to), graph_add_constant(g, "scale", scale),
                     map_bits};
}

/* Maps. */

/* The largest magnitude of an image of x. */
static Value *limit_of(Graph *g, const Node *like, Value *x) {
    int64_t axes[MAX_RANK];
    for (int d = 1; d < x->rank; d++) axes[d - 1] = d;
    Value *magnitude = make_op(g, like, OP_Abs, x, NULL);
    return make_op(g, like, OP_ReduceMax, magnitude, make_int_vector(g, "axes", axes, x->rank - 1));
}

/* One for all who read x. */
static Value *packed(Graph *g, const Node *like, Value *x, int64_t bits) {
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        if (!n->dead && n->op->id == OP_PackPairs && n->inputs[0] == x &&
            node_int(n, "bits") == bits)
            return n->outputs[0];
    }
    Value *inputs[] = {x, limit_of(g, like, x)};
    Node *made = node_open(g, like, OP_PackPairs, inputs, 2);
    node_set_attr(g, made, "bits", AT_INT)->u.i = bits;
    return node_close(g, made);
}

/* Convolutions. */

static bool is_deformable(const Node *n) {
    return n->op->id == OP_DeformConv || n->op->id == OP_BranchDeformConv;
}

static bool is_candidate(const Node *n) {
    if ((n->op->id != OP_Conv && !is_deformable(n)) || n->inputs[0]->dtype != DT_F32 ||
        !n->inputs[1]->constant)
        return false;
    return value_is_static(n->inputs[0]) && value_is_static(n->outputs[0]) &&
           value_count(n->outputs[0]) > 0 && value_count(n->inputs[1]) > 0;
}

/* Maps of fewer pixels are mostly computed directly. */
enum { WINOGRAD_PIXELS = 144 };

static bool has_winograd(const Node *n) {
    Conv conv = conv_of(n);
    return winograd_applies(&conv) && conv.window.out[0] * conv.window.out[1] >= WINOGRAD_PIXELS;
}

/* Why a convolution is better left alone; NULL: it is not. */
static const char *why_not(const PassOptions *options, const Node *n) {
    const Value *x = n->inputs[0], *w = n->inputs[1];
    int64_t products = value_count(n->outputs[0]) * (value_count(w) / w->dims[0].size);
    bool deforms = is_deformable(n);
    if (node_int(n, "group") != 1 || (deforms && node_int(n, "offset_group") != 1))
        return "its groups have products of their own";
    int64_t channels = pass_setting(options, "channels");
    if (w->dims[1].size < channels || w->dims[0].size < channels) return "it has few channels";
    if (deforms && x->dims[1].size % (2 * PAIR_BLOCK)) return "its channels are no whole blocks";
    if (!deforms && has_winograd(n)) return "Winograd takes fewer products";
    if (products / value_count(x) < pass_setting(options, "products"))
        return "rounding the map is not worth so few products";
    if (!pair_chunk(pair_count(w->dims[1].size))) return "its sums could overflow";
    return weights_are_finite(w->constant) ? NULL : "a weight is not finite";
}

static Value *conv_of_pairs(Graph *g, const Node *n, Rounded w) {
    Value *map = packed(g, n, n->inputs[0], w.map_bits);
    Value *inputs[] = {map, w.weights, w.scale, map->producer->inputs[1],
                       node_has_input(n, 2) ? n->inputs[2] : NULL};
    Node *made = node_open(g, n, OP_PairConv, inputs, inputs[4] ? 5 : 4);
    copy_attrs(g, made, n);
    node_set_attr(g, made, "bits", AT_INT)->u.i = w.map_bits;
    return node_close(g, made);
}

static Value *deform_conv_of_pairs(Graph *g, const Node *n, Rounded w) {
    static const int factors[] = {DEFORM_MASK, DEFORM_SCALE};
    Value *inputs[DEFORM_WEIGHT_SCALE + 1] = {0}, *limit = limit_of(g, n, n->inputs[DEFORM_X]);
    for (int k = 0; k < n->n_inputs; k++) inputs[k] = n->inputs[k];
    for (int i = 0; i < 2; i++)
        if (inputs[factors[i]])
            limit = make_op(g, n, OP_Mul, limit, limit_of(g, n, inputs[factors[i]]));
    inputs[DEFORM_W] = w.weights;
    inputs[DEFORM_LIMIT] = limit;
    inputs[DEFORM_WEIGHT_SCALE] = w.scale;
    Node *made = node_open(g, n, OP_PairDeformConv, inputs, DEFORM_WEIGHT_SCALE + 1);
    copy_attrs(g, made, n);
    node_set_attr(g, made, "bits", AT_INT)->u.i = w.map_bits;
    return node_close(g, made);
}

static void quantize(Graph *g, const PassOptions *options, Node *n) {
    if (n->dead || !is_candidate(n)) return;
    const char *why = why_not(options, n);
    if (why) {
        remark(g, options, REMARK_MISSED, n, "kept in floats: %s", why);
        return;
    }
    if (!rewrite_allowed(g, options, n)) return;
    int64_t bits = bits_of(options);
    Rounded w = round_weights(g, n->inputs[1], bits);
    remark(g, options, REMARK_MATCHED, n, "weights of %d bits, maps of %d", (int)bits,
           (int)w.map_bits);
    node_become(g, n, (is_deformable(n) ? deform_conv_of_pairs : conv_of_pairs)(g, n, w));
}

bool pass_quantize(Graph *g, const PassOptions *options) {
    int64_t bits = bits_of(options);
    if (bits < MIN_BITS || bits > MOST_BITS)
        return diag(g->unit, NO_PLACE, D_PASS_BITS, MIN_BITS, MOST_BITS, (long long)bits);
    int n = g->nodes.n;
    for (int i = 0; i < n; i++) quantize(g, options, g->nodes.at[i]);
    graph_sort(g);
    graph_sweep(g);
    return true;
}
