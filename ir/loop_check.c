/* loop_check.c - the invariants of a kernel, and which of its accesses are proven to be in bounds.
 *
 * What an IF or SELECT has tested is known inside: conditions become facts (an integer expression
 * lies in a range), kept on a stack along the walk, and an index is proven with all facts that hold
 * where it is used. */
#include "loop_build.h"

/* An open PARALLEL loop, and the first access inside it. */
typedef struct Shared {
    const Stmt *loop;
    int first;
} Shared;

/* An access to what is declared outside of `level` PARALLEL loops and more. */
typedef struct Shown {
    Touch touch;
    int level;
} Shown;

typedef struct Checker {
    const Kernel *kernel;
    Builder *b;
    Arena *arena;
    const char *wrong; /* the first thing that is */
    int unproven;
    bool *vars; /* by id: in scope */
    Map locals; /* local arrays in scope: 1 + the PARALLEL loops around the declaration */
    VEC(Shared) shared;
    VEC(Shown) shown; /* accesses inside `shared` */
    bool demotes;     /* a PARALLEL loop that is not proven becomes SERIAL, and is not wrong */
    VEC(Fact) facts;
    const Var *lane; /* of the enclosing LANES loop */
    Map seen;        /* expressions already walked with the same facts */
    void (*visit)(const Access *a, void *context); /* NULL: nobody wants to know */
    void *visitor;
    VEC(const Stmt *)
    loops; /* around what is walked; kept for the visitor, as is the statement's number */
    int statement;
    uint32_t context,
        contexts; /* the number of the facts that hold now, and how many were given out */
} Checker;

static void wrong(Checker *c, const char *what, const char *name) {
    if (!c->wrong)
        c->wrong = arena_format(c->arena, "kernel %s: %s: %s", c->kernel->name, name, what);
}

/* Facts. */

static void add_range(Checker *c, const Expr *x, Range r) {
    if (x->type != DT_I64 || x->kind == EX_CONST) return;
    r = range_both(r, sum_range_where(x, c->facts.at, c->facts.n));
    if (r.lo <= r.hi) vec_push(c->arena, &c->facts, ((Fact){x, r}));
}

/* x + gap <= y */
static void add_order(Checker *c, const Expr *x, const Expr *y, int gap) {
    if (x->type != DT_I64) return;
    Range rx = sum_range_where(x, c->facts.at, c->facts.n),
          ry = sum_range_where(y, c->facts.at, c->facts.n);
    if (ry.hi >= INT64_MIN + gap) add_range(c, x, (Range){INT64_MIN, ry.hi - gap});
    if (rx.lo <= INT64_MAX - gap) add_range(c, y, (Range){rx.lo + gap, INT64_MAX});
}

static void add_facts(Checker *c, const Expr *cond, bool truth) {
    while (cond->kind == EX_VAR && cond->var->let) cond = cond->var->let;
    if (cond->kind != EX_SCALAR) return;
    const Expr *x = cond->args[0], *y = cond->args[1];
    bool equal = (cond->op == SC_EQ && truth) || (cond->op == SC_NE && !truth);
    if (cond->op == SC_NOT) {
        add_facts(c, x, !truth);
    } else if (cond->op == (truth ? SC_AND : SC_OR)) {
        add_facts(c, x, truth);
        add_facts(c, y, truth);
    } else if (cond->op == SC_LT || cond->op == SC_LE) {
        bool strict = (cond->op == SC_LT) == truth;
        if (truth)
            add_order(c, x, y, strict);
        else
            add_order(c, y, x, strict);
    } else if (equal) {
        add_order(c, x, y, 0);
        add_order(c, y, x, 0);
    }
}

/* x < bound; of a minimum, x is below both. */
static void add_below(Checker *c, const Expr *x, const Expr *bound) {
    while (bound->kind == EX_VAR && bound->var->let) bound = bound->var->let;
    if (bound->kind == EX_SCALAR && bound->op == SC_MIN) {
        add_below(c, x, bound->args[0]);
        add_below(c, x, bound->args[1]);
    } else if (bound->kind != EX_CONST) {
        add_range(c, ex_sub(c->b, x, bound), (Range){INT64_MIN, -1});
    }
}

/* Expressions. */

