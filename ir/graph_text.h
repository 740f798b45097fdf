/* graph_text.h - what printing and parsing of the graph's text form share; private to them. */
#ifndef SONOC_GRAPH_TEXT_H
#define SONOC_GRAPH_TEXT_H

#include "graph.h"

bool text_is_word_char(char c);
/* The next character that is neither blank nor in a comment (# to the end of the line); *at stands on it, lines are
 * counted. */
char text_peek(const char **at, int *line, const char **line_start);
/* The bits of the NaN that is written as nan. */
uint64_t text_quiet_nan(DType t);

#endif
