/* base.c - arenas, interned strings, growing arrays and maps, and the unit of one compilation.
 *
 * An arena is a chain of blocks, newest first; the newest is filled from its start.  Memory beyond
 * what a block has used is always zero: blocks come zeroed, and a release clears what it gives
 * back.  Large requests get a block of their own.  The limit counts bytes handed out, not the rests
 * of blocks (the system never backs those). */
#include "base.h"

#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK_MIN = 1 << 14, BLOCK_MAX = 1 << 20, ALIGN_SMALL = 16, ALIGN_LARGE = 64, LARGE = 4096 };

typedef struct Block {
    struct Block *older;
    size_t used, size;
    size_t total; /* bytes handed out before this block was begun */
} Block;

struct Arena {
    const Allocator *allocator; /* NULL: calloc and free */
    Block *newest;
    size_t limit;
    size_t next_size;
    Escape *escape;
};

_Noreturn void escape(Escape *e, int status, const char *format, ...) {
    char message[sizeof e->message];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    if (!e) {
        fprintf(stderr, "%s\n", message);
        abort();
    }
    e->status = status;
    memcpy(e->message, message, sizeof message);
    longjmp(e->jump, 1);
}

/* malloc aligns to 16 only; the data begins at the next multiple of 64 after the head. */
static char *block_base(const Block *block) {
    char *end = (char *)(block + 1);
    return end + (ALIGN_LARGE - (uintptr_t)end % ALIGN_LARGE) % ALIGN_LARGE;
}

void *memory_new(const Allocator *allocator, size_t size) {
    if (!allocator) return calloc(1, size);
    void *at = allocator->allocate(allocator->context, size);
    return at ? memset(at, 0, size) : NULL;
}

void memory_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void memory_free(const Allocator *allocator, void *at, size_t size) {
    if (allocator)
        allocator->release(allocator->context, at, size);
    else
        free(at);
}

enum { BLOCK_EXTRA = sizeof(Block) + ALIGN_LARGE };

static Block *block_new(const Allocator *allocator, Block *older, size_t size) {
    if (size > SIZE_MAX - BLOCK_EXTRA) return NULL;
    Block *block = memory_new(allocator, size + BLOCK_EXTRA);
    if (!block) return NULL;
    block->older = older;
    block->size = size;
    block->total = older ? older->total + older->used : 0;
    return block;
}

static Block *block_free(const Allocator *allocator, Block *block) {
    Block *older = block->older;
    memory_free(allocator, block, block->size + BLOCK_EXTRA);
    return older;
}

Arena *arena_new(const Allocator *allocator, size_t limit, Escape *e) {
    Arena *a = memory_new(allocator, sizeof *a);
    if (!a) return NULL;
    a->allocator = allocator;
    a->newest = block_new(allocator, NULL, BLOCK_MIN);
    if (!a->newest) {
        memory_free(allocator, a, sizeof *a);
        return NULL;
    }
    a->limit = limit;
    a->next_size = BLOCK_MIN * 2;
    a->escape = e;
    return a;
}

void arena_free(Arena *a) {
    if (!a) return;
    for (Block *block = a->newest; block;) block = block_free(a->allocator, block);
    memory_free(a->allocator, a, sizeof *a);
}

static void arena_add_block(Arena *a, size_t size) {
    size_t block_size = a->next_size;
    if (size > block_size / 4) {
        block_size = size;
    } else if (a->next_size < BLOCK_MAX) {
        a->next_size *= 2;
    }
    Block *block = block_new(a->allocator, a->newest, block_size);
    if (!block) escape(a->escape, STATUS_LIMIT, "out of memory: %zu more bytes wanted", size);
    a->newest = block;
}