static bool scalar_is_typed(const Expr *e) {
    DType t = e->args[0]->type;
    bool compares = e->op == SC_LT || e->op == SC_LE || e->op == SC_EQ || e->op == SC_NE;
    if (e->n_args != scalar_infos[e->op].arity || !scalar_takes(e->op, t)) return false;
    for (int k = 1; k < e->n_args; k++)
        if (e->args[k]->type != t) return false;
    return e->type == (compares ? DT_BOOL : t);
}

static bool expr_is_typed(const Expr *e) {
    switch (e->kind) {
    case EX_CONST: return e->type != DT_NONE && e->type != DT_STRING;
    case EX_VAR: return e->type == e->var->type;
    case EX_LOAD: return e->args[0]->type == DT_I64 && e->type == e->buffer->type;
    case EX_SCALAR: return scalar_is_typed(e);
    case EX_SELECT:
        return e->args[0]->type == DT_BOOL && e->args[1]->type == e->type &&
               e->args[2]->type == e->type;
    case EX_CAST: return true;
    case EX_BITCAST: return dtypes[e->type].bytes == dtypes[e->args[0]->type].bytes;
    }
    return false;
}

static bool is_multiple(const Expr *e, int64_t n) {
    if (e->kind == EX_CONST) return e->value.i % n == 0;
    if (e->kind == EX_VAR) return e->var->let && is_multiple(e->var->let, n);
    if (e->kind == EX_SELECT) return is_multiple(e->args[1], n) && is_multiple(e->args[2], n);
    if (e->kind != EX_SCALAR) return false;
    if (e->op == SC_ADD || e->op == SC_SUB)
        return is_multiple(e->args[0], n) && is_multiple(e->args[1], n);
    if (e->op == SC_NEG) return is_multiple(e->args[0], n);
    return e->op == SC_MUL && (is_multiple(e->args[0], n) || is_multiple(e->args[1], n));
}

/* Arrays of whole vectors: index == multiple of lanes + lane. */
static bool is_whole_vector(Checker *c, const Buffer *buffer, const Expr *index) {
    int64_t coefficient;
    const Expr *rest;
    if (buffer->lanes == 1) return true;
    if (!c->lane || c->lane->lanes != buffer->lanes) return false;
    return expr_affine_in(c->b, index, c->lane, &coefficient, &rest) && coefficient == 1 &&
           is_multiple(rest, buffer->lanes);
}

/* The index as a sum over the loops around it, from the innermost on. */
static void add_terms(Checker *c, const Expr *index, Access *access) {
    for (int i = c->loops.n - 1; i >= 0; i--) {
        const Stmt *loop = c->loops.at[i];
        AccessTerm term;
        const Expr *rest;
        if (!expr_is_const_int(loop->extent, &term.extent) || access->n_terms == ACCESS_TERMS ||
            !expr_affine_in(c->b, index, loop->var, &term.coefficient, &rest))
            return;
        index = rest;
        term.loop = loop->var->id;
        if (term.coefficient) access->terms[access->n_terms++] = term;
    }
    access->affine = expr_is_const_int(index, &access->base);
}

static void tell_access(Checker *c, const Buffer *buffer, const Expr *index, bool is_write) {
    Range r =
        range_both((Range){index->lo, index->hi}, sum_range_where(index, c->facts.at, c->facts.n));
    Access access = {.buffer = buffer,
                     .is_write = is_write,
                     .lo = r.lo,
                     .hi = r.hi,
                     .statement = c->statement,
                     .loops = c->loops.at,
                     .n_loops = c->loops.n};
    access.proven = load_is_proven(buffer, index) || (r.lo >= 0 && r.hi < buffer->count);
    add_terms(c, index, &access);
    c->visit(&access, c->visitor);
}

/* Kept until the PARALLEL loops around are complete; what stands inside the innermost is not
 * theirs. */
static void show_touch(Checker *c, const Buffer *buffer, const Expr *index, bool is_write) {
    uintptr_t declared = (uintptr_t)map_get(&c->locals, (uintptr_t)buffer);
    int level = declared ? (int)declared - 1 : 0, n = c->facts.n;
    if (level >= c->shared.n || buffer->kind == BUF_CONST || buffer->kind == BUF_INPUT) return;
    Fact *facts = n ? NEW_ARRAY(c->arena, Fact, n) : NULL;
    for (int i = 0; i < n; i++) facts[i] = c->facts.at[i];
    vec_push(c->arena, &c->shown, ((Shown){{buffer, index, is_write, facts, n}, level}));
}

