/* roof.h - what the machine can do, measured by a program of loops with the same backend, compiler and threads. */
#ifndef SONOC_ROOF_H
#define SONOC_ROOF_H

#include "pipeline.h"

typedef struct Roof {
    double gflops;               /* multiply-adds on registers alone, each as two operations; 10^9 a second */
    double gbytes;               /* reads of memory */
} Roof;

/* false: reported.  All is 0 where the backend does not tell kernels apart. */
bool measure_roof(Session *s, const Target *target, Roof *to);
/* The most that a kernel could reach, in 10^9 operations a second, by its multiply-adds and bytes. */
double roof_of(const Roof *roof, const Kernel *k);

#endif
