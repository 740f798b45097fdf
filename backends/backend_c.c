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
#include "weights.h"

typedef struct Folder {
    char path[512], source[600], header[600], library[600], log[600];
} Folder;

static bool failed(RunError *error, const char *what, const char *path) {
    snprintf(error->message, sizeof error->message, "%s %s: %s", what, path, strerror(errno));
    return false;
}

static bool folder_make(Folder *f, RunError *error) {
    int n = snprintf(f->path, sizeof f->path, "%s/sonoc-XXXXXX", temporary_folder());
    if (n >= (int)sizeof f->path) {
        snprintf(error->message, sizeof error->message, "TMPDIR is too long");
        return false;
    }
    if (!mkdtemp(f->path)) {
        failed(error, "cannot make folder", f->path);
        f->path[0] = 0;
        return false;
    }
    snprintf(f->source, sizeof f->source, "%s/model.c", f->path);
    snprintf(f->header, sizeof f->header, "%s/model.h", f->path);
    snprintf(f->library, sizeof f->library, "%s/model.so", f->path);
    snprintf(f->log, sizeof f->log, "%s/log", f->path);
    return true;
}

static void folder_remove(const Folder *f) {
    if (!f->path[0]) return;
    unlink(f->source);
    unlink(f->header);
    unlink(f->library);
    unlink(f->log);
    rmdir(f->path);
}

