/* check.c - runs graphs before and after each pass and compares, as the class of the pass promises.
 *
 * What fails is looked for twice: the first rewrite of the pass that does it, by halving the number
 * of rewrites; and a small graph on which the pass does it, by delta debugging. */
#include "check.h"

#include "graph_run.h"
#include "pass_run.h"
#include "reduce.h"
#include <math.h>
#include <string.h>

/* The results of the last graph that was run: it is the next one that something is compared
 * with. */
typedef struct Results {
    uint64_t fingerprint;
    const Tensor **outputs;
} Results;

typedef struct PassCheck {
    Unit *unit; /* of the twin */
    CheckReport *report;
    const Graph *before; /* a copy of the twin as it was */
    uint64_t fingerprint;
    Results kept[2][2]; /* by: special inputs, wide arithmetic */
} PassCheck;

/* What one pass is tried on. */
typedef struct Trial {
    const PassOptions *options;
    const Step *step;
    Arena *arena;          /* for texts */
    PassCheck *cache;      /* NULL: results are not kept */
    int64_t limit;         /* rewrites; -1: all */
    bool whole;            /* the graphs had to be run as a whole */
    const char *what;      /* found; NULL: the promise is kept */
    const char *unable;    /* why nothing could be compared; NULL: it was */
    const char *node, *op; /* of the last rewrite done */
    int64_t asked;
} Trial;

/* Whole graphs.  The same for the same name and shape, whatever else the graph has. */
static const Tensor **inputs_of(Arena *a, const Graph *g, bool special) {
    const Tensor **inputs = NEW_ARRAY(a, const Tensor *, g->inputs.n + 1);
    for (int i = 0; i < g->inputs.n; i++) {
        const Value *v = g->inputs.at[i];
        inputs[i] =
            random_input(a, v, *v->name ? hash_bytes(v->name, strlen(v->name)) : 0, special);
    }
    return inputs;
}

static const Tensor **run(Trial *t, Arena *a, const Graph *g, bool special, bool wide,
                          const char **why) {
    Results *kept = t->cache ? &t->cache->kept[special][wide] : NULL;
    uint64_t fingerprint = graph_fingerprint(g);
    if (kept && kept->outputs && kept->fingerprint == fingerprint) return kept->outputs;
    const Tensor **outputs = graph_run(a, g, inputs_of(a, g, special), wide, why);
    if (kept) *kept = (Results){fingerprint, outputs};
    return outputs;
}

static bool compare_runs(Trial *t, Arena *a, const Graph *before, const Graph *after, bool special,
                         bool wide) {
    const char *why;
    const Tensor **want = run(t, a, before, special, wide, &why);
    if (!want) {
        t->unable = arena_format(t->arena, "%s", why);
        return false;
    }
    const Tensor **got = run(t, a, after, special, wide, &why);
    t->what = got ? results_differ(a, t->step->pass, before, got, want)
                  : arena_format(a, "the graph after the pass cannot be run: %s", why);
    if (t->what) t->what = arena_format(t->arena, "%s", t->what);
    return true;
}

/* The graph's inputs are the same after a pass, in the same order. */
static void compare(Trial *t, Arena *a, const Graph *before, const Graph *after) {
    bool exact = t->step->pass->promise == CLASS_BIT;
    const char *wrong = graph_check(after);
    t->unable = NULL;
    t->what = wrong ? arena_format(t->arena, "the graph is not well formed: %s", wrong) : NULL;
    if (wrong || changes_hold(t->step->pass, before, after)) return;
    t->whole = true;
    compare_runs(t, a, before, after, false, !exact);
    bool small = before->nodes.n <= CHECK_SPECIALS;
    if (exact && small && !t->what && !t->unable) compare_runs(t, a, before, after, true, false);
}

/* Runs the pass on a copy of a graph; true: it breaks its promise. */
static bool breaks(const Graph *before, void *context) {
    Trial *t = context;
    Unit apart;
    if (!unit_begin_apart(&apart, before->unit, 0)) return false;
    t->what = NULL;
    if (setjmp(apart.escape.jump)) {
        t->what = arena_format(t->arena, "%s", apart.escape.message);
    } else {
        PassRun run = {.open_at = -1};
        PassOptions options = *t->options;
        Graph *after = graph_copy(&apart, before);
        options.run = &run;
        options.report = NULL;
        options.check = NULL;
        options.limited = t->limit >= 0;
        options.rewrite_limit = t->limit;
        if (run_step(after, t->step, &options)) compare(t, apart.arena, before, after);
        t->asked = run.asked;
        t->node = run.last_node ? arena_format(t->arena, "%s", run.last_node) : NULL;
        t->op = run.last_op ? arena_format(t->arena, "%s", run.last_op) : NULL;
    }
    unit_end(&apart);
    return t->what != NULL;
}

