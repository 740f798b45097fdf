/* loop_place.c - places loop invariants and shared subexpressions into LETs.
 *
 * Every subexpression has a home: the outermost block where its variables are in scope, that is not
 * cut off by a guard (an IF, a loop that may not run, the arm of a SELECT) if evaluating it may
 * fail, nor by a loop or IF that writes what it loads.  The first walk counts how often each is
 * needed at its home; the second gives those that are needed twice, or in an inner loop, a LET
 * before the first statement that needs them, and rewrites the statements.  Both walks go the same
 * way, so that blocks and statements have the same numbers in both. What leaves a PARALLEL loop
 * would have to be handed to its threads: nothing does. */
#include "loop_build.h"

#include <string.h>

/* An open block. */
typedef struct Level {
    int number;      /* of the block */
    int stmt_number; /* of the statement that is being walked */
    Stmt *stmt;
    int loops;       /* FOR statements around the block */
    int least;       /* nothing leaves for a level further out: the innermost PARALLEL loop */
    int guard;       /* nor, if it may fail: the innermost level that may not be run */
    uint64_t writes; /* buffers written inside the statement that owns the block */
} Level;

/* A subexpression at a home. */
typedef struct Entry {
    int uses;
    bool outside; /* it is needed inside a loop that its home is outside of */
    bool wanted;  /* a LET of the lowering that moves out */
    const char *name;
    const Expr *done; /* what stands for it */
} Entry;

typedef struct Pre {
    Stmt *first, *last;
} Pre;

typedef struct Placer {
    Builder *b;
    Arena *arena;
    VEC(Level) levels;
    VEC(Pre) pre; /* by level: LETs to go before its statement */
    int numbers;
    Map entries;
    Map guarded;           /* SELECTs that hold all the guards of what is in them */
    int *var_level;        /* by variable: the level that its values need */
    const Expr **var_done; /* by variable: what replaces it */
    int *level_of;   /* by expression: 1 + the innermost level of its variables; 0: not known */
    uint64_t *loads; /* by expression: bits of the buffers loaded that the kernel writes */
    unsigned char *walked;              /* by expression: loads is known */
    signed char *needs_guard;           /* by expression: 1 yes, -1 no, 0 not known */
    uint64_t written, unrolled, rolled; /* buffers; variables of UNROLL loops and all others */
} Placer;

static uint64_t buffer_bit(const Buffer *buffer) { return UINT64_C(1) << (buffer->id % 64); }
static uint64_t var_bit(const Var *v) { return UINT64_C(1) << (v->id % 64); }

static uint64_t writes_of(const Stmt *s) {
    uint64_t bits = 0;
    for (; s; s = s->next) {
        if (s->kind == ST_STORE || s->kind == ST_ACC) bits |= buffer_bit(s->buffer);
        bits |= writes_of(s->body) | writes_of(s->other);
    }
    return bits;
}

static void find_unrolled(Placer *p, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == ST_FOR && s->loop == LOOP_UNROLL)
            p->unrolled |= var_bit(s->var);
        else if (s->var)
            p->rolled |= var_bit(s->var);
        find_unrolled(p, s->body);
        find_unrolled(p, s->other);
    }
}

static uint64_t loads_of(Placer *p, const Expr *e) {
    if (p->walked[e->id]) return p->loads[e->id];
    uint64_t bits = e->kind == EX_LOAD ? buffer_bit(e->buffer) & p->written : 0;
    for (int k = 0; k < e->n_args; k++) bits |= loads_of(p, e->args[k]);
    p->walked[e->id] = true;
    return p->loads[e->id] = bits;
}

static int level_of(Placer *p, const Expr *e) {
    if (p->level_of[e->id]) return p->level_of[e->id] - 1;
    int level = e->kind == EX_VAR ? p->var_level[e->var->id] : 0;
    for (int k = 0; k < e->n_args; k++) {
        int inner = level_of(p, e->args[k]);
        if (inner > level) level = inner;
    }
    p->level_of[e->id] = level + 1;
    return level;
}

static Level *innermost(Placer *p) { return &p->levels.at[p->levels.n - 1]; }

