/* crew.h - threads for the runs of a context: started when a loop is shared for the first time. */
#ifndef SONOC_CREW_H
#define SONOC_CREW_H

#include "backend.h"
#include "pool.h"

typedef struct OwnCrew {
    Crew crew;               /* for Backend.run */
    struct sonoc_pool pool;
    bool started;
} OwnCrew;

enum { MOST_WORKERS = SONOC_POOL_MOST };

/* 0 workers: as many as there are processors. */
int crew_workers(int64_t wanted);
void crew_begin(OwnCrew *c, int workers);     /* from then on it stays where it is */
void crew_end(OwnCrew *c);

#endif
