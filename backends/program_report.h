/* program_report.h - what a program costs: kernels, memory, totals. */
#ifndef SONOC_PROGRAM_REPORT_H
#define SONOC_PROGRAM_REPORT_H

#include "loop.h"

/* As a table for people, or as one JSON object.  After program_plan. */
void program_report(const Program *p, bool json, Text *out);

#endif
