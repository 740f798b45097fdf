/* emit_c_expr.c - expressions of loop IR as scalar C.
 *
 * Indices are i64 in the IR; where ranges prove that a whole computation fits it is done in int,
 * which reads better and is no slower.  Arithmetic that may wrap goes through unsigned types; what
 * is proven not to wrap is printed bare. */
#include "emit_c_text.h"

#include <stdarg.h>
#include <string.h>

void emit(Emit *e, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= (int)sizeof text) BUG(e->unit, "a piece of C grows too long");
    text_add_bytes(&e->out, text, (size_t)n);
}

void emit_line(Emit *e, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n >= (int)sizeof text) BUG(e->unit, "a line of C grows too long");
    for (int i = 0; i < e->indent; i++) text_add_bytes(&e->out, "    ", 4);
    text_add_bytes(&e->out, text, (size_t)n);
}

const char *c_type(DType t) { return dtypes[t].c_type; }

/* Constants. */

/* 1.5f and the like where that is exact and short. */
static bool float_print_short(Text *out, DType t, double value) {
    if (value != value || value < -1e4 || value > 1e4 || value * 8 != (double)(int)(value * 8))
        return false;
    if (value == 0 && 1 / value < 0) return false;
    int eighths = (int)(value * 8), whole = eighths / 8, rest = eighths % 8;
    if (rest < 0) rest = -rest;
    const char *sign = eighths < 0 && !whole ? "-" : "";
    const char *fraction = rest == 4 ? "5" : NULL;
    static const char *const decimals[8] = {"0", "125", "25", "375", "5", "625", "75", "875"};
    if (!fraction) fraction = decimals[rest];
    text_add(out, "%s%d.%s%s", sign, whole, fraction, t == DT_F64 ? "" : "f");
    return true;
}

/* Exact, without the C library's ideas of %a. */
void float_print(Text *out, DType t, double value) {
    const char *suffix = t == DT_F64 ? "" : "f";
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    const char *sign = bits >> 63 ? "-" : "";
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    int exponent = (int)(bits >> 52 & 2047);
    if (exponent == 2047 && mantissa)
        text_add(out, "__builtin_nan%s(\"\")", suffix);
    else if (exponent == 2047)
        text_add(out, "%s__builtin_inf%s()", sign, suffix);
    else if (!float_print_short(out, t, value)) {
        char digits[16];
        int n = 13;
        for (int i = 0; i < 13; i++) digits[i] = "0123456789abcdef"[mantissa >> (48 - 4 * i) & 15];
        while (n && digits[n - 1] == '0') n--;
        text_add(out, "%s0x%d%s%.*sp%d%s", sign, exponent != 0, n ? "." : "", n, digits,
                 exponent   ? exponent - 1023
                 : mantissa ? -1022
                            : 0,
                 suffix);
    }
}

static void print_int_const(Emit *e, const Expr *x) {
    int64_t i = x->value.i;
    if (x->type == DT_U32)
        emit(e, "%lluu", (unsigned long long)i);
    else if (x->type == DT_U64)
        emit(e, "UINT64_C(%llu)", (unsigned long long)i);
    else if (i == INT64_MIN)
        emit(e, "INT64_MIN");
    else if (i == INT32_MIN)
        emit(e, "INT32_MIN");
    else if (i >= INT32_MIN && i <= INT32_MAX)
        emit(e, "%lld", (long long)i);
    else
        emit(e, "INT64_C(%lld)", (long long)i);
}

static void print_const(Emit *e, const Expr *x, int least) {
    bool negative =
        !dtype_is_float(x->type) ? x->value.i < 0 : x->value.f < 0 || 1 / x->value.f < 0;
    bool wrap = negative && least >= PREC_UNARY;
    if (wrap) emit(e, "(");
    if (x->type == DT_F16)
        emit(e, "0x%04x", float_to_half((float)x->value.f));
    else if (x->type == DT_BF16)
        emit(e, "0x%04x", float_to_bfloat((float)x->value.f));
    else if (dtype_is_float(x->type))
        float_print(&e->out, x->type, x->value.f);
    else
        print_int_const(e, x);
    if (wrap) emit(e, ")");
}

