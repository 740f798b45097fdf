/* ports.h - tensors for the inputs and outputs of a program, running it, and comparing what comes out. */
#ifndef SONOC_PORTS_H
#define SONOC_PORTS_H

#include "model.h"
#include "pipeline.h"
#include "tensor_set.h"

typedef struct sonoc_model Model;

/* Tensors for the inputs, in order: those of --inputs, or random ones (a note says so).  NULL: reported. */
const Tensor **ports_inputs(Session *s, const Model *m);
/* Runs the model in a context of its own.  NULL: reported. */
const Tensor **ports_run(Session *s, Model *m, const Tensor *const *inputs);
/* Those of --expect for the outputs, in order; their types may be wider.  NULL: reported. */
const Tensor **ports_expected(Session *s, const Model *m);

/* How far `got` is from `want`, and what is allowed. */
typedef struct Bound { double atol, rtol; int64_t ulp; } Bound;
typedef struct Difference {
    double absolute, relative;   /* the largest; infinite where one is NaN and the other is not */
    int64_t ulp;                 /* the largest, in got's type; INT64_MAX where there is no telling */
    int64_t count;               /* elements beyond the bound */
    int64_t first;               /* the first of them, -1: none */
    int64_t differing;           /* elements that are not the same */
    double got, want;            /* of the first beyond the bound */
} Difference;
Difference tensor_compare(const Tensor *got, const Tensor *want, Bound bound);

#endif
