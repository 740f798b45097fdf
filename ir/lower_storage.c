/* lower_storage.c - layouts and buffers of stored values, and the zeros around them.
 *
 * Inside a program, feature maps lie channels-last: dimension 1 innermost, so that a pixel's
 * channels are a run of lanes, with as many zeros around the spatial axes as the widest padding of
 * a convolution that reads them.  The program's inputs, outputs and constants keep ONNX's row-major
 * order. */
#include "lower_plan.h"

/* Strides of v in row-major or channels-last order into s; returns the number of elements. */
static int64_t layout(const Value *v, const ValuePlan *p, bool channels_last, Storage *s) {
    int64_t stride = channels_last ? v->dims[1].size : 1;
    for (int d = v->rank - 1; d >= 0; d--) {
        int64_t extent = v->dims[d].size;
        if (channels_last && d == 1) {
            s->stride[d] = 1;
            continue;
        }
        s->stride[d] = stride;
        if (channels_last && d >= 2) {
            s->offset += p->halo_begin[d - 2] * stride;
            extent += p->halo_begin[d - 2] + p->halo_end[d - 2];
        }
        stride *= extent;
    }
    return stride;
}

static Buffer *port_buffer(Lower *l, const Value *v) {
    Program *p = l->program;
    for (int i = 0; i < l->graph->inputs.n; i++)
        if (l->graph->inputs.at[i] == v) return p->inputs.at[i].buffer;
    for (int i = 0; i < l->graph->outputs.n; i++)
        if (l->graph->outputs.at[i] == v) return p->outputs.at[i].buffer;
    return NULL;
}

/* A window of the storage of what v is a part of. */
static void storage_inside(Lower *l, const Node *container, ValuePlan *p) {
    const Value *whole = container->outputs[0];
    storage_make(l, whole);
    p->storage = value_plan(l, whole)->storage;
    p->storage.offset += p->container_at * p->storage.stride[concat_axis(container)];
}

void storage_make(Lower *l, const Value *v) {
    ValuePlan *p = value_plan(l, v);
    if (p->has_storage) return;
    p->has_storage = true;
    if (p->container) {
        storage_inside(l, p->container, p);
        return;
    }
    int64_t count = layout(v, p, p->channels_last, &p->storage);
    p->storage.buffer = port_buffer(l, v);
    if (!p->storage.buffer)
        p->storage.buffer = program_add_buffer(l->program, v->name, v->dtype, count, BUF_ARENA);
}

static bool has_halo(const Value *v, const ValuePlan *p) {
    for (int d = 0; d + 2 < v->rank && d < 8; d++)
        if (p->halo_begin[d] || p->halo_end[d]) return true;
    return false;
}

static void fill_run(Lower *l, const Storage *s, const Expr *begin, int64_t count, DType t) {
    if (!count) return;
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", count);
    st_store(l->b, s->buffer, ex_add(l->b, begin, i), ex_const(l->b, t, 0));
    st_end(l->b);
}

/* Zeros before and after spatial axis d; the axes before it are walked through their insides only,
 * since their own zeros cover the rest.  Each piece is one contiguous run. */
static void fill_axis(Lower *l, const Value *v, const Storage *s, const ValuePlan *p, int d) {
    if (!p->halo_begin[d - 2] && !p->halo_end[d - 2]) return;
    const Expr *base = ex_index(l->b, s->offset);
    int opened = 0;
    for (int e = 0; e < d; e++) {
        if (e == 1 || v->dims[e].size == 1) continue;
        const Expr *i = st_for_n(l->b, LOOP_SERIAL, e ? "y" : "n", v->dims[e].size);
        base = ex_offset(l->b, i, s->stride[e], base);
        opened++;
    }
    for (int e = d; e < v->rank; e++) /* from the first inside element to the run's start */
        base = ex_add(l->b, base, ex_index(l->b, -p->halo_begin[e - 2] * s->stride[e]));
    fill_run(l, s, base, p->halo_begin[d - 2] * s->stride[d], v->dtype);
    int64_t after = (p->halo_begin[d - 2] + v->dims[d].size) * s->stride[d];
    fill_run(l, s, ex_add(l->b, base, ex_index(l->b, after)), p->halo_end[d - 2] * s->stride[d],
             v->dtype);
    while (opened--) st_end(l->b);
}

static void fill_halo(Lower *l, const Value *v, const Storage *s, const ValuePlan *p) {
    for (int d = 2; d < v->rank; d++) fill_axis(l, v, s, p, d);
}

void storage_fill_halo(Lower *l, const Value *v) {
    while (value_plan(l, v)->container) v = value_plan(l, v)->container->outputs[0];
    ValuePlan *p = value_plan(l, v);
    if (!p->stored || !p->channels_last || p->halo_filled || !has_halo(v, p)) return;
    p->halo_filled = true;
    storage_make(l, v);
    fill_halo(l, v, &p->storage, p);
}

static void copy_element(Lower *l, const Expr *const *index, void *context) {
    const Value *v = context;
    const Storage *s = &value_plan(l, v)->packed;
    st_store(l->b, s->buffer, storage_index(l, s, v->rank, index), lower_load(l, v, index));
}

/* A channels-last copy of a value that is stored in another order (a program input, say). */
static void pack(Lower *l, const Value *v) {
    ValuePlan *p = value_plan(l, v);
    p->has_packed = true;
    int64_t count = layout(v, p, true, &p->packed);
    const char *name = arena_format(l->unit->arena, "%s_packed", v->name);
    p->packed.buffer = program_add_buffer(l->program, name, v->dtype, count, BUF_ARENA);
    lower_begin_kernel(l, l->plan->root, "pack");
    fill_halo(l, v, &p->packed, p);
    lower_for_each_in(l, v, &p->packed, copy_element, (void *)v);
    lower_end_kernel(l);
}

const Storage *lower_storage(Lower *l, const Value *v) {
    ValuePlan *p = value_plan(l, v);
    InputNeed need = {0};
    const Node *n = l->plan->root;
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] == v && n->op->need) n->op->need(l, n, k, &need);
    if (need.need == NEED_CHANNELS_LAST && v->rank > 2 && (v->constant || !p->channels_last)) {
        if (!p->has_packed) pack(l, v);
        return &p->packed;
    }
    if (v->constant) {
        if (!p->constant) {
            p->constant = lower_constant(l, v->name, v->constant);
            layout(v, p, false, &p->packed);
            p->packed.buffer = p->constant;
        }
        return &p->packed;
    }
    storage_make(l, v);
    return &p->storage;
}

Buffer *lower_scratch(Lower *l, const char *name, DType type, int64_t count) {
    return program_add_buffer(l->program, name, type, count, BUF_ARENA);
}
