/* random_graphs.c - random graphs of some fifty operators and of what exporters write, and what
 * passes make of them.
 *
 *     unit_random_graphs [COUNT [FIRST_SEED]]
 *     unit_random_graphs print SEED
 *
 * Of every graph: -O0 and -O1 give the same bits, at -O2 every pass keeps its promise, and machine
 * code, if LLVM is there, gives the bits of the interpreter.  A graph that shows something else is
 * printed, with its seed. */
#include "backends.h"
#include "check.h"
#include "graph_run.h"
#include "lower.h"
#include "ops/expand.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 60, LEAST_STEPS = 4, MOST_STEPS = 14, MOST_ELEMENTS = 6000 };

/* The graph being made: values of type f32 that a step may take. */
typedef struct Maker {
    Expansion e;
    uint64_t state;
    VEC(Value *) pool;
} Maker;

static int draw(Maker *m, int n) { return (int)(random_next(&m->state) >> 33) % n; }

static void keep(Maker *m, Value *v) { vec_push(m->e.graph->unit->arena, &m->pool, v); }

static int64_t extent(const Value *v, int d) { return v->dims[d].size; }

/* One of the values, rather a new one; NULL: it has not the rank (-1: any). */
static Value *pick(Maker *m, int rank) {
    int from = draw(m, 3) ? m->pool.n - 3 : 0;
    if (from < 0) from = 0;
    Value *v = m->pool.at[from + draw(m, m->pool.n - from)];
    return rank < 0 || v->rank == rank ? v : NULL;
}

static Value *random_constant(Maker *m, int rank, const int64_t *dims) {
    return make_tensor(&m->e,
                       tensor_random(m->e.graph->unit->arena, DT_F32, rank, dims, &m->state));
}

static Value *vector(Maker *m, int64_t n) { return random_constant(m, 1, &n); }

static Value *positive(Maker *m, int64_t n) {
    Tensor *t = tensor_new(m->e.graph->unit->arena, DT_F32, 1, &n);
    for (int64_t i = 0; i < n; i++) ((float *)t->data)[i] = 0.25f + (float)draw(m, 64) / 32;
    return make_tensor(&m->e, t);
}

static Node *open_node(Maker *m, OpId op, Value *a, Value *b, Value *c) {
    Value *inputs[] = {a, b, c};
    return make_open(&m->e, op, inputs, c ? 3 : b ? 2 : 1);
}

/* Steps.  Each gives a value for the pool, or NULL where it does not fit. */

static Value *step_unary(Maker *m) {
    static const OpId ops[] = {
        OP_Abs,       OP_Neg,
        OP_Relu,      OP_Sigmoid,
        OP_Tanh,      OP_Exp,
        OP_Erf,       OP_Softplus,
        OP_Softsign,  OP_Elu,
        OP_Selu,      OP_Celu,
        OP_LeakyRelu, OP_HardSigmoid,
        OP_HardSwish, OP_Mish,
        OP_Gelu,      OP_Swish,
        OP_Floor,     OP_Ceil,
        OP_Round,     OP_Sign,
        OP_Sin,       OP_Cos,
        OP_Atan,      OP_ThresholdedRelu,
        OP_Shrink,    OP_Identity,
    };
    return make_unary(&m->e, ops[draw(m, sizeof ops / sizeof *ops)], pick(m, -1));
}

static bool same_shape(const Value *a, const Value *b) {
    return a->rank == b->rank && dims_equal(a->dims, b->dims, a->rank);
}

/* A constant that broadcasts: a scalar, or one number a channel. */
static Value *broadcast_constant(Maker *m, const Value *like) {
    static const double numbers[] = {0, 1, -1, 2, 0.5, 3};
    if (like->rank < 2 || draw(m, 2)) return make_scalar(&m->e, DT_F32, numbers[draw(m, 6)]);
    int64_t dims[MAX_RANK];
    for (int d = 0; d < like->rank; d++) dims[d] = d == 1 ? extent(like, d) : 1;
    return random_constant(m, like->rank, dims);
}

