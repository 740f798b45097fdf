/* progress.c - a thread that, once a stage has lasted a second, tells its name and time until it
 * ends. */
#include "progress.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct Progress {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const char *stage;
    struct timespec start; /* of the stage */
    bool over, shown;
};

static bool wants_progress(bool quiet) {
    const char *term = getenv("TERM");
    return !quiet && isatty(STDERR_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb");
}

static double age(const Progress *p) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)(now.tv_sec - p->start.tv_sec) + 1e-9 * (double)(now.tv_nsec - p->start.tv_nsec);
}

static void *show(void *context) {
    Progress *p = context;
    pthread_mutex_lock(&p->mutex);
    while (!p->over) {
        struct timespec next;
        clock_gettime(CLOCK_REALTIME, &next);
        next.tv_nsec += 200000000;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&p->changed, &p->mutex, &next);
        if (p->over || !p->stage || age(p) < 1) continue;
        p->shown = true;
        fprintf(stderr, "\r\033[K%s, %.0f s", p->stage, age(p));
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

Progress *progress_start(bool quiet) {
    if (!wants_progress(quiet)) return NULL;
    Progress *p = calloc(1, sizeof *p);
    if (!p) return NULL;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    if (!pthread_create(&p->thread, NULL, show, p)) return p;
    free(p);
    return NULL;
}

void progress_stage(Progress *p, const char *what) {
    if (!p) return;
    pthread_mutex_lock(&p->mutex);
    p->stage = what;
    clock_gettime(CLOCK_REALTIME, &p->start);
    pthread_mutex_unlock(&p->mutex);
}

void progress_end(Progress *p) {
    if (!p) return;
    pthread_mutex_lock(&p->mutex);
    p->over = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->mutex);
    pthread_join(p->thread, NULL);
    if (p->shown) fputs("\r\033[K", stderr);
    free(p);
}
