/* maths.c - the error of every formula of ir/maths*.c, in units in the last place, through the
 * interpreter.
 *
 * f32 is compared with libm's double functions, f64 with the long double ones, on arguments spread
 * over all exponents, dense ones where the function does something, and special ones; once with fma
 * and once without. */
#include "interp.h"
#include "maths.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 64, SPREAD = 40000, DENSE = 60000 };

typedef const Expr *Formula(Builder *b, const Expr *x, const Expr *y);
typedef long double Reference(long double x, long double y);

typedef struct Case {
    const char *name;
    Formula *formula;
    Reference *reference;
    double bound_f32, bound_f64; /* ulp; 0: equal */
    double low, high;            /* where dense arguments are drawn from */
} Case;

/* Formulas and references with one argument, in the form of those with two. */
#define MATH(name)                                                                                 \
    static const Expr *formula_##name(Builder *b, const Expr *x, const Expr *y) {                  \
        return (void)y, math_##name(b, x);                                                         \
    }
#include "maths.def"
#undef MATH
#define REFERENCE(name, value)                                                                     \
    static long double name##_of(long double x, long double y) { return (void)y, value; }
REFERENCE(exp, expl(x))
REFERENCE(exp2, exp2l(x))
REFERENCE(expm1, expm1l(x))
REFERENCE(log, logl(x))
REFERENCE(log1p, log1pl(x))
REFERENCE(sin, sinl(x))
REFERENCE(cos, cosl(x))
REFERENCE(tan, tanl(x))
REFERENCE(asin, asinl(x))
REFERENCE(acos, acosl(x))
REFERENCE(atan, atanl(x))
REFERENCE(sinh, sinhl(x))
REFERENCE(cosh, coshl(x))
REFERENCE(tanh, tanhl(x))
REFERENCE(asinh, asinhl(x))
REFERENCE(acosh, acoshl(x))
REFERENCE(atanh, atanhl(x))
REFERENCE(erf, erfl(x))
REFERENCE(floor, floorl(x))
REFERENCE(ceil, ceill(x))
REFERENCE(trunc, truncl(x))
REFERENCE(sqrt, sqrtl(x))
REFERENCE(round, rintl(x))
REFERENCE(sigmoid, 1 / (1 + expl(-x)))
REFERENCE(pow, powl(x, y))
REFERENCE(fmod, fmodl(x, y))
REFERENCE(copysign, copysignl(x, y))

static const Case cases[] = {
    {"exp", formula_exp, exp_of, 1, 1, -110, 90},
    {"exp2", formula_exp2, exp2_of, 1, 1, -160, 130},
    {"expm1", formula_expm1, expm1_of, 0.51, 1, -4, 4},
    {"log", formula_log, log_of, 1, 1, 0, 4},
    {"log1p", formula_log1p, log1p_of, 0.51, 1.2, -1, 3},
    {"sin", formula_sin, sin_of, 0.51, 0.8, -20, 20},
    {"cos", formula_cos, cos_of, 0.51, 0.8, -20, 20},
    {"tan", formula_tan, tan_of, 0.51, 1, -20, 20},
    {"asin", formula_asin, asin_of, 0.51, 1.2, -1, 1},
    {"acos", formula_acos, acos_of, 0.51, 1.5, -1, 1},
    {"atan", formula_atan, atan_of, 0.51, 1, -5, 5},
    {"sinh", formula_sinh, sinh_of, 0.51, 1.5, -10, 10},
    {"cosh", formula_cosh, cosh_of, 0.51, 1.5, -10, 10},
    {"tanh", formula_tanh, tanh_of, 1.5, 1, -12, 12},
    {"asinh", formula_asinh, asinh_of, 0.51, 1.5, -10, 10},
    {"acosh", formula_acosh, acosh_of, 0.51, 1.9, 1, 10},
    {"atanh", formula_atanh, atanh_of, 0.51, 1.2, -1, 1},
    {"erf", formula_erf, erf_of, 1.1, 1, -6, 6},
    {"sigmoid", formula_sigmoid, sigmoid_of, 2, 2, -110, 40},
    {"floor", formula_floor, floor_of, 0, 0, -9, 9},
    {"ceil", formula_ceil, ceil_of, 0, 0, -9, 9},
    {"trunc", formula_trunc, trunc_of, 0, 0, -9, 9},
    {"round", formula_round, round_of, 0, 0, -9, 9},
    {"sqrt", formula_sqrt, sqrt_of, 0.5, 0.5, 0, 9},
    {"pow", math_pow, pow_of, 0.51, 1.2, -3, 9},
    {"fmod", math_fmod, fmod_of, 0, 0, -30, 30},
    {"copysign", math_copysign, copysign_of, 0, 0, -1, 1},
};

static uint64_t state = 1;

static uint64_t draw(void) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 11 | state << 53;
}

static double from_bits(DType t, uint64_t bits) {
    float f;
    double d;
    uint32_t low = (uint32_t)bits;
    memcpy(&f, &low, sizeof f);
    memcpy(&d, &bits, sizeof d);
    return t == DT_F32 ? (double)f : d;
}

static double argument(DType t, int i, double low, double high) {
    static const double special[] = {0.0,
                                     -0.0,
                                     INFINITY,
                                     -INFINITY,
                                     NAN,
                                     1,
                                     -1,
                                     0.5,
                                     -0.5,
                                     1.5,
                                     -1.5,
                                     2.5,
                                     -2.5,
                                     FLT_MIN,
                                     FLT_MAX,
                                     -FLT_MAX,
                                     FLT_MIN / 3,
                                     -FLT_MIN / 5,
                                     1e22,
                                     1e-30,
                                     16777216,
                                     8388607.5,
                                     4194303.25,
                                     1e9,
                                     88.72284,
                                     -103.97209,
                                     -87.5,
                                     709.5,
                                     -745.1,
                                     710.4,
                                     6381956970095103.0 * 0x1p797,
                                     DBL_MIN,
                                     DBL_MAX,
                                     -DBL_MAX,
                                     5e-324,
                                     3.14159274};
    int n = (int)(sizeof special / sizeof special[0]);
    if (i < n) return t == DT_F32 ? (float)special[i] : special[i];
    if (i < SPREAD) return from_bits(t, draw());
    double x = low + (high - low) * ((double)(draw() >> 11) * 0x1p-53);
    return t == DT_F32 ? (float)x : x;
}

