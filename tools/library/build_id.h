/* build_id.h - what tells one build of sonoc from another. */
#ifndef SONOC_BUILD_ID_H
#define SONOC_BUILD_ID_H

#include "base.h"

/* The version, and the linker's hash of the program or library that this function is in. */
const char *build_id(Arena *a);

#endif
