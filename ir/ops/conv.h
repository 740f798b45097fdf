/* conv.h - a Conv node as its loops want it: private to ir/ops. */
#ifndef SONOC_CONV_H
#define SONOC_CONV_H

#include "gemm.h"
#include "window.h"

typedef struct Conv {
    Node *node;
    const Value *x, *w, *bias, *out;
    int axes;                        /* spatial */
    int64_t groups, in, out_channels;    /* channels of a group */
    Window window;
    const Storage *from;
    const Storage *weights;
    const Expr *n, *group;
} Conv;

Conv conv_of(const Node *n);
const Expr *conv_bias(Lower *l, const Conv *c, const Expr *channel, DType wide);    /* 0 where there is none */

/* The map channels-last with the zeros that the window (or, tiled, Winograd's tiles) reads around it. */
void conv_need_map(const Conv *c, bool tiled, InputNeed *need);
/* The implicit product, ready for its loops: A, rows, k loops, tiles, and B from the weights by g's own function.
 * g->context begins with the Conv. */
void conv_plan_product(Lower *l, Conv *c, Gemm *g);

/* winograd.c: whether it can compute this; outputs along axis d, in whole tiles; the kernels. */
bool winograd_applies(const Conv *c);
int64_t winograd_outputs(const Conv *c, int d);
void conv_winograd(Lower *l, Conv *c);

/* depthwise.c: one input channel a group. */
void conv_depthwise(Lower *l, Conv *c);

#endif
