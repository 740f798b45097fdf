/* loop_expr.c - expressions: hash-consing, construction, and questions about them.
 *
 * An expression is made once per kernel: equal ones are one pointer, so comparing is ==.  What
 * follows from the parts (range, variables inside, whether it may fail) is derived when it is made
 * and never changes. */
#include "loop_build.h"

#include <string.h>

const ScalarInfo scalar_infos[SC_COUNT] = {
#define SCALAR(id, arity, text) {arity, text},
#include "scalars.def"
#undef SCALAR
};

typedef struct Slot {
    uint64_t hash;
    const Expr *expr;
} Slot;

struct ExprTable {
    Slot *slots;
    int n, cap; /* cap is a power of two */
    Arena *arena;
    int *walks, n_walks; /* by id: the last walk that saw the expression */
    int walk;
};

struct ExprTable *table_new(Arena *a) {
    struct ExprTable *t = NEW(a, struct ExprTable);
    t->arena = a;
    t->cap = 256;
    t->slots = NEW_ARRAY(a, Slot, t->cap);
    return t;
}

void walk_start(const Kernel *k) {
    struct ExprTable *t = k->exprs;
    if (t->n_walks < k->n_exprs) {
        t->n_walks = k->n_exprs;
        t->walks = NEW_ARRAY(t->arena, int, t->n_walks);
        t->walk = 0;
    }
    t->walk++;
}

bool walk_is_new(const Kernel *k, const Expr *e) {
    struct ExprTable *t = k->exprs;
    bool is_new = t->walks[e->id] != t->walk;
    t->walks[e->id] = t->walk;
    return is_new;
}

static uint64_t mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29);
}

/* From what it says: no addresses, and no order of creation, which C leaves open where two
 * arguments are built in one call. */
static uint64_t expr_hash(const Expr *e) {
    uint64_t h = mix((uint64_t)e->kind, ((uint64_t)e->type << 8) | (uint64_t)e->op);
    for (int k = 0; k < e->n_args; k++) h = mix(h, e->args[k]->content);
    if (e->kind == EX_CONST) h = mix(h, (uint64_t)e->value.i);
    if (e->kind == EX_VAR) h = mix(h, (uint64_t)e->var->id);
    if (e->kind == EX_LOAD) h = mix(h, (uint64_t)e->buffer->id);
    return h;
}

static bool expr_same(const Expr *a, const Expr *b) {
    return a->kind == b->kind && a->type == b->type && a->op == b->op && a->n_args == b->n_args &&
           a->args[0] == b->args[0] && a->args[1] == b->args[1] && a->args[2] == b->args[2] &&
           a->value.i == b->value.i && a->var == b->var && a->buffer == b->buffer;
}

static void table_grow(struct ExprTable *t) {
    Slot *old = t->slots;
    int old_cap = t->cap;
    t->cap *= 2;
    t->slots = NEW_ARRAY(t->arena, Slot, t->cap);
    for (int i = 0; i < old_cap; i++) {
        if (!old[i].expr) continue;
        size_t at = old[i].hash & (size_t)(t->cap - 1);
        while (t->slots[at].expr) at = (at + 1) & (size_t)(t->cap - 1);
        t->slots[at] = old[i];
    }
}

bool expr_may_fail(const Expr *e) {
    if (e->kind == EX_LOAD) return !load_is_proven(e->buffer, e->args[0]);
    if (e->kind == EX_CAST) return dtype_is_float(e->args[0]->type) && dtype_is_int(e->type);
    if (e->kind != EX_SCALAR || dtype_is_float(e->type)) return false;
    const Expr *y = e->args[1];
    if (e->op == SC_DIV || e->op == SC_REM) return y->lo <= 0 && y->hi >= 0;
    if (e->op == SC_SHL || e->op == SC_SHR)
        return y->lo < 0 || y->hi >= 8 * (int64_t)dtypes[e->type].bytes;
    return false;
}

static Range range_of_parts(const Expr *e) {
    const Expr *x = e->n_args ? e->args[0] : NULL;
    switch (e->kind) {
    case EX_CONST:
        return dtype_is_float(e->type) ? range_of_type(e->type) : (Range){e->value.i, e->value.i};
    case EX_VAR: return (Range){e->var->lo, e->var->hi};
    case EX_LOAD: return range_of_buffer(e->buffer);
    case EX_SCALAR: return range_scalar(e->op, e->type, x, e->args[1]);
    case EX_SELECT: {
        const Expr *y = e->args[1], *n = e->args[2];
        return (Range){y->lo < n->lo ? y->lo : n->lo, y->hi > n->hi ? y->hi : n->hi};
    }
    case EX_CAST:
        if (dtype_is_float(x->type) || dtype_is_float(e->type) || e->type == DT_BOOL)
            return range_of_type(e->type);
        return range_clip(e->type, range_of(x));
    case EX_BITCAST: break;
    }
    return range_of_type(e->type);
}

