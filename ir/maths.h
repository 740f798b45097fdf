/* maths.h - functions that no machine rounds the same, as formulas of loop IR over scalars.def, so that every
 * backend gives the same bits.  x is f32 or f64; the result has its type.  The error bound of each, in ulp, stands at its
 * definition and is tested.  None uses FMA unless the program's target has it (ex_fma). */
#ifndef SONOC_MATHS_H
#define SONOC_MATHS_H

#include "loop.h"

#define MATH(name) const Expr *math_##name(Builder *b, const Expr *x);
#include "maths.def"
#undef MATH

const Expr *math_pow(Builder *b, const Expr *x, const Expr *y);
const Expr *math_fmod(Builder *b, const Expr *x, const Expr *y);   /* C's fmod: exact, sign of x */
const Expr *math_copysign(Builder *b, const Expr *x, const Expr *sign);
const Expr *math_is_nan(Builder *b, const Expr *x);                /* bool */
const Expr *math_is_inf(Builder *b, const Expr *x, bool positive, bool negative);   /* bool */

#endif
