/* loop_place.c - placing LETs changes no result, and the text form reads back, on random kernels.
 *
 * A random kernel is printed before it is placed, and read back: that is the definition.  Both run
 * in the interpreter and must give the same bits.  A few kernels that matter are compared with the
 * text that one expects. */
#include "interp.h"

#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 400, COUNT = 512, OUT = 512, POOL = 40 };

static int passed;

typedef struct Source {
    uint64_t state;
    Unit *unit;
    Program *program;
    Builder *b;
    Buffer *in, *table, *out, *scratch;
    const Expr *ints[POOL], *floats[POOL], *bools[POOL];
    int n_ints, n_floats, n_bools, depth, in_lanes;
} Source;

static uint32_t draw(Source *s, uint32_t n) {
    s->state = s->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(s->state >> 33) % n;
}

static const Expr *keep(const Expr **pool, int *n, const Expr *e) {
    if (*n < POOL) pool[(*n)++] = e;
    return e;
}

static const Expr *any_int(Source *s) {
    return s->n_ints && draw(s, 8) ? s->ints[draw(s, (uint32_t)s->n_ints)]
                                   : ex_index(s->b, draw(s, 9));
}

static const Expr *new_int(Source *s) {
    Builder *b = s->b;
    const Expr *x = any_int(s), *y = any_int(s), *c = ex_index(b, 1 + draw(s, 7));
    switch (draw(s, 8)) {
    case 0: return keep(s->ints, &s->n_ints, ex_div(b, x, c));
    case 1: return keep(s->ints, &s->n_ints, ex_rem(b, x, c));
    case 2:
        return keep(s->ints, &s->n_ints,
                    ex_load(b, s->table, ex_rem(b, ex_max(b, x, ex_index(b, 0)), ex_index(b, 8))));
    case 3: return keep(s->ints, &s->n_ints, ex_select(b, ex_lt(b, x, c), x, y));
    case 4: return keep(s->ints, &s->n_ints, ex_div(b, c, ex_sub(b, x, y)));
    default: return keep(s->ints, &s->n_ints, ex_offset(b, x, 1 + draw(s, 6), y));
    }
}

static const Expr *index_within(Source *s, int64_t count) {
    const Expr *x = new_int(s);
    return ex_rem(s->b, ex_max(s->b, x, ex_index(s->b, 0)), ex_index(s->b, count));
}

static const Expr *any_float(Source *s) {
    return s->n_floats && draw(s, 8) ? s->floats[draw(s, (uint32_t)s->n_floats)]
                                     : ex_float(s->b, DT_F32, 0.25 * draw(s, 9));
}

static const Expr *any_bool(Source *s) {
    if (s->n_bools && draw(s, 3)) return s->bools[draw(s, (uint32_t)s->n_bools)];
    const Expr *x = new_int(s), *y = any_int(s);
    return keep(s->bools, &s->n_bools, draw(s, 2) ? ex_lt(s->b, x, y) : ex_eq(s->b, x, y));
}

static const Expr *new_float(Source *s) {
    Builder *b = s->b;
    const Expr *x = any_float(s), *y = any_float(s);
    switch (draw(s, 8)) {
    case 0: return keep(s->floats, &s->n_floats, ex_load(b, s->in, index_within(s, COUNT)));
    case 1: return keep(s->floats, &s->n_floats, ex_load(b, s->scratch, index_within(s, COUNT)));
    case 2: return keep(s->floats, &s->n_floats, ex_load(b, s->out, index_within(s, OUT)));
    case 3: {
        const Expr *i = any_int(s), *zero = ex_index(b, 0);
        const Expr *inside = ex_and(b, ex_le(b, zero, i), ex_lt(b, i, ex_index(b, COUNT)));
        const Expr *load = ex_load(b, s->in, i);
        return keep(s->floats, &s->n_floats, ex_select(b, inside, ex_fma(b, load, load, x), y));
    }
    case 4: return keep(s->floats, &s->n_floats, ex_select(b, any_bool(s), x, y));
    case 5: return keep(s->floats, &s->n_floats, ex_mul(b, x, y));
    default: return keep(s->floats, &s->n_floats, ex_add(b, x, y));
    }
}

static void block(Source *s, int n);

static void loop(Source *s) {
    static const char *const names[] = {"i", "j", "row", "in"};
    static const LoopKind kinds[] = {LOOP_SERIAL, LOOP_SERIAL, LOOP_UNROLL, LOOP_LANES};
    LoopKind kind = s->in_lanes ? LOOP_UNROLL : kinds[draw(s, 4)];
    const Expr *v =
        kind == LOOP_SERIAL && !draw(s, 3)
            ? st_for(s->b, kind, "n", ex_max(s->b, any_int(s), ex_index(s->b, 0)))
            : st_for_n(s->b, kind, names[draw(s, 4)], kind == LOOP_LANES ? 4 : 1 + draw(s, 3));
    if (v->hi > 64) v = ex_rem(s->b, v, ex_index(s->b, 64));
    int n_ints = s->n_ints;
    s->in_lanes += kind == LOOP_LANES;
    keep(s->ints, &s->n_ints, v);
    block(s, 1 + (int)draw(s, 4));
    s->in_lanes -= kind == LOOP_LANES;
    s->n_ints = n_ints;
    st_end(s->b);
}

