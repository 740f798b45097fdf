/* emit_c_vector.c - expressions inside a lanes loop as GNU C vectors.
 *
 * What depends on the lane is a vector, what does not stays a scalar and is spread where a vector
 * is needed.  A bool is a mask, 0 or -1 in signed integers as wide as what it was compared from.
 * What has no vector form (scattered loads, integer division, guarded loads) is made lane by lane
 * before the statement that needs it. */
#include "emit_c_text.h"

#include <string.h>

static int lane_count(const Emit *e) { return (int)e->lane->lanes; }

AddressKind address_of(Emit *e, const Expr *index, const Expr **base) {
    int64_t coefficient;
    if (!index->vector) {
        *base = index;
        return ADDRESS_UNIFORM;
    }
    if (!expr_affine_in(e->builder, index, e->lane, &coefficient, base)) return ADDRESS_SCATTERED;
    if (coefficient == 0) return ADDRESS_UNIFORM;
    return coefficient == 1 ? ADDRESS_CONTIGUOUS : ADDRESS_SCATTERED;
}

/* Representation. */

static bool is_compare(const Expr *x) {
    return x->kind == EX_SCALAR &&
           (x->op == SC_LT || x->op == SC_LE || x->op == SC_EQ || x->op == SC_NE);
}

static DType repr_of_type(DType t) {
    switch ((int)t) {
    case DT_F16:
    case DT_BF16: return DT_U16;
    case DT_I4: return DT_I8;
    case DT_U4:
    case DT_BOOL: return DT_U8;
    default: return t;
    }
}

static DType plain_repr(Emit *e, const Expr *x) {
    return expr_is_int(e, x) ? DT_I32 : repr_of_type(x->type);
}

/* Of two operands of one type. */
static DType common_repr(Emit *e, const Expr *x, const Expr *y) {
    DType a = plain_repr(e, x), b = plain_repr(e, y);
    return dtypes[a].bytes >= dtypes[b].bytes ? a : b;
}

static int mask_bytes(Emit *e, const Expr *x);

static int widest_mask(Emit *e, const Expr *x, int from) {
    int widest = 1;
    for (int k = from; k < x->n_args; k++) {
        int bytes = mask_bytes(e, x->args[k]);
        if (bytes > widest) widest = bytes;
    }
    return widest;
}

static int let_mask(Emit *e, const Var *v) {
    signed char *known = &e->let_mask_bytes[v->id];
    if (!*known) *known = (signed char)mask_bytes(e, v->let);
    return *known;
}

static int mask_bytes(Emit *e, const Expr *x) {
    if (!x->vector) return 1;
    switch (x->kind) {
    case EX_VAR: return let_mask(e, x->var);
    case EX_SCALAR:
        if (is_compare(x) && x->args[0]->type != DT_BOOL)
            return dtypes[common_repr(e, x->args[0], x->args[1])].bytes;
        return widest_mask(e, x, 0);
    case EX_SELECT: return widest_mask(e, x, 1);
    case EX_CAST: return dtypes[plain_repr(e, x->args[0])].bytes;
    case EX_CONST:
    case EX_LOAD:
    case EX_BITCAST: break;
    }
    return 1;
}

DType vector_repr(Emit *e, const Expr *x) {
    return x->type == DT_BOOL ? type_signed(mask_bytes(e, x)) : plain_repr(e, x);
}

/* What has no vector form. */

static bool is_half(DType t) { return t == DT_F16 || t == DT_BF16; }
static bool is_four(DType t) { return t == DT_I4 || t == DT_U4; }

/* May it be evaluated in lanes that do not want it? */
static bool is_harmless(const Expr *x) {
    if (!x->traps) return true;
    if (x->kind != EX_CAST && x->kind != EX_SELECT && x->kind != EX_BITCAST) {
        if (x->kind != EX_SCALAR || !(dtype_is_float(x->type) || is_compare(x))) return false;
    }
    for (int k = 0; k < x->n_args; k++)
        if (!is_harmless(x->args[k])) return false;
    return true;
}

static bool is_direct(Emit *e, const Expr *x);

