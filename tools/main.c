/* main.c - the command line: reads the options, runs the command, tells what went wrong, gives the
 * exit status. */
#include "command.h"
#include "plugins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int (*const commands[CMD_COUNT])(Session *s) = {
#define COMMAND(id, operand, summary) command_##id,
#include "commands.def"
#undef COMMAND
};

/* A mistake of ours: what we know of the model goes to a file that can be sent to us. */
static void dump_graph(Session *s) {
    char path[4096];
    int file = -1;
    if (snprintf(path, sizeof path, "%s/sonoc-bug-XXXXXX", temporary_folder()) < (int)sizeof path)
        file = mkstemp(path);
    FILE *out = file < 0 ? NULL : fdopen(file, "w");
    if (!out) return;
    fprintf(out, "# sonoc %s: %s\n", SONOC_VERSION, s->unit.escape.message);
    if (s->graph && !setjmp(s->unit.escape.jump)) {
        Text text = {.arena = s->unit.arena};
        graph_print(s->graph, &text);
        fputs(text.at, out);
    }
    fclose(out);
    fprintf(stderr, "sonoc: the graph is in %s\n", path);
}

static int tell_escape(Session *s) {
    int status = s->unit.escape.status;
    const char *file = s->unit.file ? s->unit.file : "sonoc";
    if (status == STATUS_BUG) {
        fprintf(stderr, "%s: a mistake of sonoc: %s\n", file, s->unit.escape.message);
        dump_graph(s);
    } else {
        fprintf(stderr, "%s: %s\n", file, s->unit.escape.message);
    }
    return status;
}

static int run_session(Session *s) {
    int status;
    if (setjmp(s->unit.escape.jump)) {
        progress_end(s->progress);
        status = tell_escape(s);
    } else {
        status = plugins_load(&s->unit, s->options->plugin.at, s->options->plugin.n)
                     ? commands[s->options->command](s)
                     : diag_status(&s->unit);
        progress_end(s->progress);
    }
    output_drop(&s->outputs);
    if (!timeline_tell(&s->timeline, s->options) && !status) status = STATUS_REFUSED;
    if (!s->options->quiet || diag_count(&s->unit)) diag_print(&s->unit, stderr);
    if (status == STATUS_OK || status == STATUS_DIFFERS) {
        int reported = diag_status(&s->unit);
        if (reported > status) status = reported;
    }
    return status;
}

static int run_command(const Options *options) {
    Session *s = calloc(1, sizeof *s);
    if (!s || !unit_begin(&s->unit, options->operand, (size_t)options->max_memory.value)) {
        fprintf(stderr, "sonoc: out of memory\n");
        free(s);
        return STATUS_LIMIT;
    }
    s->options = options;
    s->progress = progress_start(options->quiet);
    s->timeline.arena = s->unit.arena;
    pipeline_begin(s);
    int status = run_session(s);
    unit_end(&s->unit);
    free(s);
    return status;
}

static void print_version(void) {
#ifdef SONOC_LLVM
    printf("sonoc %s, machine code by LLVM %s\n", SONOC_VERSION, SONOC_LLVM);
#else
    printf("sonoc %s, built without LLVM: no machine code\n", SONOC_VERSION);
#endif
}

static int run_options(const Options *o) {
    if (o->man)
        options_man(stdout);
    else if (o->completion)
        options_completion(o->completion, stdout);
    else if (o->version)
        print_version();
    else if (o->help || o->command == CMD_COUNT)
        options_help(o->command, o->help ? stdout : stderr);
    else
        return run_command(o);
    bool asked = o->man || o->completion || o->version || o->help;
    return asked ? STATUS_OK : STATUS_USAGE;
}

int main(int argc, char **argv) {
    Escape escape_here;
    Arena *a = arena_new(NULL, 0, &escape_here);
    if (!a || setjmp(escape_here.jump)) {
        fprintf(stderr, "sonoc: out of memory\n");
        return STATUS_LIMIT;
    }
    Options options;
    int status = options_parse(a, argc, argv, &options);
    if (!status) status = run_options(&options);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "sonoc: the output cannot be written: %s\n", strerror(errno));
        if (!status) status = STATUS_REFUSED;
    }
    arena_free(a);
    return status;
}
