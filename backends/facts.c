/* facts.c - what backends ask of a program beside its text. */
#include "facts.h"

/* Integers. */

static bool fits_int(const Expr *x) { return x->lo >= INT32_MIN && x->hi <= INT32_MAX; }

static bool let_fits_int(signed char *lets, const Var *v) {
    signed char *known = &lets[v->id];
    if (!*known) *known = expr_fits_int(lets, v->let) ? 1 : -1;
    return *known > 0;
}

static bool cast_fits_int(signed char *lets, const Expr *x) {
    const Expr *from = x->args[0];
    if (dtype_is_float(from->type) || !fits_int(x)) return false;
    if (from->type == DT_I64) return expr_fits_int(lets, from);
    return from->type != DT_U64;
}

bool expr_fits_int(signed char *lets, const Expr *x) {
    if (x->type != DT_I64 || !fits_int(x)) return false;
    switch (x->kind) {
    case EX_CONST: return true;
    case EX_VAR: return x->var->let ? let_fits_int(lets, x->var) : x->hi < INT32_MAX;
    case EX_SCALAR:
        for (int k = 0; k < x->n_args; k++)
            if (!expr_fits_int(lets, x->args[k])) return false;
        return true;
    case EX_SELECT: return expr_fits_int(lets, x->args[1]) && expr_fits_int(lets, x->args[2]);
    case EX_CAST: return cast_fits_int(lets, x);
    case EX_LOAD:
    case EX_BITCAST: break;
    }
    return false;
}

static bool in_type(int64_t i, DType t) {
    int bits = t == DT_I4 || t == DT_U4 ? 4 : 8 * dtypes[t].bytes;
    if (dtypes[t].kind == DK_UNSIGNED) return i >= 0 && (bits == 64 || i < INT64_C(1) << bits);
    if (bits == 64) return true;
    return i >= -(INT64_C(1) << (bits - 1)) && i < INT64_C(1) << (bits - 1);
}

static bool product_fits(const Expr *x, const Expr *y) {
    int64_t v[4];
    bool wraps = __builtin_mul_overflow(x->lo, y->lo, &v[0]) ||
                 __builtin_mul_overflow(x->lo, y->hi, &v[1]) ||
                 __builtin_mul_overflow(x->hi, y->lo, &v[2]) ||
                 __builtin_mul_overflow(x->hi, y->hi, &v[3]);
    for (int i = 0; i < 4 && !wraps; i++) wraps = !in_type(v[i], x->type);
    return !wraps;
}

static bool shift_fits(const Expr *x, const Expr *y) {
    if (x->lo < 0 || y->lo < 0 || y->hi > 62) return false;
    return x->hi <= INT64_MAX >> y->hi && in_type(x->hi << y->hi, x->type);
}

bool expr_wraps(const Expr *e) {
    const Expr *x = e->args[0], *y = e->args[1];
    int64_t lo = 0, hi = 0;
    bool over = false;
    switch ((int)e->op) {
    case SC_ADD:
        over = __builtin_add_overflow(x->lo, y->lo, &lo);
        over |= __builtin_add_overflow(x->hi, y->hi, &hi);
        break;
    case SC_SUB:
        over = __builtin_sub_overflow(x->lo, y->hi, &lo);
        over |= __builtin_sub_overflow(x->hi, y->lo, &hi);
        break;
    case SC_MUL: return !product_fits(x, y);
    case SC_SHL: return !shift_fits(x, y);
    case SC_NEG:
    case SC_ABS:
        over = __builtin_sub_overflow((int64_t)0, x->hi, &lo);
        over |= __builtin_sub_overflow((int64_t)0, x->lo, &hi);
        if (e->op == SC_ABS) lo = 0;
        break;
    default: return false;
    }
    return over || !in_type(lo, e->type) || !in_type(hi, e->type);
}

bool divisor_is_safe(const Expr *e) {
    const Expr *x = e->args[0], *y = e->args[1];
    if (e->type == DT_U64) return y->lo > 0;
    if (y->lo <= 0 && y->hi >= 0) return false;
    return y->lo > 0 || y->hi < -1 ||
           (in_type(x->lo, e->type) && in_type(-(x->lo + 1), e->type) && x->lo > INT64_MIN &&
            in_type(-x->lo, e->type));
}

/* Vectors. */

bool lanes_are_vectors(const Target *t, int64_t lanes) {
    return t->lanes > 1 && lanes >= 2 && lanes <= MAX_LANES && (lanes & (lanes - 1)) == 0;
}

static bool body_has_locals(const Stmt *s) {
    for (; s; s = s->next)
        if (s->kind == ST_LOCAL || body_has_locals(s->body) || body_has_locals(s->other))
            return true;
    return false;
}

bool loop_is_vector(const Target *t, const Stmt *s) {
    return s->loop == LOOP_LANES && lanes_are_vectors(t, s->var->lanes) &&
           !body_has_locals(s->body);
}

/* Buffers. */

bool program_output_is_direct(const Program *p, int i) {
    const Buffer *b = p->outputs.at[i].buffer;
    if (b->kind != BUF_OUTPUT) return false;
    for (int k = 0; k < i; k++)
        if (p->outputs.at[k].buffer == b) return false;
    return true;
}

int program_largest_rank(const Program *p) {
    int rank = 1;
    for (int i = 0; i < p->inputs.n; i++)
        if (p->inputs.at[i].rank > rank) rank = p->inputs.at[i].rank;
    for (int i = 0; i < p->outputs.n; i++)
        if (p->outputs.at[i].rank > rank) rank = p->outputs.at[i].rank;
    return rank;
}

static void mark_used(const Buffer *b, bool is_write, void *context) {
    (void)is_write;
    ((bool *)context)[b->id] = true;
}

void program_find_used(const Program *p, bool *used) {
    for (int i = 0; i < p->kernels.n; i++) kernel_visit_buffers(p->kernels.at[i], mark_used, used);
    for (int i = 0; i < p->outputs.n; i++) used[p->outputs.at[i].buffer->id] = true;
}

static void add_param(const Buffer *b, bool is_write, void *context) {
    KernelParams *params = context;
    if (b->kind == BUF_LOCAL) return;
    uintptr_t at = (uintptr_t)map_get(&params->seen, (uintptr_t)b->id + 1);
    if (!at) {
        vec_push(params->arena, &params->list, ((KernelParam){b, false}));
        at = (uintptr_t)params->list.n;
        map_set(&params->seen, (uintptr_t)b->id + 1, (void *)at);
    }
    if (is_write) params->list.at[at - 1].written = true;
}

KernelParams kernel_params(Arena *a, const Kernel *k) {
    KernelParams params = {.arena = a, .seen = {.arena = a}};
    kernel_visit_buffers(k, add_param, &params);
    return params;
}

bool kernel_param_is_shared(const KernelParams *params, const Buffer *b) {
    for (int i = 0; i < params->list.n; i++) {
        const Buffer *other = params->list.at[i].buffer;
        if (other == b->overwrites || other->overwrites == b) return true;
    }
    return false;
}
