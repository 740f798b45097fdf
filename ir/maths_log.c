/* maths_log.c - logarithms, what is made of them, and powers.
 *
 * x = 2^k m with m from sqrt(1/2) to sqrt(2), f = m - 1; log(x) = k ln 2 + log(1 + f).  f32 has a
 * polynomial in f, f64 one in s = f / (2 + f): log(1 + f) = f - (f^2/2 - s (f^2/2 + R)), R = s^2
 * p(s^2). */
#include "maths_build.h"

#include <math.h>

static const double log_f32[] = {0x1.555548p-2,  -0x1.000008p-2, 0x1.99a47ap-3,
                                 -0x1.555b88p-3, 0x1.233abap-3,  -0x1.fc3ef4p-4,
                                 0x1.e6e1fep-4,  -0x1.dd9504p-4, 0x1.13ac2ap-4};
static const double log_f64[] = {0x1.5555555555593p-1, 0x1.999999997fa55p-2, 0x1.24924942211a5p-2,
                                 0x1.c71c51e1d43eap-3, 0x1.7466473368bb8p-3, 0x1.39a0df00bdf7fp-3,
                                 0x1.2f0e4986f2e50p-3};
/* Behind 2/3, which is kept as a pair. */
static const double log_pair_f64[] = {
    0x1.999999999999ap-2, 0x1.2492492492364p-2, 0x1.c71c71c747a6ep-3,
    0x1.745d172bff00ep-3, 0x1.3b13ba440e0e3p-3, 0x1.110f217bb0620p-3,
    0x1.e264166b72c17p-4, 0x1.a522948ceceaap-4, 0x1.ebe00bf20df8cp-4};

static const double ln2[2][2] = {{0x1.62e4p-1, 0x1.7f7d1cf79abcap-20},
                                 {0x1.62e42fee00000p-1, 0x1.a39ef35793c76p-33}};

typedef struct Parts {
    const Expr *k, *f;
} Parts;

/* Of positive x; subnormal ones are scaled up first. */
static Parts parts_of(Builder *b, const Expr *x) {
    const Format *t = format_of(x);
    bool narrow = x->type == DT_F32;
    int64_t root = narrow ? INT64_C(0x3f3504f3) : INT64_C(0x3fe6a09e667f3bcd);
    const Expr *tiny = is_less(b, x, t->smallest);
    const Expr *normal = ex_select(b, tiny, ex_mul(b, x, num(b, x, ldexp(1, t->digits + 1))), x);
    const Expr *bits = ex_sub(b, bits_of(b, normal), bits_int(b, x, root));
    const Expr *k = ex_scalar(b, SC_SHR, bits, bits_int(b, x, t->digits), NULL);
    const Expr *low = ex_and(b, bits, bits_int(b, x, (INT64_C(1) << t->digits) - 1));
    const Expr *m = ex_bitcast(b, x->type, ex_add(b, low, bits_int(b, x, root)));
    const Expr *shift = ex_select(b, tiny, bits_int(b, x, t->digits + 1), bits_int(b, x, 0));
    return (Parts){ex_cast(b, x->type, ex_sub(b, k, shift)), ex_sub(b, m, num(b, x, 1))};
}

/* log(x) for 0 < x < infinity, plus `extra`, which is small */
static const Expr *log_positive(Builder *b, const Expr *x, const Expr *extra) {
    Parts p = parts_of(b, x);
    const double *c = ln2[x->type == DT_F64];
    const Expr *square = half(b, ex_mul(b, p.f, p.f)), *curve;
    if (x->type == DT_F32) {
        const Expr *q = POLY(b, p.f, log_f32);
        curve = ex_fma(b, ex_mul(b, ex_mul(b, p.f, p.f), p.f), q, ex_neg(b, square));
    } else {
        const Expr *s = ex_div(b, p.f, ex_add(b, num(b, x, 2), p.f)), *z = ex_mul(b, s, s);
        const Expr *r = ex_mul(b, z, POLY(b, z, log_f64));
        curve = ex_fma(b, s, ex_add(b, square, r), ex_neg(b, square));
    }
    Pair sum = pair_sum_ordered(b, ex_mul(b, p.k, num(b, x, c[0])), p.f);
    const Expr *low = ex_fma(b, p.k, num(b, x, c[1]), sum.lo);
    if (extra) low = ex_add(b, low, extra);
    return ex_add(b, sum.hi, ex_add(b, low, curve));
}

