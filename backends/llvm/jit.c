/* jit.c - machine code of this process: objects out of a program, objects into memory through ORC.
 *
 * The bytes of the code are object files, one after the other: the number of them, then the size
 * and the bytes of each, padded to 8. */
#include "jit.h"

#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/LLJITUtils.h>
#include <llvm/Config/llvm-config.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jit_symbols.h"
#include "machine.h"

typedef void RunFn(const void *weights, void *arena, const void *const *inputs,
                   void *const *outputs, const KernelHook *hook, const Crew *crew);

struct JitModule {
    LLVMOrcLLJITRef jit;
    RunFn *run, *run_scattered;
};

static const char prefix[] = "m";

/* Options. */

static bool option_from(const char *word, size_t n, JitOptions *options) {
    static const char threads[] = "threads=";
    size_t name = sizeof threads - 1;
    if (n == 4 && !memcmp(word, "perf", 4)) return options->perf_map = true;
    if (n == 3 && !memcmp(word, "gdb", 3)) return options->debugger = true;
    if (n < name + 1 || n > name + 3 || memcmp(word, threads, name)) return false;
    options->threads = 0;
    for (size_t i = name; i < n; i++) {
        if (word[i] < '0' || word[i] > '9') return false;
        options->threads = 10 * options->threads + word[i] - '0';
    }
    return true;
}

bool jit_options_from(const char *text, JitOptions *options) {
    *options = (JitOptions){0};
    while (text && *text) {
        size_t n = strcspn(text, ",");
        if (!option_from(text, n, options)) return false;
        text += n + (text[n] == ',');
    }
    return true;
}

/* Compiling. */

static void add_number(Text *code, uint64_t n) { text_add_bytes(code, &n, sizeof n); }

static void add_object(Text *code, LLVMMemoryBufferRef object) {
    static const char zeros[8] = {0};
    size_t n = LLVMGetBufferSize(object);
    add_number(code, n);
    text_add_bytes(code, LLVMGetBufferStart(object), n);
    text_add_bytes(code, zeros, (8 - n % 8) % 8);
}

static bool compile(Arena *a, const LlvmUnits *units, const JitOptions *options, Text *code,
                    RunError *error) {
    Machine host = machine_host(a);
    LLVMMemoryBufferRef *objects = NEW_ARRAY(a, LLVMMemoryBufferRef, units->n);
    if (!machine_compile(&host, units, CODE_OBJECT, options->threads, objects, error)) return false;
    add_number(code, (uint64_t)units->n);
    for (int i = 0; i < units->n; i++) {
        add_object(code, objects[i]);
        LLVMDisposeMemoryBuffer(objects[i]);
    }
    return true;
}

bool jit_compile(const Program *p, const JitOptions *options, Text *code, RunError *error) {
    LlvmUnits units = emit_llvm_split(p, prefix);
    bool ok = compile(p->unit->arena, &units, options, code, error);
    llvm_units_free(&units);
    return ok;
}

const char *jit_machine(Arena *a) {
    Machine host = machine_host(a);
    return arena_format(a, "LLVM %s %s %s %s", SONOC_LLVM, host.triple, host.cpu, host.features);
}

/* Loading. */

static bool failed(RunError *error, LLVMErrorRef problem) {
    if (!problem) return false;
    char *why = LLVMGetErrorMessage(problem);
    snprintf(error->message, sizeof error->message, "LLVM: %s", why);
    LLVMDisposeErrorMessage(why);
    return true;
}

static bool read_number(const char **at, const char *end, uint64_t *n) {
    if ((size_t)(end - *at) < sizeof *n) return false;
    memcpy(n, *at, sizeof *n);
    *at += sizeof *n;
    return true;
}

/* An object of the code, and how far it reaches. */
static bool next_object(const char **at, const char *end, const char **object, uint64_t *n) {
    if (!read_number(at, end, n) || *n > (size_t)(end - *at)) return false;
    size_t padded = (size_t)(*n + 7) / 8 * 8;
    *object = *at;
    *at = padded <= (size_t)(end - *at) ? *at + padded : end;
    return true;
}

/* perf's map of this process: where functions are.  Nobody misses it if it cannot be written. */
typedef struct PerfMap {
    JitModule *module;
    FILE *file;
} PerfMap;

