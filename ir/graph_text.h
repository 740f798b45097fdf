/* graph_text.h - what printing and parsing of the graph's text form share; private to them. */
#ifndef SONOC_GRAPH_TEXT_H
#define SONOC_GRAPH_TEXT_H

#include "graph.h"

bool text_is_word_char(char c);
/* The bits of the NaN that is written as nan. */
uint64_t text_quiet_nan(DType t);

#endif
