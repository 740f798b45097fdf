/* emit_c_text.h - inside the C backend: what its files share.
 *
 * Kernels are printed first; they ask for helpers (vector types, fma, select ...), and the prelude
 * then holds just those.  Expressions are printed in one of three ways: SCALAR, plain C; VECTOR,
 * inside a lanes loop, whole vectors; LANE, inside a lanes loop but one lane at a time, for what
 * has no vector form. */
#ifndef SONOC_EMIT_C_TEXT_H
#define SONOC_EMIT_C_TEXT_H

#include "emit_c.h"
#include "facts.h"
#include "weights.h"

/* Names in scope (emit_c_names.c). */
typedef struct NameTaken {
    struct NameUse *use;
    int next;
} NameTaken;

typedef struct NameScope {
    Arena *arena;
    Names *interned;
    Map uses; /* interned name -> NameUse */
    VEC(NameTaken) taken;
} NameScope;

void names_begin(NameScope *s, Arena *a, Names *interned);
const char *names_take(NameScope *s, const char *wish);
int names_enter(const NameScope *s);
void names_leave(NameScope *s, int mark);

/* What the prelude can hold. */
typedef enum Helper {
    HELPER_FMA,
    HELPER_DOT2,
    HELPER_SQRT,
    HELPER_MIN,
    HELPER_MAX,
    HELPER_ABS,
    HELPER_DIV,
    HELPER_REM,
    HELPER_SPLAT,
    HELPER_SELECT,
    HELPER_LANES,
    HELPER_BITS,
    HELPER_FROM_F16,
    HELPER_FROM_BF16,
    HELPER_TO_F16,
    HELPER_TO_BF16,
    HELPER_TYPE,
    HELPER_COUNT
} Helper;

typedef enum PrintMode { PRINT_SCALAR, PRINT_VECTOR, PRINT_LANE } PrintMode;

/* Of a loop that threads share: its struct and functions. */
typedef struct PartNames {
    const char *captured, *part, *loop;
} PartNames;

typedef struct Emit {
    const Program *program;
    const EmitOptions *options;
    Unit *unit;
    Arena *arena;
    Text out; /* the kernels */
    bool needs[HELPER_COUNT][DT_COUNT][MAX_LANES_LOG + 1];
    NameScope names;           /* kernels and constants, then those of one kernel */
    const char **buffer_names; /* by buffer id, in the kernel or (arrays) the file */
    bool *written;             /* by buffer id, in the kernel */
    bool *overlaps;            /* by buffer id, in the kernel: it lies where another one does */
    bool *used;                /* by buffer id: some kernel or port has it */
    WeightsImage image;        /* of this plan */
    const Program *const *plans; /* all that are in the file */
    const WeightsImage *images;
    int n_plans;
    int64_t arena_bytes, scratch_bytes; /* the most that one of them needs */
    WeightsForm form;
    uint64_t image_hash;      /* of the weights file */
    const char **array_names; /* by buffer id: constants in the form of arrays */
    const char **places;      /* by buffer id: inputs and outputs of the function that runs all */
    const char **kernel_names, **input_names, **output_names;
    int indent;
    bool *of_worker;          /* by buffer id: scratch memory of a shared loop */
    VEC(PartNames) part_names; /* of all shared loops; n_parts: how many are printed */
    int n_parts;
    struct Outline *outline;  /* the shared loop that is being printed as functions, or NULL */
    /* of the kernel being printed */
    const Kernel *kernel;
    Text parts; /* functions of its shared loops */
    Builder *builder;
    const char **var_names;      /* by var id; NULL: not declared */
    bool *demanded;              /* by var id: a LET that is printed */
    bool *let_is_vector;         /* by var id: a LET that was printed as one; inside an IF of one lane it is a scalar */
    signed char *let_is_int;     /* by var id: 0 not asked yet, 1 yes, -1 no */
    signed char *let_mask_bytes; /* by var id, bool LETs: 0 not asked yet */
    PrintMode mode;
    bool in_subscript; /* what wraps there is out of bounds anyway */
    const Var *lane;   /* the lanes loop that we are in, printed as vectors */
    Map lanewise;      /* expression -> name of a vector made lane by lane */
} Emit;

/* "fma_f32x8", marked as needed; lanes 1: "fma_f32" */
const char *helper(Emit *e, Helper h, DType t, int lanes);
const char *vector_type(Emit *e, DType t, int lanes);
void prelude_begin(const Emit *const *versions, int n, Text *out); /* checks, headers, macros */
void prelude_version(Emit *e, Text *out); /* the target's instructions and what the kernels call */
void prelude_end(const Emit *e, Text *out); /* ... no more */
const char *c_type(DType t);
/* emit_c_exact.c */
void dot2_print(Text *out);              /* emit_c_dot.c */
void dot2_print_vector(Text *out, const char *v, const char *bits_type, int lanes, const char *features);
void exact_sqrt_print(Text *out, DType t);
void exact_fma_print(Text *out, DType t);
void exact_fma_checks(Text *out, const char *features);
DType type_signed(int bytes);
DType type_unsigned(int bytes);

