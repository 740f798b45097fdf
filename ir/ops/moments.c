/* moments.c - Moments: mean and scaled inverse deviation of groups of channels, in one sweep over
 * the map.
 *
 * X [N,C,D1..], scale [C]  ->  mean, factor, both [N,C,1..]: of the group that a channel is in,
 * and factor = scale / sqrt(variance + epsilon).
 *
 * The map is cut into chunks of neighbouring positions that stay in cache.  Of each chunk and
 * channel the mean and the sum of squared distances from it are taken; as all chunks are equally
 * long, the means of the wholes are means of means, and squares join by
 *
 *     sum (x - mean)^2  =  sum over chunks of (squares + length * (mean of chunk - mean)^2)
 *
 * (Chan, Golub, LeVeque 1979: "Updating formulae and a pairwise algorithm for computing sample
 * variances"): nothing cancels, and the map comes from memory once.  Lanes run over channels. */
#include "infer.h"
#include "nest.h"
#include "ops.h"

enum {
    CHUNK = 256, /* positions of a chunk, where an axis or a part of it allows */
    VECTORS = 4  /* accumulators side by side */
};

typedef struct Moments {
    Node *node;
    const Value *x, *scale, *mean, *factor;
    DType wide;
    int64_t channels, groups, positions;
    int whole;                               /* axes from here on lie in one chunk as a whole */
    int64_t part;                            /* of the axis before them so many; 0: one */
    int64_t chunk, chunks;                   /* positions of a chunk; chunks of a map */
    Buffer *means, *squares;                 /* [chunks, C] */
    Buffer *channel_means, *channel_squares; /* [C] */
    const Expr *index[MAX_RANK];
} Moments;

bool infer_moments(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], scale[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims);
    int64_t groups = node_int(n, "groups");
    if (rank < 2 || !dtype_is_float(n->inputs[0]->dtype))
        return infer_fail(f, n, D_SHAPE, "the input must be a float map of rank 2 or more");
    if (groups < 1 || dims[1] % groups)
        return infer_fail_attr(f, n, "groups", "%lld does not divide the channels",
                               (long long)groups);
    if (infer_dims(f, n, 1, scale) != 1 || scale[0] != dims[1])
        return infer_fail(f, n, D_SHAPE, "the scale must have one element a channel");
    for (int d = 2; d < rank; d++) dims[d] = 1;
    for (int k = 0; k < 2; k++) infer_set(f, n, k, lower_wide(n->inputs[0]->dtype), rank, dims);
    return true;
}

/* A chunk is read for its mean and, from cache, for its squares. */
void need_moments(const Lower *l, const Node *n, int input, InputNeed *need) {
    (void)l;
    (void)n;
    if (input == 0) *need = (InputNeed){.need = NEED_ELEMENTS, .readings = 2};
}

/* Whole trailing axes as long as they fit, then the largest part of the next that divides it. */
static void plan_chunk(Moments *m) {
    int rank = m->x->rank;
    m->chunk = 1;
    for (m->whole = rank; m->whole > 2; m->whole--) {
        int64_t extent = dim_of(m->x, m->whole - 1);
        if (m->chunk * extent > CHUNK) break;
        m->chunk *= extent;
    }
    if (m->whole > 2) {
        int64_t extent = dim_of(m->x, m->whole - 1);
        for (m->part = CHUNK / m->chunk; extent % m->part;) m->part--;
        m->chunk *= m->part;
    }
    m->chunks = m->positions / m->chunk;
}

static Moments moments_of(Node *n) {
    Moments m = {.node = n,
                 .x = n->inputs[0],
                 .scale = n->inputs[1],
                 .mean = n->outputs[0],
                 .factor = n->outputs[1],
                 .groups = node_int(n, "groups"),
                 .positions = 1};
    m.wide = lower_wide(m.x->dtype);
    m.channels = dim_of(m.x, 1);
    for (int d = 2; d < m.x->rank; d++) m.positions *= dim_of(m.x, d);
    if (m.positions) plan_chunk(&m);
    return m;
}

/* Statistics of a chunk. */

/* Some vectors of channels from `first` on. */
typedef struct Columns {
    const Expr *first;
    int64_t vectors, lanes;
} Columns;