static void map_function(const char *name, uint64_t size, void *context) {
    PerfMap *map = context;
    LLVMOrcExecutorAddress address;
    LLVMErrorRef problem = LLVMOrcLLJITLookup(map->module->jit, &address, name);
    if (problem)
        LLVMConsumeError(problem);
    else
        fprintf(map->file, "%" PRIx64 " %" PRIx64 " %s\n", address, size, name);
}

static void write_perf_map(JitModule *m, const char *at, size_t bytes) {
    char path[64];
    const char *end = at + bytes, *object;
    uint64_t count = 0, n = 0;
    snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)getpid());
    PerfMap map = {m, fopen(path, "a")};
    if (!map.file) return;
    bool ok = read_number(&at, end, &count);
    for (uint64_t i = 0; ok && i < count; i++) {
        ok = next_object(&at, end, &object, &n);
        if (ok) object_visit_functions(object, n, map_function, &map);
    }
    fclose(map.file);
}

static bool add_objects(JitModule *m, const char *at, size_t bytes, RunError *error) {
    const char *end = at + bytes, *object;
    uint64_t count = 0, n = 0;
    LLVMOrcJITDylibRef library = LLVMOrcLLJITGetMainJITDylib(m->jit);
    bool ok = read_number(&at, end, &count);
    for (uint64_t i = 0; ok && i < count; i++) {
        ok = next_object(&at, end, &object, &n);
        if (!ok) break;
        LLVMMemoryBufferRef copy = LLVMCreateMemoryBufferWithMemoryRangeCopy(object, n, "kernels");
        if (failed(error, LLVMOrcLLJITAddObjectFile(m->jit, library, copy))) return false;
    }
    if (!ok) snprintf(error->message, sizeof error->message, "the machine code is cut off");
    return ok;
}

static bool find(JitModule *m, const char *name, RunFn **function, RunError *error) {
    LLVMOrcExecutorAddress address;
    if (failed(error, LLVMOrcLLJITLookup(m->jit, &address, name))) return false;
    uintptr_t place = (uintptr_t)address;
    memcpy(function, &place, sizeof place);
    return true;
}

static bool load(JitModule *m, const void *code, size_t bytes, const JitOptions *options,
                 RunError *error) {
    if (failed(error, LLVMOrcCreateLLJIT(&m->jit, NULL))) return false;
#if LLVM_VERSION_MAJOR >= 19
    if (options->debugger && failed(error, LLVMOrcLLJITEnableDebugSupport(m->jit))) return false;
#endif
    if (!add_objects(m, code, bytes, error) || !find(m, "m_run", &m->run, error) ||
        !find(m, "m_run_scattered", &m->run_scattered, error))
        return false;
    if (options->perf_map) write_perf_map(m, code, bytes);
    return true;
}

JitModule *jit_load(const void *code, size_t bytes, const JitOptions *options, RunError *error) {
    JitModule *m = calloc(1, sizeof *m);
    machine_register();
    if (m && load(m, code, bytes, options, error)) return m;
    if (!m) snprintf(error->message, sizeof error->message, "out of memory");
    jit_unload(m);
    return NULL;
}

void jit_unload(JitModule *m) {
    if (!m) return;
    if (m->jit) LLVMConsumeError(LLVMOrcDisposeLLJIT(m->jit));
    free(m);
}

/* Running.  The code has nobody but a crew to run the loops that may be shared. */

static void run_alone(void *context, LoopPart *loop, void *captured, int64_t count) {
    (void)context;
    if (count > 0) loop(captured, 0, count, 0);
}

static const Crew nobody_else = {1, run_alone, NULL};

void jit_run(const JitModule *m, const void *weights, void *arena, const Crew *crew,
             const void *const *inputs, void *const *outputs, const KernelHook *hook) {
    m->run(weights, arena, inputs, outputs, hook, crew ? crew : &nobody_else);
}

void jit_run_scattered(const JitModule *m, const void *const *constants, void *arena,
                       const Crew *crew, const void *const *inputs, void *const *outputs,
                       const KernelHook *hook) {
    m->run_scattered(constants, arena, inputs, outputs, hook, crew ? crew : &nobody_else);
}
