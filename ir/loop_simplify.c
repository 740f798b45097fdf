/* loop_simplify.c - simpler forms of scalar operations and selects, found as they are built.
 *
 * Every rule is exact.  Integers: decided by ranges, wrapping included.  Floats: bit for bit, NaN
 * and the sign of zero included, so nothing is reassociated.  A rule may drop an error that is not
 * reached, never add one. */
#include "loop_build.h"

#include <math.h>

static bool is_float_const(const Expr *e, double value) {
    return e->kind == EX_CONST && e->value.f == value && signbit(e->value.f) == signbit(value);
}

static bool is_op(const Expr *e, ScalarOp op) { return e->kind == EX_SCALAR && e->op == op; }

static const Expr *simplify_fma(Builder *b, const Expr *x, const Expr *y, const Expr *z) {
    if (is_float_const(y, 1)) return ex_add(b, x, z);
    if (is_float_const(x, 1)) return ex_add(b, y, z);
    if (is_float_const(z, -0.0)) return ex_mul(b, x, y);
    return NULL;
}

const Expr *simplify_float(Builder *b, ScalarOp op, const Expr *const *args) {
    const Expr *x = args[0], *y = args[1];
    switch ((int)op) {
    case SC_ADD:
        if (is_float_const(y, -0.0)) return x;
        return is_float_const(x, -0.0) ? y : NULL;
    case SC_SUB: return is_float_const(y, 0.0) ? x : NULL;
    case SC_MUL:
        if (is_float_const(y, 1)) return x;
        return is_float_const(x, 1) ? y : NULL;
    case SC_DIV: return is_float_const(y, 1) ? x : NULL;
    case SC_FMA: return simplify_fma(b, x, y, args[2]);
    case SC_NEG: return is_op(x, SC_NEG) ? x->args[0] : NULL;
    case SC_ABS:
        if (is_op(x, SC_ABS)) return x;
        return is_op(x, SC_NEG) ? ex_scalar(b, SC_ABS, x->args[0], NULL, NULL) : NULL;
    case SC_MIN:
    case SC_MAX: return x == y ? x : NULL;
    case SC_LT: return x == y ? ex_bool(b, false) : NULL;
    default: return NULL;
    }
}

static bool is_not(const Expr *x, const Expr *y) {
    return (is_op(x, SC_NOT) && x->args[0] == y) || (is_op(y, SC_NOT) && y->args[0] == x);
}

static const Expr *simplify_not(Builder *b, const Expr *x) {
    if (x->kind != EX_SCALAR) return NULL;
    const Expr *l = x->args[0], *r = x->args[1];
    switch ((int)x->op) {
    case SC_NOT: return l;
    case SC_EQ: return ex_scalar(b, SC_NE, l, r, NULL);
    case SC_NE: return ex_eq(b, l, r);
    case SC_LT: return dtype_is_int(l->type) ? ex_le(b, r, l) : NULL;
    case SC_LE: return dtype_is_int(l->type) ? ex_lt(b, r, l) : NULL;
    default: return NULL;
    }
}

/* x op c for a bool constant c. */
static const Expr *simplify_bool_const(Builder *b, ScalarOp op, const Expr *x, bool c) {
    switch ((int)op) {
    case SC_AND: return c ? x : ex_bool(b, false);
    case SC_OR: return c ? ex_bool(b, true) : x;
    case SC_XOR: return c ? ex_not(b, x) : x;
    case SC_EQ: return c ? x : ex_not(b, x);
    default: return NULL;
    }
}

const Expr *simplify_bool(Builder *b, ScalarOp op, const Expr *x, const Expr *y) {
    int64_t c;
    if (op == SC_NOT) return simplify_not(b, x);
    if (op == SC_LT) return ex_and(b, ex_not(b, x), y);
    if (op == SC_LE) return ex_or(b, ex_not(b, x), y);
    if (op == SC_MIN) return ex_and(b, x, y);
    if (op == SC_MAX) return ex_or(b, x, y);
    if (op == SC_NE) return ex_scalar(b, SC_XOR, x, y, NULL);
    if (expr_is_const_int(y, &c)) return simplify_bool_const(b, op, x, c);
    if (expr_is_const_int(x, &c)) return simplify_bool_const(b, op, y, c);
    if (x == y && (op == SC_XOR || op == SC_EQ)) return ex_bool(b, op == SC_EQ);
    if (x == y) return x;
    if (is_not(x, y) && op == SC_AND) return ex_bool(b, false);
    if (is_not(x, y) && op == SC_OR) return ex_bool(b, true);
    return expr_before(y, x) ? expr_raw(b, op, DT_BOOL, y, x, NULL) : NULL;
}

/* The range of x - y as true integers; false: it may wrap. */
static bool difference(const Expr *x, const Expr *y, Range *d) {
    Range sum;
    if (!range_is_ordered(x) || !range_is_ordered(y)) return false;
    bool wraps = __builtin_sub_overflow(x->lo, y->hi, &d->lo);
    wraps |= __builtin_sub_overflow(x->hi, y->lo, &d->hi);
    if (wraps) return false;
    if (x->type == DT_I64 && sum_difference(x, y, &sum)) {
        if (sum.lo > d->lo) d->lo = sum.lo;
        if (sum.hi < d->hi) d->hi = sum.hi;
    }
    return true;
}