static bool write_bytes(const char *path, const void *bytes, size_t n, RunError *error) {
    FILE *file = fopen(path, "wb");
    if (!file) return failed(error, "cannot write", path);
    bool ok = fwrite(bytes, 1, n, file) == n;
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

/* The compiler's command as it is without --cc. */
static void command_of(const char *options, char command[512]) {
    const char *cc = getenv("CC");
    if (options && *options)
        snprintf(command, 512, "%s", options);
    else
        snprintf(command, 512, "%s -O3", cc && *cc ? cc : "cc");
}

static bool compile(const Folder *f, const char *options, RunError *error) {
    char command[4096], log[480], cc[512];
    command_of(options, cc);
    bool fits = !options || strlen(options) < sizeof cc;
    int n = snprintf(command, sizeof command, "%s -shared -fPIC -o '%s' '%s' >'%s' 2>&1", cc,
                     f->library, f->source, f->log);
    if (!fits || n >= (int)sizeof command || strchr(f->path, '\'')) {
        snprintf(error->message, sizeof error->message,
                 "the command of the C compiler is too long");
        return false;
    }
    int status = system(command);
    if (status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    read_log(f->log, log, sizeof log);
    snprintf(error->message, sizeof error->message, "the C compiler failed (%.200s):\n%s", cc,
             log);
    return false;
}

typedef void PartsFn(void *context, void (*part)(void *job, int k), void *job, int parts);
typedef int InitFn(void *m, void *arena, const void *weights, size_t weights_bytes, int threads,
                   PartsFn *parallel_for, void *context);
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

/* Leaves the library in a folder, which the caller removes. */
static bool build(const Program *p, Folder *f, const char *options, RunError *error) {
    const EmitOptions emit = {.prefix = "model",
                              .header_name = "model.h",
                              .weights_name = "model.weights",
                              .weights = WEIGHTS_FILE,
                              .caller_arena = true,
                              .threads = THREADS_CALLBACK,
                              .profile = true};
    EmitResult result;
    emit_c(p, &emit, &result);
    return folder_make(f, error) &&
           write_bytes(f->source, result.source.at, result.source.n, error) &&
           write_bytes(f->header, result.header.at, result.header.n, error) &&
           compile(f, options, error);
}

static bool read_library(const Folder *f, Text *code, RunError *error) {
    FILE *file = fopen(f->library, "rb");
    char part[65536];
    size_t n;
    if (!file) return failed(error, "cannot read", f->library);
    while ((n = fread(part, 1, sizeof part, file))) text_add_bytes(code, part, n);
    bool ok = !ferror(file);
    fclose(file);
    return ok || failed(error, "cannot read", f->library);
}

bool backend_c_compile(const Program *p, const char *options, Text *code, RunError *error) {
    Folder f = {.path = ""};
    bool ok = build(p, &f, options, error) && read_library(&f, code, error);
    folder_remove(&f);
    return ok;
}

void *backend_c_load(Arena *a, const void *code, size_t code_bytes, const void *weights,
                     size_t weights_bytes, RunError *error) {
    Loaded *l = NEW(a, Loaded);
    Folder f = {.path = ""};
    l->weights = weights;
    l->weights_bytes = weights_bytes;
    bool ok = folder_make(&f, error) && write_bytes(f.library, code, code_bytes, error) &&
              library_open(&f, l, error);
    folder_remove(&f);
    if (!ok) backend_c_close(l);
    return ok ? l : NULL;
}

/* With the constants of the program. */
static void *bind(const Program *p, const void *code, size_t code_bytes, RunError *error) {
    Arena *a = p->unit->arena;
    WeightsImage image = weights_place(p);
    size_t bytes = image.bytes > 4096 ? (size_t)image.bytes : 4096; /* arenas align such to 64 */
    char *weights = arena_alloc(a, bytes);
    weights_fill(p, &image, weights);
    return backend_c_load(a, code, code_bytes, weights, (size_t)image.bytes, error);
}

void *backend_c_open(const Program *p, const char *options, RunError *error) {
    Text code = {.arena = p->unit->arena};
    return backend_c_compile(p, options, &code, error) ? bind(p, code.at, code.n, error) : NULL;
}

void backend_c_close(void *opened) {
    Loaded *l = opened;
    if (l->library) dlclose(l->library);
    l->library = NULL;
}

/* A crew as the code's parallel-for. */

typedef struct Parts {
    void (*part)(void *job, int k);
    void *job;
} Parts;

static void run_parts(void *captured, int64_t begin, int64_t end, int worker) {
    const Parts *p = captured;
    (void)worker;
    for (int64_t k = begin; k < end; k++) p->part(p->job, (int)k);
}

static void by_crew(void *context, void (*part)(void *job, int k), void *job, int parts) {
    const Crew *crew = context;
    Parts p = {part, job};
    crew->run(crew->context, run_parts, &p, parts);
}

static void alone(void *context, void (*part)(void *job, int k), void *job, int parts) {
    (void)context;
    for (int k = 0; k < parts; k++) part(job, k);
}

bool backend_c_run(const void *opened, void *arena, const Crew *crew, const void *const *inputs,
                   void *const *outputs, const KernelHook *hook, RunError *error) {
    const Loaded *l = opened;
    bool shared = crew && crew->workers > 1;
    struct { /* as the header declares it, with this file's EmitOptions */
        unsigned char *arena;
        const unsigned char *weights;
        void (*before_kernel)(void *context, int kernel);
        void *profile_context;
        int threads;
        PartsFn *parallel_for;
        void *context;
    } m;
    int status = l->init(&m, arena, l->weights, l->weights_bytes, shared ? crew->workers : 1,
                         shared ? by_crew : alone, (void *)(uintptr_t)crew);
    if (hook) {
        m.before_kernel = hook->before;
        m.profile_context = hook->context;
    }
    if (!status) status = l->run(&m, inputs, outputs);
    if (status)
        snprintf(error->message, sizeof error->message, "the program answers %d", status);
    return !status;
}

/* What -march=native would see: the first processor's lines that name it. */
static void add_processor(Text *to) {
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[4096];
    while (file && fgets(line, sizeof line, file) && *line != '\n')
        if (!strncmp(line, "model name", 10) || !strncmp(line, "flags", 5) ||
            !strncmp(line, "Features", 8) || !strncmp(line, "isa", 3))
            text_add(to, "%s", line);
    if (file) fclose(file);
}

const char *backend_c_machine(Arena *a, const char *options, RunError *error) {
    char cc[512], command[600], part[256];
    Text text = {.arena = a};
    command_of(options, cc);
    snprintf(command, sizeof command, "%s --version 2>&1", cc);
    FILE *said = popen(command, "re");
    size_t n = said ? fread(part, 1, sizeof part, said) : 0;
    if (!said || pclose(said)) {
        snprintf(error->message, sizeof error->message, "the C compiler failed (%.200s)", cc);
        return NULL;
    }
    text_add(&text, "%s\n", cc);
    text_add_bytes(&text, part, n);
    add_processor(&text);
    return text.at;
}
