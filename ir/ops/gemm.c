/* gemm.c - the matrix micro-kernel: a tile of rows x vectors of accumulators that stay in
 * registers.
 *
 * B is packed so that a k step reads tile_vectors * lanes neighbours; A is read in place, one
 * broadcast a row. Blocks of rows are so long that their part of A stays in cache. */
#include "gemm.h"
#include "ops.h"
#include "pairs.h"

enum {
    ENOUGH_BLOCKS = 16, /* of rows, for threads */
    LEAST_TILES = 8,    /* in a block, where threads share blocks of rows */
    LATE = 4096,        /* elements of a constant that may be made later */
    LINE = 64,          /* bytes that a prefetch brings */
    CHUNK = 384         /* longest chain of multiply-adds, where the inner dimension can be cut */
};

static int64_t tile_columns(const Gemm *g) { return (int64_t)g->tile_vectors * g->lanes; }

static int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

/* What a product adds, and what its factors are. */
static DType step_type(const Gemm *g) { return g->pairs ? DT_I32 : g->wide; }

static int64_t chunk_limit(const Gemm *g) { return g->pairs ? PAIR_CHUNK : CHUNK; }

static int64_t chunk_of(const Gemm *g, int64_t extent) {
    if (g->pairs) return pair_chunk(extent);
    for (int64_t c = CHUNK; c >= CHUNK / 8; c--)
        if (extent % c == 0) return c;
    return extent;
}

/* Cuts the inner dimension: the last loop where it is long, then as few loops as are short enough
 * are a chunk. */
static void plan_chunks(Gemm *g) {
    int last = g->n_k - 1;
    int64_t chunk = g->k_extent[last];
    if (chunk > chunk_limit(g) && g->n_k < GEMM_K) chunk = chunk_of(g, chunk);
    if (chunk < g->k_extent[last]) {
        g->k_extent[g->n_k] = chunk;
        g->k_stride[g->n_k++] = g->k_stride[last];
        g->k_extent[last] /= chunk;
        g->k_stride[last] *= chunk;
    }
    g->n_outer = g->n_k - 1;
    for (chunk = g->k_extent[g->n_outer]; g->n_outer > 0; g->n_outer--) {
        chunk *= g->k_extent[g->n_outer - 1];
        if (chunk > chunk_limit(g)) break;
    }
}

/* Rows of a tile: a few less than fill the registers, where tiles that overlap would compute
 * more. */
static int best_rows(int most, int64_t rows) {
    int best = most;
    for (int n = best - 1; 3 * n > 2 * most; n--)
        if (round_up(rows, n) * 104 < round_up(rows, best) * 100) best = n;
    return best;
}

static void plan_for(Gemm *g, const Target *t, const Variant *v) {
    bool own = v && v->tile_rows;
    int most = own ? v->tile_rows : t->tile_rows, wide = own ? v->tile_vectors : t->tile_vectors;
    g->inner = 1;
    for (int i = 0; i < g->n_k; i++) g->inner *= g->k_extent[i];
    plan_chunks(g);
    g->lanes = dtypes[g->wide].bytes > 4 && t->lanes > 1 ? t->lanes / 2 : t->lanes;
    g->tile_rows = best_rows(most, g->rows);
    g->tile_vectors = wide;
    if (g->rows < most) { /* few rows: wider tiles keep the accumulators busy */
        g->tile_rows = (int)g->rows;
        g->tile_vectors = most * wide / g->tile_rows < 8 ? most * wide / g->tile_rows : 8;
    }
    int64_t vectors = (g->columns + g->lanes - 1) / g->lanes;
    if (vectors < g->tile_vectors) g->tile_vectors = (int)vectors;
}

void gemm_plan(Lower *l, Gemm *g) { plan_for(g, l->program->target, lower_variant(l, g->node)); }

const Expr *gemm_flat_k(Lower *l, const Gemm *g, const Expr *const *k) {
    const Expr *flat = ex_index(l->b, 0);
    for (int i = 0; i < g->n_k; i++) flat = ex_offset(l->b, flat, g->k_extent[i], k[i]);
    return flat;
}

int64_t gemm_packed_count(const Gemm *g) { return round_up(g->columns, g->lanes) * g->inner; }

/* Packing. */

/* Where a block of columns goes: batch, block and k at hand. */
typedef struct Pack {
    const Buffer *source;
    const Expr *batch, *first, *to; /* first column; its place in packed B */
    const Expr *k[GEMM_K];
} Pack;

