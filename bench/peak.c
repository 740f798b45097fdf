/* peak.c - what one core can do: fused multiply-adds on registers alone, and reads of memory.
 *
 * Prints two numbers: 10^9 float32 operations a second (a multiply-add counts as two), best of several rounds, and
 * 10^9 bytes a second read from a buffer far larger than the caches.  Kernels are judged against them. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifndef LANES
#define LANES 8
#endif
enum { CHAINS = 12, STEPS = 4096, ROUNDS = 60, BUFFER = 256 << 20 };
typedef float vector __attribute__((vector_size(4 * LANES)));

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline vector multiply_add(vector a, vector b, vector c) {
    vector r;
    for (int i = 0; i < LANES; i++) r[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return r;
}

/* Independent chains, enough to hide the latency of a multiply-add. */
__attribute__((noinline)) static void chains(vector *sum, vector a, vector b) {
    vector s[CHAINS];
#pragma GCC unroll 16
    for (int c = 0; c < CHAINS; c++) s[c] = sum[c];
    for (int k = 0; k < STEPS; k++) {
#pragma GCC unroll 16
        for (int c = 0; c < CHAINS; c++) s[c] = multiply_add(a, s[c], b);
    }
#pragma GCC unroll 16
    for (int c = 0; c < CHAINS; c++) sum[c] = s[c];
}

static double operations(void) {
    vector sum[CHAINS] = {{0}}, a = {0}, b = {0};
    double best = 0;
    for (int i = 0; i < LANES; i++) a[i] = 0.5f + 0.01f * (float)i;
    for (int i = 0; i < LANES; i++) b[i] = 1e-3f;
    for (int round = 0; round < ROUNDS; round++) {
        double begin = seconds();
        for (int i = 0; i < 50; i++) chains(sum, a, b);
        double rate = 2.0 * 50 * STEPS * CHAINS * LANES / (seconds() - begin) * 1e-9;
        if (rate > best) best = rate;
    }
    return sum[0][0] > 1e30f ? 0 : best;
}

static double bandwidth(void) {
    uint64_t *buffer = malloc(BUFFER), sum = 0;
    double best = 0;
    if (!buffer) return 0;
    for (size_t i = 0; i < BUFFER / 8; i++) buffer[i] = i;
    for (int round = 0; round < 5; round++) {
        double begin = seconds();
        for (size_t i = 0; i < BUFFER / 8; i++) sum += buffer[i];
        double rate = BUFFER / (seconds() - begin) * 1e-9;
        if (rate > best) best = rate;
    }
    free(buffer);
    return sum == 42 ? 0 : best;
}

int main(void) {
    printf("%.2f %.2f\n", operations(), bandwidth());
    return 0;
}
