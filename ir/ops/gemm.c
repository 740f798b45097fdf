/* gemm.c - the matrix micro-kernel: a tile of rows x vectors of accumulators that stay in registers.
 *
 * B is packed so that a k step reads tile_vectors * lanes neighbours; A is read in place, one broadcast a row.
 * A block of rows runs through all column blocks before the next, so that its part of A stays in cache. */
#include "gemm.h"
#include "interp.h"
#include "ops.h"

enum { BLOCK_BYTES = 128 * 1024 };   /* of A, for a block of rows */

static int64_t tile_columns(const Gemm *g) { return (int64_t)g->tile_vectors * g->lanes; }

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

void gemm_plan(Lower *l, Gemm *g) {
    const Target *t = l->program->target;
    g->inner = 1;
    for (int i = 0; i < g->n_k; i++) g->inner *= g->k_extent[i];
    g->lanes = dtypes[g->wide].bytes > 4 ? t->lanes / 2 : t->lanes;
    g->tile_rows = t->tile_rows;
    g->tile_vectors = t->tile_vectors;
    if (g->rows < g->tile_rows) {            /* few rows: wider tiles keep the accumulators busy */
        int accumulators = t->tile_rows * t->tile_vectors;
        g->tile_rows = (int)g->rows;
        g->tile_vectors = accumulators / g->tile_rows < 8 ? accumulators / g->tile_rows : 8;
    }
    int64_t vectors = (g->columns + g->lanes - 1) / g->lanes;
    if (vectors < g->tile_vectors) g->tile_vectors = (int)vectors;
}

int64_t gemm_packed_count(const Gemm *g) { return round_up(g->columns, g->lanes) * g->inner; }

/* Packing. */

static void pack_block(Lower *l, const Gemm *g, const Buffer *source, const Expr *batch, const Expr *block,
                       int64_t columns, int64_t valid) {
    const Expr *k[GEMM_K], *flat = ex_index(l->b, 0), *zero = ex_const(l->b, g->wide, 0);
    for (int i = 0; i < g->n_k; i++) {
        k[i] = st_for_n(l->b, LOOP_SERIAL, "k", g->k_extent[i]);
        flat = ex_offset(l->b, flat, g->k_extent[i], k[i]);
    }
    const Expr *first = ex_offset(l->b, block, tile_columns(g), ex_index(l->b, 0));
    const Expr *to = ex_offset(l->b, flat, columns, ex_offset(l->b, first, g->inner, ex_index(l->b, 0)));
    to = ex_offset(l->b, batch, gemm_packed_count(g), to);
    const Expr *c = st_for_n(l->b, LOOP_SERIAL, "c", valid);
    const Expr *w = ex_load(l->b, source, g->weight(l, g, batch, k, ex_add(l->b, first, c)));
    st_store(l->b, g->b, ex_add(l->b, to, c), w->type == g->wide ? w : ex_cast(l->b, g->wide, w));
    st_end(l->b);
    if (valid < columns) {
        const Expr *p = st_for_n(l->b, LOOP_SERIAL, "p", columns - valid);
        st_store(l->b, g->b, ex_add(l->b, to, ex_add(l->b, p, ex_index(l->b, valid))), zero);
        st_end(l->b);
    }
    for (int i = 0; i < g->n_k; i++) st_end(l->b);
}

static void pack_loops(Lower *l, const Gemm *g, int64_t batches, const Buffer *source) {
    int64_t blocks = g->columns / tile_columns(g), rest = g->columns % tile_columns(g);
    const Expr *batch = st_for_n(l->b, LOOP_PARALLEL, "batch", batches);
    if (blocks) {
        const Expr *block = st_for_n(l->b, LOOP_SERIAL, "block", blocks);
        pack_block(l, g, source, batch, block, tile_columns(g), tile_columns(g));
        st_end(l->b);
    }
    if (rest) pack_block(l, g, source, batch, ex_index(l->b, blocks), round_up(rest, g->lanes), rest);
    st_end(l->b);
}

