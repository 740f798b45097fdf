/* backends.c - the table of backends. */
#include "backends.h"

#include <string.h>

const Backend backends[] = {
#define BACKEND(name, summary, run) {name, summary, run},
#include "backends.def"
#undef BACKEND
    {0},
};

const Backend *backend_find(const char *name) {
    for (const Backend *b = backends; b->name; b++)
        if (!strcmp(b->name, name)) return b;
    return NULL;
}
