/* raise_deform.c - a deformable convolution that an exporter wrote in plain tensor operations becomes DeformConv.
 *
 *     offset (N x 2KK x H x W) + places of the taps -> floor, clamp, four indices, four GatherElements on the padded
 *     image, weighted and added, times a mask (N x KK x H x W): N x C x H x W x KK, laid out as N x C x KH x KW,
 *     on which a convolution K x K of stride K does the sum of products.
 *
 * Two steps.  Anchors: from that convolution backwards, the image (what the gathers read), the offset (what is added
 * to a constant and rounded down) and the mask (the last factor) are found.  Proof: what lies between the three and the
 * convolution may be written in any way, for it is not matched but run, on random numbers with offsets far out of the
 * image too, at every place of every tap; it must be what DeformConv samples for some stride, dilation, padding and order
 * of the offsets.  So every constant in it is looked at by what it does.  REAL: samples are rounded otherwise. */
#include "match.h"
#include "probe.h"
#include "pass.h"

#include <math.h>
#include <string.h>

enum { MOST_NODES = 400, MOST_POINTS = 1 << 20, FIRST_POINTS = 1 << 12, MOST_STEP = 3, MOST_DILATION = 3 };

typedef struct Soup {
    Node *conv;                          /* of stride K, at the end */
    Value *laid_out;                     /* its input */
    Value *image, *offset, *mask;        /* mask NULL: none */
    int64_t batch, channels, height, width, out_height, out_width, kernel, taps;
} Soup;

/* What DeformConv has to be told. */
typedef struct Geometry {
    int64_t stride, dilation, pad;
    bool rows_first;                     /* offset channels: all rows, then all columns; else (row, column) a tap */
} Geometry;

/* Anchors. */

static bool all_ints(const Node *n, const char *name, int64_t want, int64_t absent) {
    int count;
    const int64_t *at = node_ints(n, name, &count);
    if (!at) return want == absent;
    for (int i = 0; i < count; i++)
        if (at[i] != want) return false;
    return true;
}

static bool is_last_conv(Node *n, Soup *s) {
    if (n->op->id != OP_Conv || n->inputs[0]->dtype != DT_F32 || !is_image(n->inputs[0]) || !is_image(n->inputs[1]))
        return false;
    const Dim *x = n->inputs[0]->dims, *w = n->inputs[1]->dims, *out = n->outputs[0]->dims;
    int64_t k = w[2].size;
    if (k < 2 || k > 7 || w[3].size != k || !all_ints(n, "strides", k, 1) || !all_ints(n, "pads", 0, 0) ||
        !all_ints(n, "dilations", 1, 1))
        return false;
    if (x[2].size != k * out[2].size || x[3].size != k * out[3].size) return false;
    *s = (Soup){.conv = n, .laid_out = n->inputs[0], .batch = x[0].size, .channels = x[1].size,
                .out_height = out[2].size, .out_width = out[3].size, .kernel = k, .taps = k * k};
    return s->batch > 0 && s->channels > 0 && s->out_height > 0 && s->out_width > 0;
}

/* Through nodes that give the elements of one value in another order, or repeat them. */
static Value *through_moves(Value *v) {
    for (;;) {
        const Node *n = v->producer;
        if (!n) return v;
        switch ((int)n->op->id) {
        case OP_Reshape: case OP_Flatten: case OP_Squeeze: case OP_Unsqueeze: case OP_Transpose: case OP_Expand:
        case OP_Tile: case OP_Slice: case OP_Identity: case OP_Concat: case OP_Cast: case OP_Gather: case OP_Split:
            v = n->inputs[0];
            break;
        default: return v;
        }
    }
}

/* The nearest values of a kind behind v, each once, breadth first through ELEM and MOVE nodes. */
typedef struct Found { Node *at[16]; int n; } Found;

static void find_behind(const Graph *g, Value *v, OpId op, Found *found) {
    Arena *a = g->unit->arena;
    VEC(Value *) queue = {0};
    Map seen = {.arena = a};
    vec_push(a, &queue, v);
    for (int i = 0; i < queue.n && queue.n < 4 * MOST_NODES; i++) {
        Node *n = queue.at[i]->producer;
        if (!n || map_get(&seen, (uintptr_t)n) || (n->op->kind != OK_ELEM && n->op->kind != OK_MOVE)) continue;
        map_set(&seen, (uintptr_t)n, n);
        if (n->op->id == op && found->n < 16) found->at[found->n++] = n;
        if (n->op->id == op) continue;
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k]) vec_push(a, &queue, n->inputs[k]);
    }
}

