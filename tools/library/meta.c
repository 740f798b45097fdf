/* meta.c - ports, arena and files of a model as bytes: numbers of 8 bytes, texts with their length
 * and a final 0. */
#include "meta.h"

#include "crew.h"

#include <string.h>

static void put_number(Text *to, uint64_t n) { text_add_bytes(to, &n, sizeof n); }

static void put_text(Text *to, const char *text) {
    put_number(to, strlen(text));
    text_add_bytes(to, text, strlen(text) + 1);
}

static void put_ports(Text *to, const struct sonoc_port *ports, int n) {
    put_number(to, (uint64_t)n);
    for (int i = 0; i < n; i++) {
        put_text(to, ports[i].name);
        put_number(to, (uint64_t)ports[i].dtype);
        put_number(to, (uint64_t)ports[i].rank);
        for (int d = 0; d < ports[i].rank; d++) put_number(to, (uint64_t)ports[i].dims[d]);
    }
}

void meta_write(const struct sonoc_model *m, const MetaFiles *files, Text *to) {
    put_number(to, m->arena_bytes);
    put_number(to, m->scratch_bytes);
    put_ports(to, m->inputs, m->n_inputs);
    put_ports(to, m->outputs, m->n_outputs);
    put_number(to, (uint64_t)files->n);
    for (int i = 0; i < files->n; i++) {
        put_text(to, files->at[i].location);
        put_number(to, files->at[i].key.high);
        put_number(to, files->at[i].key.low);
    }
}

typedef struct Reader {
    Arena *arena;
    const char *at;
    size_t left;
    bool failed;
} Reader;

static uint64_t get_number(Reader *r) {
    uint64_t n = 0;
    r->failed |= r->left < sizeof n;
    if (r->failed) return 0;
    memcpy(&n, r->at, sizeof n);
    r->at += sizeof n;
    r->left -= sizeof n;
    return n;
}

/* A number from 0 to `most`. */
static int get_small(Reader *r, int most) {
    uint64_t n = get_number(r);
    r->failed |= n > (uint64_t)most;
    return r->failed ? 0 : (int)n;
}

static const char *get_text(Reader *r) {
    uint64_t n = get_number(r);
    r->failed |= n >= r->left || (r->left && r->at[n]);
    if (r->failed) return "";
    const char *text = arena_copy(r->arena, r->at, n);
    r->at += n + 1;
    r->left -= n + 1;
    return text;
}

static void get_port(Reader *r, struct sonoc_port *p) {
    p->name = get_text(r);
    p->dtype = get_small(r, 255);
    p->rank = get_small(r, MAX_RANK);
    int64_t *dims = NEW_ARRAY(r->arena, int64_t, p->rank + 1);
    size_t count = 1;
    for (int d = 0; d < p->rank; d++) {
        dims[d] = (int64_t)get_number(r);
        r->failed |= dims[d] < 0 || __builtin_mul_overflow(count, (size_t)dims[d], &count);
    }
    p->dims = dims;
    p->count = count;
    r->failed |= __builtin_mul_overflow(count, sonoc_dtype_bytes(p->dtype), &p->bytes);
}

static struct sonoc_port *get_ports(Reader *r, int *n) {
    *n = get_small(r, 1 << 20);
    struct sonoc_port *ports = NEW_ARRAY(r->arena, struct sonoc_port, *n + 1);
    for (int i = 0; i < *n && !r->failed; i++) get_port(r, &ports[i]);
    return ports;
}

bool meta_read(const void *bytes, size_t n, struct sonoc_model *m, MetaFiles *files) {
    Reader r = {.arena = m->unit->arena, .at = bytes, .left = n};
    m->arena_bytes = get_number(&r);
    m->scratch_bytes = get_number(&r);
    r.failed |= m->arena_bytes > SIZE_MAX / 2 || m->scratch_bytes > SIZE_MAX / 2 / MOST_WORKERS;
    m->inputs = get_ports(&r, &m->n_inputs);
    m->outputs = get_ports(&r, &m->n_outputs);
    int n_files = get_small(&r, 1 << 20);
    for (int i = 0; i < n_files && !r.failed; i++) {
        MetaFile file = {.location = get_text(&r)};
        file.key.high = get_number(&r);
        file.key.low = get_number(&r);
        vec_push(r.arena, files, file);
    }
    return !r.failed && !r.left;
}