/* Which integers are computed in C's int. */

DType expr_c_type(Emit *e, const Expr *x) { return expr_is_int(e, x) ? DT_I32 : x->type; }

/* Printing. */

static void open_if(Emit *e, bool wrap) {
    if (wrap) emit(e, "(");
}
static void close_if(Emit *e, bool wrap) {
    if (wrap) emit(e, ")");
}

static void print_call(Emit *e, Helper h, DType t, const Expr *x) {
    emit(e, "%s(", helper(e, h, t, 1));
    for (int k = 0; k < x->n_args; k++) {
        if (k) emit(e, ", ");
        expr_print(e, x->args[k], PREC_ANY);
    }
    emit(e, ")");
}

static const char *operator_text(ScalarOp op) {
    static const char *const texts[SC_COUNT] = {
        [SC_ADD] = "+", [SC_SUB] = "-", [SC_MUL] = "*",  [SC_DIV] = "/",  [SC_REM] = "%",
        [SC_LT] = "<",  [SC_LE] = "<=", [SC_EQ] = "==",  [SC_NE] = "!=",  [SC_AND] = "&",
        [SC_OR] = "|",  [SC_XOR] = "^", [SC_SHL] = "<<", [SC_SHR] = ">>",
    };
    return texts[op];
}

/* The operands' own precedence is kept apart where gcc and people get it wrong: shifts, bits,
 * compares. */
static int operator_level(ScalarOp op) {
    if (op == SC_ADD || op == SC_SUB) return PREC_ADD;
    if (op == SC_MUL || op == SC_DIV || op == SC_REM) return PREC_MUL;
    if (op == SC_LT || op == SC_LE) return PREC_ORDER;
    if (op == SC_EQ || op == SC_NE) return PREC_EQUAL;
    return PREC_ANY;
}

static void print_operator(Emit *e, const Expr *x, const char *text, int level, int left, int right,
                           int least) {
    bool wrap = least > level;
    /* an i64 whose operands are ints must not be computed in int */
    bool widen = x->type == DT_I64 && !expr_is_int(e, x) && expr_is_int(e, x->args[0]) &&
                 (x->op == SC_SHL || x->op == SC_SHR || expr_is_int(e, x->args[1]));
    open_if(e, wrap);
    if (widen) emit(e, "(int64_t)");
    expr_print(e, x->args[0], widen ? PREC_UNARY : left);
    emit(e, " %s ", text);
    expr_print(e, x->args[1], right);
    close_if(e, wrap);
}

static void print_binary(Emit *e, const Expr *x, int least) {
    int level = operator_level(x->op);
    int left = level, right = level + 1;
    if (level == PREC_ANY) left = right = PREC_UNARY;
    if (level == PREC_ORDER || level == PREC_EQUAL) left = right = PREC_ADD;
    print_operator(e, x, operator_text(x->op), level, left, right, least);
}

/* Opens the conversion of an unsigned result to type t; closed by close_wrapped. */
static void open_wrapped(Emit *e, DType t) {
    if (t == DT_I4)
        emit(e, "(((int)(");
    else if (t == DT_U4)
        emit(e, "((");
    else
        emit(e, "(%s)(", c_type(t));
}

static void close_wrapped(Emit *e, DType t) {
    if (t == DT_I4)
        emit(e, ") & 15) ^ 8) - 8");
    else if (t == DT_U4)
        emit(e, ") & 15)");
    else
        emit(e, ")");
}

/* The unsigned type that arithmetic of t is done in. */
static const char *unsigned_c(DType t) {
    return dtypes[t].bytes == 8 ? "uint64_t" : dtypes[t].bytes == 4 ? "uint32_t" : "unsigned";
}

static void print_wrapping(Emit *e, const Expr *x, int least) {
    bool wrap = least > PREC_UNARY || (x->type == DT_I4 && least > PREC_ADD);
    open_if(e, wrap);
    open_wrapped(e, x->type);
    if (x->op == SC_NEG) emit(e, "0u - ");
    emit(e, "(%s)", unsigned_c(x->type));
    expr_print(e, x->args[0], PREC_UNARY);
    if (x->op != SC_NEG) {
        emit(e, " %s ", operator_text(x->op));
        if (x->op != SC_SHL) emit(e, "(%s)", unsigned_c(x->type));
        expr_print(e, x->args[1], PREC_UNARY);
    }
    close_wrapped(e, x->type);
    close_if(e, wrap);
}

