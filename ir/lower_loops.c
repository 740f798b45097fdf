/* lower_loops.c - loops over all elements of a value, in the order of its storage.
 *
 * The innermost axis is cut into lanes; what does not fill a vector is a loop of its own after it.
 * All are parallel: every element is written by one iteration. */
#include "lower_plan.h"

#include <string.h>

typedef struct Nest {
    int n; /* axes with more than one element, outermost first */
    int axis[MAX_RANK];
    int64_t extent[MAX_RANK];
    const Expr *index[MAX_RANK]; /* by axis of the value */
} Nest;

static const char *axis_name(int axis, int rank) {
    static const char *const spatial[] = {"y", "x", "z", "d4", "d5", "d6", "d7", "d8", "d9", "d10"};
    if (axis == 0) return "n";
    if (axis == 1) return "c";
    return rank == 3 ? "x" : spatial[axis - 2];
}

static void nest_sort(Lower *l, Nest *nest, int rank, const Dim *dims, const int64_t *stride) {
    for (int d = 0; d < rank; d++) {
        nest->index[d] = ex_index(l->b, 0);
        if (dims[d].size == 1) continue;
        int at = nest->n++;
        for (; at > 0 && stride[nest->axis[at - 1]] < stride[d]; at--)
            nest->axis[at] = nest->axis[at - 1];
        nest->axis[at] = d;
    }
    for (int i = 0; i < nest->n; i++) nest->extent[i] = dims[nest->axis[i]].size;
}

static void inner_lanes(Lower *l, Nest *nest, ElementFn *body, void *context) {
    int axis = nest->axis[nest->n - 1];
    int64_t extent = nest->extent[nest->n - 1], lanes = l->program->target->lanes;
    int64_t blocks = extent / lanes, rest = extent % lanes;
    if (blocks) {
        const Expr *block = st_for_n(l->b, LOOP_PARALLEL, "i", blocks);
        const Expr *lane = st_for_n(l->b, LOOP_LANES, "l", lanes);
        nest->index[axis] = ex_offset(l->b, block, lanes, lane);
        body(l, nest->index, context);
        st_end(l->b);
        st_end(l->b);
    }
    if (rest) {
        const Expr *i = st_for_n(l->b, LOOP_SERIAL, "r", rest);
        nest->index[axis] = ex_add(l->b, i, ex_index(l->b, blocks * lanes));
        body(l, nest->index, context);
        st_end(l->b);
    }
}

static void for_each_strided(Lower *l, int rank, const Dim *dims, const int64_t *stride,
                             ElementFn *body, void *context) {
    Nest nest = {0};
    for (int d = 0; d < rank; d++)
        if (dims[d].size == 0) return;
    nest_sort(l, &nest, rank, dims, stride);
    if (nest.n == 0) {
        body(l, nest.index, context);
        return;
    }
    for (int i = 0; i + 1 < nest.n; i++) {
        const char *name = axis_name(nest.axis[i], rank);
        nest.index[nest.axis[i]] = st_for_n(l->b, LOOP_PARALLEL, name, nest.extent[i]);
    }
    inner_lanes(l, &nest, body, context);
    for (int i = 0; i + 1 < nest.n; i++) st_end(l->b);
}

const Value *final_value(const Lower *l, const Value *v) {
    while (value_plan(l, v)->epilogue) v = value_plan(l, v)->epilogue->outputs[0];
    return v;
}

void lower_for_each(Lower *l, const Value *v, ElementFn *body, void *context) {
    const Value *stored = final_value(l, v);
    storage_make(l, stored);
    for_each_strided(l, v->rank, v->dims, value_plan(l, stored)->storage.stride, body, context);
}

void lower_for_each_in(Lower *l, const Value *v, const Storage *s, ElementFn *body, void *context) {
    for_each_strided(l, v->rank, v->dims, s->stride, body, context);
}

void lower_for_each_dim(Lower *l, int rank, const int64_t *dims, const int64_t *stride,
                        ElementFn *body, void *context) {
    Dim box[MAX_RANK] = {{0}};
    for (int d = 0; d < rank; d++) box[d].size = dims[d];
    for_each_strided(l, rank, box, stride, body, context);
}