static void open_vectors(Lower *l, const Columns *c, const Expr **in_block, const Expr **channel) {
    const Expr *v = st_for_n(l->b, LOOP_UNROLL, "v", c->vectors);
    const Expr *lane = st_for_n(l->b, c->lanes > 1 ? LOOP_LANES : LOOP_SERIAL, "l", c->lanes);
    *in_block = ex_offset(l->b, v, c->lanes, lane);
    *channel = ex_add(l->b, c->first, *in_block);
}

static void close_vectors(Lower *l) {
    st_end(l->b);
    st_end(l->b);
}

/* Loops over the positions of the chunk: sets m->index but for the channel; tells how many. */
static int open_positions(Lower *l, Moments *m, const Expr *part) {
    int opened = 0;
    if (m->part) {
        const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", m->part);
        m->index[m->whole - 1] = ex_offset(l->b, part, m->part, i);
        opened++;
    }
    for (int d = m->whole; d < m->x->rank; d++, opened++)
        m->index[d] = st_for_n(l->b, LOOP_SERIAL, "i", dim_of(m->x, d));
    return opened;
}

static Buffer *make_accumulators(Lower *l, const Moments *m, const Columns *c, const char *name) {
    int64_t lanes = c->lanes > 1 ? c->lanes : 0;
    Buffer *acc = st_local(l->b, name, m->wide, c->vectors * c->lanes, (int)lanes);
    const Expr *in_block, *channel;
    open_vectors(l, c, &in_block, &channel);
    st_store(l->b, acc, in_block, ex_const(l->b, m->wide, 0));
    close_vectors(l);
    return acc;
}

/* acc += x, or with a mean acc += (x - mean)^2, over the chunk */
static void sum_chunk(Lower *l, Moments *m, const Columns *c, const Expr *part, Buffer *acc,
                      const Buffer *mean) {
    const Expr *in_block, *channel;
    int opened = open_positions(l, m, part);
    open_vectors(l, c, &in_block, &channel);
    m->index[1] = channel;
    const Expr *x = lower_load_wide(l, m->x, m->index);
    if (mean) {
        const Expr *distance = st_let(l->b, "d", ex_sub(l->b, x, ex_load(l->b, mean, in_block)));
        st_acc_mul(l->b, acc, in_block, distance, distance);
    } else {
        st_acc(l->b, acc, in_block, x);
    }
    close_vectors(l);
    for (int i = 0; i < opened; i++) st_end(l->b);
}

static void chunk_columns(Lower *l, Moments *m, const Columns *c, const Expr *chunk,
                          const Expr *part) {
    const Expr *in_block, *channel, *row = ex_offset(l->b, chunk, m->channels, ex_index(l->b, 0));
    Buffer *mean = make_accumulators(l, m, c, "mean");
    sum_chunk(l, m, c, part, mean, NULL);
    open_vectors(l, c, &in_block, &channel);
    const Expr *average =
        ex_div(l->b, ex_load(l->b, mean, in_block), ex_const(l->b, m->wide, (double)m->chunk));
    st_store(l->b, mean, in_block, average);
    st_store(l->b, m->means, ex_add(l->b, row, channel), ex_load(l->b, mean, in_block));
    close_vectors(l);
    Buffer *squares = make_accumulators(l, m, c, "squares");
    sum_chunk(l, m, c, part, squares, mean);
    open_vectors(l, c, &in_block, &channel);
    st_store(l->b, m->squares, ex_add(l->b, row, channel), ex_load(l->b, squares, in_block));
    close_vectors(l);
}

/* The places of a chunk on the axes that it does not hold as a whole. */
static const Expr *place_chunk(Lower *l, Moments *m, const Expr *chunk) {
    const Expr *part = NULL, *rest = chunk;
    for (int d = m->whole - 1; d >= 2; d--) {
        int64_t extent = d == m->whole - 1 ? dim_of(m->x, d) / m->part : dim_of(m->x, d);
        const Expr *at = d == 2 ? rest : ex_rem(l->b, rest, ex_index(l->b, extent));
        rest = ex_div(l->b, rest, ex_index(l->b, extent));
        if (d == m->whole - 1)
            part = at;
        else
            m->index[d] = at;
    }
    return part;
}

