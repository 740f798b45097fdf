/* custom_loop.c - the functions of sonoc_op.h that build expressions and loops. */
#include "custom_call.h"
#include "nest.h"

#include <string.h>

typedef const struct sonoc *S;
typedef sonoc_x X;

static Builder *builder(S s) {
    const Call *c = call_of(s);
    if (!c->lower || !c->lower->b) call_misused(c, "there is no kernel here to compute in");
    return c->lower->b;
}

static DType type_of(S s, int onnx) {
    DType t = dtype_from_onnx(onnx);
    if (t == DT_NONE || t == DT_STRING) call_misused(call_of(s), "%d is no type of scalars", onnx);
    return t;
}

/* Scalars. */

static X expr_index(S s, int64_t i) { return sonoc_expr_of(ex_index(builder(s), i)); }
static X number(S s, int t, double x) {
    return sonoc_expr_of(ex_const(builder(s), type_of(s, t), x));
}
static int type(S s, X x) { return (void)s, dtypes[our_expr(x)->type].onnx; }

static X binary(S s, ScalarOp op, X x, X y) {
    if (our_expr(x)->type != our_expr(y)->type)
        call_misused(call_of(s), "%s of %s and %s", scalar_infos[op].text,
                     dtypes[our_expr(x)->type].text, dtypes[our_expr(y)->type].text);
    return sonoc_expr_of(ex_scalar(builder(s), op, our_expr(x), our_expr(y), NULL));
}

static X add(S s, X x, X y) { return binary(s, SC_ADD, x, y); }
static X sub(S s, X x, X y) { return binary(s, SC_SUB, x, y); }
static X mul(S s, X x, X y) { return binary(s, SC_MUL, x, y); }
static X divide(S s, X x, X y) { return binary(s, SC_DIV, x, y); }
static X rem(S s, X x, X y) { return binary(s, SC_REM, x, y); }
static X min(S s, X x, X y) { return binary(s, SC_MIN, x, y); }
static X max(S s, X x, X y) { return binary(s, SC_MAX, x, y); }
static X less(S s, X x, X y) { return binary(s, SC_LT, x, y); }
static X equal(S s, X x, X y) { return binary(s, SC_EQ, x, y); }
static X both(S s, X x, X y) { return binary(s, SC_AND, x, y); }
static X either(S s, X x, X y) { return binary(s, SC_OR, x, y); }
static X no(S s, X x) { return sonoc_expr_of(ex_not(builder(s), our_expr(x))); }
static X neg(S s, X x) { return sonoc_expr_of(ex_neg(builder(s), our_expr(x))); }

static X fma_(S s, X x, X y, X z) {
    return sonoc_expr_of(ex_fma(builder(s), our_expr(x), our_expr(y), our_expr(z)));
}

static X select_(S s, X truth, X yes, X no_) {
    return sonoc_expr_of(ex_select(builder(s), our_expr(truth), our_expr(yes), our_expr(no_)));
}

static X cast(S s, int t, X x) {
    return sonoc_expr_of(ex_cast(builder(s), type_of(s, t), our_expr(x)));
}

static X math(S s, const char *name, X x) {
    static const struct {
        const char *name;
        const Expr *(*make)(Builder *b, const Expr *x);
    } rows[] = {
#define MATH(name) {#name, math_##name},
#include "maths.def"
#undef MATH
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, name))
            return sonoc_expr_of(rows[i].make(builder(s), our_expr(x)));
    call_misused(call_of(s), "there is no function '%s'", name);
}

/* Elements. */

static X load(S s, const struct sonoc_value *v, const X *i) {
    builder(s);
    return sonoc_expr_of(lower_load_wide(call_of(s)->lower, our_value(v), (const Expr *const *)i));
}

static void store(S s, const struct sonoc_value *v, const X *i, X x) {
    builder(s);
    lower_store(call_of(s)->lower, our_value(v), (const Expr *const *)i, our_expr(x));
}

/* One element after the other, in row-major order; the outermost axis may be shared by threads. */
static void each(S s, const struct sonoc_value *v, sonoc_body *body, void *context) {
    const Call *c = call_of(s);
    const Value *value = our_value(v);
    const struct sonoc_expr *at[MAX_RANK];
    static const char *const names[] = {"n", "c", "y", "x"};
    if (!c->lower || c->lower->b)
        call_misused(c, "'each' is for the function that lowers, outside of loops");
    lower_begin_kernel(c->lower, c->node, NULL);
    for (int d = 0; d < value->rank; d++) {
        LoopKind kind = d == 0 ? LOOP_PARALLEL : LOOP_SERIAL;
        at[d] =
            sonoc_expr_of(st_for_n(c->lower->b, kind, d < 4 ? names[d] : "i", value->dims[d].size));
    }
    body(s, at, context);
    for (int d = 0; d < value->rank; d++) st_end(c->lower->b);
    lower_end_kernel(c->lower);
}

