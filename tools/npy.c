/* npy.c - NumPy's array files: a magic, a header that is a Python dictionary, the elements.
 *
 * The header is read strictly: the three keys that NumPy writes, each once, in any order.  Types
 * that NumPy has no name for are void of their size there, as ml_dtypes writes them: 2 bytes
 * bfloat16, 1 byte int4. */
#include "npy.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

static const struct NpyType {
    const char *text; /* without the byte order */
    DType dtype;
} npy_types[] = {
    {"f4", DT_F32}, {"f8", DT_F64},  {"f2", DT_F16},  {"i1", DT_I8},  {"i2", DT_I16},
    {"i4", DT_I32}, {"i8", DT_I64},  {"u1", DT_U8},   {"u2", DT_U16}, {"u4", DT_U32},
    {"u8", DT_U64}, {"b1", DT_BOOL}, {"V2", DT_BF16}, {"V1", DT_I4},
};
enum { NPY_TYPES = sizeof npy_types / sizeof *npy_types };

typedef struct Header {
    const char *at, *end; /* what is left to read */
    const char *why;
    DType dtype;
    bool swapped, fortran, has_descr, has_order, has_shape;
    int rank;
    int64_t dims[MAX_RANK];
} Header;

static bool fail(Header *h, const char *why) {
    if (!h->why) h->why = why;
    return false;
}

static void skip_space(Header *h) {
    while (h->at < h->end && isspace((unsigned char)*h->at)) h->at++;
}

static bool take(Header *h, const char *text) {
    skip_space(h);
    size_t n = strlen(text);
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, text, n)) return false;
    h->at += n;
    return true;
}

/* 'text' or "text", without escapes. */
static bool take_string(Header *h, char *out, size_t size) {
    skip_space(h);
    if (h->at == h->end || (*h->at != '\'' && *h->at != '"')) return false;
    char quote = *h->at++;
    size_t n = 0;
    while (h->at < h->end && *h->at != quote) {
        if (n + 1 == size) return false;
        out[n++] = *h->at++;
    }
    out[n] = 0;
    return h->at < h->end && *h->at++ == quote;
}

static bool read_descr(Header *h) {
    char text[16];
    if (h->has_descr || !take_string(h, text, sizeof text)) return fail(h, "bad 'descr'");
    h->has_descr = true;
    const char *type = strchr("<>|=", text[0]) && text[0] ? text + 1 : text;
    h->swapped = text[0] == '>';
    for (int i = 0; i < NPY_TYPES; i++)
        if (!strcmp(npy_types[i].text, type)) h->dtype = npy_types[i].dtype;
    return h->dtype ? true : fail(h, "the element type is not supported");
}

static bool read_order(Header *h) {
    if (h->has_order) return fail(h, "'fortran_order' is given twice");
    h->has_order = true;
    h->fortran = take(h, "True");
    return h->fortran || take(h, "False") ? true : fail(h, "bad 'fortran_order'");
}

static bool take_size(Header *h, int64_t *value) {
    skip_space(h);
    if (h->at == h->end || !isdigit((unsigned char)*h->at)) return false;
    *value = 0;
    for (; h->at < h->end && isdigit((unsigned char)*h->at); h->at++) {
        if (*value > INT64_MAX / 10 - 1) return false;
        *value = *value * 10 + (*h->at - '0');
    }
    return true;
}

static bool read_shape(Header *h) {
    if (h->has_shape || !take(h, "(")) return fail(h, "bad 'shape'");
    h->has_shape = true;
    while (!take(h, ")")) {
        if (h->rank == MAX_RANK) return fail(h, "too many dimensions");
        if (!take_size(h, &h->dims[h->rank++])) return fail(h, "bad 'shape'");
        if (!take(h, ",") && !take(h, ")")) return fail(h, "bad 'shape'");
        if (h->at[-1] == ')') break;
    }
    return true;
}

static bool read_entry(Header *h) {
    char key[16];
    if (!take_string(h, key, sizeof key) || !take(h, ":")) return fail(h, "bad header");
    if (!strcmp(key, "descr")) return read_descr(h);
    if (!strcmp(key, "fortran_order")) return read_order(h);
    if (!strcmp(key, "shape")) return read_shape(h);
    return fail(h, "unknown key in the header");
}

