/* cache.c - entries of the cache: found, checked, written, removed.
 *
 * A file is a head of one page, then the parts, each padded to a page.  The checksum in the head
 * covers the table of parts and all that follows.  Temporary files bear their writer's name and
 * begin with a dot; nobody reads them. */
#include "cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { PAGE = 4096, STALE_SECONDS = 3600 };

static const char ending[] = ".model", lock_name[] = "lock", temporary[] = ".new-";
static const uint64_t MAGIC = 0x31306564636e6f73; /* "soncde01" where bytes are little-endian */

typedef struct Head {
    uint64_t magic;
    CacheKey key;
    XXH128_hash_t checksum;
    struct {
        uint64_t at, n;
    } parts[CACHE_PARTS];
} Head;

struct CacheWriter {
    XXH3_state_t hash;
    Head head;
    int file, part;
    bool failed;
    uint64_t size;
    char folder[CACHE_PATH], path[CACHE_PATH], temporary[CACHE_PATH];
};

bool cache_folder(char path[CACHE_PATH]) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = -1;
    if (base && *base == '/')
        n = snprintf(path, CACHE_PATH, "%s/sonoc", base);
    else if (home && *home == '/')
        n = snprintf(path, CACHE_PATH, "%s/.cache/sonoc", home);
    return n > 0 && n < CACHE_PATH / 2;
}

CacheKey cache_key(const CacheSpan *spans, int n) {
    XXH3_state_t hash;
    XXH3_128bits_reset(&hash);
    for (int i = 0; i < n; i++) {
        uint64_t length = spans[i].n;
        XXH3_128bits_update(&hash, &length, sizeof length);
        if (length) XXH3_128bits_update(&hash, spans[i].at, spans[i].n);
    }
    XXH128_hash_t sum = XXH3_128bits_digest(&hash);
    return (CacheKey){sum.high64, sum.low64};
}

static bool entry_path(const char *folder, CacheKey key, char path[CACHE_PATH]) {
    int n = snprintf(path, CACHE_PATH, "%s/%016llx%016llx%s", folder, (unsigned long long)key.high,
                     (unsigned long long)key.low, ending);
    return n > 0 && n < CACHE_PATH;
}