/* Folds, as nest.h has them. */

typedef struct Fold {
    S s;
    const struct sonoc_fold *fold;
} Fold;

static void fold_start(Lower *l, const Nest *nest, const Expr *const *i, const Expr **acc) {
    (void)l;
    const Fold *f = nest->context;
    f->fold->start(f->s, sonoc_node_of(nest->node), (const X *)i, (X *)acc, f->fold->context);
}

static void fold_step(Lower *l, const Nest *nest, const Expr *const *i, const Expr *const *k,
                      const Expr **acc) {
    (void)l;
    const Fold *f = nest->context;
    f->fold->step(f->s, sonoc_node_of(nest->node), (const X *)i, (const X *)k, (X *)acc,
                  f->fold->context);
}

static void fold_finish(Lower *l, const Nest *nest, const Expr *const *i, const Expr *const *acc) {
    (void)l;
    const Fold *f = nest->context;
    f->fold->finish(f->s, sonoc_node_of(nest->node), (const X *)i, (const X *)acc,
                    f->fold->context);
}

static void fold(S s, const struct sonoc_value *v, const struct sonoc_fold *of) {
    const Call *c = call_of(s);
    if (!c->lower || c->lower->b)
        call_misused(c, "'fold' is for the function that lowers, outside of loops");
    if (of->n_inner < 0 || of->n_inner > NEST_INNER || of->n_acc < 1 || of->n_acc > NEST_ACC)
        call_misused(c, "a fold of %d axes into %d accumulators", of->n_inner, of->n_acc);
    Fold context = {s, of};
    Nest nest = {.node = c->node,
                 .out = our_value(v),
                 .n_inner = of->n_inner,
                 .n_acc = of->n_acc,
                 .start = fold_start,
                 .step = fold_step,
                 .finish = fold_finish,
                 .context = &context};
    for (int d = 0; d < of->n_inner; d++) nest.inner[d] = of->inner[d];
    for (int a = 0; a < of->n_acc; a++) nest.acc[a] = type_of(s, of->acc[a]);
    nest_lower(c->lower, &nest);
}

/* Statements. */

static X loop(S s, const char *name, int64_t extent) {
    return sonoc_expr_of(st_for_n(builder(s), LOOP_SERIAL, name, extent));
}

static void when(S s, X truth) { st_if(builder(s), our_expr(truth)); }
static void otherwise(S s) { st_else(builder(s)); }
static void end(S s) { st_end(builder(s)); }

static struct sonoc_array *array(S s, const char *name, int t, int64_t count) {
    return sonoc_array_of(st_local(builder(s), name, type_of(s, t), count, 0));
}

static X get(S s, const struct sonoc_array *a, X i) {
    return sonoc_expr_of(ex_load(builder(s), our_array(a), our_expr(i)));
}

static void set(S s, struct sonoc_array *a, X i, X x) {
    const Expr *value = ex_cast(builder(s), our_array(a)->type, our_expr(x));
    st_store(builder(s), our_array(a), our_expr(i), value);
}

static void add_product(S s, struct sonoc_array *a, X i, X x, X y) {
    if (our_expr(x)->type != our_array(a)->type || our_expr(y)->type != our_array(a)->type)
        call_misused(call_of(s), "factors are of the array's type");
    st_acc_mul(builder(s), our_array(a), our_expr(i), our_expr(x), our_expr(y));
}

void call_fill_loop(struct sonoc *a) {
    a->index = expr_index, a->number = number, a->type = type;
    a->add = add, a->sub = sub, a->mul = mul, a->div = divide, a->rem = rem, a->min = min,
    a->max = max;
    a->less = less, a->equal = equal, a->both = both, a->either = either, a->no = no, a->neg = neg;
    a->fma = fma_, a->select = select_, a->cast = cast, a->math = math;
    a->each = each, a->fold = fold, a->load = load, a->store = store;
    a->loop = loop, a->when = when, a->otherwise = otherwise, a->end = end;
    a->array = array, a->get = get, a->set = set, a->add_product = add_product;
}

/* Called by the lowering. */

static Call call_lower(Lower *l, const Node *n) {
    Call c = call_begin(l->unit, l->graph, n->op->name);
    c.lower = l;
    c.node = n;
    return c;
}

const Expr *custom_elem(Lower *l, const Node *n, const Expr *const *x) {
    Call c = call_lower(l, n);
    return our_expr(n->op->custom->element(&c.api, sonoc_node_of(n), (const X *)x));
}

void custom_code(Lower *l, Node *n) {
    Call c = call_lower(l, n);
    n->op->custom->lower(&c.api, sonoc_node_of(n));
    if (l->b) call_misused(&c, "a kernel is left open");
}
