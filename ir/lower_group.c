/* lower_group.c - REDUCE nodes that fold the same value, or parts of one that have the same shape,
 * over the same axes share a kernel: it is read once.
 *
 * Such a kernel stands at the place of one of its nodes: whatever they read is computed before, and
 * whoever reads what they give comes after.  An epilogue may take another node's result; that node
 * then gives its elements first.  Sums are folded in the order that they have alone. */
#include "lower_plan.h"

#include <limits.h>
#include <string.h>

enum { MEMBERS = 4 };

typedef struct Grouping {
    Lower *l;
    int *ready;  /* by value: the place of the kernel that gives it, or the last part of it */
    int *needed; /* by value: the place of the first kernel that reads it */
    Map heads;   /* hash of a kind -> the first node of its last group */
} Grouping;

/* One way to run nodes together: in this order, at this place. */
typedef struct Group {
    Node *members[MEMBERS + 1];
    int n, at, first; /* first: the earliest place of a member alone */
} Group;

static int kernel_of(const Grouping *g, const Node *n) { return node_plan(g->l, n)->kernel_at; }

static const Value *result_of(const Grouping *g, const Node *n) {
    return final_value(g->l, n->outputs[0]);
}

static void find_kernels(Lower *l) {
    const LowerPlan *plan = l->plan;
    int n = l->graph->nodes.n;
    for (int i = 0; i < n; i++) plan->nodes[i].kernel_at = -1;
    for (int i = 0; i < n; i++)
        for (const Node *m = plan->nodes[i].lower_here; m; m = node_plan(l, m)->next) {
            node_plan(l, m)->kernel_at = i;
            const Value *v = m->n_outputs == 1 ? m->outputs[0] : NULL;
            for (const Node *e; v && (e = value_plan(l, v)->epilogue); v = e->outputs[0])
                node_plan(l, e)->kernel_at = i;
        }
}

static void find_ready(Grouping *g) {
    const Graph *graph = g->l->graph;
    for (int i = 0; i < graph->values.n; i++) g->ready[i] = -1;
    for (int i = 0; i < graph->nodes.n; i++) {
        const Node *n = graph->nodes.at[i];
        int last = -1;
        for (int k = 0; k < n->n_inputs; k++) {
            int ready = n->inputs[k] ? g->ready[n->inputs[k]->id] : -1;
            if (ready > last) last = ready;
        }
        for (int k = 0; k < n->n_outputs; k++) {
            if (!n->outputs[k]) continue;
            bool stored = value_plan(g->l, n->outputs[k])->stored;
            g->ready[n->outputs[k]->id] = stored ? kernel_of(g, n) : last;
        }
    }
}

static void find_needed(Grouping *g) {
    const Graph *graph = g->l->graph;
    for (int i = 0; i < graph->values.n; i++) g->needed[i] = INT_MAX;
    for (int i = graph->nodes.n - 1; i >= 0; i--) {
        const Node *n = graph->nodes.at[i];
        int at = kernel_of(g, n), first = at < 0 ? INT_MAX : at;
        for (int k = 0; k < n->n_outputs; k++) {
            if (!n->outputs[k] || value_plan(g->l, n->outputs[k])->stored) continue;
            if (g->needed[n->outputs[k]->id] < first) first = g->needed[n->outputs[k]->id];
        }
        for (int k = 0; k < n->n_inputs; k++)
            if (n->inputs[k] && first < g->needed[n->inputs[k]->id])
                g->needed[n->inputs[k]->id] = first;
    }
}

static void find_order(Grouping *g) {
    find_kernels(g->l);
    find_ready(g);
    find_needed(g);
}

static bool is_given_before(const Grouping *g, const Group *group, int member, const Value *v) {
    for (int i = 0; i < member; i++)
        if (result_of(g, group->members[i]) == v) return true;
    return false;
}

/* Does the epilogue of n find its other inputs?  They were there before all members, or a member
 * before n gives them. */
