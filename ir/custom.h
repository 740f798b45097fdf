/* custom.h - operators and passes that are in no table of ours: the registry of a unit. */
#ifndef SONOC_CUSTOM_H
#define SONOC_CUSTOM_H

#include "graph.h"

struct sonoc_registry;
struct sonoc_pass;

/* Has `enter` register what it has.  `from` tells the user where that came from.  False: reported.
 */
bool registry_enter(Unit *u, void (*enter)(const struct sonoc_registry *r), const char *from);

int registry_ops(const Unit *u);
const OpInfo *registry_op(const Unit *u, int i);
int registry_passes(const Unit *u);
const struct sonoc_pass *registry_pass(const Unit *u, int i);
const struct sonoc_pass *registry_find_pass(const Unit *u, const char *name); /* NULL if unknown */

/* Runs a registered pass, which asks before each rewrite.  False: reported. */
typedef bool AllowFn(Graph *g, const Node *at, const void *context);
bool custom_pass_run(Graph *g, const struct sonoc_pass *pass, AllowFn *allow, const void *context);

/* Registered operators that are only other spellings give way to what they are. */
bool graph_expand_spellings(Graph *g);
/* The node alone, with registered operators expanded: its inputs are those of the graph, by
 * position. NULL: reported. */
Graph *node_expanded(Unit *u, const Node *n);

/* What a node gives by its operator's reference function: false if it has none. */
bool node_reference(Unit *u, Node *n, const Tensor *const *inputs, Tensor *const *outputs);

#endif
