/* trial.c - runs a command of the user's on a graph. */
#include "trial.h"

#include "child.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool trial_begin(Session *s, Trial *t) {
    const char ending[] = ".sonoc";
    *t = (Trial){.unit = &s->unit, .words = s->options->words};
    t->path = arena_format(s->unit.arena, "%s/sonoc-XXXXXX%s", temporary_folder(), ending);
    int file = mkstemps(t->path, (int)strlen(ending));
    if (file < 0) return diag(&s->unit, NO_PLACE, D_OUTPUT_FILE, t->path, strerror(errno));
    close(file);
    return true;
}

void trial_end(Trial *t) { unlink(t->path); }

static bool write_graph(const Trial *t, const Graph *g) {
    Text text = {.arena = g->unit->arena};
    graph_print_whole(g, &text);
    FILE *file = fopen(t->path, "w");
    bool ok = file && fwrite(text.at, 1, text.n, file) == text.n;
    if (file && fclose(file)) ok = false;
    return ok ? true : diag(t->unit, NO_PLACE, D_OUTPUT_FILE, t->path, strerror(errno));
}

/* The word with every {} replaced. */
static char *replaced(Arena *a, const char *word, const char *by) {
    Text text = {.arena = a};
    for (const char *hole; (hole = strstr(word, "{}")); word = hole + 2) {
        text_add_bytes(&text, word, (size_t)(hole - word));
        text_add(&text, "%s", by);
    }
    text_add(&text, "%s", word);
    return text.at;
}

int trial_run(Trial *t, const Graph *g) {
    Arena *a = g->unit->arena;
    int n = 0;
    while (t->words[n]) n++;
    const char **words = NEW_ARRAY(a, const char *, n + 1);
    for (int i = 0; i < n; i++) words[i] = replaced(a, t->words[i], t->path);
    if (!write_graph(t, g)) return -1;
    int status = child_run(words);
    if (status < 0) diag(t->unit, NO_PLACE, D_COMMAND_FAILED, words[0], strerror(errno));
    return status;
}