/* e == rest + c, without wrapping? */
static bool is_shifted(const Expr *e, const Expr **rest, int64_t *c) {
    Range r;
    if (e->type != DT_I64 || !(is_op(e, SC_ADD) || is_op(e, SC_SUB))) return false;
    if (!expr_is_const_int(e->args[1], c) || *c == INT64_MIN) return false;
    if (is_op(e, SC_SUB)) *c = -*c;
    *rest = e->args[0];
    return range_add_fits((*rest)->lo, *c, &r.lo) && range_add_fits((*rest)->hi, *c, &r.hi);
}

/* x + c < k is x < k - c, and k <= x + c is k - c <= x. */
static const Expr *simplify_shifted(Builder *b, ScalarOp op, const Expr *x, const Expr *y) {
    const Expr *rest;
    int64_t k, c, moved;
    if (expr_is_const_int(y, &k) && is_shifted(x, &rest, &c) &&
        !__builtin_sub_overflow(k, c, &moved))
        return ex_scalar(b, op, rest, ex_index(b, moved), NULL);
    if (expr_is_const_int(x, &k) && is_shifted(y, &rest, &c) &&
        !__builtin_sub_overflow(k, c, &moved))
        return ex_scalar(b, op, ex_index(b, moved), rest, NULL);
    return NULL;
}

static const Expr *simplify_order(Builder *b, ScalarOp op, const Expr *x, const Expr *y) {
    Range d;
    int64_t c;
    if (x == y) return ex_bool(b, op == SC_LE);
    if (difference(x, y, &d)) {
        if (d.hi < 0 || (op == SC_LE && d.hi == 0)) return ex_bool(b, true);
        if (d.lo > 0 || (op == SC_LT && d.lo == 0)) return ex_bool(b, false);
    }
    if (x->type == DT_U64) return NULL;
    const Expr *shifted = simplify_shifted(b, op, x, y);
    if (shifted) return shifted;
    /* One form with constants, as one would write it: c <= x and x < c. */
    Range all = range_of_type(x->type);
    if (op == SC_LE && expr_is_const_int(y, &c) && c < all.hi)
        return ex_lt(b, x, ex_int(b, x->type, c + 1));
    if (op == SC_LT && expr_is_const_int(x, &c) && c < all.hi)
        return ex_le(b, ex_int(b, x->type, c + 1), y);
    return NULL;
}

static const Expr *simplify_equal(Builder *b, ScalarOp op, const Expr *x, const Expr *y) {
    Range d;
    if (x == y) return ex_bool(b, op == SC_EQ);
    if (difference(x, y, &d) && (d.lo > 0 || d.hi < 0)) return ex_bool(b, op == SC_NE);
    if (x->kind == EX_CONST || (expr_before(y, x) && y->kind != EX_CONST))
        return expr_raw(b, op, DT_BOOL, y, x, NULL);
    return NULL;
}

/* min(min(x, c1), c2), and the order of operands. */
static const Expr *simplify_min_max(Builder *b, ScalarOp op, const Expr *x, const Expr *y) {
    Range d;
    int64_t c;
    if (x == y) return x;
    if (difference(x, y, &d)) {
        if (d.hi <= 0) return op == SC_MIN ? x : y;
        if (d.lo >= 0) return op == SC_MIN ? y : x;
    }
    if (x->kind == EX_CONST) return ex_scalar(b, op, y, x, NULL);
    if (y->kind == EX_CONST && is_op(x, op) && expr_is_const_int(x->args[1], &c))
        return ex_scalar(b, op, x->args[0], ex_scalar(b, op, x->args[1], y, NULL), NULL);
    return expr_before(y, x) && y->kind != EX_CONST ? expr_raw(b, op, x->type, y, x, NULL) : NULL;
}

static const Expr *simplify_div(Builder *b, const Expr *x, const Expr *y) {
    int64_t c, inner;
    if (x->lo >= 0 && y->lo > x->hi && range_is_ordered(y)) return ex_int(b, x->type, 0);
    if (!expr_is_const_int(y, &c) || c <= 0) return NULL;
    if (c == 1) return x;
    if (!range_is_ordered(x)) return NULL;
    if (x->lo > -c && x->hi < c) return ex_int(b, x->type, 0);
    if (x->type != DT_I64) return NULL;
    if (is_op(x, SC_DIV) && expr_is_const_int(x->args[1], &inner) && inner > 0 &&
        inner <= INT64_MAX / c)
        return ex_div(b, x->args[0], ex_index(b, inner * c));
    /* One form for the middle digit: (x / c) % a. */
    if (is_op(x, SC_REM) && expr_is_const_int(x->args[1], &inner) && inner > 0 && inner % c == 0)
        return ex_rem(b, ex_div(b, x->args[0], y), ex_index(b, inner / c));
    return sum_div(b, x, c);
}

