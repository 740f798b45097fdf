/* open.c - from a model file to a model that can be run: the driver, as struct sonoc_options
 * says. */
#include "crew.h"
#include "kept.h"

#include "custom.h"
#include "plugins.h"
#include <string.h>

typedef struct Opening {
    struct sonoc_model *model;
    struct sonoc_options options;
    Driver driver;
    PassOptions passes;
    char cache[CACHE_PATH];
} Opening;

static int list_length(const void *list) {
    const void *const *at = list;
    int n = 0;
    while (at && at[n]) n++;
    return n;
}

static bool options_read(struct sonoc_options *to, const struct sonoc_options *from,
                         struct sonoc_error *error) {
    *to = (struct sonoc_options)SONOC_OPTIONS;
    if (from && (from->size < sizeof from->size || from->size > sizeof *to))
        return !error_set(error, SONOC_USAGE,
                          "the options are those of another version: begin with SONOC_OPTIONS");
    if (from) memcpy(to, from, from->size);
    if (!to->backend) to->backend = backends[0].name;
    if (to->optimize < 0 || to->optimize > 3)
        return !error_set(error, SONOC_USAGE, "optimize is %d, should be 0 to 3", to->optimize);
    if ((int)to->exactness < SONOC_BIT || (int)to->exactness > SONOC_FAST)
        return !error_set(error, SONOC_USAGE, "exactness is %d, which is no promise",
                          (int)to->exactness);
    if (to->cache_bytes < 0) return !error_set(error, SONOC_USAGE, "cache_bytes is negative");
    if (to->threads < 0) return !error_set(error, SONOC_USAGE, "threads is %d", to->threads);
    if (!backend_find(to->backend))
        return !error_set(error, SONOC_USAGE, "there is no backend '%s'", to->backend);
    if (to->target && !target_find(to->target))
        return !error_set(error, SONOC_USAGE, "there is no target '%s'", to->target);
    return true;
}

static void tell_stage(void *context, const char *what) {
    const Opening *o = context;
    if (o->options.log) o->options.log(o->options.log_context, SONOC_LOG_STAGE, what);
}

static bool enter_operators(Unit *u, const struct sonoc_options *o) {
    bool ok = plugins_load(u, o->plugins, list_length(o->plugins));
    for (int i = 0; o->operators && o->operators[i]; i++)
        ok &= registry_enter(u, o->operators[i], arena_format(u->arena, "operators[%d]", i));
    return ok;
}

static PassOptions passes_of(const struct sonoc_options *o) {
    PassOptions to = pass_options_default();
    to.level = o->optimize;
    to.exactness = o->exactness == SONOC_BIT    ? CLASS_BIT
                   : o->exactness == SONOC_REAL ? CLASS_REAL
                                                : CLASS_FAST;
    to.only = o->passes;
    return to;
}

static const Program *compile(void *context) {
    Opening *o = context;
    const Driver *d = &o->driver;
    if (!enter_operators(d->unit, &o->options)) return NULL;
    if (path_ends(d->path, ".loops")) return driver_read_loops(d);
    o->passes.rules = driver_rules(d);
    Graph *g = o->passes.rules ? driver_read(d) : NULL;
    if (!g) return NULL;
    driver_stage(d, "running passes");
    return passes_run(g, &o->passes) ? driver_lower(d, g, &o->passes) : NULL;
}

/* Operators that only this process knows cannot be a part of a key. */
static const char *cache_of(Opening *o) {
    if (o->options.operators && o->options.operators[0]) return NULL;
    if (o->options.cache) return *o->options.cache ? o->options.cache : NULL;
    return cache_folder(o->cache) ? o->cache : NULL;
}

static bool open_in_unit(Opening *opening) {
    const struct sonoc_options *o = &opening->options;
    Recipe recipe = {
        .driver = &opening->driver,
        .passes = &opening->passes,
        .backend = o->backend,
        .compiler = o->compiler,
        .plugins = o->plugins,
        .n_plugins = list_length(o->plugins),
        .cache = cache_of(opening),
        .cache_bytes = o->cache_bytes ? o->cache_bytes : CACHE_BYTES,
        .compile = compile,
        .context = opening,
    };
    opening->model->threads = crew_workers(o->threads);
    return model_make(opening->model, &recipe);
}

static void add_line(struct sonoc_error *error, const char *line) {
    size_t used = strlen(error->text), room = sizeof error->text - used;
    snprintf(error->text + used, room, "%s%s", used ? "\n" : "", line);
}