static void check_access(Checker *c, const Buffer *buffer, const Expr *index, bool is_write) {
    if (c->visit) tell_access(c, buffer, index, is_write);
    bool local = buffer_is_declared(buffer);
    show_touch(c, buffer, index, is_write);
    if (local && !map_get(&c->locals, (uintptr_t)buffer)) wrong(c, "is not in scope", buffer->name);
    if (local && buffer->lanes && !is_whole_vector(c, buffer, index))
        wrong(c, "is not accessed as whole vectors", buffer->name);
    if (load_is_proven(buffer, index)) return;
    Range r = sum_range_where(index, c->facts.at, c->facts.n);
    if (r.lo >= 0 && r.hi < buffer->count) return;
    if (!c->facts.n && (r.lo >= buffer->count || r.hi < 0))
        wrong(c, "is accessed out of bounds", buffer->name);
    c->unproven++;
}

static void check_expr(Checker *c, const Expr *e);

static void check_arm(Checker *c, const Expr *cond, bool truth, const Expr *arm) {
    int n = c->facts.n;
    uint32_t outer = c->context;
    add_facts(c, cond, truth);
    if (c->facts.n > n) c->context = ++c->contexts;
    check_expr(c, arm);
    c->context = outer;
    c->facts.n = n;
}

static void check_expr(Checker *c, const Expr *e) {
    if (!e || c->wrong) return;
    uintptr_t key = ((uintptr_t)(e->id + 1) << 32) | c->context;
    if (map_get(&c->seen, key)) return;
    map_set(&c->seen, key, c);
    if (!expr_is_typed(e))
        wrong(c, "its operands do not fit",
              e->kind == EX_SCALAR ? scalar_infos[e->op].text : "value");
    if (e->kind == EX_VAR && !c->vars[e->var->id]) wrong(c, "is not in scope", e->var->name);
    if (e->kind == EX_LOAD) check_access(c, e->buffer, e->args[0], false);
    if (e->kind == EX_SELECT) {
        check_expr(c, e->args[0]);
        check_arm(c, e->args[0], true, e->args[1]);
        check_arm(c, e->args[0], false, e->args[2]);
        return;
    }
    for (int k = 0; k < e->n_args; k++) check_expr(c, e->args[k]);
}

/* Statements. */

static void check_block(Checker *c, const Stmt *s);

static bool is_apart(Checker *c, const Stmt *loop, const Shown *x, const Shown *y) {
    if (x->touch.buffer != y->touch.buffer || (!x->touch.is_write && !y->touch.is_write))
        return true;
    return touches_apart(c->b, loop->var, &x->touch, &y->touch);
}

/* The buffer in which iterations of the loop may meet, or NULL. */
static const Buffer *find_meeting(Checker *c, const Shared *s) {
    int depth = c->shared.n;
    for (int i = s->first; i < c->shown.n; i++)
        for (int k = s->first; k <= i; k++) {
            const Shown *x = &c->shown.at[i], *y = &c->shown.at[k];
            if (x->level <= depth && !is_apart(c, s->loop, x, y)) return x->touch.buffer;
        }
    return NULL;
}

static void open_shared(Checker *c, const Stmt *s) {
    vec_push(c->arena, &c->shared, ((Shared){s, c->shown.n}));
}

static void close_shared(Checker *c) {
    Shared s = c->shared.at[--c->shared.n];
    const Buffer *meeting = c->wrong ? NULL : find_meeting(c, &s);
    if (!c->shared.n) c->shown.n = 0;
    if (!meeting) return;
    if (c->demotes) {
        ((Stmt *)(uintptr_t)s.loop)->loop = LOOP_SERIAL;
        s.loop->var->loop = LOOP_SERIAL;
    } else {
        wrong(c, "iterations of a parallel loop may meet in it", meeting->name);
    }
}