static void statement(Source *s) {
    Buffer *to = draw(s, 2) ? s->out : s->scratch;
    switch (draw(s, s->depth < 5 ? 9 : 6)) {
    case 0: keep(s->floats, &s->n_floats, st_let(s->b, "x", new_float(s))); break;
    case 1: keep(s->ints, &s->n_ints, st_let(s->b, "at", new_int(s))); break;
    case 2: st_acc(s->b, to, index_within(s, OUT), new_float(s)); break;
    case 3: {
        const Expr *x = new_float(s), *y = new_float(s);
        st_acc_mul(s->b, to, index_within(s, OUT), x, y);
        break;
    }
    case 4:
    case 5: {
        const Expr *x = new_float(s);
        st_store(s->b, to, index_within(s, OUT), x);
        break;
    }
    case 6:
        st_if(s->b, any_bool(s));
        block(s, 1 + (int)draw(s, 3));
        if (draw(s, 2)) {
            st_else(s->b);
            block(s, 1 + (int)draw(s, 2));
        }
        st_end(s->b);
        break;
    default: loop(s); break;
    }
}

static void block(Source *s, int n) {
    int n_ints = s->n_ints, n_floats = s->n_floats, n_bools = s->n_bools;
    s->depth++;
    while (n--) statement(s);
    s->depth--;
    s->n_ints = n_ints;
    s->n_floats = n_floats;
    s->n_bools = n_bools;
}

static void make_buffers(Source *s) {
    static const int64_t table[] = {3, 0, 77, 5, 12, 1, 9, 40};
    static const int64_t dims[] = {COUNT};
    Program *p = s->program;
    s->in = program_add_buffer(p, "layer/x", DT_F32, COUNT, BUF_INPUT);
    s->table = program_add_buffer(p, "table", DT_I64, 8, BUF_CONST);
    s->table->data = tensor_from_ints(s->unit->arena, table, 8);
    s->out = program_add_buffer(p, "y", DT_F32, OUT, BUF_OUTPUT);
    s->scratch = program_add_buffer(p, "y", DT_F32, COUNT, BUF_ARENA);
    vec_push(s->unit->arena, &p->inputs,
             ((Port){.name = "x", .dtype = DT_F32, .rank = 1, .dims = dims, .buffer = s->in}));
    vec_push(s->unit->arena, &p->outputs,
             ((Port){.name = "y", .dtype = DT_F32, .rank = 1, .dims = dims, .buffer = s->out}));
}

static bool fail(const char *what, const char *before, const char *after) {
    printf("FAILED: %s\n%s\n---\n%s\n", what, before, after);
    return false;
}

/* Contents of the scratch are undefined before they are written. */
static void clear(Source *s) {
    const Expr *i = st_for_n(s->b, LOOP_SERIAL, "clear", COUNT);
    st_store(s->b, s->scratch, i, ex_float(s->b, DT_F32, 0));
    st_store(s->b, s->out, i, ex_float(s->b, DT_F32, 0));
    st_end(s->b);
}

static bool check_all(const Program *p, const char *text) {
    for (int k = 0; k < p->kernels.n; k++) {
        const char *what = kernel_check(p, p->kernels.at[k], NULL);
        if (what) return fail(what, text, "");
    }
    return true;
}

static bool same_results(Program *defined, Program *placed, const char *before, const char *after) {
    static float in[COUNT], out[2][OUT];
    const void *inputs[] = {in};
    for (int i = 0; i < COUNT; i++) in[i] = (float)(i % 37) * 0.375f - 3;
    InterpError error;
    void *outputs[] = {out[0]};
    if (!interp_run(defined, inputs, outputs, &error)) return true;
    outputs[0] = out[1];
    if (!interp_run(placed, inputs, outputs, &error)) return fail(error.message, before, after);
    if (memcmp(out[0], out[1], sizeof out[0])) return fail("results differ", before, after);
    passed++;
    return true;
}

static bool random_kernel(Unit *u, uint64_t seed) {
    Program *p = program_new(u, "random", &targets[0]);
    Source s = {.state = seed, .unit = u, .program = p};
    make_buffers(&s);
    program_plan(p);
    Text before = {.arena = u->arena}, after = {.arena = u->arena}, again = {.arena = u->arena};
    program_print(p, &before);
    s.b = builder_begin(p, "k");
    clear(&s);
    block(&s, 4);
    kernel_print(p, builder_kernel(s.b), &before);
    builder_end(s.b);
    program_plan(p);
    program_print(p, &after);
    Program *defined = program_parse(u, before.at);
    if (!defined) return fail("the text is refused", before.at, "");
    program_plan(defined);
    Program *read = program_parse(u, after.at);
    if (!read) return fail("the text is refused", after.at, "");
    program_print(read, &again);
    if (strcmp(after.at, again.at))
        return fail("the text reads back otherwise", after.at, again.at);
    if (!check_all(p, after.at) || !check_all(defined, before.at) || !check_all(read, again.at))
        return false;
    return same_results(defined, p, before.at, after.at);
}

