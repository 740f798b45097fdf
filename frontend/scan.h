/* scan.h - looks through a protobuf file before it is unpacked, and cuts the tensors' payloads out.
 */
#ifndef SONOC_SCAN_H
#define SONOC_SCAN_H

#include "import.h"

#include <protobuf-c/protobuf-c.h>

typedef enum LimitId {
#define LIMIT(field, by_default, what) LIMIT_##field,
#include "limits.def"
#undef LIMIT
    LIMIT_COUNT
} LimitId;

/* The stack bounds levels of all kinds, whatever the user allows. */
enum { DEPTH_MAX = 1000 };

/* Reports that a limit is exceeded, and the option that sets it; returns false. */
bool limit_exceeded(Unit *u, Place place, LimitId which, int64_t limit);

typedef struct Span {
    const uint8_t *at;
    size_t n;
} Span;

/* The file without its payloads: every raw_data holds 8 bytes instead, the number of its payload in
 * host order. */
typedef struct Shadow {
    Span message;
    Span *payloads;
    size_t n_payloads;
    int64_t memory; /* bytes that unpacking takes, estimated */
} Shadow;

/* False: reported (damaged, or a limit is reached). */
bool scan_message(Unit *u, const ProtobufCMessageDescriptor *root, Span file,
                  const ImportLimits *limits, Shadow *shadow);

/* Unpacks the shadow into the unit's arena.  NULL: reported. */
ProtobufCMessage *unpack_shadow(Unit *u, const ProtobufCMessageDescriptor *root,
                                const Shadow *shadow, const ImportLimits *limits);

/* Fields that the schema at hand may be too old to name; their bytes are then among the unknown
 * fields. */
typedef struct LateField {
    const ProtobufCMessageDescriptor *parent;
    uint32_t id;
    const ProtobufCMessageDescriptor *child; /* NULL: a string */
    const char *name;
} LateField;

enum { LATE_FUNCTION_ATTRIBUTE, LATE_FUNCTION_OVERLOAD, LATE_NODE_OVERLOAD, LATE_COUNT };
extern const LateField late_fields[LATE_COUNT];

/* The occurrences of a late field in `message`, unpacked into the unit's arena: messages or
 * 0-terminated strings. */
int late_values(Unit *u, const ProtobufCMessage *message, int late, void ***values);

/* Reads a varint; false if it is cut off or longer than 10 bytes. */
bool varint_read(const uint8_t **at, const uint8_t *end, uint64_t *value);

#endif
