/* tensor.c - TensorProto to Tensor, without copying where the file already holds what we want.
 *
 * Raw data and external data stay in the mapped file; typed lists stay where protobuf-c put them,
 * if their elements have the size of the tensor's.  Copied are: 4-bit elements (to one a byte),
 * bools that are not 0 or 1, narrow types out of int32_data, and everything on a big-endian host.
 * What a file says about a tensor is checked before use: size of the data against the shape, one
 * place of data only, values within the element type. */
#include "reader.h"

#include <stdlib.h>
#include <string.h>

/* The list of TensorProto that holds a type when there is no raw data. */
typedef enum List {
    LIST_NONE,
    LIST_FLOAT,
    LIST_INT32,
    LIST_INT64,
    LIST_DOUBLE,
    LIST_UINT64,
    LIST_STRING
} List;

static const char *const list_names[] = {"none",        "float_data",  "int32_data", "int64_data",
                                         "double_data", "uint64_data", "string_data"};

typedef struct Source {
    Reader *reader;
    Place place;
    const char *name;
    const Onnx__TensorProto *proto;
    Tensor *tensor;
} Source;

static bool fail(const Source *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(const Source *s, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return diag(s->reader->unit, s->place, D_TENSOR, s->name, text);
}

static List list_of(DType t) {
    switch (t) {
    case DT_F32: return LIST_FLOAT;
    case DT_F64: return LIST_DOUBLE;
    case DT_I64: return LIST_INT64;
    case DT_U64:
    case DT_U32: return LIST_UINT64;
    case DT_STRING: return LIST_STRING;
    case DT_I32:
    case DT_I16:
    case DT_U16:
    case DT_I8:
    case DT_U8:
    case DT_BOOL:
    case DT_F16:
    case DT_BF16:
    case DT_U4:
    case DT_I4: return LIST_INT32;
    case DT_NONE:
    case DT_COUNT: break;
    }
    return LIST_NONE;
}

static size_t list_length(const Onnx__TensorProto *p, List list) {
    switch (list) {
    case LIST_NONE: return 0;
    case LIST_FLOAT: return p->n_float_data;
    case LIST_INT32: return p->n_int32_data;
    case LIST_INT64: return p->n_int64_data;
    case LIST_DOUBLE: return p->n_double_data;
    case LIST_UINT64: return p->n_uint64_data;
    case LIST_STRING: return p->n_string_data;
    }
    return 0;
}

static bool is_4bit(DType t) { return t == DT_U4 || t == DT_I4; }

const char *onnx_type_text(Unit *u, int type) {
    static const char *const names[] = {
        [0] = "UNDEFINED",       [14] = "COMPLEX64",      [15] = "COMPLEX128",
        [17] = "FLOAT8E4M3FN",   [18] = "FLOAT8E4M3FNUZ", [19] = "FLOAT8E5M2",
        [20] = "FLOAT8E5M2FNUZ", [23] = "FLOAT4E2M1",     [24] = "FLOAT8E8M0",
        [25] = "UINT2",          [26] = "INT2",
    };
    if (dtype_from_onnx(type) != DT_NONE) return dtypes[dtype_from_onnx(type)].text;
    bool named = type >= 0 && type < (int)(sizeof names / sizeof *names) && names[type];
    return named ? names[type] : arena_format(u->arena, "%d", type);
}

static bool read_type(const Source *s) {
    const Onnx__TensorProto *p = s->proto;
    s->tensor->dtype = dtype_from_onnx(p->data_type);
    if (s->tensor->dtype == DT_NONE)
        return fail(s, "elements of the type %s are not supported",
                    onnx_type_text(s->reader->unit, p->data_type));
    if (p->segment) return fail(s, "tensors in segments are not supported");
    if (p->n_dims > MAX_RANK)
        return fail(s, "has %zu dimensions, at most %d are supported", p->n_dims, MAX_RANK);
    int64_t count = 1;
    bool empty = false;
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i] < 0) return fail(s, "dimension %zu is %lld", i, (long long)p->dims[i]);
        empty |= p->dims[i] == 0;
    }
    for (size_t i = 0; i < p->n_dims && !empty; i++)
        if (__builtin_mul_overflow(count, p->dims[i], &count) || count > (int64_t)1 << 58)
            return fail(s, "the product of the dimensions is too large");
    s->tensor->rank = (int)p->n_dims;
    s->tensor->dims = p->dims;
    s->tensor->count = empty ? 0 : count;
    return true;
}

