/* op.h - the operator table.  One row an operator, in ir/ops/<family>.def; everything else is derived from it.
 *
 * kind     the row gives                                   examples
 * ELEM     a scalar expression over its inputs             Add, Sigmoid, Where, Cast
 * MOVE     the element of an output at an index, by        Transpose, Slice, Concat, Pad, Gather
 *          asking for elements of the inputs
 * REDUCE   start, step and finish over some axes           ReduceMean, ArgMax, GlobalAveragePool
 * EXPAND   a small graph of other operators                GroupNormalization, Softmax, Gelu
 * CODE     a function that builds loop IR                  Conv, MatMul, MaxPool, Resize */
#ifndef SONOC_OP_H
#define SONOC_OP_H

#include "type.h"

typedef struct Node Node;
typedef struct Infer Infer;
typedef struct Lower Lower;
typedef struct Expr Expr;
struct Graph;

typedef enum OpKind { OK_ELEM, OK_MOVE, OK_REDUCE, OK_EXPAND, OK_CODE } OpKind;

typedef enum OpId {
    OP_NONE,
#define ELEM(id, ...) OP_##id,
#define MOVE(id, ...) OP_##id,
#define REDUCE(id, ...) OP_##id,
#define EXPAND(id, ...) OP_##id,
#define CODE(id, ...) OP_##id,
#include "ops/ops.def"
#undef ELEM
#undef MOVE
#undef REDUCE
#undef EXPAND
#undef CODE
    OP_COUNT
} OpId;

typedef struct AttrInfo {
    const char *name;
    int kind;                      /* AttrKind */
    const char *default_text;      /* NULL: none; else the default as text: "1", "0.01", "NOTSET" */
} AttrInfo;

/* Sets dtype and dims of the node's outputs (infer.h); false: reported. */
typedef bool InferFn(Infer *f, Node *n);
/* ELEM: the element from the inputs' elements x (NULL where an optional input is absent).  lower.h */
typedef const Expr *ElemFn(Lower *l, const Node *n, const Expr *const *x);
/* MOVE: the element of output k at `index` (one i64 expression a dimension).  lower.h */
typedef const Expr *MoveFn(Lower *l, const Node *n, int k, const Expr *const *index);
/* EXPAND: adds equivalent nodes to g that define the node's outputs; the node itself is dropped after. */
typedef bool ExpandFn(struct Graph *g, Node *n);
/* CODE: builds the kernels of the node.  lower.h */
typedef void CodeFn(Lower *l, Node *n);

/* REDUCE: how elements over `axes` become one.  lower.h tells the order of summation. */
typedef struct ReduceRule ReduceRule;

/* How a CODE operator wants an input: by element (anything can be composed into it), or as a buffer. */
typedef enum Need { NEED_ELEMENTS, NEED_BUFFER, NEED_CHANNELS_LAST } Need;
typedef struct InputNeed {
    Need need;
    int readings;                  /* NEED_ELEMENTS: how often each element is read; 0: several times */
    int64_t halo_begin[8], halo_end[8];   /* NEED_CHANNELS_LAST: zeros wanted around each spatial axis */
} InputNeed;
typedef void NeedFn(const Lower *l, const Node *n, int input, InputNeed *need);

typedef struct OpInfo {
    OpId id;
    const char *name;              /* ONNX name */
    const char *domain;            /* "" or a custom domain */
    OpKind kind;
    int since;                     /* opset version of the form that we have */
    int min_inputs, max_inputs, min_outputs, max_outputs;     /* max -1: any number */
    InferFn *infer;
    ElemFn *elem;
    MoveFn *move;
    const ReduceRule *reduce;
    ExpandFn *expand;
    CodeFn *code;
    NeedFn *need;                  /* CODE only; NULL: all NEED_ELEMENTS */
    const AttrInfo *attrs;         /* ends with a name NULL */
    const struct sonoc_op *custom; /* of a registered operator (custom.h): its id is OP_NONE; else NULL */
} OpInfo;

extern const OpInfo op_infos[OP_COUNT];

const OpInfo *op_find(const char *domain, const char *name);   /* NULL if sonoc lacks it */
/* In the table, or else among the operators that are registered in the unit. */
const OpInfo *op_find_in(const Unit *u, const char *domain, const char *name);
const AttrInfo *op_find_attr(const OpInfo *op, const char *name);

#endif
