/* child.h - other programs. */
#ifndef SONOC_CHILD_H
#define SONOC_CHILD_H

/* Runs a command, found as a shell would, without a word from it; `words` ends with NULL.  Its exit status, 128 and more
 * for a signal; -1: it cannot be run, errno tells why. */
int child_run(const char *const *words);

#endif
