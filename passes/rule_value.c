/* rule_value.c - what conditions and attributes of rules are computed from: the functions, and
 * their evaluation.
 *
 * Whatever has no value (an attribute that is not given, the element of what is no constant, an
 * index outside) is DATUM_NONE, and so is what is computed from it; a condition that is DATUM_NONE
 * fails. */
#include "rule.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const Datum none = {.kind = DATUM_NONE};

Datum datum_int(int64_t i) { return (Datum){.kind = DATUM_NUMBER, .number = {true, i, (double)i}}; }

/* A whole number is an integer too: 6 / 2 is 3. */
Datum datum_real(double x) {
    Number n = {.f = x};
    if (x == floor(x) && fabs(x) < 0x1p53 && !(x == 0 && signbit(x)))
        n = (Number){true, (int64_t)x, x};
    return (Datum){.kind = DATUM_NUMBER, .number = n};
}

static Datum datum_text(const char *text) {
    return (Datum){.kind = text ? DATUM_TEXT : DATUM_NONE, .text = text};
}

bool datum_is_true(Datum d) {
    return d.kind == DATUM_NUMBER && d.number.f != 0 && d.number.f == d.number.f;
}

static Number *new_items(const Match *m, Datum *d, int n) {
    Number *items = NEW_ARRAY(m->unit->arena, Number, n);
    *d = (Datum){.kind = DATUM_LIST, .items = items, .n = n};
    return items;
}

static Number int_number(int64_t i) { return (Number){true, i, (double)i}; }

static Datum list_of_ints(Unit *u, const int64_t *ints, int n) {
    Number *items = NEW_ARRAY(u->arena, Number, n);
    for (int k = 0; k < n; k++) items[k] = int_number(ints[k]);
    return (Datum){.kind = DATUM_LIST, .items = items, .n = n};
}

static Datum list_of_floats(Unit *u, const float *floats, int n) {
    Number *items = NEW_ARRAY(u->arena, Number, n);
    for (int k = 0; k < n; k++) items[k] = datum_real((double)floats[k]).number;
    return (Datum){.kind = DATUM_LIST, .items = items, .n = n};
}

/* The attribute, or its default; tensors, graphs and texts in lists are no data. */
Datum datum_attr(Unit *u, const Node *n, const AttrInfo *info) {
    const Attr *a = node_attr(n, info->name);
    if (!a && !info->default_text) return none;
    switch ((AttrKind)info->kind) {
    case AT_INT: return datum_int(node_int(n, info->name));
    case AT_FLOAT: return datum_real((double)node_float(n, info->name));
    case AT_STRING: return datum_text(node_string(n, info->name));
    case AT_INTS: return a ? list_of_ints(u, a->u.ints, a->n) : none;
    case AT_FLOATS: return a ? list_of_floats(u, a->u.floats, a->n) : none;
    case AT_NONE:
    case AT_TENSOR:
    case AT_GRAPH:
    case AT_STRINGS: break;
    }
    return none;
}

/* Constants. */

static Number element(const Tensor *t, int64_t i) {
    if (!dtype_is_float(t->dtype)) return int_number(tensor_get_int(t, i));
    double x = tensor_get_double(t, i);
    return datum_real(x).number;
}

bool value_uniform(const Value *v, Number *x) {
    const Tensor *t = v ? v->constant : NULL;
    size_t bytes = t ? (size_t)dtypes[t->dtype].bytes : 0;
    if (!t || t->count < 1 || !bytes) return false;
    const char *first = t->data;
    for (int64_t i = 1; i < t->count; i++)
        if (memcmp(first, first + (size_t)i * bytes, bytes)) return false;
    *x = element(t, 0);
    return true;
}

static double epsilon_of(DType t) {
    switch ((int)t) {
    case DT_F64: return DBL_EPSILON;
    case DT_F16: return 0x1p-10;
    case DT_BF16: return 0x1p-7;
    default: return FLT_EPSILON;
    }
}

static double rounded_to(DType t, double x) {
    switch ((int)t) {
    case DT_F32: return (double)(float)x;
    case DT_F16: return (double)half_to_float(float_to_half((float)x));
    case DT_BF16: return (double)bfloat_to_float(float_to_bfloat((float)x));
    default: return x;
    }
}

