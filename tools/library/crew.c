/* crew.c - threads for the runs of a context. */
#include "crew.h"

#include <unistd.h>

int crew_workers(int64_t wanted) {
    if (!wanted) wanted = sysconf(_SC_NPROCESSORS_ONLN);
    return wanted < 1 ? 1 : wanted > MOST_WORKERS ? MOST_WORKERS : (int)wanted;
}

/* Where threads cannot be had the caller does all: results do not depend on it. */
static void run_loop(void *context, LoopPart *loop, void *captured, int64_t count) {
    OwnCrew *c = context;
    if (!c->started && sonoc_pool_start(&c->pool, c->crew.workers)) sonoc_pool_start(&c->pool, 1);
    c->started = true;
    sonoc_pool_run(&c->pool, loop, captured, count);
}

void crew_begin(OwnCrew *c, int workers) {
    c->crew = (Crew){workers, run_loop, c};
    c->started = false;
}

void crew_end(OwnCrew *c) {
    if (c->started) sonoc_pool_stop(&c->pool);
    c->started = false;
}
