/* interp_scalar.c - the interpreter's arithmetic: a function for every row of scalars.def and every
 * type it takes.
 *
 * Integers are computed in u64 and cut to their type, which wraps as scalars.def asks. */
#include "interp_steps.h"

#include <float.h>
#include <math.h>

_Static_assert(FLT_EVAL_METHOD == 0, "float arithmetic must round to float");

#define LANE(T, R, value, i)                                                                       \
    {                                                                                              \
        T x = px[i], y = py[i], z = pz[i];                                                         \
        (void)y, (void)z;                                                                          \
        d[i] = (R)(value);                                                                         \
    }
/* d[i] = value for all lanes, x, y, z being the operands of the lane. */
#define LANES(T, R, n_args, value)                                                                 \
    {                                                                                              \
        (void)r;                                                                                   \
        const T *restrict px = s->x, *restrict py = n_args > 1 ? s->y : s->x;                      \
        const T *restrict pz = n_args > 2 ? s->z : s->x;                                           \
        R *restrict d = s->dst;                                                                    \
        if (s->n == 1) {                                                                           \
            LANE(T, R, value, 0)                                                                   \
            return;                                                                                \
        }                                                                                          \
        for (int n = s->n; n > 0; n -= PAD) {                                                      \
            for (int i = 0; i < PAD; i++) LANE(T, R, value, i)                                     \
            px += PAD, py += PAD, pz += PAD, d += PAD;                                             \
        }                                                                                          \
    }
#define STEP(name, T, R, n_args, value)                                                            \
    static void name(const Step *s, Run *r) LANES(T, R, n_args, value)

/* The same for lanes in the mask only; uniform steps have n == 1 and always run. */
#define STEP_MASKED(name, T, value)                                                                \
    static void name(const Step *s, Run *r) {                                                      \
        const T *px = s->x, *py = s->y;                                                            \
        T *d = s->dst;                                                                             \
        for (int i = 0; i < s->n; i++) {                                                           \
            if (s->n > 1 && !lane_active(r, i)) continue;                                          \
            T x = px[i], y = py[i];                                                                \
            d[i] = (T)(value);                                                                     \
        }                                                                                          \
    }

static uint64_t check_divisor(Run *r, bool zero, uint64_t divisor) {
    if (zero) run_fail(r, "division by zero");
    return divisor;
}

static int check_shift(Run *r, uint64_t count, int bits) {
    if (count >= (uint64_t)bits) run_fail(r, "shift by %lld of %d bits", (long long)count, bits);
    return (int)count;
}

