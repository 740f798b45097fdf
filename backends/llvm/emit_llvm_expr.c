/* emit_llvm_expr.c - expressions of loop IR as LLVM values.
 *
 * An index in lanes is computed in 32 bits where ranges prove that the whole computation fits:
 * twice the lanes in a register.  Scalars keep their 64 bits. */
#include "emit_llvm_parts.h"

bool expr_is_lanes(const Emitter *e, const Expr *x) { return e->lane && x->vector; }

/* The type that x is computed in. */
static DType repr_of(Emitter *e, const Expr *x) {
    return expr_is_lanes(e, x) && expr_fits_int(e->lets, x) ? DT_I32 : x->type;
}

/* x in that type, in n lanes. */
static Value operand(Emitter *e, const Expr *x, DType repr, int n) {
    Value v = expr_value(e, x);
    if (x->type == DT_I64) v = value_to_bits(e, v, 8 * dtypes[repr].bytes, true);
    return lanes_of(v) == n ? v : value_splat(e, v, n);
}

Value expr_lanes(Emitter *e, const Expr *x) { return operand(e, x, repr_of(e, x), e->lanes); }

Value expr_index(Emitter *e, const Expr *x) {
    return operand(e, x, DT_I64, expr_is_lanes(e, x) ? e->lanes : 1);
}

/* What is known of the statement at hand. */

static void know(Emitter *e, const Expr *x, Value v) {
    map_set(&e->known, (uintptr_t)x, v);
    vec_push(e->arena, &e->trail, x);
}

void known_forget(Emitter *e, int mark) {
    while (e->trail.n > mark) map_set(&e->known, (uintptr_t)e->trail.at[--e->trail.n], NULL);
}

/* Only what may fail: it was computed for the lanes of a mask that is no more. */
static void forget_traps(Emitter *e, int mark) {
    for (int i = mark; i < e->trail.n; i++)
        if (e->trail.at[i]->traps) map_set(&e->known, (uintptr_t)e->trail.at[i], NULL);
}

/* Arithmetic. */

static Value smaller(Emitter *e, DType t, bool or_equal, Value x, Value y) {
    if (dtype_is_float(t))
        return LLVMBuildFCmp(e->ir, or_equal ? LLVMRealOLE : LLVMRealOLT, x, y, "");
    bool with_sign = dtypes[t].kind == DK_SIGNED;
    LLVMIntPredicate signed_one = or_equal ? LLVMIntSLE : LLVMIntSLT;
    LLVMIntPredicate unsigned_one = or_equal ? LLVMIntULE : LLVMIntULT;
    return LLVMBuildICmp(e->ir, with_sign ? signed_one : unsigned_one, x, y, "");
}

static Value compare(Emitter *e, ScalarOp op, DType t, Value x, Value y) {
    if (op == SC_LT || op == SC_LE) return smaller(e, t, op == SC_LE, x, y);
    if (dtype_is_float(t))
        return LLVMBuildFCmp(e->ir, op == SC_EQ ? LLVMRealOEQ : LLVMRealUNE, x, y, "");
    return LLVMBuildICmp(e->ir, op == SC_EQ ? LLVMIntEQ : LLVMIntNE, x, y, "");
}

static Value float_op(Emitter *e, const Expr *x, Value *v) {
    LLVMBuilderRef ir = e->ir;
    switch ((int)x->op) {
    case SC_ADD: return LLVMBuildFAdd(ir, v[0], v[1], "");
    case SC_SUB: return LLVMBuildFSub(ir, v[0], v[1], "");
    case SC_MUL: return LLVMBuildFMul(ir, v[0], v[1], "");
    case SC_DIV: return LLVMBuildFDiv(ir, v[0], v[1], "");
    case SC_NEG: return LLVMBuildFNeg(ir, v[0], "");
    case SC_ABS: return value_call(e, "llvm.fabs", v, 1);
    case SC_FMA: return value_call(e, "llvm.fma", v, 3);
    case SC_SQRT: return value_call(e, "llvm.sqrt", v, 1);
    default: BUG(e->program->unit, "an operation that floats lack");
    }
}

