/* interp_prepare.c - a kernel to steps: variables and expressions to slots, once before it runs.
 *
 * Within a statement every expression is computed once.  What may fail stands in the steps of the
 * SELECT side that it belongs to (a region); all else is computed for all lanes before, whether it
 * is chosen or not. */
#include "interp_acts.h"

#include <string.h>

/* The steps of a statement, or of a side of a SELECT in it. */
typedef struct Region {
    struct Region *outer;
    int id; /* from 1, unique in the kernel */
    Code code;
} Region;

/* Where the value of an expression is, if it was computed for the statement at hand in a region
 * around. */
typedef struct Known {
    void *at;
    int region, statement;
} Known;

typedef struct Prepare {
    Arena *arena;
    const Program *program;
    const Kernel *kernel;
    InterpError *error;
    jmp_buf jump;
    char **memory;
    Known *own, *first,
        *spread;     /* by expression id: its slot; its first lane; a uniform one for all lanes */
    void **vars;     /* by variable id: its slot */
    const Var *lane; /* the enclosing LANES loop's, or NULL */
    int64_t *lane_first; /* its value on the first lane; NULL: 0 */
    int width;           /* lanes at once; 1 outside of LANES */
    int statement, regions;
    Region *root;
} Prepare;

_Noreturn static void prepare_fail(Prepare *p, const char *what) {
    snprintf(p->error->message, sizeof p->error->message, "kernel %s: %s", p->kernel->name, what);
    longjmp(p->jump, 1);
}

static void *slot_new(Prepare *p, int n) {
    return arena_alloc(p->arena, n == 1 ? 8 : (size_t)(n + PAD - 1) / PAD * PAD * 8);
}

static bool known_in(const Prepare *p, const Known *k, const Region *g) {
    if (!k->at || k->statement != p->statement) return false;
    for (; g; g = g->outer)
        if (k->region == g->id) return true;
    return false;
}

static void *slot_know(Prepare *p, Known *k, const Region *g, void *at) {
    *k = (Known){.at = at, .region = g->id, .statement = p->statement};
    return at;
}

static Step *step_add(Prepare *p, Region *g, StepFn *fn, int n, int size, void *dst) {
    if (!fn) prepare_fail(p, "an operation on a type that does not have it");
    Step s = {.fn = fn, .n = n, .size = size, .dst = dst};
    vec_push(p->arena, &g->code, s);
    return &g->code.at[g->code.n - 1];
}

static void *value_of(Prepare *p, const Expr *e, Region *g);

/* A uniform value for all lanes. */
static const void *vector_of(Prepare *p, const Expr *e, Region *g) {
    const void *own = value_of(p, e, g);
    if (e->vector || p->width == 1) return own;
    if (!e->traps) g = p->root;
    Known *k = &p->spread[e->id];
    if (known_in(p, k, g)) return k->at;
    int size = dtypes[e->type].bytes;
    void *at = slot_new(p, p->width);
    step_add(p, g, step_broadcast, p->width, size, at)->x = own;
    return slot_know(p, k, g, at);
}

static const void *operand_of(Prepare *p, const Expr *e, Region *g, bool vector) {
    return vector ? vector_of(p, e, g) : value_of(p, e, g);
}

static void fill_constant(const Expr *e, void *at) {
    int64_t i = e->value.i;
    double f = e->value.f;
    float narrow = (float)f;
    uint16_t half;
    switch (e->type) {
    case DT_F32: memcpy(at, &narrow, 4); return;
    case DT_F64: memcpy(at, &f, 8); return;
    case DT_F16:
        half = float_to_half(narrow);
        memcpy(at, &half, 2);
        return;
    case DT_BF16:
        half = float_to_bfloat(narrow);
        memcpy(at, &half, 2);
        return;
    case DT_U8:
    case DT_I8:
    case DT_U4:
    case DT_I4:
    case DT_BOOL: *(uint8_t *)at = (uint8_t)i; return;
    case DT_U16:
    case DT_I16: *(uint16_t *)at = (uint16_t)i; return;
    case DT_U32:
    case DT_I32: *(uint32_t *)at = (uint32_t)i; return;
    case DT_U64:
    case DT_I64: *(int64_t *)at = i; return;
    case DT_STRING:
    case DT_NONE:
    case DT_COUNT: return;
    }
}

/* Is e = c * lane + something uniform?  Only then is its first lane enough. */
static bool lane_stride(const Prepare *p, const Expr *e, int64_t *c) {
    int64_t x, y;
    *c = 0;
    if (!e->vector) return true;
    if (e->kind == EX_VAR) {
        if (e->var->let) return !e->var->let->traps && lane_stride(p, e->var->let, c);
        *c = 1;
        return e->var == p->lane;
    }
    if (e->kind != EX_SCALAR || e->type != DT_I64) return false;
    if (e->op == SC_ADD || e->op == SC_SUB) {
        if (!lane_stride(p, e->args[0], &x) || !lane_stride(p, e->args[1], &y)) return false;
        *c = e->op == SC_ADD ? x + y : x - y;
    } else if (e->op == SC_MUL) {
        int64_t by;
        bool left = expr_is_const_int(e->args[0], &by);
        if (!left && !expr_is_const_int(e->args[1], &by)) return false;
        if (!lane_stride(p, e->args[left], &x) || __builtin_mul_overflow(x, by, c)) return false;
    } else {
        return false;
    }
    return *c > -(INT64_C(1) << 40) && *c < INT64_C(1) << 40;
}

