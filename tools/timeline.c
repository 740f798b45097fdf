/* timeline.c - what took how long, as a tree of text and as a trace for Chrome's viewer. */
#include "timeline.h"

#include "json.h"
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void end_stage(Timeline *t) {
    for (int i = t->times.n - 1; i >= 0 && t->open; i--) {
        if (t->times.at[i].depth) continue;
        t->times.at[i].end = seconds();
        t->open = false;
    }
}

void timeline_stage(Timeline *t, const char *what) {
    end_stage(t);
    if (!what) return;
    PassTime stage = {.name = what, .begin = seconds()};
    vec_push(t->arena, &t->times, stage);
    t->open = true;
}

void timeline_add(Timeline *t, const PassTime *pass) {
    PassTime inner = *pass;
    inner.depth++;
    vec_push(t->arena, &t->times, inner);
}

static void print_tree(const Timeline *t) {
    double total = 0;
    for (int i = 0; i < t->times.n; i++)
        if (!t->times.at[i].depth) total += t->times.at[i].end - t->times.at[i].begin;
    fprintf(stderr, "%12.3f ms  100.0 %%  all\n", 1e3 * total);
    for (int i = 0; i < t->times.n; i++) {
        const PassTime *p = &t->times.at[i];
        double took = p->end - p->begin;
        fprintf(stderr, "%12.3f ms  %5.1f %%  %*s%s", 1e3 * took,
                total > 0 ? 100 * took / total : 0, 2 * p->depth + 2, "", p->name);
        if (p->rewrites) fprintf(stderr, " (%" PRId64 " rewrites)", p->rewrites);
        fputc('\n', stderr);
    }
}

/* Complete events ("X") in microseconds; the viewer nests them by time. */
static void write_trace(const Timeline *t, FILE *file) {
    Json j = {.out = file};
    json_begin(&j, NULL, '{');
    json_begin(&j, "traceEvents", '[');
    for (int i = 0; i < t->times.n; i++) {
        const PassTime *p = &t->times.at[i];
        json_begin(&j, NULL, '{');
        json_text(&j, "name", p->name);
        json_text(&j, "cat", p->depth ? "pass" : "stage");
        json_text(&j, "ph", "X");
        json_real(&j, "ts", 1e6 * (p->begin - t->times.at[0].begin));
        json_real(&j, "dur", 1e6 * (p->end - p->begin));
        json_int(&j, "pid", 1);
        json_int(&j, "tid", 1);
        json_begin(&j, "args", '{');
        json_int(&j, "rewrites", p->rewrites);
        json_end(&j, '}');
        json_end(&j, '}');
    }
    json_end(&j, ']');
    json_text(&j, "displayTimeUnit", "ms");
    json_end(&j, '}');
}

bool timeline_tell(Timeline *t, const Options *o) {
    end_stage(t);
    if (o->time_passes) print_tree(t);
    if (!o->trace) return true;
    FILE *file = fopen(o->trace, "w");
    if (file) write_trace(t, file);
    if (file && !ferror(file) && !fclose(file)) return true;
    fprintf(stderr, "sonoc: %s cannot be written: %s\n", o->trace, strerror(errno));
    return false;
}