/* Exact means: as if `wanted` were written in the type; 0 and -0 differ. */
bool number_is(DType dtype, Number x, Number wanted, bool near) {
    if (!dtype_is_float(dtype)) return x.is_int && wanted.is_int && x.i == wanted.i;
    if (near) return fabs(x.f - wanted.f) <= 4 * epsilon_of(dtype) * fabs(wanted.f);
    double w = rounded_to(dtype, wanted.f);
    return x.f == w && !signbit(x.f) == !signbit(w);
}

/* Functions of tensors. */

#define UNUSED __attribute__((unused))
#define FN(name) static Datum fn_##name(const Match *m UNUSED, const Argument *a, int n UNUSED)

FN(rank) { return a[0].value && a[0].value->rank >= 0 ? datum_int(a[0].value->rank) : none; }

FN(shape) {
    const Value *v = a[0].value;
    if (!v || !value_is_static(v)) return none;
    Datum d;
    Number *items = new_items(m, &d, v->rank);
    for (int k = 0; k < v->rank; k++) items[k] = int_number(v->dims[k].size);
    return d;
}

FN(dim) {
    const Value *v = a[0].value;
    Number k = a[1].datum.number;
    if (!v || a[1].datum.kind != DATUM_NUMBER || !k.is_int) return none;
    if (k.i < 0) k.i += v->rank;
    if (k.i < 0 || k.i >= v->rank || v->dims[k.i].size < 0) return none;
    return datum_int(v->dims[k.i].size);
}

FN(count) {
    int64_t count = a[0].value ? value_count(a[0].value) : -1;
    return count >= 0 ? datum_int(count) : none;
}

FN(dtype) { return a[0].value ? datum_text(dtypes[a[0].value->dtype].text) : none; }

FN(is_float) { return datum_int(a[0].value && dtype_is_float(a[0].value->dtype)); }

FN(is_int) { return datum_int(a[0].value && dtype_is_int(a[0].value->dtype)); }

FN(is_bool) { return datum_int(a[0].value && a[0].value->dtype == DT_BOOL); }

FN(value) {
    Number x;
    return value_uniform(a[0].value, &x) ? (Datum){.kind = DATUM_NUMBER, .number = x} : none;
}

FN(const) {
    Number x;
    if (n == 1) return datum_int(a[0].value && a[0].value->constant);
    if (a[1].datum.kind != DATUM_NUMBER || !value_uniform(a[0].value, &x)) return datum_int(0);
    return datum_int(number_is(a[0].value->dtype, x, a[1].datum.number, false));
}

FN(near) {
    Number x;
    if (a[1].datum.kind != DATUM_NUMBER || a[2].datum.kind != DATUM_NUMBER ||
        !value_uniform(a[0].value, &x))
        return none;
    return datum_int(fabs(x.f - a[1].datum.number.f) <= a[2].datum.number.f);
}

enum { MOST_ITEMS = 64 };

FN(list) {
    const Tensor *t = a[0].value ? a[0].value->constant : NULL;
    if (!t || t->rank > 1 || t->count > MOST_ITEMS || t->dtype == DT_STRING) return none;
    Datum d;
    Number *items = new_items(m, &d, (int)t->count);
    for (int k = 0; k < d.n; k++) items[k] = element(t, k);
    return d;
}

FN(as) { return a[1].datum; }

FN(present) { return datum_int(a[0].value != NULL); }

FN(single_use) { return datum_int(a[0].value && a[0].value->n_uses == 1); }

static bool same_dims(const Value *v, const Value *w) {
    return v && w && v->rank == w->rank && dims_equal(v->dims, w->dims, v->rank);
}

FN(same_shape) { return datum_int(same_dims(a[0].value, a[1].value)); }

FN(same_dtype) {
    return datum_int(a[0].value && a[1].value && a[0].value->dtype == a[1].value->dtype);
}

FN(broadcast) {
    const Value *v = a[0].value, *w = a[1].value;
    if (!v || !w || !value_is_static(v) || !value_is_static(w)) return none;
    Datum d;
    int rank = v->rank > w->rank ? v->rank : w->rank;
    Number *items = new_items(m, &d, rank);
    for (int k = 0; k < rank; k++) {
        int kv = k - rank + v->rank, kw = k - rank + w->rank;
        int64_t x = kv >= 0 ? v->dims[kv].size : 1, y = kw >= 0 ? w->dims[kw].size : 1;
        if (x != y && x != 1 && y != 1) return none;
        items[k] = int_number(x == 1 ? y : x);
    }
    return d;
}

