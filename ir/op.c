/* op.c - the operator table, made from the rows of ops.def and attrs.def.
 *
 * The attributes of an operator are a line of attr_table.  They fill it from the right, the last
 * row first, and as the rows are numbered over all operators, they begin anywhere: so the line is a
 * ring of ATTR_MAX columns, written out twice.  A list is read from the column of its last row up
 * to the first empty one. */
#include "op.h"
#include "graph.h"
#include "ops/ops.h"

#include <string.h>

enum { ATTR_MAX = 16 }; /* an operator has fewer attributes than this */

enum {
#define ATTR(op, name, kind, text) ATTR_ROW_##op##_##name,
#include "ops/attrs.def"
#undef ATTR
    ATTR_ROWS
};

#define ATTR_COLUMN(op, name) ((ATTR_ROWS - 1 - ATTR_ROW_##op##_##name) % ATTR_MAX)

static const AttrInfo attr_table[OP_COUNT][2 * ATTR_MAX] = {
#define ATTR(op, name, kind, text)                                                                 \
    [OP_##op][ATTR_COLUMN(op, name)] = {#name, AT_##kind, text},                                   \
                              [OP_##op][ATTR_COLUMN(op, name) + ATTR_MAX] = {#name, AT_##kind,     \
                                                                             text},
#include "ops/attrs.def"
#undef ATTR
};

static const AttrInfo no_attrs[] = {{NULL, AT_NONE, NULL}};

/* The rows of attrs.def come after those of ops.def and overwrite `attrs`, for each operator the
 * last row for good. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
const OpInfo op_infos[OP_COUNT] = {
#define ROW(id_, kind_, name_, domain_, since_, min_in, max_in, min_out, max_out, ...)             \
    [OP_##id_] = {.id = OP_##id_,                                                                  \
                  .name = name_,                                                                   \
                  .domain = domain_,                                                               \
                  .kind = kind_,                                                                   \
                  .since = since_,                                                                 \
                  .min_inputs = min_in,                                                            \
                  .max_inputs = max_in,                                                            \
                  .min_outputs = min_out,                                                          \
                  .max_outputs = max_out,                                                          \
                  .attrs = no_attrs,                                                               \
                  __VA_ARGS__},
#define ELEM(id, name, domain, since, min_in, max_in, infer_, elem_)                               \
    ROW(id, OK_ELEM, name, domain, since, min_in, max_in, 1, 1, .infer = infer_, .elem = elem_)
#define MOVE(id, name, domain, since, min_in, max_in, min_out, max_out, infer_, move_)             \
    ROW(id, OK_MOVE, name, domain, since, min_in, max_in, min_out, max_out, .infer = infer_,       \
        .move = move_)
#define REDUCE(id, name, domain, since, min_in, max_in, infer_, rule)                              \
    ROW(id, OK_REDUCE, name, domain, since, min_in, max_in, 1, 1, .infer = infer_, .reduce = &rule)
#define EXPAND(id, name, domain, since, min_in, max_in, min_out, max_out, infer_, expand_)         \
    ROW(id, OK_EXPAND, name, domain, since, min_in, max_in, min_out, max_out, .infer = infer_,     \
        .expand = expand_)
#define CODE(id, name, domain, since, min_in, max_in, min_out, max_out, infer_, code_, need_)      \
    ROW(id, OK_CODE, name, domain, since, min_in, max_in, min_out, max_out, .infer = infer_,       \
        .code = code_, .need = need_)
#include "ops/ops.def"
#define ATTR(op, name, kind, text) [OP_##op].attrs = &attr_table[OP_##op][ATTR_COLUMN(op, name)],
#include "ops/attrs.def"
#undef ATTR
};
#pragma GCC diagnostic pop

const OpInfo *op_find(const char *domain, const char *name) {
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    for (int id = OP_NONE + 1; id < OP_COUNT; id++) {
        const OpInfo *op = &op_infos[id];
        if (strcmp(op->name, name) == 0 && strcmp(op->domain, domain) == 0) return op;
    }
    return NULL;
}

const AttrInfo *op_find_attr(const OpInfo *op, const char *name) {
    for (const AttrInfo *attr = op->attrs; attr->name; attr++)
        if (strcmp(attr->name, name) == 0) return attr;
    return NULL;
}