static bool select_is_direct(Emit *e, const Expr *x) {
    if (x->args[0]->vector) return is_harmless(x->args[1]) && is_harmless(x->args[2]);
    return is_direct(e, x->args[1]) && is_direct(e, x->args[2]);
}

/* Has x itself, its parts apart, a vector form? */
static bool has_form(Emit *e, const Expr *x) {
    const Expr *base;
    switch (x->kind) {
    case EX_LOAD: return address_of(e, x->args[0], &base) != ADDRESS_SCATTERED;
    case EX_SCALAR:
        if (is_four(x->type)) return false;
        return dtype_is_float(x->type) || (x->op != SC_DIV && x->op != SC_REM);
    case EX_CAST: return !is_half(x->type) && !is_half(x->args[0]->type) && !is_four(x->type);
    case EX_BITCAST: return x->type != DT_BOOL && x->args[0]->type != DT_BOOL;
    case EX_SELECT: return select_is_direct(e, x);
    case EX_CONST:
    case EX_VAR: break;
    }
    return true;
}

/* A part of x that has to be printed before; loads look after their index themselves. */
static int n_parts(const Expr *x) { return x->kind == EX_LOAD ? 0 : x->n_args; }

static bool is_direct(Emit *e, const Expr *x) {
    if (!x->vector) return true;
    if (!has_form(e, x)) return false;
    for (int k = 0; k < n_parts(x); k++)
        if (!is_direct(e, x->args[k])) return false;
    return true;
}

static void make_lane_by_lane(Emit *e, const Expr *x) {
    const char *name = names_take(&e->names, x->kind == EX_LOAD ? x->buffer->name : "by_lane");
    const char *type = vector_type(e, vector_repr(e, x), lane_count(e));
    int mark = names_enter(&e->names);
    const char *l = names_take(&e->names, e->lane->name);
    emit_line(e, "%s %s = {0};\n", type, name);
    emit_line(e, "UNROLL for (int %s = 0; %s < %d; %s++) %s[%s] = ", l, l, lane_count(e), l, name,
              l);
    if (x->type == DT_BOOL) emit(e, "-");
    e->var_names[e->lane->id] = l;
    e->mode = PRINT_LANE;
    expr_print(e, x, x->type == DT_BOOL ? PREC_UNARY + 1 : PREC_ANY);
    e->mode = PRINT_VECTOR;
    e->var_names[e->lane->id] = NULL;
    emit(e, ";\n");
    names_leave(&e->names, mark);
    map_set(&e->lanewise, (uintptr_t)x, (void *)name);
}

void vector_prepare(Emit *e, const Expr *x) {
    if (!x->vector || map_get(&e->lanewise, (uintptr_t)x)) return;
    if (!has_form(e, x)) {
        make_lane_by_lane(e, x);
        return;
    }
    for (int k = 0; k < n_parts(x); k++) vector_prepare(e, x->args[k]);
}

/* Printing. */

static const char *type_here(Emit *e, DType repr) { return vector_type(e, repr, lane_count(e)); }
static const char *helper_here(Emit *e, Helper h, DType repr) {
    return helper(e, h, repr, lane_count(e));
}

static void open_if(Emit *e, bool wrap) {
    if (wrap) emit(e, "(");
}
static void close_if(Emit *e, bool wrap) {
    if (wrap) emit(e, ")");
}

static void print_splat(Emit *e, const Expr *x, DType repr) {
    emit(e, "%s(", helper_here(e, HELPER_SPLAT, repr));
    if (x->type == DT_BOOL) emit(e, "-");
    expr_print(e, x, x->type == DT_BOOL ? PREC_UNARY + 1 : PREC_ANY);
    emit(e, ")");
}

/* Scalars of these types may stand beside a vector: C spreads them. */
static bool spreads(DType repr) {
    return repr == DT_F32 || repr == DT_F64 || repr == DT_I32 || repr == DT_U32;
}

static void print_operand(Emit *e, const Expr *x, DType repr, int least) {
    if (x->vector || !spreads(repr) || x->type == DT_BOOL)
        vector_print(e, x, repr, least);
    else
        expr_print(e, x, least);
}

