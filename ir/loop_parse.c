/* loop_parse.c - reads programs in their text form; the grammar heads loop_text.c.
 *
 * What is read is built as it stands, without simplification, so that it prints the same again. The
 * text is not trusted: the first mistake is reported and ends the reading (the parser then sees
 * only the end of the text), sizes and nesting have limits, and every type is checked here, not by
 * the builder. */
#include "loop_build.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 200, MAX_OPERATORS = 2000, MAX_VARS = 4096, MAX_EXTENT = 1 << 20 };

typedef enum TokenKind { TK_END, TK_NAME, TK_STRING, TK_NUMBER, TK_SIGN } TokenKind;

typedef struct Parser {
    Unit *unit;
    Arena *arena;
    const char *at; /* behind the current token */
    int line;
    TokenKind kind;
    const char *text; /* of the token: its characters; of a string: what it stands for */
    bool failed;
    int depth, operators;
    Program *program;
    Builder *b;
    VEC(const Var *) scope;
    VEC(const char *) names; /* as declared, one a variable in scope */
    Map buffers;             /* interned name -> Buffer, the kernel's locals included */
    VEC(const char *) locals;
} Parser;

static void fail(Parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fail(Parser *p, const char *format, ...) {
    char message[200];
    va_list args;
    if (p->failed) return;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    diag(p->unit, NO_PLACE, D_LOOP_TEXT, p->line, message);
    p->failed = true;
    p->kind = TK_END;
    p->text = "end of text";
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

/* The character after a backslash; -1: none such. */
static int escaped(const char **at) {
    char c = *(*at)++;
    if (c == 'n') return '\n';
    if (c == '"' || c == '\\') return c;
    if (c != 'x' || hex_digit((*at)[0]) < 0 || hex_digit((*at)[1]) < 0) return -1;
    int value = hex_digit((*at)[0]) * 16 + hex_digit((*at)[1]);
    *at += 2;
    return value ? value : -1;
}

static void read_string(Parser *p) {
    Text text = {.arena = p->arena};
    const char *at = p->at + 1;
    text_add(&text, "%s", "");
    while (*at && *at != '"' && *at != '\n') {
        int c = (unsigned char)*at++;
        if (c == '\\') c = *at ? escaped(&at) : -1;
        if (c < 0) {
            fail(p, "unknown escape in a string");
            return;
        }
        char byte = (char)c;
        text_add_bytes(&text, &byte, 1);
    }
    if (*at != '"') {
        fail(p, "a string without an end");
        return;
    }
    p->at = at + 1;
    p->kind = TK_STRING;
    p->text = text.at ? text.at : "";
}

static size_t number_length(const char *at) {
    size_t n = *at == '-';
    while (isdigit((unsigned char)at[n])) n++;
    /* "3..7" is a range of integers */
    if (at[n] == '.' && at[n + 1] != '.') {
        n++;
        while (isdigit((unsigned char)at[n])) n++;
    }
    if (at[n] == 'e' || at[n] == 'E') {
        n++;
        if (at[n] == '-' || at[n] == '+') n++;
        while (isdigit((unsigned char)at[n])) n++;
    }
    return n;
}

static size_t sign_length(const char *at) {
    static const char *const pairs[] = {"<=", "==", "!=", "<<", ">>", "+=", ".."};
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++)
        if (!strncmp(at, pairs[k], 2)) return 2;
    return 1;
}

static void skip_space(Parser *p) {
    for (;; p->at++) {
        if (*p->at == '#') p->at += strcspn(p->at, "\n");
        if (*p->at == '\n')
            p->line++;
        else if (*p->at != ' ' && *p->at != '\t' && *p->at != '\r')
            return;
    }
}

static void take_token(Parser *p, TokenKind kind, size_t n) {
    p->kind = kind;
    p->text = name_intern_n(p->unit->names, p->at, n);
    p->at += n;
}

/* `operand`: a minus before a digit belongs to the number. */
static void next_as(Parser *p, bool operand) {
    if (p->failed) return;
    skip_space(p);
    const char *at = p->at;
    size_t n = 0;
    if (!*at) {
        p->kind = TK_END;
        p->text = "end of text";
    } else if (*at == '"') {
        read_string(p);
    } else if (isalpha((unsigned char)*at) || *at == '_') {
        while (isalnum((unsigned char)at[n]) || at[n] == '_') n++;
        take_token(p, TK_NAME, n);
    } else if (isdigit((unsigned char)*at) ||
               (operand && *at == '-' && isdigit((unsigned char)at[1]))) {
        take_token(p, TK_NUMBER, number_length(at));
    } else {
        take_token(p, TK_SIGN, sign_length(at));
    }
}

static void next(Parser *p) { next_as(p, false); }

static bool is(const Parser *p, const char *text) {
    return p->kind != TK_END && p->kind != TK_STRING && !strcmp(p->text, text);
}

static bool accept(Parser *p, const char *text) {
    if (!is(p, text)) return false;
    next(p);
    return true;
}

static void expect(Parser *p, const char *text) {
    if (!accept(p, text)) fail(p, "expected %s, found %.60s", text, p->text);
}

static const char *read_name(Parser *p) {
    bool plain = p->kind == TK_NAME && text_name_is_plain(p->text);
    if (!plain && p->kind != TK_STRING) fail(p, "expected a name, found %.60s", p->text);
    const char *name = name_intern(p->unit->names, p->failed ? "" : p->text);
    next(p);
    return name;
}

static bool text_to_int(const char *text, bool is_unsigned, int64_t *value) {
    char *end;
    errno = 0;
    *value =
        is_unsigned && *text != '-' ? (int64_t)strtoull(text, &end, 10) : strtoll(text, &end, 10);
    return !errno && !*end && end != text;
}

/* A whole number at least `least`; a minus may be a token of its own. */
static int64_t read_int(Parser *p, int64_t least) {
    int64_t value = 0;
    bool minus = accept(p, "-");
    if (p->kind != TK_NUMBER || !text_to_int(p->text, false, &value))
        fail(p, "expected an integer, found %.60s", p->text);
    if (minus) value = -value;
    if (value < least) fail(p, "%lld is less than %lld", (long long)value, (long long)least);
    next(p);
    return p->failed ? least : value;
}

static DType read_type(Parser *p) {
    DType t = p->kind == TK_NAME ? dtype_from_text(p->text) : DT_NONE;
    if (t == DT_NONE || t == DT_STRING) fail(p, "expected an element type, found %.60s", p->text);
    next(p);
    return p->failed ? DT_I64 : t;
}

static bool special_float(const Parser *p, double *value) {
    if (!strcmp(p->text, "inf"))
        *value = INFINITY;
    else if (!strcmp(p->text, "nan"))
        *value = NAN;
    else if (!strncmp(p->text, "nan_", 4)) {
        char *end;
        uint64_t bits = strtoull(p->text + 4, &end, 16);
        memcpy(value, &bits, sizeof bits);
        return strlen(p->text) == 20 && !*end && isnan(*value);
    } else
        return false;
    return true;
}

/* The current token, a number, as an element of type t. */
static bool number_of_type(const Parser *p, DType t, bool minus, Expr *e) {
    *e = (Expr){.kind = EX_CONST, .type = t};
    double f = 0;
    if (!dtype_is_float(t)) {
        int64_t i;
        if (p->kind != TK_NUMBER || !text_to_int(p->text, t == DT_U64, &i)) return false;
        e->value.i = minus ? (int64_t)(0 - (uint64_t)i) : i;
        return wrap_to_type(e->value.i, t) == e->value.i;
    }
    if (p->kind == TK_NUMBER)
        f = strtod(p->text, NULL);
    else if (p->kind != TK_NAME || !special_float(p, &f))
        return false;
    e->value.f = round_to_type(minus ? -f : f, t);
    return true;
}

static const Expr *nothing(Parser *p) {
    return expr_intern(p->b, &(Expr){.kind = EX_CONST, .type = DT_I64});
}

static DType literal_type(Parser *p, const Parser *number) {
    if (accept(p, ":")) return read_type(p);
    bool is_float = number->kind == TK_NAME || strpbrk(number->text, ".e");
    return is_float ? DT_F32 : DT_I64;
}

static const Expr *parse_literal(Parser *p, bool minus) {
    Expr e;
    Parser number = *p;
    next(p);
    DType t = literal_type(p, &number);
    if (!p->failed && !number_of_type(&number, t, minus, &e))
        fail(p, "%.60s is no %s", number.text, dtypes[t].text);
    return p->failed ? nothing(p) : expr_intern(p->b, &e);
}

static const Expr *parse_expr(Parser *p, int level);

static void check_type(Parser *p, const Expr *e, DType t, const char *what) {
    if (e->type != t) fail(p, "%s is %s, should be %s", what, dtypes[e->type].text, dtypes[t].text);
}

static const Buffer *find_buffer(Parser *p, const char *name) {
    const Buffer *buffer = map_get(&p->buffers, (uintptr_t)name);
    if (!buffer) fail(p, "no buffer is named '%.60s'", name);
    return buffer;
}

static const Expr *parse_index(Parser *p) {
    expect(p, "[");
    const Expr *index = parse_expr(p, 0);
    check_type(p, index, DT_I64, "an index");
    expect(p, "]");
    return index;
}

static const Expr *parse_var(Parser *p, const char *name) {
    for (int i = p->scope.n - 1; i >= 0; i--)
        if (p->names.at[i] == name) return ex_var(p->b, p->scope.at[i]);
    fail(p, "no variable is named '%.60s'", name);
    return nothing(p);
}

static const Expr *make(Parser *p, Expr like, const Expr *const *args) {
    for (int k = 0; k < 3; k++) like.args[k] = k < like.n_args ? args[k] : NULL;
    return p->failed ? nothing(p) : expr_intern(p->b, &like);
}

static const Expr *parse_named(Parser *p) {
    const char *name = read_name(p);
    if (!is(p, "[")) return parse_var(p, name);
    const Buffer *buffer = find_buffer(p, name);
    const Expr *index = parse_index(p);
    if (p->failed) return nothing(p);
    return make(p, (Expr){.kind = EX_LOAD, .type = buffer->type, .n_args = 1, .buffer = buffer},
                &index);
}

static const Expr *make_scalar(Parser *p, ScalarOp op, const Expr *const *args) {
    DType t = args[0]->type;
    for (int k = 0; k < scalar_infos[op].arity; k++)
        if (args[k]->type != t || !scalar_takes(op, t))
            fail(p, "%s of %s and %s", scalar_infos[op].text, dtypes[t].text,
                 dtypes[args[k]->type].text);
    bool compares = op == SC_LT || op == SC_LE || op == SC_EQ || op == SC_NE;
    return make(p,
                (Expr){.kind = EX_SCALAR,
                       .type = compares ? DT_BOOL : t,
                       .op = op,
                       .n_args = scalar_infos[op].arity},
                args);
}

/* What a name before "(" stands for, with everything but its arguments. */
static bool find_function(const char *name, Expr *like) {
    static const ScalarOp ops[] = {SC_NEG, SC_ABS, SC_FMA, SC_DOT2, SC_SQRT, SC_MIN, SC_MAX};
    *like = (Expr){.kind = EX_SELECT, .n_args = 3};
    if (!strcmp(name, "select")) return true;
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++)
        if (!strcmp(name, scalar_infos[ops[k]].text)) {
            *like = (Expr){.kind = EX_SCALAR, .op = ops[k], .n_args = scalar_infos[ops[k]].arity};
            return true;
        }
    bool bits = !strncmp(name, "bits_", 5);
    DType t = dtype_from_text(bits ? name + 5 : name);
    *like = (Expr){.kind = bits ? EX_BITCAST : EX_CAST, .type = t, .n_args = 1};
    return t != DT_NONE && t != DT_STRING;
}

