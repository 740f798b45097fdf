/* sonoc.h - libsonoc: opens ONNX models and runs them.  docs/c-api.md shows how.
 *
 * A model is opened once and can be run by any number of threads, each with a context of its own.
 * The library has no state besides models and contexts, and prints nothing. */
#ifndef SONOC_H
#define SONOC_H

#include "sonoc_op.h" /* element types, promises, and what operators of one's own are made of */

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#define SONOC_PUBLIC __attribute__((visibility("default")))
#else
#define SONOC_PUBLIC
#endif

struct sonoc_model;
struct sonoc_context;

/* How a call went; the numbers are the exit statuses of the command line. */
enum sonoc_status {
    SONOC_OK = 0,
    SONOC_USAGE = 2,    /* an argument or option is wrong */
    SONOC_REFUSED = 3,  /* the model or a file is wrong, or asks for what sonoc lacks */
    SONOC_LIMIT = 4,    /* out of memory, or beyond a limit */
    SONOC_MISTAKE = 70  /* a mistake of sonoc; please report it */
};

/* Told by every call that can fail; where one is handed in, NULL may be. */
struct sonoc_error {
    enum sonoc_status status;
    char text[2044]; /* lines of all that is wrong; "" without an error */
};

/* Where the library has its memory from.  Called by every thread that calls the library. */
struct sonoc_allocator {
    void *(*allocate)(void *context, size_t bytes); /* aligned to 16; NULL: there is no more */
    void (*release)(void *context, void *at, size_t bytes);
    void *context;
};

enum sonoc_log {
    SONOC_LOG_STAGE, /* what is being done from now on: "reading", "lowering" */
    SONOC_LOG_NOTE,
    SONOC_LOG_ERROR
};

typedef void sonoc_registrar(const struct sonoc_registry *r);

/* How a model is opened.  Begin with SONOC_OPTIONS and set what should differ. */
struct sonoc_options {
    size_t size;                   /* of this struct, so that it can grow */
    int optimize;                  /* 0 to 3: the passes that run, as -O of the command line */
    enum sonoc_promise exactness;  /* what passes may change */
    int threads;                   /* of one run; 0: as many as there are processors */
    const char *target;            /* of `sonoc help run`; NULL: the first */
    const char *backend;           /* of sonoc_backend(); NULL: the standard one */
    const char *compiler;          /* of backend "c": "gcc -O3 -march=native"; NULL: $CC or cc */
    const char *const *dims;       /* sizes of symbolic dimensions, "batch=1"; ends with NULL */
    const char *passes;            /* a pipeline instead of the standard one */
    const char *rules;             /* a file of rewrite rules */
    sonoc_registrar *const *operators; /* operators and passes of one's own; ends with NULL */
    const char *const *plugins;    /* shared objects that have some; ends with NULL */
    size_t max_memory;             /* bytes for opening; 0: no limit */
    const char *cache;             /* folder of compiled models; NULL: the user's; "": none are kept */
    int64_t cache_bytes;           /* what that folder may grow to; 0: 4 GiB */
    void (*log)(void *context, enum sonoc_log kind, const char *text); /* while opening; or NULL */
    void *log_context;
    const struct sonoc_allocator *allocator; /* is copied; NULL: malloc */
};

#define SONOC_OPTIONS                                                                              \
    { sizeof(struct sonoc_options), 2, SONOC_REAL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* An input or an output. */
struct sonoc_port {
    const char *name;
    int dtype; /* enum sonoc_dtype; or 21, 22: 4-bit integers, one a byte */
    int rank;
    const int64_t *dims;
    size_t count; /* of elements */
    size_t bytes;
};

/* The library's version, "0.1.0". */
SONOC_PUBLIC const char *sonoc_version(void);
/* The names of the backends; NULL behind the last.  The first one that is there is the standard. */
SONOC_PUBLIC const char *sonoc_backend(int i);
/* "f32"; NULL: there is no such element type. */
SONOC_PUBLIC const char *sonoc_dtype_name(int dtype);
/* Of an element; 0: there is no such element type. */
SONOC_PUBLIC size_t sonoc_dtype_bytes(int dtype);

/* Opens the model in a file: ONNX, or sonoc's text forms (.sonoc, .loops).  `options` may be NULL; what it points to is
 * not needed afterwards.  NULL: told in *error. */
SONOC_PUBLIC struct sonoc_model *sonoc_open(const char *path, const struct sonoc_options *options,
                                            struct sonoc_error *error);
/* The same for a file in memory, which stays as it is until the model is closed.  `path` tells messages its name, and
 * where files of external data are. */
SONOC_PUBLIC struct sonoc_model *sonoc_open_memory(const void *bytes, size_t size, const char *path,
                                                   const struct sonoc_options *options,
                                                   struct sonoc_error *error);
/* Contexts keep the model until they are closed, too. */
SONOC_PUBLIC void sonoc_close(struct sonoc_model *model);

/* What a model takes and gives; lives as long as the model. */
SONOC_PUBLIC int sonoc_input_count(const struct sonoc_model *model);
SONOC_PUBLIC int sonoc_output_count(const struct sonoc_model *model);
SONOC_PUBLIC const struct sonoc_port *sonoc_input(const struct sonoc_model *model, int i); /* NULL: none */
SONOC_PUBLIC const struct sonoc_port *sonoc_output(const struct sonoc_model *model, int i);
SONOC_PUBLIC int sonoc_find_input(const struct sonoc_model *model, const char *name); /* -1: none */
SONOC_PUBLIC int sonoc_find_output(const struct sonoc_model *model, const char *name);
/* Of working memory in each context. */
SONOC_PUBLIC size_t sonoc_arena_bytes(const struct sonoc_model *model);

/* Working memory to run a model with: one run at a time.  NULL: told in *error. */
SONOC_PUBLIC struct sonoc_context *sonoc_context_open(struct sonoc_model *model,
                                                      struct sonoc_error *error);
SONOC_PUBLIC void sonoc_context_close(struct sonoc_context *context);

/* A buffer of the context's own for an input or an output, made at the first call, zero at first, aligned to 64 bytes.
 * NULL: there is no such port, or no memory. */
SONOC_PUBLIC void *sonoc_input_buffer(struct sonoc_context *context, int i);
SONOC_PUBLIC void *sonoc_output_buffer(struct sonoc_context *context, int i);

/* Runs the model once.  Inputs and outputs are in the order of the ports, row-major; where one is NULL, or the whole
 * list is, the context's own buffer serves.  Outputs overlap nothing. */
SONOC_PUBLIC enum sonoc_status sonoc_run(struct sonoc_context *context, const void *const *inputs,
                                         void *const *outputs, struct sonoc_error *error);

#ifdef __cplusplus
}
#endif

#endif
