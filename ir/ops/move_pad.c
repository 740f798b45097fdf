/* move_pad.c - tensors with a frame, and blocks of them: Pad, CenterCropPad, Trilu,
 * ReverseSequence, DepthToSpace, SpaceToDepth. */
#include "ops/move.h"

#include <string.h>

typedef enum PadMode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP, PAD_UNKNOWN } PadMode;

static PadMode pad_mode(const Node *n) {
    static const char *const names[] = {"constant", "edge", "reflect", "wrap"};
    const char *mode = node_string(n, "mode");
    for (int i = 0; i < PAD_UNKNOWN; i++)
        if (strcmp(mode, names[i]) == 0) return (PadMode)i;
    return PAD_UNKNOWN;
}

/* Elements added (negative: taken) before and after each axis; the inputs are checked before. */
static void pad_amounts(const Node *n, int rank, int64_t *begin, int64_t *end) {
    Ints pads = move_ints(n, 1), axes = move_ints(n, 3);
    int count = pads.n / 2;
    for (int d = 0; d < rank; d++) begin[d] = end[d] = 0;
    for (int i = 0; i < count; i++) {
        int64_t axis = node_has_input(n, 3) ? axes.at[i] : i;
        if (axis < 0) axis += rank;
        begin[axis] = pads.at[i];
        end[axis] = pads.at[i + count];
    }
}

static bool check_pad(Infer *f, Node *n, int rank) {
    Ints pads, axes;
    if (pad_mode(n) == PAD_UNKNOWN)
        return infer_fail_attr(f, n, "mode", "'%s' is not constant, edge, reflect or wrap",
                               node_string(n, "mode"));
    if (!move_infer_ints(f, n, 1, &pads) || !move_infer_axes(f, n, 3, rank, &axes)) return false;
    if (pads.n != 2 * (node_has_input(n, 3) ? axes.n : rank))
        return infer_fail(f, n, D_SHAPE, "there are not two pads for each axis");
    if (!node_has_input(n, 2)) return true;
    if (value_count(n->inputs[2]) != 1)
        return infer_fail(f, n, D_SHAPE, "the constant should be one number");
    if (n->inputs[2]->dtype != n->inputs[0]->dtype)
        return infer_fail(f, n, D_DTYPE, "the constant's type is not that of the data");
    return true;
}

bool infer_pad(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], begin[MAX_RANK], end[MAX_RANK], most = (int64_t)1 << 40;
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0 || !check_pad(f, n, rank)) return false;
    pad_amounts(n, rank, begin, end);
    for (int d = 0; d < rank; d++) {
        if (begin[d] < -most || begin[d] > most || end[d] < -most || end[d] > most)
            return infer_fail(f, n, D_SHAPE, "a pad is out of any range");
        int64_t size = dims[d] + begin[d] + end[d];
        if (dims[d] == 0 && size > 0 && pad_mode(n) != PAD_CONSTANT)
            return infer_fail(f, n, D_SHAPE, "an empty axis has nothing to be repeated");
        dims[d] = size;
    }
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    return true;
}

/* i modulo size, from 0 on, for i >= -below. */
static const Expr *modulo(Lower *l, const Expr *i, int64_t below, int64_t size) {
    int64_t lift = below > 0 ? (below + size - 1) / size * size : 0;
    return ex_rem(l->b, ex_add(l->b, i, ex_index(l->b, lift)), ex_index(l->b, size));
}

/* Mirrors i, not repeating the ends; once where the pads are shorter than the axis, else as often
 * as needed. */
static const Expr *reflect(Lower *l, const Expr *i, int64_t begin, int64_t end, int64_t size) {
    const Expr *last = ex_index(l->b, size - 1);
    if (size == 1) return ex_index(l->b, 0);
    if (begin >= size || end >= size)
        i = modulo(l, i, begin, 2 * (size - 1));
    else if (begin > 0)
        i = ex_scalar(l->b, SC_ABS, i, NULL, NULL);
    if (end <= 0 && begin < size) return i;
    const Expr *beyond = ex_sub(l->b, last, i);
    return ex_sub(l->b, last, ex_scalar(l->b, SC_ABS, beyond, NULL, NULL));
}

static const Expr *pad_index(Lower *l, PadMode mode, const Expr *i, int64_t begin, int64_t end,
                             int64_t size) {
    i = ex_sub(l->b, i, ex_index(l->b, begin));
    if (mode == PAD_REFLECT) i = reflect(l, i, begin, end, size);
    if (mode == PAD_WRAP) i = modulo(l, i, begin, size);
    return move_clamp(l, i, size);
}

static const Expr *is_within(Lower *l, const Expr *i, int64_t begin, int64_t size) {
    const Expr *after = ex_le(l->b, ex_index(l->b, begin), i);
    const Expr *before = ex_lt(l->b, i, ex_index(l->b, begin + size));
    return ex_and(l->b, after, before);
}