static const Expr *make_call(Parser *p, Expr like, const Expr *const *args) {
    if (like.kind == EX_SCALAR) return make_scalar(p, like.op, args);
    if (like.kind == EX_BITCAST && dtypes[like.type].bytes != dtypes[args[0]->type].bytes)
        fail(p, "bits of %s as %s", dtypes[args[0]->type].text, dtypes[like.type].text);
    if (like.kind == EX_SELECT) {
        check_type(p, args[0], DT_BOOL, "a condition");
        check_type(p, args[2], args[1]->type, "the other value");
        like.type = args[1]->type;
    }
    return make(p, like, args);
}

static const Expr *parse_call(Parser *p) {
    Expr like;
    const Expr *args[3] = {NULL};
    if (!find_function(p->text, &like)) fail(p, "no function is named %.60s", p->text);
    next(p);
    expect(p, "(");
    for (int k = 0; k < like.n_args; k++) {
        if (k) expect(p, ",");
        args[k] = parse_expr(p, 0);
    }
    expect(p, ")");
    return p->failed ? nothing(p) : make_call(p, like, args);
}

static const Expr *parse_parentheses(Parser *p) {
    next_as(p, true);
    const Expr *e = parse_expr(p, 0);
    expect(p, ")");
    return e;
}

static bool is_number(const Parser *p) {
    if (p->kind == TK_NUMBER) return true;
    return p->kind == TK_NAME && (!strcmp(p->text, "inf") || !strncmp(p->text, "nan", 3)) &&
           !text_name_is_plain(p->text);
}

