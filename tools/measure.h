/* measure.h - runs a program many times and keeps what runs and kernels took. */
#ifndef SONOC_MEASURE_H
#define SONOC_MEASURE_H

#include "counters.h"
#include "ports.h"

/* What was seen when a kernel began, or the run ended. */
typedef struct Moment {
    double time, processor;      /* seconds; those that processors spent on this process */
    uint64_t counts[COUNTER_COUNT];
} Moment;

typedef struct Measurement {
    int runs;
    double first_seconds;        /* the first run */
    double *seconds;             /* of the runs, the shortest first; nothing was asked of them meanwhile */
    double processor_seconds;    /* the least that processors spent on a run */
    Counters counters;           /* which counts there are */
    int n_kernels;               /* 0: the backend does not tell kernels apart */
    Moment *moments;             /* [run][kernel], n_kernels + 1 a run; of as many runs more */
} Measurement;

/* Runs m on the inputs: `warmups` times, then `runs` times, then `runs` times with an eye on the kernels.  With
 * `count` hardware counters are read, where they can be had.  false: reported. */
bool measure(Session *s, const Model *m, const Tensor *const *inputs, int warmups, int runs, bool count, Measurement *to);

const Moment *measured_moment(const Measurement *m, int run, int kernel);
/* The shortest time of a kernel over the runs, and the least that processors spent on it. */
double measured_kernel(const Measurement *m, int kernel);
double measured_processor(const Measurement *m, int kernel);
/* Of a clock that never goes back. */
double seconds_now(void);
/* Sorts seconds, and finds the value below which a share of them lies. */
void sort_seconds(double *seconds, int n);
double percentile(const double *sorted, int n, double share);

/* What the machine can do, measured by a program of loops with the same backend and compiler. */
typedef struct Roof {
    double gflops;               /* multiply-adds on registers alone, each as two operations */
    double gbytes;               /* reads of memory */
} Roof;
/* false: reported. */
bool measure_roof(Session *s, const Target *target, Roof *to);
/* The most that a kernel could reach, in 10^9 operations a second, by its multiply-adds and bytes. */
double roof_of(const Roof *roof, const Kernel *k);

#endif
