/* driver.c - model.onnx -> graph; graph -> loops -> memory plan. */
#include "driver.h"

#include "lower_choices.h"
#include "rule.h"
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

static char *file_fail(Unit *u, const char *path, int why) {
    diag(u, NO_PLACE, D_TENSOR_FILE, path, strerror(why));
    return NULL;
}

static void close_file(void *context) {
    FILE **f = context;
    if (*f) fclose(*f);
    *f = NULL;
}

char *file_read(Unit *u, const char *path, size_t *n) {
    FILE **f = NEW(u->arena, FILE *);
    unit_at_end(u, close_file, f); /* memory may end while it is open */
    *f = fopen(path, "rb");
    if (!*f) return file_fail(u, path, errno);
    Text text = {.arena = u->arena};
    char part[65536];
    size_t got;
    while ((got = fread(part, 1, sizeof part, *f)) > 0) text_add_bytes(&text, part, got);
    bool bad = ferror(*f);
    close_file(f);
    if (bad) return file_fail(u, path, EISDIR);
    *n = text.n;
    return text.at ? text.at : arena_copy(u->arena, "", 0);
}

void driver_stage(const Driver *d, const char *what) {
    if (d->stage) d->stage(d->context, what);
}

/* NAME=N */
static bool parse_pin(Unit *u, const char *text, DimPin *pin) {
    const char *equals = strrchr(text, '=');
    char *end = NULL;
    errno = 0;
    pin->size = equals ? strtoll(equals + 1, &end, 10) : 0;
    if (!equals || equals == text || end == equals + 1 || *end || errno || pin->size < 1)
        return diag(u, NO_PLACE, D_DIM_WRONG, text);
    pin->symbol = name_intern_n(u->names, text, (size_t)(equals - text));
    return true;
}

static bool import_options(const Driver *d, ImportOptions *to) {
    DimPin *pins = NEW_ARRAY(d->unit->arena, DimPin, d->n_dims + 1);
    for (int i = 0; i < d->n_dims; i++)
        if (!parse_pin(d->unit, d->dims[i], &pins[i])) return false;
    *to = d->import;
    to->pins = pins;
    to->n_pins = d->n_dims;
    return true;
}

/* The text of the model itself, ending with 0. */
static const char *model_text(const Driver *d) {
    size_t n;
    return d->bytes ? arena_copy(d->unit->arena, d->bytes, d->n_bytes)
                    : file_read(d->unit, d->path, &n);
}

Graph *driver_read(const Driver *d) {
    ImportOptions options;
    Unit *u = d->unit;
    if (!import_options(d, &options)) return NULL;
    driver_stage(d, "reading");
    if (path_ends(d->path, ".sonoc")) {
        const char *text = model_text(d);
        return text ? graph_parse(u, text, NULL) : NULL;
    }
    return d->bytes ? import_memory(u, d->bytes, d->n_bytes, &options)
                    : import_file(u, d->path, &options);
}

RuleSet *driver_rules(const Driver *d) {
    RuleSet *set = NEW(d->unit->arena, RuleSet);
    size_t n;
    if (!d->rules) return set;
    const char *text = file_read(d->unit, d->rules, &n);
    return text && rules_parse(d->unit, d->rules, text, set) ? set : NULL;
}

/* A kernel that breaks the rules of loop IR is a mistake of whoever built it. */
static void check_kernels(Program *p) {
    for (int i = 0; i < p->kernels.n; i++) {
        int unproven;
        const char *why = kernel_check(p, p->kernels.at[i], &unproven);
        if (why) BUG(p->unit, "kernel %s: %s", p->kernels.at[i]->name, why);
    }
}

static bool is_debug(const Driver *d) {
#ifdef NDEBUG
    return d->check_kernels;
#else
    (void)d;
    return true;
#endif
}

/* false: reported. */
static bool read_choices(const Driver *d, const Choices **to) {
    size_t n;
    *to = NULL;
    if (!d->choices) return true;
    const char *text = file_read(d->unit, d->choices, &n);
    return text && (*to = choices_parse(d->unit, d->choices, text, n));
}

LowerOptions driver_lower_options(const Driver *d, const PassOptions *chosen) {
    return (LowerOptions){
        .target = d->target,
        .name = path_stem(d->unit->arena, d->path),
        .plain = d->plain,
        .make_later = d->make_later,
        .real = chosen->level >= 2 && chosen->exactness >= CLASS_REAL,
        .shared = d->shared,
    };
}

Program *driver_lower(const Driver *d, Graph *g, const PassOptions *chosen) {
    LowerOptions options = driver_lower_options(d, chosen);
    driver_stage(d, "lowering");
    if (!read_choices(d, &options.choices)) return NULL;
    Program *p = lower_graph(g, &options);
    if (!p) return NULL;
    driver_stage(d, "planning memory");
    program_plan(p);
    if (is_debug(d)) check_kernels(p);
    return p;
}

Program *driver_read_loops(const Driver *d) {
    const char *text = model_text(d);
    return text ? program_parse(d->unit, text) : NULL;
}