static const Expr *parse_operand(Parser *p);

static const Expr *parse_not(Parser *p) {
    if (++p->depth > MAX_DEPTH) fail(p, "nested too deeply");
    const Expr *x = parse_operand(p);
    p->depth--;
    return p->failed ? nothing(p) : make_scalar(p, SC_NOT, &x);
}

static const Expr *parse_operand(Parser *p) {
    if (is_number(p)) return parse_literal(p, false);
    if (accept(p, "-")) {
        if (!is_number(p)) fail(p, "a minus without a number: negation is neg(x)");
        return parse_literal(p, true);
    }
    if (accept(p, "!")) return parse_not(p);
    if (is(p, "(")) return parse_parentheses(p);
    if (is(p, "true") || is(p, "false")) {
        Expr e = {.kind = EX_CONST, .type = DT_BOOL, .value.i = is(p, "true")};
        next(p);
        return expr_intern(p->b, &e);
    }
    if (p->kind == TK_NAME && p->at[strspn(p->at, " ")] == '(') return parse_call(p);
    return parse_named(p);
}

static int binary_level(const Parser *p, ScalarOp *op) {
    static const struct {
        const char *sign;
        ScalarOp op;
        int level;
    } table[] = {{"|", SC_OR, 1},   {"^", SC_XOR, 2}, {"&", SC_AND, 3}, {"<", SC_LT, 4},
                 {"<=", SC_LE, 4},  {"==", SC_EQ, 4}, {"!=", SC_NE, 4}, {"<<", SC_SHL, 5},
                 {">>", SC_SHR, 5}, {"+", SC_ADD, 6}, {"-", SC_SUB, 6}, {"*", SC_MUL, 7},
                 {"/", SC_DIV, 7},  {"%", SC_REM, 7}};
    if (p->kind != TK_SIGN) return 0;
    for (size_t k = 0; k < sizeof table / sizeof *table; k++)
        if (!strcmp(p->text, table[k].sign)) {
            *op = table[k].op;
            return table[k].level;
        }
    return 0;
}