/* The value on the first lane of an expression that lane_stride accepts; NULL: zero. */
static const void *first_of(Prepare *p, const Expr *e, Region *g) {
    if (!e->vector) return value_of(p, e, g);
    if (e->kind == EX_VAR && !e->var->let) return p->lane_first;
    if (!e->traps) g = p->root;
    Known *k = &p->first[e->id];
    if (known_in(p, k, g)) return k->at;
    if (e->kind == EX_VAR) return slot_know(p, k, g, (void *)value_of(p, e, g));
    const void *x = first_of(p, e->args[0], g), *y = first_of(p, e->args[1], g);
    if (e->op == SC_MUL && !(x && y)) return NULL;
    if (e->op == SC_ADD && !(x && y)) return x ? x : y;
    if (e->op == SC_SUB && !y) return x;
    void *at = slot_new(p, 1);
    Step *s = step_add(p, g, step_scalar(x ? e->op : SC_NEG, DT_I64), 1, 8, at);
    s->x = x ? x : y;
    s->y = y;
    return slot_know(p, k, g, at);
}

/* How the lanes reach into `buffer`; sets what the step needs for it. */
static IndexForm access_form(Prepare *p, const Expr *index, bool vector, Region *g, Step *like) {
    if (!vector) {
        like->x = value_of(p, index, g);
        return INDEX_UNIFORM;
    }
    if (lane_stride(p, index, &like->stride)) {
        static const int64_t zero;
        like->x = first_of(p, index, g);
        if (!like->x) like->x = &zero;
        return INDEX_STRIDED;
    }
    like->x = vector_of(p, index, g);
    return INDEX_GATHER;
}

static Step access_begin(Prepare *p, const Buffer *buffer) {
    if (!p->memory[buffer->id] && buffer->count > 0)
        prepare_fail(p, "a buffer without memory is accessed");
    return (Step){
        .size = dtypes[buffer->type].bytes, .memory = p->memory[buffer->id], .buffer = buffer};
}

static void emit_load(Prepare *p, const Expr *e, Region *g, void *at) {
    Step like = access_begin(p, e->buffer);
    IndexForm form = access_form(p, e->args[0], e->vector, g, &like);
    Step *s = step_add(p, g, step_load(form, like.size), e->vector ? p->width : 1, like.size, at);
    like.fn = s->fn;
    like.n = s->n;
    like.dst = at;
    *s = like;
}

static void emit_choice(Prepare *p, const Expr *e, Region *g, void *at) {
    const Expr *cond = e->args[0];
    const void *c = value_of(p, cond, g);
    Region yes = {.outer = g, .id = ++p->regions}, no = {.outer = g, .id = ++p->regions};
    Choice *choice = NEW(p->arena, Choice);
    choice->vector = cond->vector;
    choice->yes_value = operand_of(p, e->args[1], &yes, e->vector);
    choice->no_value = operand_of(p, e->args[2], &no, e->vector);
    choice->yes = yes.code;
    choice->no = no.code;
    Step *s = step_add(p, g, step_choice, e->vector ? p->width : 1, dtypes[e->type].bytes, at);
    s->x = c;
    s->choice = choice;
}

static void emit_scalar(Prepare *p, const Expr *e, Region *g, void *at) {
    const void *args[3] = {NULL, NULL, NULL};
    for (int k = 0; k < e->n_args; k++) args[k] = operand_of(p, e->args[k], g, e->vector);
    StepFn *fn = e->kind == EX_SELECT ? step_select
                 : e->kind == EX_CAST ? step_cast(e->args[0]->type, e->type)
                                      : step_scalar(e->op, e->args[0]->type);
    Step *s = step_add(p, g, fn, e->vector ? p->width : 1, dtypes[e->type].bytes, at);
    s->x = args[0];
    s->y = args[1];
    s->z = args[2];
    s->from = e->args[0]->type;
    s->to = e->type;
}

/* Constants keep their slot over all statements. */
static void *constant_slot(Prepare *p, const Expr *e) {
    Known *k = &p->own[e->id];
    if (!k->at) {
        k->at = slot_new(p, 1);
        fill_constant(e, k->at);
    }
    return k->at;
}

/* The slot of e: of all lanes if e->vector, else of one element. */
static void *value_of(Prepare *p, const Expr *e, Region *g) {
    if (e->kind == EX_CONST) return constant_slot(p, e);
    if (e->kind == EX_VAR) {
        if (!p->vars[e->var->id]) prepare_fail(p, "a variable is used outside of its block");
        return p->vars[e->var->id];
    }
    if (e->kind == EX_BITCAST) return value_of(p, e->args[0], g);
    if (!e->traps) g = p->root;
    Known *k = &p->own[e->id];
    if (known_in(p, k, g)) return k->at;
    if (e->vector && !p->lane) prepare_fail(p, "a vector outside of its loop");
    void *at = slot_new(p, e->vector ? p->width : 1);
    if (e->kind == EX_LOAD)
        emit_load(p, e, g, at);
    else if (e->kind == EX_SELECT && (e->args[1]->traps || e->args[2]->traps))
        emit_choice(p, e, g, at);
    else
        emit_scalar(p, e, g, at);
    return slot_know(p, k, g, at);
}

