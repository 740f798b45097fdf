/* watch.h - what one wants to see of a graph before and after each pass. */
#ifndef SONOC_WATCH_H
#define SONOC_WATCH_H

#include "pass.h"

/* Gives the text of the graph if watch_after needs it, else NULL. */
const char *watch_before(const Graph *g, const Pass *p, const PassOptions *options);
/* false: reported. */
bool watch_after(const Graph *g, const Pass *p, const PassOptions *options, const char *before);

/* A unified diff of two texts with three lines of context; nothing if they are the same. */
void text_diff(const char *before, const char *after, Text *out);
/* The graph in the language of Graphviz. */
void graph_dot(const Graph *g, Text *out);

#endif
