/* emit_llvm_cast.c - conversions, the same for scalars and vectors.
 *
 * f16 and bf16 are integers here, and converted by the same steps on bits as everywhere in sonoc:
 * what LLVM would make of its own type `half` differs between machines. */
#include "emit_llvm_parts.h"

static bool is_half(DType t) { return t == DT_F16 || t == DT_BF16; }
static bool is_signed(DType t) { return dtypes[t].kind == DK_SIGNED; }

/* Steps on 32 bits. */

static Value bits_and(Emitter *e, Value x, int64_t mask) {
    return LLVMBuildAnd(e->ir, x, value_int_like(x, mask), "");
}
static Value bits_or(Emitter *e, Value x, Value y) { return LLVMBuildOr(e->ir, x, y, ""); }
static Value bits_add(Emitter *e, Value x, int64_t y) {
    return LLVMBuildAdd(e->ir, x, value_int_like(x, y), "");
}
static Value bits_up(Emitter *e, Value x, int n) {
    return LLVMBuildShl(e->ir, x, value_int_like(x, n), "");
}
static Value bits_down(Emitter *e, Value x, int n) {
    return LLVMBuildLShr(e->ir, x, value_int_like(x, n), "");
}
static Value bits_below(Emitter *e, Value x, int64_t limit) {
    return LLVMBuildICmp(e->ir, LLVMIntULT, x, value_int_like(x, limit), "");
}
static Value choose(Emitter *e, Value cond, Value yes, Value no) {
    return LLVMBuildSelect(e->ir, cond, yes, no, "");
}
static Value as_float(Emitter *e, Value bits) {
    return LLVMBuildBitCast(e->ir, bits, type_in_register(e, DT_F32, lanes_of(bits)), "");
}
static Value as_bits(Emitter *e, Value f) {
    return LLVMBuildBitCast(e->ir, f, type_int(e, 32, lanes_of(f)), "");
}

/* From and to halves by way of f32. */

static Value from_half(Emitter *e, Value half, DType from) {
    Value h = value_to_bits(e, half, 32, false);
    if (from == DT_BF16) return as_float(e, bits_up(e, h, 16));
    Value sign = bits_up(e, bits_and(e, h, 0x8000), 16);
    Value bits = bits_up(e, bits_and(e, h, 0x7fff), 13);
    Value scale = value_float(type_in_register(e, DT_F32, lanes_of(bits)), 0x1p112);
    Value finite = as_bits(e, LLVMBuildFMul(e->ir, as_float(e, bits), scale, ""));
    Value special = bits_add(e, bits, 0x70000000); /* infinite, NaN */
    Value result = choose(e, bits_below(e, bits, 0x0f800000), finite, special);
    return as_float(e, bits_or(e, sign, result));
}

static Value to_bf16(Emitter *e, Value f) {
    Value bits = as_bits(e, f), top = bits_down(e, bits, 16);
    Value sum = LLVMBuildAdd(e->ir, bits_add(e, bits, 0x7fff), bits_and(e, top, 1), "");
    Value number = bits_below(e, bits_and(e, bits, 0x7fffffff), 0x7f800001);
    Value nan = bits_or(e, top, value_int_like(top, 0x40));
    return value_to_bits(e, choose(e, number, bits_down(e, sum, 16), nan), 16, false);
}

static Value to_f16(Emitter *e, Value f) {
    Value all = as_bits(e, f), bits = bits_and(e, all, 0x7fffffff);
    Value sign = bits_and(e, bits_down(e, all, 16), 0x8000);
    Value half = value_float(LLVMTypeOf(f), 0.5);
    Value small = as_bits(e, LLVMBuildFAdd(e->ir, as_float(e, bits), half, ""));
    Value odd = bits_and(e, bits_down(e, bits, 13), 1);
    Value sum = LLVMBuildAdd(e->ir, bits_add(e, bits, 0xfff - 0x38000000), odd, "");
    Value result = choose(e, bits_below(e, bits, 0x38800000), bits_add(e, small, -0x3f000000),
                          bits_down(e, sum, 13));
    result = choose(e, bits_below(e, bits, 0x477ff000), result, value_int_like(bits, 0x7c00));
    result = choose(e, bits_below(e, bits, 0x7f800001), result, value_int_like(bits, 0x7e00));
    return value_to_bits(e, bits_or(e, sign, result), 16, false);
}

static Value to_half(Emitter *e, Value f, DType to) {
    return to == DT_F16 ? to_f16(e, f) : to_bf16(e, f);
}

/* The last bit set if anything is lost: a second rounding then cannot err. */
static Value round_to_odd(Emitter *e, Value d) {
    int n = lanes_of(d);
    Value f = LLVMBuildFPTrunc(e->ir, d, type_in_register(e, DT_F32, n), "");
    Value back = LLVMBuildFPExt(e->ir, f, LLVMTypeOf(d), ""), bits = as_bits(e, f);
    Value zero = value_float(LLVMTypeOf(d), 0);
    Value below = LLVMBuildFCmp(e->ir, LLVMRealOLT, d, zero, "");
    Value rest =
        choose(e, below, LLVMBuildFSub(e->ir, d, back, ""), LLVMBuildFSub(e->ir, back, d, ""));
    Value beyond = LLVMBuildFCmp(e->ir, LLVMRealOGT, rest, zero, "");
    Value odd = bits_or(e, choose(e, beyond, bits_add(e, bits, -1), bits), value_int_like(bits, 1));
    Value lost = LLVMBuildFCmp(e->ir, LLVMRealONE, back, d, "");
    return as_float(e, choose(e, lost, odd, bits));
}

