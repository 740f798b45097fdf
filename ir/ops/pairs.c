/* pairs.c - PackPairs: a map rounded to few bits, two numbers to an i32; and what its readers
 * share.
 *
 * A number is round(x / limit * most) with most = 2^(bits - 1) - 1, so that one of magnitude
 * `limit` is `most`; what is beyond is cut.  `limit` is an input: the largest magnitude of the map,
 * or what was seen in others. */
#include "pairs.h"

#include "infer.h"
#include "nest.h"
#include "ops.h"

enum { X, LIMIT };

int64_t pair_count(int64_t channels) {
    int64_t blocks = channels / (2 * PAIR_BLOCK);
    return blocks * PAIR_BLOCK + (channels % (2 * PAIR_BLOCK) + 1) / 2;
}

int64_t pair_chunk(int64_t pairs) {
    if (pairs <= PAIR_CHUNK) return pairs;
    for (int64_t c = PAIR_CHUNK; c >= PAIR_CHUNK / 8; c -= PAIR_BLOCK)
        if (pairs % c == 0) return c;
    return 0;
}

/* From the number of weights of each magnitude. */
static int64_t sum_of_largest(const int64_t *counts) {
    int64_t left = 2 * PAIR_CHUNK, sum = 0;
    for (int64_t size = -INT16_MIN; size > 0 && left > 0; size--) {
        int64_t n = counts[size] < left ? counts[size] : left;
        sum += n * size;
        left -= n;
    }
    return sum;
}

int64_t pair_largest_sum(Arena *a, const Tensor *weights) {
    ArenaMark mark = arena_mark(a);
    int64_t most = 0, outputs = weights->dims[0], each = outputs ? weights->count / outputs : 0;
    int64_t *counts = NEW_ARRAY(a, int64_t, 1 - INT16_MIN);
    const int16_t *w = weights->data;
    for (int64_t o = 0; o < outputs; o++, w += each) {
        for (int64_t i = 0; i < each; i++) counts[w[i] < 0 ? -w[i] : w[i]]++;
        int64_t sum = sum_of_largest(counts);
        if (sum > most) most = sum;
        for (int64_t i = 0; i < each; i++) counts[w[i] < 0 ? -w[i] : w[i]] = 0;
    }
    arena_release(a, mark);
    return most;
}

double pair_most(const Node *n) { return (double)((INT64_C(1) << (node_int(n, "bits") - 1)) - 1); }

const Expr *pair_channel(Lower *l, int64_t channels, const Expr *pair, int half) {
    Builder *b = l->b;
    int64_t whole = channels / (2 * PAIR_BLOCK) * PAIR_BLOCK;
    const Expr *size = ex_index(b, PAIR_BLOCK);
    const Expr *in_block =
        ex_offset(b, ex_div(b, pair, size), 2 * PAIR_BLOCK,
                  ex_add(b, ex_rem(b, pair, size), ex_index(b, half * PAIR_BLOCK)));
    const Expr *in_rest = ex_offset(b, pair, 2, ex_index(b, half));
    if (pair->hi < whole) return in_block;
    if (pair->lo >= whole) return in_rest;
    return ex_select(b, ex_lt(b, pair, ex_index(b, whole)), in_block, in_rest);
}

const Expr *pair_make(Lower *l, const Expr *low, const Expr *high) {
    const Expr *first = ex_and(l->b, low, ex_int(l->b, DT_I32, 0xffff));
    const Expr *second = ex_scalar(l->b, SC_SHL, high, ex_int(l->b, DT_I32, 16), NULL);
    return ex_or(l->b, first, second);
}

/* A sum with 1.5 * 2^23 (2^52) is rounded to an integer that lies in the low bits, as two's
 * complement. */
