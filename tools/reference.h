/* reference.h - what a registered operator's own reference function gives. */
#ifndef SONOC_REFERENCE_H
#define SONOC_REFERENCE_H

#include "ports.h"

/* The model's only node, as the file has it.  NULL: reported. */
Graph *reference_graph(Session *s);
/* The program's outputs by that node's reference function, from the program's inputs.  NULL: reported. */
const Tensor **reference_run(Session *s, const Graph *g, const Model *m, const Tensor *const *inputs);

#endif
