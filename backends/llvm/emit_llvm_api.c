/* emit_llvm_api.c - a program as one module with the functions of the C file's header (emit_c.c):
 * PREFIX_init, PREFIX_run, PREFIX_run_ports and the tables of ports. */
#include "emit_llvm_frame.h"

#include <llvm/Config/llvm-config.h>
#include <string.h>

typedef LLVMValueRef Value;
typedef LLVMBasicBlockRef Block;

enum { OK = 0, BAD_ARGUMENT = 1 };     /* what the functions answer */
enum { ARENA_AT = 0, WEIGHTS_AT = 8 }; /* in struct PREFIX */

/* A function being filled. */
typedef struct Api {
    const Frame *frame;
    const LlvmUnit *unit;
    LLVMContextRef c;
    LLVMBuilderRef ir;
    Value function;
    Value bad;    /* the arguments are; NULL: nothing was checked yet */
    Block refuse; /* where bad ones lead; NULL: not needed yet */
} Api;

static const char *name_of(const Frame *f, const char *suffix) {
    return arena_format(f->arena, "%s_%s", f->prefix, suffix);
}

static Value int_of(const Api *a, int bits, int64_t i) {
    return LLVMConstInt(LLVMIntTypeInContext(a->c, (unsigned)bits), (unsigned long long)i, true);
}

static Api function_begin(const Frame *f, const LlvmUnit *u, const char *suffix, int n_pointers) {
    Api a = {.frame = f, .unit = u, .c = u->context, .ir = LLVMCreateBuilderInContext(u->context)};
    LLVMTypeRef type = function_type(f, a.c, LLVMInt32TypeInContext(a.c), n_pointers);
    a.function = LLVMAddFunction(u->module, name_of(f, suffix), type);
    LLVMPositionBuilderAtEnd(a.ir, LLVMAppendBasicBlockInContext(a.c, a.function, "check"));
    return a;
}

static void function_end(Api *a, Value answer) {
    LLVMBuildRet(a->ir, answer);
    if (a->refuse) {
        LLVMPositionBuilderAtEnd(a->ir, a->refuse);
        LLVMBuildRet(a->ir, int_of(a, 32, BAD_ARGUMENT));
    }
    LLVMDisposeBuilder(a->ir);
}

static Value param(const Api *a, int i) { return LLVMGetParam(a->function, (unsigned)i); }

static void refuse_if(Api *a, Value bad) {
    a->bad = a->bad ? LLVMBuildOr(a->ir, a->bad, bad, "") : bad;
}

static void refuse_null(Api *a, Value pointer) {
    refuse_if(a, LLVMBuildIsNull(a->ir, pointer, ""));
}

static void refuse_unaligned(Api *a, Value pointer, int64_t alignment) {
    Value bits = LLVMBuildPtrToInt(a->ir, pointer, LLVMInt64TypeInContext(a->c), "");
    Value rest = LLVMBuildAnd(a->ir, bits, int_of(a, 64, alignment - 1), "");
    refuse_if(a, LLVMBuildICmp(a->ir, LLVMIntNE, rest, int_of(a, 64, 0), ""));
}

/* Goes on where nothing was bad. */
static void check_end(Api *a) {
    if (!a->bad) return;
    if (!a->refuse) a->refuse = LLVMAppendBasicBlockInContext(a->c, a->function, "refuse");
    Block next = LLVMAppendBasicBlockInContext(a->c, a->function, "next");
    LLVMBuildCondBr(a->ir, a->bad, a->refuse, next);
    LLVMPositionBuilderAtEnd(a->ir, next);
    a->bad = NULL;
}

static Value load_pointer(Api *a, Value base, int64_t offset) {
    return LLVMBuildLoad2(a->ir, LLVMPointerTypeInContext(a->c, 0),
                          pointer_at(a->ir, a->c, base, offset), "");
}

static bool has_arena(const Frame *f) { return f->program->arena_bytes > 0; }

/* Data. */

static Value bytes_constant(LLVMContextRef c, const char *bytes, size_t n, bool without_end) {
#if LLVM_VERSION_MAJOR >= 19
    return LLVMConstStringInContext2(c, bytes, n, without_end);
#else
    return LLVMConstStringInContext(c, bytes, (unsigned)n, without_end);
#endif
}