/* What all gathers read, without the padding. */
static const char *find_image(const Found *gathers, Soup *s) {
    for (int i = 0; i < gathers->n; i++) {
        Value *data = gathers->at[i]->inputs[0];
        while (match_op(data, OP_Reshape)) data = data->producer->inputs[0];
        if (i && data != s->image) return "the gathers do not read one image";
        s->image = data;
    }
    const Node *pad = match_op(s->image, OP_Pad);
    if (pad) s->image = pad->inputs[0];
    if (!is_image(s->image)) return "what the gathers read is no image";
    s->height = s->image->dims[2].size;
    s->width = s->image->dims[3].size;
    bool fits = s->image->dims[0].size == s->batch && s->image->dims[1].size == s->channels;
    return fits ? NULL : "what the gathers read has other channels than the convolution";
}

/* N x channels x H x W of this convolution's output */
static bool is_map_of(const Soup *s, const Value *v, int64_t channels) {
    return is_image(v) && v->dtype == DT_F32 && v->dims[0].size == s->batch && v->dims[1].size == channels &&
           v->dims[2].size == s->out_height && v->dims[3].size == s->out_width;
}

static const char *find_offset(const Graph *g, const Found *gathers, Soup *s) {
    Found floors = {.n = 0};
    for (int i = 0; i < gathers->n; i++) find_behind(g, gathers->at[i]->inputs[1], OP_Floor, &floors);
    if (!floors.n) return "no place is rounded down for the gathers";
    Value *place = through_moves(floors.at[0]->inputs[0]), *rest;
    const Node *add = match_op(place, OP_Add);
    if (!add || !match_either(add, value_is_constant, &rest)) return "the places are not a constant plus an offset";
    s->offset = rest;
    return is_map_of(s, rest, 2 * s->taps) ? NULL : "the offset has not two channels a tap";
}

static bool gathers_behind(const Graph *g, Value *v) {
    Found gathers = {.n = 0};
    find_behind(g, v, OP_GatherElements, &gathers);
    return gathers.n > 0;
}

/* The factor of the sampled values that no gather stands behind. */
static const char *find_mask(const Graph *g, Soup *s) {
    Value *values = through_moves(s->laid_out);
    const Node *mul = match_op(values, OP_Mul);
    s->mask = NULL;
    for (int k = 0; mul && k < 2; k++) {
        Value *mask = through_moves(mul->inputs[k]);
        if (!is_map_of(s, mask, s->taps) || gathers_behind(g, mask)) continue;
        s->mask = mask;
        return NULL;
    }
    return mul ? "the last factor of the samples is no mask of one channel a tap" : NULL;
}

static const char *find_anchors(const Graph *g, Soup *s) {
    Found gathers = {.n = 0};
    find_behind(g, s->laid_out, OP_GatherElements, &gathers);
    const char *why = find_image(&gathers, s);
    if (!why) why = find_offset(g, &gathers, s);
    return why ? why : find_mask(g, s);
}

/* Proof. */

typedef struct Trial {
    const Soup *soup;
    float *image, *offset, *mask;
    int64_t n_points, *points;           /* indices in the laid-out image */
    float *got;
} Trial;

static float *random_floats(Arena *a, Random *r, int64_t n, double lo, double hi) {
    float *x = NEW_ARRAY(a, float, n);
    for (int64_t i = 0; i < n; i++) x[i] = (float)random_between(r, lo, hi);
    return x;
}

/* Some pixels, whole pixels, and beyond every border. */
static float random_offset(Random *r, double beyond) {
    uint64_t kind = random_bits(r) % 8;
    if (kind == 0) return (float)round(random_between(r, -3, 3));
    return (float)(kind < 6 ? random_between(r, -3, 3) : random_between(r, -beyond, beyond));
}

