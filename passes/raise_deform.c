/* raise_deform.c - a deformable convolution that an exporter wrote in plain tensor operations
 * becomes DeformConv.
 *
 *     offset (N x 2TG x H x W, T taps, G offset groups) + places of the taps -> floor, clamp, four
 * indices, four GatherElements or GatherND on the padded image, weighted and added, times a mask (N
 * x TG x H x W): laid out as N x C x (kernel height * H) x (kernel width * W), on which a
 * convolution of that kernel, with the kernel's own size as stride, does the sum of products.
 *
 * Two steps.  Anchors: from that convolution backwards, the image (what the gathers read), the
 * offset (what is added to a constant and rounded down) and the mask (the last factor) are found.
 * Proof: what lies between the three and the convolution may be written in any way, for it is not
 * matched but run, on random numbers with offsets far out of the image too, at every place of every
 * tap; it must be what DeformConv samples for some stride, dilation, padding and order of the
 * offsets.  So every constant in it is looked at by what it does.  REAL: samples are rounded
 * otherwise. */
#include "match.h"
#include "probe.h"
#include "pass.h"

#include <math.h>
#include <string.h>

enum {
    MOST_NODES = 400,
    MOST_POINTS = 1 << 20,
    FIRST_POINTS = 1 << 12,
    MOST_STEP = 3,
    MOST_DILATION = 3,
    MOST_KERNEL = 7
};

typedef struct Soup {
    Node *conv;                            /* at the end, with a stride of the kernel's size */
    Value *laid_out;                       /* its input */
    Value *image, *offset, *mask;          /* mask NULL: none */
    int64_t batch, channels, taps, groups; /* groups: of channels that share their offsets */
    int64_t size[2], out[2], kernel[2];    /* rows, columns */
} Soup;

/* What DeformConv has to be told. */
typedef struct Geometry {
    int64_t stride[2], dilation[2], pad[2];
    bool rows_first; /* offset channels: all rows, then all columns; else (row, column) a tap */
} Geometry;

/* Anchors. */

static bool are_ints(const Node *n, const char *name, const int64_t *want, int count,
                     int64_t absent) {
    int given;
    const int64_t *at = node_ints(n, name, &given);
    for (int i = 0; i < count; i++)
        if ((at && i < given ? at[i] : absent) != want[i]) return false;
    return true;
}

static bool is_last_conv(Node *n, Soup *s) {
    static const int64_t zeros[4] = {0}, ones[2] = {1, 1};
    if (n->op->id != OP_Conv || n->inputs[0]->dtype != DT_F32 || !is_image(n->inputs[0]) ||
        !is_image(n->inputs[1]))
        return false;
    const Dim *x = n->inputs[0]->dims, *w = n->inputs[1]->dims, *out = n->outputs[0]->dims;
    *s = (Soup){.conv = n, .laid_out = n->inputs[0], .batch = x[0].size, .channels = x[1].size};
    for (int d = 0; d < 2; d++) {
        s->kernel[d] = w[d + 2].size;
        s->out[d] = out[d + 2].size;
        if (s->kernel[d] < 1 || s->kernel[d] > MOST_KERNEL || s->out[d] < 1) return false;
        if (x[d + 2].size != s->kernel[d] * s->out[d]) return false;
    }
    s->taps = s->kernel[0] * s->kernel[1];
    return s->batch > 0 && s->channels > 0 && are_ints(n, "strides", s->kernel, 2, 1) &&
           are_ints(n, "pads", zeros, 4, 0) && are_ints(n, "dilations", ones, 2, 1);
}

/* The value that a node takes whose result is the elements of one value in another order, or
 * repeated; else NULL. */
static Value *before_move(const Value *v) {
    const Node *n = v->producer;
    if (!n) return NULL;
    switch ((int)n->op->id) {
    case OP_Reshape:
    case OP_Flatten:
    case OP_Squeeze:
    case OP_Unsqueeze:
    case OP_Transpose:
    case OP_Expand:
    case OP_Tile:
    case OP_Slice:
    case OP_Identity:
    case OP_Concat:
    case OP_Cast:
    case OP_Gather:
    case OP_Split: return n->inputs[0];
    default: return NULL;
    }
}