/* A 64-bit integer as f64, rounded to odd at 53 bits. */
static Value wide_to_double(Emitter *e, Value x, bool with_sign) {
    Value zero = value_int_like(x, 0);
    Value below = LLVMBuildICmp(e->ir, LLVMIntSLT, x, zero, "");
    Value m = with_sign ? choose(e, below, LLVMBuildNeg(e->ir, x, ""), x) : x;
    Value some = LLVMBuildICmp(e->ir, LLVMIntNE, bits_and(e, m, 2047), zero, "");
    Value rest = LLVMBuildZExt(e->ir, some, LLVMTypeOf(x), "");
    Value odd = bits_up(e, bits_or(e, bits_down(e, m, 11), rest), 11);
    Value magnitude = choose(e, bits_below(e, m, INT64_C(1) << 53), m, odd);
    Value d = LLVMBuildUIToFP(e->ir, magnitude, type_in_register(e, DT_F64, lanes_of(x)), "");
    return with_sign ? choose(e, below, LLVMBuildFNeg(e->ir, d, ""), d) : d;
}

static Value int_to_float(Emitter *e, Value x, DType from, LLVMTypeRef to) {
    return is_signed(from) ? LLVMBuildSIToFP(e->ir, x, to, "") : LLVMBuildUIToFP(e->ir, x, to, "");
}

/* f16 and bf16 are made from f32 or, where that would round twice, from f64. */
static Value any_to_half(Emitter *e, Value x, DType from, DType to) {
    int n = lanes_of(x);
    if (is_half(from)) return to_half(e, from_half(e, x, from), to);
    if (from == DT_F32) return to_half(e, x, to);
    if (from == DT_F64) return to_half(e, round_to_odd(e, x), to);
    if (from == DT_I64 || from == DT_U64)
        return to_half(e, round_to_odd(e, wide_to_double(e, x, from == DT_I64)), to);
    if (dtypes[from].bytes < 4)
        return to_half(e, int_to_float(e, x, from, type_in_register(e, DT_F32, n)), to);
    return to_half(e, round_to_odd(e, int_to_float(e, x, from, type_in_register(e, DT_F64, n))),
                   to);
}

static Value to_bool(Emitter *e, Value x, DType from) {
    if (is_half(from)) x = from_half(e, x, from);
    if (!dtype_is_float(from)) return LLVMBuildICmp(e->ir, LLVMIntNE, x, value_int_like(x, 0), "");
    return LLVMBuildFCmp(e->ir, LLVMRealUNE, x, value_float(LLVMTypeOf(x), 0), "");
}

static Value to_int(Emitter *e, Value x, DType from, DType to) {
    LLVMTypeRef type = type_in_register(e, to, lanes_of(x));
    if (!dtype_is_float(from)) {
        x = value_to_bits(e, x, 8 * dtypes[to].bytes, is_signed(from));
        if (to == DT_U4) return bits_and(e, x, 15);
        if (to != DT_I4) return x;
        return bits_add(e, LLVMBuildXor(e->ir, bits_and(e, x, 15), value_int_like(x, 8), ""), -8);
    }
    Value i =
        is_signed(to) ? LLVMBuildFPToSI(e->ir, x, type, "") : LLVMBuildFPToUI(e->ir, x, type, "");
    /* lanes that are not wanted may hold anything, but it has to be something */
    return e->mask ? LLVMBuildFreeze(e->ir, i, "") : i;
}

static Value to_float(Emitter *e, Value x, DType from, DType to) {
    LLVMTypeRef type = type_in_register(e, to, lanes_of(x));
    if (!dtype_is_float(from)) return int_to_float(e, x, from, type);
    if (from == to) return x;
    return to == DT_F64 ? LLVMBuildFPExt(e->ir, x, type, "") : LLVMBuildFPTrunc(e->ir, x, type, "");
}

Value cast_value(Emitter *e, Value x, DType from, DType to) {
    if (to == DT_BOOL) return from == DT_BOOL ? x : to_bool(e, x, from);
    if (is_half(to)) return any_to_half(e, x, from, to);
    if (is_half(from)) {
        x = from_half(e, x, from);
        from = DT_F32;
    }
    return dtype_is_float(to) ? to_float(e, x, from, to) : to_int(e, x, from, to);
}

Value bitcast_value(Emitter *e, Value x, DType from, DType to) {
    if (from == DT_BOOL) x = value_to_bits(e, x, 8, false);
    if (to == DT_BOOL) return LLVMBuildICmp(e->ir, LLVMIntNE, x, value_int_like(x, 0), "");
    return LLVMBuildBitCast(e->ir, x, type_in_register(e, to, lanes_of(x)), "");
}
