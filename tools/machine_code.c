/* machine_code.c - sonoc compile to machine code; a shared library is linked by what the system
 * has. */
#include "machine_code.h"

#include <string.h>

bool is_machine_code(const char *path) {
    return path_ends(path, ".o") || path_ends(path, ".so") || path_ends(path, ".s") ||
           path_ends(path, ".ll");
}

#ifndef SONOC_LLVM

const char *machine_code_target(Session *s) {
    diag(&s->unit, NO_PLACE, D_UNSUPPORTED, "machine code: this sonoc was built without LLVM");
    return NULL;
}

bool machine_code(Session *s, const Program *p, const char *machine, const EmitOptions *options,
                  EmitResult *result) {
    (void)p, (void)machine, (void)options, (void)result;
    return machine_code_target(s) != NULL;
}

#else

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "object.h"
#include "child.h"
#include "tensor_set.h"

static bool find_machine(Session *s, const char *text, Machine *machine, const Target **target) {
    RunError error;
    if (machine_named(s->unit.arena, text, machine, target, &error)) return true;
    return diag(&s->unit, NO_PLACE, D_UNSUPPORTED, error.message);
}

const char *machine_code_target(Session *s) {
    const char *text = s->options->target ? s->options->target : targets[0].name;
    Machine machine;
    return find_machine(s, text, &machine, &s->driver.target) ? text : NULL;
}

/* A folder for the linker, and the two files in it. */
typedef struct LinkFolder {
    const char *path, *object, *library;
} LinkFolder;

static bool folder_make(Session *s, LinkFolder *f, const Text *object) {
    Arena *a = s->unit.arena;
    char *path = arena_format(a, "%s/sonoc-XXXXXX", temporary_folder());
    *f = (LinkFolder){mkdtemp(path), arena_format(a, "%s/model.o", path),
                      arena_format(a, "%s/model.so", path)};
    FILE *file = f->path ? fopen(f->object, "wb") : NULL;
    bool ok = file && fwrite(object->at, 1, object->n, file) == object->n;
    if (file && fclose(file)) ok = false;
    return ok ? true : diag(&s->unit, NO_PLACE, D_OUTPUT_FILE, path, strerror(errno));
}

static void folder_remove(const LinkFolder *f) {
    if (!f->path) return;
    unlink(f->object);
    unlink(f->library);
    rmdir(f->path);
}

/* The first linker that there is and that takes the object: lld knows every machine, ld and cc may
 * know this one. */
static bool link_object(Session *s, const LinkFolder *f) {
    static const char *const linkers[] = {"ld.lld", "ld.lld-19", "ld", "cc"};
    const char *given = getenv("LD"), *tried = "";
    for (size_t i = 0; i < sizeof linkers / sizeof *linkers; i++) {
        const char *linker = given && *given ? given : linkers[i];
        const char *words[] = {linker, "-shared", "-o", f->library, f->object, NULL};
        if (child_run(words) == 0) return true;
        tried = arena_format(s->unit.arena, "%s%s%s", tried, i ? ", " : "", linker);
        if (given && *given) break;
    }
    return diag(&s->unit, NO_PLACE, D_NO_LINKER, tried);
}

static bool make_library(Session *s, EmitResult *result) {
    LinkFolder f;
    size_t n;
    bool ok = folder_make(s, &f, &result->source) && link_object(s, &f);
    char *bytes = ok ? file_read(&s->unit, f.library, &n) : NULL;
    folder_remove(&f);
    if (!bytes) return false;
    result->source = (Text){.arena = s->unit.arena, .at = bytes, .n = n, .cap = n};
    return true;
}

bool machine_code(Session *s, const Program *p, const char *text, const EmitOptions *options,
                  EmitResult *result) {
    const char *path = s->options->output;
    CodeForm form = path_ends(path, ".s")    ? CODE_ASSEMBLY
                    : path_ends(path, ".ll") ? CODE_IR
                                             : CODE_OBJECT;
    Machine machine;
    const Target *target;
    RunError error;
    if (options->weights == WEIGHTS_INCBIN || options->weights == WEIGHTS_FILE ||
        options->weights == WEIGHTS_ARRAYS)
        return diag(&s->unit, NO_PLACE, D_UNSUPPORTED,
                    "machine code has its weights inside, or --weights=object");
    if (!find_machine(s, text, &machine, &target)) return false;
    if (!object_emit(p, &machine, form, options, result, &error))
        return diag(&s->unit, NO_PLACE, D_UNSUPPORTED, error.message);
    return path_ends(path, ".so") ? make_library(s, result) : true;
}

#endif
