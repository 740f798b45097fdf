/* output.c - writes to temporary files in the folder of the target, and renames when all are
 * written. */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_all(int file, const char *bytes, size_t n) {
    while (n) {
        ssize_t done = write(file, bytes, n < 1 << 30 ? n : 1 << 30);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

/* mkstemp makes files that only the user reads; an output is as open as any new file. */
static bool open_up(int file) {
    mode_t mask = umask(0);
    umask(mask);
    return !fchmod(file, 0666 & ~mask);
}

bool output_add(Unit *u, OutputSet *set, const char *path, const void *bytes, size_t n) {
    char *temporary = arena_format(u->arena, "%s.XXXXXX", path);
    int file = mkstemp(temporary);
    if (file < 0) return diag(u, NO_PLACE, D_OUTPUT_FILE, path, strerror(errno));
    vec_push(u->arena, set, ((OutputFile){path, temporary}));
    bool ok = write_all(file, bytes, n) && open_up(file);
    int problem = errno;
    if (close(file) && ok) {
        ok = false;
        problem = errno;
    }
    return ok ? true : diag(u, NO_PLACE, D_OUTPUT_FILE, path, strerror(problem));
}

bool output_begin(Unit *u, OutputSet *set, const char *path, OutputStream *stream) {
    char *temporary = arena_format(u->arena, "%s.XXXXXX", path);
    int file = mkstemp(temporary);
    if (file < 0) return diag(u, NO_PLACE, D_OUTPUT_FILE, path, strerror(errno));
    vec_push(u->arena, set, ((OutputFile){path, temporary}));
    FILE *open = open_up(file) ? fdopen(file, "w") : NULL;
    *stream = (OutputStream){u, path, open};
    if (open) return true;
    int problem = errno;
    close(file);
    return diag(u, NO_PLACE, D_OUTPUT_FILE, path, strerror(problem));
}

bool output_write(OutputStream *s, const void *bytes, size_t n) {
    return fwrite(bytes, 1, n, s->file) == n ||
           diag(s->unit, NO_PLACE, D_OUTPUT_FILE, s->path, strerror(errno));
}

bool output_end(OutputStream *s) {
    bool failed = ferror(s->file);
    if (!fclose(s->file)) return !failed;
    return diag(s->unit, NO_PLACE, D_OUTPUT_FILE, s->path, strerror(errno));
}

bool output_commit(Unit *u, OutputSet *set) {
    for (int i = 0; i < set->n; i++) {
        OutputFile *f = &set->at[i];
        if (rename(f->temporary, f->path)) {
            diag(u, NO_PLACE, D_OUTPUT_FILE, f->path, strerror(errno));
            for (int k = 0; k < i; k++) unlink(set->at[k].path);
            output_drop(set);
            return false;
        }
        f->temporary = NULL;
    }
    return true;
}

void output_drop(OutputSet *set) {
    for (int i = 0; i < set->n; i++)
        if (set->at[i].temporary) unlink(set->at[i].temporary);
}
