/* startup.c - a Cortex-M from reset to main, and back to the emulator: no library, no operating
 * system.
 *
 * Files are those of the machine that emulates (semihosting). */
#include "startup.h"

#include <string.h>

extern unsigned char data_from[], data_begin[], data_end[], bss_begin[], bss_end[], stack_top[],
    stack_low[];

/* Loops that the compiler must not turn into calls of themselves. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")

void *memcpy(void *restrict to, const void *restrict from, size_t n) {
    for (size_t i = 0; i < n; i++) ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
    return to;
}

void *memset(void *to, int byte, size_t n) {
    for (size_t i = 0; i < n; i++) ((unsigned char *)to)[i] = (unsigned char)byte;
    return to;
}

enum { SYS_OPEN = 1, SYS_CLOSE = 2, SYS_WRITE = 5, SYS_READ = 6, SYS_EXIT = 0x20 };

static int host(int operation, const void *block) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void host_exit(int status) {
    const unsigned block[2] = {0x20026, (unsigned)status};
    for (;;) host(SYS_EXIT, block);
}

static int host_open(const char *name, unsigned mode) {
    const unsigned block[3] = {(unsigned)name, mode, strlen(name)};
    int file = host(SYS_OPEN, block);
    if (file < 0) host_exit(3);
    return file;
}

static void host_transfer(const char *name, unsigned mode, int operation, void *at, size_t n) {
    int file = host_open(name, mode);
    const unsigned block[3] = {(unsigned)file, (unsigned)at, n};
    if (host(operation, block)) host_exit(3);
    const unsigned closed[1] = {(unsigned)file};
    host(SYS_CLOSE, closed);
}

void host_read(const char *name, void *at, size_t n) { host_transfer(name, 1, SYS_READ, at, n); }
void host_write(const char *name, const void *at, size_t n) {
    host_transfer(name, 5, SYS_WRITE, (void *)at, n);
}

size_t strlen(const char *text) {
    size_t n = 0;
    while (text[n]) n++;
    return n;
}

enum { PAINT = 0xa5 };

size_t stack_used(void) {
    const unsigned char *at = stack_low;
    while (at < stack_top && *at == PAINT) at++;
    return (size_t)(stack_top - at);
}

void stack_paint(void) {
    const unsigned char *here = __builtin_frame_address(0);
    for (unsigned char *at = stack_low; at < here - 64; at++) *at = PAINT;
}

static void reset(void) {
    *(volatile unsigned *)0xe000ed88 |= 0xf << 20; /* the floating-point unit is on */
    __asm__ volatile("dsb\n\tisb");
    memcpy(data_begin, data_from, (size_t)(data_end - data_begin));
    memset(bss_begin, 0, (size_t)(bss_end - bss_begin));
    host_exit(main());
}

static void fault(void) { host_exit(9); }

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_top, reset, fault, fault, fault, fault, fault,
};
