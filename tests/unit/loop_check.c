/* loop_check.c - what the check of kernels proves, and what it refuses. */
#include "loop.h"

#include <stdlib.h>
#include <string.h>

static int passed;

#define HEAD                                                                                                          \
    "program p target baseline arena 0\nbuffer x : f32[64] input\nbuffer table : i64[4] const {1, 2, 3, 60}\n"        \
    "buffer y : f32[64] output\nkernel k \"\" macs 0 bytes 0 {\n"

static void fail(const char *what, const char *text) {
    printf("FAILED: %s\n%s\n", what, text);
    exit(1);
}

/* `wrong`: a part of the message, or NULL if the kernel is right. */
static void check(const char *text, int unproven, const char *wrong) {
    Unit u;
    if (!unit_begin(&u, "check", 0)) exit(1);
    if (setjmp(u.escape.jump)) fail(u.escape.message, text);
    Program *p = program_parse(&u, text);
    if (!p) {
        diag_print(&u, stdout);
        fail("the text is refused", text);
    }
    int found = -1;
    const char *message = kernel_check(p, p->kernels.at[0], &found);
    if (message && (!wrong || !strstr(message, wrong))) fail(message, text);
    if (!message && wrong) fail("nothing is found wrong", text);
    if (!wrong && found != unproven) {
        printf("%d unproven, not %d\n", found, unproven);
        fail("bounds", text);
    }
    unit_end(&u);
    passed++;
}

static void bounds(void) {
    check(HEAD "for i in 64 { y[i] = x[i] } }", 0, NULL);
    check(HEAD "for i in 64 { y[i] = x[i + 1] } }", 1, NULL);
    check(HEAD "for i in 64 { y[i] = x[i + 64] } }", 0, "out of bounds");
    check(HEAD "for i in 4 { y[table[i]] = 1.0 } }", 1, NULL);   /* read back, the table's range is not known */
    check(HEAD "for i in 64 { y[i] = select(i + 1 < 64, x[i + 1], 0.0) } }", 0, NULL);
    check(HEAD "for i in 64 { y[i] = select(64 <= i + 1, 0.0, x[i + 1]) } }", 0, NULL);
    check(HEAD "for i in 64 { if 0 <= i - 3 & i < 50 { y[i - 3] = x[i + 15] } } }", 1, NULL);
    check(HEAD "for i in 64 { if 0 <= i - 3 & i < 50 { y[i - 3] = x[i + 13] } else { y[i + 1] = 0.0 } } }", 1, NULL);
    check(HEAD "for i in 64 { let inside = 2 <= i\nlet at = i - 2\nif inside { y[at] = 1.0 } } }", 0, NULL);
    check(HEAD "for a in 9 { for b in 9 { let s = a + b\nif s < 9 & 1 <= s { y[s*7 - 7] = x[a*7 + b*7 - 4] } } } }", 0,
          NULL);
    check(HEAD "for i in 80 { if i < 64 | i == 70 { y[i] = 1.0 } } }", 1, NULL);
    check(HEAD "for i in 80 { if !(i < 64) | 60 < i { y[0] = 1.0 } else { y[i + 3] = 1.0 } } }", 0, NULL);
    check(HEAD "for i in 80 { if i == 7 { y[i*9] = 1.0 } } }", 0, NULL);
    check(HEAD "for i in 90 { if 3 <= i { y[(i - 3)/2] = 1.0 } } }", 0, NULL);
}

static void structure(void) {
    check(HEAD "local a : f32[16] lanes 8\nfor i in 2 { for lanes l in 8 { a[i*8 + l] = 0.0 } } }", 0, NULL);
    check(HEAD "local a : f32[16] lanes 8\nfor i in 2 { let at = i*8\nfor lanes l in 8 { a[at + l] = 0.0 } } }", 0, NULL);
    check(HEAD "local a : f32[16] lanes 8\nfor i in 2 { for lanes l in 8 { a[i*4 + l] = 0.0 } } }", 0, "whole vectors");
    check(HEAD "local a : f32[16] lanes 8\nfor lanes l in 4 { a[l] = 0.0 } }", 0, "whole vectors");
    check(HEAD "local a : f32[16] lanes 8\nfor i in 8 { a[i] = 0.0 } }", 0, "whole vectors");
    check(HEAD "for lanes l in 8 { for i in 2 { y[l] = 0.0 } } }", 0, "a loop inside lanes");
    check(HEAD "for lanes l in 8 { for unroll i in 2 { y[l] = 0.0 } } }", 0, NULL);
}