static void pack_column(Lower *l, const Gemm *g, const Pack *p, const Expr *c) {
    const Expr *w = g->weight(l, g, p->source, p->batch, p->k, ex_add(l->b, p->first, c));
    st_store(l->b, g->b, ex_add(l->b, p->to, c),
             w->type == step_type(g) ? w : ex_cast(l->b, step_type(g), w));
}

static void pack_columns(Lower *l, const Gemm *g, const Pack *p, int64_t columns, int64_t valid) {
    int64_t full = valid / g->lanes;
    if (full) {
        const Expr *j = st_for_n(l->b, LOOP_SERIAL, "j", full);
        const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", g->lanes);
        pack_column(l, g, p, ex_offset(l->b, j, g->lanes, lane));
        st_end(l->b);
        st_end(l->b);
    }
    if (valid % g->lanes) {
        const Expr *c = st_for_n(l->b, LOOP_SERIAL, "c", valid % g->lanes);
        pack_column(l, g, p, ex_add(l->b, c, ex_index(l->b, full * g->lanes)));
        st_end(l->b);
    }
    if (valid < columns) {
        const Expr *c = st_for_n(l->b, LOOP_SERIAL, "p", columns - valid);
        st_store(l->b, g->b, ex_add(l->b, p->to, ex_add(l->b, c, ex_index(l->b, valid))),
                 ex_const(l->b, step_type(g), 0));
        st_end(l->b);
    }
}

static void pack_block(Lower *l, const Gemm *g, Pack p, const Expr *block, int64_t columns,
                       int64_t valid) {
    const Expr *flat = ex_index(l->b, 0);
    for (int i = 0; i < g->n_k; i++) {
        p.k[i] = st_for_n(l->b, LOOP_SERIAL, "k", g->k_extent[i]);
        flat = ex_offset(l->b, flat, g->k_extent[i], p.k[i]);
    }
    p.first = ex_offset(l->b, block, tile_columns(g), ex_index(l->b, 0));
    p.to = ex_offset(l->b, flat, columns, ex_offset(l->b, p.first, g->inner, ex_index(l->b, 0)));
    p.to = ex_offset(l->b, p.batch, gemm_packed_count(g), p.to);
    pack_columns(l, g, &p, columns, valid);
    for (int i = 0; i < g->n_k; i++) st_end(l->b);
}

static void pack_loops(Lower *l, const Gemm *g, int64_t batches, const Buffer *source) {
    int64_t blocks = g->columns / tile_columns(g), rest = g->columns % tile_columns(g);
    Pack p = {.source = source, .batch = st_for_n(l->b, LOOP_PARALLEL, "batch", batches)};
    if (blocks) {
        const Expr *block = st_for_n(l->b, LOOP_PARALLEL, "block", blocks);
        pack_block(l, g, p, block, tile_columns(g), tile_columns(g));
        st_end(l->b);
    }
    if (rest) pack_block(l, g, p, ex_index(l->b, blocks), round_up(rest, g->lanes), rest);
    st_end(l->b);
}

/* The packing loops are a program of their own, which makes the constant when it is needed
 * (constant.c). */
static void pack_constant(Lower *l, Gemm *g, int64_t batches, const Buffer *source,
                          const char *name) {
    Program *kept = l->program;
    l->program = program_new(l->unit, "pack", kept->target);
    Buffer *from =
        program_add_buffer(l->program, source->name, source->type, source->count, BUF_CONST);
    from->data = source->data;
    int64_t count = gemm_packed_count(g) * batches;
    g->b = program_add_buffer(l->program, name, step_type(g), count, BUF_OUTPUT);
    vec_push(
        l->unit->arena, &l->program->outputs,
        ((Port){
            .name = name, .dtype = step_type(g), .rank = 1, .dims = &g->b->count, .buffer = g->b}));
    l->b = builder_begin(l->program, "pack");
    pack_loops(l, g, batches, from);
    builder_end(l->b);
    l->b = NULL;
    const Program *maker = l->program;
    l->program = kept;
    g->b = program_add_buffer(kept, name, step_type(g), count, BUF_CONST);
    g->b->maker = maker;
    if (count < LATE || !dtype_is_float(step_type(g)))
        constant_make(kept, g->b); /* its elements may be asked for */
}

void gemm_pack(Lower *l, Gemm *g, int64_t batches, const Buffer *source) {
    const char *name = arena_format(l->unit->arena, "%s_packed", source->name);
    if (source->kind == BUF_CONST) {
        pack_constant(l, g, batches, source, name);
        return;
    }
    g->b = lower_scratch(l, name, step_type(g), gemm_packed_count(g) * batches);
    lower_begin_kernel(l, g->node, "pack_b");
    pack_loops(l, g, batches, source);
    lower_end_kernel(l);
}

