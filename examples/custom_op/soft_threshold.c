/* soft_threshold.c - example::SoftThreshold(x) {amount}: sign(x) * max(|x| - amount, 0). */
#include <sonoc_op.h>

typedef sonoc_x X;

static X element(const struct sonoc *s, const struct sonoc_node *n, const X *x) {
    int type = s->type(s, x[0]);
    X amount = s->number(s, type, s->get_float(s, n, "amount"));
    X above = s->max(s, s->sub(s, x[0], amount), s->number(s, type, 0));
    X below = s->min(s, s->add(s, x[0], amount), s->number(s, type, 0));
    return s->add(s, above, below);
}

static void reference(const struct sonoc *s, const struct sonoc_node *n,
                      const struct sonoc_tensor *in, const struct sonoc_tensor *out) {
    const float amount = (float)s->get_float(s, n, "amount"), *x = in[0].data;
    int64_t count = 1;
    for (int d = 0; d < in[0].rank; d++) count *= in[0].dims[d];
    for (int64_t i = 0; i < count; i++)
        ((float *)out[0].data)[i] = x[i] > amount    ? x[i] - amount
                                    : x[i] < -amount ? x[i] + amount
                                                     : 0;
}

static const struct sonoc_attr attrs[] = {{"amount", SONOC_FLOAT, "0.5"}, {0}};

static const struct sonoc_op op = {.api = SONOC_API,
                                   .domain = "example",
                                   .name = "SoftThreshold",
                                   .min_inputs = 1,
                                   .max_inputs = 1,
                                   .attrs = attrs,
                                   .element = element,
                                   .reference = reference};

void sonoc_register(const struct sonoc_registry *r) { r->add_op(r, &op); }
