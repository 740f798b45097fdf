/* diag.c - collects what is wrong with the user's input and prints it in the order in which it was
 * found.
 *
 * A line reads "FILE: SCOPE: node 17 'conv1' (Conv): attribute: text"; absent parts are left out.
 */
#include "diag.h"

typedef struct DiagRow {
    int status;
    const char *format;
} DiagRow;

static const DiagRow diag_rows[D_COUNT] = {
#define DIAG(code, status, format) {status, format},
#include "diags.def"
#undef DIAG
};

typedef struct Line {
    const char *text;
    bool is_error;
} Line;
typedef VEC(Line) Lines;

struct Diags {
    Lines lines;
    const char *first; /* error */
    int n_errors;
    int status;
};

static struct Diags *diags_of(Unit *u) {
    if (!u->diags) u->diags = NEW(unit_lasting(u), struct Diags);
    return u->diags;
}

static void add_place(const Unit *u, Place place, Text *line) {
    if (u->file) text_add(line, "%s: ", u->file);
    if (place.scope) text_add(line, "%s: ", place.scope);
    const char *name = place.name && *place.name ? place.name : NULL;
    if (place.node >= 0) text_add(line, "node %d", place.node);
    if (name) text_add(line, "%s'%s'", place.node >= 0 ? " " : "", name);
    bool begun = place.node >= 0 || name;
    if (place.op) text_add(line, begun ? " (%s)" : "%s", place.op);
    if (begun || place.op) text_add(line, ": ");
    if (place.attribute) text_add(line, "%s: ", place.attribute);
}

/* Names come from the user's file: what would move a terminal's cursor is shown as '?'; a message's
 * own line breaks stay. */
static const char *printable(char *line) {
    for (char *c = line; *c; c++)
        if (((unsigned char)*c < 32 && *c != '\n') || *c == 127) *c = '?';
    return line;
}

bool diag_va(Unit *u, Place place, DiagCode code, va_list args) {
    struct Diags *diags = diags_of(u);
    const DiagRow *row = &diag_rows[code];
    Text line = {.arena = unit_lasting(u)};
    add_place(u, place, &line);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, row->format, args);
    char *text = arena_array(unit_lasting(u), (size_t)n + 1, 1);
    vsnprintf(text, (size_t)n + 1, row->format, again);
    va_end(again);
    text_add_bytes(&line, text, (size_t)n);
    vec_push(unit_lasting(u), &diags->lines, ((Line){printable(line.at), true}));
    if (!diags->n_errors++) diags->first = line.at;
    if (row->status > diags->status) diags->status = row->status;
    return false;
}

bool diag(Unit *u, Place place, DiagCode code, ...) {
    va_list args;
    va_start(args, code);
    diag_va(u, place, code, args);
    va_end(args);
    return false;
}

void diag_note(Unit *u, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = arena_array(unit_lasting(u), (size_t)n + 1, 1);
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    Text line = {.arena = unit_lasting(u)};
    if (u->file) text_add(&line, "%s: ", u->file);
    text_add(&line, "note: ");
    text_add_bytes(&line, text, (size_t)n);
    struct Diags *diags = diags_of(u);
    vec_push(unit_lasting(u), &diags->lines, ((Line){printable(line.at), false}));
}

int diag_count(const Unit *u) { return u->diags ? u->diags->n_errors : 0; }

int diag_status(const Unit *u) { return u->diags ? u->diags->status : STATUS_OK; }

void diag_print(const Unit *u, FILE *out) {
    for (int i = 0; u->diags && i < u->diags->lines.n; i++)
        fprintf(out, "%s\n", u->diags->lines.at[i].text);
}

int diag_lines(const Unit *u) { return u->diags ? u->diags->lines.n : 0; }

const char *diag_line(const Unit *u, int i, bool *is_error) {
    *is_error = u->diags->lines.at[i].is_error;
    return u->diags->lines.at[i].text;
}

const char *diag_first(const Unit *u) { return u->diags ? u->diags->first : NULL; }
