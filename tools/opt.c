/* opt.c - sonoc opt: the graph after the passes, or the loops after lowering, as text. */
#include "command.h"

int command_opt(Session *s) {
    const Options *o = s->options;
    Text text = {.arena = s->unit.arena};
    if (o->loops || path_ends(o->operand, ".loops")) {
        Program *p = pipeline_program(s, o->plain);
        if (!p) return diag_status(&s->unit);
        program_print(p, &text);
    } else {
        if (!pipeline_import(s) || !pipeline_passes(s)) return diag_status(&s->unit);
        graph_print(s->graph, &text);
    }
    session_stage(s, NULL);
    fwrite(text.at, 1, text.n, stdout);
    return STATUS_OK;
}