/* Functions of data. */

static bool is_list(Datum d) { return d.kind == DATUM_LIST; }
static bool is_number(Datum d) { return d.kind == DATUM_NUMBER; }

FN(len) { return is_list(a[0].datum) ? datum_int(a[0].datum.n) : none; }

FN(all) {
    if (!is_list(a[0].datum) || !is_number(a[1].datum)) return none;
    for (int k = 0; k < a[0].datum.n; k++)
        if (a[0].datum.items[k].f != a[1].datum.number.f) return datum_int(0);
    return datum_int(1);
}

FN(prod) {
    double p = 1;
    if (!is_list(a[0].datum)) return none;
    for (int k = 0; k < a[0].datum.n; k++) p *= a[0].datum.items[k].f;
    return fabs(p) < 0x1p53 ? datum_real(p) : none;
}

static bool is_permutation(Datum d) {
    uint64_t seen = 0;
    if (!is_list(d) || d.n > MOST_ITEMS) return false;
    for (int k = 0; k < d.n; k++) {
        int64_t i = d.items[k].i;
        if (!d.items[k].is_int || i < 0 || i >= d.n || seen >> i & 1) return false;
        seen |= (uint64_t)1 << i;
    }
    return true;
}

FN(compose) {
    Datum p = a[0].datum, q = a[1].datum, d;
    if (!is_permutation(p) || !is_permutation(q) || p.n != q.n) return none;
    Number *items = new_items(m, &d, p.n);
    for (int k = 0; k < p.n; k++) items[k] = p.items[q.items[k].i];
    return d;
}

FN(inverse) {
    Datum p = a[0].datum, d;
    if (!is_permutation(p)) return none;
    Number *items = new_items(m, &d, p.n);
    for (int k = 0; k < p.n; k++) items[p.items[k].i] = int_number(k);
    return d;
}

FN(reversed) {
    Datum d;
    if (!is_number(a[0].datum) || a[0].datum.number.i < 0 || a[0].datum.number.i > MAX_RANK)
        return none;
    int rank = (int)a[0].datum.number.i;
    Number *items = new_items(m, &d, rank);
    for (int k = 0; k < rank; k++) items[k] = int_number(rank - 1 - k);
    return d;
}

FN(default) { return a[0].datum.kind == DATUM_NONE ? a[1].datum : a[0].datum; }

/* The axes of a list, from the front, in order; none if there are doubles. */
FN(axes) {
    Datum axes = a[0].datum, d;
    int64_t rank = a[1].datum.number.i;
    bool is_in[MAX_RANK] = {false};
    if (!is_list(axes) || !is_number(a[1].datum) || rank < 0 || rank > MAX_RANK) return none;
    for (int k = 0; k < axes.n; k++) {
        int64_t i = axes.items[k].i + (axes.items[k].i < 0 ? rank : 0);
        if (!axes.items[k].is_int || i < 0 || i >= rank || is_in[i]) return none;
        is_in[i] = true;
    }
    Number *items = new_items(m, &d, axes.n);
    for (int i = 0, k = 0; i < rank; i++)
        if (is_in[i]) items[k++] = int_number(i);
    return d;
}

FN(slice) {
    Datum d = a[0].datum;
    if (!is_list(d) || !is_number(a[1].datum) || (n > 2 && !is_number(a[2].datum))) return none;
    int64_t from = a[1].datum.number.i, to = n > 2 ? a[2].datum.number.i : d.n;
    if (from < 0) from += d.n;
    if (to < 0) to += d.n;
    if (from < 0 || to > d.n || from > to) return none;
    d.items += from;
    d.n = (int)(to - from);
    return d;
}

FN(range) {
    if (!is_number(a[0].datum) || !is_number(a[1].datum)) return none;
    int64_t from = a[0].datum.number.i, count;
    if (__builtin_sub_overflow(a[1].datum.number.i, from, &count) || count < 0 ||
        count > MOST_ITEMS)
        return none;
    Datum d;
    Number *items = new_items(m, &d, (int)count);
    for (int k = 0; k < d.n; k++) items[k] = int_number(from + k);
    return d;
}

FN(join) {
    Datum x = a[0].datum, y = a[1].datum, d;
    if (!is_list(x) || !is_list(y)) return none;
    Number *items = new_items(m, &d, x.n + y.n);
    for (int k = 0; k < d.n; k++) items[k] = k < x.n ? x.items[k] : y.items[k - x.n];
    return d;
}

