/* loop_text.c - prints programs in their text form.
 *
 * program   = "program" name "target" name "arena" int { buffer | port } { kernel }
 * buffer    = "buffer" name ":" type "[" int "]" ( "input" | "output" | "const" data | "arena" "@"
 * int "live" int ".." int ) data      = "{" [ number { "," number } ] "}" | "hash" int port      =
 * ( "input" | "output" ) name ":" type "[" [ int { "," int } ] "]" "in" name kernel    = "kernel"
 * name string "macs" int "bytes" int block block     = "{" { statement } "}" statement = "for" [
 * "parallel" | "unroll" | "lanes" ] name "in" expr block | "if" expr block [ "else" block ] | "let"
 * name "=" expr | "local" name ":" type "[" int "]" [ "lanes" int ] | "scratch" name ":" type "["
 * int "]" "@" int | access ( "=" expr | "+=" expr | "fma=" expr "," expr ) access    = name "["
 * expr "]" expr      = operand { operator operand }                    operators bind as in the
 * list, loosest first, all to the left:
 *             "|"  "^"  "&"  "<" "<=" "==" "!="  "<<" ">>"  "+" "-"  "*" "/" "%"
 * operand   = "!" operand | "(" expr ")" | literal | name | access
 *           | function "(" expr { "," expr } ")"              neg abs fma sqrt min max select
 * bits_<type>, and casts: <type> literal   = "true" | "false" | number [ ":" type ] without type:
 * i64, with a point, exponent, inf or nan: f32 number    = decimal | [ "-" ] "inf" | "nan" | "nan_"
 * hex digits of its bits as f64 name      = letter or "_" { letter | digit | "_" }, no keyword |
 * string string    = '"' { character | '\"' | '\\' | '\n' | '\x' two hex digits } '"'
 * "#" starts a comment.  A name means the innermost declaration of it; buffers and variables are
 * two name spaces. */
#include "loop_build.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_INLINE = 16 };

const char *const loop_kind_texts[4] = {"", "parallel", "unroll", "lanes"};
const char *const buffer_kind_texts[6] = {"input", "output", "const", "arena", "local", "scratch"};

typedef struct Printer {
    const Program *program;
    Text *out;
    Arena *arena;
    Names *names;
    const char **buffers;     /* by id: the names as printed */
    const char **vars;        /* by id, of the kernel being printed; NULL: as suggested */
    VEC(const char *) scope;  /* the variables in scope, as printed */
    VEC(const char *) locals; /* the local arrays of the kernel, as printed */
    Map taken;                /* names of the other buffers */
    int indent;
} Printer;

bool text_name_is_plain(const char *name) {
    static const char *const keywords[] = {
        "program", "target", "arena", "buffer", "input",   "output", "const",
        "live",    "hash",   "in",    "kernel", "macs",    "bytes",  "for",
        "if",      "else",   "let",   "local",  "scratch", "lanes",  "parallel",
        "unroll",  "true",   "false", "inf",    "nan",     "fma",    "select"};
    if (!isalpha((unsigned char)*name) && *name != '_') return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_') return false;
    for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++)
        if (!strcmp(name, keywords[k])) return false;
    return strncmp(name, "nan_", 4) != 0;
}

static void print_string(Text *out, const char *text) {
    text_add(out, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            text_add(out, "\\%c", *c);
        else if (*c == '\n')
            text_add(out, "\\n");
        else if (*c < ' ' || *c == 127)
            text_add(out, "\\x%02x", *c);
        else
            text_add(out, "%c", *c);
    }
    text_add(out, "\"");
}

static void print_name(Text *out, const char *name) {
    if (text_name_is_plain(name))
        text_add(out, "%s", name);
    else
        print_string(out, name);
}

/* The shortest decimal that reads back as the same number. */
static void print_float(Text *out, double f, DType t) {
    char text[40];
    if (isnan(f)) {
        uint64_t bits;
        memcpy(&bits, &f, sizeof bits);
        text_add(out, "nan_%016llx", (unsigned long long)bits);
        return;
    }
    if (isinf(f)) {
        text_add(out, f < 0 ? "-inf" : "inf");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, f);
        double back = strtod(text, NULL);
        if ((t == DT_F64 ? back : round_to_type(back, t)) == f) break;
    }
    text_add(out, strpbrk(text, ".e") ? "%s" : "%s.0", text);
}

