/* matmul.c - MatMul-13 and Gemm-13: shapes, the plain definition, and the micro-kernel's loops. */
#include "gemm.h"
#include "infer.h"
#include "ops.h"

/* A and B as matrices in a batch: 1-D operands get an axis of 1 that the result lacks. */
typedef struct MatMul {
    Node *node;
    const Value *a, *b, *c, *out;
    int64_t m, n, k;
    int batch_rank; /* leading axes of the result */
    int64_t batch[MAX_RANK];
    const Storage *from, *weights;
    int64_t a_row, a_k, b_k, b_column;            /* strides of the stored operands */
    int64_t a_batch[MAX_RANK], b_batch[MAX_RANK]; /* 0 where broadcast */
    bool drops_row, drops_column;                 /* 1-D operands */
    bool transpose_a, transpose_b;                /* Gemm */
    float alpha, beta;
    const Expr *at[MAX_RANK]; /* batch index */
} MatMul;

bool infer_matmul(Infer *f, Node *n) {
    int64_t a[MAX_RANK], b[MAX_RANK], out[MAX_RANK];
    int ra = infer_dims(f, n, 0, a), rb = infer_dims(f, n, 1, b);
    if (ra < 0 || rb < 0) return false;
    if (ra < 1 || rb < 1) return infer_fail(f, n, D_SHAPE, "operands must have rank 1 or more");
    if (n->inputs[0]->dtype != n->inputs[1]->dtype)
        return infer_fail(f, n, D_DTYPE, "operands must have one element type");
    int64_t k = rb == 1 ? b[0] : b[rb - 2];
    if (a[ra - 1] != k)
        return infer_fail(f, n, D_SHAPE,
                          arena_format(f->unit->arena, "inner dimensions are %lld and %lld",
                                       (long long)a[ra - 1], (long long)k));
    int rank = dims_broadcast(a, ra > 2 ? ra - 2 : 0, b, rb > 2 ? rb - 2 : 0, out);
    if (rank < 0) return infer_fail(f, n, D_SHAPE, "the batch dimensions do not broadcast");
    if (rank + 2 > MAX_RANK) return infer_fail(f, n, D_SHAPE, "the rank is too high");
    if (ra > 1) out[rank++] = a[ra - 2];
    if (rb > 1) out[rank++] = b[rb - 1];
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, out);
    return true;
}

bool infer_gemm(Infer *f, Node *n) {
    int64_t a[MAX_RANK], b[MAX_RANK], c[MAX_RANK], out[2], both[MAX_RANK];
    int ra = infer_dims(f, n, 0, a), rb = infer_dims(f, n, 1, b);
    if (ra < 0 || rb < 0) return false;
    if (ra != 2 || rb != 2) return infer_fail(f, n, D_SHAPE, "A and B must be matrices");
    if (n->inputs[0]->dtype != n->inputs[1]->dtype)
        return infer_fail(f, n, D_DTYPE, "A and B must have one element type");
    bool ta = node_int(n, "transA"), tb = node_int(n, "transB");
    if (a[!ta] != b[tb])
        return infer_fail(f, n, D_SHAPE,
                          arena_format(f->unit->arena, "inner dimensions are %lld and %lld",
                                       (long long)a[!ta], (long long)b[tb]));
    out[0] = a[ta];
    out[1] = b[!tb];
    if (node_has_input(n, 2)) {
        int rc = infer_dims(f, n, 2, c);
        if (rc < 0) return false;
        if (dims_broadcast(c, rc, out, 2, both) != 2 || both[0] != out[0] || both[1] != out[1])
            return infer_fail(f, n, D_SHAPE, "C does not broadcast to the result");
    }
    infer_set(f, n, 0, n->inputs[0]->dtype, 2, out);
    return true;
}

void need_matmul(const Lower *l, const Node *n, int input, InputNeed *need) {
    (void)l;
    (void)n;
    need->need = NEED_BUFFER;
    (void)input;
}

void need_gemm(const Lower *l, const Node *n, int input, InputNeed *need) {
    (void)l;
    (void)n;
    need->need = input < 2 ? NEED_BUFFER : NEED_ELEMENTS;
}

static MatMul matmul_of(Node *n) {
    MatMul p = {.node = n,
                .a = n->inputs[0],
                .b = n->inputs[1],
                .out = n->outputs[0],
                .alpha = 1,
                .beta = 1};
    int ra = p.a->rank, rb = p.b->rank;
    p.drops_row = ra == 1;
    p.drops_column = rb == 1;
    p.m = ra == 1 ? 1 : p.a->dims[ra - 2].size;
    p.k = p.a->dims[ra - 1].size;
    p.n = rb == 1 ? 1 : p.b->dims[rb - 1].size;
    p.batch_rank = p.out->rank - !p.drops_row - !p.drops_column;
    for (int d = 0; d < p.batch_rank; d++) p.batch[d] = p.out->dims[d].size;
    return p;
}

