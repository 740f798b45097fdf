/* export.c - a graph out as an ONNX model: the graph's messages, their versions, and the bytes.
 *
 * The messages are small: protobuf-c hands them on piece by piece, and the constants' data straight
 * from where it lies.  Names are kept; nothing depends on addresses or time, so the same graph
 * gives the same bytes. */
#include "writer.h"

#include <string.h>

/* The format's version that came with an operator set. */
static int ir_of_opset(int version) {
    if (version <= 22) return 10;
    if (version == 23) return 11;
    if (version == 24) return 12;
    return version <= 27 ? 13 : 14;
}

static Onnx__TensorShapeProto__Dimension *write_dim(Writer *w, const Dim *d) {
    Onnx__TensorShapeProto__Dimension *p =
        NEW_PROTO(w, Onnx__TensorShapeProto__Dimension, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT);
    if (d->size >= 0) {
        p->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        p->dim_value = d->size;
    } else if (d->symbol) {
        p->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        p->dim_param = proto_text(d->symbol);
    }
    return p;
}

static Onnx__TypeProto *write_type(Writer *w, const Value *v) {
    Onnx__TypeProto *type = NEW_PROTO(w, Onnx__TypeProto, ONNX__TYPE_PROTO__INIT);
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    Onnx__TypeProto__Tensor *t =
        NEW_PROTO(w, Onnx__TypeProto__Tensor, ONNX__TYPE_PROTO__TENSOR__INIT);
    type->tensor_type = t;
    t->has_elem_type = 1;
    t->elem_type = dtypes[v->dtype].onnx;
    if (v->rank < 0) return type;
    t->shape = NEW_PROTO(w, Onnx__TensorShapeProto, ONNX__TENSOR_SHAPE_PROTO__INIT);
    t->shape->n_dim = (size_t)v->rank;
    t->shape->dim = NEW_ARRAY(w->unit->arena, Onnx__TensorShapeProto__Dimension *, v->rank);
    for (int d = 0; d < v->rank; d++) t->shape->dim[d] = write_dim(w, &v->dims[d]);
    return type;
}

static Onnx__ValueInfoProto *write_value(Writer *w, const Value *v) {
    Onnx__ValueInfoProto *p = NEW_PROTO(w, Onnx__ValueInfoProto, ONNX__VALUE_INFO_PROTO__INIT);
    p->name = proto_text(v->name);
    if (v->dtype != DT_NONE) p->type = write_type(w, v);
    return p;
}

static Onnx__ValueInfoProto **write_values(Writer *w, Value *const *values, int n) {
    Onnx__ValueInfoProto **list = NEW_ARRAY(w->unit->arena, Onnx__ValueInfoProto *, n);
    for (int i = 0; i < n; i++) list[i] = write_value(w, values[i]);
    return list;
}

/* Values in between whose types are known; constants that something needs. */
typedef struct Inner {
    VEC(Value *) typed, constants;
} Inner;

/* Uses in subgraphs count too, so a constant is looked for among all of the graph's values. */
static Inner find_inner(Writer *w, const Graph *g) {
    Inner inner = {0};
    for (int i = 0; i < g->values.n; i++) {
        Value *v = g->values.at[i];
        if (v->constant && v->n_uses) vec_push(w->unit->arena, &inner.constants, v);
    }
    for (int i = 0; i < g->nodes.n; i++) {
        const Node *n = g->nodes.at[i];
        for (int k = 0; k < n->n_outputs; k++) {
            Value *v = n->outputs[k];
            if (v && !v->is_output && v->dtype != DT_NONE && v->rank >= 0)
                vec_push(w->unit->arena, &inner.typed, v);
        }
    }
    return inner;
}

/* Passes may give one name to several nodes; engines refuse that.  The first keeps it. */
static void separate_names(Writer *w, Onnx__NodeProto **nodes, size_t n) {
    Map first = {.arena = w->unit->arena};
    for (size_t i = n; i-- > 0;)
        if (nodes[i]->name)
            map_set(&first, (uintptr_t)name_intern(w->unit->names, nodes[i]->name), nodes[i]);
    for (size_t i = 0; i < n; i++) {
        const char *name = nodes[i]->name;
        if (!name) continue;
        name = name_intern(w->unit->names, name);
        if (map_get(&first, (uintptr_t)name) == nodes[i]) continue;
        for (int k = 2; map_get(&first, (uintptr_t)name); k++)
            name = name_intern(w->unit->names,
                               arena_format(w->unit->arena, "%s_%d", nodes[i]->name, k));
        map_set(&first, (uintptr_t)name, nodes[i]);
        nodes[i]->name = proto_text(name);
    }
}

