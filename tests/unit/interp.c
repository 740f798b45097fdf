/* interp.c - what the interpreter computes, and what it refuses, on small programs in text form.
 *
 * Every program reads x : i64[8] = 0 1 2 3 4 5 6 7 and f : f64[8] = -1e300 -2.75 -0.5 0 0.5 2.75
 * 3e9 1e300, and writes y : f64[8] or stops with a message that has a given text in it. */
#include "interp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct Case {
    const char *name, *body;
    double want[8];
    const char *error; /* NULL: it must succeed */
} Case;

static const Case cases[] = {
    {"lanes", "for lanes l in 8 { y[l] = f64(x[7 - l] * 2) }", {14, 12, 10, 8, 6, 4, 2, 0}, NULL},
    {"serial", "for i in 8 { y[i] = f64(x[i]) + f64(i) }", {0, 2, 4, 6, 8, 10, 12, 14}, NULL},
    {"strided load",
     "for lanes l in 4 { y[l] = f64(x[l*2 + 1]) }",
     {1, 3, 5, 7, NAN, NAN, NAN, NAN},
     NULL},
    {"strided store",
     "for lanes l in 4 { y[l*2] = f64(l) }",
     {0, NAN, 1, NAN, 2, NAN, 3, NAN},
     NULL},
    {"gather",
     "for lanes l in 8 { y[l] = f64(x[x[l] * x[l] % 8]) }",
     {0, 1, 4, 1, 0, 1, 4, 1},
     NULL},
    {"scatter", "for lanes l in 8 { y[x[7 - l]] = f64(l) }", {7, 6, 5, 4, 3, 2, 1, 0}, NULL},
    {"chosen side of a vector",
     "for lanes l in 8 { y[l] = f64(select(l < 4, x[l + 4], x[l - 4])) }",
     {4, 5, 6, 7, 0, 1, 2, 3},
     NULL},
    {"chosen side of a scalar",
     "for i in 8 { y[i] = f64(select(i == 0, 9, 8 / i)) }",
     {9, 8, 4, 2, 2, 1, 1, 1},
     NULL},
    {"nested selects",
     "for lanes l in 8 { y[l] = f64(select(l < 2, 0, select(l < 4, x[l - 2], select(l < 6, x[l + "
     "2], x[l - 6])))) }",
     {0, 0, 0, 1, 6, 7, 0, 1},
     NULL},
    {"if in lanes",
     "for lanes l in 8 { if l < 3 { y[l] = f64(x[l + 5]) } else { y[l] = f64(12 / l) } }",
     {5, 6, 7, 4, 3, 2, 2, 1},
     NULL},
    {"many lanes",
     "local t : f64[200] for lanes l in 200 { t[l] = f64(l) } for i in 8 { y[i] = t[i * 25] }",
     {0, 25, 50, 75, 100, 125, 150, 175},
     NULL},
    {"accumulation",
     "local t : f64[1] t[0] = 1.0:f64 for i in 8 { t[0] += f64(x[i]) y[i] = t[0] }",
     {1, 2, 4, 7, 11, 16, 22, 29},
     NULL},
    {"fused accumulation",
     "for lanes l in 8 { y[l] = f64(x[l]) y[l] fma= f64(l), 10.0:f64 }",
     {0, 11, 22, 33, 44, 55, 66, 77},
     NULL},
    {"loop in lanes",
     "for lanes l in 8 { y[l] = 0.0:f64 for unroll k in 3 { y[l] += f64(x[l] * k) } }",
     {0, 3, 6, 9, 12, 15, 18, 21},
     NULL},
    {"variable extent",
     "for i in 8 { y[i] = 0.0:f64 for k in x[i] { y[i] += 1.0:f64 } }",
     {0, 1, 2, 3, 4, 5, 6, 7},
     NULL},
    {"undefined local",
     "local t : f64[8] for i in 8 { if i < 4 { t[i] = 1.0:f64 } y[i] = t[i] }",
     {1, 1, 1, 1, NAN, NAN, NAN, NAN},
     NULL},
    {"wrapping",
     "for i in 8 { y[i] = f64(i8(x[i] * 40)) }",
     {0, 40, 80, 120, -96, -56, -16, 24},
     NULL},
    {"division truncates",
     "for i in 8 { y[i] = f64((x[i] - 4) / 3) }",
     {-1, -1, 0, 0, 0, 0, 0, 1},
     NULL},
    {"remainder", "for i in 8 { y[i] = f64((x[i] - 4) % 3) }", {-1, 0, -2, -1, 0, 1, 2, 0}, NULL},
    {"float to integer truncates",
     "for i in 5 { y[i] = f64(i32(f[i + 1])) }",
     {-2, 0, 0, 0, 2, NAN, NAN, NAN},
     NULL},
    {"one rounding to f16",
     "for i in 8 { y[i] = f64(f16(1.00048828125:f64 + f64(x[i]) * 1e-12:f64)) }",
     {1, 1.0009765625, 1.0009765625, 1.0009765625, 1.0009765625, 1.0009765625, 1.0009765625,
      1.0009765625},
     NULL},
    {"to bool", "for i in 8 { y[i] = f64(i64(bool(f[i]))) }", {1, 1, 1, 0, 1, 1, 1, 1}, NULL},
    {"bits",
     "for i in 8 { y[i] = f64((x[i] << x[i]) >> 1 ^ 1) }",
     {1, 0, 5, 13, 33, 81, 193, 449},
     NULL},
    {"minimum of NaN",
     "for i in 8 { y[i] = min(sqrt(f[i]), 1.0:f64) }",
     {1, 1, 1, 0, 0x1.6a09e667f3bcdp-1, 1, 1, 1},
     NULL},
    {"read beyond", "for i in 9 { y[0] = f64(x[i]) }", {0}, "read of 'x' at 8, which has 8"},
    {"read before", "for lanes l in 8 { y[l] = f64(x[l - 1]) }", {0}, "read of 'x' at -1"},
    {"write beyond", "for lanes l in 8 { y[l + 1] = 0.0:f64 }", {0}, "write of 'y' at 8"},
    {"gather beyond", "for lanes l in 8 { y[l] = f64(x[x[l] * x[l]]) }", {0}, "read of 'x' at 9"},
    {"accumulation beyond", "for i in 9 { y[i] += 1.0:f64 }", {0}, "write of 'y' at 8"},
    {"division by zero", "for i in 8 { y[i] = f64(8 / x[i]) }", {0}, "division by zero"},
    {"remainder by zero",
     "for lanes l in 8 { y[l] = f64(8 % (x[l] - 3)) }",
     {0},
     "division by zero"},
    {"shift too far",
     "for i in 8 { y[i] = f64(i32(x[i]) << i32(x[i] * 5)) }",
     {0},
     "shift by 35 of 32"},
    {"too large for i32", "for i in 8 { y[i] = f64(i32(f[6])) }", {0}, "3e+09 converted to i32"},
    {"a parallel loop runs backwards",
     "for parallel i in 4 { y[0] = y[0]*f64(10) + f64(i)\ny[1] = f64(i) }",
     {NAN, 0, NAN, NAN, NAN, NAN, NAN, NAN},
     NULL},
    {"NaN to integer", "for i in 8 { y[i] = f64(i32(sqrt(f[i]))) }", {0}, "nan converted to i32"},
};

