/* recurrent.c - RNN, GRU and LSTM (operator set 22).
 *
 *     for every direction, for b in batch
 *         h = initial_h, c = initial_c
 *         for t in time              backwards in the reverse direction; a sequence may end before
 * the others for j in hidden gates[j] = activation(x[t] W + h R + bias) h = new h, Y[t] = h */
#include "infer.h"
#include "lower.h"
#include "ops.h"

#include <string.h>

enum { MOST_GATES = 4, MOST_ACTIVATIONS = 3, STACK_ELEMENTS = 2048 };

typedef enum Input { X, W, R, BIAS, LENGTHS, INITIAL_H, INITIAL_C, PEEPHOLE } Input;

typedef const Expr *ActivationFn(Lower *l, const Expr *x, double alpha, double beta);

static const Expr *number(Lower *l, const Expr *like, double v) {
    return ex_const(l->b, like->type, v);
}

static const Expr *scaled(Lower *l, const Expr *x, double by, double plus) {
    return ex_add(l->b, ex_mul(l->b, x, number(l, x, by)), number(l, x, plus));
}

static const Expr *positive_or(Lower *l, const Expr *x, const Expr *otherwise) {
    return ex_select(l->b, ex_lt(l->b, x, number(l, x, 0)), otherwise, x);
}

#define ACTIVATION(name) static const Expr *name(Lower *l, const Expr *x, double alpha, double beta)
ACTIVATION(relu) { return (void)alpha, (void)beta, ex_max(l->b, number(l, x, 0), x); }
ACTIVATION(tanh_) { return (void)alpha, (void)beta, math_tanh(l->b, x); }
ACTIVATION(sigmoid) { return (void)alpha, (void)beta, math_sigmoid(l->b, x); }
ACTIVATION(affine) { return scaled(l, x, alpha, beta); }
ACTIVATION(leaky_relu) { return (void)beta, positive_or(l, x, scaled(l, x, alpha, 0)); }
ACTIVATION(scaled_tanh) { return scaled(l, math_tanh(l->b, scaled(l, x, beta, 0)), alpha, 0); }
ACTIVATION(elu) { return (void)beta, positive_or(l, x, scaled(l, math_expm1(l->b, x), alpha, 0)); }
ACTIVATION(thresholded_relu) {
    (void)beta;
    return ex_select(l->b, ex_lt(l->b, x, number(l, x, alpha)), number(l, x, 0), x);
}
ACTIVATION(hard_sigmoid) {
    const Expr *y = ex_max(l->b, number(l, x, 0), scaled(l, x, alpha, beta));
    return ex_min(l->b, number(l, x, 1), y);
}
ACTIVATION(softsign) {
    (void)alpha, (void)beta;
    return ex_div(l->b, x, scaled(l, ex_scalar(l->b, SC_ABS, x, NULL, NULL), 1, 1));
}
ACTIVATION(softplus) {
    (void)alpha, (void)beta;
    const Expr *e = math_exp(l->b, ex_neg(l->b, ex_scalar(l->b, SC_ABS, x, NULL, NULL)));
    return ex_add(l->b, ex_max(l->b, x, number(l, x, 0)), math_log1p(l->b, e));
}

typedef struct ActivationRow {
    const char *name;
    ActivationFn *fn;
    bool has_alpha, has_beta;
    double alpha, beta; /* where the node gives none */
} ActivationRow;

static const ActivationRow activation_rows[] = {
    {"Relu", relu, false, false, 0, 0},
    {"Tanh", tanh_, false, false, 0, 0},
    {"Sigmoid", sigmoid, false, false, 0, 0},
    {"Affine", affine, true, true, 1, 0},
    {"LeakyRelu", leaky_relu, true, false, 0.01, 0},
    {"ThresholdedRelu", thresholded_relu, true, false, 1, 0},
    {"ScaledTanh", scaled_tanh, true, true, 1, 1},
    {"HardSigmoid", hard_sigmoid, true, true, 0.2, 0.5},
    {"Elu", elu, true, false, 1, 0},
    {"Softsign", softsign, false, false, 0, 0},
    {"Softplus", softplus, false, false, 0, 0},
};

typedef struct Activation {
    ActivationFn *fn;
    double alpha, beta;
} Activation;

/* What differs between the operators. */
typedef struct Kind {
    int gates, n_activations;
    const char *defaults[MOST_ACTIVATIONS];
} Kind;