/* An expression of operators that bind more tightly than `level`. */
static const Expr *parse_expr(Parser *p, int level) {
    ScalarOp op = SC_ADD;
    int found;
    if (++p->depth > MAX_DEPTH) fail(p, "nested too deeply");
    const Expr *args[2] = {parse_operand(p), NULL};
    while (!p->failed && (found = binary_level(p, &op)) > level) {
        if (++p->operators > MAX_OPERATORS) fail(p, "an expression of too many operators");
        next(p);
        args[1] = parse_expr(p, found);
        args[0] = make_scalar(p, op, args);
    }
    p->depth--;
    return args[0];
}

static const Expr *parse_whole(Parser *p) {
    p->operators = 0;
    return parse_expr(p, 0);
}

static void declare(Parser *p, const char *name, const Var *v) {
    if (p->b->kernel->n_vars > MAX_VARS) fail(p, "too many variables");
    vec_push(p->arena, &p->scope, v);
    vec_push(p->arena, &p->names, name);
}

static void parse_block(Parser *p);

static LoopKind read_loop_kind(Parser *p) {
    for (int k = LOOP_PARALLEL; k <= LOOP_LANES; k++)
        if (accept(p, loop_kind_texts[k])) return (LoopKind)k;
    return LOOP_SERIAL;
}

