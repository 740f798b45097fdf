/* lower_reduce.c - the loops of REDUCE operators.
 *
 * Loops follow the input's memory, largest stride outermost.  Kept axes outside the first reduced
 * one are plain loops; the kept axes inside it become an array of accumulators, so that the input
 * is read once, in order.
 *
 *     for n                          kept, outside
 *         acc[c] = start
 *         for y, for x               reduced
 *             for c in lanes         the run: the innermost axis
 *                 acc[c] += input
 *         output[c] = finish(acc[c])
 *
 * Where the run itself is reduced, it has PARTIALS accumulators, combined in order at the end:
 * their number is the same on every machine.  Sums have an accumulator for every reduced loop, so
 * that an error grows with the root of the extents one by one, not with their product; those of the
 * outermost loop are kept apart, so that threads can share it.
 *
 * Nodes that lower_group has put together go through the same loops, each with accumulators of its
 * own, and give their results one after another; those whose inputs lie differently in memory have
 * loops of their own in the same kernel, so that each sums in the order that it has alone. */
#include "lower_plan.h"

#include <string.h>

enum {
    PARTIALS = 8,
    BLOCK = 256,          /* a reduced axis longer than this is summed block by block */
    LEAST_PARTS = 4,      /* iterations that threads may share */
    STACK_ELEMENTS = 2048 /* accumulators beyond this are no local array */
};

typedef struct Loop {
    int axis;
    int64_t extent, stride;
    int64_t scale; /* the axis' index is the sum over its loops of variable * scale */
    bool reduced;
} Loop;

/* One of the nodes. */
typedef struct Member {
    Node *node;
    const ReduceRule *rule;
    const Value *in, *out;
    bool keepdims;
    Buffer *acc[2 * MAX_RANK][2]; /* by level, by accumulator */
} Member;

typedef struct Reduction {
    Member *members;
    int n_members, n_acc; /* n_acc: accumulators of a member */
    bool sums;            /* some member is a sum */
    const Value *in;      /* of the first; the others have the same shape */
    int64_t stride[MAX_RANK];
    DType wide;
    bool axes[MAX_RANK];
    int64_t count;
    Loop loops[2 * MAX_RANK];
    int n_loops, first; /* first reduced loop */
    bool merged;        /* the run is a kept axis and the short reduced one inside it */
    int64_t partials;   /* accumulators of a slot */
    int64_t slot_stride[2 * MAX_RANK]; /* of kept loops from `first` on; the run's is 1 */
    int64_t slots;
    const Expr *index[MAX_RANK];
} Reduction;

/* Where the accumulators of the loops that are open begin: of sums at a level, of others at level
 * 0, their only one. */
typedef struct Slots {
    int level;
    const Expr *base, *base_0;
} Slots;

/* Strides of the input in memory, found by composing one element and reading its index. */

static const Expr *largest_load(const Expr *e, const Expr *best) {
    if (e->kind == EX_LOAD && (!best || e->buffer->count > best->buffer->count)) best = e;
    for (int i = 0; i < e->n_args; i++) best = largest_load(e->args[i], best);
    return best;
}

static void find_strides(Lower *l, const Value *v, int64_t *stride) {
    Builder *kept = l->b;
    const Expr *index[MAX_RANK];
    l->b = builder_begin(l->program, "strides");
    memo_reset(l);
    for (int d = 0; d < v->rank; d++) index[d] = st_for_n(l->b, LOOP_SERIAL, "i", v->dims[d].size);
    const Expr *load = largest_load(lower_load(l, v, index), NULL);
    int64_t row_major = 1;
    for (int d = v->rank - 1; d >= 0; d--) {
        const Expr *rest;
        if (!load || v->dims[d].size == 1 ||
            !expr_affine_in(l->b, load->args[0], index[d]->var, &stride[d], &rest))
            stride[d] = row_major;
        if (stride[d] < 0) stride[d] = -stride[d];
        row_major *= v->dims[d].size;
    }
    l->b = kept;
    memo_reset(l);
}

static int64_t block_of(int64_t extent) {
    for (int64_t b = BLOCK; b >= 16; b--)
        if (extent % b == 0) return b;
    return extent;
}

static void add_loop(Reduction *r, Loop loop) {
    int at = r->n_loops++;
    for (; at > 0 && r->loops[at - 1].stride < loop.stride; at--) r->loops[at] = r->loops[at - 1];
    r->loops[at] = loop;
}

