/* backend_c.c - runs a program by way of its C: written to a folder of its own, built with the C
 * compiler, loaded.
 *
 * The weights are handed over in memory, so the compiler never sees them. */
#include "backends.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emit_c.h"

typedef struct Folder {
    char path[512], source[600], header[600], library[600], log[600];
} Folder;

static bool failed(RunError *error, const char *what, const char *path) {
    snprintf(error->message, sizeof error->message, "%s %s: %s", what, path, strerror(errno));
    return false;
}

static bool folder_make(Folder *f, RunError *error) {
    const char *base = getenv("TMPDIR");
    int n = snprintf(f->path, sizeof f->path, "%s/sonoc-XXXXXX", base && *base ? base : "/tmp");
    if (n >= (int)sizeof f->path) {
        snprintf(error->message, sizeof error->message, "TMPDIR is too long");
        return false;
    }
    if (!mkdtemp(f->path)) return failed(error, "cannot make folder", f->path);
    snprintf(f->source, sizeof f->source, "%s/model.c", f->path);
    snprintf(f->header, sizeof f->header, "%s/model.h", f->path);
    snprintf(f->library, sizeof f->library, "%s/model.so", f->path);
    snprintf(f->log, sizeof f->log, "%s/log", f->path);
    return true;
}

static void folder_remove(const Folder *f) {
    unlink(f->source);
    unlink(f->header);
    unlink(f->library);
    unlink(f->log);
    rmdir(f->path);
}

static bool write_text(const char *path, const Text *text, RunError *error) {
    FILE *file = fopen(path, "wb");
    if (!file) return failed(error, "cannot write", path);
    bool ok = fwrite(text->at, 1, text->n, file) == text->n;
    ok = !fclose(file) && ok;
    return ok || failed(error, "cannot write", path);
}

/* The first lines of what the compiler said. */
static void read_log(const char *path, char *text, size_t size) {
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(text, 1, size - 1, file) : 0;
    text[n] = 0;
    if (file) fclose(file);
}

static bool compile(const Folder *f, const char *options, RunError *error) {
    const char *cc = getenv("CC");
    char command[4096], log[480];
    char usual[512];
    snprintf(usual, sizeof usual, "%s -O3", cc && *cc ? cc : "cc");
    int n = snprintf(command, sizeof command, "%s -shared -fPIC -o '%s' '%s' >'%s' 2>&1",
                     options && *options ? options : usual, f->library, f->source, f->log);
    if (n >= (int)sizeof command || strchr(f->path, '\'')) {
        snprintf(error->message, sizeof error->message,
                 "the command of the C compiler is too long");
        return false;
    }
    int status = system(command);
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    read_log(f->log, log, sizeof log);
    snprintf(error->message, sizeof error->message, "the C compiler failed (%.200s):\n%s",
             options && *options ? options : usual, log);
    return false;
}

/* What the generated header declares, with EmitOptions.profile. */
struct model {
    unsigned char *arena;
    const unsigned char *weights;
    void (*before_kernel)(void *context, int kernel);
    void *context;
};
typedef int InitFn(struct model *m, void *arena, const void *weights, size_t weights_bytes);
typedef int RunFn(struct model *m, const void *const *inputs, void *const *outputs);

/* A program that is built and loaded. */
typedef struct Loaded {
    void *library;
    RunFn *run;
    struct model model;
    void *arena;
} Loaded;

/* A function out of a library; ISO C has no conversion from void * to one. */
static bool find_function(void *library, const char *name, void *function, RunError *error) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    if (!symbol) snprintf(error->message, sizeof error->message, "the library lacks %s", name);
    return symbol;
}

static bool init(Loaded *l, const Program *p, const Text *weights, RunError *error) {
    InitFn *init_function;
    if (!find_function(l->library, "model_init", &init_function, error) ||
        !find_function(l->library, "model_run_ports", &l->run, error))
        return false;
    size_t bytes = ((size_t)p->arena_bytes + 63) / 64 * 64;
    l->arena = aligned_alloc(64, bytes ? bytes : 64);
    int status = l->arena ? init_function(&l->model, l->arena, weights->at, weights->n) : -1;
    if (!status) return true;
    snprintf(error->message, sizeof error->message,
             l->arena ? "the program answers %d" : "out of memory", status);
    return false;
}

static Loaded *load(const Folder *f, const Program *p, const Text *weights, RunError *error) {
    Loaded *l = NEW(p->unit->arena, Loaded);
    l->library = dlopen(f->library, RTLD_NOW | RTLD_LOCAL);
    if (!l->library) {
        snprintf(error->message, sizeof error->message, "cannot load the library: %s", dlerror());
        return NULL;
    }
    if (init(l, p, weights, error)) return l;
    backend_c_close(l);
    return NULL;
}

void *backend_c_open(const Program *p, const char *options, RunError *error) {
    const EmitOptions emit = {.prefix = "model",
                              .header_name = "model.h",
                              .weights_name = "model.weights",
                              .weights = WEIGHTS_FILE,
                              .caller_arena = true,
                              .profile = true};
    EmitResult result;
    Folder f;
    emit_c(p, &emit, &result);
    if (!folder_make(&f, error)) return NULL;
    bool ok = write_text(f.source, &result.source, error) &&
              write_text(f.header, &result.header, error) && compile(&f, options, error);
    Loaded *l = ok ? load(&f, p, &result.weights, error) : NULL;
    folder_remove(&f);
    return l;
}

bool backend_c_run(void *opened, const void *const *inputs, void *const *outputs,
                   const KernelHook *hook, RunError *error) {
    Loaded *l = opened;
    l->model.before_kernel = hook ? hook->before : NULL;
    l->model.context = hook ? hook->context : NULL;
    int status = l->run(&l->model, inputs, outputs);
    if (status) snprintf(error->message, sizeof error->message, "the program answers %d", status);
    return !status;
}

void backend_c_close(void *opened) {
    Loaded *l = opened;
    free(l->arena);
    dlclose(l->library);
}
