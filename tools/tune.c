/* tune.c - measures each variant of each node that has a choice, in the model itself, and writes
 * the choices down.
 *
 * In a round the whole model is compiled and run with another variant in every node, so that
 * kernels are timed where they stand: between their neighbours, with their epilogues, and with what
 * others left in the caches.  Nodes that print the same (variant_node_text) share one choice and
 * one time, their mean.  As many rounds as the node with the most variants needs; nodes with fewer
 * begin again, which adds to their samples. */
#include "tune.h"

#include "lower_choices.h"
#include "measure.h"
#include "trial.h"
#include <math.h>
#include <string.h>

enum { MOST_REPEATS = 4, RUNS_A_REPEAT = 3 };

/* What is not that much faster than the cheapest by estimate does not take its place: times are
 * noisy. */
static const double NOISE = 0.02;

/* Nodes of one text, and how long they take: infinite, where it is not known. */
typedef struct Tuned {
    const char *node;
    int n;
    const Variant *variants[VARIANT_COUNT]; /* the cheapest by estimate first */
    double estimate[VARIANT_COUNT], seconds[VARIANT_COUNT];
} Tuned;

typedef struct Tune {
    Session *session;
    LowerOptions options;
    VEC(Tuned) nodes;
    int rounds;
    double begin, limit; /* seconds: of the clock, and that all may take */
} Tune;

static double time_left(const Tune *t) { return t->begin + t->limit - seconds_now(); }

/* The choice of a node. */

static void add_variant(Tuned *to, const Variant *v, double estimate) {
    int at = to->n++;
    for (; at > 0 && to->estimate[at - 1] > estimate; at--) {
        to->variants[at] = to->variants[at - 1];
        to->estimate[at] = to->estimate[at - 1];
    }
    to->variants[at] = v;
    to->estimate[at] = estimate;
    to->seconds[to->n - 1] = INFINITY;
}

static Tuned *find_tuned(Tune *t, const char *node) {
    for (int i = 0; i < t->nodes.n; i++)
        if (!strcmp(t->nodes.at[i].node, node)) return &t->nodes.at[i];
    return NULL;
}

static void add_node(Tune *t, const Node *n) {
    Tuned tuned = {.node = variant_node_text(t->session->unit.arena, n)};
    if (!op_has_variants(n->op->id) || find_tuned(t, tuned.node)) return;
    for (int i = 0; i < VARIANT_COUNT; i++) {
        Effort effort;
        if (variants[i].op == n->op->id && !variant_refusal(n, &variants[i], &t->options, &effort))
            add_variant(&tuned, &variants[i], effort_nanoseconds(&effort));
    }
    if (tuned.n < 2) return;
    vec_push(t->session->unit.arena, &t->nodes, tuned);
    if (tuned.n > t->rounds) t->rounds = tuned.n;
}

static int fastest_of(const Tuned *tuned) {
    int best = 0;
    for (int i = 1; i < tuned->n; i++)
        if (tuned->seconds[i] < tuned->seconds[best]) best = i;
    return tuned->seconds[0] <= (1 + NOISE) * tuned->seconds[best] ? 0 : best;
}

/* Texts. */

static void add_head(const Tune *t, Text *text) {
    text_add(text, "target %s\n", variant_target(&t->options)->name);
}

static const char *round_text(const Tune *t, Arena *a, int round) {
    Text text = {.arena = a};
    add_head(t, &text);
    for (int i = 0; i < t->nodes.n; i++) {
        const Tuned *tuned = &t->nodes.at[i];
        text_add(&text, "%s: %s\n", tuned->node, tuned->variants[round % tuned->n]->name);
    }
    return text.at;
}

static void add_times(const Tuned *tuned, Text *text) {
    text_add(text, "  # ms:");
    for (int i = 0; i < tuned->n; i++) {
        const char *name = tuned->variants[i]->name;
        if (isinf(tuned->seconds[i]))
            text_add(text, "%s %s not measured", i ? "," : "", name);
        else
            text_add(text, "%s %s %.4f", i ? "," : "", name, 1e3 * tuned->seconds[i]);
    }
    text_add(text, "\n");
}

static Text final_text(const Tune *t) {
    Text text = {.arena = t->session->unit.arena};
    text_add(&text, "# The variants that nodes are computed by: --choices takes them.  After # "
                    "what was measured.\n");
    add_head(t, &text);
    for (int i = 0; i < t->nodes.n; i++) {
        const Tuned *tuned = &t->nodes.at[i];
        int best = fastest_of(tuned);
        if (isinf(tuned->seconds[best])) continue;
        text_add(&text, "%s: %s", tuned->node, tuned->variants[best]->name);
        add_times(tuned, &text);
    }
    return text;
}

/* Measuring. */