static void chunk_statistics(Lower *l, Moments *m) {
    const Expr *chunk = st_for_n(l->b, LOOP_PARALLEL, "chunk", m->chunks);
    const Expr *part = place_chunk(l, m, chunk);
    int64_t lanes = l->program->target->lanes, vectors = m->channels / lanes;
    Columns c = {.lanes = lanes, .vectors = VECTORS};
    while (vectors % c.vectors) c.vectors /= 2;
    if (vectors) {
        const Expr *block = st_for_n(l->b, LOOP_PARALLEL, "block", vectors / c.vectors);
        c.first = ex_offset(l->b, block, c.vectors * lanes, ex_index(l->b, 0));
        chunk_columns(l, m, &c, chunk, part);
        st_end(l->b);
    }
    if (m->channels % lanes) {
        const Expr *r = st_for_n(l->b, LOOP_SERIAL, "r", m->channels % lanes);
        c = (Columns){ex_add(l->b, r, ex_index(l->b, vectors * lanes)), 1, 1};
        chunk_columns(l, m, &c, chunk, part);
        st_end(l->b);
    }
    st_end(l->b);
}

/* Joining. */

typedef struct Join {
    Moments *m;
    const Expr *chunk; /* at hand; NULL: the step is not about chunks */
} Join;

typedef void ChannelFn(Lower *l, const Join *j, const Expr *channel);

static void for_channels(Lower *l, const Join *j, ChannelFn *step) {
    int64_t lanes = l->program->target->lanes, blocks = j->m->channels / lanes,
            rest = j->m->channels % lanes;
    if (blocks) {
        const Expr *block = st_for_n(l->b, LOOP_SERIAL, "block", blocks);
        const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", lanes);
        step(l, j, ex_offset(l->b, block, lanes, lane));
        st_end(l->b);
        st_end(l->b);
    }
    if (rest) {
        const Expr *r = st_for_n(l->b, LOOP_SERIAL, "r", rest);
        step(l, j, ex_add(l->b, r, ex_index(l->b, blocks * lanes)));
        st_end(l->b);
    }
}

static void for_chunks(Lower *l, Moments *m, ChannelFn *step) {
    const Expr *chunk = st_for_n(l->b, LOOP_SERIAL, "chunk", m->chunks);
    for_channels(l, &(Join){m, chunk}, step);
    st_end(l->b);
}

static const Expr *of_chunk(Lower *l, const Join *j, const Buffer *values, const Expr *channel) {
    return ex_load(l->b, values, ex_offset(l->b, j->chunk, j->m->channels, channel));
}

static void clear_step(Lower *l, const Join *j, const Expr *channel) {
    st_store(l->b, j->m->channel_means, channel, ex_const(l->b, j->m->wide, 0));
    st_store(l->b, j->m->channel_squares, channel, ex_const(l->b, j->m->wide, 0));
}

static void sum_means_step(Lower *l, const Join *j, const Expr *channel) {
    st_acc(l->b, j->m->channel_means, channel, of_chunk(l, j, j->m->means, channel));
}

static void divide_step(Lower *l, const Join *j, const Expr *channel) {
    const Expr *sum = ex_load(l->b, j->m->channel_means, channel);
    st_store(l->b, j->m->channel_means, channel,
             ex_div(l->b, sum, ex_const(l->b, j->m->wide, (double)j->m->chunks)));
}

static void between_step(Lower *l, const Join *j, const Expr *channel) {
    const Expr *mean = ex_load(l->b, j->m->channel_means, channel);
    const Expr *distance = ex_sub(l->b, of_chunk(l, j, j->m->means, channel), mean);
    distance = st_let(l->b, "d", distance);
    st_acc_mul(l->b, j->m->channel_squares, channel, distance, distance);
}

static void lengthen_step(Lower *l, const Join *j, const Expr *channel) {
    const Expr *between = ex_load(l->b, j->m->channel_squares, channel);
    st_store(l->b, j->m->channel_squares, channel,
             ex_mul(l->b, between, ex_const(l->b, j->m->wide, (double)j->m->chunk)));
}

static void sum_squares_step(Lower *l, const Join *j, const Expr *channel) {
    st_acc(l->b, j->m->channel_squares, channel, of_chunk(l, j, j->m->squares, channel));
}

