/* opt.c - sonoc opt: the graph after the passes, or the loops after lowering, as text; or the graph
 * as an ONNX model. */
#include "command.h"

#include "export.h"
#include <string.h>

static bool to_stream(void *context, const void *bytes, size_t n) {
    return output_write(context, bytes, n);
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool write_files(Session *s, const char *path, const char *data_path) {
    OutputStream model, data = {0};
    Unit *u = &s->unit;
    if (!output_begin(u, &s->outputs, path, &model)) return false;
    bool ok = !data_path || output_begin(u, &s->outputs, data_path, &data);
    ExportOptions options = {SONOC_VERSION, data_path ? file_name(data_path) : NULL};
    ok = ok && export_model(s->graph, &options, (ExportSink){to_stream, &model},
                            (ExportSink){to_stream, &data});
    if (data.file) ok &= output_end(&data);
    return output_end(&model) && ok;
}

static int write_onnx(Session *s) {
    const Options *o = s->options;
    if (!pipeline_import(s) || !pipeline_passes(s)) return diag_status(&s->unit);
    session_stage(s, "writing");
    bool outside = o->external_data || export_data_bytes(s->graph) > EXPORT_INSIDE_MAX;
    const char *data_path = outside ? arena_format(s->unit.arena, "%s.data", o->output) : NULL;
    bool ok = write_files(s, o->output, data_path) && output_commit(&s->unit, &s->outputs);
    return ok ? STATUS_OK : diag_status(&s->unit);
}

static int give_text(Session *s, const Text *text) {
    const char *path = s->options->output;
    session_stage(s, NULL);
    if (!path) return fwrite(text->at, 1, text->n, stdout), STATUS_OK;
    bool ok = output_add(&s->unit, &s->outputs, path, text->at, text->n) &&
              output_commit(&s->unit, &s->outputs);
    return ok ? STATUS_OK : diag_status(&s->unit);
}

int command_opt(Session *s) {
    const Options *o = s->options;
    if (o->output && path_ends(o->output, ".onnx")) return write_onnx(s);
    Text text = {.arena = s->unit.arena};
    if (o->loops || path_ends(o->operand, ".loops")) {
        Program *p = pipeline_program(s, o->plain);
        if (!p) return diag_status(&s->unit);
        program_print(p, &text);
    } else {
        if (!pipeline_import(s) || !pipeline_passes(s)) return diag_status(&s->unit);
        graph_print(s->graph, &text);
    }
    return give_text(s, &text);
}
