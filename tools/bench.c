/* bench.c - sonoc bench: how long runs and kernels take, and how far from what the machine can
 * do. */
#include "command.h"

#include "json.h"
#include "measure.h"
#include "roof.h"
#include "tune.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* What was measured, and against what. */
typedef struct Bench {
    const Program *program;
    double open_seconds; /* making it ready: of the C backend, most is the compiler's */
    Measurement measured;
    Roof roof;
} Bench;

static double mean_of(const double *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    return sum / n;
}

static double deviation_of(const double *x, int n) {
    double mean = mean_of(x, n), sum = 0;
    for (int i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sqrt(sum / n);
}

/* What a kernel counted, the mean of the runs. */
static double count_of(const Measurement *m, int kernel, int counter) {
    double sum = 0;
    for (int r = 0; r < m->runs; r++)
        sum += (double)(measured_moment(m, r, kernel + 1)->counts[counter] -
                        measured_moment(m, r, kernel)->counts[counter]);
    return sum / m->runs;
}

static double kernels_total(const Measurement *m) {
    double sum = 0;
    for (int k = 0; k < m->n_kernels; k++) sum += measured_kernel(m, k);
    return sum;
}

/* Figures of one kernel. */
typedef struct Figures {
    double ms, share, gflops, of_peak, gbytes, of_roof;
} Figures;

static Figures figures_of(const Bench *b, int k) {
    const Kernel *kernel = b->program->kernels.at[k];
    double took = measured_kernel(&b->measured, k), total = kernels_total(&b->measured);
    if (took < 1e-9) took = 1e-9;
    Figures f = {.ms = 1e3 * took, .share = total > 0 ? took / total : 0};
    f.gflops = 2e-9 * (double)kernel->macs / took;
    f.gbytes = 1e-9 * (double)kernel->bytes / took;
    f.of_peak = b->roof.gflops > 0 ? f.gflops / b->roof.gflops : 0;
    double roof = roof_of(&b->roof, kernel);
    f.of_roof = kernel->macs && roof > 0 ? f.gflops / roof
                : b->roof.gbytes > 0     ? f.gbytes / b->roof.gbytes
                                         : 0;
    return f;
}

static const char *from_of(const Bench *b, int k) {
    const char *comment = b->program->kernels.at[k]->comment;
    char *copy = arena_copy(b->program->unit->arena, comment ? comment : "",
                            comment ? strcspn(comment, "\n") : 0);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
    return copy;
}

/* Text. */

static void print_counter_names(const Bench *b) {
    for (int c = 0; c < COUNTER_COUNT; c++)
        if (b->measured.counters.files[c] >= 0) printf(" %14s", counter_names[c]);
}

static void print_counts(const Bench *b, int k) {
    for (int c = 0; c < COUNTER_COUNT; c++)
        if (b->measured.counters.files[c] >= 0) printf(" %14.0f", count_of(&b->measured, k, c));
}

static void print_kernels(const Bench *b) {
    if (!b->measured.n_kernels) return;
    printf("\nkernel  name                                   ms  processor   share   multiply-adds "
           " GFLOP/s  of peak     GB/s  of roof");
    print_counter_names(b);
    printf("  from\n");
    for (int k = 0; k < b->measured.n_kernels; k++) {
        const Kernel *kernel = b->program->kernels.at[k];
        Figures f = figures_of(b, k);
        printf("%6d  %-32s %9.3f  %9.3f %5.1f %% %15" PRId64 " %8.1f %6.0f %% %8.1f %6.0f %%", k,
               kernel->name, f.ms, 1e3 * measured_processor(&b->measured, k), 100 * f.share,
               kernel->macs, f.gflops, 100 * f.of_peak, f.gbytes, 100 * f.of_roof);
        print_counts(b, k);
        printf("  %s\n", from_of(b, k));
    }
}

static void print_text(const Session *s, const Bench *b) {
    const Measurement *m = &b->measured;
    const double *t = m->seconds;
    int n = m->runs;
    printf("%s: target %s, backend %s, %d thread%s, %d runs after %d\n", s->options->operand,
           b->program->target->name, s->options->timed_backend, m->workers,
           m->workers == 1 ? "" : "s", n, (int)s->options->warmup.value);
    printf("made ready in %.3f s, first run %.3f ms\n", b->open_seconds, 1e3 * m->first_seconds);
    printf("ms a run: minimum %.3f, median %.3f, 90 %% %.3f, 99 %% %.3f, maximum %.3f, mean %.3f, "
           "deviation %.3f, processor %.3f\n",
           1e3 * t[0], 1e3 * percentile(t, n, 0.5), 1e3 * percentile(t, n, 0.9),
           1e3 * percentile(t, n, 0.99), 1e3 * t[n - 1], 1e3 * mean_of(t, n),
           1e3 * deviation_of(t, n), 1e3 * m->processor_seconds);
    if (b->roof.gflops > 0)
        printf("the machine: %.1f GFLOP/s on registers, reads %.1f GB/s\n", b->roof.gflops,
               b->roof.gbytes);
    if (m->n_kernels)
        printf("the sum of kernels is %.1f %% of the median run\n",
               100 * kernels_total(m) / percentile(t, n, 0.5));
    print_kernels(b);
}

/* JSON. */

static void json_ms(Json *j, const Bench *b) {
    const Measurement *m = &b->measured;
    int n = m->runs;
    json_begin(j, "ms", '{');
    json_real(j, "minimum", 1e3 * m->seconds[0]);
    json_real(j, "median", 1e3 * percentile(m->seconds, n, 0.5));
    json_real(j, "p90", 1e3 * percentile(m->seconds, n, 0.9));
    json_real(j, "p99", 1e3 * percentile(m->seconds, n, 0.99));
    json_real(j, "maximum", 1e3 * m->seconds[n - 1]);
    json_real(j, "mean", 1e3 * mean_of(m->seconds, n));
    json_real(j, "deviation", 1e3 * deviation_of(m->seconds, n));
    json_real(j, "processor", 1e3 * m->processor_seconds);
    json_end(j, '}');
}

static void json_kernel(Json *j, const Bench *b, int k) {
    const Kernel *kernel = b->program->kernels.at[k];
    Figures f = figures_of(b, k);
    json_begin(j, NULL, '{');
    json_text(j, "name", kernel->name);
    json_text(j, "from", from_of(b, k));
    json_real(j, "ms", f.ms);
    json_real(j, "processor_ms", 1e3 * measured_processor(&b->measured, k));
    json_real(j, "share", f.share);
    json_int(j, "multiply_adds", kernel->macs);
    json_int(j, "bytes", kernel->bytes);
    json_real(j, "gflops", f.gflops);
    json_real(j, "of_peak", f.of_peak);
    json_real(j, "gbytes", f.gbytes);
    json_real(j, "of_roof", f.of_roof);
    for (int c = 0; c < COUNTER_COUNT; c++)
        if (b->measured.counters.files[c] >= 0)
            json_real(j, counter_names[c], count_of(&b->measured, k, c));
    json_end(j, '}');
}

static void print_json(const Session *s, const Bench *b) {
    Json j = {.out = stdout};
    json_begin(&j, NULL, '{');
    json_int(&j, "version", 1);
    json_text(&j, "model", s->options->operand);
    json_text(&j, "target", b->program->target->name);
    json_text(&j, "backend", s->options->timed_backend);
    json_int(&j, "threads", b->measured.workers);
    json_int(&j, "runs", b->measured.runs);
    json_int(&j, "warmup", s->options->warmup.value);
    json_real(&j, "open_seconds", b->open_seconds);
    json_real(&j, "first_ms", 1e3 * b->measured.first_seconds);
    json_ms(&j, b);
    json_real(&j, "peak_gflops", b->roof.gflops);
    json_real(&j, "peak_gbytes", b->roof.gbytes);
    json_begin(&j, "kernels", '[');
    for (int k = 0; k < b->measured.n_kernels; k++) json_kernel(&j, b, k);
    json_end(&j, ']');
    json_end(&j, '}');
}

/* Counters that were asked for and are not to be had are no error: virtual machines have none. */
static void note_counters(Session *s, const Bench *b) {
    const Counters *c = &b->measured.counters;
    if (s->options->counters && c->n < COUNTER_COUNT)
        diag_note(&s->unit, "%d of %d hardware counters are not to be had here: %s",
                  COUNTER_COUNT - c->n, COUNTER_COUNT, strerror(c->error));
}

static bool measure_all(Session *s, Bench *b) {
    const Options *o = s->options;
    b->program = tune(s) ? pipeline_program(s, o->plain) : NULL;
    if (!b->program) return false;
    double begin = seconds_now();
    Model *m = pipeline_model(s, b->program, o->timed_backend);
    b->open_seconds = seconds_now() - begin;
    const Tensor **inputs = m ? ports_inputs(s, m) : NULL;
    session_stage(s, "measuring");
    bool ok = inputs && measure(s, m, inputs, (int)o->warmup.value, (int)o->runs.value, o->counters,
                                &b->measured);
    sonoc_close(m);
    if (!ok || !b->measured.n_kernels) return ok;
    session_stage(s, "measuring the machine");
    return measure_roof(s, b->program->target, &b->roof);
}

int command_bench(Session *s) {
    const Options *o = s->options;
    Bench b = {0};
    if (!o->runs.value || o->runs.value > INT32_MAX / 2 || o->warmup.value > INT32_MAX / 2) {
        fprintf(stderr, "sonoc bench: --runs should be 1 or more\n");
        return STATUS_USAGE;
    }
    if (!measure_all(s, &b)) return diag_status(&s->unit);
    note_counters(s, &b);
    session_stage(s, NULL);
    if (o->json)
        print_json(s, &b);
    else
        print_text(s, &b);
    return STATUS_OK;
}
