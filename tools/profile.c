/* profile.c - sonoc profile: when each kernel ran, as a trace for Chrome's viewer and as a
 * picture. */
#include "command.h"

#include "json.h"
#include "measure.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *first_line(const Program *p, const char *text) {
    return arena_copy(p->unit->arena, text ? text : "", text ? strcspn(text, "\n") : 0);
}

/* The operators that a kernel is made from: its comment up to the first name of a node or shape. */
static const char *kind_of(const Program *p, int k) {
    const char *comment = p->kernels.at[k]->comment;
    size_t n = comment ? strcspn(comment, " ':\n") : 0;
    return n ? arena_copy(p->unit->arena, comment, n) : "other";
}

/* The trace: complete events ("X") in microseconds. */

static void trace_kernel(Json *j, const Program *p, const Measurement *m, int run, int k) {
    const Kernel *kernel = p->kernels.at[k];
    double start = measured_moment(m, 0, 0)->time, begin = measured_moment(m, run, k)->time;
    double took = measured_moment(m, run, k + 1)->time - begin;
    json_begin(j, NULL, '{');
    json_text(j, "name", kernel->name);
    json_text(j, "cat", kind_of(p, k));
    json_text(j, "ph", "X");
    json_real(j, "ts", 1e6 * (begin - start));
    json_real(j, "dur", 1e6 * took);
    json_int(j, "pid", 1);
    json_int(j, "tid", 1);
    json_begin(j, "args", '{');
    json_text(j, "from", first_line(p, kernel->comment));
    json_int(j, "run", run);
    json_int(j, "multiply_adds", kernel->macs);
    json_int(j, "bytes", kernel->bytes);
    json_real(j, "gflops", took > 0 ? 2e-9 * (double)kernel->macs / took : 0);
    json_end(j, '}');
    json_end(j, '}');
}

/* What other workers did; the caller's time is that of the kernels. */
static void trace_part(Json *j, const Program *p, const Measurement *m, const Part *part,
                       int worker) {
    json_begin(j, NULL, '{');
    json_text(j, "name", p->kernels.at[part->kernel]->name);
    json_text(j, "cat", kind_of(p, part->kernel));
    json_text(j, "ph", "X");
    json_real(j, "ts", 1e6 * (part->begin - measured_moment(m, 0, 0)->time));
    json_real(j, "dur", 1e6 * (part->end - part->begin));
    json_int(j, "pid", 1);
    json_int(j, "tid", worker + 1);
    json_begin(j, "args", '{');
    json_int(j, "run", part->run);
    json_end(j, '}');
    json_end(j, '}');
}

static void print_trace(FILE *out, const Program *p, const Measurement *m) {
    Json j = {.out = out};
    json_begin(&j, NULL, '{');
    json_begin(&j, "traceEvents", '[');
    for (int r = 0; r < m->runs; r++)
        for (int k = 0; k < m->n_kernels; k++) trace_kernel(&j, p, m, r, k);
    for (int w = 1; w < m->workers; w++)
        for (size_t i = 0; i < m->parts[w].n; i++) trace_part(&j, p, m, &m->parts[w].at[i], w);
    json_end(&j, ']');
    json_text(&j, "displayTimeUnit", "ms");
    json_end(&j, '}');
}

/* The picture: the shortest run from left to right, a bar for each thread, and how much each kind
 * of operator takes. */

enum { WIDTH = 1400, LEFT = 10, BAR_TOP = 44, BAR = 60, THREAD = 30, ROW = 20, LABEL_WIDTH = 7 };

static const char *const colours[] = {"#4477aa", "#ee6677", "#228833", "#ccbb44",
                                      "#66ccee", "#aa3377", "#bbbbbb", "#994f00",
                                      "#006cd1", "#e1be6a", "#40b0a6", "#5d3a9b"};

/* A kind of operator and the seconds that its kernels took. */
typedef struct Kind {
    const char *name;
    double seconds;
} Kind;
typedef struct Picture {
    const Program *program;
    const Measurement *measured;
    Text out;
    int run; /* the shortest */
    VEC(Kind) kinds;
} Picture;

static double run_seconds(const Measurement *m, int run) {
    return measured_moment(m, run, m->n_kernels)->time - measured_moment(m, run, 0)->time;
}

static double kernel_seconds(const Picture *v, int k) {
    return measured_moment(v->measured, v->run, k + 1)->time -
           measured_moment(v->measured, v->run, k)->time;
}

static int kind_number(Picture *v, int k) {
    const char *name = kind_of(v->program, k);
    for (int i = 0; i < v->kinds.n; i++)
        if (!strcmp(v->kinds.at[i].name, name)) return i;
    vec_push(v->program->unit->arena, &v->kinds, ((Kind){name, 0}));
    return v->kinds.n - 1;
}

static void add_escaped(Text *out, const char *text) {
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool plain = *c >= ' ' && *c != '<' && *c != '>' && *c != '&' && *c != 127;
        if (plain)
            text_add_bytes(out, c, 1);
        else
            text_add(out, "&#%d;", *c < ' ' ? '?' : *c);
    }
}

static const char *colour_of(int kind) {
    return colours[kind % (int)(sizeof colours / sizeof *colours)];
}