/* r for positive finite x, and what IEEE 754 says for the others. */
static const Expr *log_cases(Builder *b, const Expr *x, const Expr *r, double pole) {
    const Expr *inside = ex_lt(b, num(b, x, pole), x);
    const Expr *beyond = ex_select(b, is_less(b, x, pole), num(b, x, NAN), x);
    const Expr *at = ex_select(b, ex_eq(b, x, num(b, x, pole)), num(b, x, -INFINITY), beyond);
    return ex_select(b, inside, ex_select(b, is_less(b, x, INFINITY), r, x), at);
}

/* f32: 0.9 ulp, f64: 0.9 ulp */
const Expr *math_log(Builder *b, const Expr *x) {
    return log_cases(b, x, log_positive(b, x, NULL), 0);
}

/* log(1 + x): the rounding error of 1 + x, over 1 + x, is what to add. */
static const Expr *log1p_of(Builder *b, Pair x) {
    Pair u = pair_sum(b, x.hi, num(b, x.hi, 1));
    return log_positive(b, u.hi, ex_div(b, ex_add(b, u.lo, x.lo), u.hi));
}

static const Expr *tiny_or(Builder *b, const Expr *x, const Expr *r) {
    return ex_select(b, is_less(b, ex_scalar(b, SC_ABS, x, NULL, NULL), 0x1p-54), x, r);
}

/* f32: 0.51 ulp, f64: 1 ulp */
const Expr *math_log1p(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_log1p);
    const Expr *r = log1p_of(b, (Pair){x, num(b, x, 0)});
    return tiny_or(b, x, log_cases(b, x, r, -1));
}

/* f32: 0.51 ulp, f64: 1.5 ulp.  log(1 + (a + a^2 / (1 + sqrt(1 + a^2)))); far out log(a) +
 * log(2). */
const Expr *math_asinh(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_asinh);
    const Expr *one = num(b, x, 1), *a = ex_scalar(b, SC_ABS, x, NULL, NULL);
    const Expr *bounded = ex_min(b, num(b, x, 0x1p28), a);
    const Expr *square = ex_mul(b, bounded, bounded);
    const Expr *root = math_sqrt(b, ex_add(b, one, square));
    Pair y = pair_sum_ordered(b, bounded, ex_div(b, square, ex_add(b, one, root)));
    const Expr *large = ex_add(b, math_log(b, a), num(b, x, 0x1.62e42fefa39efp-1));
    const Expr *r = ex_select(b, is_less(b, a, 0x1p28), log1p_of(b, y), large);
    return tiny_or(b, x, math_copysign(b, r, x));
}

/* f32: 0.51 ulp, f64: 1.9 ulp.  log(1 + (t + sqrt(2 t + t^2))), t = x - 1. */
const Expr *math_acosh(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_acosh);
    const Expr *bounded = ex_min(b, num(b, x, 0x1p28), x);
    const Expr *t = ex_sub(b, bounded, num(b, x, 1));
    const Expr *root = math_sqrt(b, ex_fma(b, t, t, ex_add(b, t, t)));
    Pair y = pair_sum(b, t, root);
    const Expr *large = ex_add(b, math_log(b, x), num(b, x, 0x1.62e42fefa39efp-1));
    const Expr *r = ex_select(b, is_less(b, x, 0x1p28), log1p_of(b, y), large);
    return ex_select(b, is_less(b, x, 1), num(b, x, NAN), r);
}

/* f32: 0.51 ulp, f64: 1.2 ulp.  log(1 + 2 a / (1 - a)) / 2 */
const Expr *math_atanh(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_atanh);
    const Expr *zero = num(b, x, 0), *one = num(b, x, 1), *a = ex_scalar(b, SC_ABS, x, NULL, NULL);
    Pair above = {ex_add(b, a, a), zero}, below = pair_sum_ordered(b, one, ex_neg(b, a));
    const Expr *r = half(b, log1p_of(b, pair_quotient(b, above, below)));
    const Expr *at = ex_select(b, ex_eq(b, a, one), num(b, x, INFINITY), num(b, x, NAN));
    r = ex_select(b, ex_lt(b, a, one), r, at);
    return tiny_or(b, x, math_copysign(b, r, x));
}

