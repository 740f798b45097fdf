/* depthwise.c - Conv with one input channel a group: lanes run over channels, and a block of
 * neighbouring outputs of a row is computed at once.
 *
 *     for part, for n, for y..       threads share one of these
 *         for x                      blocks of outputs along the last axis
 *             for block              vectors of channels of the part
 *                 acc[o] = bias
 *                 for k..            taps, all axes but the last
 *                     the last axis' taps written out: an input is loaded once for all outputs
 *                     that it is part of, a weight once for all outputs
 *                 output[o] = acc[o]
 *
 * Sums run over taps in row-major order, one chain an output. */
#include "conv.h"
#include "infer.h"

#include <string.h>

enum {
    MOST_OUTPUTS = 8,
    LONGEST = 7,     /* taps along the last axis that are written out */
    ENOUGH_ROWS = 8, /* for threads */
    MOST_PARTS = 8   /* of the channels */
};

typedef struct Depthwise {
    Conv *conv;
    Storage weights;
    DType wide;
    int64_t outputs;         /* of a block */
    const Expr *o[MAX_RANK]; /* first output of the block at hand */
    const Expr *first;       /* channel of the first lane */
    int64_t lanes;
    Buffer *acc;
} Depthwise;

/* Constant weights tap by tap, the channels of a tap side by side as lanes want them. */
static Storage weights_by_tap(Lower *l, const Conv *c) {
    int64_t channels = c->w->dims[0].size, taps = value_count(c->w) / channels;
    Tensor *packed = tensor_new(l->unit->arena, c->w->dtype, 2, (int64_t[]){taps, channels});
    size_t bytes = (size_t)dtypes[c->w->dtype].bytes;
    const char *from = c->w->constant->data;
    char *at = (char *)(uintptr_t)packed->data;
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t i = 0; i < channels; i++, at += bytes)
            memcpy(at, from + (size_t)(i * taps + tap) * bytes, bytes);
    Storage to = {.buffer = lower_constant(l, c->w->name, packed), .stride = {1}};
    for (int64_t d = c->axes - 1, step = channels; d >= 0; step *= c->window.kernel[d--])
        to.stride[d + 2] = step;
    return to;
}

static int last_axis(const Depthwise *p) { return p->conv->axes - 1; }

static bool is_written_out(const Conv *c) { return c->window.kernel[c->axes - 1] <= LONGEST; }

/* Accumulators, the weights of a row of taps and an input stay in registers. */
static int64_t outputs_of_block(const Lower *l, const Conv *c) {
    int64_t width = c->window.out[c->axes - 1];
    int64_t most = l->program->target->registers - c->window.kernel[c->axes - 1] - 1;
    if (!is_written_out(c) || most < 1) return 1;
    if (most > MOST_OUTPUTS) most = MOST_OUTPUTS;
    int64_t blocks = (width + most - 1) / most;
    return (width + blocks - 1) / blocks;
}

static const Expr *open_lanes(Lower *l, const Depthwise *p) {
    return st_for_n(l->b, p->lanes > 1 ? LOOP_LANES : LOOP_SERIAL, "l", p->lanes);
}

static const Expr *acc_index(Lower *l, const Depthwise *p, const Expr *output, const Expr *lane) {
    return ex_offset(l->b, output, p->lanes, lane);
}

static void start_block(Lower *l, Depthwise *p) {
    const Expr *output = st_for_n(l->b, LOOP_UNROLL, "o", p->outputs);
    const Expr *lane = open_lanes(l, p);
    st_store(l->b, p->acc, acc_index(l, p, output, lane),
             conv_bias(l, p->conv, ex_add(l->b, p->first, lane), p->wide));
    st_end(l->b);
    st_end(l->b);
}

/* Where the taps of a row begin, for the lane at hand. */
typedef struct Row {
    const Expr *x, *w; /* indices */
    const Expr *weight[LONGEST];
} Row;

static const Expr *load_tap(Lower *l, const Depthwise *p, const Buffer *buffer, const Expr *index,
                            const char *name) {
    return st_let(l->b, name, ex_cast(l->b, p->wide, ex_load(l->b, buffer, index)));
}

