/* loop.c - programs, buffers, and the builder of statements: a stack of open blocks.
 *
 * Blocks that turn out empty or whose condition is known leave nothing behind, so lowerings need no
 * such cases. */
#include "loop_build.h"

#include <string.h>

Program *program_new(Unit *u, const char *name, const Target *target) {
    Program *p = NEW(u->arena, Program);
    p->unit = u;
    p->name = name_intern(u->names, name);
    p->target = target;
    return p;
}

Buffer *program_add_buffer(Program *p, const char *name, DType type, int64_t count,
                           BufferKind kind) {
    if (count < 0) BUG(p->unit, "buffer '%s' with %lld elements", name, (long long)count);
    Buffer *buffer = NEW(p->unit->arena, Buffer);
    *buffer = (Buffer){
        .id = p->buffers.n,
        .name = name_intern(p->unit->names, name),
        .type = type,
        .count = count,
        .kind = kind,
        .first_kernel = -1,
        .last_kernel = -1,
    };
    vec_push(p->unit->arena, &p->buffers, buffer);
    return buffer;
}

Builder *builder_begin(Program *p, const char *kernel_name) {
    Arena *a = p->unit->arena;
    Kernel *k = NEW(a, Kernel);
    k->name = name_intern(p->unit->names, kernel_name);
    k->comment = "";
    k->exprs = table_new(a);
    Builder *b = builder_resume(p, k);
    vec_push(a, &b->blocks, ((Block){.tail = &k->body}));
    return b;
}

Builder *builder_resume(const Program *p, const Kernel *k) {
    Builder *b = NEW(p->unit->arena, Builder);
    b->program = (Program *)p;
    b->kernel = (Kernel *)k;
    b->arena = p->unit->arena;
    b->table = k->exprs;
    return b;
}

Program *builder_program(const Builder *b) { return b->program; }
Kernel *builder_kernel(const Builder *b) { return b->kernel; }

static Block *innermost(Builder *b) {
    if (!b->blocks.n) BUG(b->program->unit, "kernel %s is complete", b->kernel->name);
    return &b->blocks.at[b->blocks.n - 1];
}

Kernel *builder_end(Builder *b) {
    if (b->blocks.n != 1) BUG(b->program->unit, "kernel %s ends inside a block", b->kernel->name);
    b->blocks.n = 0;
    if (!b->kernel->body) return NULL;
    kernel_share(b);
    kernel_place(b);
    if (kernel_has_parallel(b->kernel)) kernel_prove(b);
    vec_push(b->arena, &b->program->kernels, b->kernel);
    return b->kernel;
}

static Stmt *add_stmt(Builder *b, StmtKind kind) {
    Block *block = innermost(b);
    Stmt *s = NEW(b->arena, Stmt);
    s->kind = kind;
    *block->tail = s;
    block->tail = &s->next;
    return s;
}

static void open_block(Builder *b, Stmt *owner, Stmt **slot) {
    vec_push(b->arena, &b->blocks, ((Block){.owner = owner, .slot = slot, .tail = &owner->body}));
}

Var *var_new(Builder *b, const char *name, DType type) {
    Range r = range_of_type(type);
    Var *v = NEW(b->arena, Var);
    *v = (Var){
        .name = name_intern(b->program->unit->names, name),
        .type = type,
        .id = b->kernel->n_vars++,
        .lo = r.lo,
        .hi = r.hi,
        .born = b->kernel->n_exprs,
    };
    return v;
}

const Expr *stmt_for(Builder *b, LoopKind kind, const char *name, const Expr *extent) {
    Unit *u = b->program->unit;
    int64_t n = 0;
    if (extent->type != DT_I64) BUG(u, "loop %s: its extent is no i64", name);
    if ((kind == LOOP_UNROLL || kind == LOOP_LANES) && !expr_is_const_int(extent, &n))
        BUG(u, "loop %s: its extent must be constant", name);
    Stmt **slot = innermost(b)->tail;
    Stmt *s = add_stmt(b, ST_FOR);
    Var *v = var_new(b, name, DT_I64);
    v->lo = 0;
    v->hi = extent->hi > 1 ? extent->hi - 1 : 0;
    v->loop = kind;
    v->lanes = kind == LOOP_LANES ? n : 0;
    s->var = v;
    s->extent = extent;
    s->loop = kind;
    open_block(b, s, slot);
    return ex_var(b, v);
}

/* One turn is no loop. */
static bool is_once(const Expr *extent) {
    int64_t n;
    return expr_is_const_int(extent, &n) && n == 1;
}

const Expr *st_for(Builder *b, LoopKind kind, const char *name, const Expr *extent) {
    const Expr *v = stmt_for(b, kind, name, extent);
    return is_once(extent) ? ex_index(b, 0) : v;
}

const Expr *st_for_n(Builder *b, LoopKind kind, const char *name, int64_t extent) {
    return st_for(b, kind, name, ex_index(b, extent));
}

void st_if(Builder *b, const Expr *cond) {
    if (cond->type != DT_BOOL) BUG(b->program->unit, "the condition of an if is no bool");
    Stmt **slot = innermost(b)->tail;
    Stmt *s = add_stmt(b, ST_IF);
    s->cond = cond;
    open_block(b, s, slot);
}

