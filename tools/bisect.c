/* bisect.c - sonoc bisect: the first rewrite of the passes with which something fails.
 *
 * What fails is the user's command; or, without one, that the outputs on random inputs are those
 * without any rewrite. */
#include "command.h"

#include "graph_run.h"
#include "json.h"
#include "ports.h"
#include "trial.h"
#include <inttypes.h>

typedef struct Bisect {
    Session *session;
    Trial *trial;        /* NULL: outputs are compared */
    const Tensor **want; /* those without any rewrite */
    const char *what;    /* how the last trial failed */
    PassReport report;   /* of the last trial */
} Bisect;

static const Tensor **inputs_of(Session *s, Arena *a, const Graph *g) {
    const Tensor **inputs = NEW_ARRAY(a, const Tensor *, g->inputs.n + 1);
    uint64_t state = (uint64_t)s->options->seed.value;
    for (int i = 0; i < g->inputs.n; i++) {
        const Value *v = g->inputs.at[i];
        int64_t dims[MAX_RANK];
        for (int d = 0; d < v->rank; d++) dims[d] = v->dims[d].size;
        inputs[i] = tensor_random(a, v->dtype, v->rank, dims, &state);
    }
    return inputs;
}

static const Tensor **run(Bisect *b, Arena *a, const Graph *g) {
    const char *why;
    const Tensor **outputs = graph_run(a, g, inputs_of(b->session, a, g), false, &why);
    if (!outputs) b->what = arena_format(b->session->unit.arena, "it cannot be run: %s", why);
    return outputs;
}

/* The bits where every pass keeps them, else what rounding explains. */
static Bound bound_of(const Options *o) {
    bool exact = o->exactness[0] == 'b';
    return (Bound){.atol = o->atol.given ? o->atol.value
                           : exact       ? 0
                                         : 1e-5,
                   .rtol = o->rtol.given ? o->rtol.value
                           : exact       ? 0
                                         : 1e-3,
                   .ulp = o->ulp.given ? o->ulp.value : 0};
}

static bool outputs_fail(Bisect *b, const Graph *g) {
    Session *s = b->session;
    const Tensor **got = run(b, g->unit->arena, g);
    if (!got) return true;
    if (!b->want) b->want = run(b, s->unit.arena, g);
    for (int i = 0; i < g->outputs.n; i++) {
        Difference d = tensor_compare(got[i], b->want[i], bound_of(s->options));
        if (!d.count) continue;
        b->what =
            arena_format(s->unit.arena, "output '%s', element %" PRId64 ": %.9g, should be %.9g",
                         g->outputs.at[i]->name, d.first, d.got, d.want);
        return true;
    }
    return false;
}

static bool command_fails(Bisect *b, const Graph *g) {
    int status = trial_run(b->trial, g);
    b->what = arena_format(b->session->unit.arena, "exit status %d", status);
    return status != 0;
}

/* With at most `limit` rewrites; negative: all. */
static bool fails(Bisect *b, int64_t limit) {
    Session *s = b->session;
    Unit apart;
    volatile bool bad = true; /* set between setjmp and longjmp */
    if (!unit_begin_apart(&apart, &s->unit, 0)) return true;
    b->report = (PassReport){0};
    PassOptions options = session_pass_options(s, &b->report);
    options.limited = limit >= 0;
    options.rewrite_limit = limit;
    if (setjmp(apart.escape.jump)) {
        b->what = arena_format(s->unit.arena, "a mistake of sonoc: %s", apart.escape.message);
    } else {
        Graph *g = graph_copy(&apart, s->graph);
        if (!passes_run(g, &options))
            b->what = arena_format(s->unit.arena, "%s", diag_first(&apart));
        else
            bad = b->trial ? command_fails(b, g) : outputs_fail(b, g);
    }
    PassReport *r = &b->report;
    r->last_node = r->last_node ? arena_format(s->unit.arena, "%s", r->last_node) : NULL;
    unit_end(&apart);
    return bad;
}

static void print_found(const Bisect *b, int64_t rewrite, int64_t all) {
    const PassReport *r = &b->report;
    Json j = {.out = stdout};
    if (!b->session->options->json) {
        printf("pass %s, rewrite %" PRId64 " of %" PRId64 ", at %s '%s': %s\n", r->last_pass,
               rewrite, all, r->last_op, r->last_node, b->what);
        return;
    }
    json_begin(&j, NULL, '{');
    json_int(&j, "version", 1);
    json_text(&j, "pass", r->last_pass);
    json_int(&j, "rewrite", rewrite);
    json_int(&j, "rewrites", all);
    json_text(&j, "operator", r->last_op);
    json_text(&j, "node", r->last_node);
    json_text(&j, "what", b->what);
    json_end(&j, '}');
}

static int not_found(Session *s, const char *why) {
    session_stage(s, NULL);
    printf("%s\n", why);
    return STATUS_DIFFERS;
}

static int bisect(Bisect *b) {
    Session *s = b->session;
    session_stage(s, "bisecting");
    if (fails(b, 0)) {
        if (diag_count(&s->unit)) return diag_status(&s->unit);
        return not_found(
            s, arena_format(s->unit.arena, "it fails without any rewrite, too: %s", b->what));
    }
    if (!fails(b, -1)) return not_found(s, "it does not fail with all rewrites");
    int64_t all = b->report.rewrites, good = 0, bad = all;
    while (bad - good > 1) {
        int64_t middle = good + (bad - good) / 2;
        if (fails(b, middle))
            bad = middle;
        else
            good = middle;
    }
    if (!all || !fails(b, bad))
        return not_found(s, "what passes do without counting it is to blame");
    session_stage(s, NULL);
    print_found(b, bad, all);
    return STATUS_OK;
}

int command_bisect(Session *s) {
    Trial trial;
    Bisect b = {.session = s, .trial = s->options->words[0] ? &trial : NULL};
    if (!pipeline_import(s) || (b.trial && !trial_begin(s, &trial))) return diag_status(&s->unit);
    int status = bisect(&b);
    if (b.trial) trial_end(&trial);
    return status;
}
