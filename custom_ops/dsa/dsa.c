/* dsa.c - ACSNet's deformable spatial attention as one operator, sonoc::DSA.
 *
 * c1 = relu(norm(dcn(x)));  a = sigmoid(conv(mean over channels of c1)) * c1;  b the same with the
 * maximum; y = relu(norm(dcn(concat(a, b)))).  dcn: a 3x3 modulated deformable convolution, its
 * offsets and its mask from 3x3 convolutions of the input.  All maps are of one size.
 *
 * Inputs: x; weight and bias of the offset conv, weight and bias of the mask conv, weight of the
 * dcn, scale and bias of the norm; weight and bias of the attention from the mean, of that from the
 * maximum; then again seven for the second dcn and its norm.  offset_order: "rows_first" (nine
 * rows, then nine columns, as ACSNet trains them) or "pairs" (row and column of a tap side by side,
 * as in DeformConv). */
#include "sonoc_op.h"

#include <string.h>

typedef const struct sonoc S;
typedef struct sonoc_node Node;
typedef struct sonoc_value Value;

enum { STAGE = 7, FIRST = 1, MEAN = 8, MAXIMUM = 10, SECOND = 12, INPUTS = 19, TAPS = 9 };

static const struct sonoc_attr attrs[] = {
    {"num_groups", SONOC_INT, "0"}, /* 0: a group of four channels */
    {"epsilon", SONOC_FLOAT, "1e-05"},
    {"offset_order", SONOC_STRING, "rows_first"},
    {0}};

static Value *one(S *s, const char *op, Value *x) { return s->make(s, op, &x, 1, NULL); }

static Value *conv(S *s, Value *x, Value *weight, Value *bias) {
    return s->make(s, "Conv", (Value *[]){x, weight, bias}, 3, "pads=[1,1,1,1]");
}

/* Weight or bias of an offset conv, its channels from rows first to pairs. */
static Value *pair_channels(S *s, Value *v) {
    int64_t rank = s->rank(s, v), split[6] = {2, TAPS}, joined[5] = {2 * TAPS};
    for (int d = 1; d < rank; d++) split[d + 1] = joined[d] = s->dim(s, v, d);
    Value *parts = s->make(s, "Reshape", (Value *[]){v, s->ints(s, split, (int)rank + 1)}, 2, NULL);
    Value *pairs =
        s->make(s, "Transpose", &parts, 1, rank == 1 ? "perm=[1,0]" : "perm=[1,0,2,3,4]");
    return s->make(s, "Reshape", (Value *[]){pairs, s->ints(s, joined, (int)rank)}, 2, NULL);
}

/* relu(norm(dcn(x))) with the seven inputs from `first` on. */
static Value *stage(S *s, const Node *n, Value *x, int first) {
    Value *p[STAGE];
    for (int i = 0; i < STAGE; i++) p[i] = s->input(s, n, first + i);
    bool rows_first = !strcmp(s->get_string(s, n, "offset_order"), "rows_first");
    Value *offset = conv(s, x, rows_first ? pair_channels(s, p[0]) : p[0],
                         rows_first ? pair_channels(s, p[1]) : p[1]);
    Value *mask = one(s, "Sigmoid", conv(s, x, p[2], p[3]));
    Value *deform =
        s->make(s, "DeformConv", (Value *[]){x, p[4], offset, NULL, mask}, 5, "pads=[1,1,1,1]");
    int64_t channels = s->dim(s, p[4], 0), groups = s->get_int(s, n, "num_groups");
    if (groups < 1) groups = channels / 4;
    Value *norm =
        s->make(s, "GroupNormalization", (Value *[]){deform, p[5], p[6]}, 3,
                "num_groups=%lld epsilon=%.9g", (long long)groups, s->get_float(s, n, "epsilon"));
    return one(s, "Relu", norm);
}

static Value *attend(S *s, const Node *n, Value *c, const char *reduce, int first) {
    int64_t axis = 1;
    Value *one_map = s->make(s, reduce, (Value *[]){c, s->ints(s, &axis, 1)}, 2, "keepdims=1");
    Value *gate =
        one(s, "Sigmoid", conv(s, one_map, s->input(s, n, first), s->input(s, n, first + 1)));
    return s->make(s, "Mul", (Value *[]){gate, c}, 2, NULL);
}

static bool check(S *s, const Node *n) {
    const char *order = s->get_string(s, n, "offset_order");
    if (strcmp(order, "rows_first") && strcmp(order, "pairs"))
        return s->fail(s, n, "offset_order", "should be rows_first or pairs, is '%s'", order);
    for (int k = 0; k < INPUTS; k++) {
        bool is_map = k == 0 || (k < MEAN     ? (k - FIRST) % 2 == 0 && k - FIRST <= 4
                                 : k < SECOND ? k % 2 == 0
                                              : (k - SECOND) % 2 == 0 && k - SECOND <= 4);
        if (s->rank(s, s->input(s, n, k)) != (is_map ? 4 : 1))
            return s->fail(s, n, NULL, "input %d should have %d dimensions", k, is_map ? 4 : 1);
    }
    for (int first = FIRST; first <= SECOND; first += SECOND - FIRST)
        for (int k = 0; k < 2; k++)
            if (s->dim(s, s->input(s, n, first + k), 0) != 2 * TAPS)
                return s->fail(s, n, NULL, "input %d should have 18 offset channels", first + k);
    return true;
}

static bool expand(S *s, Node *n) {
    if (!check(s, n)) return false;
    Value *c = stage(s, n, s->input(s, n, 0), FIRST);
    Value *mean = attend(s, n, c, "ReduceMean", MEAN);
    Value *most = attend(s, n, c, "ReduceMax", MAXIMUM);
    Value *joined = s->make(s, "Concat", (Value *[]){mean, most}, 2, "axis=1");
    s->give(s, n, 0, stage(s, n, joined, SECOND));
    return true;
}

static const struct sonoc_op dsa = {.api = SONOC_API,
                                    .domain = "sonoc",
                                    .name = "DSA",
                                    .min_inputs = INPUTS,
                                    .max_inputs = INPUTS,
                                    .attrs = attrs,
                                    .expand = expand};

void sonoc_register(const struct sonoc_registry *r) { r->add_op(r, &dsa); }
