/* pool.c - a few threads that share the iterations of parallel loops.
 *
 * A loop is published by a change of `turn`, its end by `finished`.  Who waits for a word spins
 * first, then sleeps; who changes a word looks for sleepers after the change, and a sleeper says
 * that it is one before its last look at the word, so that none is missed. */
#include "pool.h"

#include <errno.h>

enum { SONOC_POOL_SPINS = 4000 }; /* some 50 to 150 microseconds */

static void sonoc_pool_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Returns when the word is no longer `old`. */
static void sonoc_pool_wait(struct sonoc_pool *pool, const unsigned *word, unsigned old) {
    for (int i = 0; i < SONOC_POOL_SPINS; i++) {
        if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != old) return;
        sonoc_pool_pause();
    }
    pthread_mutex_lock(&pool->lock);
    __atomic_add_fetch(&pool->asleep, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == old)
        pthread_cond_wait(&pool->wake, &pool->lock);
    __atomic_sub_fetch(&pool->asleep, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&pool->lock);
}

static void sonoc_pool_change(struct sonoc_pool *pool, unsigned *word, unsigned value) {
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&pool->asleep, __ATOMIC_SEQ_CST)) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

static void sonoc_pool_part(const struct sonoc_pool *pool, int worker) {
    int64_t each = pool->count / pool->workers, more = pool->count % pool->workers;
    int64_t begin = each * worker + (worker < more ? worker : more);
    int64_t end = begin + each + (worker < more);
    if (begin < end) pool->loop(pool->captured, begin, end, worker);
}

static void *sonoc_pool_work(void *argument) {
    const struct sonoc_pool_thread *self = (const struct sonoc_pool_thread *)argument;
    struct sonoc_pool *pool = self->pool;
    for (unsigned turn = 0;; turn++) {
        sonoc_pool_wait(pool, &pool->turn, turn);
        if (pool->stop) return NULL;
        sonoc_pool_part(pool, self->worker);
        if (!__atomic_sub_fetch(&pool->pending, 1, __ATOMIC_ACQ_REL))
            sonoc_pool_change(pool, &pool->finished, turn + 1);
    }
}

SONOC_POOL_FUNCTION void sonoc_pool_run(void *context, sonoc_loop *loop, void *captured,
                                        int64_t count) {
    struct sonoc_pool *pool = (struct sonoc_pool *)context;
    if (pool->workers < 2 || count < 2) {
        if (count > 0) loop(captured, 0, count, 0);
        return;
    }
    unsigned turn = pool->turn;
    pool->loop = loop;
    pool->captured = captured;
    pool->count = count;
    pool->pending = (unsigned)pool->workers - 1;
    sonoc_pool_change(pool, &pool->turn, turn + 1);
    sonoc_pool_part(pool, 0);
    sonoc_pool_wait(pool, &pool->finished, turn);
}

SONOC_POOL_FUNCTION void sonoc_pool_stop(struct sonoc_pool *pool) {
    pool->stop = 1;
    sonoc_pool_change(pool, &pool->turn, pool->turn + 1);
    for (int i = 0; i + 1 < pool->workers; i++) pthread_join(pool->threads[i].thread, NULL);
    pool->workers = 0;
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
}

SONOC_POOL_FUNCTION int sonoc_pool_start(struct sonoc_pool *pool, int workers) {
    if (workers < 1 || workers > SONOC_POOL_MOST) return EINVAL;
    pool->stop = 0;
    pool->turn = pool->pending = pool->finished = pool->asleep = 0;
    int why = pthread_mutex_init(&pool->lock, NULL);
    if (why) return why;
    why = pthread_cond_init(&pool->wake, NULL);
    if (why) {
        pthread_mutex_destroy(&pool->lock);
        return why;
    }
    for (pool->workers = 1; pool->workers < workers; pool->workers++) {
        struct sonoc_pool_thread *t = &pool->threads[pool->workers - 1];
        t->pool = pool;
        t->worker = pool->workers;
        why = pthread_create(&t->thread, NULL, sonoc_pool_work, t);
        if (why) {
            sonoc_pool_stop(pool);
            return why;
        }
    }
    return 0;
}
