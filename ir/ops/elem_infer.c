/* elem_infer.c - types of elementwise operators: which element types each takes, and numpy's
 * broadcasting. */
#include "expand.h"
#include "ops.h"

#include <string.h>

/* Sets of element types. */
enum {
    FLOATS = 1,
    SIGNED = 2,
    UNSIGNED = 4,
    BOOLS = 8,
    NARROW = 16,
    INTEGERS = SIGNED | UNSIGNED,
    NUMBERS = FLOATS | INTEGERS,
    ANY = NUMBERS | BOOLS | NARROW
};

static unsigned class_of(DType t) {
    if (t == DT_I4 || t == DT_U4) return NARROW;
    switch (dtypes[t].kind) {
    case DK_FLOAT: return FLOATS;
    case DK_SIGNED: return SIGNED;
    case DK_UNSIGNED: return UNSIGNED;
    case DK_BOOL: return BOOLS;
    case DK_OTHER: return 0;
    }
    return 0;
}

static const char *class_text(unsigned classes) {
    switch (classes) {
    case FLOATS: return "floats";
    case BOOLS: return "bools";
    case SIGNED: return "signed integers";
    case INTEGERS: return "integers";
    case FLOATS | SIGNED: return "floats and signed integers";
    case NUMBERS: return "numbers";
    default: return "numbers and bools";
    }
}

static bool check_class(Infer *f, const Node *n, int k, unsigned classes) {
    const Value *v = n->inputs[k];
    if (class_of(v->dtype) & classes) return true;
    return infer_fail(f, n, D_DTYPE,
                      arena_format(f->unit->arena, "input %d ('%s') is %s; the operator takes %s",
                                   k, v->name, dtypes[v->dtype].text, class_text(classes)));
}

static bool check_like(Infer *f, const Node *n, int k, int like) {
    const Value *v = n->inputs[k], *w = n->inputs[like];
    if (v->dtype == w->dtype) return true;
    return infer_fail(
        f, n, D_DTYPE,
        arena_format(f->unit->arena,
                     "input %d ('%s') is %s, input %d ('%s') is %s: they should be alike", k,
                     v->name, dtypes[v->dtype].text, like, w->name, dtypes[w->dtype].text));
}

static const char *dims_text(Infer *f, const int64_t *dims, int rank) {
    Text t = {.arena = f->unit->arena};
    text_add(&t, "[");
    for (int d = 0; d < rank; d++) text_add(&t, "%s%lld", d ? "," : "", (long long)dims[d]);
    text_add(&t, "]");
    return t.at;
}

/* The common shape of all inputs; -1: reported. */
static int broadcast_dims(Infer *f, Node *n, int64_t *dims) {
    int64_t next[MAX_RANK];
    int rank = 0;
    for (int k = 0; k < n->n_inputs; k++) {
        if (!n->inputs[k]) continue;
        int64_t before[MAX_RANK];
        int rank_before = rank, rank_next = infer_dims(f, n, k, next);
        if (rank_next < 0) return -1;
        memcpy(before, dims, (size_t)rank * sizeof *dims);
        rank = dims_broadcast(before, rank_before, next, rank_next, dims);
        if (rank >= 0) continue;
        infer_fail(f, n, D_SHAPE,
                   arena_format(f->unit->arena,
                                "input %d ('%s') of shape %s does not broadcast with %s", k,
                                n->inputs[k]->name, dims_text(f, next, rank_next),
                                dims_text(f, before, rank_before)));
        return -1;
    }
    return rank;
}

static bool set_broadcast(Infer *f, Node *n, DType dtype) {
    int64_t dims[MAX_RANK];
    int rank = broadcast_dims(f, n, dims);
    if (rank < 0) return false;
    infer_set(f, n, 0, dtype, rank, dims);
    return true;
}

/* All inputs of one type out of `classes`; the output is of that type, or of `result`. */
static bool infer_alike(Infer *f, Node *n, unsigned classes, DType result) {
    if (!check_class(f, n, 0, classes)) return false;
    for (int k = 1; k < n->n_inputs; k++)
        if (n->inputs[k] && !check_like(f, n, k, 0)) return false;
    return set_broadcast(f, n, result == DT_NONE ? n->inputs[0]->dtype : result);
}

