/* loop.h - the loop IR: HOW it is computed.  Loops, loads, stores, scalar arithmetic; no operators.
 *
 * Expressions are pure and hash-consed per kernel: equal expressions are the same pointer.  An expression has an
 * element type; it stands for a vector when it depends on the variable of an enclosing LANES loop.  Indices are
 * flat element numbers of type i64 and carry a proven range lo..hi; they are simplified as they are built.
 * Buffers are flat arrays; layouts are resolved before loop IR. */
#ifndef SONOC_LOOP_H
#define SONOC_LOOP_H

#include "cost.h"
#include "diag.h"
#include "target.h"
#include "type.h"

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Var Var;
typedef struct Buffer Buffer;
typedef struct Kernel Kernel;
typedef struct Program Program;

typedef enum ScalarOp {
#define SCALAR(id, arity, text) SC_##id,
#include "scalars.def"
#undef SCALAR
    SC_COUNT
} ScalarOp;

typedef struct ScalarInfo { int arity; const char *text; } ScalarInfo;
extern const ScalarInfo scalar_infos[SC_COUNT];

typedef enum ExprKind {
    EX_CONST,      /* value.i (integers, bool) or value.f (floats; exact for f32, f16, bf16) */
    EX_VAR,        /* a loop variable or a LET */
    EX_LOAD,       /* buffer[args[0]] */
    EX_SCALAR,     /* op(args) */
    EX_SELECT,     /* args[0] ? args[1] : args[2]; only the chosen side is evaluated (per lane) */
    EX_CAST,       /* conversion; to floats: round to nearest even; float to int: truncates, must be in range;
                      int to narrower int: wraps; to bool: != 0 */
    EX_BITCAST     /* same bits, other type of the same size */
} ExprKind;

struct Expr {
    ExprKind kind;
    DType type;
    ScalarOp op;
    int n_args;
    const Expr *args[3];
    union { int64_t i; double f; } value;
    const Var *var;
    const Buffer *buffer;
    int64_t lo, hi;          /* integers: proven range (INT64_MIN, INT64_MAX: nothing is known) */
    int id;                  /* order of creation in the kernel */
    uint64_t content;        /* hash of what it says: orders operands, whatever was created first */
    int terms;               /* of a sum: its length */
    int last_var;            /* greatest id of a loop variable inside, through LETs; -1: none.  Ids grow inwards */
    uint64_t vars;           /* bit (id % 64) of every variable inside, through LETs */
    bool fixed;              /* no loads anywhere inside */
    bool vector;             /* depends on the variable of a LANES loop: stands for a vector */
    bool traps;              /* evaluating it may be an error: an unproven load, DIV, REM, SHL, SHR or CAST */
};

typedef enum LoopKind {
    LOOP_SERIAL,
    LOOP_PARALLEL,           /* iterations are independent, any order, any thread: none writes what another touches */
    LOOP_UNROLL,             /* constant extent; the body may be repeated instead */
    LOOP_LANES               /* constant extent; iterations independent; becomes a vector; innermost but for UNROLL */
} LoopKind;

struct Var {
    const char *name;        /* as suggested by who made it; printers make it unique */
    DType type;              /* i64 for loops */
    int id;                  /* unique in the kernel */
    int64_t lo, hi;          /* proven range of an integer */
    LoopKind loop;           /* of loop variables */
    const Expr *let;         /* of LET variables: the value; else NULL */
    int64_t lanes;           /* LOOP_LANES: the extent */
    bool vector;             /* LET: the value depends on a lanes variable */
    int born;                /* the kernel's n_exprs when it was made: no older expression depends on it */
};

typedef enum BufferKind {
    BUF_INPUT,
    BUF_OUTPUT,
    BUF_CONST,
    BUF_ARENA,               /* lives through kernels; all threads see it */
    BUF_LOCAL,               /* of a block; on the stack or in registers */
    BUF_SCRATCH              /* of a block, too large for the stack; each thread has its own */
} BufferKind;

