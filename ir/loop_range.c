/* loop_range.c - proven ranges of integer expressions: intervals, where what may wrap is unknown.
 *
 * A u64 beyond INT64_MAX has no place in an interval of i64: such ranges are unknown too. */
#include "loop_build.h"

static const Range everything = {INT64_MIN, INT64_MAX};

static int64_t min_of(int64_t x, int64_t y) { return x < y ? x : y; }
static int64_t max_of(int64_t x, int64_t y) { return x > y ? x : y; }

Range range_of_type(DType t) {
    if (t == DT_BOOL) return (Range){0, 1};
    if (t == DT_I4) return (Range){-8, 7};
    if (t == DT_U4) return (Range){0, 15};
    int bits = 8 * dtypes[t].bytes;
    if (!dtype_is_int(t) || bits >= 64) return everything;
    if (dtypes[t].kind == DK_UNSIGNED) return (Range){0, (INT64_C(1) << bits) - 1};
    return (Range){-(INT64_C(1) << (bits - 1)), (INT64_C(1) << (bits - 1)) - 1};
}

Range range_clip(DType t, Range r) {
    Range all = range_of_type(t);
    if (t == DT_U64) return r.lo < 0 ? everything : r;
    return r.lo < all.lo || r.hi > all.hi ? all : r;
}

Range range_of_buffer(const Buffer *buffer) {
    return buffer->ranged ? (Range){buffer->lo, buffer->hi} : range_of_type(buffer->type);
}

void range_find_of_buffer(Buffer *buffer) {
    enum { MOST = 1 << 18 };
    const Tensor *t = buffer->data;
    if (buffer->ranged || !t || !dtype_is_int(buffer->type) || buffer->type == DT_U64 ||
        t->count < 1 || t->count > MOST)
        return;
    buffer->ranged = true;
    buffer->lo = buffer->hi = tensor_get_int(t, 0);
    for (int64_t i = 1; i < t->count; i++) {
        int64_t value = tensor_get_int(t, i);
        buffer->lo = min_of(buffer->lo, value);
        buffer->hi = max_of(buffer->hi, value);
    }
}

bool range_is_ordered(const Expr *e) { return e->type != DT_U64 || e->lo >= 0; }

bool range_add_fits(int64_t x, int64_t y, int64_t *sum) {
    return !__builtin_add_overflow(x, y, sum);
}

Range range_add(Range x, Range y) {
    Range r;
    bool fits = range_add_fits(x.lo, y.lo, &r.lo) && range_add_fits(x.hi, y.hi, &r.hi);
    return fits ? r : everything;
}

static Range range_sub(Range x, Range y) {
    Range r;
    bool wraps = __builtin_sub_overflow(x.lo, y.hi, &r.lo);
    wraps |= __builtin_sub_overflow(x.hi, y.lo, &r.hi);
    return wraps ? everything : r;
}

static Range hull(const int64_t *v, int n) {
    Range r = {v[0], v[0]};
    for (int i = 1; i < n; i++) {
        r.lo = min_of(r.lo, v[i]);
        r.hi = max_of(r.hi, v[i]);
    }
    return r;
}

Range range_mul(Range x, Range y) {
    int64_t v[4];
    bool wraps = __builtin_mul_overflow(x.lo, y.lo, &v[0]);
    wraps |= __builtin_mul_overflow(x.lo, y.hi, &v[1]);
    wraps |= __builtin_mul_overflow(x.hi, y.lo, &v[2]);
    wraps |= __builtin_mul_overflow(x.hi, y.hi, &v[3]);
    return wraps ? everything : hull(v, 4);
}

/* The divisor 0 gives no value, so it says nothing about the range. */
static Range without_zero(Range y) {
    if (y.lo == 0 && y.hi > 0) y.lo = 1;
    if (y.hi == 0 && y.lo < 0) y.hi = -1;
    return y;
}

