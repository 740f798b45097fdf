/* emit_c_kernel.c - a kernel as a C function: statements, and which pointers it takes.
 *
 * A function gets a pointer for each buffer that it touches, in the order in which it does;
 * restrict, unless one overwrites another.  Lanes loops become vector statements where their extent
 * is a power of two, else plain loops. */
#include "emit_c_text.h"

#include <string.h>

/* Which LETs are needed: an index that is printed as base + lane does not need the LETs that it was
 * built from. */

static void demand(Emit *e, Map *seen, const Expr *x);

static void demand_address(Emit *e, Map *seen, const Buffer *b, const Expr *index) {
    const Expr *base;
    if (e->lane && index->vector && address_of(e, index, &base) != ADDRESS_SCATTERED) {
        if (local_is_vectors(e->program->target, b))
            base = ex_div(e->builder, base, ex_index(e->builder, b->lanes));
        demand(e, seen, base);
    } else {
        demand(e, seen, index);
    }
}

static void demand(Emit *e, Map *seen, const Expr *x) {
    if (map_get(seen, (uintptr_t)x)) return;
    map_set(seen, (uintptr_t)x, (void *)x);
    if (x->kind == EX_VAR) {
        if (!x->var->let || e->demanded[x->var->id]) return;
        e->demanded[x->var->id] = true;
        demand(e, seen, x->var->let);
    } else if (x->kind == EX_LOAD) {
        demand_address(e, seen, x->buffer, x->args[0]);
    } else {
        for (int k = 0; k < x->n_args; k++) demand(e, seen, x->args[k]);
    }
}

static void demand_block(Emit *e, Map *seen, const Stmt *s) {
    for (; s; s = s->next) {
        const Var *outer = e->lane;
        if (s->kind == ST_FOR && loop_is_vector(e->program->target, s)) e->lane = s->var;
        if (s->extent) demand(e, seen, s->extent);
        if (s->cond) demand(e, seen, s->cond);
        if (s->index) demand_address(e, seen, s->buffer, s->index);
        if (s->kind != ST_LET && s->value) demand(e, seen, s->value);
        if (s->factor) demand(e, seen, s->factor);
        demand_block(e, seen, s->body);
        demand_block(e, seen, s->other);
        e->lane = outer;
    }
}

/* Statements. */

static void print_block(Emit *e, const Stmt *s);

void body_print(Emit *e, const Stmt *s) {
    int mark = names_enter(&e->names);
    e->indent++;
    print_block(e, s);
    e->indent--;
    names_leave(&e->names, mark);
}

static const char *declare_var(Emit *e, const Var *v) {
    e->var_names[v->id] = names_take(&e->names, v->name);
    outline_declare(e, v);
    return e->var_names[v->id];
}

static void print_loop(Emit *e, const Stmt *s) {
    int mark = names_enter(&e->names);
    const Var *v = s->var;
    const char *type = loop_type(v);
    emit_line(e, "%s", s->loop == LOOP_UNROLL ? "UNROLL " : "");
    const char *name = declare_var(e, v);
    emit(e, "for (%s %s = 0; %s < ", type, name, name);
    expr_print(e, s->extent, PREC_ADD);
    emit(e, "; %s++) {\n", name);
    body_print(e, s->body);
    emit_line(e, "}\n");
    names_leave(&e->names, mark);
}

/* The statement once for each lane, as scalar code, inside a lanes loop. */
static void print_lane_by_lane(Emit *e, const Stmt *s, void (*print)(Emit *e, const Stmt *s)) {
    int mark = names_enter(&e->names);
    const char *l = declare_var(e, e->lane);
    emit_line(e, "for (int %s = 0; %s < %lld; %s++) {\n", l, l, (long long)e->lane->lanes, l);
    e->mode = PRINT_LANE;
    e->indent++;
    print(e, s);
    e->indent--;
    e->mode = PRINT_VECTOR;
    e->var_names[e->lane->id] = NULL;
    emit_line(e, "}\n");
    names_leave(&e->names, mark);
}