/* Kernels of a node follow one another. */
static void take_times(Tune *t, const Program *p, const Measurement *m) {
    double *sums = NEW_ARRAY(p->unit->arena, double, t->nodes.n + 1);
    int *instances = NEW_ARRAY(p->unit->arena, int, t->nodes.n + 1), before = -1;
    const Variant **taken = NEW_ARRAY(p->unit->arena, const Variant *, t->nodes.n + 1);
    for (int i = 0; i < p->chosen.n; i++) {
        const Chosen *c = &p->chosen.at[i];
        const Tuned *tuned = find_tuned(t, c->node);
        int at = tuned ? (int)(tuned - t->nodes.at) : -1, k = 0;
        while (k < p->kernels.n && p->kernels.at[k] != c->kernel) k++;
        if (at < 0 || k == p->kernels.n) continue;
        sums[at] += measured_kernel(m, k);
        instances[at] += c->number != before;
        before = c->number;
        for (int v = 0; v < tuned->n; v++)
            if (!strcmp(tuned->variants[v]->name, c->variant)) taken[at] = tuned->variants[v];
    }
    for (int i = 0; i < t->nodes.n; i++)
        for (int v = 0; v < t->nodes.at[i].n; v++) {
            double *seconds = &t->nodes.at[i].seconds[v];
            if (instances[i] && t->nodes.at[i].variants[v] == taken[i])
                *seconds = fmin(*seconds, sums[i] / instances[i]);
        }
}

static const char *backend_of(const Options *o) {
    const char *wanted = o->command == CMD_bench ? o->timed_backend
                         : o->backend            ? o->backend
                                                 : backends[0].name;
    return code_backend_find(wanted) ? wanted : "c";
}

static Program *round_program(const Tune *t, Unit *u, int round) {
    LowerOptions options = t->options;
    const char *text = round_text(t, u->arena, round);
    options.choices = choices_parse(u, "tune", text, strlen(text));
    Program *p = options.choices ? lower_graph(graph_copy(u, t->session->graph), &options) : NULL;
    if (p) program_plan(p);
    return p;
}

/* A session of its own: what it takes is gone when the round is over.  false: reported in it. */
static bool run_round(Tune *t, Session *trial, int round) {
    double slice = t->limit / t->rounds;
    Program *p = round_program(t, &trial->unit, round);
    Model *m = p ? pipeline_model(trial, p, backend_of(trial->options)) : NULL;
    const Tensor **inputs = m ? ports_inputs(trial, m) : NULL;
    double begin = seconds_now();
    bool ok = inputs;
    for (int i = 0;
         ok && i < MOST_REPEATS && (!i || seconds_now() - begin < slice / 2) && time_left(t) > 0;
         i++) {
        Measurement measured;
        ok = measure(trial, m, inputs, 1, RUNS_A_REPEAT, false, &measured);
        if (ok && measured.n_kernels) take_times(t, p, &measured);
    }
    sonoc_close(m);
    return ok;
}

static bool try_round(Tune *t, int round) {
    Session *s = t->session, *trial = NEW(s->unit.arena, Session);
    *trial = (Session){.options = s->options, .driver = s->driver};
    if (!unit_begin_apart(&trial->unit, &s->unit, 0))
        escape(&s->unit.escape, STATUS_LIMIT, "out of memory");
    trial->driver.unit = &trial->unit;
    trial->timeline.arena = trial->unit.arena;
    bool ok = false;
    int status = 0;
    const char *why = NULL;
    if (setjmp(trial->unit.escape.jump))
        status = trial->unit.escape.status;
    else
        ok = run_round(t, trial, round);
    if (!ok) why = status ? trial->unit.escape.message : diag_first(&trial->unit);
    if (why) why = arena_copy(s->unit.arena, why, strlen(why));
    unit_end(&trial->unit);
    if (status) escape(&s->unit.escape, status, "%s", why);
    return ok || diag(&s->unit, NO_PLACE, D_RUN_FAILED, why ? why : "nothing could be measured");
}

static bool run_rounds(Tune *t) {
    Session *s = t->session;
    int round = 0;
    for (; round < t->rounds && time_left(t) > 0; round++) {
        session_stage(
            s, arena_format(s->unit.arena, "measuring variants, %d of %d", round + 1, t->rounds));
        if (!try_round(t, round)) return false;
    }
    session_stage(s, NULL);
    if (round < t->rounds)
        diag_note(&s->unit, "--tune-seconds=%.0f are over: %d of %d rounds were measured", t->limit,
                  round, t->rounds);
    return true;
}

static bool write_text(Session *s, const Text *text) {
    OutputSet set = {0};
    bool ok = output_add(&s->unit, &set, s->options->tune, text->at, text->n) &&
              output_commit(&s->unit, &set);
    if (!ok) output_drop(&set);
    return ok;
}

static bool tune_graph(Session *s) {
    const PassOptions chosen = session_pass_options(s, NULL);
    Tune t = {.session = s,
              .options = driver_lower_options(&s->driver, &chosen),
              .begin = seconds_now(),
              .limit = (double)s->options->tune_seconds.value};
    t.options.plain = s->options->plain;
    t.options.make_later = false;
    for (int i = 0; i < s->graph->nodes.n; i++) add_node(&t, s->graph->nodes.at[i]);
    if (!run_rounds(&t)) return false;
    Text text = final_text(&t);
    return write_text(s, &text);
}

bool tune(Session *s) {
    const Options *o = s->options;
    if (!o->tune) return true;
    if (path_ends(s->driver.path, ".loops"))
        return diag(&s->unit, NO_PLACE, D_UNSUPPORTED,
                    "--tune for loops: their variants are chosen already");
    if (!s->graph && (!pipeline_import(s) || !pipeline_passes(s))) return false;
    if (!tune_graph(s)) return false;
    s->driver.choices = o->tune;
    return true;
}
