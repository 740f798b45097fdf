/* emit_llvm.c - a program as LLVM modules: kernels as functions, and the functions that call them
 * all. */
#include "emit_llvm_frame.h"

#include <string.h>

#include "emit_llvm_parts.h"

/* LLVM's memory is not the arena's: whoever leaves by the escape leaves it to the end of the
 * unit. */
typedef struct Pending {
    LlvmUnits units;
    LLVMBuilderRef ir;
    Arena *scratch;
} Pending;

static void pending_free(void *context) {
    Pending *p = context;
    if (p->ir) LLVMDisposeBuilder(p->ir);
    if (p->scratch) arena_free(p->scratch);
    llvm_units_free(&p->units);
}

Frame frame_new(const Program *p, const char *prefix, LLVMLinkage linkage) {
    Arena *a = p->unit->arena;
    Frame f = {
        .program = p, .prefix = prefix, .arena = a, .linkage = linkage, .pending = NEW(a, Pending)};
    unit_at_end(p->unit, pending_free, f.pending);
    f.params = NEW_ARRAY(a, KernelParams, p->kernels.n + 1);
    for (int i = 0; i < p->kernels.n; i++) f.params[i] = kernel_params(a, p->kernels.at[i]);
    return f;
}

LlvmUnits units_new(const Frame *f, int n) {
    LlvmUnits *units = &f->pending->units;
    units->at = NEW_ARRAY(f->arena, LlvmUnit, n);
    for (units->n = 0; units->n < n; units->n++) {
        LLVMContextRef c = LLVMContextCreate();
        units->at[units->n] = (LlvmUnit){c, LLVMModuleCreateWithNameInContext(f->prefix, c)};
    }
    return *units;
}

/* The modules are the caller's now. */
LlvmUnits units_done(const Frame *f) {
    LlvmUnits units = f->pending->units;
    f->pending->units.n = 0;
    return units;
}

void llvm_units_free(LlvmUnits *units) {
    for (int i = 0; i < units->n; i++) {
        if (units->at[i].module) LLVMDisposeModule(units->at[i].module);
        if (units->at[i].context) LLVMContextDispose(units->at[i].context);
    }
    units->n = 0;
}

/* Kernels. */

static void add_attribute(LLVMContextRef c, Value function, unsigned place, const char *name,
                          uint64_t value) {
    unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
    if (!kind) return; /* versions of LLVM differ in what they have */
    LLVMAddAttributeAtIndex(function, place, LLVMCreateEnumAttribute(c, kind, value));
}

static bool lies_in_arena(const Buffer *b) {
    return b->kind == BUF_ARENA || b->kind == BUF_SCRATCH;
}

/* Buffers do not overlap, unless one overwrites another. */
static void mark_param(LLVMContextRef c, Value function, const KernelParams *params, int i,
                       bool captured) {
    const KernelParam *p = &params->list.at[i];
    const Buffer *b = p->buffer;
    unsigned place = (unsigned)i + 1;
    uint64_t bytes = (uint64_t)b->count * (uint64_t)dtypes[b->type].bytes;
    if (!kernel_param_is_shared(params, b)) add_attribute(c, function, place, "noalias", 0);
    if (!captured) add_attribute(c, function, place, "nocapture", 0);
    if (!p->written) add_attribute(c, function, place, "readonly", 0);
    if (lies_in_arena(b)) add_attribute(c, function, place, "align", 64);
    if (bytes) add_attribute(c, function, place, "dereferenceable", bytes);
}

/* captured: others have the pointers, too, while it runs. */
void params_mark(LLVMContextRef c, Value function, const KernelParams *params, bool captured) {
    for (int i = 0; i < params->list.n; i++) mark_param(c, function, params, i, captured);
}

void function_mark(LLVMContextRef c, Value function) {
    add_attribute(c, function, (unsigned)LLVMAttributeFunctionIndex, "nounwind", 0);
    add_attribute(c, function, (unsigned)LLVMAttributeFunctionIndex, "noinline", 0);
}

static bool is_shared(const Frame *f, int number) {
    return f->shares && kernel_has_parallel(f->program->kernels.at[number]);
}

LLVMTypeRef function_type(const Frame *f, LLVMContextRef c, LLVMTypeRef result, int n_pointers) {
    LLVMTypeRef *pointers = NEW_ARRAY(f->arena, LLVMTypeRef, n_pointers + 1);
    for (int i = 0; i < n_pointers; i++) pointers[i] = LLVMPointerTypeInContext(c, 0);
    return LLVMFunctionType(result, pointers, (unsigned)n_pointers, false);
}

