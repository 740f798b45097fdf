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

static bool swaps_bytes(const Target *t) {
    bool host_is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    return (t->order == ORDER_BIG) != host_is_big;
}

static void copy_swapped(char *to, const char *from, int64_t count, int size) {
    for (int64_t i = 0; i < count * size; i += size)
        for (int k = 0; k < size; k++) to[i + k] = from[i + size - 1 - k];
}

void weights_fill(const Program *p, const WeightsImage *image, char *to) {
    memset(to, 0, (size_t)image->bytes);
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (image->offsets[i] < 0 || !b->count) continue;
        if (swaps_bytes(p->target))
            copy_swapped(to + image->offsets[i], b->data->data, b->count, dtypes[b->type].bytes);
        else
            memcpy(to + image->offsets[i], b->data->data, (size_t)buffer_bytes(b));
    }
}
