/* conv_effort.c - what the ways of computing a convolution do; of Winograd's winograd.c tells. */
#include "conv.h"

enum { FEW_CHANNELS = 4, MANY_CHANNELS = 16 }; /* out and in, of a 1x1 convolution that is a sum */

static bool is_empty(const Conv *c) { return value_count(c->out) == 0 || value_count(c->w) == 0; }

/* A 1x1 convolution to few channels is a sum over channels at every pixel: reading costs more than
 * multiplying, so what computes the input runs in its loads. */
static bool is_weighted_sum(const Conv *c) {
    int64_t pixels = 1, outputs = 1;
    for (int d = 0; d < c->axes; d++) {
        const Window *w = &c->window;
        if (w->kernel[d] != 1 || w->stride[d] != 1 || w->pad_begin[d] || w->pad_end[d])
            return false;
        pixels *= c->x->dims[d + 2].size;
        outputs *= w->out[d];
    }
    return c->groups == 1 && c->out_channels <= FEW_CHANNELS && c->in >= MANY_CHANNELS &&
           pixels == outputs;
}

static bool is_depthwise(const Conv *c) { return c->in == 1 && c->groups > 1; }

static double vectors(int64_t elements, const Target *t) {
    return (double)((elements + t->lanes - 1) / t->lanes);
}

static double out_pixels(const Conv *c) {
    return (double)(value_count(c->out) / c->out->dims[1].size);
}

bool effort_conv_sum(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    Conv c = conv_of(n);
    (void)v;
    if (is_empty(&c) || !is_weighted_sum(&c)) return false;
    effort->n[COST_CHANNELS] += out_pixels(&c) * vectors(c.in, t) * (double)c.out_channels;
    return true;
}

bool effort_conv_depthwise(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    Conv c = conv_of(n);
    (void)v;
    if (is_empty(&c) || !is_depthwise(&c)) return false;
    double taps = (double)(value_count(c.w) / c.w->dims[0].size);
    effort->n[COST_CHANNELS] += out_pixels(&c) * taps * vectors(c.out->dims[1].size, t);
    return true;
}

bool effort_conv_product(const Node *n, const Target *t, const Variant *v, Effort *effort) {
    Conv c = conv_of(n);
    if (is_empty(&c) || is_weighted_sum(&c) || is_depthwise(&c)) return false;
    Gemm g = {.wide = lower_wide(c.x->dtype), .rows = 1, .columns = c.out_channels};
    for (int d = 0; d < c.axes; d++) {
        g.rows *= c.window.out[d];
        g.k_extent[g.n_k++] = c.window.kernel[d];
    }
    g.k_extent[g.n_k++] = c.in;
    gemm_effort(&g, t, v, c.groups * c.x->dims[0].size, c.groups, effort);
    return true;
}
