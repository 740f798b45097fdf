/* elem_cast.c - conversions between element types, and Pow, which mixes them. */
#include "elem.h"
#include "ops.h"

/* Bounds of an integer type as floats of type `from`: every float in lo..hi truncates into the
 * type. */
typedef struct FloatRange {
    double lo, hi;
    bool hi_exact;
} FloatRange;

static int value_bits(DType t) {
    int bits = 8 * dtypes[t].bytes;
    return dtypes[t].kind == DK_SIGNED ? bits - 1 : bits;
}

static double power_of_two(int n) {
    double p = 1;
    while (n-- > 0) p *= 2;
    return p;
}

static FloatRange float_range(DType to, DType from) {
    int bits = value_bits(to), mantissa = from == DT_F64 ? 53 : 24;
    FloatRange r = {.hi_exact = bits <= mantissa};
    r.lo = dtypes[to].kind == DK_SIGNED ? -power_of_two(bits) : 0;
    r.hi = power_of_two(bits) - (r.hi_exact ? 1 : power_of_two(bits - mantissa));
    return r;
}

static const Expr *largest_int(Lower *l, DType t) {
    return ex_int(l->b, t, t == DT_U64 ? -1 : (int64_t)((UINT64_C(1) << value_bits(t)) - 1));
}

static const Expr *float_to_int(Lower *l, DType to, const Expr *x) {
    FloatRange r = float_range(to, x->type);
    const Expr *lo = elem_const(l, x, r.lo), *hi = elem_const(l, x, r.hi);
    /* MAX gives its second argument for NaN: what is cast is always in range. */
    const Expr *y = ex_cast(l->b, to, ex_min(l->b, ex_max(l->b, x, lo), hi));
    if (!r.hi_exact) y = ex_select(l->b, ex_lt(l->b, hi, x), largest_int(l, to), y);
    return ex_select(l->b, elem_is_nan(l, x), ex_int(l->b, to, 0), y);
}

const Expr *elem_convert(Lower *l, DType to, const Expr *x) {
    if (x->type == to) return x;
    if (dtype_is_float(x->type) && dtype_is_int(to))
        return ex_cast(l->b, to, float_to_int(l, lower_wide(to), x));
    return ex_cast(l->b, to, x);
}

const Expr *elem_cast(Lower *l, const Node *n, const Expr *const *x) {
    return elem_convert(l, n->outputs[0]->dtype, x[0]);
}

/* The lowerer widens f16 and bf16: narrowing again is exact. */
const Expr *elem_bit_cast(Lower *l, const Node *n, const Expr *const *x) {
    DType from = n->inputs[0]->dtype, to = n->outputs[0]->dtype;
    const Expr *y = x[0]->type == from ? x[0] : ex_cast(l->b, from, x[0]);
    return from == to ? y : ex_bitcast(l->b, to, y);
}

/* Integer powers wrap; a negative exponent gives the truncated reciprocal, 0 for a base of 0. */

static const Expr *int_power(Lower *l, const Expr *x, const Expr *y) {
    if (x->type == DT_I64) /* the same bits, and nobody takes them for the arithmetic of indices */
        return ex_cast(l->b, DT_I64, int_power(l, ex_cast(l->b, DT_U64, x), y));
    DType t = x->type, exponent = y->type;
    const Expr *one = ex_int(l->b, t, 1), *power = one, *square = x;
    const Expr *bit = ex_int(l->b, exponent, 1), *zero = ex_int(l->b, exponent, 0);
    int bits = value_bits(exponent);
    int64_t known;
    if (expr_is_const_int(y, &known))
        for (bits = 0; bits < 63 && known >> bits; bits++) {
        }
    for (int i = 0; i < bits; i++) {
        const Expr *shifted = ex_scalar(l->b, SC_SHR, y, ex_int(l->b, exponent, i), NULL);
        const Expr *set = ex_scalar(l->b, SC_NE, ex_and(l->b, shifted, bit), zero, NULL);
        power = ex_mul(l->b, power, ex_select(l->b, set, square, one));
        square = ex_mul(l->b, square, square);
    }
    return power;
}

static const Expr *int_pow(Lower *l, const Expr *x, const Expr *y) {
    if (dtypes[y->type].kind != DK_SIGNED) return int_power(l, x, y);
    const Expr *zero = ex_int(l->b, y->type, 0);
    const Expr *negative = ex_lt(l->b, y, zero);
    const Expr *size = ex_select(l->b, negative, ex_neg(l->b, y), y);
    const Expr *power = int_power(l, x, size);
    return ex_select(l->b, negative, elem_int_div(l, ex_int(l->b, x->type, 1), power), power);
}

/* Small constant exponents are exact products, as they stand in most models. */
static const Expr *float_pow(Lower *l, const Expr *x, const Expr *y) {
    if (y->kind != EX_CONST) return math_pow(l->b, x, y);
    const Expr *square = ex_mul(l->b, x, x);
    if (y->value.f == 1) return x;
    if (y->value.f == 2) return square;
    if (y->value.f == 3) return ex_mul(l->b, square, x);
    if (y->value.f == -1) return ex_div(l->b, elem_const(l, x, 1), x);
    return math_pow(l->b, x, y);
}

/* The result has the base's type; an integer base with a float exponent is computed in f64. */
const Expr *elem_pow(Lower *l, const Node *n, const Expr *const *x) {
    DType base = x[0]->type, exponent = x[1]->type;
    if (dtype_is_float(base)) return float_pow(l, x[0], elem_convert(l, base, x[1]));
    if (!dtype_is_float(exponent)) return int_pow(l, x[0], x[1]);
    const Expr *power = float_pow(l, ex_cast(l->b, DT_F64, x[0]), elem_convert(l, DT_F64, x[1]));
    return elem_convert(l, n->outputs[0]->dtype, power);
}
