/* machine.c - LLVM's optimizer and code generator: modules to object files, side by side. */
#include "machine.h"

#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { MOST_THREADS = 64 };

/* Registers the processors that we know; LLVM keeps them for the whole process. */
static void register_targets(void) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
}

void machine_register(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_targets);
}

static const char *take_message(Arena *a, char *message) {
    const char *copy = arena_copy(a, message, strlen(message));
    LLVMDisposeMessage(message);
    return copy;
}

Machine machine_host(Arena *a) {
    machine_register();
    Machine m;
    m.triple = take_message(a, LLVMGetDefaultTargetTriple());
    m.cpu = take_message(a, LLVMGetHostCPUName());
    m.features = take_message(a, LLVMGetHostCPUFeatures());
    return m;
}

/* The work, shared by the threads. */
typedef struct Work {
    const Machine *machine;
    const LlvmUnits *units;
    CodeForm form;
    LLVMMemoryBufferRef *code;
    RunError *error;
    pthread_mutex_t lock;
    int next; /* under the lock, as is the error */
    bool failed;
} Work;

static void work_fail(Work *w, const char *what, const char *why) {
    pthread_mutex_lock(&w->lock);
    if (!w->failed)
        snprintf(w->error->message, sizeof w->error->message, "LLVM: %s: %s", what, why);
    w->failed = true;
    pthread_mutex_unlock(&w->lock);
}

static int work_next(Work *w) {
    pthread_mutex_lock(&w->lock);
    int i = w->failed ? w->units->n : w->next++;
    pthread_mutex_unlock(&w->lock);
    return i < w->units->n ? i : -1;
}

static LLVMTargetMachineRef machine_new(Work *w) {
    const Machine *m = w->machine;
    LLVMTargetRef target;
    char *why = NULL;
    if (LLVMGetTargetFromTriple(m->triple, &target, &why)) {
        work_fail(w, m->triple, why);
        LLVMDisposeMessage(why);
        return NULL;
    }
    return LLVMCreateTargetMachine(target, m->triple, m->cpu, m->features, LLVMCodeGenLevelDefault,
                                   LLVMRelocPIC, LLVMCodeModelDefault);
}

/* Kernels come with their loops as they should be: unrolled, in vectors, invariants outside.  What
 * LLVM's -O2 adds to local arrays in registers and common subexpressions takes three times as long
 * and makes nothing faster. */
static const char passes[] = "function(sroa,early-cse)";

static bool optimize(Work *w, LLVMTargetMachineRef tm, LLVMModuleRef module) {
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMErrorRef problem = LLVMRunPasses(module, passes, tm, options);
    LLVMDisposePassBuilderOptions(options);
    if (!problem) return true;
    char *why = LLVMGetErrorMessage(problem);
    work_fail(w, "the optimizer", why);
    LLVMDisposeErrorMessage(why);
    return false;
}

/* Functions tell what they are made for, for who compiles the IR elsewhere. */
static void mark_functions(const Machine *m, LLVMModuleRef module) {
    for (LLVMValueRef f = LLVMGetFirstFunction(module); f; f = LLVMGetNextFunction(f)) {
        if (LLVMIsDeclaration(f)) continue;
        LLVMAddTargetDependentFunctionAttr(f, "target-cpu", m->cpu);
        if (*m->features) LLVMAddTargetDependentFunctionAttr(f, "target-features", m->features);
    }
}

static void compile_unit(Work *w, LLVMTargetMachineRef tm, int number) {
    LLVMModuleRef module = w->units->at[number].module;
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
    char *why = NULL;
    LLVMSetModuleDataLayout(module, layout);
    LLVMDisposeTargetData(layout);
    LLVMSetTarget(module, w->machine->triple);
    mark_functions(w->machine, module);
    if (!optimize(w, tm, module)) return;
    if (w->form == CODE_IR) {
        char *text = LLVMPrintModuleToString(module);
        w->code[number] = LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), "code");
        LLVMDisposeMessage(text);
        return;
    }
    LLVMCodeGenFileType type = w->form == CODE_OBJECT ? LLVMObjectFile : LLVMAssemblyFile;
    if (!LLVMTargetMachineEmitToMemoryBuffer(tm, module, type, &why, &w->code[number])) return;
    work_fail(w, "the code generator", why);
    LLVMDisposeMessage(why);
}

static void *work_on(void *context) {
    Work *w = context;
    LLVMTargetMachineRef tm = machine_new(w);
    if (!tm) return NULL;
    for (int i = work_next(w); i >= 0; i = work_next(w)) compile_unit(w, tm, i);
    LLVMDisposeTargetMachine(tm);
    return NULL;
}

static int thread_count(int asked, int units) {
    long processors = asked > 0 ? asked : sysconf(_SC_NPROCESSORS_ONLN);
    int n = processors < 1 ? 1 : processors > MOST_THREADS ? MOST_THREADS : (int)processors;
    return n < units ? n : units;
}

/* This thread works too, so that it goes on where no other can be had. */
static void work_all(Work *w, int n) {
    pthread_t threads[MOST_THREADS];
    int started = 0;
    while (started < n - 1 && !pthread_create(&threads[started], NULL, work_on, w)) started++;
    work_on(w);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
}

bool machine_compile(const Machine *machine, const LlvmUnits *units, CodeForm form, int threads,
                     LLVMMemoryBufferRef *code, RunError *error) {
    Work w = {.machine = machine, .units = units, .form = form, .code = code, .error = error};
    machine_register();
    for (int i = 0; i < units->n; i++) code[i] = NULL;
    pthread_mutex_init(&w.lock, NULL);
    work_all(&w, thread_count(threads, units->n));
    pthread_mutex_destroy(&w.lock);
    if (!w.failed) return true;
    for (int i = 0; i < units->n; i++)
        if (code[i]) LLVMDisposeMemoryBuffer(code[i]);
    return false;
}
