/* expand_attention.c - scaled dot product attention and rotary embeddings as graphs.
 *
 * Heads are an axis: [batch, heads, sequence, size].  Where fewer heads of keys serve more heads of
 * queries, both get an axis more, [batch, kv heads, queries a kv head, sequence, size], and the
 * products broadcast: nothing is copied. Every condition on who sees whom (causal, window, padding,
 * boolean mask) is one boolean map over the scores. */
#include "expand.h"
#include "ops.h"

#include <math.h>
#include <string.h>

enum { Q, K, V, MASK, PAST_K, PAST_V, VALID };

typedef struct Shape {
    int64_t batch, heads, kv_heads, queries, keys, past, size, value_size;
    bool merged; /* rank 3: heads and size are one axis */
} Shape;

/* [batch, heads, sequence, size] of input k, from either form; heads 0 or a remainder: false. */
static bool head_dims(const Value *v, int64_t heads, int64_t *dims) {
    value_dims(v, dims);
    if (v->rank == 4) return heads == 0 || heads == dims[1];
    if (heads <= 0 || dims[2] % heads) return false;
    dims[3] = dims[2] / heads;
    dims[2] = dims[1];
    dims[1] = heads;
    return true;
}

static bool find_shape(const Node *n, Shape *s) {
    int64_t q[MAX_RANK], k[MAX_RANK], v[MAX_RANK], kv_heads = node_int(n, "kv_num_heads");
    int rank = n->inputs[Q]->rank;
    if ((rank != 3 && rank != 4) || n->inputs[K]->rank != rank || n->inputs[V]->rank != rank)
        return false;
    if (!head_dims(n->inputs[Q], node_int(n, "q_num_heads"), q)) return false;
    if (!head_dims(n->inputs[K], kv_heads, k) || !head_dims(n->inputs[V], kv_heads, v))
        return false;
    *s = (Shape){q[0], q[1], k[1], q[2], k[2], 0, q[3], v[3], rank == 3};
    if (node_has_input(n, PAST_K) && n->inputs[PAST_K]->rank == 4)
        s->past = n->inputs[PAST_K]->dims[2].size;
    bool sizes = k[3] == q[3] && v[1] == k[1] && v[2] == k[2] && k[0] == q[0] && v[0] == q[0];
    return sizes && s->kv_heads > 0 && s->heads % s->kv_heads == 0;
}

static bool has_dims(const Value *v, int64_t a, int64_t b, int64_t c, int64_t d) {
    return v->rank == 4 && v->dims[0].size == a && v->dims[1].size == b && v->dims[2].size == c &&
           v->dims[3].size == d;
}

static bool check_cache(Infer *f, const Node *n, const Shape *s) {
    bool key = node_has_input(n, PAST_K), value = node_has_input(n, PAST_V);
    if (key != value) return infer_fail(f, n, D_SHAPE, "past_key and past_value belong together");
    if (key && (!has_dims(n->inputs[PAST_K], s->batch, s->kv_heads, s->past, s->size) ||
                !has_dims(n->inputs[PAST_V], s->batch, s->kv_heads, s->past, s->value_size)))
        return infer_fail(f, n, D_SHAPE, "the shapes of past_key and past_value do not fit");
    if (key && node_has_input(n, VALID))
        return infer_fail(f, n, D_UNSUPPORTED, "nonpad_kv_seqlen beside past_key");
    if (node_has_input(n, VALID) &&
        (n->inputs[VALID]->rank != 1 || n->inputs[VALID]->dims[0].size != s->batch))
        return infer_fail(f, n, D_SHAPE, "nonpad_kv_seqlen should be a vector over the batch");
    return true;
}

