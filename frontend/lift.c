/* lift.c - brings nodes of older operator sets to the newest form of their operator.
 *
 * A row of `lifts` names an operator and the first version that no longer needs the lift.  Types
 * and ranks are not known here, so every form is chosen to be right without them: an old Softmax,
 * say, becomes Flatten, Softmax and Reshape.  A lift changes the node in place and returns true, or
 * emits nodes that stand for it and returns false. */
#include "reader.h"

#include <string.h>

typedef struct Lift {
    Reader *reader;
    Scope *scope;
    RawNode *node;
} Lift;

typedef bool LiftFn(Lift *l);

/* What lifts are made of. */

static const char *intern(const Lift *l, const char *text) {
    return name_intern(l->reader->unit->names, text);
}

static Value *input(const Lift *l, int k) {
    return k < l->node->inputs.n ? l->node->inputs.at[k] : NULL;
}

static Value *output(const Lift *l, int k) {
    return k < l->node->outputs.n ? l->node->outputs.at[k] : NULL;
}

static void set_input(Lift *l, int k, Value *v) {
    while (l->node->inputs.n <= k) vec_push(l->reader->unit->arena, &l->node->inputs, NULL);
    l->node->inputs.at[k] = v;
}

static bool refuse(const Lift *l, const char *attribute, const char *text) {
    return diag(l->reader->unit, raw_place(l->node, attribute), D_UNSUPPORTED, text);
}

/* Takes an attribute away.  False: not given, or reported to be of another kind. */
static bool take(Lift *l, const char *name, AttrKind kind, Attr *taken) {
    Attr *attr = raw_attr(l->node, name);
    if (!attr) return false;
    *taken = *attr;
    *attr = l->node->attrs.at[--l->node->attrs.n];
    if (taken->kind == kind) return true;
    return diag(l->reader->unit, raw_place(l->node, name), D_ATTRIBUTE_KIND,
                attr_kind_text(taken->kind), attr_kind_text(kind));
}

static int64_t take_int(Lift *l, const char *name, int64_t by_default) {
    Attr attr;
    return take(l, name, AT_INT, &attr) ? attr.u.i : by_default;
}

static Attr *add_attr(Lift *l, RawNode *node, const char *name, AttrKind kind) {
    Attr attr = {.name = intern(l, name), .kind = kind};
    vec_push(l->reader->unit->arena, &node->attrs, attr);
    return &node->attrs.at[node->attrs.n - 1];
}

static void set_string(Lift *l, const char *name, const char *text) {
    add_attr(l, l->node, name, AT_STRING)->u.s = intern(l, text);
}

/* A name beside the node's own. */
static const char *name_beside(const Lift *l, const char *suffix) {
    Value *out = output(l, 0);
    const char *base = *l->node->name ? l->node->name : out ? out->name : l->node->op;
    return arena_format(l->reader->unit->arena, "%s.%s", base, suffix);
}

static Value *constant(const Lift *l, const char *suffix, const Tensor *t) {
    return graph_add_constant(l->scope->graph, name_beside(l, suffix), t);
}

static Value *int_constant(const Lift *l, const char *suffix, const int64_t *ints, int64_t n) {
    return constant(l, suffix, tensor_from_ints(l->reader->unit->arena, ints, n));
}

static const Tensor *float_tensor(const Lift *l, const float *floats, int64_t n, int rank) {
    Tensor *t = tensor_new(l->reader->unit->arena, DT_F32, rank, &n);
    if (n) memcpy((void *)(uintptr_t)t->data, floats, (size_t)n * sizeof *floats);
    return t;
}

/* A node beside the one that is lifted. */
static RawNode *beside(const Lift *l, const char *op) {
    RawNode *n = NEW(l->reader->unit->arena, RawNode);
    *n = (RawNode){.op = intern(l, op),
                   .domain = l->node->domain,
                   .name = l->node->name,
                   .version = l->node->version,
                   .position = l->node->position,
                   .scope = l->node->scope};
    return n;
}

/* Emits n(a, b) -> `out`, or a new value when that is NULL. */
static Value *emit(const Lift *l, RawNode *n, Value *a, Value *b, Value *out) {
    Arena *arena = l->reader->unit->arena;
    if (!out) out = graph_add_value(l->scope->graph, name_beside(l, n->op));
    vec_push(arena, &n->inputs, a);
    if (b) vec_push(arena, &n->inputs, b);
    vec_push(arena, &n->outputs, out);
    emit_node(l->reader, l->scope, n);
    return out;
}

/* Attributes that became inputs. */

