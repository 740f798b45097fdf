/* startup.h - what startup.c gives a program on a bare Cortex-M. */
#ifndef STARTUP_H
#define STARTUP_H

#include <stddef.h>

int main(void);
void host_exit(int status) __attribute__((noreturn));
void host_read(const char *name, void *at, size_t n); /* exactly n bytes of a file, or exit */
void host_write(const char *name, const void *at, size_t n);
void stack_paint(void);  /* below the caller's frame */
size_t stack_used(void); /* the most since then, in all */

#endif