/* Iterations of a parallel loop do not meet. */
static void parallel(void) {
    static const char meets[] = "iterations of a parallel loop may meet";
    check(HEAD "for parallel i in 64 { y[i] = x[i] } }", 0, NULL);
    check(HEAD "for parallel i in 8 { y[0] = x[i] } }", 0, meets);
    check(HEAD "for parallel i in 8 { y[0] += x[i] } }", 0, meets);
    check(HEAD "for parallel i in 63 { y[i] = y[i + 1] } }", 0, meets);
    check(HEAD "for parallel i in 63 { y[i] = y[i] + x[i + 1] } }", 0, NULL);
    check(HEAD "for parallel i in 8 { for j in 8 { y[i*8 + j] = 0.0 } } }", 0, NULL);
    check(HEAD "for parallel i in 8 { for j in 9 { if i*8 + j < 64 { y[i*8 + j] = 0.0 } } } }", 0, meets);
    check(HEAD "for parallel i in 8 { for j in 9 { if j < 8 { y[i*8 + j] = 0.0 } } } }", 0, NULL);
    check(HEAD "for parallel i in 8 { for j in 8 { y[j*8 + i] = 0.0 } } }", 0, NULL);
    check(HEAD "for parallel i in 8 { for j in 4 { y[j*8 + i] = y[j*8 + i + 32] } } }", 0, NULL);
    check(HEAD "for j in 8 { for parallel i in 8 { y[j + i*8] = y[j + i*8] + 1.0 } } }", 0, NULL);
    check(HEAD "for j in 8 { for parallel i in 4 { y[j + i*3] = 0.0 } } }", 0, NULL);
    check(HEAD "for parallel i in 8 { for j in 8 { y[i*4 + j] = 0.0 } } }", 0, meets);
    check(HEAD "for parallel i in 8 { for parallel j in 8 { y[i*8] = 0.0 } } }", 0, meets);
    /* rows of 3 kept 4 apart: a number is known by quotient and remainder */
    check(HEAD "for parallel i in 12 { for j in 3 { y[(i*3 + j)/3*4 + (i*3 + j)%3] = 0.0 } } }", 0, NULL);
    check(HEAD "for parallel i in 12 { for j in 4 { y[(i*4 + j)/3*4 + (i*4 + j)%3] = 0.0 } } }", 0, NULL);
    check(HEAD "for parallel i in 12 { for j in 4 { y[(i*3 + j)/3*4 + (i*3 + j)%3] = 0.0 } } }", 0, meets);
    check(HEAD "for parallel i in 12 { for j in 4 { y[(i*4 + j)/3%5*4 + (i*4 + j)%3] = 0.0 } } }", 0, meets);
    /* the last block of 8 is moved back, but not into its neighbour */
    check(HEAD "for parallel i in 4 { for j in 2 { for k in 4 { y[min(i*16 + j*8, 52) + k] = 0.0 } } } }", 0, NULL);
    check(HEAD "for parallel i in 4 { for j in 2 { for k in 4 { y[min(i*16 + j*8, 40) + k] = 0.0 } } } }", 0, meets);
    /* two blocks of columns by three of rows, the second block narrower */
    check(HEAD "for parallel i in 6 { if i < 3 { for j in 4 { y[i%3*6 + j] = 0.0 } } else { y[i%3*6 + 4] = 0.0 } } }", 0,
          NULL);
    check(HEAD "for parallel i in 6 { if i < 3 { for j in 4 { y[i%3*6 + j] = 0.0 } } else { y[i%3*6 + 3] = 0.0 } } }", 0,
          meets);
    check(HEAD "for parallel i in 6 { if i < 2 { y[i%3] = 0.0 } else { y[i%3 + 3] = 0.0 } } }", 0, meets);
    check(HEAD "for parallel i in 6 { if i/3 < 1 { y[i%3] = 0.0 } else { y[i%3 + 3] = 0.0 } } }", 0, NULL);
    /* the same in columns of 13 that are moved back at their end */
    check(HEAD "for parallel i in 2 { for j in 7 { for c in 4 { y[c*13 + min(i*7 + j, 12)] = 0.0 } } } }", 0, NULL);
    check(HEAD "for parallel i in 2 { for j in 8 { for c in 4 { y[c*13 + min(i*7 + j, 12)] = 0.0 } } } }", 0, meets);
    /* what an iteration has for itself */
    check(HEAD "for parallel i in 8 { local a : f32[1]\na[0] = x[i]\ny[i] = a[0] } }", 0, NULL);
    check(HEAD "for parallel i in 8 { scratch a : f32[1] @0\na[0] = x[i]\ny[i] = a[0] } }", 0, NULL);
    check(HEAD "local a : f32[1]\nfor parallel i in 8 { a[0] = x[i]\ny[i] = a[0] } }", 0, meets);
    check(HEAD "scratch a : f32[1] @0\nfor parallel i in 8 { a[0] = x[i]\ny[i] = a[0] } }", 0, meets);
    check(HEAD "for parallel i in 4 { local a : f32[8]\nfor parallel j in 8 { a[j] = x[i]\ny[i*8 + j] = a[j] } } }", 0,
          NULL);
    check(HEAD "scratch a : f32[1] @0\na[0] = x[0]\nfor parallel i in 8 { y[i] = a[0] } }", 0, NULL);
    check(HEAD "for i in 8 { scratch a : f32[1] @0\n} a[0] = 0.0 }", 0, "is not in scope");
}

/* What only a builder can get wrong. */
static void scope(void) {
    Unit u;
    if (!unit_begin(&u, "check", 0)) exit(1);
    if (setjmp(u.escape.jump)) fail(u.escape.message, "scope");
    Program *p = program_new(&u, "p", &targets[0]);
    Buffer *y = program_add_buffer(p, "y", DT_F32, 64, BUF_OUTPUT);
    Builder *b = builder_begin(p, "k");
    const Expr *i = st_for_n(b, LOOP_SERIAL, "i", 64);
    st_store(b, y, i, ex_float(b, DT_F32, 0));
    st_end(b);
    st_store(b, y, i, ex_float(b, DT_F32, 1));
    const char *message = kernel_check(p, builder_end(b), NULL);
    if (!message || !strstr(message, "i: is not in scope")) fail("scope", message ? message : "nothing");
    unit_end(&u);
    passed++;
}

int main(void) {
    bounds();
    structure();
    parallel();
    scope();
    printf("%d passed\n", passed);
    return 0;
}
