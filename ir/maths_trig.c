/* maths_trig.c - circular functions and their inverses; f32 is computed in f64.
 *
 * x = n pi/2 + r with r as a pair, |r| <= pi/4.  Up to 2^20 n times the parts of pi/2 is exact;
 * beyond, the bits of 2/pi that matter are multiplied with the mantissa as integers, so that the
 * argument may be of any size. */
#include "maths_build.h"

#include <math.h>
#include <string.h>

static const double sin_f64[] = {-0x1.5555555555549p-3,  0x1.111111110f8a5p-7,
                                 -0x1.a01a019c15deep-13, 0x1.71de357ad589fp-19,
                                 -0x1.ae5e685b4836ep-26, 0x1.5d938daf74eebp-33};
static const double cos_f64[] = {0x1.555555555554cp-5,  -0x1.6c16c16c15220p-10,
                                 0x1.a01a019cbf7eep-16, -0x1.27e4f812c69edp-22,
                                 0x1.1ee9f158bdcd7p-29, -0x1.8fb1314668317p-37};
static const double atan_f64[] = {
    -0x1.5555555555554p-2, 0x1.99999999995a0p-3, -0x1.2492492470e08p-3, 0x1.c71c71b5567f7p-4,
    -0x1.745d147ac3125p-4, 0x1.3b136925f5fbbp-4, -0x1.110c2eeef2937p-4, 0x1.e16d372d5a092p-5,
    -0x1.ab60ea8edcc1cp-5, 0x1.7080bc89e5858p-5, -0x1.114a80305067bp-5, 0x1.ee5ba9b5c086dp-7};
static const double asin_f64[] = {0x1.5555555555578p-3, 0x1.333333332df42p-4, 0x1.6db6db7227ef6p-5,
                                  0x1.f1c71a8d4a872p-6, 0x1.6e8bdfaf022d2p-6, 0x1.1c49e25f22ab4p-6,
                                  0x1.ca20d25c9ef68p-7, 0x1.757b722d0cea9p-7, 0x1.6173a774e627ap-7,
                                  0x1.e2c8be158123dp-9, 0x1.648e2e13d4e7dp-6, -0x1.594c7ff113499p-6,
                                  0x1.0bad74c50b838p-5};

/* pi/2 in parts of 33 bits, and the rest */
static const double half_pi[] = {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2e0p-69,
                                 0x1.b839a252049c1p-104};
static const double half_pi_pair[] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54};
static const double two_over_pi_double = 0x1.45f306dc9c883p-1;

/* 2/pi in words of 32 bits, behind 64 bits of zeros. */
static const int64_t two_over_pi[] = {
    0,          0,          0xa2f9836e, 0x4e441529, 0xfc2757d1, 0xf534ddc0, 0xdb629599, 0x3c439041,
    0xfe5163ab, 0xdebbc561, 0xb7246e3a, 0x424dd2e0, 0x06492eea, 0x09d1921c, 0xfe1deb1c, 0xb129a73e,
    0xe88235f5, 0x2ebb4484, 0xe99c7026, 0xb45f7e41, 0x3991d639, 0x835339f4, 0x9c845f8b, 0xbdf9283b,
    0x1ff897ff, 0xde05980f, 0xef2f118b, 0x5a0a6d1f, 0x6d367ecf, 0x27cb09b7, 0x4f463f66, 0x9e5fea2d,
    0x7527bac7, 0xebe5f17b, 0x3d0739f7, 0x8a5292ea, 0x6bfb5fb1, 0x1f8d5d08, 0x56033046, 0xfc7b6bab,
    0xf0cfbc20, 0x9af4361d, 0xa9e39161, 0x5ee61b08};
enum { N_WORDS = sizeof two_over_pi / sizeof two_over_pi[0], WINDOW = 6 };

/* The program's copy of the words, made at its first use. */
static const Buffer *words_buffer(Builder *b) {
    Program *p = builder_program(b);
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *old = p->buffers.at[i];
        if (old->kind == BUF_CONST && old->type == DT_I64 && old->count == N_WORDS && old->data &&
            !memcmp(old->data->data, two_over_pi, sizeof two_over_pi))
            return old;
    }
    Buffer *buffer = program_add_buffer(p, "two_over_pi", DT_I64, N_WORDS, BUF_CONST);
    buffer->data = tensor_from_ints(p->unit->arena, two_over_pi, N_WORDS);
    return buffer;
}

static const Expr *whole(Builder *b, int64_t i) { return ex_int(b, DT_I64, i); }
static const Expr *upper(Builder *b, const Expr *x) {
    const Expr *u = ex_cast(b, DT_U64, x);
    return ex_cast(b, DT_I64, ex_scalar(b, SC_SHR, u, ex_int(b, DT_U64, 32), NULL));
}
static const Expr *lower(Builder *b, const Expr *x) { return ex_and(b, x, whole(b, 0xffffffff)); }

