/* pipeline.c - the driver, as the options say. */
#include "pipeline.h"

#include "trial.h"
#include <string.h>

static void tell_stage(void *context, const char *what) { session_stage(context, what); }

static Driver driver_of(Session *s, bool plain) {
    const Options *o = s->options;
    Driver d = {
        .unit = &s->unit, .path = o->operand, .dims = o->dim.at, .n_dims = o->dim.n, .rules = o->rules,
        .target = o->target ? target_find(o->target) : &targets[0], .plain = plain,
        .check_kernels = o->verify_each, .stage = tell_stage, .context = s,
    };
#define LIMIT(field, standard, what) d.import.limits.field = o->max_##field.value;
#include "limits.def"
#undef LIMIT
    return d;
}

struct RuleSet *pipeline_rules(Session *s) {
    Driver d = driver_of(s, false);
    return driver_rules(&d);
}

Graph *pipeline_import(Session *s) {
    Driver d = driver_of(s, false);
    s->rules = driver_rules(&d);
    s->graph = s->rules ? driver_read(&d) : NULL;
    return s->graph;
}

Program *pipeline_program(Session *s, bool plain) {
    Driver d = driver_of(s, plain);
    if (path_ends(d.path, ".loops")) return driver_read_loops(&d);
    if (!s->graph && (!pipeline_import(s) || !pipeline_passes(s))) return NULL;
    const PassOptions chosen = session_pass_options(s, NULL);
    return driver_lower(&d, s->graph, &chosen);
}

Program *pipeline_replan(Session *s, const Target *target, bool plain) {
    Driver d = driver_of(s, plain);
    const PassOptions chosen = session_pass_options(s, NULL);
    d.target = target;
    return driver_lower(&d, s->graph, &chosen);
}

struct sonoc_model *pipeline_model(Session *s, const Program *p, const char *backend) {
    session_stage(s, "loading");
    return model_of_program(p, backend, s->options->cc);
}
