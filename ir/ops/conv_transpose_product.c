/* conv_transpose_product.c - ConvTranspose whose kernel is its stride: every output element has one
 * tap, so that each tap is a matrix product of the input pixels, stored with gaps. */
#include "conv_transpose.h"
#include "gemm.h"
#include "nest.h"
#include "window.h"

typedef struct Product {
    Node *node;
    const Value *x, *w, *bias, *out;
    int axes;
    int64_t taps, kernel[WINDOW_AXES], size[WINDOW_AXES]; /* size: of the input */
    const Storage *from, *weights;
    const Expr *n, *tap; /* at hand */
} Product;

static const Expr *product_row(Lower *l, const Gemm *g, const Expr *m) {
    const Product *p = g->context;
    const Expr *at[WINDOW_AXES];
    index_split(l, m, p->axes, p->size, at);
    const Expr *index = ex_offset(l->b, p->n, p->from->stride[0], ex_index(l->b, p->from->offset));
    for (int d = 0; d < p->axes; d++) index = ex_offset(l->b, at[d], p->from->stride[d + 2], index);
    return index;
}

static const Expr *product_start(Lower *l, const Gemm *g, const Expr *column) {
    const Product *p = g->context;
    return lower_load_wide(l, p->bias, &column);
}

static void product_store(Lower *l, const Gemm *g, const Expr *m, const Expr *column,
                          const Expr *x) {
    const Product *p = g->context;
    const Expr *at[WINDOW_AXES], *tap[WINDOW_AXES], *index[MAX_RANK] = {p->n, column};
    index_split(l, m, p->axes, p->size, at);
    index_split(l, p->tap, p->axes, p->kernel, tap);
    for (int d = 0; d < p->axes; d++) index[d + 2] = ex_offset(l->b, at[d], p->kernel[d], tap[d]);
    lower_store(l, p->out, index, x);
}

static const Expr *product_weight(Lower *l, const Gemm *g, const Buffer *source, const Expr *number,
                                  const Expr *const *k, const Expr *column) {
    const Product *p = g->context;
    const Storage *s = p->weights;
    const Expr *in = gemm_flat_k(l, g, k), *tap[WINDOW_AXES];
    const Expr *index = ex_offset(l->b, in, s->stride[0], ex_index(l->b, s->offset));
    index = ex_offset(l->b, column, s->stride[1], index);
    index_split(l, number, p->axes, p->kernel, tap);
    for (int d = 0; d < p->axes; d++) index = ex_offset(l->b, tap[d], s->stride[d + 2], index);
    return ex_load(l->b, source, index);
}

static Product product_of(Node *n) {
    Product p = {.node = n, .x = n->inputs[0], .w = n->inputs[1], .out = n->outputs[0], .taps = 1};
    p.bias = node_has_input(n, 2) ? n->inputs[2] : NULL;
    p.axes = p.x->rank - 2;
    for (int d = 0; d < p.axes; d++) {
        p.kernel[d] = p.w->dims[d + 2].size;
        p.taps *= p.kernel[d];
        p.size[d] = p.x->dims[d + 2].size;
    }
    return p;
}

void conv_transpose_products(Lower *l, Node *n) {
    Product p = product_of(n);
    Gemm g = {.node = n,
              .wide = lower_wide(p.x->dtype),
              .rows = 1,
              .columns = p.w->dims[1].size,
              .n_k = 1,
              .k_extent = {p.x->dims[1].size},
              .k_stride = {1},
              .row = product_row,
              .start = p.bias ? product_start : NULL,
              .store = product_store,
              .weight = product_weight,
              .context = &p};
    for (int d = 0; d < p.axes; d++) g.rows *= p.size[d];
    p.from = lower_storage(l, p.x);
    p.weights = lower_storage(l, p.w);
    g.a = p.from->buffer;
    gemm_plan(l, &g);
    if (p.size[p.axes - 1] % g.tile_rows == 0) g.row_step = p.from->stride[p.axes + 1];
    gemm_pack(l, &g, p.taps, p.weights->buffer);
    lower_begin_kernel(l, n, NULL);
    p.n = st_for_n(l->b, LOOP_PARALLEL, "n", p.x->dims[0].size);
    p.tap = st_for_n(l->b, LOOP_PARALLEL, "tap", p.taps);
    g.b_offset = ex_offset(l->b, p.tap, gemm_packed_count(&g), ex_index(l->b, 0));
    gemm_loops(l, &g);
    builder_kernel(l->b)->macs *= p.x->dims[0].size * p.taps;
    st_end(l->b);
    st_end(l->b);
    lower_end_kernel(l);
}
