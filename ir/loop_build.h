/* loop_build.h - inside the loop IR: the builder, the table of expressions, and the steps of their simplification. */
#ifndef SONOC_LOOP_BUILD_H
#define SONOC_LOOP_BUILD_H

#include "loop.h"

/* A block that is being filled. */
typedef struct Block {
    Stmt *owner;             /* the FOR or IF that it belongs to; NULL: the kernel's body */
    Stmt **slot;             /* where the owner hangs in its own block */
    Stmt **tail;             /* where the next statement goes */
    bool in_else;
} Block;

struct Builder {
    Program *program;
    Kernel *kernel;
    Arena *arena;
    struct ExprTable *table; /* the kernel's */
    VEC(Block) blocks;
};

struct ExprTable *table_new(Arena *a);
/* Walks that see each expression of a kernel once: start one, then ask whether e is new in it. */
void walk_start(const Kernel *k);
bool walk_is_new(const Kernel *k, const Expr *e);

/* The canonical pointer of an expression with these fields (ranges and the like are derived). */
const Expr *expr_intern(Builder *b, const Expr *like);
/* A scalar operation as it stands, without simplification. */
const Expr *expr_raw(Builder *b, ScalarOp op, DType type, const Expr *x, const Expr *y, const Expr *z);
const Expr *ex_var(Builder *b, const Var *v);
bool scalar_takes(ScalarOp op, DType t);        /* is op defined on operands of t? */
/* Statements as they stand: closes a block, whatever is in it; a LET of any value; a write, checked by the caller. */
void stmt_close(Builder *b);
const Expr *stmt_for(Builder *b, LoopKind kind, const char *name, const Expr *extent);   /* also of one turn */
const Expr *stmt_let(Builder *b, const char *name, const Expr *value);
Stmt *stmt_write(Builder *b, StmtKind kind, Buffer *buffer, const Expr *index, const Expr *value,
                 const Expr *factor);
bool may_prefetch(const Buffer *buffer, const Expr *index);
Var *var_new(Builder *b, const char *name, DType type);

bool expr_may_fail(const Expr *e);              /* evaluating it, its parts apart */
/* Before placing: what may fail and is shared inside an arm becomes a SELECT that may leave it (in *guarded). */
void kernel_guard(Builder *b, Arena *scratch, Map *guarded);

/* Ranges: of a type, and of an expression from those of its parts (sets lo, hi). */
typedef struct Range { int64_t lo, hi; } Range;
Range range_of_type(DType t);
Range range_clip(DType t, Range r);             /* what wraps is unknown: the whole type */
Range range_of_buffer(const Buffer *buffer);
void range_find_of_buffer(Buffer *buffer);      /* of a constant, from its elements, once */
Range range_scalar(ScalarOp op, DType type, const Expr *x, const Expr *y);
Range range_op(ScalarOp op, Range x, Range y);  /* of i64 */
Range range_both(Range x, Range y);             /* what is in both */
Range range_add(Range x, Range y);
Range range_mul(Range x, Range y);
Range range_div(Range x, Range y);
Range range_rem(Range x, Range y);
bool range_add_fits(int64_t x, int64_t y, int64_t *sum);
static inline Range range_of(const Expr *e) { return (Range){e->lo, e->hi}; }
static inline bool range_is_all(Range r) { return r.lo == INT64_MIN && r.hi == INT64_MAX; }
/* Bounds that order values as the type does: false for u64 beyond INT64_MAX. */
bool range_is_ordered(const Expr *e);

/* Each gives NULL where it has nothing simpler to say. */
const Expr *fold_scalar(Builder *b, ScalarOp op, const Expr *const *args);
const Expr *fold_cast(Builder *b, DType t, const Expr *x);
const Expr *simplify_float(Builder *b, ScalarOp op, const Expr *const *args);
const Expr *simplify_int(Builder *b, ScalarOp op, const Expr *x, const Expr *y);
const Expr *simplify_bool(Builder *b, ScalarOp op, const Expr *x, const Expr *y);
const Expr *simplify_select(Builder *b, const Expr *cond, const Expr *yes, const Expr *no);
double round_to_type(double value, DType t);
int64_t wrap_to_type(int64_t value, DType t);

/* Canonical sums of i64 (loop_sum.c): terms[i].x * terms[i].c + ... + c. */
enum { MAX_TERMS = 32 };
typedef struct Term { const Expr *x; int64_t c; } Term;
typedef struct Sum {
    int n;
    int64_t c;
    Term terms[MAX_TERMS];
} Sum;
bool sum_of(const Expr *e, Sum *s);             /* with LETs replaced by their values; false: too many terms */
bool sum_add(Sum *s, const Expr *x, int64_t c); /* of a term; false: too many */
const Expr *sum_build(Builder *b, const Sum *s);
/* x == c * quotient + rest, each without wrapping, rest.c in 0..c-1. */
bool sum_split(const Sum *x, int64_t c, Sum *quotient, Sum *rest);
const Expr *sum_combine(Builder *b, const Expr *x, const Expr *y, int64_t scale_y);    /* x + y * scale_y */
const Expr *sum_scale(Builder *b, const Expr *x, int64_t c);
bool sum_difference(const Expr *x, const Expr *y, Range *range);   /* of x - y; false: unknown */
const Expr *sum_div(Builder *b, const Expr *x, int64_t c);      /* NULL: nothing splits off */
const Expr *sum_rem(Builder *b, const Expr *x, int64_t c);

/* A copy of e with other parts. */
const Expr *expr_rebuild(Builder *b, const Expr *e, const Expr *const *args);

/* What a condition tells about an i64: x is in `range`. */
typedef struct Fact { const Expr *x; Range range; } Fact;
/* The range of an i64 where the facts hold, looking through LETs. */
Range sum_range_where(const Expr *e, const Fact *facts, int n_facts);

/* An access inside a loop, with what is known where it stands. */
typedef struct Touch {
    const Buffer *buffer;
    const Expr *index;
    bool is_write;
    const Fact *facts;
    int n_facts;
} Touch;
/* Do x in one iteration of the loop and y in another never touch the same element of their buffer? (loop_apart.c) */
bool touches_apart(Builder *b, const Var *loop, const Touch *x, const Touch *y);

/* Chooses the PARALLEL loops that threads share, at most one around a statement, where that pays; the others become
 * SERIAL (loop_share.c).  After placing: so do those that are not proven to be parallel. */
void kernel_share(Builder *b);
void kernel_prove(Builder *b);

/* Text form: may the name stand unquoted?  Spelling shared by printing and parsing. */
bool text_name_is_plain(const char *name);
extern const char *const loop_kind_texts[4], *const buffer_kind_texts[6];

/* Is every access of this load in bounds, whatever the guards? */
static inline bool load_is_proven(const Buffer *buffer, const Expr *index) {
    return index->lo >= 0 && index->hi < buffer->count;
}

/* The order of operands where it does not matter: by the innermost variable, then by content. */
static inline bool expr_before(const Expr *x, const Expr *y) {
    return x->last_var != y->last_var ? x->last_var < y->last_var : x->content < y->content;
}

#endif