/* Bytes of a raw or external payload. */
static int64_t payload_bytes(const Tensor *t) {
    return is_4bit(t->dtype) ? t->count / 2 + t->count % 2 : t->count * dtypes[t->dtype].bytes;
}

static const char *shape_text(const Source *s) {
    Text text = {.arena = s->reader->unit->arena};
    text_add(&text, "%s[", dtypes[s->tensor->dtype].text);
    for (int i = 0; i < s->tensor->rank; i++)
        text_add(&text, "%s%lld", i ? "," : "", (long long)s->tensor->dims[i]);
    text_add(&text, "]");
    return text.at;
}

/* A buffer of the tensor's own, within the limit of what may be copied. */
static void *copy_buffer(const Source *s, int64_t bytes) {
    Reader *r = s->reader;
    if (bytes > r->copied_limit - r->copied_bytes) {
        limit_exceeded(r->unit, s->place, LIMIT_message_bytes, r->copied_limit);
        return NULL;
    }
    r->copied_bytes += bytes;
    return NEW_ARRAY(r->unit->arena, uint8_t, bytes);
}

static bool copy_4bit(const Source *s, const uint8_t *from) {
    uint8_t *to = copy_buffer(s, s->tensor->count);
    if (!to) return false;
    bool is_signed = s->tensor->dtype == DT_I4;
    for (int64_t i = 0; i < s->tensor->count; i++) {
        unsigned v = from[i / 2] >> 4 * (i % 2) & 15;
        to[i] = (uint8_t)(is_signed && v >= 8 ? v | 0xf0 : v);
    }
    s->tensor->data = to;
    return true;
}

static bool copy_bools(const Source *s, const uint8_t *from) {
    int64_t n = s->tensor->count, i = 0;
    while (i < n && from[i] <= 1) i++;
    s->tensor->data = from;
    if (i == n) return true;
    uint8_t *to = copy_buffer(s, n);
    if (!to) return false;
    for (i = 0; i < n; i++) to[i] = from[i] != 0;
    s->tensor->data = to;
    return true;
}

/* Little-endian elements to those of a big-endian host. */
static bool copy_swapped(const Source *s, const uint8_t *from) {
    int64_t size = dtypes[s->tensor->dtype].bytes, n = size * s->tensor->count;
    uint8_t *to = copy_buffer(s, n);
    if (!to) return false;
    for (int64_t i = 0; i < n; i++) to[i] = from[i - i % size + (size - 1 - i % size)];
    s->tensor->data = to;
    return true;
}

static bool use_payload(const Source *s, const uint8_t *at) {
    static const uint8_t nothing[8];
    const Tensor *t = s->tensor;
    if (t->count == 0) {
        s->tensor->data = nothing;
        return true;
    }
    if (is_4bit(t->dtype)) return copy_4bit(s, at);
    if (t->dtype == DT_BOOL) return copy_bools(s, at);
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && dtypes[t->dtype].bytes > 1)
        return copy_swapped(s, at);
    s->tensor->data = at;
    return true;
}

static bool read_raw(const Source *s) {
    uint64_t number;
    if (s->proto->raw_data.len != sizeof number)
        BUG(s->reader->unit, "a payload that the scan did not write");
    memcpy(&number, s->proto->raw_data.data, sizeof number);
    if (number >= s->reader->shadow.n_payloads)
        BUG(s->reader->unit, "payload %llu", (unsigned long long)number);
    Span payload = s->reader->shadow.payloads[number];
    if (s->tensor->dtype == DT_STRING) return fail(s, "strings cannot be in raw_data");
    int64_t wanted = payload_bytes(s->tensor);
    if ((int64_t)payload.n != wanted)
        return fail(s, "raw_data has %zu bytes, %s needs %lld", payload.n, shape_text(s),
                    (long long)wanted);
    return use_payload(s, payload.at);
}

/* A whole number without sign, as external data gives offset and length. */
static bool parse_size(const char *text, int64_t *value) {
    if (!*text || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text)) return false;
    *value = strtoll(text, NULL, 10);
    return true;
}