/* The heart of a matrix product: what does not depend on a loop stands before it, indices keep
 * their lanes. */
static const char tile[] =
    "kernel tile \"\" macs 0 bytes 0 {\n"
    "    for parallel row in 8 {\n"
    "        local acc : f32[16] lanes 8\n"
    "        let row_at = row*64\n"
    "        for again in 64 {\n"
    "            for k in 64 {\n"
    "                let k_at = k*16\n"
    "                let \"layer/x_value\" = \"layer/x\"[row_at + k]\n"
    "                for unroll j in 2 {\n"
    "                    for lanes l in 8 {\n"
    "                        acc[j*8 + l] fma= \"layer/x_value\", y_2[k_at + j*8 + l]\n"
    "                    }\n"
    "                }\n"
    "            }\n"
    "        }\n"
    "        let row_at_2 = row*16\n"
    "        for unroll j in 2 {\n"
    "            for lanes l in 8 {\n"
    "                let acc_value = acc[j*8 + l]\n"
    "                let inside = 4 <= row_at_2 + j*8 + l\n"
    "                let \"layer/x_value\" = select(inside, \"layer/x\"[row_at_2 + j*8 + l - 4], "
    "0.0)\n"
    "                y[row_at_2 + j*8 + l] = fma(acc_value, acc_value, select(inside, "
    "\"layer/x_value\"*\"layer/x_value\", 1.0))\n"
    "            }\n"
    "        }\n"
    "    }\n"
    "}\n";

static void build_tile(Source *s) {
    Builder *b = s->b;
    const Expr *row = st_for_n(b, LOOP_PARALLEL, "row", 8), *c8 = ex_index(b, 8);
    Buffer *acc = st_local(b, "acc", DT_F32, 16, 8);
    st_for_n(b, LOOP_SERIAL, "again", 64); /* enough work to be shared by threads */
    const Expr *k = st_for_n(b, LOOP_SERIAL, "k", 64), *j = st_for_n(b, LOOP_UNROLL, "j", 2);
    const Expr *l = st_for_n(b, LOOP_LANES, "l", 8), *column = ex_add(b, ex_mul(b, j, c8), l);
    const Expr *x = ex_load(b, s->in, ex_offset(b, row, 64, k));
    st_acc_mul(b, acc, column, x, ex_load(b, s->scratch, ex_offset(b, k, 16, column)));
    for (int n = 0; n < 4; n++) st_end(b);
    j = st_for_n(b, LOOP_UNROLL, "j", 2);
    l = st_for_n(b, LOOP_LANES, "l", 8);
    column = ex_add(b, ex_mul(b, j, c8), l);
    const Expr *at = ex_offset(b, row, 16, column), *sum = ex_load(b, acc, column);
    const Expr *before = ex_sub(b, at, ex_index(b, 4)), *old = ex_load(b, s->in, before);
    const Expr *inside = ex_le(b, ex_index(b, 0), before);
    const Expr *rest = ex_select(b, inside, ex_mul(b, old, old), ex_float(b, DT_F32, 1));
    st_store(b, s->out, at, ex_fma(b, sum, sum, rest));
    for (int n = 0; n < 3; n++) st_end(b);
}

static bool expected_text(Unit *u) {
    Source s = {.unit = u, .program = program_new(u, "expected", &targets[0])};
    Text text = {.arena = u->arena};
    make_buffers(&s);
    s.b = builder_begin(s.program, "tile");
    build_tile(&s);
    Kernel *k = builder_end(s.b);
    kernel_print(s.program, k, &text);
    int unproven;
    const char *wrong = kernel_check(s.program, k, &unproven);
    if (wrong) return fail(wrong, text.at, "");
    if (strcmp(text.at, tile)) return fail("another text is expected", text.at, tile);
    passed++;
    return true;
}

static bool run(int n) {
    Unit u;
    if (!unit_begin(&u, "place", 0)) return false;
    if (setjmp(u.escape.jump)) {
        printf("FAILED: %s\n", u.escape.message);
        return false;
    }
    bool ok = (n || expected_text(&u)) && random_kernel(&u, (uint64_t)n * 7919 + 3);
    if (!ok) {
        printf("seed %d\n", n);
        diag_print(&u, stdout);
    }
    unit_end(&u);
    return ok;
}

int main(void) {
    for (int n = 0; n < ROUNDS; n++)
        if (!run(n)) return 1;
    printf("%d passed\n", passed);
    return 0;
}
