/* run.c - sonoc run: inputs in, outputs out; without --outputs, a summary of each. */
#include "command.h"

#include "json.h"
#include "ports.h"
#include "tune.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

typedef struct Summary { double least, most, mean; int64_t nans; } Summary;

static Summary summarise(const Tensor *t) {
    Summary s = {.least = INFINITY, .most = -INFINITY};
    for (int64_t i = 0; i < t->count; i++) {
        double x = tensor_get_double(t, i);
        if (isnan(x)) {
            s.nans++;
            continue;
        }
        s.least = fmin(s.least, x);
        s.most = fmax(s.most, x);
        s.mean += x / (double)t->count;
    }
    return s;
}

static void print_dims(const Tensor *t, FILE *out) {
    fprintf(out, "%s[", dtypes[t->dtype].text);
    for (int d = 0; d < t->rank; d++) fprintf(out, "%s%" PRId64, d ? "," : "", t->dims[d]);
    fputc(']', out);
}

static void print_text(const Model *m, const Tensor *const *outputs, double seconds) {
    for (int i = 0; i < m->n_outputs; i++) {
        Summary s = summarise(outputs[i]);
        printf("%s: ", m->outputs[i].name);
        print_dims(outputs[i], stdout);
        if (outputs[i]->count) printf(", %g to %g, mean %g", s.least, s.most, s.mean);
        if (s.nans) printf(", %" PRId64 " NaN", s.nans);
        putchar('\n');
    }
    printf("%.3f s\n", seconds);
}

static void print_json(const Model *m, const Tensor *const *outputs, double seconds) {
    Json j = {.out = stdout};
    json_begin(&j, NULL, '{');
    json_int(&j, "version", 1);
    json_real(&j, "seconds", seconds);
    json_begin(&j, "outputs", '[');
    for (int i = 0; i < m->n_outputs; i++) {
        Summary s = summarise(outputs[i]);
        json_begin(&j, NULL, '{');
        json_text(&j, "name", m->outputs[i].name);
        json_text(&j, "dtype", dtypes[outputs[i]->dtype].text);
        json_begin(&j, "dims", '[');
        for (int d = 0; d < outputs[i]->rank; d++) json_int(&j, NULL, outputs[i]->dims[d]);
        json_end(&j, ']');
        json_real(&j, "least", s.least);
        json_real(&j, "most", s.most);
        json_real(&j, "mean", s.mean);
        json_int(&j, "nans", s.nans);
        json_end(&j, '}');
    }
    json_end(&j, ']');
    json_end(&j, '}');
}

static bool write_outputs(Session *s, const Model *m, const Tensor *const *outputs) {
    TensorSet set = {0};
    for (int i = 0; i < m->n_outputs; i++)
        vec_push(s->unit.arena, &set, ((NamedTensor){m->outputs[i].name, -1, outputs[i]}));
    return tensor_set_write(&s->unit, &set, s->options->outputs);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int command_run(Session *s) {
    const Options *o = s->options;
    Model *m = tune(s) ? pipeline_kept_model(s) : NULL;
    const Tensor **inputs = m ? ports_inputs(s, m) : NULL;
    double start = now();
    const Tensor **outputs = inputs ? ports_run(s, m, inputs) : NULL;
    double seconds = now() - start;
    sonoc_close(m);
    if (!outputs || (o->outputs && !write_outputs(s, m, outputs))) return diag_status(&s->unit);
    session_stage(s, NULL);
    if (o->json)
        print_json(m, outputs, seconds);
    else if (!o->outputs || !o->quiet)
        print_text(m, outputs, seconds);
    return STATUS_OK;
}
