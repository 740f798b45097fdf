/* lower_variant.h - the ways in which nodes may be computed (variants.def), what each costs (costs.def), and which is taken. */
#ifndef SONOC_LOWER_VARIANT_H
#define SONOC_LOWER_VARIANT_H

#include "cost.h"
#include "lower.h"

typedef enum VariantId {
#define VARIANT(op, id, name, class, effort, rows, vectors, block) VARIANT_##op##_##id,
#include "variants.def"
#undef VARIANT
    VARIANT_COUNT
} VariantId;

/* Adds to *effort.  false: the node cannot be computed so.  Its shapes are known. */
typedef bool EffortFn(const Node *n, const Target *t, const Variant *v, Effort *effort);
#define VARIANT(op, id, name, class, effort, rows, vectors, block) EffortFn effort;
#include "variants.def"
#undef VARIANT

typedef enum VariantClass { VARIANT_BIT, VARIANT_REAL } VariantClass;

struct Variant {
    VariantId id;
    OpId op;
    const char *name;
    VariantClass is;
    EffortFn *effort;
    int tile_rows, tile_vectors;     /* of the micro-kernel; 0: the target's */
    int block;
};

extern const Variant variants[VARIANT_COUNT];

const Variant *variant_find(OpId op, const char *name);      /* NULL: there is none */
bool op_has_variants(OpId op);
/* The target that variants are chosen for. */
const Target *variant_target(const LowerOptions *options);
/* NULL, or why the node cannot be computed so under these options. */
const char *variant_refusal(const Node *n, const Variant *v, const LowerOptions *options, Effort *effort);
/* The node as the text that choices tell it by: operator, inputs, attributes. */
const char *variant_node_text(Arena *a, const Node *n);

/* Picks for every node that has a choice; by lower_begin.  false: reported. */
bool lower_choose(Lower *l);

#endif