static Value add_data(const LlvmUnit *u, const char *name, Value bytes, bool constant) {
    Value data = LLVMAddGlobal(u->module, LLVMTypeOf(bytes), name);
    LLVMSetInitializer(data, bytes);
    LLVMSetGlobalConstant(data, constant);
    LLVMSetLinkage(data, LLVMInternalLinkage);
    LLVMSetAlignment(data, WEIGHTS_ALIGN);
    return data;
}

/* NULL: there are none. */
static Value add_weights(const Frame *f, const LlvmUnit *u, bool beside) {
    WeightsImage image = weights_place(f->program);
    if (!image.bytes) return NULL;
    if (beside) {
        Value data =
            LLVMAddGlobal(u->module, LLVMInt8TypeInContext(u->context), name_of(f, "weights"));
        LLVMSetVisibility(data, LLVMHiddenVisibility);
        return data;
    }
    ArenaMark mark = arena_mark(f->arena);
    char *bytes = arena_alloc(f->arena, (size_t)image.bytes);
    weights_fill(f->program, &image, bytes);
    Value constant = bytes_constant(u->context, bytes, (size_t)image.bytes, true);
    arena_release(f->arena, mark);
    return add_data(u, name_of(f, "weights"), constant, true);
}

static Value add_arena(const Frame *f, const LlvmUnit *u) {
    if (!has_arena(f)) return NULL;
    LLVMTypeRef bytes =
        LLVMArrayType2(LLVMInt8TypeInContext(u->context), (uint64_t)f->program->arena_bytes);
    return add_data(u, name_of(f, "arena"), LLVMConstNull(bytes), false);
}

/* Functions. */

static void add_init(const Frame *f, const LlvmUnit *u, bool caller_arena, Value weights) {
    Api a = function_begin(f, u, "init", caller_arena ? 2 : 1);
    Value nothing = LLVMConstNull(LLVMPointerTypeInContext(a.c, 0));
    Value arena = caller_arena ? param(&a, 1) : add_arena(f, u);
    refuse_null(&a, param(&a, 0));
    if (caller_arena && has_arena(f)) {
        refuse_null(&a, arena);
        refuse_unaligned(&a, arena, 64);
    }
    check_end(&a);
    LLVMBuildStore(a.ir, arena ? arena : nothing, pointer_at(a.ir, a.c, param(&a, 0), ARENA_AT));
    LLVMBuildStore(a.ir, weights ? weights : nothing,
                   pointer_at(a.ir, a.c, param(&a, 0), WEIGHTS_AT));
    function_end(&a, int_of(&a, 32, OK));
}

/* The ports' pointers, from the parameters; where a port has elements it must not be NULL. */
static void take_ports(Api *a, Runner *r, Value *outputs) {
    const Program *p = a->frame->program;
    for (int i = 0; i < p->inputs.n; i++) {
        const Buffer *b = p->inputs.at[i].buffer;
        r->places[b->id] = param(a, 1 + i);
        if (b->count) refuse_null(a, param(a, 1 + i));
    }
    for (int i = 0; i < p->outputs.n; i++) {
        const Buffer *b = p->outputs.at[i].buffer;
        outputs[i] = param(a, 1 + p->inputs.n + i);
        if (program_output_is_direct(p, i)) r->places[b->id] = outputs[i];
        if (b->count) refuse_null(a, outputs[i]);
    }
}

static void add_run(const Frame *f, const LlvmUnit *u) {
    const Program *p = f->program;
    Api a = function_begin(f, u, "run", 1 + p->inputs.n + p->outputs.n);
    Value *outputs = NEW_ARRAY(f->arena, Value, p->outputs.n + 1);
    Runner r = {.frame = f, .unit = u, .ir = a.ir, .image = weights_place(p)};
    r.places = NEW_ARRAY(f->arena, Value, p->buffers.n + 1);
    refuse_null(&a, param(&a, 0));
    take_ports(&a, &r, outputs);
    check_end(&a);
    r.arena = load_pointer(&a, param(&a, 0), ARENA_AT);
    r.weights = load_pointer(&a, param(&a, 0), WEIGHTS_AT);
    if (has_arena(f)) refuse_null(&a, r.arena);
    if (r.image.bytes) refuse_null(&a, r.weights);
    check_end(&a);
    runner_fill(&r, outputs);
    function_end(&a, int_of(&a, 32, OK));
}

