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

static Value *join(S *s, Value *a, Value *b, int axis) {
    return s->make(s, "Concat", (Value *[]){a, b}, 2, "axis=%d", axis);
}

static Value *channels_of(S *s, Value *x, int64_t begin, int64_t end) {
    int64_t axis = 1;
    Value *inputs[] = {x, s->ints(s, &begin, 1), s->ints(s, &end, 1), s->ints(s, &axis, 1)};
    return s->make(s, "Slice", inputs, 4, NULL);
}

/* relu(norm(dcn(x))) with the seven inputs from `first` on.  Offsets and mask are one
 * convolution. */
static Value *stage(S *s, const Node *n, Value *x, int first) {
    Value *p[STAGE];
    for (int i = 0; i < STAGE; i++) p[i] = s->input(s, n, first + i);
    bool rows_first = !strcmp(s->get_string(s, n, "offset_order"), "rows_first");
    Value *weight = join(s, rows_first ? pair_channels(s, p[0]) : p[0], p[2], 0);
    Value *bias = join(s, rows_first ? pair_channels(s, p[1]) : p[1], p[3], 0);
    Value *both = conv(s, x, weight, bias);
    Value *offset = channels_of(s, both, 0, 2 * TAPS);
    Value *mask = one(s, "Sigmoid", channels_of(s, both, 2 * TAPS, 3 * TAPS));
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
    s->give(s, n, 0, stage(s, n, join(s, mean, most, 1), SECOND));
    return true;
}

/* Raising: what was written out is the operator again. */

/* The node that makes v, if it is of that kind and v is used so often. */
static Node *made_by(S *s, const Value *v, const char *op, int uses) {
    Node *n = v && s->n_uses(s, v) == uses ? s->producer(s, v) : NULL;
    return n && s->is(s, n, "", op) ? n : NULL;
}

static bool is_one_int(S *s, const Value *v, int64_t want) {
    int64_t got;
    if (!v || !s->data(s, v) || s->dtype(s, v) != SONOC_I64 || s->rank(s, v) != 1 ||
        s->dim(s, v, 0) != 1)
        return false;
    memcpy(&got, s->data(s, v), sizeof got);
    return got == want;
}

/* What channels begin..end-1 are sliced from. */
static Value *sliced_from(S *s, const Value *v, int64_t begin, int64_t end) {
    const Node *n = made_by(s, v, "Slice", 1);
    bool fits = n && is_one_int(s, s->input(s, n, 1), begin) &&
                is_one_int(s, s->input(s, n, 2), end) && is_one_int(s, s->input(s, n, 3), 1) &&
                !s->input(s, n, 4);
    return fits ? s->input(s, n, 0) : NULL;
}

static bool has_ints(S *s, const Node *n, const char *name, int count, int64_t want, bool absent) {
    int64_t list[4];
    if (!s->has(s, n, name)) return absent;
    if (!s->get_ints(s, n, name, list, count)) return false;
    for (int i = 0; i < count; i++)
        if (list[i] != want) return false;
    return true;
}

/* A 3x3 window that keeps the map's size, without groups. */
static bool is_plain_window(S *s, const Node *n) {
    const Value *w = s->input(s, n, 1);
    return s->data(s, w) && s->dim(s, w, 2) == 3 && s->dim(s, w, 3) == 3 &&
           has_ints(s, n, "pads", 4, 1, false) && has_ints(s, n, "strides", 2, 1, true) &&
           has_ints(s, n, "dilations", 2, 1, true) && s->get_int(s, n, "group") == 1;
}

/* A 3x3 convolution with a bias, of so many channels. */
static const Node *plain_conv(S *s, const Value *v, int64_t channels, int uses) {
    const Node *n = made_by(s, v, "Conv", uses);
    bool fits = n && s->rank(s, v) == 4 && s->dim(s, v, 1) == channels && is_plain_window(s, n) &&
                s->input(s, n, 2) && s->data(s, s->input(s, n, 2));
    return fits && !strcmp(s->get_string(s, n, "auto_pad"), "NOTSET") ? n : NULL;
}

typedef struct Found {
    Value *inputs[INPUTS];
    int64_t groups;
    double epsilon;
} Found;

/* Elements begin..end-1 along the first axis of a constant. */
static Value *part(S *s, const Value *v, int64_t begin, int64_t end) {
    int64_t dims[4] = {end - begin}, each = sizeof(float);
    for (int d = 1; d < s->rank(s, v); d++) each *= dims[d] = s->dim(s, v, d);
    return s->constant(s, SONOC_F32, s->rank(s, v), dims,
                       (const char *)s->data(s, v) + begin * each);
}

/* The convolution that gives offsets and mask of a deformable one, both of the same map. */
static const Node *find_offset(S *s, const Node *deform) {
    const Node *sigmoid = made_by(s, s->input(s, deform, 4), "Sigmoid", 1);
    Value *from = sliced_from(s, s->input(s, deform, 2), 0, 2 * TAPS);
    if (!sigmoid || !from || sliced_from(s, s->input(s, sigmoid, 0), 2 * TAPS, 3 * TAPS) != from)
        return NULL;
    const Node *both = plain_conv(s, from, 3 * TAPS, 2);
    return both && s->input(s, both, 0) == s->input(s, deform, 0) ? both : NULL;
}

