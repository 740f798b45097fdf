/* lower_load.c - elements of values: loads from storage, or the composed expressions of ELEM and
 * MOVE nodes.
 *
 * A value that is not stored is computed where it is asked for.  Equal requests in one kernel are
 * answered from a memo: without it a chain such as x * sigmoid(x) would be expanded twice at every
 * step. */
#include "lower_plan.h"

#include <string.h>

typedef struct LoadMemo {
    const Value *value;
    const Expr *index[MAX_RANK];
    const Expr *element;
} LoadMemo;

NodePlan *node_plan(const Lower *l, const Node *n) {
    uintptr_t position = (uintptr_t)map_get(&l->plan->node_index, (uintptr_t)n);
    return &l->plan->nodes[position - 1];
}

bool lower_is_plain(const Lower *l) { return l->plan->options->plain; }

bool lower_is_real(const Lower *l) { return l->plan->options->real; }

void memo_reset(Lower *l) {
    LowerPlan *p = l->plan;
    if (!p->memo_size) {
        p->memo_size = 256;
        p->memo = NEW_ARRAY(l->unit->arena, LoadMemo, p->memo_size);
    } else if (p->memo_used) {
        memset(p->memo, 0, (size_t)p->memo_size * sizeof *p->memo);
    }
    p->memo_used = 0;
}

static LoadMemo *memo_slot(LoadMemo *memo, int size, const Value *v, const Expr *const *index) {
    uint64_t h = (uint64_t)v->id * 0x9e3779b97f4a7c15u;
    for (int d = 0; d < v->rank; d++) h = (h ^ (uint64_t)index[d]->id) * 0x100000001b3u;
    for (int i = (int)((h >> 20) & (uint64_t)(size - 1));; i = (i + 1) & (size - 1)) {
        LoadMemo *m = &memo[i];
        if (!m->value) return m;
        if (m->value == v && !memcmp(m->index, index, (size_t)v->rank * sizeof *index)) return m;
    }
}

static void memo_grow(Lower *l) {
    LowerPlan *p = l->plan;
    LoadMemo *old = p->memo;
    int size = p->memo_size;
    p->memo_size *= 2;
    p->memo = NEW_ARRAY(l->unit->arena, LoadMemo, p->memo_size);
    for (int i = 0; i < size; i++)
        if (old[i].value) *memo_slot(p->memo, p->memo_size, old[i].value, old[i].index) = old[i];
}

static void memo_keep(Lower *l, const Value *v, const Expr *const *index, const Expr *element) {
    LowerPlan *p = l->plan;
    if (2 * ++p->memo_used > p->memo_size) memo_grow(l);
    LoadMemo *m = memo_slot(p->memo, p->memo_size, v, index);
    m->value = v;
    memcpy(m->index, index, (size_t)v->rank * sizeof *index);
    m->element = element;
}

DType lower_wide(DType t) {
    if (t == DT_F16 || t == DT_BF16) return DT_F32;
    if (t == DT_I4 || t == DT_U4) return DT_I32;
    return t;
}

static const Expr *widen(Lower *l, const Expr *x) {
    DType wide = lower_wide(x->type);
    return wide == x->type ? x : ex_cast(l->b, wide, x);
}

const Expr *storage_index(Lower *l, const Storage *s, int rank, const Expr *const *index) {
    const Expr *flat = ex_index(l->b, s->offset);
    for (int d = 0; d < rank; d++) flat = ex_offset(l->b, index[d], s->stride[d], flat);
    return flat;
}

static int64_t row_major_constant_index(const Value *v, const Expr *const *index) {
    int64_t flat = 0, i;
    for (int d = 0; d < v->rank; d++) {
        if (v->dims[d].size != 1 && !expr_is_const_int(index[d], &i)) return -1;
        if (v->dims[d].size == 1) i = 0;
        flat = flat * v->dims[d].size + i;
    }
    return flat;
}

static const Expr *constant_element(Lower *l, const Tensor *t, int64_t i) {
    if (dtype_is_float(t->dtype)) return ex_float(l->b, t->dtype, tensor_get_double(t, i));
    return ex_int(l->b, t->dtype, tensor_get_int(t, i));
}

