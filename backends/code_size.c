/* code_size.c - how many bytes of machine code and of stack a program takes on a Cortex-M.
 *
 * The parts of its loop IR are counted as the compiler will see them: a statement in loops that are
 * unrolled as often as it is repeated, an expression as often as it differs.  The code is the sum
 * of the parts times the bytes of each (code_size.def); the stack is what the locals take that
 * cannot be registers. */
#include "code_size.h"
#include "facts.h"
#include "weights.h"

#include <string.h>

const char *const code_part_names[CODE_COUNT] = {
#define CODE_PART(id, name, bytes, what) name,
#include "code_size.def"
};

static const double part_bytes[CODE_COUNT] = {
#define CODE_PART(id, name, bytes, what) bytes,
#include "code_size.def"
};

static const double frame_bytes[] = {
#define CODE_FRAME(what, bytes) bytes,
#include "code_size.def"
};

enum { ELF_ARM = 40, UNROLLED = 16 };

bool code_is_known(const Target *t) { return t->elf_machine == ELF_ARM; }

typedef struct Count {
    Arena *arena;
    CodeParts *parts;
    Map constants; /* of the kernel, each once */
    Map seen;      /* of the statement */
    const Var *unrolled[UNROLLED];
    int64_t extent[UNROLLED];
    int n_unrolled;
} Count;

/* How many different values x has in the copies of a statement. */
static int64_t copies_of(const Count *c, const Expr *x) {
    int64_t copies = 1;
    for (int i = 0; i < c->n_unrolled; i++)
        if (expr_depends(x, c->unrolled[i])) copies *= c->extent[i];
    return copies;
}

static int64_t copies_of_statement(const Count *c) {
    int64_t copies = 1;
    for (int i = 0; i < c->n_unrolled; i++) copies *= c->extent[i];
    return copies;
}

static bool is_wide_int(const Expr *x) {
    return dtype_is_int(x->type) && dtypes[x->type].bytes == 8 &&
           (x->lo < INT32_MIN || x->hi > INT32_MAX);
}

static CodePart part_of_scalar(const Expr *x, int64_t copies) {
    DType t = x->args[0]->type;
    if (t == DT_F64) return CODE_DOUBLE;
    if (x->op == SC_LT || x->op == SC_LE || x->op == SC_EQ || x->op == SC_NE) return CODE_COMPARE;
    if (dtype_is_float(t)) return CODE_FLOAT;
    if (x->op == SC_DIV || x->op == SC_REM) return CODE_INT_DIV;
    if (is_wide_int(x)) return CODE_WIDE;
    return copies > 1 ? CODE_COUNT
                      : CODE_INT; /* a constant more or less is in the instruction that uses it */
}

/* Is the index known when the loops are unrolled, so that the element may be a register? */
static bool is_register(const Count *c, const Buffer *b, const Expr *index) {
    if (b->kind != BUF_LOCAL || !index->fixed) return false;
    uint64_t vars = index->vars;
    for (int i = 0; i < c->n_unrolled; i++) vars &= ~(UINT64_C(1) << (c->unrolled[i]->id % 64));
    return !vars;
}

static void count_expr(Count *c, const Expr *x);

static void count_load(Count *c, const Expr *x, int64_t copies) {
    if (is_register(c, x->buffer, x->args[0])) {
        c->parts->n[CODE_REGISTER] += copies;
        return;
    }
    c->parts->n[CODE_LOAD] += copies * (dtypes[x->type].bytes == 8 ? 2 : 1);
    count_expr(c, x->args[0]);
}

static void count_constant(Count *c, const Expr *x) {
    if (!dtype_is_float(x->type) || map_get(&c->constants, (uintptr_t)x)) return;
    map_set(&c->constants, (uintptr_t)x, (void *)x);
    c->parts->n[CODE_CONST] += dtypes[x->type].bytes == 8 ? 2 : 1;
}

static void count_scalar(Count *c, const Expr *x, int64_t copies) {
    CodePart part = part_of_scalar(x, copies);
    if (part < CODE_COUNT) c->parts->n[part] += copies;
}

static void count_expr(Count *c, const Expr *x) {
    if (x->kind == EX_VAR || map_get(&c->seen, (uintptr_t)x)) return;
    map_set(&c->seen, (uintptr_t)x, (void *)x);
    int64_t copies = copies_of(c, x);
    switch (x->kind) {
    case EX_CONST: count_constant(c, x); return;
    case EX_LOAD: count_load(c, x, copies); return;
    case EX_SCALAR: count_scalar(c, x, copies); break;
    case EX_SELECT: c->parts->n[CODE_SELECT] += copies; break;
    case EX_CAST:
        if (!dtype_is_int(x->type) || !dtype_is_int(x->args[0]->type))
            c->parts->n[CODE_CAST] += copies;
        break;
    case EX_BITCAST: c->parts->n[CODE_CAST] += copies; break;
    case EX_VAR: return;
    }
    for (int k = 0; k < x->n_args; k++) count_expr(c, x->args[k]);
}

