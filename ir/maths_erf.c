/* maths_erf.c - the error function: x + x p(x^2) near 0, further out 1 - erfc(x).
 *
 * There erfc is small, so that a moderate relative error of it is enough: f32 has a polynomial for
 * -log(erfc(x)) / x, f64 one for exp(x^2) erfc(x) in t = (x - 5/2) / (x + 5/2). */
#include "maths_build.h"

static const double near_f32[] = {0x1.06eba8p-3, -0x1.812744p-2,  0x1.ce2e78p-4, -0x1.b81924p-6,
                                  0x1.55341cp-8, -0x1.ae1fa4p-11, 0x1.6a0226p-14};
static const double far_f32[] = {0x1.20e818p+0, 0x1.4576f2p-1,   0x1.aec64cp-4,   -0x1.71e15cp-6,
                                 0x1.7809cap-9, -0x1.c650fcp-16, -0x1.a4a084p-15, 0x1.65fb56p-18};
static const double near_f64[] = {
    0x1.06eba8214db68p-3,  -0x1.812746b0379bdp-2,  0x1.ce2f21a040f03p-4,  -0x1.b82ce312032b5p-6,
    0x1.565bccfa3bfabp-8,  -0x1.c02db06416a0cp-11, 0x1.f9a2bdfaff7dcp-14, -0x1.f4ca7cd836f89p-17,
    0x1.b98187ef597b1p-20, -0x1.5c10ea2b3266dp-23, 0x1.d75a82fc09e43p-27, -0x1.ac60f1e3e81d2p-31};
static const double far_f64[] = {
    0x1.afbb3f3b7343bp-3,  -0x1.7ca88dec217a4p-2,  0x1.01c11a735cd3ap-2,   -0x1.00115437181c7p-3,
    0x1.470ba1f667a84p-5,  -0x1.05bb2fd76b1f9p-8,  -0x1.5a57156fe84eep-9,  0x1.cb3b70ebf2983p-11,
    0x1.def13c64247b2p-13, -0x1.0e54948897ab9p-13, -0x1.1f6aa364e46a5p-15, 0x1.373bd41e602a3p-16,
    0x1.05ae5f0bc617ap-17, -0x1.a8ec55640bbc6p-20, -0x1.3bc5ea120a4dep-20, -0x1.1c027abed514ap-29};

/* Of a magnitude beyond the near part, up to where erf rounds to 1. */
static const Expr *erfc_far(Builder *b, const Expr *a) {
    if (a->type == DT_F32) return math_exp(b, ex_neg(b, ex_mul(b, a, POLY(b, a, far_f32))));
    const Expr *centre = num(b, a, 2.5);
    const Expr *t = ex_div(b, ex_sub(b, a, centre), ex_add(b, a, centre));
    return ex_mul(b, math_exp(b, ex_neg(b, ex_mul(b, a, a))), POLY(b, t, far_f64));
}

/* f32: 1.1 ulp, f64: 1 ulp */
const Expr *math_erf(Builder *b, const Expr *x) {
    bool narrow = x->type == DT_F32;
    const Expr *magnitude = ex_scalar(b, SC_ABS, x, NULL, NULL);
    const Expr *a = ex_min(b, num(b, x, narrow ? 4 : 6), magnitude), *z = ex_mul(b, a, a);
    const Expr *p = narrow ? POLY(b, z, near_f32) : POLY(b, z, near_f64);
    const Expr *near = ex_fma(b, a, p, a), *far = ex_sub(b, num(b, x, 1), erfc_far(b, a));
    return math_copysign(b, ex_select(b, is_less(b, a, narrow ? 0.9 : 1), near, far), x);
}
