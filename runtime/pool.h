/* pool.h - a few threads that share the iterations of parallel loops.
 *
 * The caller is worker 0; each worker gets a run of neighbouring iterations, always the same one.
 * Between loops the workers spin for a moment before they sleep: a program of many short loops
 * wakes them once.  Nothing is allocated.  Generated C holds the same text. */
#ifndef SONOC_POOL_H
#define SONOC_POOL_H

#include <pthread.h>
#include <stdint.h>

enum { SONOC_POOL_MOST = 64 }; /* workers */

/* Iterations begin <= i < end of a loop.  0 <= worker < workers; parts that run at the same time
 * have different workers, so each may have memory of its own. */
typedef void sonoc_loop(void *captured, int64_t begin, int64_t end, int worker);

/* How a compiled program asks for a loop: iterations 0 <= i < count, all done when it returns. */
typedef void sonoc_parallel_for(void *context, sonoc_loop *loop, void *captured, int64_t count);

struct sonoc_pool;

struct sonoc_pool_thread {
    struct sonoc_pool *pool;
    int worker;
    pthread_t thread;
};

struct sonoc_pool {
    int workers; /* the caller among them */
    int stop;
    /* the loop at hand: written while all wait, read once `turn` has changed */
    sonoc_loop *loop;
    void *captured;
    int64_t count;
    char line_0[64]; /* words that different threads write lie on different cache lines */
    unsigned turn;   /* changes when there is a loop to run */
    char line_1[64];
    unsigned pending; /* threads that still run their part */
    char line_2[64];
    unsigned finished; /* the turn that all have finished */
    unsigned asleep;   /* threads that sleep, or are about to */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct sonoc_pool_thread threads[SONOC_POOL_MOST - 1];
};

/* The functions. */
#ifdef __cplusplus
extern "C" {
#endif

#define SONOC_POOL_FUNCTION

/* Starts workers - 1 threads; 0, or the errno that tells why not.  The pool must stay where it is
 * until it is stopped. */
int sonoc_pool_start(struct sonoc_pool *pool, int workers);
void sonoc_pool_stop(struct sonoc_pool *pool);
/* A sonoc_parallel_for; `pool` is a struct sonoc_pool.  One caller at a time, and not from within
 * a loop. */
void sonoc_pool_run(void *pool, sonoc_loop *loop, void *captured, int64_t count);

#ifdef __cplusplus
}
#endif
#endif
