/* deform.h - what the two lowerings of DeformConv share: private to ir/ops. */
#ifndef SONOC_DEFORM_H
#define SONOC_DEFORM_H

#include "lower.h"

/* SCALE is BranchDeformConv's: a map for each branch.  Channel b * C + c of what is sampled is channel c of X, which has
 * C, times map b. */
enum {
    DEFORM_X, DEFORM_W, DEFORM_OFFSET, DEFORM_BIAS, DEFORM_MASK, DEFORM_SCALE,
    /* PairDeformConv's: the largest magnitude of a sample in each image, and the scale of each output's weights */
    DEFORM_LIMIT, DEFORM_WEIGHT_SCALE
};
enum { DEFORM_BRANCHES = 4 }; /* at most */

int64_t deform_branches(const Node *n); /* 1 without SCALE */
bool deform_is_pairs(const Node *n);
/* An output of PairDeformConv, from the sum of its products. */
const Expr *deform_pair_result(Lower *l, const Node *n, const Expr *const *index, const Expr *sum);
void deform_product(Lower *l, Node *n);

#endif