/* The input at a distance from the first output's first tap goes into every output it belongs
 * to. */
static void add_input(Lower *l, const Depthwise *p, const Row *row, const Expr *lane,
                      int64_t distance) {
    const Conv *c = p->conv;
    int d = last_axis(p);
    const Window *w = &c->window;
    const Expr *x = NULL;
    for (int64_t o = 0; o < p->outputs; o++) {
        int64_t k = (distance - o * w->stride[d]) / w->dilation[d];
        if (o * w->stride[d] > distance || o * w->stride[d] + k * w->dilation[d] != distance ||
            k >= w->kernel[d])
            continue;
        if (!x) {
            const Expr *step = ex_index(l->b, distance * c->from->stride[d + 2]);
            x = load_tap(l, p, c->from->buffer, ex_add(l->b, row->x, step), "x");
        }
        st_acc_mul(l->b, p->acc, acc_index(l, p, ex_index(l->b, o), lane), x, row->weight[k]);
    }
}

static void written_row(Lower *l, const Depthwise *p, Row *row, const Expr *lane) {
    int d = last_axis(p);
    const Window *w = &p->conv->window;
    for (int64_t k = 0; k < w->kernel[d]; k++) {
        const Expr *at = ex_add(l->b, row->w, ex_index(l->b, k * p->weights.stride[d + 2]));
        row->weight[k] = load_tap(l, p, p->weights.buffer, at, "w");
    }
    int64_t span = (p->outputs - 1) * w->stride[d] + (w->kernel[d] - 1) * w->dilation[d] + 1;
    for (int64_t i = 0; i < span; i++) add_input(l, p, row, lane, i);
}

/* One output, the taps in a loop. */
static void looped_row(Lower *l, const Depthwise *p, const Row *row, const Expr *lane) {
    const Expr *x = ex_load(l->b, p->conv->from->buffer, row->x),
               *w = ex_load(l->b, p->weights.buffer, row->w);
    st_acc_mul(l->b, p->acc, lane, ex_cast(l->b, p->wide, x), ex_cast(l->b, p->wide, w));
}

static void add_taps(Lower *l, const Depthwise *p) {
    const Conv *c = p->conv;
    const Window *window = &c->window;
    int loops = is_written_out(c) ? c->axes - 1 : c->axes;
    Row row = {ex_offset(l->b, p->o[0], c->from->stride[0], ex_index(l->b, c->from->offset)),
               ex_index(l->b, p->weights.offset),
               {NULL}};
    for (int d = 0; d < c->axes; d++) {
        const Expr *k =
            d < loops ? st_for_n(l->b, LOOP_SERIAL, "k", window->kernel[d]) : ex_index(l->b, 0);
        const Expr *at =
            ex_offset(l->b, k, window->dilation[d], ex_index(l->b, -window->pad_begin[d]));
        at = ex_offset(l->b, p->o[d + 2], window->stride[d], at);
        row.x = ex_offset(l->b, at, c->from->stride[d + 2], row.x);
        row.w = ex_offset(l->b, k, p->weights.stride[d + 2], row.w);
    }
    const Expr *lane = open_lanes(l, p), *channel = ex_add(l->b, p->first, lane);
    row.x = ex_add(l->b, row.x, ex_div(l->b, channel, ex_index(l->b, c->out_channels)));
    row.w = ex_offset(l->b, channel, p->weights.stride[0], row.w);
    if (is_written_out(c))
        written_row(l, p, &row, lane);
    else
        looped_row(l, p, &row, lane);
    st_end(l->b);
    for (int d = 0; d < loops; d++) st_end(l->b);
}

static void store_block(Lower *l, Depthwise *p) {
    int last = last_axis(p) + 2;
    const Expr *index[MAX_RANK];
    memcpy(index, p->o, sizeof index);
    const Expr *output = st_for_n(l->b, LOOP_UNROLL, "o", p->outputs);
    const Expr *lane = open_lanes(l, p);
    index[last] = ex_add(l->b, p->o[last], output);
    index[1] = ex_add(l->b, p->first, lane);
    lower_store(l, p->conv->out, index, ex_load(l->b, p->acc, acc_index(l, p, output, lane)));
    st_end(l->b);
    st_end(l->b);
}

