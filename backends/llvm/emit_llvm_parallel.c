/* emit_llvm_parallel.c - a loop that threads share, as functions of its own:
 *
 *     part(buffers..., captured, begin, end, worker)   the loop from `begin` to `end`
 *     loop(captured, begin, end, worker)               takes the buffers out of what is captured
 * and calls the part
 *
 * and where the loop stood, a call of the crew's run (backend.h).  What is captured is an array of
 * words: the buffers of the kernel, and whatever else the body takes from around it, which turns
 * out when the body is built.  Buffers are parameters because parameters tell that they do not
 * overlap. */
#include "emit_llvm_frame.h"
#include "emit_llvm_parts.h"

enum { WORD = 8, OF_LOOP = 4 };           /* captured, begin, end, worker */
enum { CREW_RUN = 8, CREW_CONTEXT = 16 }; /* places in a Crew */

struct Outline {
    Value *vars, *buffers; /* of the function around the part */
    Value function, locals_end;
    LLVMBasicBlockRef here; /* in it */
    Value captured;         /* the part's parameter */
    VEC(Value) values;      /* what is captured beside the kernel's buffers */
};

static LLVMTypeRef pointer_type(Emitter *e) { return LLVMPointerTypeInContext(e->context, 0); }

static Value word_place(Emitter *e, Value words, int number) {
    return pointer_at(e->ir, e->context, words, (int64_t)number * WORD);
}

/* What a value of the function around it is in the part. */
static Value capture(Emitter *e, Value outer) {
    struct Outline *o = e->outline;
    if (LLVMIsConstant(outer)) return outer;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->ir);
    LLVMPositionBuilderBefore(e->ir, e->locals_end);
    Value place = word_place(e, o->captured, e->params->list.n + o->values.n);
    Value inner = LLVMBuildLoad2(e->ir, LLVMTypeOf(outer), place, "");
    LLVMPositionBuilderAtEnd(e->ir, here);
    vec_push(e->arena, &o->values, outer);
    return inner;
}

Value var_value(Emitter *e, const Var *v) {
    if (!e->vars[v->id] && e->outline) e->vars[v->id] = capture(e, e->outline->vars[v->id]);
    return e->vars[v->id];
}

Value buffer_value(Emitter *e, const Buffer *b) {
    if (!e->buffers[b->id] && e->outline)
        e->buffers[b->id] = capture(e, e->outline->buffers[b->id]);
    return e->buffers[b->id];
}

/* Scratch memory: threads but the first have theirs behind the arena. */

static Value scratch_place(Emitter *e, const Buffer *b, Value first, Value worker) {
    const Program *p = e->program;
    LLVMTypeRef i64 = type_int(e, 64, 1);
    Value number = LLVMBuildSExt(e->ir, worker, i64, "");
    Value before = LLVMBuildMul(e->ir, LLVMBuildSub(e->ir, number, value_int(i64, 1), ""),
                                value_int(i64, p->scratch_bytes), "");
    Value offset = LLVMBuildAdd(e->ir, before,
                                value_int(i64, p->arena_bytes - b->offset + b->worker_offset), "");
    Value own = LLVMBuildGEP2(e->ir, type_int(e, 8, 1), first, &offset, 1, "");
    return LLVMBuildSelect(e->ir, LLVMBuildICmp(e->ir, LLVMIntEQ, number, value_int(i64, 0), ""),
                           first, own, b->name);
}

static void take_scratch(Emitter *e, const Stmt *s, Value worker) {
    for (; s; s = s->next) {
        const Buffer *b = s->buffer;
        if (s->kind == ST_LOCAL && b->kind == BUF_SCRATCH && e->buffers[b->id])
            e->buffers[b->id] = scratch_place(e, b, e->buffers[b->id], worker);
        take_scratch(e, s->body, worker);
        take_scratch(e, s->other, worker);
    }
}

/* The functions. */

static Value function_new(Emitter *e, const char *suffix, int n_buffers) {
    LLVMTypeRef *types = NEW_ARRAY(e->arena, LLVMTypeRef, n_buffers + OF_LOOP);
    for (int i = 0; i <= n_buffers; i++) types[i] = pointer_type(e);
    types[n_buffers + 1] = types[n_buffers + 2] = type_int(e, 64, 1);
    types[n_buffers + 3] = type_int(e, 32, 1);
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->context), types,
                                        (unsigned)(n_buffers + OF_LOOP), false);
    size_t n;
    const char *name = LLVMGetValueName2(e->function, &n);
    Value function =
        LLVMAddFunction(e->module, arena_format(e->arena, "%.*s_%s", (int)n, name, suffix), type);
    LLVMSetLinkage(function, LLVMInternalLinkage);
    function_mark(e->context, function);
    return function;
}