static void ints_to_input(Lift *l, const char *name, int k) {
    Attr attr;
    if (take(l, name, AT_INTS, &attr)) set_input(l, k, int_constant(l, name, attr.u.ints, attr.n));
}

/* A scalar of the type of input 0, which is known only later. */
static void float_to_input(Lift *l, const char *name, int k) {
    Attr attr;
    if (!take(l, name, AT_FLOAT, &attr)) return;
    Value *value = constant(l, name, float_tensor(l, &attr.u.f, 1, 0));
    if (input(l, 0)->dtype != DT_F32)
        value = emit(l, beside(l, "CastLike"), value, input(l, 0), NULL);
    set_input(l, k, value);
}

static bool lift_axes(Lift *l) {
    ints_to_input(l, "axes", 1);
    return true;
}

static bool lift_slice(Lift *l) {
    ints_to_input(l, "starts", 1);
    ints_to_input(l, "ends", 2);
    ints_to_input(l, "axes", 3);
    return true;
}

static bool lift_pad(Lift *l) {
    const Attr *value = raw_attr(l->node, "value");
    Attr dropped;
    if (!input(l, 0)) return true;
    ints_to_input(l, "pads", 1);
    if (value && value->kind == AT_FLOAT && value->u.f == 0)
        take(l, "value", AT_FLOAT, &dropped);
    else
        float_to_input(l, "value", 2);
    return true;
}

static bool lift_clip(Lift *l) {
    if (!input(l, 0)) return true;
    float_to_input(l, "min", 1);
    float_to_input(l, "max", 2);
    return true;
}

static bool lift_split(Lift *l) {
    if (l->node->version < 13) ints_to_input(l, "split", 1);
    if (!input(l, 1)) add_attr(l, l->node, "num_outputs", AT_INT)->u.i = l->node->outputs.n;
    return true;
}

static bool lift_top_k(Lift *l) {
    int64_t k = take_int(l, "k", 0);
    set_input(l, 1, int_constant(l, "k", &k, 1));
    return true;
}

/* The mask was of the input's type before it was of bools. */
static bool lift_dropout(Lift *l) {
    Attr ratio;
    take(l, "ratio", AT_FLOAT, &ratio);
    Value *mask = output(l, 1);
    if (l->node->version >= 10 || !mask || !input(l, 0)) return true;
    l->node->outputs.at[1] = graph_add_value(l->scope->graph, name_beside(l, "mask"));
    emit(l, beside(l, "CastLike"), l->node->outputs.at[1], input(l, 0), mask);
    return true;
}

/* Resizing. */

static bool lift_upsample(Lift *l) {
    Attr scales;
    l->node->op = intern(l, "Resize");
    if (take(l, "scales", AT_FLOATS, &scales))
        set_input(l, 1, constant(l, "scales", float_tensor(l, scales.u.floats, scales.n, 1)));
    Value *by = input(l, 1);
    if (!by) return true;
    set_input(l, 2, by);
    set_input(l, 1, NULL);
    set_string(l, "coordinate_transformation_mode", "asymmetric");
    set_string(l, "nearest_mode", "floor");
    return true;
}

/* Resize-10 rounds up where it shrinks an axis, down where it widens one. */
static bool lift_resize_10(Lift *l) {
    Value *scales = input(l, 1);
    if (!scales) return true;
    bool shrinks = false, widens = false;
    const Tensor *t = scales->constant;
    for (int64_t i = 0; t && dtype_is_float(t->dtype) && i < t->count; i++) {
        shrinks |= tensor_get_double(t, i) < 1;
        widens |= tensor_get_double(t, i) > 1;
    }
    const Attr *mode = raw_attr(l->node, "mode");
    bool nearest = !mode || (mode->kind == AT_STRING && strcmp(mode->u.s, "nearest") == 0);
    if (nearest && shrinks && widens)
        return refuse(l, NULL, "a Resize of operator set 10 that both shrinks and widens");
    set_input(l, 2, scales);
    set_input(l, 1, NULL);
    set_string(l, "coordinate_transformation_mode", "asymmetric");
    set_string(l, "nearest_mode", shrinks ? "ceil" : "floor");
    return true;
}

/* Operator set 11 wants an empty tensor where later ones want nothing. */
static bool lift_resize(Lift *l) {
    for (int k = 1; k < l->node->inputs.n; k++) {
        const Value *v = l->node->inputs.at[k];
        if (v && v->constant && v->constant->count == 0) l->node->inputs.at[k] = NULL;
    }
    return true;
}