static void add_axis(Reduction *r, int d, int64_t stride) {
    int64_t extent = r->in->dims[d].size,
            block = r->axes[d] && r->sums ? block_of(extent) : extent;
    if (extent == 1) return;
    if (extent > 2 * BLOCK && block < extent) {
        add_loop(r, (Loop){d, extent / block, stride * block, block, r->axes[d]});
        extent = block;
    }
    add_loop(r, (Loop){d, extent, stride, 1, r->axes[d]});
}

static void plan_slots(Reduction *r) {
    r->partials = 1;
    r->slots = 1;
    for (r->first = 0; r->first < r->n_loops && !r->loops[r->first].reduced;) r->first++;
    if (r->first == r->n_loops) return;
    Loop *run = &r->loops[r->n_loops - 1];
    if (run->reduced && r->n_acc == 1)
        r->partials = run->extent < PARTIALS ? run->extent : PARTIALS;
    const Loop *before = run - 1;
    r->merged = run->reduced && run->extent == r->partials && r->n_loops - 2 >= r->first &&
                !before->reduced && before->stride == run->stride * run->extent && run->scale == 1;
    for (int i = r->n_loops - 1; i >= r->first; i--) {
        if (r->loops[i].reduced) continue;
        r->slot_stride[i] = r->slots * r->partials;
        r->slots *= r->loops[i].extent;
    }
}

/* Accumulators. */

static Buffer *make_acc(Lower *l, const Reduction *r, int which, int64_t count) {
    DType t = which ? DT_I64 : r->wide;
    const char *name = which ? "position" : "acc";
    if (count > STACK_ELEMENTS) return st_scratch(l->b, name, t, count);
    return st_local(l->b, name, t, count, 0);
}

static const Expr *zero(Lower *l, const Reduction *r) { return ex_const(l->b, r->wide, 0); }

static bool has_level(const Member *m, int level) { return level == 0 || !m->rule->step; }

static void start_slot(Lower *l, const Reduction *r, const Member *m, int level, const Expr *slot) {
    const Expr *start[2] = {zero(l, r), ex_index(l->b, 0)};
    if (level == 0 && m->rule->start) m->rule->start(l, m->node, r->wide, start);
    for (int a = 0; a < r->n_acc; a++) st_store(l->b, m->acc[level][a], slot, start[a]);
}

static void start_level(Lower *l, Reduction *r, int level, int64_t count) {
    for (int k = 0; k < r->n_members; k++) {
        Member *m = &r->members[k];
        for (int a = 0; a < r->n_acc && has_level(m, level); a++)
            if (!m->acc[level][a]) m->acc[level][a] = make_acc(l, r, a, count);
    }
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", count);
    for (int k = 0; k < r->n_members; k++)
        if (has_level(&r->members[k], level)) start_slot(l, r, &r->members[k], level, i);
    st_end(l->b);
}

static void fold_level(Lower *l, Reduction *r, Slots at, int64_t count) {
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", count), *slot = ex_add(l->b, at.base, i);
    for (int k = 0; k < r->n_members; k++) {
        const Member *m = &r->members[k];
        if (m->rule->step) continue;
        st_acc(l->b, m->acc[at.level][0], slot, ex_load(l->b, m->acc[at.level + 1][0], i));
    }
    st_end(l->b);
}

static const Expr *mapped(Lower *l, const Member *m, const Expr *x) {
    return m->rule->map ? m->rule->map(l, m->node, x) : x;
}

static void step_slot(Lower *l, Reduction *r, const Member *m, const Expr *slot, const Expr *x) {
    const Expr *acc[2], *position = ex_index(l->b, 0);
    for (int d = 0; d < r->in->rank; d++)
        if (r->axes[d]) position = ex_offset(l->b, position, r->in->dims[d].size, r->index[d]);
    for (int a = 0; a < r->n_acc; a++) {
        acc[a] = ex_load(l->b, m->acc[0][a], slot);
        if (r->n_acc > 1) acc[a] = st_let(l->b, "old", acc[a]);
    }
    m->rule->step(l, m->node, acc, x, position);
    for (int a = 0; a < r->n_acc; a++) st_store(l->b, m->acc[0][a], slot, acc[a]);
}

