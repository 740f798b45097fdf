/* maths.c - what the formulas are made of: bits of floats, polynomials, sums of two floats. */
#include "maths_build.h"

static const Format format_f32 = {DT_I32, 23, 127, 0x1.8p23, 0x1p-126};
static const Format format_f64 = {DT_I64, 52, 1023, 0x1.8p52, 0x1p-1022};

const Format *format_of(const Expr *x) { return x->type == DT_F32 ? &format_f32 : &format_f64; }

const Expr *num(Builder *b, const Expr *like, double v) { return ex_float(b, like->type, v); }

const Expr *bits_int(Builder *b, const Expr *like, int64_t i) {
    return ex_int(b, format_of(like)->integer, i);
}

const Expr *bits_of(Builder *b, const Expr *x) { return ex_bitcast(b, format_of(x)->integer, x); }

const Expr *half(Builder *b, const Expr *x) { return ex_mul(b, x, num(b, x, 0.5)); }

const Expr *is_less(Builder *b, const Expr *x, double bound) {
    return ex_lt(b, x, num(b, x, bound));
}

const Expr *poly(Builder *b, const Expr *x, const double *c, int n) {
    const Expr *sum = num(b, x, c[n - 1]);
    for (int i = n - 2; i >= 0; i--) sum = ex_fma(b, sum, x, num(b, x, c[i]));
    return sum;
}

Pair pair_sum(Builder *b, const Expr *x, const Expr *y) {
    const Expr *hi = ex_add(b, x, y);
    const Expr *of_y = ex_sub(b, hi, x);
    const Expr *of_x = ex_sub(b, hi, of_y);
    return (Pair){hi, ex_add(b, ex_sub(b, x, of_x), ex_sub(b, y, of_y))};
}

Pair pair_sum_ordered(Builder *b, const Expr *x, const Expr *y) {
    const Expr *hi = ex_add(b, x, y);
    return (Pair){hi, ex_sub(b, y, ex_sub(b, hi, x))};
}

/* The upper half of the digits, by masking: no overflow on the way. */
static Pair split(Builder *b, const Expr *x) {
    int64_t mask = x->type == DT_F32 ? ~INT64_C(0xfff) : ~INT64_C(0x7ffffff);
    const Expr *hi = ex_bitcast(b, x->type, ex_and(b, bits_of(b, x), bits_int(b, x, mask)));
    return (Pair){hi, ex_sub(b, x, hi)};
}

Pair pair_product(Builder *b, const Expr *x, const Expr *y) {
    const Expr *hi = ex_mul(b, x, y);
    if (builder_program(b)->target->fma) return (Pair){hi, ex_fma(b, x, y, ex_neg(b, hi))};
    Pair p = split(b, x), q = split(b, y);
    const Expr *lo = ex_sub(b, ex_mul(b, p.hi, q.hi), hi);
    lo = ex_add(b, lo, ex_mul(b, p.hi, q.lo));
    lo = ex_add(b, lo, ex_mul(b, p.lo, q.hi));
    return (Pair){hi, ex_add(b, lo, ex_mul(b, p.lo, q.lo))};
}

Pair pair_add(Builder *b, Pair x, Pair y) {
    Pair s = pair_sum(b, x.hi, y.hi);
    return pair_sum_ordered(b, s.hi, ex_add(b, s.lo, ex_add(b, x.lo, y.lo)));
}

Pair pair_mul(Builder *b, Pair x, Pair y) {
    Pair p = pair_product(b, x.hi, y.hi);
    const Expr *cross = ex_fma(b, x.hi, y.lo, ex_mul(b, x.lo, y.hi));
    return pair_sum_ordered(b, p.hi, ex_add(b, p.lo, cross));
}

Pair pair_quotient(Builder *b, Pair x, Pair y) {
    const Expr *q = ex_div(b, x.hi, y.hi);
    Pair p = pair_product(b, q, y.hi);
    const Expr *rest = ex_sub(b, ex_sub(b, x.hi, p.hi), p.lo);
    rest = ex_add(b, rest, ex_sub(b, x.lo, ex_mul(b, q, y.lo)));
    return (Pair){q, ex_div(b, rest, y.hi)};
}

Pair pair_const(Builder *b, const Expr *like, double hi, double lo) {
    return (Pair){num(b, like, hi), num(b, like, lo)};
}

Rounded round_product(Builder *b, const Expr *x, double scale) {
    const Format *f = format_of(x);
    const Expr *magic = num(b, x, f->magic);
    const Expr *sum = scale == 1 ? ex_add(b, x, magic) : ex_fma(b, x, num(b, x, scale), magic);
    return (Rounded){ex_sub(b, sum, magic), ex_sub(b, bits_of(b, sum), bits_of(b, magic))};
}

const Expr *power_of_two(Builder *b, const Expr *like, const Expr *k) {
    const Format *f = format_of(like);
    const Expr *biased = ex_add(b, k, bits_int(b, like, f->bias));
    const Expr *bits = ex_scalar(b, SC_SHL, biased, bits_int(b, like, f->digits), NULL);
    return ex_bitcast(b, like->type, bits);
}

/* In two steps, the first of which is exact: k may leave the normal range at both ends. */
const Expr *scale_by_power(Builder *b, const Expr *x, const Expr *k) {
    const Expr *first = ex_scalar(b, SC_SHR, k, bits_int(b, x, 1), NULL);
    const Expr *second = ex_sub(b, k, first);
    return ex_mul(b, ex_mul(b, x, power_of_two(b, x, first)), power_of_two(b, x, second));
}

const Expr *in_double(Builder *b, const Expr *x, MathFn *f) {
    return ex_cast(b, DT_F32, f(b, ex_cast(b, DT_F64, x)));
}
