/* report.h - what a program costs: kernels, bytes, multiply-adds, the map of the arena. */
#ifndef SONOC_REPORT_H
#define SONOC_REPORT_H

#include "loop.h"

/* Of `sonoc compile`. */
typedef struct ReportFiles {
    const char *source, *header, *weights;       /* paths; weights NULL: none */
    const char *form;                            /* where the weights are */
    size_t source_bytes, weights_bytes;
} ReportFiles;

void report_print(const Program *p, const ReportFiles *files, bool as_json, FILE *out);

typedef struct Totals {
    int64_t macs, constant_bytes;
    int kernels;
} Totals;
Totals program_totals(const Program *p);

#endif
