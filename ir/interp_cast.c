/* interp_cast.c - the interpreter's conversions.
 *
 * The types that formulas convert between have a function a pair; every other pair goes through
 * i64, u64 or double, none of which loses anything that the target could hold. */
#include "interp_steps.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define STEP_CAST(from, T, to, R)                                                                  \
    static void cast_##from##_##to(const Step *s, Run *r) {                                        \
        const T *restrict x = s->x;                                                                \
        R *restrict d = s->dst;                                                                    \
        (void)r;                                                                                   \
        for (int i = 0; i < s->n; i++) d[i] = (R)x[i];                                             \
    }

STEP_CAST(I32, int32_t, F32, float)
STEP_CAST(I32, int32_t, F64, double)
STEP_CAST(I32, int32_t, I64, int64_t)
STEP_CAST(I64, int64_t, F32, float)
STEP_CAST(I64, int64_t, F64, double)
STEP_CAST(I64, int64_t, I32, int32_t)
STEP_CAST(U32, uint32_t, I64, int64_t)
STEP_CAST(F32, float, F64, double)
STEP_CAST(F64, double, F32, float)

/* The last bit set if anything is lost: a second rounding then cannot err. */
static float round_to_odd(double d) {
    float f = (float)d;
    if (isnan(d) || (double)f == d) return f;
    if (isinf(f)) return d > 0 ? FLT_MAX : -FLT_MAX;
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    if (fabs((double)f) > fabs(d)) bits--;
    bits |= 1;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Magnitudes beyond 2^53 rounded to odd at 53 bits. */
static double magnitude_to_double(uint64_t m) {
    return m >> 53 ? (double)((m >> 11 | ((m & 2047) != 0)) << 11) : (double)m;
}

/* A value of any type: floats in f, u64 in u, all other integers in i. */
typedef struct Wide {
    DTypeKind kind;
    union {
        int64_t i;
        uint64_t u;
        double f;
    } value;
} Wide;

#define READ(T, p, i) (((const T *)(p))[i])

static Wide wide_read(DType t, const void *p, int i) {
    Wide w = {.kind = dtypes[t].kind};
    switch (t) {
    case DT_F32: w.value.f = READ(float, p, i); break;
    case DT_F64: w.value.f = READ(double, p, i); break;
    case DT_F16: w.value.f = half_to_float(READ(uint16_t, p, i)); break;
    case DT_BF16: w.value.f = bfloat_to_float(READ(uint16_t, p, i)); break;
    case DT_I8:
    case DT_I4: w.value.i = READ(int8_t, p, i); break;
    case DT_BOOL:
    case DT_U4:
    case DT_U8: w.value.u = READ(uint8_t, p, i); break;
    case DT_I16: w.value.i = READ(int16_t, p, i); break;
    case DT_U16: w.value.u = READ(uint16_t, p, i); break;
    case DT_I32: w.value.i = READ(int32_t, p, i); break;
    case DT_U32: w.value.u = READ(uint32_t, p, i); break;
    case DT_I64: w.value.i = READ(int64_t, p, i); break;
    case DT_U64: w.value.u = READ(uint64_t, p, i); break;
    case DT_STRING:
    case DT_NONE:
    case DT_COUNT: break;
    }
    return w;
}

static double wide_double(Wide w) {
    if (w.kind == DK_FLOAT) return w.value.f;
    if (w.kind != DK_SIGNED) return magnitude_to_double(w.value.u);
    double m = magnitude_to_double(w.value.i < 0 ? 0 - (uint64_t)w.value.i : (uint64_t)w.value.i);
    return w.value.i < 0 ? -m : m;
}

static float wide_float(Wide w) {
    if (w.kind == DK_FLOAT) return (float)w.value.f;
    return w.kind == DK_SIGNED ? (float)w.value.i : (float)w.value.u;
}

/* What a float may be, truncated, so that it fits: low < x < high. */
static void float_limits(DType t, double *low, double *high) {
    int bits = t == DT_I4 || t == DT_U4 ? 4 : 8 * dtypes[t].bytes;
    bool is_signed = dtypes[t].kind == DK_SIGNED;
    *high = ldexp(1, is_signed ? bits - 1 : bits);
    *low = is_signed ? -*high - 1 : -1;
    if (is_signed && *low == -*high) *low = nextafter(*low, -INFINITY);
}

static uint64_t wide_integer(Run *r, Wide w, DType to) {
    if (w.kind != DK_FLOAT) return w.value.u;
    double low, high;
    float_limits(to, &low, &high);
    if (!(w.value.f > low && w.value.f < high))
        run_fail(r, "%.9g converted to %s", w.value.f, dtypes[to].text);
    return w.value.f < 0 ? 0 - (uint64_t)-w.value.f : (uint64_t)w.value.f;
}

static bool wide_bool(Wide w) { return w.kind == DK_FLOAT ? w.value.f != 0 : w.value.u != 0; }

#define WRITE(T, p, i, v) (((T *)(p))[i] = (T)(v))

static void wide_write(Run *r, DType t, void *p, int i, Wide w) {
    switch (t) {
    case DT_F32: WRITE(float, p, i, wide_float(w)); break;
    case DT_F64:
        WRITE(double, p, i,
              w.kind == DK_FLOAT    ? w.value.f
              : w.kind == DK_SIGNED ? (double)w.value.i
                                    : (double)w.value.u);
        break;
    case DT_F16: WRITE(uint16_t, p, i, float_to_half(round_to_odd(wide_double(w)))); break;
    case DT_BF16: WRITE(uint16_t, p, i, float_to_bfloat(round_to_odd(wide_double(w)))); break;
    case DT_BOOL: WRITE(uint8_t, p, i, wide_bool(w)); break;
    case DT_I4: WRITE(int8_t, p, i, (int8_t)((wide_integer(r, w, t) & 15) ^ 8) - 8); break;
    case DT_U4: WRITE(uint8_t, p, i, wide_integer(r, w, t) & 15); break;
    case DT_I8:
    case DT_U8: WRITE(uint8_t, p, i, wide_integer(r, w, t)); break;
    case DT_I16:
    case DT_U16: WRITE(uint16_t, p, i, wide_integer(r, w, t)); break;
    case DT_I32:
    case DT_U32: WRITE(uint32_t, p, i, wide_integer(r, w, t)); break;
    case DT_I64:
    case DT_U64: WRITE(uint64_t, p, i, wide_integer(r, w, t)); break;
    case DT_STRING:
    case DT_NONE:
    case DT_COUNT: break;
    }
}

static void cast_any(const Step *s, Run *r) {
    for (int i = 0; i < s->n; i++)
        if (s->n == 1 || lane_active(r, i))
            wide_write(r, s->to, s->dst, i, wide_read(s->from, s->x, i));
}

/* Casts that cannot fail may be hoisted over a mask: every lane of a garbage bool or int
 * converts. */
static void cast_any_unmasked(const Step *s, Run *r) {
    for (int i = 0; i < s->n; i++) wide_write(r, s->to, s->dst, i, wide_read(s->from, s->x, i));
}

static StepFn *const common_casts[DT_COUNT][DT_COUNT] = {
    [DT_I32] = {[DT_F32] = cast_I32_F32, [DT_F64] = cast_I32_F64, [DT_I64] = cast_I32_I64},
    [DT_I64] = {[DT_F32] = cast_I64_F32, [DT_F64] = cast_I64_F64, [DT_I32] = cast_I64_I32},
    [DT_U32] = {[DT_I64] = cast_U32_I64},
    [DT_F32] = {[DT_F64] = cast_F32_F64},
    [DT_F64] = {[DT_F32] = cast_F64_F32},
};

StepFn *step_cast(DType from, DType to) {
    if (common_casts[from][to]) return common_casts[from][to];
    return dtype_is_float(from) && dtype_is_int(to) ? cast_any : cast_any_unmasked;
}
