/* emit_llvm_kernel.c - the statements of a kernel.
 *
 * Loops are made with the test at the end, as optimizers want them; those to be unrolled are
 * repeated here, so that local arrays become registers at once. */
#include "emit_llvm_parts.h"

LLVMBasicBlockRef block_new(Emitter *e, const char *name) {
    return LLVMAppendBasicBlockInContext(e->context, e->function, name);
}

static void emit_block(Emitter *e, const Stmt *s);

/* Loops. */

static void emit_unrolled(Emitter *e, const Stmt *s, int64_t extent) {
    e->copies *= (int)extent;
    for (int64_t i = 0; i < extent; i++) {
        e->vars[s->var->id] = value_int(type_int(e, 64, 1), i);
        emit_block(e, s->body);
    }
    e->copies /= (int)extent;
}

void loop_range(Emitter *e, const Stmt *s, Value begin, Value end_of_range, bool runs) {
    LLVMTypeRef i64 = type_int(e, 64, 1);
    LLVMBasicBlockRef body = block_new(e, s->var->name), after = block_new(e, "after");
    if (runs)
        LLVMBuildBr(e->ir, body);
    else
        LLVMBuildCondBr(e->ir, LLVMBuildICmp(e->ir, LLVMIntSLT, begin, end_of_range, ""), body,
                        after);
    LLVMBasicBlockRef before = LLVMGetInsertBlock(e->ir);
    LLVMPositionBuilderAtEnd(e->ir, body);
    Value i = LLVMBuildPhi(e->ir, i64, s->var->name);
    e->vars[s->var->id] = i;
    emit_block(e, s->body);
    Value next = LLVMBuildNSWAdd(e->ir, i, value_int(i64, 1), "");
    LLVMBasicBlockRef end = LLVMGetInsertBlock(e->ir);
    LLVMBuildCondBr(e->ir, LLVMBuildICmp(e->ir, LLVMIntSLT, next, end_of_range, ""), body, after);
    LLVMAddIncoming(i, &begin, &before, 1);
    LLVMAddIncoming(i, &next, &end, 1);
    LLVMPositionBuilderAtEnd(e->ir, after);
}

static void emit_loop(Emitter *e, const Stmt *s) {
    Value extent = expr_index(e, s->extent);
    loop_range(e, s, value_int(type_int(e, 64, 1), 0), extent, s->extent->lo >= 1);
}

/* 0, 1, 2, ... */
static Value lane_numbers(Emitter *e, int n) {
    Value all[MAX_LANES];
    for (int l = 0; l < n; l++) all[l] = value_int(type_int(e, 32, 1), l);
    return LLVMConstVector(all, (unsigned)n);
}

static void emit_lanes(Emitter *e, const Stmt *s) {
    e->lane = s->var;
    e->lanes = (int)s->var->lanes;
    e->vars[s->var->id] = lane_numbers(e, e->lanes);
    emit_block(e, s->body);
    e->lane = NULL;
    e->lanes = 1;
}

static void emit_for(Emitter *e, const Stmt *s) {
    enum { MOST_COPIES = 1024, LONGEST = 64 };
    int64_t extent;
    bool is_const = expr_is_const_int(s->extent, &extent);
    if (is_const && extent <= 0) return;
    if (e->crew && !e->outline && s->loop == LOOP_PARALLEL)
        loop_shared(e, s);
    else if (!e->lane && loop_is_vector(e->program->target, s))
        emit_lanes(e, s);
    else if (s->loop == LOOP_UNROLL && is_const && extent <= LONGEST &&
             e->copies * extent <= MOST_COPIES)
        emit_unrolled(e, s, extent);
    else
        emit_loop(e, s);
}

/* Conditions. */

static void emit_masked_if(Emitter *e, const Stmt *s) {
    Value outer = e->mask, cond = expr_lanes(e, s->cond);
    e->mask = mask_and(e, outer, cond);
    emit_block(e, s->body);
    if (s->other) {
        e->mask = mask_and(e, outer, LLVMBuildNot(e->ir, cond, ""));
        emit_block(e, s->other);
    }
    e->mask = outer;
}

static void emit_arm(Emitter *e, const Stmt *s, LLVMBasicBlockRef begin, LLVMBasicBlockRef after) {
    LLVMPositionBuilderAtEnd(e->ir, begin);
    emit_block(e, s);
    LLVMBuildBr(e->ir, after);
}

static void emit_if(Emitter *e, const Stmt *s) {
    if (expr_is_lanes(e, s->cond)) {
        emit_masked_if(e, s);
        return;
    }
    Value cond = expr_value(e, s->cond);
    LLVMBasicBlockRef yes = block_new(e, "if"), no = s->other ? block_new(e, "else") : NULL;
    LLVMBasicBlockRef after = block_new(e, "after");
    LLVMBuildCondBr(e->ir, cond, yes, no ? no : after);
    emit_arm(e, s->body, yes, after);
    if (no) emit_arm(e, s->other, no, after);
    LLVMPositionBuilderAtEnd(e->ir, after);
}

static void emit_stmt(Emitter *e, const Stmt *s) {
    known_forget(e, 0);
    switch (s->kind) {
    case ST_FOR: emit_for(e, s); break;
    case ST_IF: emit_if(e, s); break;
    case ST_LET: e->vars[s->var->id] = expr_value(e, s->value); break;
    case ST_LOCAL:
        if (s->buffer->kind == BUF_LOCAL) memory_declare(e, s->buffer);
        break;
    case ST_STORE:
    case ST_ACC: memory_write(e, s); break;
    case ST_PREFETCH: memory_prefetch(e, s); break;
    }
}

static void emit_block(Emitter *e, const Stmt *s) {
    for (; s; s = s->next) emit_stmt(e, s);
    known_forget(e, 0);
}

void body_begin(Emitter *e) {
    LLVMBasicBlockRef locals = block_new(e, "locals"), body = block_new(e, "body");
    LLVMPositionBuilderAtEnd(e->ir, locals);
    e->locals_end = LLVMBuildBr(e->ir, body);
    LLVMPositionBuilderAtEnd(e->ir, body);
}

void kernel_body(Emitter *e) {
    e->lanes = e->copies = 1;
    body_begin(e);
    emit_block(e, e->kernel->body);
    LLVMBuildRetVoid(e->ir);
}