/* The first rewrite that breaks the promise; all of them together do. */
static void find_rewrite(Trial *t, const Graph *before, int64_t n, CheckReport *report) {
    int64_t good = -1, bad = n; /* -1: not even no rewrite is known to be good */
    while (bad - good > 1) {
        t->limit = good + (bad - good) / 2;
        if (breaks(before, t))
            bad = t->limit;
        else
            good = t->limit;
    }
    t->limit = bad;
    breaks(before, t);
    report->rewrite = bad;
    report->node = bad ? t->node : NULL;
    report->op = bad ? t->op : NULL;
}

static void tell_failure(const PassOptions *options, Trial *t, const Graph *before) {
    CheckReport *report = options->check->report;
    Text text = {.arena = t->arena};
    t->cache = NULL;
    report->pass = t->step->pass->name;
    report->what = t->what;
    t->limit = -1;
    if (!breaks(before, t)) return; /* depends on what ran before: nothing smaller is known */
    find_rewrite(t, before, t->asked, report);
    t->limit = -1;
    graph_print_whole(graph_reduce(options->check->unit, before, breaks, t), &text);
    report->graph = text.at;
}

void check_before(const Graph *g, const PassOptions *options) {
    PassCheck *c = options->check;
    c->before = graph_copy(c->unit, g);
    c->fingerprint = graph_fingerprint(g);
}

bool check_after(const Graph *g, const PassOptions *options) {
    PassCheck *c = options->check;
    if (graph_fingerprint(g) == c->fingerprint) return true;
    Trial t = {.options = options, .step = options->run->step, .arena = c->unit->arena, .cache = c};
    compare(&t, c->unit->arena, c->before, g);
    c->report->whole += t.whole;
    if (t.unable) {
        c->report->unchecked++;
        c->report->unchecked_why = t.unable;
        return true;
    }
    if (!t.what) {
        c->report->checked++;
        return true;
    }
    tell_failure(options, &t, c->before);
    return false;
}

/* The twin. */

static bool is_spatial(const Value *v, int d) { return v->rank >= 3 && d >= 2; }

static bool shrink(Graph *g, int64_t extent) {
    bool any = false;
    for (int i = 0; i < g->inputs.n; i++) {
        Value *v = g->inputs.at[i];
        for (int d = 0; d < v->rank; d++) {
            if (!is_spatial(v, d) || v->dims[d].size <= extent) continue;
            v->dims[d].size = extent;
            any = true;
        }
    }
    return any;
}

static PassOptions quiet_options(const PassOptions *options) {
    PassOptions o = *options;
    o.print_before = o.print_after = o.dot = NULL;
    o.print_changed = o.verify_each = o.want_remarks = false;
    o.report = NULL;
    o.check = NULL;
    return o;
}

/* Do the passes take the graph, and does it run? */
static bool runs(const Graph *g, const PassOptions *options) {
    Unit apart;
    volatile bool ok = false; /* set between setjmp and longjmp */
    if (!unit_begin_apart(&apart, g->unit, 0)) return false;
    if (!setjmp(apart.escape.jump)) {
        Graph *own = graph_copy(&apart, g);
        const char *why;
        ok = passes_run(own, options) &&
             graph_run(apart.arena, own, inputs_of(apart.arena, own, false), false, &why);
    }
    unit_end(&apart);
    return ok;
}

static Graph *twin_of(Unit *u, const Graph *g, const PassOptions *options, CheckReport *report) {
    static const int64_t extents[] = {8, 16, 32, 64, 128};
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++) {
        Graph *twin = graph_copy(u, g);
        if (!shrink(twin, extents[i])) break;
        report->shrunk_to = extents[i];
        PassOptions unoptimised = *options;
        unoptimised.level = 0;
        unoptimised.only = unoptimised.stop_after = NULL;
        if (runs(twin, &unoptimised)) return twin;
    }
    report->shrunk_to = 0;
    return graph_copy(u, g);
}

static const char *kept(Arena *a, const char *text) {
    return text ? arena_copy(a, text, strlen(text)) : NULL;
}

bool passes_check(const Graph *g, const PassOptions *options, CheckReport *report) {
    Arena *a = g->unit->arena;
    PassOptions quiet = quiet_options(options);
    Unit apart;
    *report = (CheckReport){0};
    if (!unit_begin_apart(&apart, g->unit, 0)) return true;
    PassCheck check = {.unit = &apart, .report = report};
    if (setjmp(apart.escape.jump)) {
        report->unchecked++;
        report->unchecked_why = apart.escape.message;
    } else {
        Graph *twin = twin_of(&apart, g, &quiet, report);
        quiet.check = &check;
        passes_run(twin, &quiet);
    }
    report->what = kept(a, report->what);
    report->node = kept(a, report->node);
    report->op = kept(a, report->op);
    report->graph = kept(a, report->graph);
    report->unchecked_why = kept(a, report->unchecked_why);
    unit_end(&apart);
    return !report->pass;
}