/* One point for every tap of every pixel, or `most` of them; images and channels take turns. */
static void choose_points(Arena *a, Trial *t, Random *r, int64_t most) {
    const Soup *s = t->soup;
    int64_t pixels = s->out_height * s->out_width, k = s->kernel;
    int64_t all = pixels * s->taps > s->channels ? pixels * s->taps : s->channels;
    t->n_points = all < most ? all : most;
    t->points = NEW_ARRAY(a, int64_t, 4 * t->n_points);
    for (int64_t i = 0; i < t->n_points; i++) {
        int64_t place = t->n_points == all ? i : (int64_t)(random_bits(r) % (uint64_t)all);
        int64_t tap = place % s->taps, pixel = place / s->taps % pixels;
        int64_t row = pixel / s->out_width, column = pixel % s->out_width;
        int64_t point[] = {i % s->batch, i * 7 % s->channels, row * k + tap / k, column * k + tap % k};
        memcpy(t->points + 4 * i, point, sizeof point);
    }
}

/* Where a tap of DeformConv reads, before the offset: along the rows, or the columns, of the image. */
static int64_t regular_place(const Geometry *geo, int64_t pixel, int64_t tap) {
    return pixel * geo->stride - geo->pad + tap * geo->dilation;
}

static int64_t offset_channel(const Soup *s, const Geometry *geo, int64_t tap, bool column) {
    return geo->rows_first ? tap + (column ? s->taps : 0) : 2 * tap + column;
}

/* Offsets that bring every tap of every pixel to a place inside the image, so that none can hide in the zeros. */
static void aim(Trial *t, const Geometry *geo, Random *r) {
    const Soup *s = t->soup;
    int64_t plane = s->out_height * s->out_width, k = s->kernel;
    for (int64_t i = 0; i < s->batch * 2 * s->taps * plane; i++) {
        int64_t pixel = i % plane, tap = i / plane % (2 * s->taps) / 2;
        bool column = i / plane % 2;
        int64_t at = regular_place(geo, column ? pixel % s->out_width : pixel / s->out_width, column ? tap % k : tap / k);
        int64_t image = i / plane / (2 * s->taps), channel = offset_channel(s, geo, tap, column);
        double place = random_between(r, 0, (double)((column ? s->width : s->height) - 1));
        t->offset[(image * 2 * s->taps + channel) * plane + pixel] = (float)(place - (double)at);
    }
}

/* geo NULL: offsets are random. */
static Trial make_trial(Arena *a, const Soup *s, const Geometry *geo) {
    Random r = {.state = geo ? 2 : 1};
    Trial t = {.soup = s};
    double beyond = (double)(s->height > s->width ? s->height : s->width) + 4;
    int64_t pixels = s->batch * s->out_height * s->out_width;
    t.image = random_floats(a, &r, s->batch * s->channels * s->height * s->width, -1, 1);
    t.offset = NEW_ARRAY(a, float, pixels * 2 * s->taps);
    for (int64_t i = 0; i < pixels * 2 * s->taps; i++) t.offset[i] = random_offset(&r, beyond);
    if (geo) aim(&t, geo, &r);
    t.mask = random_floats(a, &r, pixels * s->taps, 0.1, 1);
    choose_points(a, &t, &r, geo ? MOST_POINTS : FIRST_POINTS);
    t.got = NEW_ARRAY(a, float, t.n_points);
    return t;
}

static double pixel_of(const Trial *t, int64_t map, int64_t row, int64_t column) {
    const Soup *s = t->soup;
    bool inside = row >= 0 && row < s->height && column >= 0 && column < s->width;
    return inside ? t->image[(map * s->height + row) * s->width + column] : 0;
}

/* The image extended by zeros, between its pixels. */
static double sample(const Trial *t, int64_t map, double row, double column) {
    double top = floor(row), left = floor(column), down = row - top, right = column - left;
    int64_t i = (int64_t)top, j = (int64_t)left;
    return (1 - down) * ((1 - right) * pixel_of(t, map, i, j) + right * pixel_of(t, map, i, j + 1)) +
           down * ((1 - right) * pixel_of(t, map, i + 1, j) + right * pixel_of(t, map, i + 1, j + 1));
}