/* Division by 0 gives 0 (and the remainder then is the dividend); the smallest by -1 wraps. */
static Value divide(Emitter *e, const Expr *x, Value a, Value b) {
    LLVMBuilderRef ir = e->ir;
    bool with_sign = dtypes[x->type].kind == DK_SIGNED, quotient = x->op == SC_DIV,
         safe = divisor_is_safe(x);
    Value zero = value_int_like(b, 0), one = value_int_like(b, 1), by = b;
    Value by_zero = LLVMBuildICmp(ir, LLVMIntEQ, b, zero, "");
    Value by_minus = LLVMBuildICmp(ir, LLVMIntEQ, b, value_int_like(b, -1), "");
    if (!safe) by = LLVMBuildSelect(ir, by_zero, one, by, "");
    if (!safe && with_sign) by = LLVMBuildSelect(ir, by_minus, one, by, "");
    Value result = with_sign && quotient ? LLVMBuildSDiv(ir, a, by, "")
                   : with_sign           ? LLVMBuildSRem(ir, a, by, "")
                   : quotient            ? LLVMBuildUDiv(ir, a, by, "")
                                         : LLVMBuildURem(ir, a, by, "");
    if (safe) return result;
    if (with_sign && quotient)
        result = LLVMBuildSelect(ir, by_minus, LLVMBuildNeg(ir, a, ""), result, "");
    return LLVMBuildSelect(ir, by_zero, quotient ? zero : a, result, "");
}

static Value shift(Emitter *e, const Expr *x, Value a, Value count) {
    int bits = int_bits_of(a);
    if (x->args[1]->lo < 0 || x->args[1]->hi >= bits)
        count = LLVMBuildAnd(e->ir, count, value_int_like(count, bits - 1), "");
    if (x->op == SC_SHL) return LLVMBuildShl(e->ir, a, count, "");
    bool with_sign = dtypes[x->type].kind == DK_SIGNED;
    return with_sign ? LLVMBuildAShr(e->ir, a, count, "") : LLVMBuildLShr(e->ir, a, count, "");
}

/* Every second 16-bit half, from `first` on, as 32 bits. */
static Value halves(Emitter *e, Value pairs, int first) {
    int n = lanes_of(pairs);
    Value all = LLVMBuildBitCast(e->ir, pairs, type_int(e, 16, 2 * n), "");
    if (n == 1) {
        Value half = LLVMBuildExtractElement(e->ir, all, value_int(type_int(e, 32, 1), first), "");
        return LLVMBuildSExt(e->ir, half, LLVMTypeOf(pairs), "");
    }
    LLVMValueRef places[2 * MAX_LANES];
    for (int i = 0; i < n; i++) places[i] = value_int(type_int(e, 32, 1), 2 * i + first);
    Value mask = LLVMConstVector(places, (unsigned)n);
    Value half = LLVMBuildShuffleVector(e->ir, all, LLVMGetPoison(LLVMTypeOf(all)), mask, "");
    return LLVMBuildSExt(e->ir, half, LLVMTypeOf(pairs), "");
}

/* In the form that LLVM knows as one instruction where there is one (pmaddwd, vpdpwssd). */
static Value dot2(Emitter *e, Value *v) {
    Value low = LLVMBuildMul(e->ir, halves(e, v[0], 0), halves(e, v[1], 0), "");
    Value high = LLVMBuildMul(e->ir, halves(e, v[0], 1), halves(e, v[1], 1), "");
    return LLVMBuildAdd(e->ir, LLVMBuildAdd(e->ir, low, high, ""), v[2], "");
}