/* Ours, and nobody else may write it. */
static bool is_ours(const struct stat *st) {
    return st->st_uid == geteuid() && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

static bool folder_is_ours(const char *folder) {
    struct stat st;
    return stat(folder, &st) == 0 && S_ISDIR(st.st_mode) && is_ours(&st);
}

/* With the folders above it. */
static bool folder_make(const char *folder) {
    char path[CACHE_PATH];
    if (snprintf(path, sizeof path, "%s", folder) >= (int)sizeof path) return false;
    for (char *c = path + 1; *c; c++) {
        if (*c != '/') continue;
        *c = 0;
        if (mkdir(path, 0700) && errno != EEXIST) return false;
        *c = '/';
    }
    return (mkdir(path, 0700) == 0 || errno == EEXIST) && folder_is_ours(path);
}

/* Reading. */

static XXH128_hash_t checksum_end(XXH3_state_t *hash, const Head *head) {
    XXH3_128bits_update(hash, &head->key, sizeof head->key);
    XXH3_128bits_update(hash, head->parts, sizeof head->parts);
    return XXH3_128bits_digest(hash);
}

static bool is_whole(const Head *head, size_t size) {
    XXH3_state_t hash;
    if (size < PAGE || head->magic != MAGIC) return false;
    for (int i = 0; i < CACHE_PARTS; i++) {
        uint64_t at = head->parts[i].at, n = head->parts[i].n;
        if (at % PAGE || at > size || n > size - at) return false;
    }
    XXH3_128bits_reset(&hash);
    XXH3_128bits_update(&hash, (const char *)head + PAGE, size - PAGE);
    return XXH128_isEqual(checksum_end(&hash, head), head->checksum);
}

static bool has_key(const Head *head, CacheKey key) {
    return head->key.high == key.high && head->key.low == key.low;
}

static bool map_entry(int file, CacheEntry *entry) {
    struct stat st;
    if (fstat(file, &st) || !S_ISREG(st.st_mode) || !is_ours(&st) || st.st_size < PAGE)
        return false;
    size_t size = (size_t)st.st_size;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (map == MAP_FAILED) return false;
    *entry = (CacheEntry){.map = map, .mapped = size};
    return true;
}

static void fill_parts(CacheEntry *entry) {
    const Head *head = entry->map;
    for (int i = 0; i < CACHE_PARTS; i++)
        entry->parts[i] =
            (CacheSpan){(const char *)entry->map + head->parts[i].at, head->parts[i].n};
}

bool cache_open(const char *folder, CacheKey key, CacheEntry *entry) {
    char path[CACHE_PATH];
    *entry = (CacheEntry){0};
    if (!folder_is_ours(folder) || !entry_path(folder, key, path)) return false;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return false;
    bool ok = map_entry(file, entry);
    if (ok && !(is_whole(entry->map, entry->mapped) && has_key(entry->map, key))) {
        cache_close(entry);
        ok = false;
    }
    if (ok) {
        fill_parts(entry);
        futimens(file, NULL); /* it was used now: should that fail, it goes earlier than it might */
    } else {
        unlink(path);
    }
    close(file);
    return ok;
}

void cache_close(CacheEntry *entry) {
    if (entry->map) munmap(entry->map, entry->mapped);
    *entry = (CacheEntry){0};
}

/* Writing. */

static void put(CacheWriter *w, const void *bytes, size_t n) {
    const char *at = bytes;
    XXH3_128bits_update(&w->hash, bytes, n);
    w->size += n;
    while (n && !w->failed) {
        ssize_t done = write(w->file, at, n);
        if (done < 0 && errno == EINTR) continue;
        w->failed = done <= 0;
        if (w->failed) break;
        at += done;
        n -= (size_t)done;
    }
}

static void pad(CacheWriter *w) {
    static const char zeros[PAGE];
    if (w->size % PAGE) put(w, zeros, PAGE - w->size % PAGE);
}

static bool writer_open(CacheWriter *w) {
    static const char head[PAGE];
    w->file = mkostemp(w->temporary, O_CLOEXEC);
    if (w->file < 0) return false;
    w->failed = write(w->file, head, sizeof head) != sizeof head; /* its place; filled at the end */
    w->size = sizeof head;
    w->head.parts[0].at = w->size;
    return true;
}

CacheWriter *cache_begin(const char *folder, CacheKey key) {
    CacheWriter *w = folder_make(folder) ? aligned_alloc(64, (sizeof *w + 63) / 64 * 64) : NULL;
    if (!w) return NULL;
    memset(w, 0, sizeof *w);
    XXH3_128bits_reset(&w->hash);
    w->head.magic = MAGIC;
    w->head.key = key;
    int n = snprintf(w->folder, sizeof w->folder, "%s", folder);
    int m = snprintf(w->temporary, sizeof w->temporary, "%s/%s%ld-XXXXXX", folder, temporary,
                     (long)getpid());
    bool fits = n < (int)sizeof w->folder && m < (int)sizeof w->temporary &&
                entry_path(folder, key, w->path);
    if (fits && writer_open(w)) return w;
    free(w);
    return NULL;
}

void cache_write(CacheWriter *w, const void *bytes, size_t n) {
    put(w, bytes, n);
    w->head.parts[w->part].n += n;
}

void cache_next_part(CacheWriter *w) {
    pad(w);
    if (w->part == CACHE_PARTS - 1) {
        w->failed = true;
        return;
    }
    w->head.parts[++w->part].at = w->size;
}

static bool finish(CacheWriter *w, CacheEntry *entry) {
    pad(w);
    w->head.checksum = checksum_end(&w->hash, &w->head);
    bool ok = !w->failed && pwrite(w->file, &w->head, sizeof w->head, 0) == sizeof w->head;
    if (ok && entry) ok = map_entry(w->file, entry);
    ok = close(w->file) == 0 && ok && rename(w->temporary, w->path) == 0;
    if (entry && ok) fill_parts(entry);
    if (entry && !ok) cache_close(entry);
    return ok;
}

bool cache_end(CacheWriter *w, bool keep, int64_t limit, CacheEntry *entry) {
    bool ok = false;
    if (keep && w->size <= (uint64_t)limit)
        ok = finish(w, entry);
    else
        close(w->file);
    if (!ok) unlink(w->temporary);
    if (ok) cache_shrink(w->folder, limit);
    free(w);
    return ok;
}

/* The folder. */

typedef struct Found {
    char name[40];
    int64_t bytes;
    struct timespec used;
} Found;

typedef struct Listing {
    Found *at;
    int n, cap;
} Listing;

static bool is_entry(const char *name) {
    size_t n = strlen(name), m = strlen(ending);
    return n == 32 + m && strspn(name, "0123456789abcdef") == 32 && !strcmp(name + 32, ending);
}

static bool listing_add(Listing *l, const char *name, const struct stat *st) {
    if (l->n == l->cap) {
        int cap = l->cap ? 2 * l->cap : 64;
        Found *more = realloc(l->at, (size_t)cap * sizeof *more);
        if (!more) return false;
        l->at = more;
        l->cap = cap;
    }
    Found *f = &l->at[l->n++];
    *f = (Found){.bytes = st->st_size, .used = st->st_mtim};
    memcpy(f->name, name, strlen(name) + 1);
    return true;
}

static int by_use(const void *a, const void *b) {
    const Found *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec) return x->used.tv_sec > y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec) return x->used.tv_nsec > y->used.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Entries, the one used last first; tells files of writers that broke off. */
