/* loop_apart.c - proves that two accesses in different iterations of a loop never meet.
 *
 * Suppose the one in iteration p1 and the other in iteration p2 touch the same element: their
 * indices are equal.  Sums x = c * q + r and y = c * q' + r' whose rests lie within less than c of
 * one another are equal only if q == q' and r == r': so equal indices fall apart into equal digits,
 * and a number is equal where both its quotient and its remainder are.  Two things end the search:
 * what must be equal cannot be, by its ranges, or p1 == p2 follows. */
#include "loop_build.h"

#include <stdlib.h>

enum { STEPS = 64, DIGITS = 16 };

/* What is equal in the two iterations: base[0] / by in the first, base[1] / by in the second; or
 * the remainders. */
typedef struct Digit {
    const Expr *base[2];
    int64_t by;
    bool is_rest;
} Digit;

typedef struct Proof {
    Builder *b;
    const Var *p; /* the variable of the loop */
    const Touch *at[2];
    Digit digits[DIGITS];
    int n_digits, steps;
    bool done;
} Proof;

static const Expr *without_let(const Expr *e) {
    while (e->kind == EX_VAR && e->var->let) e = e->var->let;
    return e;
}

/* The same value in all iterations of the loop. */
static bool is_outer(const Proof *f, const Expr *e) {
    if (e->kind == EX_LOAD)
        return (e->buffer->kind == BUF_CONST || e->buffer->kind == BUF_INPUT) &&
               is_outer(f, e->args[0]);
    return e->fixed && e->last_var < f->p->id;
}

static bool is_loop_var(const Proof *f, const Expr *e) {
    return e->kind == EX_VAR && e->var == f->p;
}

static bool is_bound(const Expr *e) {
    return e->kind == EX_SCALAR && (e->op == SC_MIN || e->op == SC_MAX);
}

static int64_t size_of(int64_t c) { return c < 0 ? -c : c; }

/* The largest term that says something of the iteration; its x is NULL where there is none. */
static Term loop_term(const Proof *f, const Expr *e) {
    Sum s;
    Term best = {NULL, 0};
    if (!sum_of(e, &s)) return best;
    for (int i = 0; i < s.n; i++) {
        Term t = s.terms[i];
        if (t.c > INT64_MIN && size_of(t.c) > size_of(best.c) && expr_depends(t.x, f->p)) best = t;
    }
    return best;
}

/* min(a * p + r, k) = a * p + min(r, k - a * p), where that has a range; NULL: it has none. */
static const Expr *take_loop_out(const Proof *f, const Expr *bound, Term *taken) {
    const Expr *part[2];
    *taken = loop_term(f, bound->args[0]);
    if (!taken->x) *taken = loop_term(f, bound->args[1]);
    if (!taken->x) return NULL;
    for (int k = 0; k < 2; k++) {
        Sum s;
        if (!sum_of(bound->args[k], &s) || !sum_add(&s, taken->x, -taken->c)) return NULL;
        part[k] = sum_build(f->b, &s);
        if (range_is_all(range_of(part[k]))) return NULL;
    }
    return expr_raw(f->b, bound->op, DT_I64, part[0], part[1], NULL);
}

/* Takes the iteration's part out of MIN and MAX; false: there is none. */
static bool take_loops_out(const Proof *f, Sum *s) {
    Sum parts = *s;
    bool found = false;
    *s = (Sum){.c = parts.c};
    for (int i = 0; i < parts.n; i++) {
        Term t = parts.terms[i], taken;
        const Expr *rest = is_bound(t.x) ? take_loop_out(f, t.x, &taken) : NULL;
        if (rest && !sum_add(s, taken.x, (int64_t)((uint64_t)t.c * (uint64_t)taken.c)))
            return false;
        if (!sum_add(s, rest ? rest : t.x, t.c)) return false;
        found |= rest != NULL;
    }
    return found;
}

static Range range_in(const Proof *f, int which, const Sum *s) {
    const Touch *t = f->at[which];
    return sum_range_where(sum_build(f->b, s), t->facts, t->n_facts);
}

static void learn(Proof *f, const Sum *x, const Sum *y, bool taken_out);

static void learn_expr(Proof *f, const Expr *x, const Expr *y) {
    Sum s[2];
    if (sum_of(x, &s[0]) && sum_of(y, &s[1])) learn(f, &s[0], &s[1], false);
}

static bool sums_same(const Expr *x, const Expr *y) {
    Range difference;
    return x == y || (sum_difference(x, y, &difference) && !difference.lo && !difference.hi);
}

/* x / by, where x may be a quotient itself. */
static Digit quotient_of(const Expr *x, int64_t by) {
    int64_t d;
    x = without_let(x);
    if (x->kind == EX_SCALAR && x->op == SC_DIV && expr_is_const_int(x->args[1], &d) && d > 0 &&
        d <= INT64_MAX / by)
        return (Digit){.base = {x->args[0]}, .by = d * by};
    return (Digit){.base = {x}, .by = by};
}

/* Are a quotient and a remainder of one number known?  Then the numbers are equal. */
static bool completes(const Digit *q, const Digit *r) {
    if (q->is_rest || !r->is_rest) return false;
    for (int k = 0; k < 2; k++) {
        Digit whole = quotient_of(r->base[k], r->by), own = quotient_of(q->base[k], q->by);
        if (whole.by != own.by || !sums_same(whole.base[0], own.base[0])) return false;
    }
    return true;
}

