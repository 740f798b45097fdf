/* options.c - the tables of commands and options, and the parser over getopt_long. */
#include "options.h"
#include "target.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const CommandInfo command_infos[CMD_COUNT] = {
#define COMMAND(id, operand, summary) {#id, operand, summary},
#include "commands.def"
#undef COMMAND
};

/* Choices from the tables that own them: "|a|b|c", used without the first bar. */
static const char target_names[] =
#define TARGET(name, ...) "|" name
#include "targets.def"
#undef TARGET
    "|native|multi|TRIPLE";
static const char backend_names[] =
#define BACKEND(name, ...) "|" #name
#define CODE_BACKEND BACKEND
#include "backends.def"
#undef CODE_BACKEND
#undef BACKEND
    ;
#define TARGET_NAMES (target_names + 1)
#define BACKEND_NAMES (backend_names + 1)

#define IN(command) (1u << CMD_##command)
#define TOP (1u << CMD_COUNT)
#define RUNS (IN(run) | IN(verify))
#define TIMES (IN(bench) | IN(profile))
#define MODEL (TIMES | IN(compile) | IN(show) | IN(opt) | IN(bisect) | IN(reduce) | RUNS)
#define ALL (TOP | MODEL | IN(ops) | IN(targets) | IN(passes) | IN(rules) | IN(cache))

