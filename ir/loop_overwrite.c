/* loop_overwrite.c - may a buffer that a kernel makes lie where one does that it reads for the last
 * time?
 *
 * It may if nothing is read after an element in its place was written. Two accesses are safe if
 * they never touch the same place; or if the read comes first and there is no loop around both; or
 * if it comes first and the place tells the turn of every loop around both, so that what is written
 * in a turn is read in that turn only. A place tells the turns where the index is a number with the
 * turns as its digits: each coefficient exceeds the span of all that is smaller. */
#include "loop_build.h"

enum { TOUCHES = 64 };

typedef struct OrderedAccess {
    Access access; /* terms by coefficient, the largest first */
    const Stmt *around[ACCESS_TERMS];
    int n_around; /* loops; -1: too many */
} OrderedAccess;

typedef struct Touches {
    const Buffer *dying, *born;
    OrderedAccess at[TOUCHES];
    int n;
    bool refused; /* too many, or something that is never safe */
} Touches;

static void sort_terms(Access *a) {
    for (int i = 1; i < a->n_terms; i++) {
        AccessTerm term = a->terms[i];
        int at = i;
        for (; at > 0 && a->terms[at - 1].coefficient < term.coefficient; at--)
            a->terms[at] = a->terms[at - 1];
        a->terms[at] = term;
    }
}

static void take_access(const Access *a, void *context) {
    Touches *touches = context;
    if (a->buffer != touches->dying && !(a->buffer == touches->born && a->is_write)) return;
    bool many = touches->n == TOUCHES || a->n_loops > ACCESS_TERMS;
    if (many || (a->buffer == touches->dying && a->is_write)) {
        touches->refused = true;
        return;
    }
    OrderedAccess *t = &touches->at[touches->n++];
    t->access = *a;
    t->n_around = a->n_loops;
    for (int i = 0; i < a->n_loops; i++) t->around[i] = a->loops[i];
    sort_terms(&t->access);
}

/* What is left of an index without its first terms. */
static Range rest_of(const Access *a, int from) {
    if (!a->affine) return (Range){a->lo, a->hi};
    Range r = {a->base, a->base};
    for (int i = from; i < a->n_terms; i++) {
        Range turns = {0, a->terms[i].extent - 1},
              coefficient = {a->terms[i].coefficient, a->terms[i].coefficient};
        r = range_add(r, range_mul(turns, coefficient));
    }
    return r;
}

/* Does the coefficient of term i of both exceed the span of all that follows? */
static bool is_digit(const Access *x, const Access *y, int i) {
    if (!x->affine || !y->affine || i >= x->n_terms || i >= y->n_terms) return false;
    int64_t coefficient = x->terms[i].coefficient, span;
    Range a = rest_of(x, i + 1), b = rest_of(y, i + 1);
    if (a.hi < b.hi) a.hi = b.hi;
    if (a.lo > b.lo) a.lo = b.lo;
    return coefficient == y->terms[i].coefficient && !__builtin_sub_overflow(a.hi, a.lo, &span) &&
           coefficient > span;
}

/* The number of terms that are digits of both; -1: they never touch the same place. */
static int find_digits(const Access *x, const Access *y) {
    for (int i = 0;; i++) {
        Range a = rest_of(x, i), b = rest_of(y, i);
        if (a.hi < b.lo || b.hi < a.lo) return -1;
        if (!is_digit(x, y, i)) return i;
    }
}

static bool tells_turn(const Access *read, const Access *write, int n_digits, const Stmt *loop) {
    for (int i = 0; i < n_digits; i++)
        if (read->terms[i].loop == loop->var->id && write->terms[i].loop == loop->var->id)
            return true;
    return false;
}

static bool is_safe(const OrderedAccess *read, const OrderedAccess *write) {
    int digits = find_digits(&read->access, &write->access);
    if (digits < 0) return true;
    if (read->access.statement > write->access.statement) return false;
    for (int i = 0;
         i < read->n_around && i < write->n_around && read->around[i] == write->around[i]; i++)
        if (!tells_turn(&read->access, &write->access, digits, read->around[i])) return false;
    return true;
}

bool kernel_may_overwrite(const Program *p, const Kernel *k, const Buffer *dying,
                          const Buffer *born) {
    Touches touches = {.dying = dying, .born = born};
    if (dying->type != born->type || kernel_check_accesses(p, k, take_access, &touches))
        return false;
    for (int r = 0; r < touches.n && !touches.refused; r++)
        for (int w = 0; w < touches.n; w++) {
            const OrderedAccess *read = &touches.at[r], *write = &touches.at[w];
            if (!read->access.is_write && write->access.is_write && !is_safe(read, write))
                return false;
        }
    return !touches.refused;
}
