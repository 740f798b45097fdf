/* export.h - a graph out as an ONNX model. */
#ifndef SONOC_EXPORT_H
#define SONOC_EXPORT_H

#include "graph.h"

/* Where bytes go, in order.  False: it failed and was reported; nothing more is written then. */
typedef struct ExportSink {
    bool (*write)(void *context, const void *bytes, size_t n);
    void *context;
} ExportSink;

typedef struct ExportOptions {
    const char *producer_version;
    const char *data_location; /* of the weights, relative to the model; NULL: inside the model */
} ExportOptions;

/* A protobuf file ends at 2 GB: beyond this many bytes of constants their data is kept outside. */
#define EXPORT_INSIDE_MAX ((int64_t)2000 << 20)
int64_t export_data_bytes(const Graph *g);

/* Writes the graph to `model`, the weights to `data` where the options say so.  The operator set is
 * the oldest from 21 on that has every node as it stands.  Operators of other domains that have an
 * expansion become functions of the model.  Constants are written from where they lie, not copied.
 * False: reported. */
bool export_model(const Graph *g, const ExportOptions *options, ExportSink model, ExportSink data);

#endif