static void print_number(Text *out, DType t, const Expr *e) {
    if (dtype_is_float(t))
        print_float(out, e->value.f, t);
    else if (t == DT_U64)
        text_add(out, "%llu", (unsigned long long)e->value.i);
    else
        text_add(out, "%lld", (long long)e->value.i);
}

static void print_const(Text *out, const Expr *e) {
    if (e->type == DT_BOOL) {
        text_add(out, e->value.i ? "true" : "false");
        return;
    }
    print_number(out, e->type, e);
    if (e->type != DT_I64 && e->type != DT_F32) text_add(out, ":%s", dtypes[e->type].text);
}

/* Infix operators, loosest first; 0: a function. */
static int precedence(const Expr *e, const char **sign) {
    *sign = "";
    if (e->kind != EX_SCALAR) return 0;
    switch (e->op) {
    case SC_OR: *sign = "|"; return 1;
    case SC_XOR: *sign = "^"; return 2;
    case SC_AND: *sign = "&"; return 3;
    case SC_LT: *sign = "<"; return 4;
    case SC_LE: *sign = "<="; return 4;
    case SC_EQ: *sign = "=="; return 4;
    case SC_NE: *sign = "!="; return 4;
    case SC_SHL: *sign = "<<"; return 5;
    case SC_SHR: *sign = ">>"; return 5;
    case SC_ADD: *sign = "+"; return 6;
    case SC_SUB: *sign = "-"; return 6;
    case SC_MUL: *sign = "*"; return 7;
    case SC_DIV: *sign = "/"; return 7;
    case SC_REM: *sign = "%"; return 7;
    case SC_NEG:
    case SC_ABS:
    case SC_FMA:
    case SC_DOT2:
    case SC_SQRT:
    case SC_MIN:
    case SC_MAX:
    case SC_NOT:
    case SC_COUNT: break;
    }
    return 0;
}

static void print_expr(const Printer *p, const Expr *e, int context);

static void print_call(const Printer *p, const Expr *e) {
    if (e->kind == EX_SELECT)
        text_add(p->out, "select(");
    else if (e->kind == EX_CAST)
        text_add(p->out, "%s(", dtypes[e->type].text);
    else if (e->kind == EX_BITCAST)
        text_add(p->out, "bits_%s(", dtypes[e->type].text);
    else if (e->op == SC_NOT)
        text_add(p->out, "!(");
    else
        text_add(p->out, "%s(", scalar_infos[e->op].text);
    for (int k = 0; k < e->n_args; k++) {
        if (k) text_add(p->out, ", ");
        print_expr(p, e->args[k], 0);
    }
    text_add(p->out, ")");
}

static void print_access(const Printer *p, const Buffer *buffer, const Expr *index) {
    const char *name = p->buffers ? p->buffers[buffer->id] : NULL;
    print_name(p->out, name ? name : buffer->name);
    text_add(p->out, "[");
    print_expr(p, index, 0);
    text_add(p->out, "]");
}

static void print_var(const Printer *p, const Var *v) {
    const char *name = p->vars ? p->vars[v->id] : NULL;
    print_name(p->out, name ? name : v->name);
}

static void print_infix(const Printer *p, const Expr *e, int level, const char *sign, int context) {
    if (level < context) text_add(p->out, "(");
    print_expr(p, e->args[0], level);
    text_add(p->out, level == 7 ? "%s" : " %s ", sign);
    print_expr(p, e->args[1], level + 1);
    if (level < context) text_add(p->out, ")");
}

/* Parentheses where e binds less tightly than `context`. */
static void print_expr(const Printer *p, const Expr *e, int context) {
    const char *sign;
    int level = precedence(e, &sign);
    if (e->kind == EX_CONST)
        print_const(p->out, e);
    else if (e->kind == EX_VAR)
        print_var(p, e->var);
    else if (e->kind == EX_LOAD)
        print_access(p, e->buffer, e->args[0]);
    else if (level)
        print_infix(p, e, level, sign, context);
    else
        print_call(p, e);
}