const Expr *pair_round(Lower *l, const Expr *x, const Expr *factor, double most) {
    bool is_wide = x->type == DT_F64;
    const Expr *y = ex_mul(l->b, x, factor);
    y = ex_min(l->b, ex_max(l->b, y, ex_const(l->b, x->type, -most)),
               ex_const(l->b, x->type, most));
    y = ex_add(l->b, y, ex_const(l->b, x->type, is_wide ? 0x1.8p52 : 0x1.8p23));
    const Expr *bits = ex_bitcast(l->b, is_wide ? DT_I64 : DT_I32, y);
    return is_wide ? ex_cast(l->b, DT_I32, bits) : bits;
}

const Expr *pair_limit(Lower *l, const Value *limit, const Expr *image) {
    const Expr *at[MAX_RANK];
    for (int d = 0; d < limit->rank; d++) at[d] = ex_index(l->b, 0);
    if (dim_of(limit, 0) > 1) at[0] = image;
    return lower_load_wide(l, limit, at);
}

const Expr *pair_factor(Lower *l, const Value *limit, const Expr *image, double most) {
    const Expr *x = pair_limit(l, limit, image);
    return ex_div(l->b, ex_const(l->b, x->type, most), x);
}

const Expr *pair_weight(Lower *l, const Buffer *source, const Expr *tap_index,
                        int64_t channel_stride, int64_t channels, const Expr *pair) {
    const Expr *half[2];
    for (int i = 0; i < 2; i++) {
        const Expr *channel = pair_channel(l, channels, pair, i),
                   *last = ex_index(l->b, channels - 1);
        const Expr *at = ex_offset(l->b, ex_min(l->b, channel, last), channel_stride, tap_index);
        half[i] = ex_cast(l->b, DT_I32, ex_load(l->b, source, at));
        if (channel->hi < channels) continue;
        half[i] = ex_select(l->b, ex_le(l->b, channel, last), half[i], ex_int(l->b, DT_I32, 0));
    }
    return pair_make(l, half[0], half[1]);
}

bool pair_infer_limit(Infer *f, Node *n, int k, int rank, int64_t images) {
    int64_t limit[MAX_RANK], bits = node_int(n, "bits");
    int limit_rank = infer_dims(f, n, k, limit);
    if (limit_rank < 0) return false;
    if (bits < MIN_BITS || bits > MAX_BITS)
        return infer_fail_attr(f, n, "bits", "is %lld, must be %d to %d", (long long)bits, MIN_BITS,
                               MAX_BITS);
    bool fits = limit_rank == rank && dtype_is_float(n->inputs[k]->dtype);
    for (int d = 0; fits && d < rank; d++) fits = limit[d] == 1 || (d == 0 && limit[d] == images);
    return fits || infer_fail(f, n, D_SHAPE, "the limit is not one float an image");
}

bool pair_infer_weights(Infer *f, Node *n, int w, int scale) {
    int64_t dims[MAX_RANK], outputs[MAX_RANK];
    if (infer_dims(f, n, w, dims) < 0) return false;
    int rank = infer_dims(f, n, scale, outputs);
    if (rank < 0) return false;
    if (n->inputs[w]->dtype != DT_I16 || !dtype_is_float(n->inputs[scale]->dtype))
        return infer_fail(f, n, D_DTYPE, "the weights must be of type i16, their scale a float");
    const Tensor *weights = n->inputs[w]->constant;
    if (weights && (double)pair_largest_sum(f->unit->arena, weights) * pair_most(n) > INT32_MAX)
        return infer_fail_attr(f, n, "bits", "is too large: a sum of %d products could overflow",
                               2 * PAIR_CHUNK);
    if (!pair_chunk(pair_count(dims[1])))
        return infer_fail(f, n, D_SHAPE, "so many channels cannot be added up in parts");
    return (rank == 1 && outputs[0] == dims[0]) ||
           infer_fail(f, n, D_SHAPE, "the scale must have one element an output channel");
}

