/* measure.c - a program's runs, timed as they are, and again kernel by kernel. */
#include "measure.h"

#include "backend.h"
#include "crew.h"
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

void sort_seconds(double *seconds, int n) {
    qsort(seconds, (size_t)n, sizeof *seconds, compare_seconds);
}

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
        double spent =
            measured_moment(m, r, kernel + 1)->processor - measured_moment(m, r, kernel)->processor;
        if (!r || spent < least) least = spent;
    }
    return least;
}

/* A model, and where its tensors are. */
typedef struct Runner {
    const Model *model;
    void *arena;
    OwnCrew crew;
    const void **inputs;
    void **outputs;
    RunError error;
} Runner;

static void runner_new(Session *s, const Model *m, const Tensor *const *inputs, Runner *to) {
    Arena *a = s->unit.arena;
    *to = (Runner){.model = m};
    to->inputs = NEW_ARRAY(a, const void *, m->n_inputs + 1);
    to->outputs = NEW_ARRAY(a, void *, m->n_outputs + 1);
    to->arena = arena_alloc_large(a, sonoc_arena_bytes(m));
    crew_begin(&to->crew, m->threads > 1 ? m->threads : 1);
    for (int i = 0; i < m->n_inputs; i++) to->inputs[i] = inputs[i]->data;
    for (int i = 0; i < m->n_outputs; i++) to->outputs[i] = arena_alloc(a, m->outputs[i].bytes);
}

static bool run_once(Runner *r, const Crew *crew, const KernelHook *hook) {
    const Model *m = r->model;
    return m->backend->run(m->opened, r->arena, crew, r->inputs, r->outputs, hook, &r->error);
}

/* Writes moments down as kernels begin, and what each worker does of their loops. */
typedef struct Watch {
    Measurement *to;
    Moment *next, *end;
    const Crew *inner;
    int run, kernel; /* at the moment; workers read them while a loop is shared */
} Watch;

static void note_moment(void *context, int kernel) {
    Watch *w = context;
    w->kernel = kernel;
    if (w->next == w->end) return;
    if (w->to->counters.n) counters_read(&w->to->counters, w->next->counts);
    w->next->processor = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    w->next->time = seconds_now();
    w->next++;
}

/* A loop that is shared, with somebody who looks at the clock. */
typedef struct WatchedLoop {
    Watch *watch;
    LoopPart *part;
    void *captured;
} WatchedLoop;

static void run_watched_part(void *captured, int64_t begin, int64_t end, int worker) {
    const WatchedLoop *loop = captured;
    const Watch *w = loop->watch;
    WorkerParts *parts = &w->to->parts[worker];
    double start = seconds_now();
    loop->part(loop->captured, begin, end, worker);
    if (parts->n < parts->room)
        parts->at[parts->n++] = (Part){start, seconds_now(), w->run, w->kernel};
}

static void run_watched_loop(void *context, LoopPart *part, void *captured, int64_t count) {
    Watch *w = context;
    WatchedLoop loop = {w, part, captured};
    w->inner->run(w->inner->context, run_watched_part, &loop, count);
}

enum { PARTS_A_KERNEL = 4 };

static void watch_begin(Watch *w, Runner *r, const Program *p, Measurement *to) {
    Arena *a = p->unit->arena;
    size_t n = ((size_t)p->kernels.n + 1) * (size_t)to->runs;
    to->workers = r->crew.crew.workers;
    to->moments = NEW_ARRAY(a, Moment, n);
    to->parts = NEW_ARRAY(a, WorkerParts, to->workers);
    for (int i = 0; i < to->workers; i++) {
        to->parts[i].room = n * PARTS_A_KERNEL;
        to->parts[i].at = NEW_ARRAY(a, Part, to->parts[i].room);
    }
    *w = (Watch){.to = to, .next = to->moments, .end = to->moments + n, .inner = &r->crew.crew};
}

static bool watch_runs(Runner *r, const Program *p, Measurement *to) {
    Watch watch;
    watch_begin(&watch, r, p, to);
    KernelHook hook = {note_moment, &watch};
    Crew crew = {to->workers, run_watched_loop, &watch};
    for (int i = 0; i < to->runs; i++) {
        watch.run = i;
        if (!run_once(r, &crew, &hook)) return false;
    }
    if (watch.next == watch.end) to->n_kernels = p->kernels.n;
    return true;
}

static bool time_runs(Runner *r, Measurement *to) {
    for (int i = 0; i < to->runs; i++) {
        double begin = seconds_now(), spent = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
        if (!run_once(r, &r->crew.crew, NULL)) return false;
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
        if (!run_once(r, &r->crew.crew, NULL)) return false;
        if (!i) to->first_seconds = seconds_now() - begin;
    }
    return true;
}

bool measure(Session *s, const Model *m, const Tensor *const *inputs, int warmups, int runs,
             bool count, Measurement *to) {
    Runner runner;
    *to = (Measurement){.runs = runs, .seconds = NEW_ARRAY(s->unit.arena, double, runs)};
    memset(to->counters.files, -1, sizeof to->counters.files);
    if (count) counters_open(&to->counters);
    runner_new(s, m, inputs, &runner);
    bool ok = warm_up(&runner, warmups, to) && time_runs(&runner, to) &&
              watch_runs(&runner, m->program, to);
    crew_end(&runner.crew);
    counters_close(&to->counters);
    return ok || diag(&s->unit, NO_PLACE, D_RUN_FAILED, runner.error.message);
}