/* A tile. */

typedef struct Tile {
    const Gemm *gemm;
    const Expr *number; /* in its block of rows */
    const Expr *m0;     /* first row */
    const Expr *column; /* first column */
    const Expr *b;      /* index of its column block in B */
    int64_t rows, vectors;
    int64_t valid; /* columns of the block; the rest is padding */
    Buffer *acc, *rows_of_block;
    Buffer *sums;      /* of the whole block, where the inner dimension is cut; else NULL */
    int64_t ahead;     /* how far behind a chunk of B the one lies that is used next */
    int64_t tiles;     /* that use a chunk of B one after the other, at most */
    const Expr *turn;  /* which of them this is */
    const Expr *panel; /* number of the column block */
} Tile;

static const Expr *in_tile(Lower *l, const Tile *t, const Expr *i, const Expr *j,
                           const Expr *lane) {
    int64_t lanes = t->gemm->lanes;
    return ex_offset(l->b, i, t->vectors * lanes, ex_offset(l->b, j, lanes, lane));
}

static const Expr *in_sums(Lower *l, const Tile *t, const Expr *i, const Expr *j,
                           const Expr *lane) {
    return ex_offset(l->b, t->number, t->rows * tile_columns(t->gemm), in_tile(l, t, i, j, lane));
}

/* Of the chunk at hand, as it is added to the others. */
static const Expr *chunk_sum(Lower *l, const Tile *t, const Expr *i, const Expr *j,
                             const Expr *lane) {
    return ex_cast(l->b, t->gemm->wide, ex_load(l->b, t->acc, in_tile(l, t, i, j, lane)));
}

/* The finished sum of a position. */
static const Expr *result_of(Lower *l, const Tile *t, const Expr *i, const Expr *j,
                             const Expr *lane) {
    return t->sums ? ex_load(l->b, t->sums, in_sums(l, t, i, j, lane))
                   : chunk_sum(l, t, i, j, lane);
}

/* for i, for j, for lanes: the shape of every step on the accumulators */
static void open_tile(Lower *l, const Tile *t, int64_t vectors, const Expr **i, const Expr **j,
                      const Expr **lane) {
    *i = st_for_n(l->b, LOOP_UNROLL, "i", t->rows);
    *j = st_for_n(l->b, LOOP_UNROLL, "j", vectors);
    *lane = st_for_n(l->b, LOOP_LANES, "l", t->gemm->lanes);
}

static void close_tile(Lower *l) {
    for (int i = 0; i < 3; i++) st_end(l->b);
}

static const Expr *tile_column(Lower *l, const Tile *t, const Expr *j, const Expr *lane) {
    return ex_add(l->b, t->column, ex_offset(l->b, j, t->gemm->lanes, lane));
}

/* What a sum starts with (a bias), by column; the last vector of a block may be partly padding. */
static const Expr *start_value(Lower *l, const Tile *t, const Expr *j, const Expr *lane) {
    const Gemm *g = t->gemm;
    const Expr *zero = ex_const(l->b, g->wide, 0);
    if (!g->start) return zero;
    const Expr *column = tile_column(l, t, j, lane), *start = g->start(l, g, column);
    if (t->valid == t->vectors * g->lanes) return start;
    return ex_select(l->b, ex_lt(l->b, column, ex_index(l->b, g->columns)), start, zero);
}

static void start_tile(Lower *l, const Tile *t) {
    const Expr *i, *j, *lane;
    open_tile(l, t, t->vectors, &i, &j, &lane);
    if (t->sums)
        st_store(l->b, t->sums, in_sums(l, t, i, j, lane), start_value(l, t, j, lane));
    else
        st_store(l->b, t->acc, in_tile(l, t, i, j, lane),
                 t->gemm->pairs ? ex_const(l->b, DT_I32, 0) : start_value(l, t, j, lane));
    close_tile(l);
}

static void clear_acc(Lower *l, const Tile *t) {
    const Expr *i, *j, *lane;
    open_tile(l, t, t->vectors, &i, &j, &lane);
    st_store(l->b, t->acc, in_tile(l, t, i, j, lane), ex_const(l->b, step_type(t->gemm), 0));
    close_tile(l);
}

static void add_acc(Lower *l, const Tile *t) {
    const Expr *i, *j, *lane;
    open_tile(l, t, t->vectors, &i, &j, &lane);
    st_acc(l->b, t->sums, in_sums(l, t, i, j, lane), chunk_sum(l, t, i, j, lane));
    close_tile(l);
}

