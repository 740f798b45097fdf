/* cache.h - a folder of compiled models, shared by processes: an entry is there whole, or not at all.
 *
 * An entry is a file of a few parts under the name of a key.  It is written beside its place and renamed into it;
 * a checksum over everything is looked at before it is used, and an entry that fails is removed.  What was not used
 * for longest goes when the folder grows over a limit.  Nothing is taken from a folder or file of another user. */
#ifndef SONOC_CACHE_H
#define SONOC_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CACHE_PARTS = 4, CACHE_PATH = 4096 };

#define CACHE_BYTES (INT64_C(4) << 30) /* what a folder may grow to if nobody says */

typedef struct CacheKey { uint64_t high, low; } CacheKey;
typedef struct CacheSpan { const void *at; size_t n; } CacheSpan;

/* The user's folder: $XDG_CACHE_HOME/sonoc or ~/.cache/sonoc.  false: there is none. */
bool cache_folder(char path[CACHE_PATH]);
/* A hash of all of them, each with its length. */
CacheKey cache_key(const CacheSpan *spans, int n);

/* An entry, mapped for reading.  Parts begin at multiples of 4096; those that were not written are empty. */
typedef struct CacheEntry {
    CacheSpan parts[CACHE_PARTS];
    void *map;
    size_t mapped;
} CacheEntry;

/* false: it is not there. */
bool cache_open(const char *folder, CacheKey key, CacheEntry *entry);
void cache_close(CacheEntry *entry);

/* Writing an entry, part after part; part 0 is a line that tells people what it is.  A writer that failed stays so
 * until it is ended. */
typedef struct CacheWriter CacheWriter;
CacheWriter *cache_begin(const char *folder, CacheKey key);    /* NULL: the folder cannot be written */
void cache_write(CacheWriter *w, const void *bytes, size_t n);
void cache_next_part(CacheWriter *w);
/* With `keep` gives the entry its place, and then removes what makes the folder larger than `limit` bytes.  false: it
 * is not there.  Else *entry, if not NULL, has it mapped. */
bool cache_end(CacheWriter *w, bool keep, int64_t limit, CacheEntry *entry);

typedef struct CacheItem {
    char name[40];
    const char *label;       /* its part 0; "" if it cannot be read */
    int label_length;
    int64_t bytes;
    int64_t used;            /* when: seconds since 1970 */
} CacheItem;

/* Tells all entries, the one used last first.  false: out of memory. */
bool cache_list(const char *folder, void (*visit)(void *context, const CacheItem *item), void *context);
/* Removes entries until at most `limit` bytes are left, and what broken-off writers left.  Gives how many entries. */
int cache_shrink(const char *folder, int64_t limit);

#endif
