/* json.h - JSON, written as it comes. */
#ifndef SONOC_JSON_H
#define SONOC_JSON_H

#include "base.h"

typedef struct Json {
    FILE *out;
    int depth;
    bool needs_comma;
} Json;

/* `key` is NULL inside an array and at the top. */
void json_begin(Json *j, const char *key, char bracket);       /* '{' or '[' */
void json_end(Json *j, char bracket);                          /* '}' or ']' */
void json_text(Json *j, const char *key, const char *value);   /* NULL: null */
void json_int(Json *j, const char *key, int64_t value);
void json_real(Json *j, const char *key, double value);        /* infinities and NaN: null */
void json_bool(Json *j, const char *key, bool value);

#endif