static void parse_for(Parser *p) {
    int64_t n = 0;
    LoopKind kind = read_loop_kind(p);
    const char *name = read_name(p);
    expect(p, "in");
    const Expr *extent = parse_whole(p);
    check_type(p, extent, DT_I64, "the extent of a loop");
    bool constant = expr_is_const_int(extent, &n);
    if ((kind == LOOP_UNROLL || kind == LOOP_LANES) && (!constant || n < 0 || n > MAX_EXTENT))
        fail(p, "the extent of such a loop must be constant and small");
    if (p->failed) return;
    int outer = p->scope.n;
    const Expr *v = stmt_for(p->b, kind, name, extent);
    declare(p, name, v->var);
    parse_block(p);
    p->scope.n = p->names.n = outer;
    stmt_close(p->b);
}

static void parse_if(Parser *p) {
    const Expr *cond = parse_whole(p);
    check_type(p, cond, DT_BOOL, "a condition");
    if (p->failed) return;
    st_if(p->b, cond);
    parse_block(p);
    if (accept(p, "else")) {
        st_else(p->b);
        parse_block(p);
    }
    stmt_close(p->b);
}

static void parse_let(Parser *p) {
    const char *name = read_name(p);
    expect(p, "=");
    const Expr *value = parse_whole(p);
    if (!p->failed) declare(p, name, stmt_let(p->b, name, value)->var);
}

static void name_buffer(Parser *p, const char *name, Buffer *buffer) {
    if (map_get(&p->buffers, (uintptr_t)name)) fail(p, "two buffers are named '%.60s'", name);
    map_set(&p->buffers, (uintptr_t)name, buffer);
}

static int64_t read_count(Parser *p) {
    expect(p, "[");
    int64_t count = read_int(p, 0);
    expect(p, "]");
    if (count > INT64_C(1) << 56) fail(p, "too many elements");
    return count;
}

static void parse_local(Parser *p) {
    const char *name = read_name(p);
    expect(p, ":");
    DType type = read_type(p);
    int64_t count = read_count(p), lanes = 0;
    if (accept(p, "lanes")) lanes = read_int(p, 1);
    if (lanes > MAX_EXTENT || (lanes && count % lanes))
        fail(p, "no whole vectors of so many lanes");
    if (p->failed) return;
    name_buffer(p, name, st_local(p->b, name, type, count, (int)lanes));
    vec_push(p->arena, &p->locals, name);
}

static void parse_scratch(Parser *p) {
    const char *name = read_name(p);
    expect(p, ":");
    DType type = read_type(p);
    int64_t count = read_count(p);
    expect(p, "@");
    int64_t offset = read_int(p, 0);
    if (p->failed) return;
    Buffer *buffer = st_scratch(p->b, name, type, count);
    buffer->offset = offset;
    buffer->first_kernel = buffer->last_kernel = p->program->kernels.n;
    name_buffer(p, name, buffer);
    vec_push(p->arena, &p->locals, name);
}

static void check_write(Parser *p, const Buffer *buffer, const Expr *value, bool accumulates,
                        bool fused) {
    DType t = buffer->type;
    check_type(p, value, t, "what is written");
    if (buffer->kind == BUF_INPUT || buffer->kind == BUF_CONST)
        fail(p, "'%.60s' is only read", buffer->name);
    if (accumulates && !scalar_takes(fused ? SC_FMA : SC_ADD, t))
        fail(p, "accumulation in %s", dtypes[t].text);
}

