/* weights.c - the image of a program's constants. */
#include "weights.h"

#include <string.h>

#include "facts.h"

static int64_t buffer_bytes(const Buffer *b) { return b->count * dtypes[b->type].bytes; }

WeightsImage weights_place(const Program *p) {
    Arena *a = p->unit->arena;
    WeightsImage image = {.offsets = NEW_ARRAY(a, int64_t, p->buffers.n + 1)};
    bool *used = NEW_ARRAY(a, bool, p->buffers.n + 1);
    program_find_used(p, used);
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        image.offsets[i] = -1;
        if (b->kind != BUF_CONST || !used[i]) continue;
        image.offsets[i] = image.bytes;
        image.bytes += (buffer_bytes(b) + WEIGHTS_ALIGN - 1) / WEIGHTS_ALIGN * WEIGHTS_ALIGN;
    }
    return image;
}

void weights_fill(const Program *p, const WeightsImage *image, char *to) {
    memset(to, 0, (size_t)image->bytes);
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (image->offsets[i] >= 0 && b->count)
            memcpy(to + image->offsets[i], b->data->data, (size_t)buffer_bytes(b));
    }
}