/* log(x), positive finite x, f64, to about 66 digits. */
static Pair log_pair(Builder *b, const Expr *x) {
    Parts p = parts_of(b, x);
    const Expr *zero = num(b, x, 0);
    Pair s = pair_quotient(b, (Pair){p.f, zero}, pair_sum_ordered(b, num(b, x, 2), p.f));
    Pair z = pair_mul(b, s, s);
    Pair cubic = pair_mul(
        b, s, pair_mul(b, z, pair_const(b, x, 0x1.5555555555555p-1, 0x1.5555555555555p-55)));
    const Expr *rest =
        ex_mul(b, ex_mul(b, s.hi, ex_mul(b, z.hi, z.hi)), POLY(b, z.hi, log_pair_f64));
    Pair sum = pair_sum_ordered(b, ex_mul(b, p.k, num(b, x, ln2[1][0])),
                                ex_mul(b, p.k, num(b, x, ln2[1][1])));
    sum = pair_add(b, sum, (Pair){ex_add(b, s.hi, s.hi), ex_add(b, s.lo, s.lo)});
    return pair_add(b, sum, (Pair){cubic.hi, ex_add(b, cubic.lo, rest)});
}

/* |x|^|y|, y of either sign; f32 had its arguments widened and needs no pairs. */
static const Expr *power_of_magnitude(Builder *b, const Expr *a, const Expr *y, bool narrow) {
    const Expr *bounded = ex_max(b, num(b, a, -0x1p66), ex_min(b, num(b, a, 0x1p66), y));
    if (narrow) return math_exp(b, ex_mul(b, bounded, log_positive(b, a, NULL)));
    Pair l = log_pair(b, a), p = pair_product(b, bounded, l.hi);
    return exp_pair(b, pair_sum_ordered(b, p.hi, ex_fma(b, bounded, l.lo, p.lo)));
}

static const Expr *pow_double(Builder *b, const Expr *x, const Expr *y, bool narrow) {
    const Expr *zero = num(b, x, 0), *one = num(b, x, 1), *inf = num(b, x, INFINITY);
    const Expr *a = ex_scalar(b, SC_ABS, x, NULL, NULL);
    const Expr *rising = ex_lt(b, zero, y);
    const Expr *r = power_of_magnitude(b, a, y, narrow);
    r = ex_select(b, ex_eq(b, a, zero), ex_select(b, rising, zero, inf), r);
    r = ex_select(b, ex_eq(b, a, inf), ex_select(b, rising, inf, zero), r);
    const Expr *half_y = half(b, y);
    const Expr *whole = ex_eq(b, math_trunc(b, y), y);
    const Expr *odd = ex_and(b, whole, ex_scalar(b, SC_NE, math_trunc(b, half_y), half_y, NULL));
    const Expr *negative = ex_lt(b, bits_of(b, x), bits_int(b, x, 0));
    const Expr *no_root = ex_and(b, ex_lt(b, zero, a), ex_and(b, negative, ex_not(b, whole)));
    r = ex_select(b, ex_and(b, no_root, ex_lt(b, a, inf)), num(b, x, NAN), r);
    r = ex_select(b, ex_and(b, negative, odd), ex_neg(b, r), r);
    r = ex_select(b, ex_or(b, math_is_nan(b, x), math_is_nan(b, y)), num(b, x, NAN), r);
    return ex_select(b, ex_or(b, ex_eq(b, y, zero), ex_eq(b, x, one)), one, r);
}

/* f32: 0.51 ulp, f64: 1.2 ulp.  The cases of C's pow. */
const Expr *math_pow(Builder *b, const Expr *x, const Expr *y) {
    if (x->type == DT_F64) return pow_double(b, x, y, false);
    const Expr *r = pow_double(b, ex_cast(b, DT_F64, x), ex_cast(b, DT_F64, y), true);
    return ex_cast(b, DT_F32, r);
}