const Expr *move_pad(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0];
    const Expr *from[MAX_RANK], *inside = ex_bool(l->b, true), *fill;
    int64_t begin[MAX_RANK], end[MAX_RANK];
    PadMode mode = pad_mode(n);
    (void)k;
    pad_amounts(n, in->rank, begin, end);
    fill = mode == PAD_CONSTANT && node_has_input(n, 2) ? move_load_scalar(l, n, 2)
                                                        : ex_const(l->b, in->dtype, 0);
    if (value_count(in) == 0) return fill;
    for (int d = 0; d < in->rank; d++) {
        from[d] = pad_index(l, mode, index[d], begin[d], end[d], move_dim(in, d));
        if (mode == PAD_CONSTANT)
            inside = ex_and(l->b, inside, is_within(l, index[d], begin[d], move_dim(in, d)));
    }
    return ex_select(l->b, inside, lower_load(l, in, from), fill);
}

/* The named axes, or all, and the sizes that they get. */
static int crop_axes(const Node *n, int rank, int64_t *axes) {
    int count = 0;
    const int64_t *given = node_ints(n, "axes", &count);
    if (!given) count = rank;
    for (int i = 0; i < count && i < MAX_RANK; i++) {
        axes[i] = given ? given[i] : i;
        if (axes[i] < 0) axes[i] += rank;
    }
    return count;
}

bool infer_center_crop_pad(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], axes[MAX_RANK], sizes[MAX_RANK];
    int n_sizes = 0, rank = infer_dims(f, n, 0, dims);
    if (rank < 0 || !infer_ints(f, n, 1, sizes, &n_sizes, MAX_RANK)) return false;
    int count = crop_axes(n, rank, axes);
    if (count != n_sizes || count > rank)
        return infer_fail(f, n, D_SHAPE, "there is not one size for each axis");
    for (int i = 0; i < count; i++) {
        if (axes[i] < 0 || axes[i] >= rank)
            return infer_fail_attr(f, n, "axes", "an axis is outside the tensor");
        dims[axes[i]] = sizes[i];
    }
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    return true;
}

const Expr *move_center_crop_pad(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0], *out = n->outputs[0];
    const Expr *from[MAX_RANK], *inside = ex_bool(l->b, true), *fill = ex_const(l->b, in->dtype, 0);
    (void)k;
    if (value_count(in) == 0) return fill;
    for (int d = 0; d < in->rank; d++) {
        int64_t size = move_dim(in, d), wanted = move_dim(out, d);
        int64_t begin = wanted > size ? (wanted - size) / 2 : -((size - wanted) / 2);
        from[d] = move_clamp(l, ex_sub(l->b, index[d], ex_index(l->b, begin)), size);
        inside = ex_and(l->b, inside, is_within(l, index[d], begin, size));
    }
    return ex_select(l->b, inside, lower_load(l, in, from), fill);
}

bool infer_trilu(Infer *f, Node *n) {
    int64_t dims[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0) return false;
    if (rank < 2) return infer_fail(f, n, D_SHAPE, "the input should have two axes or more");
    if (node_has_input(n, 1) && (value_count(n->inputs[1]) != 1 || n->inputs[1]->dtype != DT_I64))
        return infer_fail(f, n, D_SHAPE, "k should be one number of type i64");
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    return true;
}

const Expr *move_trilu(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0];
    int64_t most = (int64_t)1 << 41;
    const Expr *shift = ex_index(l->b, 0), *zero = ex_const(l->b, in->dtype, 0);
    (void)k;
    if (node_has_input(n, 1)) shift = move_load_scalar(l, n, 1);
    shift = ex_min(l->b, shift, ex_index(l->b, most));
    shift = ex_max(l->b, shift, ex_index(l->b, -most));
    const Expr *diagonal = ex_add(l->b, index[in->rank - 2], shift), *column = index[in->rank - 1];
    const Expr *keep =
        node_int(n, "upper") ? ex_le(l->b, diagonal, column) : ex_le(l->b, column, diagonal);
    return ex_select(l->b, keep, lower_load(l, in, index), zero);
}

bool infer_reverse_sequence(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], lengths[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims), rank_lengths = infer_dims(f, n, 1, lengths);
    if (rank < 0 || rank_lengths < 0) return false;
    int64_t batch = node_int(n, "batch_axis"), time = node_int(n, "time_axis");
    if (rank < 2 || batch < 0 || batch > 1 || time != 1 - batch)
        return infer_fail_attr(f, n, "time_axis",
                               "time_axis and batch_axis should be 0 and 1, or 1 and 0");
    if (rank_lengths != 1 || lengths[0] != dims[batch])
        return infer_fail(f, n, D_SHAPE, "there is not one length for each sequence");
    if (n->inputs[1]->dtype != DT_I64)
        return infer_fail(f, n, D_DTYPE, "the lengths should be of type i64");
    infer_set(f, n, 0, n->inputs[0]->dtype, rank, dims);
    return true;
}