static bool lift_roi_align(Lift *l) {
    if (!raw_attr(l->node, "coordinate_transformation_mode"))
        set_string(l, "coordinate_transformation_mode", "output_half_pixel");
    return true;
}

static bool lift_grid_sample(Lift *l) {
    Attr *mode = raw_attr(l->node, "mode");
    if (!mode || mode->kind != AT_STRING) return true;
    if (strcmp(mode->u.s, "bilinear") == 0)
        mode->u.s = intern(l, "linear");
    else if (strcmp(mode->u.s, "bicubic") == 0)
        mode->u.s = intern(l, "cubic");
    return true;
}

/* Norms and softmax. */

/* Before operator set 13 the input is seen as a matrix, its rows the axes before `axis`. */
static bool lift_softmax(Lift *l) {
    Value *x = input(l, 0);
    int64_t axis = take_int(l, "axis", 1);
    if (!x || axis == -1) {
        add_attr(l, l->node, "axis", AT_INT)->u.i = -1;
        return true;
    }
    RawNode *flatten = beside(l, "Flatten"), *softmax = beside(l, l->node->op);
    add_attr(l, flatten, "axis", AT_INT)->u.i = axis;
    add_attr(l, softmax, "axis", AT_INT)->u.i = -1;
    Value *shape = emit(l, beside(l, "Shape"), x, NULL, NULL);
    Value *rows = emit(l, flatten, x, NULL, NULL);
    Value *result = emit(l, softmax, rows, NULL, NULL);
    emit(l, beside(l, "Reshape"), result, shape, output(l, 0));
    return false;
}

static bool lift_batch_norm(Lift *l) {
    if (take_int(l, "spatial", 1) != 1)
        return refuse(l, "spatial", "statistics for every position (spatial = 0)");
    for (int k = 1; k < l->node->outputs.n; k++)
        if (output(l, k))
            return refuse(l, NULL, "BatchNormalization in training (more than one output)");
    return true;
}

/* Scale and bias per group: an InstanceNormalization of the groups. */
static bool lift_group_norm(Lift *l) {
    Value *x = input(l, 0), *scale = input(l, 1), *bias = input(l, 2);
    if (!x || !scale || !bias) return true;
    int64_t groups = take_int(l, "num_groups", 0);
    if (groups < 1) {
        diag(l->reader->unit, raw_place(l->node, "num_groups"), D_ATTRIBUTE_VALUE,
             "must be given, and at least 1");
        return false;
    }
    const int64_t dims[] = {0, groups, -1};
    RawNode *norm = beside(l, "InstanceNormalization");
    for (int i = 0; i < l->node->attrs.n; i++) {
        const Attr *attr = &l->node->attrs.at[i];
        Attr *copy = add_attr(l, norm, attr->name, attr->kind);
        copy->n = attr->n;
        copy->u = attr->u;
    }
    Value *shape = emit(l, beside(l, "Shape"), x, NULL, NULL);
    Value *grouped = emit(l, beside(l, "Reshape"), x, int_constant(l, "groups", dims, 3), NULL);
    Value *result = graph_add_value(l->scope->graph, name_beside(l, "normalized"));
    vec_push(l->reader->unit->arena, &norm->inputs, grouped);
    vec_push(l->reader->unit->arena, &norm->inputs, scale);
    vec_push(l->reader->unit->arena, &norm->inputs, bias);
    vec_push(l->reader->unit->arena, &norm->outputs, result);
    emit_node(l->reader, l->scope, norm);
    emit(l, beside(l, "Reshape"), result, shape, output(l, 0));
    return false;
}

static bool lift_scatter(Lift *l) {
    l->node->op = intern(l, "ScatterElements");
    return true;
}

/* Constants. */

static const Tensor *string_tensor(const Lift *l, const char *const *strings, int64_t n, int rank) {
    Tensor *t = tensor_new(l->reader->unit->arena, DT_STRING, rank, &n);
    const char **copy = NEW_ARRAY(l->reader->unit->arena, const char *, n);
    for (int64_t i = 0; i < n; i++) copy[i] = strings[i];
    t->strings = copy;
    return t;
}

static const Tensor *int_scalar(const Lift *l, int64_t value) {
    Tensor *t = tensor_new(l->reader->unit->arena, DT_I64, 0, NULL);
    memcpy((void *)(uintptr_t)t->data, &value, sizeof value);
    return t;
}

