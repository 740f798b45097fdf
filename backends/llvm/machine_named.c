/* machine_named.c - which processor a text means, and which row of targets.def to plan for.
 *
 * What a processor can do is asked of LLVM: the instructions that it chooses for a fused
 * multiply-add tell the row. */
#include "machine.h"

#include <string.h>

typedef struct Row {
    const char *name, *triple, *cpu;
} Row;

static const Row rows[] = {
    {"baseline", "x86_64-linux-gnu", "x86-64"},     {"x86-64-v2", "x86_64-linux-gnu", "x86-64-v2"},
    {"x86-64-v3", "x86_64-linux-gnu", "x86-64-v3"}, {"x86-64-v4", "x86_64-linux-gnu", "x86-64-v4"},
    {"aarch64", "aarch64-linux-gnu", "generic"},
};

static bool begins(const char *text, const char *start) {
    return !strncmp(text, start, strlen(start));
}

static bool row_machine(const char *name, Machine *m) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, name)) continue;
        *m = (Machine){rows[i].triple, rows[i].cpu, ""};
        return true;
    }
    return false;
}

static bool triple_machine(const char *triple, Machine *m) {
    bool x86 = begins(triple, "x86_64-"), arm = begins(triple, "aarch64-");
    *m = (Machine){triple, x86 ? "x86-64" : "generic", ""};
    return x86 || arm;
}

/* float32 f(x, y, z) { return fma(x, y, z); } in vectors of 16 */
static LlvmUnit probe_new(void) {
    LLVMContextRef c = LLVMContextCreate();
    LLVMModuleRef module = LLVMModuleCreateWithNameInContext("probe", c);
    LLVMBuilderRef ir = LLVMCreateBuilderInContext(c);
    LLVMTypeRef vector = LLVMVectorType(LLVMFloatTypeInContext(c), 16),
                params[3] = {vector, vector, vector};
    LLVMTypeRef type = LLVMFunctionType(vector, params, 3, false);
    LLVMValueRef function = LLVMAddFunction(module, "probe", type), args[3];
    unsigned id = LLVMLookupIntrinsicID("llvm.fma", 8);
    LLVMPositionBuilderAtEnd(ir, LLVMAppendBasicBlockInContext(c, function, ""));
    LLVMGetParams(function, args);
    LLVMValueRef fma = LLVMGetIntrinsicDeclaration(module, id, &vector, 1);
    LLVMBuildRet(ir, LLVMBuildCall2(ir, type, fma, args, 3, ""));
    LLVMDisposeBuilder(ir);
    return (LlvmUnit){c, module};
}

/* The best row for an x86 processor; NULL: told in *error. */
static const char *x86_row(const Machine *m, RunError *error) {
    LlvmUnit probe = probe_new();
    LlvmUnits units = {&probe, 1};
    LLVMMemoryBufferRef code;
    const char *row = NULL;
    if (machine_compile(m, &units, CODE_ASSEMBLY, 1, &code, error)) {
        const char *text = LLVMGetBufferStart(code);
        bool fma = strstr(text, "vfmadd");
        row = fma && strstr(text, "zmm") ? "x86-64-v4" : fma ? "x86-64-v3" : "baseline";
        LLVMDisposeMemoryBuffer(code);
    }
    llvm_units_free(&units);
    return row;
}

/* What follows `key` up to the next comma, or to the end; NULL: it is not given. */
static const char *setting(Arena *a, const char *text, const char *key, bool to_end) {
    const char *at = strstr(text, key);
    if (!at) return NULL;
    at += strlen(key);
    return arena_copy(a, at, to_end ? strlen(at) : strcspn(at, ","));
}

bool machine_named(Arena *a, const char *text, Machine *machine, const Target **target,
                   RunError *error) {
    const char *name = arena_copy(a, text, strcspn(text, ",")), *settings = text + strlen(name);
    const char *cpu = setting(a, settings, ",cpu=", false),
               *features = setting(a, settings, ",features=", true);
    bool is_row = row_machine(name, machine), known = is_row || triple_machine(name, machine);
    if (!strcmp(name, "native")) {
        *machine = machine_host(a);
        known = true;
    }
    if (!known || (*settings && !cpu && !features)) {
        snprintf(error->message, sizeof error->message,
                 "'%s': machine code is made for x86-64 and aarch64: NAME or "
                 "TRIPLE[,cpu=CPU][,features=LIST]",
                 text);
        return false;
    }
    if (cpu) machine->cpu = cpu;
    if (features) machine->features = features;
    const char *row = is_row                              ? name
                      : begins(machine->triple, "x86_64") ? x86_row(machine, error)
                                                          : "aarch64";
    *target = row ? target_find(row) : NULL;
    if (row && !*target)
        snprintf(error->message, sizeof error->message, "'%s': no such target", row);
    return *target;
}
