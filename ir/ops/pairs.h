/* pairs.h - rounded numbers, two to an i32, as DOT2 multiplies them: private to ir/ops. */
#ifndef SONOC_PAIRS_H
#define SONOC_PAIRS_H

#include "lower.h"

enum {
    PAIR_BLOCK = 8,     /* pairs side by side whose halves are runs of channels */
    PAIR_CHUNK = 256    /* products of so many pairs are added in i32: pair_largest_sum */
};
enum { MIN_BITS = 4, MAX_BITS = 16 };

/* Of `channels`: whole blocks of 16 are 8 pairs, of channels c and c + 8; of the rest, neighbours are a pair, and
 * the last has a zero beside it. */
int64_t pair_count(int64_t channels);
/* The longest part, in whole blocks, of which so many pairs consist and whose sum cannot overflow; 0: there is none. */
int64_t pair_chunk(int64_t pairs);
/* Of the largest weights of an output, as many as a part has: of the output where it is largest.  Times the largest number
 * of a map it must not exceed an i32. */
int64_t pair_largest_sum(Arena *a, const Tensor *weights);
/* The channel in a half (0, 1) of a pair; as large as `channels` where there is none. */
const Expr *pair_channel(Lower *l, int64_t channels, const Expr *pair, int half);
const Expr *pair_make(Lower *l, const Expr *low, const Expr *high);      /* of i32, of which the low 16 bits count */
/* The largest magnitude of a rounded number. */
double pair_most(const Node *n);
/* x * factor, at most `most`, rounded half to even: in the low 16 bits of an i32. */
const Expr *pair_round(Lower *l, const Expr *x, const Expr *factor, double most);
const Expr *pair_limit(Lower *l, const Value *limit, const Expr *image);
/* What x is multiplied with before it is rounded: most / limit, where x is at most `limit`. */
const Expr *pair_factor(Lower *l, const Value *limit, const Expr *image, double most);

/* A pair of weights of W [outputs, channels, taps..], i16: by output channel, position in W's taps and pair. */
const Expr *pair_weight(Lower *l, const Buffer *source, const Expr *tap_index, int64_t channel_stride,
                        int64_t channels, const Expr *pair);

typedef struct Infer Infer;
/* LIMIT is [N or 1, 1, ...] of X's rank; `bits` is what can be done. */
bool pair_infer_limit(Infer *f, Node *n, int k, int rank, int64_t images);
/* W [outputs, channels, taps..], of type i16, with a scale for each output. */
bool pair_infer_weights(Infer *f, Node *n, int w, int scale);

#endif