static const char head[] =
    "program p target \"x86-64-v3\" arena 0\n"
    "buffer x : i64[8] input\nbuffer f : f64[8] input\nbuffer y : f64[8] output\n"
    "input x : i64[8] in x\ninput f : f64[8] in f\noutput y : f64[8] in y\n"
    "kernel k \"\" macs 0 bytes 0 {\n";

static bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static bool check(Unit *u, const Case *c) {
    /* one byte off: inputs need not be aligned */
    static char bytes[2 * 64 + 1];
    const int64_t x[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const double f[8] = {-1e300, -2.75, -0.5, 0, 0.5, 2.75, 3e9, 1e300};
    double y[8];
    memcpy(bytes + 1, x, sizeof x);
    memcpy(bytes + 65, f, sizeof f);
    Program *p = program_parse(u, arena_format(u->arena, "%s%s }\n", head, c->body));
    if (!p) {
        diag_print(u, stdout);
        return false;
    }
    InterpError error = {""};
    bool ok =
        interp_run(p, (const void *const[]){bytes + 1, bytes + 65}, (void *const[]){y}, &error);
    if (c->error) {
        if (!ok && strstr(error.message, c->error) && strstr(error.message, "kernel k: "))
            return true;
        printf("FAILED %s: said '%s'\n", c->name, error.message);
        return false;
    }
    for (int i = 0; ok && i < 8; i++) {
        if (same(y[i], c->want[i])) continue;
        printf("FAILED %s: y[%d] is %.17g, should be %.17g\n", c->name, i, y[i], c->want[i]);
        return false;
    }
    if (!ok) printf("FAILED %s: %s\n", c->name, error.message);
    return ok;
}

int main(void) {
    static Unit u;
    bool ok = unit_begin(&u, "interp", 0);
    if (!ok || setjmp(u.escape.jump)) {
        printf("FAILED: %s\n", u.escape.message);
        return 1;
    }
    size_t n = sizeof cases / sizeof *cases;
    for (size_t i = 0; i < n; i++) ok &= check(&u, &cases[i]);
    if (ok) printf("%zu programs\n", n);
    unit_end(&u);
    return ok ? 0 : 1;
}
