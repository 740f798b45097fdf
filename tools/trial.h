/* trial.h - graphs handed to a command of the user's, to see whether it fails. */
#ifndef SONOC_TRIAL_H
#define SONOC_TRIAL_H

#include "pass.h"
#include "pipeline.h"

/* What --passes, -O and the like ask for; the report may be NULL. */
PassOptions session_pass_options(const Session *s, PassReport *report);

/* A temporary file in TMPDIR for graphs as text.  false: reported. */
typedef struct Trial { Unit *unit; char **words; char *path; } Trial;
bool trial_begin(Session *s, Trial *t);
void trial_end(Trial *t);
/* Writes g there and runs the words with {} replaced by the file's name, silently.  The exit status, 128 and more for a
 * signal; -1: reported. */
int trial_run(Trial *t, const Graph *g);

#endif
