/* type.c - element types, dimensions, constants, and the conversion of half and bfloat16 values. */
#include "type.h"

#include <string.h>

const DTypeInfo dtypes[DT_COUNT] = {
    [DT_NONE] = {0, 0, DK_OTHER, "none", NULL},
#define DTYPE(id, onnx, bytes, kind, text, c_type) [DT_##id] = {onnx, bytes, kind, text, c_type},
#include "dtypes.def"
#undef DTYPE
};

DType dtype_from_onnx(int onnx) {
    for (int t = DT_NONE + 1; t < DT_COUNT; t++)
        if (dtypes[t].onnx == onnx) return (DType)t;
    return DT_NONE;
}

DType dtype_from_text(const char *text) {
    for (int t = DT_NONE + 1; t < DT_COUNT; t++)
        if (strcmp(dtypes[t].text, text) == 0) return (DType)t;
    return DT_NONE;
}

static bool count_times(int64_t *count, int64_t size) {
    if (size < 0) return false;
    if (size && *count > (((int64_t)1 << 62) - 1) / size) return false;
    *count *= size;
    return true;
}

/* An empty tensor counts 0 whatever its other dims are: those are multiplied last. */
int64_t dims_count(const Dim *dims, int rank) {
    int64_t count = 1;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (dims[i].size < 0) return -1;
        empty |= dims[i].size == 0;
    }
    if (empty) return 0;
    for (int i = 0; i < rank; i++)
        if (!count_times(&count, dims[i].size)) return -1;
    return count;
}

bool dims_equal(const Dim *a, const Dim *b, int rank) {
    for (int i = 0; i < rank; i++)
        if (a[i].size != b[i].size || (a[i].size < 0 && a[i].symbol != b[i].symbol)) return false;
    return true;
}

static int64_t tensor_count(Arena *a, int rank, const int64_t *dims) {
    int64_t count = 1;
    for (int i = 0; i < rank; i++)
        if (dims[i] == 0) return 0;
    for (int i = 0; i < rank; i++)
        if (!count_times(&count, dims[i]))
            escape(arena_escape(a), STATUS_LIMIT, "a tensor is too large to be stored");
    return count;
}

Tensor *tensor_new(Arena *a, DType dtype, int rank, const int64_t *dims) {
    Tensor *t = NEW(a, Tensor);
    int64_t *own = NEW_ARRAY(a, int64_t, rank);
    if (rank) memcpy(own, dims, (size_t)rank * sizeof *own);
    *t = (Tensor){.dtype = dtype, .rank = rank, .dims = own, .count = tensor_count(a, rank, dims)};
    if (dtype == DT_STRING)
        t->strings = arena_array(a, (size_t)t->count, sizeof *t->strings);
    else
        t->data = arena_array(a, (size_t)t->count, (size_t)dtypes[dtype].bytes);
    return t;
}

Tensor *tensor_from_ints(Arena *a, const int64_t *values, int64_t n) {
    Tensor *t = tensor_new(a, DT_I64, 1, &n);
    if (n) memcpy((void *)t->data, values, (size_t)n * sizeof *values);
    return t;
}

/* Saturates; NaN gives 0. */
static int64_t double_to_int(double x) {
    if (x != x) return 0;
    if (x >= 0x1p63) return INT64_MAX;
    if (x < -0x1p63) return INT64_MIN;
    return (int64_t)x;
}

static uint64_t double_to_unsigned(double x) {
    if (!(x > 0)) return (uint64_t)double_to_int(x);
    return x >= 0x1p64 ? UINT64_MAX : (uint64_t)x;
}

/* Integers of any width are stored by their low bytes (the host is little-endian, as the model file
 * is). */
static void store_double(DType t, void *at, double x) {
    float f = (float)x;
    uint16_t half;
    uint64_t bits;
    switch (dtypes[t].kind) {
    case DK_FLOAT:
        if (t == DT_F64) memcpy(at, &x, sizeof x);
        if (t == DT_F32) memcpy(at, &f, sizeof f);
        half = t == DT_F16 ? float_to_half(f) : float_to_bfloat(f);
        if (dtypes[t].bytes == 2) memcpy(at, &half, sizeof half);
        return;
    case DK_SIGNED:
    case DK_UNSIGNED:
        bits = dtypes[t].kind == DK_SIGNED ? (uint64_t)double_to_int(x) : double_to_unsigned(x);
        memcpy(at, &bits, (size_t)dtypes[t].bytes);
        return;
    case DK_BOOL: *(uint8_t *)at = x != 0; return;
    case DK_OTHER: return;
    }
}

