/* export_version.c - which operator set a node needs. */
#include "writer.h"

#include <string.h>

enum { OLDEST = 21 };

#define TYPE(id) (1u << DT_##id)

typedef struct SameRow {
    OpId op;
    int version;
    unsigned types;
} SameRow;

static const SameRow same_rows[] = {
#define SAME(op, version, types) {OP_##op, version, types},
#define NEW_ATTR(op, attribute, version)
#define NEW_INPUT(op, input, version)
#define NEW_MEANING(op, attribute, version)
#include "export_versions.def"
#undef SAME
#undef NEW_ATTR
#undef NEW_INPUT
#undef NEW_MEANING
};

typedef struct LateRow {
    OpId op;
    const char *attribute; /* or NULL */
    int input;
    bool if_set; /* only if the attribute is not 0 */
    int version;
} LateRow;

static const LateRow late_rows[] = {
#define SAME(op, version, types)
#define NEW_ATTR(op, attribute, version) {OP_##op, #attribute, -1, false, version},
#define NEW_INPUT(op, input, version) {OP_##op, NULL, input, false, version},
#define NEW_MEANING(op, attribute, version) {OP_##op, #attribute, -1, true, version},
#include "export_versions.def"
#undef SAME
#undef NEW_ATTR
#undef NEW_INPUT
#undef NEW_MEANING
};

static unsigned types_of(const Node *n) {
    unsigned types = 0;
    for (int k = 0; k < n->n_inputs; k++)
        if (n->inputs[k]) types |= 1u << n->inputs[k]->dtype;
    for (int k = 0; k < n->n_outputs; k++)
        if (n->outputs[k]) types |= 1u << n->outputs[k]->dtype;
    return types;
}

static int version_of_form(const Node *n) {
    for (size_t i = 0; i < sizeof same_rows / sizeof *same_rows; i++)
        if (same_rows[i].op == n->op->id && !(types_of(n) & same_rows[i].types))
            return same_rows[i].version;
    bool is_conv_of_bf16 = n->op->id == OP_Conv && types_of(n) & TYPE(BF16);
    return is_conv_of_bf16 ? 22 : n->op->since;
}

static bool is_late(const Node *n, const LateRow *row) {
    if (!row->attribute) return node_has_input(n, row->input);
    return node_has(n, row->attribute) && (!row->if_set || node_int(n, row->attribute));
}

int version_of_node(const Node *n) {
    if (*n->op->domain) return OLDEST;
    int version = version_of_form(n);
    for (size_t i = 0; i < sizeof late_rows / sizeof *late_rows; i++) {
        const LateRow *row = &late_rows[i];
        if (row->op != n->op->id || row->version <= version) continue;
        if (is_late(n, row)) version = row->version;
    }
    return version < OLDEST ? OLDEST : version;
}