/* Scalar expressions (emit_c_expr.c): precedences of C, loosest first. */
enum {
    PREC_ANY,
    PREC_COND,
    PREC_OR,
    PREC_AND,
    PREC_EQUAL,
    PREC_ORDER,
    PREC_SHIFT,
    PREC_ADD,
    PREC_MUL,
    PREC_UNARY
};
void expr_print(Emit *e, const Expr *x, int least);
void subscript_print(Emit *e, const Expr *index);
/* Is it an i64 that is computed in C's int? */
static inline bool expr_is_int(Emit *e, const Expr *x) { return expr_fits_int(e->let_is_int, x); }
DType expr_c_type(Emit *e,
                  const Expr *x); /* as expr_print gives it: i32 for an i64 that is an int */
void float_print(Text *out, DType t, double value);
void emit(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
void emit_line(Emit *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Vectors (emit_c_vector.c). */
typedef enum AddressKind { ADDRESS_UNIFORM, ADDRESS_CONTIGUOUS, ADDRESS_SCATTERED } AddressKind;
AddressKind address_of(Emit *e, const Expr *index, const Expr **base);
DType vector_repr(Emit *e, const Expr *x); /* the element type that stands for x in a vector */
void vector_print(Emit *e, const Expr *x, DType repr, int least);
void vector_prepare(Emit *e,
                    const Expr *x); /* prints what x needs before the statement that uses it */
void vector_place_print(Emit *e, const Buffer *b,
                        const Expr *base); /* the vector at b + base, as an lvalue */
void vector_local_index(Emit *e, const Buffer *b, const Expr *base);

/* Kernels (emit_c_kernel.c). */
void kernel_emit(Emit *e, int number);
void kernel_call(Emit *e, int number); /* the call, as a line of the function that runs all */
void comment_print(Text *out, const char *indent, const char *text);
const char *quoted(Arena *a, const char *text); /* as a C string */
const char *
buffer_place(Emit *e, const Buffer *b); /* in the function that runs all: where it lies, as text */

/* Functions that the header declares (emit_c.c). */
void run_print(Emit *e, bool is_version, Text *out); /* runs all kernels */

/* Several plans in one file (emit_c_versions.c). */
void version_print(Emit *e, bool everywhere, Text *out);
void version_choose(const char *bad_machine, Text *out);
void version_call(Emit *const *versions, int n, const char *arguments, Text *out);
void body_print(Emit *e, const Stmt *s);                  /* statements, one level further in */
const char *loop_type(const Var *v);                      /* of a loop variable in C */
const char *scalar_type_of(Emit *e, const Var *v);       /* of a loop variable or scalar LET */

/* Loops that threads share (emit_c_parallel.c). */
bool kernel_is_shared(const Emit *e, const Kernel *k);   /* takes the model, to hand out loops */
bool loop_is_outlined(const Emit *e, const Stmt *s);
void parallel_print(Emit *e, const Stmt *s);
void kernel_take_names(Emit *e, int number);
void kernel_find_scratch(Emit *e, const Kernel *k);
void outline_declare(Emit *e, const Var *v);
void outline_declare_buffer(Emit *e, const Buffer *b);
/* The names of a variable and a buffer in scope; a shared loop takes them along. */
const char *var_use(Emit *e, const Var *v);
const char *buffer_use(Emit *e, const Buffer *b);

/* Large pages for a large static arena (emit_c_pages.c): for the header, before init, in init. */
void pages_comment(const Emit *e, Text *out);
void pages_function(const Emit *e, Text *out);
void pages_call(const Emit *e, Text *out);

/* What the forms of --threads need (emit_c_threads.c): types and fields of the header's struct; arguments of init,
 * its statements; functions before the kernels; functions at the end. */
void threads_types(const Emit *e, Text *out);
void threads_fields(const Emit *e, Text *out);
void threads_arguments(const Emit *e, Text *out);
void threads_comment(const Emit *e, Text *out);
void threads_checks(const Emit *e, Text *out);
void threads_init(const Emit *e, Text *out);
void threads_runner(const Emit *e, Text *out);
void threads_pool(const Emit *e, Text *out);
void threads_stop(const Emit *e, Text *out, bool declares);
extern const char pool_h_text[], pool_c_text[]; /* runtime/pool.h and .c */
const char *upper_prefix(const Emit *e);

/* Constants (emit_c_data.c). */
void weights_arrays(Emit *e, Text *out); /* as arrays */
void weights_layout(Emit *e);
void weights_source(Emit *e, Text *out); /* declares or defines them in the .c */
void weights_file(Emit *e,
                  Text *out); /* the file or object beside the source; nothing in other forms */
char *text_room(Text *t, size_t n); /* room for n more bytes, which the caller fills */
void elf_print(Emit *e, Text *out); /* emit_c_elf.c: the object file */

#endif
