/* simplify.c - what the loop IR simplifies keeps its value.
 *
 * Random expressions over three loop variables are evaluated as they were asked for and as they
 * were built, at every value of the variables; and a few that lowerings rely on must become what
 * one expects, as a pointer. */
#include "loop.h"

#include <stdlib.h>
#include <string.h>

enum { VARS = 3, ROUNDS = 100, EXPRESSIONS = 600, DEPTH = 5 };

static int passed;

static void check(bool ok, const char *what) {
    if (!ok) {
        printf("FAILED: %s\n", what);
        exit(1);
    }
    passed++;
}

/* An expression as it was asked for. */
typedef enum AskKind { ASK_CONST, ASK_VAR, ASK_SCALAR, ASK_SELECT, ASK_CAST } AskKind;
typedef struct Ask {
    AskKind kind;
    DType type;
    ScalarOp op;
    int64_t i;
    const struct Ask *args[3];
    const Expr *expr;
} Ask;

typedef struct Source {
    uint64_t state;
    Unit *unit;
    Builder *b;
    const Expr *vars[VARS];
} Source;

static uint32_t draw(Source *s, uint32_t n) {
    s->state = s->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(s->state >> 33) % n;
}

static int64_t wrap(int64_t v, DType t) {
    switch ((int)t) {
    case DT_BOOL: return v != 0;
    case DT_U8: return (uint8_t)v;
    case DT_I8: return (int8_t)v;
    case DT_I32: return (int32_t)v;
    case DT_U32: return (uint32_t)v;
    default: return v;
    }
}

static bool less(DType t, int64_t x, int64_t y) {
    return t == DT_U64 ? (uint64_t)x < (uint64_t)y : x < y;
}

/* scalars.def for integers; false: an error. */
static bool scalar_value(ScalarOp op, DType t, int64_t x, int64_t y, int64_t *r) {
    uint64_t ux = (uint64_t)x, uy = (uint64_t)y;
    int bits = t == DT_BOOL ? 1 : 8 * dtypes[t].bytes;
    bool is_signed = dtypes[t].kind == DK_SIGNED;
    switch ((int)op) {
    case SC_ADD: *r = (int64_t)(ux + uy); break;
    case SC_SUB: *r = (int64_t)(ux - uy); break;
    case SC_MUL: *r = (int64_t)(ux * uy); break;
    case SC_DIV:
    case SC_REM:
        if (y == 0) return false;
        if (t == DT_U64)
            *r = (int64_t)(op == SC_DIV ? ux / uy : ux % uy);
        else if (y == -1)
            *r = op == SC_DIV ? (int64_t)(0 - ux) : 0;
        else
            *r = op == SC_DIV ? x / y : x % y;
        break;
    case SC_NEG: *r = (int64_t)(0 - ux); break;
    case SC_ABS: *r = is_signed && x < 0 ? (int64_t)(0 - ux) : x; break;
    case SC_MIN: *r = less(t, x, y) ? x : y; break;
    case SC_MAX: *r = less(t, y, x) ? x : y; break;
    case SC_LT: *r = less(t, x, y); return true;
    case SC_LE: *r = !less(t, y, x); return true;
    case SC_EQ: *r = x == y; return true;
    case SC_NE: *r = x != y; return true;
    case SC_AND: *r = x & y; break;
    case SC_OR: *r = x | y; break;
    case SC_XOR: *r = x ^ y; break;
    case SC_NOT: *r = t == DT_BOOL ? !x : ~x; break;
    case SC_SHL:
    case SC_SHR:
        if (y < 0 || y >= bits) return false;
        if (op == SC_SHL)
            *r = (int64_t)(ux << y);
        else
            *r = is_signed ? x >> y : (int64_t)(ux >> y);
        break;
    default: return false;
    }
    *r = wrap(*r, t);
    return true;
}

static bool ask_value(const Ask *a, const int64_t *vars, int64_t *r) {
    int64_t x = 0, y = 0;
    switch (a->kind) {
    case ASK_CONST: *r = a->i; return true;
    case ASK_VAR: *r = vars[a->i]; return true;
    case ASK_SELECT:
        return ask_value(a->args[0], vars, &x) && ask_value(a->args[x ? 1 : 2], vars, r);
    case ASK_CAST:
        if (!ask_value(a->args[0], vars, &x)) return false;
        *r = wrap(x, a->type);
        return true;
    case ASK_SCALAR: break;
    }
    if (!ask_value(a->args[0], vars, &x)) return false;
    if (a->args[1] && !ask_value(a->args[1], vars, &y)) return false;
    return scalar_value(a->op, a->args[0]->type, x, y, r);
}

