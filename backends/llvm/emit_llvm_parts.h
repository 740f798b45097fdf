/* emit_llvm_parts.h - inside the LLVM backend: what its files share.
 *
 * An expression becomes a vector where it depends on the variable of the lanes loop that is open, else a scalar.
 * Lanes that an IF or SELECT leaves out are computed too, under a mask: a load that may be out of bounds then reads
 * element 0 instead, and whatever else they give is not taken. */
#ifndef SONOC_EMIT_LLVM_PARTS_H
#define SONOC_EMIT_LLVM_PARTS_H

#include <llvm-c/Core.h>

#include "facts.h"

typedef LLVMValueRef Value;

typedef struct Emitter {
    const Program *program;
    const Kernel *kernel;
    Builder *builder;        /* of new index expressions */
    Arena *arena;            /* lives as long as the kernel is being emitted */
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef ir;
    Value function;
    Value locals_end;        /* the jump that ends the function's first block, where local arrays are declared */
    const KernelParams *params;
    Value crew;              /* who runs loops that are shared; NULL: none are */
    struct Outline *outline; /* the shared loop that is open; NULL: none */
    Value *buffers;          /* by buffer id: a pointer; ask buffer_value */
    Value *vars;             /* by variable id; ask var_value */
    signed char *lets;       /* for expr_fits_int */
    Map known;               /* of the statement at hand: expression -> value */
    VEC(const Expr *) trail; /* what is in `known`, in order */
    const Var *lane;         /* of the open lanes loop; NULL: none, everything is a scalar */
    int lanes;               /* its extent */
    Value mask;              /* lanes that are wanted; NULL: all */
    int copies;              /* of the statement at hand, by unrolled loops around it */
} Emitter;

/* Types and values (emit_llvm_value.c).  n is the number of lanes; 1: a scalar. */
LLVMTypeRef type_in_register(Emitter *e, DType t, int n);    /* bool is i1; f16, bf16 and 4-bit types are integers */
LLVMTypeRef type_in_memory(Emitter *e, DType t, int n);      /* bool is i8 */
LLVMTypeRef type_int(Emitter *e, int bits, int n);
int lanes_of(Value x);
int int_bits_of(Value x);                                        /* of an integer, or of one lane */
Value value_int(LLVMTypeRef type, int64_t i);                /* in every lane */
Value value_int_like(Value x, int64_t i);
Value value_float(LLVMTypeRef type, double f);
Value value_splat(Emitter *e, Value scalar, int n);
Value value_lane(Emitter *e, Value x, int lane);             /* of a scalar: itself */
Value value_insert(Emitter *e, Value vector, Value scalar, int lane);
Value value_to_bits(Emitter *e, Value x, int bits, bool is_signed);          /* an integer of another width */
Value value_call(Emitter *e, const char *name, Value *args, int n);          /* overloaded by the type of args[0] */
Value value_intrinsic(Emitter *e, const char *name, LLVMTypeRef *types, int n_types, Value *args, int n_args);

/* Conversions (emit_llvm_cast.c). */
Value cast_value(Emitter *e, Value x, DType from, DType to);
Value bitcast_value(Emitter *e, Value x, DType from, DType to);

/* Expressions (emit_llvm_expr.c). */
bool expr_is_lanes(const Emitter *e, const Expr *x);         /* is it a vector here? */
Value expr_value(Emitter *e, const Expr *x);
Value expr_lanes(Emitter *e, const Expr *x);                 /* in a lanes loop: a vector, whatever x is */
Value expr_index(Emitter *e, const Expr *x);                 /* of 64 bits */
Value mask_and(Emitter *e, Value outer, Value cond);
void known_forget(Emitter *e, int mark);                     /* what was computed since trail.n was mark */

/* Memory (emit_llvm_memory.c). */
Value memory_load(Emitter *e, const Expr *x);
void memory_write(Emitter *e, const Stmt *s);                /* STORE and ACC */
void memory_prefetch(Emitter *e, const Stmt *s);
void memory_declare(Emitter *e, const Buffer *local);

/* Kernels (emit_llvm_kernel.c). */
LLVMBasicBlockRef block_new(Emitter *e, const char *name);
void kernel_body(Emitter *e);                                /* into e->function, which is declared */
void body_begin(Emitter *e);                                 /* the first blocks of e->function */
void loop_range(Emitter *e, const Stmt *s, Value begin, Value end, bool runs);   /* runs: begin < end is known */

/* Loops that threads share (emit_llvm_parallel.c). */
void loop_shared(Emitter *e, const Stmt *s);
Value var_value(Emitter *e, const Var *v);
Value buffer_value(Emitter *e, const Buffer *b);

#endif