static void print_if(Emit *e, const Stmt *s) {
    if (e->mode == PRINT_VECTOR && s->cond->vector) {
        print_lane_by_lane(e, s, print_if);
        return;
    }
    emit_line(e, "if (");
    expr_print(e, s->cond, PREC_ANY);
    emit(e, ") {\n");
    body_print(e, s->body);
    if (s->other) {
        emit_line(e, "} else {\n");
        body_print(e, s->other);
    }
    emit_line(e, "}\n");
}

/* The lanes loop itself is not seen: its body's statements are vectors.  `alone`: it has its block
 * for itself. */
static void print_vector_loop(Emit *e, const Stmt *s, bool alone) {
    int mark = names_enter(&e->names);
    e->lane = s->var;
    e->mode = PRINT_VECTOR;
    emit_line(e, "%s/* %lld lanes of %s */\n", alone ? "" : "{ ", (long long)s->var->lanes,
              s->var->name);
    if (alone)
        print_block(e, s->body);
    else {
        body_print(e, s->body);
        emit_line(e, "}\n");
    }
    e->mode = PRINT_SCALAR;
    e->lane = NULL;
    names_leave(&e->names, mark);
}

static void print_for(Emit *e, const Stmt *s, bool alone) {
    if (loop_is_outlined(e, s))
        parallel_print(e, s);
    else if (e->mode == PRINT_SCALAR && loop_is_vector(e->program->target, s))
        print_vector_loop(e, s, alone);
    else
        print_loop(e, s);
}

static const char *scalar_type(Emit *e, const Expr *x) {
    if (x->type == DT_BOOL || expr_is_int(e, x)) return "int";
    return c_type(x->type);
}

const char *loop_type(const Var *v) { return v->hi < INT32_MAX ? "int" : "int64_t"; }

const char *scalar_type_of(Emit *e, const Var *v) {
    return v->let ? scalar_type(e, v->let) : loop_type(v);
}

static void print_let(Emit *e, const Stmt *s) {
    const Expr *x = s->value;
    if (!e->demanded[s->var->id]) return;
    bool vector = e->mode == PRINT_VECTOR && x->vector;
    e->let_is_vector[s->var->id] = vector;
    if (vector) vector_prepare(e, x);
    DType repr = vector ? vector_repr(e, x) : DT_NONE;
    const char *type = vector ? vector_type(e, repr, (int)e->lane->lanes) : scalar_type(e, x);
    const char *name = names_take(&e->names, s->var->name);
    emit_line(e, "const %s %s = ", type, name);
    if (vector)
        vector_print(e, x, repr, PREC_ANY);
    else
        expr_print(e, x, PREC_ANY);
    emit(e, ";\n");
    e->var_names[s->var->id] = name;
    outline_declare(e, s->var);
}

static void print_local(Emit *e, const Stmt *s) {
    Buffer *b = s->buffer;
    if (b->kind == BUF_SCRATCH) return; /* the function takes it */
    const char *name = names_take(&e->names, b->name);
    long long count = b->count > 0 ? b->count : 1;
    e->buffer_names[b->id] = name;
    outline_declare_buffer(e, b);
    if (local_is_vectors(e->program->target, b))
        emit_line(e, "%s %s[%lld];\n", vector_type(e, b->type, b->lanes), name, count / b->lanes);
    else
        emit_line(e, "LOCAL %s %s[%lld];\n", c_type(b->type), name, count);
}