/* A pointer for each buffer, and that of the crew behind. */
static LLVMTypeRef kernel_type(const Frame *f, LLVMContextRef c, int number) {
    return function_type(f, c, LLVMVoidTypeInContext(c),
                         f->params[number].list.n + is_shared(f, number));
}

/* The function of a kernel, declared once in a module. */
static Value kernel_declared(const Frame *f, const LlvmUnit *u, int number) {
    LLVMContextRef c = u->context;
    const KernelParams *params = &f->params[number];
    /* a dot, so that no kernel takes the name of a function of the module */
    const char *name =
        arena_format(f->arena, "%s.%s", f->prefix, f->program->kernels.at[number]->name);
    Value function = LLVMGetNamedFunction(u->module, name);
    if (function) return function;
    function = LLVMAddFunction(u->module, name, kernel_type(f, c, number));
    LLVMSetLinkage(function, f->linkage);
    if (f->linkage == LLVMExternalLinkage) LLVMSetVisibility(function, LLVMHiddenVisibility);
    function_mark(c, function);
    params_mark(c, function, params, is_shared(f, number));
    return function;
}

static void fill_kernel(Emitter *e) {
    const Kernel *k = e->kernel;
    const KernelParams *params = e->params;
    e->known.arena = e->arena;
    e->buffers = NEW_ARRAY(e->arena, Value, e->program->buffers.n + 1);
    e->vars = NEW_ARRAY(e->arena, Value, k->n_vars + 1);
    e->lets = NEW_ARRAY(e->arena, signed char, k->n_vars + 1);
    for (int i = 0; i < params->list.n; i++)
        e->buffers[params->list.at[i].buffer->id] = LLVMGetParam(e->function, (unsigned)i);
    kernel_body(e);
}

void unit_add_kernel(const Frame *f, const LlvmUnit *u, int number) {
    const Kernel *k = f->program->kernels.at[number];
    Emitter e = {.program = f->program,
                 .kernel = k,
                 .context = u->context,
                 .module = u->module,
                 .params = &f->params[number]};
    Escape *escape_here = arena_escape(f->arena);
    e.builder = builder_resume(f->program, k);
    e.arena = f->pending->scratch = arena_new(arena_allocator(f->arena), 0, escape_here);
    if (!e.arena) escape(escape_here, STATUS_LIMIT, "out of memory");
    e.function = kernel_declared(f, u, number);
    e.ir = f->pending->ir = LLVMCreateBuilderInContext(u->context);
    if (is_shared(f, number)) e.crew = LLVMGetParam(e.function, (unsigned)e.params->list.n);
    fill_kernel(&e);
    LLVMDisposeBuilder(e.ir);
    arena_free(e.arena);
    f->pending->ir = NULL;
    f->pending->scratch = NULL;
}

/* What runs all. */

Value pointer_at(LLVMBuilderRef ir, LLVMContextRef c, Value base, int64_t bytes) {
    Value offset = LLVMConstInt(LLVMInt64TypeInContext(c), (unsigned long long)bytes, true);
    return LLVMBuildInBoundsGEP2(ir, LLVMInt8TypeInContext(c), base, &offset, 1, "");
}

/* table[number] */
static Value pointer_from(Runner *r, Value table, int number) {
    LLVMContextRef c = r->unit->context;
    Value place = pointer_at(r->ir, c, table, (int64_t)number * (int64_t)sizeof(void *));
    return LLVMBuildLoad2(r->ir, LLVMPointerTypeInContext(c, 0), place, "");
}

static Value place_of(Runner *r, const Buffer *b) {
    if (lies_in_arena(b)) return pointer_at(r->ir, r->unit->context, r->arena, b->offset);
    if (b->kind == BUF_CONST && r->scattered) return pointer_from(r, r->weights, b->id);
    if (b->kind == BUF_CONST)
        return pointer_at(r->ir, r->unit->context, r->weights, r->image.offsets[b->id]);
    if (!r->places[b->id]) BUG(r->frame->program->unit, "buffer '%s' has no place", b->name);
    return r->places[b->id];
}

static void call_kernel(Runner *r, int number) {
    const Frame *f = r->frame;
    const KernelParams *params = &f->params[number];
    int n = params->list.n;
    Value *args = NEW_ARRAY(f->arena, Value, n + 1);
    for (int i = 0; i < n; i++) args[i] = place_of(r, params->list.at[i].buffer);
    if (is_shared(f, number)) args[n++] = r->crew;
    Value function = kernel_declared(f, r->unit, number);
    LLVMBuildCall2(r->ir, kernel_type(f, r->unit->context, number), function, args, (unsigned)n,
                   "");
}