static Value *step_binary(Maker *m) {
    static const OpId ops[] = {OP_Add, OP_Sub, OP_Mul,  OP_Div,  OP_Max,
                               OP_Min, OP_Sum, OP_Mean, OP_PRelu};
    OpId op = ops[draw(m, sizeof ops / sizeof *ops)];
    Value *a = pick(m, -1), *b = pick(m, -1);
    if (!same_shape(a, b) || op == OP_PRelu)
        b = broadcast_constant(m, a);
    else if (draw(m, 2) && op != OP_Sub && op != OP_Div) {
        Value *t = a;
        a = b;
        b = t;
    }
    return make_binary(&m->e, op, a, b);
}

static Value *step_where(Maker *m) {
    static const OpId ops[] = {OP_Greater, OP_Less, OP_GreaterOrEqual, OP_LessOrEqual, OP_Equal};
    Value *a = pick(m, -1), *b = broadcast_constant(m, a);
    Value *cond = make_binary(&m->e, ops[draw(m, 5)], a, b);
    return make_where(&m->e, draw(m, 2) ? cond : make_unary(&m->e, OP_Not, cond), a, b);
}

static Value *step_clip(Maker *m) {
    Value *x = pick(m, -1);
    return make_close(&m->e, open_node(m, OP_Clip, x, make_scalar(&m->e, DT_F32, -0.5),
                                       make_scalar(&m->e, DT_F32, 0.75)));
}

static Value *step_concat(Maker *m) {
    Value *a = pick(m, -1), *b = pick(m, -1);
    if (!a->rank) return NULL;
    int axis = draw(m, a->rank);
    Value *parts[] = {a, same_shape(a, b) ? b : a, a};
    return make_concat(&m->e, parts, 2 + draw(m, 2), axis);
}

static Value *step_transpose(Maker *m) {
    Value *x = pick(m, -1);
    int64_t perm[MAX_RANK];
    for (int d = 0; d < x->rank; d++) perm[d] = d;
    for (int d = x->rank - 1; d > 0; d--) {
        int other = draw(m, d + 1);
        int64_t t = perm[d];
        perm[d] = perm[other];
        perm[other] = t;
    }
    return make_transpose(&m->e, x, perm);
}

/* Two neighbouring axes become one, or one becomes two. */
static Value *step_reshape(Maker *m) {
    Value *x = pick(m, -1);
    int64_t dims[MAX_RANK];
    int rank = 0, axis = x->rank ? draw(m, x->rank) : 0;
    bool merge = draw(m, 2);
    for (int d = 0; d < x->rank; d++) {
        if (merge && d == axis && d + 1 < x->rank)
            dims[rank++] = extent(x, d) * extent(x, d + 1), d++;
        else if (!merge && d == axis && extent(x, d) % 2 == 0 && x->rank < 5)
            dims[rank++] = 2, dims[rank++] = extent(x, d) / 2;
        else
            dims[rank++] = extent(x, d);
    }
    return make_reshape(&m->e, x, rank, dims);
}

static Value *step_slice(Maker *m) {
    Value *x = pick(m, -1);
    if (!x->rank) return NULL;
    int axis = draw(m, x->rank);
    int64_t n = extent(x, axis), begin = draw(m, (int)n);
    return make_slice(&m->e, x, axis, begin, begin + 1 + draw(m, (int)(n - begin)));
}

static Value *step_split(Maker *m) {
    Value *x = pick(m, -1);
    if (!x->rank) return NULL;
    int axis = draw(m, x->rank);
    int64_t half = extent(x, axis) / 2;
    if (half < 1 || extent(x, axis) % 2) return NULL;
    Value *parts[] = {make_slice(&m->e, x, axis, 0, half),
                      make_slice(&m->e, x, axis, half, 2 * half)};
    keep(m, parts[0]);
    return draw(m, 2) ? make_concat(&m->e, parts, 2, axis) : parts[1];
}

static Value *step_pad(Maker *m) {
    Value *x = pick(m, -1);
    return x->rank ? make_pad(&m->e, x, draw(m, x->rank), draw(m, 3), draw(m, 3), NULL) : NULL;
}

