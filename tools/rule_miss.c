/* rule_miss.c - one operator or operand of an instance is made another; types stay as they are. */
#include "rule_miss.h"

#include "graph_run.h"

/* Operators that may stand for each other. */
static const OpId families[][6] = {
    {OP_Abs, OP_Neg, OP_Relu, OP_Tanh, OP_Floor, OP_NONE},
    {OP_Exp, OP_Log, OP_Sqrt, OP_Sigmoid, OP_Erf, OP_Reciprocal},
    {OP_Add, OP_Sub, OP_Mul, OP_Div, OP_NONE, OP_NONE},
    {OP_Max, OP_Min, OP_NONE, OP_NONE, OP_NONE, OP_NONE},
    {OP_And, OP_Or, OP_Xor, OP_NONE, OP_NONE, OP_NONE},
    {OP_Greater, OP_Less, OP_GreaterOrEqual, OP_LessOrEqual, OP_NONE, OP_NONE},
    {OP_ReduceSum, OP_ReduceMax, OP_ReduceMin, OP_ReduceProd, OP_ReduceL1, OP_ReduceL2},
};
enum { FAMILY = sizeof families[0] / sizeof *families[0] };

/* Another of its family; NULL: it has none. */
static const OpInfo *relative_of(const OpInfo *op, int draw) {
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const OpId *family = families[i];
        int n = 0, at = -1;
        for (; n < FAMILY && family[n] != OP_NONE; n++)
            if (family[n] == op->id) at = n;
        if (at >= 0) return &op_infos[family[(at + 1 + draw % (n - 1)) % n]];
    }
    return NULL;
}

/* Shapes, axes and the like are no operands to make up. */
static bool is_free(const Value *v) {
    return v && value_is_static(v) && (dtype_is_float(v->dtype) || v->dtype == DT_BOOL);
}

static Value *input_like(Graph *g, const Value *v) {
    return graph_add_input(g, "other", v->dtype, v->rank, v->dims);
}

bool rule_miss(Graph *g, uint64_t seed) {
    uint64_t state = seed;
    int node = (int)(random_next(&state) >> 33) % g->nodes.n,
        operand = (int)(random_next(&state) >> 33);
    bool wants_operator = random_next(&state) >> 63;
    Node *n = g->nodes.at[node];
    const OpInfo *relative = relative_of(n->op, operand);
    if (wants_operator && relative) {
        n->op = relative;
        return true;
    }
    if (!n->n_inputs || !is_free(n->inputs[operand % n->n_inputs])) return false;
    n->inputs[operand % n->n_inputs] = input_like(g, n->inputs[operand % n->n_inputs]);
    graph_sweep(g);
    return true;
}
