/* tensor_set.c - named tensors from files and folders; .npz through libzip. */
#include "tensor_set.h"

#include "driver.h"
#include "npy.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zip.h>

static const zip_uint64_t MAX_MEMBER = 8ULL << 30;

static bool file_fail(Unit *u, const char *path, const char *why) {
    return diag(u, NO_PLACE, D_TENSOR_FILE, path, why);
}

/* The name without folder and ending. */
static const char *stem(Arena *a, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return arena_copy(a, name, dot ? (size_t)(dot - name) : strlen(name));
}

static bool add_npy(Unit *u, const char *path, const char *name, const void *bytes, size_t n,
                    TensorSet *set) {
    const char *why;
    const Tensor *t = npy_read(u->arena, bytes, n, &why);
    if (!t) return file_fail(u, path, why);
    vec_push(u->arena, set, ((NamedTensor){.name = name, .position = -1, .tensor = t}));
    return true;
}

static bool read_npy(Unit *u, const char *path, const char *name, TensorSet *set) {
    size_t n;
    char *bytes = file_read(u, path, &n);
    return bytes && add_npy(u, path, name, bytes, n, set);
}

/* input_3.pb is the fourth input, whatever the tensor calls itself. */
static bool read_pb(Unit *u, const char *path, TensorSet *set) {
    const char *name = NULL;
    const Tensor *t = import_tensor_file(u, path, &name);
    if (!t) return false;
    const char *file = stem(u->arena, path), *line = strrchr(file, '_');
    bool numbered = line && line[1] && strspn(line + 1, "0123456789") == strlen(line + 1);
    int position = numbered ? atoi(line + 1) : -1;
    vec_push(u->arena, set, ((NamedTensor){.name = name, .position = position, .tensor = t}));
    return true;
}

static bool read_member(Unit *u, const char *path, zip_t *zip, zip_uint64_t i, TensorSet *set) {
    zip_stat_t info;
    if (zip_stat_index(zip, i, 0, &info) || !(info.valid & ZIP_STAT_SIZE) ||
        !(info.valid & ZIP_STAT_NAME))
        return file_fail(u, path, "damaged");
    if (info.size > MAX_MEMBER) return file_fail(u, path, "too large");
    zip_file_t *file = zip_fopen_index(zip, i, 0);
    if (!file) return file_fail(u, path, zip_strerror(zip));
    char *bytes = arena_alloc(u->arena, (size_t)info.size + 1);
    zip_int64_t got = zip_fread(file, bytes, info.size);
    zip_fclose(file);
    if (got != (zip_int64_t)info.size) return file_fail(u, path, "damaged");
    const char *name =
        arena_copy(u->arena, info.name, strlen(info.name) - (path_ends(info.name, ".npy") ? 4 : 0));
    return add_npy(u, path, name, bytes, (size_t)info.size, set);
}

static bool read_npz(Unit *u, const char *path, TensorSet *set) {
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_RDONLY, &code);
    if (!zip) {
        zip_error_t error;
        zip_error_init_with_code(&error, code);
        file_fail(u, path, arena_format(u->arena, "%s", zip_error_strerror(&error)));
        zip_error_fini(&error);
        return false;
    }
    bool ok = true;
    zip_int64_t n = zip_get_num_entries(zip, 0);
    for (zip_int64_t i = 0; i < n && ok; i++) ok = read_member(u, path, zip, (zip_uint64_t)i, set);
    zip_discard(zip);
    return ok;
}

static bool read_file(Unit *u, const char *path, TensorSet *set) {
    if (path_ends(path, ".npz")) return read_npz(u, path, set);
    if (path_ends(path, ".npy")) return read_npy(u, path, stem(u->arena, path), set);
    if (path_ends(path, ".pb")) return read_pb(u, path, set);
    return file_fail(u, path, "should end in .npz, .npy or .pb, or be a folder");
}

static bool is_wanted(const char *name, const char *role) {
    if (!path_ends(name, ".npy") && !path_ends(name, ".pb")) return false;
    bool marked = !strncmp(name, "input_", 6) || !strncmp(name, "output_", 7);
    return !marked || !strncmp(name, role, strlen(role));
}

static bool read_folder(Unit *u, const char *path, const char *role, TensorSet *set) {
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0) return file_fail(u, path, strerror(errno));
    bool ok = true;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (ok && is_wanted(name, role))
            ok = read_file(u, arena_format(u->arena, "%s/%s", path, name), set);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

bool tensor_set_read(Unit *u, const char *files, const char *role, TensorSet *set) {
    struct stat info;
    const char *equals = strchr(files, '=');
    if (!stat(files, &info))
        return S_ISDIR(info.st_mode) ? read_folder(u, files, role, set) : read_file(u, files, set);
    if (!equals) return file_fail(u, files, strerror(errno));
    const char *name = arena_copy(u->arena, files, (size_t)(equals - files));
    int first = set->n;
    if (!read_file(u, equals + 1, set)) return false;
    if (set->n != first + 1) return file_fail(u, equals + 1, "has more than one tensor");
    set->at[first].name = name;
    set->at[first].position = -1;
    return true;
}

const Tensor *tensor_set_find(const TensorSet *set, const char *name, int position) {
    for (int i = 0; i < set->n; i++)
        if (set->at[i].position == position) return set->at[i].tensor;
    for (int i = 0; i < set->n; i++)
        if (set->at[i].position < 0 && set->at[i].name && !strcmp(set->at[i].name, name))
            return set->at[i].tensor;
    return NULL;
}

/* Stored, with a fixed date: the same tensors give the same file. */
static bool add_member(Unit *u, zip_t *zip, const NamedTensor *named) {
    Text text = {.arena = u->arena};
    npy_write(named->tensor, &text);
    zip_source_t *source = zip_source_buffer(zip, text.at, text.n, 0);
    if (!source) return false;
    zip_int64_t i =
        zip_file_add(zip, arena_format(u->arena, "%s.npy", named->name), source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
        zip_source_free(source);
        return false;
    }
    return !zip_set_file_compression(zip, (zip_uint64_t)i, ZIP_CM_STORE, 0) &&
           !zip_file_set_dostime(zip, (zip_uint64_t)i, 0, 0x21, 0);
}

bool tensor_set_write(Unit *u, const TensorSet *set, const char *path) {
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    bool ok = zip != NULL;
    for (int i = 0; i < set->n && ok; i++) ok = add_member(u, zip, &set->at[i]);
    if (ok) ok = !zip_close(zip);
    if (ok) return true;
    const char *why = zip ? arena_format(u->arena, "%s", zip_strerror(zip)) : strerror(errno);
    if (zip) zip_discard(zip);
    return diag(u, NO_PLACE, D_OUTPUT_FILE, path, why);
}
