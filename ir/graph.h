/* graph.h - the graph IR: WHAT is computed.  Nodes in topological order over values in single assignment. */
#ifndef SONOC_GRAPH_H
#define SONOC_GRAPH_H

#include "diag.h"
#include "op.h"
#include "type.h"

typedef struct Value Value;
typedef struct Graph Graph;

/* A tensor that the graph names.  Its dims are known once inference ran (rank -1 before). */
struct Value {
    int id;                        /* unique in the graph, dense from 0 */
    const char *name;              /* the ONNX name, interned; unique in the graph */
    DType dtype;                   /* DT_NONE before inference */
    int rank;                      /* -1: not known yet */
    Dim *dims;
    Node *producer;                /* NULL for inputs and constants */
    const Tensor *constant;        /* not NULL: the value is this constant */
    int n_uses;                    /* inputs of nodes that name it, and graph outputs; kept by graph_count_uses */
    bool is_input, is_output;
};

typedef enum AttrKind {
    AT_NONE, AT_INT, AT_FLOAT, AT_STRING, AT_TENSOR, AT_GRAPH, AT_INTS, AT_FLOATS, AT_STRINGS
} AttrKind;

typedef struct Attr {
    const char *name;              /* interned */
    AttrKind kind;
    int n;                         /* length of a list */
    union {
        int64_t i;
        float f;
        const char *s;
        const Tensor *tensor;
        Graph *graph;
        const int64_t *ints;
        const float *floats;
        const char *const *strings;
    } u;
} Attr;

struct Node {
    const OpInfo *op;              /* never NULL in a checked graph */
    const char *name;              /* the ONNX node name, may be "" */
    Value **inputs;                /* NULL: an optional input that is absent */
    Value **outputs;               /* NULL: an optional output that nobody wants */
    Attr *attrs;
    int n_inputs, n_outputs, n_attrs;
    int position;                  /* in the file's node list, for messages; -1 if made by us */
    const char *scope;             /* function or subgraph it came from, for messages; NULL at the top */
    bool dead;                     /* dropped by graph_sweep */
};

struct Graph {
    Unit *unit;
    const char *name;
    VEC(Value *) values;           /* all values ever made; index == id */
    VEC(Node *) nodes;             /* topological order */
    VEC(Value *) inputs;           /* those the caller gives (initializers are not among them) */
    VEC(Value *) outputs;
    Map by_name;                   /* interned name -> Value */
    Graph *outer;                  /* of a subgraph */
};

Graph *graph_new(Unit *u, const char *name);

/* A new value.  An empty or taken name is made unique by a suffix. */
Value *graph_add_value(Graph *g, const char *name);
Value *graph_add_input(Graph *g, const char *name, DType dtype, int rank, const Dim *dims);
Value *graph_add_constant(Graph *g, const char *name, const Tensor *t);
Value *graph_find_value(const Graph *g, const char *name);       /* NULL if absent */
void graph_set_output(Graph *g, Value *v);

/* Appends a node; its outputs must have no producer yet.  `inputs` and `outputs` are copied. */
Node *graph_add_node(Graph *g, const OpInfo *op, const char *name, Value *const *inputs, int n_inputs,
                     Value *const *outputs, int n_outputs);
void value_set_type(Graph *g, Value *v, DType dtype, int rank, const int64_t *dims);   /* copies dims */
bool value_is_static(const Value *v);                            /* all dims are integers */
int64_t value_count(const Value *v);                             /* elements; -1 if not static */

/* Attributes.  The getters fall back to the operator table's default. */
Attr *node_set_attr(Graph *g, Node *n, const char *name, AttrKind kind);   /* value to be filled by the caller */
void node_set_int(Graph *g, Node *n, const char *name, int64_t i);
void node_set_float(Graph *g, Node *n, const char *name, float f);
void node_set_string(Graph *g, Node *n, const char *name, const char *s);
void node_set_ints(Graph *g, Node *n, const char *name, const int64_t *ints, int count);
void node_drop_attr(Node *n, const char *name);
const Attr *node_attr(const Node *n, const char *name);          /* NULL if not given (defaults not looked at) */
int64_t node_int(const Node *n, const char *name);
float node_float(const Node *n, const char *name);
const char *node_string(const Node *n, const char *name);
const int64_t *node_ints(const Node *n, const char *name, int *count);     /* NULL, 0 if not given */
static inline bool node_has(const Node *n, const char *name) { return node_attr(n, name) != NULL; }
static inline bool node_has_input(const Node *n, int k) { return k < n->n_inputs && n->inputs[k]; }
static inline bool node_has_output(const Node *n, int k) { return k < n->n_outputs && n->outputs[k]; }

void graph_replace_uses(Graph *g, Value *old, Value *by);        /* in all nodes and outputs */
void graph_count_uses(Graph *g);
void graph_sweep(Graph *g);          /* drops dead nodes (and those whose outputs nobody uses), keeps order */
void graph_sort(Graph *g);           /* topological order, stable */

Place node_place(const Node *n);
Place node_place_attr(const Node *n, const char *attribute);

/* Invariants: single assignment, order, arity, attributes and their kinds from the tables, names unique.
 * Returns NULL, or what is wrong, in the unit's arena. */
const char *graph_check(const Graph *g);

/* A copy in another unit: nodes in the same places, values with the same ids; constants are shared, so that it must
 * not outlive g. */
Graph *graph_copy(Unit *u, const Graph *g);
/* A copy of the nodes that are marked: what they take from others are inputs, what others take from them, or was an
 * output, are outputs.  NULL: the type of such an input is not known, or nothing is left. */
Graph *graph_extract(Unit *u, const Graph *g, const bool *keep);

/* Text form; graph_parse(graph_print(g)) gives an equal graph.  The grammar heads graph_text.c.
 * Large constants print by hash; parsing then needs `constants` (Map hash -> Tensor *), or NULL: zeros. */
void graph_print(const Graph *g, Text *out);
void graph_print_whole(const Graph *g, Text *out);               /* with the elements of all constants */
Graph *graph_parse(Unit *u, const char *text, const Map *constants);   /* NULL: reported in the unit */

#endif
