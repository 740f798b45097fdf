/* jit.c - machine code in memory: what is compiled can be loaded anywhere, run by many threads at
 * once, and leaves nothing behind when it is closed.
 *
 * Without LLVM in the build there is nothing to test, which is said. */
#include <stdio.h>

#ifndef SONOC_LLVM

int main(void) {
    printf("skipped: unit.jit: sonoc was built without LLVM\n");
    return 0;
}

#else

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jit.h"
#include "weights.h"

enum { COUNT = 64, THREADS = 8, RUNS = 500, ROUNDS = 200, WARM_UP = 40, SLACK_KB = 1024 };

/* Two kernels, the second reading what the first left in the arena. */
static const char source[] = "program twice target \"x86-64-v3\" arena 256\n"
                             "buffer x : f32[64] input\n"
                             "buffer scale : f32[4] const {0.5, 2.0, -1.0, 3.0}\n"
                             "buffer t : f32[64] arena @0 live 0..1\n"
                             "buffer y : f32[64] output\n"
                             "input x : f32[64] in x\n"
                             "output y : f32[64] in y\n"
                             "\n"
                             "kernel first \"\" macs 0 bytes 0 {\n"
                             "    for i in 8 {\n"
                             "        for lanes l in 8 {\n"
                             "            t[i*8 + l] = x[i*8 + l]*scale[i%4]\n"
                             "        }\n"
                             "    }\n"
                             "}\n"
                             "kernel second \"\" macs 0 bytes 0 {\n"
                             "    for i in 64 {\n"
                             "        y[i] = t[63 - i] + scale[i%4]\n"
                             "    }\n"
                             "}\n";

static const float scale[4] = {0.5f, 2, -1, 3};

static _Noreturn void fail(const char *what, const char *why) {
    printf("FAILED: %s: %s\n", what, why);
    exit(1);
}

/* Compiled once: what the tests load. */
typedef struct Compiled {
    Unit unit;
    Text code;
    char *weights;
} Compiled;

static void compile(Compiled *c) {
    RunError error;
    JitOptions options = {.threads = 2};
    if (!unit_begin(&c->unit, "jit", 0) || setjmp(c->unit.escape.jump))
        fail("compiling", c->unit.escape.message);
    Program *p = program_parse(&c->unit, source);
    if (!p) fail("the program", "is refused");
    program_plan(p);
    c->code = (Text){.arena = c->unit.arena};
    if (!jit_compile(p, &options, &c->code, &error)) fail("jit_compile", error.message);
    WeightsImage image = weights_place(p);
    c->weights = arena_alloc(c->unit.arena, (size_t)image.bytes);
    weights_fill(p, &image, c->weights);
}

static JitModule *load(const Compiled *c, const JitOptions *options) {
    RunError error;
    JitModule *m = jit_load(c->code.at, c->code.n, options, &error);
    if (!m) fail("jit_load", error.message);
    return m;
}

/* One run with inputs of its own; false: wrong results. */
static bool run_once(const JitModule *m, const char *weights, int seed) {
    _Alignas(64) float arena[COUNT];
    float x[COUNT], y[COUNT];
    const void *inputs[1] = {x};
    void *outputs[1] = {y};
    for (int i = 0; i < COUNT; i++) x[i] = (float)(i * 7 % 31 + seed);
    jit_run(m, weights, arena, NULL, inputs, outputs, NULL);
    for (int i = 0; i < COUNT; i++)
        if (y[i] != x[63 - i] * scale[(63 - i) / 8 % 4] + scale[i % 4]) return false;
    return true;
}

/* Threads. */

typedef struct Worker {
    const JitModule *module;
    const char *weights;
    int number;
    bool ok;
} Worker;

static void *work(void *context) {
    Worker *w = context;
    w->ok = true;
    for (int i = 0; i < RUNS; i++) w->ok &= run_once(w->module, w->weights, w->number * RUNS + i);
    return NULL;
}

static void test_threads(const Compiled *c) {
    const JitOptions options = {0};
    JitModule *m = load(c, &options);
    pthread_t threads[THREADS];
    Worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (Worker){m, c->weights, i, false};
        if (pthread_create(&threads[i], NULL, work, &workers[i])) fail("threads", "cannot be had");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        if (!workers[i].ok) fail("threads", "wrong results");
    }
    jit_unload(m);
}

/* Memory. */

static long resident_kb(void) {
    long pages = 0, all = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &all, &pages) != 2)
        fail("memory", "/proc/self/statm cannot be read");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* The whole way, from the text on. */
static void round_trip(void) {
    const JitOptions options = {0};
    Compiled *c = calloc(1, sizeof *c);
    compile(c);
    JitModule *m = load(c, &options);
    if (!run_once(m, c->weights, 1)) fail("a round", "wrong results");
    jit_unload(m);
    unit_end(&c->unit);
    free(c);
}

static void test_leaks(void) {
    long before = 0;
    for (int i = 0; i < WARM_UP + ROUNDS; i++) {
        if (i == WARM_UP) before = resident_kb();
        round_trip();
    }
    long grown = resident_kb() - before;
    printf("%d rounds of compile, load, run, unload: %ld KB more\n", ROUNDS, grown);
    if (grown > SLACK_KB) fail("memory", "grows with every round");
}

/* Code pages are not writable and executable at once. */
static void test_pages(const Compiled *c) {
    const JitOptions options = {0};
    JitModule *m = load(c, &options);
    char line[512];
    FILE *file = fopen("/proc/self/maps", "r");
    if (!file) fail("pages", "/proc/self/maps cannot be read");
    while (fgets(line, sizeof line, file))
        if (strstr(line, " rwx")) fail("pages", line);
    fclose(file);
    jit_unload(m);
}

static void test_damaged(const Compiled *c) {
    const JitOptions options = {0};
    RunError error;
    for (size_t n = 0; n < 16; n++)
        if (jit_load(c->code.at, n, &options, &error)) fail("damaged code", "is loaded");
    if (jit_load(c->code.at, c->code.n / 2, &options, &error)) fail("half the code", "is loaded");
}

/* perf's map names the kernels. */
static void test_perf_map(const Compiled *c) {
    const JitOptions options = {.perf_map = true, .debugger = true};
    char path[64], text[4096];
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    JitModule *m = load(c, &options);
    if (!run_once(m, c->weights, 3)) fail("under a debugger", "wrong results");
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    text[n] = 0;
    if (file) fclose(file);
    unlink(path);
    if (!strstr(text, " m.first\n") || !strstr(text, " m.second\n")) fail("perf's map", text);
    jit_unload(m);
}

static void test_options(void) {
    JitOptions o;
    if (!jit_options_from("perf,threads=3", &o) || !o.perf_map || o.debugger || o.threads != 3)
        fail("options", "perf,threads=3");
    if (!jit_options_from(NULL, &o) || o.perf_map || o.threads) fail("options", "none");
    if (jit_options_from("fast", &o) || jit_options_from("threads=", &o) ||
        jit_options_from("threads=1x", &o))
        fail("options", "nonsense is taken");
}

int main(void) {
    static Compiled compiled;
    compile(&compiled);
    test_options();
    test_threads(&compiled);
    test_pages(&compiled);
    test_damaged(&compiled);
    test_perf_map(&compiled);
    test_leaks();
    unit_end(&compiled.unit);
    return 0;
}

#endif