/* Takes the element at r->index into the accumulators `slot` behind a place. */
static void take_element(Lower *l, Reduction *r, Slots at, const Expr *slot) {
    for (int k = 0; k < r->n_members; k++) {
        const Member *m = &r->members[k];
        const Expr *x = mapped(l, m, lower_load_wide(l, m->in, r->index));
        if (m->rule->step)
            step_slot(l, r, m, ex_add(l->b, at.base_0, slot), x);
        else
            st_acc(l->b, m->acc[at.level][0], ex_add(l->b, at.base, slot), x);
    }
}

/* The run: lanes, then what is left. */

static const Expr *run_index(Lower *l, Reduction *r, const Expr *i, const Expr *outer) {
    const Loop *run = &r->loops[r->n_loops - 1];
    if (r->merged) {
        const Expr *e = ex_index(l->b, run->extent);
        r->index[run[-1].axis] = ex_div(l->b, i, e);
        r->index[run->axis] = ex_rem(l->b, i, e);
        return i;
    }
    r->index[run->axis] = outer ? ex_add(l->b, outer, i) : i;
    return i;
}

static void take_run(Lower *l, Reduction *r, Slots at, const Expr *outer) {
    const Loop *run = &r->loops[r->n_loops - 1];
    bool partial = run->reduced && !r->merged;
    int64_t extent = r->merged ? run->extent * run[-1].extent : run->extent;
    int64_t lanes = partial ? r->partials : l->program->target->lanes;
    if (run->reduced && r->n_acc > 1) lanes = extent + 1;
    int64_t blocks = extent / lanes, rest = extent % lanes;
    if (blocks) {
        const Expr *b = st_for_n(l->b, LOOP_SERIAL, "i", blocks);
        const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", lanes);
        const Expr *i = run_index(l, r, ex_offset(l->b, b, lanes, lane), outer);
        take_element(l, r, at, partial ? lane : i);
        st_end(l->b);
        st_end(l->b);
    }
    if (rest) {
        const Expr *j = st_for_n(l->b, LOOP_SERIAL, "r", rest);
        const Expr *i = run_index(l, r, ex_add(l->b, j, ex_index(l->b, blocks * lanes)), outer);
        const Expr *slot = !partial ? i : r->partials > 1 ? j : ex_index(l->b, 0);
        take_element(l, r, at, slot);
        st_end(l->b);
    }
}

static bool more_reduced(const Reduction *r, int from) {
    for (int i = from; i < r->n_loops; i++)
        if (r->loops[i].reduced && !(r->merged && i == r->n_loops - 1) &&
            !(i == r->n_loops - 1 && r->loops[i].extent <= PARTIALS))
            return true;
    return false;
}

static int64_t slots_from(const Reduction *r, int from) {
    int64_t n = r->partials;
    for (int i = from; i < r->n_loops; i++)
        if (!r->loops[i].reduced) n *= r->loops[i].extent;
    return n;
}

/* An axis that was split has its outer loop's part in r->index already when its inner loop
 * opens. */
static const Expr *outer_part(const Reduction *r, int at) {
    for (int i = 0; i < at; i++)
        if (r->loops[i].axis == r->loops[at].axis) return r->index[r->loops[at].axis];
    return NULL;
}

static void take_from(Lower *l, Reduction *r, int at, Slots slots);

static bool all_are_sums(const Reduction *r) {
    for (int k = 0; k < r->n_members; k++)
        if (r->members[k].rule->step) return false;
    return true;
}

/* The outermost reduced loop of sums: its iterations leave their sums side by side, so that they
 * need not follow one another, and these are added in order. */
static void take_parts(Lower *l, Reduction *r, Slots slots) {
    const Loop *loop = &r->loops[r->first];
    int64_t count = slots_from(r, r->first + 1), all = loop->extent * count;
    Buffer *parts = st_scratch(l->b, "parts", r->wide, r->n_members * all);
    const Expr *k = st_for_n(l->b, LOOP_PARALLEL, "k", loop->extent);
    r->index[loop->axis] = ex_offset(l->b, k, loop->scale, ex_index(l->b, 0));
    start_level(l, r, 1, count);
    take_from(l, r, r->first + 1, (Slots){1, ex_index(l->b, 0), slots.base_0});
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", count);
    for (int m = 0; m < r->n_members; m++) {
        const Expr *to = ex_offset(l->b, k, count, ex_add(l->b, i, ex_index(l->b, m * all)));
        st_store(l->b, parts, to, ex_load(l->b, r->members[m].acc[1][0], i));
    }
    st_end(l->b);
    st_end(l->b);
    r->index[loop->axis] = ex_index(l->b, 0);
    k = st_for_n(l->b, LOOP_SERIAL, "k", loop->extent);
    i = st_for_n(l->b, LOOP_SERIAL, "i", count);
    for (int m = 0; m < r->n_members; m++) {
        const Expr *from = ex_offset(l->b, k, count, ex_add(l->b, i, ex_index(l->b, m * all)));
        st_acc(l->b, r->members[m].acc[0][0], ex_add(l->b, slots.base, i),
               ex_load(l->b, parts, from));
    }
    st_end(l->b);
    st_end(l->b);
}