bool infer_numbers(Infer *f, Node *n) { return infer_alike(f, n, NUMBERS, DT_NONE); }
bool infer_floats(Infer *f, Node *n) { return infer_alike(f, n, FLOATS, DT_NONE); }
bool infer_signed(Infer *f, Node *n) { return infer_alike(f, n, FLOATS | SIGNED, DT_NONE); }
bool infer_integers(Infer *f, Node *n) { return infer_alike(f, n, INTEGERS, DT_NONE); }
bool infer_logic(Infer *f, Node *n) { return infer_alike(f, n, BOOLS, DT_BOOL); }
bool infer_equal(Infer *f, Node *n) { return infer_alike(f, n, ANY, DT_BOOL); }
bool infer_order(Infer *f, Node *n) { return infer_alike(f, n, NUMBERS, DT_BOOL); }
bool infer_float_test(Infer *f, Node *n) { return infer_alike(f, n, FLOATS, DT_BOOL); }

bool infer_celu(Infer *f, Node *n) {
    if (node_float(n, "alpha") == 0) return infer_fail_attr(f, n, "alpha", "should not be 0");
    return infer_floats(f, n);
}

bool infer_gelu(Infer *f, Node *n) {
    const char *form = node_string(n, "approximate");
    if (strcmp(form, "none") && strcmp(form, "tanh"))
        return infer_fail_attr(f, n, "approximate", "is '%s', should be 'none' or 'tanh'", form);
    return infer_floats(f, n);
}

bool infer_bit_shift(Infer *f, Node *n) {
    const char *direction = node_string(n, "direction");
    if (!direction || (strcmp(direction, "LEFT") && strcmp(direction, "RIGHT")))
        return infer_fail_attr(f, n, "direction", "should be 'LEFT' or 'RIGHT'");
    return infer_integers(f, n);
}

bool infer_pow(Infer *f, Node *n) {
    if (!check_class(f, n, 0, NUMBERS) || !check_class(f, n, 1, NUMBERS)) return false;
    return set_broadcast(f, n, n->inputs[0]->dtype);
}

bool infer_where(Infer *f, Node *n) {
    if (!check_class(f, n, 0, BOOLS) || !check_class(f, n, 1, ANY) || !check_like(f, n, 2, 1))
        return false;
    return set_broadcast(f, n, n->inputs[1]->dtype);
}

/* The bounds are scalars; some exporters write them as vectors of one. */
bool infer_clip(Infer *f, Node *n) {
    if (!check_class(f, n, 0, NUMBERS)) return false;
    for (int k = 1; k < n->n_inputs; k++) {
        if (!n->inputs[k]) continue;
        if (!check_like(f, n, k, 0)) return false;
        if (n->inputs[k]->rank > n->inputs[0]->rank || value_count(n->inputs[k]) != 1)
            return infer_fail(f, n, D_SHAPE,
                              arena_format(f->unit->arena, "input %d ('%s') should be a scalar", k,
                                           n->inputs[k]->name));
    }
    return infer_same(f, n);
}

/* The slope broadcasts to the input, not the other way. */
bool infer_prelu(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], own[MAX_RANK];
    if (!infer_numbers(f, n)) return false;
    int rank = infer_dims(f, n, 0, own), both = broadcast_dims(f, n, dims);
    if (rank == both && !memcmp(dims, own, (size_t)rank * sizeof *own)) return true;
    return infer_fail(f, n, D_SHAPE, "the slope's shape does not broadcast to the input's");
}

bool infer_swiglu(Infer *f, Node *n) {
    const Value *a = n->inputs[0], *b = n->inputs[1];
    if (!infer_floats(f, n)) return false;
    if (a->rank == b->rank && dims_equal(a->dims, b->dims, a->rank)) return true;
    return infer_fail(f, n, D_SHAPE, "the two inputs should have one shape");
}

static DType target_type(Infer *f, Node *n) {
    DType to = node_dtype(n, "to");
    if (to != DT_NONE && to != DT_STRING) return to;
    infer_fail_attr(f, n, "to", "%lld is no element type that can be converted to",
                    (long long)node_int(n, "to"));
    return DT_NONE;
}

static bool set_type(Infer *f, Node *n, DType to) {
    int64_t dims[MAX_RANK];
    int rank = infer_dims(f, n, 0, dims);
    if (rank < 0) return false;
    infer_set(f, n, 0, to, rank, dims);
    return true;
}

bool infer_cast(Infer *f, Node *n) {
    DType to = target_type(f, n);
    return to != DT_NONE && check_class(f, n, 0, ANY) && set_type(f, n, to);
}

bool infer_bit_cast(Infer *f, Node *n) {
    DType to = target_type(f, n), from = n->inputs[0]->dtype;
    if (to == DT_NONE || !check_class(f, n, 0, ANY)) return false;
    if (dtypes[from].bytes != dtypes[to].bytes ||
        (class_of(from) == NARROW) != (class_of(to) == NARROW))
        return infer_fail_attr(f, n, "to", "%s and %s differ in size", dtypes[from].text,
                               dtypes[to].text);
    return set_type(f, n, to);
}