static Value *through_moves(Value *v) {
    for (Value *x = v; x; x = before_move(x)) v = x;
    return v;
}

/* The nearest values of a kind behind v, each once, breadth first through ELEM and MOVE nodes. */
typedef struct Found {
    Node *at[16];
    int n;
} Found;

static void find_behind(const Graph *g, Value *v, OpId op, OpId or_op, Found *found) {
    Arena *a = g->unit->arena;
    VEC(Value *) queue = {0};
    Map seen = {.arena = a};
    vec_push(a, &queue, v);
    for (int i = 0; i < queue.n && queue.n < 4 * MOST_NODES; i++) {
        Node *n = queue.at[i]->producer;
        if (!n || map_get(&seen, (uintptr_t)n) ||
            (n->op->kind != OK_ELEM && n->op->kind != OK_MOVE))
            continue;
        map_set(&seen, (uintptr_t)n, n);
        bool wanted = n->op->id == op || n->op->id == or_op;
        if (wanted && found->n < 16) found->at[found->n++] = n;
        if (wanted) continue;
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k]) vec_push(a, &queue, n->inputs[k]);
    }
}

/* What all gathers read, without the padding. */
static const char *find_image(const Found *gathers, Soup *s) {
    for (int i = 0; i < gathers->n; i++) {
        Value *data = gathers->at[i]->inputs[0];
        while (match_op(data, OP_Reshape) || match_op(data, OP_Transpose))
            data = data->producer->inputs[0];
        if (i && data != s->image) return "the gathers do not read one image";
        s->image = data;
    }
    const Node *pad = match_op(s->image, OP_Pad);
    if (pad) s->image = pad->inputs[0];
    if (!is_image(s->image)) return "what the gathers read is no image";
    for (int d = 0; d < 2; d++) s->size[d] = s->image->dims[d + 2].size;
    bool fits = s->image->dims[0].size == s->batch && s->image->dims[1].size == s->channels;
    return fits ? NULL : "what the gathers read has other channels than the convolution";
}

/* Whether v is N x channels x H x W of this convolution's output, the channels a multiple; how many
 * times so many. */
static int64_t times_map(const Soup *s, const Value *v, int64_t channels) {
    if (!is_image(v) || v->dtype != DT_F32 || v->dims[0].size != s->batch ||
        v->dims[2].size != s->out[0] || v->dims[3].size != s->out[1] || v->dims[1].size % channels)
        return 0;
    return v->dims[1].size / channels;
}

static bool takes_all(const Node *n) {
    switch ((int)n->op->id) {
    case OP_Slice:
    case OP_Concat:
    case OP_Gather:
    case OP_Split: return false;
    default: return true;
    }
}

/* The furthest such map in front of moves, but not one that a found one is a part of. */
static Value *map_behind(const Soup *s, Value *v, int64_t channels) {
    Value *found = NULL;
    for (; v; v = before_move(v)) {
        if (times_map(s, v, channels)) found = v;
        if (found && v->producer && !takes_all(v->producer)) break;
    }
    return found;
}

static const char *find_offset(const Graph *g, const Found *gathers, Soup *s) {
    Found floors = {.n = 0};
    for (int i = 0; i < gathers->n; i++)
        find_behind(g, gathers->at[i]->inputs[1], OP_Floor, OP_Floor, &floors);
    if (!floors.n) return "no place is rounded down for the gathers";
    Value *place = through_moves(floors.at[0]->inputs[0]), *rest;
    const Node *add = match_op(place, OP_Add);
    if (!add || !match_either(add, value_is_constant, &rest))
        return "the places are not a constant plus an offset";
    s->offset = map_behind(s, rest, 2 * s->taps);
    if (!s->offset) return "the offset has not two channels a tap";
    s->groups = times_map(s, s->offset, 2 * s->taps);
    return s->channels % s->groups ? "the offset's groups do not divide the channels" : NULL;
}

static bool gathers_behind(const Graph *g, Value *v) {
    Found gathers = {.n = 0};
    find_behind(g, v, OP_GatherElements, OP_GatherND, &gathers);
    return gathers.n > 0;
}

