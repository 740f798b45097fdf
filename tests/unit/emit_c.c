/* emit_c.c - generated C gives the bits of the interpreter, on random kernels.
 *
 * A program of many kernels is made at random: loops of every kind, lanes of odd and even extents,
 * all types, scattered and guarded loads, locals that are registers.  It is run by the interpreter
 * and by the C backend. Arguments: a first seed, then compiler commands; without, seed 1 and the
 * usual compiler at -O1. */
#include "backend.h"
#include "emit_c.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 96, KERNELS = 40, OUTPUTS = 4 };

static const DType types[] = {DT_F32, DT_F64, DT_I32, DT_I64,  DT_U8,  DT_I8,  DT_U16,
                              DT_I16, DT_U32, DT_U64, DT_BOOL, DT_F16, DT_BF16};
enum { TYPES = sizeof types / sizeof *types };

typedef struct Source {
    uint64_t state;
    Program *program;
    Builder *b;
    Buffer *in[DT_COUNT], *table[DT_COUNT];
    const Expr *index; /* 0..COUNT-1, the element being made */
    const Expr *outer; /* a loop variable around it, or NULL */
    VEC(const Expr *) lets;
} Source;

static uint32_t draw(Source *s, uint32_t n) {
    s->state = s->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(s->state >> 33) % n;
}

static bool is_half(DType t) { return t == DT_F16 || t == DT_BF16; }

static const Expr *make(Source *s, DType t, int depth);

static const Expr *literal(Source *s, DType t) {
    static const double floats[] = {0, 1, -0.5, 3.25, 1e-3, -1e6, -0.0, 0.1};
    if (dtype_is_float(t)) return ex_float(s->b, t, floats[draw(s, 8)]);
    if (t == DT_BOOL) return ex_bool(s->b, draw(s, 2));
    return ex_int(s->b, t, (int64_t)draw(s, 300) - 100);
}

/* Of any index: contiguous, strided, shuffled, the same for all lanes, or out of bounds behind a
 * guard. */
static const Expr *load(Source *s, DType t) {
    Builder *b = s->b;
    const Buffer *from = draw(s, 3) ? s->in[t] : s->table[t];
    const Expr *end = ex_index(b, COUNT), *i = s->index;
    switch (draw(s, 8)) {
    case 0: return ex_load(b, from, ex_sub(b, ex_index(b, COUNT - 1), i));
    case 1: return ex_load(b, from, ex_rem(b, ex_offset(b, i, 7, ex_index(b, 5)), end));
    case 2: return ex_load(b, from, s->outer ? s->outer : ex_index(b, 3));
    case 3: {
        const Expr *at = ex_sub(b, i, ex_index(b, 1 + draw(s, 9))), *zero = ex_index(b, 0);
        return ex_select(b, ex_le(b, zero, at), ex_load(b, from, at), literal(s, t));
    }
    case 4:
        if (s->outer && s->outer->type == DT_I64) {
            const Expr *inside = ex_lt(b, s->outer, ex_index(b, 2));
            return ex_select(b, inside, ex_load(b, from, i), literal(s, t));
        }
        return ex_load(b, from, i);
    default: return ex_load(b, from, i);
    }
}

static const Expr *clamped(Source *s, const Expr *x, DType to) {
    double low = dtypes[to].kind == DK_SIGNED ? -100 : 0;
    return ex_min(s->b, ex_max(s->b, x, ex_float(s->b, x->type, low)),
                  ex_float(s->b, x->type, 100));
}

static const Expr *convert(Source *s, DType t, int depth) {
    DType from = types[draw(s, TYPES)];
    const Expr *x = make(s, from, depth - 1);
    if (is_half(from) && !dtype_is_float(t)) x = ex_cast(s->b, from = DT_F32, x);
    if (dtype_is_float(from) && dtype_is_int(t)) x = clamped(s, x, t);
    return ex_cast(s->b, t, x);
}

static const Expr *make_bool(Source *s, int depth) {
    DType t = types[draw(s, TYPES)];
    if (is_half(t)) t = DT_F32;
    static const ScalarOp compares[] = {SC_LT, SC_LE, SC_EQ, SC_NE},
                          logic[] = {SC_AND, SC_OR, SC_XOR, SC_NOT};
    if (draw(s, 3)) {
        const Expr *x = make(s, t, depth - 1), *y = make(s, t, depth - 1);
        return ex_scalar(s->b, compares[draw(s, 4)], x, y, NULL);
    }
    ScalarOp op = logic[draw(s, 4)];
    const Expr *x = make(s, DT_BOOL, depth - 1), *y = make(s, DT_BOOL, depth - 1);
    return ex_scalar(s->b, op, x, op == SC_NOT ? NULL : y, NULL);
}

