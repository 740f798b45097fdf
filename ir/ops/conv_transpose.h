/* conv_transpose.h - ConvTranspose by matrix products: private to ir/ops. */
#ifndef SONOC_CONV_TRANSPOSE_H
#define SONOC_CONV_TRANSPOSE_H

#include "infer.h"
#include "lower.h"

/* Do the taps of different input elements fall on different output elements, with none left out?
 * As where kernel and stride are the same and nothing is padded. */
bool conv_transpose_is_apart(const Node *n);
/* One product a tap: rows are input pixels, columns output channels. */
void conv_transpose_products(Lower *l, Node *n);

#endif