static bool read_header(Header *h) {
    if (!take(h, "{")) return fail(h, "bad header");
    while (!take(h, "}")) {
        if (!read_entry(h)) return false;
        if (!take(h, ",") && h->at < h->end && *h->at != '}') return fail(h, "bad header");
    }
    if (!h->has_descr || !h->has_order || !h->has_shape) return fail(h, "the header lacks a key");
    return true;
}

/* Finds the header behind the magic and version; *data is where the elements begin. */
static bool find_header(const unsigned char *bytes, size_t n, Header *h, size_t *data) {
    if (n < 10 || memcmp(bytes, "\x93NUMPY", 6)) return fail(h, "this is no .npy file");
    size_t field = bytes[6] == 1 ? 2 : 4, length = 0;
    if (bytes[6] < 1 || bytes[6] > 3 || n < 8 + field) return fail(h, "unknown version");
    for (size_t i = 0; i < field; i++) length |= (size_t)bytes[8 + i] << 8 * i;
    if (length > n - 8 - field) return fail(h, "the header is longer than the file");
    h->at = (const char *)bytes + 8 + field;
    h->end = h->at + length;
    *data = 8 + field + length;
    return true;
}

static bool check_size(Header *h, size_t have) {
    int64_t count = 1;
    for (int d = 0; d < h->rank; d++)
        if (__builtin_mul_overflow(count, h->dims[d], &count))
            return fail(h, "the shape is too large");
    int64_t bytes;
    if (__builtin_mul_overflow(count, dtypes[h->dtype].bytes, &bytes) || (uint64_t)bytes > have)
        return fail(h, "the file is shorter than its shape tells");
    return true;
}

static void copy_element(char *to, const char *from, int bytes, bool swapped) {
    for (int i = 0; i < bytes; i++) to[i] = from[swapped ? bytes - 1 - i : i];
}

/* Elements in file order to row-major order. */
static void copy_elements(const Header *h, const char *from, const Tensor *t) {
    int bytes = dtypes[h->dtype].bytes;
    char *to = (char *)t->data;
    int64_t index[MAX_RANK] = {0};
    for (int64_t i = 0; i < t->count; i++) {
        int64_t place = i;
        if (h->fortran) {
            place = 0;
            for (int d = h->rank; d-- > 0;) place = place * h->dims[d] + index[d];
            for (int d = h->rank; d-- > 0 && ++index[d] == h->dims[d];) index[d] = 0;
        }
        copy_element(to + i * bytes, from + place * bytes, bytes, h->swapped);
    }
}

const Tensor *npy_read(Arena *a, const void *bytes, size_t n, const char **why) {
    Header h = {0};
    size_t data = 0;
    if (!find_header(bytes, n, &h, &data) || !read_header(&h) || !check_size(&h, n - data)) {
        *why = h.why;
        return NULL;
    }
    Tensor *t = tensor_new(a, h.dtype, h.rank, h.dims);
    if (h.fortran || h.swapped)
        copy_elements(&h, (const char *)bytes + data, t);
    else if (t->count)
        memcpy((void *)t->data, (const char *)bytes + data,
               (size_t)t->count * (size_t)dtypes[h.dtype].bytes);
    return t;
}

static const char *npy_type(DType dtype) {
    if (dtype == DT_I4) return "i1";
    if (dtype == DT_U4) return "u1";
    for (int i = 0; i < NPY_TYPES; i++)
        if (npy_types[i].dtype == dtype) return npy_types[i].text;
    return "V1";
}

void npy_write(const Tensor *t, Text *out) {
    int bytes = dtypes[t->dtype].bytes;
    Text header = {.arena = out->arena};
    text_add(&header, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
             bytes == 1 ? '|' : '<', npy_type(t->dtype));
    for (int d = 0; d < t->rank; d++)
        text_add(&header, "%s%" PRId64 "%s", d ? " " : "", t->dims[d],
                 d < t->rank - 1 || t->rank == 1 ? "," : "");
    text_add(&header, "), }");
    while ((10 + header.n + 1) % 64) text_add(&header, " ");
    text_add(&header, "\n");
    unsigned char begin[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, header.n & 0xff, header.n >> 8 & 0xff};
    text_add_bytes(out, begin, sizeof begin);
    text_add_bytes(out, header.at, header.n);
    text_add_bytes(out, t->data, (size_t)t->count * (size_t)bytes);
}