static void print_element(Emit *e, const Stmt *s) {
    const Buffer *b = s->buffer;
    const Expr *base;
    emit(e, "%s[", buffer_use(e, b));
    if (e->mode == PRINT_LANE && local_is_vectors(e->program->target, b)) {
        if (address_of(e, s->index, &base) != ADDRESS_CONTIGUOUS)
            BUG(e->unit, "kernel %s: local %s is not accessed as whole vectors", e->kernel->name,
                b->name);
        vector_local_index(e, b, base);
        emit(e, "][%s]", e->var_names[e->lane->id]);
    } else {
        subscript_print(e, s->index);
        emit(e, "]");
    }
}

static void print_scalar_fma(Emit *e, const Stmt *s) {
    emit(e, " = %s(", helper(e, HELPER_FMA, s->buffer->type, 1));
    expr_print(e, s->value, PREC_ANY);
    emit(e, ", ");
    expr_print(e, s->factor, PREC_ANY);
    emit(e, ", ");
    print_element(e, s);
    emit(e, ");\n");
}

/* Narrower ones are added as int, and the store wraps. */
static bool may_overflow(DType t) { return dtypes[t].kind == DK_SIGNED && dtypes[t].bytes >= 4; }

/* buffer[index] = buffer[index] + value for integers that may wrap */
static void print_scalar_wrap(Emit *e, const Stmt *s) {
    DType t = s->buffer->type;
    const char *wide = dtypes[t].bytes == 8 ? "uint64_t" : "uint32_t";
    emit(e, " = (%s)((%s)", c_type(t), wide);
    print_element(e, s);
    emit(e, " + (%s)", wide);
    expr_print(e, s->value, PREC_UNARY);
    emit(e, ");\n");
}

static void print_scalar_write(Emit *e, const Stmt *s) {
    emit_line(e, "%s", "");
    print_element(e, s);
    if (s->kind == ST_ACC && s->fused)
        print_scalar_fma(e, s);
    else if (s->kind == ST_ACC && may_overflow(s->buffer->type))
        print_scalar_wrap(e, s);
    else {
        emit(e, s->kind == ST_ACC ? " += " : " = ");
        expr_print(e, s->value, PREC_ANY);
        emit(e, ";\n");
    }
}

/* A mask becomes bytes 0 and 1. */
static void print_bool_bytes(Emit *e, const Expr *x) {
    if (!x->vector) {
        emit(e, "%s(", helper(e, HELPER_SPLAT, DT_U8, (int)e->lane->lanes));
        expr_print(e, x, PREC_ANY);
        emit(e, ")");
        return;
    }
    emit(e, "(%s)(-", vector_type(e, DT_U8, (int)e->lane->lanes));
    vector_print(e, x, DT_I8, PREC_UNARY);
    emit(e, ")");
}

static void print_vector_value(Emit *e, const Stmt *s, const Expr *base, DType repr) {
    if (s->kind == ST_STORE && s->value->type == DT_BOOL) {
        print_bool_bytes(e, s->value);
    } else if (s->kind == ST_STORE) {
        vector_print(e, s->value, repr, PREC_ANY);
    } else if (s->fused) {
        emit(e, "%s(", helper(e, HELPER_FMA, repr, (int)e->lane->lanes));
        vector_print(e, s->value, repr, PREC_ANY);
        emit(e, ", ");
        vector_print(e, s->factor, repr, PREC_ANY);
        emit(e, ", ");
        vector_place_print(e, s->buffer, base);
        emit(e, ")");
    } else {
        DType sum = dtype_is_float(repr) ? repr : type_unsigned(dtypes[repr].bytes);
        const char *type = vector_type(e, sum, (int)e->lane->lanes);
        if (sum != repr) emit(e, "(%s)((%s)", vector_type(e, repr, (int)e->lane->lanes), type);
        vector_place_print(e, s->buffer, base);
        emit(e, " + ");
        if (sum != repr) emit(e, "(%s)", type);
        vector_print(e, s->value, repr, sum == repr ? PREC_MUL : PREC_UNARY);
        if (sum != repr) emit(e, ")");
    }
}

