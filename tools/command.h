/* command.h - the commands; each gives an exit status, and reports in the session's unit. */
#ifndef SONOC_COMMAND_H
#define SONOC_COMMAND_H

#include "pipeline.h"

#define COMMAND(id, operand, summary) int command_##id(Session *s);
#include "commands.def"
#undef COMMAND

#endif
