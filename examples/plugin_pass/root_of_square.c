/* root_of_square.c - a pass: Sqrt(Mul(x, x)) is Abs(x), over the real numbers. */
#include <sonoc_op.h>

typedef const struct sonoc S;

/* The node of this operator that gives v, if nobody else needs v. */
static struct sonoc_node *only_from(S *s, const struct sonoc_value *v, const char *op) {
    struct sonoc_node *n = s->producer(s, v);
    return n && s->is(s, n, "", op) && s->n_uses(s, v) == 1 ? n : NULL;
}

static bool run(S *s) {
    for (int i = 0; i < s->n_nodes(s); i++) {
        struct sonoc_node *root = s->node(s, i);
        struct sonoc_node *square =
            s->is(s, root, "", "Sqrt") ? only_from(s, s->input(s, root, 0), "Mul") : NULL;
        if (!square || s->input(s, square, 0) != s->input(s, square, 1)) continue;
        struct sonoc_value *x = s->input(s, square, 0);
        if (!s->replace(s, s->output(s, root, 0), s->make(s, "Abs", &x, 1, NULL))) break;
    }
    return true;
}

static const struct sonoc_pass pass = {.api = SONOC_API,
                                       .name = "root_of_square",
                                       .summary = "the root of a square is the absolute value",
                                       .promise = SONOC_REAL,
                                       .level = 1,
                                       .run = run};

void sonoc_register(const struct sonoc_registry *r) { r->add_pass(r, &pass); }
