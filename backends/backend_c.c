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

typedef int InitFn(void *m, void *arena, const void *weights, size_t weights_bytes);
typedef int RunFn(void *m, const void *const *inputs, void *const *outputs);

/* A function out of a library; ISO C has no conversion from void * to one. */
static bool find_function(void *library, const char *name, void *function, RunError *error) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    if (!symbol) snprintf(error->message, sizeof error->message, "the library lacks %s", name);
    return symbol;
}

/* A program that is built and loaded. */
typedef struct Loaded {
    void *library;
    InitFn *init;
    RunFn *run;
    const char *weights;
    size_t weights_bytes;
} Loaded;

static bool library_open(const Folder *f, Loaded *l, RunError *error) {
    l->library = dlopen(f->library, RTLD_NOW | RTLD_LOCAL);
    if (l->library)
        return find_function(l->library, "model_init", &l->init, error) &&
               find_function(l->library, "model_run_ports", &l->run, error);
    snprintf(error->message, sizeof error->message, "cannot load the library: %s", dlerror());
    return false;
}

void *backend_c_open(const Program *p, const char *options, RunError *error) {
    const EmitOptions emit = {.prefix = "model",
                              .header_name = "model.h",
                              .weights_name = "model.weights",
                              .weights = WEIGHTS_FILE,
                              .caller_arena = true};
    EmitResult result;
    Folder f;
    Loaded *l = NEW(p->unit->arena, Loaded);
    emit_c(p, &emit, &result);
    *l = (Loaded){.weights = result.weights.at, .weights_bytes = result.weights.n};
    if (!folder_make(&f, error)) return NULL;
    bool ok = write_text(f.source, &result.source, error) &&
              write_text(f.header, &result.header, error) && compile(&f, options, error) &&
              library_open(&f, l, error);
    folder_remove(&f);
    if (!ok) backend_c_close(l);
    return ok ? l : NULL;
}

void backend_c_close(void *opened) {
    Loaded *l = opened;
    if (l->library) dlclose(l->library);
    l->library = NULL;
}

bool backend_c_run(const void *opened, void *arena, const void *const *inputs, void *const *outputs,
                   RunError *error) {
    const Loaded *l = opened;
    struct {
        unsigned char *arena;
        const unsigned char *weights;
    } m;
    int status = l->init(&m, arena, l->weights, l->weights_bytes);
    if (!status) status = l->run(&m, inputs, outputs);
    if (status)
        snprintf(error->message, sizeof error->message, "the program answers %d", status);
    return !status;
}