/* A flat array of `count` elements. */
struct Buffer {
    int id;                  /* dense in the program from 0 (locals too) */
    const char *name;        /* readable, from the ONNX name; printers make it unique */
    DType type;
    int64_t count;
    BufferKind kind;
    const Tensor *data;      /* BUF_CONST; NULL when parsed from a text that only tells the hash, or not made yet */
    const Program *maker;    /* BUF_CONST without data: a program whose only output is the elements (constant.c) */
    uint64_t hash;           /* BUF_CONST without data: of the data */
    bool ranged;             /* integers lie in lo..hi: of a BUF_CONST found at its first load, of a BUF_LOCAL
                                promised by its maker and checked at every store */
    int64_t lo, hi;
    int64_t offset;          /* BUF_ARENA, BUF_SCRATCH: byte offset in the arena, by the memory plan; of a
                                BUF_SCRATCH, for the thread that runs the program */
    int64_t worker_offset;   /* BUF_SCRATCH of a PARALLEL loop: byte offset in the scratch memory of any other thread */
    int lanes;               /* BUF_LOCAL: > 0: only accessed as whole aligned vectors of so many lanes */
    int first_kernel, last_kernel;   /* BUF_ARENA, BUF_SCRATCH: live range, kernel numbers; by program_plan */
    const Buffer *overwrites;        /* BUF_ARENA: it lies where this one does, which is last read by the kernel that
                                        makes it; kept by program_plan */
};

/* A place in the arena, by the memory plan. */
static inline bool buffer_is_placed(const Buffer *b) { return b->kind == BUF_ARENA || b->kind == BUF_SCRATCH; }
static inline int64_t buffer_bytes(const Buffer *b) { return b->count * dtypes[b->type].bytes; }

/* Declared by a statement: its contents are undefined there, and it is gone at the end of the block. */
static inline bool buffer_is_declared(const Buffer *b) { return b->kind == BUF_LOCAL || b->kind == BUF_SCRATCH; }

typedef enum StmtKind {
    ST_FOR,
    ST_IF,
    ST_LET,
    ST_LOCAL,
    ST_STORE,
    ST_ACC,
    ST_PREFETCH              /* buffer[index] is read soon: changes no result */
} StmtKind;

/* Statements of a block are a list linked by `next`; a NULL list is an empty block. */
struct Stmt {
    StmtKind kind;
    Stmt *next;
    Var *var;                /* FOR: 0 <= var < extent; LET */
    const Expr *extent;      /* FOR */
    LoopKind loop;           /* FOR */
    const Expr *cond;        /* IF */
    Stmt *body, *other;      /* FOR, IF: body; IF: the else block */
    Buffer *buffer;          /* LOCAL (also of a BUF_SCRATCH): zero cost declaration, contents undefined; STORE, ACC,
                                PREFETCH (no BUF_LOCAL) */
    const Expr *index;       /* STORE, ACC, PREFETCH (there proven to be in the buffer, and no vector) */
    const Expr *value;       /* STORE, LET, ACC: the addend; with fused: the first factor */
    const Expr *factor;      /* ACC with fused: buffer[index] = fma(value, factor, buffer[index]) */
    bool fused;              /* else buffer[index] = buffer[index] + value */
};

struct Kernel {
    const char *name;        /* a C identifier without prefix, unique in the program */
    const char *comment;     /* what it is made from: operators, ONNX names, shapes; one line or several */
    Stmt *body;
    int64_t macs;            /* multiply-adds a run */
    int64_t bytes;           /* read and written once, weights included */
    struct ExprTable *exprs; /* hash-consing */
    int n_exprs, n_vars;
};

/* An input or output of the program. */
typedef struct Port {
    const char *name;        /* the ONNX name */
    DType dtype;
    int rank;
    const int64_t *dims;
    Buffer *buffer;
} Port;

/* The choice that a kernel is made by, where its node had one. */
typedef struct Chosen {
    const Kernel *kernel;
    int number;                      /* of the node */
    const char *node, *variant;      /* as the files of choices tell them */
    Effort effort;                       /* that the estimate counts */
} Chosen;