static void take_from(Lower *l, Reduction *r, int at, Slots slots) {
    const Loop *loop = &r->loops[at];
    const Expr *outer = outer_part(r, at);
    if (at == r->n_loops - 1 || (r->merged && at == r->n_loops - 2)) {
        take_run(l, r, slots, r->merged ? NULL : outer);
        if (outer) r->index[loop->axis] = outer;
        return;
    }
    bool new_level = loop->reduced && r->sums && more_reduced(r, at + 1);
    if (new_level && slots.level == 0 && loop->extent >= LEAST_PARTS && all_are_sums(r)) {
        take_parts(l, r, slots);
        return;
    }
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, loop->reduced ? "k" : "i", loop->extent);
    const Expr *scaled = ex_offset(l->b, i, loop->scale, ex_index(l->b, 0));
    r->index[loop->axis] = outer ? ex_add(l->b, outer, scaled) : scaled;
    if (new_level) {
        int64_t count = slots_from(r, at + 1);
        start_level(l, r, slots.level + 1, count);
        take_from(l, r, at + 1, (Slots){slots.level + 1, ex_index(l->b, 0), slots.base_0});
        fold_level(l, r, slots, count);
    } else {
        if (!loop->reduced) {
            slots.base = ex_offset(l->b, i, r->slot_stride[at], slots.base);
            slots.base_0 = ex_offset(l->b, i, r->slot_stride[at], slots.base_0);
        }
        take_from(l, r, at + 1, slots);
    }
    st_end(l->b);
    r->index[loop->axis] = outer ? outer : ex_index(l->b, 0);
}

/* Results. */

static void combine(Lower *l, const Reduction *r, const Member *m, const Expr *slot,
                    const Expr **acc) {
    for (int a = 0; a < r->n_acc; a++) acc[a] = ex_load(l->b, m->acc[0][a], slot);
    for (int64_t p = 1; p < r->partials; p++) {
        const Expr *x = ex_load(l->b, m->acc[0][0], ex_add(l->b, slot, ex_index(l->b, p)));
        if (m->rule->step)
            m->rule->step(l, m->node, acc, x, ex_index(l->b, 0));
        else
            acc[0] = ex_add(l->b, acc[0], x);
    }
}

static void store_result(Lower *l, Reduction *r, const Member *m, const Expr *const *acc) {
    const Expr *y = m->rule->finish ? m->rule->finish(l, m->node, acc, r->count) : acc[0];
    const Expr *index[MAX_RANK];
    int n = 0;
    for (int d = 0; d < r->in->rank; d++) {
        if (!r->axes[d])
            index[n++] = r->index[d];
        else if (m->keepdims)
            index[n++] = ex_index(l->b, 0);
    }
    lower_store(l, m->out, index, y);
}

static void give_slot(Lower *l, Reduction *r, const Expr *slot) {
    for (int k = 0; k < r->n_members; k++) {
        const Expr *acc[2];
        combine(l, r, &r->members[k], slot, acc);
        store_result(l, r, &r->members[k], acc);
    }
}

static void give_lanes(Lower *l, Reduction *r, int at, const Expr *base) {
    const Loop *loop = &r->loops[at];
    int64_t lanes = l->program->target->lanes, blocks = loop->extent / lanes,
            rest = loop->extent % lanes;
    if (blocks) {
        const Expr *b = st_for_n(l->b, LOOP_SERIAL, "i", blocks);
        const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", lanes);
        r->index[loop->axis] = ex_offset(l->b, b, lanes, lane);
        give_slot(l, r, ex_offset(l->b, r->index[loop->axis], r->slot_stride[at], base));
        st_end(l->b);
        st_end(l->b);
    }
    if (rest) {
        const Expr *i = st_for_n(l->b, LOOP_SERIAL, "r", rest);
        r->index[loop->axis] = ex_add(l->b, i, ex_index(l->b, blocks * lanes));
        give_slot(l, r, ex_offset(l->b, r->index[loop->axis], r->slot_stride[at], base));
        st_end(l->b);
    }
}