static void derive(Expr *e) {
    Range r = range_of_parts(e);
    e->lo = r.lo;
    e->hi = r.hi;
    e->last_var = -1;
    e->terms = 1;
    if (e->kind == EX_SCALAR && (e->op == SC_ADD || e->op == SC_SUB))
        e->terms = e->args[0]->terms + e->args[1]->terms;
    e->fixed = e->kind != EX_LOAD;
    e->traps = expr_may_fail(e);
    if (e->kind == EX_VAR) {
        const Var *v = e->var;
        e->last_var = v->id;
        e->vars = UINT64_C(1) << (v->id % 64);
        e->vector = v->let ? v->vector : v->loop == LOOP_LANES;
        if (v->let) {
            e->vars |= v->let->vars;
            e->fixed = v->let->fixed;
            e->last_var = v->let->last_var;
        }
    }
    for (int k = 0; k < e->n_args; k++) {
        const Expr *x = e->args[k];
        e->vars |= x->vars;
        e->fixed = e->fixed && x->fixed;
        e->vector = e->vector || x->vector;
        e->traps = e->traps || x->traps;
        if (x->last_var > e->last_var) e->last_var = x->last_var;
    }
}

const Expr *expr_intern(Builder *b, const Expr *like) {
    struct ExprTable *t = b->table;
    if (t->n * 2 >= t->cap) table_grow(t);
    uint64_t hash = expr_hash(like);
    size_t at = hash & (size_t)(t->cap - 1);
    for (; t->slots[at].expr; at = (at + 1) & (size_t)(t->cap - 1))
        if (t->slots[at].hash == hash && expr_same(t->slots[at].expr, like))
            return t->slots[at].expr;
    Expr *e = NEW(b->arena, Expr);
    *e = *like;
    e->id = b->kernel->n_exprs++;
    e->content = hash;
    derive(e);
    t->slots[at] = (Slot){hash, e};
    t->n++;
    return e;
}

const Expr *expr_raw(Builder *b, ScalarOp op, DType type, const Expr *x, const Expr *y,
                     const Expr *z) {
    Expr like = {.kind = EX_SCALAR, .type = type, .op = op, .n_args = scalar_infos[op].arity};
    like.args[0] = x;
    like.args[1] = y;
    like.args[2] = z;
    return expr_intern(b, &like);
}

const Expr *ex_var(Builder *b, const Var *v) {
    return expr_intern(b, &(Expr){.kind = EX_VAR, .type = v->type, .var = v});
}

const Expr *ex_int(Builder *b, DType t, int64_t i) {
    if (!dtype_is_int(t) && t != DT_BOOL)
        BUG(b->program->unit, "integer constant of type %s", dtypes[t].text);
    return expr_intern(b, &(Expr){.kind = EX_CONST, .type = t, .value.i = wrap_to_type(i, t)});
}

const Expr *ex_float(Builder *b, DType t, double f) {
    if (!dtype_is_float(t)) BUG(b->program->unit, "float constant of type %s", dtypes[t].text);
    return expr_intern(b, &(Expr){.kind = EX_CONST, .type = t, .value.f = round_to_type(f, t)});
}

const Expr *ex_const(Builder *b, DType t, double v) {
    return dtype_is_float(t) ? ex_float(b, t, v) : ex_int(b, t, (int64_t)v);
}

const Expr *ex_index(Builder *b, int64_t i) { return ex_int(b, DT_I64, i); }
const Expr *ex_bool(Builder *b, bool v) { return ex_int(b, DT_BOOL, v); }

/* An integer that can only have one value is that constant, when evaluating it cannot fail. */
static const Expr *known(Builder *b, const Expr *e) {
    if (e && e->lo == e->hi && e->kind != EX_CONST && !e->traps && !dtype_is_float(e->type))
        return ex_int(b, e->type, e->lo);
    return e;
}