static MatMul gemm_of(Node *n) {
    MatMul p = {.node = n, .a = n->inputs[0], .b = n->inputs[1], .out = n->outputs[0]};
    p.c = node_has_input(n, 2) ? n->inputs[2] : NULL;
    p.transpose_a = node_int(n, "transA");
    p.transpose_b = node_int(n, "transB");
    p.alpha = node_float(n, "alpha");
    p.beta = node_float(n, "beta");
    p.m = p.out->dims[0].size;
    p.n = p.out->dims[1].size;
    p.k = p.a->dims[!p.transpose_a].size;
    return p;
}

/* Index of an element of operand v (A or B) from its matrix position. */
static void operand_index(Lower *l, const MatMul *p, const Value *v, const Expr *row,
                          const Expr *column, const Expr **index) {
    int matrix = v->rank >= 2 ? 2 : 1;
    for (int d = 0; d < v->rank - matrix; d++)
        index[d] = v->dims[d].size == 1 ? ex_index(l->b, 0)
                                        : p->at[p->batch_rank - (v->rank - matrix) + d];
    if (v->rank == 1) {
        index[0] = v == p->a ? column : row;
        return;
    }
    bool transposed = v == p->a ? p->transpose_a : p->transpose_b;
    index[v->rank - 2] = transposed ? column : row;
    index[v->rank - 1] = transposed ? row : column;
}

static void result_store(Lower *l, const MatMul *p, const Expr *m, const Expr *n, const Expr *x) {
    const Expr *index[MAX_RANK];
    int rank = 0;
    for (int d = 0; d < p->batch_rank; d++) index[rank++] = p->at[d];
    if (!p->drops_row) index[rank++] = m;
    if (!p->drops_column) index[rank++] = n;
    if (p->alpha != 1) x = ex_mul(l->b, x, ex_const(l->b, x->type, p->alpha));
    if (p->c) {
        const Expr *at[2] = {m, n}, *c_index[2];
        for (int d = 0; d < p->c->rank; d++)
            c_index[d] = p->c->dims[d].size == 1 ? ex_index(l->b, 0) : at[2 - p->c->rank + d];
        const Expr *c = lower_load_wide(l, p->c, c_index);
        if (p->beta != 1) c = ex_mul(l->b, c, ex_const(l->b, c->type, p->beta));
        x = ex_add(l->b, x, c);
    }
    lower_store(l, p->out, index, x);
}

/* The definition. */
static void matmul_plain(Lower *l, MatMul *p) {
    DType wide = lower_wide(p->a->dtype);
    const Expr *a[MAX_RANK], *b[MAX_RANK], *zero = ex_index(l->b, 0);
    const Expr *m = st_for_n(l->b, LOOP_SERIAL, "m", p->m);
    const Expr *n = st_for_n(l->b, LOOP_SERIAL, "n", p->n);
    Buffer *acc = st_local(l->b, "acc", wide, 1, 0);
    st_store(l->b, acc, zero, ex_const(l->b, wide, 0));
    const Expr *k = st_for_n(l->b, LOOP_SERIAL, "k", p->k);
    operand_index(l, p, p->a, m, k, a);
    operand_index(l, p, p->b, k, n, b);
    st_acc_mul(l->b, acc, zero, lower_load_wide(l, p->a, a), lower_load_wide(l, p->b, b));
    st_end(l->b);
    result_store(l, p, m, n, ex_load(l->b, acc, zero));
    st_end(l->b);
    st_end(l->b);
}

/* The micro-kernel's view. */

static const Expr *matmul_row(Lower *l, const Gemm *g, const Expr *m) {
    const MatMul *p = g->context;
    const Expr *index = ex_offset(l->b, m, p->a_row, ex_index(l->b, p->from->offset));
    for (int d = 0; d < p->batch_rank; d++) index = ex_offset(l->b, p->at[d], p->a_batch[d], index);
    return index;
}

static void matmul_store(Lower *l, const Gemm *g, const Expr *m, const Expr *column,
                         const Expr *x) {
    result_store(l, g->context, m, column, x);
}

