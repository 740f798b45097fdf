/* options.h - the command line: one table of commands, one of options, and all that is derived from them. */
#ifndef SONOC_OPTIONS_H
#define SONOC_OPTIONS_H

#include "base.h"

typedef enum CommandId {
#define COMMAND(id, operand, summary) CMD_##id,
#include "commands.def"
#undef COMMAND
    CMD_COUNT
} CommandId;

typedef struct CommandInfo {
    const char *name;
    const char *operand;          /* NULL: takes none */
    const char *summary;
} CommandInfo;

extern const CommandInfo command_infos[CMD_COUNT];

typedef enum OptionKind { OPTION_FLAG, OPTION_TEXT, OPTION_MAYBE, OPTION_INT, OPTION_REAL, OPTION_LIST } OptionKind;

typedef VEC(const char *) TextList;
typedef struct GivenInt { bool given; int64_t value; } GivenInt;      /* given on the command line, not a default */
typedef struct GivenReal { bool given; double value; } GivenReal;

#define OPTION_TYPE_FLAG bool
#define OPTION_TYPE_TEXT const char *
#define OPTION_TYPE_MAYBE const char *
#define OPTION_TYPE_INT GivenInt
#define OPTION_TYPE_REAL GivenReal
#define OPTION_TYPE_LIST TextList

/* What a command line says. */
typedef struct Options {
    int command;                  /* a CommandId; CMD_COUNT: none */
    const char *operand;          /* the model, or the command that help is asked for */
    char **words;                 /* of a command behind the model, ends with NULL; NULL: of another kind */
#define OPTION(field, name, letter, kind, argument, standard, commands, help) OPTION_TYPE_##kind field;
#include "options.def"
#undef OPTION
} Options;

typedef struct OptionInfo {
    const char *name;
    char letter;                  /* 0: none */
    OptionKind kind;
    const char *argument;         /* NULL: a flag; of MAYBE a choice, the first when it is left out */
    const char *standard;         /* the default, or NULL */
    unsigned commands;            /* bit CommandId; bit CMD_COUNT: before any command */
    const char *help;
    size_t place;                 /* in Options */
} OptionInfo;

extern const OptionInfo option_infos[];
extern const int option_count;

/* Reads the command line; lists are kept in `a`.  STATUS_OK, or STATUS_USAGE after a message on stderr. */
int options_parse(Arena *a, int argc, char **argv, Options *options);

/* options_text.c; command CMD_COUNT: of sonoc as a whole. */
void options_help(int command, FILE *out);
void options_man(FILE *out);
void options_completion(const char *shell, FILE *out);

#endif
