/* scan.c - looks through a protobuf file before it is unpacked, and cuts the tensors' payloads out.
 *
 * protobuf-c recurses without a limit, copies every payload and multiplies what small messages
 * cost, so nothing reaches it that was not walked here first, with a stack of our own and along its
 * own descriptors.  The walk is done twice: it checks and measures, then it writes the shadow.  A
 * message's length stands in the shadow as five bytes (longer than needed, which the format
 * allows), filled in when its end is known. Invariant: what the shadow holds was walked; fields
 * that the descriptors do not know, and those that a compiler has no use for, are left out.  So
 * every raw_data that can be unpacked is a number that was written here. */
#include "scan.h"

#include "onnx.pb-c.h"

#include <limits.h>
#include <string.h>

enum { LENGTH_BYTES = 5 };
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

typedef struct Frame {
    const ProtobufCMessageDescriptor *type;
    const char *field; /* under which it stands in the message around it */
    const uint8_t *end;
    size_t length_at; /* where its length stands in the shadow */
    uint64_t seen;    /* single messages met so far: bit = number of the field */
} Frame;

typedef struct Scan {
    Unit *unit;
    const ImportLimits *limits;
    Span file;
    const uint8_t *at;
    const uint8_t *field_start;
    Frame *frames;
    int depth;    /* of the newest frame; -1 when done */
    uint8_t *out; /* NULL while measuring */
    size_t n_out;
    Span *payloads;
    size_t n_payloads;
    int64_t nodes, memory, memory_limit;
} Scan;

/* What one field is to us. */
typedef struct Field {
    const char *name;
    const ProtobufCMessageDescriptor *child; /* of a message */
    ProtobufCType type;
    bool repeated;
} Field;

const LateField late_fields[LATE_COUNT] = {
    [LATE_FUNCTION_ATTRIBUTE] = {&onnx__function_proto__descriptor, 11,
                                 &onnx__attribute_proto__descriptor, "attribute_proto"},
    [LATE_FUNCTION_OVERLOAD] = {&onnx__function_proto__descriptor, 13, NULL, "overload"},
    [LATE_NODE_OVERLOAD] = {&onnx__node_proto__descriptor, 8, NULL, "overload"},
};

/* Of no use to a compiler. */
static const char *const left_out[] = {"doc_string",    "metadata_props",
                                       "training_info", "quantization_annotation",
                                       "value_info",    "denotation"};

bool limit_exceeded(Unit *u, Place place, LimitId which, int64_t limit) {
    static const struct {
        const char *field, *what;
    } rows[LIMIT_COUNT] = {
#define LIMIT(field, by_default, what) {#field, what},
#include "limits.def"
#undef LIMIT
    };
    char *option = arena_copy(u->arena, rows[which].field, strlen(rows[which].field));
    for (char *c = option; *c; c++)
        if (*c == '_') *c = '-';
    return diag(u, place, D_LIMIT_REACHED, (long long)limit, rows[which].what, option);
}

bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *value) {
    uint64_t v = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (*at == end) return false;
        uint8_t byte = *(*at)++;
        v |= (uint64_t)(byte & 0x7f) << (shift < 64 ? shift : 0);
        if (!(byte & 0x80)) {
            *value = v;
            return true;
        }
    }
    return false;
}

/* Reports at the field that is being read, naming the way to it. */
static bool scan_fail(const Scan *s, const char *field, const char *what) {
    Text path = {.arena = s->unit->arena};
    text_add(&path, "%s", s->frames[0].type->short_name);
    for (int i = 1; i <= s->depth; i++) {
        bool cut = s->depth > 12 && i > 6 && i <= s->depth - 6;
        if (!cut)
            text_add(&path, ".%s", s->frames[i].field);
        else if (i == 7)
            text_add(&path, "...");
    }
    if (field) text_add(&path, ".%s", field);
    return diag(s->unit, NO_PLACE, D_WIRE, (size_t)(s->field_start - s->file.at), path.at, what);
}