static Kind kind_of(const Node *n) {
    if (n->op->id == OP_LSTM) return (Kind){4, 3, {"Sigmoid", "Tanh", "Tanh"}};
    if (n->op->id == OP_GRU) return (Kind){3, 2, {"Sigmoid", "Tanh", NULL}};
    return (Kind){1, 1, {"Tanh", NULL, NULL}};
}

static const ActivationRow *find_activation(const char *name) {
    for (size_t i = 0; i < sizeof activation_rows / sizeof *activation_rows; i++)
        if (!strcmp(activation_rows[i].name, name)) return &activation_rows[i];
    return NULL;
}

static int directions_of(const Node *n) {
    return strcmp(node_string(n, "direction"), "bidirectional") ? 1 : 2;
}

static double parameter(const Node *n, const char *name, int *used, double otherwise) {
    const Attr *a = node_attr(n, name);
    return a && *used < a->n ? (double)a->u.floats[(*used)++] : otherwise;
}

/* All activations in order, all directions; parameters go to those that have some.  The unknown
 * one's name, or NULL. */
static const char *read_activations(const Node *n, Activation *out) {
    const Attr *given = node_attr(n, "activations");
    Kind kind = kind_of(n);
    int alphas = 0, betas = 0;
    for (int i = 0; i < directions_of(n) * kind.n_activations; i++) {
        const char *name =
            given && i < given->n ? given->u.strings[i] : kind.defaults[i % kind.n_activations];
        const ActivationRow *row = find_activation(name);
        if (!row) return name;
        out[i] = (Activation){row->fn, row->alpha, row->beta};
        if (row->has_alpha) out[i].alpha = parameter(n, "activation_alpha", &alphas, row->alpha);
        if (row->has_beta) out[i].beta = parameter(n, "activation_beta", &betas, row->beta);
    }
    return NULL;
}

static bool check_attributes(Infer *f, Node *n) {
    const char *direction = node_string(n, "direction");
    Activation activations[2 * MOST_ACTIVATIONS];
    if (strcmp(direction, "forward") && strcmp(direction, "reverse") &&
        strcmp(direction, "bidirectional"))
        return infer_fail_attr(f, n, "direction", "is '%s'", direction);
    if (node_int(n, "layout") < 0 || node_int(n, "layout") > 1)
        return infer_fail_attr(f, n, "layout", "is %lld", (long long)node_int(n, "layout"));
    const char *unknown = read_activations(n, activations);
    return !unknown || infer_fail_attr(f, n, "activations", "'%s' is unknown", unknown);
}

static bool check_input(Infer *f, Node *n, int k, int rank, const int64_t *want) {
    int64_t dims[MAX_RANK];
    if (!node_has_input(n, k)) return true;
    int got = infer_dims(f, n, k, dims);
    if (got < 0) return false;
    DType t = n->inputs[k]->dtype;
    bool fits = got == rank && (k == LENGTHS ? t == DT_I32 : t == n->inputs[X]->dtype);
    for (int d = 0; fits && d < rank; d++) fits = dims[d] == want[d];
    return fits ||
           infer_fail(f, n, D_SHAPE,
                      arena_format(f->unit->arena, "input %d has the wrong shape or type", k));
}

bool infer_recurrent(Infer *f, Node *n) {
    int64_t x[MAX_RANK], r[MAX_RANK];
    int rank = infer_dims(f, n, X, x), r_rank = infer_dims(f, n, R, r), gates = kind_of(n).gates;
    if (rank < 0 || r_rank < 0 || !check_attributes(f, n)) return false;
    if (rank != 3 || r_rank != 3 || !dtype_is_float(n->inputs[X]->dtype))
        return infer_fail(f, n, D_SHAPE, "input and recurrence weights must be floats of rank 3");
    bool batch_first = node_int(n, "layout") == 1;
    int64_t hidden = r[2], directions = directions_of(n), time = x[batch_first],
            batch = x[!batch_first];
    if (hidden > INT64_C(1) << 40 ||
        (node_has(n, "hidden_size") && node_int(n, "hidden_size") != hidden))
        return infer_fail_attr(f, n, "hidden_size", "does not fit the weights for %lld",
                               (long long)hidden);
    int64_t w_dims[] = {directions, gates * hidden, x[2]},
            r_dims[] = {directions, gates * hidden, hidden};
    int64_t bias[] = {directions, 2 * gates * hidden}, lengths[] = {batch},
            peephole[] = {directions, 3 * hidden};
    int64_t state[] = {directions, batch, hidden}, state_first[] = {batch, directions, hidden};
    int64_t all[] = {time, directions, batch, hidden},
            all_first[] = {batch, time, directions, hidden};
    const int64_t *s = batch_first ? state_first : state;
    if (!check_input(f, n, W, 3, w_dims) || !check_input(f, n, R, 3, r_dims) ||
        !check_input(f, n, BIAS, 2, bias) || !check_input(f, n, LENGTHS, 1, lengths) ||
        !check_input(f, n, INITIAL_H, 3, s) || !check_input(f, n, INITIAL_C, 3, s) ||
        !check_input(f, n, PEEPHOLE, 2, peephole))
        return false;
    infer_set(f, n, 0, n->inputs[X]->dtype, 4, batch_first ? all_first : all);
    for (int k = 1; k < n->n_outputs; k++) infer_set(f, n, k, n->inputs[X]->dtype, 3, s);
    return true;
}

