/* maths_exp.c - exponentials and what is made of them.
 *
 * exp(x) = 2^k exp(r) with x = k ln 2 + r, |r| <= ln(2)/2; exp(r) = 1 + r + r^2 q(r).  ln 2 is
 * split so that k times its upper part is exact.  Bounds in ulp are those of tests/unit/maths.c. */
#include "maths_build.h"

#include <math.h>

static const double exp_f32[] = {0x1.fffffcp-2, 0x1.55549p-3, 0x1.5558a0p-5, 0x1.123ac8p-7,
                                 0x1.6a600ap-10};
static const double exp_f64[] = {
    0x1.000000000000ap-1,  0x1.5555555555503p-3,  0x1.555555555068dp-5,  0x1.11111111258eap-7,
    0x1.6c16c184875c9p-10, 0x1.a01a0135ca3c1p-13, 0x1.a019992716bfcp-16, 0x1.71df0c423ace7p-19,
    0x1.28ae38d2316ebp-22, 0x1.ada6b035dc31cp-26};
/* For exp(r) - 1: the relative error near 0 matters. */
static const double expm1_f64[] = {0x1p-1,
                                   0x1.5555555555559p-3,
                                   0x1.5555555555557p-5,
                                   0x1.111111110f642p-7,
                                   0x1.6c16c16c156c6p-10,
                                   0x1.a01a01b00fcc5p-13,
                                   0x1.a01a01ab776ddp-16,
                                   0x1.71ddf7e787d81p-19,
                                   0x1.27e4d02d1698dp-22,
                                   0x1.af5f7dfc34dp-26,
                                   0x1.1f85dbdbe8fefp-29};

static const double log2_e = 0x1.71547652b82fep+0;
static const double ln2[2][2] = {{0x1.62e4p-1, 0x1.7f7d1cf79abcap-20},
                                 {0x1.62e42fee00000p-1, 0x1.a39ef35793c76p-33}};
static const double ln2_pair[2] = {0x1.62e42fefa39efp-1, 0x1.abc9e3b39803fp-56};

/* low < x < high, NaN kept. */
static const Expr *clamp(Builder *b, const Expr *x, double low, double high) {
    return ex_max(b, num(b, x, low), ex_min(b, num(b, x, high), x));
}

/* exp(r) - 1 */
static const Expr *exp_tail(Builder *b, Pair r) {
    const Expr *q = r.hi->type == DT_F32 ? POLY(b, r.hi, exp_f32) : POLY(b, r.hi, exp_f64);
    const Expr *curve = ex_mul(b, ex_mul(b, r.hi, r.hi), q);
    return ex_add(b, r.hi, ex_add(b, curve, r.lo));
}

static Pair reduce(Builder *b, const Expr *x, Rounded *k) {
    const double *c = ln2[x->type == DT_F64];
    *k = round_product(b, x, log2_e);
    const Expr *rest = ex_sub(b, x, ex_mul(b, k->number, num(b, x, c[0])));
    return pair_sum_ordered(b, rest, ex_mul(b, k->number, num(b, x, -c[1])));
}

const Expr *exp_scaled(Builder *b, const Expr *x, int shift) {
    Rounded k;
    bool narrow = x->type == DT_F32;
    const Expr *bounded = narrow ? clamp(b, x, -104.5, 90) : clamp(b, x, -746.5, 712);
    Pair r = reduce(b, bounded, &k);
    const Expr *e = ex_add(b, num(b, x, 1), exp_tail(b, r));
    return scale_by_power(b, e, ex_add(b, k.integer, bits_int(b, x, shift)));
}

/* f32: 0.9 ulp, f64: 0.9 ulp */
const Expr *math_exp(Builder *b, const Expr *x) { return exp_scaled(b, x, 0); }

const Expr *exp_pair(Builder *b, Pair x) {
    Rounded k;
    const Expr *bounded = clamp(b, x.hi, -746.5, 712);
    Pair r = reduce(b, bounded, &k);
    const Expr *lo = ex_select(b, ex_eq(b, bounded, x.hi), x.lo, num(b, x.hi, 0));
    r = pair_sum_ordered(b, r.hi, ex_add(b, r.lo, lo));
    return scale_by_power(b, ex_add(b, num(b, x.hi, 1), exp_tail(b, r)), k.integer);
}

/* f32: 0.9 ulp, f64: 0.9 ulp.  r = x - k is exact. */
const Expr *math_exp2(Builder *b, const Expr *x) {
    bool narrow = x->type == DT_F32;
    const Expr *bounded = narrow ? clamp(b, x, -151, 129) : clamp(b, x, -1076, 1025);
    Rounded k = round_product(b, bounded, 1);
    const Expr *rest = ex_sub(b, bounded, k.number);
    Pair r = pair_product(b, rest, num(b, x, ln2_pair[0]));
    double low = narrow ? ln2_pair[0] - (double)(float)ln2_pair[0] : ln2_pair[1];
    r.lo = ex_fma(b, rest, num(b, x, low), r.lo);
    return scale_by_power(b, ex_add(b, num(b, x, 1), exp_tail(b, r)), k.integer);
}