static void parse_write(Parser *p) {
    const char *name = read_name(p);
    Buffer *buffer = (Buffer *)find_buffer(p, name);
    p->operators = 0;
    const Expr *index = parse_index(p), *factor = NULL;
    bool fused = accept(p, "fma"), accumulates = fused || is(p, "+=");
    expect(p, accumulates && !fused ? "+=" : "=");
    const Expr *value = parse_whole(p);
    if (!p->failed) check_write(p, buffer, value, accumulates, fused);
    if (fused) {
        expect(p, ",");
        factor = parse_whole(p);
        check_type(p, factor, value->type, "the second factor");
    }
    if (p->failed) return;
    stmt_write(p->b, accumulates ? ST_ACC : ST_STORE, buffer, index, value, factor);
}

static void parse_prefetch(Parser *p) {
    const Buffer *buffer = find_buffer(p, read_name(p));
    const Expr *index = parse_index(p);
    if (p->failed) return;
    if (may_prefetch(buffer, index))
        st_prefetch(p->b, buffer, index);
    else
        fail(p, "'%.60s' cannot be prefetched there", buffer->name);
}

static void parse_stmt(Parser *p) {
    if (accept(p, "for"))
        parse_for(p);
    else if (accept(p, "if"))
        parse_if(p);
    else if (accept(p, "let"))
        parse_let(p);
    else if (accept(p, "local"))
        parse_local(p);
    else if (accept(p, "scratch"))
        parse_scratch(p);
    else if (accept(p, "prefetch"))
        parse_prefetch(p);
    else
        parse_write(p);
}

static void parse_block(Parser *p) {
    int outer = p->scope.n;
    if (++p->depth > MAX_DEPTH) fail(p, "nested too deeply");
    expect(p, "{");
    while (!p->failed && !is(p, "}")) parse_stmt(p);
    expect(p, "}");
    p->scope.n = p->names.n = outer;
    p->depth--;
}

static void parse_kernel(Parser *p) {
    p->b = builder_begin(p->program, read_name(p));
    Kernel *k = builder_kernel(p->b);
    if (p->kind != TK_STRING) fail(p, "expected the kernel's comment, found %.60s", p->text);
    k->comment = p->text;
    next(p);
    expect(p, "macs");
    k->macs = read_int(p, 0);
    expect(p, "bytes");
    k->bytes = read_int(p, 0);
    parse_block(p);
    for (int i = 0; i < p->locals.n; i++) map_set(&p->buffers, (uintptr_t)p->locals.at[i], NULL);
    p->locals.n = 0;
    if (!p->failed) vec_push(p->arena, &p->program->kernels, k);
}

static void set_element(Tensor *t, int64_t i, const Expr *e) {
    char *at = (char *)t->data + i * dtypes[t->dtype].bytes;
    if (!dtype_is_float(t->dtype)) {
        int8_t i8 = (int8_t)e->value.i;
        int16_t i16 = (int16_t)e->value.i;
        int32_t i32 = (int32_t)e->value.i;
        const void *from[] = {NULL, &i8, &i16, NULL, &i32, NULL, NULL, NULL, &e->value.i};
        memcpy(at, from[dtypes[t->dtype].bytes], (size_t)dtypes[t->dtype].bytes);
        return;
    }
    float f32 = (float)e->value.f;
    uint16_t u16 = t->dtype == DT_F16 ? float_to_half(f32) : float_to_bfloat(f32);
    if (t->dtype == DT_F64)
        memcpy(at, &e->value.f, 8);
    else if (t->dtype == DT_F32)
        memcpy(at, &f32, 4);
    else
        memcpy(at, &u16, 2);
}

static void parse_data(Parser *p, Buffer *buffer) {
    if (accept(p, "hash")) {
        int64_t hash = 0;
        if (p->kind != TK_NUMBER || !text_to_int(p->text, true, &hash)) fail(p, "expected a hash");
        buffer->hash = (uint64_t)hash;
        next(p);
        return;
    }
    expect(p, "{");
    if (buffer->count > 1 << 16) fail(p, "too many elements for a list");
    if (p->failed) return;
    Tensor *t = tensor_new(p->arena, buffer->type, 1, &buffer->count);
    for (int64_t i = 0; i < buffer->count; i++) {
        Expr e;
        if (i) expect(p, ",");
        bool minus = accept(p, "-");
        if (!p->failed && !number_of_type(p, buffer->type, minus, &e))
            fail(p, "%.60s is no %s", p->text, dtypes[buffer->type].text);
        if (p->failed) return;
        set_element(t, i, &e);
        next(p);
    }
    expect(p, "}");
    buffer->data = t;
}

