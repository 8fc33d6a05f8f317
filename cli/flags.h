/* Reading a command line by a command's rows, as docker's client reads it: -abc, -p80:80, --x=y, --x y, -- ends, flags
 * and arguments mixed unless the command stops at its first argument. */
#pragma once
#include "cli/command.h"

/* Gives every member its initial value. The storage is zeroed before. */
void flags_init(const struct flag *flags, void *options);
void flags_clear(const struct flag *flags, void *options);
/* What a parse found beside the options. */
struct flags_result {
    char **args;     /* strv, the caller's: everything that is no flag */
    size_t given;    /* flags on the line */
    bool help;       /* --help (or -h where the command has no -h): nothing else counts */
    bool short_help; /* it was -h */
    size_t rest;     /* with stop_at_arg: index in argv of the first argument */
};
/* ERR_INVALID with docker's sentence ("unknown flag: --foo"). argv ends with NULL. */
int flags_parse(const struct flag *flags, void *options, bool stop_at_arg, char *const *argv, struct flags_result *ret,
                struct err *err);
const struct flag *flags_find(const struct flag *flags, const char *name, size_t length);
const struct flag *flags_find_letter(const struct flag *flags, char letter);
/* The word for the value in help: "list", "bytes"; NULL for a bool. */
const char *flag_shown(const struct flag *flag);
/* A decimal or 0x number, refused in Go's words ("strconv.ParseInt: parsing \"x\": invalid syntax"). */
int parse_go_int(const char *text, int64_t *ret, struct err *err);