/* exp(x) - 1 = 2 ((2^(k-1) - 1/2) + 2^(k-1) p) with p = exp(r) - 1; f64 only. */
static Pair expm1_pair(Builder *b, const Expr *x) {
    Rounded k;
    const Expr *bounded = clamp(b, x, -64, 710);
    Pair r = reduce(b, bounded, &k);
    const Expr *curve = ex_mul(b, ex_mul(b, r.hi, r.hi), POLY(b, r.hi, expm1_f64));
    Pair p = pair_sum_ordered(b, r.hi, ex_add(b, curve, ex_fma(b, r.hi, r.lo, r.lo)));
    const Expr *t = power_of_two(b, x, ex_sub(b, k.integer, bits_int(b, x, 1)));
    Pair s = pair_sum(b, ex_sub(b, t, num(b, x, 0.5)), ex_mul(b, t, p.hi));
    s = pair_sum_ordered(b, s.hi, ex_fma(b, t, p.lo, s.lo));
    const Expr *two = num(b, x, 2);
    return (Pair){ex_mul(b, two, s.hi), ex_mul(b, two, s.lo)};
}

static const Expr *tiny_or(Builder *b, const Expr *x, const Expr *r) {
    return ex_select(b, is_less(b, ex_scalar(b, SC_ABS, x, NULL, NULL), 0x1p-54), x, r);
}

/* f32: 0.51 ulp, f64: 1 ulp */
const Expr *math_expm1(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_expm1);
    return tiny_or(b, x, expm1_pair(b, x).hi);
}

/* 1 / (1 + exp(-x)), with the exponential of a negative number on both sides, so that neither
 * overflows: e / (1 + e) below 0.  What 1 + e loses is put back.  f32: 2 ulp, f64: 2 ulp */
const Expr *math_sigmoid(Builder *b, const Expr *x) {
    const Expr *one = num(b, x, 1), *negative = is_less(b, x, 0);
    const Expr *e = math_exp(b, ex_neg(b, ex_scalar(b, SC_ABS, x, NULL, NULL)));
    Pair below = pair_sum_ordered(b, one, e);
    const Expr *q = ex_div(b, ex_select(b, negative, e, one), below.hi);
    const Expr *inverse = ex_select(b, negative, ex_sub(b, one, q), q);
    return ex_fma(b, ex_neg(b, ex_mul(b, q, below.lo)), inverse, q);
}

static const double tanh_f32[] = {-0x1.555554p-2, 0x1.11107cp-3,  -0x1.b9f21ep-5,
                                  0x1.63acecp-6,  -0x1.0c882ap-7, 0x1.1ac8d2p-9};

/* A polynomial below 0.625, above it 1 - 2 / (exp(2 x) + 1). */
static const Expr *tanh_f32_formula(Builder *b, const Expr *x) {
    const Expr *a = ex_min(b, num(b, x, 10), ex_scalar(b, SC_ABS, x, NULL, NULL));
    const Expr *z = ex_mul(b, x, x);
    const Expr *small = ex_fma(b, ex_mul(b, a, z), POLY(b, z, tanh_f32), a);
    const Expr *e = math_exp(b, ex_add(b, a, a));
    const Expr *one = num(b, x, 1);
    const Expr *large = ex_sub(b, one, ex_div(b, num(b, x, 2), ex_add(b, e, one)));
    return math_copysign(b, ex_select(b, is_less(b, a, 0.625), small, large), x);
}

/* f32: 1.5 ulp, f64: 1 ulp: m / (m + 2) with m = exp(2 |x|) - 1 */
const Expr *math_tanh(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return tanh_f32_formula(b, x);
    const Expr *a = ex_min(b, num(b, x, 22), ex_scalar(b, SC_ABS, x, NULL, NULL));
    Pair m = expm1_pair(b, ex_add(b, a, a));
    Pair below = pair_sum(b, m.hi, num(b, x, 2));
    below.lo = ex_add(b, below.lo, m.lo);
    return tiny_or(b, x, math_copysign(b, pair_value(b, pair_quotient(b, m, below)), x));
}

/* f32: 0.51 ulp, f64: 1.5 ulp.  m = exp(|x|) - 1: (m + m / (m + 1)) / 2; far out exp(|x|) / 2. */
const Expr *math_sinh(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_sinh);
    const Expr *a = ex_scalar(b, SC_ABS, x, NULL, NULL);
    Pair m = expm1_pair(b, ex_min(b, num(b, x, 40), a));
    const Expr *q = ex_div(b, m.hi, ex_add(b, m.hi, num(b, x, 1)));
    Pair sum = pair_sum(b, m.hi, q);
    const Expr *near = half(b, ex_add(b, sum.hi, ex_add(b, sum.lo, m.lo)));
    const Expr *r = ex_select(b, is_less(b, a, 40), near, exp_scaled(b, a, -1));
    return tiny_or(b, x, math_copysign(b, r, x));
}

/* f32: 0.51 ulp, f64: 1.5 ulp */
const Expr *math_cosh(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_cosh);
    const Expr *e = exp_scaled(b, ex_scalar(b, SC_ABS, x, NULL, NULL), -1);
    return ex_add(b, e, ex_div(b, num(b, x, 0.25), e));
}