static const Expr *make_float(Source *s, DType t, int depth) {
    static const ScalarOp ops[] = {SC_ADD, SC_SUB, SC_MUL,  SC_DIV, SC_NEG,
                                   SC_ABS, SC_FMA, SC_SQRT, SC_MIN, SC_MAX};
    ScalarOp op = ops[draw(s, 10)];
    const Expr *x[3] = {NULL};
    for (int k = 0; k < scalar_infos[op].arity; k++) x[k] = make(s, t, depth - 1);
    if (op == SC_FMA) return ex_fma(s->b, x[0], x[1], x[2]);
    return ex_scalar(s->b, op, x[0], x[1], x[2]);
}

static const Expr *make_int(Source *s, DType t, int depth) {
    static const ScalarOp ops[] = {SC_ADD, SC_SUB, SC_MUL, SC_DIV, SC_REM, SC_NEG, SC_ABS, SC_MIN,
                                   SC_MAX, SC_AND, SC_OR,  SC_XOR, SC_NOT, SC_SHL, SC_SHR};
    ScalarOp op = ops[draw(s, 15)];
    const Expr *x = make(s, t, depth - 1), *y = make(s, t, depth - 1);
    if (op == SC_DIV || op == SC_REM)
        y = draw(s, 2) ? ex_or(s->b, y, ex_int(s->b, t, 1)) : ex_int(s->b, t, 7);
    if (op == SC_SHL || op == SC_SHR) y = ex_and(s->b, y, ex_int(s->b, t, 7));
    return ex_scalar(s->b, op, x, scalar_infos[op].arity > 1 ? y : NULL, NULL);
}

static const Expr *let_of(Source *s, DType t) {
    for (int k = 0; k < s->lets.n; k++)
        if (s->lets.at[k]->type == t && draw(s, 2)) return s->lets.at[k];
    return NULL;
}

static const Expr *make(Source *s, DType t, int depth) {
    const Expr *let = let_of(s, t);
    if (let && draw(s, 2)) return let;
    if (depth <= 0) return draw(s, 5) ? load(s, t) : literal(s, t);
    if (t == DT_I64 && !draw(s, 3)) return s->index;
    if (t == DT_I32 && !draw(s, 6)) return ex_bitcast(s->b, t, make(s, DT_F32, depth - 1));
    if (t == DT_I32 && !draw(s, 6)) {
        const Expr *x = make(s, t, depth - 1), *y = make(s, t, depth - 1),
                   *z = make(s, t, depth - 1);
        return ex_scalar(s->b, SC_DOT2, x, y, z);
    }
    switch (draw(s, 6)) {
    case 0: return convert(s, t, depth);
    case 1: {
        const Expr *c = make(s, DT_BOOL, depth - 1), *x = make(s, t, depth - 1),
                   *y = make(s, t, depth - 1);
        return ex_select(s->b, c, x, y);
    }
    default: break;
    }
    if (t == DT_BOOL) return make_bool(s, depth);
    if (is_half(t)) return load(s, t);
    return dtype_is_float(t) ? make_float(s, t, depth) : make_int(s, t, depth);
}

/* The element at s->index of each output; some behind an if, some added to. */
static void element(Source *s, Buffer *const *out) {
    s->lets.n = 0;
    for (int k = 0; k < 3; k++) {
        const Expr *value = make(s, types[draw(s, TYPES)], 2);
        vec_push(s->program->unit->arena, &s->lets, st_let(s->b, "t", value));
    }
    for (int k = 0; k < OUTPUTS; k++) {
        DType t = out[k]->type;
        const Expr *at = draw(s, 4) ? s->index : ex_sub(s->b, ex_index(s->b, COUNT - 1), s->index);
        const Expr *value = make(s, t, 3);
        st_store(s->b, out[k], at, value);
        if (t == DT_BOOL || is_half(t)) continue;
        bool guarded = !draw(s, 3);
        if (guarded) {
            const Expr *c = make(s, DT_BOOL, 1);
            st_if(s->b, c);
        }
        const Expr *more = make(s, t, 1);
        if (dtype_is_float(t) && draw(s, 2)) {
            const Expr *factor = make(s, t, 1);
            st_acc_mul(s->b, out[k], at, more, factor);
        } else {
            st_acc(s->b, out[k], at, more);
        }
        if (guarded) st_end(s->b);
    }
}

