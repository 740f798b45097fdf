/* measure.c - a program's runs, timed as they are, and again kernel by kernel. */
#include "measure.h"

#include "backend.h"
#include "graph_run.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double clock_seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double seconds_now(void) { return clock_seconds(CLOCK_MONOTONIC); }

static int compare_seconds(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_seconds(double *seconds, int n) { qsort(seconds, (size_t)n, sizeof *seconds, compare_seconds); }

double percentile(const double *sorted, int n, double share) {
    int at = (int)(share * (double)(n - 1) + 0.5);
    return sorted[at];
}

const Moment *measured_moment(const Measurement *m, int run, int kernel) {
    return &m->moments[run * (m->n_kernels + 1) + kernel];
}

double measured_kernel(const Measurement *m, int kernel) {
    double least = 0;
    for (int r = 0; r < m->runs; r++) {
        double took = measured_moment(m, r, kernel + 1)->time - measured_moment(m, r, kernel)->time;
        if (!r || took < least) least = took;
    }
    return least;
}

double measured_processor(const Measurement *m, int kernel) {
    double least = 0;
    for (int r = 0; r < m->runs; r++) {
        double spent = measured_moment(m, r, kernel + 1)->processor - measured_moment(m, r, kernel)->processor;
        if (!r || spent < least) least = spent;
    }
    return least;
}

/* A model, and where its tensors are. */
typedef struct Runner {
    const Model *model;
    void *arena;
    const void **inputs;
    void **outputs;
    RunError error;
} Runner;

static void runner_new(Session *s, const Model *m, const Tensor *const *inputs, Runner *to) {
    Arena *a = s->unit.arena;
    *to = (Runner){.model = m};
    to->inputs = NEW_ARRAY(a, const void *, m->n_inputs + 1);
    to->outputs = NEW_ARRAY(a, void *, m->n_outputs + 1);
    to->arena = arena_alloc(a, m->arena_bytes > 4096 ? m->arena_bytes : 4096); /* arenas align such to 64 */
    for (int i = 0; i < m->n_inputs; i++) to->inputs[i] = inputs[i]->data;
    for (int i = 0; i < m->n_outputs; i++) to->outputs[i] = arena_alloc(a, m->outputs[i].bytes);
}

static bool run_once(Runner *r, const KernelHook *hook) {
    const Model *m = r->model;
    return m->backend->run(m->opened, r->arena, r->inputs, r->outputs, hook, &r->error);
}

/* Writes moments down as kernels begin. */
typedef struct Watch {
    const Measurement *to;
    Moment *next, *end;
} Watch;

static void note_moment(void *context, int kernel) {
    Watch *w = context;
    (void)kernel;
    if (w->next == w->end) return;
    if (w->to->counters.n) counters_read(&w->to->counters, w->next->counts);
    w->next->processor = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    w->next->time = seconds_now();
    w->next++;
}

static bool watch_runs(Runner *r, const Program *p, Measurement *to) {
    size_t a_run = (size_t)p->kernels.n + 1;
    to->moments = NEW_ARRAY(p->unit->arena, Moment, a_run * (size_t)to->runs);
    Watch watch = {.to = to, .next = to->moments, .end = to->moments + a_run * (size_t)to->runs};
    KernelHook hook = {note_moment, &watch};
    for (int i = 0; i < to->runs; i++)
        if (!run_once(r, &hook)) return false;
    if (watch.next == watch.end) to->n_kernels = p->kernels.n;
    return true;
}

static bool time_runs(Runner *r, Measurement *to) {
    for (int i = 0; i < to->runs; i++) {
        double begin = seconds_now(), spent = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
        if (!run_once(r, NULL)) return false;
        to->seconds[i] = seconds_now() - begin;
        spent = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - spent;
        if (!i || spent < to->processor_seconds) to->processor_seconds = spent;
    }
    sort_seconds(to->seconds, to->runs);
    return true;
}

static bool warm_up(Runner *r, int warmups, Measurement *to) {
    double begin = seconds_now();
    for (int i = 0; i < warmups; i++) {
        if (!run_once(r, NULL)) return false;
        if (!i) to->first_seconds = seconds_now() - begin;
    }
    return true;
}

bool measure(Session *s, const Model *m, const Tensor *const *inputs, int warmups, int runs, bool count, Measurement *to) {
    Runner runner;
    *to = (Measurement){.runs = runs, .seconds = NEW_ARRAY(s->unit.arena, double, runs)};
    memset(to->counters.files, -1, sizeof to->counters.files);
    if (count) counters_open(&to->counters);
    runner_new(s, m, inputs, &runner);
    bool ok = warm_up(&runner, warmups, to) && time_runs(&runner, to) && watch_runs(&runner, m->program, to);
    counters_close(&to->counters);
    return ok || diag(&s->unit, NO_PLACE, D_RUN_FAILED, runner.error.message);
}

/* Two kernels: sums of products in as many chains as hide their latency, and a sum over more memory than caches hold.
 * Every number is a function of the lanes, so that vectors are as wide as the target's. */
enum { CHAINS = 10, STEPS = 1 << 20, WIDE = 64 << 20, ROOF_RUNS = 7 };

static const char *roof_text(Arena *a, const Target *t) {
    int l = t->lanes;
    const char *sum = t->fma ? "fma= x[l], x[%d + l]" : "+= x[l]*x[%d + l]";
    Text text = {.arena = a};
    text_add(&text, "program roof target \"%s\" arena 0\n", t->name);
    text_add(&text, "buffer x : f32[%d] input\nbuffer y : f32[%d] output\n", WIDE / 4, CHAINS * l);
    text_add(&text, "input x : f32[%d] in x\noutput y : f32[%d] in y\n", WIDE / 4, CHAINS * l);
    text_add(&text, "kernel products \"\" macs %lld bytes 0 {\n", (long long)CHAINS * STEPS * l);
    text_add(&text, "local s : f32[%d] lanes %d\n", CHAINS * l, l);
    text_add(&text, "for unroll c in %d { for lanes l in %d { s[c*%d + l] = 0.0 } }\n", CHAINS, l, l);
    text_add(&text, "for k in %d { for unroll c in %d { for lanes l in %d { s[c*%d + l] ", STEPS, CHAINS, l, l);
    text_add(&text, sum, l);
    text_add(&text, " } } }\nfor unroll c in %d { for lanes l in %d { y[c*%d + l] = s[c*%d + l] } }\n}\n", CHAINS, l, l, l);
    text_add(&text, "kernel reads \"\" macs 0 bytes %d {\n", WIDE);
    text_add(&text, "local s : f32[%d] lanes %d\n", 8 * l, l);
    text_add(&text, "for unroll c in 8 { for lanes l in %d { s[c*%d + l] = 0.0 } }\n", l, l);
    text_add(&text, "for k in %d { for unroll c in 8 { for lanes l in %d { s[c*%d + l] += x[k*%d + c*%d + l] } } }\n",
             WIDE / 4 / 8 / l, l, l, 8 * l, l);
    text_add(&text, "for unroll c in 8 { for lanes l in %d { y[c*%d + l] = s[c*%d + l] } }\n}\n", l, l, l);
    return text.at;
}

bool measure_roof(Session *s, const Target *target, Roof *to) {
    Program *p = program_parse(&s->unit, roof_text(s->unit.arena, target));
    if (!p) BUG(&s->unit, "the program that measures the machine: %s", diag_first(&s->unit));
    uint64_t state = 1;
    const Tensor *x = tensor_random(s->unit.arena, DT_F32, 1, p->inputs.at[0].dims, &state);
    Measurement m;
    Model *model = pipeline_model(s, p, s->options->timed_backend);
    bool ok = model && measure(s, model, &x, 1, ROOF_RUNS, false, &m);
    sonoc_close(model);
    if (!ok) return false;
    *to = (Roof){0};
    if (!m.n_kernels) return true;
    to->gflops = 2e-9 * (double)p->kernels.at[0]->macs / measured_kernel(&m, 0);
    to->gbytes = 1e-9 * (double)p->kernels.at[1]->bytes / measured_kernel(&m, 1);
    return true;
}

double roof_of(const Roof *roof, const Kernel *k) {
    if (!k->bytes) return roof->gflops;
    double by_memory = 2.0 * (double)k->macs / (double)k->bytes * roof->gbytes;
    return by_memory < roof->gflops ? by_memory : roof->gflops;
}