static void print_vector_write(Emit *e, const Stmt *s) {
    const Expr *base;
    if (address_of(e, s->index, &base) != ADDRESS_CONTIGUOUS) {
        print_lane_by_lane(e, s, print_scalar_write);
        return;
    }
    DType repr = s->buffer->type;
    if (repr == DT_F16 || repr == DT_BF16) repr = DT_U16;
    if (repr == DT_I4) repr = DT_I8;
    if (repr == DT_U4) repr = DT_U8;
    vector_prepare(e, s->value);
    if (s->factor) vector_prepare(e, s->factor);
    emit_line(e, "%s", "");
    vector_place_print(e, s->buffer, base);
    emit(e, " = ");
    print_vector_value(e, s, base, repr);
    emit(e, ";\n");
}

static void print_write(Emit *e, const Stmt *s) {
    if (e->mode == PRINT_VECTOR)
        print_vector_write(e, s);
    else
        print_scalar_write(e, s);
}

static void print_prefetch(Emit *e, const Stmt *s) {
    emit_line(e, "PREFETCH(&");
    print_element(e, s);
    emit(e, ");\n");
}

static void print_block(Emit *e, const Stmt *s) {
    bool alone = s && !s->next;
    for (; s; s = s->next) {
        if (e->mode == PRINT_VECTOR) e->lanewise = (Map){.arena = e->arena};
        switch (s->kind) {
        case ST_FOR: print_for(e, s, alone); break;
        case ST_IF: print_if(e, s); break;
        case ST_LET: print_let(e, s); break;
        case ST_LOCAL: print_local(e, s); break;
        case ST_STORE:
        case ST_ACC: print_write(e, s); break;
        case ST_PREFETCH: print_prefetch(e, s); break;
        }
    }
}

/* The function. */

static void print_params(Emit *e, const KernelParams *params) {
    const char *comma = "";
    if (kernel_is_shared(e, e->kernel)) {
        emit(e, "struct %s *m", e->options->prefix);
        comma = ", ";
    }
    for (int i = 0; i < params->list.n; i++) {
        const KernelParam *p = &params->list.at[i];
        if (e->of_worker[p->buffer->id]) continue;
        const char *name = names_take(&e->names, p->buffer->name);
        e->buffer_names[p->buffer->id] = name;
        e->written[p->buffer->id] = p->written;
        e->overlaps[p->buffer->id] = kernel_param_is_shared(params, p->buffer);
        emit(e, "%s%s%s *%s%s", comma, p->written ? "" : "const ", c_type(p->buffer->type),
             e->overlaps[p->buffer->id] ? "" : "restrict ", name);
        comma = ", ";
    }
    if (!*comma) emit(e, "void");
}

void comment_print(Text *out, const char *indent, const char *text) {
    enum { WIDTH = 90 };
    size_t column = 0;
    for (const char *c = text; *c; c++, column++) {
        if (*c == '\n' || (*c == ' ' && column > WIDTH)) {
            text_add(out, "\n%s", indent);
            column = 0;
            continue;
        }
        bool plain = *c >= ' ' && *c <= '~';
        text_add_bytes(out, plain ? c : "_", 1);
        /* nothing may end the comment, open another or spell a trigraph */
        if ((*c == '*' && c[1] == '/') || (*c == '/' && c[1] == '*') || (*c == '?' && c[1] == '?'))
            text_add_bytes(out, " ", 1);
    }
}

const char *quoted(Arena *a, const char *text) {
    Text out = {.arena = a};
    text_add(&out, "\"");
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool plain = *c >= ' ' && *c <= '~' && *c != '"' && *c != '\\' && *c != '?';
        text_add(&out, plain ? "%c" : "\\%03o", *c);
    }
    text_add(&out, "\"");
    return out.at;
}

