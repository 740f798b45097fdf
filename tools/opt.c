/* opt.c - sonoc opt: the graph after the passes, or the loops after lowering, as text. */
#include "command.h"

#include "json.h"
#include "pass.h"

static int print_passes(const Options *o) {
    Json j = {.out = stdout};
    if (o->json) json_begin(&j, NULL, '[');
    for (const Pass *p = passes; p->name; p++) {
        if (!o->json) {
            printf("%-12s %-4s -O%d  %s\n", p->name, pass_class_names[p->promise], p->level, p->summary);
            continue;
        }
        json_begin(&j, NULL, '{');
        json_text(&j, "name", p->name);
        json_text(&j, "class", pass_class_names[p->promise]);
        json_int(&j, "level", p->level);
        json_text(&j, "summary", p->summary);
        json_end(&j, '}');
    }
    if (o->json) json_end(&j, ']');
    return STATUS_OK;
}

int command_opt(Session *s) {
    const Options *o = s->options;
    if (o->help_passes) return print_passes(o);
    Text text = {.arena = s->unit.arena};
    if (o->loops || path_ends(o->operand, ".loops")) {
        Program *p = pipeline_program(s, o->plain);
        if (!p) return diag_status(&s->unit);
        program_print(p, &text);
    } else {
        if (!pipeline_import(s) || !pipeline_passes(s)) return diag_status(&s->unit);
        graph_print(s->graph, &text);
    }
    progress_stage(s->progress, NULL);
    fwrite(text.at, 1, text.n, stdout);
    return STATUS_OK;
}
