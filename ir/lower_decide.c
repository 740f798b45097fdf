/* lower_decide.c - which values are stored, which are composed, and in which order values lie in
 * memory.
 *
 * A value is stored where it must be (a program output, the result of a REDUCE or CODE node, an
 * input that an operator wants as a buffer) and where composing it would compute it again and
 * again.  An ELEM node that alone reads the result of a CODE or REDUCE node, element by element,
 * runs in that node's kernel (its epilogue). */
#include "lower_plan.h"

enum {
    CHEAP = 6,  /* steps that may be repeated rather than stored: about a store and a load */
    DEEP = 160, /* a composed element may cost so many steps */
    WINDOW = 4, /* readings of an element by a CODE node that loads by element (pooling, Resize) */
    PIECES =
        4096 /* a concatenation of so many elements is written piece by piece, without selects */
};

static bool same_dims(const Value *a, const Value *b) {
    return a->rank == b->rank && dims_equal(a->dims, b->dims, a->rank);
}

static bool is_root_kind(const Node *n) {
    return n->op->kind == OK_CODE || n->op->kind == OK_REDUCE;
}

static InputNeed input_need(const Lower *l, const Node *n, int k) {
    InputNeed need = {0};
    if (n->op->kind == OK_CODE && n->op->need) n->op->need(l, n, k, &need);
    return need;
}

/* Steps of the node alone: how many expressions its formula builds. */
static int own_cost(Lower *l, const Node *n) {
    if (n->op->kind == OK_MOVE) return 1;
    const Expr **x = NEW_ARRAY(l->unit->arena, const Expr *, n->n_inputs + 1);
    l->b = builder_begin(l->program, "cost");
    for (int k = 0; k < n->n_inputs; k++) {
        if (!n->inputs[k]) continue;
        DType wide = lower_wide(n->inputs[k]->dtype);
        x[k] = ex_cast(l->b, wide, st_for_n(l->b, LOOP_SERIAL, "x", INT64_C(1) << 40));
    }
    int before = builder_kernel(l->b)->n_exprs;
    n->op->elem(l, n, x);
    int cost = builder_kernel(l->b)->n_exprs - before;
    l->b = NULL;
    return cost;
}

/* Steps of one element of n's outputs if they are composed: its own, and those of its composed
 * inputs. */
static int composed_cost(Lower *l, const Node *n) {
    int cost = own_cost(l, n);
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] && !n->inputs[k]->constant) cost += value_plan(l, n->inputs[k])->cost;
    return cost < DEEP + 1 ? cost : DEEP + 1;
}

/* Elements of input k that node n loads in a run, if all values between them are composed. */
static int64_t elements_read(Lower *l, const Node *n, int k) {
    int64_t count = value_count(n->inputs[k]), total = 0;
    switch (n->op->kind) {
    case OK_REDUCE: return count;
    case OK_CODE: {
        InputNeed need = input_need(l, n, k);
        if (need.need != NEED_ELEMENTS) return count;
        return (need.readings ? need.readings : WINDOW) * count;
    }
    case OK_ELEM: return value_count(n->outputs[0]);
    case OK_MOVE:
    case OK_EXPAND: break;
    }
    for (int i = 0; i < n->n_outputs; i++) {
        if (!n->outputs[i]) continue;
        const ValuePlan *out = value_plan(l, n->outputs[i]);
        int64_t own = value_count(n->outputs[i]);
        total += out->wanted || n->outputs[i]->is_output || out->elements_read < own
                     ? own
                     : out->elements_read;
    }
    return n->op->id == OP_Concat && total > count ? count : total;
}

/* Readers of every value, last node first, so that what a MOVE hands on is known before its
 * inputs. */
static void count_readers(Lower *l) {
    for (int i = l->graph->nodes.n - 1; i >= 0; i--) {
        Node *n = l->graph->nodes.at[i];
        for (int k = 0; k < n->n_inputs; k++) {
            if (!n->inputs[k]) continue;
            ValuePlan *p = value_plan(l, n->inputs[k]);
            p->elements_read += elements_read(l, n, k);
            p->wanted |= input_need(l, n, k).need != NEED_ELEMENTS;
            p->reader = n;
        }
    }
}

static bool must_store(Lower *l, const Node *n, const Value *v) {
    const ValuePlan *p = value_plan(l, v);
    if (l->plan->options->compose) return is_root_kind(n) || v->is_output || p->wanted;
    if (l->plan->options->plain || is_root_kind(n) || v->is_output || p->wanted) return true;
    if (n->op->id == OP_Concat && value_count(v) >= PIECES) return true;
    int64_t count = value_count(v), readings = count ? (p->elements_read + count - 1) / count : 1;
    if (p->cost > DEEP) return true;
    return readings > 1 && (readings - 1) * p->cost > CHEAP && n->op->kind == OK_ELEM;
}

/* The ELEM node that can run in the kernel that computes v, or NULL. */
static Node *epilogue_of(Lower *l, const Value *v) {
    Node *reader = value_plan(l, v)->reader;
    if (l->plan->options->plain || v->n_uses != 1 || v->is_output || !reader) return NULL;
    if (reader->op->kind != OK_ELEM || !same_dims(v, reader->outputs[0])) return NULL;
    return node_plan(l, reader)->in_epilogue ? NULL : reader;
}

/* Takes ELEM nodes into the kernel of root n as long as they follow one another; tells the last. */
static const Node *take_epilogue(Lower *l, Node *n) {
    const Node *last = n;
    if (n->n_outputs != 1) return last;
    for (Node *next; (next = epilogue_of(l, last->outputs[0])); last = next) {
        value_plan(l, last->outputs[0])->epilogue = next;
        node_plan(l, next)->in_epilogue = true;
    }
    return last;
}

