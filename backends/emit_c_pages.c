/* emit_c_pages.c - large pages for a large static arena: two to four per cent of a run of ACSNet,
 * for maps that are walked through again and again miss the processor's table of pages less.
 *
 * The C file asks Linux itself, by the number of the system call: no header and no library is
 * needed. */
#include "emit_c_text.h"

enum { LARGE_FROM = 4 << 20 };

static bool is_large(const Emit *e) { return e->arena_bytes >= LARGE_FROM; }

static bool asks(const Emit *e) { return is_large(e) && !e->options->caller_arena; }

void pages_comment(const Emit *e, Text *out) {
    if (is_large(e) && e->options->caller_arena)
        text_add(
            out,
            " * Linux makes it two to four per cent faster in large pages: aligned to 2 MB, and "
            "madvise(MADV_HUGEPAGE).\n");
}

void pages_function(const Emit *e, Text *out) {
    if (!asks(e)) return;
    text_add(
        out, "%s",
        "\n/* Asks Linux for large pages: madvise(MADV_HUGEPAGE) for the whole ones.  It may say "
        "no. */\n"
        "static void large_pages(unsigned char *at, size_t bytes) {\n"
        "    const size_t page = (size_t)2 << 20, before = (page - (uintptr_t)at % page) % page;\n"
        "    const size_t n = (bytes - before) / page * page;\n"
        "    unsigned char *first = at + before;\n"
        "#if defined(__linux__) && defined(__x86_64__) && !defined(__ILP32__)\n"
        "    long number = 28;\n"
        "    __asm__ volatile(\"syscall\" : \"+a\"(number) : \"D\"(first), \"S\"(n), \"d\"(14L) : "
        "\"rcx\", "
        "\"r11\", \"memory\");\n"
        "#elif defined(__linux__) && defined(__aarch64__) && !defined(__ILP32__)\n"
        "    register long number __asm__(\"x8\") = 233, advice __asm__(\"x2\") = 14;\n"
        "    register unsigned char *from __asm__(\"x0\") = first;\n"
        "    register size_t length __asm__(\"x1\") = n;\n"
        "    __asm__ volatile(\"svc 0\" : \"+r\"(from) : \"r\"(number), \"r\"(length), "
        "\"r\"(advice) : "
        "\"memory\");\n"
        "#else\n"
        "    (void)first;\n"
        "    (void)n;\n"
        "#endif\n"
        "}\n");
}

void pages_call(const Emit *e, Text *out) {
    const char *prefix = e->options->prefix;
    if (asks(e))
        text_add(out, "    large_pages(%s_arena.bytes, sizeof %s_arena.bytes);\n", prefix, prefix);
}
