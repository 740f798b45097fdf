/* capped_distance.c - example::CappedDistance(a, b): for all rows of a and b, min(sum of |a - b|,
 * cap). */
#include <math.h>
#include <sonoc_op.h>

typedef const struct sonoc S;
typedef sonoc_x X;

static bool infer(S *s, struct sonoc_node *n) {
    const struct sonoc_value *a = s->input(s, n, 0), *b = s->input(s, n, 1);
    if (s->rank(s, a) != 2 || s->rank(s, b) != 2 || s->dim(s, a, 1) != s->dim(s, b, 1))
        return s->fail(s, n, NULL, "a and b should be matrices with rows of one length");
    if (s->dtype(s, a) != SONOC_F32 || s->dtype(s, b) != SONOC_F32)
        return s->fail(s, n, NULL, "a and b should be f32");
    return s->set_type(s, s->output(s, n, 0), SONOC_F32, 2,
                       (int64_t[]){s->dim(s, a, 0), s->dim(s, b, 0)});
}

static void start(S *s, const struct sonoc_node *n, const X *index, X *acc, const void *context) {
    (void)n, (void)index, (void)context;
    acc[0] = s->number(s, SONOC_F32, 0);
}

static void step(S *s, const struct sonoc_node *n, const X *index, const X *k, X *acc,
                 const void *context) {
    (void)context;
    X a = s->load(s, s->input(s, n, 0), (X[]){index[0], k[0]});
    X b = s->load(s, s->input(s, n, 1), (X[]){index[1], k[0]}), d = s->sub(s, a, b);
    acc[0] = s->add(s, acc[0], s->max(s, d, s->neg(s, d)));
}

static void finish(S *s, const struct sonoc_node *n, const X *index, const X *acc,
                   const void *context) {
    (void)context;
    s->store(s, s->output(s, n, 0), index,
             s->min(s, acc[0], s->number(s, SONOC_F32, s->get_float(s, n, "cap"))));
}

static void lower(S *s, struct sonoc_node *n) {
    struct sonoc_fold fold = {.n_inner = 1,
                              .inner = {s->dim(s, s->input(s, n, 0), 1)},
                              .n_acc = 1,
                              .acc = {SONOC_F32},
                              .start = start,
                              .step = step,
                              .finish = finish};
    s->fold(s, s->output(s, n, 0), &fold);
}

static void reference(S *s, const struct sonoc_node *n, const struct sonoc_tensor *in,
                      const struct sonoc_tensor *out) {
    const float *a = in[0].data, *b = in[1].data;
    float *y = out[0].data;
    for (int64_t i = 0, width = in[0].dims[1]; i < in[0].dims[0]; i++)
        for (int64_t j = 0; j < in[1].dims[0]; j++) {
            double sum = 0;
            for (int64_t k = 0; k < width; k++)
                sum += fabs((double)a[i * width + k] - b[j * width + k]);
            y[i * in[1].dims[0] + j] = (float)fmin(sum, s->get_float(s, n, "cap"));
        }
}

static const struct sonoc_attr attrs[] = {{"cap", SONOC_FLOAT, "10"}, {0}};
static const struct sonoc_op op = {.api = SONOC_API,
                                   .domain = "example",
                                   .name = "CappedDistance",
                                   .min_inputs = 2,
                                   .max_inputs = 2,
                                   .attrs = attrs,
                                   .infer = infer,
                                   .lower = lower,
                                   .reference = reference};
void sonoc_register(const struct sonoc_registry *r) { r->add_op(r, &op); }