/* acc[at] += a * b */
static void add_product(Lower *l, const Gemm *g, Buffer *acc, const Expr *at, const Expr *a,
                        const Expr *b) {
    if (g->pairs)
        st_store(l->b, acc, at, ex_scalar(l->b, SC_DOT2, a, b, ex_load(l->b, acc, at)));
    else
        st_acc_mul(l->b, acc, at, a, b);
}

/* Where the rows of a tile begin in A: evenly spaced, or copied from the block's table. */
typedef struct Rows {
    const Expr *first;
    Buffer *table;
} Rows;

static void set_range(Buffer *table, int64_t lo, int64_t hi) {
    table->ranged = true;
    table->lo = lo;
    table->hi = hi;
}

static Rows tile_rows_of(Lower *l, const Tile *t) {
    Rows rows = {0};
    if (!t->rows_of_block) {
        rows.first = st_let(l->b, "row", t->gemm->row(l, t->gemm, t->m0));
        return rows;
    }
    rows.table = st_local(l->b, "row", DT_I64, t->rows, 0);
    set_range(rows.table, t->rows_of_block->lo, t->rows_of_block->hi);
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", t->rows);
    st_store(l->b, rows.table, i,
             ex_load(l->b, t->rows_of_block, ex_offset(l->b, t->number, t->rows, i)));
    st_end(l->b);
    return rows;
}

static void multiply_step(Lower *l, const Tile *t, Rows rows, const Expr *a_offset,
                          const Expr *b_index, Buffer *b) {
    const Gemm *g = t->gemm;
    const Expr *jb = st_for_n(l->b, LOOP_UNROLL, "j", t->vectors);
    const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", g->lanes);
    const Expr *in_row = ex_offset(l->b, jb, g->lanes, lane);
    st_store(l->b, b, in_row, ex_load(l->b, g->b, ex_add(l->b, b_index, in_row)));
    st_end(l->b);
    st_end(l->b);
    const Expr *i = st_for_n(l->b, LOOP_UNROLL, "i", t->rows);
    const Expr *row =
        rows.table ? ex_load(l->b, rows.table, i) : ex_offset(l->b, i, g->row_step, rows.first);
    const Expr *a = st_let(
        l->b, "a", ex_cast(l->b, step_type(g), ex_load(l->b, g->a, ex_add(l->b, row, a_offset))));
    const Expr *j = st_for_n(l->b, LOOP_UNROLL, "j", t->vectors);
    lane = st_for_n(l->b, LOOP_LANES, "l", g->lanes);
    add_product(l, g, t->acc, in_tile(l, t, i, j, lane), a,
                ex_load(l->b, b, ex_offset(l->b, j, g->lanes, lane)));
    close_tile(l);
}

/* Opens k loops from..to; adds their parts of the flat k and of the offset in A. */
static void open_k(Lower *l, const Gemm *g, int from, int to, const Expr **flat,
                   const Expr **offset) {
    for (int d = from; d < to; d++) {
        const Expr *k = st_for_n(l->b, LOOP_SERIAL, "k", g->k_extent[d]);
        *flat = ex_offset(l->b, *flat, g->k_extent[d], k);
        *offset = ex_offset(l->b, k, g->k_stride[d], *offset);
    }
}

static void close_k(Lower *l, int from, int to) {
    for (int d = from; d < to; d++) st_end(l->b);
}

static int64_t chunk_inner(const Gemm *g) {
    int64_t inner = 1;
    for (int d = g->n_outer; d < g->n_k; d++) inner *= g->k_extent[d];
    return inner;
}

/* B comes from far where it does not stay in cache.  While a chunk of it is used the next one is
 * asked for, a piece by each tile. */
static void prefetch(Lower *l, const Tile *t, const Expr *chunk) {
    const Gemm *g = t->gemm;
    int64_t bytes = dtypes[g->wide].bytes, line = LINE / bytes;
    int64_t count = chunk_inner(g) * t->vectors * g->lanes, cache = l->program->target->l2_bytes;
    if (!cache || gemm_packed_count(g) * bytes <= cache / 4 || t->tiles < 2) return;
    int64_t piece = (count / line + t->tiles - 1) / t->tiles;
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "p", piece);
    const Expr *at = ex_offset(l->b, ex_offset(l->b, t->turn, piece, i), line, t->b);
    at = ex_offset(l->b, chunk, count, ex_add(l->b, at, ex_index(l->b, t->ahead)));
    st_prefetch(l->b, g->b, ex_min(l->b, at, ex_index(l->b, g->b->count - 1)));
    st_end(l->b);
}