static void decide_node(Lower *l, Node *n) {
    NodePlan *p = node_plan(l, n);
    if (p->in_epilogue) return;
    if (is_root_kind(n)) {
        const Node *last = take_epilogue(l, n);
        p->root = true;
        node_plan(l, last)->lower_here = n;
        for (int k = 0; k < last->n_outputs; k++)
            if (last->outputs[k]) value_plan(l, last->outputs[k])->stored = true;
        return;
    }
    for (int k = 0; k < n->n_outputs; k++) {
        if (!n->outputs[k]) continue;
        ValuePlan *v = value_plan(l, n->outputs[k]);
        v->cost = composed_cost(l, n);
        v->stored = must_store(l, n, n->outputs[k]);
        if (!v->stored) continue;
        v->cost = 0;
        p->root = true;
        p->lower_here = n;
    }
}

/* Layouts: convolutions want channels-last; the wish spreads over nodes that keep axes 0 and 1 as
 * they are. */

static bool keeps_channels(const Value *a, const Value *b) {
    return a->rank >= 3 && b->rank >= 3 && a->dims[0].size == b->dims[0].size &&
           a->dims[1].size == b->dims[1].size;
}

static bool spread(Lower *l, const Node *n) {
    const Value *out = n->n_outputs ? n->outputs[0] : NULL;
    bool changed = false;
    if (!out) return false;
    ValuePlan *o = value_plan(l, out);
    for (int k = 0; k < n->n_inputs; k++) {
        const Value *in = n->inputs[k];
        if (!in || !(keeps_channels(in, out) || (n->op->id == OP_Concat && in->rank >= 3)))
            continue;
        ValuePlan *i = value_plan(l, in);
        if (i->channels_last == o->channels_last) continue;
        i->channels_last = o->channels_last = changed = true;
    }
    return changed;
}

static void want_layout(Lower *l, const Node *n) {
    for (int k = 0; k < n->n_inputs; k++) {
        if (!n->inputs[k]) continue;
        InputNeed need = input_need(l, n, k);
        if (need.need != NEED_CHANNELS_LAST || n->inputs[k]->rank < 3) continue;
        ValuePlan *p = value_plan(l, n->inputs[k]);
        p->channels_last = true;
        for (int d = 0; d < 8; d++) {
            if (need.halo_begin[d] > p->halo_begin[d]) p->halo_begin[d] = need.halo_begin[d];
            if (need.halo_end[d] > p->halo_end[d]) p->halo_end[d] = need.halo_end[d];
        }
        if (n->outputs[0]->rank >= 3) value_plan(l, n->outputs[0])->channels_last = true;
    }
}

static void decide_layouts(Lower *l) {
    const Graph *g = l->graph;
    for (int i = 0; i < g->nodes.n; i++) want_layout(l, g->nodes.at[i]);
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < g->nodes.n; i++) changed |= spread(l, g->nodes.at[i]);
        for (int i = g->nodes.n - 1; i >= 0; i--) changed |= spread(l, g->nodes.at[i]);
    }
    for (int i = 0; i < g->values.n; i++) {
        const Value *v = g->values.at[i];
        if (v->is_input || v->is_output || v->constant) value_plan(l, v)->channels_last = false;
    }
}

/* Places: what a stored Concat joins is stored into the joined value at once, where both lie in the
 * same order.  Zeros around the spatial axes are then those of the joined value, which has none
 * between its parts. */

int concat_axis(const Node *n) {
    int axis = (int)node_int(n, "axis");
    return axis < 0 ? axis + n->outputs[0]->rank : axis;
}

static bool fits_inside(Lower *l, const Node *n, const Value *v) {
    const ValuePlan *p = value_plan(l, v), *out = value_plan(l, n->outputs[0]);
    int d = concat_axis(n) - 2;
    if (v->constant || v->is_input || v->is_output || !p->stored || p->container) return false;
    if (p->channels_last != out->channels_last || !value_count(v)) return false;
    return !p->channels_last || d < 0 || (!p->halo_begin[d] && !p->halo_end[d]);
}

static void widen_halo(ValuePlan *outer, const ValuePlan *inner) {
    for (int d = 0; d < 8; d++) {
        int64_t begin = inner->halo_begin[d], end = inner->halo_end[d];
        if (begin > outer->halo_begin[d]) outer->halo_begin[d] = begin;
        if (end > outer->halo_end[d]) outer->halo_end[d] = end;
    }
}

static void place_parts(Lower *l, const Node *n) {
    int axis = concat_axis(n);
    int64_t at = 0;
    for (int k = 0; k < n->n_inputs; k++) {
        const Value *v = n->inputs[k];
        ValuePlan *p = value_plan(l, v);
        if (fits_inside(l, n, v)) {
            p->container = n;
            p->container_at = at;
            if (p->channels_last) widen_halo(value_plan(l, n->outputs[0]), p);
        }
        at += v->dims[axis].size;
    }
}

static void decide_places(Lower *l) {
    for (int i = 0; i < l->graph->nodes.n; i++) {
        const Node *n = l->graph->nodes.at[i];
        if (n->op->id == OP_Concat && value_plan(l, n->outputs[0])->stored) place_parts(l, n);
    }
}

void lower_decide(Lower *l) {
    for (int i = 0; i < l->graph->inputs.n; i++)
        value_plan(l, l->graph->inputs.at[i])->stored = true;
    count_readers(l);
    if (!l->plan->options->plain) decide_layouts(l);
    for (int i = 0; i < l->graph->nodes.n; i++) decide_node(l, l->graph->nodes.at[i]);
    if (l->plan->options->plain) return;
    lower_group(l);
    decide_places(l);
    lower_join(l);
}
