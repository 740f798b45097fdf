/* loop_fold.c - scalars of constants, exactly as scalars.def says.
 *
 * What would be an error when run stays as it is, and so does what gives NaN: machines differ in
 * its sign. */
#include "loop_build.h"

#include <float.h>
#include <math.h>
#include <string.h>

static int type_bits(DType t) {
    if (t == DT_I4 || t == DT_U4) return 4;
    return t == DT_BOOL ? 1 : 8 * dtypes[t].bytes;
}

int64_t wrap_to_type(int64_t value, DType t) {
    int bits = type_bits(t);
    if (bits == 64) return value;
    if (t == DT_BOOL) return value != 0;
    uint64_t low = (uint64_t)value & ((UINT64_C(1) << bits) - 1);
    bool negative = dtypes[t].kind == DK_SIGNED && low >> (bits - 1);
    return (int64_t)(negative ? low - (UINT64_C(1) << bits) : low);
}

/* To float with the last bit set if anything was lost: a second rounding then cannot err. */
static float round_to_odd(double d) {
    float f = (float)d;
    if (isnan(d) || isinf(d) || f == d) return f;
    if (isinf(f)) return d > 0 ? FLT_MAX : -FLT_MAX;
    if (fabs((double)f) > fabs(d)) f = nextafterf(f, 0);
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    bits |= 1;
    memcpy(&f, &bits, sizeof f);
    return f;
}

double round_to_type(double value, DType t) {
    if (t == DT_F32) return (float)value;
    if (t == DT_F16) return half_to_float(float_to_half(round_to_odd(value)));
    if (t == DT_BF16) return bfloat_to_float(float_to_bfloat(round_to_odd(value)));
    return value;
}

static const Expr *number(Builder *b, DType t, double value) {
    return isnan(value) ? NULL : ex_float(b, t, value);
}

static const Expr *fold_f32(Builder *b, ScalarOp op, float x, float y, float z) {
    switch ((int)op) {
    case SC_ADD: return number(b, DT_F32, x + y);
    case SC_SUB: return number(b, DT_F32, x - y);
    case SC_MUL: return number(b, DT_F32, x * y);
    case SC_DIV: return number(b, DT_F32, x / y);
    case SC_FMA: return number(b, DT_F32, fmaf(x, y, z));
    case SC_SQRT: return number(b, DT_F32, sqrtf(x));
    default: return NULL;
    }
}

static const Expr *fold_f64(Builder *b, ScalarOp op, double x, double y, double z) {
    switch ((int)op) {
    case SC_ADD: return number(b, DT_F64, x + y);
    case SC_SUB: return number(b, DT_F64, x - y);
    case SC_MUL: return number(b, DT_F64, x * y);
    case SC_DIV: return number(b, DT_F64, x / y);
    case SC_FMA: return number(b, DT_F64, fma(x, y, z));
    case SC_SQRT: return number(b, DT_F64, sqrt(x));
    default: return NULL;
    }
}

static const Expr *fold_float(Builder *b, ScalarOp op, DType t, double x, double y, double z) {
    switch ((int)op) {
    case SC_NEG: return number(b, t, -x);
    case SC_ABS: return number(b, t, fabs(x));
    case SC_MIN: return number(b, t, x < y ? x : y);
    case SC_MAX: return number(b, t, x > y ? x : y);
    case SC_LT: return ex_bool(b, x < y);
    case SC_LE: return ex_bool(b, x <= y);
    case SC_EQ: return ex_bool(b, x == y);
    case SC_NE: return ex_bool(b, x != y);
    default:
        return t == DT_F32 ? fold_f32(b, op, (float)x, (float)y, (float)z)
                           : fold_f64(b, op, x, y, z);
    }
}

static bool int_less(DType t, int64_t x, int64_t y) {
    return t == DT_U64 ? (uint64_t)x < (uint64_t)y : x < y;
}

static const Expr *fold_div(Builder *b, ScalarOp op, DType t, int64_t x, int64_t y) {
    if (y == 0) return NULL;
    bool div = op == SC_DIV;
    if (t == DT_U64) {
        uint64_t r = div ? (uint64_t)x / (uint64_t)y : (uint64_t)x % (uint64_t)y;
        return ex_int(b, t, (int64_t)r);
    }
    if (y == -1) return div ? ex_int(b, t, (int64_t)(0 - (uint64_t)x)) : ex_int(b, t, 0);
    return ex_int(b, t, div ? x / y : x % y);
}

