/* elem.c - elementwise arithmetic, comparison and logic.
 *
 * Elements of f16 and bf16 arrive as f32 and are rounded by the lowerer.  Nothing here can trap:
 * divisors and shift counts are replaced by harmless ones before they are used, and the result is
 * chosen afterwards. */
#include "elem.h"
#include "ops.h"

#include <string.h>

const Expr *elem_add(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_add(l->b, x[0], x[1]);
}

const Expr *elem_sub(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_sub(l->b, x[0], x[1]);
}

const Expr *elem_mul(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_mul(l->b, x[0], x[1]);
}

static bool is_signed(DType t) { return dtypes[t].kind == DK_SIGNED; }

/* y, or 1 where dividing by y would trap */
static const Expr *safe_divisor(Lower *l, const Expr *y) {
    const Expr *one = ex_int(l->b, y->type, 1);
    const Expr *safe = ex_select(l->b, ex_eq(l->b, y, ex_int(l->b, y->type, 0)), one, y);
    if (!is_signed(y->type)) return safe;
    return ex_select(l->b, ex_eq(l->b, y, ex_int(l->b, y->type, -1)), one, safe);
}

const Expr *elem_int_div(Lower *l, const Expr *x, const Expr *y) {
    const Expr *zero = ex_int(l->b, y->type, 0);
    const Expr *q = ex_div(l->b, x, safe_divisor(l, y));
    if (is_signed(y->type))
        q = ex_select(l->b, ex_eq(l->b, y, ex_int(l->b, y->type, -1)), ex_neg(l->b, x), q);
    return ex_select(l->b, ex_eq(l->b, y, zero), zero, q);
}

const Expr *elem_int_rem(Lower *l, const Expr *x, const Expr *y) {
    return ex_rem(l->b, x, safe_divisor(l, y));
}

const Expr *elem_div(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return dtype_is_float(x[0]->type) ? ex_div(l->b, x[0], x[1]) : elem_int_div(l, x[0], x[1]);
}

/* The remainder takes the sign of the divisor, as in Python. */
static const Expr *floor_mod(Lower *l, const Expr *x, const Expr *y) {
    const Expr *r = elem_int_rem(l, x, y);
    if (!is_signed(y->type)) return r;
    const Expr *zero = ex_int(l->b, y->type, 0);
    const Expr *differs = ex_lt(l->b, ex_scalar(l->b, SC_XOR, r, y, NULL), zero);
    const Expr *inexact = ex_scalar(l->b, SC_NE, r, zero, NULL);
    return ex_select(l->b, ex_and(l->b, inexact, differs), ex_add(l->b, r, y), r);
}

/* The same for floats; a result of 0 has the divisor's sign too. */
static const Expr *floor_mod_float(Lower *l, const Expr *x, const Expr *y) {
    const Expr *r = math_fmod(l->b, x, y), *zero = elem_const(l, x, 0);
    const Expr *differs = ex_scalar(l->b, SC_NE, ex_lt(l->b, r, zero), ex_lt(l->b, y, zero), NULL);
    const Expr *shifted = ex_select(l->b, differs, ex_add(l->b, r, y), r);
    return ex_select(l->b, ex_eq(l->b, r, zero), math_copysign(l->b, zero, y), shifted);
}

const Expr *elem_mod(Lower *l, const Node *n, const Expr *const *x) {
    bool truncates = node_int(n, "fmod"), is_float = dtype_is_float(x[0]->type);
    if (truncates) return is_float ? math_fmod(l->b, x[0], x[1]) : elem_int_rem(l, x[0], x[1]);
    return is_float ? floor_mod_float(l, x[0], x[1]) : floor_mod(l, x[0], x[1]);
}

/* MIN and MAX give their second argument when one is NaN: only a NaN in the first needs a test. */
static const Expr *extreme(Lower *l, ScalarOp op, const Expr *x, const Expr *y) {
    if (x->kind == EX_CONST && y->kind != EX_CONST) {
        const Expr *t = x;
        x = y;
        y = t;
    }
    const Expr *m = ex_scalar(l->b, op, y, x, NULL);
    if (!dtype_is_float(x->type) || (y->kind == EX_CONST && y->value.f == y->value.f)) return m;
    return ex_select(l->b, elem_is_nan(l, y), y, m);
}