/* All elements, by lanes of n and a rest. */
static void sweep(Source *s, Buffer *const *out) {
    static const int64_t extents[] = {4, 8, 16, 5, 8, 2};
    int64_t n = extents[draw(s, 6)], blocks = COUNT / n;
    s->outer = st_for_n(s->b, LOOP_PARALLEL, "i", blocks);
    const Expr *l = st_for_n(s->b, LOOP_LANES, "l", n);
    s->index = ex_offset(s->b, s->outer, n, l);
    element(s, out);
    st_end(s->b);
    st_end(s->b);
    s->outer = NULL;
    if (COUNT % n == 0) return;
    const Expr *r = st_for_n(s->b, LOOP_SERIAL, "r", COUNT % n);
    s->index = ex_add(s->b, r, ex_index(s->b, blocks * n));
    element(s, out);
    st_end(s->b);
}

/* A sum in registers: lanes in an unrolled local. */
static void registers(Source *s, Buffer *out) {
    Builder *b = s->b;
    Buffer *acc = st_local(b, "acc", DT_F32, COUNT, 8);
    const Expr *j = st_for_n(b, LOOP_UNROLL, "j", COUNT / 8), *l = st_for_n(b, LOOP_LANES, "l", 8);
    st_store(b, acc, ex_offset(b, j, 8, l), ex_float(b, DT_F32, 0));
    st_end(b);
    st_end(b);
    const Expr *k = st_for_n(b, LOOP_SERIAL, "k", 9);
    j = st_for_n(b, LOOP_UNROLL, "j", COUNT / 8);
    l = st_for_n(b, LOOP_LANES, "l", 8);
    const Expr *x = ex_load(b, s->in[DT_F32], ex_offset(b, k, 3, j));
    st_acc_mul(b, acc, ex_offset(b, j, 8, l), x,
               ex_load(b, s->table[DT_F32], ex_offset(b, k, 8, l)));
    st_end(b);
    st_end(b);
    st_end(b);
    j = st_for_n(b, LOOP_UNROLL, "j", COUNT / 8);
    l = st_for_n(b, LOOP_LANES, "l", 8);
    st_store(b, out, ex_offset(b, j, 8, l), ex_load(b, acc, ex_offset(b, j, 8, l)));
    st_end(b);
    st_end(b);
}

/* Inputs, constants, outputs. */

static void fill(Source *s, void *data, DType t) {
    for (int i = 0; i < COUNT; i++) {
        double v = ((double)draw(s, 20001) - 10000) / (draw(s, 9) ? 1000 : 0.001);
        uint64_t bits = (uint64_t)draw(s, UINT32_MAX) << 32 | draw(s, UINT32_MAX);
        if (draw(s, 3)) bits %= 50;
        if (t == DT_F32)
            ((float *)data)[i] = (float)v;
        else if (t == DT_F64)
            ((double *)data)[i] = v;
        else if (t == DT_F16)
            ((uint16_t *)data)[i] = float_to_half((float)v);
        else if (t == DT_BF16)
            ((uint16_t *)data)[i] = float_to_bfloat((float)v);
        else if (t == DT_BOOL)
            ((uint8_t *)data)[i] = bits & 1;
        else
            memcpy((char *)data + i * dtypes[t].bytes, &bits, (size_t)dtypes[t].bytes);
    }
}

static const int64_t dims[1] = {COUNT};

static Buffer *add_port(Program *p, DType t, bool output) {
    const char *name =
        arena_format(p->unit->arena, "%s %s/0", output ? "result" : "given", dtypes[t].text);
    Buffer *b = program_add_buffer(p, name, t, COUNT, output ? BUF_OUTPUT : BUF_INPUT);
    Port port = {.name = name, .dtype = t, .rank = 1, .dims = dims, .buffer = b};
    if (output)
        vec_push(p->unit->arena, &p->outputs, port);
    else
        vec_push(p->unit->arena, &p->inputs, port);
    return b;
}

static void add_inputs(Source *s) {
    for (int k = 0; k < TYPES; k++) {
        DType t = types[k];
        s->in[t] = add_port(s->program, t, false);
        s->table[t] = program_add_buffer(s->program, "table", t, COUNT, BUF_CONST);
        Tensor *data = tensor_new(s->program->unit->arena, t, 1, dims);
        fill(s, (void *)(uintptr_t)data->data, t);
        s->table[t]->data = data;
    }
}

static void build(Source *s) {
    add_inputs(s);
    for (int k = 0; k < KERNELS; k++) {
        Buffer *out[OUTPUTS];
        for (int o = 0; o < OUTPUTS; o++)
            out[o] = add_port(s->program, types[draw(s, TYPES)], true);
        Buffer *sum = add_port(s->program, DT_F32, true);
        s->b = builder_begin(s->program, arena_format(s->program->unit->arena, "kernel_%d", k));
        sweep(s, out);
        registers(s, sum);
        builder_end(s->b);
    }
    program_plan(s->program);
}