FN(abs) { return is_number(a[0].datum) ? datum_real(fabs(a[0].datum.number.f)) : none; }

FN(sqrt) { return is_number(a[0].datum) ? datum_real(sqrt(a[0].datum.number.f)) : none; }

FN(min) {
    if (!is_number(a[0].datum) || !is_number(a[1].datum)) return none;
    return a[1].datum.number.f < a[0].datum.number.f ? a[1].datum : a[0].datum;
}

FN(max) {
    if (!is_number(a[0].datum) || !is_number(a[1].datum)) return none;
    return a[1].datum.number.f > a[0].datum.number.f ? a[1].datum : a[0].datum;
}

FN(is_power2) {
    int exponent;
    return is_number(a[0].datum) ? datum_int(fabs(frexp(a[0].datum.number.f, &exponent)) == 0.5)
                                 : none;
}

static DType as_dtype(Datum d) {
    if (d.kind == DATUM_TEXT) return dtype_from_text(d.text);
    if (d.kind != DATUM_NUMBER || !d.number.is_int || d.number.i < 0 || d.number.i > INT32_MAX)
        return DT_NONE;
    return dtype_from_onnx((int)d.number.i);
}

/* The element type that a number of ONNX names. */
FN(type) {
    DType t = as_dtype(a[0].datum);
    return t == DT_NONE ? none : datum_text(dtypes[t].text);
}

static int magnitude_bits(DType t) {
    if (t == DT_I4 || t == DT_U4) return t == DT_I4 ? 3 : 4;
    return 8 * dtypes[t].bytes - (dtypes[t].kind == DK_SIGNED);
}

static int mantissa_bits(DType t) {
    switch ((int)t) {
    case DT_F64: return 53;
    case DT_F32: return 24;
    case DT_F16: return 11;
    default: return 8;
    }
}

/* Whether every value of one type is a value of another. */
static bool holds(DType from, DType to) {
    if (from == to) return true;
    if (from == DT_STRING || to == DT_STRING || to == DT_BOOL) return false;
    if (from == DT_BOOL) return true;
    if (dtype_is_float(from)) return dtype_is_float(to) && dtypes[to].bytes > dtypes[from].bytes;
    if (dtype_is_float(to))
        return magnitude_bits(from) <= mantissa_bits(to) &&
               (to != DT_F16 || magnitude_bits(from) < 16);
    if (dtypes[from].kind == DK_SIGNED && dtypes[to].kind != DK_SIGNED) return false;
    return magnitude_bits(from) <= magnitude_bits(to);
}

FN(floating) {
    DType t = as_dtype(a[0].datum);
    return t == DT_NONE ? none : datum_int(dtype_is_float(t));
}

FN(holds) {
    DType from = as_dtype(a[0].datum), to = as_dtype(a[1].datum);
    return from == DT_NONE || to == DT_NONE ? none : datum_int(holds(from, to));
}

/* Operators. */

static Datum arithmetic(const Argument *a, bool (*ints)(int64_t, int64_t, int64_t *), double real) {
    Number x = a[0].datum.number, y = a[1].datum.number;
    int64_t i;
    if (!is_number(a[0].datum) || !is_number(a[1].datum)) return none;
    if (x.is_int && y.is_int && ints(x.i, y.i, &i)) return datum_int(i);
    return datum_real(real);
}

static bool ints_add(int64_t x, int64_t y, int64_t *r) { return !__builtin_add_overflow(x, y, r); }
static bool ints_sub(int64_t x, int64_t y, int64_t *r) { return !__builtin_sub_overflow(x, y, r); }
static bool ints_mul(int64_t x, int64_t y, int64_t *r) { return !__builtin_mul_overflow(x, y, r); }
static bool ints_div(int64_t x, int64_t y, int64_t *r) {
    bool exact = y != 0 && y != -1 && x % y == 0;
    *r = exact ? x / y : 0;
    return exact;
}

#define REAL(k) a[k].datum.number.f
FN(plus) { return arithmetic(a, ints_add, REAL(0) + REAL(1)); }

FN(minus) { return arithmetic(a, ints_sub, REAL(0) - REAL(1)); }

FN(times) { return arithmetic(a, ints_mul, REAL(0) * REAL(1)); }