/* The mask broadcasts to the scores; its last axis may be shorter. */
static bool check_mask(Infer *f, const Node *n, const Shape *s) {
    int64_t dims[MAX_RANK], both[MAX_RANK],
        scores[] = {s->batch, s->heads, s->queries, s->past + s->keys};
    if (!node_has_input(n, MASK)) return true;
    const Value *mask = n->inputs[MASK];
    int rank = value_dims(mask, dims);
    bool ok = rank >= 1 && rank <= 4 && dims[rank - 1] <= scores[3];
    if (ok) dims[rank - 1] = scores[3];
    ok = ok && dims_broadcast(dims, rank, scores, 4, both) == 4 &&
         !memcmp(both, scores, sizeof scores);
    if (!ok) return infer_fail(f, n, D_SHAPE, "the mask does not broadcast to the scores");
    if (mask->dtype == DT_BOOL || dtype_is_float(mask->dtype)) return true;
    return infer_fail(f, n, D_DTYPE, "the mask should be bools or floats");
}

static bool check_attention(Infer *f, const Node *n, Shape *s) {
    for (int k = Q; k <= PAST_V; k++)
        if (k != MASK && node_has_input(n, k) && !dtype_is_float(n->inputs[k]->dtype))
            return infer_fail(f, n, D_DTYPE, "queries, keys and values should be floats");
    if (!find_shape(n, s))
        return infer_fail(f, n, D_SHAPE,
                          "the shapes of Q, K and V and the numbers of heads do not fit");
    int64_t mode = node_int(n, "qk_matmul_output_mode");
    if (mode < 0 || mode > 3)
        return infer_fail_attr(f, n, "qk_matmul_output_mode", "%lld is none", (long long)mode);
    return check_cache(f, n, s) && check_mask(f, n, s);
}

bool infer_attention(Infer *f, Node *n) {
    Shape s;
    if (!check_attention(f, n, &s)) return false;
    DType t = n->inputs[Q]->dtype;
    int64_t total = s.past + s.keys;
    int64_t merged[] = {s.batch, s.queries, s.heads * s.value_size},
            y[] = {s.batch, s.heads, s.queries, s.value_size};
    int64_t key[] = {s.batch, s.kv_heads, total, s.size},
            value[] = {s.batch, s.kv_heads, total, s.value_size};
    int64_t scores[] = {s.batch, s.heads, s.queries, total};
    infer_set(f, n, 0, t, s.merged ? 3 : 4, s.merged ? merged : y);
    infer_set(f, n, 1, n->inputs[K]->dtype, 4, key);
    infer_set(f, n, 2, n->inputs[V]->dtype, 4, value);
    infer_set(f, n, 3, t, 4, scores);
    return true;
}

static const int64_t swap_middle[] = {0, 2, 1, 3};

/* Input k as [batch, heads, sequence, size]. */
static Value *with_heads(Expansion *e, int k, int64_t heads, int64_t size) {
    Value *x = e->node->inputs[k];
    if (x->rank == 4) return x;
    int64_t dims[] = {x->dims[0].size, x->dims[1].size, heads, size};
    return make_transpose(e, make_reshape(e, x, 4, dims), swap_middle);
}

static Value *with_past(Expansion *e, Value *x, int past) {
    if (!node_has_input(e->node, past)) return x;
    Value *parts[] = {make_cast(e, e->node->inputs[past], x->dtype), x};
    return make_concat(e, parts, 2, 2);
}

/* [batch, heads, m, n] by groups of heads that share a head of keys: [batch, kv heads, heads of it,
 * m, n]. */
static Value *grouped(Expansion *e, Value *x, int64_t kv_heads) {
    int64_t dims[] = {x->dims[0].size, kv_heads, x->dims[1].size / kv_heads, x->dims[2].size,
                      x->dims[3].size};
    return make_reshape(e, x, 5, dims);
}

static Value *ungrouped(Expansion *e, Value *x) {
    int64_t dims[] = {x->dims[0].size, x->dims[1].size * x->dims[2].size, x->dims[3].size,
                      x->dims[4].size};
    return make_reshape(e, x, 4, dims);
}