Range range_div(Range x, Range y) {
    y = without_zero(y);
    if (x.lo == INT64_MIN || (y.lo == 0 && y.hi == 0)) return everything;
    if (y.lo < 0 && y.hi > 0) {
        int64_t most = max_of(max_of(x.hi, -x.hi), max_of(x.lo, -x.lo));
        return (Range){-most, most};
    }
    int64_t v[4] = {x.lo / y.lo, x.lo / y.hi, x.hi / y.lo, x.hi / y.hi};
    return hull(v, 4);
}

Range range_rem(Range x, Range y) {
    int64_t most = INT64_MAX;
    if (y.lo > INT64_MIN) most = max_of(max_of(y.hi, -y.lo), 1) - 1;
    return (Range){x.lo < 0 ? max_of(-most, x.lo) : 0, x.hi > 0 ? min_of(most, x.hi) : 0};
}

static Range range_abs(Range x) {
    if (x.lo == INT64_MIN) return everything;
    if (x.lo >= 0) return x;
    if (x.hi <= 0) return (Range){-x.hi, -x.lo};
    return (Range){0, max_of(x.hi, -x.lo)};
}

static Range range_and(Range x, Range y) {
    if (x.lo >= 0 && y.lo >= 0) return (Range){0, min_of(x.hi, y.hi)};
    if (x.lo >= 0) return (Range){0, x.hi};
    if (y.lo >= 0) return (Range){0, y.hi};
    return everything;
}

static Range range_or(Range x, Range y) {
    if (x.lo < 0 || y.lo < 0) return everything;
    uint64_t bits = (uint64_t)(x.hi | y.hi);
    for (int shift = 1; shift < 64; shift *= 2) bits |= bits >> shift;
    return (Range){0, (int64_t)bits};
}

static Range range_shift(ScalarOp op, Range x, Range y) {
    if (y.lo != y.hi || y.lo < 0 || y.lo > 62) return everything;
    if (op == SC_SHR) return (Range){x.lo >> y.lo, x.hi >> y.lo};
    int64_t factor = INT64_C(1) << y.lo;
    return range_mul(x, (Range){factor, factor});
}

static Range range_unclipped(ScalarOp op, Range x, Range y) {
    switch (op) {
    case SC_ADD: return range_add(x, y);
    case SC_SUB: return range_sub(x, y);
    case SC_MUL: return range_mul(x, y);
    case SC_DIV: return range_div(x, y);
    case SC_REM: return range_rem(x, y);
    case SC_NEG: return range_sub((Range){0, 0}, x);
    case SC_ABS: return range_abs(x);
    case SC_MIN: return (Range){min_of(x.lo, y.lo), min_of(x.hi, y.hi)};
    case SC_MAX: return (Range){max_of(x.lo, y.lo), max_of(x.hi, y.hi)};
    case SC_AND: return range_and(x, y);
    case SC_OR:
    case SC_XOR: return range_or(x, y);
    case SC_NOT: return (Range){~x.hi, ~x.lo};
    case SC_SHL:
    case SC_SHR: return range_shift(op, x, y);
    case SC_FMA:
    case SC_DOT2:
    case SC_SQRT:
    case SC_LT:
    case SC_LE:
    case SC_EQ:
    case SC_NE:
    case SC_COUNT: break;
    }
    return everything;
}

Range range_op(ScalarOp op, Range x, Range y) { return range_unclipped(op, x, y); }

Range range_both(Range x, Range y) { return (Range){max_of(x.lo, y.lo), min_of(x.hi, y.hi)}; }

Range range_scalar(ScalarOp op, DType type, const Expr *x, const Expr *y) {
    Range all = range_of_type(type);
    if (!dtype_is_int(type)) return all;
    if (!range_is_ordered(x) || (y && !range_is_ordered(y))) return all;
    return range_clip(type, range_unclipped(op, range_of(x), y ? range_of(y) : range_of(x)));
}
