/* certificate.c - the memory certificate: every buffer's place, size and life, and which one it
 * overwrites; every kernel's accesses with the range of their index and, where it is a sum over
 * loops, that sum; in a kernel where a buffer overwrites another, the number of the statement, too,
 * and the loops around it. */
#include "certificate.h"

#include "json.h"
#include <stdlib.h>

static const char *const kind_names[] = {
    [BUF_INPUT] = "input", [BUF_OUTPUT] = "output", [BUF_CONST] = "constant",
    [BUF_ARENA] = "arena", [BUF_LOCAL] = "local",   [BUF_SCRATCH] = "arena",
};

static void write_buffer(Json *j, const Buffer *b) {
    json_begin(j, NULL, '{');
    json_int(j, "id", b->id);
    json_text(j, "name", b->name);
    json_text(j, "kind", kind_names[b->kind]);
    json_int(j, "count", b->count);
    json_int(j, "bytes", buffer_bytes(b));
    if (buffer_is_placed(b)) {
        json_int(j, "offset", b->offset);
        json_int(j, "first_kernel", b->first_kernel);
        json_int(j, "last_kernel", b->last_kernel);
        if (b->overwrites) json_int(j, "overwrites", b->overwrites->id);
    }
    json_end(j, '}');
}

/* One kernel's accesses; those that are alike are told once. */
typedef struct Accesses {
    Json *j;
    Arena *arena;
    Map seen;
    bool in_order;
} Accesses;

static uint64_t fingerprint(const Access *a, bool in_order) {
    int64_t words[7 + 3 * ACCESS_TERMS] = {a->buffer->id, a->is_write, a->lo,
                                           a->hi,         a->affine,   a->base};
    words[6] = in_order ? a->statement : 0;
    for (int i = 0; i < a->n_terms; i++) {
        words[7 + 3 * i] = a->terms[i].coefficient;
        words[8 + 3 * i] = a->terms[i].extent;
        words[9 + 3 * i] = in_order ? a->terms[i].loop : 0;
    }
    return hash_bytes(words, sizeof words) | 1;
}

static void write_terms(Json *j, const Access *a) {
    json_begin(j, "terms", '[');
    for (int i = 0; i < a->n_terms; i++) {
        json_begin(j, NULL, '[');
        json_int(j, NULL, a->terms[i].coefficient);
        json_int(j, NULL, a->terms[i].extent);
        json_int(j, NULL, a->terms[i].loop);
        json_end(j, ']');
    }
    json_end(j, ']');
}

static void write_order(Json *j, const Access *a) {
    json_int(j, "statement", a->statement);
    json_begin(j, "loops", '[');
    for (int i = 0; i < a->n_loops; i++) json_int(j, NULL, a->loops[i]->var->id);
    json_end(j, ']');
}

static void write_access(const Access *a, void *context) {
    Accesses *all = context;
    Json *j = all->j;
    uint64_t key = fingerprint(a, all->in_order);
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
        write_terms(j, a);
    }
    if (all->in_order) write_order(j, a);
    json_end(j, '}');
}

static bool overwrites_in(const Program *p, int kernel) {
    for (int i = 0; i < p->buffers.n; i++)
        if (p->buffers.at[i]->overwrites && p->buffers.at[i]->first_kernel == kernel) return true;
    return false;
}

static void write_kernel(Json *j, const Program *p, int number) {
    const Kernel *k = p->kernels.at[number];
    Accesses all = {.j = j, .arena = p->unit->arena, .seen.arena = p->unit->arena};
    all.in_order = overwrites_in(p, number);
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
    for (int i = 0; i < p->kernels.n; i++) write_kernel(j, p, i);
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