static void channels_of_block(Lower *l, Depthwise *p, const Expr *first, int64_t lanes) {
    p->first = first;
    p->lanes = lanes;
    p->acc = st_local(l->b, "acc", p->wide, p->outputs * lanes, lanes > 1 ? (int)lanes : 0);
    start_block(l, p);
    add_taps(l, p);
    store_block(l, p);
}

/* Blocks along the last axis; the last reaches back where they do not divide it. */
static void open_block(Lower *l, Depthwise *p) {
    int d = last_axis(p);
    int64_t width = p->conv->window.out[d], blocks = (width + p->outputs - 1) / p->outputs;
    const Expr *block = st_for_n(l->b, LOOP_SERIAL, "x", blocks);
    const Expr *x = ex_offset(l->b, block, p->outputs, ex_index(l->b, 0));
    p->o[d + 2] = width % p->outputs ? ex_min(l->b, x, ex_index(l->b, width - p->outputs)) : x;
}

static void open_rows(Lower *l, Depthwise *p) {
    const Conv *c = p->conv;
    p->o[0] = st_for_n(l->b, LOOP_PARALLEL, "n", c->x->dims[0].size);
    for (int d = 0; d + 1 < c->axes; d++)
        p->o[d + 2] = st_for_n(l->b, LOOP_PARALLEL, "o", c->window.out[d]);
    open_block(l, p);
}

static void close_rows(Lower *l, const Depthwise *p) {
    for (int d = 0; d <= p->conv->axes; d++) st_end(l->b);
}

/* Few rows are too few turns for threads, and uneven: threads share the channels, as they do when
 * a product makes so small a map. */
static int64_t parts_of(const Conv *c, int64_t vectors) {
    int64_t rows = c->x->dims[0].size, parts = MOST_PARTS;
    for (int d = 0; d + 1 < c->axes; d++) rows *= c->window.out[d];
    while (vectors % parts) parts /= 2;
    return rows < ENOUGH_ROWS ? parts : 1;
}

static void whole_vectors(Lower *l, Depthwise *p, int64_t vectors) {
    int64_t lanes = l->program->target->lanes, parts = parts_of(p->conv, vectors);
    const Expr *part = st_for_n(l->b, LOOP_PARALLEL, "part", parts);
    open_rows(l, p);
    const Expr *vector = st_for_n(l->b, LOOP_SERIAL, "block", vectors / parts);
    vector = ex_offset(l->b, part, vectors / parts, vector);
    channels_of_block(l, p, ex_offset(l->b, vector, lanes, ex_index(l->b, 0)), lanes);
    st_end(l->b);
    close_rows(l, p);
    st_end(l->b);
}

static void rest_of_channels(Lower *l, Depthwise *p, int64_t from, int64_t rest) {
    open_rows(l, p);
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "c", rest);
    channels_of_block(l, p, ex_add(l->b, i, ex_index(l->b, from)), 1);
    st_end(l->b);
    close_rows(l, p);
}

void conv_depthwise(Lower *l, Conv *c) {
    int64_t lanes = l->program->target->lanes, channels = c->out->dims[1].size;
    Depthwise p = {.conv = c, .wide = lower_wide(c->x->dtype), .outputs = outputs_of_block(l, c)};
    c->from = lower_storage(l, c->x);
    p.weights = *lower_storage(l, c->w);
    if (c->w->constant) p.weights = weights_by_tap(l, c);
    lower_begin_kernel(l, c->node, NULL);
    if (channels / lanes) whole_vectors(l, &p, channels / lanes);
    if (channels % lanes) rest_of_channels(l, &p, channels / lanes * lanes, channels % lanes);
    builder_kernel(l->b)->macs = value_count(c->out) * value_count(c->w) / c->w->dims[0].size;
    lower_end_kernel(l);
}
