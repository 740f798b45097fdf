/* import.h - an ONNX file in, a graph out. */
#ifndef SONOC_IMPORT_H
#define SONOC_IMPORT_H

#include "graph.h"

typedef struct DimPin {
    const char *symbol;
    int64_t size;
} DimPin;

/* What a file may cost before it is refused with status 4; 0 takes the default of limits.def. */
typedef struct ImportLimits {
    int64_t depth;          /* nesting of messages and subgraphs */
    int64_t call_depth;     /* functions that call functions */
    int64_t nodes;          /* in all graphs and functions */
    int64_t tensor_bytes;   /* of all constants */
    int64_t expanded_nodes; /* after local functions are inlined */
    int64_t message_bytes;  /* memory of unpacked messages */
} ImportLimits;

typedef struct ImportOptions {
    const DimPin *pins;
    int n_pins;
    ImportLimits limits;
    /* Told each file of external data once, with its path from the model's folder; NULL: nobody asks. */
    void (*on_file)(void *context, const char *location, const void *bytes, size_t n);
    void *context;
} ImportOptions;

/* The model at `path`, mapped (the mapping lives as long as the unit) and turned into a graph of
 * newest-form operators; no shapes inferred.  NULL: everything wrong was reported in the unit. */
Graph *import_file(Unit *u, const char *path, const ImportOptions *options);
/* The same for a model in memory, which must outlive the unit; external data is looked for beside
 * u->file. */
Graph *import_memory(Unit *u, const void *bytes, size_t n, const ImportOptions *options);
/* A TensorProto in a file (*.pb as in ONNX's test data).  NULL: reported. */
const Tensor *import_tensor_file(Unit *u, const char *path, const char **name);

#endif
