/* cache.c - the folder of compiled models: entries are whole or absent, whatever happens to the
 * files. */
#include "cache.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64], folder[128];

static void run_shell(const char *command) {
    char text[1024];
    snprintf(text, sizeof text, "cd '%s' && %s", root, command);
    assert(system(text) == 0);
}

static CacheKey key_of(const char *text) {
    CacheSpan span = {text, strlen(text)};
    return cache_key(&span, 1);
}

/* An entry of three parts: its name, `size` bytes that depend on it, a few letters. */
static bool store(const char *name, size_t size, int64_t limit) {
    CacheWriter *w = cache_begin(folder, key_of(name));
    char *bytes = malloc(size);
    assert(w && bytes);
    memset(bytes, name[0], size);
    cache_write(w, name, strlen(name));
    cache_next_part(w);
    cache_write(w, bytes, size / 2);
    cache_write(w, bytes, size - size / 2);
    cache_next_part(w);
    cache_write(w, "end", 3);
    free(bytes);
    return cache_end(w, true, limit, NULL);
}

static bool is_there(const char *name) {
    CacheEntry e;
    if (!cache_open(folder, key_of(name), &e)) return false;
    assert(e.parts[0].n == strlen(name) && !memcmp(e.parts[0].at, name, e.parts[0].n));
    const char *bytes = e.parts[1].at;
    assert((size_t)bytes % 4096 == 0);
    for (size_t i = 0; i < e.parts[1].n; i++) assert(bytes[i] == name[0]);
    assert(e.parts[2].n == 3 && !memcmp(e.parts[2].at, "end", 3) && e.parts[3].n == 0);
    cache_close(&e);
    return true;
}

static void count(void *context, const CacheItem *item) {
    (void)item;
    ++*(int *)context;
}

static int count_items(void) {
    int n = 0;
    assert(cache_list(folder, count, &n));
    return n;
}

static void test_key(void) {
    CacheSpan one[] = {{"ab", 2}, {"c", 1}}, other[] = {{"a", 1}, {"bc", 2}},
              empty[] = {{NULL, 0}, {"abc", 3}};
    CacheKey a = cache_key(one, 2), b = cache_key(other, 2), c = cache_key(empty, 2),
             again = cache_key(one, 2);
    assert(a.low != b.low && a.high != b.high && b.low != c.low && a.low == again.low &&
           a.high == again.high);
}

static void test_folder(void) {
    char path[CACHE_PATH];
    setenv("HOME", "/home/somebody", 1);
    setenv("XDG_CACHE_HOME", "/caches", 1);
    assert(cache_folder(path) && !strcmp(path, "/caches/sonoc"));
    setenv("XDG_CACHE_HOME", "caches", 1); /* must be absolute, or it does not count */
    assert(cache_folder(path) && !strcmp(path, "/home/somebody/.cache/sonoc"));
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert(!cache_folder(path));
}

static void test_store(void) {
    assert(!is_there("apple") && count_items() == 0);
    assert(store("apple", 10000, 1 << 20) && is_there("apple"));
    assert(store("apple", 5, 1 << 20) && is_there("apple") && count_items() == 1);
    assert(store("empty", 0, 1 << 20) && is_there("empty") && count_items() == 2);
}

static void test_dropped(void) {
    CacheWriter *w = cache_begin(folder, key_of("never"));
    cache_write(w, "never", 5);
    assert(!cache_end(w, false, 1 << 20, NULL) && !is_there("never"));
    assert(!store("large", 100000, 1 << 16) && !is_there("large"));
    w = cache_begin(folder, key_of("parts"));
    for (int i = 0; i < CACHE_PARTS; i++) cache_next_part(w);
    assert(!cache_end(w, true, 1 << 20, NULL) && !is_there("parts"));
    run_shell("test -z \"$(ls -A sub/cache)\"");
}

static void entry_file(const char *name, char path[256]) {
    CacheKey k = key_of(name);
    snprintf(path, 256, "%s/%016llx%016llx.model", folder, (unsigned long long)k.high,
             (unsigned long long)k.low);
}

/* Every byte of the head that says something, and some of what follows. */
static void test_flipped(void) {
    char path[256];
    entry_file("apple", path);
    for (long at = 0; at < 3 * 4096; at += at < 104 ? 1 : 997) {
        if (at >= 104 && at < 4096) continue;
        assert(store("apple", 9000, 1 << 20));
        FILE *f = fopen(path, "r+b");
        assert(f && !fseek(f, at, SEEK_SET));
        int c = getc(f);
        assert(!fseek(f, at, SEEK_SET) && putc(c ^ 4, f) != EOF && !fclose(f));
        assert(!is_there("apple") && access(path, F_OK)); /* and it is gone */
    }
}