const Expr *ex_load(Builder *b, const Buffer *buffer, const Expr *index) {
    int64_t i;
    if (index->type != DT_I64)
        BUG(b->program->unit, "load of '%s': the index is no i64", buffer->name);
    index = known(b, index);
    if (buffer->kind == BUF_CONST && buffer->data && expr_is_const_int(index, &i) && i >= 0 &&
        i < buffer->count) {
        if (dtype_is_float(buffer->type))
            return ex_float(b, buffer->type, tensor_get_double(buffer->data, i));
        return ex_int(b, buffer->type, tensor_get_int(buffer->data, i));
    }
    if (buffer->kind == BUF_CONST) range_find_of_buffer(b->program->buffers.at[buffer->id]);
    Expr like = {.kind = EX_LOAD, .type = buffer->type, .n_args = 1, .buffer = buffer};
    like.args[0] = index;
    return expr_intern(b, &like);
}

static bool op_is_compare(ScalarOp op) {
    return op == SC_LT || op == SC_LE || op == SC_EQ || op == SC_NE;
}

bool scalar_takes(ScalarOp op, DType t) {
    switch (op) {
    case SC_FMA:
    case SC_SQRT: return t == DT_F32 || t == DT_F64;
    case SC_DOT2: return t == DT_I32;
    case SC_REM:
    case SC_SHL:
    case SC_SHR: return dtype_is_int(t);
    case SC_AND:
    case SC_OR:
    case SC_XOR:
    case SC_NOT: return dtype_is_int(t) || t == DT_BOOL;
    case SC_LT:
    case SC_LE:
    case SC_EQ:
    case SC_NE:
    case SC_MIN:
    case SC_MAX: return dtype_is_int(t) || t == DT_BOOL || t == DT_F32 || t == DT_F64;
    case SC_ADD:
    case SC_SUB:
    case SC_MUL:
    case SC_DIV:
    case SC_NEG:
    case SC_ABS: return dtype_is_int(t) || t == DT_F32 || t == DT_F64;
    case SC_COUNT: break;
    }
    return false;
}

static void check_operands(Builder *b, ScalarOp op, const Expr *const *args) {
    DType t = args[0]->type;
    for (int k = 0; k < scalar_infos[op].arity; k++) {
        if (!args[k]) BUG(b->program->unit, "%s lacks an operand", scalar_infos[op].text);
        if (args[k]->type != t || !scalar_takes(op, t))
            BUG(b->program->unit, "%s of %s and %s in kernel %s", scalar_infos[op].text,
                dtypes[t].text, dtypes[args[k]->type].text, b->kernel->name);
    }
}

const Expr *ex_scalar(Builder *b, ScalarOp op, const Expr *x, const Expr *y, const Expr *z) {
    const Expr *args[3] = {x, y, z};
    check_operands(b, op, args);
    DType t = x->type;
    for (int k = 0; k < 3; k++) args[k] = k < scalar_infos[op].arity ? known(b, args[k]) : NULL;
    const Expr *e = fold_scalar(b, op, args);
    if (e) return e;
    if (dtype_is_float(t))
        e = simplify_float(b, op, args);
    else if (t == DT_BOOL)
        e = simplify_bool(b, op, args[0], args[1]);
    else
        e = simplify_int(b, op, args[0], args[1]);
    if (e) return known(b, e);
    DType result = op_is_compare(op) ? DT_BOOL : t;
    return known(b, expr_raw(b, op, result, args[0], args[1], args[2]));
}

const Expr *ex_select(Builder *b, const Expr *cond, const Expr *yes, const Expr *no) {
    if (cond->type != DT_BOOL || yes->type != no->type)
        BUG(b->program->unit, "select of %s by %s and %s", dtypes[cond->type].text,
            dtypes[yes->type].text, dtypes[no->type].text);
    cond = known(b, cond);
    yes = known(b, yes);
    no = known(b, no);
    const Expr *e = simplify_select(b, cond, yes, no);
    if (e) return e;
    Expr like = {.kind = EX_SELECT, .type = yes->type, .n_args = 3};
    like.args[0] = cond;
    like.args[1] = yes;
    like.args[2] = no;
    return expr_intern(b, &like);
}

/* Does a value of `from` survive the way to `to` unchanged? */
static bool cast_is_exact(DType from, DType to) {
    if (from == to) return true;
    if (dtype_is_float(from) || dtype_is_float(to)) {
        if (dtype_is_float(from) && dtype_is_float(to))
            return to == DT_F64 || (to == DT_F32 && from != DT_F64);
        return false;
    }
    Range f = range_of_type(from), t = range_of_type(to);
    return to != DT_U64 && from != DT_U64 && f.lo >= t.lo && f.hi <= t.hi;
}