/* What DeformConv multiplies with its weights, at a point. */
static double expected(const Trial *t, const Geometry *geo, const int64_t *point) {
    const Soup *s = t->soup;
    int64_t k = s->kernel, row = point[2] / k, column = point[3] / k, tap = point[2] % k * k + point[3] % k;
    int64_t plane = s->out_height * s->out_width, pixel = row * s->out_width + column;
    const float *offset = t->offset + point[0] * 2 * s->taps * plane + pixel;
    double y = (double)regular_place(geo, row, tap / k) + offset[offset_channel(s, geo, tap, false) * plane];
    double x = (double)regular_place(geo, column, tap % k) + offset[offset_channel(s, geo, tap, true) * plane];
    double value = sample(t, point[0] * s->channels + point[1], y, x);
    return s->mask ? value * t->mask[(point[0] * s->taps + tap) * plane + pixel] : value;
}

/* The places are computed in f32, so their error grows with the image. */
static bool agrees(const Trial *t, const Geometry *geo) {
    const Soup *s = t->soup;
    double bound = 1e-5 + 1e-6 * (double)(s->height > s->width ? s->height : s->width);
    for (int64_t i = 0; i < t->n_points; i++)
        if (!(fabs(t->got[i] - expected(t, geo, t->points + 4 * i)) <= bound)) return false;
    return true;
}

/* Padding at the end, from the size of the output; negative: none fits. */
static int64_t pad_after(const Soup *s, const Geometry *geo, int64_t size, int64_t out) {
    return (out - 1) * geo->stride + (s->kernel - 1) * geo->dilation + 1 - size - geo->pad;
}

static bool fits(const Soup *s, const Geometry *geo) {
    return pad_after(s, geo, s->height, s->out_height) > -geo->stride &&
           pad_after(s, geo, s->width, s->out_width) > -geo->stride;
}

static bool find_geometry(const Trial *t, Geometry *found) {
    const Soup *s = t->soup;
    for (int64_t stride = 1; stride <= MOST_STEP; stride++)
        for (int64_t dilation = 1; dilation <= MOST_DILATION; dilation++)
            for (int64_t pad = 0; pad <= s->kernel * dilation; pad++)
                for (int rows_first = 1; rows_first >= 0; rows_first--) {
                    *found = (Geometry){stride, dilation, pad, rows_first};
                    if (fits(s, found) && agrees(t, found)) return true;
                }
    return false;
}

/* The samples of one trial; false: they cannot be computed. */
static bool run_trial(const Graph *g, const Trial *t) {
    const Soup *s = t->soup;
    Probe probe = {.target = s->laid_out, .leaves = {s->image, s->offset, s->mask}, .n_leaves = s->mask ? 3 : 2};
    const float *data[] = {t->image, t->offset, t->mask};
    return probe_run(g, &probe, data, t->points, t->n_points, t->got);
}

/* First with any offsets, which tells the geometry; then with offsets made for it. */
static const char *prove(const Graph *g, const Soup *s, Geometry *geo) {
    static const char *const cannot = "the samples cannot be computed apart";
    static const char *const differs = "run on random numbers, it is not what DeformConv computes";
    Probe probe = {.target = s->laid_out, .leaves = {s->image, s->offset, s->mask}, .n_leaves = s->mask ? 3 : 2};
    if (!probe_is_closed(g, &probe, MOST_NODES)) return "the samples depend on more than image, offset and mask";
    if (s->out_height * s->out_width * s->taps > MOST_POINTS || s->channels > MOST_POINTS) return "the map is too large to be tried";
    ArenaMark mark = arena_mark(g->unit->arena);
    Trial t = make_trial(g->unit->arena, s, NULL);
    const char *why = !run_trial(g, &t) ? cannot : !find_geometry(&t, geo) ? differs : NULL;
    if (!why) {
        t = make_trial(g->unit->arena, s, geo);
        why = !run_trial(g, &t) ? cannot : !agrees(&t, geo) ? differs : NULL;
    }
    arena_release(g->unit->arena, mark);
    return why;
}

/* Replacement. */

/* Channel 2t is the row of tap t, channel 2t + 1 its column: from all rows, then all columns. */
static int64_t old_channel(int64_t channel, int64_t taps) { return channel / 2 + (channel % 2 ? taps : 0); }