static void draw_kernel(Picture *v, int k, double scale) {
    const Kernel *kernel = v->program->kernels.at[k];
    double begin = measured_moment(v->measured, v->run, k)->time -
                   measured_moment(v->measured, v->run, 0)->time;
    double took = kernel_seconds(v, k), width = took * scale;
    int kind = kind_number(v, k);
    v->kinds.at[kind].seconds += took;
    text_add(&v->out, "<g><title>");
    add_escaped(&v->out, kernel->name);
    text_add(&v->out, ": %.3f ms, %.1f GFLOP/s, %.1f GB/s\n", 1e3 * took,
             took > 0 ? 2e-9 * (double)kernel->macs / took : 0,
             took > 0 ? 1e-9 * (double)kernel->bytes / took : 0);
    add_escaped(&v->out, first_line(v->program, kernel->comment));
    text_add(&v->out,
             "</title><rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\" "
             "stroke=\"#fff\" stroke-width=\".4\"/>",
             LEFT + begin * scale, BAR_TOP, width, BAR, colour_of(kind));
    int letters = (int)(width / LABEL_WIDTH);
    if (letters >= 3) {
        text_add(&v->out, "<text x=\"%.2f\" y=\"%d\" fill=\"#fff\">", LEFT + begin * scale + 3,
                 BAR_TOP + BAR / 2 + 4);
        add_escaped(&v->out,
                    arena_format(v->program->unit->arena, "%.*s", letters - 1, kernel->name));
        text_add(&v->out, "</text>");
    }
    text_add(&v->out, "</g>\n");
}

static void draw_part(Picture *v, const Part *part, int worker, double scale) {
    if (part->run != v->run) return;
    double begin = part->begin - measured_moment(v->measured, v->run, 0)->time;
    text_add(&v->out, "<rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" fill=\"%s\"/>\n",
             LEFT + begin * scale, BAR_TOP + BAR + 2 + (worker - 1) * THREAD,
             (part->end - part->begin) * scale, THREAD - 2,
             colour_of(kind_number(v, part->kernel)));
}

static int bars_end(const Measurement *m) { return BAR_TOP + BAR + (m->workers - 1) * THREAD; }

static void draw_legend(Picture *v, double total) {
    for (int i = 0; i < v->kinds.n; i++) {
        const Kind *kind = &v->kinds.at[i];
        int y = bars_end(v->measured) + 20 + ROW * i;
        text_add(&v->out, "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/>", LEFT,
                 y, colour_of(i));
        text_add(&v->out, "<text x=\"%d\" y=\"%d\">", LEFT + 18, y + 10);
        add_escaped(&v->out, kind->name);
        text_add(&v->out, " %.3f ms, %.1f %%</text>\n", 1e3 * kind->seconds,
                 total > 0 ? 100 * kind->seconds / total : 0);
    }
}

static void draw_all(Picture *v) {
    const Measurement *m = v->measured;
    for (int r = 1; r < m->runs; r++)
        if (run_seconds(m, r) < run_seconds(m, v->run)) v->run = r;
    double total = run_seconds(m, v->run);
    for (int k = 0; k < m->n_kernels; k++) kind_number(v, k);
    int height = bars_end(m) + 30 + ROW * v->kinds.n;
    text_add(&v->out,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
             "font-family=\"sans-serif\" font-size=\"11\">\n",
             WIDTH + 2 * LEFT, height);
    text_add(&v->out,
             "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"%d\" y=\"24\" "
             "font-size=\"15\">",
             LEFT);
    add_escaped(&v->out, v->program->name);
    text_add(&v->out, ": %d kernels, %d thread%s, %.3f ms</text>\n", m->n_kernels, m->workers,
             m->workers == 1 ? "" : "s", 1e3 * total);
    double scale = total > 0 ? WIDTH / total : 0;
    for (int k = 0; k < m->n_kernels; k++) draw_kernel(v, k, scale);
    for (int w = 1; w < m->workers; w++)
        for (size_t i = 0; i < m->parts[w].n; i++) draw_part(v, &m->parts[w].at[i], w, scale);
    draw_legend(v, total);
    text_add(&v->out, "</svg>\n");
}

/* The command. */

static bool add_trace(Session *s, const Program *p, const Measurement *m) {
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    if (!out) return diag(&s->unit, NO_PLACE, D_RUN_FAILED, "out of memory");
    print_trace(out, p, m);
    bool ok = !fclose(out);
    ok = ok && output_add(&s->unit, &s->outputs, s->options->output, text, n);
    free(text);
    return ok;
}

static bool add_picture(Session *s, const Program *p, const Measurement *m) {
    Picture v = {.program = p, .measured = m, .out = {.arena = s->unit.arena}};
    draw_all(&v);
    return output_add(&s->unit, &s->outputs, s->options->svg, v.out.at, v.out.n);
}

int command_profile(Session *s) {
    const Options *o = s->options;
    if ((!o->output && !o->svg) || !o->runs.value || o->runs.value > INT32_MAX / 2) {
        fprintf(stderr, "sonoc profile: %s\n",
                o->output || o->svg ? "--runs should be 1 or more"
                                    : "-o FILE.json or --svg FILE.svg is missing");
        return STATUS_USAGE;
    }
    Program *p = pipeline_program(s, o->plain);
    Model *model = p ? pipeline_model(s, p, o->timed_backend) : NULL;
    const Tensor **inputs = model ? ports_inputs(s, model) : NULL;
    Measurement m;
    session_stage(s, "measuring");
    bool ok =
        inputs && measure(s, model, inputs, (int)o->warmup.value, (int)o->runs.value, false, &m);
    sonoc_close(model);
    session_stage(s, "writing");
    ok = ok && (!o->output || add_trace(s, p, &m)) && (!o->svg || add_picture(s, p, &m)) &&
         output_commit(&s->unit, &s->outputs);
    return ok ? STATUS_OK : diag_status(&s->unit);
}