/* The level of e's home; -1: it stays in the arm where it is. */
static int home_of(Placer *p, const Expr *e, bool in_arm) {
    if (in_arm) return -1;
    int level = level_of(p, e), least = innermost(p)->least, guard = innermost(p)->guard;
    if (level < least) level = least;
    if (e->traps && level < guard) level = guard;
    uint64_t loads = loads_of(p, e);
    for (int k = p->levels.n - 1; loads && k > level; k--)
        if (p->levels.at[k].writes & loads) level = k;
    return level;
}

static Entry *entry_of(Placer *p, const Expr *e, int home) {
    /* What loads from a buffer that is written is shared within a statement only. */
    const Level *level = home < 0 ? innermost(p) : &p->levels.at[home];
    int number = home < 0 || loads_of(p, e) ? level->stmt_number : level->number;
    uintptr_t key =
        ((uintptr_t)(e->id + 1) << 32) | (uintptr_t)((uint32_t)number << 1) | (home < 0);
    Entry *entry = map_get(&p->entries, key);
    if (entry) return entry;
    entry = NEW(p->arena, Entry);
    map_set(&p->entries, key, entry);
    return entry;
}

static bool is_unrolled(const Placer *p, const Expr *e) {
    return e->fixed && !(e->vars & (p->rolled | ~p->unrolled));
}

/* Is a name for e more trouble than e?  Sums in lanes stay visible: they tell how memory is
 * accessed. */
static bool is_trivial(const Placer *p, const Expr *e) {
    if (e->kind == EX_CONST || e->kind == EX_VAR || is_unrolled(p, e)) return true;
    if (e->kind != EX_SCALAR) return false;
    bool sum = e->op == SC_ADD || e->op == SC_SUB;
    if (e->type == DT_I64 && e->vector && (sum || e->op == SC_NEG)) return true;
    if (e->type == DT_I64 && e->vector && e->op == SC_MUL) return e->args[1]->kind == EX_CONST;
    return sum && dtype_is_int(e->type) &&
           (is_unrolled(p, e->args[1]) || is_unrolled(p, e->args[0]));
}

/* May evaluating e fail, but for what is in SELECTs that hold all their guards? */
static bool needs_guard(Placer *p, const Expr *e) {
    if (!e->traps || map_get(&p->guarded, (uintptr_t)e)) return false;
    if (p->needs_guard[e->id]) return p->needs_guard[e->id] > 0;
    bool needs = expr_may_fail(e);
    for (int k = 0; k < e->n_args && !needs; k++) needs = needs_guard(p, e->args[k]);
    p->needs_guard[e->id] = needs ? 1 : -1;
    return needs;
}

static bool is_arm(const Expr *parent, int k) { return parent->kind == EX_SELECT && k > 0; }

/* First walk: counts e, needed by something that is evaluated at `level`. */
static void count_expr(Placer *p, const Expr *e, int level, bool in_arm) {
    if (!e || e->kind == EX_CONST || e->kind == EX_VAR) return;
    in_arm = in_arm && needs_guard(p, e);
    int home = home_of(p, e, in_arm);
    Entry *entry = entry_of(p, e, home);
    bool trivial = is_trivial(p, e);
    bool outside = home >= 0 && p->levels.at[level].loops > p->levels.at[home].loops;
    entry->outside |= outside;
    if (entry->uses++ && !trivial) return;
    if (outside && !trivial) level = home;
    for (int k = 0; k < e->n_args; k++) count_expr(p, e->args[k], level, in_arm || is_arm(e, k));
}

static void count_let(Placer *p, const Stmt *s) {
    int level = p->levels.n - 1, home = home_of(p, s->value, false);
    bool moves = p->levels.at[level].loops > p->levels.at[home].loops;
    count_expr(p, s->value, level, false);
    p->var_level[s->var->id] = moves ? home : level;
    if (s->value->kind == EX_CONST || s->value->kind == EX_VAR) return;
    Entry *entry = entry_of(p, s->value, home);
    entry->wanted |= moves;
    if (!entry->name) entry->name = s->var->name;
}