static const char *operator_text(ScalarOp op) {
    static const char *const texts[SC_COUNT] = {
        [SC_ADD] = "+", [SC_SUB] = "-",  [SC_MUL] = "*",  [SC_DIV] = "/", [SC_LT] = "<",
        [SC_LE] = "<=", [SC_EQ] = "==",  [SC_NE] = "!=",  [SC_AND] = "&", [SC_OR] = "|",
        [SC_XOR] = "^", [SC_SHL] = "<<", [SC_SHR] = ">>",
    };
    return texts[op];
}

static void print_infix(Emit *e, const Expr *x, DType repr, int least) {
    int level = PREC_ANY, left = PREC_UNARY, right = PREC_UNARY;
    if (x->op == SC_ADD || x->op == SC_SUB) level = left = PREC_ADD;
    if (x->op == SC_MUL || x->op == SC_DIV) level = left = PREC_MUL;
    if (level != PREC_ANY) right = level + 1;
    bool wrap = least > level;
    open_if(e, wrap);
    print_operand(e, x->args[0], repr, left);
    emit(e, " %s ", operator_text(x->op));
    print_operand(e, x->args[1], repr, right);
    close_if(e, wrap);
}

/* Signed lanes that may wrap are computed as unsigned ones. */
static void print_wrapping(Emit *e, const Expr *x, DType repr) {
    const char *bits = type_here(e, type_unsigned(dtypes[repr].bytes));
    emit(e, "(%s)(", type_here(e, repr));
    if (x->op == SC_NEG) emit(e, "-");
    emit(e, "(%s)", bits);
    vector_print(e, x->args[0], repr, PREC_UNARY);
    if (x->op != SC_NEG) {
        emit(e, " %s (%s)", operator_text(x->op), bits);
        vector_print(e, x->args[1], repr, PREC_UNARY);
    }
    emit(e, ")");
}

static void print_arithmetic(Emit *e, const Expr *x, DType repr, int least) {
    if (dtypes[repr].kind == DK_SIGNED && expr_wraps(x))
        print_wrapping(e, x, repr);
    else
        print_infix(e, x, repr, least);
}

static void print_prefix(Emit *e, const Expr *x, const char *text, DType repr) {
    emit(e, "(%s", text);
    vector_print(e, x->args[0], repr, PREC_UNARY);
    emit(e, ")");
}

static void print_call(Emit *e, const Expr *x, Helper h, DType repr) {
    emit(e, "%s(", helper_here(e, h, repr));
    for (int k = 0; k < x->n_args; k++) {
        if (k) emit(e, ", ");
        vector_print(e, x->args[k], repr, PREC_ANY);
    }
    emit(e, ")");
}

/* On masks of 0 and -1. */
static void print_mask_compare(Emit *e, const Expr *x, DType repr) {
    emit(e, x->op == SC_EQ || x->op == SC_LT || x->op == SC_LE ? "(~" : "(");
    if (x->op == SC_EQ) emit(e, "(");
    vector_print(e, x->args[0], repr, PREC_UNARY);
    emit(e, x->op == SC_LT ? " & " : x->op == SC_LE ? " | " : " ^ ");
    vector_print(e, x->args[1], repr, PREC_UNARY);
    emit(e, x->op == SC_EQ ? "))" : ")");
}

static void print_compare(Emit *e, const Expr *x, DType repr) {
    if (x->args[0]->type == DT_BOOL) {
        print_mask_compare(e, x, repr);
        return;
    }
    DType operands = common_repr(e, x->args[0], x->args[1]);
    emit(e, "(%s)(", type_here(e, repr));
    print_operand(e, x->args[0], operands, PREC_ADD);
    emit(e, " %s ", operator_text(x->op));
    print_operand(e, x->args[1], operands, PREC_ADD);
    emit(e, ")");
}

