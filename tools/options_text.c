/* options_text.c - help, man page and shell completion, printed from the tables. */
#include "options.h"

#include <string.h>

static bool in_command(const OptionInfo *o, int command) { return o->commands >> command & 1; }

static void print_synopsis(int command, FILE *out) {
    if (command == CMD_COUNT)
        fprintf(out, "sonoc COMMAND [OPTIONS]");
    else if (command_infos[command].operand)
        fprintf(out, "sonoc %s %s [OPTIONS]", command_infos[command].name,
                command_infos[command].operand);
    else
        fprintf(out, "sonoc %s [OPTIONS]", command_infos[command].name);
}

static void print_option(const OptionInfo *o, FILE *out) {
    char spelling[128];
    const char *equals = o->argument ? "=" : "", *argument = o->argument ? o->argument : "";
    const char *open = o->kind == OPTION_MAYBE ? "[" : "", *close = *open ? "]" : "";
    char letter[8] = "    ";
    if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(spelling, sizeof spelling, "%s--%s%s%s%s%s", letter, o->name, open, equals, argument,
             close);
    bool fits = strlen(spelling) < 28;
    fprintf(out, fits ? "  %-28s" : "  %s\n%30s", spelling, "");
    fputs(o->help, out);
    if (o->standard) fprintf(out, " (default: %s)", o->standard);
    fputc('\n', out);
}

static const char statuses[] =
    "Exit status: 0 done, 1 a comparison failed, 2 wrong use, 3 the input is refused,\n"
    "4 a limit was reached, 70 a mistake of sonoc.\n";

void options_help(int command, FILE *out) {
    fputs("usage: ", out);
    print_synopsis(command, out);
    fputs("\n\n", out);
    if (command == CMD_COUNT) {
        fputs("Turns an ONNX model into the program that it is.\n\nCommands:\n", out);
        for (int c = 0; c < CMD_COUNT; c++)
            fprintf(out, "  %-10s%s\n", command_infos[c].name, command_infos[c].summary);
        fputs("  help      help of a command\n", out);
    } else {
        fprintf(out, "sonoc %s: %s.\n", command_infos[command].name,
                command_infos[command].summary);
    }
    fputs("\nOptions:\n", out);
    for (int i = 0; i < option_count; i++)
        if (in_command(&option_infos[i], command)) print_option(&option_infos[i], out);
    fprintf(out, "\n%s", statuses);
}

/* roff: minus signs are real ones, a line does not begin with a dot. */
static void man_text(const char *text, FILE *out) {
    for (const char *c = text; *c; c++) {
        if (*c == '-') fputc('\\', out);
        if (*c == '\\') fputc('\\', out);
        fputc(*c, out);
        if (c[0] == '\n' && c[1] == '.') fputs("\\&", out);
    }
}

static void man_option(const OptionInfo *o, FILE *out) {
    fputs(".TP\n", out);
    if (o->letter) fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", out);
    man_text(o->name, out);
    fputs("\\fR", out);
    if (o->argument) {
        fputs(o->kind == OPTION_MAYBE ? "[=\\fI" : "=\\fI", out);
        man_text(o->argument, out);
        fputs(o->kind == OPTION_MAYBE ? "\\fR]" : "\\fR", out);
    }
    fputc('\n', out);
    man_text(o->help, out);
    if (o->standard) fprintf(out, " (default: %s)", o->standard);
    fputc('\n', out);
}

static void man_command(int command, FILE *out) {
    if (command == CMD_COUNT)
        fputs(".SS Before any command\n", out);
    else
        fprintf(out, ".SS %s\n%s.\n", command_infos[command].name, command_infos[command].summary);
    for (int i = 0; i < option_count; i++)
        if (in_command(&option_infos[i], command)) man_option(&option_infos[i], out);
}

void options_man(FILE *out) {
    fprintf(out, ".TH SONOC 1 \"\" \"sonoc %s\"\n.SH NAME\n", SONOC_VERSION);
    fputs("sonoc \\- turns an ONNX model into the program that it is\n.SH SYNOPSIS\n", out);
    for (int c = 0; c <= CMD_COUNT; c++) {
        fputs(c ? ".br\n" : "", out);
        print_synopsis(c, out);
        fputc('\n', out);
    }
    fputs(".SH COMMANDS AND THEIR OPTIONS\n", out);
    for (int c = 0; c <= CMD_COUNT; c++) man_command(c, out);
    fprintf(out, ".SH EXIT STATUS\n%s", statuses + strlen("Exit status: "));
    fputs(".SH ENVIRONMENT\nNO_COLOR or TERM=dumb: no progress line.  TMPDIR: where the dump of a "
          "mistake goes.  CC: the compiler of backend c.\n",
          out);
}

/* The words that may follow an option: its choices, or files. */
static void bash_case(const OptionInfo *o, FILE *out) {
    if (!o->argument) return;
    fprintf(out, "    --%s) ", o->name);
    if (strchr(o->argument, '|')) {
        fputs("COMPREPLY=($(compgen -W '", out);
        for (const char *c = o->argument; *c; c++) fputc(*c == '|' ? ' ' : *c, out);
        fputs("' -- \"$cur\")); return;;\n", out);
    } else {
        fputs("COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n", out);
    }
}

