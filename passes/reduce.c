/* reduce.c - delta debugging over the nodes of a graph, then over its outputs.
 *
 * A set of nodes is cut out of the graph: what they take from others are inputs.  The set is
 * halved, quartered, ... and a part is left out for good when the rest still shows it; small graphs
 * are tried first, so that most of a graph goes in a few steps. */
#include "reduce.h"

#include <string.h>

typedef struct Reduce {
    Unit *unit;
    const Graph *graph;
    ShowsFn *shows;
    void *context;
    bool *keep; /* by node */
    bool *trial;
} Reduce;

static bool try_keep(const Reduce *r, const bool *keep) {
    Unit apart;
    if (!unit_begin_apart(&apart, r->unit, 0)) return false;
    volatile bool shows = false; /* set between setjmp and longjmp */
    if (!setjmp(apart.escape.jump)) {
        const Graph *part = graph_extract(&apart, r->graph, keep);
        shows = part && r->shows(part, r->context);
    }
    unit_end(&apart);
    return shows;
}

static int count_kept(const Reduce *r) {
    int n = 0;
    for (int i = 0; i < r->graph->nodes.n; i++) n += r->keep[i];
    return n;
}

/* Keeps (or leaves out) the nodes with numbers first..last-1 among those kept. */
static bool try_part(Reduce *r, int first, int last, bool alone) {
    int number = 0;
    for (int i = 0; i < r->graph->nodes.n; i++) {
        bool inside = r->keep[i] && number >= first && number < last;
        r->trial[i] = r->keep[i] && inside == alone;
        number += r->keep[i];
    }
    if (!try_keep(r, r->trial)) return false;
    memcpy(r->keep, r->trial, (size_t)r->graph->nodes.n * sizeof *r->keep);
    return true;
}

/* One round with parts of `size` nodes.  True: something went. */
static bool reduce_round(Reduce *r, int size) {
    int n = count_kept(r);
    for (int first = 0; first < n && n > size; first += size)
        if (try_part(r, first, first + size, true)) return true;
    bool any = false;
    for (int first = 0; first < n && n > 1;) {
        if (try_part(r, first, first + size, false)) {
            n = count_kept(r);
            any = true;
        } else {
            first += size;
        }
    }
    return any;
}

static void reduce_nodes(Reduce *r) {
    int size = (count_kept(r) + 1) / 2;
    while (size >= 1) {
        bool any = reduce_round(r, size);
        int n = count_kept(r);
        if (size == 1 && !any) break;
        size = any && size <= n / 2 ? size : size > 1 ? (size + 1) / 2 : 1;
        if (n <= 1) break;
    }
}

/* Leaves the outputs away that are not needed, one by one. */
static Graph *reduce_outputs(const Reduce *r, Graph *g) {
    for (int i = g->outputs.n - 1; i >= 0 && g->outputs.n > 1; i--) {
        Value *v = g->outputs.at[i];
        for (int k = i; k + 1 < g->outputs.n; k++) g->outputs.at[k] = g->outputs.at[k + 1];
        g->outputs.n--;
        v->is_output = false;
        if (r->shows(g, r->context)) continue;
        for (int k = g->outputs.n++; k > i; k--) g->outputs.at[k] = g->outputs.at[k - 1];
        g->outputs.at[i] = v;
        v->is_output = true;
    }
    graph_sweep(g);
    return g;
}

Graph *graph_reduce(Unit *u, const Graph *g, ShowsFn *shows, void *context) {
    Reduce r = {.unit = u, .graph = g, .shows = shows, .context = context};
    r.keep = NEW_ARRAY(u->arena, bool, g->nodes.n + 1);
    r.trial = NEW_ARRAY(u->arena, bool, g->nodes.n + 1);
    memset(r.keep, true, (size_t)g->nodes.n);
    if (try_keep(&r, r.keep)) reduce_nodes(&r);
    Graph *part = graph_extract(u, g, r.keep);
    return part && shows(part, context) ? reduce_outputs(&r, part) : graph_copy(u, g);
}
