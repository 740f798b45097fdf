/* certificate.c - the memory certificate: every buffer's place, size and life, every kernel's accesses with the range
 * of their index and, where it is a sum over loops, that sum. */
#include "certificate.h"

#include "json.h"
#include <stdlib.h>

static const char *const kind_names[] = {
    [BUF_INPUT] = "input", [BUF_OUTPUT] = "output", [BUF_CONST] = "constant", [BUF_ARENA] = "arena", [BUF_LOCAL] = "local",
    [BUF_SCRATCH] = "arena",
};

static void write_buffer(Json *j, const Buffer *b) {
    json_begin(j, NULL, '{');
    json_int(j, "id", b->id);
    json_text(j, "name", b->name);
    json_text(j, "kind", kind_names[b->kind]);
    json_int(j, "count", b->count);
    json_int(j, "bytes", b->count * dtypes[b->type].bytes);
    if (buffer_is_placed(b)) {
        json_int(j, "offset", b->offset);
        json_int(j, "first_kernel", b->first_kernel);
        json_int(j, "last_kernel", b->last_kernel);
    }
    json_end(j, '}');
}

/* One kernel's accesses; those that are alike are told once. */
typedef struct Accesses { Json *j; Arena *arena; Map seen; } Accesses;

static uint64_t fingerprint(const Access *a) {
    int64_t words[6 + 2 * ACCESS_TERMS] = {a->buffer->id, a->is_write, a->lo, a->hi, a->affine, a->base};
    for (int i = 0; i < a->n_terms; i++) {
        words[6 + 2 * i] = a->terms[i].coefficient;
        words[7 + 2 * i] = a->terms[i].extent;
    }
    return hash_bytes(words, sizeof words) | 1;
}

static void write_access(const Access *a, void *context) {
    Accesses *all = context;
    Json *j = all->j;
    uint64_t key = fingerprint(a);
    if (map_get(&all->seen, (uintptr_t)key)) return;
    map_set(&all->seen, (uintptr_t)key, all);
    json_begin(j, NULL, '{');
    json_int(j, "buffer", a->buffer->id);
    json_bool(j, "write", a->is_write);
    json_bool(j, "proven", a->proven);
    json_int(j, "lo", a->lo);
    json_int(j, "hi", a->hi);
    if (a->affine) {
        json_int(j, "base", a->base);
        json_begin(j, "terms", '[');
        for (int i = 0; i < a->n_terms; i++) {
            json_begin(j, NULL, '[');
            json_int(j, NULL, a->terms[i].coefficient);
            json_int(j, NULL, a->terms[i].extent);
            json_end(j, ']');
        }
        json_end(j, ']');
    }
    json_end(j, '}');
}

static void write_kernel(Json *j, const Program *p, const Kernel *k) {
    Accesses all = {.j = j, .arena = p->unit->arena, .seen.arena = p->unit->arena};
    json_begin(j, NULL, '{');
    json_text(j, "name", k->name);
    json_begin(j, "accesses", '[');
    const char *why = kernel_check_accesses(p, k, write_access, &all);
    if (why) BUG(p->unit, "%s", why);
    json_end(j, ']');
    json_end(j, '}');
}

static void write_program(Json *j, const Program *p) {
    json_begin(j, NULL, '{');
    json_int(j, "version", 1);
    json_text(j, "program", p->name);
    json_int(j, "arena_bytes", p->arena_bytes);
    json_begin(j, "buffers", '[');
    for (int i = 0; i < p->buffers.n; i++) write_buffer(j, p->buffers.at[i]);
    json_end(j, ']');
    json_begin(j, "kernels", '[');
    for (int i = 0; i < p->kernels.n; i++) write_kernel(j, p, p->kernels.at[i]);
    json_end(j, ']');
    json_end(j, '}');
}

const Text *certificate_of(const Program *p) {
    Text *text = NEW(p->unit->arena, Text);
    char *bytes = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&bytes, &n);
    if (!file) escape(&p->unit->escape, STATUS_LIMIT, "out of memory");
    write_program(&(Json){.out = file}, p);
    fclose(file);
    text->arena = p->unit->arena;
    text_add_bytes(text, bytes, n);
    free(bytes);
    return text;
}