static Act *block_prepare(Prepare *p, const Stmt *s);

static void prepare_lanes(Prepare *p, const Stmt *s, Act *act) {
    int64_t extent;
    if (p->lane) prepare_fail(p, "lanes within lanes");
    if (!expr_is_const_int(s->extent, &extent) || extent < 1)
        prepare_fail(p, "lanes without a constant extent");
    p->lane = s->var;
    p->width = extent < MAX_LANES ? (int)extent : MAX_LANES;
    act->lanes_var = slot_new(p, p->width);
    for (int i = 0; i < p->width; i++) act->lanes_var[i] = i;
    act->var = NEW(p->arena, int64_t);
    p->lane_first = extent > MAX_LANES ? act->var : NULL;
    p->vars[s->var->id] = act->lanes_var;
    act->body = block_prepare(p, s->body);
    p->lane = NULL;
    p->lane_first = NULL;
    p->width = 1;
}

static void prepare_for(Prepare *p, const Stmt *s, Act *act) {
    if (s->extent->vector) prepare_fail(p, "a loop with an extent that differs between lanes");
    act->value = value_of(p, s->extent, p->root);
    act->code = p->root->code;
    if (s->loop == LOOP_LANES) {
        prepare_lanes(p, s, act);
        return;
    }
    act->var = NEW(p->arena, int64_t);
    p->vars[s->var->id] = act->var;
    act->body = block_prepare(p, s->body);
}

static void prepare_if(Prepare *p, const Stmt *s, Act *act) {
    act->value = value_of(p, s->cond, p->root);
    act->vector = s->cond->vector;
    act->code = p->root->code;
    act->body = block_prepare(p, s->body);
    act->other = block_prepare(p, s->other);
}

static void prepare_local(Prepare *p, const Stmt *s, Act *act) {
    const Buffer *buffer = s->buffer;
    act->bytes = (size_t)buffer->count * (size_t)dtypes[buffer->type].bytes;
    if (!p->memory[buffer->id])
        p->memory[buffer->id] =
            arena_array(p->arena, (size_t)buffer->count + 1, (size_t)dtypes[buffer->type].bytes);
    act->memory = p->memory[buffer->id];
}

static void prepare_write(Prepare *p, const Stmt *s, Act *act) {
    if (s->buffer->kind == BUF_INPUT || s->buffer->kind == BUF_CONST)
        prepare_fail(p, "an input or a constant is written");
    bool vector = p->lane != NULL;
    Step like = access_begin(p, s->buffer);
    IndexForm form = access_form(p, s->index, vector, p->root, &like);
    like.n = p->width;
    like.y = operand_of(p, s->value, p->root, vector);
    if (s->kind == ST_ACC && s->fused) like.z = operand_of(p, s->factor, p->root, vector);
    like.fn = s->kind == ST_STORE ? step_store(form, like.size)
                                  : step_acc(form, s->buffer->type, s->fused);
    *step_add(p, p->root, like.fn, like.n, like.size, NULL) = like;
    act->code = p->root->code;
}

static Act *act_prepare(Prepare *p, const Stmt *s) {
    Region root = {.id = ++p->regions};
    Act *act = NEW(p->arena, Act);
    act->kind = s->kind;
    act->loop = s->loop;
    p->root = &root;
    p->statement++;
    switch (s->kind) {
    case ST_FOR: prepare_for(p, s, act); break;
    case ST_IF: prepare_if(p, s, act); break;
    case ST_LET:
        p->vars[s->var->id] = value_of(p, s->value, &root);
        act->code = root.code;
        break;
    case ST_LOCAL: prepare_local(p, s, act); break;
    case ST_STORE:
    case ST_ACC: prepare_write(p, s, act); break;
    case ST_PREFETCH: break;
    }
    return act;
}

static Act *block_prepare(Prepare *p, const Stmt *s) {
    Act *first = NULL, **tail = &first;
    for (; s; s = s->next) {
        *tail = act_prepare(p, s);
        tail = &(*tail)->next;
    }
    return first;
}

Act *interp_prepare(Arena *a, const Program *program, const Kernel *k, char **memory,
                    InterpError *error) {
    Prepare p = {
        .arena = a, .program = program, .kernel = k, .error = error, .memory = memory, .width = 1};
    p.own = NEW_ARRAY(a, Known, k->n_exprs);
    p.first = NEW_ARRAY(a, Known, k->n_exprs);
    p.spread = NEW_ARRAY(a, Known, k->n_exprs);
    p.vars = NEW_ARRAY(a, void *, k->n_vars);
    if (setjmp(p.jump)) return NULL;
    return block_prepare(&p, k->body);
}
