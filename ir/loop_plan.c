/* loop_plan.c - where the arena's buffers lie, and which buffers a kernel touches.
 *
 * A buffer is live from the first to the last kernel that touches it.  Buffers are placed one after
 * another, each in the tightest gap between those that live at the same time; the order decides how
 * good that is, so several are tried, and the best is bettered by placing first what sticks out at
 * the top.  The largest sum of what is live at once is a lower bound: reaching it ends the search.
 *
 * Where a kernel reads a buffer for the last time and makes one of the same size and type, that may
 * lie in the same place if loop_overwrite.c proves it: the two are then one item. */
#include "loop_build.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, REPAIRS = 200, TRIALS = 8 };

typedef struct Walk {
    const Kernel *kernel;
    void (*visit)(const Buffer *b, bool is_write, void *context);
    void *context;
} Walk;

static void visit_expr(const Walk *w, const Expr *e) {
    if (!e || !walk_is_new(w->kernel, e)) return;
    if (e->kind == EX_LOAD) w->visit(e->buffer, false, w->context);
    for (int k = 0; k < e->n_args; k++) visit_expr(w, e->args[k]);
}

static void visit_block(const Walk *w, const Stmt *s) {
    for (; s; s = s->next) {
        visit_expr(w, s->extent);
        visit_expr(w, s->cond);
        visit_expr(w, s->index);
        visit_expr(w, s->value);
        visit_expr(w, s->factor);
        if (s->kind == ST_ACC || s->kind == ST_PREFETCH) w->visit(s->buffer, false, w->context);
        if (s->kind == ST_STORE || s->kind == ST_ACC) w->visit(s->buffer, true, w->context);
        visit_block(w, s->body);
        visit_block(w, s->other);
    }
}

void kernel_visit_buffers(const Kernel *k,
                          void (*visit)(const Buffer *b, bool is_write, void *context),
                          void *context) {
    Walk w = {k, visit, context};
    walk_start(k);
    visit_block(&w, k->body);
}

/* A buffer to be placed, with those that overwrite it. */
typedef struct Item {
    int64_t size, offset, pressure; /* pressure: the most bytes live while it lives */
    int first, last, id;
} Item;

typedef struct Plan {
    int n;
    Item **order;  /* the order to place them in */
    Item **placed; /* those placed, by offset */
    int64_t *best; /* offsets of the best plan, by item id */
    int64_t best_peak, bound;
} Plan;

typedef struct Live {
    Program *program;
    int kernel;
} Live;

static void touch(const Buffer *buffer, bool is_write, void *context) {
    Live *live = context;
    (void)is_write;
    if (!buffer_is_placed(buffer)) return;
    Buffer *b = live->program->buffers.at[buffer->id];
    if (b->first_kernel < 0) b->first_kernel = live->kernel;
    b->last_kernel = live->kernel;
}

static void find_live_ranges(Program *p) {
    for (int i = 0; i < p->buffers.n; i++) {
        p->buffers.at[i]->first_kernel = p->buffers.at[i]->last_kernel = -1;
        p->buffers.at[i]->offset = 0;
        p->buffers.at[i]->overwrites = NULL;
    }
    for (int k = 0; k < p->kernels.n; k++) {
        Live live = {p, k};
        kernel_visit_buffers(p->kernels.at[k], touch, &live);
    }
}

