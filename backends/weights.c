/* weights.c - the image of a program's constants. */
#include "weights.h"

#include <string.h>

#include "facts.h"

/* The constants of an image by their contents. */
typedef struct Placed {
    const Buffer *buffer;
    int64_t offset;
    struct Placed *next; /* another one of this hash */
} Placed;

typedef struct Placing {
    Arena *arena;
    Map by_hash;
    int64_t bytes;
    bool shares;
} Placing;

static bool same_constant(const Buffer *a, const Buffer *b) {
    return a->type == b->type && a->count == b->count &&
           (!a->count || !memcmp(a->data->data, b->data->data, (size_t)buffer_bytes(a)));
}

static int64_t place_new(Placing *placing, const Buffer *b) {
    int64_t offset = placing->bytes;
    placing->bytes += (buffer_bytes(b) + WEIGHTS_ALIGN - 1) / WEIGHTS_ALIGN * WEIGHTS_ALIGN;
    return offset;
}

static int64_t place_shared(Placing *placing, const Buffer *b) {
    uintptr_t hash = (uintptr_t)tensor_hash(b->data) | 1;
    Placed *first = map_get(&placing->by_hash, hash);
    for (Placed *at = first; at; at = at->next)
        if (same_constant(at->buffer, b)) return at->offset;
    Placed *placed = NEW(placing->arena, Placed);
    *placed = (Placed){b, place_new(placing, b), first};
    map_set(&placing->by_hash, hash, placed);
    return placed->offset;
}

static void place_program(Placing *placing, const Program *p, WeightsImage *image) {
    image->offsets = NEW_ARRAY(placing->arena, int64_t, p->buffers.n + 1);
    bool *used = NEW_ARRAY(placing->arena, bool, p->buffers.n + 1);
    program_find_used(p, used);
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        image->offsets[i] = -1;
        if (b->kind == BUF_CONST && used[i])
            image->offsets[i] = placing->shares ? place_shared(placing, b) : place_new(placing, b);
    }
}

void weights_place_all(const Program *const *programs, int n, WeightsImage *images) {
    Arena *a = programs[0]->unit->arena;
    Placing placing = {.arena = a, .by_hash = {.arena = a}, .shares = n > 1};
    for (int i = 0; i < n; i++) place_program(&placing, programs[i], &images[i]);
    for (int i = 0; i < n; i++) images[i].bytes = placing.bytes;
}

WeightsImage weights_place(const Program *p) {
    WeightsImage image;
    weights_place_all(&p, 1, &image);
    return image;
}

static bool swaps_bytes(const Target *t) {
    bool host_is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    return (t->order == ORDER_BIG) != host_is_big;
}

static void swap_bytes(char *at, int64_t count, int size) {
    for (int64_t i = 0; i < count * size; i += size)
        for (int k = 0; k < size / 2; k++) {
            char c = at[i + k];
            at[i + k] = at[i + size - 1 - k];
            at[i + size - 1 - k] = c;
        }
}

enum { LARGE = 4 << 20 };

static void fill_some(const Program *p, const WeightsImage *image, char *to, bool large) {
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (image->offsets[i] < 0 || (buffer_bytes(b) >= LARGE) != large) continue;
        constant_copy(b, to + image->offsets[i]);
        if (swaps_bytes(p->target))
            swap_bytes(to + image->offsets[i], b->count, dtypes[b->type].bytes);
    }
}

/* The large ones first, while the image takes little memory: what they are made of does, too. */
static void fill_program(const Program *p, const WeightsImage *image, char *to) {
    fill_some(p, image, to, true);
    fill_some(p, image, to, false);
}

void weights_fill_all(const Program *const *programs, int n, const WeightsImage *images, char *to) {
    for (int i = 0; i < n; i++) fill_program(programs[i], &images[i], to);
}

void weights_fill(const Program *p, const WeightsImage *image, char *to) {
    weights_fill_all(&p, 1, image, to);
}
