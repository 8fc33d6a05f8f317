/* Help pages, made from the rows of commands. */
#pragma once
#include "cli/command.h"
#include "lib/base/buf.h"

/* Columns of the terminal that help is folded to; 80 when there is none. */
int help_columns(void);
/* name: as typed without the program, "ps" or "container ls". */
void help_command(const struct command *command, const char *name, int columns, struct buf *out);
void help_group(const struct command_group *group, struct buf *out);
void help_top(const struct flag *global_flags, int columns, struct buf *out);
/* "Usage:  holk ps [OPTIONS]" and a line end. */
void help_usage(const struct command *command, const char *name, struct buf *out);
/* The block of flags, folded. */
void help_flags(const struct flag *flags, int columns, struct buf *out);
/* The last word of a path. */
const char *command_word(const struct command *command);
/* The group of a command, "" when it has none; at most `size` bytes with NUL. */
void command_group_name(const struct command *command, char *ret, size_t size);