/* Likewise the part of A that the next product needs, a piece by each tile of each block of
 * columns. */
static void prefetch_soon(Lower *l, const Tile *t) {
    const Gemm *g = t->gemm;
    int64_t line = LINE / dtypes[g->a->type].bytes;
    int64_t blocks = (g->columns + tile_columns(g) - 1) / tile_columns(g);
    int64_t lines = (g->soon_count + line - 1) / line;
    if (!g->soon || !l->program->target->l2_bytes) return;
    int64_t piece = (lines + blocks * t->tiles - 1) / (blocks * t->tiles);
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "p", piece);
    const Expr *at = ex_offset(l->b, ex_offset(l->b, t->panel, t->tiles, t->turn), piece, i);
    at = ex_offset(l->b, at, line, g->soon);
    st_prefetch(l->b, g->a, ex_min(l->b, at, ex_index(l->b, g->a->count - 1)));
    st_end(l->b);
}

static void multiply(Lower *l, const Tile *t, const Expr *flat, const Expr *offset) {
    const Gemm *g = t->gemm;
    Rows rows = tile_rows_of(l, t);
    prefetch(l, t, flat);
    open_k(l, g, g->n_outer, g->n_k, &flat, &offset);
    Buffer *b = st_local(l->b, "b", step_type(g), t->vectors * g->lanes, g->lanes);
    multiply_step(l, t, rows, offset, ex_offset(l->b, flat, t->vectors * g->lanes, t->b), b);
    close_k(l, g->n_outer, g->n_k);
}

static void store_vectors(Lower *l, const Tile *t) {
    const Gemm *g = t->gemm;
    const Expr *i, *j, *lane;
    if (t->valid < g->lanes) return;
    open_tile(l, t, t->valid / g->lanes, &i, &j, &lane);
    g->store(l, g, ex_add(l->b, t->m0, i), tile_column(l, t, j, lane), result_of(l, t, i, j, lane));
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
             result_of(l, t, i, ex_index(l->b, full), lane));
    st_end(l->b);
    st_end(l->b);
    i = st_for_n(l->b, LOOP_SERIAL, "i", t->rows);
    const Expr *c = st_for_n(l->b, LOOP_SERIAL, "c", rest);
    const Expr *column = ex_add(l->b, t->column, ex_add(l->b, c, ex_index(l->b, full * g->lanes)));
    g->store(l, g, ex_add(l->b, t->m0, i), column,
             ex_load(l->b, tail, ex_offset(l->b, i, g->lanes, c)));
    st_end(l->b);
    st_end(l->b);
}

/* A block of rows: its tiles against one block of columns. */

typedef struct Block {
    const Expr *first, *count; /* tiles */
    int64_t most;              /* the largest count */
    Buffer *rows;              /* where each row begins in A; NULL: evenly spaced */
} Block;

static const Expr *first_row(Lower *l, const Gemm *g, const Block *block, const Expr *tile) {
    const Expr *m0 =
        ex_offset(l->b, ex_add(l->b, block->first, tile), g->tile_rows, ex_index(l->b, 0));
    /* the last tile overlaps its neighbour where the rows do not divide */
    return g->rows % g->tile_rows ? ex_min(l->b, m0, ex_index(l->b, g->rows - g->tile_rows)) : m0;
}

static void open_tiles(Lower *l, Tile *t, const Block *block) {
    t->number = t->turn = st_for(l->b, LOOP_SERIAL, "tile", block->count);
    t->tiles = block->most;
    t->m0 = first_row(l, t->gemm, block, t->number);
}

static void open_acc(Lower *l, Tile *t) {
    const Gemm *g = t->gemm;
    t->acc = st_local(l->b, "acc", step_type(g), t->rows * t->vectors * g->lanes, g->lanes);
}

static void whole_sums(Lower *l, Tile *t, const Block *block) {
    open_tiles(l, t, block);
    open_acc(l, t);
    start_tile(l, t);
    prefetch_soon(l, t);
    multiply(l, t, ex_index(l->b, 0), ex_index(l->b, 0));
    store_vectors(l, t);
    store_tail(l, t);
    st_end(l->b);
}

