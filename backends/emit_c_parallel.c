/* emit_c_parallel.c - a loop that threads share, as functions of its own:
 *
 *     struct conv_captured   what the body takes from around it
 *     conv_part              the loop from `begin` to `end`; takes what is captured as parameters
 *     conv_loop              hands them over, with the scratch memory of the thread that runs it
 *
 * and where the loop stood, a call of parallel_for.  What is captured turns out when the body is
 * printed. */
#include "emit_c_text.h"

typedef struct Captured {
    const char *type, *name; /* "const float *", "x" */
    const char *space;       /* between them in a parameter */
} Captured;

struct Outline {
    const Stmt *loop;
    bool *inside_vars;    /* by var id: declared by the body */
    bool *inside_buffers; /* by buffer id */
    bool *seen_vars, *seen_buffers;
    VEC(Captured) captured;
    VEC(const Buffer *) scratch;
    const char *begin, *end;
};

bool kernel_is_shared(const Emit *e, const Kernel *k) {
    return e->options->threads != THREADS_NONE && kernel_has_parallel(k);
}

bool loop_is_outlined(const Emit *e, const Stmt *s) {
    return s->loop == LOOP_PARALLEL && e->options->threads != THREADS_NONE && !e->outline;
}

static void mark_scratch(Emit *e, const Stmt *s, bool inside) {
    for (; s; s = s->next) {
        if (s->kind == ST_LOCAL && s->buffer->kind == BUF_SCRATCH && inside)
            e->of_worker[s->buffer->id] = e->written[s->buffer->id] = true;
        bool parallel = s->kind == ST_FOR && s->loop == LOOP_PARALLEL;
        mark_scratch(e, s->body, inside || parallel);
        mark_scratch(e, s->other, inside || parallel);
    }
}

/* In the order in which the loops are printed. */
static void take_names(Emit *e, const char *kernel, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == ST_FOR && s->loop == LOOP_PARALLEL) {
            PartNames names = {names_take(&e->names, arena_format(e->arena, "%s_captured", kernel)),
                               names_take(&e->names, arena_format(e->arena, "%s_part", kernel)),
                               names_take(&e->names, arena_format(e->arena, "%s_loop", kernel))};
            vec_push(e->arena, &e->part_names, names);
            continue;
        }
        take_names(e, kernel, s->body);
        take_names(e, kernel, s->other);
    }
}

void kernel_take_names(Emit *e, int number) {
    const Kernel *k = e->program->kernels.at[number];
    if (kernel_is_shared(e, k)) take_names(e, e->kernel_names[number], k->body);
}

void kernel_find_scratch(Emit *e, const Kernel *k) {
    if (e->options->threads != THREADS_NONE) mark_scratch(e, k->body, false);
}

/* What the body uses. */

void outline_declare(Emit *e, const Var *v) {
    if (e->outline) e->outline->inside_vars[v->id] = true;
}

void outline_declare_buffer(Emit *e, const Buffer *b) {
    if (e->outline) e->outline->inside_buffers[b->id] = true;
}

static void capture(Emit *e, const char *type, const char *name, const char *space) {
    vec_push(e->arena, &e->outline->captured, ((Captured){type, name, space}));
}

const char *var_use(Emit *e, const Var *v) {
    struct Outline *o = e->outline;
    const char *name = e->var_names[v->id];
    bool is_lane = !v->let && v->loop == LOOP_LANES;
    if (o && name && !is_lane && !o->inside_vars[v->id] && !o->seen_vars[v->id]) {
        o->seen_vars[v->id] = true;
        capture(e, scalar_type_of(e, v), name, " ");
    }
    return name;
}

static const char *pointer_type(Emit *e, const Buffer *b) {
    const char *type = local_is_vectors(e->program->target, b) ? vector_type(e, b->type, b->lanes)
                                                               : c_type(b->type);
    bool constant = b->kind != BUF_LOCAL && !e->written[b->id];
    return arena_format(e->arena, "%s%s *", constant ? "const " : "", type);
}

const char *buffer_use(Emit *e, const Buffer *b) {
    struct Outline *o = e->outline;
    const char *name = e->buffer_names[b->id];
    if (o && !o->inside_buffers[b->id] && !o->seen_buffers[b->id]) {
        o->seen_buffers[b->id] = true;
        capture(e, pointer_type(e, b), name, e->overlaps[b->id] ? "" : "restrict ");
    }
    return name;
}

/* The functions. */

static void take_scratch(Emit *e, struct Outline *o, const Stmt *s) {
    for (; s; s = s->next) {
        if (s->kind == ST_LOCAL && s->buffer->kind == BUF_SCRATCH) {
            e->buffer_names[s->buffer->id] = names_take(&e->names, s->buffer->name);
            o->inside_buffers[s->buffer->id] = true;
            vec_push(e->arena, &o->scratch, s->buffer);
        }
        take_scratch(e, o, s->body);
        take_scratch(e, o, s->other);
    }
}

static void print_part_head(Emit *e, const struct Outline *o, const PartNames *name) {
    emit(e, "KERNEL void %s(", name->part);
    for (int i = 0; i < o->captured.n; i++) {
        const Captured *c = &o->captured.at[i];
        emit(e, "%s%s%s, ", c->type, c->space, c->name);
    }
    for (int i = 0; i < o->scratch.n; i++)
        emit(e, "%s *restrict %s, ", c_type(o->scratch.at[i]->type),
             e->buffer_names[o->scratch.at[i]->id]);
    const char *type = loop_type(o->loop->var);
    emit(e, "%s %s, %s %s) {\n", type, o->begin, type, o->end);
}

