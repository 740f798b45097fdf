/* lower_join.c - kernels that are joined: those whose results are small and are read by nobody but
 * the kernels right after them.
 *
 * Statistics and what they normalize, the layers of a gate on a few numbers, small maps of
 * attention: on their own such kernels cost more to call and to wait for than to run.  The joined
 * kernel has the loops of all, one after another. */
#include "lower_plan.h"

enum {
    SMALL = 1024, /* elements of a result */
    MOST = 8      /* kernels that are joined */
};

typedef struct Joining {
    Lower *l;
    int *last; /* by value: the place of the last kernel that reads it; -1: none does */
    int *place;
    int *number; /* by place: of the kernel there */
    int *
        until; /* by kernel: the number of the last one that reads its results; -1: it ends a run */
    int n;     /* kernels */
} Joining;

static void find_last(Joining *j) {
    const Graph *graph = j->l->graph;
    for (int i = 0; i < graph->values.n; i++) j->last[i] = -1;
    for (int i = graph->nodes.n - 1; i >= 0; i--) {
        const Node *n = graph->nodes.at[i];
        int last = j->l->plan->nodes[i].kernel_at;
        for (int k = 0; k < n->n_outputs; k++) {
            if (!n->outputs[k] || value_plan(j->l, n->outputs[k])->stored) continue;
            if (j->last[n->outputs[k]->id] > last) last = j->last[n->outputs[k]->id];
        }
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k] && last > j->last[n->inputs[k]->id]) j->last[n->inputs[k]->id] = last;
    }
}

static bool is_small(const Joining *j, const Value *v) {
    return value_count(v) <= SMALL && !v->is_output && !value_plan(j->l, v)->container;
}

/* The last kernel that reads what the nodes of one give, -1 if that is not small, or nobody
 * does. */
static int find_until(const Joining *j, const Node *root) {
    int until = -1;
    for (const Node *n = root; n; n = node_plan(j->l, n)->next)
        for (int k = 0; k < n->n_outputs; k++) {
            const Value *v = n->outputs[k] ? final_value(j->l, n->outputs[k]) : NULL;
            if (!v || !value_plan(j->l, v)->stored) continue;
            if (!is_small(j, v)) return -1;
            int last = j->last[v->id] < 0 ? -1 : j->number[j->last[v->id]];
            if (last > until) until = last;
        }
    return until;
}

static void find_kernels_in_order(Joining *j) {
    const LowerPlan *plan = j->l->plan;
    for (int i = 0; i < j->l->graph->nodes.n; i++) {
        const Node *root = plan->nodes[i].lower_here;
        if (!root || is_in_place(j->l, root)) continue;
        j->number[i] = j->n;
        j->place[j->n++] = i;
    }
    for (int k = 0; k < j->n; k++) j->until[k] = find_until(j, plan->nodes[j->place[k]].lower_here);
}

/* The last kernel of the run that begins with `first`: those that read what others of it give, are
 * all in it. */
static int end_of_run(const Joining *j, int first) {
    int whole = first, end = first; /* up to `whole` it is one; up to `end` it might be */
    for (int k = first; k <= end && end - first < MOST; k++) {
        if (k == end) whole = end;
        if (j->until[k] < 0) break;
        if (j->until[k] > end) end = j->until[k];
    }
    return whole;
}

void lower_join(Lower *l) {
    const Graph *graph = l->graph;
    Arena *a = l->unit->arena;
    Joining j = {.l = l};
    j.last = NEW_ARRAY(a, int, graph->values.n + 1);
    j.place = NEW_ARRAY(a, int, graph->nodes.n + 1);
    j.number = NEW_ARRAY(a, int, graph->nodes.n + 1);
    j.until = NEW_ARRAY(a, int, graph->nodes.n + 1);
    find_last(&j);
    find_kernels_in_order(&j);
    for (int k = 0; k < j.n; k++)
        for (int end = end_of_run(&j, k); k < end; k++)
            l->plan->nodes[j.place[k + 1]].continues = true;
}
