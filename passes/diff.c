/* diff.c - a unified diff of two texts.
 *
 * Equal beginnings and ends are cut off; between them the longest common sequence of lines is found
 * by Myers' greedy walk: the furthest place reached with d changes on every diagonal, for d = 0, 1,
 * 2, ...  All rows are kept, to go back along them.  Where that would take too much memory, what is
 * between is told as removed and added. */
#include "watch.h"

#include <string.h>

enum { CONTEXT = 3, MAX_CHANGES = 4000 };

typedef struct Line {
    const char *at;
    size_t n;
    uint64_t hash;
} Line;
typedef struct Lines {
    Line *at;
    int n;
} Lines;

typedef struct Diff {
    Arena *arena;
    Lines a, b;
    bool *removed, *added; /* by line */
} Diff;

static Lines split(Arena *arena, const char *text) {
    Lines lines = {0};
    for (const char *c = text; *c; c++) lines.n += *c == '\n';
    lines.at = NEW_ARRAY(arena, Line, lines.n + 1);
    for (int i = 0; i < lines.n; i++) {
        size_t n = strcspn(text, "\n");
        lines.at[i] = (Line){text, n, n ? hash_bytes(text, n) : 0};
        text += n + 1;
    }
    return lines;
}

static bool same(const Diff *d, int i, int j) {
    const Line *x = &d->a.at[i], *y = &d->b.at[j];
    return x->hash == y->hash && x->n == y->n && !memcmp(x->at, y->at, x->n);
}

/* Row `d` of the walk: the furthest i on each diagonal k = i - j of -d..d, in steps of two. */
static int furthest(int *const *rows, int d, int k) {
    if (d == 0) return 0;
    const int *row = rows[d - 1] + (d - 1); /* row[k]: of diagonal k */
    if (k == -d) return row[k + 1];
    if (k == d) return row[k - 1] + 1;
    return row[k - 1] < row[k + 1] ? row[k + 1] : row[k - 1] + 1;
}

static void walk_back(Diff *diff, int *const *rows, int d, int from, int i, int j) {
    for (; d > 0; d--) {
        int k = i - j;
        const int *row = rows[d - 1] + (d - 1);
        bool down = k == -d || (k != d && row[k - 1] < row[k + 1]);
        int before = down ? k + 1 : k - 1;
        i = row[before];
        j = i - before;
        if (down)
            diff->added[from + j] = true;
        else
            diff->removed[from + i] = true;
    }
}

/* Marks what differs between lines from..end_a of a and from..end_b of b. */
static void compare(Diff *diff, int from, int end_a, int end_b) {
    int n = end_a - from, m = end_b - from;
    int **rows = NEW_ARRAY(diff->arena, int *, MAX_CHANGES);
    for (int d = 0; d < MAX_CHANGES && d <= n + m; d++) {
        rows[d] = NEW_ARRAY(diff->arena, int, 2 * d + 1);
        for (int k = -d; k <= d; k += 2) {
            int i = furthest(rows, d, k), j = i - k;
            while (i < n && j >= 0 && j < m && same(diff, from + i, from + j)) i++, j++;
            rows[d][k + d] = i;
            if (i < n || j < m || i > n || j > m) continue;
            walk_back(diff, rows, d, from, i, j);
            return;
        }
    }
    for (int i = from; i < end_a; i++) diff->removed[i] = true;
    for (int j = from; j < end_b; j++) diff->added[j] = true;
}

static void add_line(Text *out, char sign, const Line *line) {
    text_add(out, "%c", sign);
    text_add_bytes(out, line->at, line->n);
    text_add(out, "\n");
}

/* Lines i..end_i and j..end_j. */
static void add_hunk(const Diff *d, Text *out, int i, int end_i, int j, int end_j) {
    text_add(out, "@@ -%d,%d +%d,%d @@\n", i + 1, end_i - i, j + 1, end_j - j);
    while (i < end_i || j < end_j) {
        if (i < end_i && d->removed[i])
            add_line(out, '-', &d->a.at[i++]);
        else if (j < end_j && d->added[j])
            add_line(out, '+', &d->b.at[j++]);
        else
            add_line(out, ' ', &d->a.at[i++]), j++;
    }
}

static bool changed_at(const Diff *d, int i, int j) {
    return (i < d->a.n && d->removed[i]) || (j < d->b.n && d->added[j]);
}

static void print_diff(const Diff *d, Text *out) {
    int i = 0, j = 0;
    while (i < d->a.n || j < d->b.n) {
        if (!changed_at(d, i, j)) {
            i++, j++;
            continue;
        }
        int before = i < j ? i : j;
        if (before > CONTEXT) before = CONTEXT;
        int start_i = i - before, start_j = j - before, quiet = 0;
        while ((i < d->a.n || j < d->b.n) && quiet < 2 * CONTEXT) {
            bool removed = i < d->a.n && d->removed[i], added = j < d->b.n && d->added[j];
            quiet = removed || added ? 0 : quiet + 1;
            if (removed)
                i++;
            else if (added)
                j++;
            else
                i++, j++;
        }
        int back = quiet > CONTEXT ? quiet - CONTEXT : 0;
        add_hunk(d, out, start_i, i - back, start_j, j - back);
    }
}

void text_diff(const char *before, const char *after, Text *out) {
    Diff d = {.arena = out->arena, .a = split(out->arena, before), .b = split(out->arena, after)};
    d.removed = NEW_ARRAY(out->arena, bool, d.a.n + 1);
    d.added = NEW_ARRAY(out->arena, bool, d.b.n + 1);
    int from = 0, end_a = d.a.n, end_b = d.b.n;
    while (from < end_a && from < end_b && same(&d, from, from)) from++;
    while (end_a > from && end_b > from && same(&d, end_a - 1, end_b - 1)) end_a--, end_b--;
    if (end_a > from || end_b > from) compare(&d, from, end_a, end_b);
    print_diff(&d, out);
}