static bool expr_value(const Source *s, const Expr *e, const int64_t *vars, int64_t *r) {
    int64_t x = 0, y = 0;
    switch (e->kind) {
    case EX_CONST: *r = e->value.i; return true;
    case EX_VAR:
        for (int k = 0; k < VARS; k++)
            if (s->vars[k] == e) *r = vars[k];
        return true;
    case EX_SELECT:
        return expr_value(s, e->args[0], vars, &x) && expr_value(s, e->args[x ? 1 : 2], vars, r);
    case EX_CAST:
        if (!expr_value(s, e->args[0], vars, &x)) return false;
        *r = wrap(x, e->type);
        return true;
    case EX_SCALAR: break;
    case EX_LOAD:
    case EX_BITCAST: return false;
    }
    if (!expr_value(s, e->args[0], vars, &x)) return false;
    if (e->n_args > 1 && !expr_value(s, e->args[1], vars, &y)) return false;
    return scalar_value(e->op, e->args[0]->type, x, y, r);
}

static Ask *ask_new(Source *s, AskKind kind, DType type) {
    Ask *a = NEW(s->unit->arena, Ask);
    a->kind = kind;
    a->type = type;
    return a;
}

static const Ask *ask_const(Source *s, DType type) {
    static const int64_t picks[] = {0, 1,  2,  3,  4,  6,   8,       12,        5,
                                    7, 24, -1, -2, -3, 255, 1 << 30, INT64_MAX, INT64_MIN};
    Ask *a = ask_new(s, ASK_CONST, type);
    a->i = wrap(picks[draw(s, draw(s, 8) ? 10 : 18)], type);
    a->expr = ex_int(s->b, type, a->i);
    return a;
}

static const Ask *ask_scalar(Source *s, ScalarOp op, const Ask *x, const Ask *y) {
    bool compares = op == SC_LT || op == SC_LE || op == SC_EQ || op == SC_NE;
    Ask *a = ask_new(s, ASK_SCALAR, compares ? DT_BOOL : x->type);
    a->op = op;
    a->args[0] = x;
    a->args[1] = y;
    a->expr = ex_scalar(s->b, op, x->expr, y ? y->expr : NULL, NULL);
    return a;
}

static const Ask *ask_any(Source *s, DType type, int depth);

static const Ask *ask_leaf(Source *s, DType type) {
    if (type != DT_I64 || !draw(s, 4)) return ask_const(s, type);
    Ask *a = ask_new(s, ASK_VAR, type);
    a->i = draw(s, VARS);
    a->expr = s->vars[a->i];
    return a;
}

static const Ask *ask_bool(Source *s, int depth) {
    static const ScalarOp compares[] = {SC_LT, SC_LE, SC_EQ, SC_NE};
    static const ScalarOp logic[] = {SC_AND, SC_OR, SC_XOR, SC_EQ, SC_LE, SC_MIN};
    if (draw(s, 3)) {
        DType t = draw(s, 4) ? DT_I64 : draw(s, 2) ? DT_U64 : DT_I32;
        const Ask *x = ask_any(s, t, depth - 1);
        const Ask *y = draw(s, 2) ? ask_const(s, t) : ask_any(s, t, depth - 1);
        return ask_scalar(s, compares[draw(s, 4)], x, y);
    }
    if (!draw(s, 3)) return ask_scalar(s, SC_NOT, ask_any(s, DT_BOOL, depth - 1), NULL);
    const Ask *x = ask_any(s, DT_BOOL, depth - 1);
    const Ask *y = ask_any(s, DT_BOOL, depth - 1);
    return ask_scalar(s, logic[draw(s, 6)], x, y);
}

static const Ask *ask_select(Source *s, DType type, int depth) {
    Ask *a = ask_new(s, ASK_SELECT, type);
    a->args[0] = ask_any(s, DT_BOOL, depth - 1);
    a->args[1] = ask_any(s, type, depth - 1);
    a->args[2] = ask_any(s, type, depth - 1);
    a->expr = ex_select(s->b, a->args[0]->expr, a->args[1]->expr, a->args[2]->expr);
    return a;
}

static const Ask *ask_cast(Source *s, DType type, int depth) {
    static const DType types[] = {DT_I64, DT_I32, DT_U8, DT_I8, DT_U32, DT_U64, DT_BOOL};
    Ask *a = ask_new(s, ASK_CAST, type);
    a->args[0] = ask_any(s, types[draw(s, 7)], depth - 1);
    a->expr = ex_cast(s->b, type, a->args[0]->expr);
    return a;
}

