/* trial.c - runs a command of the user's on a graph. */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool trial_begin(Session *s, Trial *t) {
    const char *folder = getenv("TMPDIR"), ending[] = ".sonoc";
    *t = (Trial){.unit = &s->unit, .words = s->options->words};
    t->path = arena_format(s->unit.arena, "%s/sonoc-XXXXXX%s", folder && *folder ? folder : "/tmp", ending);
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

static int run_silently(char **words, pid_t *child) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int problem = posix_spawnp(child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}

int trial_run(Trial *t, const Graph *g) {
    Arena *a = g->unit->arena;
    int n = 0, status;
    pid_t child;
    while (t->words[n]) n++;
    char **words = NEW_ARRAY(a, char *, n + 1);
    for (int i = 0; i < n; i++) words[i] = replaced(a, t->words[i], t->path);
    if (!write_graph(t, g)) return -1;
    int problem = run_silently(words, &child);
    if (problem) return diag(t->unit, NO_PLACE, D_COMMAND_FAILED, words[0], strerror(problem)), -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return diag(t->unit, NO_PLACE, D_COMMAND_FAILED, words[0], strerror(errno)), -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
