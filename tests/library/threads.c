/* threads.c - eight threads run one model, each in a context of its own, while others open models:
 * all get the bits that one thread alone gets.  So do contexts whose runs are shared by threads of
 * theirs.  Under the thread sanitizer it also shows that no memory is shared unguarded. */
#include "check.h"

#include <pthread.h>

#ifdef __SANITIZE_THREAD__
/* LLVM comes without the sanitizer's marks: what it guards looks unguarded. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void) { return "race:libLLVM\n"; }
#endif

enum { THREADS = 8, RUNS = 20 };

typedef struct Worker {
    pthread_t thread;
    struct sonoc_model *model;
    const float *inputs[3], *want; /* outputs y and z, one behind the other */
    bool opens;                    /* a model of its own in every round */
} Worker;

static void run_once(struct sonoc_model *m, const Worker *w) {
    struct sonoc_error error;
    float got[128];
    const void *inputs[] = {w->inputs[0], w->inputs[1], w->inputs[2]};
    void *outputs[] = {got, got + 64};
    struct sonoc_context *c = sonoc_context_open(m, &error);
    CHECK_OK(c, error);
    for (int i = 0; i < 5; i++) {
        memset(got, 0, sizeof got);
        CHECK_OK(!sonoc_run(c, inputs, outputs, &error), error);
        CHECK(!memcmp(got, w->want, sizeof got));
    }
    sonoc_context_close(c);
}

static void *work(void *context) {
    const Worker *w = context;
    for (int i = 0; i < RUNS; i++) {
        struct sonoc_model *own = w->opens ? open_text(product_text, NULL, NULL) : NULL;
        run_once(own ? own : w->model, w);
        sonoc_close(own);
    }
    return NULL;
}

static void run_threads(const char *backend) {
    static float x[32], w[128], b[16], want[128];
    struct sonoc_options options = SONOC_OPTIONS;
    struct sonoc_error error;
    Worker workers[THREADS];
    options.backend = backend;
    struct sonoc_model *m = open_text(product_text, &options, &error);
    CHECK_OK(m, error);
    fill(x, 32, 1);
    fill(w, 128, 2);
    fill(b, 16, 3);
    struct sonoc_context *c = sonoc_context_open(m, &error);
    CHECK_OK(!sonoc_run(c, (const void *[]){x, w, b}, (void *[]){want, want + 64}, &error), error);
    sonoc_context_close(c);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (Worker){.model = m, .inputs = {x, w, b}, .want = want, .opens = i % 4 == 3};
        CHECK(!pthread_create(&workers[i].thread, NULL, work, &workers[i]));
    }
    for (int i = 0; i < THREADS; i++) CHECK(!pthread_join(workers[i].thread, NULL));
    sonoc_close(m);
}

/* Long enough to be shared. */
static const char conv_text[] = "graph conv(%x: f32[1,16,64,64], %w: f32[40,16,3,3]) -> (%y) {\n"
                                "    %y = Conv(%x, %w) {pads = [1, 1, 1, 1]}\n"
                                "}\n";

enum { CONV_OUT = 40 * 64 * 64, CREWS = 3 };

typedef struct Crewed {
    pthread_t thread;
    struct sonoc_model *model;
    const float *want;
} Crewed;

static void run_conv(struct sonoc_model *m, float *y) {
    struct sonoc_error error;
    struct sonoc_context *c = sonoc_context_open(m, &error);
    CHECK_OK(c, error);
    for (int i = 0; i < 2; i++)
        fill(sonoc_input_buffer(c, i), sonoc_input(m, i)->count, (unsigned)i + 1);
    for (int i = 0; i < 5; i++) CHECK_OK(!sonoc_run(c, NULL, (void *[]){y}, &error), error);
    sonoc_context_close(c);
}

static void *run_crew(void *context) {
    const Crewed *job = context;
    float *got = malloc(CONV_OUT * sizeof *got);
    CHECK(got);
    run_conv(job->model, got);
    CHECK(!memcmp(got, job->want, CONV_OUT * sizeof *got));
    free(got);
    return NULL;
}

static struct sonoc_model *open_conv(const char *backend, int threads) {
    struct sonoc_options options = SONOC_OPTIONS;
    struct sonoc_error error;
    options.backend = backend;
    options.threads = threads;
    struct sonoc_model *m = open_text(conv_text, &options, &error);
    CHECK_OK(m, error);
    return m;
}

static void run_crews(const char *backend) {
    static float want[CONV_OUT];
    Crewed jobs[CREWS];
    struct sonoc_model *one = open_conv(backend, 1), *many = open_conv(backend, 3);
    run_conv(one, want);
    for (int i = 0; i < CREWS; i++) {
        jobs[i] = (Crewed){.model = many, .want = want};
        CHECK(!pthread_create(&jobs[i].thread, NULL, run_crew, &jobs[i]));
    }
    for (int i = 0; i < CREWS; i++) CHECK(!pthread_join(jobs[i].thread, NULL));
    sonoc_close(one);
    sonoc_close(many);
}

int main(void) {
    for (int i = 0; sonoc_backend(i); i++) {
        run_threads(sonoc_backend(i));
        run_crews(sonoc_backend(i));
    }
    return 0;
}