FN(over) { return arithmetic(a, ints_div, REAL(1) == 0 ? NAN : REAL(0) / REAL(1)); }
#undef REAL

FN(modulo) {
    Number x = a[0].datum.number, y = a[1].datum.number;
    if (!is_number(a[0].datum) || !is_number(a[1].datum) || !x.is_int || !y.is_int || y.i <= 0)
        return none;
    return datum_int(x.i % y.i + (x.i % y.i < 0 ? y.i : 0));
}

FN(negate) { return is_number(a[0].datum) ? datum_real(-a[0].datum.number.f) : none; }

static bool numbers_equal(Number x, Number y) {
    return x.is_int && y.is_int ? x.i == y.i : x.f == y.f;
}

/* 1, 0, or -1: cannot be compared. */
static int data_equal(Datum x, Datum y) {
    if (x.kind != y.kind || x.kind == DATUM_NONE) return -1;
    if (x.kind == DATUM_TEXT) return !strcmp(x.text, y.text);
    if (x.kind == DATUM_NUMBER) return numbers_equal(x.number, y.number);
    for (int k = 0; k < x.n && x.n == y.n; k++)
        if (!numbers_equal(x.items[k], y.items[k])) return 0;
    return x.n == y.n;
}

FN(equal) {
    int same = data_equal(a[0].datum, a[1].datum);
    return same < 0 ? none : datum_int(same);
}

FN(differ) {
    int same = data_equal(a[0].datum, a[1].datum);
    return same < 0 ? none : datum_int(!same);
}

FN(less) {
    if (!is_number(a[0].datum) || !is_number(a[1].datum)) return none;
    return datum_int(a[0].datum.number.f < a[1].datum.number.f);
}

FN(less_or_equal) {
    if (!is_number(a[0].datum) || !is_number(a[1].datum)) return none;
    return datum_int(a[0].datum.number.f <= a[1].datum.number.f);
}

FN(greater) {
    const Argument swapped[] = {a[1], a[0]};
    return fn_less(m, swapped, n);
}

FN(greater_or_equal) {
    const Argument swapped[] = {a[1], a[0]};
    return fn_less_or_equal(m, swapped, n);
}

FN(and) { return datum_int(datum_is_true(a[0].datum) && datum_is_true(a[1].datum)); }

FN(or) { return datum_int(datum_is_true(a[0].datum) || datum_is_true(a[1].datum)); }

FN(not) { return is_number(a[0].datum) ? datum_int(!datum_is_true(a[0].datum)) : none; }

FN(index) {
    Datum d = a[0].datum;
    if (!is_list(d) || !is_number(a[1].datum) || !a[1].datum.number.is_int) return none;
    int64_t k = a[1].datum.number.i;
    if (k < 0) k += d.n;
    if (k < 0 || k >= d.n) return none;
    return (Datum){.kind = DATUM_NUMBER, .number = d.items[k]};
}

const RuleFunction rule_functions[] = {
#define FUNCTION(name, takes, function, summary) {name, takes, function, summary},
#include "rule_functions.def"
#undef FUNCTION
    {0},
};

/* Evaluation. */

static Datum eval_list(const Match *m, const Term *t) {
    Datum d;
    Number *items = new_items(m, &d, t->n_args);
    for (int k = 0; k < t->n_args; k++) {
        Datum item = rule_eval(m, t->args[k]);
        if (!is_number(item)) return none;
        items[k] = item.number;
    }
    return d;
}

static Datum eval_call(const Match *m, const Term *t) {
    Argument args[4] = {{0}};
    const char *takes = t->function->takes;
    for (int k = 0; k < t->n_args && k < 4; k++) {
        takes += *takes == '|';
        if (*takes++ == 'v')
            args[k].value = m->bound[t->args[k]->slot].value;
        else
            args[k].datum = rule_eval(m, t->args[k]);
    }
    return t->function->run(m, args, t->n_args);
}

Datum rule_eval(const Match *m, const Term *t) {
    switch (t->kind) {
    case TERM_NUMBER: return (Datum){.kind = DATUM_NUMBER, .number = t->number};
    case TERM_TEXT: return datum_text(t->text);
    case TERM_LIST: return eval_list(m, t);
    case TERM_NAME: return m->bound[t->slot].is_set ? m->bound[t->slot].datum : none;
    case TERM_CALL: return eval_call(m, t);
    case TERM_ABSENT:
    case TERM_OP: break;
    }
    return none;
}
