/* pass.c - runs the passes in the order of the table, checking, printing and timing as asked.
 *
 * A graph that does not hold the invariants after a pass is a mistake of that pass. */
#include "pass.h"

#include "infer.h"
#include "lower.h"
#include "rule.h"
#include "exchange.h"
#include "simplify.h"

#include <string.h>
#include <time.h>

static bool pass_infer(Graph *g, const PassOptions *options) {
    return graph_infer(g, options->fold_limit);
}

static bool pass_dead(Graph *g, const PassOptions *options) {
    (void)options;
    graph_sweep(g);
    return true;
}

static bool pass_expand(Graph *g, const PassOptions *options) {
    (void)options;
    return graph_expand(g);
}

enum {
#define PASS(name, function, class, level, summary) PASS_##name,
#define AFTER(late, early, why)
#include "passes.def"
#undef PASS
#undef AFTER
    PASS_COUNT
};

#define PASS(name, function, class, level, summary)
#define AFTER(late, early, why)                                                                    \
    _Static_assert(PASS_##early < PASS_##late, #early " runs before " #late ": " why);
#include "passes.def"
#undef PASS
#undef AFTER

const Pass passes[] = {
#define PASS(name, function, class, level, summary) {#name, function, CLASS_##class, level, summary},
#define AFTER(late, early, why)
#include "passes.def"
#undef PASS
#undef AFTER
    {0},
};

const char *const pass_class_names[] = {"BIT", "REAL", "FAST"};

const Pass *pass_find(const char *name) {
    for (const Pass *p = passes; p->name; p++)
        if (!strcmp(p->name, name)) return p;
    return NULL;
}

static void verify(Graph *g, const char *after) {
    const char *why = graph_check(g);
    if (why) BUG(g->unit, "after pass %s: %s", after, why);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void print_graph(const Graph *g, const char *after) {
    Text text = {.arena = g->unit->arena};
    graph_print(g, &text);
    fprintf(stderr, "# after pass %s\n%s", after, text.at ? text.at : "");
}

static bool run_one(Graph *g, const Pass *p, const PassOptions *options) {
    double start = seconds();
    bool ok = p->run(g, options);
    if (options->time_passes) fprintf(stderr, "%8.3f ms  %s\n", 1e3 * (seconds() - start), p->name);
    if (!ok) return false;
    const char *print = options->print_after;
    if (print && (!strcmp(print, p->name) || !strcmp(print, "all"))) print_graph(g, p->name);
    if (options->verify_each) verify(g, p->name);
    return true;
}

/* The pass named by the text up to a comma; moves on to the next name. */
static const Pass *next_named(Graph *g, const char **list) {
    size_t n = strcspn(*list, ",");
    const char *name = arena_copy(g->unit->arena, *list, n);
    *list += n + ((*list)[n] == ',');
    const Pass *p = pass_find(name);
    if (!p) diag(g->unit, NO_PLACE, D_PASS_UNKNOWN, name);
    return p;
}

static bool run_named(Graph *g, const PassOptions *options) {
    for (const char *list = options->only; *list;) {
        const Pass *p = next_named(g, &list);
        if (!p || !run_one(g, p, options)) return false;
        if (options->stop_after && !strcmp(p->name, options->stop_after)) break;
    }
    return true;
}

static bool run_all(Graph *g, const PassOptions *options) {
    for (const Pass *p = passes; p->name; p++) {
        if (!run_one(g, p, options)) return false;
        if (options->stop_after && !strcmp(p->name, options->stop_after)) break;
    }
    return true;
}

bool passes_run(Graph *g, const PassOptions *options) {
    Unit *u = g->unit;
    const char *stop = options->stop_after, *print = options->print_after;
    if (stop && !pass_find(stop)) return diag(u, NO_PLACE, D_PASS_UNKNOWN, stop);
    if (print && strcmp(print, "all") && !pass_find(print))
        return diag(u, NO_PLACE, D_PASS_UNKNOWN, print);
    if (!(options->only ? run_named : run_all)(g, options)) return false;
    verify(g, "the last");
    return true;
}
