/* counters.h - what the processor counts of this process, where the kernel lets us see it. */
#ifndef SONOC_COUNTERS_H
#define SONOC_COUNTERS_H

#include "base.h"

/* COUNTER(id, text) in counters.def */
typedef enum CounterId {
#define COUNTER(id, event, text) COUNTER_##id,
#include "counters.def"
#undef COUNTER
    COUNTER_COUNT
} CounterId;

extern const char *const counter_names[COUNTER_COUNT];

typedef struct Counters {
    int files[COUNTER_COUNT];    /* -1: not to be had */
    int n;                       /* how many are to be had */
    int error;                   /* why the first of the others is not: an errno */
} Counters;

/* Counts from now on, the threads that start later included. */
void counters_open(Counters *c);
void counters_read(const Counters *c, uint64_t values[COUNTER_COUNT]);
void counters_close(Counters *c);

#endif