static bool is_plain_unsigned(DType t) { return t == DT_U32 || t == DT_U64; }

static void print_arithmetic(Emit *e, const Expr *x, int least) {
    bool bare = e->in_subscript && x->type == DT_I64 && x->op != SC_SHL;
    if (bare || dtype_is_float(x->type) || is_plain_unsigned(x->type) || !expr_wraps(x))
        print_binary(e, x, least);
    else
        print_wrapping(e, x, least);
}

static void print_negate(Emit *e, const Expr *x, int least) {
    bool bare = dtype_is_float(x->type) || !expr_wraps(x);
    if (!bare || is_plain_unsigned(x->type)) {
        print_wrapping(e, x, least);
        return;
    }
    bool wrap = least > PREC_UNARY;
    open_if(e, wrap);
    emit(e, "-");
    if (x->type == DT_I64 && !expr_is_int(e, x) && expr_is_int(e, x->args[0])) emit(e, "(int64_t)");
    bool again = x->args[0]->kind == EX_SCALAR && x->args[0]->op == SC_NEG;
    open_if(e, again);
    expr_print(e, x->args[0], PREC_UNARY);
    close_if(e, again);
    close_if(e, wrap);
}

static void print_not(Emit *e, const Expr *x, int least) {
    bool boolean = x->type == DT_BOOL, wrap = least > PREC_UNARY;
    open_if(e, wrap);
    if (boolean)
        emit(e, "!");
    else {
        open_wrapped(e, expr_c_type(e, x));
        emit(e, "~");
    }
    expr_print(e, x->args[0], PREC_UNARY);
    if (!boolean) close_wrapped(e, expr_c_type(e, x));
    close_if(e, wrap);
}

static bool is_bool(const Expr *x) { return x->args[0]->type == DT_BOOL; }

static void print_logic(Emit *e, const Expr *x, int least) {
    bool either = x->op == SC_OR || x->op == SC_MAX;
    int level = either ? PREC_OR : PREC_AND;
    /* gcc wants && inside || in parentheses */
    print_operator(e, x, either ? "||" : "&&", level, either ? PREC_EQUAL : PREC_AND, PREC_EQUAL,
                   least);
}

/* 0 and 1 are compared, not whatever the operands' C expressions are. */
static void print_bool_compare(Emit *e, const Expr *x, int least) {
    int level = x->op == SC_XOR ? PREC_EQUAL : operator_level(x->op);
    print_operator(e, x, x->op == SC_XOR ? "!=" : operator_text(x->op), level, PREC_UNARY,
                   PREC_UNARY, least);
}

static void print_int_div(Emit *e, const Expr *x, int least) {
    if (divisor_is_safe(x))
        print_binary(e, x, least);
    else
        print_call(e, x->op == SC_DIV ? HELPER_DIV : HELPER_REM, expr_c_type(e, x), x);
}

static void print_abs(Emit *e, const Expr *x) { print_call(e, HELPER_ABS, expr_c_type(e, x), x); }

