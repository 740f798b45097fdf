/* main.c - runs a compiled model on inputs that follow from a seed and prints a hash of its
 * outputs.
 *
 *     main THREADS CONTEXTS RUNS
 *
 * Contexts run side by side, each in a thread of its own with its own memory; all must give the
 * same bits in every run.  -DFORM=0, 1, 2, 3: the model was made with --threads=none, pthreads,
 * openmp, callback; always with --arena=caller and --prefix=model. */
#include "model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if FORM == 0
#define MODEL_ARENA_SIZE(threads) MODEL_ARENA_BYTES
#endif

typedef struct Context {
    int threads, runs;
    uint64_t hash;
    const char *wrong;
} Context;

static size_t element_bytes(const char *dtype) {
    if (!strcmp(dtype, "bool")) return 1;
    int bits = atoi(dtype + (dtype[0] == 'b' ? 2 : 1));
    return bits < 8 ? 1 : (size_t)bits / 8;
}

static size_t port_count(const struct model_port *p) {
    size_t n = 1;
    for (int d = 0; d < p->rank; d++) n *= (size_t)p->dims[d];
    return n;
}

static size_t port_bytes(const struct model_port *p) {
    return port_count(p) * element_bytes(p->dtype);
}

/* Floats between -1 and 1; integers 0 and 1. */
static void fill(void *to, const struct model_port *p, uint64_t state) {
    for (size_t i = 0; i < port_count(p); i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        if (!strcmp(p->dtype, "f32"))
            ((float *)to)[i] = (float)(int32_t)(state >> 32) / 2147483648.f;
        else
            ((unsigned char *)to)[i * element_bytes(p->dtype)] = state >> 63;
    }
}

static uint64_t hash_bytes(uint64_t h, const void *at, size_t n) {
    for (size_t i = 0; i < n; i++) h = (h ^ ((const unsigned char *)at)[i]) * 0x100000001b3u;
    return h;
}

#if FORM == 3
typedef struct Part {
    pthread_t thread;
    void (*run)(void *job, int k);
    void *job;
    int k;
} Part;

static void *run_part(void *part) {
    Part *p = part;
    p->run(p->job, p->k);
    return NULL;
}

/* The last part first, each in a thread of its own. */
static void side_by_side(void *context, void (*part)(void *job, int k), void *job, int parts) {
    Part list[64];
    ++*(int *)context;
    for (int k = parts - 1; k >= 0; k--) {
        list[k] = (Part){.run = part, .job = job, .k = k};
        if (pthread_create(&list[k].thread, NULL, run_part, &list[k])) abort();
    }
    for (int k = 0; k < parts; k++) pthread_join(list[k].thread, NULL);
}
#endif

static int start(struct model *m, void *arena, int threads, int *calls) {
    (void)threads;
    (void)calls;
#if FORM == 0
    return model_init(m, arena);
#elif FORM == 3
    return model_init(m, arena, threads, side_by_side, calls);
#else
    return model_init(m, arena, threads);
#endif
}

static void run_all(Context *c, struct model *m) {
    void *inputs[MODEL_INPUTS + 1], *outputs[MODEL_OUTPUTS + 1];
    for (int i = 0; i < MODEL_INPUTS; i++) {
        inputs[i] = calloc(port_bytes(&model_input_ports[i]) + 1, 1);
        fill(inputs[i], &model_input_ports[i], (uint64_t)i + 1);
    }
    for (int i = 0; i < MODEL_OUTPUTS; i++)
        outputs[i] = malloc(port_bytes(&model_output_ports[i]) + 1);
    for (int r = 0; r < c->runs; r++) {
        uint64_t hash = 0xcbf29ce484222325u;
        for (int i = 0; i < MODEL_OUTPUTS; i++)
            memset(outputs[i], 0xff, port_bytes(&model_output_ports[i]));
        if (model_run_ports(m, (const void *const *)inputs, outputs)) c->wrong = "run";
        for (int i = 0; i < MODEL_OUTPUTS; i++)
            hash = hash_bytes(hash, outputs[i], port_bytes(&model_output_ports[i]));
        if (r && hash != c->hash) c->wrong = "the bits of two runs differ";
        c->hash = hash;
    }
    for (int i = 0; i < MODEL_INPUTS; i++) free(inputs[i]);
    for (int i = 0; i < MODEL_OUTPUTS; i++) free(outputs[i]);
}

static void *run_context(void *context) {
    Context *c = context;
    struct model m;
    int calls = 0;
    size_t bytes = MODEL_ARENA_SIZE(c->threads);
    unsigned char *arena = aligned_alloc(64, bytes + 64);
    memset(arena, 0xff, bytes + 64);
    if (start(&m, arena, c->threads, &calls)) {
        c->wrong = "init";
        return NULL;
    }
    run_all(c, &m);
#if FORM == 1
    model_stop(&m);
#endif
    for (size_t i = bytes; i < bytes + 64; i++)
        if (arena[i] != 0xff) c->wrong = "a write behind the arena";
    free(arena);
    return NULL;
}

int main(int argc, char **argv) {
    Context contexts[8];
    pthread_t threads[8];
    int n = argc > 3 ? atoi(argv[2]) : 0;
    if (n < 1 || n > 8) return 2;
    for (int i = 0; i < n; i++) {
        contexts[i] = (Context){.threads = atoi(argv[1]), .runs = atoi(argv[3])};
        if (pthread_create(&threads[i], NULL, run_context, &contexts[i])) return 2;
    }
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < n; i++) {
        if (!contexts[i].wrong && contexts[i].hash != contexts[0].hash)
            contexts[i].wrong = "the bits of two contexts differ";
        if (contexts[i].wrong) {
            fprintf(stderr, "context %d: %s\n", i, contexts[i].wrong);
            return 1;
        }
    }
    printf("%016llx\n", (unsigned long long)contexts[0].hash);
    return 0;
}
