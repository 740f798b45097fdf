/* emit_c_versions.c - several plans of one model in one C file, and the choice among them at start.
 *
 * The text of a version is printed as for a file of its own: instructions that are switched on,
 * helpers, kernels, and the function that runs them.  Whatever it defines then gets the version's
 * name behind its own, so that the versions lie side by side.  The first version is for every
 * machine, the others are for x86 only. */
#include "emit_c_text.h"

#include <string.h>

/* "v3" of the target x86-64-v3 */
static const char *version_name(const Emit *e) {
    return strrchr(e->program->target->name, '-') + 1;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_part(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }
static bool begins(const char *line, const char *word) {
    return !strncmp(line, word, strlen(word));
}

/* The identifier that ends where `end` begins. */
static const char *identifier_before(Names *names, const char *line, const char *end) {
    while (end > line && end[-1] == ' ') end--;
    const char *start = end;
    while (start > line && is_part(start[-1])) start--;
    return name_intern_n(names, start, (size_t)(end - start));
}

/* In front of the parameters or attributes of a typedef. */
static const char *end_of_type(const char *line) {
    static const char attribute[] = " __attribute__";
    const char *end = line + strcspn(line, "(\n");
    size_t n = sizeof attribute - 1;
    return end - line > (int)n && !strncmp(end - n, attribute, n) ? end - n : end;
}

/* What a line that begins at the margin defines, or NULL. */
static const char *defined_by(Names *names, const char *line) {
    bool is_type = begins(line, "typedef "), is_struct = begins(line, "struct ");
    bool is_object = begins(line, "INLINE ") || begins(line, "KERNEL ") ||
                     begins(line, "static ") || begins(line, "LOCAL ");
    if (is_type) return identifier_before(names, line, end_of_type(line));
    if (is_struct) return identifier_before(names, line, line + strcspn(line, "{\n"));
    if (!is_object) return NULL;
    const char *rest = begins(line, "static __attribute__((") ? strstr(line, "))") + 2 : line;
    return identifier_before(names, line, rest + strcspn(rest, "([\n"));
}

static void find_definitions(Names *names, const char *text, Map *defined) {
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *name = defined_by(names, line);
        if (name) map_set(defined, (uintptr_t)name, (void *)name);
    }
}

/* The length of what stands at `at` and holds no identifier of ours: a comment, a string, a number,
 * one character. */
static size_t other_length(const char *at) {
    size_t n = 1;
    if (begins(at, "/*")) return (size_t)(strstr(at, "*/") + 2 - at);
    if (*at == '"') {
        while (at[n] != '"') n += at[n] == '\\' ? 2 : 1;
        return n + 1;
    }
    while (*at >= '0' && *at <= '9' && is_part(at[n])) n++;
    return n;
}

static void add_renamed(Names *names, const char *text, const Map *defined, const char *suffix,
                        Text *out) {
    for (const char *at = text; *at;) {
        size_t n = 0;
        while (is_letter(*at) && is_part(at[n])) n++;
        bool is_member = at > text && (at[-1] == '.' || (at[-1] == '>' && at[-2] == '-'));
        bool is_ours = n && !is_member && map_get(defined, (uintptr_t)name_intern_n(names, at, n));
        if (!n) n = other_length(at);
        text_add_bytes(out, at, n);
        if (is_ours) text_add(out, "_%s", suffix);
        at += n;
    }
}

void version_print(Emit *e, bool everywhere, Text *out) {
    Names *names = e->unit->names;
    Text own = {.arena = e->arena};
    Map defined = {.arena = e->arena};
    prelude_version(e, &own);
    text_add_bytes(&own, e->out.at, e->out.n);
    if (e->form == WEIGHTS_ARRAYS) weights_arrays(e, &own);
    run_print(e, true, &own);
    prelude_end(e, &own);
    find_definitions(names, own.at, &defined);
    text_add(out, "\n/* The plan for %s. */\n", e->program->target->name);
    if (!everywhere) text_add(out, "#if defined(__x86_64__)\n");
    add_renamed(names, own.at, &defined, version_name(e), out);
    if (!everywhere) text_add(out, "#endif\n");
}

/* In init: the best version that the machine can run. */
void version_choose(const char *bad_machine, Text *out) {
    text_add(
        out,
        "    m->version = 3;\n"
        "#if defined(__x86_64__)\n"
        "    __builtin_cpu_init();\n"
        "    int has_v2 = __builtin_cpu_supports(\"ssse3\") && __builtin_cpu_supports(\"sse4.2\") "
        "&&\n"
        "                 __builtin_cpu_supports(\"popcnt\");\n"
        "    int has_v3 = has_v2 && __builtin_cpu_supports(\"avx2\") && "
        "__builtin_cpu_supports(\"fma\") &&\n"
        "                 __builtin_cpu_supports(\"bmi\") && __builtin_cpu_supports(\"bmi2\");\n"
        "    int has_v4 = has_v3 && __builtin_cpu_supports(\"avx512f\") && "
        "__builtin_cpu_supports(\"avx512bw\") &&\n"
        "                 __builtin_cpu_supports(\"avx512cd\") && "
        "__builtin_cpu_supports(\"avx512dq\") &&\n"
        "                 __builtin_cpu_supports(\"avx512vl\");\n"
        "    if (!has_v2) return %s;\n"
        "    m->version = has_v4 ? 4 : has_v3 ? 3 : 2;\n"
        "#endif\n",
        bad_machine);
}

/* In run: the call of the version that was chosen. */
void version_call(Emit *const *versions, int n, const char *arguments, Text *out) {
    const char *prefix = versions[0]->options->prefix;
    text_add(out, "#if defined(__x86_64__)\n");
    for (int i = 1; i < n; i++)
        text_add(out, "    if (m->version == %s) return %s_run_%s(%s);\n",
                 version_name(versions[i]) + 1, prefix, version_name(versions[i]), arguments);
    text_add(out, "#endif\n    return %s_run_%s(%s);\n", prefix, version_name(versions[0]),
             arguments);
}