Buffer *lower_constant(Lower *l, const char *name, const Tensor *t) {
    Buffer *b = program_add_buffer(l->program, name, t->dtype, t->count, BUF_CONST);
    b->data = t;
    return b;
}

static void row_major_strides(const Value *v, Storage *s) {
    int64_t stride = 1;
    for (int d = v->rank - 1; d >= 0; d--) {
        s->stride[d] = stride;
        stride *= v->dims[d].size;
    }
}

static const Expr *load_constant(Lower *l, const Value *v, const Expr *const *index) {
    ValuePlan *p = value_plan(l, v);
    int64_t i = row_major_constant_index(v, index);
    if (i >= 0 && i < v->constant->count) return constant_element(l, v->constant, i);
    if (!p->has_storage) {
        p->storage.buffer = lower_constant(l, v->name, v->constant);
        row_major_strides(v, &p->storage);
        p->has_storage = true;
    }
    return ex_load(l->b, p->storage.buffer, storage_index(l, &p->storage, v->rank, index));
}

/* The index of input `in` that numpy's broadcasting pairs with `index` of a value of rank
 * `rank`. */
static void broadcast_index(Lower *l, const Value *in, int rank, const Expr *const *index,
                            const Expr **out) {
    for (int d = 0; d < in->rank; d++)
        out[d] = in->dims[d].size == 1 ? ex_index(l->b, 0) : index[rank - in->rank + d];
}

/* The element that ELEM node n computes at `index`; `given` stands for its input `known` where that
 * is not NULL. */
static const Expr *elem_element(Lower *l, const Node *n, const Expr *const *index,
                                const Value *known, const Expr *given) {
    const Value *out = n->outputs[0];
    const Expr **x = NEW_ARRAY(l->unit->arena, const Expr *, n->n_inputs + 1);
    for (int k = 0; k < n->n_inputs; k++) {
        const Value *in = n->inputs[k];
        if (!in) continue;
        if (in == known) {
            x[k] = widen(l, given);
            continue;
        }
        const Expr *at[MAX_RANK];
        broadcast_index(l, in, out->rank, index, at);
        x[k] = lower_load_wide(l, in, at);
    }
    const Expr *y = n->op->elem(l, n, x);
    return y->type == out->dtype ? y : ex_cast(l->b, out->dtype, y);
}

const Expr *lower_element(Lower *l, const Node *n, int output, const Expr *const *index) {
    if (n->op->kind == OK_ELEM) return elem_element(l, n, index, NULL, NULL);
    if (n->op->kind == OK_MOVE) return n->op->move(l, n, output, index);
    BUG(l->unit, "%s '%s' is asked for an element but has no element function", n->op->name,
        n->name);
}

static int output_number(const Node *n, const Value *v) {
    int k = 0;
    while (n->outputs[k] != v) k++;
    return k;
}

const Expr *lower_load(Lower *l, const Value *v, const Expr *const *index) {
    if (v->constant) return load_constant(l, v, index);
    ValuePlan *p = value_plan(l, v);
    if (p->stored) {
        storage_make(l, v);
        return ex_load(l->b, p->storage.buffer, storage_index(l, &p->storage, v->rank, index));
    }
    LoadMemo *m = memo_slot(l->plan->memo, l->plan->memo_size, v, index);
    if (m->value) return m->element;
    const Expr *element = lower_element(l, v->producer, output_number(v->producer, v), index);
    memo_keep(l, v, index, element);
    return element;
}

const Expr *lower_load_wide(Lower *l, const Value *v, const Expr *const *index) {
    return widen(l, lower_load(l, v, index));
}

void lower_store(Lower *l, const Value *v, const Expr *const *index, const Expr *x) {
    if (x->type != v->dtype) x = ex_cast(l->b, v->dtype, x);
    for (ValuePlan *p = value_plan(l, v); p->epilogue; p = value_plan(l, v)) {
        x = elem_element(l, p->epilogue, index, v, x);
        v = p->epilogue->outputs[0];
    }
    storage_make(l, v);
    const Storage *s = &value_plan(l, v)->storage;
    st_store(l->b, s->buffer, storage_index(l, s, v->rank, index), x);
}