static Value *scores_of(Expansion *e, const Shape *s, Value *q, Value *k) {
    static const int64_t transposed[] = {0, 1, 2, 4, 3};
    const Node *n = e->node;
    double scale = node_has(n, "scale") ? node_float(n, "scale") : 1 / sqrt((double)s->size);
    q = make_binary(e, OP_Mul, q, make_scalar(e, q->dtype, scale));
    Value *keys = make_transpose(e, grouped(e, k, s->kv_heads), transposed);
    return ungrouped(e, make_binary(e, OP_MatMul, grouped(e, q, s->kv_heads), keys));
}

static Value *both(Expansion *e, Value *a, Value *b) {
    return a ? make_binary(e, OP_And, a, b) : b;
}

/* The position of query i among the keys: i plus the keys before the first query. */
static Value *query_position(Expansion *e, const Shape *s) {
    Value *i = make_iota(e, DT_I64, 4, 2, s->queries),
          *before = make_scalar(e, DT_I64, (double)s->past);
    if (node_has_input(e->node, VALID)) {
        Value *valid = make_along(e, make_cast(e, e->node->inputs[VALID], DT_I64), 4, 0);
        before = make_binary(e, OP_Sub, valid, make_scalar(e, DT_I64, (double)s->queries));
    }
    return make_binary(e, OP_Add, i, before);
}

static Value *shifted(Expansion *e, Value *x, int64_t by) {
    return make_binary(e, OP_Add, x, make_scalar(e, DT_I64, (double)by));
}

/* True where query i may see key j; NULL: everywhere. */
static Value *visible(Expansion *e, const Shape *s) {
    const Node *n = e->node;
    Value *j = make_iota(e, DT_I64, 4, 3, s->past + s->keys), *p = query_position(e, s),
          *seen = NULL;
    int64_t left = node_int(n, "left_window_size"), right = node_int(n, "right_window_size");
    if (node_int(n, "is_causal")) seen = both(e, seen, make_binary(e, OP_LessOrEqual, j, p));
    if (left >= 0) seen = both(e, seen, make_binary(e, OP_GreaterOrEqual, j, shifted(e, p, -left)));
    if (right >= 0) seen = both(e, seen, make_binary(e, OP_LessOrEqual, j, shifted(e, p, right)));
    if (node_has_input(n, VALID)) {
        Value *valid = make_along(e, make_cast(e, n->inputs[VALID], DT_I64), 4, 0);
        seen = both(e, seen, make_binary(e, OP_Less, j, valid));
    }
    return seen;
}

static Value *whole_mask(Expansion *e, const Shape *s, Value *fill) {
    Value *mask = e->node->inputs[MASK];
    int last = mask->rank - 1;
    int64_t missing = s->past + s->keys - mask->dims[last].size;
    if (fill) mask = make_cast(e, mask, fill->dtype);
    return missing ? make_pad(e, mask, last, 0, missing, fill) : mask;
}

static Value *masked(Expansion *e, const Shape *s, Value *scores) {
    Value *nothing = make_scalar(e, scores->dtype, -INFINITY), *seen = visible(e, s);
    if (node_has_input(e->node, MASK)) {
        if (e->node->inputs[MASK]->dtype == DT_BOOL)
            seen = both(e, seen, whole_mask(e, s, NULL));
        else
            scores = make_binary(e, OP_Add, scores, whole_mask(e, s, nothing));
    }
    return seen ? make_where(e, seen, scores, nothing) : scores;
}

/* A query that sees no key gets weights of 0. */
static Value *weights_of(Expansion *e, Value *scores) {
    static const bool axes[MAX_RANK] = {[3] = true};
    Value *zero = make_scalar(e, scores->dtype, 0), *one = make_scalar(e, scores->dtype, 1);
    Value *most = make_reduce(e, OP_ReduceMax, scores, axes);
    Value *none = make_binary(e, OP_Equal, most, make_scalar(e, scores->dtype, -INFINITY));
    most = make_where(e, none, zero, most);
    Value *power = make_unary(e, OP_Exp, make_binary(e, OP_Sub, scores, most));
    Value *sum = make_reduce(e, OP_ReduceSum, power, axes);
    return make_binary(e, OP_Div, power, make_where(e, none, one, sum));
}

