/* kept.h - models that are ready to run: from the cache where they are there, else compiled, and put there. */
#ifndef SONOC_KEPT_H
#define SONOC_KEPT_H

#include "cache.h"
#include "driver.h"
#include "model.h"

/* How a model is made. */
typedef struct Recipe {
    Driver *driver;
    const PassOptions *passes;
    const char *backend, *compiler;
    const char *const *plugins;      /* shared objects that the compilation loads */
    int n_plugins;
    const char *cache;               /* a folder; NULL: nothing is kept */
    int64_t cache_bytes;             /* what the folder may grow to */
    bool whole;                      /* graph and program are there as long as the unit; the cache is not asked */
    const Program *(*compile)(void *context);    /* its memory ends when the model is made; NULL: reported */
    void *context;
} Recipe;

/* Makes m, whose unit is the driver's.  false: reported. */
bool model_make(struct sonoc_model *m, Recipe *r);

#endif
