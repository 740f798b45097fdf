/* einsum.c - Einsum-28: a sum of products over named axes, as one loop nest.
 *
 * An ellipsis stands for axes without a name; they are numbered from the right, as in broadcasting.
 */
#include "nest.h"
#include "ops.h"

#include <string.h>

enum { LETTERS = 128, MOST_INPUTS = 8, LABELS = LETTERS + MAX_RANK };

typedef struct Term {
    int rank;
    int label[MAX_RANK]; /* of each axis: a letter, or LETTERS + place from the right */
} Term;

typedef struct Einsum {
    int n_inputs;
    Term inputs[MOST_INPUTS], output;
    int64_t extent[LABELS]; /* 0: not seen */
    int place[LABELS];      /* in the output, or in the box (then `summed`) */
    bool summed[LABELS], named[LABELS];
} Einsum;

typedef struct Cursor {
    const char *at;
} Cursor;

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* Axes up to a comma, an arrow or the end; `hidden` axes stand behind an ellipsis.  false: not a
 * term. */
static bool parse_term(Cursor *c, Term *t, int hidden, bool *has_ellipsis) {
    *has_ellipsis = false;
    t->rank = 0;
    for (; *c->at && *c->at != ',' && strncmp(c->at, "->", 2); c->at++) {
        if (*c->at == ' ') continue;
        if (!strncmp(c->at, "...", 3) && !*has_ellipsis) {
            *has_ellipsis = true;
            c->at += 2;
            for (int i = hidden - 1; i >= 0; i--) {
                if (t->rank == MAX_RANK) return false;
                t->label[t->rank++] = LETTERS + i;
            }
            continue;
        }
        if (!is_letter(*c->at) || t->rank == MAX_RANK) return false;
        t->label[t->rank++] = *c->at;
    }
    return true;
}

/* How many axes the ellipsis of a term stands for, given the rank of its input. */
static int hidden_axes(const char *at, int rank) {
    int letters = 0;
    for (; *at && *at != ',' && strncmp(at, "->", 2); at++) letters += is_letter(*at);
    return rank > letters ? rank - letters : 0;
}

static bool take_extents(Einsum *e, const Term *t, const int64_t *dims) {
    for (int d = 0; d < t->rank; d++) {
        int64_t *extent = &e->extent[t->label[d]];
        if (e->named[t->label[d]] && *extent != dims[d] && *extent != 1 && dims[d] != 1)
            return false;
        if (!e->named[t->label[d]] || *extent == 1) *extent = dims[d];
        e->named[t->label[d]] = true;
    }
    return true;
}

/* Without an arrow: the ellipsis' axes, then the letters that stand once, in alphabetical order. */
static bool implied_output(const Einsum *e, int hidden, Term *t) {
    int times[LABELS] = {0};
    for (int k = 0; k < e->n_inputs; k++)
        for (int d = 0; d < e->inputs[k].rank; d++) times[e->inputs[k].label[d]]++;
    t->rank = 0;
    for (int i = hidden - 1; i >= 0; i--) t->label[t->rank++] = LETTERS + i;
    for (int i = 0; i < LETTERS; i++) {
        if (times[i] != 1) continue;
        if (t->rank == MAX_RANK) return false;
        t->label[t->rank++] = i;
    }
    return true;
}

static bool parse_inputs(const Node *n, Cursor *c, Einsum *e, int *hidden) {
    for (int k = 0; k < n->n_inputs; k++) {
        int64_t dims[MAX_RANK];
        const Value *v = n->inputs[k];
        int own = hidden_axes(c->at, v->rank);
        bool ellipsis;
        if (!parse_term(c, &e->inputs[k], own, &ellipsis) || e->inputs[k].rank != v->rank)
            return false;
        if (ellipsis && own > *hidden) *hidden = own;
        for (int d = 0; d < v->rank; d++) dims[d] = v->dims[d].size;
        if (!take_extents(e, &e->inputs[k], dims)) return false;
        if (k + 1 < n->n_inputs && *c->at++ != ',') return false;
    }
    return true;
}