static void give_from(Lower *l, Reduction *r, int at, const Expr *base) {
    while (at < r->n_loops && r->loops[at].reduced) at++;
    if (at == r->n_loops) {
        give_slot(l, r, base);
        return;
    }
    int next = at + 1;
    while (next < r->n_loops && r->loops[next].reduced) next++;
    if (next == r->n_loops) {
        give_lanes(l, r, at, base);
        return;
    }
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", r->loops[at].extent);
    r->index[r->loops[at].axis] = i;
    give_from(l, r, next, ex_offset(l->b, i, r->slot_stride[at], base));
    st_end(l->b);
}

/* No loop is reduced: an element is taken once, or none is. */
static void give_member(Lower *l, Reduction *r, const Member *m) {
    const Expr *acc[2] = {zero(l, r), ex_index(l->b, 0)};
    if (m->rule->start) m->rule->start(l, m->node, r->wide, acc);
    if (r->count) {
        const Expr *x = mapped(l, m, lower_load_wide(l, m->in, r->index));
        if (m->rule->step)
            m->rule->step(l, m->node, acc, x, ex_index(l->b, 0));
        else
            acc[0] = x;
    }
    store_result(l, r, m, acc);
}

static void give_untouched(Lower *l, const Expr *const *index, void *context) {
    Reduction *r = context;
    for (int d = 0, n = 0; d < r->in->rank; d++) {
        r->index[d] = r->axes[d] ? ex_index(l->b, 0) : index[n];
        n += !r->axes[d] || r->members[0].keepdims;
    }
    for (int k = 0; k < r->n_members; k++) give_member(l, r, &r->members[k]);
}

static void reduce_loops(Lower *l, Reduction *r) {
    for (int i = 0; i < r->first; i++)
        r->index[r->loops[i].axis] = st_for_n(l->b, LOOP_PARALLEL, "i", r->loops[i].extent);
    const Expr *none = ex_index(l->b, 0);
    start_level(l, r, 0, r->slots * r->partials);
    take_from(l, r, r->first, (Slots){0, none, none});
    give_from(l, r, r->first, none);
    for (int i = 0; i < r->first; i++) st_end(l->b);
}

static void reduction_begin(Lower *l, Reduction *r, Node *n) {
    bool keepdims;
    *r = (Reduction){.in = n->inputs[0], .n_acc = n->op->reduce->n_acc, .count = 1};
    r->wide = lower_wide(r->in->dtype);
    reduce_axes(n, r->axes, &keepdims);
    if (value_count(r->in)) find_strides(l, r->in, r->stride);
    if (r->n_acc > 1) /* ties are decided by position: row-major order */
        for (int64_t d = r->in->rank - 1, s = 1; d >= 0; s *= r->in->dims[d--].size)
            r->stride[d] = s;
    for (int d = 0; d < r->in->rank; d++) {
        r->index[d] = ex_index(l->b, 0);
        if (r->axes[d]) r->count *= r->in->dims[d].size;
    }
}

/* Takes n and those after it whose inputs lie in the same way; tells the first that does not. */
static Node *add_members(Lower *l, Reduction *r, Node *n) {
    Node *end = n;
    Reduction other = *r;
    while (end && !memcmp(other.stride, r->stride, sizeof r->stride)) {
        end = node_plan(l, end)->next;
        r->n_members++;
        if (end) reduction_begin(l, &other, end);
    }
    r->members = NEW_ARRAY(l->unit->arena, Member, r->n_members);
    for (Member *m = r->members; n != end; n = node_plan(l, n)->next, m++) {
        *m = (Member){.node = n, .rule = n->op->reduce, .in = n->inputs[0], .out = n->outputs[0]};
        bool axes[MAX_RANK];
        reduce_axes(n, axes, &m->keepdims);
        r->sums |= !m->rule->step;
    }
    return end;
}

void lower_reduce(Lower *l, Node *n) {
    lower_begin_kernel(l, n, NULL);
    while (n) {
        Reduction r;
        reduction_begin(l, &r, n);
        n = add_members(l, &r, n);
        for (int d = 0; d < r.in->rank && value_count(r.in); d++) add_axis(&r, d, r.stride[d]);
        plan_slots(&r);
        if (r.first == r.n_loops)
            lower_for_each(l, r.members[0].out, give_untouched, &r);
        else
            reduce_loops(l, &r);
    }
    lower_end_kernel(l);
}
