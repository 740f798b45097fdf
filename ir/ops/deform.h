/* deform.h - what the two lowerings of DeformConv share: private to ir/ops. */
#ifndef SONOC_DEFORM_H
#define SONOC_DEFORM_H

#include "lower.h"

enum { DEFORM_X, DEFORM_W, DEFORM_OFFSET, DEFORM_BIAS, DEFORM_MASK };

void deform_product(Lower *l, Node *n);

#endif