/* Sums of indices that are proven not to wrap say so: addresses get simpler. */
static Value int_op(Emitter *e, const Expr *x, Value *v) {
    LLVMBuilderRef ir = e->ir;
    bool exact = dtypes[x->type].kind == DK_SIGNED && x->type != DT_I4 && !expr_wraps(x);
    switch ((int)x->op) {
    case SC_ADD:
        return exact ? LLVMBuildNSWAdd(ir, v[0], v[1], "") : LLVMBuildAdd(ir, v[0], v[1], "");
    case SC_SUB:
        return exact ? LLVMBuildNSWSub(ir, v[0], v[1], "") : LLVMBuildSub(ir, v[0], v[1], "");
    case SC_MUL:
        return exact ? LLVMBuildNSWMul(ir, v[0], v[1], "") : LLVMBuildMul(ir, v[0], v[1], "");
    case SC_DIV:
    case SC_REM: return divide(e, x, v[0], v[1]);
    case SC_NEG: return LLVMBuildNeg(ir, v[0], "");
    case SC_ABS:
        if (dtypes[x->type].kind == DK_UNSIGNED) return v[0];
        return LLVMBuildSelect(ir, smaller(e, x->type, false, v[0], value_int_like(v[0], 0)),
                               LLVMBuildNeg(ir, v[0], ""), v[0], "");
    case SC_AND: return LLVMBuildAnd(ir, v[0], v[1], "");
    case SC_OR: return LLVMBuildOr(ir, v[0], v[1], "");
    case SC_XOR: return LLVMBuildXor(ir, v[0], v[1], "");
    case SC_NOT: return LLVMBuildNot(ir, v[0], "");
    case SC_SHL:
    case SC_SHR: return shift(e, x, v[0], v[1]);
    case SC_DOT2: return dot2(e, v);
    default: BUG(e->program->unit, "an operation that integers lack");
    }
}

static bool is_compare(ScalarOp op) {
    return op == SC_LT || op == SC_LE || op == SC_EQ || op == SC_NE;
}

/* The type that the operands of a scalar operation are brought to. */
static DType operands_repr(Emitter *e, const Expr *x) {
    DType t = x->args[0]->type;
    if (t != DT_I64 || !expr_is_lanes(e, x)) return t;
    if (is_compare(x->op))
        return expr_fits_int(e->lets, x->args[0]) && expr_fits_int(e->lets, x->args[1]) ? DT_I32
                                                                                        : t;
    bool long_shift =
        (x->op == SC_SHL || x->op == SC_SHR) && !(x->args[1]->lo >= 0 && x->args[1]->hi < 32);
    return long_shift ? t : repr_of(e, x);
}

static Value scalar_value(Emitter *e, const Expr *x) {
    DType t = operands_repr(e, x);
    int n = expr_is_lanes(e, x) ? e->lanes : 1;
    Value v[3];
    for (int k = 0; k < x->n_args; k++) v[k] = operand(e, x->args[k], t, n);
    if (is_compare(x->op)) return compare(e, x->op, t, v[0], v[1]);
    if (x->op == SC_MIN || x->op == SC_MAX) {
        Value first =
            x->op == SC_MIN ? smaller(e, t, false, v[0], v[1]) : smaller(e, t, false, v[1], v[0]);
        return LLVMBuildSelect(e->ir, first, v[0], v[1], "");
    }
    Value result = dtype_is_float(t) ? float_op(e, x, v) : int_op(e, x, v);
    return x->type == DT_I64 ? value_to_bits(e, result, 8 * dtypes[repr_of(e, x)].bytes, true)
                             : result;
}

/* Selection. */

Value mask_and(Emitter *e, Value x, Value y) { return x ? LLVMBuildAnd(e->ir, x, y, "") : y; }

/* Both sides, each for the lanes that want it. */
static Value masked_select(Emitter *e, const Expr *x, DType repr) {
    Value outer = e->mask, cond = operand(e, x->args[0], DT_BOOL, e->lanes);
    int mark = e->trail.n;
    e->mask = mask_and(e, outer, cond);
    Value yes = operand(e, x->args[1], repr, e->lanes);
    forget_traps(e, mark);
    e->mask = mask_and(e, outer, LLVMBuildNot(e->ir, cond, ""));
    Value no = operand(e, x->args[2], repr, e->lanes);
    forget_traps(e, mark);
    e->mask = outer;
    return LLVMBuildSelect(e->ir, cond, yes, no, "");
}

