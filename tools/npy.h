/* npy.h - NumPy's array files, in memory. */
#ifndef SONOC_NPY_H
#define SONOC_NPY_H

#include "type.h"

/* The array in n bytes, in row-major order.  NULL: *why tells what is wrong. */
const Tensor *npy_read(Arena *a, const void *bytes, size_t n, const char **why);
/* Appends the file of a tensor. */
void npy_write(const Tensor *t, Text *out);

#endif
