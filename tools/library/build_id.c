/* build_id.c - the linker's hash of the loaded object that this code is in, from its notes. */
#include "build_id.h"

#include <link.h>
#include <string.h>

typedef struct Search {
    uintptr_t code;
    Text *to;
} Search;

static size_t padded(size_t n) { return (n + 3) / 4 * 4; }

static void add_notes(const char *at, size_t size, Text *to) {
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, at, sizeof note);
        size_t name = sizeof note, data = name + padded(note.n_namesz),
               end = data + padded(note.n_descsz);
        if (end > size) return;
        bool found =
            note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(at + name, "GNU", 4);
        for (size_t i = 0; found && i < note.n_descsz; i++)
            text_add(to, "%02x", (unsigned char)at[data + i]);
        at += end;
        size -= end;
    }
}

static bool holds(const struct dl_phdr_info *object, uintptr_t address) {
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        uintptr_t begin = object->dlpi_addr + p->p_vaddr;
        if (p->p_type == PT_LOAD && address >= begin && address - begin < p->p_memsz) return true;
    }
    return false;
}

static int visit(struct dl_phdr_info *object, size_t size, void *context) {
    const Search *s = context;
    (void)size;
    if (!holds(object, s->code)) return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type == PT_NOTE)
            add_notes((const char *)(object->dlpi_addr + p->p_vaddr), p->p_memsz, s->to);
    }
    return 1;
}

const char *build_id(Arena *a) {
    Text text = {.arena = a};
    text_add(&text, "sonoc %s ", SONOC_VERSION);
    Search search = {(uintptr_t)&build_id, &text};
    dl_iterate_phdr(visit, &search);
    return text.at;
}
