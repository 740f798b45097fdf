/* driver.h - the way of a model, which the command line and the library share: reading, rules, lowering. */
#ifndef SONOC_DRIVER_H
#define SONOC_DRIVER_H

#include "diag.h"
#include "import.h"
#include "loop.h"
#include "lower.h"
#include "pass.h"

/* A model, and how it is to be read and lowered. */
typedef struct Driver {
    Unit *unit;
    const char *path;                /* of the model; of one in memory: its name */
    const void *bytes;               /* the model in memory, which outlives the unit; NULL: the file at `path` */
    size_t n_bytes;
    const char *const *dims;         /* NAME=N */
    int n_dims;
    ImportOptions import;            /* limits, and who is told of external data; pins come from `dims` */
    const char *rules;               /* a file; NULL: none */
    const char *choices;             /* a file of variants; NULL: by estimate */
    const Target *target, *shared;   /* shared: as in LowerOptions */
    bool plain;                      /* lower by definition */
    bool make_later;                 /* of LowerOptions */
    bool check_kernels;              /* in builds with NDEBUG, too */
    void (*stage)(void *context, const char *what);   /* told what is being done; NULL: nobody asks */
    void *context;
} Driver;

/* The model as a graph: ONNX, or the text of a graph (.sonoc).  NULL: reported. */
Graph *driver_read(const Driver *d);
/* The rules of the file; none without one.  NULL: reported. */
struct RuleSet *driver_rules(const Driver *d);
/* How they have it lowered, choices apart. */
LowerOptions driver_lower_options(const Driver *d, const PassOptions *chosen);
/* From the graph that these passes left to loops with a memory plan.  NULL: reported. */
Program *driver_lower(const Driver *d, Graph *g, const PassOptions *chosen);
/* A text of loops (.loops) is a program already.  NULL: reported. */
Program *driver_read_loops(const Driver *d);

void driver_stage(const Driver *d, const char *what);

bool path_ends(const char *path, const char *end);
/* The file's name without folder and ending. */
const char *path_stem(Arena *a, const char *path);
/* A whole file; NULL: reported. */
char *file_read(Unit *u, const char *path, size_t *n);

#endif
