/* reader.h - what the parts of the frontend share while one model is read. */
#ifndef SONOC_READER_H
#define SONOC_READER_H

#include "file.h"

#include "onnx.pb-c.h"

/* A node between file and graph: of any operator and version, known or not.  lift.c turns it into
 * the newest form. */
typedef struct RawNode {
    const char *op, *domain, *name; /* interned; the domain "ai.onnx" is "" */
    int version;                    /* of the domain's operator set */
    VEC(Value *) inputs, outputs;   /* NULL: absent */
    VEC(Attr) attrs;
    int position;
    const char *scope;
} RawNode;

/* A name in a scope.  `value` may be NULL: an argument that the caller left out. */
typedef struct Binding {
    Value *value;
    const char *what; /* "input", "initializer", "output of a node": for messages */
} Binding;

/* What inlining a function brings. */
typedef struct Cost {
    int64_t nodes;
    int64_t height; /* levels of calls and subgraphs in it */
} Cost;

/* Local functions.  State and cost belong to function.c. */
typedef struct Function {
    const Onnx__FunctionProto *proto;
    const char *name;
    int n_defaults;
    void **defaults; /* AttributeProto * */
    enum { COST_UNKNOWN, COST_BEGUN, COST_KNOWN } state;
    Cost cost;
} Function;

/* Where names are looked up while a graph, a subgraph or a function body is read. */
typedef struct Scope {
    struct Scope *outer; /* of a subgraph; NULL for a model and a function */
    Graph *graph;        /* that nodes are added to */
    Map bindings;        /* interned name -> Binding */
    Map results;         /* of a function body: name -> the call's output that it defines */
    const char *prefix;  /* of the names of values and nodes, "" at the top */
    const char *label;   /* for messages; NULL at the top */
    Onnx__OperatorSetIdProto **opsets;
    size_t n_opsets;
    const Function *function; /* whose body it is, or NULL */
    const RawNode *call;      /* that it is inlined for */
} Scope;

typedef struct Reader {
    Unit *unit;
    ImportOptions options; /* with all limits filled in */
    Shadow shadow;
    Folder *folder;
    Map tensors;                        /* TensorProto -> Tensor, each decoded once */
    int64_t tensor_bytes;               /* of all tensors so far */
    int64_t copied_bytes, copied_limit; /* of those that could not stay in the file */
    Onnx__OperatorSetIdProto **opsets;  /* of the model */
    size_t n_opsets;
    Map functions; /* interned key -> Function */
    int n_functions;
    VEC(struct UnknownOp *) unknown;
    Map unknown_by_key;
    Map ops; /* interned operator of the domain "" -> OpInfo */
} Reader;

/* Enough was said: reading on would only repeat it. */
bool reader_is_done(const Reader *r);

/* tensor.c.  NULL: reported. */
const char *onnx_type_text(Unit *u, int type); /* of a TensorProto.DataType, known to us or not */
const Tensor *read_tensor(Reader *r, Place place, const Onnx__TensorProto *proto);

/* attribute.c */
const char *attr_kind_text(int kind);
/* False: reported.  *absent: a reference to an attribute that the call does not give. */
bool read_attribute(Reader *r, const Scope *scope, const RawNode *node,
                    const Onnx__AttributeProto *proto, Attr *attr, bool *absent);
Place raw_place(const RawNode *node, const char *attribute);
Attr *raw_attr(RawNode *node, const char *name); /* NULL if not given */

/* graph_reader.c.  False: reported. */
bool read_graph(Reader *r, Scope *scope, const Onnx__GraphProto *proto);
Graph *read_subgraph(Reader *r, const Scope *outer, const RawNode *node, const char *attribute,
                     const Onnx__GraphProto *proto);
/* Declares the outputs of nodes, so that they are found whatever the order.  Returns them one node
 * after the other; NULL where an output has no name. */
Value **declare_outputs(Reader *r, Scope *scope, Onnx__NodeProto **nodes, size_t n);
void read_nodes(Reader *r, Scope *scope, Onnx__NodeProto **nodes, size_t n, Value **outputs);
void scope_bind(Reader *r, Scope *scope, const char *name, Value *value, const char *what);
const Binding *scope_find(const Scope *scope,
                          const char *name); /* here or further out; NULL if unknown */
Value *scope_value(Reader *r, const Scope *scope,
                   const char *name); /* a new value of that name; not bound */
void emit_node(Reader *r, Scope *scope,
               RawNode *node); /* checks a newest-form node against the table, adds it */
void value_make_constant(Graph *g, Value *v, const Tensor *t);
void unknown_report(Reader *r);

/* dims.c: the graph's inputs, with the caller's sizes for symbols; initializers are bound before.
 */
void read_inputs(Reader *r, Scope *scope, const Onnx__GraphProto *proto);
/* The type of an input or output, if it has one, is a tensor's with sound dimensions.  False:
 * reported. */
bool check_value_type(Reader *r, const char *what, const Onnx__ValueInfoProto *info);

/* order.c: topological order, or a cycle reported. */
bool order_graph(Reader *r, Graph *g);

/* function.c */
bool read_functions(Reader *r, const Onnx__ModelProto *model);
Function *find_function(Reader *r, const Onnx__NodeProto *call); /* NULL: of no function */
bool check_expansion(Reader *r, const Onnx__ModelProto *model);
void inline_call(Reader *r, Scope *scope, RawNode *call, const Function *function);

/* lift.c: brings a node to the newest form, or replaces it by others; hands them to emit_node. */
void lift_node(Reader *r, Scope *scope, RawNode *node);

const char *intern_format(Unit *u, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Interned, NULL and "ai.onnx" as "". */
const char *normal_domain(Reader *r, const char *domain);

enum { ATTRIBUTES_MAX = 1000, OPSETS_MAX = 1000, DIAGS_MAX = 200 };

#endif
