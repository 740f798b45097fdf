/* meta.h - what an entry of the cache tells of a model beside its code and weights. */
#ifndef SONOC_META_H
#define SONOC_META_H

#include "cache.h"
#include "model.h"

/* A file that the model's constants came from, as the model names it. */
typedef struct MetaFile {
    const char *location;
    CacheKey key;            /* of its contents */
} MetaFile;

typedef VEC(MetaFile) MetaFiles;

void meta_write(const struct sonoc_model *m, const MetaFiles *files, Text *to);
/* Fills ports and arena of m, and *files, in m's unit.  false: it makes no sense. */
bool meta_read(const void *bytes, size_t n, struct sonoc_model *m, MetaFiles *files);

#endif
