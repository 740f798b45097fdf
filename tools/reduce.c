/* reduce.c - sonoc reduce: a small part of a model with which a command fails as it does with the
 * whole. */
#include "command.h"

#include "infer.h"
#include "reduce.h"
#include "trial.h"

/* What is wrong with the model is for the command to say: without types less can be cut. */
static Graph *with_types(Session *s) {
    Unit apart;
    volatile bool ok = false; /* set between setjmp and longjmp */
    if (!unit_begin(&apart, NULL, 0)) return s->graph;
    if (!setjmp(apart.escape.jump))
        ok = graph_infer(graph_copy(&apart, s->graph), s->options->max_fold.value);
    unit_end(&apart);
    if (ok && graph_infer(s->graph, s->options->max_fold.value)) graph_sweep(s->graph);
    return s->graph;
}

typedef struct Wanted {
    Trial *trial;
    int status;
} Wanted;

static bool fails_alike(const Graph *g, void *context) {
    const Wanted *w = context;
    return trial_run(w->trial, g) == w->status;
}

static int reduce(Session *s, Trial *t) {
    Wanted wanted = {.trial = t};
    session_stage(s, "reducing");
    Graph *g = with_types(s);
    wanted.status = trial_run(t, g);
    if (wanted.status < 0) return diag_status(&s->unit);
    if (wanted.status == 0) {
        diag(&s->unit, NO_PLACE, D_REDUCE_GOOD, s->options->words[0]);
        return diag_status(&s->unit);
    }
    Graph *small = graph_reduce(&s->unit, g, fails_alike, &wanted);
    Text text = {.arena = s->unit.arena};
    graph_print_whole(small, &text);
    if (!output_add(&s->unit, &s->outputs, s->options->output, text.at, text.n) ||
        !output_commit(&s->unit, &s->outputs))
        return diag_status(&s->unit);
    session_stage(s, NULL);
    printf("%s: %d of %d nodes, exit status %d\n", s->options->output, small->nodes.n, g->nodes.n,
           wanted.status);
    return STATUS_OK;
}

int command_reduce(Session *s) {
    Trial t;
    if (!s->options->output || !s->options->words[0]) {
        fprintf(stderr, "sonoc reduce: %s\n",
                s->options->output ? "-- COMMAND is missing" : "-o FILE is missing");
        return STATUS_USAGE;
    }
    if (!pipeline_import(s) || !trial_begin(s, &t)) return diag_status(&s->unit);
    int status = reduce(s, &t);
    trial_end(&t);
    return status;
}
