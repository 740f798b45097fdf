/* pipeline.c - model.onnx -> graph -> passes -> loops -> memory plan. */
#include "pipeline.h"
#include "trial.h"

#include "import.h"
#include "lower.h"
#include "rule.h"
#include "tensor_set.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool path_ends(const char *path, const char *end) {
    size_t n = strlen(path), m = strlen(end);
    return n >= m && !strcmp(path + n - m, end);
}

const char *path_stem(Arena *a, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return arena_copy(a, name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

/* NAME=N */
static bool parse_pin(Session *s, const char *text, DimPin *pin) {
    const char *equals = strrchr(text, '=');
    char *end = NULL;
    errno = 0;
    pin->size = equals ? strtoll(equals + 1, &end, 10) : 0;
    if (!equals || equals == text || end == equals + 1 || *end || errno || pin->size < 1)
        return diag(&s->unit, NO_PLACE, D_DIM_WRONG, text);
    pin->symbol = name_intern_n(s->unit.names, text, (size_t)(equals - text));
    return true;
}

static bool import_options(Session *s, ImportOptions *to) {
    const Options *o = s->options;
    DimPin *pins = NEW_ARRAY(s->unit.arena, DimPin, o->dim.n + 1);
    for (int i = 0; i < o->dim.n; i++)
        if (!parse_pin(s, o->dim.at[i], &pins[i])) return false;
    *to = (ImportOptions){.pins = pins, .n_pins = o->dim.n};
#define LIMIT(field, standard, what) to->limits.field = o->max_##field.value;
#include "limits.def"
#undef LIMIT
    return true;
}

static Graph *import_text(Session *s, const char *path) {
    size_t n;
    const char *text = file_read(&s->unit, path, &n);
    return text ? graph_parse(&s->unit, text, NULL) : NULL;
}

RuleSet *pipeline_rules(Session *s) {
    RuleSet *set = NEW(s->unit.arena, RuleSet);
    size_t n;
    if (!s->options->rules) return set;
    const char *text = file_read(&s->unit, s->options->rules, &n);
    return text && rules_parse(&s->unit, s->options->rules, text, set) ? set : NULL;
}

Graph *pipeline_import(Session *s) {
    ImportOptions options;
    const char *path = s->options->operand;
    if (!import_options(s, &options)) return NULL;
    session_stage(s, "reading");
    s->rules = pipeline_rules(s);
    if (!s->rules) return NULL;
    s->graph = path_ends(path, ".sonoc") ? import_text(s, path) : import_file(&s->unit, path, &options);
    return s->graph;
}

/* A kernel that breaks the rules of loop IR is a mistake of whoever built it. */
static void check_kernels(Program *p) {
    for (int i = 0; i < p->kernels.n; i++) {
        int unproven;
        const char *why = kernel_check(p, p->kernels.at[i], &unproven);
        if (why) BUG(p->unit, "kernel %s: %s", p->kernels.at[i]->name, why);
    }
}

static bool is_debug(const Options *o) {
#ifdef NDEBUG
    return o->verify_each;
#else
    (void)o;
    return true;
#endif
}

Program *pipeline_program(Session *s, bool plain) {
    const Options *o = s->options;
    if (path_ends(o->operand, ".loops")) {
        size_t n;
        const char *text = file_read(&s->unit, o->operand, &n);
        return text ? program_parse(&s->unit, text) : NULL;
    }
    if (!s->graph && (!pipeline_import(s) || !pipeline_passes(s))) return NULL;
    session_stage(s, "lowering");
    const PassOptions chosen = session_pass_options(s, NULL);
    Program *p = lower_graph(s->graph, &(LowerOptions){
        .target = o->target ? target_find(o->target) : &targets[0],
        .name = path_stem(s->unit.arena, o->operand), .plain = plain,
        .real = chosen.level >= 2 && chosen.exactness >= CLASS_REAL,
    });
    if (!p) return NULL;
    session_stage(s, "planning memory");
    program_plan(p);
    if (is_debug(o)) check_kernels(p);
    return p;
}
