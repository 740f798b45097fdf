/* loop_sum.c - index arithmetic: canonical sums of i64, and division and remainder of them.
 *
 * A sum is t1*c1 + t2*c2 + ... + c, its terms ordered by (innermost variable, id), so equal sums
 * are one pointer and what is invariant in an inner loop is a prefix that can be hoisted as it
 * stands.  Sums wrap like the machine's, so reordering is exact; what divides is split off only
 * where ranges prove that nothing wraps and all is >= 0. */
#include "loop_build.h"

static int64_t wrap_add(int64_t x, int64_t y) { return (int64_t)((uint64_t)x + (uint64_t)y); }
static int64_t wrap_mul(int64_t x, int64_t y) { return (int64_t)((uint64_t)x * (uint64_t)y); }

static void drop_term(Sum *s, int at) {
    s->n--;
    for (int i = at; i < s->n; i++) s->terms[i] = s->terms[i + 1];
}

bool sum_add(Sum *s, const Expr *x, int64_t c) {
    int at = s->n;
    while (at > 0 && !expr_before(s->terms[at - 1].x, x)) {
        at--;
        if (s->terms[at].x != x) continue;
        s->terms[at].c = wrap_add(s->terms[at].c, c);
        if (!s->terms[at].c) drop_term(s, at);
        return true;
    }
    if (!c) return true;
    if (s->n == MAX_TERMS) return false;
    for (int i = s->n++; i > at; i--) s->terms[i] = s->terms[i - 1];
    s->terms[at] = (Term){x, c};
    return true;
}

/* Adds e * scale to the sum; false: too many terms. */
static bool gather(Sum *s, const Expr *e, int64_t scale) {
    int64_t c;
    if (expr_is_const_int(e, &c)) {
        s->c = wrap_add(s->c, wrap_mul(c, scale));
        return true;
    }
    if (e->kind != EX_SCALAR || e->terms > MAX_TERMS) return sum_add(s, e, scale);
    if (e->op == SC_ADD || e->op == SC_SUB)
        return gather(s, e->args[0], scale) &&
               gather(s, e->args[1], e->op == SC_SUB ? wrap_mul(scale, -1) : scale);
    if (e->op == SC_NEG) return gather(s, e->args[0], wrap_mul(scale, -1));
    if (e->op == SC_MUL && expr_is_const_int(e->args[1], &c))
        return gather(s, e->args[0], wrap_mul(scale, c));
    return sum_add(s, e, scale);
}

static bool is_op_by_const(const Expr *e, ScalarOp op, int64_t *c) {
    return e->kind == EX_SCALAR && e->op == op && expr_is_const_int(e->args[1], c);
}

/* The position of the term x / c * scale; a quotient of a quotient is kept as one division. */
static int find_quotient(const Sum *s, const Expr *x, int64_t c, int64_t scale) {
    int64_t d;
    if (is_op_by_const(x, SC_DIV, &d) && d > 0 && c > 0 && d <= INT64_MAX / c)
        return find_quotient(s, x->args[0], d * c, scale);
    for (int i = 0; i < s->n; i++)
        if (s->terms[i].c == scale && is_op_by_const(s->terms[i].x, SC_DIV, &d) && d == c &&
            s->terms[i].x->args[0] == x)
            return i;
    return -1;
}

/* x / c * c + x % c == x, however x was taken apart. */
static bool recombine(Sum *s) {
    int64_t c;
    for (int i = 0; i < s->n; i++) {
        const Expr *r = s->terms[i].x;
        if (!is_op_by_const(r, SC_REM, &c)) continue;
        int64_t k = s->terms[i].c;
        int q = find_quotient(s, r->args[0], c, wrap_mul(k, c));
        if (q < 0) continue;
        drop_term(s, q > i ? q : i);
        drop_term(s, q > i ? i : q);
        return gather(s, r->args[0], k) && recombine(s);
    }
    return true;
}

static const Expr *scaled(Builder *b, const Expr *x, int64_t c) {
    if (c == 1) return x;
    if (c == -1) return expr_raw(b, SC_NEG, DT_I64, x, NULL, NULL);
    return expr_raw(b, SC_MUL, DT_I64, x, ex_index(b, c), NULL);
}

const Expr *sum_build(Builder *b, const Sum *s) {
    if (!s->n) return ex_index(b, s->c);
    const Expr *e = scaled(b, s->terms[0].x, s->terms[0].c);
    for (int i = 1; i < s->n; i++) {
        bool minus = s->terms[i].c < 0 && s->terms[i].c > INT64_MIN;
        const Expr *t = scaled(b, s->terms[i].x, minus ? -s->terms[i].c : s->terms[i].c);
        e = expr_raw(b, minus ? SC_SUB : SC_ADD, DT_I64, e, t, NULL);
    }
    if (!s->c) return e;
    bool minus = s->c < 0 && s->c > INT64_MIN;
    return expr_raw(b, minus ? SC_SUB : SC_ADD, DT_I64, e, ex_index(b, minus ? -s->c : s->c), NULL);
}

