/* constant.c - constants that programs make: weights as a kernel wants them, packed.
 *
 * Lowering leaves the large ones to be made, for they take more memory than all else in the
 * compiler: who has a place for them makes them there, once nothing else is needed. */
#include "interp.h"

#include <string.h>

/* What it was made of is not looked at again: those pages of the model's file may go. */
static void forget_sources(const Program *p) {
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (b->kind == BUF_CONST) unit_forget(p->unit, b->data->data, (size_t)buffer_bytes(b));
    }
}

static void make(const Buffer *b, void *to) {
    InterpError error;
    if (!interp_run(b->maker, NULL, &to, &error))
        BUG(b->maker->unit, "packing '%s': %s", b->name, error.message);
    forget_sources(b->maker);
}

void constant_copy(const Buffer *b, void *to) {
    if (!b->data)
        make(b, to);
    else if (b->count)
        memcpy(to, b->data->data, (size_t)buffer_bytes(b));
}

void constant_make(const Program *p, Buffer *b) {
    if (b->data || !b->maker) return;
    Tensor *t = tensor_new(p->unit->arena, b->type, 1, &b->count);
    make(b, (void *)(uintptr_t)t->data);
    b->data = t;
}

void program_make_constants(const Program *p) {
    for (int i = 0; i < p->buffers.n; i++) constant_make(p, p->buffers.at[i]);
}