static bool fail_external(const Source *s, const char *location, const char *why) {
    return diag(s->reader->unit, s->place, D_EXTERNAL, s->name, location, why);
}

typedef struct External {
    const char *location;
    int64_t offset, length; /* length -1: not given */
} External;

static bool read_external_keys(const Source *s, External *e) {
    *e = (External){NULL, 0, -1};
    const char *offset = NULL, *length = NULL;
    for (size_t i = 0; i < s->proto->n_external_data; i++) {
        const Onnx__StringStringEntryProto *entry = s->proto->external_data[i];
        const char *key = entry->key ? entry->key : "", *value = entry->value ? entry->value : "";
        const char **slot = strcmp(key, "location") == 0 ? &e->location
                            : strcmp(key, "offset") == 0 ? &offset
                            : strcmp(key, "length") == 0 ? &length
                                                         : NULL;
        if (slot && *slot) return fail(s, "external data gives '%s' twice", key);
        if (slot) *slot = value;
    }
    if (!e->location) return fail(s, "external data has no location");
    if (offset && !parse_size(offset, &e->offset))
        return fail_external(s, e->location, "the offset is no size");
    if (length && !parse_size(length, &e->length))
        return fail_external(s, e->location, "the length is no size");
    return true;
}

static bool read_external(const Source *s) {
    Reader *r = s->reader;
    External e;
    if (!read_external_keys(s, &e)) return false;
    if (s->tensor->dtype == DT_STRING) return fail(s, "strings cannot be in external data");
    const char *why = NULL;
    const Span *file = folder_map(r->folder, name_intern(r->unit->names, e.location), &why);
    if (!file) return fail_external(s, e.location, why);
    int64_t wanted = payload_bytes(s->tensor);
    if (e.length >= 0 && e.length != wanted)
        why = arena_format(r->unit->arena, "the length is %lld, %s needs %lld bytes",
                           (long long)e.length, shape_text(s), (long long)wanted);
    else if (e.offset > (int64_t)file->n || wanted > (int64_t)file->n - e.offset)
        why = arena_format(r->unit->arena, "it has %zu bytes, %lld are wanted from %lld on",
                           file->n, (long long)wanted, (long long)e.offset);
    if (why) return fail_external(s, e.location, why);
    return use_payload(s, file->at + e.offset);
}

static bool read_strings(const Source *s) {
    const Onnx__TensorProto *p = s->proto;
    Arena *arena = s->reader->unit->arena;
    const char **strings = NEW_ARRAY(arena, const char *, s->tensor->count);
    for (int64_t i = 0; i < s->tensor->count; i++)
        strings[i] = arena_copy(arena, (const char *)p->string_data[i].data, p->string_data[i].len);
    s->tensor->strings = strings;
    return true;
}

/* The range of values that int32_data may give for a narrower type. */
static void narrow_range(DType t, int64_t *low, int64_t *high) {
    int bits = 8 * dtypes[t].bytes;
    bool is_signed = dtypes[t].kind == DK_SIGNED;
    *low = is_signed ? -((int64_t)1 << (bits - 1)) : 0;
    *high = is_signed ? ((int64_t)1 << (bits - 1)) - 1 : ((int64_t)1 << bits) - 1;
}

static bool read_narrow(const Source *s, const int32_t *from) {
    DType t = s->tensor->dtype;
    int size = dtypes[t].bytes;
    int64_t low, high;
    narrow_range(t, &low, &high);
    uint8_t *to = copy_buffer(s, size * s->tensor->count);
    if (!to) return false;
    for (int64_t i = 0; i < s->tensor->count; i++) {
        if (t != DT_BOOL && (from[i] < low || from[i] > high))
            return fail(s, "int32_data holds %d, which is no %s", (int)from[i], dtypes[t].text);
        uint8_t byte = t == DT_BOOL ? from[i] != 0 : (uint8_t)from[i];
        uint16_t half = (uint16_t)from[i];
        memcpy(to + i * size, size == 1 ? (const void *)&byte : &half, (size_t)size);
    }
    s->tensor->data = to;
    return true;
}

