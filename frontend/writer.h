/* writer.h - what the parts of the exporter share while one model is written. */
#ifndef SONOC_WRITER_H
#define SONOC_WRITER_H

#include "export.h"

#include "onnx.pb-c.h"

/* The data of a constant in the file beside the model. */
typedef struct OutsideData {
    const void *data;
    int64_t bytes, offset;
} OutsideData;

typedef struct Writer {
    Unit *unit;
    const ExportOptions *options;
    int version;               /* of the standard operators: the oldest that has all nodes */
    VEC(const char *) domains; /* others that nodes are of, in order of their first use */
    VEC(OutsideData) outside;
    int64_t outside_bytes;
    VEC(Onnx__FunctionProto *) functions;
    VEC(struct WrittenFunction *) written; /* one for each of them */
} Writer;

#define NEW_PROTO(w, type, init) proto_new((w)->unit, &(type)init, sizeof(type))
void *proto_new(Unit *u, const void *init, size_t size);
char *proto_text(const char *text); /* protobuf-c does not write, but its strings are not const */

/* export_version.c: the oldest operator set from 21 on that has the node as it stands. */
int version_of_node(const Node *n);

/* export_node.c */
Onnx__NodeProto *write_node(Writer *w, const Node *n);
/* A function's body holds constants as nodes. */
Onnx__NodeProto *write_constant_node(Writer *w, const Value *v);
Onnx__TensorProto *write_tensor(Writer *w, const char *name, const Tensor *t);
int64_t tensor_file_bytes(const Tensor *t); /* of raw data */

/* export.c */
Onnx__GraphProto *write_graph(Writer *w, const Graph *g);
Onnx__OperatorSetIdProto **write_opsets(Writer *w, size_t *n);

/* export_function.c: the node calls a function where it has an expansion that ONNX lacks. */
void write_function(Writer *w, const Node *n, Onnx__NodeProto *call);

#endif
