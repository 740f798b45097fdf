/* loop_overwrite.c - which kernels may write over what they read for the last time, and that they
 * are found. */
#include "loop.h"

#include <stdlib.h>
#include <string.h>

static int passed;

/* What stands between a kernel that makes `a` and one that reads `b`. */
typedef struct Case {
    const char *what, *body;
    bool may;
} Case;

static const Case cases[] = {
    {"element by element", "for i in 64 { b[i] = a[i]*2.0 }", true},
    {"one element after another", "for i in 64 { let x = a[i] let y = a[i]*x b[i] = y }", true},
    {"vectors and what is left",
     "for y in 2 { for i in 3 { for lanes l in 8 { b[y*32 + i*8 + l] = a[y*32 + i*8 + l] } }"
     " for r in 8 { b[y*32 + r + 24] = a[y*32 + r + 24] } }",
     true},
    {"rows with a frame", "for y in 6 { for x in 5 { b[y*10 + x + 3] = a[y*10 + x + 3] } }", true},
    {"all read before the first is written",
     "local sum : f32[1] sum[0] = 0.0 for i in 64 { sum[0] += a[63 - i] } for i in 64 { b[i] = "
     "a[i] - sum[0] }",
     true},
    {"a group read before it is written",
     "for parallel g in 2 { local sum : f32[1] sum[0] = 0.0 for i in 32 { sum[0] += a[g*32 + i] }"
     " for i in 32 { b[g*32 + i] = a[g*32 + i]/sum[0] } }",
     true},
    {"groups of channels",
     "for g in 2 { local sum : f32[1] sum[0] = 0.0 for p in 8 { for c in 4 { sum[0] += a[p*8 + g*4 "
     "+ c] } }"
     " for p in 8 { for c in 4 { b[p*8 + g*4 + c] = a[p*8 + g*4 + c]/sum[0] } } }",
     true},
    {"what is computed twice, read first",
     "for i in 64 { b[i] = a[i] } for i in 64 { b[i] += 1.0 }", true},
    {"halves apart", "for i in 32 { b[i] = 0.0 } for i in 32 { b[i + 32] = a[i + 32] }", true},
    {"backwards", "for i in 64 { b[i] = a[63 - i] }", false},
    {"turned", "for i in 8 { for j in 8 { b[i*8 + j] = a[j*8 + i] } }", false},
    {"a neighbour", "for i in 63 { b[i + 1] = a[i] }", false},
    {"two neighbours", "for i in 63 { b[i] = a[i] + a[i + 1] }", false},
    {"groups that overlap",
     "for g in 2 { local sum : f32[1] sum[0] = 0.0 for i in 33 { sum[0] += a[g*31 + i] }"
     " for i in 32 { b[g*32 + i] = sum[0] } }",
     false},
    {"written before it is read", "for i in 64 { b[i] = 1.0 c[i] = a[i] }", false},
    {"written by all before one reads", "for i in 64 { b[i] = 1.0 } for i in 64 { c[i] = a[i] }",
     false},
    {"again in each turn", "for k in 3 { for i in 64 { b[i] = a[i] + f32(k) } }", false},
    {"the same for all", "for i in 64 { b[i] = a[5] }", false},
    {"wherever a table says", "for i in 64 { b[i] = a[i64(table[i])] }", false},
    {"halo first", "for i in 10 { b[i] = 0.0 } for i in 54 { b[i + 10] = a[i] }", false},
    {"the dying one is written, too", "for i in 64 { b[i] = a[i] a[i] = 0.0 }", false},
    {"none runs", "for i in 0 { b[i] = a[63 - i] } b[0] = 1.0", true},
};

static void fail(const char *what, const char *why) {
    printf("FAILED: %s: %s\n", what, why);
    exit(1);
}

static Program *program_of(Unit *u, const char *body, const char *type) {
    Text t = {.arena = u->arena};
    text_add(&t,
             "program p target \"x86-64-v3\" arena 0\nbuffer x : f32[64] input\nbuffer y : f32[64] "
             "output\n"
             "buffer table : u8[3] const {0, 1, 2}\nbuffer a : f32[64] arena @0 live 0..0\n"
             "buffer b : %s[64] arena @0 live 0..0\nbuffer c : f32[64] arena @0 live 0..0\n"
             "buffer d : f32[64] arena @0 live 0..0\n"
             "kernel first \"\" macs 0 bytes 0 { for i in 64 { a[i] = x[i] } }\n"
             "kernel second \"\" macs 0 bytes 0 { %s }\n"
             "kernel third \"\" macs 0 bytes 0 { for i in 64 { d[i] = f32(b[i]) + c[i] } }\n"
             "kernel fourth \"\" macs 0 bytes 0 { for i in 64 { y[i] = d[i] } }\n",
             type, body);
    Program *p = program_parse(u, t.at);
    if (!p) fail(body, "is refused");
    program_plan(p);
    return p;
}

static const Buffer *buffer(const Program *p, const char *name) {
    for (int i = 0; i < p->buffers.n; i++)
        if (!strcmp(p->buffers.at[i]->name, name)) return p->buffers.at[i];
    return NULL;
}

static void test_case(Unit *u, const Case *c) {
    const Program *p = program_of(u, c->body, "f32");
    const Buffer *a = buffer(p, "a"), *b = buffer(p, "b");
    if ((b->overwrites == a) != c->may) fail(c->what, c->may ? "may not" : "may");
    if ((b->offset == a->offset) != c->may) fail(c->what, "the offsets do not say so");
    passed++;
}

/* a, b and d lie in one place, and nothing else is needed: c is not live where it is not touched
 * before. */
static void test_chain(Unit *u) {
    const Program *p = program_of(u, "for i in 64 { b[i] = a[i] c[i] = a[i] + 1.0 }", "f32");
    const Buffer *b = buffer(p, "b"), *c = buffer(p, "c"), *d = buffer(p, "d");
    if (b->overwrites || c->overwrites != buffer(p, "a"))
        fail("two made", "the last one written takes the place");
    if (d->overwrites != b && d->overwrites != c)
        fail("two made", "one of them is overwritten in turn");
    if (p->arena_bytes != 512) fail("two made", "two places are enough");
    passed++;
}

static void test_types(Unit *u) {
    const Program *p = program_of(u, "for i in 64 { b[i] = i32(a[i]) }", "i32");
    if (buffer(p, "b")->overwrites) fail("another type", "C's rules of aliasing forbid it");
    passed++;
}

int main(void) {
    Unit u;
    if (!unit_begin(&u, "overwrite", 0)) return 1;
    if (setjmp(u.escape.jump)) fail("escape", u.escape.message);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) test_case(&u, &cases[i]);
    test_chain(&u);
    test_types(&u);
    unit_end(&u);
    printf("%d passed\n", passed);
    return 0;
}
