/* emit_c_data.c - the constants of a program in the form that was asked for.
 *
 * All forms but ARRAYS hold one image: the constants one after the other, each aligned to 64 bytes,
 * in the target's byte order.  As a string literal it is what C compilers read fastest; beyond some
 * tens of MB an object file costs them nothing. */
#include "emit_c_text.h"

#include <string.h>

enum { LITERAL_LINE = 512 };
static const int64_t largest_literal = INT64_C(64) << 20;

static bool is_weight(const Emit *e, const Buffer *b) {
    return b->kind == BUF_CONST && e->used[b->id];
}

static WeightsForm choose_form(const Emit *e) {
    WeightsForm form = e->options->weights;
    if (form == WEIGHTS_AUTO)
        form = e->image.bytes <= largest_literal ? WEIGHTS_LITERAL : WEIGHTS_OBJECT;
    bool beside = form == WEIGHTS_INCBIN || form == WEIGHTS_OBJECT;
    return beside && !e->image.bytes ? WEIGHTS_LITERAL : form;
}

static void name_arrays(Emit *e) {
    for (int i = 0; i < e->program->buffers.n; i++) {
        const Buffer *b = e->program->buffers.at[i];
        if (is_weight(e, b)) e->array_names[i] = names_take(&e->names, b->name);
    }
}

void weights_layout(Emit *e) {
    e->form = choose_form(e);
    if (e->form == WEIGHTS_ARRAYS) name_arrays(e);
}

char *text_room(Text *t, size_t n) {
    if (t->cap < t->n + n + 1) {
        enum { SLACK = 1 << 16 };
        char *at = arena_alloc(t->arena, t->n + n + SLACK);
        if (t->n) memcpy(at, t->at, t->n);
        t->at = at;
        t->cap = t->n + n + SLACK;
    }
    char *room = t->at + t->n;
    t->n += n;
    t->at[t->n] = 0;
    return room;
}

/* As a machine of that byte order reads it. */
static uint64_t read_word(const unsigned char *bytes, ByteOrder order) {
    uint64_t word = 0;
    for (int i = 0; i < 8; i++) word = word << 8 | bytes[order == ORDER_BIG ? i : 7 - i];
    return word;
}

/* The hash that the generated code computes too: four streams, for speed. */
static uint64_t image_hash(const unsigned char *bytes, size_t n, ByteOrder order) {
    uint64_t h[4] = {1, 2, 3, 4};
    for (size_t i = 0; i + 32 <= n; i += 32)
        for (int k = 0; k < 4; k++)
            h[k] = (h[k] ^ read_word(bytes + i + 8 * k, order)) * UINT64_C(0x9e3779b97f4a7c15) ^
                   h[k] >> 32;
    return h[0] ^ h[1] * 3 ^ h[2] * 5 ^ h[3] * 7;
}

static void print_hash_function(Text *out) {
    text_add(out, "%s",
             "\nstatic uint64_t weights_hash(const unsigned char *bytes, size_t n) {\n"
             "    uint64_t h[4] = {1, 2, 3, 4}, word[4];\n"
             "    for (size_t i = 0; i + 32 <= n; i += 32) {\n"
             "        memcpy(word, bytes + i, 32);\n"
             "        for (int k = 0; k < 4; k++) h[k] = ((h[k] ^ word[k]) * "
             "UINT64_C(0x9e3779b97f4a7c15)) ^ (h[k] >> 32);\n"
             "    }\n"
             "    return h[0] ^ (h[1] * 3) ^ (h[2] * 5) ^ (h[3] * 7);\n"
             "}\n");
}

/* The literal: for every byte, before a digit or not, its shortest spelling. */

typedef struct Spelling {
    char text[4];
    unsigned char n;
} Spelling;

