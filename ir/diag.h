/* diag.h - what is wrong with the user's file or command line: collected, printed together, status 3 or 4.
 *
 * A message is a row of diags.def; a place says which file, node and attribute.  Nothing here is for our own
 * mistakes: those are BUG(). */
#ifndef SONOC_DIAG_H
#define SONOC_DIAG_H

#include "base.h"
#include <stdarg.h>

typedef enum DiagCode {
#define DIAG(code, status, format) D_##code,
#include "diags.def"
#undef DIAG
    D_COUNT
} DiagCode;

/* Where: any part may be absent (node < 0, NULL). */
typedef struct Place {
    int node;                /* position in the file's node list, from 0 */
    const char *name;        /* the node's name */
    const char *op;          /* its operator */
    const char *attribute;
    const char *scope;       /* function or subgraph that it stands in, or NULL */
} Place;

#define NO_PLACE ((Place){ .node = -1 })

/* Reports; returns false, so that `return diag(...)` reads well.  Prints as
 * "model.onnx: node 17 'conv1' (Conv): kernel_shape: <text>".  The arguments are those of the row's format. */
bool diag(Unit *u, Place place, DiagCode code, ...);
bool diag_va(Unit *u, Place place, DiagCode code, va_list args);
/* A note to the user that is no error (status stays). */
void diag_note(Unit *u, const char *format, ...) __attribute__((format(printf, 2, 3)));

int diag_count(const Unit *u);
/* Errors and notes, a line each, in their order. */
int diag_lines(const Unit *u);
const char *diag_line(const Unit *u, int i, bool *is_error);
const char *diag_first(const Unit *u);              /* the line of the first error; NULL: none */
int diag_status(const Unit *u);                     /* STATUS_OK, or the largest status reported */
void diag_print(const Unit *u, FILE *out);          /* all errors and notes in order, a line each */

/* A mistake of ours: leaves with STATUS_BUG. */
#define BUG(unit, ...) escape(&(unit)->escape, STATUS_BUG, __VA_ARGS__)

#endif