/* The factor of the sampled values that no gather stands behind. */
static const char *find_mask(const Graph *g, Soup *s) {
    Value *values = through_moves(s->laid_out);
    const Node *mul = match_op(values, OP_Mul);
    s->mask = NULL;
    for (int k = 0; mul && k < 2; k++) {
        Value *mask = map_behind(s, mul->inputs[k], s->groups * s->taps);
        if (!mask || times_map(s, mask, s->groups * s->taps) != 1 || gathers_behind(g, mask))
            continue;
        s->mask = mask;
        return NULL;
    }
    return mul ? "the last factor of the samples is no mask of one channel a tap" : NULL;
}

static const char *find_anchors(const Graph *g, Soup *s) {
    Found gathers = {.n = 0};
    find_behind(g, s->laid_out, OP_GatherElements, OP_GatherND, &gathers);
    const char *why = find_image(&gathers, s);
    if (!why) why = find_offset(g, &gathers, s);
    return why ? why : find_mask(g, s);
}

/* Proof. */

typedef struct Trial {
    const Soup *soup;
    float *image, *offset, *mask;
    int64_t n_points, *points; /* indices in the laid-out image */
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

/* Places whose offsets are their own: of every image, offset group, pixel and tap. */
static int64_t count_places(const Soup *s) {
    return s->batch * s->groups * s->out[0] * s->out[1] * s->taps;
}

/* One point for every place, or `most` of them; the channels of a group take turns, each time
 * around with others. */
static void choose_points(Arena *a, Trial *t, Random *r, int64_t most) {
    const Soup *s = t->soup;
    int64_t pixels = s->out[0] * s->out[1], columns = s->kernel[1], each = s->channels / s->groups;
    int64_t places = count_places(s),
            all = places > s->channels * s->groups ? places : s->channels * s->groups;
    t->n_points = all < most ? all : most;
    t->points = NEW_ARRAY(a, int64_t, 4 * t->n_points);
    for (int64_t i = 0; i < t->n_points; i++) {
        int64_t place =
            t->n_points == all ? i % places : (int64_t)(random_bits(r) % (uint64_t)places);
        int64_t tap = place % s->taps, pixel = place / s->taps % pixels,
                plane = place / s->taps / pixels;
        int64_t row = pixel / s->out[1], column = pixel % s->out[1], group = plane % s->groups;
        int64_t channel = group * each + (i + i / each) % each;
        int64_t point[] = {plane / s->groups, channel, row * s->kernel[0] + tap / columns,
                           column * columns + tap % columns};
        memcpy(t->points + 4 * i, point, sizeof point);
    }
}

/* Where a tap of DeformConv reads, before the offset: along the rows (d 0), or the columns, of the
 * image. */
static int64_t regular_place(const Geometry *geo, int d, int64_t pixel, int64_t tap) {
    return pixel * geo->stride[d] - geo->pad[d] + tap * geo->dilation[d];
}

static int64_t offset_channel(const Soup *s, const Geometry *geo, int64_t group, int64_t tap,
                              int d) {
    return group * 2 * s->taps + (geo->rows_first ? tap + d * s->taps : 2 * tap + d);
}

/* Offsets that bring every tap of every pixel to a place inside the image, so that none can hide in
 * the zeros. */
static void aim(Trial *t, const Geometry *geo, Random *r) {
    const Soup *s = t->soup;
    int64_t plane = s->out[0] * s->out[1], channels = 2 * s->taps * s->groups;
    for (int64_t i = 0; i < s->batch * channels * plane; i++) {
        int64_t pixel = i % plane, channel = i / plane % channels, image = i / plane / channels;
        int64_t tap = channel / 2 % s->taps, group = channel / 2 / s->taps;
        int d = (int)(channel % 2);
        int64_t at = regular_place(geo, d, d ? pixel % s->out[1] : pixel / s->out[1],
                                   d ? tap % s->kernel[1] : tap / s->kernel[1]);
        double place = random_between(r, 0, (double)(s->size[d] - 1));
        int64_t to = image * channels + offset_channel(s, geo, group, tap, d);
        t->offset[to * plane + pixel] = (float)(place - (double)at);
    }
}

static int64_t longer_side(const Soup *s) {
    return s->size[0] > s->size[1] ? s->size[0] : s->size[1];
}

/* geo NULL: offsets are random. */
static Trial make_trial(Arena *a, const Soup *s, const Geometry *geo) {
    Random r = {.state = geo ? 2 : 1};
    Trial t = {.soup = s};
    double beyond = (double)longer_side(s) + 4;
    int64_t places = count_places(s);
    t.image = random_floats(a, &r, s->batch * s->channels * s->size[0] * s->size[1], -1, 1);
    t.offset = NEW_ARRAY(a, float, 2 * places);
    for (int64_t i = 0; i < 2 * places; i++) t.offset[i] = random_offset(&r, beyond);
    if (geo) aim(&t, geo, &r);
    t.mask = random_floats(a, &r, places, 0.1, 1);
    choose_points(a, &t, &r, geo ? MOST_POINTS : FIRST_POINTS);
    t.got = NEW_ARRAY(a, float, t.n_points);
    return t;
}

static double pixel_of(const Trial *t, int64_t map, int64_t row, int64_t column) {
    const Soup *s = t->soup;
    bool inside = row >= 0 && row < s->size[0] && column >= 0 && column < s->size[1];
    return inside ? t->image[(map * s->size[0] + row) * s->size[1] + column] : 0;
}

/* The image extended by zeros, between its pixels. */
static double sample(const Trial *t, int64_t map, double row, double column) {
    double top = floor(row), left = floor(column), down = row - top, right = column - left;
    int64_t i = (int64_t)top, j = (int64_t)left;
    return (1 - down) *
               ((1 - right) * pixel_of(t, map, i, j) + right * pixel_of(t, map, i, j + 1)) +
           down *
               ((1 - right) * pixel_of(t, map, i + 1, j) + right * pixel_of(t, map, i + 1, j + 1));
}

/* What DeformConv multiplies with its weights, at a point. */
static double expected(const Trial *t, const Geometry *geo, const int64_t *point) {
    const Soup *s = t->soup;
    int64_t plane = s->out[0] * s->out[1], group = point[1] / (s->channels / s->groups);
    int64_t out[2], k[2];
    for (int d = 0; d < 2; d++)
        out[d] = point[d + 2] / s->kernel[d], k[d] = point[d + 2] % s->kernel[d];
    int64_t pixel = out[0] * s->out[1] + out[1], tap = k[0] * s->kernel[1] + k[1];
    const float *offset = t->offset + point[0] * s->groups * 2 * s->taps * plane + pixel;
    double at[2];
    for (int d = 0; d < 2; d++)
        at[d] = (double)regular_place(geo, d, out[d], k[d]) +
                offset[offset_channel(s, geo, group, tap, d) * plane];
    double value = sample(t, point[0] * s->channels + point[1], at[0], at[1]);
    return s->mask
               ? value * t->mask[((point[0] * s->groups + group) * s->taps + tap) * plane + pixel]
               : value;
}

/* The places are computed in f32, so their error grows with the image. */
static bool agrees(const Trial *t, const Geometry *geo) {
    double bound = 1e-5 + 1e-6 * (double)longer_side(t->soup);
    for (int64_t i = 0; i < t->n_points; i++)
        if (!(fabs(t->got[i] - expected(t, geo, t->points + 4 * i)) <= bound)) return false;
    return true;
}

/* Padding at the end, from the size of the output; negative: none fits. */
static int64_t pad_after(const Soup *s, const Geometry *geo, int d) {
    return (s->out[d] - 1) * geo->stride[d] + (s->kernel[d] - 1) * geo->dilation[d] + 1 -
           s->size[d] - geo->pad[d];
}

/* Strides, dilations and paddings of an axis, by number; false: there are no more, or it does not
 * fit. */
static bool nth_geometry(const Soup *s, int64_t number, int d, Geometry *geo) {
    geo->stride[d] = 1 + number % MOST_STEP;
    geo->dilation[d] = 1 + number / MOST_STEP % MOST_DILATION;
    geo->pad[d] = number / MOST_STEP / MOST_DILATION;
    return geo->pad[d] <= s->kernel[d] * geo->dilation[d] && pad_after(s, geo, d) > -geo->stride[d];
}

static bool find_geometry(const Trial *t, Geometry *found) {
    const Soup *s = t->soup;
    int64_t rows = MOST_STEP * MOST_DILATION * (s->kernel[0] * MOST_DILATION + 1);
    int64_t columns = MOST_STEP * MOST_DILATION * (s->kernel[1] * MOST_DILATION + 1);
    for (int64_t i = 0; i < rows * columns * 2; i++) {
        found->rows_first = i % 2 == 0;
        if (found->rows_first && (s->groups > 1 || s->taps == 1)) continue;
        if (!nth_geometry(s, i / 2 / columns, 0, found) ||
            !nth_geometry(s, i / 2 % columns, 1, found))
            continue;
        if (agrees(t, found)) return true;
    }
    return false;
}

/* The samples of one trial; false: they cannot be computed. */
static bool run_trial(const Graph *g, const Trial *t) {
    const Soup *s = t->soup;
    Probe probe = {.target = s->laid_out,
                   .leaves = {s->image, s->offset, s->mask},
                   .n_leaves = s->mask ? 3 : 2};
    const float *data[] = {t->image, t->offset, t->mask};
    return probe_run(g, &probe, data, t->points, t->n_points, t->got);
}

/* First with any offsets, which tells the geometry; then with offsets made for it. */
static const char *prove(const Graph *g, const Soup *s, Geometry *geo) {
    static const char *const cannot = "the samples cannot be computed apart";
    static const char *const differs = "run on random numbers, it is not what DeformConv computes";
    Probe probe = {.target = s->laid_out,
                   .leaves = {s->image, s->offset, s->mask},
                   .n_leaves = s->mask ? 3 : 2};
    if (!probe_is_closed(g, &probe, MOST_NODES))
        return "the samples depend on more than image, offset and mask";
    if (count_places(s) > MOST_POINTS || s->channels > MOST_POINTS / s->groups)
        return "the map is too large to be tried";
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
static int64_t old_channel(int64_t channel, int64_t taps) {
    return channel / 2 + (channel % 2 ? taps : 0);
}

static Value *permuted_constant(Graph *g, const Value *v, int64_t taps) {
    const Tensor *t = v->constant;
    Tensor *p = tensor_new(g->unit->arena, t->dtype, t->rank, t->dims);
    size_t row = (size_t)(t->count / (2 * taps)) * (size_t)dtypes[t->dtype].bytes;
    for (int64_t c = 0; c < 2 * taps; c++)
        memcpy((char *)p->data + (size_t)c * row,
               (const char *)t->data + (size_t)old_channel(c, taps) * row, row);
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
        if (node_has_input(conv, 2))
            made->inputs[2] = permuted_constant(g, conv->inputs[2], s->taps);
        return node_close(g, made);
    }
    int64_t *order = NEW_ARRAY(g->unit->arena, int64_t, 2 * s->taps);
    for (int64_t c = 0; c < 2 * s->taps; c++) order[c] = old_channel(c, s->taps);
    Value *inputs[] = {s->offset,
                       make_int_vector(g, "rows_and_columns", order, (int)(2 * s->taps))};
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
    int64_t pads[] = {geo->pad[0], geo->pad[1], at_least_zero(pad_after(s, geo, 0)),
                      at_least_zero(pad_after(s, geo, 1))};
    if (geo->dilation[0] != 1 || geo->dilation[1] != 1)
        node_set_ints(g, made, "dilations", geo->dilation, 2);
    if (node_int(s->conv, "group") != 1) node_set_int(g, made, "group", node_int(s->conv, "group"));
    if (s->groups != 1) node_set_int(g, made, "offset_group", s->groups);
    node_set_ints(g, made, "pads", pads, 4);
    if (geo->stride[0] != 1 || geo->stride[1] != 1)
        node_set_ints(g, made, "strides", geo->stride, 2);
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
    remark(g, options, REMARK_MATCHED, n,
           "a deformable convolution, %d x %d, stride %d, dilation %d, padding %d%s",
           (int)s.kernel[0], (int)s.kernel[1], (int)geo.stride[0], (int)geo.dilation[0],
           (int)geo.pad[0], s.mask ? ", with a mask" : "");
    replace(g, &s, &geo);
    return true;
}

/* Nodes are few; after each rewrite the graph is put in order, for the next proof walks through
 * it. */
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