static void spell(Spelling *s, int byte, bool before_digit) {
    static const char named[] = "\aa\bb\tt\nn\vv\ff\rr\"\"\\\\??";
    const char *escape = NULL;
    for (const char *k = named; *k; k += 2)
        if (byte == *k) escape = k + 1;
    char text[8];
    if (escape)
        snprintf(text, sizeof text, "\\%c", *escape);
    else if (byte >= ' ' && byte <= '~')
        snprintf(text, sizeof text, "%c", byte);
    else
        snprintf(text, sizeof text, before_digit ? "\\%03o" : "\\%o", (unsigned)byte);
    s->n = (unsigned char)strlen(text);
    memcpy(s->text, text, 4);
}

static void spell_all(Spelling spellings[2][256]) {
    for (int byte = 0; byte < 256; byte++) {
        spell(&spellings[0][byte], byte, false);
        spell(&spellings[1][byte], byte, true);
    }
}

static bool is_octal(unsigned char c) { return c >= '0' && c <= '7'; }

static size_t literal_length(Spelling spellings[2][256], const unsigned char *image, size_t n) {
    size_t length = 0;
    for (size_t i = 0; i < n; i++)
        length += spellings[i + 1 < n && is_octal(image[i + 1])][image[i]].n;
    return length + (n / LITERAL_LINE + 1) * 3;
}

static void print_literal(Text *out, const unsigned char *image, size_t n) {
    Spelling spellings[2][256];
    spell_all(spellings);
    enum { SPILL = 8 }; /* whole words are written, four bytes at a time */
    size_t room = literal_length(spellings, image, n) + SPILL;
    char *begin = text_room(out, room), *at = begin;
    for (size_t i = 0; i < n; i++) {
        if (i % LITERAL_LINE == 0) *at++ = '"';
        const Spelling *s = &spellings[i + 1 < n && is_octal(image[i + 1])][image[i]];
        memcpy(at, s->text, 4);
        at += s->n;
        if ((i + 1) % LITERAL_LINE == 0 || i + 1 == n) {
            *at++ = '"';
            *at++ = '\n';
        }
    }
    out->n -= room - (size_t)(at - begin);
    out->at[out->n] = 0;
}

static void print_literal_union(Emit *e, Text *out) {
    const char *prefix = e->options->prefix;
    long long n = (long long)e->image.bytes;
    char *image = arena_alloc(e->arena, (size_t)n);
    weights_fill_all(e->plans, e->n_plans, e->images, image);
    text_add(out,
             "\n#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n"
             "#pragma GCC diagnostic ignored \"-Wmisleading-indentation\" /* not tracked after so "
             "long a text */\n"
             "static const union {\n    char bytes[%lld];\n    double aligned;\n} "
             "%s_weights __attribute__((aligned(64))) = {\n",
             n + 1, prefix);
    print_literal(out, (const unsigned char *)image, (size_t)n);
    text_add(out, "};\n");
}

/* Arrays that a person can read. */

static void print_number(Text *out, DType t, const Tensor *data, int64_t i) {
    if (t == DT_F32 || t == DT_F64) {
        float_print(out, t, tensor_get_double(data, i));
    } else if (t == DT_F16 || t == DT_BF16) {
        uint16_t bits;
        memcpy(&bits, (const char *)data->data + 2 * i, 2);
        text_add(out, "0x%04x", bits);
    } else {
        int64_t value = tensor_get_int(data, i);
        if (t == DT_U64)
            text_add(out, "UINT64_C(%llu)", (unsigned long long)value);
        else if (value == INT64_MIN)
            text_add(out, "INT64_MIN");
        else if (value == INT32_MIN)
            text_add(out, "INT32_MIN");
        else if (t == DT_I64)
            text_add(out, "INT64_C(%lld)", (long long)value);
        else
            text_add(out, "%lld%s", (long long)value, t == DT_U32 ? "u" : "");
    }
}

