/* pool.c - the pool of threads: every iteration runs once, whatever the number of workers; workers
 * have numbers of their own; pools side by side do not meet; a pool that slept wakes. */
#include "pool.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { MOST = 1000, LOOPS = 300 };

typedef struct Job {
    int runs[MOST];
    int busy[SONOC_POOL_MOST]; /* workers that are inside a part */
    int64_t first[SONOC_POOL_MOST];
    int wrong;
} Job;

static void count_runs(void *captured, int64_t begin, int64_t end, int worker) {
    Job *job = captured;
    if (worker < 0 || worker >= SONOC_POOL_MOST || begin >= end || job->busy[worker]++) {
        job->wrong = 1;
        return;
    }
    job->first[worker] = begin;
    for (int64_t i = begin; i < end; i++) job->runs[i]++;
    job->busy[worker]--;
}

static int check(const Job *job, int64_t count) {
    int bad = job->wrong;
    for (int64_t i = 0; i < MOST; i++) bad += job->runs[i] != (i < count);
    return bad;
}

static int run_loops(struct sonoc_pool *pool, int pause_ms) {
    static const int64_t counts[] = {0, 1, 2, 6, 7, 8, 63, 999, MOST};
    int bad = 0;
    for (int n = 0; n < LOOPS; n++) {
        Job job = {.wrong = 0};
        int64_t count = counts[n % (int)(sizeof counts / sizeof *counts)];
        if (pause_ms && n % 50 == 0)
            nanosleep(&(struct timespec){.tv_nsec = pause_ms * 1000000L}, NULL);
        sonoc_pool_run(pool, count_runs, &job, count);
        bad += check(&job, count);
    }
    return bad;
}

static int run_pool(int workers, int pause_ms) {
    static struct sonoc_pool pool;
    int why = sonoc_pool_start(&pool, workers), bad = 0;
    if (why) {
        printf("FAILED: %d workers: %s\n", workers, strerror(why));
        return 1;
    }
    bad = run_loops(&pool, pause_ms);
    if (bad) printf("FAILED: %d workers: %d loops or iterations are wrong\n", workers, bad);
    sonoc_pool_stop(&pool);
    return bad;
}

/* The runs of neighbouring iterations differ by one at most, and are the same each time. */
static int check_parts(void) {
    static struct sonoc_pool pool;
    Job job = {.wrong = 0};
    int bad = sonoc_pool_start(&pool, 3);
    sonoc_pool_run(&pool, count_runs, &job, 8);
    bad += job.first[0] != 0 || job.first[1] != 3 || job.first[2] != 6;
    if (bad) printf("FAILED: 8 iterations for 3 workers begin at %d, %d and %d\n",
                    (int)job.first[0], (int)job.first[1], (int)job.first[2]);
    sonoc_pool_stop(&pool);
    return bad;
}

static void *side_by_side(void *bad) {
    struct sonoc_pool pool;
    *(int *)bad = sonoc_pool_start(&pool, 2);
    if (*(int *)bad) return NULL;
    *(int *)bad = run_loops(&pool, 0);
    sonoc_pool_stop(&pool);
    return NULL;
}

static int check_side_by_side(void) {
    enum { POOLS = 3 };
    pthread_t threads[POOLS];
    int bad[POOLS], all = 0;
    for (int i = 0; i < POOLS; i++)
        if (pthread_create(&threads[i], NULL, side_by_side, &bad[i])) return 1;
    for (int i = 0; i < POOLS; i++) {
        pthread_join(threads[i], NULL);
        all += bad[i];
    }
    if (all) printf("FAILED: pools side by side: %d\n", all);
    return all;
}

int main(void) {
    static struct sonoc_pool pool;
    int bad = 0;
    for (int workers = 1; workers <= 8; workers++) bad += run_pool(workers, 0);
    bad += run_pool(2, 5);
    bad += check_parts();
    bad += check_side_by_side();
    if (!sonoc_pool_start(&pool, 0) || !sonoc_pool_start(&pool, SONOC_POOL_MOST + 1)) {
        printf("FAILED: a pool of too few or too many workers starts\n");
        bad++;
    }
    return bad != 0;
}