/* The range of the sum; everything if it may wrap on the way. */
static Range sum_range(const Sum *s) {
    Range r = {s->c, s->c};
    for (int i = 0; i < s->n; i++) {
        Range c = {s->terms[i].c, s->terms[i].c};
        Range t = range_mul(range_of(s->terms[i].x), c);
        if (range_is_all(t)) return t;
        r = range_add(r, t);
        if (range_is_all(r)) return r;
    }
    return r;
}

const Expr *sum_combine(Builder *b, const Expr *x, const Expr *y, int64_t scale_y) {
    Sum s = {.n = 0};
    if (gather(&s, x, 1) && gather(&s, y, scale_y) && recombine(&s)) return sum_build(b, &s);
    return expr_raw(b, SC_ADD, DT_I64, x, scaled(b, y, scale_y), NULL);
}

const Expr *sum_scale(Builder *b, const Expr *x, int64_t c) {
    Sum s = {.n = 0};
    if (gather(&s, x, c)) return sum_build(b, &s);
    return scaled(b, x, c);
}

bool sum_difference(const Expr *x, const Expr *y, Range *range) {
    Sum s = {.n = 0};
    if (!gather(&s, x, 1) || !gather(&s, y, -1)) return false;
    *range = sum_range(&s);
    return !range_is_all(*range);
}

static int64_t floor_div(int64_t x, int64_t c) { return x / c - (x % c < 0); }

/* x == c * quotient + rest, each without wrapping, rest.c in 0..c-1. */
bool sum_split(const Sum *x, int64_t c, Sum *quotient, Sum *rest) {
    if (x->c < INT64_MIN + c || range_is_all(sum_range(x))) return false;
    *quotient = (Sum){.c = floor_div(x->c, c)};
    *rest = (Sum){.c = x->c - c * quotient->c};
    for (int i = 0; i < x->n; i++) {
        Term t = x->terms[i];
        if (t.c % c == 0)
            quotient->terms[quotient->n++] = (Term){t.x, t.c / c};
        else
            rest->terms[rest->n++] = t;
    }
    return !range_is_all(sum_range(quotient)) && !range_is_all(sum_range(rest));
}

static int64_t gcd(int64_t x, int64_t y) {
    while (y) {
        int64_t r = x % y;
        x = y;
        y = r;
    }
    return x < 0 ? -x : x;
}

static int64_t common_factor(const Sum *s, int64_t c) {
    for (int i = 0; i < s->n; i++) c = gcd(c, s->terms[i].c);
    return c;
}

/* s == g * (what s becomes) + the result, which is in 0..g-1. */
static int64_t divide_out(Sum *s, int64_t g) {
    int64_t c = s->c, q = floor_div(c, g);
    for (int i = 0; i < s->n; i++) s->terms[i].c /= g;
    s->c = q;
    return c - q * g;
}

/* All of the sum and what does not divide are >= 0, and taking them apart makes something
 * simpler. */
static bool splits(const Sum *s, const Sum *q, const Sum *r, int64_t c, int64_t g) {
    Range all = sum_range(s), rest = sum_range(r);
    if (all.lo < 0 || rest.lo < 0) return false;
    return q->n || q->c > 0 || g > 1 || rest.hi < c;
}

const Expr *sum_div(Builder *b, const Expr *x, int64_t c) {
    Sum s = {.n = 0}, q, r;
    if (!gather(&s, x, 1) || !sum_split(&s, c, &q, &r)) return NULL;
    if (!r.n && !r.c) return sum_build(b, &q);
    int64_t g = common_factor(&r, c);
    if (!splits(&s, &q, &r, c, g)) return NULL;
    divide_out(&r, g);
    const Expr *low = ex_div(b, sum_build(b, &r), ex_index(b, c / g));
    return sum_combine(b, low, sum_build(b, &q), 1);
}

const Expr *sum_rem(Builder *b, const Expr *x, int64_t c) {
    Sum s = {.n = 0}, q, r;
    if (!gather(&s, x, 1) || !sum_split(&s, c, &q, &r)) return NULL;
    if (!r.n && !r.c) return ex_index(b, 0);
    int64_t g = common_factor(&r, c);
    if (!splits(&s, &q, &r, c, g)) return NULL;
    int64_t low = divide_out(&r, g);
    const Expr *high = ex_rem(b, sum_build(b, &r), ex_index(b, c / g));
    return sum_combine(b, ex_index(b, low), high, g);
}

/* Adds e * scale, looking through LETs; the coefficient of v apart.  false: v stands elsewhere
 * too. */