static Port port_new(Program *p, const char *name, DType t, BufferKind kind, int64_t n) {
    int64_t *dims = NEW_ARRAY(p->unit->arena, int64_t, 1);
    dims[0] = n;
    return (Port){name, t, 1, dims, program_add_buffer(p, name, t, n, kind)};
}

static bool run(Unit *u, const char *target, DType t, const Case *c, const void *x, const void *y,
                void *r, int n) {
    Program *p = program_new(u, c->name, target_find(target));
    Port in_x = port_new(p, "x", t, BUF_INPUT, n), in_y = port_new(p, "y", t, BUF_INPUT, n);
    Port out = port_new(p, "r", t, BUF_OUTPUT, n);
    vec_push(u->arena, &p->inputs, in_x);
    vec_push(u->arena, &p->inputs, in_y);
    vec_push(u->arena, &p->outputs, out);
    Builder *b = builder_begin(p, c->name);
    const Expr *block = st_for_n(b, LOOP_SERIAL, "i", n / LANES);
    const Expr *lane = st_for_n(b, LOOP_LANES, "l", LANES);
    const Expr *at = ex_offset(b, block, LANES, lane);
    st_store(b, out.buffer, at,
             c->formula(b, ex_load(b, in_x.buffer, at), ex_load(b, in_y.buffer, at)));
    st_end(b);
    st_end(b);
    builder_end(b);
    InterpError error;
    bool ok = interp_run(p, (const void *const[]){x, y}, (void *const[]){r}, &error);
    if (!ok) printf("%s: %s\n", c->name, error.message);
    return ok;
}

/* Distance in units of the last place of the expected value; rounding to the format is allowed for
 * at its ends. */
static double ulps(DType t, double got, long double want) {
    if (isnan(want)) return isnan(got) ? 0 : 1e30;
    double rounded = t == DT_F32 ? (double)(float)want : (double)want;
    if (got == rounded && (isinf(got) || got == want))
        return signbit(got) == signbit(rounded) ? 0 : 1e30;
    if (isinf(got) || isinf(rounded)) return 1e30;
    int exponent;
    frexpl(want, &exponent);
    int least = t == DT_F32 ? -149 : -1074, digits = t == DT_F32 ? 24 : 53;
    int last = exponent - digits > least ? exponent - digits : least;
    return (double)ldexpl(fabsl(got - want), -last);
}

static double element(DType t, const void *at, int i) {
    return t == DT_F32 ? (double)((const float *)at)[i] : ((const double *)at)[i];
}

/* The second argument walks through the special values at another pace than the first. */
static void *arguments(Unit *u, DType t, int n, const Case *c, int pace) {
    size_t size = (size_t)dtypes[t].bytes;
    char *x = arena_array(u->arena, (size_t)n, size);
    for (int i = 0; i < n; i++) {
        double d = argument(t, i < 1200 ? i / pace % 40 : i, c->low, c->high);
        float f = (float)d;
        memcpy(x + (size_t)i * size, t == DT_F32 ? (void *)&f : (void *)&d, size);
    }
    return x;
}

static bool check(Unit *u, const char *target, DType t, const Case *c, double slack) {
    int n = (SPREAD + DENSE) / LANES * LANES, worst = 0;
    void *x = arguments(u, t, n, c, 1), *y = arguments(u, t, n, c, 40);
    void *r = arena_array(u->arena, (size_t)n, (size_t)dtypes[t].bytes);
    if (!run(u, target, t, c, x, y, r, n)) return false;
    double most = 0;
    for (int i = 0; i < n; i++) {
        double e = ulps(t, element(t, r, i), c->reference(element(t, x, i), element(t, y, i)));
        if (e > most) most = e, worst = i;
    }
    double bound = t == DT_F32 ? c->bound_f32 : c->bound_f64;
    bool ok = most <= (bound <= 0.5 ? bound : bound + slack);
    printf("%s %-8s %-10s %s: %.3g ulp, at most %.3g (%a of %a, %a)\n", ok ? "ok    " : "FAILED",
           c->name, target, dtypes[t].text, most, bound, element(t, r, worst), element(t, x, worst),
           element(t, y, worst));
    return ok;
}

/* Each in a unit of its own, since names are kept as long as the unit. */
static bool check_in_unit(const char *target, DType t, const Case *c, double slack) {
    Unit *u = calloc(1, sizeof *u);
    if (!u || !unit_begin(u, "maths", 0)) return false;
    bool ok = setjmp(u->escape.jump) == 0 && check(u, target, t, c, slack);
    if (*u->escape.message) printf("FAILED %s: %s\n", c->name, u->escape.message);
    unit_end(u);
    free(u);
    return ok;
}

int main(void) {
    bool ok = true;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ok &= check_in_unit("x86-64-v3", DT_F32, &cases[i], 0);
        ok &= check_in_unit("x86-64-v3", DT_F64, &cases[i], 0);
        ok &= check_in_unit("baseline", DT_F32, &cases[i], 0.4);
        ok &= check_in_unit("baseline", DT_F64, &cases[i], 0.4);
    }
    return ok ? 0 : 1;
}