static void put(Scan *s, const void *bytes, size_t n) {
    if (s->out) memcpy(s->out + s->n_out, bytes, n);
    s->n_out += n;
}

static void put_varint(Scan *s, uint64_t v) {
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    put(s, bytes, n);
}

static void write_length(uint8_t *at, size_t length) {
    for (int i = 0; i < LENGTH_BYTES; i++)
        at[i] = (uint8_t)(length >> 7 * i & 0x7f) | (i < LENGTH_BYTES - 1) << 7;
}

static bool charge(Scan *s, uint64_t bytes) {
    if (bytes > (uint64_t)(s->memory_limit - s->memory))
        return limit_exceeded(s->unit, NO_PLACE, LIMIT_message_bytes, s->memory_limit);
    s->memory += (int64_t)bytes;
    return true;
}

static uint64_t rounded(uint64_t n) { return (n + 15) / 16 * 16; }

static bool find_field(const ProtobufCMessageDescriptor *type, uint32_t id, Field *field) {
    const ProtobufCFieldDescriptor *d = protobuf_c_message_descriptor_get_field(type, id);
    if (d) {
        *field = (Field){d->name, d->type == PROTOBUF_C_TYPE_MESSAGE ? d->descriptor : NULL,
                         d->type, d->label == PROTOBUF_C_LABEL_REPEATED};
        for (size_t i = 0; i < sizeof left_out / sizeof *left_out; i++)
            if (strcmp(left_out[i], d->name) == 0) return false;
        return true;
    }
    for (int i = 0; i < LATE_COUNT; i++) {
        const LateField *late = &late_fields[i];
        if (late->parent != type || late->id != id) continue;
        *field = (Field){late->name, late->child,
                         late->child ? PROTOBUF_C_TYPE_MESSAGE : PROTOBUF_C_TYPE_STRING, true};
        return true;
    }
    return false;
}

/* The wire type of one element. */
static int wire_of(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT: return WIRE_32;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE: return WIRE_64;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE: return WIRE_BYTES;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM: return WIRE_VARINT;
    }
    return WIRE_VARINT;
}

/* The body of a packed list is whole, and what it costs. */
static bool check_packed(Scan *s, const Field *field, Span body) {
    int wire = wire_of(field->type);
    if (wire != WIRE_VARINT) {
        size_t size = wire == WIRE_32 ? 4 : 8;
        if (body.n % size) return scan_fail(s, field->name, "a list of numbers is cut off");
        return charge(s, rounded(body.n));
    }
    uint64_t count = 0, run = 0;
    for (size_t i = 0; i < body.n; i++) {
        if (++run > 10) return scan_fail(s, field->name, "a number is longer than 10 bytes");
        if (body.at[i] & 0x80) continue;
        run = 0;
        count++;
    }
    if (run) return scan_fail(s, field->name, "a list of numbers is cut off");
    return charge(s, rounded(8 * count));
}

static bool push_message(Scan *s, const Field *field, uint64_t id, Span body) {
    Frame *parent = &s->frames[s->depth];
    if (!field->repeated && id < 64) {
        if (parent->seen >> id & 1) return scan_fail(s, field->name, "the field is given twice");
        parent->seen |= (uint64_t)1 << id;
    }
    if (field->child == &onnx__node_proto__descriptor && ++s->nodes > s->limits->nodes)
        return limit_exceeded(s->unit, NO_PLACE, LIMIT_nodes, s->limits->nodes);
    if (s->depth + 1 >= s->limits->depth)
        return limit_exceeded(s->unit, NO_PLACE, LIMIT_depth, s->limits->depth);
    if (!charge(s, rounded(field->child->sizeof_message) + 64)) return false;
    s->frames[++s->depth] = (Frame){field->child, field->name, body.at + body.n, s->n_out, 0};
    s->n_out += LENGTH_BYTES;
    s->at = body.at;
    return true;
}