static Value *softcapped(Expansion *e, Value *scores) {
    float cap = node_float(e->node, "softcap");
    if (!(cap > 0)) return scores;
    Value *limit = make_scalar(e, scores->dtype, cap);
    return make_binary(e, OP_Mul, make_unary(e, OP_Tanh, make_binary(e, OP_Div, scores, limit)),
                       limit);
}

static Value *merge_heads(Expansion *e, const Shape *s, Value *y) {
    int64_t dims[] = {s->batch, s->queries, s->heads * s->value_size};
    return s->merged ? make_reshape(e, make_transpose(e, y, swap_middle), 3, dims) : y;
}

bool expand_attention(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Shape s;
    if (!find_shape(n, &s)) BUG(g->unit, "Attention '%s' was not checked", n->name);
    DType wide = lower_wide(n->inputs[Q]->dtype);
    Value *k = with_past(&e, with_heads(&e, K, s.kv_heads, s.size), PAST_K);
    Value *v = with_past(&e, with_heads(&e, V, s.kv_heads, s.value_size), PAST_V);
    Value *q = make_cast(&e, with_heads(&e, Q, s.heads, s.size), wide);
    Value *stages[4];
    stages[0] = scores_of(&e, &s, q, make_cast(&e, k, wide));
    stages[1] = softcapped(&e, stages[0]);
    stages[2] = masked(&e, &s, stages[1]);
    stages[3] = weights_of(&e, stages[2]);
    Value *values = grouped(&e, make_cast(&e, v, wide), s.kv_heads);
    Value *y = make_binary(&e, OP_MatMul, grouped(&e, stages[3], s.kv_heads), values);
    Value *kept = stages[node_int(n, "qk_matmul_output_mode")];
    expansion_give(&e, 0, merge_heads(&e, &s, ungrouped(&e, y)));
    expansion_give(&e, 1, k);
    expansion_give(&e, 2, v);
    expansion_give(&e, 3, kept);
    return expansion_end(&e);
}

/* Rotary embeddings. */

/* Input 0 as [batch, sequence, heads, size] or, of rank 4, [batch, heads, sequence, size]. */
typedef struct Rotary {
    int64_t dims[4], sequence, turned;
    int head_axis;
} Rotary;

static bool find_rotary(const Node *n, Rotary *r) {
    const Value *x = n->inputs[0];
    int64_t heads = node_int(n, "num_heads"), turned = node_int(n, "rotary_embedding_dim");
    if (x->rank != 3 && x->rank != 4) return false;
    value_dims(x, r->dims);
    r->head_axis = x->rank == 4 ? 1 : 2;
    r->sequence = r->dims[x->rank == 4 ? 2 : 1];
    if (x->rank == 3) {
        if (heads <= 0 || r->dims[2] % heads) return false;
        r->dims[3] = r->dims[2] / heads;
        r->dims[2] = heads;
    }
    r->turned = turned ? turned : r->dims[3];
    return r->turned > 0 && r->turned <= r->dims[3] && r->turned % 2 == 0;
}

static bool check_rotary_cache(const Node *n, const Rotary *r, int k) {
    const Value *cache = n->inputs[k];
    bool by_position = node_has_input(n, 3);
    if (cache->rank != (by_position ? 2 : 3) || cache->dims[cache->rank - 1].size != r->turned / 2)
        return false;
    if (by_position) return true;
    return cache->dims[0].size == r->dims[0] && cache->dims[1].size == r->sequence;
}