static const Ask *ask_any(Source *s, DType type, int depth) {
    static const ScalarOp ops[] = {SC_ADD, SC_ADD, SC_ADD, SC_SUB, SC_MUL, SC_MUL, SC_DIV,
                                   SC_DIV, SC_REM, SC_REM, SC_MIN, SC_MAX, SC_NEG, SC_ABS,
                                   SC_AND, SC_OR,  SC_XOR, SC_NOT, SC_SHL, SC_SHR};
    if (depth <= 0) return ask_leaf(s, type);
    uint32_t kind = draw(s, 16);
    if (kind == 0) return ask_leaf(s, type);
    if (kind == 1) return ask_select(s, type, depth);
    if (kind == 2) return ask_cast(s, type, depth);
    if (type == DT_BOOL) return ask_bool(s, depth);
    ScalarOp op = ops[draw(s, draw(s, 4) ? 10 : 20)];
    const Ask *x = ask_any(s, type, depth - 1), *y = NULL;
    if (scalar_infos[op].arity == 2) {
        bool constant = op >= SC_MUL && op <= SC_REM && draw(s, 6);
        y = constant ? ask_const(s, type) : ask_any(s, type, depth - 1);
    }
    return ask_scalar(s, op, x, y);
}

static void print_ask(const Ask *a) {
    switch (a->kind) {
    case ASK_CONST: printf("%s %lld", dtypes[a->type].text, (long long)a->i); return;
    case ASK_VAR: printf("v%d", (int)a->i); return;
    case ASK_SCALAR: printf("%s(", scalar_infos[a->op].text); break;
    case ASK_SELECT: printf("select("); break;
    case ASK_CAST: printf("%s(", dtypes[a->type].text); break;
    }
    for (int k = 0; k < 3 && a->args[k]; k++) {
        if (k) printf(", ");
        print_ask(a->args[k]);
    }
    printf(")");
}

static void fail(const Ask *a, const int64_t *v, int64_t want, int64_t got, const char *what) {
    printf("FAILED: %s at %d,%d,%d: %lld, not %lld (range %lld..%lld)\n", what, (int)v[0],
           (int)v[1], (int)v[2], (long long)got, (long long)want, (long long)a->expr->lo,
           (long long)a->expr->hi);
    print_ask(a);
    printf("\n");
    exit(1);
}

static void compare(const Source *s, const Ask *a, const int64_t *vars) {
    int64_t want, got = 0;
    if (!ask_value(a, vars, &want)) return;
    if (!expr_value(s, a->expr, vars, &got)) fail(a, vars, want, got, "an error was added");
    if (want != got) fail(a, vars, want, got, "the value differs");
    bool unordered = a->type == DT_U64 && a->expr->lo == INT64_MIN && a->expr->hi == INT64_MAX;
    if (!unordered && (got < a->expr->lo || got > a->expr->hi))
        fail(a, vars, want, got, "outside its range");
}

static void random_expressions(Source *s, const int64_t *extents) {
    for (int n = 0; n < EXPRESSIONS; n++) {
        const Ask *a = ask_any(s, draw(s, 4) ? DT_I64 : DT_BOOL, 1 + (int)draw(s, DEPTH));
        int64_t v[VARS];
        for (v[0] = 0; v[0] < extents[0]; v[0]++)
            for (v[1] = 0; v[1] < extents[1]; v[1]++)
                for (v[2] = 0; v[2] < extents[2]; v[2]++) compare(s, a, v);
        passed++;
    }
}

static void with_builder(Unit *u, uint64_t seed, const int64_t *extents) {
    Program *p = program_new(u, "p", &targets[0]);
    Source s = {.state = seed, .unit = u, .b = builder_begin(p, "k")};
    for (int k = 0; k < VARS; k++) s.vars[k] = st_for_n(s.b, LOOP_SERIAL, "v", extents[k]);
    random_expressions(&s, extents);
}

