/* opt.c - sonoc opt: the graph after the passes, or the loops after lowering, as text; or the graph as an ONNX model. */
#include "command.h"

#include "../custom_ops/sonoc_op.h"
#include "custom.h"
#include "export.h"
#include "json.h"
#include "pass.h"
#include <string.h>

static void print_registered(Session *s, Json *j) {
    for (int i = 0; i < registry_passes(&s->unit); i++) {
        const struct sonoc_pass *p = registry_pass(&s->unit, i);
        if (!s->options->json) {
            printf("%-12s %-4s -O%d  %s\n", p->name, pass_class_names[p->promise], p->level, p->summary);
            continue;
        }
        json_begin(j, NULL, '{');
        json_text(j, "name", p->name);
        json_text(j, "class", pass_class_names[p->promise]);
        json_int(j, "level", p->level);
        json_text(j, "summary", p->summary);
        json_end(j, '}');
    }
}

static int print_passes(Session *s) {
    const Options *o = s->options;
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
    print_registered(s, &j);
    if (o->json) json_end(&j, ']');
    return STATUS_OK;
}

static bool to_stream(void *context, const void *bytes, size_t n) { return output_write(context, bytes, n); }

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
    ok = ok && export_model(s->graph, &options, (ExportSink){to_stream, &model}, (ExportSink){to_stream, &data});
    if (data.file) ok &= output_end(&data);
    return output_end(&model) && ok;
}

static int write_onnx(Session *s) {
    const Options *o = s->options;
    if (!pipeline_import(s) || !pipeline_passes(s)) return diag_status(&s->unit);
    progress_stage(s->progress, "writing");
    bool outside = o->external_data || export_data_bytes(s->graph) > EXPORT_INSIDE_MAX;
    const char *data_path = outside ? arena_format(s->unit.arena, "%s.data", o->output) : NULL;
    bool ok = write_files(s, o->output, data_path) && output_commit(&s->unit, &s->outputs);
    return ok ? STATUS_OK : diag_status(&s->unit);
}

static int give_text(Session *s, const Text *text) {
    const char *path = s->options->output;
    progress_stage(s->progress, NULL);
    if (!path) return fwrite(text->at, 1, text->n, stdout), STATUS_OK;
    bool ok = output_add(&s->unit, &s->outputs, path, text->at, text->n) && output_commit(&s->unit, &s->outputs);
    return ok ? STATUS_OK : diag_status(&s->unit);
}

int command_opt(Session *s) {
    const Options *o = s->options;
    if (o->help_passes) return print_passes(s);
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
