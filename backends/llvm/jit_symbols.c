/* jit_symbols.c - the functions in an object file that LLVM made. */
#include "jit_symbols.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>

typedef struct Object {
    const char *at;
    size_t bytes;
} Object;

static bool read_at(const Object *o, uint64_t offset, void *to, size_t n) {
    if (offset > o->bytes || o->bytes - offset < n) return false;
    memcpy(to, o->at + offset, n);
    return true;
}

static bool read_section(const Object *o, const Elf64_Ehdr *head, uint64_t number, Elf64_Shdr *to) {
    return number < head->e_shnum &&
           read_at(o, head->e_shoff + number * sizeof *to, to, sizeof *to) &&
           to->sh_offset <= o->bytes && to->sh_size <= o->bytes - to->sh_offset;
}

/* A text that ends inside its section. */
static const char *name_at(const Object *o, const Elf64_Shdr *names, uint64_t offset) {
    const char *text = o->at + names->sh_offset;
    if (offset >= names->sh_size || !memchr(text + offset, 0, names->sh_size - offset)) return NULL;
    return text + offset;
}

static void visit_table(const Object *o, const Elf64_Shdr *table, const Elf64_Shdr *names,
                        void (*visit)(const char *name, uint64_t size, void *context),
                        void *context) {
    Elf64_Sym symbol;
    for (uint64_t i = 0; i < table->sh_size / sizeof symbol; i++) {
        if (!read_at(o, table->sh_offset + i * sizeof symbol, &symbol, sizeof symbol)) return;
        const char *name = name_at(o, names, symbol.st_name);
        bool is_function =
            ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_shndx != SHN_UNDEF;
        if (name && is_function) visit(name, symbol.st_size, context);
    }
}

void object_visit_functions(const char *object, size_t bytes,
                            void (*visit)(const char *name, uint64_t size, void *context),
                            void *context) {
    Object o = {object, bytes};
    Elf64_Ehdr head;
    Elf64_Shdr table, names;
    if (!read_at(&o, 0, &head, sizeof head) || memcmp(head.e_ident, ELFMAG "\2", SELFMAG + 1))
        return;
    for (uint64_t i = 0; i < head.e_shnum; i++)
        if (read_section(&o, &head, i, &table) && table.sh_type == SHT_SYMTAB &&
            read_section(&o, &head, table.sh_link, &names))
            visit_table(&o, &table, &names, visit, context);
}
