/* pass.c - runs the passes in the order of the table, checking, printing and timing as asked.
 *
 * A graph that does not hold the invariants after a pass is a mistake of that pass. */
#include "pass.h"

#include "custom.h"
#include "infer.h"
#include "lower.h"
#include "exchange.h"
#include "simplify.h"

#include "../custom_ops/sonoc_op.h"

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

static bool pass_spellings(Graph *g, const PassOptions *options) {
    (void)options;
    return graph_expand_spellings(g);
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

/* Passes that were registered: by name, or all of them before operators are taken apart. */

static bool run_registered(Graph *g, const struct sonoc_pass *p, const PassOptions *options) {
    double start = seconds();
    const char *name = p->name;
    bool ok = custom_pass_run(g, p, NULL, NULL);
    if (options->time_passes) fprintf(stderr, "%8.3f ms  %s\n", 1e3 * (seconds() - start), name);
    if (!ok) return false;
    const char *print = options->print_after;
    if (print && (!strcmp(print, name) || !strcmp(print, "all"))) print_graph(g, name);
    verify(g, name);
    return true;
}

static bool run_all_registered(Graph *g, const PassOptions *options) {
    for (int i = 0; i < registry_passes(g->unit); i++)
        if (!run_registered(g, registry_pass(g->unit, i), options)) return false;
    return true;
}

static bool run_named(Graph *g, const PassOptions *options) {
    for (const char *list = options->only; *list;) {
        size_t n = strcspn(list, ",");
        const char *name = arena_copy(g->unit->arena, list, n);
        const Pass *p = pass_find(name);
        const struct sonoc_pass *own = registry_find_pass(g->unit, name);
        if (!p && !own) return diag(g->unit, NO_PLACE, D_PASS_UNKNOWN, name);
        if (!(p ? run_one(g, p, options) : run_registered(g, own, options))) return false;
        if (options->stop_after && !strcmp(name, options->stop_after)) break;
        list += n + (list[n] == ',');
    }
    return true;
}

static bool run_all(Graph *g, const PassOptions *options) {
    for (const Pass *p = passes; p->name; p++) {
        if (p->run == pass_expand && !run_all_registered(g, options)) return false;
        if (p->run == pass_expand && options->keep_operators) break;
        if (!run_one(g, p, options)) return false;
        if (options->stop_after && !strcmp(p->name, options->stop_after)) break;
    }
    return true;
}

static bool is_pass(const Graph *g, const char *name) {
    return pass_find(name) || registry_find_pass(g->unit, name);
}

bool passes_run(Graph *g, const PassOptions *options) {
    Unit *u = g->unit;
    const char *stop = options->stop_after, *print = options->print_after;
    if (stop && !is_pass(g, stop)) return diag(u, NO_PLACE, D_PASS_UNKNOWN, stop);
    if (print && strcmp(print, "all") && !is_pass(g, print))
        return diag(u, NO_PLACE, D_PASS_UNKNOWN, print);
    if (!(options->only ? run_named : run_all)(g, options)) return false;
    verify(g, "the last");
    return true;
}