static const Expr *fold_shift(Builder *b, ScalarOp op, DType t, int64_t x, int64_t count) {
    if (count < 0 || count >= type_bits(t)) return NULL;
    if (op == SC_SHL) return ex_int(b, t, (int64_t)((uint64_t)x << count));
    if (dtypes[t].kind == DK_UNSIGNED) return ex_int(b, t, (int64_t)((uint64_t)x >> count));
    return ex_int(b, t, x >> count);
}

static const Expr *fold_int(Builder *b, ScalarOp op, DType t, int64_t x, int64_t y) {
    uint64_t ux = (uint64_t)x, uy = (uint64_t)y;
    switch (op) {
    case SC_ADD: return ex_int(b, t, (int64_t)(ux + uy));
    case SC_SUB: return ex_int(b, t, (int64_t)(ux - uy));
    case SC_MUL: return ex_int(b, t, (int64_t)(ux * uy));
    case SC_NEG: return ex_int(b, t, (int64_t)(0 - ux));
    case SC_ABS: return ex_int(b, t, dtypes[t].kind == DK_SIGNED && x < 0 ? (int64_t)(0 - ux) : x);
    case SC_DIV:
    case SC_REM: return fold_div(b, op, t, x, y);
    case SC_SHL:
    case SC_SHR: return fold_shift(b, op, t, x, y);
    case SC_MIN: return ex_int(b, t, int_less(t, x, y) ? x : y);
    case SC_MAX: return ex_int(b, t, int_less(t, y, x) ? x : y);
    case SC_LT: return ex_bool(b, int_less(t, x, y));
    case SC_LE: return ex_bool(b, !int_less(t, y, x));
    case SC_EQ: return ex_bool(b, x == y);
    case SC_NE: return ex_bool(b, x != y);
    case SC_AND: return ex_int(b, t, (int64_t)(ux & uy));
    case SC_OR: return ex_int(b, t, (int64_t)(ux | uy));
    case SC_XOR: return ex_int(b, t, (int64_t)(ux ^ uy));
    case SC_NOT: return ex_int(b, t, t == DT_BOOL ? !x : ~x);
    case SC_FMA:
    case SC_DOT2:
    case SC_SQRT:
    case SC_COUNT: break;
    }
    return NULL;
}

const Expr *fold_scalar(Builder *b, ScalarOp op, const Expr *const *args) {
    for (int k = 0; k < scalar_infos[op].arity; k++)
        if (args[k]->kind != EX_CONST) return NULL;
    const Expr *x = args[0], *y = args[1] ? args[1] : x, *z = args[2] ? args[2] : x;
    if (dtype_is_float(x->type))
        return fold_float(b, op, x->type, x->value.f, y->value.f, z->value.f);
    return fold_int(b, op, x->type, x->value.i, y->value.i);
}

static const Expr *fold_float_to_int(Builder *b, DType t, double f) {
    double whole = trunc(f);
    if (t == DT_U64) {
        if (!(whole >= 0 && whole < 18446744073709551616.0)) return NULL;
        return ex_int(b, t, (int64_t)(uint64_t)whole);
    }
    Range r = range_of_type(t);
    double above = t == DT_I64 ? 9223372036854775808.0 : (double)r.hi + 1;
    if (!(whole >= (double)r.lo && whole < above)) return NULL;
    return ex_int(b, t, (int64_t)whole);
}

static const Expr *fold_int_to_float(Builder *b, DType t, DType from, int64_t i) {
    bool is_unsigned = from == DT_U64;
    if (t == DT_F32)
        return ex_float(b, t, is_unsigned ? (double)(float)(uint64_t)i : (double)(float)i);
    double d = is_unsigned ? (double)(uint64_t)i : (double)i;
    /* Beyond 2^53 a narrow float would be rounded twice. */
    bool exact = d > -9007199254740992.0 && d < 9007199254740992.0;
    return t == DT_F64 || exact ? ex_float(b, t, d) : NULL;
}

const Expr *fold_cast(Builder *b, DType t, const Expr *x) {
    if (x->kind != EX_CONST) return NULL;
    if (!dtype_is_float(x->type)) {
        if (dtype_is_float(t)) return fold_int_to_float(b, t, x->type, x->value.i);
        return ex_int(b, t, x->value.i);
    }
    if (dtype_is_float(t)) return number(b, t, x->value.f);
    if (t == DT_BOOL) return ex_bool(b, x->value.f != 0);
    return fold_float_to_int(b, t, x->value.f);
}
