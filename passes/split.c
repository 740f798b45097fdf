/* split.c - Slices that cut a value into pieces, one behind the other, become one Split.
 *
 * For the lowering a piece is a way to read, and a Slice says it best.  In a file, for other
 * engines and for people, one node that gives all pieces is less than one for each.  BIT: no number
 * is touched. */
#include "match.h"
#include "pass.h"

enum { MOST_PIECES = 16 };

typedef struct Pieces {
    Node *slices[MOST_PIECES];
    int64_t sizes[MOST_PIECES];
    int n, axis;
} Pieces;

/* The axis that a Slice of step 1 cuts, and where; -1: none, or several. */
static int axis_cut(const Node *n, int64_t *begin) {
    const Value *in = n->inputs[0], *out = n->outputs[0];
    Cut cut;
    int axis = -1;
    if (!value_is_static(in) || !value_is_static(out) || !match_cut(n, &cut)) return -1;
    for (int d = 0; d < in->rank; d++) {
        if (cut.step[d] != 1) return -1;
        if (in->dims[d].size == out->dims[d].size) continue;
        if (axis >= 0) return -1;
        axis = d;
    }
    if (axis >= 0) *begin = cut.begin[axis];
    return axis;
}

static Node *piece_at(const Graph *g, const Value *x, int axis, int64_t wanted) {
    int64_t begin;
    for (int i = 0; i < g->nodes.n; i++) {
        Node *n = g->nodes.at[i];
        if (n->dead || n->op->id != OP_Slice || n->inputs[0] != x) continue;
        if (axis_cut(n, &begin) == axis && begin == wanted && n->outputs[0]->dims[axis].size > 0)
            return n;
    }
    return NULL;
}

/* All of x, from the piece n on. */
static bool find_pieces(const Graph *g, Node *n, Pieces *p) {
    int64_t at = 0;
    p->axis = axis_cut(n, &at);
    if (p->axis < 0 || at != 0) return false;
    const Value *x = n->inputs[0];
    for (p->n = 0; at < x->dims[p->axis].size; p->n++) {
        Node *piece = piece_at(g, x, p->axis, at);
        if (!piece || p->n == MOST_PIECES) return false;
        p->slices[p->n] = piece;
        at += p->sizes[p->n] = piece->outputs[0]->dims[p->axis].size;
    }
    return at == x->dims[p->axis].size && p->n > 1;
}

static void make_split(Graph *g, Node *n, const Pieces *p) {
    Value *inputs[] = {n->inputs[0], make_int_vector(g, "sizes", p->sizes, p->n)},
          *outputs[MOST_PIECES];
    for (int i = 0; i < p->n; i++) outputs[i] = graph_add_value(g, p->slices[i]->outputs[0]->name);
    Node *split = graph_add_node(g, &op_infos[OP_Split], n->name, inputs, 2, outputs, p->n);
    split->position = n->position;
    split->scope = n->scope;
    node_set_int(g, split, "axis", p->axis);
    node_close(g, split);
    for (int i = 0; i < p->n; i++) node_become(g, p->slices[i], outputs[i]);
}

static bool slices_are_split(Graph *g, const PassOptions *options, Node *n) {
    Pieces p;
    if (n->op->id != OP_Slice || !find_pieces(g, n, &p) || !rewrite_allowed(g, options, n))
        return false;
    remark(g, options, REMARK_MATCHED, n, "%d slices are one Split", p.n);
    make_split(g, n, &p);
    return true;
}

bool pass_split(Graph *g, const PassOptions *options) {
    static RewriteFn *const rewrites[] = {slices_are_split};
    rewrite_everywhere(g, options, rewrites, 1);
    return true;
}
