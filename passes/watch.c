/* watch.c - prints the graph, or how it changed, or a picture of it, around each pass. */
#include "watch.h"

#include "pass_run.h"
#include <errno.h>
#include <string.h>

static const char *text_of(const Graph *g) {
    Text text = {.arena = g->unit->arena};
    graph_print(g, &text);
    return text.at;
}

static bool is_asked(const char *which, const Pass *p) {
    return which && (!strcmp(which, "all") || !strcmp(which, p->name));
}

const char *watch_before(const Graph *g, const Pass *p, const PassOptions *options) {
    bool print = is_asked(options->print_before, p);
    if (!print && !options->print_changed) return NULL;
    const char *text = text_of(g);
    if (print) fprintf(stderr, "# before pass %s\n%s", p->name, text);
    return text;
}

static void print_changed(const Graph *g, const Pass *p, const char *before) {
    Text out = {.arena = g->unit->arena};
    text_diff(before, text_of(g), &out);
    if (out.n) fprintf(stderr, "# pass %s changed\n%s", p->name, out.at);
}

/* The folder's files are numbered in the order of the passes. */
static bool write_dot(const Graph *g, const Pass *p, const PassOptions *options) {
    Text out = {.arena = g->unit->arena};
    const char *path =
        arena_format(g->unit->arena, "%s/%02d_%s.dot", options->dot, options->run->number, p->name);
    graph_dot(g, &out);
    FILE *file = fopen(path, "w");
    bool ok = file && fwrite(out.at, 1, out.n, file) == out.n;
    if (file && fclose(file)) ok = false;
    return ok ? true : diag(g->unit, NO_PLACE, D_OUTPUT_FILE, path, strerror(errno));
}

bool watch_after(const Graph *g, const Pass *p, const PassOptions *options, const char *before) {
    if (is_asked(options->print_after, p))
        fprintf(stderr, "# after pass %s\n%s", p->name, text_of(g));
    if (options->print_changed) print_changed(g, p, before);
    return !options->dot || write_dot(g, p, options);
}