static void check_for(Checker *c, const Stmt *s) {
    const Var *outer = c->lane;
    int64_t n;
    int facts = c->facts.n;
    uint32_t context = c->context;
    check_expr(c, s->extent);
    if (s->extent->type != DT_I64) wrong(c, "its extent is no i64", s->var->name);
    if (outer && s->loop != LOOP_UNROLL) wrong(c, "a loop inside lanes", s->var->name);
    if ((s->loop == LOOP_UNROLL || s->loop == LOOP_LANES) && !expr_is_const_int(s->extent, &n))
        wrong(c, "its extent is not constant", s->var->name);
    if (s->loop == LOOP_LANES) c->lane = s->var;
    c->vars[s->var->id] = true;
    vec_push(c->arena, &c->loops, s);
    if (s->loop == LOOP_PARALLEL) open_shared(c, s);
    if (s->extent->type == DT_I64) add_below(c, ex_var(c->b, s->var), s->extent);
    if (c->facts.n > facts) c->context = ++c->contexts;
    check_block(c, s->body);
    c->context = context;
    c->facts.n = facts;
    if (s->loop == LOOP_PARALLEL) close_shared(c);
    c->loops.n--;
    c->vars[s->var->id] = false;
    c->lane = outer;
}

static void check_if(Checker *c, const Stmt *s) {
    int n = c->facts.n;
    check_expr(c, s->cond);
    if (s->cond->type != DT_BOOL) wrong(c, "is no bool", "condition");
    add_facts(c, s->cond, true);
    check_block(c, s->body);
    c->facts.n = n;
    add_facts(c, s->cond, false);
    check_block(c, s->other);
    c->facts.n = n;
}

static void check_write(Checker *c, const Stmt *s) {
    const Buffer *buffer = s->buffer;
    check_expr(c, s->index);
    check_expr(c, s->value);
    check_expr(c, s->factor);
    if (s->index->type != DT_I64 || s->value->type != buffer->type ||
        (s->fused && (!s->factor || s->factor->type != buffer->type)))
        wrong(c, "is written with another type", buffer->name);
    if (buffer->kind == BUF_INPUT || buffer->kind == BUF_CONST)
        wrong(c, "is written", buffer->name);
    if (s->kind == ST_ACC && !scalar_takes(s->fused ? SC_FMA : SC_ADD, buffer->type))
        wrong(c, "is accumulated in", buffer->name);
    if (buffer->ranged && (s->value->lo < buffer->lo || s->value->hi > buffer->hi))
        wrong(c, "takes a value outside its range", buffer->name);
    check_access(c, buffer, s->index, true);
}

static void check_let(Checker *c, const Stmt *s) {
    check_expr(c, s->value);
    if (s->var->let != s->value || s->var->type != s->value->type)
        wrong(c, "its value differs", s->var->name);
    c->vars[s->var->id] = true;
}

static void check_stmt(Checker *c, const Stmt *s) {
    switch (s->kind) {
    case ST_FOR: check_for(c, s); break;
    case ST_IF: check_if(c, s); break;
    case ST_LET: check_let(c, s); break;
    case ST_LOCAL:
        map_set(&c->locals, (uintptr_t)s->buffer, (void *)(uintptr_t)(c->shared.n + 1));
        break;
    case ST_STORE:
    case ST_ACC: check_write(c, s); break;
    case ST_PREFETCH:
        check_expr(c, s->index);
        if (!may_prefetch(s->buffer, s->index)) wrong(c, "is prefetched", s->buffer->name);
        break;
    }
}

static void check_block(Checker *c, const Stmt *first) {
    for (const Stmt *s = first; s && !c->wrong; s = s->next) {
        c->context = ++c->contexts;
        c->statement++;
        check_stmt(c, s);
    }
    for (const Stmt *s = first; s; s = s->next) {
        if (s->kind == ST_LET) c->vars[s->var->id] = false;
        if (s->kind == ST_LOCAL) map_set(&c->locals, (uintptr_t)s->buffer, NULL);
    }
}

static const char *check_kernel(Checker *c, const Program *p, const Kernel *k) {
    Arena *a = p->unit->arena;
    c->kernel = k;
    c->b = builder_resume(p, k);
    c->arena = c->locals.arena = c->seen.arena = a;
    c->vars = NEW_ARRAY(a, bool, k->n_vars + 1);
    check_block(c, k->body);
    return c->wrong;
}

const char *kernel_check(const Program *p, const Kernel *k, int *unproven) {
    Checker c = {0};
    const char *why = check_kernel(&c, p, k);
    if (unproven) *unproven = c.unproven;
    return why;
}

const char *kernel_check_accesses(const Program *p, const Kernel *k,
                                  void (*visit)(const Access *a, void *context), void *context) {
    Checker c = {.visit = visit, .visitor = context};
    return check_kernel(&c, p, k);
}

void kernel_prove(Builder *b) {
    Checker c = {.demotes = true};
    check_kernel(&c, b->program, b->kernel);
}