static void chunked_sums(Lower *l, Tile *t, const Block *block) {
    const Gemm *g = t->gemm;
    const Expr *flat = ex_index(l->b, 0), *offset = flat;
    t->sums = st_local(l->b, "sums", g->wide, block->most * t->rows * tile_columns(g), g->lanes);
    open_tiles(l, t, block);
    start_tile(l, t);
    st_end(l->b);
    open_k(l, g, 0, g->n_outer, &flat, &offset);
    open_tiles(l, t, block);
    open_acc(l, t);
    clear_acc(l, t);
    multiply(l, t, flat, offset);
    add_acc(l, t);
    st_end(l->b);
    close_k(l, 0, g->n_outer);
    open_tiles(l, t, block);
    store_vectors(l, t);
    store_tail(l, t);
    st_end(l->b);
}

static void column_block(Lower *l, const Gemm *g, const Block *block, const Expr *number,
                         int64_t valid) {
    Tile t = {.gemm = g, .rows = g->tile_rows, .valid = valid, .rows_of_block = block->rows};
    t.vectors = round_up(valid, g->lanes) / g->lanes;
    t.column = ex_offset(l->b, number, tile_columns(g), ex_index(l->b, 0));
    t.b = ex_offset(l->b, t.column, g->inner, g->b_offset);
    t.ahead = chunk_inner(g) * t.vectors * g->lanes;
    t.panel = number;
    if (g->n_outer)
        chunked_sums(l, &t, block);
    else
        whole_sums(l, &t, block);
}

/* The table of rows of a block, where they are not evenly spaced (tiles that wrap over the edge of
 * a map). */
static void find_rows(Lower *l, const Gemm *g, Block *block) {
    if (g->row_step) return;
    block->rows = st_local(l->b, "rows", DT_I64, block->most * g->tile_rows, 0);
    const Expr *t = st_for(l->b, LOOP_SERIAL, "tile", block->count);
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", g->tile_rows);
    const Expr *row = g->row(l, g, ex_add(l->b, first_row(l, g, block, t), i));
    set_range(block->rows, row->lo, row->hi);
    st_store(l->b, block->rows, ex_offset(l->b, t, g->tile_rows, i), row);
    st_end(l->b);
    st_end(l->b);
}

/* Bytes of A that a row adds to those before it. */
static int64_t row_bytes(const Gemm *g) {
    return dtypes[g->a ? g->a->type : g->wide].bytes * g->inner / (g->n_k > 1 ? g->k_extent[0] : 1);
}

/* Threads share rows where B stays in the cache of each: their rows of the result are theirs again
 * in the next operator. */
static bool by_rows(const Target *t, const Gemm *g, int64_t n_tiles) {
    return n_tiles >= ENOUGH_BLOCKS &&
           dtypes[g->wide].bytes * g->inner * g->columns <= t->l2_bytes / 4;
}

/* The last tile of all may reach back over its neighbour, so it does not stand in a block alone. */
static bool leaves_one(const Gemm *g, int64_t n_tiles, int64_t n) {
    return n_tiles % n == 1 && g->rows % g->tile_rows;
}

/* Tiles that the busiest of 2, 4 and 8 threads has, the first counting most. */
static int64_t longest_shares(int64_t n_tiles, int64_t n) {
    int64_t blocks = (n_tiles + n - 1) / n, sum = 0;
    for (int64_t threads = 2, weight = 16; threads <= 8; threads *= 2, weight /= 4) {
        int64_t share = (blocks + threads - 1) / threads * n;
        sum += weight * (share < n_tiles ? share : n_tiles);
    }
    return sum;
}

/* Blocks of at most so many tiles, and enough of them to use a part of B that is in L1 again. */
static int64_t even_blocks(const Gemm *g, int64_t n_tiles, int64_t most) {
    int64_t least = most < LEAST_TILES ? most : LEAST_TILES, best = 0;
    for (int64_t n = most < n_tiles ? most : n_tiles; n >= least; n--)
        if (!leaves_one(g, n_tiles, n) &&
            (!best || longest_shares(n_tiles, n) < longest_shares(n_tiles, best)))
            best = n;
    return best ? best : n_tiles;
}

/* A block's part of A takes a quarter of the L2 cache; its sums, on the stack, half of the L1.
 * Blocks of about one size. */
static int64_t tiles_in_block(const Target *t, const Gemm *g, int64_t n_tiles) {
    int64_t n = t->l2_bytes / 4 / (row_bytes(g) * g->tile_rows + 1);
    int64_t most = t->l1_bytes / 8 / (g->tile_rows * tile_columns(g));
    if (n > most) n = most;
    if (n < 4) n = 4;
    if (by_rows(t, g, n_tiles)) return even_blocks(g, n_tiles, n);
    if (n >= n_tiles) return n_tiles;
    int64_t blocks = (n_tiles + n - 1) / n;
    n = (n_tiles + blocks - 1) / blocks;
    while (leaves_one(g, n_tiles, n)) n++;
    return n;
}

