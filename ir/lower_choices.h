/* lower_choices.h - a text file that says which variant a node is computed by; its grammar heads lower_choices.c. */
#ifndef SONOC_LOWER_CHOICES_H
#define SONOC_LOWER_CHOICES_H

#include "lower_variant.h"

typedef struct Choice {
    const char *node;        /* variant_node_text without blanks */
    const Variant *variant;
    int line;
} Choice;

struct Choices {
    const char *file, *target;
    Unit *unit;
    VEC(Choice) rows;
    Map by_node;             /* interned -> its number in rows + 1 */
};

/* NULL: reported. */
Choices *choices_parse(Unit *u, const char *file, const char *text, size_t n);
const Choice *choice_find(const Choices *c, const char *node);       /* NULL: the file says nothing of it */
bool choices_fit(const LowerOptions *o);                             /* is the file for the target? */

#endif
