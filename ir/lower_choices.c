/* lower_choices.c - reads the text of choices:
 *
 *     file   = { line }, where # begins a comment and blanks do not count
 *     line   = "target" NAME        once, before any node: a row of targets.def
 *            | node ":" VARIANT     a row of variants.def
 *     node   = OPERATOR "(" input {"," input} ")" {attribute}       as variant_node_text prints it
 *
 * as in
 *
 *     target x86-64-v3
 *     Conv(f32[1,64,56,56], constant f32[64,64,3,3], constant f32[64]) pads=[1,1,1,1]: winograd-4
 * # 0.61 ms */
#include "lower_choices.h"

#include <ctype.h>
#include <string.h>

typedef struct Reader {
    Unit *unit;
    Choices *to;
    int line;
} Reader;

static bool fail(const Reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(const Reader *r, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
    return diag(r->unit, NO_PLACE, D_CHOICES_TEXT, r->to->file, r->line, text);
}

/* The words of a part of a line without what is between them. */
static char *without_blanks(Arena *a, const char *text, size_t n) {
    char *to = arena_copy(a, text, n), *end = to;
    for (size_t i = 0; i < n; i++)
        if (!isspace((unsigned char)text[i])) *end++ = text[i];
    *end = 0;
    return to;
}

static OpId op_of(const char *node) {
    size_t n = strcspn(node, "(");
    for (int i = 0; i < VARIANT_COUNT; i++) {
        const char *name = op_infos[variants[i].op].name;
        if (strlen(name) == n && !memcmp(name, node, n)) return variants[i].op;
    }
    return OP_NONE;
}

static const char *names_of(Arena *a, OpId op) {
    Text t = {.arena = a};
    for (int i = 0; i < VARIANT_COUNT; i++)
        if (variants[i].op == op) text_add(&t, "%s%s", t.n ? ", " : "", variants[i].name);
    return t.at;
}

static bool read_target(Reader *r, const char *name) {
    if (r->to->target) return fail(r, "the target is told twice");
    const Target *t = target_find(name);
    if (!t || strcmp(t->name, name))
        return fail(r, "there is no target '%s': see sonoc targets", name);
    r->to->target = t->name;
    return true;
}

static bool read_choice(Reader *r, const char *node, const char *name) {
    Choices *to = r->to;
    OpId op = op_of(node);
    if (!to->target) return fail(r, "the first line should be: target NAME");
    if (op == OP_NONE)
        return fail(r, "'%.*s' is no operator that has variants", (int)strcspn(node, "("), node);
    Choice c = {name_intern(r->unit->names, node), variant_find(op, name), r->line};
    if (!c.variant)
        return fail(r, "%s has no variant '%s', it has %s", op_infos[op].name, name,
                    names_of(r->unit->arena, op));
    uintptr_t before = (uintptr_t)map_get(&to->by_node, (uintptr_t)c.node);
    if (before) return fail(r, "line %d says it of the same node", to->rows.at[before - 1].line);
    vec_push(r->unit->arena, &to->rows, c);
    map_set(&to->by_node, (uintptr_t)c.node, (void *)(uintptr_t)to->rows.n);
    return true;
}

static bool read_line(Reader *r, const char *line, size_t n) {
    static const char word[] = "target";
    Arena *a = r->unit->arena;
    const char *comment = memchr(line, '#', n);
    if (comment) n = (size_t)(comment - line);
    while (n && isspace((unsigned char)*line)) line++, n--;
    if (!n) return true;
    if (memchr(line, 0, n)) return fail(r, "this is no text");
    size_t of_word = sizeof word - 1;
    if (n > of_word && !memcmp(line, word, of_word) && isspace((unsigned char)line[of_word]))
        return read_target(r, without_blanks(a, line + of_word, n - of_word));
    const char *colon = line + n;
    while (colon > line && *--colon != ':') {
    }
    if (*colon != ':') return fail(r, "should be NODE: VARIANT");
    return read_choice(r, without_blanks(a, line, (size_t)(colon - line)),
                       without_blanks(a, colon + 1, (size_t)(line + n - colon - 1)));
}

Choices *choices_parse(Unit *u, const char *file, const char *text, size_t n) {
    Reader r = {u, NEW(u->arena, Choices), 0};
    *r.to = (Choices){.file = file, .unit = u, .by_node = {.arena = u->arena}};
    const char *end = text + n;
    bool ok = true;
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((newline ? newline : end) - text);
        r.line++;
        ok &= read_line(&r, text, length);
        text += length + 1;
    }
    if (ok && !r.to->target) ok = fail(&r, "the line is missing: target NAME");
    return ok ? r.to : NULL;
}

const Choice *choice_find(const Choices *c, const char *node) {
    Unit *u = c->unit;
    const char *key = name_intern(u->names, without_blanks(u->arena, node, strlen(node)));
    uintptr_t at = (uintptr_t)map_get(&c->by_node, (uintptr_t)key);
    return at ? &c->rows.at[at - 1] : NULL;
}

bool choices_fit(const LowerOptions *o) {
    return !strcmp(o->choices->target, variant_target(o)->name);
}