static void parse_arena_place(Parser *p, Buffer *buffer) {
    expect(p, "@");
    buffer->offset = read_int(p, 0);
    expect(p, "live");
    buffer->first_kernel = (int)read_int(p, -1);
    expect(p, "..");
    buffer->last_kernel = (int)read_int(p, -1);
}

static BufferKind read_buffer_kind(Parser *p) {
    for (int k = 0; k < BUF_LOCAL; k++)
        if (accept(p, buffer_kind_texts[k])) return (BufferKind)k;
    fail(p, "expected the kind of a buffer, found %.60s", p->text);
    return BUF_ARENA;
}

static void parse_buffer(Parser *p) {
    const char *name = read_name(p);
    expect(p, ":");
    DType type = read_type(p);
    int64_t count = read_count(p);
    BufferKind kind = read_buffer_kind(p);
    if (p->failed) return;
    Buffer *buffer = program_add_buffer(p->program, name, type, count, kind);
    name_buffer(p, name, buffer);
    if (kind == BUF_CONST) parse_data(p, buffer);
    if (kind == BUF_ARENA) parse_arena_place(p, buffer);
}

static int read_dims(Parser *p, int64_t *dims) {
    int rank = 0;
    expect(p, "[");
    while (!p->failed && !is(p, "]")) {
        if (rank) expect(p, ",");
        if (rank == MAX_RANK) fail(p, "more than %d dimensions", MAX_RANK);
        if (p->failed) break;
        dims[rank++] = read_int(p, 0);
    }
    expect(p, "]");
    return rank;
}

static int64_t count_of(const int64_t *dims, int rank) {
    Dim sizes[MAX_RANK];
    for (int d = 0; d < rank; d++) sizes[d] = (Dim){.size = dims[d]};
    return dims_count(sizes, rank);
}

static void parse_port(Parser *p, bool is_input) {
    int64_t dims[MAX_RANK];
    Port port = {.name = read_name(p)};
    expect(p, ":");
    port.dtype = read_type(p);
    port.rank = read_dims(p, dims);
    expect(p, "in");
    port.buffer = (Buffer *)find_buffer(p, read_name(p));
    if (p->failed) return;
    int64_t count = count_of(dims, port.rank);
    if (count != port.buffer->count || port.dtype != port.buffer->type)
        fail(p, "'%.60s' does not fit its buffer", port.name);
    int64_t *kept = NEW_ARRAY(p->arena, int64_t, port.rank + 1);
    memcpy(kept, dims, sizeof *dims * (size_t)port.rank);
    port.dims = kept;
    if (is_input)
        vec_push(p->arena, &p->program->inputs, port);
    else
        vec_push(p->arena, &p->program->outputs, port);
}

static void parse_head(Parser *p) {
    expect(p, "program");
    const char *name = read_name(p);
    expect(p, "target");
    const char *target_name = read_name(p);
    const Target *target = target_find(target_name);
    if (!target) fail(p, "no target is named '%.60s'", target_name);
    expect(p, "arena");
    int64_t bytes = read_int(p, 0);
    p->program = program_new(p->unit, name, target);
    p->program->arena_bytes = bytes;
}

Program *program_parse(Unit *u, const char *text) {
    Parser p = {.unit = u, .arena = u->arena, .at = text, .line = 1};
    p.buffers.arena = u->arena;
    next(&p);
    parse_head(&p);
    while (!p.failed && p.kind != TK_END) {
        if (accept(&p, "buffer"))
            parse_buffer(&p);
        else if (accept(&p, "input"))
            parse_port(&p, true);
        else if (accept(&p, "output"))
            parse_port(&p, false);
        else if (accept(&p, "kernel"))
            parse_kernel(&p);
        else
            fail(&p, "expected buffer, input, output or kernel, found %.60s", p.text);
    }
    if (p.failed) return NULL;
    program_plan_workers(p.program);
    return p.program;
}
