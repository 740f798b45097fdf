/* emit_c_names.c - identifiers of the generated C: readable first, unique by a number where they
 * clash.
 *
 * A scope is a stack: names taken since a mark are free again after names_leave, so that loops side
 * by side may have the same variable.  Words of C and C++ and the names of the prelude are never
 * free. */
#include "emit_c_text.h"

#include <string.h>

static const char *const words[] = {
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "asm",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "char16_t",
    "char32_t",
    "char8_t",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "decltype",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "linux",
    "long",
    "main",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "typeof",
    "union",
    "unix",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
    /* of headers and of the generated file itself */
    "memcpy",
    "memset",
    "memmove",
    "memcmp",
    "size_t",
    "NULL",
    "INLINE",
    "KERNEL",
    "UNROLL",
    "LOCAL",
    "PREFETCH",
    "weights_hash",
    "WEIGHTS_PATH",
    "HAS_FMA_F32",
    "HAS_FMA_F64",
    "SOFTWARE_FMA",
    "fma_wide",
    "fma_split",
    "fma_shift",
    "fma_product",
    "fma_round",
    "fma_exact",
    "i386",
    "parallel_for",
    "parallel_loop",
    "parallel_job",
    "parallel_part",
    "errno",
    "abs",
    "div",
    "exp",
    "log",
};

/* What helpers of the prelude begin with; a type follows. */
static const char *const helper_words[] = {
    "fma_",   "sqrt_",   "min_",   "max_",  "abs_",  "div_", "rem_",
    "splat_", "select_", "lanes_", "bits_", "from_", "to_",
};

static size_t type_length(const char *text) {
    size_t best = 0;
    for (int t = 1; t < DT_COUNT; t++) {
        size_t n = strlen(dtypes[t].text);
        if (n > best && !strncmp(text, dtypes[t].text, n)) best = n;
    }
    return best;
}

/* f32x8, int32_t, fma_f32x8 and the like */
static bool is_prelude_name(const char *text) {
    size_t n = strlen(text), type = type_length(text);
    if (n > 2 && !strcmp(text + n - 2, "_t")) return true;
    if (!strncmp(text, "sonoc_", 6)) return true;
    if (type && text[type] == 'x' && text[type + 1] >= '0' && text[type + 1] <= '9') return true;
    for (size_t i = 0; i < sizeof helper_words / sizeof *helper_words; i++) {
        size_t length = strlen(helper_words[i]);
        if (!strncmp(text, helper_words[i], length) && type_length(text + length)) return true;
    }
    return false;
}

static bool is_word(const char *text) {
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcmp(text, words[i])) return true;
    return is_prelude_name(text);
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

const char *c_identifier(Arena *a, const char *text) {
    enum { LONGEST = 60 };
    char out[LONGEST + 4];
    size_t n = 0;
    for (; *text && n < LONGEST; text++) {
        bool plain = is_letter(*text) || is_digit(*text);
        if (!n && is_digit(*text)) out[n++] = 'v';
        if (plain)
            out[n++] = *text;
        else if (n && out[n - 1] != '_')
            out[n++] = '_';
    }
    while (n && out[n - 1] == '_') n--;
    if (!n) out[n++] = 'v';
    out[n] = 0;
    if (is_word(out)) out[n++] = '_';
    return arena_copy(a, out, n);
}

typedef struct NameUse {
    int active; /* how many holders in the open scopes */
    int next;   /* the number to try next on a clash */
} NameUse;

void names_begin(NameScope *s, Arena *a, Names *interned) {
    *s = (NameScope){.arena = a, .interned = interned, .uses = {.arena = a}};
}

static NameUse *use_of(NameScope *s, const char *name) {
    NameUse *u = map_get(&s->uses, (uintptr_t)name);
    if (u) return u;
    u = NEW(s->arena, NameUse);
    u->next = 2;
    map_set(&s->uses, (uintptr_t)name, u);
    return u;
}

static void hold(NameScope *s, NameUse *u, int next) {
    vec_push(s->arena, &s->taken, ((NameTaken){u, u->next}));
    u->active++;
    u->next = next;
}

const char *names_take(NameScope *s, const char *wish) {
    const char *base = name_intern(s->interned, c_identifier(s->arena, wish));
    NameUse *u = use_of(s, base);
    if (!u->active) {
        hold(s, u, u->next);
        return base;
    }
    for (int k = u->next;; k++) {
        const char *name = name_intern(s->interned, arena_format(s->arena, "%s_%d", base, k));
        NameUse *numbered = use_of(s, name);
        if (numbered->active) continue;
        hold(s, numbered, numbered->next);
        vec_push(s->arena, &s->taken, ((NameTaken){u, u->next}));
        u->active++;
        u->next = k + 1;
        return name;
    }
}

int names_enter(const NameScope *s) { return s->taken.n; }

void names_leave(NameScope *s, int mark) {
    while (s->taken.n > mark) {
        NameTaken t = s->taken.at[--s->taken.n];
        t.use->active--;
        t.use->next = t.next;
    }
}