const Expr *elem_larger(Lower *l, const Expr *x, const Expr *y) { return extreme(l, SC_MAX, x, y); }
const Expr *elem_smaller(Lower *l, const Expr *x, const Expr *y) {
    return extreme(l, SC_MIN, x, y);
}

const Expr *elem_max(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *y = x[0];
    for (int k = 1; k < n->n_inputs; k++) y = elem_larger(l, y, x[k]);
    return y;
}

const Expr *elem_min(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *y = x[0];
    for (int k = 1; k < n->n_inputs; k++) y = elem_smaller(l, y, x[k]);
    return y;
}

const Expr *elem_sum(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *y = x[0];
    for (int k = 1; k < n->n_inputs; k++) y = ex_add(l->b, y, x[k]);
    return y;
}

const Expr *elem_mean(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *sum = elem_sum(l, n, x);
    return ex_div(l->b, sum, elem_const(l, sum, n->n_inputs));
}

/* Where min > max the result is max. */
const Expr *elem_clip(Lower *l, const Node *n, const Expr *const *x) {
    const Expr *y = x[0];
    if (node_has_input(n, 1)) y = elem_larger(l, y, x[1]);
    if (node_has_input(n, 2)) y = elem_smaller(l, y, x[2]);
    return y;
}

const Expr *elem_relu(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return elem_larger(l, x[0], elem_const(l, x[0], 0));
}

const Expr *elem_abs(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    if (dtypes[x[0]->type].kind == DK_UNSIGNED) return x[0];
    return ex_scalar(l->b, SC_ABS, x[0], NULL, NULL);
}

const Expr *elem_neg(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_neg(l->b, x[0]);
}

const Expr *elem_sign(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    const Expr *zero = elem_const(l, x[0], 0), *one = elem_const(l, x[0], 1);
    const Expr *positive = ex_lt(l->b, zero, x[0]);
    if (dtypes[x[0]->type].kind == DK_UNSIGNED) return ex_select(l->b, positive, one, zero);
    const Expr *rest = zero;
    if (dtype_is_float(x[0]->type)) rest = ex_select(l->b, elem_is_nan(l, x[0]), x[0], zero);
    rest = ex_select(l->b, ex_lt(l->b, x[0], zero), elem_const(l, x[0], -1), rest);
    return ex_select(l->b, positive, one, rest);
}

const Expr *elem_equal(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_eq(l->b, x[0], x[1]);
}

const Expr *elem_less(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_lt(l->b, x[0], x[1]);
}

const Expr *elem_less_or_equal(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_le(l->b, x[0], x[1]);
}

const Expr *elem_greater(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_lt(l->b, x[1], x[0]);
}

const Expr *elem_greater_or_equal(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_le(l->b, x[1], x[0]);
}

const Expr *elem_and(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_and(l->b, x[0], x[1]);
}

const Expr *elem_or(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_or(l->b, x[0], x[1]);
}

const Expr *elem_xor(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_scalar(l->b, SC_XOR, x[0], x[1], NULL);
}

const Expr *elem_not(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_not(l->b, x[0]);
}

/* A count outside 0..bits - 1 shifts everything out: what is left is 0, or the sign of a number
 * shifted right. */
const Expr *elem_bit_shift(Lower *l, const Node *n, const Expr *const *x) {
    DType t = x[0]->type;
    int bits = 8 * dtypes[t].bytes;
    bool left = !strcmp(node_string(n, "direction"), "LEFT");
    const Expr *zero = ex_int(l->b, t, 0), *last = ex_int(l->b, t, bits - 1);
    const Expr *in_range = ex_le(l->b, x[1], last);
    if (is_signed(t)) in_range = ex_and(l->b, in_range, ex_le(l->b, zero, x[1]));
    const Expr *count = ex_select(l->b, in_range, x[1], zero);
    const Expr *y = ex_scalar(l->b, left ? SC_SHL : SC_SHR, x[0], count, NULL);
    const Expr *out = left || !is_signed(t) ? zero : ex_scalar(l->b, SC_SHR, x[0], last, NULL);
    return ex_select(l->b, in_range, y, out);
}

const Expr *elem_where(Lower *l, const Node *n, const Expr *const *x) {
    (void)n;
    return ex_select(l->b, x[0], x[1], x[2]);
}