static Value *step_tile(Maker *m) {
    Value *x = pick(m, -1);
    int64_t repeats[MAX_RANK];
    if (!x->rank) return NULL;
    for (int d = 0; d < x->rank; d++) repeats[d] = 1 + (draw(m, 4) == 0);
    return make_binary(&m->e, OP_Tile, x, make_ints(&m->e, repeats, x->rank));
}

static Value *step_gather(Maker *m) {
    Value *x = pick(m, -1);
    int64_t indices[3];
    if (!x->rank) return NULL;
    int axis = draw(m, x->rank);
    for (int i = 0; i < 3; i++) indices[i] = draw(m, (int)extent(x, axis));
    Node *n = open_node(m, OP_Gather, x, make_ints(&m->e, indices, 1 + draw(m, 3)), NULL);
    node_set_int(m->e.graph, n, "axis", axis);
    return make_close(&m->e, n);
}

static Value *step_expand(Maker *m) {
    Value *x = pick(m, -1);
    int64_t dims[MAX_RANK];
    for (int d = 0; d < x->rank; d++) dims[d] = extent(x, d) == 1 ? 1 + draw(m, 3) : extent(x, d);
    return x->rank ? make_expand(&m->e, x, x->rank, dims) : NULL;
}

static Value *step_depth(Maker *m) {
    Value *x = pick(m, 4);
    if (!x) return NULL;
    bool to_space = extent(x, 1) % 4 == 0;
    if (!to_space && (extent(x, 2) % 2 || extent(x, 3) % 2)) return NULL;
    Node *n = open_node(m, to_space ? OP_DepthToSpace : OP_SpaceToDepth, x, NULL, NULL);
    node_set_int(m->e.graph, n, "blocksize", 2);
    return make_close(&m->e, n);
}

static Value *step_reduce(Maker *m) {
    static const OpId ops[] = {OP_ReduceMean,      OP_ReduceSum,  OP_ReduceMax,
                               OP_ReduceMin,       OP_ReduceL1,   OP_ReduceL2,
                               OP_ReduceSumSquare, OP_ReduceProd, OP_ReduceLogSumExp};
    Value *x = pick(m, -1);
    bool axes[MAX_RANK] = {false};
    if (!x->rank) return NULL;
    axes[draw(m, x->rank)] = axes[draw(m, x->rank)] = true;
    return make_reduce(&m->e, ops[draw(m, sizeof ops / sizeof *ops)], x, axes);
}

static Value *step_arg(Maker *m) {
    Value *x = pick(m, -1);
    if (!x->rank) return NULL;
    return make_cast(
        &m->e, make_arg(&m->e, draw(m, 2) ? OP_ArgMax : OP_ArgMin, x, draw(m, x->rank)), DT_F32);
}

static Value *step_global_pool(Maker *m) {
    Value *x = pick(m, 4);
    return x ? make_unary(&m->e, draw(m, 2) ? OP_GlobalAveragePool : OP_GlobalMaxPool, x) : NULL;
}

static Value *conv(Maker *m, Value *x, int64_t channels, int kernel, int group) {
    int64_t dims[] = {channels, extent(x, 1) / group, kernel, kernel},
            pads[] = {kernel / 2, kernel / 2, kernel / 2, kernel / 2};
    if (extent(x, 2) < 1 || extent(x, 3) < 1) return NULL;
    Value *w = random_constant(m, 4, dims);
    Node *n = open_node(m, OP_Conv, x, w, draw(m, 2) ? vector(m, channels) : NULL);
    node_set_ints(m->e.graph, n, "pads", pads, 4);
    node_set_int(m->e.graph, n, "group", group);
    return make_close(&m->e, n);
}

static Value *step_conv(Maker *m) {
    Value *x = pick(m, 4);
    if (!x) return NULL;
    bool deep = draw(m, 4) == 0;
    return conv(m, x, deep ? extent(x, 1) : 1 + draw(m, 6), 1 + 2 * draw(m, 2),
                deep ? (int)extent(x, 1) : 1);
}

