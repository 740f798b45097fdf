/* compare.c - how far a tensor is from another: absolute, relative, in units of the last place. */
#include "ports.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Floats as integers of the same order: neighbours differ by one; both zeros are 0. */
static int64_t ordinal(DType dtype, double x) {
    int64_t bits = 0;
    if (dtype == DT_F64) {
        memcpy(&bits, &x, 8);
        return bits < 0 ? INT64_MIN - bits : bits;
    }
    float single = (float)x;
    uint32_t word;
    memcpy(&word, &single, 4);
    int64_t magnitude = word & 0x7fffffff, sign = word >> 31;
    if (dtype == DT_F16 || dtype == DT_BF16)
        magnitude = (dtype == DT_F16 ? float_to_half(single) : float_to_bfloat(single)) & 0x7fff;
    return sign ? -magnitude : magnitude;
}

static int64_t ulp_distance(DType dtype, double got, double want) {
    if (isnan(got) || isnan(want)) return isnan(got) && isnan(want) ? 0 : INT64_MAX;
    int64_t distance;
    if (!dtype_is_float(dtype)) return got == want ? 0 : INT64_MAX;
    if (__builtin_sub_overflow(ordinal(dtype, got), ordinal(dtype, want), &distance))
        return INT64_MAX;
    return distance == INT64_MIN ? INT64_MAX : llabs(distance);
}

/* One pair; integers are compared exactly (doubles do not hold all of them). */
static void compare_element(const Tensor *got, const Tensor *want, int64_t i, Bound bound,
                            Difference *d) {
    bool is_float = dtype_is_float(got->dtype);
    double x = tensor_get_double(got, i), y = tensor_get_double(want, i);
    bool same = is_float                      ? x == y || (isnan(x) && isnan(y))
                : dtype_is_float(want->dtype) ? x == y
                                              : tensor_get_int(got, i) == tensor_get_int(want, i);
    if (same) return;
    d->differing++;
    double absolute = isfinite(x) && isfinite(y) ? fabs(x - y) : INFINITY;
    if (!is_float && absolute == 0) absolute = 1;
    double relative = y != 0 ? absolute / fabs(y) : INFINITY;
    int64_t ulp = ulp_distance(got->dtype, x, y);
    d->absolute = fmax(d->absolute, absolute);
    d->relative = fmax(d->relative, relative);
    if (ulp > d->ulp) d->ulp = ulp;
    if ((isfinite(absolute) && absolute <= bound.atol + bound.rtol * fabs(y)) || ulp <= bound.ulp)
        return;
    if (!d->count++) {
        d->first = i;
        d->got = x;
        d->want = y;
    }
}

Difference tensor_compare(const Tensor *got, const Tensor *want, Bound bound) {
    Difference d = {.first = -1};
    for (int64_t i = 0; i < got->count; i++) compare_element(got, want, i, bound, &d);
    return d;
}
