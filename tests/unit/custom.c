/* custom.c - registered operators and passes: what their functions may do, and what they are told
 * when they do what they may not. */
#include "../../custom_ops/sonoc_op.h"

#include "custom.h"
#include "infer.h"
#include "interp.h"
#include "lower.h"

#include <assert.h>
#include <string.h>

typedef const struct sonoc S;
typedef struct sonoc_node N;
typedef sonoc_x X;

/* y[i] = sum of x[k] * x[k] over k <= i; where that is above the limit, the limit. */

static bool infer_like(S *s, N *n) {
    const struct sonoc_value *x = s->input(s, n, 0);
    int64_t dims[] = {s->dim(s, x, 0)};
    return s->set_type(s, s->output(s, n, 0), s->dtype(s, x), 1, dims);
}

static void running_body(S *s, const X *index, void *context) {
    N *n = context;
    const struct sonoc_value *x = s->input(s, n, 0), *y = s->output(s, n, 0);
    struct sonoc_array *sum = s->array(s, "sum", SONOC_F32, 1);
    X zero = s->index(s, 0), limit = s->number(s, SONOC_F32, s->get_float(s, n, "limit"));
    s->set(s, sum, zero, s->number(s, SONOC_F32, 0));
    X k = s->loop(s, "k", s->dim(s, x, -1));
    s->when(s, s->no(s, s->less(s, index[0], k)));
    X element = s->load(s, x, &k);
    s->add_product(s, sum, zero, element, element);
    s->end(s);
    s->end(s);
    s->when(s, s->less(s, limit, s->get(s, sum, zero)));
    s->store(s, y, index, limit);
    s->otherwise(s);
    s->store(s, y, index, s->get(s, sum, zero));
    s->end(s);
}

static void running_lower(S *s, N *n) { s->each(s, s->output(s, n, 0), running_body, n); }

static const struct sonoc_attr limit_attrs[] = {{"limit", SONOC_FLOAT, "5"}, {0}};
static const struct sonoc_op running = {.api = SONOC_API,
                                        .domain = "test",
                                        .name = "Running",
                                        .min_inputs = 1,
                                        .max_inputs = 1,
                                        .attrs = limit_attrs,
                                        .infer = infer_like,
                                        .lower = running_lower};

/* What may not be done, each by a name. */

static bool wrong_expand(S *s, N *n) {
    struct sonoc_value *x = s->input(s, n, 0), *two[] = {x, x};
    const char *how = s->get_string(s, n, "how");
    if (!strcmp(how, "operator")) s->make(s, "Sinus", &x, 1, NULL);
    if (!strcmp(how, "attribute")) s->make(s, "Relu", &x, 1, "slope=2");
    if (!strcmp(how, "list")) s->make(s, "Transpose", &x, 1, "perm=[0");
    if (!strcmp(how, "inputs")) s->make(s, "Relu", two, 2, NULL);
    if (!strcmp(how, "type")) s->scalar(s, 99, 1);
    if (!strcmp(how, "dim")) s->dim(s, x, 7);
    if (!strcmp(how, "loops")) s->index(s, 0);
    if (!strcmp(how, "pass")) s->n_nodes(s);
    if (!strcmp(how, "fail")) return s->fail(s, n, "how", "is %d times wrong", 3);
    if (strcmp(how, "nothing")) s->give(s, n, 0, s->make(s, "Relu", &x, 1, NULL));
    return true;
}

static const struct sonoc_attr how_attrs[] = {{"how", SONOC_STRING, "not"}, {0}};
static const struct sonoc_op wrong = {.api = SONOC_API,
                                      .domain = "test",
                                      .name = "Wrong",
                                      .min_inputs = 1,
                                      .max_inputs = 1,
                                      .attrs = how_attrs,
                                      .expand = wrong_expand};

/* A pass: Relu(Relu(x)) is Relu(x). */

static bool twice_run(S *s) {
    for (int i = 0; i < s->n_nodes(s); i++) {
        N *outer = s->node(s, i);
        N *inner = s->is(s, outer, "", "Relu") ? s->producer(s, s->input(s, outer, 0)) : NULL;
        if (inner && s->is(s, inner, "", "Relu") && s->n_uses(s, s->output(s, inner, 0)) == 1)
            s->replace(s, s->output(s, outer, 0), s->output(s, inner, 0));
    }
    return true;
}

static const struct sonoc_pass twice = {SONOC_API, "twice", "one Relu is enough",
                                        SONOC_BIT, 1,       twice_run, false};

static void enter(const struct sonoc_registry *r) {
    r->add_op(r, &running);
    r->add_op(r, &wrong);
    r->add_pass(r, &twice);
}