void st_else(Builder *b) {
    Block *block = innermost(b);
    if (!block->owner || block->owner->kind != ST_IF || block->in_else)
        BUG(b->program->unit, "else without if in kernel %s", b->kernel->name);
    block->in_else = true;
    block->tail = &block->owner->other;
}

/* What remains of a closed statement: itself, a part of it, or nothing. */
static Stmt *remainder_of(Builder *b, Stmt *s) {
    int64_t n;
    if (s->kind == ST_FOR) {
        bool never = expr_is_const_int(s->extent, &n) && n <= 0;
        if (never) return NULL;
        return s->body && !is_once(s->extent) ? s : s->body;
    }
    if (expr_is_const_int(s->cond, &n)) return n ? s->body : s->other;
    if (!s->body && s->other) {
        s->cond = ex_not(b, s->cond);
        s->body = s->other;
        s->other = NULL;
    }
    return s->body ? s : NULL;
}

static Block take_block(Builder *b) {
    Block block = *innermost(b);
    if (!block.owner) BUG(b->program->unit, "end without for or if in kernel %s", b->kernel->name);
    b->blocks.n--;
    return block;
}

void stmt_close(Builder *b) { take_block(b); }

void st_end(Builder *b) {
    Block block = take_block(b);
    Stmt **tail = block.slot;
    *tail = remainder_of(b, block.owner);
    while (*tail) tail = &(*tail)->next;
    innermost(b)->tail = tail;
}

const Expr *st_let(Builder *b, const char *name, const Expr *value) {
    if (value->kind == EX_CONST || value->kind == EX_VAR) return value;
    return stmt_let(b, name, value);
}

const Expr *stmt_let(Builder *b, const char *name, const Expr *value) {
    Stmt *s = add_stmt(b, ST_LET);
    Var *v = var_new(b, name, value->type);
    v->lo = value->lo;
    v->hi = value->hi;
    v->let = value;
    v->vector = value->vector;
    s->var = v;
    s->value = value;
    return ex_var(b, v);
}

Buffer *st_local(Builder *b, const char *name, DType type, int64_t count, int lanes) {
    if (lanes > 0 && count % lanes != 0)
        BUG(b->program->unit, "local '%s': no whole vectors of %d lanes", name, lanes);
    Buffer *buffer = program_add_buffer(b->program, name, type, count, BUF_LOCAL);
    buffer->lanes = lanes > 1 ? lanes : 0;
    add_stmt(b, ST_LOCAL)->buffer = buffer;
    return buffer;
}

Stmt *stmt_write(Builder *b, StmtKind kind, Buffer *buffer, const Expr *index, const Expr *value,
                 const Expr *factor) {
    Stmt *s = add_stmt(b, kind);
    s->buffer = buffer;
    s->index = index;
    s->value = value;
    s->factor = factor;
    s->fused = factor != NULL;
    return s;
}

static void add_write(Builder *b, StmtKind kind, Buffer *buffer, const Expr *index,
                      const Expr *value, const Expr *factor) {
    Unit *u = b->program->unit;
    if (index->type != DT_I64) BUG(u, "write to '%s': the index is no i64", buffer->name);
    if (value->type != buffer->type)
        BUG(u, "write of %s to '%s' of %s in kernel %s", dtypes[value->type].text, buffer->name,
            dtypes[buffer->type].text, b->kernel->name);
    if (buffer->kind == BUF_INPUT || buffer->kind == BUF_CONST)
        BUG(u, "write to '%s', which is only read", buffer->name);
    stmt_write(b, kind, buffer, index, value, factor);
}

Buffer *st_scratch(Builder *b, const char *name, DType type, int64_t count) {
    Buffer *buffer = program_add_buffer(b->program, name, type, count, BUF_SCRATCH);
    add_stmt(b, ST_LOCAL)->buffer = buffer;
    return buffer;
}

void st_store(Builder *b, Buffer *buffer, const Expr *index, const Expr *value) {
    add_write(b, ST_STORE, buffer, index, value, NULL);
}

void st_acc(Builder *b, Buffer *buffer, const Expr *index, const Expr *value) {
    if (!scalar_takes(SC_ADD, value->type))
        BUG(b->program->unit, "accumulation in %s", dtypes[value->type].text);
    add_write(b, ST_ACC, buffer, index, value, NULL);
}

void st_acc_mul(Builder *b, Buffer *buffer, const Expr *index, const Expr *x, const Expr *y) {
    if (!scalar_takes(SC_FMA, x->type) || !b->program->target->fma) {
        st_acc(b, buffer, index, ex_mul(b, x, y));
        return;
    }
    if (x->type != y->type) BUG(b->program->unit, "factors of '%s' differ in type", buffer->name);
    add_write(b, ST_ACC, buffer, index, x, y);
}

bool may_prefetch(const Buffer *buffer, const Expr *index) {
    return index->type == DT_I64 && !index->vector && buffer->kind != BUF_LOCAL && index->lo >= 0 &&
           index->hi < buffer->count;
}

void st_prefetch(Builder *b, const Buffer *buffer, const Expr *index) {
    if (!may_prefetch(buffer, index))
        BUG(b->program->unit, "prefetch of '%s' in kernel %s", buffer->name, b->kernel->name);
    stmt_write(b, ST_PREFETCH, (Buffer *)(uintptr_t)buffer, index, NULL, NULL);
}