static int64_t aligned_size(Program *p, const Buffer *b) {
    int64_t size;
    if (__builtin_mul_overflow(b->count, (int64_t)dtypes[b->type].bytes, &size) ||
        size > INT64_MAX / 2)
        escape(&p->unit->escape, STATUS_LIMIT, "buffer '%s' exceeds the address space", b->name);
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void find_pressure(Program *p, Item *items, Plan *plan) {
    int64_t *live = NEW_ARRAY(p->unit->arena, int64_t, p->kernels.n + 1), total = 0;
    for (int i = 0; i < plan->n; i++) {
        if (!range_add_fits(total, items[i].size, &total))
            escape(&p->unit->escape, STATUS_LIMIT, "the arena exceeds the address space");
        for (int k = items[i].first; k <= items[i].last; k++) live[k] += items[i].size;
    }
    for (int i = 0; i < plan->n; i++)
        for (int k = items[i].first; k <= items[i].last; k++) {
            if (live[k] > items[i].pressure) items[i].pressure = live[k];
            if (live[k] > plan->bound) plan->bound = live[k];
        }
}

static int by_number(int64_t x, int64_t y) { return x < y ? -1 : x > y; }

static int by_id(const Item *x, const Item *y) { return by_number(x->id, y->id); }

static int by_size(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    int c = by_number(y->size, x->size);
    return c ? c : by_id(x, y);
}

static int by_first(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    int c = by_number(x->first, y->first);
    return c ? c : by_size(a, b);
}

static int by_last(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    int c = by_number(y->last, x->last);
    return c ? c : by_size(a, b);
}

static int by_length(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    int c = by_number(y->last - y->first, x->last - x->first);
    return c ? c : by_size(a, b);
}

static int by_pressure(const void *a, const void *b) {
    const Item *x = *(Item *const *)a, *y = *(Item *const *)b;
    int c = by_number(y->pressure, x->pressure);
    return c ? c : by_size(a, b);
}

/* The tightest gap between what is placed and lives at the same time. */
static int64_t find_gap(const Plan *plan, int n_placed, const Item *item) {
    int64_t end = 0, best = -1, best_slack = INT64_MAX;
    for (int i = 0; i < n_placed; i++) {
        const Item *other = plan->placed[i];
        if (other->last < item->first || other->first > item->last) continue;
        int64_t slack = other->offset - end - item->size;
        if (slack >= 0 && slack < best_slack) {
            best = end;
            best_slack = slack;
        }
        if (other->offset + other->size > end) end = other->offset + other->size;
    }
    return best >= 0 ? best : end;
}

/* Places all in the given order; keeps the plan if it is the best.  Gives the item that ends
 * highest. */
static Item *place_all(Plan *plan) {
    Item *top = NULL;
    for (int n = 0; n < plan->n; n++) {
        Item *item = plan->order[n];
        item->offset = find_gap(plan, n, item);
        int at = n;
        for (; at > 0 && plan->placed[at - 1]->offset > item->offset; at--)
            plan->placed[at] = plan->placed[at - 1];
        plan->placed[at] = item;
        if (!top || item->offset + item->size > top->offset + top->size) top = item;
    }
    int64_t peak = top->offset + top->size;
    if (peak < plan->best_peak) {
        plan->best_peak = peak;
        for (int i = 0; i < plan->n; i++) plan->best[plan->order[i]->id] = plan->order[i]->offset;
    }
    return top;
}

static void move_to_front(Plan *plan, Item *item) {
    int at = 0;
    while (plan->order[at] != item) at++;
    for (; at > 0; at--) plan->order[at] = plan->order[at - 1];
    plan->order[0] = item;
}

static void search(Plan *plan) {
    static int (*const orders[])(const void *, const void *) = {by_size, by_pressure, by_length,
                                                                by_first, by_last};
    /* Large programs get fewer repairs: each costs n * n. */
    int repairs = plan->n > 400 ? 10 : REPAIRS;
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        qsort(plan->order, (size_t)plan->n, sizeof *plan->order, orders[k]);
        for (int n = 0; n < repairs && plan->best_peak > plan->bound; n++)
            move_to_front(plan, place_all(plan));
    }
}

/* The buffers that a kernel makes, or reads for the last time: lists by kernel. */
typedef struct Turn {
    VEC(Buffer *) made, read;
} Turn;

static Turn *turns_of(Program *p) {
    Arena *a = p->unit->arena;
    Turn *turns = NEW_ARRAY(a, Turn, p->kernels.n + 1);
    for (int i = 0; i < p->buffers.n; i++) {
        Buffer *b = p->buffers.at[i];
        if (b->kind != BUF_ARENA || b->first_kernel == b->last_kernel) continue;
        vec_push(a, &turns[b->first_kernel].made, b);
        vec_push(a, &turns[b->last_kernel].read, b);
    }
    return turns;
}

