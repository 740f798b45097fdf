/* code_size.h - flash and stack that a program takes on a microcontroller, told before anything is
 * compiled. */
#ifndef SONOC_CODE_SIZE_H
#define SONOC_CODE_SIZE_H

#include "loop.h"

typedef enum CodePart {
#define CODE_PART(id, name, bytes, what) CODE_##id,
#include "code_size.def"
    CODE_COUNT
} CodePart;

typedef struct CodeParts {
    int64_t n[CODE_COUNT];
} CodeParts;

extern const char *const code_part_names[CODE_COUNT];

bool code_is_known(const Target *t); /* are there figures for its instructions? */
void code_parts(const Program *p, const Kernel *k, CodeParts *parts);
int64_t code_bytes(const CodeParts *parts); /* of a kernel; estimated */
int64_t stack_bytes(const Kernel *k);       /* of a kernel; a bound */

/* Of a whole program. */
typedef struct Footprint {
    int64_t code, constants, flash; /* flash: the sum */
    int64_t stack, ram;             /* ram: the stack and the arena */
} Footprint;
Footprint footprint_of(const Program *p);

#endif