static void print_scalar(Emit *e, const Expr *x, DType repr, int least) {
    bool boolean = x->type == DT_BOOL;
    switch (x->op) {
    case SC_ADD:
    case SC_SUB:
    case SC_MUL:
    case SC_SHL:
    case SC_DIV: print_arithmetic(e, x, repr, least); return;
    case SC_SHR:
    case SC_AND:
    case SC_OR:
    case SC_XOR: print_infix(e, x, repr, least); return;
    case SC_NOT: print_prefix(e, x, "~", repr); return;
    case SC_NEG:
        if (dtypes[repr].kind == DK_SIGNED && expr_wraps(x))
            print_wrapping(e, x, repr);
        else
            print_prefix(e, x, "-", repr);
        return;
    case SC_ABS: print_call(e, x, HELPER_ABS, repr); return;
    case SC_FMA: print_call(e, x, HELPER_FMA, repr); return;
    case SC_DOT2: print_call(e, x, HELPER_DOT2, repr); return;
    case SC_SQRT: print_call(e, x, HELPER_SQRT, repr); return;
    case SC_MIN:
    case SC_MAX:
        /* of masks: all bits of the smaller truth value are those of & */
        if (!boolean)
            print_call(e, x, x->op == SC_MIN ? HELPER_MIN : HELPER_MAX, repr);
        else
            print_call(e, x, x->op == SC_MIN ? HELPER_MAX : HELPER_MIN, repr);
        return;
    case SC_LT:
    case SC_LE:
    case SC_EQ:
    case SC_NE: print_compare(e, x, repr); return;
    case SC_REM:
    case SC_COUNT: break;
    }
    BUG(e->unit, "an operation without a vector form");
}

void vector_local_index(Emit *e, const Buffer *b, const Expr *base) {
    subscript_print(e, ex_div(e->builder, base, ex_index(e->builder, b->lanes)));
}

void vector_place_print(Emit *e, const Buffer *b, const Expr *base) {
    const char *name = buffer_use(e, b);
    if (local_is_vectors(e->program->target, b)) {
        emit(e, "%s[", name);
        vector_local_index(e, b, base);
        emit(e, "]");
        return;
    }
    bool constant = b->kind != BUF_LOCAL && !e->written[b->id];
    emit(e, "*(%s%s *)&%s[", constant ? "const " : "", type_here(e, repr_of_type(b->type)), name);
    subscript_print(e, base);
    emit(e, "]");
}

static void print_uniform_load(Emit *e, const Expr *x, const Expr *base, DType repr) {
    emit(e, "%s(%s%s[", helper_here(e, HELPER_SPLAT, repr), x->type == DT_BOOL ? "-(" : "",
         buffer_use(e, x->buffer));
    subscript_print(e, base);
    emit(e, x->type == DT_BOOL ? "] != 0))" : "])");
}

static void print_load(Emit *e, const Expr *x, DType repr, int least) {
    const Expr *base;
    if (address_of(e, x->args[0], &base) == ADDRESS_UNIFORM) {
        print_uniform_load(e, x, base, repr);
        return;
    }
    bool wrap = least > PREC_UNARY;
    open_if(e, wrap);
    if (x->type == DT_BOOL) emit(e, "(%s)(", type_here(e, repr));
    vector_place_print(e, x->buffer, base);
    if (x->type == DT_BOOL) emit(e, " != %s(0))", helper_here(e, HELPER_SPLAT, DT_U8));
    close_if(e, wrap);
}

static void print_var(Emit *e, const Expr *x, DType repr) {
    if (x->var == e->lane)
        emit(e, "%s()", helper_here(e, HELPER_LANES, repr));
    else
        emit(e, "%s", var_use(e, x->var));
}

/* The arms of ?: must have one type; gcc keeps the const of a load through arithmetic, a cast drops
 * it. */
static void print_arm(Emit *e, const Expr *x, DType repr) {
    emit(e, "(%s)(", type_here(e, repr));
    vector_print(e, x, repr, PREC_ANY);
    emit(e, ")");
}

