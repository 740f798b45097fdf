/* emit_llvm_value.c - LLVM's types, constants and the few instructions that are made everywhere. */
#include "emit_llvm_parts.h"

#include <string.h>

static LLVMTypeRef with_lanes(LLVMTypeRef element, int n) {
    return n > 1 ? LLVMVectorType(element, (unsigned)n) : element;
}

LLVMTypeRef type_int(Emitter *e, int bits, int n) {
    return with_lanes(LLVMIntTypeInContext(e->context, (unsigned)bits), n);
}

LLVMTypeRef type_in_memory(Emitter *e, DType t, int n) {
    if (t == DT_F32) return with_lanes(LLVMFloatTypeInContext(e->context), n);
    if (t == DT_F64) return with_lanes(LLVMDoubleTypeInContext(e->context), n);
    return type_int(e, 8 * dtypes[t].bytes, n);
}

LLVMTypeRef type_in_register(Emitter *e, DType t, int n) {
    return t == DT_BOOL ? type_int(e, 1, n) : type_in_memory(e, t, n);
}

static bool is_vector(LLVMTypeRef t) { return LLVMGetTypeKind(t) == LLVMVectorTypeKind; }

static LLVMTypeRef element_of(LLVMTypeRef t) { return is_vector(t) ? LLVMGetElementType(t) : t; }

int lanes_of(Value x) {
    LLVMTypeRef t = LLVMTypeOf(x);
    return is_vector(t) ? (int)LLVMGetVectorSize(t) : 1;
}

int int_bits_of(Value x) { return (int)LLVMGetIntTypeWidth(element_of(LLVMTypeOf(x))); }

static Value constant_in_lanes(LLVMTypeRef type, Value scalar) {
    if (!is_vector(type)) return scalar;
    Value all[MAX_LANES];
    unsigned n = LLVMGetVectorSize(type);
    for (unsigned i = 0; i < n; i++) all[i] = scalar;
    return LLVMConstVector(all, n);
}

Value value_int(LLVMTypeRef type, int64_t i) {
    return constant_in_lanes(type, LLVMConstInt(element_of(type), (unsigned long long)i, true));
}

Value value_float(LLVMTypeRef type, double f) {
    return constant_in_lanes(type, LLVMConstReal(element_of(type), f));
}

Value value_int_like(Value x, int64_t i) { return value_int(LLVMTypeOf(x), i); }

Value value_splat(Emitter *e, Value scalar, int n) {
    if (n == 1) return scalar;
    LLVMTypeRef type = LLVMVectorType(LLVMTypeOf(scalar), (unsigned)n);
    if (LLVMIsConstant(scalar)) return constant_in_lanes(type, scalar);
    Value first = LLVMBuildInsertElement(e->ir, LLVMGetPoison(type), scalar,
                                         value_int(type_int(e, 32, 1), 0), "");
    Value zeros = LLVMConstNull(type_int(e, 32, n));
    return LLVMBuildShuffleVector(e->ir, first, LLVMGetPoison(type), zeros, "");
}

Value value_lane(Emitter *e, Value x, int lane) {
    if (lanes_of(x) == 1) return x;
    return LLVMBuildExtractElement(e->ir, x, value_int(type_int(e, 32, 1), lane), "");
}

Value value_insert(Emitter *e, Value vector, Value scalar, int lane) {
    return LLVMBuildInsertElement(e->ir, vector, scalar, value_int(type_int(e, 32, 1), lane), "");
}

Value value_intrinsic(Emitter *e, const char *name, LLVMTypeRef *types, int n_types, Value *args,
                      int n_args) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    if (!id) BUG(e->program->unit, "LLVM has no %s", name);
    Value function = LLVMGetIntrinsicDeclaration(e->module, id, types, (size_t)n_types);
    LLVMTypeRef type = LLVMIntrinsicGetType(e->context, id, types, (size_t)n_types);
    return LLVMBuildCall2(e->ir, type, function, args, (unsigned)n_args, "");
}

Value value_call(Emitter *e, const char *name, Value *args, int n) {
    LLVMTypeRef type = LLVMTypeOf(args[0]);
    return value_intrinsic(e, name, &type, 1, args, n);
}

Value value_to_bits(Emitter *e, Value x, int bits, bool is_signed) {
    if (int_bits_of(x) == bits) return x;
    return LLVMBuildIntCast2(e->ir, x, type_int(e, bits, lanes_of(x)), is_signed, "");
}
