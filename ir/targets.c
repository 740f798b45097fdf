/* targets.c - the table of targets. */
#include "target.h"

#include <string.h>

const Target targets[] = {
#define TARGET(name, lanes, registers, rows, vectors, fma, l1, l2, gcc, word, order, machine, flags, summary)              \
    {name, lanes, registers, rows, vectors, fma, l1, l2, gcc, word, ORDER_##order, machine, flags, summary},
#include "targets.def"
#undef TARGET
    {0},
};

const Target *target_native(void) {
    const char *name = "baseline";
#if defined(__x86_64__)
    if (__builtin_cpu_supports("x86-64-v4")) name = "x86-64-v4";
    else if (__builtin_cpu_supports("x86-64-v3")) name = "x86-64-v3";
    else if (__builtin_cpu_supports("x86-64-v2")) name = "x86-64-v2";
#elif defined(__i386__)
    name = "i686";
#elif defined(__aarch64__)
    name = "aarch64";
#elif defined(__riscv) && __riscv_xlen == 64
    name = "riscv64";
#elif defined(__s390x__)
    name = "s390x";
#endif
    return target_find(name);
}

const Target *target_multi(int number) {
    static const char *const names[] = {"x86-64-v3", "multi-v2", "multi-v4"};
    return number < (int)(sizeof names / sizeof *names) ? target_find(names[number]) : NULL;
}

const Target *target_find(const char *name) {
    if (!strcmp(name, "native")) return target_native();
    if (!strcmp(name, "multi")) return target_multi(0);
    for (const Target *t = targets; t->name; t++)
        if (!strcmp(t->name, name)) return t;
    return NULL;
}
