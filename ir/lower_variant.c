/* lower_variant.c - the table of variants, and the choice: by the user's file, else by the least
 * estimate. */
#include "lower_variant.h"

#include "lower_choices.h"
#include "lower_plan.h"

#include <stdlib.h>
#include <string.h>

const Variant variants[VARIANT_COUNT] = {
#define VARIANT(op, id, name, class, effort, rows, vectors, block)                                 \
    {VARIANT_##op##_##id, OP_##op, name, VARIANT_##class, effort, rows, vectors, block},
#include "variants.def"
#undef VARIANT
};

const Variant *variant_find(OpId op, const char *name) {
    for (int i = 0; i < VARIANT_COUNT; i++)
        if (variants[i].op == op && !strcmp(variants[i].name, name)) return &variants[i];
    return NULL;
}

bool op_has_variants(OpId op) {
    for (int i = 0; i < VARIANT_COUNT; i++)
        if (variants[i].op == op) return true;
    return false;
}

/* A tile takes registers for its sums, for a row of B and for a number of A. */
static bool tile_fits(const Variant *v, const Target *t) {
    int vectors = v->tile_vectors, needed = v->tile_rows * vectors + vectors + 1;
    if (!vectors) return true;
    return needed <= t->registers && (v->tile_rows != t->tile_rows || vectors != t->tile_vectors);
}

const Target *variant_target(const LowerOptions *options) {
    return options->shared ? options->shared : options->target;
}

static const char *refusal_on(const Target *t, const Node *n, const Variant *v,
                              const LowerOptions *options, Effort *effort) {
    if (v->is == VARIANT_REAL && !options->real)
        return "it rounds otherwise, and --exactness or -O rules that out";
    if (!tile_fits(v, t)) return "the target has no registers for such a tile, or it is its own";
    if (v->tile_vectors && options->shared)
        return "several targets share packed weights: the tile is the target's own";
    *effort = (Effort){0};
    return v->effort(n, t, v, effort)
               ? NULL
               : "the operator cannot be computed so with these shapes and attributes";
}

const char *variant_refusal(const Node *n, const Variant *v, const LowerOptions *options,
                            Effort *effort) {
    return refusal_on(variant_target(options), n, v, options, effort);
}

/* The key. */

static int compare_attrs(const void *a, const void *b) {
    const Attr *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void add_input(Text *t, const Value *v) {
    if (!v) {
        text_add(t, "-");
        return;
    }
    text_add(t, "%s%s[", v->constant ? "constant " : "", dtypes[v->dtype].text);
    for (int d = 0; d < v->rank; d++)
        text_add(t, "%s%lld", d ? "," : "", (long long)v->dims[d].size);
    text_add(t, "]");
}

/* Numbers only: no operator of the table is told apart by anything else. */
static void add_attr(Text *t, const Attr *attr) {
    text_add(t, "%s=", attr->name);
    if (attr->kind == AT_INT) text_add(t, "%lld", (long long)attr->u.i);
    if (attr->kind == AT_FLOAT) text_add(t, "%.9g", (double)attr->u.f);
    if (attr->kind == AT_STRING) text_add(t, "%s", attr->u.s);
    if (attr->kind != AT_INTS) return;
    text_add(t, "[");
    for (int i = 0; i < attr->n; i++)
        text_add(t, "%s%lld", i ? "," : "", (long long)attr->u.ints[i]);
    text_add(t, "]");
}

const char *variant_node_text(Arena *a, const Node *n) {
    Text t = {.arena = a};
    const Attr **attrs = NEW_ARRAY(a, const Attr *, n->n_attrs + 1);
    for (int i = 0; i < n->n_attrs; i++) attrs[i] = &n->attrs[i];
    qsort(attrs, (size_t)n->n_attrs, sizeof *attrs, compare_attrs);
    text_add(&t, "%s(", n->op->name);
    for (int k = 0; k < n->n_inputs; k++) {
        if (k) text_add(&t, ", ");
        add_input(&t, n->inputs[k]);
    }
    text_add(&t, ")");
    for (int i = 0; i < n->n_attrs; i++) {
        text_add(&t, " ");
        add_attr(&t, attrs[i]);
    }
    return t.at;
}

/* Choosing. */

static bool choose_given(Lower *l, const Node *n, const Choice *c, NodePlan *p) {
    const char *why = variant_refusal(n, c->variant, l->plan->options, &p->effort);
    if (why)
        return diag(l->unit, NO_PLACE, D_CHOICE, l->plan->options->choices->file, c->line,
                    c->variant->name, why);
    p->variant = c->variant;
    return true;
}

/* NULL: none is possible. */
static const Variant *cheapest(const Target *t, const Node *n, const LowerOptions *options,
                               bool may_round) {
    const Variant *best = NULL;
    double least = 0;
    for (int i = 0; i < VARIANT_COUNT; i++) {
        const Variant *v = &variants[i];
        Effort effort;
        if (v->op != n->op->id || (v->is == VARIANT_REAL && !may_round)) continue;
        if (refusal_on(t, n, v, options, &effort)) continue;
        double took = effort_nanoseconds(&effort);
        if (best && took >= least) continue;
        best = v;
        least = took;
    }
    return best;
}

/* What rounds otherwise is chosen as for the first target of the table, whatever the target: plans
 * for all of them give the same bits.  The rest is a matter of the target's own. */
static void choose_cheapest(Lower *l, const Node *n, NodePlan *p) {
    const LowerOptions *o = l->plan->options;
    const Variant *v = cheapest(&targets[0], n, o, true);
    if (!v || v->is == VARIANT_BIT) v = cheapest(variant_target(o), n, o, false);
    if (v && !variant_refusal(n, v, o, &p->effort)) p->variant = v;
}

bool lower_choose(Lower *l) {
    const LowerOptions *o = l->plan->options;
    bool ok = true;
    if (o->plain) return true;
    if (o->choices && !choices_fit(o))
        return diag(l->unit, NO_PLACE, D_CHOICES_TARGET, o->choices->file, o->choices->target,
                    o->target->name);
    for (int i = 0; i < l->graph->nodes.n; i++) {
        const Node *n = l->graph->nodes.at[i];
        NodePlan *p = node_plan(l, n);
        if (!op_has_variants(n->op->id)) continue;
        const Choice *c =
            o->choices ? choice_find(o->choices, variant_node_text(l->unit->arena, n)) : NULL;
        if (c)
            ok &= choose_given(l, n, c, p);
        else
            choose_cheapest(l, n, p);
    }
    return ok;
}

const Variant *lower_variant(const Lower *l, const Node *n) { return node_plan(l, n)->variant; }