/* What the unit collected goes to the log, errors also to the caller. */
static void tell_lines(const Opening *opening, struct sonoc_error *error) {
    const Unit *u = opening->model->unit;
    const struct sonoc_options *o = &opening->options;
    for (int i = 0; i < diag_lines(u); i++) {
        bool is_error;
        const char *line = diag_line(u, i, &is_error);
        if (o->log) o->log(o->log_context, is_error ? SONOC_LOG_ERROR : SONOC_LOG_NOTE, line);
        if (is_error && error) add_line(error, line);
    }
}

static enum sonoc_status status_of(int status) {
    switch (status) {
    case STATUS_OK: return SONOC_OK;
    case STATUS_USAGE: return SONOC_USAGE;
    case STATUS_LIMIT: return SONOC_LIMIT;
    case STATUS_BUG: return SONOC_MISTAKE;
    default: return SONOC_REFUSED;
    }
}

static bool open_guarded(Opening *opening, struct sonoc_error *error) {
    Unit *u = opening->model->unit;
    if (setjmp(u->escape.jump)) {
        error_set(error, status_of(u->escape.status), "%s: %s%s", u->file,
                  u->escape.status == STATUS_BUG ? "a mistake of sonoc: " : "", u->escape.message);
        return false;
    }
    u->file = opening->driver.path = arena_copy(u->arena, u->file, strlen(u->file));
    bool ok = open_in_unit(opening);
    if (!ok) error_set(error, status_of(diag_status(u)), "%s", "");
    tell_lines(opening, error);
    return ok;
}

static Allocator allocator_of(const struct sonoc_allocator *a) {
    return a ? (Allocator){a->allocate, a->release, a->context} : (Allocator){0};
}

static struct sonoc_model *model_new(const struct sonoc_options *o, const char *path) {
    Allocator given = allocator_of(o->allocator);
    struct sonoc_model *m = memory_new(o->allocator ? &given : NULL, sizeof *m);
    if (!m) return NULL;
    m->allocator = given;
    m->memory = o->allocator ? &m->allocator : NULL;
    m->unit = &m->own;
    atomic_init(&m->users, 1);
    if (unit_begin_with(m->unit, path, o->max_memory, m->memory)) return m;
    memory_free(o->allocator ? &given : NULL, m, sizeof *m);
    return NULL;
}

static void model_free(struct sonoc_model *m) {
    Allocator given = m->allocator;
    const Allocator *memory = m->memory ? &given : NULL;
    if (m->opened) m->backend->close(m->opened);
    if (m->unit != &m->own) return;
    unit_end(m->unit);
    memory_free(memory, m, sizeof *m);
}

void sonoc_close(struct sonoc_model *m) {
    if (m && atomic_fetch_sub(&m->users, 1) == 1) model_free(m);
}

static struct sonoc_model *model_open(const void *bytes, size_t size, const char *path,
                                      const struct sonoc_options *options,
                                      struct sonoc_error *error) {
    Opening opening;
    error_clear(error);
    if (!path || !*path) {
        error_set(error, SONOC_USAGE, "the path is missing");
        return NULL;
    }
    if (!options_read(&opening.options, options, error)) return NULL;
    const struct sonoc_options *o = &opening.options;
    opening.model = model_new(o, path);
    if (!opening.model) {
        error_set(error, SONOC_LIMIT, "%s: out of memory", path);
        return NULL;
    }
    opening.driver = (Driver){
        .unit = opening.model->unit,
        .path = path,
        .bytes = bytes,
        .n_bytes = size,
        .dims = o->dims,
        .n_dims = list_length(o->dims),
        .rules = o->rules,
        .target = o->target ? target_find(o->target) : &targets[0],
        .stage = tell_stage,
        .context = &opening,
    };
    opening.passes = passes_of(o);
    if (open_guarded(&opening, error)) return opening.model;
    model_free(opening.model);
    return NULL;
}

struct sonoc_model *sonoc_open(const char *path, const struct sonoc_options *options,
                               struct sonoc_error *error) {
    return model_open(NULL, 0, path, options, error);
}

struct sonoc_model *sonoc_open_memory(const void *bytes, size_t size, const char *path,
                                      const struct sonoc_options *options,
                                      struct sonoc_error *error) {
    return model_open(bytes ? bytes : "", bytes ? size : 0, path ? path : "memory", options, error);
}