static void pop_message(Scan *s) {
    const Frame *frame = &s->frames[s->depth--];
    if (s->out && s->depth >= 0)
        write_length(s->out + frame->length_at, s->n_out - frame->length_at - LENGTH_BYTES);
}

static void put_payload(Scan *s, Span body) {
    uint64_t number = s->n_payloads;
    if (s->payloads) s->payloads[number] = body;
    s->n_payloads++;
    put_varint(s, sizeof number);
    put(s, &number, sizeof number);
}

static bool read_bytes_field(Scan *s, const Field *field, uint64_t tag, Span body) {
    uint64_t id = tag >> 3;
    put_varint(s, tag);
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) return push_message(s, field, id, body);
    s->at = body.at + body.n;
    bool is_payload = s->frames[s->depth].type == &onnx__tensor_proto__descriptor &&
                      strcmp(field->name, "raw_data") == 0;
    if (is_payload) {
        put_payload(s, body);
        return charge(s, 32);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING && body.n && memchr(body.at, 0, body.n))
        return scan_fail(s, field->name, "a text holds a zero byte");
    bool is_text = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_BYTES;
    if (is_text ? !charge(s, rounded(body.n + 1) + 32) : !check_packed(s, field, body))
        return false;
    put_varint(s, body.n);
    put(s, body.at, body.n);
    return true;
}

/* Skips a field that is not kept, or a plain number; *body is what it holds. */
static bool read_body(Scan *s, const char *name, int wire, Span *body) {
    const uint8_t *end = s->frames[s->depth].end;
    const uint8_t *start = s->at;
    uint64_t n = 0;
    switch (wire) {
    case WIRE_VARINT:
        if (!varint_read(&s->at, end, &n)) return scan_fail(s, name, "a number is cut off");
        *body = (Span){start, (size_t)(s->at - start)};
        return true;
    case WIRE_64: n = 8; break;
    case WIRE_32: n = 4; break;
    case WIRE_BYTES:
        if (!varint_read(&s->at, end, &n)) return scan_fail(s, name, "a length is cut off");
        break;
    default: return scan_fail(s, name, "no such kind of field exists");
    }
    if (n > (uint64_t)(end - s->at)) return scan_fail(s, name, "it is longer than what is left");
    *body = (Span){s->at, (size_t)n};
    s->at += n;
    return true;
}

static bool scan_field(Scan *s) {
    const Frame *frame = &s->frames[s->depth];
    uint64_t tag;
    s->field_start = s->at;
    if (!varint_read(&s->at, frame->end, &tag))
        return scan_fail(s, NULL, "a field's number is cut off");
    uint64_t id = tag >> 3;
    int wire = (int)(tag & 7);
    if (id == 0 || id > (1 << 29) - 1) return scan_fail(s, NULL, "no field has such a number");
    Field field = {0};
    bool kept = find_field(frame->type, (uint32_t)id, &field);
    Span body = {NULL, 0};
    if (!read_body(s, kept ? field.name : NULL, wire, &body)) return false;
    if (!kept) return true;
    int wanted = wire_of(field.type);
    bool packed = wire == WIRE_BYTES && wanted != WIRE_BYTES && field.repeated;
    if (wire != wanted && !packed) return scan_fail(s, field.name, "the field is of another kind");
    if (wire == WIRE_BYTES) return read_bytes_field(s, &field, tag, body);
    put_varint(s, tag);
    put(s, body.at, body.n);
    return !field.repeated || charge(s, 64);
}

static bool scan_all(Scan *s, const ProtobufCMessageDescriptor *root) {
    s->depth = 0;
    s->frames[0] = (Frame){root, "", s->file.at + s->file.n, 0, 0};
    s->at = s->file.at;
    s->n_out = 0;
    s->n_payloads = 0;
    s->nodes = 0;
    s->memory = 0;
    while (s->depth >= 0) {
        if (s->at == s->frames[s->depth].end)
            pop_message(s);
        else if (!scan_field(s))
            return false;
    }
    return true;
}

