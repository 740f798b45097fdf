/* import.c - an ONNX file in, a graph out.
 *
 * map the file -> scan.c (what may be unpacked at all) -> protobuf-c -> functions counted ->
 * graph_reader.c, where each node passes lift.c on its way -> order.c.  Whatever is wrong is a
 * diagnostic; NULL then. */
#include "reader.h"

#include <string.h>

enum { IR_OLDEST = 3, IR_NEWEST = 14, OPSET_OLDEST = 7, OPSET_NEWEST = 28 };

/* What unpacked messages may take: small files little, since they are the ones made to burst. */
static int64_t message_limit(size_t file_bytes) {
    const int64_t least = 32 << 20, most = 512 << 20;
    int64_t size = (int64_t)file_bytes, by_size = size < most ? least + 24 * size : 2 * size;
    int64_t cap = 2 * size > most ? 2 * size : most;
    return by_size < cap ? by_size : cap;
}

static void fill_limits(ImportLimits *limits, size_t file_bytes) {
#define LIMIT(field, by_default, what)                                                             \
    if (limits->field <= 0) limits->field = by_default;
#include "limits.def"
#undef LIMIT
    if (limits->call_depth > DEPTH_MAX) limits->call_depth = DEPTH_MAX;
    if (limits->depth > DEPTH_MAX) limits->depth = DEPTH_MAX;
    if (limits->message_bytes <= 0) limits->message_bytes = message_limit(file_bytes);
}

static void reader_begin(Reader *r, Unit *u, const ImportOptions *options, size_t file_bytes) {
    *r = (Reader){.unit = u,
                  .folder = folder_new(u, options),
                  .tensors.arena = u->arena,
                  .functions.arena = u->arena,
                  .unknown_by_key.arena = u->arena,
                  .ops.arena = u->arena};
    if (options) r->options = *options;
    fill_limits(&r->options.limits, file_bytes);
    r->copied_limit = r->options.limits.message_bytes;
}

/* Says what the file seems to be instead, if it seems to be something. */
static bool check_kind(Unit *u, Span file) {
    if (file.n == 0) return diag(u, NO_PLACE, D_NOT_ONNX, "the file is empty");
    const char *guess = file_guess(file);
    return !guess ||
           diag(u, NO_PLACE, D_NOT_ONNX, arena_format(u->arena, "it looks like %s", guess));
}

static ProtobufCMessage *read_message(Reader *r, const ProtobufCMessageDescriptor *type,
                                      Span file) {
    if (!check_kind(r->unit, file)) return NULL;
    if (!scan_message(r->unit, type, file, &r->options.limits, &r->shadow)) return NULL;
    return unpack_shadow(r->unit, type, &r->shadow, &r->options.limits);
}

static bool check_opsets(Reader *r, Onnx__OperatorSetIdProto **opsets, size_t n,
                         const char *whose) {
    if (n > OPSETS_MAX)
        return diag(r->unit, NO_PLACE, D_VERSION, "the file imports too many operator sets");
    for (size_t i = 0; i < n; i++) {
        long long version = (long long)opsets[i]->version;
        bool standard = !*normal_domain(r, opsets[i]->domain);
        if (version < 0 || version > INT32_MAX ||
            (standard && (version < OPSET_OLDEST || version > OPSET_NEWEST)))
            return diag(r->unit, NO_PLACE, D_VERSION,
                        arena_format(r->unit->arena, "%s operator set %lld; sonoc reads %d to %d",
                                     whose, version, OPSET_OLDEST, OPSET_NEWEST));
    }
    return true;
}

static bool check_versions(Reader *r, const Onnx__ModelProto *model) {
    Unit *u = r->unit;
    if (!model->graph) return diag(u, NO_PLACE, D_NOT_ONNX, "it has no graph");
    if (!model->has_ir_version) return diag(u, NO_PLACE, D_NOT_ONNX, "it has no ir_version");
    long long ir = (long long)model->ir_version;
    if (ir < IR_OLDEST || ir > IR_NEWEST)
        return diag(u, NO_PLACE, D_VERSION,
                    arena_format(u->arena, "the file has IR version %lld; sonoc reads %d to %d", ir,
                                 IR_OLDEST, IR_NEWEST));
    if (model->n_opset_import == 0)
        return diag(u, NO_PLACE, D_VERSION, "the model imports no operator set");
    bool ok = check_opsets(r, model->opset_import, model->n_opset_import, "the model needs");
    for (size_t i = 0; i < model->n_functions && ok; i++)
        ok = check_opsets(r, model->functions[i]->opset_import, model->functions[i]->n_opset_import,
                          "a function needs");
    return ok;
}

static Graph *read_model(Reader *r, const Onnx__ModelProto *model) {
    if (!check_versions(r, model) || !read_functions(r, model) || !check_expansion(r, model))
        return NULL;
    r->opsets = model->opset_import;
    r->n_opsets = model->n_opset_import;
    Arena *arena = r->unit->arena;
    Graph *g = graph_new(r->unit, model->graph->name);
    Scope scope = {.graph = g,
                   .prefix = "",
                   .opsets = r->opsets,
                   .n_opsets = r->n_opsets,
                   .bindings.arena = arena,
                   .results.arena = arena};
    bool ok = read_graph(r, &scope, model->graph);
    unknown_report(r);
    if (reader_is_done(r))
        diag_note(r->unit, "there may be more: reading stopped after %d errors", (int)DIAGS_MAX);
    return ok && r->unknown.n == 0 ? g : NULL;
}

static Graph *import_bytes(Unit *u, Span file, const ImportOptions *options) {
    Reader r;
    reader_begin(&r, u, options, file.n);
    ProtobufCMessage *message = read_message(&r, &onnx__model_proto__descriptor, file);
    Graph *g = message ? read_model(&r, (const Onnx__ModelProto *)message) : NULL;
    return g;
}

Graph *import_file(Unit *u, const char *path, const ImportOptions *options) {
    Span file;
    return file_map(u, path, &file) ? import_bytes(u, file, options) : NULL;
}

Graph *import_memory(Unit *u, const void *bytes, size_t n, const ImportOptions *options) {
    return import_bytes(u, (Span){bytes, n}, options);
}

const Tensor *import_tensor_file(Unit *u, const char *path, const char **name) {
    Span file;
    if (!file_map(u, path, &file)) return NULL;
    Reader r;
    reader_begin(&r, u, NULL, file.n);
    const Tensor *t = NULL;
    ProtobufCMessage *message = read_message(&r, &onnx__tensor_proto__descriptor, file);
    if (message) {
        const Onnx__TensorProto *proto = (const Onnx__TensorProto *)message;
        t = read_tensor(&r, NO_PLACE, proto);
        if (name) *name = name_intern(u->names, proto->name ? proto->name : "");
    }
    return t;
}