static void command_names(const char *between, FILE *out) {
    for (int c = 0; c < CMD_COUNT; c++) fprintf(out, "%s%s", command_infos[c].name, between);
    fputs("help", out);
}

static void option_names(int command, FILE *out) {
    for (int i = 0; i < option_count; i++)
        if (in_command(&option_infos[i], command)) fprintf(out, " --%s", option_infos[i].name);
}

static void bash_completion(FILE *out) {
    fputs("_sonoc() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    COMPREPLY=()\n"
          "    if [[ $cur == = ]]; then cur=; "
          "elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
          "    case $prev in\n",
          out);
    for (int i = 0; i < option_count; i++) bash_case(&option_infos[i], out);
    fputs("    esac\n    local words\n    case ${COMP_WORDS[1]} in\n", out);
    for (int c = 0; c < CMD_COUNT; c++) {
        fprintf(out, "    %s) words='", command_infos[c].name);
        option_names(c, out);
        fputs("';;\n", out);
    }
    fputs("    *) words='", out);
    command_names(" ", out);
    option_names(CMD_COUNT, out);
    fputs("';;\n    esac\n"
          "    if [[ $cur == -* || $COMP_CWORD == 1 ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "    else\n        COMPREPLY=($(compgen -f -- \"$cur\"))\n    fi\n}\n"
          "complete -o filenames -F _sonoc sonoc\n",
          out);
}

/* Single quotes hold everything but themselves. */
static void quoted(const char *text, FILE *out) {
    for (const char *c = text; *c; c++) fputs(*c == '\'' ? "'\\''" : (char[]){*c, 0}, out);
}

static void zsh_option(const OptionInfo *o, FILE *out) {
    fprintf(out, "        '--%s%s[", o->name,
            o->argument ? o->kind == OPTION_MAYBE ? "=-" : "=" : "");
    for (const char *c = o->help; *c; c++) {
        if (strchr("[]:", *c)) fputc('\\', out);
        quoted((char[]){*c, 0}, out);
    }
    fputc(']', out);
    if (o->argument && strchr(o->argument, '|')) {
        fputs(":choice:(", out);
        for (const char *c = o->argument; *c; c++) fputc(*c == '|' ? ' ' : *c, out);
        fputc(')', out);
    } else if (o->argument) {
        fputs(":argument:_files", out);
    }
    fputs("' \\\n", out);
}

static void zsh_completion(FILE *out) {
    fputs("#compdef sonoc\n_sonoc() {\n    if (( CURRENT == 2 )); then\n        compadd -- ", out);
    command_names(" ", out);
    option_names(CMD_COUNT, out);
    fputs("\n        return\n    fi\n    local command=$words[2]\n    shift words\n"
          "    (( CURRENT-- ))\n    case $command in\n",
          out);
    for (int c = 0; c < CMD_COUNT; c++) {
        fprintf(out, "    %s) _arguments \\\n", command_infos[c].name);
        for (int i = 0; i < option_count; i++)
            if (in_command(&option_infos[i], c)) zsh_option(&option_infos[i], out);
        fputs("        '*:file:_files';;\n", out);
    }
    fputs("    help) compadd -- ", out);
    command_names(" ", out);
    fputs(";;\n    esac\n}\nif [ \"$funcstack[1]\" = _sonoc ]; then _sonoc \"$@\"; "
          "else compdef _sonoc sonoc; fi\n",
          out);
}

static void fish_option(const OptionInfo *o, int command, FILE *out) {
    fputs("complete -c sonoc -n '", out);
    if (command == CMD_COUNT)
        fputs("__fish_use_subcommand", out);
    else
        fprintf(out, "__fish_seen_subcommand_from %s", command_infos[command].name);
    fprintf(out, "' -l %s", o->name);
    if (o->letter) fprintf(out, " -s %c", o->letter);
    if (o->argument && o->kind != OPTION_MAYBE) fputs(" -r", out);
    if (o->argument && strchr(o->argument, '|')) {
        fputs(" -f -a '", out);
        for (const char *c = o->argument; *c; c++) fputc(*c == '|' ? ' ' : *c, out);
        fputc('\'', out);
    }
    fputs(" -d '", out);
    for (const char *c = o->help; *c; c++) fputs(*c == '\'' ? "\\'" : (char[]){*c, 0}, out);
    fputs("'\n", out);
}

static void fish_completion(FILE *out) {
    for (int c = 0; c < CMD_COUNT; c++)
        fprintf(out, "complete -c sonoc -n __fish_use_subcommand -f -a %s -d '%s'\n",
                command_infos[c].name, command_infos[c].summary);
    for (int c = 0; c <= CMD_COUNT; c++)
        for (int i = 0; i < option_count; i++)
            if (in_command(&option_infos[i], c)) fish_option(&option_infos[i], c, out);
}

void options_completion(const char *shell, FILE *out) {
    if (!strcmp(shell, "bash")) bash_completion(out);
    if (!strcmp(shell, "zsh")) zsh_completion(out);
    if (!strcmp(shell, "fish")) fish_completion(out);
}