static void enter_wrong(const struct sonoc_registry *r) {
    struct sonoc_op old = wrong, nothing = wrong;
    struct sonoc_pass nameless = twice;
    old.api = SONOC_API + 1;
    old.name = "Old";
    nothing.name = "Nothing";
    nothing.expand = NULL;
    nameless.name = "";
    r->add_op(r, &old);
    r->add_op(r, &nothing);
    r->add_op(r, &wrong);
    r->add_pass(r, &nameless);
    r->add_pass(r, &twice);
}

static Graph *parsed(Unit *u, const char *text) {
    Graph *g = graph_parse(u, text, NULL);
    assert(g);
    return g;
}

static void test_entering(void) {
    Unit u;
    assert(unit_begin(&u, "test", 0));
    assert(registry_enter(&u, enter, "test"));
    assert(registry_ops(&u) == 2 && registry_passes(&u) == 1);
    assert(op_find_in(&u, "test", "Running") && !op_find_in(&u, "test", "Relu"));
    assert(op_find_in(&u, "", "Relu") == op_find("", "Relu"));
    assert(!registry_enter(&u, enter_wrong, "other"));
    assert(diag_count(&u) == 5 && registry_ops(&u) == 2 && registry_passes(&u) == 1);
    unit_end(&u);
}

static void test_loops(void) {
    Unit u;
    assert(unit_begin(&u, "test", 0));
    assert(registry_enter(&u, enter, "test"));
    Graph *g = parsed(&u, "graph g(%x: f32[4]) -> (%y) { %y = test::Running(%x) : ? }\n");
    assert(graph_infer(g, 0) && !graph_check(g));
    Program *p = lower_graph(g, &(LowerOptions){.target = targets, .name = "g", .plain = true});
    assert(p);
    program_plan(p);
    float x[] = {1, -1, 2, 0.5f}, y[4];
    InterpError error;
    assert(interp_run(p, (const void *[]){x}, (void *[]){y}, &error));
    assert(y[0] == 1 && y[1] == 2 && y[2] == 5 && y[3] == 5);
    unit_end(&u);
}

/* What is told for a way of doing wrong: the escape's message, or NULL where it was reported
 * instead. */
static const char *told_for(const char *how, char *room, size_t n) {
    Unit u;
    assert(unit_begin(&u, "test", 0));
    assert(registry_enter(&u, enter, "test"));
    snprintf(room, n,
             "graph g(%%x: f32[4]) -> (%%y) { %%y = test::Wrong(%%x) {how = \"%s\"} : ? }\n", how);
    if (setjmp(u.escape.jump)) {
        assert(u.escape.status == STATUS_REFUSED);
        snprintf(room, n, "%s", u.escape.message);
        unit_end(&u);
        return room;
    }
    bool ok = graph_infer(parsed(&u, room), 0);
    assert(ok == (diag_count(&u) == 0));
    snprintf(room, n, "%s", ok ? "right" : "reported");
    unit_end(&u);
    return room;
}

static void test_misuse(void) {
    static const char *const cases[][2] = {
        {"operator", "there is no operator 'Sinus'"},
        {"attribute", "Relu has no attribute 'slope'"},
        {"list", "a list ends with ]"},
        {"inputs", "Relu is given 2 inputs"},
        {"type", "99 is no element type"},
        {"dim", "dimension 7 of a tensor of rank 1"},
        {"loops", "there is no kernel here"},
        {"pass", "a pass's to look at"},
        {"fail", "reported"},
        {"nothing", "reported"},
        {"not", "right"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char room[600];
        const char *told = told_for(cases[i][0], room, sizeof room);
        if (!strstr(told, cases[i][1])) printf("%s: %s\n", cases[i][0], told);
        assert(strstr(told, cases[i][1]));
    }
}

static bool allow_one(Graph *g, const Node *at, const void *context) {
    (void)g, (void)at;
    int *left = (int *)(uintptr_t)context;
    return (*left)-- > 0;
}

static void test_pass(void) {
    Unit u;
    int left = 1;
    assert(unit_begin(&u, "test", 0));
    assert(registry_enter(&u, enter, "test"));
    Graph *g = parsed(&u, "graph g(%x: f32[4]) -> (%d) { %a = Relu(%x) : ?  %b = Relu(%a) : ?\n"
                          "%c = Relu(%b) : ?  %d = Neg(%c) : ? }\n");
    assert(graph_infer(g, 0));
    const struct sonoc_pass *p = registry_find_pass(&u, "twice");
    assert(custom_pass_run(g, p, allow_one, &left) && g->nodes.n == 3 && !graph_check(g));
    assert(custom_pass_run(g, p, NULL, NULL) && g->nodes.n == 2 && !graph_check(g));
    unit_end(&u);
}

int main(void) {
    test_entering();
    test_loops();
    test_misuse();
    test_pass();
    printf("4 passed, 0 failed\n");
    return 0;
}