static void print_scalar(Emit *e, const Expr *x, int least) {
    switch (x->op) {
    case SC_ADD:
    case SC_SUB:
    case SC_MUL:
    case SC_SHL: print_arithmetic(e, x, least); return;
    case SC_SHR: print_binary(e, x, least); return;
    case SC_DIV:
    case SC_REM:
        if (dtype_is_float(x->type))
            print_binary(e, x, least);
        else
            print_int_div(e, x, least);
        return;
    case SC_NEG: print_negate(e, x, least); return;
    case SC_ABS: print_abs(e, x); return;
    case SC_FMA: print_call(e, HELPER_FMA, x->type, x); return;
    case SC_DOT2: print_call(e, HELPER_DOT2, x->type, x); return;
    case SC_SQRT: print_call(e, HELPER_SQRT, x->type, x); return;
    case SC_MIN:
    case SC_MAX:
        if (is_bool(x))
            print_logic(e, x, least);
        else
            print_call(e, x->op == SC_MIN ? HELPER_MIN : HELPER_MAX, expr_c_type(e, x), x);
        return;
    case SC_AND:
    case SC_OR:
        if (is_bool(x))
            print_logic(e, x, least);
        else
            print_binary(e, x, least);
        return;
    case SC_LT:
    case SC_LE:
    case SC_EQ:
    case SC_NE:
    case SC_XOR:
        if (is_bool(x))
            print_bool_compare(e, x, least);
        else
            print_binary(e, x, least);
        return;
    case SC_NOT: print_not(e, x, least); return;
    case SC_COUNT: break;
    }
    BUG(e->unit, "an operation without a form in C");
}

static bool is_local_load(const Expr *x) {
    return x->kind == EX_LOAD && x->buffer->kind == BUF_LOCAL;
}

/* a[k + row[i]] as (a + row[i])[k], where row is a small table: clang adds k to the whole table in
 * a vector register otherwise, and takes the sums out again one by one at every step. */
static bool print_split_index(Emit *e, const Buffer *b, const Expr *index) {
    if (index->kind != EX_SCALAR || index->op != SC_ADD) return false;
    bool first = is_local_load(index->args[0]);
    if (first == is_local_load(index->args[1])) return false;
    emit(e, "(%s + ", buffer_use(e, b));
    subscript_print(e, index->args[!first]);
    emit(e, ")[");
    subscript_print(e, index->args[first]);
    emit(e, "]");
    return true;
}

static void print_index(Emit *e, const Buffer *b, const Expr *index) {
    if (e->mode == PRINT_LANE && local_is_vectors(e->program->target, b)) {
        const Expr *base;
        if (address_of(e, index, &base) != ADDRESS_CONTIGUOUS)
            BUG(e->unit, "kernel %s: local %s is not accessed as whole vectors", e->kernel->name,
                b->name);
        emit(e, "%s[", buffer_use(e, b));
        vector_local_index(e, b, base);
        emit(e, "][%s]", e->var_names[e->lane->id]);
        return;
    }
    if (print_split_index(e, b, index)) return;
    emit(e, "%s[", buffer_use(e, b));
    subscript_print(e, index);
    emit(e, "]");
}

static void print_load(Emit *e, const Expr *x, int least) {
    bool wrap = x->type == DT_BOOL && least > PREC_EQUAL;
    open_if(e, wrap);
    print_index(e, x->buffer, x->args[0]);
    if (x->type == DT_BOOL) emit(e, " != 0");
    close_if(e, wrap);
}

static void print_var(Emit *e, const Expr *x, int least) {
    const Var *v = x->var;
    const char *name = var_use(e, v);
    if (!name) BUG(e->unit, "kernel %s: variable %s out of scope", e->kernel->name, v->name);
    bool element = e->mode == PRINT_LANE && v->let && e->let_is_vector[v->id];
    bool mask = element && v->type == DT_BOOL, wrap = mask && least > PREC_EQUAL;
    open_if(e, wrap);
    emit(e, "%s", name);
    if (element) emit(e, "[%s]", e->var_names[e->lane->id]);
    if (mask) emit(e, " != 0");
    close_if(e, wrap);
}

static void print_select(Emit *e, const Expr *x, int least) {
    bool wrap = least > PREC_COND;
    open_if(e, wrap);
    expr_print(e, x->args[0], PREC_OR);
    emit(e, " ? ");
    expr_print(e, x->args[1], PREC_OR);
    emit(e, " : ");
    expr_print(e, x->args[2], PREC_OR);
    close_if(e, wrap);
}

static bool is_half(DType t) { return t == DT_F16 || t == DT_BF16; }

static void print_from_half(Emit *e, const Expr *from) {
    Helper h = from->type == DT_F16 ? HELPER_FROM_F16 : HELPER_FROM_BF16;
    emit(e, "%s(", helper(e, h, DT_F32, 1));
    expr_print(e, from, PREC_ANY);
    emit(e, ")");
}

