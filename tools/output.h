/* output.h - files that appear together and whole, or not at all. */
#ifndef SONOC_OUTPUT_H
#define SONOC_OUTPUT_H

#include "diag.h"

typedef struct OutputFile { const char *path, *temporary; } OutputFile;
typedef VEC(OutputFile) OutputSet;

/* Writes bytes to a temporary file beside `path`.  false: reported; then call output_drop. */
bool output_add(Unit *u, OutputSet *set, const char *path, const void *bytes, size_t n);
/* The same piece by piece.  output_end tells whether all of it was written; false: reported, by either. */
typedef struct OutputStream { Unit *unit; const char *path; FILE *file; } OutputStream;
bool output_begin(Unit *u, OutputSet *set, const char *path, OutputStream *stream);
bool output_write(OutputStream *stream, const void *bytes, size_t n);
bool output_end(OutputStream *stream);
/* Gives all files their names.  false: reported, and none is left that was not there. */
bool output_commit(Unit *u, OutputSet *set);
void output_drop(OutputSet *set);

#endif