/* relu(norm(dcn(x))) behind y, which is used so often; gives x. */
static Value *find_stage(S *s, const Value *y, int uses, int first, Found *f) {
    const Node *relu = made_by(s, y, "Relu", uses);
    const Node *norm = relu ? made_by(s, s->input(s, relu, 0), "GroupNormalization", 1) : NULL;
    const Node *deform = norm ? made_by(s, s->input(s, norm, 0), "DeformConv", 1) : NULL;
    if (!deform || s->dtype(s, y) != SONOC_F32 || s->input(s, deform, 3) ||
        !is_plain_window(s, deform) || s->get_int(s, deform, "offset_group") != 1)
        return NULL;
    const Node *both = find_offset(s, deform);
    if (!both) return NULL;
    int64_t groups = s->get_int(s, norm, "num_groups");
    double epsilon = s->get_float(s, norm, "epsilon");
    if (f->groups && (f->groups != groups || f->epsilon != epsilon)) return NULL;
    f->groups = groups;
    f->epsilon = epsilon;
    Value *weight = s->input(s, both, 1), *bias = s->input(s, both, 2);
    Value *parts[STAGE] = {weight,
                           bias,
                           weight,
                           bias,
                           s->input(s, deform, 1),
                           s->input(s, norm, 1),
                           s->input(s, norm, 2)};
    memcpy(f->inputs + first, parts, sizeof parts);
    return s->input(s, deform, 0);
}

/* The map that a gate of its own reduction scales. */
static Value *find_attention(S *s, const Value *v, const char *reduce, int first, Found *f) {
    const Node *mul = made_by(s, v, "Mul", 1);
    for (int k = 0; mul && k < 2; k++) {
        Value *c = s->input(s, mul, k);
        const Node *gate = made_by(s, s->input(s, mul, 1 - k), "Sigmoid", 1);
        const Node *conv = gate ? plain_conv(s, s->input(s, gate, 0), 1, 1) : NULL;
        const Node *map = conv ? made_by(s, s->input(s, conv, 0), reduce, 1) : NULL;
        if (!map || s->input(s, map, 0) != c || !is_one_int(s, s->input(s, map, 1), 1)) continue;
        if (!s->get_int(s, map, "keepdims")) continue;
        f->inputs[first] = s->input(s, conv, 1);
        f->inputs[first + 1] = s->input(s, conv, 2);
        return c;
    }
    return NULL;
}

static bool find(S *s, const Value *y, Found *f) {
    Value *joined = find_stage(s, y, s->n_uses(s, y), SECOND, f);
    const Node *concat = joined ? made_by(s, joined, "Concat", 2) : NULL;
    if (!concat || s->n_inputs(s, concat) != 2 || s->get_int(s, concat, "axis") != 1) return false;
    Value *c = find_attention(s, s->input(s, concat, 0), "ReduceMean", MEAN, f);
    Value *same = find_attention(s, s->input(s, concat, 1), "ReduceMax", MAXIMUM, f);
    if (!c || same != c) return false;
    f->inputs[0] = find_stage(s, c, 4, FIRST, f);
    return f->inputs[0] != NULL;
}

static Value *make_dsa(S *s, Found *f) {
    for (int first = FIRST; first <= SECOND; first += SECOND - FIRST)
        for (int k = 3; k >= 0; k--)
            f->inputs[first + k] =
                part(s, f->inputs[first + k], k < 2 ? 0 : 2 * TAPS, k < 2 ? 2 * TAPS : 3 * TAPS);
    return s->make(s, "sonoc::DSA", f->inputs, INPUTS,
                   "num_groups=%lld epsilon=%.9g offset_order=pairs", (long long)f->groups,
                   f->epsilon);
}

static bool raise_dsa(S *s) {
    for (int i = s->n_nodes(s) - 1; i >= 0; i--) {
        Found f = {0};
        Node *n = s->node(s, i);
        if (!s->is(s, n, "", "Relu") || !find(s, s->output(s, n, 0), &f)) continue;
        if (!s->replace(s, s->output(s, n, 0), make_dsa(s, &f))) break;
    }
    return true;
}

static const struct sonoc_pass raise = {.api = SONOC_API,
                                        .name = "raise_dsa",
                                        .summary = "deformable spatial attention is one operator",
                                        .promise = SONOC_BIT,
                                        .level = 2,
                                        .run = raise_dsa,
                                        .for_files = true};

static const struct sonoc_op dsa = {.api = SONOC_API,
                                    .domain = "sonoc",
                                    .name = "DSA",
                                    .min_inputs = INPUTS,
                                    .max_inputs = INPUTS,
                                    .attrs = attrs,
                                    .expand = expand};

void sonoc_register(const struct sonoc_registry *r) {
    r->add_op(r, &dsa);
    r->add_pass(r, &raise);
}