/* if (hook) hook->before(hook->context, number) */
static void tell_hook(Runner *r, int number) {
    LLVMContextRef c = r->unit->context;
    if (!r->hook) return;
    Value function = LLVMGetBasicBlockParent(LLVMGetInsertBlock(r->ir));
    LLVMBasicBlockRef tell = LLVMAppendBasicBlockInContext(c, function, "");
    LLVMBasicBlockRef next = LLVMAppendBasicBlockInContext(c, function, "");
    LLVMBuildCondBr(r->ir, LLVMBuildIsNull(r->ir, r->hook, ""), next, tell);
    LLVMPositionBuilderAtEnd(r->ir, tell);
    LLVMTypeRef types[] = {LLVMPointerTypeInContext(c, 0), LLVMInt32TypeInContext(c)};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(c), types, 2, false);
    Value before = pointer_from(r, r->hook, 0), context = pointer_from(r, r->hook, 1);
    Value args[] = {context, LLVMConstInt(types[1], (unsigned long long)number, false)};
    LLVMBuildCall2(r->ir, type, before, args, 2, "");
    LLVMBuildBr(r->ir, next);
    LLVMPositionBuilderAtEnd(r->ir, next);
}

void runner_fill(Runner *r, const Value *outputs) {
    const Program *p = r->frame->program;
    for (int i = 0; i < p->kernels.n; i++) {
        tell_hook(r, i);
        call_kernel(r, i);
    }
    tell_hook(r, p->kernels.n);
    for (int i = 0; i < p->outputs.n; i++) {
        const Buffer *b = p->outputs.at[i].buffer;
        if (program_output_is_direct(p, i) || !b->count) continue;
        int64_t bytes = b->count * dtypes[b->type].bytes;
        Value size =
            LLVMConstInt(LLVMInt64TypeInContext(r->unit->context), (unsigned long long)bytes, true);
        LLVMBuildMemCpy(r->ir, outputs[i], 1, place_of(r, b), 1, size);
    }
}

/* void NAME(weights, arena, inputs, outputs, hook, crew) */
static void add_runner(const Frame *f, const LlvmUnit *u, const char *name, bool scattered) {
    const Program *p = f->program;
    LLVMContextRef c = u->context;
    Value function =
        LLVMAddFunction(u->module, name, function_type(f, c, LLVMVoidTypeInContext(c), 6));
    Value *outputs = NEW_ARRAY(f->arena, Value, p->outputs.n + 1);
    Runner r = {.frame = f, .unit = u, .ir = LLVMCreateBuilderInContext(c), .scattered = scattered};
    LLVMPositionBuilderAtEnd(r.ir, LLVMAppendBasicBlockInContext(c, function, ""));
    r.weights = LLVMGetParam(function, 0);
    r.arena = LLVMGetParam(function, 1);
    r.hook = LLVMGetParam(function, 4);
    r.crew = LLVMGetParam(function, 5);
    r.image = weights_place(p);
    r.places = NEW_ARRAY(f->arena, Value, p->buffers.n + 1);
    for (int i = 0; i < p->inputs.n; i++)
        r.places[p->inputs.at[i].buffer->id] = pointer_from(&r, LLVMGetParam(function, 2), i);
    for (int i = 0; i < p->outputs.n; i++) {
        outputs[i] = pointer_from(&r, LLVMGetParam(function, 3), i);
        if (program_output_is_direct(p, i)) r.places[p->outputs.at[i].buffer->id] = outputs[i];
    }
    runner_fill(&r, outputs);
    LLVMBuildRetVoid(r.ir);
    LLVMDisposeBuilder(r.ir);
}

/* Groups of kernels. */

enum { MOST_GROUPS = 32 };

static int lightest(const int64_t *work, int n) {
    int best = 0;
    for (int i = 1; i < n; i++)
        if (work[i] < work[best]) best = i;
    return best;
}

static int64_t work_of(const Kernel *k) { return 50 + k->n_exprs; }

LlvmUnits emit_llvm_split(const Program *p, const char *prefix) {
    Frame f = frame_new(p, prefix, LLVMExternalLinkage);
    f.shares = true;
    int n = p->kernels.n < MOST_GROUPS ? p->kernels.n : MOST_GROUPS;
    int64_t work[MOST_GROUPS] = {0};
    LlvmUnits units = units_new(&f, n + 1);
    for (int i = 0; i < p->kernels.n; i++) {
        int group = lightest(work, n);
        unit_add_kernel(&f, &units.at[group], i);
        work[group] += work_of(p->kernels.at[i]);
    }
    add_runner(&f, &units.at[n], arena_format(f.arena, "%s_run", prefix), false);
    add_runner(&f, &units.at[n], arena_format(f.arena, "%s_run_scattered", prefix), true);
    return units_done(&f);
}