static void open_level(Placer *p, const Stmt *owner) {
    Level level = {.number = p->numbers++};
    int n = p->levels.n;
    if (owner) {
        const Level *outer = innermost(p);
        level.loops = outer->loops + (owner->kind == ST_FOR);
        level.least = owner->kind == ST_FOR && owner->loop == LOOP_PARALLEL ? n : outer->least;
        level.guard = owner->kind == ST_IF || owner->extent->lo < 1 ? n : outer->guard;
        level.writes = writes_of(owner->body) | writes_of(owner->other);
    }
    vec_push(p->arena, &p->levels, level);
    if (p->pre.n < p->levels.n) vec_push(p->arena, &p->pre, (Pre){0});
}

static void enter_stmt(Placer *p, Stmt *s) {
    innermost(p)->stmt = s;
    innermost(p)->stmt_number = p->numbers++;
}

static void count_block(Placer *p, Stmt *s, const Stmt *owner) {
    open_level(p, owner);
    int level = p->levels.n - 1;
    if (owner && owner->var) p->var_level[owner->var->id] = level;
    for (; s; s = s->next) {
        enter_stmt(p, s);
        count_expr(p, s->extent, level, false);
        count_expr(p, s->cond, level, false);
        count_expr(p, s->index, level, false);
        count_expr(p, s->factor, level, false);
        if (s->kind == ST_LET)
            count_let(p, s);
        else
            count_expr(p, s->value, level, false);
        if (s->body) count_block(p, s->body, s);
        if (s->other) count_block(p, s->other, s);
    }
    p->levels.n--;
}

static const char *innermost_var(const Expr *e) {
    while (e->kind != EX_VAR) {
        const Expr *inner = e->args[0];
        for (int k = 1; k < e->n_args; k++)
            if (e->args[k]->last_var > inner->last_var) inner = e->args[k];
        if (!e->n_args || inner->last_var < 0) return NULL;
        e = inner;
    }
    return e->var->name;
}

/* A readable name: from the buffer that is loaded, or the loop that it belongs to. */
static const char *name_for(Placer *p, const Expr *e) {
    const Expr *x = e;
    while (x->kind == EX_CAST || x->kind == EX_SELECT || x->kind == EX_BITCAST)
        x = x->args[x->kind == EX_SELECT];
    if (x->kind == EX_LOAD) return arena_format(p->arena, "%s_value", x->buffer->name);
    if (e->type == DT_BOOL) return "inside";
    const char *var = e->type == DT_I64 ? innermost_var(e) : NULL;
    return var ? arena_format(p->arena, "%s_at", var) : "t";
}

static const Expr *make_let(Placer *p, const Entry *entry, int home, const Expr *original,
                            const Expr *value) {
    if (value->kind == EX_CONST || value->kind == EX_VAR) return value;
    Builder *b = p->b;
    Var *v = var_new(b, entry->name ? entry->name : name_for(p, original), value->type);
    v->lo = value->lo;
    v->hi = value->hi;
    v->let = value;
    v->vector = value->vector;
    Stmt *s = NEW(b->arena, Stmt);
    *s = (Stmt){.kind = ST_LET, .var = v, .value = value};
    Pre *pre = &p->pre.at[home];
    if (pre->last)
        pre->last->next = s;
    else
        pre->first = s;
    pre->last = s;
    return ex_var(b, v);
}

/* Second walk: e with LETs in the place of what has got one. */
static const Expr *rewrite(Placer *p, const Expr *e, bool in_arm) {
    if (!e || e->kind == EX_CONST) return e;
    if (e->kind == EX_VAR) return p->var_done[e->var->id] ? p->var_done[e->var->id] : e;
    in_arm = in_arm && needs_guard(p, e);
    int home = home_of(p, e, in_arm);
    Entry *entry = entry_of(p, e, home);
    if (entry->done) return entry->done;
    const Expr *args[3] = {NULL};
    for (int k = 0; k < e->n_args; k++) args[k] = rewrite(p, e->args[k], in_arm || is_arm(e, k));
    const Expr *value = expr_rebuild(p->b, e, args);
    bool needed = !is_trivial(p, e) && (entry->uses > 1 || entry->outside);
    if (home >= 0 && (needed || entry->wanted)) value = make_let(p, entry, home, e, value);
    return entry->done = value;
}