static void part_begin(Emitter *e, struct Outline *o) {
    int n = e->params->list.n;
    Value part = function_new(e, "part", n);
    params_mark(e->context, part, e->params, false);
    *o = (struct Outline){.vars = e->vars,
                          .buffers = e->buffers,
                          .function = e->function,
                          .locals_end = e->locals_end,
                          .here = LLVMGetInsertBlock(e->ir),
                          .captured = LLVMGetParam(part, (unsigned)n)};
    e->vars = NEW_ARRAY(e->arena, Value, e->kernel->n_vars + 1);
    e->buffers = NEW_ARRAY(e->arena, Value, e->program->buffers.n + 1);
    for (int i = 0; i < n; i++)
        e->buffers[e->params->list.at[i].buffer->id] = LLVMGetParam(part, (unsigned)i);
    e->function = part;
    e->outline = o;
    known_forget(e, 0);
    body_begin(e);
}

static void part_end(Emitter *e, const struct Outline *o) {
    LLVMBuildRetVoid(e->ir);
    known_forget(e, 0);
    e->vars = o->vars;
    e->buffers = o->buffers;
    e->function = o->function;
    e->locals_end = o->locals_end;
    e->outline = NULL;
    LLVMPositionBuilderAtEnd(e->ir, o->here);
}

static Value part_new(Emitter *e, const Stmt *s, struct Outline *o) {
    unsigned n = (unsigned)e->params->list.n;
    part_begin(e, o);
    Value part = e->function;
    take_scratch(e, s->body, LLVMGetParam(part, n + 3));
    loop_range(e, s, LLVMGetParam(part, n + 1), LLVMGetParam(part, n + 2), false);
    part_end(e, o);
    return part;
}

static Value loop_new(Emitter *e, Value part) {
    int n = e->params->list.n;
    Value loop = function_new(e, "loop", 0), captured = LLVMGetParam(loop, 0);
    Value *args = NEW_ARRAY(e->arena, Value, n + OF_LOOP);
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->ir);
    LLVMPositionBuilderAtEnd(e->ir, LLVMAppendBasicBlockInContext(e->context, loop, ""));
    for (int i = 0; i < n; i++)
        args[i] = LLVMBuildLoad2(e->ir, pointer_type(e), word_place(e, captured, i), "");
    for (int i = 0; i < OF_LOOP; i++) args[n + i] = LLVMGetParam(loop, (unsigned)i);
    LLVMBuildCall2(e->ir, LLVMGlobalGetValueType(part), part, args, (unsigned)(n + OF_LOOP), "");
    LLVMBuildRetVoid(e->ir);
    LLVMPositionBuilderAtEnd(e->ir, here);
    return loop;
}

/* Where the loop stood. */

static Value words_new(Emitter *e, int n) {
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->ir);
    LLVMPositionBuilderBefore(e->ir, e->locals_end);
    Value words =
        LLVMBuildAlloca(e->ir, LLVMArrayType2(type_int(e, 64, 1), (uint64_t)n + 1), "captured");
    LLVMPositionBuilderAtEnd(e->ir, here);
    return words;
}

static Value from_crew(Emitter *e, int place) {
    return LLVMBuildLoad2(e->ir, pointer_type(e), pointer_at(e->ir, e->context, e->crew, place),
                          "");
}

static void call_crew(Emitter *e, Value loop, Value words, Value extent) {
    LLVMTypeRef types[] = {pointer_type(e), pointer_type(e), pointer_type(e), type_int(e, 64, 1)};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(e->context), types, 4, false);
    Value run = from_crew(e, CREW_RUN), args[] = {from_crew(e, CREW_CONTEXT), loop, words, extent};
    LLVMBuildCall2(e->ir, type, run, args, 4, "");
}

void loop_shared(Emitter *e, const Stmt *s) {
    struct Outline o;
    int n = e->params->list.n;
    Value extent = expr_index(e, s->extent);
    Value part = part_new(e, s, &o);
    Value loop = loop_new(e, part);
    Value words = words_new(e, n + o.values.n);
    for (int i = 0; i < n; i++)
        LLVMBuildStore(e->ir, LLVMGetParam(e->function, (unsigned)i), word_place(e, words, i));
    for (int i = 0; i < o.values.n; i++)
        LLVMBuildStore(e->ir, o.values.at[i], word_place(e, words, n + i));
    call_crew(e, loop, words, extent);
}