static Value *batch_norm(Maker *m, Value *x) {
    int64_t c = extent(x, 1);
    Value *inputs[] = {x, vector(m, c), vector(m, c), vector(m, c), positive(m, c)};
    return make_close(&m->e, make_open(&m->e, OP_BatchNormalization, inputs, 5));
}

static Value *step_conv_norm(Maker *m) {
    Value *x = pick(m, 4);
    if (!x || draw(m, 3) == 0) return x ? batch_norm(m, x) : NULL;
    Value *y = conv(m, x, 2 + draw(m, 4), 3, 1);
    return make_unary(&m->e, OP_Relu, batch_norm(m, y));
}

static Value *step_parallel(Maker *m) {
    Value *x = pick(m, 4);
    if (!x) return NULL;
    keep(m, conv(m, x, 2 + draw(m, 3), 3, 1));
    return conv(m, x, 2 + draw(m, 3), 3, 1);
}

static Value *step_padded_conv(Maker *m) {
    Value *x = pick(m, 4);
    if (!x) return NULL;
    Value *wide = make_pad(&m->e, make_pad(&m->e, x, 2, 1, 2, NULL), 3, 1, 0, NULL);
    return conv(m, wide, 2, 3, 1);
}

/* A map times a number an image or a channel, before or behind a convolution. */
static Value *step_gate(Maker *m) {
    Value *x = pick(m, 4);
    bool axes[] = {false, draw(m, 2), true, true};
    if (!x) return NULL;
    Value *gate = make_unary(&m->e, OP_Sigmoid, make_reduce(&m->e, OP_ReduceMean, x, axes));
    Value *y = make_binary(&m->e, OP_Mul, x, gate);
    return draw(m, 2) ? conv(m, y, 3, 3, 1) : y;
}

static Value *step_conv_transpose(Maker *m) {
    Value *x = pick(m, 4);
    if (!x) return NULL;
    int64_t dims[] = {extent(x, 1), 1 + draw(m, 3), 2, 2}, strides[] = {2, 2};
    Node *n = open_node(m, OP_ConvTranspose, x, random_constant(m, 4, dims), NULL);
    node_set_ints(m->e.graph, n, "strides", strides, 2);
    return make_close(&m->e, n);
}

static Value *step_pool(Maker *m) {
    Value *x = pick(m, 4);
    int64_t kernel[] = {2, 2}, strides[] = {1 + draw(m, 2), 1 + draw(m, 2)};
    if (!x || extent(x, 2) < 2 || extent(x, 3) < 2) return NULL;
    Node *n = open_node(m, draw(m, 2) ? OP_MaxPool : OP_AveragePool, x, NULL, NULL);
    node_set_ints(m->e.graph, n, "kernel_shape", kernel, 2);
    node_set_ints(m->e.graph, n, "strides", strides, 2);
    return make_close(&m->e, n);
}

static Value *step_resize(Maker *m) {
    Value *x = pick(m, 4);
    if (!x) return NULL;
    int64_t sizes[] = {extent(x, 0), extent(x, 1), 2 * extent(x, 2), 2 * extent(x, 3)};
    Value *inputs[] = {x, NULL, NULL, make_ints(&m->e, sizes, 4)};
    Node *n = make_open(&m->e, OP_Resize, inputs, 4);
    node_set_string(m->e.graph, n, "mode", draw(m, 2) ? "linear" : "nearest");
    Value *y = make_close(&m->e, n);
    return draw(m, 2) ? conv(m, y, 2, 3, 1) : y;
}

static Value *step_matmul(Maker *m) {
    Value *x = pick(m, -1);
    if (x->rank < 2) return NULL;
    int64_t dims[] = {extent(x, x->rank - 1), 1 + draw(m, 5)};
    return make_binary(&m->e, OP_MatMul, x, random_constant(m, 2, dims));
}