void stmt_print_expr(const Expr *e, Text *out) { print_expr(&(Printer){.out = out}, e, 0); }

static void start_line(const Printer *p) { text_add(p->out, "%*s", 4 * p->indent, ""); }

static bool is_in(const char *const *names, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (names[i] == name) return true;
    return false;
}

static const char *numbered(const Printer *p, const char *name, int n) {
    return name_intern(p->names, arena_format(p->arena, "%s_%d", name, n));
}

static void declare_var(Printer *p, const Var *v) {
    const char *name = name_intern(p->names, v->name);
    for (int n = 2; is_in(p->scope.at, p->scope.n, name); n++) name = numbered(p, v->name, n);
    p->vars[v->id] = name;
    vec_push(p->arena, &p->scope, name);
    print_name(p->out, name);
}

static bool buffer_name_taken(const Printer *p, const char *name) {
    return map_get(&p->taken, (uintptr_t)name) || is_in(p->locals.at, p->locals.n, name);
}

static void name_buffer(Printer *p, const Buffer *buffer) {
    const char *name = name_intern(p->names, buffer->name);
    for (int n = 2; buffer_name_taken(p, name); n++) name = numbered(p, buffer->name, n);
    if (buffer_is_declared(buffer))
        vec_push(p->arena, &p->locals, name);
    else
        map_set(&p->taken, (uintptr_t)name, (void *)buffer);
    p->buffers[buffer->id] = name;
}

static void print_block(Printer *p, const Stmt *s);

static void print_for(Printer *p, const Stmt *s) {
    int outer = p->scope.n;
    text_add(p->out, "for %s%s", loop_kind_texts[s->loop], s->loop == LOOP_SERIAL ? "" : " ");
    declare_var(p, s->var);
    text_add(p->out, " in ");
    print_expr(p, s->extent, 0);
    print_block(p, s->body);
    p->scope.n = outer;
}

static void print_write(Printer *p, const Stmt *s) {
    print_access(p, s->buffer, s->index);
    text_add(p->out, s->kind == ST_STORE ? " = " : s->fused ? " fma= " : " += ");
    print_expr(p, s->value, 0);
    if (!s->fused) return;
    text_add(p->out, ", ");
    print_expr(p, s->factor, 0);
}

static void print_if(Printer *p, const Stmt *s) {
    text_add(p->out, "if ");
    print_expr(p, s->cond, 0);
    print_block(p, s->body);
    if (!s->other) return;
    text_add(p->out, " else");
    print_block(p, s->other);
}

static void print_let(Printer *p, const Stmt *s) {
    text_add(p->out, "let ");
    declare_var(p, s->var);
    text_add(p->out, " = ");
    print_expr(p, s->value, 0);
}

static void print_local(Printer *p, const Stmt *s) {
    const Buffer *buffer = s->buffer;
    name_buffer(p, buffer);
    text_add(p->out, "%s ", buffer_kind_texts[buffer->kind]);
    print_name(p->out, p->buffers[buffer->id]);
    text_add(p->out, " : %s[%lld]", dtypes[buffer->type].text, (long long)buffer->count);
    if (buffer->kind == BUF_SCRATCH) text_add(p->out, " @%lld", (long long)buffer->offset);
    if (buffer->lanes) text_add(p->out, " lanes %d", buffer->lanes);
}

static void print_stmt(Printer *p, const Stmt *s) {
    switch (s->kind) {
    case ST_FOR: print_for(p, s); break;
    case ST_IF: print_if(p, s); break;
    case ST_LET: print_let(p, s); break;
    case ST_LOCAL: print_local(p, s); break;
    case ST_STORE:
    case ST_ACC: print_write(p, s); break;
    case ST_PREFETCH:
        text_add(p->out, "prefetch ");
        print_access(p, s->buffer, s->index);
        break;
    }
}