static void print_array(Emit *e, Text *out, const Buffer *b) {
    enum { WIDTH = 96 };
    text_add(out, "\n/* ");
    comment_print(out, " * ", b->name);
    for (int d = 0; d < b->data->rank; d++)
        text_add(out, "%s%lld", d ? "," : " [", (long long)b->data->dims[d]);
    text_add(out, "%s */\nLOCAL static const %s %s[%lld] = {\n   ", b->data->rank ? "]" : "",
             c_type(b->type), e->array_names[b->id], (long long)(b->count ? b->count : 1));
    size_t line = out->n;
    for (int64_t i = 0; i < b->count; i++) {
        if (out->n - line > WIDTH - 20) {
            text_add(out, "\n   ");
            line = out->n;
        }
        text_add(out, " ");
        print_number(out, b->type, b->data, i);
        text_add(out, ",");
    }
    text_add(out, "%s\n};\n", b->count ? "" : " 0");
}

static void print_incbin(Emit *e, Text *out) {
    const char *prefix = e->options->prefix;
    text_add(out,
             "\n/* The file of weights, found by the assembler: -DWEIGHTS_PATH=... if it lies "
             "elsewhere. */\n"
             "#if !defined(WEIGHTS_PATH)\n#define WEIGHTS_PATH %s\n#endif\n",
             quoted(e->arena, e->options->weights_name));
    text_add(out,
             "__asm__(\".pushsection .rodata\\n\"\n        \".balign 64\\n\"\n        \".globl "
             "%s_weights\\n\"\n"
             "        \".hidden %s_weights\\n\"\n        \"%s_weights:\\n\"\n"
             "        \".incbin \\\"\" WEIGHTS_PATH \"\\\"\\n\"\n        \".popsection\\n\");\n",
             prefix, prefix, prefix);
}

static void print_extern(const Emit *e, Text *out) {
    const char *prefix = e->options->prefix;
    text_add(out,
             "\n#if defined(__cplusplus)\nextern \"C\"\n#else\nextern\n#endif\n"
             "    __attribute__((visibility(\"hidden\"))) const unsigned char %s_weights[];\n",
             prefix);
}

static void print_byte_order_check(const Emit *e, Text *out) {
    bool big = e->program->target->order == ORDER_BIG;
    text_add(out,
             "\n#if __BYTE_ORDER__ != __ORDER_%s_ENDIAN__\n"
             "#error \"the weights are %s-endian: make the file for this machine's --target, or "
             "with --weights=arrays\"\n#endif\n",
             big ? "BIG" : "LITTLE", big ? "big" : "little");
}

void weights_arrays(Emit *e, Text *out) {
    for (int i = 0; i < e->program->buffers.n; i++)
        if (is_weight(e, e->program->buffers.at[i])) print_array(e, out, e->program->buffers.at[i]);
}

void weights_source(Emit *e, Text *out) {
    if (e->form == WEIGHTS_ARRAYS && e->n_plans == 1) weights_arrays(e, out);
    if (e->form == WEIGHTS_ARRAYS) return;
    if (!e->image.bytes) return;
    print_byte_order_check(e, out);
    if (e->form == WEIGHTS_LITERAL) print_literal_union(e, out);
    if (e->form == WEIGHTS_INCBIN) print_incbin(e, out);
    if (e->form == WEIGHTS_INCBIN || e->form == WEIGHTS_OBJECT) print_extern(e, out);
    if (e->form == WEIGHTS_FILE) print_hash_function(out);
}

void weights_file(Emit *e, Text *out) {
    if (!e->image.bytes) return;
    if (e->form == WEIGHTS_OBJECT) elf_print(e, out);
    if (e->form != WEIGHTS_INCBIN && e->form != WEIGHTS_FILE) return;
    weights_fill_all(e->plans, e->n_plans, e->images, text_room(out, (size_t)e->image.bytes));
    if (e->form == WEIGHTS_FILE)
        e->image_hash = image_hash((const unsigned char *)out->at, (size_t)e->image.bytes,
                                   e->program->target->order);
}
