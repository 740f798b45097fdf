/* json.c - JSON, written as it comes, a member a line. */
#include "json.h"

#include <inttypes.h>
#include <math.h>

static void string(Json *j, const char *text) {
    fputc('"', j->out);
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\') fputc('\\', j->out);
        if (*c < 0x20)
            fprintf(j->out, "\\u%04x", *c);
        else
            fputc(*c, j->out);
    }
    fputc('"', j->out);
}

static void member(Json *j, const char *key) {
    if (j->needs_comma) fputc(',', j->out);
    if (j->depth) fprintf(j->out, "\n%*s", 2 * j->depth, "");
    if (key) {
        string(j, key);
        fputs(": ", j->out);
    }
    j->needs_comma = true;
}

void json_begin(Json *j, const char *key, char bracket) {
    member(j, key);
    fputc(bracket, j->out);
    j->depth++;
    j->needs_comma = false;
}

void json_end(Json *j, char bracket) {
    j->depth--;
    if (j->needs_comma) fprintf(j->out, "\n%*s", 2 * j->depth, "");
    fputc(bracket, j->out);
    if (!j->depth) fputc('\n', j->out);
    j->needs_comma = true;
}

void json_text(Json *j, const char *key, const char *value) {
    member(j, key);
    if (value)
        string(j, value);
    else
        fputs("null", j->out);
}

void json_int(Json *j, const char *key, int64_t value) {
    member(j, key);
    fprintf(j->out, "%" PRId64, value);
}

void json_real(Json *j, const char *key, double value) {
    member(j, key);
    fprintf(j->out, isfinite(value) ? "%.17g" : "null", value);
}

void json_bool(Json *j, const char *key, bool value) {
    member(j, key);
    fputs(value ? "true" : "false", j->out);
}