/* The tensor that a Constant's attribute gives; NULL if it is of the wrong kind for its name. */
static const Tensor *constant_of(const Lift *l, const Attr *a) {
    if (strcmp(a->name, "value") == 0 && a->kind == AT_TENSOR) return a->u.tensor;
    if (strcmp(a->name, "value_int") == 0 && a->kind == AT_INT) return int_scalar(l, a->u.i);
    if (strcmp(a->name, "value_float") == 0 && a->kind == AT_FLOAT)
        return float_tensor(l, &a->u.f, 1, 0);
    if (strcmp(a->name, "value_string") == 0 && a->kind == AT_STRING)
        return string_tensor(l, &a->u.s, 1, 0);
    if (strcmp(a->name, "value_ints") == 0 && a->kind == AT_INTS)
        return tensor_from_ints(l->reader->unit->arena, a->u.ints, a->n);
    if (strcmp(a->name, "value_floats") == 0 && a->kind == AT_FLOATS)
        return float_tensor(l, a->u.floats, a->n, 1);
    if (strcmp(a->name, "value_strings") == 0 && a->kind == AT_STRINGS)
        return string_tensor(l, a->u.strings, a->n, 1);
    return NULL;
}

static bool lift_constant(Lift *l) {
    Unit *u = l->reader->unit;
    const RawNode *n = l->node;
    if (n->inputs.n) return diag(u, raw_place(n, NULL), D_INPUT_COUNT, n->inputs.n, 0, 0);
    if (n->outputs.n != 1) return diag(u, raw_place(n, NULL), D_OUTPUT_COUNT, n->outputs.n, 1, 1);
    if (n->attrs.n != 1)
        return diag(u, raw_place(n, NULL), D_ATTRIBUTE_VALUE,
                    "a Constant needs one attribute, its value");
    const Tensor *t = constant_of(l, &n->attrs.at[0]);
    if (!t)
        return diag(u, raw_place(n, n->attrs.at[0].name), D_ATTRIBUTE_VALUE,
                    "no such form of a Constant's value is known");
    if (output(l, 0)) value_make_constant(l->scope->graph, output(l, 0), t);
    return false;
}

typedef struct LiftRow {
    const char *op;
    int until; /* the first operator set that does not need it */
    LiftFn *fn;
} LiftRow;

enum { ALWAYS = INT32_MAX };

/* The first row that fits is taken. */
/* clang-format off */
static const LiftRow lifts[] = {
    { "BatchNormalization", 14,     lift_batch_norm  },
    { "Clip",               11,     lift_clip        },
    { "Constant",           ALWAYS, lift_constant    },
    { "Dropout",            12,     lift_dropout     },
    { "GridSample",         20,     lift_grid_sample },
    { "GroupNormalization", 21,     lift_group_norm  },
    { "Hardmax",            13,     lift_softmax     },
    { "LogSoftmax",         13,     lift_softmax     },
    { "Pad",                11,     lift_pad         },
    { "ReduceL1",           18,     lift_axes        },
    { "ReduceL2",           18,     lift_axes        },
    { "ReduceLogSum",       18,     lift_axes        },
    { "ReduceLogSumExp",    18,     lift_axes        },
    { "ReduceMax",          18,     lift_axes        },
    { "ReduceMean",         18,     lift_axes        },
    { "ReduceMin",          18,     lift_axes        },
    { "ReduceProd",         18,     lift_axes        },
    { "ReduceSum",          13,     lift_axes        },
    { "ReduceSumSquare",    18,     lift_axes        },
    { "Resize",             11,     lift_resize_10   },
    { "Resize",             ALWAYS, lift_resize      },
    { "RoiAlign",           16,     lift_roi_align   },
    { "Scatter",            ALWAYS, lift_scatter     },
    { "Slice",              10,     lift_slice       },
    { "Softmax",            13,     lift_softmax     },
    { "Split",              18,     lift_split       },
    { "Squeeze",            13,     lift_axes        },
    { "TopK",               10,     lift_top_k       },
    { "Unsqueeze",          13,     lift_axes        },
    { "Upsample",           ALWAYS, lift_upsample    },
};
/* clang-format on */

static LiftFn *find_lift(const RawNode *node) {
    for (size_t i = 0; i < sizeof lifts / sizeof *lifts; i++)
        if (node->version < lifts[i].until && strcmp(lifts[i].op, node->op) == 0)
            return lifts[i].fn;
    return NULL;
}

void lift_node(Reader *r, Scope *scope, RawNode *node) {
    Lift lift = {r, scope, node};
    LiftFn *fn = *node->domain ? NULL : find_lift(node);
    if (!fn || fn(&lift)) emit_node(r, scope, node);
}