/* What lowerings rely on. */
static void expected_forms(Unit *u) {
    Builder *b = builder_begin(program_new(u, "p", &targets[0]), "k");
    const Expr *x = st_for_n(b, LOOP_SERIAL, "x", 6), *y = st_for_n(b, LOOP_SERIAL, "y", 8);
    const Expr *z = st_for_n(b, LOOP_LANES, "z", 4);
    const Expr *c4 = ex_index(b, 4), *c8 = ex_index(b, 8), *c32 = ex_index(b, 32);
    const Expr *flat = ex_offset(b, ex_offset(b, x, 8, y), 4, z);
    check(flat == ex_add(b, z, ex_add(b, ex_mul(b, c4, y), ex_mul(b, x, c32))),
          "sums are canonical");
    check(ex_rem(b, flat, c4) == z, "flat % 4");
    check(ex_div(b, flat, c32) == x, "flat / 32");
    check(ex_rem(b, ex_div(b, flat, c4), c8) == y, "flat / 4 % 8");
    check(ex_div(b, ex_rem(b, flat, c32), c4) == y, "flat % 32 / 4");
    check(ex_sub(b, flat, flat) == ex_index(b, 0), "x - x");
    check(ex_lt(b, flat, ex_index(b, 192)) == ex_bool(b, true), "flat < count");
    check(ex_lt(b, ex_add(b, x, ex_index(b, 1)), x) == ex_bool(b, false), "x + 1 < x");
    check(ex_max(b, ex_min(b, x, ex_index(b, 5)), ex_index(b, 0)) == x, "clamp within range");
    const Expr *any = st_for_n(b, LOOP_SERIAL, "any", 1000);
    const Expr *again =
        ex_offset(b, ex_div(b, any, c32), 32,
                  ex_offset(b, ex_rem(b, ex_div(b, any, c4), c8), 4, ex_rem(b, any, c4)));
    check(again == any, "taken apart and put together");
    check(ex_rem(b, ex_offset(b, any, 8, c4), c8) == c4, "(any * 8 + 4) % 8");
    check(ex_div(b, ex_offset(b, any, 4, ex_index(b, 6)), c8) ==
              ex_div(b, ex_add(b, any, ex_index(b, 1)), ex_index(b, 2)),
          "(any * 4 + 6) / 8");
    int64_t c;
    const Expr *rest;
    check(expr_affine_in(b, flat, z->var, &c, &rest) && c == 1 &&
              rest == ex_offset(b, x, 32, ex_mul(b, y, c4)),
          "affine in the lane");
    check(!expr_affine_in(b, ex_div(b, any, c4), any->var, &c, &rest), "a quotient is not affine");
    const Expr *base = st_let(b, "base", ex_add(b, ex_mul(b, any, c4), any));
    check(expr_affine_in(b, ex_add(b, base, z), any->var, &c, &rest) && c == 5 && rest == z,
          "through a LET");
    check(expr_depends(base, any->var) && !expr_depends(base, z->var), "depends through a LET");
    check(expr_replace(b, ex_add(b, base, x), any->var, ex_index(b, 2)) ==
              ex_add(b, x, ex_index(b, 10)),
          "replaced through a LET");
}

static void float_forms(Unit *u) {
    Builder *b = builder_begin(program_new(u, "p", &targets[0]), "k");
    Buffer *in = program_add_buffer(builder_program(b), "in", DT_F32, 10, BUF_INPUT);
    const Expr *x = ex_load(b, in, st_for_n(b, LOOP_SERIAL, "x", 10));
    const Expr *zero = ex_float(b, DT_F32, 0), *minus_zero = ex_float(b, DT_F32, -0.0),
               *one = ex_float(b, DT_F32, 1);
    check(zero != minus_zero, "zeros differ");
    check(ex_add(b, x, zero) != x && ex_add(b, x, minus_zero) == x,
          "x + 0 turns -0 to 0, x + -0 nothing");
    check(ex_sub(b, x, zero) == x && ex_mul(b, x, one) == x, "x - 0, x * 1");
    check(ex_mul(b, x, zero) != zero && ex_sub(b, x, x) != zero, "NaN stays NaN");
    check(ex_div(b, zero, zero)->kind == EX_SCALAR, "no NaN is folded");
    check(ex_fma(b, x, one, zero) == ex_add(b, x, zero), "fma(x, 1, y)");
    check(ex_add(b, ex_float(b, DT_F32, 16777216), one) == ex_float(b, DT_F32, 16777216),
          "folds in f32");
    check(ex_float(b, DT_F16, 1.00048828125 + 1e-12) == ex_float(b, DT_F16, 1.0009765625),
          "f16 is rounded once");
    check(ex_cast(b, DT_I32, ex_float(b, DT_F32, -2.75f)) == ex_int(b, DT_I32, -2),
          "float to int truncates");
    check(ex_cast(b, DT_U8, ex_float(b, DT_F32, 256))->kind == EX_CAST,
          "out of range is not folded");
}

static bool run(int n) {
    static const int64_t extents[][VARS] = {{4, 6, 3}, {1, 8, 5}, {12, 2, 4}, {7, 5, 2}};
    Unit u;
    if (!unit_begin(&u, "simplify", 0)) return false;
    if (setjmp(u.escape.jump)) {
        printf("FAILED: %s\n", u.escape.message);
        return false;
    }
    if (n == 0) {
        expected_forms(&u);
        float_forms(&u);
    }
    with_builder(&u, (uint64_t)n * 977 + 5, extents[n % 4]);
    unit_end(&u);
    return true;
}

int main(void) {
    for (int n = 0; n < ROUNDS; n++)
        if (!run(n)) return 1;
    printf("%d passed\n", passed);
    return 0;
}
