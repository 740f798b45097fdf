/* dot.c - a picture of a graph: a box a node, an edge a tensor with its type; constants are told in
 * the box. */
#include "watch.h"

#include <inttypes.h>

/* A label in double quotes; names come from the model. */
static void add_label(Text *out, const char *text) {
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') text_add(out, "\\");
        if ((unsigned char)*c >= ' ') text_add_bytes(out, c, 1);
    }
}

static void add_type(Text *out, const Value *v) {
    if (v->dtype == DT_NONE || v->rank < 0) return;
    text_add(out, "%s[", dtypes[v->dtype].text);
    for (int d = 0; d < v->rank; d++) {
        if (d) text_add(out, ",");
        if (v->dims[d].size >= 0)
            text_add(out, "%" PRId64, v->dims[d].size);
        else
            add_label(out, v->dims[d].symbol ? v->dims[d].symbol : "?");
    }
    text_add(out, "]");
}

/* A node is called after its first result, an edge comes from there. */
static int node_id(const Node *n) {
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) return n->outputs[k]->id;
    return -1;
}

static void add_edge(Text *out, const Value *v, const char *to, int id) {
    text_add(out, v->producer ? "    n%d" : "    v%d", v->producer ? node_id(v->producer) : v->id);
    text_add(out, " -> %s%d [label=\"", to, id);
    add_type(out, v);
    text_add(out, "\"];\n");
}

static void add_port(Text *out, const Value *v, const char *kind, int id) {
    text_add(out, "    %s%d [shape=ellipse, label=\"", kind, id);
    add_label(out, v->name);
    text_add(out, "\"];\n");
}

static void add_node(Text *out, const Node *n) {
    text_add(out, "    n%d [label=\"%s\\n", node_id(n), n->op->name);
    add_label(out, n->name);
    for (int k = 0; k < n->n_inputs; k++) {
        if (!n->inputs[k] || !n->inputs[k]->constant) continue;
        text_add(out, "\\n");
        add_label(out, n->inputs[k]->name);
        text_add(out, " ");
        add_type(out, n->inputs[k]);
    }
    text_add(out, "\"];\n");
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k] && !n->inputs[k]->constant) add_edge(out, n->inputs[k], "n", node_id(n));
}

void graph_dot(const Graph *g, Text *out) {
    text_add(out, "digraph \"");
    add_label(out, g->name);
    text_add(out, "\" {\n    node [shape=box];\n");
    for (int i = 0; i < g->inputs.n; i++) add_port(out, g->inputs.at[i], "v", g->inputs.at[i]->id);
    for (int i = 0; i < g->nodes.n; i++)
        if (node_id(g->nodes.at[i]) >= 0) add_node(out, g->nodes.at[i]);
    for (int i = 0; i < g->outputs.n; i++) {
        add_port(out, g->outputs.at[i], "o", i);
        add_edge(out, g->outputs.at[i], "o", i);
    }
    text_add(out, "}\n");
}
