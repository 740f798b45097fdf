/* emit_c_elf.c - the weights as an object file: ELF of the target's class and byte order, one
 * section of data and one symbol. */
#include "emit_c_text.h"

#include <string.h>

typedef struct Elf {
    const Target *target;
    unsigned char at[1024];
    size_t n;
} Elf;

static bool is_wide(const Elf *f) { return f->target->word == 64; }

static void put(Elf *f, uint64_t value, int size) {
    for (int i = 0; i < size; i++) {
        int byte = f->target->order == ORDER_BIG ? size - 1 - i : i;
        f->at[f->n++] = (unsigned char)(value >> (8 * byte));
    }
}

/* What is as wide as an address. */
static void put_word(Elf *f, uint64_t value) { put(f, value, is_wide(f) ? 8 : 4); }

static void put_text(Elf *f, const char *text, size_t n) {
    memcpy(f->at + f->n, text, n);
    f->n += n;
}

static size_t header_size(const Elf *f) { return is_wide(f) ? 64 : 52; }
static size_t section_size(const Elf *f) { return is_wide(f) ? 64 : 40; }
static size_t symbol_size(const Elf *f) { return is_wide(f) ? 24 : 16; }

enum {
    SECTIONS = 6,
    SECTION_NAMES = 4,
    TYPE_DATA = 1,
    TYPE_SYMBOLS = 2,
    TYPE_NAMES = 3,
    IS_LOADED = 2
};

static void put_header(Elf *f, uint64_t sections_at) {
    put_text(f, "\177ELF", 4);
    put(f, is_wide(f) ? 2 : 1, 1);
    put(f, f->target->order == ORDER_BIG ? 2 : 1, 1);
    put(f, 1, 1);
    put_text(f, "\0\0\0\0\0\0\0\0\0", 9);
    put(f, 1, 2); /* relocatable */
    put(f, (uint64_t)f->target->elf_machine, 2);
    put(f, 1, 4);
    put_word(f, 0);
    put_word(f, 0);
    put_word(f, sections_at);
    put(f, f->target->elf_flags, 4);
    put(f, header_size(f), 2);
    put(f, 0, 2);
    put(f, 0, 2);
    put(f, section_size(f), 2);
    put(f, SECTIONS, 2);
    put(f, SECTION_NAMES, 2);
}

typedef struct Section {
    uint32_t name, type, flags;
    uint64_t offset, size;
    uint32_t link, info;
    uint64_t align, entry;
} Section;

static void put_section(Elf *f, Section s) {
    put(f, s.name, 4);
    put(f, s.type, 4);
    put_word(f, s.flags);
    put_word(f, 0);
    put_word(f, s.offset);
    put_word(f, s.size);
    put(f, s.link, 4);
    put(f, s.info, 4);
    put_word(f, s.align);
    put_word(f, s.entry);
}

static void put_symbol(Elf *f, uint32_t name, int info, int other, int section, uint64_t size) {
    put(f, name, 4);
    if (!is_wide(f)) {
        put(f, 0, 4);
        put(f, size, 4);
    }
    put(f, (uint64_t)info, 1);
    put(f, (uint64_t)other, 1);
    put(f, (uint64_t)section, 2);
    if (is_wide(f)) {
        put(f, 0, 8);
        put(f, size, 8);
    }
}

static const char section_names[] = "\0.rodata\0.symtab\0.strtab\0.shstrtab\0.note.GNU-stack";

/* Header, image, then symbols, names and the table of sections. */
void elf_print(Emit *e, Text *out) {
    enum { GLOBAL_OBJECT = 0x11, HIDDEN = 2 };
    const char *symbol = arena_format(e->arena, "%s_weights", e->options->prefix);
    size_t symbol_length = strlen(symbol), image = (size_t)e->image.bytes;
    Elf head = {.target = e->program->target}, tail = {.target = e->program->target};
    uint64_t symbols_at = header_size(&head) + image,
             names_at = symbols_at + 2 * symbol_size(&head);
    uint64_t section_names_at = names_at + symbol_length + 2,
             end = section_names_at + sizeof section_names;
    uint64_t sections_at = (end + 7) / 8 * 8;
    put_header(&head, sections_at);
    put_symbol(&tail, 0, 0, 0, 0, 0);
    put_symbol(&tail, 1, GLOBAL_OBJECT, HIDDEN, 1, image);
    put(&tail, 0, 1);
    put_text(&tail, symbol, symbol_length + 1);
    put_text(&tail, section_names, sizeof section_names);
    while (symbols_at + tail.n < sections_at) put(&tail, 0, 1);
    put_section(&tail, (Section){0});
    put_section(&tail, (Section){1, TYPE_DATA, IS_LOADED, header_size(&head), image, 0, 0,
                                 WEIGHTS_ALIGN, 0});
    put_section(&tail, (Section){9, TYPE_SYMBOLS, 0, symbols_at, 2 * symbol_size(&head), 3, 1, 8,
                                 symbol_size(&head)});
    put_section(&tail, (Section){17, TYPE_NAMES, 0, names_at, symbol_length + 2, 0, 0, 1, 0});
    put_section(&tail,
                (Section){25, TYPE_NAMES, 0, section_names_at, sizeof section_names, 0, 0, 1, 0});
    put_section(&tail, (Section){35, TYPE_DATA, 0, section_names_at, 0, 0, 0, 1, 0});
    char *room = text_room(out, head.n + image + tail.n);
    memcpy(room, head.at, head.n);
    weights_fill_all(e->plans, e->n_plans, e->images, room + head.n);
    memcpy(room + head.n + image, tail.at, tail.n);
}