const Expr *move_reverse_sequence(Lower *l, const Node *n, int k, const Expr *const *index) {
    const Value *in = n->inputs[0];
    int64_t batch = node_int(n, "batch_axis"), time = 1 - batch, size = move_dim(in, (int)time);
    const Expr *from[MAX_RANK], *step = index[time];
    (void)k;
    for (int d = 0; d < in->rank; d++) from[d] = index[d];
    const Expr *length = move_clamp(l, lower_load(l, n->inputs[1], &index[batch]), size + 1);
    const Expr *last = ex_sub(l->b, length, ex_index(l->b, 1));
    const Expr *mirrored = ex_sub(l->b, last, step);
    from[time] = move_clamp(l, ex_select(l->b, ex_lt(l->b, step, length), mirrored, step), size);
    return lower_load(l, in, from);
}

/* Checks the input, the block's size and the mode (column-row-depth or depth-column-row). */
static bool check_blocks(Infer *f, Node *n, int64_t *dims) {
    int rank = infer_dims(f, n, 0, dims);
    int64_t block = node_int(n, "blocksize");
    const char *mode = node_string(n, "mode");
    if (rank < 0) return false;
    if (rank != 4) return infer_fail(f, n, D_SHAPE, "the input should have four axes");
    if (block < 1 || block > 1 << 20)
        return infer_fail_attr(f, n, "blocksize", "%lld is no size", (long long)block);
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        return infer_fail_attr(f, n, "mode", "'%s' is neither DCR nor CRD", mode);
    return true;
}

static bool set_blocks(Infer *f, Node *n, int64_t channels, int64_t height, int64_t width) {
    int64_t dims[4] = {move_dim(n->inputs[0], 0), channels, height, width};
    infer_set(f, n, 0, n->inputs[0]->dtype, 4, dims);
    return true;
}

bool infer_depth_to_space(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], block = node_int(n, "blocksize");
    if (!check_blocks(f, n, dims)) return false;
    if (dims[1] % (block * block) != 0)
        return infer_fail_attr(f, n, "blocksize", "its square does not divide %lld channels",
                               (long long)dims[1]);
    int64_t tall[] = {dims[2], block}, wide[] = {dims[3], block};
    return set_blocks(f, n, dims[1] / (block * block), dims_product(tall, 2),
                      dims_product(wide, 2));
}

bool infer_space_to_depth(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], block = node_int(n, "blocksize");
    if (!check_blocks(f, n, dims)) return false;
    if (dims[2] % block != 0 || dims[3] % block != 0)
        return infer_fail_attr(f, n, "blocksize", "does not divide the height and the width");
    int64_t deep[] = {dims[1], block * block};
    return set_blocks(f, n, dims_product(deep, 2), dims[2] / block, dims[3] / block);
}

/* DepthToSpace: the place in the block comes from the low digits of row and column and goes into
 * the channel. */
const Expr *move_depth_to_space(Lower *l, const Node *n, int k, const Expr *const *index) {
    int64_t block = node_int(n, "blocksize"), channels = move_dim(n->outputs[0], 1);
    const Expr *size = ex_index(l->b, block);
    const Expr *row = ex_div(l->b, index[2], size), *column = ex_div(l->b, index[3], size);
    const Expr *below = ex_rem(l->b, index[2], size), *right = ex_rem(l->b, index[3], size);
    const Expr *place = ex_offset(l->b, below, block, right);
    bool depth_first = strcmp(node_string(n, "mode"), "DCR") == 0;
    const Expr *channel = depth_first ? ex_offset(l->b, place, channels, index[1])
                                      : ex_offset(l->b, index[1], block * block, place);
    const Expr *from[] = {index[0], channel, row, column};
    (void)k;
    return lower_load(l, n->inputs[0], from);
}

const Expr *move_space_to_depth(Lower *l, const Node *n, int k, const Expr *const *index) {
    int64_t block = node_int(n, "blocksize");
    bool depth_first = strcmp(node_string(n, "mode"), "DCR") == 0;
    const Expr *divisor = ex_index(l->b, depth_first ? move_dim(n->inputs[0], 1) : block * block);
    const Expr *high = ex_div(l->b, index[1], divisor), *low = ex_rem(l->b, index[1], divisor);
    const Expr *place = depth_first ? high : low, *channel = depth_first ? low : high;
    const Expr *size = ex_index(l->b, block);
    const Expr *row = ex_offset(l->b, index[2], block, ex_div(l->b, place, size));
    const Expr *column = ex_offset(l->b, index[3], block, ex_rem(l->b, place, size));
    const Expr *from[] = {index[0], channel, row, column};
    (void)k;
    return lower_load(l, n->inputs[0], from);
}