static bool gather_affine(Sum *s, const Expr *e, const Var *v, int64_t scale,
                          int64_t *coefficient) {
    Sum parts = {.n = 0};
    if (!gather(&parts, e, scale)) return false;
    s->c = wrap_add(s->c, parts.c);
    for (int i = 0; i < parts.n; i++) {
        const Expr *x = parts.terms[i].x;
        int64_t c = parts.terms[i].c;
        if (!expr_depends(x, v)) {
            if (!sum_add(s, x, c)) return false;
        } else if (x->kind == EX_VAR && x->var == v) {
            *coefficient = wrap_add(*coefficient, c);
        } else if (x->kind != EX_VAR || !gather_affine(s, x->var->let, v, c, coefficient)) {
            return false;
        }
    }
    return true;
}

bool expr_affine_in(Builder *b, const Expr *e, const Var *v, int64_t *coefficient,
                    const Expr **rest) {
    Sum s = {.n = 0};
    *coefficient = 0;
    if (e->type != DT_I64) return false;
    if (!expr_depends(e, v)) {
        *rest = e;
        return true;
    }
    if (!gather_affine(&s, e, v, 1, coefficient)) return false;
    *rest = sum_build(b, &s);
    return true;
}

/* As gather, with every LET replaced by its value. */
static bool gather_expanded(Sum *s, const Expr *e, int64_t scale) {
    Sum parts = {.n = 0};
    if (!gather(&parts, e, scale)) return false;
    s->c = wrap_add(s->c, parts.c);
    for (int i = 0; i < parts.n; i++) {
        Term t = parts.terms[i];
        bool let = t.x->kind == EX_VAR && t.x->var->let;
        if (!(let ? gather_expanded(s, t.x->var->let, t.c) : sum_add(s, t.x, t.c))) return false;
    }
    return true;
}

bool sum_of(const Expr *e, Sum *s) {
    *s = (Sum){.n = 0};
    return gather_expanded(s, e, 1);
}

/* The k for which the terms of s hold those of `part` k times; 0: none. */
static int64_t multiple_within(const Sum *s, const Sum *part) {
    int64_t k = 0;
    for (int i = 0, at = 0; i < part->n; i++, at++) {
        while (at < s->n && s->terms[at].x != part->terms[i].x) at++;
        if (at == s->n || s->terms[at].c % part->terms[i].c) return 0;
        int64_t q = s->terms[at].c / part->terms[i].c;
        if (k && q != k) return 0;
        k = q;
    }
    return k;
}

/* Takes the fact's sum out of s as often as it is in there; the range of what was taken is added to
 * *taken. */
static void take_fact(Sum *s, const Fact *fact, Range *taken) {
    Sum part = {.n = 0};
    if (!gather_expanded(&part, fact->x, 1)) return;
    int64_t k = multiple_within(s, &part);
    if (!k) return;
    for (int i = 0; i < part.n; i++) sum_add(s, part.terms[i].x, wrap_mul(part.terms[i].c, -k));
    s->c = wrap_add(s->c, wrap_mul(part.c, -k));
    *taken = range_add(*taken, range_mul(fact->range, (Range){k, k}));
}

enum {
    WHERE_DEPTH = 8
}; /* the facts are asked of so many levels: shared parts are visited again and again */

static Range sum_range_at(const Expr *e, const Fact *facts, int n_facts, int depth);

static Range atom_range_at(const Expr *e, const Fact *facts, int n_facts, int depth) {
    Range own = range_of(e);
    bool select = e->kind == EX_SELECT;
    if (depth == WHERE_DEPTH || (!select && (e->kind != EX_SCALAR || e->n_args != 2))) return own;
    Range x = sum_range_at(e->args[select], facts, n_facts, depth + 1);
    Range y = sum_range_at(e->args[select + 1], facts, n_facts, depth + 1);
    if (!select) return range_both(own, range_op(e->op, x, y));
    return range_both(own, (Range){x.lo < y.lo ? x.lo : y.lo, x.hi > y.hi ? x.hi : y.hi});
}

static Range sum_range_atoms(const Sum *s, const Fact *facts, int n_facts, int depth) {
    Range r = {s->c, s->c};
    for (int i = 0; i < s->n; i++) {
        Range c = {s->terms[i].c, s->terms[i].c};
        r = range_add(r, range_mul(atom_range_at(s->terms[i].x, facts, n_facts, depth), c));
        if (range_is_all(r)) return r;
    }
    return r;
}

static Range sum_range_at(const Expr *e, const Fact *facts, int n_facts, int depth) {
    Sum s = {.n = 0};
    Range taken = {0, 0}, own = range_of(e);
    if (!gather_expanded(&s, e, 1)) return own;
    for (int i = n_facts - 1; i >= 0; i--) take_fact(&s, &facts[i], &taken);
    Range r = range_add(sum_range_atoms(&s, facts, n_facts, depth), taken);
    return range_is_all(r) ? own : range_both(own, r);
}

Range sum_range_where(const Expr *e, const Fact *facts, int n_facts) {
    return sum_range_at(e, facts, n_facts, 0);
}