static Value arm(Emitter *e, const Expr *x, DType repr, int n, LLVMBasicBlockRef begin,
                 LLVMBasicBlockRef after, LLVMBasicBlockRef *end) {
    int mark = e->trail.n;
    LLVMPositionBuilderAtEnd(e->ir, begin);
    Value v = operand(e, x, repr, n);
    known_forget(e, mark);
    *end = LLVMGetInsertBlock(e->ir);
    LLVMBuildBr(e->ir, after);
    return v;
}

/* Only the side that is chosen. */
static Value branching_select(Emitter *e, const Expr *x, DType repr, int n) {
    LLVMBasicBlockRef yes = block_new(e, "yes"), no = block_new(e, "no"),
                      after = block_new(e, "chosen");
    LLVMBuildCondBr(e->ir, expr_value(e, x->args[0]), yes, no);
    LLVMBasicBlockRef ends[2];
    Value values[2];
    values[0] = arm(e, x->args[1], repr, n, yes, after, &ends[0]);
    values[1] = arm(e, x->args[2], repr, n, no, after, &ends[1]);
    LLVMPositionBuilderAtEnd(e->ir, after);
    Value result = LLVMBuildPhi(e->ir, LLVMTypeOf(values[0]), "");
    LLVMAddIncoming(result, values, ends, 2);
    return result;
}

static Value select_value(Emitter *e, const Expr *x) {
    int n = expr_is_lanes(e, x) ? e->lanes : 1;
    DType repr = repr_of(e, x);
    bool in_lanes = expr_is_lanes(e, x->args[0]), traps = x->args[1]->traps || x->args[2]->traps;
    if (traps && in_lanes) return masked_select(e, x, repr);
    if (traps) return branching_select(e, x, repr, n);
    Value cond = in_lanes ? operand(e, x->args[0], DT_BOOL, n) : expr_value(e, x->args[0]);
    Value yes = operand(e, x->args[1], repr, n), no = operand(e, x->args[2], repr, n);
    return LLVMBuildSelect(e->ir, cond, yes, no, "");
}

/* All kinds. */

static Value const_value(Emitter *e, const Expr *x) {
    LLVMTypeRef type = type_in_register(e, x->type, 1);
    if (x->type == DT_F16) return value_int(type, float_to_half((float)x->value.f));
    if (x->type == DT_BF16) return value_int(type, float_to_bfloat((float)x->value.f));
    return dtype_is_float(x->type) ? value_float(type, x->value.f) : value_int(type, x->value.i);
}

static Value cast_expr(Emitter *e, const Expr *x) {
    const Expr *arg = x->args[0];
    DType from = repr_of(e, arg);
    Value v = operand(e, arg, from, expr_is_lanes(e, arg) ? e->lanes : 1);
    return cast_value(e, v, from, repr_of(e, x));
}

static Value compute(Emitter *e, const Expr *x) {
    switch (x->kind) {
    case EX_LOAD: return memory_load(e, x);
    case EX_SCALAR: return scalar_value(e, x);
    case EX_SELECT: return select_value(e, x);
    case EX_CAST: return cast_expr(e, x);
    case EX_BITCAST: {
        const Expr *arg = x->args[0];
        Value v = operand(e, arg, arg->type, expr_is_lanes(e, arg) ? e->lanes : 1);
        return bitcast_value(e, v, arg->type, x->type);
    }
    case EX_CONST:
    case EX_VAR: break;
    }
    BUG(e->program->unit, "an expression of no kind");
}

Value expr_value(Emitter *e, const Expr *x) {
    if (x->kind == EX_CONST) return const_value(e, x);
    if (x->kind == EX_VAR) {
        Value v = var_value(e, x->var);
        if (!v)
            BUG(e->program->unit, "kernel %s: variable %s out of scope", e->kernel->name,
                x->var->name);
        return v;
    }
    Value v = map_get(&e->known, (uintptr_t)x);
    if (v) return v;
    v = compute(e, x);
    know(e, x, v);
    return v;
}