static Value *step_gemm(Maker *m) {
    Value *x = pick(m, 2);
    if (!x) return NULL;
    int64_t dims[] = {1 + draw(m, 5), extent(x, 1)};
    Node *n = open_node(m, OP_Gemm, x, random_constant(m, 2, dims), vector(m, dims[0]));
    node_set_int(m->e.graph, n, "transB", 1);
    return make_close(&m->e, n);
}

static Value *step_norm(Maker *m) {
    Value *x = pick(m, 4);
    if (!x || extent(x, 2) * extent(x, 3) < 2) return NULL;
    int64_t c = extent(x, 1);
    bool instance = draw(m, 2);
    Node *n = open_node(m, instance ? OP_InstanceNormalization : OP_GroupNormalization, x,
                        vector(m, c), vector(m, c));
    if (!instance) node_set_int(m->e.graph, n, "num_groups", c % 2 ? 1 : 2);
    return make_close(&m->e, n);
}

static Value *step_softmax(Maker *m) {
    Value *x = pick(m, -1);
    if (!x->rank) return NULL;
    Node *n = open_node(m, draw(m, 2) ? OP_Softmax : OP_LogSoftmax, x, NULL, NULL);
    node_set_int(m->e.graph, n, "axis", draw(m, x->rank));
    return make_close(&m->e, n);
}

static Value *step_layer_norm(Maker *m) {
    Value *x = pick(m, -1);
    if (x->rank < 2 || extent(x, x->rank - 1) < 2) return NULL;
    int64_t c = extent(x, x->rank - 1);
    return make_close(&m->e, open_node(m, OP_LayerNormalization, x, vector(m, c), vector(m, c)));
}

/* Normalisation, SiLU, GELU and softmax as exporters write them at length. */
static Value *step_written_out(Maker *m) {
    Value *x = pick(m, -1);
    bool last[MAX_RANK] = {false};
    if (!x->rank) return NULL;
    last[x->rank - 1] = true;
    if (draw(m, 2)) return make_binary(&m->e, OP_Mul, x, make_unary(&m->e, OP_Sigmoid, x));
    if (draw(m, 2)) {
        Value *e =
            make_unary(&m->e, OP_Exp,
                       make_binary(&m->e, OP_Sub, x, make_reduce(&m->e, OP_ReduceMax, x, last)));
        return make_binary(&m->e, OP_Div, e, make_reduce(&m->e, OP_ReduceSum, e, last));
    }
    Value *half = make_binary(&m->e, OP_Mul, x, make_scalar(&m->e, DT_F32, 0.5));
    Value *erf = make_unary(&m->e, OP_Erf,
                            make_binary(&m->e, OP_Div, x, make_scalar(&m->e, DT_F32, sqrt(2))));
    return make_binary(&m->e, OP_Mul, half,
                       make_binary(&m->e, OP_Add, erf, make_scalar(&m->e, DT_F32, 1)));
}

/* What is computed twice, and goes both ways. */
static Value *step_twice(Maker *m) {
    Value *x = pick(m, -1);
    if (x->rank < 2) return NULL;
    int64_t perm[MAX_RANK];
    for (int d = 0; d < x->rank; d++) perm[d] = x->rank - 1 - d;
    if (draw(m, 2)) return make_transpose(&m->e, make_transpose(&m->e, x, perm), perm);
    return make_binary(&m->e, OP_Add, make_unary(&m->e, OP_Tanh, x), make_unary(&m->e, OP_Tanh, x));
}

typedef Value *StepFn(Maker *m);
static StepFn *const steps[] = {
    step_unary,          step_unary,     step_unary,      step_binary,      step_binary,
    step_where,          step_clip,      step_concat,     step_transpose,   step_reshape,
    step_slice,          step_split,     step_pad,        step_tile,        step_gather,
    step_expand,         step_depth,     step_reduce,     step_arg,         step_global_pool,
    step_conv,           step_conv_norm, step_parallel,   step_padded_conv, step_gate,
    step_conv_transpose, step_pool,      step_resize,     step_matmul,      step_gemm,
    step_norm,           step_softmax,   step_layer_norm, step_written_out, step_twice,
};

/* Values that nobody uses are outputs; a step that made its result too large is taken back by not
 * keeping it. */
