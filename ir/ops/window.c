/* window.c - the geometry of sliding windows, as the ONNX operators Conv, MaxPool and AveragePool
 * define it. */
#include "window.h"

#include <string.h>

static void read_ints(const Node *n, const char *name, int axes, int64_t *out, int64_t otherwise) {
    int count;
    const int64_t *given = node_ints(n, name, &count);
    for (int d = 0; d < axes; d++) out[d] = given && d < count ? given[d] : otherwise;
}

static void read_pads(const Node *n, int axes, Window *w) {
    int count;
    const int64_t *pads = node_ints(n, "pads", &count);
    for (int d = 0; d < axes; d++) {
        w->pad_begin[d] = pads && count == 2 * axes ? pads[d] : 0;
        w->pad_end[d] = pads && count == 2 * axes ? pads[axes + d] : 0;
    }
}

static int64_t span(const Window *w, int d) { return (w->kernel[d] - 1) * w->dilation[d] + 1; }

/* SAME: as many outputs as ceil(size / stride); what is padded is halved, the odd one goes to the
 * side named. */
static void pad_same(Window *w, int d, int64_t size, bool upper) {
    int64_t out = (size + w->stride[d] - 1) / w->stride[d];
    int64_t total = (out - 1) * w->stride[d] + span(w, d) - size;
    if (total < 0) total = 0;
    w->pad_begin[d] = upper ? total / 2 : total - total / 2;
    w->pad_end[d] = total - w->pad_begin[d];
}

static int64_t output_size(const Window *w, int d, int64_t size, bool ceil_mode) {
    int64_t room = size + w->pad_begin[d] + w->pad_end[d] - span(w, d);
    if (room < 0) return 0;
    int64_t out = (room + (ceil_mode ? w->stride[d] - 1 : 0)) / w->stride[d] + 1;
    /* with ceil_mode no window may start in the padding at the end */
    if (ceil_mode && (out - 1) * w->stride[d] >= size + w->pad_begin[d]) out--;
    return out;
}

static void finish(const Node *n, int axes, const int64_t *size, Window *w) {
    const char *pad = op_find_attr(n->op, "auto_pad") ? node_string(n, "auto_pad") : "NOTSET";
    bool ceil_mode = op_find_attr(n->op, "ceil_mode") && node_int(n, "ceil_mode");
    for (int d = 0; d < axes; d++) {
        if (!strcmp(pad, "VALID")) w->pad_begin[d] = w->pad_end[d] = 0;
        if (!strncmp(pad, "SAME", 4)) pad_same(w, d, size[d], !strcmp(pad, "SAME_UPPER"));
        w->out[d] = output_size(w, d, size[d], ceil_mode && strncmp(pad, "SAME", 4));
    }
}

void window_of(const Node *n, int axes, const int64_t *size, const int64_t *kernel, Window *w) {
    memset(w, 0, sizeof *w);
    read_ints(n, "kernel_shape", axes, w->kernel, 1);
    if (kernel) memcpy(w->kernel, kernel, (size_t)axes * sizeof *kernel);
    read_ints(n, "strides", axes, w->stride, 1);
    read_ints(n, "dilations", axes, w->dilation, 1);
    read_pads(n, axes, w);
    finish(n, axes, size, w);
}

static const char *list_text(Infer *f, const int64_t *at, int count) {
    Text t = {.arena = f->unit->arena};
    text_add(&t, "[");
    for (int i = 0; i < count; i++) text_add(&t, i ? ",%lld" : "%lld", (long long)at[i]);
    text_add(&t, "]");
    return t.at;
}

static bool check_list(Infer *f, Node *n, const char *name, int want, int64_t least) {
    int count;
    const int64_t *at = node_ints(n, name, &count);
    if (!at) return true;
    if (count != want)
        return infer_fail_attr(f, n, name, "is %s, must have %d entries", list_text(f, at, count),
                               want);
    for (int i = 0; i < count; i++)
        if (at[i] < least || at[i] > (INT64_C(1) << 31))
            return infer_fail_attr(f, n, name, "is %s", list_text(f, at, count));
    return true;
}

static bool check_auto_pad(Infer *f, Node *n) {
    static const char *const known[] = {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"};
    if (!op_find_attr(n->op, "auto_pad")) return true;
    const char *given = node_string(n, "auto_pad");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(given, known[i])) return true;
    return infer_fail_attr(f, n, "auto_pad", "is '%s'", given);
}

static bool check_kernel(Infer *f, Node *n, int axes, const int64_t *kernel) {
    int count;
    const int64_t *given = node_ints(n, "kernel_shape", &count);
    if (!given && !kernel) return infer_fail_attr(f, n, "kernel_shape", "is needed");
    for (int d = 0; given && kernel && d < axes; d++)
        if (given[d] != kernel[d])
            return infer_fail_attr(f, n, "kernel_shape", "is %s, the weights have %s",
                                   list_text(f, given, count), list_text(f, kernel, axes));
    return true;
}

bool window_infer(Infer *f, Node *n, int axes, const int64_t *size, const int64_t *kernel,
                  Window *w) {
    if (!check_list(f, n, "kernel_shape", axes, 1) || !check_list(f, n, "strides", axes, 1) ||
        !check_list(f, n, "dilations", axes, 1) || !check_list(f, n, "pads", 2 * axes, 0) ||
        !check_auto_pad(f, n) || !check_kernel(f, n, axes, kernel))
        return false;
    window_of(n, axes, size, kernel, w);
    for (int d = 0; d < axes; d++)
        if (w->out[d] < 1 && size[d] > 0)
            return infer_fail(
                f, n, D_SHAPE,
                arena_format(
                    f->unit->arena, "the window of %lld is larger than the padded input of %lld",
                    (long long)span(w, d), (long long)(size[d] + w->pad_begin[d] + w->pad_end[d])));
    return true;
}