/* A block of rows against all columns, or against one block of them.  Where B does not stay in
 * cache, it is read once: all rows against a block of its columns. */
typedef struct Order {
    int64_t row_blocks, column_blocks;
    bool one_by_one; /* an iteration is one block of rows and one of columns */
    bool columns_outer;
} Order;

static Order order_of(Lower *l, const Gemm *g, int64_t n_tiles, int64_t most) {
    int64_t columns = tile_columns(g);
    Order o = {.row_blocks = (n_tiles + most - 1) / most,
               .column_blocks = (g->columns + columns - 1) / columns};
    int64_t a = row_bytes(g) * g->rows, b = dtypes[g->wide].bytes * g->inner * g->columns;
    o.columns_outer =
        b > l->program->target->l2_bytes / 2 && (o.row_blocks - 1) * b > (o.column_blocks - 1) * a;
    o.one_by_one = o.column_blocks > 1 && !by_rows(l->program->target, g, n_tiles) &&
                   (o.columns_outer || o.row_blocks < ENOUGH_BLOCKS);
    return o;
}

static Block block_of_rows(Lower *l, const Gemm *g, const Expr *number, int64_t n_tiles,
                           int64_t most) {
    Block block = {.most = most};
    block.first = ex_offset(l->b, number, most, ex_index(l->b, 0));
    block.count = ex_index(l->b, most);
    if (n_tiles % most)
        block.count = ex_min(l->b, block.count, ex_sub(l->b, ex_index(l->b, n_tiles), block.first));
    find_rows(l, g, &block);
    return block;
}

static void all_columns(Lower *l, const Gemm *g, const Block *block) {
    int64_t columns = tile_columns(g), whole = g->columns / columns, rest = g->columns % columns;
    if (whole) {
        const Expr *number = st_for_n(l->b, LOOP_SERIAL, "columns", whole);
        column_block(l, g, block, number, columns);
        st_end(l->b);
    }
    if (rest) column_block(l, g, block, ex_index(l->b, whole), rest);
}

static void some_columns(Lower *l, const Gemm *g, const Block *block, const Expr *number) {
    int64_t columns = tile_columns(g), whole = g->columns / columns, rest = g->columns % columns;
    if (!rest) {
        column_block(l, g, block, number, columns);
        return;
    }
    st_if(l->b, ex_lt(l->b, number, ex_index(l->b, whole)));
    column_block(l, g, block, number, columns);
    st_else(l->b);
    column_block(l, g, block, ex_index(l->b, whole), rest);
    st_end(l->b);
}

/* Chunks outermost. */

/* A tile in the sums of all rows and columns: [column block][tile][row][vector]. */
typedef void TileFn(Lower *l, const Tile *t, const Expr *chunk);

static void for_tiles(Lower *l, const Gemm *g, Buffer *sums, const Expr *number, int64_t valid,
                      const Expr *chunk, TileFn *step) {
    int64_t n_tiles = (g->rows + g->tile_rows - 1) / g->tile_rows;
    Block block = {.first = ex_index(l->b, 0),
                   .count = g->tiles ? g->tiles : ex_index(l->b, n_tiles),
                   .most = n_tiles};
    Tile t = {.gemm = g, .rows = g->tile_rows, .valid = valid, .sums = sums};
    t.vectors = round_up(valid, g->lanes) / g->lanes;
    t.column = ex_offset(l->b, number, tile_columns(g), ex_index(l->b, 0));
    t.b = ex_offset(l->b, t.column, g->inner, g->b_offset);
    t.ahead = tile_columns(g) * g->inner;
    open_tiles(l, &t, &block);
    t.number = ex_add(l->b, ex_offset(l->b, number, n_tiles, ex_index(l->b, 0)), t.number);
    step(l, &t, chunk);
    st_end(l->b);
}

static void for_column_blocks(Lower *l, const Gemm *g, Buffer *sums, const Expr *chunk,
                              TileFn *step) {
    int64_t blocks = g->columns / tile_columns(g), rest = g->columns % tile_columns(g);
    if (blocks) {
        const Expr *number = st_for_n(l->b, LOOP_PARALLEL, "columns", blocks);
        for_tiles(l, g, sums, number, tile_columns(g), chunk, step);
        st_end(l->b);
    }
    if (rest) for_tiles(l, g, sums, ex_index(l->b, blocks), rest, chunk, step);
}