static Buffer *find_room(Program *p, const Turn *turn, const Kernel *k, const Buffer *born) {
    int tried = 0;
    for (int i = 0; i < turn->read.n && tried < TRIALS; i++) {
        Buffer *dying = turn->read.at[i];
        if (!dying || aligned_size(p, dying) != aligned_size(p, born)) continue;
        tried++;
        if (!kernel_may_overwrite(p, k, dying, born)) continue;
        turn->read.at[i] = NULL;
        return dying;
    }
    return NULL;
}

static void find_overwrites(Program *p, const Turn *turns) {
    for (int k = 0; k < p->kernels.n; k++)
        for (int i = 0; i < turns[k].made.n; i++)
            turns[k].made.at[i]->overwrites =
                find_room(p, &turns[k], p->kernels.at[k], turns[k].made.at[i]);
}

/* Sets item_of: by buffer; -1: it is not placed. */
static int collect(Program *p, const Turn *turns, Item *items, int *item_of) {
    int n = 0;
    for (int i = 0; i < p->buffers.n; i++) {
        Buffer *b = p->buffers.at[i];
        item_of[i] = -1;
        if (!buffer_is_placed(b) || b->first_kernel < 0 || b->overwrites) continue;
        items[n] = (Item){
            .size = aligned_size(p, b), .first = b->first_kernel, .last = b->last_kernel, .id = n};
        item_of[i] = n++;
    }
    for (int k = 0; k < p->kernels.n; k++)
        for (int i = 0; i < turns[k].made.n; i++) {
            const Buffer *b = turns[k].made.at[i];
            if (!b->overwrites) continue;
            item_of[b->id] = item_of[b->overwrites->id];
            items[item_of[b->id]].last = b->last_kernel;
        }
    return n;
}

/* The scratch memory that a PARALLEL loop's body needs, one buffer after the other. */
static int64_t place_scratch(Program *p, const Stmt *s, bool inside, int64_t at) {
    for (; s; s = s->next) {
        bool parallel = s->kind == ST_FOR && s->loop == LOOP_PARALLEL;
        if (s->kind == ST_LOCAL && s->buffer->kind == BUF_SCRATCH && inside) {
            s->buffer->worker_offset = at;
            if (!range_add_fits(at, aligned_size(p, s->buffer), &at))
                escape(&p->unit->escape, STATUS_LIMIT, "scratch memory exceeds the address space");
        }
        at = place_scratch(p, s->body, inside || parallel, at);
        at = place_scratch(p, s->other, inside || parallel, at);
    }
    return at;
}

void program_plan_workers(Program *p) {
    p->scratch_bytes = 0;
    for (int k = 0; k < p->kernels.n; k++) {
        int64_t bytes = place_scratch(p, p->kernels.at[k]->body, false, 0);
        if (bytes > p->scratch_bytes) p->scratch_bytes = bytes;
    }
    if (p->scratch_bytes > INT64_MAX / 1024)
        escape(&p->unit->escape, STATUS_LIMIT, "scratch memory exceeds the address space");
}

void program_plan(Program *p) {
    Arena *a = p->unit->arena;
    Item *items = NEW_ARRAY(a, Item, p->buffers.n + 1);
    int *item_of = NEW_ARRAY(a, int, p->buffers.n + 1);
    find_live_ranges(p);
    const Turn *turns = turns_of(p);
    find_overwrites(p, turns);
    Plan plan = {.n = collect(p, turns, items, item_of), .best_peak = INT64_MAX};
    p->arena_bytes = 0;
    program_plan_workers(p);
    if (!plan.n) return;
    find_pressure(p, items, &plan);
    plan.order = NEW_ARRAY(a, Item *, plan.n);
    plan.placed = NEW_ARRAY(a, Item *, plan.n);
    plan.best = NEW_ARRAY(a, int64_t, plan.n);
    for (int i = 0; i < plan.n; i++) plan.order[i] = &items[i];
    search(&plan);
    for (int i = 0; i < p->buffers.n; i++)
        if (item_of[i] >= 0) p->buffers.at[i]->offset = plan.best[item_of[i]];
    p->arena_bytes = plan.best_peak;
}