static void test_cut(void) {
    static const long sizes[] = {0, 1, 4095, 4096, 4097, 12288, 16384, 16385, 20479, 20481, 24576};
    char path[256];
    entry_file("apple", path);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert(store("apple", 8000, 1 << 20));
        assert(!truncate(path, sizes[i]));
        assert(!is_there("apple"));
    }
}

/* An entry under another's name is not that one. */
static void test_renamed(void) {
    char from[256], to[256];
    entry_file("apple", from);
    entry_file("amber", to);
    assert(store("apple", 10, 1 << 20) && !rename(from, to) && !is_there("amber"));
}

static void age(const char *name, int hours) {
    char path[256], command[512];
    entry_file(name, path);
    snprintf(command, sizeof command, "touch -d '%d hours ago' '%s'", hours, path);
    run_shell(command);
}

static void test_eviction(void) {
    enum { EACH = 5 * 4096 }; /* head, name, two of bytes, end */
    assert(store("apple", 8000, 3 * EACH) && store("berry", 8000, 3 * EACH) &&
           store("cherry", 8000, 3 * EACH));
    age("apple", 3);
    age("berry", 2);
    age("cherry", 1);
    assert(is_there("apple")); /* which is used now: berry is the oldest */
    assert(store("damson", 8000, 3 * EACH) && count_items() == 3);
    assert(!is_there("berry") && is_there("apple") && is_there("cherry") && is_there("damson"));
    assert(cache_shrink(folder, EACH) == 2 && count_items() == 1);
    assert(cache_shrink(folder, 0) == 1 && count_items() == 0);
}

static void note_label(void *context, const CacheItem *item) {
    char *text = context;
    sprintf(text + strlen(text), "%.*s %lld;", item->label_length, item->label,
            (long long)item->bytes);
}

static void test_list(void) {
    char text[256] = "";
    assert(store("old", 1, 1 << 20) && store("new", 5000, 1 << 20));
    age("old", 5);
    assert(cache_list(folder, note_label, text));
    assert(!strcmp(text, "new 20480;old 16384;"));
    assert(cache_list("/nowhere/at/all", note_label, text));
}

static void test_left_over(void) {
    assert(store("apple", 1, 1 << 20));
    run_shell("touch sub/cache/.new-1-abcdef sub/cache/other && touch -d '2 hours ago' "
              "sub/cache/.new-2-abcdef");
    assert(cache_shrink(folder, 1 << 20) == 0);
    run_shell(
        "test -e sub/cache/.new-1-abcdef -a -e sub/cache/other -a ! -e sub/cache/.new-2-abcdef");
}

/* Nothing is run that others could have written. */
static void test_foreign(void) {
    char path[256];
    entry_file("apple", path);
    assert(store("apple", 1, 1 << 20) && !chmod(path, 0666) && !is_there("apple"));
    assert(store("apple", 1, 1 << 20) && !chmod(folder, 0777) && !is_there("apple"));
    assert(!cache_begin(folder, key_of("berry")) && !chmod(folder, 0700) && is_there("apple"));
    run_shell("rm -r sub && touch sub");
    assert(!cache_begin(folder, key_of("berry")) && !is_there("apple"));
    run_shell("rm sub");
}

/* Eight processes store, read and remove the same few entries. */
static void test_processes(void) {
    static const char *const names[] = {"apple", "berry", "cherry", "damson"};
    pid_t children[8];
    for (int c = 0; c < 8; c++) {
        children[c] = fork();
        assert(children[c] >= 0);
        if (children[c]) continue;
        int seen = 0;
        for (int i = 0; i < 150; i++) {
            const char *name = names[(c * 7 + i * 3) % 4];
            seen += is_there(name);
            if (i % 3 == 0) store(name, 20000 + (size_t)i * 100, 150000);
            if (i % 29 == 0) cache_shrink(folder, 40000);
        }
        _exit(seen ? 0 : 1);
    }
    for (int c = 0; c < 8; c++) {
        int status;
        assert(waitpid(children[c], &status, 0) == children[c] && status == 0);
    }
    run_shell("test -z \"$(ls -A sub/cache | grep new)\"");
    assert(count_items() <= 4);
}

static void (*const tests[])(void) = {test_key,       test_folder, test_store,   test_dropped,
                                      test_flipped,   test_cut,    test_renamed, test_eviction,
                                      test_left_over, test_list,   test_foreign, test_processes};

int main(void) {
    strcpy(root, "/tmp/sonoc-cache-XXXXXX");
    assert(mkdtemp(root));
    snprintf(folder, sizeof folder, "%s/sub/cache", root);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        run_shell("rm -rf sub && mkdir -p -m 700 sub/cache");
        tests[i]();
    }
    run_shell("rm -rf sub");
    rmdir(root);
    return 0;
}
