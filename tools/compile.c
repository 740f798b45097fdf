/* compile.c - sonoc compile: a model to FILE.c or machine code, FILE.h and, in some forms, a file
 * of weights; all or none. */
#include "command.h"

#include "certificate.h"
#include "emit_c.h"
#include "machine_code.h"
#include "program_report.h"
#include "tune.h"
#include <string.h>

static const struct {
    const char *name;
    WeightsForm form;
} forms[] = {
    {"auto", WEIGHTS_AUTO},     {"literal", WEIGHTS_LITERAL}, {"incbin", WEIGHTS_INCBIN},
    {"object", WEIGHTS_OBJECT}, {"file", WEIGHTS_FILE},       {"arrays", WEIGHTS_ARRAYS},
};

static const char *const threads_names[] = {
    [THREADS_NONE] = "none",
    [THREADS_PTHREADS] = "pthreads",
    [THREADS_OPENMP] = "openmp",
    [THREADS_CALLBACK] = "callback",
};

static ThreadsForm threads_of(const char *name) {
    for (int i = 0; i <= THREADS_CALLBACK; i++)
        if (!strcmp(threads_names[i], name)) return (ThreadsForm)i;
    return THREADS_NONE;
}

static WeightsForm form_of(const char *name) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (!strcmp(forms[i].name, name)) return forms[i].form;
    return WEIGHTS_AUTO;
}

static const char *form_name(WeightsForm form) {
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (forms[i].form == form) return forms[i].name;
    return "";
}

/* The three files, from the path of the first: a/net.c, a/net.h, a/net_weights.o or
 * a/net.weights. */
typedef struct Paths {
    const char *source, *header, *weights;
} Paths;

static Paths paths_of(Session *s, WeightsForm form) {
    Arena *a = s->unit.arena;
    const char *source = s->options->output;
    const char *base = arena_copy(a, source, (size_t)(strrchr(source, '.') - source));
    bool is_object = form == WEIGHTS_OBJECT || form == WEIGHTS_AUTO;
    return (Paths){source, arena_format(a, "%s.h", base),
                   arena_format(a, is_object ? "%s_weights.o" : "%s.weights", base)};
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool check_output(Session *s) {
    const char *path = s->options->output;
    const char *dot = path ? strrchr(file_name(path), '.') : NULL;
    bool is_file = dot && dot > file_name(path), is_code = is_file && is_machine_code(path);
    if (is_code && threads_of(s->options->threads_form)) {
        fprintf(stderr, "sonoc compile: --threads is for C files\n");
        return false;
    }
    if (is_code || (is_file && !strcmp(dot, ".c"))) return true;
    fprintf(stderr, "sonoc compile: %s\n",
            path ? "--output should end in .c, .o, .so, .s or .ll" : "-o FILE is missing");
    return false;
}

static bool write_files(Session *s, const Program *p, const Paths *paths,
                        const EmitResult *result) {
    Unit *u = &s->unit;
    OutputSet *set = &s->outputs;
    session_stage(s, "writing");
    const char *certificate = s->options->certificate;
    const Text *text = certificate ? certificate_of(p) : NULL;
    return (!text || output_add(u, set, certificate, text->at, text->n)) &&
           output_add(u, set, paths->source, result->source.at, result->source.n) &&
           output_add(u, set, paths->header, result->header.at, result->header.n) &&
           (!result->weights.n ||
            output_add(u, set, paths->weights, result->weights.at, result->weights.n)) &&
           output_commit(u, set);
}

static void print_report(Session *s, const Program *p, const Paths *paths,
                         const EmitResult *result) {
    bool as_json = s->options->json;
    Text text = {.arena = s->unit.arena};
    program_report(p, as_json, &text);
    session_stage(s, NULL);
    fwrite(text.at, 1, text.n, stdout);
    if (as_json) return;
    printf("files           %s (%zu bytes), %s", paths->source, result->source.n, paths->header);
    if (result->weights.n) printf(", %s (%zu bytes)", paths->weights, result->weights.n);
    printf("; weights as %s\n", form_name(result->form));
}

enum { MOST_PLANS = 4 };

/* The plans that go into the file: one, or with --target=multi several; 0: reported. */
static int make_plans(Session *s, const Program **plans) {
    const Options *o = s->options;
    bool is_multi = o->target && !strcmp(o->target, "multi");
    int n = 0;
    plans[n] = pipeline_program(s, o->plain);
    if (!plans[n++]) return 0;
    if (!s->graph) return n; /* a text of loops is one plan */
    while (is_multi && n < MOST_PLANS && target_multi(n)) {
        plans[n] = pipeline_replan(s, target_multi(n), o->plain);
        if (!plans[n++]) return 0;
    }
    return n;
}

int command_compile(Session *s) {
    const Program *plans[MOST_PLANS];
    if (!check_output(s)) return STATUS_USAGE;
    bool is_code = is_machine_code(s->options->output);
    const char *machine = is_code ? machine_code_target(s) : NULL;
    if (is_code && !machine) return diag_status(&s->unit);
    const Options *o = s->options;
    int n = tune(s) ? make_plans(s, plans) : 0;
    if (!n) return diag_status(&s->unit);
    const Program *p = plans[0];
    WeightsForm form = form_of(o->weights);
    Paths paths = paths_of(s, form);
    const char *prefix = o->prefix ? o->prefix : path_stem(s->unit.arena, o->output);
    EmitOptions options = {
        .prefix = c_identifier(s->unit.arena, prefix),
        .header_name = file_name(paths.header),
        .weights_name = file_name(paths.weights),
        .weights = form,
        .caller_arena = !strcmp(o->arena, "caller"),
        .profile = o->profile,
        .threads = threads_of(o->threads_form),
    };
    EmitResult result = {0};
    session_stage(s, is_code ? "making machine code" : "printing C");
    if (!is_code)
        emit_c_plans(plans, n, &options, &result);
    else if (!machine_code(s, p, machine, &options, &result))
        return diag_status(&s->unit);
    if (!write_files(s, p, &paths, &result)) return diag_status(&s->unit);
    if (o->report || o->json) print_report(s, p, &paths, &result);
    return STATUS_OK;
}
