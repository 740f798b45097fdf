/* emit_llvm_memory.c - loads, stores and accumulations.
 *
 * Lanes reach into a buffer in four ways: all at one element, side by side, at equal distances, or
 * anywhere; the last two go lane by lane.  Constants may lie in a mapped file, so no alignment is
 * told for them. */
#include "emit_llvm_parts.h"

/* How the lanes of an index differ: base + stride * lane. */
typedef struct Address {
    bool is_affine;
    const Expr *base;
    int64_t stride;
} Address;

static Address address_of(Emitter *e, const Expr *index) {
    Address a = {.is_affine = true, .base = index};
    if (expr_is_lanes(e, index))
        a.is_affine = expr_affine_in(e->builder, index, e->lane, &a.stride, &a.base);
    return a;
}

static Value pointer_to(Emitter *e, const Buffer *b, Value index) {
    LLVMTypeRef element = type_in_memory(e, b->type, 1);
    return LLVMBuildInBoundsGEP2(e->ir, element, buffer_value(e, b), &index, 1, "");
}

static unsigned alignment_of(const Buffer *b) {
    return b->kind == BUF_CONST ? 1 : (unsigned)dtypes[b->type].bytes;
}

static Value load_at(Emitter *e, const Buffer *b, Value index, int n) {
    Value v = LLVMBuildLoad2(e->ir, type_in_memory(e, b->type, n), pointer_to(e, b, index), "");
    LLVMSetAlignment(v, alignment_of(b));
    return v;
}

static void store_at(Emitter *e, const Buffer *b, Value index, Value v) {
    LLVMSetAlignment(LLVMBuildStore(e->ir, v, pointer_to(e, b, index)), alignment_of(b));
}

/* Is any lane wanted? */
static Value mask_any(Emitter *e) {
    Value bits = LLVMBuildBitCast(e->ir, e->mask, type_int(e, lanes_of(e->mask), 1), "");
    return LLVMBuildICmp(e->ir, LLVMIntNE, bits, value_int_like(bits, 0), "");
}

static Value or_first(Emitter *e, Value wanted, Value index) {
    return LLVMBuildSelect(e->ir, wanted, index, value_int_like(index, 0), "");
}

/* One element for all lanes, or for a scalar. */
static Value load_one(Emitter *e, const Buffer *b, const Expr *index, bool guarded) {
    Value at = expr_index(e, index);
    return load_at(e, b, guarded ? or_first(e, mask_any(e), at) : at, 1);
}

/* Side by side, under a mask. */
static Value load_masked(Emitter *e, const Buffer *b, const Expr *base) {
    LLVMTypeRef type = type_in_memory(e, b->type, e->lanes),
                element = type_in_memory(e, b->type, 1);
    Value at = expr_index(e, base);
    Value pointer = LLVMBuildGEP2(e->ir, element, buffer_value(e, b), &at, 1, "");
    Value alignment = value_int(type_int(e, 32, 1), (int64_t)alignment_of(b));
    Value args[4] = {pointer, alignment, e->mask, LLVMConstNull(type)};
    LLVMTypeRef types[2] = {type, LLVMTypeOf(pointer)};
    return value_intrinsic(e, "llvm.masked.load", types, 2, args, 4);
}

/* The index of one lane.  `all` is the vector of indices where the address is not affine, else its
 * base. */
static Value lane_index(Emitter *e, const Address *a, Value all, int lane) {
    if (!a->is_affine) return value_to_bits(e, value_lane(e, all, lane), 64, true);
    return LLVMBuildAdd(e->ir, all, value_int_like(all, a->stride * lane), "");
}

static Value lane_indices(Emitter *e, const Expr *index, const Address *a) {
    return a->is_affine ? expr_index(e, a->base) : expr_lanes(e, index);
}

static Value load_by_lane(Emitter *e, const Buffer *b, const Expr *index, const Address *a,
                          bool guarded) {
    Value all = lane_indices(e, index, a);
    Value result = LLVMGetPoison(type_in_memory(e, b->type, e->lanes));
    for (int l = 0; l < e->lanes; l++) {
        Value at = lane_index(e, a, all, l);
        if (guarded) at = or_first(e, value_lane(e, e->mask, l), at);
        result = value_insert(e, result, load_at(e, b, at, 1), l);
    }
    return result;
}

static Value load_lanes(Emitter *e, const Expr *x, bool guarded) {
    const Buffer *b = x->buffer;
    Address a = address_of(e, x->args[0]);
    if (a.is_affine && !a.stride) return value_splat(e, load_one(e, b, a.base, guarded), e->lanes);
    if (!a.is_affine || a.stride != 1) return load_by_lane(e, b, x->args[0], &a, guarded);
    if (!guarded) return load_at(e, b, expr_index(e, a.base), e->lanes);
    /* processors have no masks for less than 32 bits */
    return dtypes[b->type].bytes >= 4 ? load_masked(e, b, a.base)
                                      : load_by_lane(e, b, x->args[0], &a, true);
}