void *arena_alloc(Arena *a, size_t size) {
    size_t align = size >= LARGE ? ALIGN_LARGE : ALIGN_SMALL;
    if (a->limit && (size > a->limit || arena_bytes(a) > a->limit - size))
        escape(a->escape, STATUS_LIMIT, "the memory limit of %zu bytes is reached", a->limit);
    size_t start = (a->newest->used + align - 1) / align * align;
    if (start > a->newest->size || size > a->newest->size - start) {
        arena_add_block(a, size);
        start = 0;
    }
    a->newest->used = start + size;
    return block_base(a->newest) + start;
}

void *arena_array(Arena *a, size_t n, size_t size) {
    if (size && n > SIZE_MAX / 2 / size)
        escape(a->escape, STATUS_LIMIT, "out of memory: %zu times %zu bytes wanted", n, size);
    return arena_alloc(a, n * size);
}

/* Pages that are large from their first touch on; an allocator's memory was touched already. */
void *arena_alloc_large(Arena *a, size_t size) {
    enum { HUGE = 2 << 20 };
    if (size < 2 * HUGE || a->allocator || size > SIZE_MAX - HUGE)
        return arena_alloc(a, size > LARGE ? size : LARGE);
    char *at = arena_alloc(a, size + HUGE);
    at += (HUGE - (uintptr_t)at % HUGE) % HUGE;
#ifdef MADV_HUGEPAGE
    madvise(at, size / HUGE * HUGE, MADV_HUGEPAGE); /* the rest would be rounded up */
#endif
    return at;
}

char *arena_copy(Arena *a, const char *text, size_t n) {
    char *copy = arena_array(a, n + 1, 1);
    if (n) memcpy(copy, text, n);
    return copy;
}

