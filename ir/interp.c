/* interp.c - the meaning of loop IR: change it only when the language changes.
 *
 * Kernels run in order; a kernel is made ready (interp_prepare), then its statements are walked.
 * Memory whose contents are undefined is filled with ones: NaN for every float type, so that a read
 * of it shows in the result. */
#include "interp_acts.h"

#include <stdarg.h>
#include <string.h>

_Noreturn void run_fail(Run *r, const char *format, ...) {
    char *at = r->error->message;
    size_t room = sizeof r->error->message;
    int n = snprintf(at, room, "kernel %s: ", r->kernel->name);
    size_t used = n < 0 ? 0 : (size_t)n < room ? (size_t)n : room - 1;
    va_list args;
    va_start(args, format);
    vsnprintf(at + used, room - used, format, args);
    va_end(args);
    longjmp(r->jump, 1);
}

_Noreturn void run_fail_index(Run *r, const char *what, const Buffer *buffer, int64_t index) {
    run_fail(r, "%s of '%s' at %lld, which has %lld elements", what, buffer->name, (long long)index,
             (long long)buffer->count);
}

void run_code(const Code *c, Run *r) {
    for (int i = 0; i < c->n; i++) c->at[i].fn(&c->at[i], r);
}

static void run_block(const Act *act, Run *r);

/* A PARALLEL loop runs backwards: whatever compares another reader with this one then finds a loop
 * whose order matters. */
static void run_for(const Act *act, Run *r) {
    int64_t extent = *(const int64_t *)act->value;
    for (int64_t i = 0; i < extent; i++) {
        *act->var = act->loop == LOOP_PARALLEL ? extent - 1 - i : i;
        run_block(act->body, r);
    }
}

static uint64_t lane_mask(int64_t lanes) {
    return lanes >= MAX_LANES ? UINT64_MAX : (UINT64_C(1) << lanes) - 1;
}

/* MAX_LANES at a time; the variable is set once where that is all. */
static void run_lanes(const Act *act, Run *r) {
    int64_t extent = *(const int64_t *)act->value;
    uint64_t mask = r->mask, full = r->full;
    int lanes = r->lanes;
    for (int64_t from = 0; from < extent; from += MAX_LANES) {
        r->lanes = extent - from < MAX_LANES ? (int)(extent - from) : MAX_LANES;
        r->mask = r->full = lane_mask(r->lanes);
        *act->var = from;
        if (extent > MAX_LANES)
            for (int i = 0; i < r->lanes; i++) act->lanes_var[i] = from + i;
        run_block(act->body, r);
    }
    r->mask = mask;
    r->full = full;
    r->lanes = lanes;
}

static void run_if(const Act *act, Run *r) {
    uint64_t all = r->mask;
    uint64_t yes = act->vector ? run_mask(r, act->value) : *(const uint8_t *)act->value ? all : 0;
    if (yes) {
        r->mask = yes;
        run_block(act->body, r);
    }
    if (all & ~yes) {
        r->mask = all & ~yes;
        run_block(act->other, r);
    }
    r->mask = all;
}

static void run_block(const Act *act, Run *r) {
    for (; act; act = act->next) {
        run_code(&act->code, r);
        switch (act->kind) {
        case ST_FOR:
            if (act->loop == LOOP_LANES)
                run_lanes(act, r);
            else
                run_for(act, r);
            break;
        case ST_IF: run_if(act, r); break;
        case ST_LOCAL: memset(act->memory, 0xff, act->bytes); break;
        case ST_LET:
        case ST_STORE:
        case ST_ACC:
        case ST_PREFETCH: break;
        }
    }
}

static bool run_kernel(Arena *a, const Program *p, const Kernel *k, char **memory,
                       InterpError *error) {
    Run r = {.kernel = k, .error = error, .mask = 1, .full = 1, .lanes = 1};
    const Act *act = interp_prepare(a, p, k, memory, error);
    if (k->body && !act) return false;
    if (setjmp(r.jump)) return false;
    run_block(act, &r);
    return true;
}

static char *undefined_memory(Arena *a, int64_t count, DType type) {
    size_t size = (size_t)dtypes[type].bytes;
    char *at = arena_array(a, (size_t)count + 1, size);
    memset(at, 0xff, (size_t)count * size);
    return at;
}

static bool place_arena(Arena *a, const Program *p, char **memory, InterpError *error) {
    char *arena = p->arena_bytes > 0 ? undefined_memory(a, p->arena_bytes, DT_U8) : NULL;
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (b->kind != BUF_ARENA) continue;
        if (!arena) {
            memory[i] = undefined_memory(a, b->count, b->type);
            continue;
        }
        int64_t room = p->arena_bytes - b->offset;
        if (b->offset < 0 || room < 0 || b->count > room / dtypes[b->type].bytes) {
            snprintf(error->message, sizeof error->message, "buffer '%s' is outside of the arena",
                     b->name);
            return false;
        }
        memory[i] = arena + b->offset;
    }
    return true;
}

/* Inputs are only read: interp_prepare refuses a kernel that writes one. */
static char *read_only(const void *at) { return (char *)(uintptr_t)at; }

static bool place_buffers(Arena *a, const Program *p, char **memory, const void *const *inputs,
                          void *const *outputs, InterpError *error) {
    for (int i = 0; i < p->inputs.n; i++) memory[p->inputs.at[i].buffer->id] = read_only(inputs[i]);
    for (int i = 0; i < p->outputs.n; i++) {
        const Buffer *b = p->outputs.at[i].buffer;
        if (b->kind != BUF_OUTPUT) continue;
        memory[b->id] = outputs[i];
        if (b->count) memset(outputs[i], 0xff, (size_t)b->count * (size_t)dtypes[b->type].bytes);
    }
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (b->kind == BUF_CONST && b->data) memory[i] = read_only(b->data->data);
    }
    return place_arena(a, p, memory, error);
}

bool interp_run_in(Arena *a, const Program *p, const void *const *inputs, void *const *outputs,
                   InterpError *error) {
    ArenaMark start = arena_mark(a);
    char **memory = NEW_ARRAY(a, char *, p->buffers.n);
    bool ok = place_buffers(a, p, memory, inputs, outputs, error);
    for (int i = 0; ok && i < p->kernels.n; i++) {
        ArenaMark mark = arena_mark(a);
        ok = run_kernel(a, p, p->kernels.at[i], memory, error);
        arena_release(a, mark);
    }
    arena_release(a, start);
    return ok;
}

bool interp_run(const Program *p, const void *const *inputs, void *const *outputs,
                InterpError *error) {
    return interp_run_in(p->unit->arena, p, inputs, outputs, error);
}