struct Program {
    Unit *unit;
    const char *name;
    const Target *target;
    VEC(Buffer *) buffers;
    VEC(Kernel *) kernels;   /* run in this order */
    VEC(Port) inputs;
    VEC(Port) outputs;
    VEC(Chosen) chosen;      /* by lowering, for reports: no part of the text form */
    int64_t arena_bytes;     /* by program_plan */
    int64_t scratch_bytes;   /* that each thread but the first needs behind it; by program_plan */
};

Program *program_new(Unit *u, const char *name, const Target *target);
Buffer *program_add_buffer(Program *p, const char *name, DType type, int64_t count, BufferKind kind);

/* Building.  One kernel at a time; blocks are a stack inside the builder.  Every function that adds a statement
 * is a statement of its own at the call site: the order of C's arguments is not defined. */
typedef struct Builder Builder;
Builder *builder_begin(Program *p, const char *kernel_name);
Kernel *builder_end(Builder *b);                     /* appends the kernel to the program; drops it if empty: NULL */
/* A builder that only makes expressions, for readers of a complete kernel (expr_affine_in gives new ones). */
Builder *builder_resume(const Program *p, const Kernel *k);
Program *builder_program(const Builder *b);
Kernel *builder_kernel(const Builder *b);

const Expr *ex_int(Builder *b, DType t, int64_t i);
const Expr *ex_float(Builder *b, DType t, double f);  /* rounded to t */
const Expr *ex_const(Builder *b, DType t, double v);  /* either, by t */
const Expr *ex_index(Builder *b, int64_t i);          /* ex_int(b, DT_I64, i) */
const Expr *ex_bool(Builder *b, bool v);
const Expr *ex_load(Builder *b, const Buffer *buffer, const Expr *index);
const Expr *ex_scalar(Builder *b, ScalarOp op, const Expr *x, const Expr *y, const Expr *z);
const Expr *ex_select(Builder *b, const Expr *cond, const Expr *yes, const Expr *no);
const Expr *ex_cast(Builder *b, DType t, const Expr *x);
const Expr *ex_bitcast(Builder *b, DType t, const Expr *x);
static inline const Expr *ex_add(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_ADD, x, y, NULL); }
static inline const Expr *ex_sub(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_SUB, x, y, NULL); }
static inline const Expr *ex_mul(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_MUL, x, y, NULL); }
static inline const Expr *ex_div(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_DIV, x, y, NULL); }
static inline const Expr *ex_rem(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_REM, x, y, NULL); }
static inline const Expr *ex_lt(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_LT, x, y, NULL); }
static inline const Expr *ex_le(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_LE, x, y, NULL); }
static inline const Expr *ex_eq(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_EQ, x, y, NULL); }
static inline const Expr *ex_min(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_MIN, x, y, NULL); }
static inline const Expr *ex_max(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_MAX, x, y, NULL); }
static inline const Expr *ex_and(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_AND, x, y, NULL); }
static inline const Expr *ex_or(Builder *b, const Expr *x, const Expr *y) { return ex_scalar(b, SC_OR, x, y, NULL); }
static inline const Expr *ex_not(Builder *b, const Expr *x) { return ex_scalar(b, SC_NOT, x, NULL, NULL); }
static inline const Expr *ex_neg(Builder *b, const Expr *x) { return ex_scalar(b, SC_NEG, x, NULL, NULL); }
/* x * c + y for an index; the everyday step of flat indices */
const Expr *ex_offset(Builder *b, const Expr *x, int64_t c, const Expr *y);
/* fma where the target has it, else mul and add: the plan decides, all backends obey */
const Expr *ex_fma(Builder *b, const Expr *x, const Expr *y, const Expr *z);

bool expr_depends(const Expr *e, const Var *v);       /* through LETs too */
bool expr_is_const_int(const Expr *e, int64_t *value);
/* e == coefficient * v + rest with an integer constant coefficient and a rest without v?  (index expressions) */
bool expr_affine_in(Builder *b, const Expr *e, const Var *v, int64_t *coefficient, const Expr **rest);
/* A copy of e with v replaced by `by` (simplified again). */
const Expr *expr_replace(Builder *b, const Expr *e, const Var *v, const Expr *by);