static const Expr *simplify_rem(Builder *b, const Expr *x, const Expr *y) {
    int64_t c, inner;
    if (x->lo >= 0 && y->lo > x->hi && range_is_ordered(y)) return x;
    if (!expr_is_const_int(y, &c) || c <= 0) return NULL;
    if (c == 1) return ex_int(b, x->type, 0);
    if (!range_is_ordered(x)) return NULL;
    if (x->lo > -c && x->hi < c) return x;
    if (x->type != DT_I64) return NULL;
    if (is_op(x, SC_REM) && expr_is_const_int(x->args[1], &inner) && inner > 0 && inner % c == 0)
        return ex_rem(b, x->args[0], y);
    return sum_rem(b, x, c);
}

static const Expr *simplify_index_sum(Builder *b, ScalarOp op, const Expr *x, const Expr *y) {
    int64_t c;
    switch ((int)op) {
    case SC_ADD: return sum_combine(b, x, y, 1);
    case SC_SUB: return sum_combine(b, x, y, -1);
    case SC_NEG: return sum_scale(b, x, -1);
    case SC_MUL:
        if (expr_is_const_int(y, &c)) return sum_scale(b, x, c);
        if (expr_is_const_int(x, &c)) return sum_scale(b, y, c);
        return expr_before(y, x) ? expr_raw(b, op, DT_I64, y, x, NULL) : NULL;
    default: return NULL;
    }
}

/* Operations with a neutral, absorbing or equal operand; constants of commutative ones go to the
 * right. */
static const Expr *simplify_identity(Builder *b, ScalarOp op, const Expr *x, const Expr *y) {
    int64_t c;
    bool commutes = op == SC_ADD || op == SC_MUL || op == SC_AND || op == SC_OR || op == SC_XOR;
    if (commutes && x->kind == EX_CONST) return ex_scalar(b, op, y, x, NULL);
    if (x == y && (op == SC_AND || op == SC_OR)) return x;
    if (x == y && (op == SC_SUB || op == SC_XOR)) return ex_int(b, x->type, 0);
    if (expr_is_const_int(y, &c)) {
        if (c == 0 && (op == SC_MUL || op == SC_AND)) return y;
        if (c == 1 && op == SC_MUL) return x;
        if (c == 0 && op != SC_DIV && op != SC_REM) return x;
        return NULL;
    }
    return commutes && expr_before(y, x) ? expr_raw(b, op, x->type, y, x, NULL) : NULL;
}

const Expr *simplify_int(Builder *b, ScalarOp op, const Expr *x, const Expr *y) {
    const Expr *e = x->type == DT_I64 ? simplify_index_sum(b, op, x, y) : NULL;
    if (e) return e;
    switch ((int)op) {
    case SC_DIV: return simplify_div(b, x, y);
    case SC_REM: return simplify_rem(b, x, y);
    case SC_MIN:
    case SC_MAX: return simplify_min_max(b, op, x, y);
    case SC_LT:
    case SC_LE: return simplify_order(b, op, x, y);
    case SC_EQ:
    case SC_NE: return simplify_equal(b, op, x, y);
    case SC_NOT: return is_op(x, SC_NOT) ? x->args[0] : NULL;
    case SC_NEG: return is_op(x, SC_NEG) ? x->args[0] : NULL;
    case SC_ABS: return x->lo >= 0 && range_is_ordered(x) ? x : NULL;
    case SC_DOT2: return NULL;
    default: return simplify_identity(b, op, x, y);
    }
}

/* select(cond, yes, no) of bools is a plain formula where nothing needs guarding. */
static const Expr *select_bool(Builder *b, const Expr *cond, const Expr *yes, const Expr *no) {
    int64_t y = -1, n = -1;
    if (expr_is_const_int(yes, &y) && expr_is_const_int(no, &n)) return y ? cond : ex_not(b, cond);
    if (y >= 0 && !no->traps) return y ? ex_or(b, cond, no) : ex_and(b, ex_not(b, cond), no);
    if (expr_is_const_int(no, &n) && !yes->traps)
        return n ? ex_or(b, ex_not(b, cond), yes) : ex_and(b, cond, yes);
    return NULL;
}

const Expr *simplify_select(Builder *b, const Expr *cond, const Expr *yes, const Expr *no) {
    int64_t c;
    if (expr_is_const_int(cond, &c)) return c ? yes : no;
    if (yes == no) return yes;
    if (is_op(cond, SC_NOT)) return ex_select(b, cond->args[0], no, yes);
    if (yes->kind == EX_SELECT && yes->args[0] == cond) return ex_select(b, cond, yes->args[1], no);
    if (no->kind == EX_SELECT && no->args[0] == cond) return ex_select(b, cond, yes, no->args[2]);
    if (yes->kind == EX_SELECT && yes->args[2] == no && !yes->args[0]->traps)
        return ex_select(b, ex_and(b, cond, yes->args[0]), yes->args[1], no);
    return yes->type == DT_BOOL ? select_bool(b, cond, yes, no) : NULL;
}
