/* custom_call.h - the far side of sonoc_op.h: what a call of a registered function works on.
 * Private to ir/ops/custom*.c. */
#ifndef SONOC_CUSTOM_CALL_H
#define SONOC_CUSTOM_CALL_H

#include "../../custom_ops/sonoc_op.h"
#include "custom.h"
#include "expand.h"

/* Nodes, values, expressions and local buffers go by our own pointers. */
#define OPAQUE(to, from, T)                                                                        \
    static inline T *to(const struct from *p) { return (T *)(uintptr_t)p; }                        \
    static inline struct from *from##_of(const T *p) { return (struct from *)(uintptr_t)p; }
OPAQUE(our_node, sonoc_node, Node)
OPAQUE(our_value, sonoc_value, Value)
OPAQUE(our_expr, sonoc_expr, Expr)
OPAQUE(our_array, sonoc_array, Buffer)
#undef OPAQUE

typedef struct Call {
    struct sonoc api; /* first: a struct sonoc is the head of its call */
    const char *who;  /* the operator or pass */
    Unit *unit;
    Graph *graph;
    Infer *infer;         /* in a shape rule; else NULL */
    Expansion *expansion; /* in an expansion */
    Lower *lower;         /* in formulas and loops */
    const Node *node;     /* that is lowered */
    bool is_pass, failed;
    AllowFn *allow;
    const void *allow_context;
} Call;

static inline Call *call_of(const struct sonoc *s) { return (Call *)(uintptr_t)s; }

Call call_begin(Unit *u, Graph *g, const char *who);
/* What only the author of the operator or pass can mend; does not return. */
_Noreturn void call_misused(const Call *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

void call_fill_graph(struct sonoc *api); /* custom_graph.c */
void call_fill_loop(struct sonoc *api);  /* custom_loop.c */

/* custom_loop.c */
const Expr *custom_elem(Lower *l, const Node *n, const Expr *const *x);
void custom_code(Lower *l, Node *n);

#endif
