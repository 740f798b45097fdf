/* conv_transpose.h - ConvTranspose by matrix products: private to ir/ops. */
#ifndef SONOC_CONV_TRANSPOSE_H
#define SONOC_CONV_TRANSPOSE_H

#include "infer.h"
#include "lower.h"

/* Where kernel and stride are the same and nothing is padded, so that every output element has one
 * tap: one product a tap, rows are input pixels, columns output channels. */
void conv_transpose_products(Lower *l, Node *n);

#endif