/* `batch` counts B's matrices, row-major over its own batch axes. */
static const Expr *matmul_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *batch,
                                 const Expr *const *k, const Expr *column) {
    const MatMul *p = g->context;
    const Storage *s = p->weights;
    const Expr *flat = gemm_flat_k(l, g, k);
    const Expr *index = ex_offset(l->b, flat, p->b_k, ex_index(l->b, s->offset));
    index = ex_offset(l->b, column, p->b_column, index);
    for (int d = p->b->rank - 3; d >= 0; d--) {
        const Expr *extent = ex_index(l->b, p->b->dims[d].size);
        index = ex_offset(l->b, ex_rem(l->b, batch, extent), s->stride[d], index);
        batch = ex_div(l->b, batch, extent);
    }
    return ex_load(l->b, source, index);
}

static void operand_strides(MatMul *p) {
    const Storage *a = p->from, *b = p->weights;
    int ra = p->a->rank, rb = p->b->rank;
    p->a_k = ra == 1 ? a->stride[0] : a->stride[ra - 1 - p->transpose_a];
    p->a_row = ra == 1 ? 0 : a->stride[ra - 2 + p->transpose_a];
    p->b_k = rb == 1 ? b->stride[0] : b->stride[rb - 2 + p->transpose_b];
    p->b_column = rb == 1 ? 0 : b->stride[rb - 1 - p->transpose_b];
    int64_t packed = 1;
    for (int d = p->batch_rank - 1, i = rb - 3; i >= 0; i--, d--) {
        p->b_batch[d] = p->b->dims[i].size == 1 ? 0 : packed;
        packed *= p->b->dims[i].size;
    }
    for (int d = p->batch_rank - 1, i = ra - 3; i >= 0; i--, d--)
        p->a_batch[d] = p->a->dims[i].size == 1 ? 0 : a->stride[i];
}

static int64_t b_matrices(const MatMul *p) {
    int64_t n = 1;
    for (int d = 0; d < p->b->rank - 2; d++) n *= p->b->dims[d].size;
    return n;
}

static void matmul_product(Lower *l, MatMul *p) {
    Gemm g = {.node = p->node,
              .wide = lower_wide(p->a->dtype),
              .rows = p->m,
              .columns = p->n,
              .n_k = 1,
              .k_extent = {p->k},
              .row = matmul_row,
              .store = matmul_store,
              .weight = matmul_weight,
              .context = p};
    p->from = lower_storage(l, p->a);
    p->weights = lower_storage(l, p->b);
    operand_strides(p);
    g.k_stride[0] = p->a_k;
    g.row_step = p->a_row ? p->a_row : 1; /* of one row any step will do */
    g.a = p->from->buffer;
    gemm_plan(l, &g);
    gemm_pack(l, &g, b_matrices(p), p->weights->buffer);
    lower_begin_kernel(l, p->node, NULL);
    int64_t batches = 1;
    g.b_offset = ex_index(l->b, 0);
    for (int d = 0; d < p->batch_rank; d++) {
        p->at[d] = st_for_n(l->b, LOOP_PARALLEL, "batch", p->batch[d]);
        batches *= p->batch[d];
        g.b_offset = ex_offset(l->b, p->at[d], p->b_batch[d] * gemm_packed_count(&g), g.b_offset);
    }
    gemm_loops(l, &g);
    builder_kernel(l->b)->macs *= batches;
    for (int d = 0; d < p->batch_rank; d++) st_end(l->b);
    lower_end_kernel(l);
}

static void lower_matmul(Lower *l, MatMul p) {
    if (lower_variant(l, p.node)) {
        matmul_product(l, &p);
        return;
    }
    lower_begin_kernel(l, p.node, NULL);
    for (int d = 0; d < p.batch_rank; d++)
        p.at[d] = st_for_n(l->b, LOOP_SERIAL, "batch", p.batch[d]);
    matmul_plain(l, &p);
    for (int d = 0; d < p.batch_rank; d++) st_end(l->b);
    lower_end_kernel(l);
}

void code_matmul(Lower *l, Node *n) { lower_matmul(l, matmul_of(n)); }

void code_gemm(Lower *l, Node *n) { lower_matmul(l, gemm_of(n)); }

/* What it does. */

static bool add_effort(const MatMul *p, const Target *t, const Variant *v, Effort *effort) {
    if (value_count(p->out) == 0 || p->k == 0) return false;
    Gemm g = {.wide = lower_wide(p->a->dtype),
              .rows = p->m,
              .columns = p->n,
              .n_k = 1,
              .k_extent = {p->k}};
    int64_t times = 1;
    for (int d = 0; d < p->batch_rank; d++) times *= p->batch[d];
    gemm_effort(&g, t, v, times, b_matrices(p), effort);
    return true;
}

bool effort_matmul(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    MatMul p = matmul_of((Node *)n);
    return add_effort(&p, t, v, effort);
}

bool effort_gemm(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    MatMul p = gemm_of((Node *)n);
    return add_effort(&p, t, v, effort);
}