static Value *permuted_constant(Graph *g, const Value *v, int64_t taps) {
    const Tensor *t = v->constant;
    Tensor *p = tensor_new(g->unit->arena, t->dtype, t->rank, t->dims);
    size_t row = (size_t)(t->count / (2 * taps)) * (size_t)dtypes[t->dtype].bytes;
    for (int64_t c = 0; c < 2 * taps; c++)
        memcpy((char *)p->data + (size_t)c * row, (const char *)t->data + (size_t)old_channel(c, taps) * row, row);
    return graph_add_constant(g, v->name, p);
}

/* The convolution that makes the offset can give its channels in another order. */
static bool can_permute(const Node *conv) {
    if (!conv || node_int(conv, "group") != 1 || !conv->inputs[1]->constant) return false;
    return !node_has_input(conv, 2) || conv->inputs[2]->constant;
}

static Value *interleaved(Graph *g, const Soup *s) {
    Node *conv = match_single(s->offset, OP_Conv);
    if (can_permute(conv)) {
        Node *made = node_open(g, conv, OP_Conv, conv->inputs, conv->n_inputs);
        copy_attrs(g, made, conv);
        made->inputs[1] = permuted_constant(g, conv->inputs[1], s->taps);
        if (node_has_input(conv, 2)) made->inputs[2] = permuted_constant(g, conv->inputs[2], s->taps);
        return node_close(g, made);
    }
    int64_t *order = NEW_ARRAY(g->unit->arena, int64_t, 2 * s->taps);
    for (int64_t c = 0; c < 2 * s->taps; c++) order[c] = old_channel(c, s->taps);
    Value *inputs[] = {s->offset, make_int_vector(g, "rows_and_columns", order, (int)(2 * s->taps))};
    Node *gather = node_open(g, s->conv, OP_Gather, inputs, 2);
    node_set_int(g, gather, "axis", 1);
    return node_close(g, gather);
}

static int64_t at_least_zero(int64_t x) { return x < 0 ? 0 : x; }

static void replace(Graph *g, const Soup *s, const Geometry *geo) {
    Value *bias = node_has_input(s->conv, 2) ? s->conv->inputs[2] : NULL;
    Value *offset = geo->rows_first ? interleaved(g, s) : s->offset;
    Value *inputs[] = {s->image, s->conv->inputs[1], offset, bias, s->mask};
    Node *made = node_open(g, s->conv, OP_DeformConv, inputs, s->mask ? 5 : bias ? 4 : 3);
    int64_t below = at_least_zero(pad_after(s, geo, s->height, s->out_height));
    int64_t right = at_least_zero(pad_after(s, geo, s->width, s->out_width));
    int64_t pads[] = {geo->pad, geo->pad, below, right};
    int64_t strides[] = {geo->stride, geo->stride}, dilations[] = {geo->dilation, geo->dilation};
    if (geo->dilation != 1) node_set_ints(g, made, "dilations", dilations, 2);
    if (node_int(s->conv, "group") != 1) node_set_int(g, made, "group", node_int(s->conv, "group"));
    node_set_ints(g, made, "pads", pads, 4);
    if (geo->stride != 1) node_set_ints(g, made, "strides", strides, 2);
    node_become(g, s->conv, node_close(g, made));
}

static bool raise_deform(Graph *g, const PassOptions *options, Node *n) {
    Soup s;
    Geometry geo;
    if (!is_last_conv(n, &s) || !gathers_behind(g, s.laid_out)) return false;
    const char *why = find_anchors(g, &s);
    if (!why) why = prove(g, &s, &geo);
    if (why) {
        remark(g, options, REMARK_MISSED, n, "no deformable convolution: %s", why);
        return false;
    }
    if (!rewrite_allowed(g, options, n)) return false;
    remark(g, options, REMARK_MATCHED, n, "a deformable convolution, %d x %d, stride %d, dilation %d, padding %d%s",
           (int)s.kernel, (int)s.kernel, (int)geo.stride, (int)geo.dilation, (int)geo.pad, s.mask ? ", with a mask" : "");
    replace(g, &s, &geo);
    return true;
}

/* Nodes are few; after each rewrite the graph is put in order, for the next proof walks through it. */
bool pass_raise_deform(Graph *g, const PassOptions *options) {
    for (int i = 0; i < g->nodes.n; i++) {
        graph_count_uses(g);
        if (!raise_deform(g, options, g->nodes.at[i])) continue;
        graph_sort(g);
        graph_sweep(g);
        i = -1;
    }
    return true;
}