typedef struct Recurrent {
    Node *node;
    Kind kind;
    DType wide;
    bool batch_first;
    int64_t time, batch, in, hidden;
    int direction;
    bool reverse;
    const Activation *activations;          /* of the direction */
    Buffer *h, *c, *new_h, *update, *reset; /* `hidden` elements each */
    Buffer *sum;                            /* of each gate, for the hidden unit at hand */
    const Expr *b, *t;                      /* batch, and time of the input */
} Recurrent;

static const Expr *zero(Lower *l) { return ex_index(l->b, 0); }

static const Expr *load3(Lower *l, const Recurrent *r, int k, const Expr *i, const Expr *j) {
    const Expr *index[3] = {ex_index(l->b, r->direction), i, j};
    return lower_load_wide(l, r->node->inputs[k], index);
}

static const Expr *unit_of(Lower *l, const Recurrent *r, int gate, const Expr *j) {
    return ex_add(l->b, ex_index(l->b, gate * r->hidden), j);
}

/* Bias `row` of the 2 * gates rows. */
static const Expr *load_bias(Lower *l, const Recurrent *r, int row, const Expr *j) {
    if (!node_has_input(r->node, BIAS)) return ex_const(l->b, r->wide, 0);
    const Expr *index[2] = {ex_index(l->b, r->direction), unit_of(l, r, row, j)};
    return lower_load_wide(l, r->node->inputs[BIAS], index);
}

static const Expr *load_peephole(Lower *l, const Recurrent *r, int row, const Expr *j) {
    const Expr *index[2] = {ex_index(l->b, r->direction), unit_of(l, r, row, j)};
    return lower_load_wide(l, r->node->inputs[PEEPHOLE], index);
}

static const Expr *gate(Lower *l, const Recurrent *r, int g) {
    return ex_load(l->b, r->sum, ex_index(l->b, g));
}

static const Expr *activate(Lower *l, const Recurrent *r, int which, const Expr *x) {
    const Activation *a = &r->activations[which];
    double clip = (double)node_float(r->node, "clip");
    if (clip > 0) x = ex_max(l->b, number(l, x, -clip), ex_min(l->b, number(l, x, clip), x));
    return a->fn(l, x, a->alpha, a->beta);
}

/* sum[g] += x[t] W for gates from..to - 1 */
static void add_input(Lower *l, const Recurrent *r, int from, int to, const Expr *j) {
    const Expr *i = st_for_n(l->b, LOOP_SERIAL, "i", r->in);
    const Expr *index[3] = {r->batch_first ? r->b : r->t, r->batch_first ? r->t : r->b, i};
    const Expr *x = lower_load_wide(l, r->node->inputs[X], index);
    for (int g = from; g < to; g++)
        st_acc_mul(l->b, r->sum, ex_index(l->b, g), x, load3(l, r, W, unit_of(l, r, g, j), i));
    st_end(l->b);
}

/* sum[g] += h R; with `reset` each h is multiplied with its reset gate first */
static void add_state(Lower *l, const Recurrent *r, int from, int to, const Expr *j, bool reset) {
    const Expr *k = st_for_n(l->b, LOOP_SERIAL, "k", r->hidden);
    const Expr *h = ex_load(l->b, r->h, k);
    if (reset) h = ex_mul(l->b, h, ex_load(l->b, r->reset, k));
    for (int g = from; g < to; g++)
        st_acc_mul(l->b, r->sum, ex_index(l->b, g), h, load3(l, r, R, unit_of(l, r, g, j), k));
    st_end(l->b);
}

static void start_gates(Lower *l, const Recurrent *r, int from, int to, const Expr *j) {
    for (int g = from; g < to; g++) {
        const Expr *both =
            ex_add(l->b, load_bias(l, r, g, j), load_bias(l, r, r->kind.gates + g, j));
        st_store(l->b, r->sum, ex_index(l->b, g), both);
    }
    add_input(l, r, from, to, j);
}

