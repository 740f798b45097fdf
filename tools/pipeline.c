/* pipeline.c - the driver, as the options say. */
#include "pipeline.h"

#include "crew.h"
#include "kept.h"
#include "trial.h"
#include <string.h>

static void tell_stage(void *context, const char *what) { session_stage(context, what); }

void pipeline_begin(Session *s) {
    const Options *o = s->options;
    s->driver = (Driver){
        .unit = &s->unit,
        .path = o->operand,
        .choices = o->choices,
        .dims = o->dim.at,
        .n_dims = o->dim.n,
        .rules = o->rules,
        .target = o->target ? target_find(o->target) : &targets[0],
        .check_kernels = o->verify_each,
        .shared = o->target && !strcmp(o->target, "multi") ? target_multi(0) : NULL,
        .stage = tell_stage,
        .context = s,
    };
#define LIMIT(field, standard, what) s->driver.import.limits.field = o->max_##field.value;
#include "limits.def"
#undef LIMIT
}

struct RuleSet *pipeline_rules(Session *s) { return driver_rules(&s->driver); }

Graph *pipeline_import(Session *s) {
    s->rules = driver_rules(&s->driver);
    s->graph = s->rules ? driver_read(&s->driver) : NULL;
    return s->graph;
}

Program *pipeline_program(Session *s, bool plain) {
    Driver *d = &s->driver;
    d->plain = plain;
    if (path_ends(d->path, ".loops")) return driver_read_loops(d);
    if (!s->graph && (!pipeline_import(s) || !pipeline_passes(s))) return NULL;
    const PassOptions chosen = session_pass_options(s, NULL);
    return driver_lower(d, s->graph, &chosen);
}

Program *pipeline_replan(Session *s, const Target *target, bool plain) {
    Driver d = s->driver;
    const PassOptions chosen = session_pass_options(s, NULL);
    d.plain = plain;
    d.target = target;
    return driver_lower(&d, s->graph, &chosen);
}

struct sonoc_model *pipeline_model(Session *s, const Program *p, const char *backend) {
    struct sonoc_model *m = model_in(&s->unit);
    session_stage(s, "making code");
    m->program = p;
    m->threads = crew_workers(s->options->threads.value);
    return model_open_program(m, backend, s->options->cc) ? m : NULL;
}

/* Who wants to see the passes at work is not served from the cache. */
static bool watches_passes(const Options *o) {
    return o->remarks || o->print_before || o->print_after || o->print_before_all ||
           o->print_after_all || o->print_changed || o->dot || o->verify_each || o->check_passes ||
           o->time_passes || o->trace;
}

static const Program *compile(void *context) {
    Session *s = context;
    const Program *p = pipeline_program(s, s->options->plain);
    s->graph = NULL; /* it ends before the session does */
    return p;
}

struct sonoc_model *pipeline_kept_model(Session *s) {
    const Options *o = s->options;
    char folder[CACHE_PATH];
    PassOptions passes_chosen = session_pass_options(s, NULL);
    struct sonoc_model *m = model_in(&s->unit);
    bool kept = !o->no_cache && cache_folder(folder);
    s->driver.plain = o->plain;
    Recipe recipe = {
        .driver = &s->driver,
        .passes = &passes_chosen,
        .backend = o->backend ? o->backend : backends[0].name,
        .compiler = o->cc,
        .plugins = o->plugin.at,
        .n_plugins = o->plugin.n,
        .cache = kept ? folder : NULL,
        .cache_bytes = o->cache_bytes.value,
        .whole = watches_passes(o),
        .compile = compile,
        .context = s,
    };
    m->threads = crew_workers(o->threads.value);
    return model_make(m, &recipe) ? m : NULL;
}