Tensor *tensor_scalar(Arena *a, DType dtype, double value) {
    Tensor *t = tensor_new(a, dtype, 0, NULL);
    if (t->data) store_double(dtype, (void *)t->data, value);
    return t;
}

static const char *element_at(const Tensor *t, int64_t i) {
    return (const char *)t->data + (size_t)i * (size_t)dtypes[t->dtype].bytes;
}

static double float_at(const Tensor *t, int64_t i) {
    double d;
    float f;
    uint16_t half;
    if (t->dtype == DT_F64) {
        memcpy(&d, element_at(t, i), sizeof d);
        return d;
    }
    if (t->dtype == DT_F32) {
        memcpy(&f, element_at(t, i), sizeof f);
        return f;
    }
    memcpy(&half, element_at(t, i), sizeof half);
    return t->dtype == DT_F16 ? half_to_float(half) : bfloat_to_float(half);
}

double tensor_get_double(const Tensor *t, int64_t i) {
    if (dtype_is_float(t->dtype)) return float_at(t, i);
    int64_t n = tensor_get_int(t, i);
    return t->dtype == DT_U64 ? (double)(uint64_t)n : (double)n;
}

int64_t tensor_get_int(const Tensor *t, int64_t i) {
    if (dtype_is_float(t->dtype)) return double_to_int(float_at(t, i));
    int bytes = dtypes[t->dtype].bytes;
    if (!bytes) return 0;
    uint64_t bits = 0;
    memcpy(&bits, element_at(t, i), (size_t)bytes);
    if (dtypes[t->dtype].kind != DK_SIGNED || bytes == 8) return (int64_t)bits;
    uint64_t sign = (uint64_t)1 << (8 * bytes - 1);
    return (int64_t)((bits ^ sign) - sign);
}

uint64_t tensor_hash(const Tensor *t) {
    uint64_t head[3] = {(uint64_t)t->dtype, (uint64_t)t->rank, 0};
    uint64_t parts[2] = {0, 0};
    head[2] = hash_bytes(t->dims, (size_t)t->rank * sizeof *t->dims);
    parts[0] = hash_bytes(head, sizeof head);
    if (t->dtype != DT_STRING)
        parts[1] = hash_bytes(t->data, (size_t)t->count * (size_t)dtypes[t->dtype].bytes);
    for (int64_t i = 0; t->dtype == DT_STRING && i < t->count; i++)
        parts[1] =
            (parts[1] ^ hash_bytes(t->strings[i], strlen(t->strings[i]) + 1)) * 0x9e3779b97f4a7c15u;
    return hash_bytes(parts, sizeof parts);
}

static uint32_t float_bits(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static float float_from_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t exponent = h >> 10 & 0x1f, fraction = h & 0x3ff;
    if (exponent == 0x1f) return float_from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent) return float_from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float magnitude = (float)fraction * 0x1p-24f; /* subnormal: exact in float32 */
    return sign ? -magnitude : magnitude;
}

/* `value` shifted right by n, rounded to nearest, ties to even. */
static uint32_t shift_round(uint32_t value, int n) {
    uint32_t kept = value >> n, rest = value & ((1u << n) - 1), half = 1u << (n - 1);
    return kept + (rest > half || (rest == half && (kept & 1)));
}

uint16_t float_to_half(float f) {
    uint32_t bits = float_bits(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000)
        return (uint16_t)(sign | 0x7c00); /* 65520 and more round to infinity */
    if (magnitude >= 0x38800000) return (uint16_t)(sign | shift_round(magnitude - 0x38000000, 13));
    int shift = 126 - (int)(magnitude >> 23); /* subnormal results, below 2^-14 */
    if (shift > 24) return (uint16_t)sign;
    return (uint16_t)(sign | shift_round((magnitude & 0x7fffff) | 0x800000, shift));
}

float bfloat_to_float(uint16_t h) { return float_from_bits((uint32_t)h << 16); }

uint16_t float_to_bfloat(float f) {
    uint32_t bits = float_bits(f);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)shift_round(bits, 16);
}
