/* elem_float.c - elementwise functions of floats: the elementary ones and the activations.
 *
 * Formulas keep NaN and are chosen to stay exact where the textbook form cancels or overflows. */
#include "elem.h"
#include "ops.h"

#include <string.h>

static const Expr *attribute(Lower *l, const Node *n, const char *name, const Expr *x) {
    return elem_const(l, x, node_float(n, name));
}

static const Expr *is_negative(Lower *l, const Expr *x) {
    return ex_lt(l->b, x, elem_const(l, x, 0));
}

const Expr *elem_reciprocal(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_div(l->b, elem_const(l, x[0], 1), x[0]);
}

const Expr *elem_is_nan_op(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return elem_is_nan(l, x[0]);
}

const Expr *elem_is_inf(Lower *l, const Node *n, const Expr *const *x) {
    return math_is_inf(l->b, x[0], node_int(n, "detect_positive"), node_int(n, "detect_negative"));
}

const Expr *elem_leaky_relu(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *scaled = ex_mul(l->b, attribute(l, n, "alpha", x[0]), x[0]);
    return ex_select(l->b, is_negative(l, x[0]), scaled, x[0]);
}

const Expr *elem_prelu(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_select(l->b, is_negative(l, x[0]), ex_mul(l->b, x[1], x[0]), x[0]);
}

const Expr *elem_thresholded_relu(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *below = ex_le(l->b, x[0], attribute(l, n, "alpha", x[0]));
    return ex_select(l->b, below, elem_const(l, x[0], 0), x[0]);
}

const Expr *elem_elu(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *curve = ex_mul(l->b, attribute(l, n, "alpha", x[0]), math_expm1(l->b, x[0]));
    return ex_select(l->b, is_negative(l, x[0]), curve, x[0]);
}

const Expr *elem_celu(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *alpha = attribute(l, n, "alpha", x[0]);
    const Expr *curve = ex_mul(l->b, alpha, math_expm1(l->b, ex_div(l->b, x[0], alpha)));
    return ex_select(l->b, is_negative(l, x[0]), curve, x[0]);
}

const Expr *elem_selu(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *curve = ex_mul(l->b, attribute(l, n, "alpha", x[0]), math_expm1(l->b, x[0]));
    return ex_mul(l->b, attribute(l, n, "gamma", x[0]),
                  ex_select(l->b, is_negative(l, x[0]), curve, x[0]));
}

/* x clamped to 0..1, NaN kept */
static const Expr *unit_clamp(Lower *l, const Expr *x) {
    return elem_smaller(l, elem_larger(l, x, elem_const(l, x, 0)), elem_const(l, x, 1));
}

/* The sigmoid of x where the mark is not 0, else x. */
const Expr *elem_sigmoid_where(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    const Expr *marked = ex_lt(l->b, ex_const(l->b, x[1]->type, 0), x[1]);
    return ex_select(l->b, marked, math_sigmoid(l->b, x[0]), x[0]);
}

const Expr *elem_hard_sigmoid(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *line = ex_mul(l->b, attribute(l, n, "alpha", x[0]), x[0]);
    return unit_clamp(l, ex_add(l->b, line, attribute(l, n, "beta", x[0])));
}

const Expr *elem_hard_swish(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    const Expr *line = ex_mul(l->b, elem_const(l, x[0], 1.0 / 6), x[0]);
    return ex_mul(l->b, x[0], unit_clamp(l, ex_add(l->b, line, elem_const(l, x[0], 0.5))));
}

const Expr *elem_swish(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *scaled = ex_mul(l->b, attribute(l, n, "alpha", x[0]), x[0]);
    return ex_mul(l->b, x[0], math_sigmoid(l->b, scaled));
}

const Expr *elem_swiglu(Lower *l, const Node *n, const Expr *const *x) {
    return ex_mul(l->b, elem_swish(l, n, x), x[1]);
}