static void learn_digit(Proof *f, Digit d) {
    if (f->n_digits == DIGITS) return;
    f->digits[f->n_digits++] = d;
    for (int i = 0; i < f->n_digits - 1 && !f->done; i++) {
        const Digit *other = &f->digits[i];
        if (completes(&d, other))
            learn_expr(f, other->base[0], other->base[1]);
        else if (completes(other, &d))
            learn_expr(f, d.base[0], d.base[1]);
    }
}

/* Where x / by can only be one number, and the same for both, equal remainders are equal
 * numbers. */
static bool is_one_quotient(const Proof *f, const Expr *x, const Expr *y, int64_t by) {
    const Expr *c = ex_index(f->b, by), *qx = ex_div(f->b, x, c), *qy = ex_div(f->b, y, c);
    Range a = sum_range_where(qx, f->at[0]->facts, f->at[0]->n_facts);
    Range b = sum_range_where(qy, f->at[1]->facts, f->at[1]->n_facts);
    return a.lo == a.hi && b.lo == b.hi && a.lo == b.lo;
}

/* One thing alone is equal to one other. */
static void learn_atoms(Proof *f, const Expr *x, const Expr *y) {
    int64_t by, same_by;
    if (is_loop_var(f, x) && is_loop_var(f, y)) f->done = true;
    if (x->kind != EX_SCALAR || y->kind != EX_SCALAR || x->op != y->op) return;
    if (x->op != SC_DIV && x->op != SC_REM) return;
    if (!expr_is_const_int(x->args[1], &by) || !expr_is_const_int(y->args[1], &same_by) ||
        by != same_by || by < 1)
        return;
    if (x->op == SC_REM && is_one_quotient(f, x->args[0], y->args[0], by))
        learn_expr(f, x->args[0], y->args[0]);
    learn_digit(f, (Digit){{x->args[0], y->args[0]}, by, x->op == SC_REM});
}

/* Takes out of both what is the same in both. */
static void cancel_outer(const Proof *f, Sum *x, Sum *y) {
    for (int i = x->n - 1; i >= 0; i--) {
        Term t = x->terms[i];
        if (!is_outer(f, t.x)) continue;
        for (int k = 0; k < y->n; k++) {
            if (y->terms[k].x != t.x || y->terms[k].c != t.c) continue;
            sum_add(x, t.x, -t.c);
            sum_add(y, t.x, -t.c);
            break;
        }
    }
}

static int by_number_down(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

/* The sizes of the coefficients, largest first. */
static int coefficients(const Sum *x, const Sum *y, int64_t *sizes) {
    int n = 0;
    for (int i = 0; i < x->n + y->n; i++) {
        int64_t c = i < x->n ? x->terms[i].c : y->terms[i - x->n].c;
        if (c > INT64_MIN) sizes[n++] = c < 0 ? -c : c;
    }
    qsort(sizes, (size_t)n, sizeof *sizes, by_number_down);
    return n;
}

/* Taken apart at c: true if that tells something new. */
static bool learn_split(Proof *f, const Sum *x, const Sum *y, int64_t c, bool taken_out) {
    Sum q[2], r[2];
    if (!sum_split(x, c, &q[0], &r[0]) || !sum_split(y, c, &q[1], &r[1])) return false;
    bool whole = !r[0].n && !r[1].n && !r[0].c && !r[1].c;
    if ((!q[0].n && !q[1].n) || (whole && c == 1)) return false;
    Range a = range_in(f, 0, &r[0]), b = range_in(f, 1, &r[1]);
    int64_t lo = a.lo < b.lo ? a.lo : b.lo, hi = a.hi > b.hi ? a.hi : b.hi, width;
    if (__builtin_sub_overflow(hi, lo, &width) || width >= c) return false;
    learn(f, &q[0], &q[1], taken_out);
    learn(f, &r[0], &r[1], taken_out);
    return true;
}

/* taken_out: what MIN and MAX hide of the iteration is in the sums. */
static void learn(Proof *f, const Sum *given_x, const Sum *given_y, bool taken_out) {
    Sum x = *given_x, y = *given_y;
    int64_t sizes[2 * MAX_TERMS];
    if (f->done || f->steps++ > STEPS) return;
    cancel_outer(f, &x, &y);
    Range a = range_in(f, 0, &x), b = range_in(f, 1, &y);
    if (a.hi < b.lo || b.hi < a.lo) f->done = true;
    if (f->done) return;
    int n = coefficients(&x, &y, sizes);
    for (int i = 0; i < n; i++)
        if ((!i || sizes[i] != sizes[i - 1]) && learn_split(f, &x, &y, sizes[i], taken_out)) return;
    if (x.n == 1 && y.n == 1 && x.terms[0].c == y.terms[0].c && x.c == y.c)
        learn_atoms(f, x.terms[0].x, y.terms[0].x);
    if (taken_out || f->done) return;
    bool hidden = take_loops_out(f, &x);
    if (take_loops_out(f, &y) || hidden) learn(f, &x, &y, true);
}

bool touches_apart(Builder *b, const Var *loop, const Touch *x, const Touch *y) {
    Proof f = {.b = b, .p = loop, .at = {x, y}};
    learn_expr(&f, x->index, y->index);
    return f.done;
}
