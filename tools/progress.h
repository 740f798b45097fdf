/* progress.h - a line on the terminal that tells what takes over a second. */
#ifndef SONOC_PROGRESS_H
#define SONOC_PROGRESS_H

#include <stdbool.h>

typedef struct Progress Progress;

/* NULL, and nothing is ever shown, when stderr is no terminal, or NO_COLOR or TERM=dumb or `quiet` asks for silence. */
Progress *progress_start(bool quiet);
void progress_stage(Progress *p, const char *what);      /* what is being done from now on */
void progress_end(Progress *p);                          /* clears the line */

#endif