static Graph *make_graph(Unit *u, uint64_t seed) {
    Node nobody = {.name = "r", .position = -1};
    Maker m = {.e = {.graph = graph_new(u, "random"), .node = &nobody}, .state = seed};
    Graph *g = m.e.graph;
    Dim dims[] = {{1 + draw(&m, 2), NULL},
                  {1 + draw(&m, 5), NULL},
                  {2 + draw(&m, 6), NULL},
                  {2 + draw(&m, 6), NULL}};
    keep(&m, graph_add_input(g, "x", DT_F32, 4, dims));
    keep(&m, graph_add_input(g, "y", DT_F32, draw(&m, 2) ? 4 : 2, dims));
    for (int i = LEAST_STEPS + draw(&m, MOST_STEPS - LEAST_STEPS); i > 0;) {
        Value *v = steps[draw(&m, sizeof steps / sizeof *steps)](&m);
        if (!v) continue;
        if (value_count(v) <= MOST_ELEMENTS && value_count(v) > 0) keep(&m, v);
        i--;
    }
    if (m.e.failed) BUG(u, "the maker of graphs made a wrong one: %s", diag_first(u));
    graph_count_uses(g);
    for (int i = 0; i < m.pool.n; i++)
        if (!m.pool.at[i]->n_uses && m.pool.at[i]->producer) graph_set_output(g, m.pool.at[i]);
    if (!g->outputs.n) graph_set_output(g, m.pool.at[m.pool.n - 1]);
    graph_sweep(g);
    return g;
}

static const Tensor **run_at(Unit *u, const Graph *g, int level, const Tensor *const *inputs) {
    PassOptions options = pass_options_default();
    options.level = level;
    options.exactness = CLASS_BIT;
    Graph *own = graph_copy(u, g);
    const char *why = "the passes refuse it";
    const Tensor **outputs =
        passes_run(own, &options) ? graph_run(u->arena, own, inputs, false, &why) : NULL;
    if (!outputs) BUG(u, "at -O%d: %s", level, diag_first(u) ? diag_first(u) : why);
    return outputs;
}

static const Tensor **random_inputs(Unit *u, const Graph *g, uint64_t seed) {
    const Tensor **inputs = NEW_ARRAY(u->arena, const Tensor *, g->inputs.n + 1);
    for (int i = 0; i < g->inputs.n; i++) {
        int64_t dims[MAX_RANK];
        for (int d = 0; d < g->inputs.at[i]->rank; d++) dims[d] = g->inputs.at[i]->dims[d].size;
        inputs[i] = tensor_random(u->arena, DT_F32, g->inputs.at[i]->rank, dims, &seed);
    }
    return inputs;
}

static const char *levels_differ(Unit *u, const Graph *g, const Tensor *const *inputs) {
    static const Pass exact = {.name = "-O1", .promise = CLASS_BIT};
    return results_differ(u->arena, &exact, g, run_at(u, g, 1, inputs), run_at(u, g, 0, inputs));
}

/* The program that the command line makes of a graph. */
static Program *program_of(Unit *u, const Graph *g) {
    PassOptions options = pass_options_default();
    Graph *own = graph_copy(u, g);
    Program *p = NULL;
    if (passes_run(own, &options))
        p = lower_graph(
            own,
            &(LowerOptions){.target = target_find("x86-64-v3"), .name = "random", .real = true});
    if (!p) BUG(u, "the lowering refuses it: %s", diag_first(u));
    program_plan(p);
    return p;
}

static const Tensor **run_by(const Backend *b, const Program *p, const Tensor *const *inputs) {
    Arena *a = p->unit->arena;
    const void **from = NEW_ARRAY(a, const void *, p->inputs.n + 1);
    void **to = NEW_ARRAY(a, void *, p->outputs.n + 1);
    const Tensor **outputs = NEW_ARRAY(a, const Tensor *, p->outputs.n + 1);
    RunError error;
    for (int i = 0; i < p->inputs.n; i++) from[i] = inputs[i]->data;
    for (int i = 0; i < p->outputs.n; i++) {
        Tensor *t =
            tensor_new(a, p->outputs.at[i].dtype, p->outputs.at[i].rank, p->outputs.at[i].dims);
        outputs[i] = t;
        to[i] = (void *)t->data;
    }
    if (!backend_run(b, p, NULL, from, to, &error)) BUG(p->unit, "%s: %s", b->name, error.message);
    return outputs;
}

