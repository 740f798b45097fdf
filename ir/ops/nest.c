/* nest.c - the loops of operators that fold a box of terms into every output element.
 *
 *     for n, for y, for x            output, all axes but that of the lanes
 *         for i                      blocks of lanes
 *             acc[l] = start         for l in lanes
 *             for k..                the box
 *                 acc[l] = step      for l in lanes
 *             output = finish        for l in lanes */
#include "nest.h"

enum { WRITTEN_OUT = 16 }; /* boxes of so many terms become one expression */

void index_split(Lower *l, const Expr *flat, int n, const int64_t *extents, const Expr **at) {
    for (int d = n - 1; d > 0; d--) {
        const Expr *extent = ex_index(l->b, extents[d]);
        at[d] = ex_rem(l->b, flat, extent);
        flat = ex_div(l->b, flat, extent);
    }
    at[0] = flat;
}

const Expr *index_clamp(Lower *l, const Expr *x, int64_t n) {
    return ex_min(l->b, ex_max(l->b, x, ex_index(l->b, 0)), ex_index(l->b, n - 1));
}

const Expr *index_inside(Lower *l, const Expr *x, int64_t n) {
    return ex_and(l->b, ex_le(l->b, ex_index(l->b, 0), x), ex_lt(l->b, x, ex_index(l->b, n)));
}

static int64_t box_size(const Nest *nest) {
    int64_t size = 1;
    for (int i = 0; i < nest->n_inner; i++)
        if (__builtin_mul_overflow(size, nest->inner[i], &size)) return INT64_MAX;
    return size;
}

static void written_out(Lower *l, const Expr *const *index, void *context) {
    const Nest *nest = context;
    const Expr *acc[NEST_ACC], *k[NEST_INNER];
    nest->start(l, nest, index, acc);
    int64_t size = box_size(nest);
    for (int64_t i = 0; i < size; i++) {
        int64_t rest = i;
        for (int d = nest->n_inner - 1; d >= 0; d--) {
            k[d] = ex_index(l->b, rest % nest->inner[d]);
            rest /= nest->inner[d];
        }
        nest->step(l, nest, index, k, acc);
    }
    nest->finish(l, nest, index, acc);
}

/* Large boxes. */

typedef struct Part {
    const Nest *nest;
    const Expr *index[MAX_RANK];
    int axis;          /* of the lanes */
    const Expr *first; /* index of the first lane */
    int64_t lanes;
    Buffer *acc[NEST_ACC];
} Part;

static const Expr *open_lanes(Lower *l, Part *p) {
    const Expr *lane = p->lanes > 1 ? st_for_n(l->b, LOOP_LANES, "l", p->lanes) : ex_index(l->b, 0);
    if (p->axis >= 0) p->index[p->axis] = ex_add(l->b, p->first, lane);
    return lane;
}

static void close_lanes(Lower *l, const Part *p) {
    if (p->lanes > 1) st_end(l->b);
}

static void load_acc(Lower *l, const Part *p, const Expr *lane, const Expr **acc) {
    for (int a = 0; a < p->nest->n_acc; a++) acc[a] = ex_load(l->b, p->acc[a], lane);
}

static void store_acc(Lower *l, const Part *p, const Expr *lane, const Expr **acc) {
    int n = p->nest->n_acc;
    for (int a = 0; n > 1 && a < n; a++) acc[a] = st_let(l->b, "new", acc[a]);
    for (int a = 0; a < n; a++) st_store(l->b, p->acc[a], lane, acc[a]);
}

static const Expr *extent_of(Lower *l, const Part *p, int d) {
    return p->nest->extent ? p->nest->extent(l, p->nest, p->index, d)
                           : ex_index(l->b, p->nest->inner[d]);
}

static void fold_part(Lower *l, Part *p) {
    const Nest *nest = p->nest;
    const Expr *acc[NEST_ACC], *k[NEST_INNER];
    for (int a = 0; a < nest->n_acc; a++)
        p->acc[a] = st_local(l->b, "acc", nest->acc[a], p->lanes, p->lanes > 1 ? (int)p->lanes : 0);
    const Expr *lane = open_lanes(l, p);
    nest->start(l, nest, p->index, acc);
    store_acc(l, p, lane, acc);
    close_lanes(l, p);
    if (p->axis >= 0) p->index[p->axis] = p->first;
    for (int d = 0; d < nest->n_inner; d++)
        k[d] = st_for(l->b, LOOP_SERIAL, "k", extent_of(l, p, d));
    lane = open_lanes(l, p);
    load_acc(l, p, lane, acc);
    nest->step(l, nest, p->index, k, acc);
    store_acc(l, p, lane, acc);
    close_lanes(l, p);
    for (int d = 0; d < nest->n_inner; d++) st_end(l->b);
    lane = open_lanes(l, p);
    load_acc(l, p, lane, acc);
    nest->finish(l, nest, p->index, acc);
    close_lanes(l, p);
}

/* Channels where there are enough of them, else the last axis. */
static int lanes_axis(Lower *l, const Value *v) {
    if (v->rank >= 3 && dim_of(v, 1) >= l->program->target->lanes) return 1;
    return v->rank - 1;
}

static void fold_axis(Lower *l, Part *p, int64_t extent) {
    int64_t lanes = l->program->target->lanes, blocks = extent / lanes, rest = extent % lanes;
    if (blocks) {
        const Expr *i = st_for_n(l->b, LOOP_PARALLEL, "i", blocks);
        p->first = ex_offset(l->b, i, lanes, ex_index(l->b, 0));
        p->lanes = lanes;
        fold_part(l, p);
        st_end(l->b);
    }
    if (rest) {
        const Expr *i = st_for_n(l->b, LOOP_SERIAL, "r", rest);
        p->first = ex_add(l->b, i, ex_index(l->b, blocks * lanes));
        p->lanes = 1;
        fold_part(l, p);
        st_end(l->b);
    }
}

static void large_box(Lower *l, const Nest *nest) {
    const Value *out = nest->out;
    Part p = {.nest = nest, .axis = lanes_axis(l, out), .lanes = 1};
    if (out->rank == 0) {
        fold_part(l, &p);
        return;
    }
    for (int d = 0; d < out->rank; d++) {
        if (d == p.axis) continue;
        p.index[d] = st_for_n(l->b, LOOP_PARALLEL, "o", dim_of(out, d));
    }
    fold_axis(l, &p, dim_of(out, p.axis));
    for (int d = 0; d < out->rank; d++)
        if (d != p.axis) st_end(l->b);
}

void nest_lower(Lower *l, const Nest *nest) {
    lower_begin_kernel(l, nest->node, NULL);
    if (value_count(nest->out) > 0) {
        if (!nest->extent && box_size(nest) <= WRITTEN_OUT)
            lower_for_each(l, nest->out, written_out, (void *)(uintptr_t)nest);
        else
            large_box(l, nest);
    }
    lower_end_kernel(l);
}
