/* counters.c - hardware counters by perf_event_open. */
#include "counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const counter_names[COUNTER_COUNT] = {
#define COUNTER(id, event, text) text,
#include "counters.def"
#undef COUNTER
};

static const uint64_t events[COUNTER_COUNT] = {
#define COUNTER(id, event, text) event,
#include "counters.def"
#undef COUNTER
};

static int open_one(uint64_t event) {
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.size = sizeof attributes;
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = event;
    attributes.inherit = 1;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

void counters_open(Counters *c) {
    *c = (Counters){0};
    for (int i = 0; i < COUNTER_COUNT; i++) {
        c->files[i] = open_one(events[i]);
        if (c->files[i] >= 0)
            c->n++;
        else if (!c->error)
            c->error = errno;
    }
}

void counters_read(const Counters *c, uint64_t values[COUNTER_COUNT]) {
    for (int i = 0; i < COUNTER_COUNT; i++) {
        values[i] = 0;
        if (c->files[i] < 0) continue;
        if (read(c->files[i], &values[i], sizeof values[i]) != sizeof values[i]) values[i] = 0;
    }
}

void counters_close(Counters *c) {
    for (int i = 0; i < COUNTER_COUNT; i++)
        if (c->files[i] >= 0) close(c->files[i]);
}