static void print_select(Emit *e, const Expr *x, DType repr, int least) {
    const Expr *cond = x->args[0];
    if (cond->vector) {
        emit(e, "%s(", helper_here(e, HELPER_SELECT, repr));
        vector_print(e, cond, type_signed(dtypes[repr].bytes), PREC_ANY);
        emit(e, ", ");
        vector_print(e, x->args[1], repr, PREC_ANY);
        emit(e, ", ");
        vector_print(e, x->args[2], repr, PREC_ANY);
        emit(e, ")");
        return;
    }
    bool wrap = least > PREC_COND;
    open_if(e, wrap);
    expr_print(e, cond, PREC_OR);
    emit(e, " ? ");
    print_arm(e, x->args[1], repr);
    emit(e, " : ");
    print_arm(e, x->args[2], repr);
    close_if(e, wrap);
}

static void print_convert(Emit *e, const Expr *x, DType from, DType to) {
    emit(e, "__builtin_convertvector(");
    vector_print(e, x, from, PREC_COND);
    emit(e, ", %s)", type_here(e, to));
}

/* From a mask to 0 and 1. */
static void print_mask_number(Emit *e, const Expr *x, DType repr) {
    DType mask = type_signed(dtypes[repr].bytes);
    if (dtype_is_float(repr)) {
        emit(e, "(%s)(", type_here(e, repr));
        vector_print(e, x, mask, PREC_UNARY);
        emit(e, " & (%s)%s(1))", type_here(e, mask), helper_here(e, HELPER_SPLAT, repr));
        return;
    }
    emit(e, "(%s)(-", type_here(e, repr));
    vector_print(e, x, mask, PREC_UNARY);
    emit(e, ")");
}

static void print_to_mask(Emit *e, const Expr *x, DType from, DType repr) {
    emit(e, "(%s)(", type_here(e, repr));
    vector_print(e, x, from, PREC_ADD);
    if (from == DT_F32)
        emit(e, " != 0.0f)");
    else if (from == DT_F64)
        emit(e, " != 0.0)");
    else
        emit(e, " != %s(0))", helper_here(e, HELPER_SPLAT, from));
}

/* Narrow integers reach floats by way of i32, which is exact and one instruction each. */
static void print_cast(Emit *e, const Expr *x, DType repr, int least) {
    const Expr *arg = x->args[0];
    DType from = vector_repr(e, arg);
    if (x->type == DT_BOOL)
        print_to_mask(e, arg, from, repr);
    else if (arg->type == DT_BOOL)
        print_mask_number(e, arg, repr);
    else if (from == repr)
        vector_print(e, arg, from, least);
    else {
        bool up = dtype_is_float(repr) && dtypes[from].bytes < 4;
        bool down = dtype_is_float(from) && dtypes[repr].bytes < 4;
        if (up || down) emit(e, "__builtin_convertvector(");
        print_convert(e, arg, from, up || down ? DT_I32 : repr);
        if (up || down) emit(e, ", %s)", type_here(e, repr));
    }
}

static void print_bitcast(Emit *e, const Expr *x, DType repr) {
    emit(e, "(%s)(", type_here(e, repr));
    vector_print(e, x->args[0], repr_of_type(x->args[0]->type), PREC_ANY);
    emit(e, ")");
}

static void print_natural(Emit *e, const Expr *x, DType repr, int least) {
    const char *ready = map_get(&e->lanewise, (uintptr_t)x);
    if (ready) {
        emit(e, "%s", ready);
        return;
    }
    switch (x->kind) {
    case EX_VAR: print_var(e, x, repr); return;
    case EX_LOAD: print_load(e, x, repr, least); return;
    case EX_SCALAR: print_scalar(e, x, repr, least); return;
    case EX_SELECT: print_select(e, x, repr, least); return;
    case EX_CAST: print_cast(e, x, repr, least); return;
    case EX_BITCAST: print_bitcast(e, x, repr); return;
    case EX_CONST: break;
    }
    BUG(e->unit, "a constant that depends on the lane");
}

void vector_print(Emit *e, const Expr *x, DType repr, int least) {
    if (!x->vector) {
        print_splat(e, x, repr);
        return;
    }
    DType natural = vector_repr(e, x);
    if (natural == repr)
        print_natural(e, x, repr, least);
    else
        print_convert(e, x, natural, repr);
}