/* Runs the packing loops in the interpreter, now. */
static void pack_constant(Lower *l, Gemm *g, int64_t batches, const Buffer *source, const char *name) {
    Program *kept = l->program;
    l->program = program_new(l->unit, "pack", kept->target);
    Buffer *from = program_add_buffer(l->program, source->name, source->type, source->count, BUF_CONST);
    from->data = source->data;
    int64_t count = gemm_packed_count(g) * batches;
    g->b = program_add_buffer(l->program, name, g->wide, count, BUF_OUTPUT);
    vec_push(l->unit->arena, &l->program->outputs,
             ((Port){.name = name, .dtype = g->wide, .rank = 1, .dims = &g->b->count, .buffer = g->b}));
    l->b = builder_begin(l->program, "pack");
    pack_loops(l, g, batches, from);
    builder_end(l->b);
    l->b = NULL;
    Tensor *packed = tensor_new(l->unit->arena, g->wide, 1, &count);
    void *out = (void *)packed->data;
    InterpError error;
    if (!interp_run(l->program, NULL, &out, &error)) BUG(l->unit, "packing '%s': %s", name, error.message);
    l->program = kept;
    g->b = lower_constant(l, name, packed);
}

void gemm_pack(Lower *l, Gemm *g, int64_t batches, const Buffer *source) {
    const char *name = arena_format(l->unit->arena, "%s_packed", source->name);
    if (source->kind == BUF_CONST) {
        pack_constant(l, g, batches, source, name);
        return;
    }
    g->b = lower_scratch(l, name, g->wide, gemm_packed_count(g) * batches);
    lower_begin_kernel(l, g->node, "pack_b");
    pack_loops(l, g, batches, source);
    lower_end_kernel(l);
}

/* A tile. */

typedef struct Tile {
    const Gemm *gemm;
    const Expr *m0;              /* first row */
    const Expr *column;          /* first column */
    const Expr *b;               /* index of its block in B */
    int64_t rows, vectors;
    int64_t valid;               /* columns of the last block; the rest is padding */
    Buffer *acc, *row_index;
    const Expr *first_row;
} Tile;

static const Expr *acc_index(Lower *l, const Tile *t, const Expr *i, const Expr *j, const Expr *lane) {
    int64_t lanes = t->gemm->lanes;
    return ex_offset(l->b, i, t->vectors * lanes, ex_offset(l->b, j, lanes, lane));
}

/* for i, for j, for lanes: the shape of every step on the accumulators */
static void open_tile(Lower *l, const Tile *t, const Expr **i, const Expr **j, const Expr **lane) {
    *i = st_for_n(l->b, LOOP_UNROLL, "i", t->rows);
    *j = st_for_n(l->b, LOOP_UNROLL, "j", t->vectors);
    *lane = st_for_n(l->b, LOOP_LANES, "l", t->gemm->lanes);
}

static void close_tile(Lower *l) {
    st_end(l->b);
    st_end(l->b);
    st_end(l->b);
}

static const Expr *tile_column(Lower *l, const Tile *t, const Expr *j, const Expr *lane) {
    return ex_add(l->b, t->column, ex_offset(l->b, j, t->gemm->lanes, lane));
}

/* Starting values (a bias), by column; the last vector of a block may be partly padding. */
static void start_tile(Lower *l, Tile *t) {
    const Gemm *g = t->gemm;
    const Expr *i, *j, *lane;
    open_tile(l, t, &i, &j, &lane);
    const Expr *x = ex_const(l->b, g->wide, 0);
    if (g->start) {
        const Expr *column = tile_column(l, t, j, lane);
        const Expr *start = g->start(l, g, column);
        x = t->valid == t->vectors * g->lanes
                ? start
                : ex_select(l->b, ex_lt(l->b, column, ex_index(l->b, g->columns)), start, x);
    }
    st_store(l->b, t->acc, acc_index(l, t, i, j, lane), x);
    close_tile(l);
}