Value memory_load(Emitter *e, const Expr *x) {
    const Buffer *b = x->buffer;
    bool in_lanes = expr_is_lanes(e, x), guarded = e->mask && x->traps;
    /* an empty buffer has no element 0; a load from it is never wanted */
    if (!b->count) return LLVMConstNull(type_in_register(e, x->type, in_lanes ? e->lanes : 1));
    Value v = in_lanes ? load_lanes(e, x, guarded) : load_one(e, b, x->args[0], guarded);
    return x->type == DT_BOOL ? bitcast_value(e, v, DT_U8, DT_BOOL) : v;
}

/* Writes. */

static Value to_memory(Emitter *e, DType t, Value v) {
    return t == DT_BOOL ? value_to_bits(e, v, 8, false) : v;
}

/* What is stored, from what was there. */
static Value new_value(Emitter *e, const Stmt *s, Value index, Value value, Value factor) {
    DType t = s->buffer->type;
    if (s->kind == ST_STORE) return to_memory(e, t, value);
    Value old = load_at(e, s->buffer, index, lanes_of(value));
    if (s->fused) {
        Value args[3] = {value, factor, old};
        return value_call(e, "llvm.fma", args, 3);
    }
    return dtype_is_float(t) ? LLVMBuildFAdd(e->ir, old, value, "")
                             : LLVMBuildAdd(e->ir, old, value, "");
}

static void write_at(Emitter *e, const Stmt *s, Value index, Value value, Value factor) {
    store_at(e, s->buffer, index, new_value(e, s, index, value, factor));
}

/* i64 is computed in less where it fits, but stored whole. */
static Value whole(Emitter *e, const Expr *x) {
    return x->type == DT_I64 ? value_to_bits(e, expr_lanes(e, x), 64, true) : expr_lanes(e, x);
}

static void write_lane(Emitter *e, const Stmt *s, int lane, Value index, Value value,
                       Value factor) {
    LLVMBasicBlockRef after = NULL;
    if (e->mask) {
        LLVMBasicBlockRef wanted = block_new(e, "wanted");
        after = block_new(e, "written");
        LLVMBuildCondBr(e->ir, value_lane(e, e->mask, lane), wanted, after);
        LLVMPositionBuilderAtEnd(e->ir, wanted);
    }
    write_at(e, s, index, value_lane(e, value, lane), factor ? value_lane(e, factor, lane) : NULL);
    if (!after) return;
    LLVMBuildBr(e->ir, after);
    LLVMPositionBuilderAtEnd(e->ir, after);
}

static void write_lanes(Emitter *e, const Stmt *s) {
    Address a = address_of(e, s->index);
    Value value = whole(e, s->value), factor = s->factor ? expr_lanes(e, s->factor) : NULL;
    Value all = lane_indices(e, s->index, &a);
    if (a.is_affine && a.stride == 1 && !e->mask) {
        write_at(e, s, all, value, factor);
        return;
    }
    for (int l = 0; l < e->lanes; l++)
        write_lane(e, s, l, lane_index(e, &a, all, l), value, factor);
}

void memory_write(Emitter *e, const Stmt *s) {
    if (!s->buffer->count) return;
    if (e->lane) {
        write_lanes(e, s);
        return;
    }
    Value index = expr_index(e, s->index), value = expr_value(e, s->value);
    write_at(e, s, index, value, s->factor ? expr_value(e, s->factor) : NULL);
}

void memory_declare(Emitter *e, const Buffer *local) {
    enum { ALIGNMENT = 64 };
    if (e->buffers[local->id]) return;
    LLVMBasicBlockRef here = LLVMGetInsertBlock(e->ir);
    LLVMPositionBuilderBefore(e->ir, e->locals_end);
    uint64_t count = (uint64_t)(local->count > 0 ? local->count : 1);
    LLVMTypeRef type = LLVMArrayType2(type_in_memory(e, local->type, 1), count);
    Value place = LLVMBuildAlloca(e->ir, type, local->name);
    LLVMSetAlignment(place, ALIGNMENT);
    e->buffers[local->id] = place;
    LLVMPositionBuilderAtEnd(e->ir, here);
}

/* For reading, into the second-level cache, data. */
void memory_prefetch(Emitter *e, const Stmt *s) {
    Value pointer = pointer_to(e, s->buffer, expr_index(e, s->index));
    LLVMTypeRef word = type_int(e, 32, 1), type = LLVMTypeOf(pointer);
    Value args[4] = {pointer, value_int(word, 0), value_int(word, 2), value_int(word, 1)};
    value_intrinsic(e, "llvm.prefetch", &type, 1, args, 4);
}
