/* sonoc_op.h - all that an operator or a pass of your own needs to know of sonoc.
 *
 * Everything goes through one table of functions, struct sonoc; nothing has to be linked.  An
 * operator is a struct sonoc_op, a pass a struct sonoc_pass; the function sonoc_register hands them
 * over.  Inside the tree a folder of custom_ops/ holds that function, outside of it a shared object,
 * which --plugin=FILE.so loads.  docs/custom-operators.md walks through both. */
#ifndef SONOC_PUBLIC_OP_H
#define SONOC_PUBLIC_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header: first member of whatever is registered. */
#define SONOC_API 1

struct sonoc_node;  /* an operator applied to values */
struct sonoc_value; /* a tensor that a model names: an input, a constant, or a node's output */
struct sonoc_expr;  /* a scalar computed in a loop */
struct sonoc_array; /* a small array inside a loop */
struct sonoc;       /* what can be asked for and done */

typedef const struct sonoc_expr *sonoc_x;
typedef sonoc_x sonoc_unary(const struct sonoc *s, sonoc_x x);
typedef sonoc_x sonoc_binary(const struct sonoc *s, sonoc_x x, sonoc_x y);
typedef void sonoc_body(const struct sonoc *s, const sonoc_x *index, void *context);

/* Element types, numbered as in ONNX. */
enum sonoc_dtype {
    SONOC_F32 = 1,
    SONOC_U8 = 2,
    SONOC_I8 = 3,
    SONOC_U16 = 4,
    SONOC_I16 = 5,
    SONOC_I32 = 6,
    SONOC_I64 = 7,
    SONOC_BOOL = 9,
    SONOC_F16 = 10,
    SONOC_F64 = 11,
    SONOC_U32 = 12,
    SONOC_U64 = 13,
    SONOC_BF16 = 16
};

enum sonoc_attr_kind {
    SONOC_INT = 1,
    SONOC_FLOAT,
    SONOC_STRING,
    SONOC_TENSOR,
    SONOC_INTS = 6,
    SONOC_FLOATS,
    SONOC_STRINGS
};

/* A tensor in memory, row-major: for reference functions. */
struct sonoc_tensor {
    int dtype, rank;
    const int64_t *dims;
    void *data;
};

/* Every element of a tensor from a box of terms: acc = start(); acc = step(k) for each k of the
 * box, row-major; finish stores.  The functions are given the element's index, and may load but not
 * open loops. */
struct sonoc_fold {
    int n_inner;      /* axes of the box, at most 8 */
    int64_t inner[8]; /* their extents */
    int n_acc;        /* accumulators, 1 or 2 */
    int acc[2];       /* their element types */
    void (*start)(const struct sonoc *s, const struct sonoc_node *n, const sonoc_x *index,
                  sonoc_x *acc, const void *context);
    void (*step)(const struct sonoc *s, const struct sonoc_node *n, const sonoc_x *index,
                 const sonoc_x *k, sonoc_x *acc, const void *context);
    void (*finish)(const struct sonoc *s, const struct sonoc_node *n, const sonoc_x *index,
                   const sonoc_x *acc, const void *context);
    const void *context;
};

/* What can be asked for and done.  Each group tells where its functions may be called. */
struct sonoc {
    int api;