/* Where each row of the tile begins in A: kept where rows are not evenly spaced (a tile that wraps over the edge of
 * a map), computed from the first one else. */
static void find_rows(Lower *l, Tile *t) {
    const Gemm *g = t->gemm;
    if (g->row_step) {
        t->first_row = st_let(l->b, "row", g->row(l, g, t->m0));
        return;
    }
    t->row_index = st_local(l->b, "row", DT_I64, t->rows, 0);
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", t->rows);
    st_store(l->b, t->row_index, i, g->row(l, g, ex_add(l->b, t->m0, i)));
    st_end(l->b);
}

static const Expr *row_index(Lower *l, const Tile *t, const Expr *i) {
    if (t->row_index) return ex_load(l->b, t->row_index, i);
    return ex_offset(l->b, i, t->gemm->row_step, t->first_row);
}

static const Expr *wide_load(Lower *l, const Gemm *g, const Buffer *buffer, const Expr *index) {
    const Expr *x = ex_load(l->b, buffer, index);
    return x->type == g->wide ? x : ex_cast(l->b, g->wide, x);
}

static void multiply_step(Lower *l, const Tile *t, const Expr *a_offset, const Expr *b_index, Buffer *b) {
    const Gemm *g = t->gemm;
    const Expr *jb = st_for_n(l->b, LOOP_UNROLL, "j", t->vectors);
    const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", g->lanes);
    const Expr *in_row = ex_offset(l->b, jb, g->lanes, lane);
    st_store(l->b, b, in_row, ex_load(l->b, g->b, ex_add(l->b, b_index, in_row)));
    st_end(l->b);
    st_end(l->b);
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", t->rows);
    const Expr *index = ex_add(l->b, row_index(l, t, i), a_offset);
    const Expr *a = st_let(l->b, "a", wide_load(l, g, g->a, index));
    const Expr *j = st_for_n(l->b, LOOP_UNROLL, "j", t->vectors);
    lane = st_for_n(l->b, LOOP_LANES, "l", g->lanes);
    st_acc_mul(l->b, t->acc, acc_index(l, t, i, j, lane), a,
               ex_load(l->b, b, ex_offset(l->b, j, g->lanes, lane)));
    close_tile(l);
}

static void multiply(Lower *l, Tile *t) {
    const Gemm *g = t->gemm;
    const Expr *flat = ex_index(l->b, 0), *offset = ex_index(l->b, 0);
    for (int d = 0; d < g->n_k; d++) {
        const Expr *k = st_for_n(l->b, LOOP_SERIAL, "k", g->k_extent[d]);
        flat = ex_offset(l->b, flat, g->k_extent[d], k);
        offset = ex_offset(l->b, k, g->k_stride[d], offset);
    }
    Buffer *b = st_local(l->b, "b", g->wide, t->vectors * g->lanes, g->lanes);
    multiply_step(l, t, offset, ex_offset(l->b, flat, t->vectors * g->lanes, t->b), b);
    for (int d = 0; d < g->n_k; d++) st_end(l->b);
}

static void store_vectors(Lower *l, const Tile *t, int64_t vectors) {
    const Gemm *g = t->gemm;
    if (!vectors) return;
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", t->rows);
    const Expr *j = st_for_n(l->b, LOOP_UNROLL, "j", vectors);
    const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", g->lanes);
    g->store(l, g, ex_add(l->b, t->m0, i), tile_column(l, t, j, lane),
             ex_load(l->b, t->acc, acc_index(l, t, i, j, lane)));
    close_tile(l);
}

