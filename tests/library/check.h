/* check.h - what the tests of the library share: a check that tells where it failed, and models as text. */
#ifndef SONOC_CHECK_H
#define SONOC_CHECK_H

#include "sonoc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(truth) ((truth) ? (void)0 : check_failed(__FILE__, __LINE__, #truth, NULL))
#define CHECK_OK(truth, error) ((truth) ? (void)0 : check_failed(__FILE__, __LINE__, #truth, (error).text))

static inline void check_failed(const char *file, int line, const char *truth, const char *text) {
    fprintf(stderr, "%s:%d: %s is not so%s%s\n", file, line, truth, text ? ": " : "", text ? text : "");
    exit(1);
}

/* y = relu(x w + b), z = tanh(y). */
static const char product_text[] =
    "graph product(%x: f32[4,8], %w: f32[8,16], %b: f32[16]) -> (%y, %z) {\n"
    "    %p = MatMul(%x, %w)\n"
    "    %s = Add(%p, %b)\n"
    "    %y = Relu(%s)\n"
    "    %z = Tanh(%y)\n"
    "}\n";

static inline struct sonoc_model *open_text(const char *text, const struct sonoc_options *options,
                                            struct sonoc_error *error) {
    return sonoc_open_memory(text, strlen(text), "text.sonoc", options, error);
}

/* Numbers that differ from each other, exact in float32. */
static inline void fill(float *at, size_t n, unsigned seed) {
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        at[i] = (float)(int)(seed >> 20) / 1024 - 2;
    }
}

#endif
