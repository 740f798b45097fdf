/* pass.c - runs a pipeline: every pass between what watches it.
 *
 * A graph that does not hold the invariants after a pass is a mistake of that pass. */
#include "pass_run.h"

#include "../custom_ops/sonoc_op.h"
#include "check.h"
#include "custom.h"
#include "infer.h"
#include "lower.h"
#include "watch.h"
#include <string.h>
#include <time.h>

enum { MAX_ROUNDS = 100 };

bool pass_infer(Graph *g, const PassOptions *options) {
    return graph_infer(g, options->fold_limit);
}

bool pass_dead(Graph *g, const PassOptions *options) {
    (void)options;
    graph_sweep(g);
    return true;
}

bool pass_spellings(Graph *g, const PassOptions *options) {
    (void)options;
    return graph_expand_spellings(g);
}

bool pass_expand(Graph *g, const PassOptions *options) {
    (void)options;
    return graph_expand(g);
}

PassOptions pass_options_default(void) {
    return (PassOptions){.level = 2, .exactness = CLASS_REAL, .fast_bits = 12, .fold_limit = 64 << 20};
}

const Pass *pass_lookup(const PassOptions *options, const char *name) {
    for (int i = 0; i < options->n_more; i++)
        if (!strcmp(options->more[i].name, name)) return &options->more[i];
    return pass_find(name);
}

int64_t pass_setting(const PassOptions *options, const char *name) {
    const Step *step = options->run->step;
    for (int i = 0; i < step->settings.n; i++)
        if (!strcmp(step->settings.at[i].name, name)) return step->settings.at[i].value;
    return pass_setting_find(step->pass->name, name)->standard;
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

/* The place of the new entry, -1: nobody wants to know. */
static int time_begin(Graph *g, const PassOptions *options, const char *name) {
    if (!options->report) return -1;
    PassTime t = {.name = name,
                  .depth = options->run->depth,
                  .begin = seconds(),
                  .rewrites = options->run->asked};
    vec_push(g->unit->arena, &options->report->times, t);
    return options->report->times.n - 1;
}

static void time_end(const PassOptions *options, int at) {
    if (at < 0) return;
    PassTime *t = &options->report->times.at[at];
    t->end = seconds();
    t->rewrites = options->run->asked - t->rewrites;
}

bool run_step(Graph *g, const Step *step, const PassOptions *options) {
    options->run->step = step;
    bool ok = step->pass->run(g, options);
    remarks_close(g, options);
    return ok;
}

static bool run_pass(Graph *g, const Step *step, const PassOptions *options) {
    const char *name = step->pass->name;
    const char *before = watch_before(g, step->pass, options);
    if (options->check) check_before(g, options);
    int at = time_begin(g, options, name);
    bool ok = run_step(g, step, options);
    time_end(options, at);
    if (!ok) return false;
    if (options->verify_each) verify(g, name);
    if (!watch_after(g, step->pass, options, before)) return false;
    if (options->check && !check_after(g, options)) return false;
    options->run->number++;
    options->run->stopped = options->stop_after && !strcmp(name, options->stop_after);
    return true;
}

static bool run_steps(Graph *g, const Step *steps, const PassOptions *options);

static bool run_group(Graph *g, const Step *step, const PassOptions *options) {
    PassRun *run = options->run;
    int at = time_begin(g, options, "repeat");
    run->depth++;
    uint64_t before, after = graph_fingerprint(g);
    for (int round = 0; !run->stopped; round++) {
        if (round == MAX_ROUNDS) {
            diag_note(g->unit,
                      "a group of passes still changes the graph after %d rounds, and was stopped",
                      round);
            break;
        }
        before = after;
        if (!run_steps(g, step->body, options)) return false;
        after = graph_fingerprint(g);
        if (before == after) break;
    }
    run->depth--;
    time_end(options, at);
    return true;
}

static bool is_end(const Step *s, const PassOptions *options) {
    return options->keep_operators && !options->only && s->pass && s->pass->run == pass_expand;
}

static bool run_steps(Graph *g, const Step *steps, const PassOptions *options) {
    for (const Step *s = steps; s && !options->run->stopped; s = s->next) {
        if (is_end(s, options)) break;
        if (!(s->pass ? run_pass : run_group)(g, s, options)) return false;
    }
    return true;
}

/* Passes that are registered in the unit run after our own over operators. */

static bool allow_rewrite(Graph *g, const Node *at, const void *options) {
    return rewrite_allowed(g, options, at);
}

static bool pass_registered(Graph *g, const PassOptions *options) {
    const struct sonoc_pass *p = registry_find_pass(g->unit, options->run->step->pass->name);
    return custom_pass_run(g, p, allow_rewrite, options);
}

static void add_registered(Graph *g, PassOptions *options) {
    int n = registry_passes(g->unit);
    Pass *more = NEW_ARRAY(g->unit->arena, Pass, options->n_more + n);
    for (int i = 0; i < options->n_more; i++) more[i] = options->more[i];
    for (int i = 0; i < n; i++) {
        const struct sonoc_pass *p = registry_pass(g->unit, i);
        more[options->n_more + i] = (Pass){.name = p->name,
                                           .run = pass_registered,
                                           .promise = (PassClass)p->promise,
                                           .level = p->level,
                                           .summary = p->summary,
                                           .after = "share_fused",
                                           .for_files = p->for_files};
    }
    options->more = more;
    options->n_more += n;
}

static bool is_known(Graph *g, const PassOptions *options, const char *name) {
    if (!name || !strcmp(name, "all") || pass_lookup(options, name)) return true;
    return diag(g->unit, NO_PLACE, D_PASS_UNKNOWN, name);
}

bool passes_run(Graph *g, const PassOptions *options) {
    PassRun run = {.open_at = -1};
    PassOptions running = *options;
    Step *steps;
    running.run = &run;
    add_registered(g, &running);
    if (!is_known(g, &running, options->stop_after) ||
        !is_known(g, &running, options->print_before) ||
        !is_known(g, &running, options->print_after) || !steps_of(g, &running, &steps))
        return false;
    if (!run_steps(g, steps, &running)) return false;
    verify(g, "the last");
    return true;
}