/* The whole equation; false: it does not fit the inputs. */
static bool parse(const Node *n, Einsum *e) {
    Cursor c = {node_string(n, "equation")};
    int hidden = 0;
    bool ellipsis;
    memset(e, 0, sizeof *e);
    e->n_inputs = n->n_inputs;
    if (!parse_inputs(n, &c, e, &hidden)) return false;
    if (!*c.at) {
        if (!implied_output(e, hidden, &e->output)) return false;
    } else {
        if (strncmp(c.at, "->", 2)) return false;
        c.at += 2;
        if (!parse_term(&c, &e->output, hidden, &ellipsis) || *c.at) return false;
    }
    bool given[LABELS] = {false};
    for (int d = 0; d < e->output.rank; d++) {
        int label = e->output.label[d];
        if (given[label] || !e->named[label]) return false;
        given[label] = true;
        e->place[label] = d;
    }
    return true;
}

/* Labels that are not in the output make the box; their number. */
static int box_of(Einsum *e, int64_t *extent) {
    bool given[LABELS] = {false};
    int n = 0;
    for (int d = 0; d < e->output.rank; d++) given[e->output.label[d]] = true;
    for (int i = 0; i < LABELS; i++) {
        if (!e->named[i] || given[i]) continue;
        if (n < NEST_INNER) extent[n] = e->extent[i];
        e->summed[i] = true;
        e->place[i] = n++;
    }
    return n;
}

bool infer_einsum(Infer *f, Node *n) {
    int64_t dims[MAX_RANK], box[NEST_INNER];
    Einsum e;
    if (n->n_inputs > MOST_INPUTS)
        return infer_fail(f, n, D_UNSUPPORTED, "an Einsum of so many inputs");
    for (int k = 0; k < n->n_inputs; k++) {
        if (infer_dims(f, n, k, dims) < 0) return false;
        DType t = n->inputs[k]->dtype;
        if (t != n->inputs[0]->dtype || (!dtype_is_float(t) && !dtype_is_int(t)))
            return infer_fail(f, n, D_DTYPE, "the inputs must be numbers of one type");
    }
    if (!node_has(n, "equation")) return infer_fail_attr(f, n, "equation", "is needed");
    if (!parse(n, &e))
        return infer_fail_attr(f, n, "equation", "'%s' does not fit the inputs",
                               node_string(n, "equation"));
    if (box_of(&e, box) > NEST_INNER)
        return infer_fail(f, n, D_UNSUPPORTED, "a sum over so many axes");
    for (int d = 0; d < e.output.rank; d++) dims[d] = e.extent[e.output.label[d]];
    infer_set(f, n, 0, n->inputs[0]->dtype, e.output.rank, dims);
    return true;
}

static void einsum_start(Lower *l, const Nest *nest, const Expr *const *index, const Expr **acc) {
    (void)index;
    acc[0] = ex_const(l->b, nest->acc[0], 0);
}

static void einsum_step(Lower *l, const Nest *nest, const Expr *const *index, const Expr *const *k,
                        const Expr **acc) {
    const Einsum *e = nest->context;
    const Expr *product = NULL, *last = NULL, *at[MAX_RANK];
    for (int i = 0; i < e->n_inputs; i++) {
        const Value *v = nest->node->inputs[i];
        for (int d = 0; d < v->rank; d++) {
            int label = e->inputs[i].label[d];
            const Expr *own = e->summed[label] ? k[e->place[label]] : index[e->place[label]];
            at[d] = dim_of(v, d) == 1 ? ex_index(l->b, 0) : own;
        }
        if (last) product = product ? ex_mul(l->b, product, last) : last;
        last = lower_load_wide(l, v, at);
    }
    if (!product)
        acc[0] = ex_add(l->b, acc[0], last);
    else if (dtype_is_float(last->type))
        acc[0] = ex_fma(l->b, product, last, acc[0]);
    else
        acc[0] = ex_add(l->b, acc[0], ex_mul(l->b, product, last));
}

static void einsum_finish(Lower *l, const Nest *nest, const Expr *const *index,
                          const Expr *const *acc) {
    lower_store(l, nest->out, index, acc[0]);
}

void code_einsum(Lower *l, Node *n) {
    Einsum e;
    if (!parse(n, &e)) BUG(l->unit, "Einsum '%s' was not inferred", n->name);
    Nest nest = {.node = n,
                 .out = n->outputs[0],
                 .n_acc = 1,
                 .acc = {lower_wide(n->inputs[0]->dtype)},
                 .start = einsum_start,
                 .step = einsum_step,
                 .finish = einsum_finish,
                 .context = &e};
    nest.n_inner = box_of(&e, nest.inner);
    nest_lower(l, &nest);
}
