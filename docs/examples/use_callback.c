/* A model with --threads=callback --arena=caller, run by a parallel-for of one's own: here, each
 * part in a thread that OpenMP has. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

static void with_openmp(void *context, void (*part)(void *job, int k), void *job, int parts) {
    (void)context;
#if defined(_OPENMP)
#pragma omp parallel for schedule(static, 1)
#endif
    for (int k = 0; k < parts; k++) part(job, k);
}

int main(void) {
    enum { THREADS = 3 };
    static float x[128 * 256], y[128 * 128];
    struct model m;
    void *arena = aligned_alloc(64, MODEL_ARENA_SIZE(THREADS) + 64 - MODEL_ARENA_SIZE(THREADS) % 64);
    for (int i = 0; i < 128 * 256; i++) x[i] = (float)i / 32768;
    if (!arena || model_init(&m, arena, THREADS, with_openmp, NULL) != MODEL_OK) return 1;
    if (model_run(&m, x, y) != MODEL_OK) return 1;
    printf("%g %g\n", y[0], y[128 * 128 - 1]);
    free(arena);
    return 0;
}