static void count_write(Count *c, const Stmt *s) {
    int64_t copies = copies_of_statement(c), words = dtypes[s->buffer->type].bytes == 8 ? 2 : 1;
    bool in_register = is_register(c, s->buffer, s->index);
    if (in_register)
        c->parts->n[CODE_REGISTER] += copies * words;
    else if (s->kind == ST_ACC)
        c->parts->n[CODE_LOAD] += copies * words;
    if (s->kind == ST_ACC)
        c->parts->n[s->buffer->type == DT_F64 ? CODE_DOUBLE : CODE_FLOAT] += copies;
    if (!in_register) count_expr(c, s->index);
    count_expr(c, s->value);
    if (s->factor) count_expr(c, s->factor);
}

static void count_block(Count *c, const Stmt *s);

static void count_loop(Count *c, const Stmt *s) {
    int64_t extent;
    bool unrolled =
        s->loop == LOOP_UNROLL && expr_is_const_int(s->extent, &extent) && c->n_unrolled < UNROLLED;
    count_expr(c, s->extent);
    if (unrolled) {
        c->unrolled[c->n_unrolled] = s->var;
        c->extent[c->n_unrolled++] = extent;
    } else {
        c->parts->n[CODE_LOOP] += copies_of_statement(c);
    }
    count_block(c, s->body);
    if (unrolled) c->n_unrolled--;
}

static void count_block(Count *c, const Stmt *s) {
    for (; s; s = s->next) {
        c->seen = (Map){.arena = c->arena};
        switch (s->kind) {
        case ST_FOR: count_loop(c, s); break;
        case ST_IF:
            count_expr(c, s->cond);
            count_block(c, s->body);
            count_block(c, s->other);
            break;
        case ST_LET: count_expr(c, s->value); break;
        case ST_LOCAL: break;
        case ST_STORE:
        case ST_ACC: count_write(c, s); break;
        case ST_PREFETCH:
            c->parts->n[CODE_LOAD] += copies_of_statement(c);
            count_expr(c, s->index);
            break;
        }
    }
}

void code_parts(const Program *p, const Kernel *k, CodeParts *parts) {
    Count c = {.arena = p->unit->arena, .parts = parts, .constants = {.arena = p->unit->arena}};
    memset(parts, 0, sizeof *parts);
    count_block(&c, k->body);
}

int64_t code_bytes(const CodeParts *parts) {
    double bytes = 0;
    for (int i = 0; i < CODE_COUNT; i++) bytes += (double)parts->n[i] * part_bytes[i];
    return ((int64_t)bytes + 3) / 4 * 4;
}

/* init, run and run_ports: a call of every kernel, a test and a load of every port. */
static int64_t code_frame_bytes(const Program *p) {
    double bytes = frame_bytes[0] * (p->inputs.n + p->outputs.n) + frame_bytes[1] * p->kernels.n;
    return ((int64_t)bytes + 3) / 4 * 4;
}

/* Locals of blocks side by side share their place. */
static int64_t locals_bytes(const Stmt *s) {
    int64_t own = 0, most = 0;
    for (; s; s = s->next) {
        if (s->kind == ST_LOCAL && s->buffer->kind == BUF_LOCAL)
            own += (s->buffer->count * dtypes[s->buffer->type].bytes + 7) / 8 * 8;
        int64_t body = locals_bytes(s->body), other = locals_bytes(s->other),
                inner = body > other ? body : other;
        if (inner > most) most = inner;
    }
    return own + most;
}

int64_t stack_bytes(const Kernel *k) {
    enum {
        SAVED = 9 * 4 + 16 * 4,
        SPILLED = 128
    }; /* registers of the caller; values that find none */
    return locals_bytes(k->body) + SAVED + SPILLED;
}

/* The tables of inputs and outputs: name, type, rank, dimensions. */
static int64_t tables_bytes(const Program *p) {
    int64_t names = 0, rank = 1, ports = 0;
    for (int side = 0; side < 2; side++) {
        const Port *at = side ? p->outputs.at : p->inputs.at;
        int n = side ? p->outputs.n : p->inputs.n;
        ports += n ? n : 1;
        for (int i = 0; i < n; i++) {
            names += (int64_t)strlen(at[i].name) + 1;
            if (at[i].rank > rank) rank = at[i].rank;
        }
    }
    return ports * (16 + 8 * rank) + names + 4;
}

static int64_t largest_stack(const Program *p) {
    enum { RUN = 96 }; /* the frames of run and run_ports */
    int64_t most = 0;
    for (int i = 0; i < p->kernels.n; i++) {
        int64_t bytes = stack_bytes(p->kernels.at[i]) +
                        4 * kernel_params(p->unit->arena, p->kernels.at[i]).list.n;
        if (bytes > most) most = bytes;
    }
    return most + RUN + 4 * (p->inputs.n + p->outputs.n);
}

Footprint footprint_of(const Program *p) {
    Footprint f = {.code = code_frame_bytes(p), .stack = largest_stack(p)};
    CodeParts parts;
    for (int i = 0; i < p->kernels.n; i++) {
        code_parts(p, p->kernels.at[i], &parts);
        f.code += code_bytes(&parts);
    }
    f.constants = weights_place(p).bytes + tables_bytes(p);
    f.flash = f.code + f.constants;
    f.ram = p->arena_bytes + f.stack;
    return f;
}