/* Comparing. */

static bool same(const void *a, const void *b, DType t, int i) {
    size_t n = (size_t)dtypes[t].bytes, at = (size_t)i * n;
    const char *x = (const char *)a + at, *y = (const char *)b + at;
    if (!memcmp(x, y, n)) return true;
    if (t == DT_F32) return isnan(((const float *)a)[i]) && isnan(((const float *)b)[i]);
    if (t == DT_F64) return isnan(((const double *)a)[i]) && isnan(((const double *)b)[i]);
    return is_half(t) && isnan(t == DT_F16 ? half_to_float(((const uint16_t *)a)[i])
                                           : bfloat_to_float(((const uint16_t *)a)[i]));
}

static int compare(const Program *p, void *const *expect, void *const *got, const char *command) {
    int bad = 0;
    for (int k = 0; k < p->outputs.n; k++)
        for (int i = 0; i < COUNT; i++) {
            if (same(expect[k], got[k], p->outputs.at[k].dtype, i)) continue;
            if (bad++ < 5)
                printf("FAILED: %s: output %d (%s) of kernel_%d, element %d\n",
                       command ? command : "cc", k % (OUTPUTS + 1), p->outputs.at[k].name,
                       k / (OUTPUTS + 1), i);
        }
    return bad;
}

static void *const *new_outputs(const Program *p) {
    void **out = NEW_ARRAY(p->unit->arena, void *, p->outputs.n);
    for (int k = 0; k < p->outputs.n; k++) {
        out[k] = arena_alloc(p->unit->arena, COUNT * 8);
        memset(out[k], 0xff, COUNT * 8); /* as the interpreter does: not all elements are written */
    }
    return out;
}

static bool check(const Program *p) {
    for (int k = 0; k < p->kernels.n; k++) {
        const char *what = kernel_check(p, p->kernels.at[k], NULL);
        if (!what) continue;
        printf("FAILED: kernel_check of kernel %d: %s\n", k, what);
        return false;
    }
    return true;
}

static bool run_one(const Program *p, const char *backend, const char *options,
                    const void *const *inputs, void *const *expect, void *const *got) {
    RunError error;
    if (backend_run(backend_find(backend), p, options, inputs, got, &error))
        return !compare(p, expect, got, options ? options : backend);
    printf("FAILED: %s\n", error.message);
    return false;
}

static bool run(Source *s, char **commands, int n) {
    Program *p = s->program;
    RunError error;
    const void *inputs[TYPES];
    build(s);
    if (!check(p)) return false;
    for (int k = 0; k < TYPES; k++) {
        void *data = arena_alloc(p->unit->arena, COUNT * 8);
        fill(s, data, types[k]);
        inputs[k] = data;
    }
    void *const *expect = new_outputs(p), *const *got = new_outputs(p);
    bool ok = backend_run(backend_find("interp"), p, NULL, inputs, expect, &error);
    if (!ok) printf("FAILED: the interpreter: %s\n", error.message);
    for (int k = 0; ok && k < n; k++) ok = run_one(p, "c", commands[k], inputs, expect, got);
    if (!backend_find("jit"))
        printf("skipped: jit, which this build lacks\n");
    else if (ok)
        ok = run_one(p, "jit", NULL, inputs, expect, new_outputs(p));
    return ok;
}

static bool run_seed(const char *target, uint64_t seed, char **commands, int n) {
    Unit u;
    if (!unit_begin(&u, "emit_c", 0)) return false;
    bool ok = false;
    if (setjmp(u.escape.jump)) {
        printf("FAILED: %s\n", u.escape.message);
    } else {
        Source s = {.state = seed, .program = program_new(&u, "random", target_find(target))};
        ok = run(&s, commands, n);
    }
    if (!ok) printf("target %s, seed %llu\n", target, (unsigned long long)seed);
    unit_end(&u);
    return ok;
}

int main(int argc, char **argv) {
    static char usual[] = "cc -O1";
    char *one[] = {usual};
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    char **commands = argc > 2 ? argv + 2 : one;
    int n = argc > 2 ? argc - 2 : 1;
    if (!run_seed("x86-64-v3", seed, commands, n) || !run_seed("baseline", seed + 1, commands, n))
        return 1;
    printf("%d kernels, %d compilers: the same bits\n", 2 * KERNELS, n);
    return 0;
}
