/* base.h - memory with lifetimes, interned strings, growing arrays, and the unit of one compilation.
 *
 * Everything lives in arenas and is freed with them; nothing is freed on the way.  Running out of memory (or
 * reaching an arena's limit) jumps to the unit's escape, so that no caller tests for NULL. */
#ifndef SONOC_BASE_H
#define SONOC_BASE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses of the command line, and of everything that can fail. */
enum { STATUS_OK = 0, STATUS_DIFFERS = 1, STATUS_USAGE = 2, STATUS_REFUSED = 3, STATUS_LIMIT = 4, STATUS_BUG = 70 };

typedef struct Escape {
    jmp_buf jump;        /* set with setjmp by whoever starts a unit of work */
    int status;          /* STATUS_LIMIT, STATUS_BUG, ... */
    char message[512];
} Escape;

/* Leaves the unit of work: fills `e` and jumps.  With e == NULL prints the message and aborts. */
_Noreturn void escape(Escape *e, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Where arenas have their memory from. */
typedef struct Allocator {
    void *(*allocate)(void *context, size_t size);           /* aligned to 16; NULL: there is no more */
    void (*release)(void *context, void *at, size_t size);
    void *context;
} Allocator;

/* What was freed goes back to the system, where the C library keeps it. */
void memory_trim(void);
/* Zeroed memory, aligned to 16, of an allocator or the C library; NULL: there is none. */
void *memory_new(const Allocator *allocator, size_t size);
void memory_free(const Allocator *allocator, void *at, size_t size);

typedef struct Arena Arena;

/* A new arena.  `limit` is its largest total size in bytes (0: none); NULL when even that fails.  The allocator, NULL
 * for the C library's, outlives it. */
Arena *arena_new(const Allocator *allocator, size_t limit, Escape *e);
void arena_free(Arena *a);
/* Zeroed memory, aligned to 64 bytes from 4 KiB on, else to 16; lives as long as the arena. */
void *arena_alloc(Arena *a, size_t size);
/* As arena_alloc for n * size bytes, safe against overflow. */
void *arena_array(Arena *a, size_t n, size_t size);
/* Large memory that is walked through again and again, in large pages where the system gives some: fewer misses of the
 * processor's table of pages.  Aligned to 64; no more of it gets resident than was asked for. */
void *arena_alloc_large(Arena *a, size_t size);
char *arena_copy(Arena *a, const char *text, size_t n);   /* n bytes and a final 0 */
char *arena_format(Arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
size_t arena_bytes(const Arena *a);
Escape *arena_escape(const Arena *a);
const Allocator *arena_allocator(const Arena *a);

/* Frees what was allocated after the mark was taken. */
typedef struct ArenaMark { void *block; size_t used; } ArenaMark;
ArenaMark arena_mark(const Arena *a);
void arena_release(Arena *a, ArenaMark m);

/* A function in two forms: for machines that have a fused multiply-add, and for all.  (The thread sanitizer is not up yet
 * when the loader chooses.) */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_THREAD__)
#define WITH_FMA __attribute__((target_clones("fma", "default")))
#else
#define WITH_FMA
#endif

#define NEW(arena, T) ((T *)arena_alloc(arena, sizeof(T)))
#define NEW_ARRAY(arena, T, n) ((T *)arena_array(arena, (size_t)(n), sizeof(T)))

/* A growing array in an arena: VEC(int) v = {0}; vec_push(arena, &v, 3); v.at[0]; v.n */
#define VEC(T) struct { T *at; int n, cap; }
#define vec_push(arena, v, x) \
    ((v)->n == (v)->cap ? (void)((v)->at = vec_grow(arena, (v)->at, (v)->n, &(v)->cap, sizeof *(v)->at)) : (void)0, \
     (void)((v)->at[(v)->n++] = (x)))
void *vec_grow(Arena *a, void *at, int n, int *cap, size_t size);

/* A growing text in an arena, always 0-terminated once something was added. */
typedef struct Text { Arena *arena; char *at; size_t n, cap; } Text;
void text_add(Text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_bytes(Text *t, const void *bytes, size_t n);

/* Interned strings: equal texts are the same pointer. */
typedef struct Names Names;
Names *names_new(Arena *a);
const char *name_intern(Names *names, const char *text);
const char *name_intern_n(Names *names, const char *text, size_t n);

/* A map from pointers or numbers (never 0) to pointers, in an arena. */
typedef struct Map { Arena *arena; struct MapSlot *slots; int n, cap; } Map;
void *map_get(const Map *m, uintptr_t key);            /* NULL if absent */
void map_set(Map *m, uintptr_t key, void *value);

uint64_t hash_bytes(const void *bytes, size_t n);      /* FNV-1a folded; the same on every machine */

struct Diags;
struct Registry;
/* One compilation: what all its stages share. */
typedef struct Unit {
    Arena *arena;            /* lives as long as the unit */
    Names *names;
    struct Diags *diags;     /* what is wrong with the user's input: diag.h */
    const char *file;        /* the model's path as the user wrote it */
    struct Registry *registry;   /* operators and passes beside ours: custom.h; NULL: none */
    Arena *scratch;          /* unit_scratch */
    struct AtEnd *at_end;
    struct Mapping *mappings;    /* of files */
    struct UnitPart *part;       /* unit_part_begin; NULL: none */
    Escape escape;
} Unit;

/* Starts a unit in `u`, with memory of at most `limit` bytes (0: none).  Returns false without memory. */
bool unit_begin(Unit *u, const char *file, size_t limit);
bool unit_begin_with(Unit *u, const char *file, size_t limit, const Allocator *allocator);
/* A unit apart for a part of the work of another: of its file, registry and allocator, with diagnostics of its own. */
bool unit_begin_apart(Unit *u, const Unit *of, size_t limit);
/* An arena of the unit for what one step needs: the step releases to the mark that it took. */
Arena *unit_scratch(Unit *u);
/* A part of the work, whose memory ends before the unit does: from now on `arena`, `registry`, unit_at_end and unit_map
 * are the part's; messages and names stay the unit's.  Parts have no parts. */
void unit_part_begin(Unit *u);
void unit_part_end(Unit *u);
/* What lives as long as the unit, whether a part is open or not. */
Arena *unit_lasting(const Unit *u);
/* Calls `end` when the unit ends; what was asked for last comes first. */
void unit_at_end(Unit *u, void (*end)(void *context), void *context);
/* Maps n bytes of an open file for reading, until the unit ends.  NULL: errno tells why. */
const void *unit_map(Unit *u, int fd, size_t n);
/* Of a mapped file: these pages leave our memory until they are looked at again.  Of other memory: nothing. */
void unit_forget(const Unit *u, const void *at, size_t n);
void unit_forget_files(const Unit *u);               /* all mapped ones */
void unit_end(Unit *u);

/* Where files go that are not kept: TMPDIR, or else /tmp. */
const char *temporary_folder(void);

#endif