static void begin_step(Lower *l, const Tile *t, const Expr *chunk) {
    (void)chunk;
    start_tile(l, t);
}

static void add_step(Lower *l, const Tile *t, const Expr *chunk) {
    Tile of_chunk = *t;
    open_acc(l, &of_chunk);
    clear_acc(l, &of_chunk);
    multiply(l, &of_chunk, chunk, ex_index(l->b, 0));
    add_acc(l, &of_chunk);
}

static void end_step(Lower *l, const Tile *t, const Expr *chunk) {
    (void)chunk;
    store_vectors(l, t);
    store_tail(l, t);
}

int64_t gemm_sums_count(const Gemm *g) {
    int64_t blocks = (g->columns + tile_columns(g) - 1) / tile_columns(g);
    return round_up(g->rows, g->tile_rows) * blocks * tile_columns(g);
}

void gemm_sums_begin(Lower *l, const Gemm *g, Buffer *sums) {
    for_column_blocks(l, g, sums, ex_index(l->b, 0), begin_step);
}

void gemm_sums_add(Lower *l, const Gemm *g, Buffer *sums, const Expr *chunk) {
    for_column_blocks(l, g, sums, chunk, add_step);
}

void gemm_sums_end(Lower *l, const Gemm *g, Buffer *sums) {
    for_column_blocks(l, g, sums, ex_index(l->b, 0), end_step);
    builder_kernel(l->b)->macs += g->rows * g->columns * g->inner;
}

void gemm_loops(Lower *l, const Gemm *g) {
    int64_t n_tiles = (g->rows + g->tile_rows - 1) / g->tile_rows,
            most = tiles_in_block(l->program->target, g, n_tiles);
    Order o = order_of(l, g, n_tiles, most);
    int64_t count = o.one_by_one ? o.row_blocks * o.column_blocks : o.row_blocks;
    const Expr *number = st_for_n(l->b, LOOP_PARALLEL, "block", count), *rows = number;
    const Expr *by = ex_index(l->b, o.columns_outer ? o.row_blocks : o.column_blocks);
    if (o.one_by_one) rows = o.columns_outer ? ex_rem(l->b, number, by) : ex_div(l->b, number, by);
    Block block = block_of_rows(l, g, rows, n_tiles, most);
    if (o.one_by_one)
        some_columns(l, g, &block,
                     o.columns_outer ? ex_div(l->b, number, by) : ex_rem(l->b, number, by));
    else
        all_columns(l, g, &block);
    st_end(l->b);
    builder_kernel(l->b)->macs += g->rows * g->columns * g->inner;
}

/* What it does. */

/* A multiply-add has to wait for the one before it: so many vectors of sums keep the machine
 * busy. */
enum { BUSY_VECTORS = 10 };

void gemm_effort(Gemm *g, const Target *t, const Variant *v, int64_t times, int64_t matrices,
                 Effort *effort) {
    plan_for(g, t, v);
    int64_t n_tiles = (g->rows + g->tile_rows - 1) / g->tile_rows,
            most = tiles_in_block(t, g, n_tiles);
    int64_t columns = tile_columns(g), chunks = 1,
            weights = gemm_packed_count(g) * dtypes[g->wide].bytes;
    for (int i = 0; i < g->n_outer; i++) chunks *= g->k_extent[i];
    double steps = 0, sums = 0;
    for (int part = 0; part < 2; part++) {
        int64_t blocks = part ? g->columns % columns > 0 : g->columns / columns;
        int64_t rest = (g->columns % columns + g->lanes - 1) / g->lanes,
                of_tile = part ? rest : g->tile_vectors;
        int64_t busy =
            of_tile * g->tile_rows < BUSY_VECTORS ? BUSY_VECTORS : of_tile * g->tile_rows;
        steps += (double)(n_tiles * blocks * busy) * (double)g->inner;
        sums += (double)(n_tiles * blocks * of_tile * g->tile_rows) * (double)(chunks + 1);
    }
    effort->n[v->tile_vectors > 2 ? COST_MULTIPLY_WIDE : COST_MULTIPLY] += steps * (double)times;
    effort->n[COST_SUMS] += sums * (double)times;
    effort->n[COST_WEIGHTS] += (double)weights * (double)matrices;
    double readings = (double)times * (double)((n_tiles + most - 1) / most) - (double)matrices;
    effort->n[COST_AGAIN] += readings > 0 ? readings * (double)weights : 0;
}