const Expr *st_for(Builder *b, LoopKind kind, const char *name, const Expr *extent);   /* opens; gives the variable
                                       (a loop of one turn vanishes: 0) */
const Expr *st_for_n(Builder *b, LoopKind kind, const char *name, int64_t extent);
void st_if(Builder *b, const Expr *cond);
void st_else(Builder *b);
void st_end(Builder *b);                              /* closes the innermost FOR or IF */
const Expr *st_let(Builder *b, const char *name, const Expr *value);
Buffer *st_local(Builder *b, const char *name, DType type, int64_t count, int lanes);
Buffer *st_scratch(Builder *b, const char *name, DType type, int64_t count);   /* of the block, as st_local */
void st_store(Builder *b, Buffer *buffer, const Expr *index, const Expr *value);
void st_acc(Builder *b, Buffer *buffer, const Expr *index, const Expr *value);          /* += value */
/* buffer[index] = fma(x, y, buffer[index]); without fma in the target: += x * y */
void st_acc_mul(Builder *b, Buffer *buffer, const Expr *index, const Expr *x, const Expr *y);
void st_prefetch(Builder *b, const Buffer *buffer, const Expr *index);

/* Places loop invariants and shared subexpressions into LETs, once, before anything reads the kernel
 * (builder_end calls it).  No load moves out of the IF or SELECT that guards it. */
void kernel_place(Builder *b);

/* Every access within its buffer (by proven ranges), every variable in scope, types consistent, lanes innermost,
 * lane locals accessed as whole vectors, no iteration of a PARALLEL loop writes what another one touches.  Accesses that cannot be proven are counted in *unproven (the interpreter
 * checks them).  Returns NULL, or what is wrong. */
const char *kernel_check(const Program *p, const Kernel *k, int *unproven);

/* What kernel_check proved of an access: buffer[index] with index in lo..hi.  Where the index is a sum
 * base + coefficient * (0..extent-1) + ... over the loops around it, that is told, too.  What a statement reads and
 * writes has its number in the kernel, as they stand there; a loop has the number of its variable. */
typedef struct AccessTerm { int64_t coefficient, extent; int loop; } AccessTerm;
enum { ACCESS_TERMS = 12 };
typedef struct Access {
    const Buffer *buffer;
    bool is_write, proven, affine;
    int64_t lo, hi, base;
    int n_terms;
    AccessTerm terms[ACCESS_TERMS];
    int statement;
    const Stmt *const *loops;        /* around the statement, from the outermost; for the time of the visit */
    int n_loops;
} Access;
/* As kernel_check; tells every access on the way (an expression that stands for several, once). */
const char *kernel_check_accesses(const Program *p, const Kernel *k, void (*visit)(const Access *a, void *context),
                                  void *context);

/* May `born`, which the kernel writes, lie where `dying` does, which it only reads?  Proven by their accesses: no
 * element is read after one in its place was written. */
bool kernel_may_overwrite(const Program *p, const Kernel *k, const Buffer *dying, const Buffer *born);

/* Text form: the grammar heads loop_text.c.  program_parse(program_print(p)) prints the same. */
void program_print(const Program *p, Text *out);
void kernel_print(const Program *p, const Kernel *k, Text *out);
void stmt_print_expr(const Expr *e, Text *out);
Program *program_parse(Unit *u, const char *text);

/* Offsets of BUF_ARENA and BUF_SCRATCH buffers by live ranges (64-byte aligned); sets arena_bytes and live ranges,
 * and by program_plan_workers the places in the scratch memory of other threads. */
void program_plan(Program *p);
void program_plan_workers(Program *p);

/* Is there a loop that threads may share? */
bool kernel_has_parallel(const Kernel *k);

/* Constants that programs of their own make, so that memory for them is needed late (constant.c). */
void constant_copy(const Buffer *b, void *to);       /* its elements, made now if they were not yet */
void constant_make(const Program *p, Buffer *b);     /* if it was not yet: it has data from then on */
void program_make_constants(const Program *p);

/* Walks: every buffer read or written by a kernel. */
void kernel_visit_buffers(const Kernel *k, void (*visit)(const Buffer *b, bool is_write, void *context), void *context);

#endif
