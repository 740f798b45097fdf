/* loop_share.c - which PARALLEL loops the threads share.
 *
 * A loop marked PARALLEL may be shared.  That pays where it runs long enough, and only one around a
 * statement is: of a nest, the choice is by estimated times for a few numbers of threads, so that
 * neither a loop of two iterations nor one that is handed out a thousand times is taken where a
 * better one is near.  The choice is part of the plan: it does not depend on the threads that there
 * are in the end. */
#include "loop_build.h"

/* Times are counted in steps: an operation on a scalar or vector.  A microsecond is some
 * thousand. */
enum {
    HANDING_OUT =
        16000, /* steps that it takes to hand a loop out, move its data and wait for all */
    COUNTS = 3 /* numbers of threads that are looked at: 2, 4, 8, each a quarter as important as the
                  one before */
};

/* An outer loop is taken though inner ones seem so much faster: its data stays with one thread. */
static const double prefer_outer = 1.25;

/* Estimated steps of a piece: alone, and with 2, 4, 8 threads. */
typedef struct Times {
    double alone, shared[COUNTS];
} Times;

typedef struct Sharer {
    const Kernel *kernel;
    int64_t lanes; /* of the target */
} Sharer;

static int count_steps(const Kernel *k, const Expr *e) {
    int n = e && e->kind != EX_CONST && e->kind != EX_VAR;
    if (!e || !walk_is_new(k, e)) return 0;
    for (int i = 0; i < e->n_args; i++) n += count_steps(k, e->args[i]);
    return n;
}

static double own_steps(const Sharer *s, const Stmt *at) {
    walk_start(s->kernel);
    return 1 + count_steps(s->kernel, at->extent) + count_steps(s->kernel, at->cond) +
           count_steps(s->kernel, at->index) + count_steps(s->kernel, at->value) +
           count_steps(s->kernel, at->factor);
}

static void add_times(Times *sum, Times t, double by) {
    sum->alone += t.alone * by;
    for (int i = 0; i < COUNTS; i++) sum->shared[i] += t.shared[i] * by;
}

static Times only(double steps) {
    Times t = {.alone = steps};
    for (int i = 0; i < COUNTS; i++) t.shared[i] = steps;
    return t;
}

static double extent_of(const Sharer *s, const Stmt *loop) {
    double n = (double)loop->var->hi + 1;
    if (loop->loop == LOOP_LANES) n /= (double)s->lanes;
    return n < 1 ? 1 : n;
}

/* The last thread is done when the one with most iterations is. */
static Times handed_out(const Times *body, double n) {
    Times t = {.alone = body->alone * n};
    for (int i = 0; i < COUNTS; i++) {
        double threads = 2 << i, most = n / threads;
        int64_t whole = (int64_t)most;
        t.shared[i] = HANDING_OUT + body->alone * (double)(whole + (most > (double)whole));
    }
    return t;
}

static double score(const Times *t) {
    double sum = 0;
    for (int i = 0; i < COUNTS; i++) sum += t->shared[i] / (1 << 2 * i);
    return sum;
}

static void make_serial(Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == ST_FOR && s->loop == LOOP_PARALLEL) s->loop = s->var->loop = LOOP_SERIAL;
        make_serial(s->body);
        make_serial(s->other);
    }
}

static Times share_block(const Sharer *s, Stmt *at);

static Times share_loop(const Sharer *s, Stmt *loop) {
    Times body = share_block(s, loop->body), inside = only(0);
    double n = extent_of(s, loop);
    add_times(&inside, body, n);
    if (loop->loop != LOOP_PARALLEL) return inside;
    Times out = handed_out(&body, n), alone = only(inside.alone);
    bool pays =
        n >= 2 && score(&out) < score(&alone) && score(&out) < prefer_outer * score(&inside);
    if (!pays) {
        loop->loop = loop->var->loop = LOOP_SERIAL;
        return inside;
    }
    make_serial(loop->body);
    return out;
}

static Times share_block(const Sharer *s, Stmt *at) {
    Times sum = only(0);
    for (; at; at = at->next) {
        add_times(&sum, only(own_steps(s, at)), 1);
        if (at->kind == ST_FOR) add_times(&sum, share_loop(s, at), 1);
        if (at->kind != ST_IF) continue;
        add_times(&sum, share_block(s, at->body), 1);
        add_times(&sum, share_block(s, at->other), 1);
    }
    return sum;
}

void kernel_share(Builder *b) {
    const Sharer s = {b->kernel, b->program->target->lanes};
    share_block(&s, b->kernel->body);
}

static bool block_has_parallel(const Stmt *s) {
    for (; s; s = s->next)
        if ((s->kind == ST_FOR && s->loop == LOOP_PARALLEL) || block_has_parallel(s->body) ||
            block_has_parallel(s->other))
            return true;
    return false;
}

bool kernel_has_parallel(const Kernel *k) { return block_has_parallel(k->body); }
