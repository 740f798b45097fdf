/* check_compare.c - are the results of a pass what it promised? */
#include "check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static bool is_nan(const Tensor *t, int64_t i) {
    return dtype_is_float(t->dtype) && isnan(tensor_get_double(t, i));
}

static bool same_bits(const Tensor *a, const Tensor *b, int64_t i) {
    size_t bytes = (size_t)dtypes[a->dtype].bytes;
    return !memcmp((const char *)a->data + (size_t)i * bytes,
                   (const char *)b->data + (size_t)i * bytes, bytes) ||
           (is_nan(a, i) && is_nan(b, i));
}

/* The largest finite magnitude. */
static double magnitude(const Tensor *t) {
    double most = 0;
    for (int64_t i = 0; i < t->count; i++) {
        double x = fabs(tensor_get_double(t, i));
        if (isfinite(x) && x > most) most = x;
    }
    return most;
}

static bool is_near(const Tensor *got, const Tensor *want, int64_t i, double allowed) {
    double x = tensor_get_double(got, i), y = tensor_get_double(want, i);
    return x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= allowed;
}

static bool same_type(const Tensor *a, const Tensor *b) {
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dims[d] != b->dims[d]) return false;
    return true;
}

const char *results_differ(Arena *a, const Pass *p, const Graph *g, const Tensor *const *got,
                           const Tensor *const *want) {
    double bound = pass_bound(p);
    for (int k = 0; k < g->outputs.n; k++) {
        const Tensor *x = got[k], *y = want[k];
        const char *name = g->outputs.at[k]->name;
        if (!same_type(x, y)) return arena_format(a, "output '%s' has another type or shape", name);
        bool exact = p->promise == CLASS_BIT || !dtype_is_float(x->dtype);
        double allowed = exact ? 0 : bound * magnitude(y);
        for (int64_t i = 0; i < x->count; i++) {
            if (exact ? same_bits(x, y, i) : is_near(x, y, i, allowed)) continue;
            return arena_format(a,
                                "output '%s', element %" PRId64 ": %.9g, without the pass %.9g%s",
                                name, i, tensor_get_double(x, i), tensor_get_double(y, i),
                                exact ? " (should be the same bits)"
                                      : arena_format(a, " (should be at most %.3g away)", allowed));
        }
    }
    return NULL;
}