/* The columns of a vector that is partly padding, one by one. */
static void store_tail(Lower *l, const Tile *t) {
    const Gemm *g = t->gemm;
    int64_t full = t->valid / g->lanes, rest = t->valid % g->lanes;
    if (!rest) return;
    Buffer *tail = st_local(l->b, "tail", g->wide, t->rows * g->lanes, 0);
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", t->rows);
    const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", g->lanes);
    st_store(l->b, tail, ex_offset(l->b, i, g->lanes, lane),
             ex_load(l->b, t->acc, acc_index(l, t, i, ex_index(l->b, full), lane)));
    st_end(l->b);
    st_end(l->b);
    i = st_for_n(l->b, LOOP_SERIAL, "i", t->rows);
    const Expr *c = st_for_n(l->b, LOOP_SERIAL, "c", rest);
    const Expr *column = ex_add(l->b, t->column, ex_add(l->b, c, ex_index(l->b, full * g->lanes)));
    g->store(l, g, ex_add(l->b, t->m0, i), column, ex_load(l->b, tail, ex_offset(l->b, i, g->lanes, c)));
    st_end(l->b);
    st_end(l->b);
}

static void tile(Lower *l, const Gemm *g, const Expr *m0, const Expr *block, int64_t valid) {
    Tile t = {.gemm = g, .m0 = m0, .rows = g->tile_rows, .valid = valid};
    t.vectors = round_up(valid, g->lanes) / g->lanes;
    t.column = ex_offset(l->b, block, tile_columns(g), ex_index(l->b, 0));
    t.b = ex_offset(l->b, t.column, g->inner, g->b_offset);
    t.acc = st_local(l->b, "acc", g->wide, t.rows * t.vectors * g->lanes, g->lanes);
    start_tile(l, &t);
    find_rows(l, &t);
    multiply(l, &t);
    store_vectors(l, &t, valid / g->lanes);
    store_tail(l, &t);
}

/* Tiles of a block of rows.  The last tile of all overlaps its neighbour where the rows do not divide. */
static void tiles(Lower *l, const Gemm *g, const Expr *first, const Expr *count, const Expr *block, int64_t valid) {
    const Expr *t = st_for(l->b, LOOP_SERIAL, "tile", count);
    const Expr *m0 = ex_offset(l->b, ex_add(l->b, first, t), g->tile_rows, ex_index(l->b, 0));
    if (g->rows % g->tile_rows) m0 = ex_min(l->b, m0, ex_index(l->b, g->rows - g->tile_rows));
    tile(l, g, m0, block, valid);
    st_end(l->b);
}

static int64_t tiles_in_block(const Gemm *g, int64_t n_tiles) {
    int64_t row_bytes = dtypes[g->a->type].bytes * g->inner / (g->n_k > 1 ? g->k_extent[0] : 1);
    int64_t n = BLOCK_BYTES / (row_bytes * g->tile_rows + 1);
    if (n < 4) n = 4;
    return n < n_tiles ? n : n_tiles;
}

void gemm_loops(Lower *l, const Gemm *g) {
    int64_t n_tiles = (g->rows + g->tile_rows - 1) / g->tile_rows;
    int64_t in_block = tiles_in_block(g, n_tiles), columns = tile_columns(g);
    int64_t blocks = g->columns / columns, rest = g->columns % columns;
    const Expr *rows = st_for_n(l->b, LOOP_PARALLEL, "rows", (n_tiles + in_block - 1) / in_block);
    const Expr *first = ex_offset(l->b, rows, in_block, ex_index(l->b, 0));
    const Expr *count = ex_index(l->b, in_block);
    if (n_tiles % in_block) count = ex_min(l->b, count, ex_sub(l->b, ex_index(l->b, n_tiles), first));
    if (blocks) {
        const Expr *block = st_for_n(l->b, LOOP_SERIAL, "block", blocks);
        tiles(l, g, first, count, block, columns);
        st_end(l->b);
    }
    if (rest) tiles(l, g, first, count, ex_index(l->b, blocks), rest);
    st_end(l->b);
    builder_kernel(l->b)->macs += g->rows * g->columns * g->inner;
}
