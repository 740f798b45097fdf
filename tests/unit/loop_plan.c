/* loop_plan.c - memory plans: nothing that lives at the same time overlaps, and the arena is nearly
 * as small as it can be. */
#include "loop.h"

#include <stdlib.h>
#include <string.h>

static int passed;

static void check(bool ok, const char *what) {
    if (!ok) {
        printf("FAILED: %s\n", what);
        exit(1);
    }
    passed++;
}

static uint64_t state = 7;

static uint32_t draw(uint32_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

/* A kernel that reads some buffers and writes one, which may overwrite any of them or none. */
static void add_kernel(Program *p, const Buffer *const *from, int n, Buffer *to,
                       bool may_overwrite) {
    Builder *b = builder_begin(p, "k");
    const Expr *sum = ex_float(b, DT_F32, 1), *i = st_for_n(b, LOOP_SERIAL, "i", 2);
    for (int k = 0; k < n; k++) sum = ex_add(b, sum, ex_load(b, from[k], i));
    st_store(b, to, may_overwrite ? i : ex_sub(b, ex_index(b, 1), i), sum);
    st_end(b);
    builder_end(b);
}

static int64_t end_of(const Buffer *b) { return b->offset + (b->count * 4 + 63) / 64 * 64; }

static int64_t live_bytes(const Program *p) {
    int64_t most = 0;
    for (int k = 0; k < p->kernels.n; k++) {
        int64_t live = 0;
        for (int i = 0; i < p->buffers.n; i++) {
            const Buffer *b = p->buffers.at[i];
            if (b->overwrites && b->first_kernel == k) continue;
            if (b->first_kernel >= 0 && b->first_kernel <= k && b->last_kernel >= k)
                live += end_of(b) - b->offset;
        }
        if (live > most) most = live;
    }
    return most;
}

static void check_plan(const Program *p) {
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *x = p->buffers.at[i];
        if (x->kind != BUF_ARENA || x->first_kernel < 0) continue;
        check(x->offset >= 0 && x->offset % 64 == 0 && end_of(x) <= p->arena_bytes,
              "lies in the arena, aligned");
        for (int j = 0; j < i; j++) {
            const Buffer *y = p->buffers.at[j];
            bool apart = y->first_kernel < 0 || x->last_kernel < y->first_kernel ||
                         y->last_kernel < x->first_kernel;
            if (x->overwrites == y || y->overwrites == x) {
                check(x->offset == y->offset, "what overwrites lies in the same place");
                check(x->last_kernel == y->first_kernel || y->last_kernel == x->first_kernel,
                      "when the other dies");
                continue;
            }
            check(apart || end_of(x) <= y->offset || end_of(y) <= x->offset, "nothing overlaps");
        }
    }
}

/* An encoder and decoder whose halves are joined by skip connections, as large maps are in
 * practice. */
static void unet(Program *p) {
    const Buffer *skips[5], *x = program_add_buffer(p, "x", DT_F32, 3 * 65536, BUF_INPUT);
    int64_t size = 64 * 65536;
    for (int level = 0; level < 5; level++, size /= 2)
        for (int k = 0; k < 3; k++) {
            Buffer *to = program_add_buffer(p, "down", DT_F32,
                                            k == 2 && level < 4 ? size / 4 : size, BUF_ARENA);
            add_kernel(p, &x, 1, to, false);
            x = to;
            if (k == 1) skips[level] = x;
        }
    for (int level = 3; level >= 0; level--) {
        size = (64 * 65536) >> level;
        Buffer *up = program_add_buffer(p, "up", DT_F32, size, BUF_ARENA);
        add_kernel(p, &x, 1, up, false);
        const Buffer *both[] = {up, skips[level]};
        Buffer *joined = program_add_buffer(p, "joined", DT_F32, size, BUF_ARENA);
        add_kernel(p, both, 2, joined, false);
        x = joined;
    }
    add_kernel(p, &x, 1, program_add_buffer(p, "y", DT_F32, 4, BUF_OUTPUT), false);
}

static void add_random_kernels(Program *p, int n, bool may_overwrite) {
    const Buffer *made[400];
    int n_made = 0;
    made[n_made++] = program_add_buffer(p, "x", DT_F32, 100, BUF_INPUT);
    for (int k = 0; k < n; k++) {
        const Buffer *from[3];
        int n_from = 1 + (int)draw(3);
        for (int i = 0; i < n_from; i++)
            from[i] = made[n_made - 1 - (int)draw((uint32_t)(n_made < 12 ? n_made : 12))];
        Buffer *to = program_add_buffer(p, "t", DT_F32, 16 << draw(10), BUF_ARENA);
        add_kernel(p, from, n_from, to, may_overwrite);
        made[n_made++] = to;
    }
}

static void random_net(Program *p, int n) { add_random_kernels(p, n, false); }

static void overwriting_net(Program *p, int n) { add_random_kernels(p, n, true); }

static double waste(void (*build)(Program *, int), int n) {
    Unit u;
    if (!unit_begin(&u, "plan", 0)) exit(1);
    if (setjmp(u.escape.jump)) {
        printf("FAILED: %s\n", u.escape.message);
        exit(1);
    }
    Program *p = program_new(&u, "p", &targets[0]);
    build(p, n);
    program_plan(p);
    check_plan(p);
    double ratio = (double)p->arena_bytes / (double)live_bytes(p);
    unit_end(&u);
    return ratio;
}

static void unet_of(Program *p, int n) {
    (void)n;
    unet(p);
}

int main(void) {
    check(waste(unet_of, 0) == 1, "a U-Net's arena is what lives at once");
    double sum = 0, most = 1;
    for (int n = 0; n < 60; n++) {
        double ratio = waste(random_net, 10 + n);
        sum += ratio;
        if (ratio > most) most = ratio;
    }
    if (getenv("VERBOSE"))
        printf("random nets: %.3f of the bound on average, %.3f at most\n", sum / 60, most);
    check(sum / 60 < 1.05 && most < 1.3, "random nets come close to the bound");
    check(waste(random_net, 390) < 1.3, "so does a large one");
    for (int n = 0; n < 60; n++)
        check(waste(overwriting_net, 10 + n) < 1.3, "so do those whose buffers overwrite others");
    printf("%d passed\n", passed);
    return 0;
}