/* f16 and bf16 are made from f32 or, where that would round twice, from f64. */
static void print_to_half(Emit *e, DType t, const Expr *from) {
    bool exact = is_half(from->type) || from->type == DT_F32 || dtypes[from->type].bytes < 4;
    emit(e, "%s(",
         helper(e, t == DT_F16 ? HELPER_TO_F16 : HELPER_TO_BF16, exact ? DT_F32 : DT_F64, 1));
    if (is_half(from->type))
        print_from_half(e, from);
    else {
        if (from->type != DT_F32 && from->type != DT_F64) emit(e, exact ? "(float)" : "(double)");
        expr_print(e, from, PREC_UNARY);
    }
    emit(e, ")");
}

static void print_cast_operand(Emit *e, const Expr *from, int least) {
    if (is_half(from->type))
        print_from_half(e, from);
    else
        expr_print(e, from, least);
}

static void print_to_bool(Emit *e, const Expr *from, int least) {
    bool wrap = least > PREC_EQUAL;
    open_if(e, wrap);
    print_cast_operand(e, from, PREC_ADD);
    emit(e, " != 0");
    close_if(e, wrap);
}

static void print_to_4_bits(Emit *e, DType t, const Expr *from, int least) {
    bool wrap = least > PREC_ANY;
    open_if(e, wrap);
    open_wrapped(e, t);
    print_cast_operand(e, from, PREC_ANY);
    close_wrapped(e, t);
    close_if(e, wrap);
}

static void print_cast(Emit *e, const Expr *x, int least) {
    const Expr *from = x->args[0];
    DType t = expr_c_type(e, x);
    bool four = (t == DT_I4 || t == DT_U4) && !dtype_is_float(from->type);
    if (x->type == DT_BOOL)
        print_to_bool(e, from, least);
    else if (is_half(t))
        print_to_half(e, t, from);
    else if (four)
        print_to_4_bits(e, t, from, least);
    else if (is_half(from->type) && t == DT_F32)
        print_from_half(e, from);
    else {
        bool wrap = least > PREC_UNARY, is_int = t == DT_I32 && x->type == DT_I64;
        open_if(e, wrap);
        emit(e, "(%s)", is_int ? "int" : c_type(t));
        print_cast_operand(e, from, PREC_UNARY);
        close_if(e, wrap);
    }
}

/* Between integers a conversion keeps the bits; f16 and bf16 are kept as integers anyway. */
static void print_bitcast(Emit *e, const Expr *x) {
    const Expr *from = x->args[0];
    bool real =
        from->type == DT_F32 || from->type == DT_F64 || x->type == DT_F32 || x->type == DT_F64;
    if (real)
        emit(e, "%s(", helper(e, HELPER_BITS, x->type, 1));
    else
        emit(e, "(%s)(", c_type(x->type));
    expr_print(e, from, PREC_ANY);
    emit(e, ")");
}

static void print_kind(Emit *e, const Expr *x, int least) {
    switch (x->kind) {
    case EX_CONST: print_const(e, x, least); return;
    case EX_VAR: print_var(e, x, least); return;
    case EX_LOAD: print_load(e, x, least); return;
    case EX_SCALAR: print_scalar(e, x, least); return;
    case EX_SELECT: print_select(e, x, least); return;
    case EX_CAST: print_cast(e, x, least); return;
    case EX_BITCAST: print_bitcast(e, x); return;
    }
}

static bool is_sum(const Expr *x) {
    return x->kind == EX_SCALAR && (x->op == SC_ADD || x->op == SC_SUB || x->op == SC_MUL);
}

void expr_print(Emit *e, const Expr *x, int least) {
    bool outer = e->in_subscript;
    e->in_subscript = outer && is_sum(x);
    print_kind(e, x, least);
    e->in_subscript = outer;
}

/* A sum that wrapped would be out of bounds, so nothing needs to be done about it. */
void subscript_print(Emit *e, const Expr *index) {
    bool outer = e->in_subscript;
    e->in_subscript = true;
    expr_print(e, index, PREC_ANY);
    e->in_subscript = outer;
}