const Expr *ex_cast(Builder *b, DType t, const Expr *x) {
    x = known(b, x);
    if (x->type == t) return x;
    const Expr *e = fold_cast(b, t, x);
    if (e) return e;
    if (x->kind == EX_CAST && cast_is_exact(x->args[0]->type, x->type) && t != DT_BOOL)
        return ex_cast(b, t, x->args[0]);
    if (t == DT_BOOL && !dtype_is_float(x->type))
        return ex_scalar(b, SC_NE, x, ex_int(b, x->type, 0), NULL);
    Expr like = {.kind = EX_CAST, .type = t, .n_args = 1};
    like.args[0] = x;
    return known(b, expr_intern(b, &like));
}

const Expr *ex_bitcast(Builder *b, DType t, const Expr *x) {
    if (dtypes[t].bytes != dtypes[x->type].bytes)
        BUG(b->program->unit, "bitcast from %s to %s", dtypes[x->type].text, dtypes[t].text);
    if (x->type == t) return x;
    if (x->kind == EX_BITCAST) return ex_bitcast(b, t, x->args[0]);
    Expr like = {.kind = EX_BITCAST, .type = t, .n_args = 1};
    like.args[0] = x;
    return expr_intern(b, &like);
}

const Expr *ex_offset(Builder *b, const Expr *x, int64_t c, const Expr *y) {
    return ex_add(b, ex_mul(b, x, ex_index(b, c)), y);
}

const Expr *ex_fma(Builder *b, const Expr *x, const Expr *y, const Expr *z) {
    if (b->program->target->fma) return ex_scalar(b, SC_FMA, x, y, z);
    return ex_add(b, ex_mul(b, x, y), z);
}

bool expr_is_const_int(const Expr *e, int64_t *value) {
    if (e->kind != EX_CONST || dtype_is_float(e->type)) return false;
    *value = e->value.i;
    return true;
}

enum { WALK_CACHE = 64 };

/* Visits each shared part about once: parts known to be independent are remembered by id. */
static bool depends_walk(const Expr *e, const Var *v, const Expr **seen) {
    if (!(e->vars >> (v->id % 64) & 1) || e->id < v->born) return false;
    if (seen[e->id % WALK_CACHE] == e) return false;
    if (e->kind == EX_VAR && (e->var == v || (e->var->let && depends_walk(e->var->let, v, seen))))
        return true;
    for (int k = 0; k < e->n_args; k++)
        if (depends_walk(e->args[k], v, seen)) return true;
    seen[e->id % WALK_CACHE] = e;
    return false;
}

bool expr_depends(const Expr *e, const Var *v) {
    if (!(e->vars >> (v->id % 64) & 1) || e->id < v->born) return false;
    const Expr *seen[WALK_CACHE] = {NULL};
    return depends_walk(e, v, seen);
}

const Expr *expr_rebuild(Builder *b, const Expr *e, const Expr *const *args) {
    switch (e->kind) {
    case EX_LOAD: return ex_load(b, e->buffer, args[0]);
    case EX_SCALAR: return ex_scalar(b, e->op, args[0], args[1], args[2]);
    case EX_SELECT: return ex_select(b, args[0], args[1], args[2]);
    case EX_CAST: return ex_cast(b, e->type, args[0]);
    case EX_BITCAST: return ex_bitcast(b, e->type, args[0]);
    case EX_CONST:
    case EX_VAR: break;
    }
    return e;
}

typedef struct Replace {
    Builder *b;
    const Var *v;
    const Expr *by;
    const Expr *from[WALK_CACHE], *to[WALK_CACHE];
} Replace;

static const Expr *replace_walk(Replace *r, const Expr *e) {
    if (!expr_depends(e, r->v)) return e;
    if (e->kind == EX_VAR) return e->var == r->v ? r->by : replace_walk(r, e->var->let);
    int slot = e->id % WALK_CACHE;
    if (r->from[slot] == e) return r->to[slot];
    const Expr *args[3] = {NULL};
    for (int k = 0; k < e->n_args; k++) args[k] = replace_walk(r, e->args[k]);
    const Expr *to = expr_rebuild(r->b, e, args);
    r->from[slot] = e;
    r->to[slot] = to;
    return to;
}

const Expr *expr_replace(Builder *b, const Expr *e, const Var *v, const Expr *by) {
    if (by->type != v->type)
        BUG(b->program->unit, "variable %s replaced by a %s", v->name, dtypes[by->type].text);
    Replace r = {.b = b, .v = v, .by = by};
    return replace_walk(&r, e);
}