bool scan_message(Unit *u, const ProtobufCMessageDescriptor *root, Span file,
                  const ImportLimits *limits, Shadow *shadow) {
    Scan s = {.unit = u, .limits = limits, .file = file, .memory_limit = limits->message_bytes};
    s.frames = NEW_ARRAY(u->arena, Frame, limits->depth + 1);
    if (!scan_all(&s, root)) return false;
    if (s.n_out > INT_MAX)
        return diag(u, NO_PLACE, D_LIMIT_FIXED, (long long)INT_MAX,
                    "bytes of messages without raw data");
    s.out = NEW_ARRAY(u->arena, uint8_t, s.n_out);
    s.payloads = NEW_ARRAY(u->arena, Span, s.n_payloads);
    scan_all(&s, root);
    *shadow = (Shadow){{s.out, s.n_out}, s.payloads, s.n_payloads, s.memory};
    return true;
}

/* protobuf-c's memory: from the unit's arena, up to a limit, never given back. */
typedef struct Capped {
    Arena *arena;
    int64_t left;
} Capped;

static void *capped_alloc(void *data, size_t size) {
    Capped *c = data;
    if (size > (uint64_t)c->left) return NULL;
    c->left -= (int64_t)size;
    return arena_alloc(c->arena, size);
}

static void capped_free(void *data, void *pointer) {
    (void)data;
    (void)pointer;
}

static ProtobufCMessage *unpack(Unit *u, const ProtobufCMessageDescriptor *type, Span bytes,
                                int64_t limit) {
    Capped capped = {u->arena, limit};
    ProtobufCAllocator allocator = {capped_alloc, capped_free, &capped};
    return protobuf_c_message_unpack(type, &allocator, bytes.n, bytes.at);
}

ProtobufCMessage *unpack_shadow(Unit *u, const ProtobufCMessageDescriptor *root,
                                const Shadow *shadow, const ImportLimits *limits) {
    ProtobufCMessage *message = unpack(u, root, shadow->message, limits->message_bytes);
    if (!message) limit_exceeded(u, NO_PLACE, LIMIT_message_bytes, limits->message_bytes);
    return message;
}

/* Those that the schema knows: a single string, or a list of messages. */
static int known_values(const ProtobufCMessage *message, const ProtobufCFieldDescriptor *d, Unit *u,
                        void ***values) {
    const char *base = (const char *)message;
    if (d->label == PROTOBUF_C_LABEL_REPEATED) {
        *values = *(void ***)(uintptr_t)(base + d->offset);
        return (int)*(const size_t *)(const void *)(base + d->quantifier_offset);
    }
    *values = NEW_ARRAY(u->arena, void *, 1);
    **values = *(void **)(uintptr_t)(base + d->offset);
    return **values != NULL;
}

int late_values(Unit *u, const ProtobufCMessage *message, int late, void ***values) {
    const LateField *field = &late_fields[late];
    const ProtobufCFieldDescriptor *d =
        protobuf_c_message_descriptor_get_field(field->parent, field->id);
    if (d) return known_values(message, d, u, values);
    int n = 0;
    *values = NEW_ARRAY(u->arena, void *, message->n_unknown_fields);
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *unknown = &message->unknown_fields[i];
        if (unknown->tag != field->id) continue;
        const uint8_t *at = unknown->data, *end = at + unknown->len;
        uint64_t length;
        if (!varint_read(&at, end, &length) || length != (uint64_t)(end - at))
            BUG(u, "the scan let a bad length by");
        Span body = {at, (size_t)length};
        void *value = field->child ? (void *)unpack(u, field->child, body, INT64_MAX)
                                   : arena_copy(u->arena, (const char *)at, body.n);
        if (!value) BUG(u, "the scan let a bad %s by", field->name);
        (*values)[n++] = value;
    }
    return n;
}
