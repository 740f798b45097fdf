/* timeline.h - what took how long: the stages of a command, and the passes in one of them. */
#ifndef SONOC_TIMELINE_H
#define SONOC_TIMELINE_H

#include "options.h"
#include "pass.h"

typedef struct Timeline {
    Arena *arena;
    VEC(PassTime) times;         /* stages have depth 0, passes 1 and more; what is in something stands behind it */
    bool open;                   /* the last stage runs */
} Timeline;

/* Ends the stage that runs, and begins another; NULL: none. */
void timeline_stage(Timeline *t, const char *what);
/* A pass of the stage that runs. */
void timeline_add(Timeline *t, const PassTime *pass);
/* The tree on stderr, and the file, if the options ask for them; false: the file cannot be written (a message says so). */
bool timeline_tell(Timeline *t, const Options *o);

#endif
