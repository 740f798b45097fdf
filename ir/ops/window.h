/* window.h - sliding windows of convolution and pooling: kernel, strides, dilations, padding, output size. */
#ifndef SONOC_WINDOW_H
#define SONOC_WINDOW_H

#include "infer.h"

enum { WINDOW_AXES = 3 };

typedef struct Window {
    int64_t kernel[WINDOW_AXES], stride[WINDOW_AXES], dilation[WINDOW_AXES];
    int64_t pad_begin[WINDOW_AXES], pad_end[WINDOW_AXES];
    int64_t out[WINDOW_AXES];
} Window;

/* Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode (where the operator has them) of a node whose
 * input has `size` along `axes` spatial axes.  kernel: from the weights, or NULL to take kernel_shape.
 * window_infer checks and reports; window_of is for nodes that passed it. */
bool window_infer(Infer *f, Node *n, int axes, const int64_t *size, const int64_t *kernel, Window *w);
void window_of(const Node *n, int axes, const int64_t *size, const int64_t *kernel, Window *w);

#endif