/* Six words of 2/pi from bit `at`. */
static void window(Builder *b, const Expr *at, const Expr **w) {
    const Expr *first = ex_scalar(b, SC_SHR, at, whole(b, 5), NULL);
    first = ex_min(b, ex_max(b, first, whole(b, 0)), whole(b, N_WORDS - WINDOW - 1));
    const Expr *shift = ex_and(b, at, whole(b, 31)), *next = NULL;
    for (int i = WINDOW; i >= 0; i--) {
        const Expr *word = ex_load(b, words_buffer(b), ex_add(b, first, whole(b, i)));
        if (next) {
            const Expr *two = ex_or(b, ex_scalar(b, SC_SHL, word, whole(b, 32), NULL), next);
            w[i] = upper(b, ex_scalar(b, SC_SHL, two, shift, NULL));
        }
        next = word;
    }
}

/* Digits of mantissa * window modulo 2^192, most significant first. */
static void product_digits(Builder *b, const Expr *mantissa, const Expr *const *w,
                           const Expr **digit) {
    const Expr *low = lower(b, mantissa), *high = upper(b, mantissa), *carry = whole(b, 0);
    for (int i = WINDOW - 1; i >= 0; i--) {
        const Expr *sum = ex_add(b, carry, lower(b, ex_mul(b, low, w[i])));
        if (i + 1 < WINDOW) {
            sum = ex_add(b, sum, upper(b, ex_mul(b, low, w[i + 1])));
            sum = ex_add(b, sum, lower(b, ex_mul(b, high, w[i + 1])));
        }
        if (i + 2 < WINDOW) sum = ex_add(b, sum, upper(b, ex_mul(b, high, w[i + 2])));
        digit[i] = lower(b, sum);
        carry = upper(b, sum);
    }
}

static const Expr *scaled_digit(Builder *b, const Expr *digit, int exponent) {
    return ex_mul(b, ex_cast(b, DT_F64, digit), ex_float(b, DT_F64, ldexp(1, exponent)));
}

typedef struct Reduced {
    Pair r;
    const Expr *quadrant;
} Reduced; /* i64, of which two bits count */

/* a = mantissa * 2^e; bits of 2/pi worth 4 or more with it are left out, and 190 below the point
 * are kept. */
static Reduced reduce_large(Builder *b, const Expr *a) {
    const Expr *bits = bits_of(b, a), *w[WINDOW], *digit[WINDOW];
    const Expr *exponent = ex_scalar(b, SC_SHR, bits, whole(b, 52), NULL);
    const Expr *mantissa = ex_and(b, bits, whole(b, (INT64_C(1) << 52) - 1));
    mantissa = ex_or(b, mantissa, whole(b, INT64_C(1) << 52));
    window(b, ex_add(b, exponent, whole(b, 62 - 1075)), w);
    product_digits(b, mantissa, w, digit);
    const Expr *top = ex_or(b, ex_scalar(b, SC_SHL, digit[0], whole(b, 32), NULL), digit[1]);
    const Expr *rounded = ex_add(b, top, whole(b, INT64_C(1) << 61));
    const Expr *quadrant = ex_scalar(b, SC_SHR, rounded, whole(b, 62), NULL);
    const Expr *fraction = ex_sub(b, top, ex_scalar(b, SC_SHL, quadrant, whole(b, 62), NULL));
    const Expr *signed_high = ex_scalar(b, SC_SHR, fraction, whole(b, 32), NULL);
    Pair sum =
        pair_sum(b, scaled_digit(b, signed_high, -30), scaled_digit(b, lower(b, fraction), -62));
    for (int i = 2; i < WINDOW - 1; i++) {
        Pair s = pair_sum(b, sum.hi, scaled_digit(b, digit[i], -62 - 32 * (i - 1)));
        sum = pair_sum_ordered(b, s.hi, ex_add(b, s.lo, sum.lo));
    }
    Pair r = pair_mul(b, sum, pair_const(b, a, half_pi_pair[0], half_pi_pair[1]));
    return (Reduced){r, quadrant};
}

static Reduced reduce_small(Builder *b, const Expr *a) {
    Rounded n = round_product(b, a, two_over_pi_double);
    Pair r = {ex_sub(b, a, ex_mul(b, n.number, num(b, a, half_pi[0]))), num(b, a, 0)};
    for (int i = 1; i < 4; i++) {
        Pair s = pair_sum(b, r.hi, ex_mul(b, n.number, num(b, a, -half_pi[i])));
        r = pair_sum_ordered(b, s.hi, ex_add(b, s.lo, r.lo));
    }
    return (Reduced){r, n.integer};
}