    /* Anywhere: nodes and values.  Absent optional inputs and outputs are NULL. */
    int (*n_inputs)(const struct sonoc *s, const struct sonoc_node *n);
    int (*n_outputs)(const struct sonoc *s, const struct sonoc_node *n);
    struct sonoc_value *(*input)(const struct sonoc *s, const struct sonoc_node *n, int k);
    struct sonoc_value *(*output)(const struct sonoc *s, const struct sonoc_node *n, int k);
    bool (*is)(const struct sonoc *s, const struct sonoc_node *n, const char *domain,
               const char *name);
    int (*dtype)(const struct sonoc *s, const struct sonoc_value *v);
    int (*rank)(const struct sonoc *s, const struct sonoc_value *v);
    /* d < 0: from the last */
    int64_t (*dim)(const struct sonoc *s, const struct sonoc_value *v, int d);
    /* NULL: it is no constant.  May be unaligned: use memcpy. */
    const void *(*data)(const struct sonoc *s, const struct sonoc_value *v);
    /* Attributes; the defaults of the operator's table are filled in. */
    bool (*has)(const struct sonoc *s, const struct sonoc_node *n, const char *name);
    int64_t (*get_int)(const struct sonoc *s, const struct sonoc_node *n, const char *name);
    double (*get_float)(const struct sonoc *s, const struct sonoc_node *n, const char *name);
    const char *(*get_string)(const struct sonoc *s, const struct sonoc_node *n, const char *name);
    /* Fills `list` if exactly `count` integers are given; false: it is left as it is. */
    bool (*get_ints)(const struct sonoc *s, const struct sonoc_node *n, const char *name,
                     int64_t *list, int count);
    /* Tells the user what is wrong with the node (attribute may be NULL); gives false. */
    bool (*fail)(const struct sonoc *s, const struct sonoc_node *n, const char *attribute,
                 const char *format, ...);

    /* In a shape rule. */
    bool (*set_type)(const struct sonoc *s, struct sonoc_value *v, int dtype, int rank,
                     const int64_t *dims);

    /* In an expansion and in a pass: new nodes.  `attributes` is a printf format of settings
     * NAME=VALUE parted by blanks; a VALUE is a number, a word, or a list [1,2,3]: "axis=%d
     * mode=linear pads=[1,1]". The operator is a standard one, or DOMAIN::NAME.  The result is the
     * node's first output. */
    struct sonoc_value *(*make)(const struct sonoc *s, const char *op,
                                struct sonoc_value *const *inputs, int n_inputs,
                                const char *attributes, ...);
    struct sonoc_value *(*constant)(const struct sonoc *s, int dtype, int rank, const int64_t *dims,
                                    const void *data);
    struct sonoc_value *(*scalar)(const struct sonoc *s, int dtype, double value);
    struct sonoc_value *(*ints)(const struct sonoc *s, const int64_t *values, int n);
    /* In an expansion: the value is the node's output k. */
    void (*give)(const struct sonoc *s, struct sonoc_node *n, int k, struct sonoc_value *v);

    /* In a pass: the graph, nodes in topological order.  Nodes that nobody needs any more go by
     * themselves. */
    int (*n_nodes)(const struct sonoc *s);
    struct sonoc_node *(*node)(const struct sonoc *s, int i);
    struct sonoc_node *(*producer)(const struct sonoc *s, const struct sonoc_value *v);
    /* By nodes, and as graph outputs. */
    int (*n_uses)(const struct sonoc *s, const struct sonoc_value *v);
    /* Everybody who uses `old` uses `by`.  False: not done (--bisect-limit is reached). */
    bool (*replace)(const struct sonoc *s, struct sonoc_value *old, struct sonoc_value *by);

    /* In a formula and in loops: scalars.  Indices are I64; truths are BOOL. */
    sonoc_x (*index)(const struct sonoc *s, int64_t i);
    sonoc_x (*number)(const struct sonoc *s, int dtype, double x);
    int (*type)(const struct sonoc *s, sonoc_x x);
    sonoc_binary *add, *sub, *mul, *div, *rem, *min, *max;
    sonoc_binary *less, *equal, *both, *either; /* a truth; both, either: of truths */
    sonoc_unary *neg, *no;                      /* no: of a truth */
    sonoc_x (*fma)(const struct sonoc *s, sonoc_x x, sonoc_x y, sonoc_x z); /* x * y + z */
    sonoc_x (*select)(const struct sonoc *s, sonoc_x truth, sonoc_x yes, sonoc_x no);
    sonoc_x (*cast)(const struct sonoc *s, int dtype, sonoc_x x);
    /* exp, log, tanh, erf, sin, floor, ...: see ir/maths.def; x is F32 or F64. */
    sonoc_x (*math)(const struct sonoc *s, const char *name, sonoc_x x);

