/* elem.h - small steps that ELEM operators share: private to ir/ops. */
#ifndef SONOC_ELEM_H
#define SONOC_ELEM_H

#include "lower.h"

/* The constant v in the type of x. */
static inline const Expr *elem_const(Lower *l, const Expr *x, double v) {
    return ex_const(l->b, x->type, v);
}

static inline const Expr *elem_is_nan(Lower *l, const Expr *x) {
    return ex_scalar(l->b, SC_NE, x, x, NULL);
}

/* x as an element of type `to`, defined for every x: float to integer truncates and saturates, NaN
 * gives 0 (to 4 bits by way of i32); integer to integer wraps; anything but 0 is true. */
const Expr *elem_convert(Lower *l, DType to, const Expr *x);

/* Integer division and remainder that truncate and never trap: by 0 they give 0, the smallest by -1
 * wraps. */
const Expr *elem_int_div(Lower *l, const Expr *x, const Expr *y);
const Expr *elem_int_rem(Lower *l, const Expr *x, const Expr *y);

/* The larger and the smaller; NaN if one is NaN. */
const Expr *elem_larger(Lower *l, const Expr *x, const Expr *y);
const Expr *elem_smaller(Lower *l, const Expr *x, const Expr *y);

#endif
