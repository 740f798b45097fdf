/* gemm.h - the matrix micro-kernel that Conv, MatMul and Gemm share: private to ir/ops. */
#ifndef SONOC_GEMM_H
#define SONOC_GEMM_H

#include "lower_variant.h"

enum {
    GEMM_K = 8,
    FEW_BLOCKS = 32          /* below, an odd number of blocks keeps one of two threads waiting */
};

/* result[m][column] = start + sum over k of A[row(m) + k] * B[k][column], for m < rows, column < columns.
 * The inner dimension is a nest of loops (taps and channels of a convolution), outermost first.  A long sum is cut
 * into chunks: each is one chain of fused multiply-adds, and the chunks are added in order.  That keeps rounding
 * errors small and a chunk of B in the first-level cache. */
typedef struct Gemm Gemm;
struct Gemm {
    Node *node;
    DType wide;                            /* type of the arithmetic */
    bool pairs;                            /* A and B hold pairs of integers (pairs.h); a chunk's sum is an i32 */
    int64_t rows, columns, inner;          /* inner: product of the k extents */
    int n_k, n_outer;                      /* k loops; the first n_outer of them run over chunks (by gemm_plan) */
    int64_t k_extent[GEMM_K], k_stride[GEMM_K];      /* strides in A */
    const Buffer *a;
    Buffer *b;                             /* packed by gemm_pack */
    const Expr *b_offset;                  /* of the batch or group at hand */
    const Expr *tiles;                     /* chunks outermost: the tiles of rows there are; NULL: those of `rows` */
    int tile_rows, tile_vectors, lanes;    /* by gemm_plan */
    const Expr *(*row)(Lower *l, const Gemm *g, const Expr *m);            /* index in A of row m at k = 0 */
    int64_t row_step;                      /* not 0: rows of a tile are so far apart in A */
    const Expr *(*start)(Lower *l, const Gemm *g, const Expr *column);     /* NULL: zero */
    void (*store)(Lower *l, const Gemm *g, const Expr *m, const Expr *column, const Expr *x);
    /* element of B, from the buffer that the model stores it in */
    const Expr *(*weight)(Lower *l, const Gemm *g, const Buffer *source, const Expr *batch, const Expr *const *k,
                          const Expr *column);
    const Expr *soon;                      /* not NULL: so many elements of A from here on are needed next, and are */
    int64_t soon_count;                    /* asked for meanwhile, where the inner dimension is one chunk */
    void *context;
};

/* Adds what `times` such products do, with `matrices` different B; the k loops are those before gemm_plan. */
void gemm_effort(Gemm *g, const Target *t, const Variant *v, int64_t times, int64_t matrices, Effort *effort);
/* The number of a k step in the whole inner dimension, from the k loops. */
const Expr *gemm_flat_k(Lower *l, const Gemm *g, const Expr *const *k);
/* Chooses the tile; to be called when rows, columns and the k loops are known. */
void gemm_plan(Lower *l, Gemm *g);
int64_t gemm_packed_count(const Gemm *g);              /* elements of one batch of packed B */
/* Packs B into blocks [column block][k][tile columns], `batches` of them; a constant at compile time, otherwise
 * in a kernel of its own.  `source` is B's storage.  No kernel may be open. */
void gemm_pack(Lower *l, Gemm *g, int64_t batches, const Buffer *source);
/* The loops, into the open kernel. */
void gemm_loops(Lower *l, const Gemm *g);

/* The same sums, bit for bit, with the chunks outermost: for an A that is made chunk by chunk (a gather).  Begin; for
 * every chunk of the first n_outer k loops, in order, fill A with that chunk alone and add it by its number; then end.  Rows are evenly spaced.  `sums` holds gemm_sums_count elements. */
int64_t gemm_sums_count(const Gemm *g);
void gemm_sums_begin(Lower *l, const Gemm *g, Buffer *sums);
void gemm_sums_add(Lower *l, const Gemm *g, Buffer *sums, const Expr *chunk);
void gemm_sums_end(Lower *l, const Gemm *g, Buffer *sums);

#endif