static void rnn_step(Lower *l, const Recurrent *r) {
    const Expr *j = st_for_n(l->b, LOOP_SERIAL, "j", r->hidden);
    start_gates(l, r, 0, 1, j);
    add_state(l, r, 0, 1, j, false);
    st_store(l->b, r->new_h, j, activate(l, r, 0, gate(l, r, 0)));
    st_end(l->b);
}

/* Gates i, o, f, c; peepholes i, o, f. */
static void lstm_step(Lower *l, const Recurrent *r) {
    Builder *b = l->b;
    bool peephole = node_has_input(r->node, PEEPHOLE);
    const Expr *j = st_for_n(b, LOOP_SERIAL, "j", r->hidden);
    start_gates(l, r, 0, 4, j);
    add_state(l, r, 0, 4, j, false);
    const Expr *c = st_let(b, "c", ex_load(b, r->c, j));
    const Expr *i = gate(l, r, 0), *o = gate(l, r, 1), *f = gate(l, r, 2);
    if (peephole) i = ex_fma(b, load_peephole(l, r, 0, j), c, i);
    if (peephole) f = ex_fma(b, load_peephole(l, r, 2, j), c, f);
    i = st_let(b, "input", activate(l, r, 0, i));
    f = node_int(r->node, "input_forget") ? ex_sub(b, number(l, i, 1), i) : activate(l, r, 0, f);
    const Expr *g = activate(l, r, 1, gate(l, r, 3));
    c = st_let(b, "new_c", ex_fma(b, f, c, ex_mul(b, i, g)));
    if (peephole) o = ex_fma(b, load_peephole(l, r, 1, j), c, o);
    st_store(b, r->c, j, c);
    const Activation *last = &r->activations[2];
    st_store(b, r->new_h, j,
             ex_mul(b, activate(l, r, 0, o), last->fn(l, c, last->alpha, last->beta)));
    st_end(b);
}

/* Gates z, r, h; the reset gate of every unit is needed before the new h of any. */
static void gru_step(Lower *l, const Recurrent *r) {
    Builder *b = l->b;
    bool before_reset = node_int(r->node, "linear_before_reset") != 0;
    const Expr *j = st_for_n(b, LOOP_SERIAL, "j", r->hidden);
    start_gates(l, r, 0, 2, j);
    add_state(l, r, 0, 2, j, false);
    st_store(b, r->update, j, activate(l, r, 0, gate(l, r, 0)));
    st_store(b, r->reset, j, activate(l, r, 0, gate(l, r, 1)));
    st_end(b);
    j = st_for_n(b, LOOP_SERIAL, "j", r->hidden);
    const Expr *x;
    if (before_reset) {
        st_store(b, r->sum, ex_index(b, 2), load_bias(l, r, r->kind.gates + 2, j));
        add_state(l, r, 2, 3, j, false);
        const Expr *linear = st_let(b, "linear", ex_mul(b, gate(l, r, 2), ex_load(b, r->reset, j)));
        st_store(b, r->sum, ex_index(b, 2), load_bias(l, r, 2, j));
        add_input(l, r, 2, 3, j);
        x = ex_add(b, gate(l, r, 2), linear);
    } else {
        start_gates(l, r, 2, 3, j);
        add_state(l, r, 2, 3, j, true);
        x = gate(l, r, 2);
    }
    const Expr *candidate = activate(l, r, 1, x), *z = ex_load(b, r->update, j);
    const Expr *kept = ex_mul(b, z, ex_load(b, r->h, j));
    st_store(b, r->new_h, j, ex_fma(b, ex_sub(b, number(l, z, 1), z), candidate, kept));
    st_end(b);
}

static void state_index(Lower *l, const Recurrent *r, const Expr *j, const Expr **index) {
    index[r->batch_first] = ex_index(l->b, r->direction);
    index[!r->batch_first] = r->b;
    index[2] = j;
}

static void load_state(Lower *l, const Recurrent *r, Buffer *to, int k) {
    const Expr *index[3], *j = st_for_n(l->b, LOOP_SERIAL, "j", r->hidden);
    state_index(l, r, j, index);
    bool given = node_has_input(r->node, k);
    st_store(l->b, to, j,
             given ? lower_load_wide(l, r->node->inputs[k], index) : ex_const(l->b, r->wide, 0));
    st_end(l->b);
}

