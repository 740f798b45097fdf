/* lower_plan.h - what the lowerer knows of each value and node; private to ir/lower*.c. */
#ifndef SONOC_LOWER_PLAN_H
#define SONOC_LOWER_PLAN_H

#include "lower_variant.h"

/* Where a value's elements come from. */
typedef struct ValuePlan {
    bool stored;             /* has storage of its own; else composed into whoever loads it */
    bool channels_last;      /* stored with dimension 1 innermost */
    bool has_storage, has_packed;
    bool halo_filled;
    int64_t halo_begin[8], halo_end[8];   /* zeros stored around each spatial axis */
    Storage storage;
    Storage packed;          /* a channels-last copy, where own storage is in another order */
    Node *epilogue;          /* the ELEM node that takes this value in registers, before any store */
    const Node *container;   /* the Concat in whose output's storage this value lies, or NULL */
    int64_t container_at;    /* where it begins there along the Concat's axis */
    Buffer *constant;
    int cost;                /* scalar steps to compute an element when composed */
    int64_t elements_read;   /* by all its readers in a run */
    bool wanted;             /* some reader needs it as a buffer */
    Node *reader;            /* the first that names it */
} ValuePlan;

typedef struct NodePlan {
    bool root;               /* gives kernels of its own */
    bool in_epilogue;        /* runs inside another node's kernel */
    const Node *lower_here;  /* the root whose kernels are built at this position in the node order */
    Node *next;              /* the next REDUCE node that runs in the same kernel */
    int kernel_at;           /* the position of the kernel that it runs in; -1: it is composed */
    const Variant *variant;  /* where it has a choice */
    Effort effort;               /* that the variant does */
    bool continues;          /* the kernel at this position goes on from the one before */
} NodePlan;

typedef struct LowerPlan {
    const LowerOptions *options;
    ValuePlan *values;       /* by value id */
    NodePlan *nodes;         /* by position in graph->nodes */
    Map node_index;          /* Node * -> position + 1 */
    Map kernel_names;        /* interned name -> taken */
    const Node *root;        /* being lowered */
    Builder *pending;        /* the last kernel, complete unless the next one continues it */
    const Node *pending_root;
    int64_t pending_macs;    /* of the kernels that it was continued from */
    struct LoadMemo *memo;   /* composed elements of the kernel being built */
    int memo_size, memo_used;
} LowerPlan;

static inline ValuePlan *value_plan(const Lower *l, const Value *v) { return &l->plan->values[v->id]; }
NodePlan *node_plan(const Lower *l, const Node *n);
const Value *final_value(const Lower *l, const Value *v);   /* that an element of v ends up in, by epilogues */

void lower_decide(Lower *l);                 /* lower_decide.c: what is stored, where, in which order */
void lower_group(Lower *l);                  /* lower_group.c: which REDUCE nodes share a kernel */
void lower_join(Lower *l);                   /* lower_join.c: which kernels are joined with the next */
int concat_axis(const Node *n);
void storage_make(Lower *l, const Value *v); /* lower_storage.c: the buffer of a stored value */
void storage_fill_halo(Lower *l, const Value *v);
const Expr *storage_index(Lower *l, const Storage *s, int rank, const Expr *const *index);
bool is_in_place(Lower *l, const Node *n);   /* lower.c: a Concat whose parts are all where they belong */
void memo_reset(Lower *l);                   /* lower_load.c */
const Expr *lower_element(Lower *l, const Node *n, int output, const Expr *const *index);
void lower_reduce(Lower *l, Node *n);        /* lower_reduce.c */

/* lower_loops.c: as lower_for_each, in the order of other storage; over a box of given dims and strides. */
void lower_for_each_in(Lower *l, const Value *v, const Storage *s, ElementFn *body, void *context);
void lower_for_each_dim(Lower *l, int rank, const int64_t *dims, const int64_t *stride,
                        ElementFn *body, void *context);

#endif