static void rewrite_block(Placer *p, Stmt **list, const Stmt *owner);

/* false: the statement is no longer needed. */
static bool rewrite_stmt(Placer *p, Stmt *s) {
    s->extent = rewrite(p, s->extent, false);
    s->cond = rewrite(p, s->cond, false);
    s->index = rewrite(p, s->index, false);
    s->factor = rewrite(p, s->factor, false);
    s->value = rewrite(p, s->value, false);
    if (s->kind == ST_LET) {
        s->var->let = s->value;
        bool copy = s->value->kind == EX_VAR || s->value->kind == EX_CONST;
        if (copy) p->var_done[s->var->id] = s->value;
        return !copy;
    }
    if (s->body) rewrite_block(p, &s->body, s);
    if (s->other) rewrite_block(p, &s->other, s);
    return true;
}

static void rewrite_block(Placer *p, Stmt **list, const Stmt *owner) {
    open_level(p, owner);
    int level = p->levels.n - 1;
    Stmt *next, **tail = list;
    for (Stmt *s = *list; s; s = next) {
        next = s->next;
        enter_stmt(p, s);
        p->pre.at[level] = (Pre){0};
        bool kept = rewrite_stmt(p, s);
        *tail = p->pre.at[level].first;
        if (*tail) tail = &p->pre.at[level].last->next;
        if (!kept) continue;
        *tail = s;
        tail = &s->next;
    }
    *tail = NULL;
    p->levels.n--;
}

/* Marks the variables that are read; LETs come before their uses, so one walk from behind finds
 * all. */
static void mark_vars(const Kernel *k, const Expr *e, bool *used) {
    if (!e || !walk_is_new(k, e)) return;
    if (e->kind == EX_VAR) used[e->var->id] = true;
    for (int i = 0; i < e->n_args; i++) mark_vars(k, e->args[i], used);
}

/* What is left without LETs that nobody reads. */
static Stmt *drop_unused(const Kernel *k, Stmt *s, bool *used) {
    if (!s) return NULL;
    s->next = drop_unused(k, s->next, used);
    if (s->kind == ST_LET && !used[s->var->id]) return s->next;
    s->body = drop_unused(k, s->body, used);
    s->other = drop_unused(k, s->other, used);
    if ((s->kind == ST_FOR || s->kind == ST_IF) && !s->body && !s->other) return s->next;
    mark_vars(k, s->extent, used);
    mark_vars(k, s->cond, used);
    mark_vars(k, s->index, used);
    mark_vars(k, s->value, used);
    mark_vars(k, s->factor, used);
    return s;
}

static void place(Builder *b, Arena *a) {
    Kernel *k = b->kernel;
    Placer p = {.b = b, .arena = a, .entries = {.arena = a}, .guarded = {.arena = a}};
    kernel_guard(b, a, &p.guarded);
    p.written = writes_of(k->body);
    p.var_level = NEW_ARRAY(a, int, k->n_vars + 1);
    p.var_done = NEW_ARRAY(a, const Expr *, k->n_vars + 1);
    p.level_of = NEW_ARRAY(a, int, k->n_exprs + 1);
    p.loads = NEW_ARRAY(a, uint64_t, k->n_exprs + 1);
    p.walked = NEW_ARRAY(a, unsigned char, k->n_exprs + 1);
    p.needs_guard = NEW_ARRAY(a, signed char, k->n_exprs + 1);
    find_unrolled(&p, k->body);
    count_block(&p, k->body, NULL);
    p.numbers = 0;
    rewrite_block(&p, &k->body, NULL);
    bool *used = NEW_ARRAY(a, bool, k->n_vars + 1);
    walk_start(k);
    k->body = drop_unused(k, k->body, used);
}

void kernel_place(Builder *b) {
    Arena *scratch = unit_scratch(b->program->unit);
    ArenaMark start = arena_mark(scratch);
    place(b, scratch);
    arena_release(scratch, start);
}
