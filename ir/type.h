/* type.h - element types and shapes. */
#ifndef SONOC_TYPE_H
#define SONOC_TYPE_H

#include "base.h"

/* Element types: a row of dtypes.def each; DT_NONE is 0. */
typedef enum DType {
    DT_NONE,
#define DTYPE(id, onnx, bytes, kind, text, c_type) DT_##id,
#include "dtypes.def"
#undef DTYPE
    DT_COUNT
} DType;

typedef enum DTypeKind { DK_OTHER, DK_FLOAT, DK_SIGNED, DK_UNSIGNED, DK_BOOL } DTypeKind;

typedef struct DTypeInfo {
    int onnx;                /* TensorProto.DataType */
    int bytes;               /* of one element in memory; 4-bit types are kept one a byte */
    DTypeKind kind;
    const char *text;        /* in text forms: f32 */
    const char *c_type;      /* in generated C: float */
} DTypeInfo;

extern const DTypeInfo dtypes[DT_COUNT];

DType dtype_from_onnx(int onnx);                     /* DT_NONE if unknown */
DType dtype_from_text(const char *text);
static inline bool dtype_is_float(DType t) { return dtypes[t].kind == DK_FLOAT; }
static inline bool dtype_is_int(DType t) { return dtypes[t].kind == DK_SIGNED || dtypes[t].kind == DK_UNSIGNED; }

enum { MAX_RANK = 12 };

/* A dimension: its size, or -1 and the name of a symbol. */
typedef struct Dim {
    int64_t size;
    const char *symbol;
} Dim;

/* Product of the dims; -1 if one is symbolic or it does not fit in 62 bits.  Rank 0 gives 1. */
int64_t dims_count(const Dim *dims, int rank);
bool dims_equal(const Dim *a, const Dim *b, int rank);

/* An immutable constant: `count` elements in row-major order.  `data` may point into the mapped model file and
 * need not be aligned: read it with memcpy or tensor_get_*.  bool is a byte 0 or 1, int4/uint4 one a byte. */
typedef struct Tensor {
    DType dtype;
    int rank;
    const int64_t *dims;
    int64_t count;
    const void *data;
    const char *const *strings;    /* DT_STRING only */
} Tensor;

/* A tensor with zeroed data of its own in `a`; write through (void *)data before it is shared. */
Tensor *tensor_new(Arena *a, DType dtype, int rank, const int64_t *dims);
Tensor *tensor_from_ints(Arena *a, const int64_t *values, int64_t n);   /* int64 vector of n */
Tensor *tensor_scalar(Arena *a, DType dtype, double value);             /* rank 0 */
double tensor_get_double(const Tensor *t, int64_t i);
int64_t tensor_get_int(const Tensor *t, int64_t i);                     /* floats are truncated */
uint64_t tensor_hash(const Tensor *t);

/* Conversions of single values, round to nearest even. */
float half_to_float(uint16_t h);
uint16_t float_to_half(float f);
float bfloat_to_float(uint16_t h);
uint16_t float_to_bfloat(float f);

#endif