static bool listing_fill(Listing *l, DIR *dir, void (*stale)(int folder, const char *name)) {
    bool ok = true;
    time_t now = time(NULL);
    for (struct dirent *d; ok && (d = readdir(dir));) {
        struct stat st;
        bool is_new = !strncmp(d->d_name, temporary, strlen(temporary));
        if (!is_new && !is_entry(d->d_name)) continue;
        if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode))
            continue;
        if (!is_new)
            ok = listing_add(l, d->d_name, &st);
        else if (stale && now - st.st_mtime > STALE_SECONDS)
            stale(dirfd(dir), d->d_name);
    }
    if (l->n) qsort(l->at, (size_t)l->n, sizeof *l->at, by_use);
    return ok;
}

/* The first line of part 0, read by itself: a list should not read all weights. */
static int read_label(int folder, const char *name, char *label, size_t size) {
    Head head;
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return 0;
    ssize_t n = pread(file, &head, sizeof head, 0) == sizeof head && head.magic == MAGIC ? 0 : -1;
    if (n == 0)
        n = pread(file, label, head.parts[0].n < size ? head.parts[0].n : size,
                  (off_t)head.parts[0].at);
    close(file);
    return n > 0 ? (int)n : 0;
}

bool cache_list(const char *folder, void (*visit)(void *context, const CacheItem *item),
                void *context) {
    DIR *dir = opendir(folder);
    Listing l = {0};
    char label[1024];
    bool ok = !dir || listing_fill(&l, dir, NULL);
    for (int i = 0; ok && i < l.n; i++) {
        CacheItem item = {.label = label, .bytes = l.at[i].bytes, .used = l.at[i].used.tv_sec};
        memcpy(item.name, l.at[i].name, sizeof item.name);
        item.label_length = read_label(dirfd(dir), item.name, label, sizeof label);
        visit(context, &item);
    }
    free(l.at);
    if (dir) closedir(dir);
    return ok;
}

static void remove_file(int folder, const char *name) { unlinkat(folder, name, 0); }

static int shrink(DIR *dir, int64_t limit) {
    Listing l = {0};
    int removed = 0;
    int64_t sum = 0;
    listing_fill(&l, dir, remove_file);
    for (int i = 0; i < l.n; i++) {
        sum += l.at[i].bytes;
        if (sum > limit) removed += unlinkat(dirfd(dir), l.at[i].name, 0) == 0;
    }
    free(l.at);
    return removed;
}

/* One process at a time, so that two do not remove what one would have been enough for. */
int cache_shrink(const char *folder, int64_t limit) {
    DIR *dir = folder_is_ours(folder) ? opendir(folder) : NULL;
    if (!dir) return 0;
    int lock = openat(dirfd(dir), lock_name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int removed = lock >= 0 && !flock(lock, LOCK_EX) ? shrink(dir, limit) : 0;
    if (lock >= 0) close(lock);
    closedir(dir);
    return removed;
}