static void begin_kernel(Emit *e, const Kernel *k) {
    size_t n = (size_t)k->n_vars + 1;
    e->kernel = k;
    e->builder = builder_resume(e->program, k);
    e->var_names = NEW_ARRAY(e->arena, const char *, n);
    e->demanded = NEW_ARRAY(e->arena, bool, n);
    e->let_is_vector = NEW_ARRAY(e->arena, bool, n);
    e->let_is_int = NEW_ARRAY(e->arena, signed char, n);
    e->let_mask_bytes = NEW_ARRAY(e->arena, signed char, n);
    e->mode = PRINT_SCALAR;
    e->lane = NULL;
    kernel_find_scratch(e, k);
    Map seen = {.arena = e->arena};
    demand_block(e, &seen, k->body);
}

/* Lines that are too long go on in the next one, after an operator or a comma. */

enum { LINE_WIDTH = 100 };

/* The last place to break within `width` characters, not before `from`; 0: nowhere. */
static size_t break_of(const char *line, size_t from, size_t width) {
    size_t best = 0;
    for (size_t i = from + 1; i < width; i++)
        if (line[i] == ' ' && strchr(",=+-*/%&|^?:<>", line[i - 1])) best = i;
    return best;
}

static void add_wrapped(Text *out, const char *line, size_t n) {
    size_t indent = strspn(line, " "), column = 0;
    while (column + n > LINE_WIDTH && indent < LINE_WIDTH / 2) {
        size_t at = break_of(line, column ? 0 : indent, LINE_WIDTH - column);
        if (!at) break;
        text_add_bytes(out, line, at);
        column = indent + 8;
        text_add(out, "\n%*s", (int)column, "");
        line += at + 1;
        n -= at + 1;
    }
    text_add_bytes(out, line, n);
    text_add(out, "\n");
}

static void wrap_lines(Emit *e, size_t from) {
    size_t n = e->out.n - from;
    const char *line = arena_copy(e->arena, e->out.at + from, n);
    e->out.n = from;
    while (*line) {
        size_t length = strcspn(line, "\n");
        add_wrapped(&e->out, line, length);
        line += length + 1;
    }
}

static void put_parts_first(Emit *e, size_t start) {
    size_t n = e->out.n - start;
    const char *kernel = arena_copy(e->arena, e->out.at + start, n);
    e->out.n = start;
    text_add_bytes(&e->out, e->parts.at, e->parts.n);
    text_add_bytes(&e->out, kernel, n);
}

void kernel_emit(Emit *e, int number) {
    const Kernel *k = e->program->kernels.at[number];
    int mark = names_enter(&e->names);
    begin_kernel(e, k);
    text_add(&e->out, "\n/* ");
    comment_print(&e->out, " * ", k->comment && *k->comment ? k->comment : k->name);
    text_add(&e->out, "\n * %lld multiply-adds, %lld bytes */\n", (long long)k->macs,
             (long long)k->bytes);
    size_t start = e->out.n;
    e->parts = (Text){.arena = e->arena};
    emit(e, "KERNEL void %s(", e->kernel_names[number]);
    KernelParams params = kernel_params(e->arena, k);
    print_params(e, &params);
    emit(e, ") {\n");
    e->indent = 1;
    print_block(e, k->body);
    e->indent = 0;
    emit(e, "}\n");
    if (e->parts.n) put_parts_first(e, start);
    wrap_lines(e, start);
    names_leave(&e->names, mark);
}

void kernel_call(Emit *e, int number) {
    KernelParams params = kernel_params(e->arena, e->program->kernels.at[number]);
    const char *comma = kernel_is_shared(e, e->program->kernels.at[number]) ? ", " : "";
    emit(e, "    %s(%s", e->kernel_names[number], *comma ? "m" : "");
    for (int i = 0; i < params.list.n; i++) {
        const KernelParam *p = &params.list.at[i];
        if (e->of_worker[p->buffer->id]) continue;
        emit(e, "%s%s", comma, buffer_place(e, p->buffer));
        comma = ", ";
    }
    emit(e, ");\n");
}