    /* In loops.  Elements go by their index in the tensor, one expression a dimension, each within
     * the tensor; 16-bit floats are loaded as F32.  `each` runs the body for every element of v,
     * one after the other; `fold` is faster, as it computes many elements at a time.  Either is a
     * kernel of its own. */
    void (*each)(const struct sonoc *s, const struct sonoc_value *v, sonoc_body *body,
                 void *context);
    void (*fold)(const struct sonoc *s, const struct sonoc_value *v, const struct sonoc_fold *fold);
    sonoc_x (*load)(const struct sonoc *s, const struct sonoc_value *v, const sonoc_x *index);
    void (*store)(const struct sonoc *s, const struct sonoc_value *v, const sonoc_x *index,
                  sonoc_x x);
    /* In the body of `each`: statements. */
    sonoc_x (*loop)(const struct sonoc *s, const char *name, int64_t extent); /* opens */
    void (*when)(const struct sonoc *s, sonoc_x truth);                       /* opens */
    void (*otherwise)(const struct sonoc *s);
    void (*end)(const struct sonoc *s); /* closes the innermost loop or condition */
    struct sonoc_array *(*array)(const struct sonoc *s, const char *name, int dtype, int64_t count);
    sonoc_x (*get)(const struct sonoc *s, const struct sonoc_array *a, sonoc_x i);
    void (*set)(const struct sonoc *s, struct sonoc_array *a, sonoc_x i, sonoc_x x);
    /* a[i] += x * y */
    void (*add_product)(const struct sonoc *s, struct sonoc_array *a, sonoc_x i, sonoc_x x,
                        sonoc_x y);
};

struct sonoc_attr {
    const char *name;
    enum sonoc_attr_kind kind;
    const char *standard; /* as text: "1", "0.5", "zeros"; NULL: none */
};

/* An operator.  It gives one of `element`, `expand` and `lower`; from that come the interpreter,
 * the C and the written ONNX alike. */
struct sonoc_op {
    int api; /* SONOC_API */
    const char *domain, *name;
    int min_inputs, max_inputs;     /* max -1: any number */
    int min_outputs, max_outputs;   /* 0, 0: one */
    const struct sonoc_attr *attrs; /* the last one has no name; NULL: no attributes */
    bool spelling; /* another name of what the expansion says: it gives way before any other pass */

    /* Sets the types of the outputs, or fails.  May be absent beside `expand`, which tells them,
     * and beside `element`: the inputs' shapes broadcast then, and the type is that of the first.
     */
    bool (*infer)(const struct sonoc *s, struct sonoc_node *n);

    /* A formula over the inputs' elements x (NULL where an input is absent). */
    sonoc_x (*element)(const struct sonoc *s, const struct sonoc_node *n, const sonoc_x *x);
    /* A small graph of other operators. */
    bool (*expand)(const struct sonoc *s, struct sonoc_node *n);
    /* Loops that store every element of every output. */
    void (*lower)(const struct sonoc *s, struct sonoc_node *n);

    /* The meaning in plain C, which `sonoc verify --reference` compares with; may be absent. */
    void (*reference)(const struct sonoc *s, const struct sonoc_node *n,
                      const struct sonoc_tensor *inputs, const struct sonoc_tensor *outputs);
};

/* What a pass promises: the same bits; the same over the real numbers; an approximation. */
enum sonoc_promise { SONOC_BIT, SONOC_REAL, SONOC_FAST };

struct sonoc_pass {
    int api; /* SONOC_API */
    const char *name, *summary;
    enum sonoc_promise promise;
    int level;                          /* the -O from which it runs */
    bool (*run)(const struct sonoc *s); /* false: it failed and said so */
    bool for_files;                     /* only where the graph is written as ONNX */
};

struct sonoc_registry {
    int api;
    void (*add_op)(const struct sonoc_registry *r, const struct sonoc_op *op);
    void (*add_pass)(const struct sonoc_registry *r, const struct sonoc_pass *pass);
};

/* You write it: it calls add_op and add_pass.  What it hands over must stay where it is. */
void sonoc_register(const struct sonoc_registry *r);

#ifdef __cplusplus
}
#endif

#endif
