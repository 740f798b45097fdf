/* loop_guard.c - makes what is shared inside the arms of SELECTs fit to be named.
 *
 * An expression that may fail must not leave the arm that guards it, so it could not get a LET, and
 * what is needed n times inside the arm would be written n times.  Such an expression x becomes
 * select(c, x, 0), where c is all that guards it: in the arm it has the same value, and it may be
 * evaluated anywhere. */
#include "loop_build.h"

/* The conditions around an expression, the innermost first. */
typedef struct Path {
    const struct Path *outer;
    const Expr *cond;
    int number;
} Path;

typedef struct Guard {
    Builder *b;
    Arena *arena; /* of the maps */
    Map *guarded; /* the selects that were made */
    Map done;     /* (expression, path) -> what it became */
    Map counts;   /* of the arm being looked at: expression -> Count */
    int paths;
} Guard;

typedef struct Count {
    int uses;
    const Expr *becomes;
} Count;

static bool may_fail_itself(const Expr *e) {
    if (!e->traps) return false;
    if (e->kind == EX_SELECT) return e->args[1]->traps || e->args[2]->traps;
    return expr_may_fail(e);
}

/* How often each is needed in the arm; the arms of inner SELECTs have guards of their own. */
static void count_uses(Guard *g, const Expr *e) {
    if (!e->traps) return;
    Count *count = map_get(&g->counts, (uintptr_t)e);
    if (!count) {
        count = NEW(g->arena, Count);
        map_set(&g->counts, (uintptr_t)e, count);
    }
    if (count->uses++) return;
    int n = e->kind == EX_SELECT ? 1 : e->n_args;
    for (int k = 0; k < n; k++) count_uses(g, e->args[k]);
}

static const Expr *wrap(Guard *g, const Expr *e, const Path *path) {
    for (; path; path = path->outer) e = ex_select(g->b, path->cond, e, ex_const(g->b, e->type, 0));
    map_set(g->guarded, (uintptr_t)e, g);
    return e;
}

static const Expr *replace_shared(Guard *g, const Expr *e, const Path *path) {
    Count *count = e->traps ? map_get(&g->counts, (uintptr_t)e) : NULL;
    if (!count) return e;
    if (count->becomes) return count->becomes;
    const Expr *args[3] = {e->args[0], e->args[1], e->args[2]};
    int n = e->kind == EX_SELECT ? 1 : e->n_args;
    for (int k = 0; k < n; k++) args[k] = replace_shared(g, e->args[k], path);
    const Expr *by = map_get(g->guarded, (uintptr_t)e) ? e : expr_rebuild(g->b, e, args);
    if (count->uses > 1 && may_fail_itself(e) && !map_get(g->guarded, (uintptr_t)e))
        by = wrap(g, by, path);
    return count->becomes = by;
}

static const Expr *guard(Guard *g, const Expr *e, const Path *path);

static const Expr *guard_arm(Guard *g, const Expr *arm, const Expr *cond, const Path *outer) {
    if (!arm->traps) return arm;
    Path path = {outer, cond, ++g->paths};
    arm = guard(g, arm, &path);
    g->counts = (Map){.arena = g->arena};
    count_uses(g, arm);
    return replace_shared(g, arm, &path);
}

static const Expr *guard(Guard *g, const Expr *e, const Path *path) {
    if (!e || !e->traps) return e;
    uintptr_t key = ((uintptr_t)(e->id + 1) << 32) | (uint32_t)(path ? path->number : 0);
    const Expr *done = map_get(&g->done, key);
    if (done) return done;
    const Expr *args[3] = {NULL};
    for (int k = 0; k < e->n_args; k++) {
        if (e->kind == EX_SELECT && k > 0) {
            const Expr *cond = k == 1 ? args[0] : ex_not(g->b, args[0]);
            args[k] = guard_arm(g, e->args[k], cond, path);
        } else {
            args[k] = guard(g, e->args[k], path);
        }
    }
    done = expr_rebuild(g->b, e, args);
    map_set(&g->done, key, (void *)done);
    return done;
}

static void guard_block(Guard *g, Stmt *s) {
    for (; s; s = s->next) {
        s->extent = guard(g, s->extent, NULL);
        s->cond = guard(g, s->cond, NULL);
        s->index = guard(g, s->index, NULL);
        s->value = guard(g, s->value, NULL);
        s->factor = guard(g, s->factor, NULL);
        if (s->kind == ST_LET) s->var->let = s->value;
        guard_block(g, s->body);
        guard_block(g, s->other);
    }
}

void kernel_guard(Builder *b, Arena *scratch, Map *guarded) {
    Guard g = {.b = b, .arena = scratch, .guarded = guarded, .done = {.arena = scratch}};
    guard_block(&g, b->kernel->body);
}
