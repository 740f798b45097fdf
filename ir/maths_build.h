/* maths_build.h - inside the formulas: formats, polynomials, and sums of two floats.
 *
 * A Pair hi + lo is a value with about twice the digits; |lo| is at most half an ulp of hi.
 * Constants and polynomials are from scripts/minimax.py, which tells how they are found.
 * Bounds at the definitions are for targets with fma; without, 0.4 ulp more.  tests/unit/maths.c
 * checks both. */
#ifndef SONOC_MATHS_BUILD_H
#define SONOC_MATHS_BUILD_H

#include "maths.h"

typedef struct Format {
    DType integer; /* of the same size */
    int digits;    /* of the mantissa, behind the leading one */
    int bias;
    double magic;    /* 1.5 * 2^digits: adding it rounds to an integer, held in the low bits */
    double smallest; /* normal number */
} Format;

typedef struct Pair {
    const Expr *hi, *lo;
} Pair;

const Format *format_of(const Expr *x);
const Expr *num(Builder *b, const Expr *like, double v);       /* a constant of like's type */
const Expr *bits_int(Builder *b, const Expr *like, int64_t i); /* of the integer of the same size */
const Expr *bits_of(Builder *b, const Expr *x);
const Expr *half(Builder *b, const Expr *x);
const Expr *is_less(Builder *b, const Expr *x, double bound); /* false for NaN */

/* c[0] + c[1] x + ... + c[n-1] x^(n-1) by Horner's rule */
const Expr *poly(Builder *b, const Expr *x, const double *c, int n);
#define POLY(b, x, c) poly(b, x, c, (int)(sizeof(c) / sizeof(c)[0]))

Pair pair_sum(Builder *b, const Expr *x, const Expr *y); /* x + y exactly */
Pair pair_sum_ordered(Builder *b, const Expr *x,
                      const Expr *y);                        /* the same for |x| >= |y| or x = 0 */
Pair pair_product(Builder *b, const Expr *x, const Expr *y); /* x * y exactly, short of underflow */
Pair pair_add(Builder *b, Pair x, Pair y);
Pair pair_mul(Builder *b, Pair x, Pair y);
Pair pair_quotient(Builder *b, Pair x, Pair y);
Pair pair_const(Builder *b, const Expr *like, double hi, double lo);
static inline const Expr *pair_value(Builder *b, Pair p) { return ex_add(b, p.hi, p.lo); }

/* k rounded from x * scale, as a float and as an integer. */
typedef struct Rounded {
    const Expr *number, *integer;
} Rounded;
Rounded round_product(Builder *b, const Expr *x, double scale);
const Expr *power_of_two(Builder *b, const Expr *like,
                         const Expr *k); /* 2^k, k within the normal range */
const Expr *scale_by_power(Builder *b, const Expr *x, const Expr *k); /* x * 2^k, rounded once */

/* f as f64, for f32 functions that gain nothing from f32 arithmetic: within 0.51 ulp. */
typedef const Expr *MathFn(Builder *b, const Expr *x);
const Expr *in_double(Builder *b, const Expr *x, MathFn *f);

/* Shared between families, f64 only but for the first. */
const Expr *exp_scaled(Builder *b, const Expr *x, int shift); /* exp(x) * 2^shift */
const Expr *exp_pair(Builder *b, Pair x);                     /* exp(hi + lo) */
Pair log1p_pair(Builder *b, Pair x);                          /* log(1 + hi + lo), finite x > -1 */

#endif