/* Of |x|, finite. */
static Reduced reduce(Builder *b, const Expr *a) {
    const Expr *near = is_less(b, a, 0x1p20);
    Reduced s = reduce_small(b, ex_select(b, near, a, num(b, a, 0))), l = reduce_large(b, a);
    Pair r = {ex_select(b, near, s.r.hi, l.r.hi), ex_select(b, near, s.r.lo, l.r.lo)};
    return (Reduced){r, ex_select(b, near, s.quadrant, l.quadrant)};
}

/* sin(r) = hi + lo */
static Pair sin_kernel(Builder *b, Pair r) {
    const Expr *z = ex_mul(b, r.hi, r.hi);
    const Expr *cubic = ex_mul(b, ex_mul(b, r.hi, z), POLY(b, z, sin_f64));
    const Expr *slope = ex_sub(b, num(b, z, 1), half(b, z));
    return pair_sum_ordered(b, r.hi, ex_fma(b, r.lo, slope, cubic));
}

static Pair cos_kernel(Builder *b, Pair r) {
    Pair z = pair_product(b, r.hi, r.hi);
    Pair s = pair_sum_ordered(b, num(b, r.hi, 1), ex_neg(b, half(b, z.hi)));
    const Expr *rest = ex_mul(b, ex_mul(b, z.hi, z.hi), POLY(b, z.hi, cos_f64));
    rest = ex_sub(b, rest, ex_fma(b, r.hi, r.lo, half(b, z.lo)));
    return pair_sum_ordered(b, s.hi, ex_add(b, s.lo, rest));
}

static const Expr *bit_set(Builder *b, const Expr *quadrant, int bit) {
    return ex_scalar(b, SC_NE, ex_and(b, quadrant, whole(b, bit)), whole(b, 0), NULL);
}

static const Expr *or_nan(Builder *b, const Expr *x, const Expr *r) {
    const Expr *a = ex_scalar(b, SC_ABS, x, NULL, NULL);
    return ex_select(b, is_less(b, a, INFINITY), r, num(b, x, NAN));
}

static const Expr *sin_shifted(Builder *b, const Expr *a, int quarter) {
    Reduced d = reduce(b, a);
    const Expr *q = ex_add(b, d.quadrant, whole(b, quarter));
    const Expr *r = ex_select(b, bit_set(b, q, 1), cos_kernel(b, d.r).hi, sin_kernel(b, d.r).hi);
    return ex_select(b, bit_set(b, q, 2), ex_neg(b, r), r);
}

static const Expr *tiny_or(Builder *b, const Expr *x, const Expr *r) {
    return ex_select(b, is_less(b, ex_scalar(b, SC_ABS, x, NULL, NULL), 0x1p-27), x, r);
}

static const Expr *with_sign(Builder *b, const Expr *x, const Expr *r) {
    const Expr *negative = ex_lt(b, bits_of(b, x), bits_int(b, x, 0));
    return ex_select(b, negative, ex_neg(b, r), r);
}

/* f32: 0.51 ulp, f64: 0.8 ulp, for every argument */
const Expr *math_sin(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_sin);
    const Expr *r = sin_shifted(b, ex_scalar(b, SC_ABS, x, NULL, NULL), 0);
    return or_nan(b, x, tiny_or(b, x, with_sign(b, x, r)));
}

/* f32: 0.51 ulp, f64: 0.8 ulp, for every argument */
const Expr *math_cos(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_cos);
    return or_nan(b, x, sin_shifted(b, ex_scalar(b, SC_ABS, x, NULL, NULL), 1));
}

/* f32: 0.51 ulp, f64: 1 ulp, for every argument */
const Expr *math_tan(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_tan);
    Reduced d = reduce(b, ex_scalar(b, SC_ABS, x, NULL, NULL));
    Pair s = sin_kernel(b, d.r), c = cos_kernel(b, d.r);
    const Expr *odd = bit_set(b, d.quadrant, 1);
    Pair above = {ex_select(b, odd, ex_neg(b, c.hi), s.hi),
                  ex_select(b, odd, ex_neg(b, c.lo), s.lo)};
    Pair below = {ex_select(b, odd, s.hi, c.hi), ex_select(b, odd, s.lo, c.lo)};
    const Expr *r = pair_value(b, pair_quotient(b, above, below));
    return or_nan(b, x, tiny_or(b, x, with_sign(b, x, r)));
}