#define COMPARES(id, T)                                                                            \
    STEP(lt_##id, T, uint8_t, 2, x < y)                                                            \
    STEP(le_##id, T, uint8_t, 2, x <= y)                                                           \
    STEP(eq_##id, T, uint8_t, 2, x == y)                                                           \
    STEP(ne_##id, T, uint8_t, 2, x != y)                                                           \
    STEP(min_##id, T, T, 2, x < y ? x : y)                                                         \
    STEP(max_##id, T, T, 2, x > y ? x : y)

#define INTEGERS(id, T)                                                                            \
    COMPARES(id, T)                                                                                \
    STEP(add_##id, T, T, 2, (uint64_t)x + (uint64_t)y)                                             \
    STEP(sub_##id, T, T, 2, (uint64_t)x - (uint64_t)y)                                             \
    STEP(mul_##id, T, T, 2, (uint64_t)x *(uint64_t)y)                                              \
    STEP(neg_##id, T, T, 1, 0 - (uint64_t)x)                                                       \
    STEP(abs_##id, T, T, 1, x > 0 ? (uint64_t)x : 0 - (uint64_t)x)                                 \
    STEP(and_##id, T, T, 2, x &y)                                                                  \
    STEP(or_##id, T, T, 2, x | y)                                                                  \
    STEP(xor_##id, T, T, 2, x ^ y)                                                                 \
    STEP(not_##id, T, T, 1, ~x)                                                                    \
    STEP_MASKED(shl_##id, T, (uint64_t)x << check_shift(r, (uint64_t)y, 8 * (int)sizeof(T)))       \
    STEP_MASKED(shr_##id, T, x >> check_shift(r, (uint64_t)y, 8 * (int)sizeof(T)))

#define UNSIGNED(id, T)                                                                            \
    INTEGERS(id, T)                                                                                \
    STEP_MASKED(div_##id, T, x / check_divisor(r, y == 0, y))                                      \
    STEP_MASKED(rem_##id, T, x % check_divisor(r, y == 0, y))

/* The smallest integer divided by -1 wraps, where C has no answer. */
#define SIGNED(id, T)                                                                              \
    INTEGERS(id, T)                                                                                \
    STEP_MASKED(div_##id, T,                                                                       \
                y == -1 ? (T)(0 - (uint64_t)x) : x / (T)check_divisor(r, y == 0, (uint64_t)y))     \
    STEP_MASKED(rem_##id, T, y == -1 ? 0 : x % (T)check_divisor(r, y == 0, (uint64_t)y))

#define FLOATS(id, T, fused, root, magnitude)                                                      \
    COMPARES(id, T)                                                                                \
    STEP(add_##id, T, T, 2, x + y)                                                                 \
    STEP(sub_##id, T, T, 2, x - y)                                                                 \
    STEP(mul_##id, T, T, 2, x *y)                                                                  \
    STEP(div_##id, T, T, 2, x / y)                                                                 \
    STEP(neg_##id, T, T, 1, -x)                                                                    \
    STEP(abs_##id, T, T, 1, magnitude(x))                                                          \
    STEP(fma_##id, T, T, 3, fused(x, y, z))                                                        \
    STEP(sqrt_##id, T, T, 1, root(x))

SIGNED(I8, int8_t)
UNSIGNED(U8, uint8_t)
SIGNED(I16, int16_t)
UNSIGNED(U16, uint16_t)
SIGNED(I32, int32_t)
UNSIGNED(U32, uint32_t)
SIGNED(I64, int64_t)
UNSIGNED(U64, uint64_t)
FLOATS(F32, float, fmaf, sqrtf, fabsf)
FLOATS(F64, double, fma, sqrt, fabs)
COMPARES(BOOL, uint8_t)
/* The product of the 16 bits from `bit` on. */
static uint32_t half_product(int32_t x, int32_t y, int bit) {
    return (uint32_t)((int32_t)(int16_t)((uint32_t)x >> bit) * (int16_t)((uint32_t)y >> bit));
}
STEP(dot2_I32, int32_t, int32_t, 3,
     (uint32_t)z + half_product(x, y, 0) + half_product(x, y, 16))
STEP(and_BOOL, uint8_t, uint8_t, 2, x &y)
STEP(or_BOOL, uint8_t, uint8_t, 2, x | y)
STEP(xor_BOOL, uint8_t, uint8_t, 2, x ^ y)
STEP(not_BOOL, uint8_t, uint8_t, 1, !x)

#define ROW_COMPARES(id)                                                                           \
    [SC_LT][DT_##id] = lt_##id, [SC_LE][DT_##id] = le_##id, [SC_EQ][DT_##id] = eq_##id,            \
    [SC_NE][DT_##id] = ne_##id, [SC_MIN][DT_##id] = min_##id, [SC_MAX][DT_##id] = max_##id,
#define ROW_NUMBERS(id)                                                                            \
    ROW_COMPARES(id)                                                                               \
    [SC_ADD][DT_##id] = add_##id, [SC_SUB][DT_##id] = sub_##id, [SC_MUL][DT_##id] = mul_##id,      \
    [SC_DIV][DT_##id] = div_##id, [SC_NEG][DT_##id] = neg_##id, [SC_ABS][DT_##id] = abs_##id,
#define ROW_FLOATS(id) ROW_NUMBERS(id)[SC_FMA][DT_##id] = fma_##id, [SC_SQRT][DT_##id] = sqrt_##id,
#define ROW_BITS(id)                                                                               \
    [SC_AND][DT_##id] = and_##id, [SC_OR][DT_##id] = or_##id, [SC_XOR][DT_##id] = xor_##id,        \
    [SC_NOT][DT_##id] = not_##id,
#define ROW_INTEGERS(id)                                                                           \
    ROW_NUMBERS(id)                                                                                \
    ROW_BITS(id)[SC_REM][DT_##id] = rem_##id,                                                      \
    [SC_SHL][DT_##id] = shl_##id, [SC_SHR][DT_##id] = shr_##id,

static StepFn *const scalar_steps[SC_COUNT][DT_COUNT] = {
    ROW_INTEGERS(I8) ROW_INTEGERS(U8) ROW_INTEGERS(I16) ROW_INTEGERS(U16) ROW_INTEGERS(I32)
        ROW_INTEGERS(U32) ROW_INTEGERS(I64) ROW_INTEGERS(U64) ROW_FLOATS(F32) ROW_FLOATS(F64)
            ROW_COMPARES(BOOL) ROW_BITS(BOOL)[SC_DOT2][DT_I32] = dot2_I32};

StepFn *step_scalar(ScalarOp op, DType type) { return scalar_steps[op][type]; }
