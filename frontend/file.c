/* file.c - files mapped into memory: the model, and its external data inside its own folder.
 *
 * A location of external data is a path below the model's folder, without "..", and no part of it
 * may be a symbolic link: the kernel enforces it (openat2), or else a walk that opens one part at a
 * time without following links. A mapped file that somebody cuts while we read it ends the process
 * (SIGBUS), as it does for every program that maps. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(SYS_openat2) && defined(__has_include)
#if __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#define HAVE_OPENAT2 1
#endif
#endif

typedef struct FolderFile {
    dev_t device;
    ino_t inode;
    Span bytes;
} FolderFile;

typedef struct Mapping {
    void *at;
    size_t n;
} Mapping;

static void unmap(void *context) {
    const Mapping *m = context;
    if (m->at) munmap(m->at, m->n);
}

static const char *map_descriptor(Unit *u, int fd, const struct stat *st, Span *bytes) {
    if (S_ISDIR(st->st_mode)) return "is a directory";
    if (!S_ISREG(st->st_mode)) return "is not a regular file";
    if (st->st_size == 0) {
        *bytes = (Span){(const uint8_t *)"", 0};
        return NULL;
    }
    Mapping *m = NEW(u->arena, Mapping);
    unit_at_end(u, unmap, m); /* before there is something to lose */
    void *at = mmap(NULL, (size_t)st->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED) return strerror(errno);
    *m = (Mapping){at, (size_t)st->st_size};
    *bytes = (Span){at, m->n};
    return NULL;
}

bool file_map(Unit *u, const char *path, Span *bytes) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *why =
        fd < 0 || fstat(fd, &st) != 0 ? strerror(errno) : map_descriptor(u, fd, &st, bytes);
    if (fd >= 0) close(fd);
    if (!why) return true;
    return diag(u, NO_PLACE, D_FILE_BAD, arena_format(u->arena, "cannot be read: %s", why));
}

void file_forget(Span bytes) {
    if (bytes.n) madvise((void *)(uintptr_t)bytes.at, bytes.n, MADV_DONTNEED);
}

/* The path without anything that could lead out, or NULL and why. */
static const char *location_fault(const char *location) {
    if (!*location) return "the location is empty";
    if (*location == '/') return "an absolute path is not allowed";
    if (strchr(location, '\\')) return "a backslash in the path is not allowed";
    for (const char *part = location; *part;) {
        size_t n = strcspn(part, "/");
        if (n == 2 && part[0] == '.' && part[1] == '.')
            return "the path may not leave the model's folder ('..')";
        part += n + (part[n] == '/');
    }
    return NULL;
}

static const char *open_fault(int error) {
    if (error == ELOOP || error == EXDEV) return "a symbolic link in the path is not allowed";
    return strerror(error);
}

enum { OPEN_FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW };

/* Without openat2: one part after the other.  Returns -1 and sets errno. */
static int open_walking(Unit *u, int folder, const char *location) {
    int at = folder;
    for (const char *part = location;;) {
        size_t n = strcspn(part, "/");
        bool last = !part[n];
        const char *name = n ? arena_copy(u->arena, part, n) : ".";
        int next = openat(at, name, OPEN_FLAGS | (last ? 0 : O_DIRECTORY));
        int error = errno;
        if (at != folder) close(at);
        errno = error == ENOTDIR && !last ? ELOOP : error;
        if (next < 0 || last) return next;
        at = next;
        part += n + 1;
    }
}

static int open_beneath(Unit *u, int folder, const char *location) {
#ifdef HAVE_OPENAT2
    struct open_how how = {.flags = OPEN_FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, folder, location, &how, sizeof how);
    if (fd >= 0 || (errno != ENOSYS && errno != EPERM)) return fd;
#endif
    return open_walking(u, folder, location);
}

static void folder_close(void *context) {
    const Folder *folder = context;
    if (folder->fd >= 0) close(folder->fd);
}

Folder *folder_new(Unit *u, const ImportOptions *options) {
    Folder *folder = NEW(u->arena, Folder);
    *folder = (Folder){.unit = u, .fd = -1, .by_location.arena = u->arena};
    if (options) folder->options = *options;
    unit_at_end(u, folder_close, folder);
    return folder;
}

static bool folder_open(Folder *folder) {
    if (folder->fd >= 0) return true;
    const char *path = folder->unit->file ? folder->unit->file : ".";
    const char *slash = strrchr(path, '/');
    const char *name = !slash ? "."
                       : slash == path
                           ? "/"
                           : arena_copy(folder->unit->arena, path, (size_t)(slash - path));
    folder->fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder->fd >= 0;
}

static FolderFile *folder_file(Folder *folder, int fd, const char **why) {
    struct stat st;
    if (fstat(fd, &st) != 0) {
        *why = strerror(errno);
        return NULL;
    }
    for (int i = 0; i < folder->files.n; i++) {
        FolderFile *known = folder->files.at[i];
        if (known->device == st.st_dev && known->inode == st.st_ino) return known;
    }
    FolderFile *file = NEW(folder->unit->arena, FolderFile);
    *file = (FolderFile){.device = st.st_dev, .inode = st.st_ino};
    *why = map_descriptor(folder->unit, fd, &st, &file->bytes);
    if (*why) return NULL;
    vec_push(folder->unit->arena, &folder->files, file);
    return file;
}

const Span *folder_map(Folder *folder, const char *location, const char **why) {
    FolderFile *file = map_get(&folder->by_location, (uintptr_t)location);
    if (file) return &file->bytes;
    *why = location_fault(location);
    if (*why) return NULL;
    int fd = folder_open(folder) ? open_beneath(folder->unit, folder->fd, location) : -1;
    if (fd < 0) {
        *why = open_fault(errno);
        return NULL;
    }
    file = folder_file(folder, fd, why);
    close(fd);
    if (!file) return NULL;
    map_set(&folder->by_location, (uintptr_t)location, file);
    const ImportOptions *o = &folder->options;
    if (o->on_file) o->on_file(o->context, location, file->bytes.at, file->bytes.n);
    return &file->bytes;
}

static bool begins(Span bytes, const char *magic, size_t n) {
    return bytes.n >= n && memcmp(bytes.at, magic, n) == 0;
}

static bool is_text(Span bytes) {
    size_t n = bytes.n < 512 ? bytes.n : 512;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = bytes.at[i];
        if (c < ' ' && c != '\n' && c != '\r' && c != '\t') return false;
        if (c == 0x7f) return false;
    }
    return n > 0;
}

const char *file_guess(Span bytes) {
    static const struct {
        const char *magic;
        size_t n;
        const char *what;
    } kinds[] = {
        {"\x89PNG", 4, "a PNG image"},
        {"\xff\xd8\xff", 3, "a JPEG image"},
        {"GIF8", 4, "a GIF image"},
        {"PK\x03\x04", 4, "a zip archive (or PyTorch's .pt)"},
        {"\x1f\x8b", 2, "a gzip file"},
        {"\x7f"
         "ELF",
         4, "a program or library"},
        {"\x89HDF", 4, "an HDF5 file"},
        {"\x93NUMPY", 6, "a NumPy array"},
        {"%PDF", 4, "a PDF file"},
        {"version https://git-lfs", 23, "a Git LFS pointer, not the file"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (begins(bytes, kinds[i].magic, kinds[i].n)) return kinds[i].what;
    if (bytes.n >= 8 && memcmp(bytes.at + 4, "TFL3", 4) == 0) return "a TensorFlow Lite model";
    return is_text(bytes) ? "a text" : NULL;
}