static void print_block(Printer *p, const Stmt *s) {
    int outer = p->scope.n;
    text_add(p->out, " {\n");
    p->indent++;
    for (; s; s = s->next) {
        start_line(p);
        print_stmt(p, s);
        text_add(p->out, "\n");
    }
    p->indent--;
    start_line(p);
    text_add(p->out, "}");
    p->scope.n = outer;
}

static void print_kernel(Printer *p, const Kernel *k) {
    p->vars = NEW_ARRAY(p->arena, const char *, k->n_vars + 1);
    p->locals.n = 0;
    text_add(p->out, "kernel ");
    print_name(p->out, k->name);
    text_add(p->out, " ");
    print_string(p->out, k->comment);
    text_add(p->out, " macs %lld bytes %lld", (long long)k->macs, (long long)k->bytes);
    print_block(p, k->body);
    text_add(p->out, "\n");
}

static void print_data(Text *out, const Buffer *buffer) {
    if (!buffer->data || buffer->count > MAX_INLINE) {
        uint64_t hash = buffer->data ? tensor_hash(buffer->data) : buffer->hash;
        text_add(out, " hash %llu", (unsigned long long)hash);
        return;
    }
    text_add(out, " {");
    for (int64_t i = 0; i < buffer->count; i++) {
        Expr e = {.kind = EX_CONST, .type = buffer->type};
        if (dtype_is_float(buffer->type))
            e.value.f = tensor_get_double(buffer->data, i);
        else
            e.value.i = tensor_get_int(buffer->data, i);
        if (i) text_add(out, ", ");
        print_number(out, buffer->type, &e);
    }
    text_add(out, "}");
}

static void print_buffer(const Printer *p, const Buffer *buffer) {
    text_add(p->out, "buffer ");
    print_name(p->out, p->buffers[buffer->id]);
    text_add(p->out, " : %s[%lld] %s", dtypes[buffer->type].text, (long long)buffer->count,
             buffer_kind_texts[buffer->kind]);
    if (buffer->kind == BUF_CONST) print_data(p->out, buffer);
    if (buffer->kind == BUF_ARENA)
        text_add(p->out, " @%lld live %d..%d", (long long)buffer->offset, buffer->first_kernel,
                 buffer->last_kernel);
    text_add(p->out, "\n");
}

static void print_port(const Printer *p, const char *kind, const Port *port) {
    text_add(p->out, "%s ", kind);
    print_name(p->out, port->name);
    text_add(p->out, " : %s[", dtypes[port->dtype].text);
    for (int d = 0; d < port->rank; d++)
        text_add(p->out, d ? ", %lld" : "%lld", (long long)port->dims[d]);
    text_add(p->out, "] in ");
    print_name(p->out, p->buffers[port->buffer->id]);
    text_add(p->out, "\n");
}

static Printer printer_for(const Program *p, Text *out) {
    Arena *a = p->unit->arena;
    Printer printer = {.program = p, .out = out, .arena = a, .names = p->unit->names};
    printer.taken.arena = a;
    printer.buffers = NEW_ARRAY(a, const char *, p->buffers.n + 1);
    for (int i = 0; i < p->buffers.n; i++)
        if (!buffer_is_declared(p->buffers.at[i])) name_buffer(&printer, p->buffers.at[i]);
    return printer;
}

void kernel_print(const Program *p, const Kernel *k, Text *out) {
    Printer printer = printer_for(p, out);
    print_kernel(&printer, k);
}

void program_print(const Program *p, Text *out) {
    Printer printer = printer_for(p, out);
    text_add(out, "program ");
    print_name(out, p->name);
    text_add(out, " target ");
    print_name(out, p->target->name);
    text_add(out, " arena %lld\n", (long long)p->arena_bytes);
    for (int i = 0; i < p->buffers.n; i++)
        if (!buffer_is_declared(p->buffers.at[i])) print_buffer(&printer, p->buffers.at[i]);
    for (int i = 0; i < p->inputs.n; i++) print_port(&printer, "input", &p->inputs.at[i]);
    for (int i = 0; i < p->outputs.n; i++) print_port(&printer, "output", &p->outputs.at[i]);
    for (int i = 0; i < p->kernels.n; i++) {
        text_add(out, "\n");
        print_kernel(&printer, p->kernels.at[i]);
    }
}