static bool read_packed_4bit(const Source *s, const int32_t *from, size_t n) {
    uint8_t *packed = copy_buffer(s, (int64_t)n);
    if (!packed) return false;
    for (size_t i = 0; i < n; i++) {
        if (from[i] < -128 || from[i] > 255)
            return fail(s, "int32_data holds %d, which is no byte", (int)from[i]);
        packed[i] = (uint8_t)from[i];
    }
    return copy_4bit(s, packed);
}

static bool read_u32(const Source *s, const uint64_t *from) {
    uint32_t *to = copy_buffer(s, 4 * s->tensor->count);
    if (!to) return false;
    for (int64_t i = 0; i < s->tensor->count; i++) {
        if (from[i] > UINT32_MAX)
            return fail(s, "uint64_data holds %llu, which is no u32", (unsigned long long)from[i]);
        to[i] = (uint32_t)from[i];
    }
    s->tensor->data = to;
    return true;
}

static bool read_list(const Source *s) {
    const Onnx__TensorProto *p = s->proto;
    const Tensor *t = s->tensor;
    List list = list_of(t->dtype);
    int64_t wanted = is_4bit(t->dtype) ? payload_bytes(t) : t->count;
    size_t n = list_length(p, list);
    if ((int64_t)n != wanted)
        return fail(s, "%s has %zu elements, %s needs %lld", list_names[list], n, shape_text(s),
                    (long long)wanted);
    if (t->count == 0) return use_payload(s, NULL);
    if (t->dtype == DT_STRING) return read_strings(s);
    if (is_4bit(t->dtype)) return read_packed_4bit(s, p->int32_data, n);
    if (list == LIST_INT32 && t->dtype != DT_I32) return read_narrow(s, p->int32_data);
    if (t->dtype == DT_U32) return read_u32(s, p->uint64_data);
    s->tensor->data = t->dtype == DT_F32   ? (const void *)p->float_data
                      : t->dtype == DT_F64 ? (const void *)p->double_data
                      : t->dtype == DT_I32 ? (const void *)p->int32_data
                      : t->dtype == DT_I64 ? (const void *)p->int64_data
                                           : (const void *)p->uint64_data;
    return true;
}

/* At most one of raw_data, external data and the list of the type may hold something. */
static bool read_data(const Source *s) {
    const Onnx__TensorProto *p = s->proto;
    List list = list_of(s->tensor->dtype);
    bool external =
        p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
    bool raw = false;
    if (p->has_raw_data) {
        uint64_t number;
        memcpy(&number, p->raw_data.data, sizeof number);
        raw = s->reader->shadow.payloads[number].n > 0;
    }
    const char *first = external ? "external data" : raw ? "raw_data" : NULL;
    for (List other = LIST_FLOAT; other <= LIST_STRING; other++) {
        if (list_length(p, other) == 0) continue;
        if (first) return fail(s, "has its data twice: in %s and in %s", first, list_names[other]);
        if (other != list)
            return fail(s, "has its data in %s, but the type %s has it in %s or raw_data",
                        list_names[other], dtypes[s->tensor->dtype].text, list_names[list]);
        first = list_names[other];
    }
    if (external && raw) return fail(s, "has its data twice: in external data and in raw_data");
    if (external) return read_external(s);
    if (raw) return read_raw(s);
    return read_list(s);
}

static const Tensor failed_tensor; /* stands in the map for one that was reported */

const Tensor *read_tensor(Reader *r, Place place, const Onnx__TensorProto *proto) {
    const Tensor *known = map_get(&r->tensors, (uintptr_t)proto);
    if (known) return known == &failed_tensor ? NULL : known;
    Source s = {r, place, proto->name ? proto->name : "", proto, NEW(r->unit->arena, Tensor)};
    bool ok = read_type(&s) && read_data(&s);
    int64_t bytes = ok ? payload_bytes(s.tensor) : 0;
    if (ok && bytes > r->options.limits.tensor_bytes - r->tensor_bytes)
        ok = limit_exceeded(r->unit, place, LIMIT_tensor_bytes, r->options.limits.tensor_bytes);
    r->tensor_bytes += bytes;
    map_set(&r->tensors, (uintptr_t)proto,
            ok ? (void *)s.tensor : (void *)(uintptr_t)&failed_tensor);
    return ok ? s.tensor : NULL;
}