char *arena_format(Arena *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_alloc(a, (size_t)n + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}

size_t arena_bytes(const Arena *a) { return a->newest->total + a->newest->used; }

Escape *arena_escape(const Arena *a) { return a->escape; }

const Allocator *arena_allocator(const Arena *a) { return a->allocator; }

ArenaMark arena_mark(const Arena *a) { return (ArenaMark){a->newest, a->newest->used}; }

void arena_release(Arena *a, ArenaMark m) {
    while (a->newest != m.block) a->newest = block_free(a->allocator, a->newest);
    memset(block_base(a->newest) + m.used, 0, a->newest->used - m.used);
    a->newest->used = m.used;
}

void *vec_grow(Arena *a, void *at, int n, int *cap, size_t size) {
    if (n > INT_MAX / 2) escape(a->escape, STATUS_LIMIT, "more than %d elements in a list", n);
    int grown = n ? 2 * n : 8;
    void *copy = arena_array(a, (size_t)grown, size);
    if (n) memcpy(copy, at, (size_t)n * size);
    *cap = grown;
    return copy;
}

static void text_reserve(Text *t, size_t more) {
    if (more > SIZE_MAX / 4 - t->n) escape(t->arena->escape, STATUS_LIMIT, "a text grows too long");
    if (t->n + more < t->cap) return;
    size_t cap = t->cap ? t->cap : 64;
    while (cap <= t->n + more) cap *= 2;
    char *at = arena_alloc(t->arena, cap);
    if (t->n) memcpy(at, t->at, t->n);
    t->at = at;
    t->cap = cap;
}

void text_add(Text *t, const char *format, ...) {
    char small[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if ((size_t)n < sizeof small) {
        text_add_bytes(t, small, (size_t)n);
        return;
    }
    text_reserve(t, (size_t)n);
    va_start(args, format);
    vsnprintf(t->at + t->n, (size_t)n + 1, format, args);
    va_end(args);
    t->n += (size_t)n;
}

void text_add_bytes(Text *t, const void *bytes, size_t n) {
    text_reserve(t, n);
    if (n) memcpy(t->at + t->n, bytes, n);
    t->n += n;
    t->at[t->n] = 0;
}

uint64_t hash_bytes(const void *bytes, size_t n) {
    const unsigned char *byte = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

typedef struct NameSlot {
    const char *text; /* NULL: free */
    size_t n;
    uint64_t hash;
} NameSlot;

struct Names {
    Arena *arena;
    NameSlot *slots;
    size_t n, cap; /* cap is a power of two */
};

Names *names_new(Arena *a) {
    Names *names = NEW(a, Names);
    names->arena = a;
    names->cap = 256;
    names->slots = NEW_ARRAY(a, NameSlot, names->cap);
    return names;
}

static NameSlot *name_slot(NameSlot *slots, size_t cap, uint64_t hash, const char *text, size_t n) {
    for (size_t i = hash & (cap - 1);; i = (i + 1) & (cap - 1)) {
        NameSlot *slot = &slots[i];
        if (!slot->text) return slot;
        if (slot->hash == hash && slot->n == n && memcmp(slot->text, text, n) == 0) return slot;
    }
}

static void names_grow(Names *names) {
    size_t cap = names->cap * 2;
    NameSlot *slots = NEW_ARRAY(names->arena, NameSlot, cap);
    for (size_t i = 0; i < names->cap; i++) {
        NameSlot *old = &names->slots[i];
        if (old->text) *name_slot(slots, cap, old->hash, old->text, old->n) = *old;
    }
    names->slots = slots;
    names->cap = cap;
}

const char *name_intern_n(Names *names, const char *text, size_t n) {
    const char *end = memchr(text, 0, n);
    if (end) n = (size_t)(end - text);
    if (names->n * 2 >= names->cap) names_grow(names);
    uint64_t hash = hash_bytes(text, n);
    NameSlot *slot = name_slot(names->slots, names->cap, hash, text, n);
    if (!slot->text) {
        *slot = (NameSlot){arena_copy(names->arena, text, n), n, hash};
        names->n++;
    }
    return slot->text;
}

const char *name_intern(Names *names, const char *text) {
    return name_intern_n(names, text, strlen(text));
}

struct MapSlot {
    uintptr_t key; /* 0: free */
    void *value;
};

static struct MapSlot *map_slot(struct MapSlot *slots, int cap, uintptr_t key) {
    uint64_t hash = (uint64_t)key * 0x9e3779b97f4a7c15u;
    unsigned mask = (unsigned)cap - 1;
    for (unsigned i = (unsigned)(hash >> 32) & mask;; i = (i + 1) & mask)
        if (!slots[i].key || slots[i].key == key) return &slots[i];
}

void *map_get(const Map *m, uintptr_t key) {
    return m->n ? map_slot(m->slots, m->cap, key)->value : NULL;
}

static void map_grow(Map *m) {
    if (m->cap > INT_MAX / 4)
        escape(m->arena->escape, STATUS_LIMIT, "more than %d keys in a map", m->n);
    int cap = m->cap ? 2 * m->cap : 16;
    struct MapSlot *slots = NEW_ARRAY(m->arena, struct MapSlot, cap);
    for (int i = 0; i < m->cap; i++)
        if (m->slots[i].key) *map_slot(slots, cap, m->slots[i].key) = m->slots[i];
    m->slots = slots;
    m->cap = cap;
}

void map_set(Map *m, uintptr_t key, void *value) {
    if (m->n * 2 >= m->cap) map_grow(m);
    struct MapSlot *slot = map_slot(m->slots, m->cap, key);
    if (!slot->key) m->n++;
    slot->key = key;
    slot->value = value;
}

typedef struct AtEnd {
    struct AtEnd *before;
    void (*end)(void *context);
    void *context;
} AtEnd;

bool unit_begin(Unit *u, const char *file, size_t limit) {
    return unit_begin_with(u, file, limit, NULL);
}

bool unit_begin_with(Unit *u, const char *file, size_t limit, const Allocator *allocator) {
    u->diags = NULL;
    u->registry = NULL;
    u->scratch = NULL;
    u->at_end = NULL;
    u->mappings = NULL;
    u->part = NULL;
    u->file = file;
    u->names = NULL;
    u->escape.status = STATUS_OK;
    u->escape.message[0] = 0;
    u->arena = arena_new(allocator, limit, &u->escape);
    if (!u->arena) return false;
    if (limit && limit < (1 << 16)) u->arena->limit = 1 << 16; /* room for the names' first table */
    u->names = names_new(u->arena);
    return true;
}

bool unit_begin_apart(Unit *u, const Unit *of, size_t limit) {
    if (!unit_begin_with(u, of->file, limit, of->arena->allocator)) return false;
    u->registry = of->registry;
    return true;
}

Arena *unit_scratch(Unit *u) {
    if (!u->scratch) u->scratch = arena_new(u->arena->allocator, 0, &u->escape);
    if (!u->scratch) escape(&u->escape, STATUS_LIMIT, "out of memory");
    return u->scratch;
}

void unit_at_end(Unit *u, void (*end)(void *context), void *context) {
    AtEnd *at_end = NEW(u->arena, AtEnd);
    *at_end = (AtEnd){u->at_end, end, context};
    u->at_end = at_end;
}

/* What the unit had before the part began. */
typedef struct UnitPart {
    Arena *arena;
    struct Registry *registry;
    AtEnd *at_end;
    struct Mapping *mappings;
} UnitPart;

Arena *unit_lasting(const Unit *u) { return u->part ? u->part->arena : u->arena; }

void unit_part_begin(Unit *u) {
    UnitPart *part = NEW(u->arena, UnitPart);
    Arena *arena = arena_new(u->arena->allocator, u->arena->limit, &u->escape);
    if (!arena) escape(&u->escape, STATUS_LIMIT, "out of memory");
    *part = (UnitPart){u->arena, u->registry, u->at_end, u->mappings};
    u->arena = arena;
    u->part = part;
}

static void run_at_end(Unit *u, const AtEnd *until) {
    for (; u->at_end != until; u->at_end = u->at_end->before) u->at_end->end(u->at_end->context);
}

void unit_part_end(Unit *u) {
    const UnitPart *part = u->part;
    run_at_end(u, part->at_end);
    arena_free(u->scratch);
    arena_free(u->arena);
    u->scratch = NULL;
    u->arena = part->arena;
    u->registry = part->registry;
    u->mappings = part->mappings;
    u->part = NULL;
}

typedef struct Mapping {
    struct Mapping *before;
    char *at;
    size_t n;
} Mapping;

static void unmap(void *context) {
    const Mapping *m = context;
    if (m->at) munmap(m->at, m->n);
}

const void *unit_map(Unit *u, int fd, size_t n) {
    Mapping *m = NEW(u->arena, Mapping);
    unit_at_end(u, unmap, m); /* before there is something to lose */
    void *at = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) return NULL;
    *m = (Mapping){u->mappings, at, n};
    u->mappings = m;
    return at;
}

void unit_forget(const Unit *u, const void *at, size_t n) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)at;
    for (const Mapping *m = u->mappings; m; m = m->before) {
        uintptr_t begin = (uintptr_t)m->at;
        if (from < begin || from - begin >= m->n || n > m->n - (from - begin)) continue;
        uintptr_t first = (from + page - 1) / page * page, end = (from + n) / page * page;
        if (end > first) madvise((void *)first, end - first, MADV_DONTNEED);
    }
}

void unit_forget_files(const Unit *u) {
    for (const Mapping *m = u->mappings; m; m = m->before) madvise(m->at, m->n, MADV_DONTNEED);
}

void unit_end(Unit *u) {
    if (u->part) unit_part_end(u);
    run_at_end(u, NULL);
    arena_free(u->scratch);
    arena_free(u->arena);
    u->scratch = NULL;
    u->arena = NULL;
    u->names = NULL;
    u->diags = NULL;
}

const char *temporary_folder(void) {
    const char *folder = getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
}