/* f32: 0.51 ulp, f64: 0.7 ulp.  |x| up to sqrt(2) - 1, or (a - 1) / (a + 1) around 1, or -1 / a. */
const Expr *math_atan(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_atan);
    const Expr *zero = num(b, x, 0), *one = num(b, x, 1);
    const Expr *a = ex_min(b, num(b, x, 0x1p100), ex_scalar(b, SC_ABS, x, NULL, NULL));
    const Expr *near = is_less(b, a, 0x1.a827999fcef32p-2),
               *middle = is_less(b, a, 0x1.3504f333f9de6p+1);
    Pair less = pair_sum(b, a, num(b, x, -1)), more = pair_sum(b, a, one);
    Pair above = {ex_select(b, near, a, ex_select(b, middle, less.hi, num(b, x, -1))),
                  ex_select(b, near, zero, ex_select(b, middle, less.lo, zero))};
    Pair below = {ex_select(b, near, one, ex_select(b, middle, more.hi, a)),
                  ex_select(b, near, zero, ex_select(b, middle, more.lo, zero))};
    Pair t = pair_quotient(b, above, below);
    const Expr *z = ex_mul(b, t.hi, t.hi);
    const Expr *curve = ex_fma(b, ex_mul(b, t.hi, z), POLY(b, z, atan_f64), t.lo);
    double quarter = half_pi_pair[0] / 2, quarter_low = half_pi_pair[1] / 2;
    const Expr *base =
        ex_select(b, near, zero, ex_select(b, middle, num(b, x, quarter), num(b, x, 2 * quarter)));
    const Expr *low = ex_select(
        b, near, zero, ex_select(b, middle, num(b, x, quarter_low), num(b, x, 2 * quarter_low)));
    Pair s = pair_sum_ordered(b, base, t.hi);
    const Expr *r = ex_add(b, s.hi, ex_add(b, s.lo, ex_add(b, low, curve)));
    return tiny_or(b, x, math_copysign(b, r, x));
}

/* asin(s) = s + s w p(w) with w = s^2 up to 1/4; beyond 1/2 by asin(a) = pi/2 - 2 asin(sqrt((1 - a)
 * / 2)). */
typedef struct Arc {
    const Expr *a, *near, *s, *rest;
} Arc;

static Arc arc_of(Builder *b, const Expr *x) {
    Arc r = {.a = ex_scalar(b, SC_ABS, x, NULL, NULL)};
    r.near = is_less(b, r.a, 0.5);
    const Expr *w =
        ex_select(b, r.near, ex_mul(b, r.a, r.a), half(b, ex_sub(b, num(b, x, 1), r.a)));
    r.s = ex_select(b, r.near, r.a, math_sqrt(b, w));
    r.rest = ex_mul(b, ex_mul(b, r.s, w), POLY(b, w, asin_f64));
    return r;
}

static const Expr *twice(Builder *b, const Expr *x) { return ex_add(b, x, x); }

/* f32: 0.51 ulp, f64: 1.2 ulp */
const Expr *math_asin(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_asin);
    Arc c = arc_of(b, x);
    Pair far = pair_sum_ordered(b, num(b, x, half_pi_pair[0]), ex_neg(b, twice(b, c.s)));
    const Expr *low = ex_add(b, far.lo, ex_sub(b, num(b, x, half_pi_pair[1]), twice(b, c.rest)));
    const Expr *r = ex_select(b, c.near, ex_add(b, c.s, c.rest), ex_add(b, far.hi, low));
    return tiny_or(b, x, math_copysign(b, r, x));
}

/* f32: 0.51 ulp, f64: 1.5 ulp */
const Expr *math_acos(Builder *b, const Expr *x) {
    if (x->type == DT_F32) return in_double(b, x, math_acos);
    Arc c = arc_of(b, x);
    const Expr *negative = is_less(b, x, 0);
    const Expr *s = ex_select(b, negative, ex_neg(b, c.s), c.s),
               *rest = ex_select(b, negative, ex_neg(b, c.rest), c.rest);
    Pair middle = pair_sum_ordered(b, num(b, x, half_pi_pair[0]), ex_neg(b, s));
    const Expr *low = ex_add(b, middle.lo, ex_sub(b, num(b, x, half_pi_pair[1]), rest));
    Pair around = pair_sum_ordered(b, num(b, x, 2 * half_pi_pair[0]), twice(b, s));
    const Expr *around_low =
        ex_add(b, around.lo, ex_add(b, num(b, x, 2 * half_pi_pair[1]), twice(b, rest)));
    const Expr *far =
        ex_select(b, negative, ex_add(b, around.hi, around_low), twice(b, ex_add(b, s, rest)));
    return ex_select(b, c.near, ex_add(b, middle.hi, low), far);
}