bool infer_pack_pairs(Infer *f, Node *n) {
    int64_t x[MAX_RANK];
    int rank = infer_dims(f, n, X, x);
    if (rank < 0) return false;
    if (rank < 2) return infer_fail(f, n, D_SHAPE, "the map must have channels");
    if (!dtype_is_float(n->inputs[X]->dtype))
        return infer_fail(f, n, D_DTYPE, "the map must be of floats");
    if (!pair_infer_limit(f, n, LIMIT, rank, x[0])) return false;
    x[1] = pair_count(x[1]);
    infer_set(f, n, 0, DT_I32, rank, x);
    return true;
}

void need_pack_pairs(const Lower *l, const Node *n, int input, InputNeed *need) {
    (void)l;
    (void)n;
    if (input == X) need->readings = 1;
}

/* The map's element in half `half` of the pair at index[1], rounded. */
static const Expr *rounded_half(Lower *l, const Node *n, const Expr *const *index,
                                const Expr *factor, int half) {
    const Value *x = n->inputs[X];
    const Expr *at[MAX_RANK];
    int64_t channels = dim_of(x, 1);
    for (int d = 0; d < x->rank; d++) at[d] = index[d];
    const Expr *channel = pair_channel(l, channels, index[1], half);
    at[1] = index_clamp(l, channel, channels);
    const Expr *value = pair_round(l, lower_load_wide(l, x, at), factor, pair_most(n));
    if (channel->hi < channels) return value;
    return ex_select(l->b, index_inside(l, channel, channels), value, ex_int(l->b, DT_I32, 0));
}

static void pack_pair(Lower *l, const Node *n, const Expr *const *index, const Expr *factor) {
    const Expr *low = rounded_half(l, n, index, factor, 0);
    const Expr *high = rounded_half(l, n, index, factor, 1);
    lower_store(l, n->outputs[0], index, pair_make(l, low, high));
}

/* Whole blocks in vectors. */
static void pack_blocks(Lower *l, const Node *n, const Expr **index, const Expr *factor) {
    int64_t lanes = l->program->target->lanes < PAIR_BLOCK ? l->program->target->lanes : PAIR_BLOCK;
    const Expr *block =
        st_for_n(l->b, LOOP_SERIAL, "block", dim_of(n->inputs[X], 1) / (2 * PAIR_BLOCK));
    const Expr *first = ex_offset(l->b, block, PAIR_BLOCK, ex_index(l->b, 0));
    const Expr *part = st_for_n(l->b, LOOP_UNROLL, "part", PAIR_BLOCK / lanes);
    const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", lanes);
    index[1] = ex_add(l->b, first, ex_offset(l->b, part, lanes, lane));
    pack_pair(l, n, index, factor);
    for (int i = 0; i < 3; i++) st_end(l->b);
}

static void pack_pixel(Lower *l, const Node *n, const Expr **index, const Expr *factor) {
    int64_t channels = dim_of(n->inputs[X], 1), blocks = channels / (2 * PAIR_BLOCK);
    int64_t rest = pair_count(channels) - blocks * PAIR_BLOCK;
    if (blocks) pack_blocks(l, n, index, factor);
    if (!rest) return;
    const Expr *pair = st_for_n(l->b, LOOP_SERIAL, "pair", rest);
    index[1] = ex_add(l->b, pair, ex_index(l->b, blocks * PAIR_BLOCK));
    pack_pair(l, n, index, factor);
    st_end(l->b);
}

void code_pack_pairs(Lower *l, Node *n) {
    const Value *x = n->inputs[X];
    const Expr *index[MAX_RANK];
    lower_begin_kernel(l, n, NULL);
    index[0] = st_for_n(l->b, LOOP_PARALLEL, "n", dim_of(x, 0));
    const Expr *factor =
        st_let(l->b, "factor", pair_factor(l, n->inputs[LIMIT], index[0], pair_most(n)));
    for (int d = 2; d < x->rank; d++)
        index[d] = st_for_n(l->b, LOOP_PARALLEL, d == x->rank - 1 ? "x" : "y", dim_of(x, d));
    pack_pixel(l, n, index, factor);
    for (int d = 1; d < x->rank; d++) st_end(l->b);
    lower_end_kernel(l);
}