bool infer_rotary_embedding(Infer *f, Node *n) {
    Rotary r;
    for (int k = 0; k < 3; k++)
        if (!dtype_is_float(n->inputs[k]->dtype))
            return infer_fail(f, n, D_DTYPE, "the input and both caches should be floats");
    if (!find_rotary(n, &r))
        return infer_fail(f, n, D_SHAPE, "the input's shape does not fit the number of heads");
    if (!check_rotary_cache(n, &r, 1) || !check_rotary_cache(n, &r, 2))
        return infer_fail(f, n, D_SHAPE, "the shapes of the caches do not fit");
    if (node_has_input(n, 3)) {
        const Value *ids = n->inputs[3];
        bool fits =
            ids->rank == 2 && ids->dims[0].size == r.dims[0] && ids->dims[1].size == r.sequence;
        if (!fits || !dtype_is_int(ids->dtype))
            return infer_fail(f, n, D_SHAPE, "position_ids should be [batch, sequence]");
    }
    return infer_same(f, n);
}

/* The cosines or sines for every position, with an axis of 1 for the heads. */
static Value *angles(Expansion *e, const Rotary *r, int k, DType t) {
    Value *cache = make_cast(e, e->node->inputs[k], t);
    if (node_has_input(e->node, 3)) cache = make_binary(e, OP_Gather, cache, e->node->inputs[3]);
    int64_t dims[] = {r->dims[0], r->sequence, r->sequence, r->turned / 2};
    dims[r->head_axis] = 1;
    return make_reshape(e, cache, 4, dims);
}

/* One of the two halves of what is turned: alternate elements, or the first and the second. */
static Value *half(Expansion *e, const Rotary *r, Value *x, int which) {
    int64_t size = r->turned / 2,
            pairs[] = {x->dims[0].size, x->dims[1].size, x->dims[2].size, size, 2};
    if (!node_int(e->node, "interleaved"))
        return make_slice(e, x, 3, which * size, (which + 1) * size);
    return make_reshape(e, make_slice(e, make_reshape(e, x, 5, pairs), 4, which, which + 1), 4,
                        pairs);
}

static Value *join_halves(Expansion *e, const Rotary *r, Value *real, Value *imaginary) {
    int64_t dims[] = {r->dims[0], r->dims[1], r->dims[2], r->turned / 2, 1};
    Value *parts[] = {real, imaginary};
    if (!node_int(e->node, "interleaved")) return make_concat(e, parts, 2, 3);
    for (int i = 0; i < 2; i++) parts[i] = make_reshape(e, parts[i], 5, dims);
    Value *pairs = make_concat(e, parts, 2, 4);
    dims[3] = r->turned;
    return make_reshape(e, pairs, 4, dims);
}

bool expand_rotary_embedding(Graph *g, Node *n) {
    Expansion e = expansion_begin(g, n);
    Rotary r;
    if (!find_rotary(n, &r)) BUG(g->unit, "RotaryEmbedding '%s' was not checked", n->name);
    DType wide = lower_wide(n->inputs[0]->dtype);
    Value *x = make_reshape(&e, make_cast(&e, n->inputs[0], wide), 4, r.dims), *whole = x;
    if (r.turned < r.dims[3]) x = make_slice(&e, whole, 3, 0, r.turned);
    Value *cosine = angles(&e, &r, 1, wide), *sine = angles(&e, &r, 2, wide);
    Value *a = half(&e, &r, x, 0), *b = half(&e, &r, x, 1);
    Value *real = make_binary(&e, OP_Sub, make_binary(&e, OP_Mul, cosine, a),
                              make_binary(&e, OP_Mul, sine, b));
    Value *imaginary = make_binary(&e, OP_Add, make_binary(&e, OP_Mul, sine, a),
                                   make_binary(&e, OP_Mul, cosine, b));
    Value *parts[] = {join_halves(&e, &r, real, imaginary), NULL};
    if (r.turned < r.dims[3]) {
        parts[1] = make_slice(&e, whole, 3, r.turned, r.dims[3]);
        parts[0] = make_concat(&e, parts, 2, 3);
    }
    int64_t dims[MAX_RANK];
    int rank = value_dims(n->inputs[0], dims);
    expansion_give(&e, 0, make_reshape(&e, parts[0], rank, dims));
    return expansion_end(&e);
}