const Expr *elem_softsign(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    const Expr *size = ex_scalar(l->b, SC_ABS, x[0], NULL, NULL);
    return ex_div(l->b, x[0], ex_add(l->b, elem_const(l, x[0], 1), size));
}

/* log(1 + e^x) = max(x, 0) + log1p(e^-|x|) */
const Expr *elem_softplus(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    const Expr *size = ex_scalar(l->b, SC_ABS, x[0], NULL, NULL);
    const Expr *rest = math_log1p(l->b, math_exp(l->b, ex_neg(l->b, size)));
    return ex_add(l->b, elem_larger(l, x[0], elem_const(l, x[0], 0)), rest);
}

/* With e = e^x: tanh(log(1 + e)) = (e^2 + 2 e) / (e^2 + 2 e + 2), which is 1 from x = 20 on. */
const Expr *elem_mish(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    const Expr *two = elem_const(l, x[0], 2);
    const Expr *e = math_exp(l->b, elem_smaller(l, x[0], elem_const(l, x[0], 20)));
    const Expr *p = ex_mul(l->b, e, ex_add(l->b, e, two));
    return ex_mul(l->b, x[0], ex_div(l->b, p, ex_add(l->b, p, two)));
}

static const Expr *gelu_tanh(Lower *l, const Expr *x) {
    const Expr *square = ex_mul(l->b, x, x);
    const Expr *cubic = ex_mul(l->b, ex_mul(l->b, elem_const(l, x, 0.044715), square), x);
    const Expr *inner = ex_mul(l->b, elem_const(l, x, 0.7978845608028654), ex_add(l->b, x, cubic));
    return math_tanh(l->b, inner);
}

const Expr *elem_gelu(Lower *l, const Node *n, const Expr *const *x) {
    bool tanh_form = !strcmp(node_string(n, "approximate"), "tanh");
    const Expr *scaled = ex_mul(l->b, x[0], elem_const(l, x[0], 0.7071067811865476));
    const Expr *curve = tanh_form ? gelu_tanh(l, x[0]) : math_erf(l->b, scaled);
    const Expr *half = ex_mul(l->b, elem_const(l, x[0], 0.5), x[0]);
    return ex_mul(l->b, half, ex_add(l->b, elem_const(l, x[0], 1), curve));
}

/* Integers are shrunk in f64. */
const Expr *elem_shrink(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *v = dtype_is_float(x[0]->type) ? x[0] : ex_cast(l->b, DT_F64, x[0]);
    const Expr *bias = attribute(l, n, "bias", v), *zero = elem_const(l, v, 0);
    const Expr *threshold = attribute(l, n, "lambd", v);
    const Expr *above = ex_select(l->b, ex_lt(l->b, threshold, v), ex_sub(l->b, v, bias), zero);
    const Expr *below = ex_lt(l->b, v, ex_neg(l->b, threshold));
    return elem_convert(l, x[0]->type, ex_select(l->b, below, ex_add(l->b, v, bias), above));
}

#define ELEMENTARY(name)                                                                           \
    const Expr *elem_##name(Lower *l, const Node *n, const Expr *const *x) {                       \
        (void)n;                                                                                   \
        return math_##name(l->b, x[0]);                                                            \
    }
/* clang-format off */
ELEMENTARY(exp) ELEMENTARY(log) ELEMENTARY(sqrt) ELEMENTARY(erf)
ELEMENTARY(sin) ELEMENTARY(cos) ELEMENTARY(tan) ELEMENTARY(asin) ELEMENTARY(acos) ELEMENTARY(atan)
ELEMENTARY(sinh) ELEMENTARY(cosh) ELEMENTARY(tanh)
ELEMENTARY(asinh) ELEMENTARY(acosh) ELEMENTARY(atanh)
ELEMENTARY(floor) ELEMENTARY(ceil) ELEMENTARY(round) ELEMENTARY(sigmoid)
/* clang-format on */
#undef ELEMENTARY