static void add_run_ports(const Frame *f, const LlvmUnit *u) {
    const Program *p = f->program;
    int n = 1 + p->inputs.n + p->outputs.n;
    Api a = function_begin(f, u, "run_ports", 3);
    Value *args = NEW_ARRAY(f->arena, Value, n);
    if (p->inputs.n) refuse_null(&a, param(&a, 1));
    refuse_null(&a, param(&a, 2));
    check_end(&a);
    args[0] = param(&a, 0);
    for (int i = 0; i < p->inputs.n; i++) args[1 + i] = load_pointer(&a, param(&a, 1), 8 * i);
    for (int i = 0; i < p->outputs.n; i++)
        args[1 + p->inputs.n + i] = load_pointer(&a, param(&a, 2), 8 * i);
    LLVMTypeRef type = function_type(f, a.c, LLVMInt32TypeInContext(a.c), n);
    Value run = LLVMGetNamedFunction(u->module, name_of(f, "run"));
    function_end(&a, LLVMBuildCall2(a.ir, type, run, args, (unsigned)n, ""));
}

/* Tables of ports. */

static Value text_constant(const LlvmUnit *u, const char *text) {
    Value bytes = bytes_constant(u->context, text, strlen(text), false);
    Value data = LLVMAddGlobal(u->module, LLVMTypeOf(bytes), "text");
    LLVMSetInitializer(data, bytes);
    LLVMSetGlobalConstant(data, true);
    LLVMSetLinkage(data, LLVMPrivateLinkage);
    return data;
}

/* { name, dtype, rank, { dims } } */
static Value port_constant(const LlvmUnit *u, const Port *port, int rank) {
    LLVMContextRef c = u->context;
    LLVMTypeRef i64 = LLVMInt64TypeInContext(c);
    Value dims[MAX_RANK];
    for (int d = 0; d < rank; d++)
        dims[d] =
            LLVMConstInt(i64, port && d < port->rank ? (unsigned long long)port->dims[d] : 0, true);
    Value fields[4] = {
        text_constant(u, port ? port->name : ""),
        text_constant(u, port ? dtypes[port->dtype].text : ""),
        LLVMConstInt(LLVMInt32TypeInContext(c), port ? (unsigned long long)port->rank : 0, true),
        LLVMConstArray2(i64, dims, (uint64_t)rank)};
    return LLVMConstStructInContext(c, fields, 4, false);
}

static void add_table(const Frame *f, const LlvmUnit *u, const char *suffix, const Port *ports,
                      int n) {
    int rank = program_largest_rank(f->program), rows = n ? n : 1;
    Value *all = NEW_ARRAY(f->arena, Value, rows);
    for (int i = 0; i < rows; i++) all[i] = port_constant(u, n ? &ports[i] : NULL, rank);
    Value constant = LLVMConstArray2(LLVMTypeOf(all[0]), all, (uint64_t)rows);
    Value table = LLVMAddGlobal(u->module, LLVMTypeOf(constant), name_of(f, suffix));
    LLVMSetInitializer(table, constant);
    LLVMSetGlobalConstant(table, true);
}

LlvmUnits emit_llvm_whole(const Program *p, const char *prefix, bool caller_arena,
                          bool weights_beside) {
    Frame f = frame_new(p, prefix, LLVMInternalLinkage);
    const LlvmUnit *u = units_new(&f, 1).at;
    Value weights = add_weights(&f, u, weights_beside);
    add_table(&f, u, "input_ports", p->inputs.at, p->inputs.n);
    add_table(&f, u, "output_ports", p->outputs.at, p->outputs.n);
    for (int i = 0; i < p->kernels.n; i++) unit_add_kernel(&f, u, i);
    add_init(&f, u, caller_arena, weights);
    add_run(&f, u);
    add_run_ports(&f, u);
    return units_done(&f);
}
