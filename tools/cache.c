/* cache.c - sonoc cache: the compiled models that are kept. */
#include "command.h"

#include "cache.h"
#include "json.h"
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

/* Labels hold names of files, and a file may hold anything: what moves a cursor is shown as '?'. */
static void copy_label(const CacheItem *item, char label[1024]) {
    int n = item->label_length < 1023 ? item->label_length : 1023;
    for (int i = 0; i < n; i++)
        label[i] = iscntrl((unsigned char)item->label[i]) ? '?' : item->label[i];
    label[n] = 0;
}

static void print_item(void *context, const CacheItem *item) {
    int64_t *sum = context;
    char label[1024], used[32];
    time_t when = (time_t)item->used;
    struct tm parts;
    copy_label(item, label);
    strftime(used, sizeof used, "%Y-%m-%d %H:%M", gmtime_r(&when, &parts));
    printf("%12" PRId64 " bytes, used %s: %s\n", item->bytes, used, label);
    *sum += item->bytes;
}

static void json_item(void *context, const CacheItem *item) {
    Json *j = context;
    char label[1024];
    copy_label(item, label);
    json_begin(j, NULL, '{');
    json_text(j, "file", item->name);
    json_text(j, "label", label);
    json_int(j, "bytes", item->bytes);
    json_int(j, "used", item->used);
    json_end(j, '}');
}

static bool list(const char *folder, bool as_json) {
    int64_t sum = 0;
    Json j = {.out = stdout};
    if (!as_json) {
        bool ok = cache_list(folder, print_item, &sum);
        printf("%12" PRId64 " bytes in %s\n", sum, folder);
        return ok;
    }
    json_begin(&j, NULL, '{');
    json_int(&j, "version", 1);
    json_text(&j, "folder", folder);
    json_begin(&j, "entries", '[');
    bool ok = cache_list(folder, json_item, &j);
    json_end(&j, ']');
    json_end(&j, '}');
    return ok;
}

static int usage(const char *what) {
    fprintf(stderr, "sonoc cache: %s\n", what);
    return STATUS_USAGE;
}

int command_cache(Session *s) {
    const char *what = s->options->operand;
    char folder[CACHE_PATH];
    bool lists = !strcmp(what, "list");
    if (!lists && strcmp(what, "clear")) return usage("list or clear?");
    if (!cache_folder(folder)) return usage("neither XDG_CACHE_HOME nor HOME names a folder");
    if (lists && !list(folder, s->options->json))
        escape(&s->unit.escape, STATUS_LIMIT, "out of memory");
    if (!lists) printf("%d removed\n", cache_shrink(folder, 0));
    return STATUS_OK;
}