static void give_state(Lower *l, const Recurrent *r, const Buffer *from, int k) {
    if (!node_has_output(r->node, k)) return;
    const Expr *index[3], *j = st_for_n(l->b, LOOP_SERIAL, "j", r->hidden);
    state_index(l, r, j, index);
    lower_store(l, r->node->outputs[k], index, ex_load(l->b, from, j));
    st_end(l->b);
}

static void give_time(Lower *l, const Recurrent *r, const Expr *t, const Expr *j, const Expr *h) {
    if (!node_has_output(r->node, 0)) return;
    const Expr *direction = ex_index(l->b, r->direction);
    const Expr *plain[4] = {t, direction, r->b, j}, *first[4] = {r->b, t, direction, j};
    lower_store(l, r->node->outputs[0], r->batch_first ? first : plain, h);
}

static void time_step(Lower *l, Recurrent *r) {
    if (r->node->op->id == OP_LSTM)
        lstm_step(l, r);
    else if (r->node->op->id == OP_GRU)
        gru_step(l, r);
    else
        rnn_step(l, r);
    const Expr *j = st_for_n(l->b, LOOP_SERIAL, "j", r->hidden);
    st_store(l->b, r->h, j, ex_load(l->b, r->new_h, j));
    give_time(l, r, r->t, j, ex_load(l->b, r->h, j));
    st_end(l->b);
}

static Buffer *unit_array(Lower *l, const Recurrent *r, const char *name) {
    if (r->hidden > STACK_ELEMENTS) return st_scratch(l->b, name, r->wide, r->hidden);
    return st_local(l->b, name, r->wide, r->hidden, 0);
}

static void sequence(Lower *l, Recurrent *r) {
    const Expr *length = ex_index(l->b, r->time);
    if (node_has_input(r->node, LENGTHS)) {
        length = ex_cast(l->b, DT_I64, lower_load(l, r->node->inputs[LENGTHS], &r->b));
        length = ex_min(l->b, ex_max(l->b, length, zero(l)), ex_index(l->b, r->time));
    }
    const Expr *step = st_for_n(l->b, LOOP_SERIAL, "step", r->time);
    st_if(l->b, ex_lt(l->b, step, length));
    r->t = step;
    if (r->reverse) {
        const Expr *back = ex_sub(l->b, ex_sub(l->b, length, ex_index(l->b, 1)), step);
        r->t = ex_min(l->b, ex_max(l->b, back, zero(l)), ex_index(l->b, r->time - 1));
    }
    time_step(l, r);
    st_else(l->b);
    const Expr *j = st_for_n(l->b, LOOP_SERIAL, "j", r->hidden);
    give_time(l, r, step, j, ex_const(l->b, r->wide, 0));
    st_end(l->b);
    st_end(l->b);
    st_end(l->b);
}

static void run_direction(Lower *l, Recurrent *r) {
    r->b = st_for_n(l->b, LOOP_PARALLEL, "b", r->batch);
    r->h = unit_array(l, r, "h");
    r->new_h = unit_array(l, r, "new_h");
    r->sum = st_local(l->b, "sum", r->wide, MOST_GATES, 0);
    if (r->node->op->id == OP_LSTM) r->c = unit_array(l, r, "c");
    if (r->node->op->id == OP_GRU) r->update = unit_array(l, r, "update");
    if (r->node->op->id == OP_GRU) r->reset = unit_array(l, r, "reset");
    load_state(l, r, r->h, INITIAL_H);
    if (r->c) load_state(l, r, r->c, INITIAL_C);
    sequence(l, r);
    give_state(l, r, r->h, 1);
    if (r->c) give_state(l, r, r->c, 2);
    st_end(l->b);
}

void code_recurrent(Lower *l, Node *n) {
    const Value *x = n->inputs[X];
    Activation activations[2 * MOST_ACTIVATIONS];
    Recurrent r = {.node = n,
                   .kind = kind_of(n),
                   .wide = lower_wide(x->dtype),
                   .batch_first = node_int(n, "layout") == 1};
    r.time = x->dims[r.batch_first].size;
    r.batch = x->dims[!r.batch_first].size;
    r.in = x->dims[2].size;
    r.hidden = n->inputs[R]->dims[2].size;
    read_activations(n, activations);
    for (int d = 0; d < directions_of(n); d++) {
        r.direction = d;
        r.reverse = d == 1 || !strcmp(node_string(n, "direction"), "reverse");
        r.activations = activations + d * r.kind.n_activations;
        lower_begin_kernel(l, n, d ? "reverse" : NULL);
        run_direction(l, &r);
        lower_end_kernel(l);
    }
}
