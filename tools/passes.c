/* passes.c - sonoc passes: the table, and the pipeline that it is. */
#include "command.h"

#include "../custom_ops/sonoc_op.h"
#include "custom.h"
#include "json.h"
#include "pass.h"
#include <inttypes.h>
#include <string.h>

static void print_pass(const Pass *p) {
    printf("%-16s %-4s -O%d  %s\n", p->name, pass_class_names[p->promise], p->level, p->summary);
    if (p->for_files) printf("%27sonly where the graph is written as ONNX\n", "");
    for (const PassSetting *s = pass_settings; s->pass; s++)
        if (!strcmp(s->pass, p->name))
            printf("%27s%s=%" PRId64 ": %s\n", "", s->name, s->standard, s->what);
    for (const PassOrder *o = pass_orders; o->late; o++)
        if (!strcmp(o->late, p->name)) printf("%27safter %s: %s\n", "", o->early, o->why);
}

static void json_settings(Json *j, const Pass *p) {
    json_begin(j, "settings", '[');
    for (const PassSetting *s = pass_settings; s->pass; s++) {
        if (strcmp(s->pass, p->name)) continue;
        json_begin(j, NULL, '{');
        json_text(j, "name", s->name);
        json_int(j, "standard", s->standard);
        json_text(j, "what", s->what);
        json_end(j, '}');
    }
    json_end(j, ']');
    json_begin(j, "after", '[');
    for (const PassOrder *o = pass_orders; o->late; o++) {
        if (strcmp(o->late, p->name)) continue;
        json_begin(j, NULL, '{');
        json_text(j, "pass", o->early);
        json_text(j, "why", o->why);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void json_pass(Json *j, const Pass *p) {
    json_begin(j, NULL, '{');
    json_text(j, "name", p->name);
    json_text(j, "class", pass_class_names[p->promise]);
    json_real(j, "bound", pass_bound(p));
    json_int(j, "level", p->level);
    json_bool(j, "for_files", p->for_files);
    json_text(j, "summary", p->summary);
    json_settings(j, p);
    json_end(j, '}');
}

static const Pass *as_pass(const struct sonoc_pass *from, Pass *to) {
    *to = (Pass){.name = from->name,
                 .summary = from->summary,
                 .promise = (PassClass)from->promise,
                 .level = from->level,
                 .for_files = from->for_files};
    return to;
}

int command_passes(Session *s) {
    Json j = {.out = stdout};
    if (!s->options->json) {
        for (const Pass *p = passes; p->name; p++) print_pass(p);
        for (int i = 0; i < registry_passes(&s->unit); i++)
            print_pass(as_pass(registry_pass(&s->unit, i), &(Pass){0}));
        printf("\npipeline: %s\n", pass_standard_pipeline);
        return STATUS_OK;
    }
    json_begin(&j, NULL, '{');
    json_int(&j, "version", 1);
    json_text(&j, "pipeline", pass_standard_pipeline);
    json_begin(&j, "passes", '[');
    for (const Pass *p = passes; p->name; p++) json_pass(&j, p);
    for (int i = 0; i < registry_passes(&s->unit); i++)
        json_pass(&j, as_pass(registry_pass(&s->unit, i), &(Pass){0}));
    json_end(&j, ']');
    json_end(&j, '}');
    return STATUS_OK;
}