const OptionInfo option_infos[] = {
#define OPTION(field, name, letter, kind, argument, standard, commands, help)                      \
    {name, letter, OPTION_##kind, argument, standard, commands, help, offsetof(Options, field)},
#include "options.def"
#undef OPTION
};
const int option_count = sizeof option_infos / sizeof *option_infos;

static const char *command_name(int command) {
    return command < CMD_COUNT ? command_infos[command].name : NULL;
}

static int usage(int command, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int usage(int command, const char *format, ...) {
    const char *name = command_name(command);
    va_list args;
    va_start(args, format);
    fprintf(stderr, "sonoc%s%s: ", name ? " " : "", name ? name : "");
    vfprintf(stderr, format, args);
    fprintf(stderr, "; see sonoc help%s%s\n", name ? " " : "", name ? name : "");
    va_end(args);
    return STATUS_USAGE;
}

/* "12", "64M"; K, M and G are powers of 1024. */
static bool parse_int(const char *text, int64_t *value) {
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || errno || n < 0) return false;
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (shift) end++;
    if (*end || n > INT64_MAX >> shift) return false;
    *value = (int64_t)n << shift;
    return true;
}

static bool parse_real(const char *text, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end != text && !*end && isfinite(*value) && *value >= 0;
}

/* A choice in capitals stands for any text. */
static bool is_choice(const char *choices, const char *text) {
    size_t n = strlen(text);
    for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
        if ((*c >= 'A' && *c <= 'Z') || (!strncmp(c, text, n) && (c[n] == '|' || !c[n])))
            return true;
    return false;
}

static bool option_set(Arena *a, const OptionInfo *o, const char *text, bool given, Options *to) {
    void *place = (char *)to + o->place;
    switch (o->kind) {
    case OPTION_FLAG: *(bool *)place = true; return true;
    case OPTION_MAYBE:
        *(const char **)place = text ? text : arena_copy(a, o->argument, strcspn(o->argument, "|"));
        return !text || is_choice(o->argument, text);
    case OPTION_TEXT:
        *(const char **)place = text;
        return !strchr(o->argument, '|') || is_choice(o->argument, text);
    case OPTION_INT: {
        GivenInt *i = place;
        i->given = given;
        return parse_int(text, &i->value);
    }
    case OPTION_REAL: {
        GivenReal *r = place;
        r->given = given;
        return parse_real(text, &r->value);
    }
    case OPTION_LIST: vec_push(a, (TextList *)place, text); return true;
    }
    return false;
}

enum { MAX_OPTIONS = 128, LETTER_BASE = 256 };

/* What getopt_long wants, for the options of one command; val is LETTER_BASE + the row. */
typedef struct Spelling {
    char letters[2 * MAX_OPTIONS + 3];
    struct option longs[MAX_OPTIONS + 1];
} Spelling;

_Static_assert(sizeof option_infos / sizeof *option_infos <= MAX_OPTIONS,
               "MAX_OPTIONS is too small");

static void spell(int command, Spelling *s) {
    char *letter = s->letters;
    struct option *next = s->longs;
    if (command == CMD_COUNT) *letter++ = '+'; /* stop at the command */
    *letter++ = ':';
    for (int i = 0; i < option_count; i++) {
        const OptionInfo *o = &option_infos[i];
        if (!(o->commands >> command & 1)) continue;
        int has = o->kind == OPTION_FLAG    ? no_argument
                  : o->kind == OPTION_MAYBE ? optional_argument
                                            : required_argument;
        *next++ = (struct option){o->name, has, NULL, LETTER_BASE + i};
        if (!o->letter) continue;
        *letter++ = o->letter;
        if (has) *letter++ = ':';
    }
    *letter = 0;
    *next = (struct option){0};
}

static const OptionInfo *option_of(int command, int value) {
    if (value >= LETTER_BASE) return &option_infos[value - LETTER_BASE];
    for (int i = 0; i < option_count; i++)
        if (option_infos[i].letter == value && option_infos[i].commands >> command & 1)
            return &option_infos[i];
    return NULL;
}

/* Parses options of one command (or those before any) up to the operands. */
static int parse_part(Arena *a, int command, int argc, char **argv, Options *to) {
    Spelling spelling;
    spell(command, &spelling);
    optind = 0;
    opterr = 0;
    for (;;) {
        int before = optind ? optind : 1;
        int value = getopt_long(argc, argv, spelling.letters, spelling.longs, NULL);
        if (value == -1) return STATUS_OK;
        const char *word = argv[optind > before ? optind - 1 : before];
        if (value == ':') return usage(command, "%s needs an argument", word);
        const OptionInfo *o = value == '?' ? NULL : option_of(command, value);
        if (!o) return usage(command, "no such option: %s", word);
        if (!option_set(a, o, optarg, true, to))
            return usage(command, "--%s=%s: should be %s", o->name, optarg, o->argument);
    }
}

static void set_defaults(Arena *a, Options *to) {
    for (int i = 0; i < option_count; i++)
        if (option_infos[i].standard)
            option_set(a, &option_infos[i], option_infos[i].standard, false, to);
}

static int command_find(const char *name) {
    for (int c = 0; c < CMD_COUNT; c++)
        if (!strcmp(command_infos[c].name, name)) return c;
    return CMD_COUNT;
}

/* `sonoc help [COMMAND]` is `sonoc [COMMAND] --help`. */
static int parse_help(int argc, char **argv, Options *to) {
    to->help = true;
    if (argc < 2) return STATUS_OK;
    to->command = command_find(argv[1]);
    if (to->command == CMD_COUNT) return usage(CMD_COUNT, "no such command: %s", argv[1]);
    return STATUS_OK;
}

/* The model, and of some commands the words of another command behind it. */
static int parse_operands(int argc, char **argv, Options *to) {
    const char *operand = command_infos[to->command].operand;
    int wanted = operand != NULL;
    bool takes_words = operand && strstr(operand, "COMMAND");
    if (argc - optind < wanted) return usage(to->command, "%s is missing", operand);
    to->operand = wanted ? argv[optind] : NULL;
    if (takes_words)
        to->words = argv + optind + 1;
    else if (argc - optind > wanted)
        return usage(to->command, "one too many: %s", argv[optind + wanted]);
    return STATUS_OK;
}

/* Machine code can be made for more machines than plans are. */
static int check_target(const Options *o) {
    const char *path = o->output;
    size_t n = path ? strlen(path) : 0;
    bool is_c = n > 1 && !strcmp(path + n - 2, ".c");
    if (!o->target || target_find(o->target) || (o->command == CMD_compile && !is_c))
        return STATUS_OK;
    return usage(o->command, "no such target: %s", o->target);
}

static int check_tune(const Options *o) {
    return o->tune && o->choices
               ? usage(o->command, "--tune makes choices, --choices has them: give one")
               : STATUS_OK;
}

int options_parse(Arena *a, int argc, char **argv, Options *to) {
    *to = (Options){.command = CMD_COUNT};
    set_defaults(a, to);
    int status = parse_part(a, CMD_COUNT, argc, argv, to);
    if (status || optind >= argc) return status;
    argc -= optind;
    argv += optind;
    if (!strcmp(argv[0], "help")) return parse_help(argc, argv, to);
    to->command = command_find(argv[0]);
    if (to->command == CMD_COUNT) return usage(CMD_COUNT, "no such command: %s", argv[0]);
    status = parse_part(a, to->command, argc, argv, to);
    if (status || to->help) return status;
    status = check_target(to);
    if (!status) status = check_tune(to);
    return status ? status : parse_operands(argc, argv, to);
}
