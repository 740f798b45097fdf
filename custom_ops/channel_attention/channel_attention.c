/* channel_attention.c - a factor for every channel, from the map's means and maxima, as one
 * operator, sonoc::ChannelAttention.
 *
 * y = x * sigmoid(w2 relu(w1 v + b1) + b2), v the means of all channels, then the maxima.
 * Inputs: x [N,C,...]; w1 [R,2C], b1 [R]; w2 [C,R], b2 [C], as linear layers keep them. */
#include "sonoc_op.h"

#include <string.h>

typedef const struct sonoc S;
typedef struct sonoc_node Node;
typedef struct sonoc_value Value;

enum { INPUTS = 5 };

static Value *one(S *s, const char *op, Value *x) { return s->make(s, op, &x, 1, NULL); }

static Value *linear(S *s, const Node *n, Value *x, int first) {
    Value *inputs[] = {x, s->input(s, n, first), s->input(s, n, first + 1)};
    return s->make(s, "Gemm", inputs, 3, "transB=1");
}

static bool check(S *s, const Node *n) {
    Value *x = s->input(s, n, 0);
    if (s->rank(s, x) < 3) return s->fail(s, n, NULL, "input 0 should have 3 dimensions at least");
    for (int k = 1; k < INPUTS; k++)
        if (s->rank(s, s->input(s, n, k)) != (k % 2 ? 2 : 1))
            return s->fail(s, n, NULL, "input %d should have %d dimensions", k, k % 2 ? 2 : 1);
    return true;
}

/* Axes of size 1 behind the channels, as many as x has. */
static Value *as_map(S *s, const Value *x, Value *v) {
    int64_t axes[8];
    int n = s->rank(s, x) - 2;
    for (int i = 0; i < n; i++) axes[i] = i + 2;
    return s->make(s, "Unsqueeze", (Value *[]){v, s->ints(s, axes, n)}, 2, NULL);
}

static bool expand(S *s, Node *n) {
    if (!check(s, n)) return false;
    Value *x = s->input(s, n, 0);
    Value *mean = one(s, "GlobalAveragePool", x);
    Value *most = one(s, "GlobalMaxPool", x);
    Value *joined = s->make(s, "Concat", (Value *[]){mean, most}, 2, "axis=1");
    Value *hidden = one(s, "Relu", linear(s, n, one(s, "Flatten", joined), 1));
    Value *factor = as_map(s, x, one(s, "Sigmoid", linear(s, n, hidden, 3)));
    s->give(s, n, 0, s->make(s, "Mul", (Value *[]){x, factor}, 2, NULL));
    return true;
}

/* Raising: what was written out is the operator again. */

/* The node that makes v, if it is of that kind and nothing else reads v. */
static Node *made_by(S *s, const Value *v, const char *op) {
    Node *n = v && s->n_uses(s, v) == 1 ? s->producer(s, v) : NULL;
    return n && s->is(s, n, "", op) ? n : NULL;
}

/* w * x + b with constants; gives x. */
static Value *find_linear(S *s, const Value *v, Value **parameters) {
    const Node *n = made_by(s, v, "Gemm");
    if (!n || s->get_int(s, n, "transA") || !s->get_int(s, n, "transB")) return NULL;
    if (s->get_float(s, n, "alpha") != 1 || s->get_float(s, n, "beta") != 1) return NULL;
    for (int k = 0; k < 2; k++) {
        parameters[k] = s->input(s, n, k + 1);
        if (!parameters[k] || !s->data(s, parameters[k])) return NULL;
    }
    return s->rank(s, parameters[1]) == 1 ? s->input(s, n, 0) : NULL;
}

/* Other dimensions for the same elements: a vector an image from a map of one pixel, or back. */
static Value *find_reshaped(S *s, const Value *v) {
    const Node *n = made_by(s, v, "Reshape");
    const Value *from = n ? s->input(s, n, 0) : NULL;
    if (!n || s->rank(s, from) < 2 || s->rank(s, v) < 2) return NULL;
    return s->dim(s, from, 0) == s->dim(s, v, 0) && s->dim(s, from, 1) == s->dim(s, v, 1)
               ? s->input(s, n, 0)
               : NULL;
}

/* From the factor back to the map that it is for. */
static Value *find_map(S *s, const Value *factor, Value **parameters) {
    const Node *sigmoid = made_by(s, find_reshaped(s, factor), "Sigmoid");
    Value *hidden = sigmoid ? find_linear(s, s->input(s, sigmoid, 0), parameters + 2) : NULL;
    const Node *relu = made_by(s, hidden, "Relu");
    Value *flat = relu ? find_linear(s, s->input(s, relu, 0), parameters) : NULL;
    const Node *joined = flat ? made_by(s, find_reshaped(s, flat), "Concat") : NULL;
    if (!joined || s->n_inputs(s, joined) != 2 || s->get_int(s, joined, "axis") != 1) return NULL;
    const Node *mean = made_by(s, s->input(s, joined, 0), "GlobalAveragePool");
    const Node *most = made_by(s, s->input(s, joined, 1), "GlobalMaxPool");
    return mean && most && s->input(s, mean, 0) == s->input(s, most, 0) ? s->input(s, mean, 0)
                                                                        : NULL;
}

static bool raise_channel_attention(S *s) {
    for (int i = s->n_nodes(s) - 1; i >= 0; i--) {
        const Node *n = s->node(s, i);
        for (int k = 0; s->is(s, n, "", "Mul") && k < 2; k++) {
            Value *inputs[INPUTS] = {s->input(s, n, k)};
            Value *factor = s->input(s, n, 1 - k);
            if (find_map(s, factor, inputs + 1) != inputs[0]) continue;
            if (s->rank(s, factor) != s->rank(s, inputs[0])) continue;
            Value *made = s->make(s, "sonoc::ChannelAttention", inputs, INPUTS, NULL);
            if (!s->replace(s, s->output(s, n, 0), made)) return true;
            break;
        }
    }
    return true;
}

static const struct sonoc_pass raise = {
    .api = SONOC_API,
    .name = "raise_channel_attention",
    .summary = "factors of channels from their means and maxima are one operator",
    .promise = SONOC_BIT,
    .level = 2,
    .run = raise_channel_attention,
    .for_files = true};

static const struct sonoc_op channel_attention = {.api = SONOC_API,
                                                  .domain = "sonoc",
                                                  .name = "ChannelAttention",
                                                  .min_inputs = INPUTS,
                                                  .max_inputs = INPUTS,
                                                  .expand = expand};

void sonoc_register(const struct sonoc_registry *r) {
    r->add_op(r, &channel_attention);
    r->add_pass(r, &raise);
}