static void print_struct(Emit *e, const struct Outline *o, const PartNames *name) {
    emit(e, "struct %s {\n", name->captured);
    if (o->scratch.n) emit(e, "    unsigned char *arena;\n");
    for (int i = 0; i < o->captured.n; i++) {
        const Captured *c = &o->captured.at[i];
        emit(e, "    %s%s%s;\n", c->type, *c->space == ' ' ? " " : "", c->name);
    }
    if (!o->scratch.n && !o->captured.n) emit(e, "    int nothing;\n");
    emit(e, "};\n");
}

static void print_scratch_places(Emit *e, const struct Outline *o) {
    for (int i = 0; i < o->scratch.n; i++) {
        const Buffer *b = o->scratch.at[i];
        emit(e, "(%s *)(worker ? own + %lld : c->arena + %lld), ", c_type(b->type),
             (long long)b->worker_offset, (long long)b->offset);
    }
}

/* Threads but the first have their scratch memory behind the arena. */
static void print_loop_function(Emit *e, const struct Outline *o, const PartNames *name) {
    bool wide = o->loop->var->hi >= INT32_MAX;
    emit(e, "static void %s(void *captured, int64_t begin, int64_t end, int worker) {\n",
         name->loop);
    if (o->captured.n || o->scratch.n)
        emit(e, "    const struct %s *c = (const struct %s *)captured;\n", name->captured,
             name->captured);
    else
        emit(e, "    (void)captured;\n");
    if (o->scratch.n)
        emit(e,
             "    unsigned char *own = worker ? c->arena + %lld + (size_t)(worker - 1) * %lld : "
             "NULL;\n",
             (long long)e->program->arena_bytes, (long long)e->program->scratch_bytes);
    else
        emit(e, "    (void)worker;\n");
    emit(e, "    %s(", name->part);
    for (int i = 0; i < o->captured.n; i++) emit(e, "c->%s, ", o->captured.at[i].name);
    print_scratch_places(e, o);
    emit(e, "%sbegin, %send);\n}\n", wide ? "" : "(int)", wide ? "" : "(int)");
}

static Text print_loop_body(Emit *e, const char *type) {
    const struct Outline *o = e->outline;
    Text outer = e->out;
    int indent = e->indent;
    e->out = (Text){.arena = e->arena};
    e->indent = 1;
    const char *v = names_take(&e->names, o->loop->var->name);
    e->var_names[o->loop->var->id] = v;
    o->inside_vars[o->loop->var->id] = true;
    emit_line(e, "for (%s %s = %s; %s < %s; %s++) {\n", type, v, o->begin, v, o->end, v);
    body_print(e, o->loop->body);
    emit_line(e, "}\n");
    Text body = e->out;
    e->out = outer;
    e->indent = indent;
    return body;
}

static void print_functions(Emit *e, const PartNames *name, const Text *body) {
    const struct Outline *o = e->outline;
    Text outer = e->out;
    e->out = e->parts;
    print_struct(e, o, name);
    emit(e, "\n");
    print_part_head(e, o, name);
    text_add_bytes(&e->out, body->at, body->n);
    emit(e, "}\n\n");
    print_loop_function(e, o, name);
    emit(e, "\n");
    e->parts = e->out;
    e->out = outer;
}

static void print_call(Emit *e, const struct Outline *o, const PartNames *name) {
    const char *captured = names_take(&e->names, "captured");
    emit_line(e, "struct %s %s = {", name->captured, captured);
    if (o->scratch.n) emit(e, "m->arena%s", o->captured.n ? ", " : "");
    for (int i = 0; i < o->captured.n; i++) emit(e, "%s%s", i ? ", " : "", o->captured.at[i].name);
    if (!o->scratch.n && !o->captured.n) emit(e, "0");
    emit(e, "};\n");
    emit_line(e, "parallel_for(m, %s, &%s, ", name->loop, captured);
    expr_print(e, o->loop->extent, PREC_ANY);
    emit(e, ");\n");
}

void parallel_print(Emit *e, const Stmt *s) {
    int n_vars = e->kernel->n_vars + 1, n_buffers = e->program->buffers.n + 1;
    struct Outline o = {.loop = s,
                        .inside_vars = NEW_ARRAY(e->arena, bool, n_vars),
                        .seen_vars = NEW_ARRAY(e->arena, bool, n_vars),
                        .inside_buffers = NEW_ARRAY(e->arena, bool, n_buffers),
                        .seen_buffers = NEW_ARRAY(e->arena, bool, n_buffers)};
    const PartNames *name = &e->part_names.at[e->n_parts++];
    int mark = names_enter(&e->names);
    e->outline = &o;
    o.begin = names_take(&e->names, "begin");
    o.end = names_take(&e->names, "end");
    take_scratch(e, &o, s->body);
    Text body = print_loop_body(e, loop_type(s->var));
    print_functions(e, name, &body);
    e->outline = NULL;
    names_leave(&e->names, mark);
    print_call(e, &o, name);
}
