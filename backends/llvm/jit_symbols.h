/* jit_symbols.h - the functions in an object file that LLVM made: for perf's map. */
#ifndef SONOC_JIT_SYMBOLS_H
#define SONOC_JIT_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* Visits every function of a 64-bit ELF object of this machine's byte order; what is no such object has none. */
void object_visit_functions(const char *object, size_t bytes,
                            void (*visit)(const char *name, uint64_t size, void *context), void *context);

#endif