static const char *machine_code_differs(Unit *u, const Graph *g, const Backend *jit,
                                        const Tensor *const *inputs) {
    static const Pass exact = {.name = "machine code", .promise = CLASS_BIT};
    Program *p = program_of(u, g);
    return results_differ(u->arena, &exact, g, run_by(jit, p, inputs),
                          run_by(backend_find("interp"), p, inputs));
}

static bool fail(const Graph *g, uint64_t seed, const char *what, const char *shown) {
    Text text = {.arena = g->unit->arena};
    graph_print_whole(g, &text);
    printf("seed %llu: %s\n%s", (unsigned long long)seed, what, shown ? shown : text.at);
    return false;
}

typedef struct Totals {
    int checked, unchecked, nodes;
    bool seen[OP_COUNT];
} Totals;

static bool check_graph(Unit *u, const Graph *g, uint64_t seed, Totals *totals) {
    CheckReport report;
    PassOptions options = pass_options_default();
    const Tensor **inputs = random_inputs(u, g, seed);
    const Backend *jit = backend_find("jit");
    const char *what = levels_differ(u, g, inputs);
    if (what) return fail(g, seed, arena_format(u->arena, "-O1 is not -O0: %s", what), NULL);
    what = jit ? machine_code_differs(u, g, jit, inputs) : NULL;
    if (what)
        return fail(g, seed,
                    arena_format(u->arena, "machine code is not the interpreter: %s", what), NULL);
    bool ok = passes_check(g, &options, &report);
    totals->checked += report.checked;
    totals->unchecked += report.unchecked;
    totals->nodes += g->nodes.n;
    for (int i = 0; i < g->nodes.n; i++) totals->seen[g->nodes.at[i]->op->id] = true;
    if (ok && !report.unchecked) return true;
    const char *why =
        ok ? report.unchecked_why
           : arena_format(u->arena, "pass %s, rewrite %lld at %s '%s': %s", report.pass,
                          (long long)report.rewrite, report.op ? report.op : "",
                          report.node ? report.node : "", report.what);
    return fail(g, seed, why, report.graph);
}

static bool try_seed(uint64_t seed, Totals *totals) {
    Unit u;
    volatile bool ok = false;
    if (!unit_begin(&u, NULL, 0)) return false;
    if (setjmp(u.escape.jump))
        printf("seed %llu: %s\n", (unsigned long long)seed, u.escape.message);
    else
        ok = check_graph(&u, make_graph(&u, seed), seed, totals);
    unit_end(&u);
    return ok;
}

/* The graph of a seed as text, for other tests. */
static int print_seed(uint64_t seed) {
    Unit u;
    if (!unit_begin(&u, NULL, 0)) return 1;
    Text text = {.arena = u.arena};
    if (!setjmp(u.escape.jump)) graph_print_whole(make_graph(&u, seed), &text);
    fwrite(text.at, 1, text.n, stdout);
    unit_end(&u);
    return !text.n;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "print")) return print_seed(strtoull(argv[2], NULL, 10));
    int count = argc > 1 ? atoi(argv[1]) : COUNT, failed = 0, operators = 0;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    Totals totals = {0};
    if (!backend_find("jit"))
        printf("skipped: random graphs by machine code: sonoc was built without LLVM\n");
    for (int i = 0; i < count; i++) failed += !try_seed(first + (uint64_t)i, &totals);
    for (int i = 0; i < OP_COUNT; i++) operators += totals.seen[i];
    printf("%d graphs of %d nodes and %d operators, %d changes by passes checked, %d failed\n",
           count, totals.nodes, operators, totals.checked, failed);
    return failed || (count >= COUNT && operators < 40);
}