Onnx__GraphProto *write_graph(Writer *w, const Graph *g) {
    Onnx__GraphProto *p = NEW_PROTO(w, Onnx__GraphProto, ONNX__GRAPH_PROTO__INIT);
    Inner inner = find_inner(w, g);
    p->name = proto_text(g->name && *g->name ? g->name : "graph");
    p->n_node = (size_t)g->nodes.n;
    p->node = NEW_ARRAY(w->unit->arena, Onnx__NodeProto *, g->nodes.n);
    for (int i = 0; i < g->nodes.n; i++) p->node[i] = write_node(w, g->nodes.at[i]);
    separate_names(w, p->node, p->n_node);
    p->n_initializer = (size_t)inner.constants.n;
    p->initializer = NEW_ARRAY(w->unit->arena, Onnx__TensorProto *, inner.constants.n);
    for (int i = 0; i < inner.constants.n; i++)
        p->initializer[i] =
            write_tensor(w, inner.constants.at[i]->name, inner.constants.at[i]->constant);
    p->n_input = (size_t)g->inputs.n;
    p->input = write_values(w, g->inputs.at, g->inputs.n);
    p->n_output = (size_t)g->outputs.n;
    p->output = write_values(w, g->outputs.at, g->outputs.n);
    p->n_value_info = (size_t)inner.typed.n;
    p->value_info = write_values(w, inner.typed.at, inner.typed.n);
    return p;
}

Onnx__OperatorSetIdProto **write_opsets(Writer *w, size_t *n) {
    *n = (size_t)w->domains.n + 1;
    Onnx__OperatorSetIdProto **list = NEW_ARRAY(w->unit->arena, Onnx__OperatorSetIdProto *, *n);
    for (size_t i = 0; i < *n; i++) {
        list[i] = NEW_PROTO(w, Onnx__OperatorSetIdProto, ONNX__OPERATOR_SET_ID_PROTO__INIT);
        list[i]->domain = proto_text(i ? w->domains.at[i - 1] : "");
        list[i]->has_version = 1;
        list[i]->version = i ? 1 : w->version;
    }
    return list;
}

static Onnx__ModelProto *write_model(Writer *w, const Graph *g) {
    Onnx__ModelProto *m = NEW_PROTO(w, Onnx__ModelProto, ONNX__MODEL_PROTO__INIT);
    m->graph = write_graph(w, g);
    m->has_ir_version = 1;
    m->ir_version = ir_of_opset(w->version);
    m->producer_name = proto_text("sonoc");
    m->producer_version = proto_text(w->options->producer_version);
    m->opset_import = write_opsets(w, &m->n_opset_import);
    m->functions = w->functions.at;
    m->n_functions = (size_t)w->functions.n;
    for (int i = 0; i < w->functions.n; i++)
        w->functions.at[i]->opset_import[0]->version = w->version;
    return m;
}

/* Bytes. */

typedef struct Buffered {
    ProtobufCBuffer base;
    ExportSink sink;
    bool failed;
} Buffered;

static void append(ProtobufCBuffer *base, size_t n, const uint8_t *bytes) {
    Buffered *b = (Buffered *)base;
    if (n && !b->failed) b->failed = !b->sink.write(b->sink.context, bytes, n);
}

static bool pour_outside(const Writer *w, ExportSink sink) {
    static const uint8_t zeros[4096];
    int64_t at = 0;
    for (int i = 0; i < w->outside.n; i++) {
        const OutsideData *d = &w->outside.at[i];
        if (d->offset > at && !sink.write(sink.context, zeros, (size_t)(d->offset - at)))
            return false;
        if (!sink.write(sink.context, d->data, (size_t)d->bytes)) return false;
        at = d->offset + d->bytes;
    }
    return true;
}

int64_t export_data_bytes(const Graph *g) {
    int64_t bytes = 0;
    for (int i = 0; i < g->values.n; i++)
        if (g->values.at[i]->constant) bytes += tensor_file_bytes(g->values.at[i]->constant);
    return bytes;
}

bool export_model(const Graph *g, const ExportOptions *options, ExportSink model, ExportSink data) {
    Writer w = {.unit = g->unit, .options = options};
    graph_count_uses((Graph *)(uintptr_t)g);
    int before = diag_count(g->unit);
    const Onnx__ModelProto *m = write_model(&w, g);
    if (diag_count(g->unit) > before) return false;
    Buffered b = {.base = {append}, .sink = model};
    protobuf_c_message_pack_to_buffer(&m->base, &b.base);
    return !b.failed && (!options->data_location || pour_outside(&w, data));
}
