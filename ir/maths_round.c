/* maths_round.c - rounding to integers, signs and classes of floats, remainders: all exact. */
#include "maths_build.h"

#include <math.h>

static const Expr *sign_mask(Builder *b, const Expr *x) {
    return bits_int(b, x, x->type == DT_F32 ? INT32_MIN : INT64_MIN);
}

const Expr *math_copysign(Builder *b, const Expr *x, const Expr *sign) {
    const Expr *mask = sign_mask(b, x);
    const Expr *magnitude = ex_and(b, bits_of(b, x), ex_not(b, mask));
    return ex_bitcast(b, x->type, ex_or(b, magnitude, ex_and(b, bits_of(b, sign), mask)));
}

const Expr *math_is_nan(Builder *b, const Expr *x) { return ex_scalar(b, SC_NE, x, x, NULL); }

const Expr *math_is_inf(Builder *b, const Expr *x, bool positive, bool negative) {
    const Expr *r = ex_bool(b, false);
    if (positive) r = ex_or(b, r, ex_eq(b, x, num(b, x, INFINITY)));
    if (negative) r = ex_or(b, r, ex_eq(b, x, num(b, x, -INFINITY)));
    return r;
}

/* Adding and subtracting 2^digits leaves a magnitude's integer, half to even; r(|x|) for what is
 * below, with x's sign. */
static const Expr *rounded(Builder *b, const Expr *x, const Expr **magnitude) {
    const Expr *a = ex_scalar(b, SC_ABS, x, NULL, NULL);
    const Expr *shift = num(b, x, ldexp(1, format_of(x)->digits));
    *magnitude = a;
    return ex_sub(b, ex_add(b, a, shift), shift);
}

static const Expr *unless_large(Builder *b, const Expr *x, const Expr *r) {
    const Expr *a = ex_scalar(b, SC_ABS, x, NULL, NULL);
    const Expr *small = is_less(b, a, ldexp(1, format_of(x)->digits));
    return ex_select(b, small, math_copysign(b, r, x), x);
}

const Expr *math_round(Builder *b, const Expr *x) {
    const Expr *a;
    return unless_large(b, x, rounded(b, x, &a));
}

const Expr *math_trunc(Builder *b, const Expr *x) {
    const Expr *a, *r = rounded(b, x, &a);
    r = ex_select(b, ex_lt(b, a, r), ex_sub(b, r, num(b, x, 1)), r);
    return unless_large(b, x, r);
}

const Expr *math_floor(Builder *b, const Expr *x) {
    const Expr *r = math_round(b, x);
    return unless_large(b, x, ex_select(b, ex_lt(b, x, r), ex_sub(b, r, num(b, x, 1)), r));
}

const Expr *math_ceil(Builder *b, const Expr *x) {
    const Expr *r = math_round(b, x);
    return unless_large(b, x, ex_select(b, ex_lt(b, r, x), ex_add(b, r, num(b, x, 1)), r));
}

const Expr *math_sqrt(Builder *b, const Expr *x) { return ex_scalar(b, SC_SQRT, x, NULL, NULL); }

/* Long division, `step` bits of the quotient at a time from 2^(top + step): r stays below y * 2^s.
 * All is exact: r and y * 2^s are multiples of the last place of the latter.  A quotient rounded up
 * shows as r < 0. */
static const Expr *remainder_step(Builder *b, const Expr *r, const Expr *y, int s) {
    const Expr *scaled = ex_mul(b, y, num(b, y, ldexp(1, s / 2)));
    scaled = ex_mul(b, scaled, num(b, y, ldexp(1, s - s / 2)));
    const Expr *q = math_trunc(b, ex_div(b, r, scaled));
    Pair p = pair_product(b, q, scaled);
    const Expr *rest = ex_sub(b, ex_sub(b, r, p.hi), p.lo);
    rest = ex_select(b, is_less(b, rest, 0), ex_add(b, rest, scaled), rest);
    return ex_select(b, ex_lt(b, r, scaled), r, rest);
}

const Expr *math_fmod(Builder *b, const Expr *x, const Expr *y) {
    if (x->type == DT_F32) {
        const Expr *r = math_fmod(b, ex_cast(b, DT_F64, x), ex_cast(b, DT_F64, y));
        return ex_cast(b, DT_F32, r);
    }
    bool narrow = x->kind == EX_CAST && x->args[0]->type == DT_F32;
    int step = narrow ? 28 : 51, top = narrow ? 252 : 2091;
    const Expr *r = ex_scalar(b, SC_ABS, x, NULL, NULL), *d = ex_scalar(b, SC_ABS, y, NULL, NULL);
    const Expr *whole = r;
    for (int s = top; s >= 0; s -= step) r = remainder_step(b, r, d, s);
    const Expr *nan = num(b, x, NAN);
    r = ex_select(b, ex_lt(b, num(b, x, 0), d), r, nan);
    r = ex_select(b, is_less(b, whole, INFINITY), r, nan);
    r = ex_select(b, ex_eq(b, d, num(b, x, INFINITY)),
                  ex_select(b, is_less(b, whole, INFINITY), whole, nan), r);
    return math_copysign(b, r, x);
}