/* Means and squares of the channels; of one chunk they are there already. */
static void join_chunks(Lower *l, Moments *m) {
    Join all = {m, NULL};
    if (m->chunks == 1) return;
    for_channels(l, &all, clear_step);
    for_chunks(l, m, sum_means_step);
    for_channels(l, &all, divide_step);
    for_chunks(l, m, between_step);
    for_channels(l, &all, lengthen_step);
    for_chunks(l, m, sum_squares_step);
}

/* A sum over the channels of a group, of values[c] or, with a mean, of (values[c] - mean)^2. */
static const Expr *sum_group(Lower *l, const Moments *m, const char *name, const Buffer *values,
                             const Expr *start, const Expr *mean) {
    const Expr *zero = ex_index(l->b, 0);
    Buffer *acc = st_local(l->b, name, m->wide, 1, 0);
    st_store(l->b, acc, zero, ex_const(l->b, m->wide, 0));
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", m->channels / m->groups);
    const Expr *x = ex_load(l->b, values, ex_add(l->b, start, i));
    if (mean) {
        x = st_let(l->b, "d", ex_sub(l->b, x, mean));
        st_acc_mul(l->b, acc, zero, x, x);
    } else {
        st_acc(l->b, acc, zero, x);
    }
    st_end(l->b);
    return st_let(l->b, name, ex_load(l->b, acc, zero));
}

static void give(Lower *l, const Moments *m, const Expr *n, const Expr *channel, const Expr *mean,
                 const Expr *inverse) {
    const Expr *index[MAX_RANK] = {n, channel};
    for (int d = 2; d < m->x->rank; d++) index[d] = ex_index(l->b, 0);
    const Expr *scale = ex_cast(l->b, m->wide, lower_load_wide(l, m->scale, &channel));
    if (m->mean) lower_store(l, m->mean, index, mean);
    if (m->factor) lower_store(l, m->factor, index, ex_mul(l->b, inverse, scale));
}

static void join_channels(Lower *l, const Moments *m, const Expr *n) {
    int64_t in_group = m->channels / m->groups;
    const Expr *g = st_for_n(l->b, LOOP_SERIAL, "group", m->groups);
    const Expr *start = ex_offset(l->b, g, in_group, ex_index(l->b, 0));
    const Expr *sum = sum_group(l, m, "sum", m->channel_means, start, NULL);
    const Expr *mean =
        st_let(l->b, "mean", ex_div(l->b, sum, ex_const(l->b, m->wide, (double)in_group)));
    const Expr *inside = sum_group(l, m, "inside", m->channel_squares, start, NULL);
    const Expr *between = sum_group(l, m, "between", m->channel_means, start, mean);
    const Expr *square =
        ex_fma(l->b, between, ex_const(l->b, m->wide, (double)m->positions), inside);
    const Expr *variance =
        ex_div(l->b, square, ex_const(l->b, m->wide, (double)(m->positions * in_group)));
    const Expr *epsilon = ex_const(l->b, m->wide, node_float(m->node, "epsilon"));
    const Expr *deviation = math_sqrt(l->b, ex_add(l->b, variance, epsilon));
    const Expr *inverse =
        st_let(l->b, "inverse", ex_div(l->b, ex_const(l->b, m->wide, 1), deviation));
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", in_group);
    give(l, m, n, ex_add(l->b, start, i), mean, inverse);
    st_end(l->b);
    st_end(l->b);
}

void code_moments(Lower *l, Node *node) {
    Moments m = moments_of(node);
    if (m.positions && m.channels) {
        m.means = lower_scratch(l, "means", m.wide, m.chunks * m.channels);
        m.squares = lower_scratch(l, "squares", m.wide, m.chunks * m.channels);
        bool one = m.chunks == 1;
        m.channel_means = one ? m.means : lower_scratch(l, "channel_means", m.wide, m.channels);
        m.channel_squares =
            one ? m.squares : lower_scratch(l, "channel_squares", m.wide, m.channels);
    }
    lower_begin_kernel(l, node, NULL);
    const Expr *n = st_for_n(l->b, LOOP_SERIAL, "n", dim_of(m.x, 0));
    if (m.means) {
        m.index[0] = n;
        chunk_statistics(l, &m);
        join_chunks(l, &m);
        join_channels(l, &m, n);
    }
    st_end(l->b);
    lower_end_kernel(l);
}