static bool epilogue_fits(const Grouping *g, const Group *group, int member) {
    const Value *v = group->members[member]->outputs[0];
    for (const Node *e; (e = value_plan(g->l, v)->epilogue); v = e->outputs[0])
        for (int k = 0; k < e->n_inputs; k++) {
            const Value *in = e->inputs[k];
            if (!in || in == v || g->ready[in->id] < group->first) continue;
            if (!is_given_before(g, group, member, in)) return false;
        }
    return true;
}

static bool group_fits(const Grouping *g, const Group *group) {
    for (int i = 0; i < group->n; i++) {
        if (g->ready[group->members[i]->inputs[0]->id] >= group->first) return false;
        if (g->needed[result_of(g, group->members[i])->id] < group->at) return false;
        if (!epilogue_fits(g, group, i)) return false;
    }
    return true;
}

/* Runs n with the group of `head`, before or after its nodes. */
static bool join(Grouping *g, Node *head, Node *n, bool before) {
    Group group = {.n = before, .members = {n}, .first = kernel_of(g, n)};
    const int places[] = {kernel_of(g, head), kernel_of(g, n)};
    for (Node *m = head; m; m = node_plan(g->l, m)->next) group.members[group.n++] = m;
    if (!before) group.members[group.n++] = n;
    if (group.n > MEMBERS) return false;
    if (places[0] < group.first) group.first = places[0];
    for (int k = 0; k < 2; k++) {
        group.at = places[k];
        if (!group_fits(g, &group)) continue;
        for (int i = 0; i < 2; i++) g->l->plan->nodes[places[i]].lower_here = NULL;
        g->l->plan->nodes[places[k]].lower_here = group.members[0];
        for (int i = 0; i + 1 < group.n; i++)
            node_plan(g->l, group.members[i])->next = group.members[i + 1];
        find_order(g);
        return true;
    }
    return false;
}

/* What is read for a node's input: that is stored, or is none of a composed MOVE node. */
static const Value *source_of(const Grouping *g, const Node *n) {
    const Value *v = n->inputs[0];
    while (v->producer && v->producer->op->kind == OK_MOVE && !value_plan(g->l, v)->stored &&
           v->producer->inputs[0])
        v = v->producer->inputs[0];
    return v;
}

/* Two nodes with the same words may share a kernel. */
typedef struct Kind {
    int64_t words[3 + 2 * MAX_RANK];
} Kind;

static Kind kind_of(const Grouping *g, const Node *n) {
    const Value *in = n->inputs[0];
    Kind kind = {.words = {source_of(g, n)->id, in->dtype, in->rank}};
    bool axes[MAX_RANK] = {false}, keepdims;
    reduce_axes(n, axes, &keepdims);
    for (int d = 0; d < in->rank; d++) {
        kind.words[3 + 2 * d] = in->dims[d].size;
        kind.words[4 + 2 * d] = axes[d];
    }
    return kind;
}

static void group_node(Grouping *g, Node *n) {
    Kind kind = kind_of(g, n);
    uintptr_t key = (uintptr_t)hash_bytes(&kind, sizeof kind) | 1;
    Node *head = map_get(&g->heads, key);
    bool alike = false;
    if (head) {
        Kind other = kind_of(g, head);
        alike = memcmp(&other, &kind, sizeof kind) == 0;
    }
    if (alike && join(g, head, n, false)) return;
    if (alike) join(g, head, n, true);
    map_set(&g->heads, key, n);
}

void lower_group(Lower *l) {
    const Graph *graph = l->graph;
    Arena *a = l->unit->arena;
    Grouping g = {.l = l, .heads.arena = a};
    g.ready = NEW_ARRAY(a, int, graph->values.n + 1);
    g.needed = NEW_ARRAY(a, int, graph->values.n + 1);
    find_order(&g);
    /* Those with an epilogue last: it may need another's result. */
    for (int with_epilogue = 0; with_epilogue < 2; with_epilogue++)
        for (int i = 0; i < graph->nodes.n; i++) {
            Node *n = graph->nodes.at[i];
            if (n->op->kind != OK_REDUCE || n->op->reduce->n_acc != 1) continue;
            bool has_epilogue = value_plan(l, n->outputs[0])->epilogue;
            if (has_epilogue == with_epilogue) group_node(&g, n);
        }
}
