/* move.h - what the files of the MOVE family share; private to ir/ops/move*.c. */
#ifndef SONOC_MOVE_H
#define SONOC_MOVE_H

#include "infer.h"
#include "lower.h"
#include "ops/ops.h"

typedef struct Ints {
    int64_t at[2 * MAX_RANK];
    int n;
} Ints;

/* Input k as numbers.  The first reports what is wrong; the second is for inputs that the first has
 * accepted. */
bool move_infer_ints(Infer *f, Node *n, int k, Ints *out);
Ints move_ints(const Node *n, int k);
/* The axes of input k, each in 0..rank-1 and none twice; false: reported.  An absent input names
 * none. */
bool move_infer_axes(Infer *f, Node *n, int k, int rank, Ints *axes);

/* Indices that are known (input 1): entry j of each group of `depth` within -dims[j]..dims[j]-1; false: reported. */
bool move_infer_within(Infer *f, Node *n, const int64_t *dims, int64_t depth);

/* i brought into 0..size-1; gives i itself where that is proven. */
const Expr *move_clamp(Lower *l, const Expr *i, int64_t size);
/* An index that was loaded: as i64, negative ones counted from the end, clamped. */
const Expr *move_wrap(Lower *l, const Expr *i, int64_t size);
/* Input k, which has one element. */
const Expr *move_load_scalar(Lower *l, const Node *n, int k);

static inline int64_t move_dim(const Value *v, int d) { return v->dims[d].size; }
/* `axis` of a checked attribute, counted from the front. */
static inline int move_axis(const Node *n, const char *name, int rank) {
    int64_t axis = node_int(n, name);
    return (int)(axis < 0 ? axis + rank : axis);
}

#endif
