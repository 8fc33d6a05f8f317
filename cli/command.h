/* A command of the client is one row: its name, help text, flags and the function that runs it. The parser, the help
 * pages and the shell completion are all made from the same row, so they cannot disagree.
 *
 *     struct rename_options { bool quiet; };
 *     static const struct flag rename_flags[] = {
 *         FLAG_BOOL_(struct rename_options, quiet, "quiet", 'q', "Say nothing"),
 *         FLAG_END,
 *     };
 *     static int run_rename(struct cli *cli, void *options, char **args) { ...; return 0; }
 *     const struct command command_container_rename = {
 *         .path = "container rename", .top = "rename", .usage = "[OPTIONS] CONTAINER NEW_NAME",
 *         .help = "Rename a container", .flags = rename_flags, .options_size = sizeof(struct rename_options),
 *         .min_args = 2, .max_args = 2, .run = run_rename,
 *     };
 * and one line in commands.c. `options` is zeroed, holds the initial values, and is freed after run by the rows. */
#pragma once
#include "cli/api.h"
#include "lib/json/codec.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum flag_kind {
    FLAG_BOOL,      /* bool */
    FLAG_STR,       /* char *: owned; NULL = not given (unless there is an initial value) */
    FLAG_STRV,      /* char **: may be repeated */
    FLAG_I64,       /* int64_t */
    FLAG_BYTES,     /* int64_t: "64m", "1.5g"; also -1 when allow_minus_one */
    FLAG_NANO_CPUS, /* int64_t: "1.5" -> 1500000000 */
    FLAG_OPT_BOOL,  /* struct opt_bool */
    FLAG_OPT_I64,   /* struct opt_i64 */
    FLAG_DURATION,  /* int64_t ns: "1m30s" */
    FLAG_STRMAP,    /* struct str_map: key=value, may be repeated; a later key replaces */
};

/* May refuse a value (ERR_INVALID, the text that stands after "flag: ") or replace it: *ret_value NULL keeps it. */
typedef int flag_check(const char *value, char **ret_value, struct err *err);

struct flag {
    const char *name;
    char letter; /* 0 = none */
    enum flag_kind kind;
    size_t offset;
    const char *help;    /* as in `docker x --help`; "(default ...)" is added for an initial value */
    const char *shown;   /* name of the value in help; NULL = by kind: string list int bytes decimal duration map */
    const char *initial; /* parsed before the command line; NULL = zero */
    flag_check *check;
    bool hidden;          /* not in help */
    bool allow_minus_one; /* FLAG_BYTES */
};

#define FLAG_AT_(T, m, ctype) \
    (offsetof(T, m) + 0 * sizeof(char[__builtin_types_compatible_p(__typeof__(((T *)0)->m), ctype) ? 1 : -1]))
#define FLAG_ROW_(T, m, ctype, k, n, l, h, ...) \
    { .name = (n), .letter = (l), .kind = (k), .offset = FLAG_AT_(T, m, ctype), .help = (h), __VA_ARGS__ }
/* Type of the options struct, member, "name", 'letter' or 0, "help", then optional members: .shown = "list", .initial = ... */
#define FLAG_BOOL_(T, m, n, l, h, ...) FLAG_ROW_(T, m, bool, FLAG_BOOL, n, l, h, __VA_ARGS__)
#define FLAG_STR_(T, m, n, l, h, ...) FLAG_ROW_(T, m, char *, FLAG_STR, n, l, h, __VA_ARGS__)
#define FLAG_STRV_(T, m, n, l, h, ...) FLAG_ROW_(T, m, char **, FLAG_STRV, n, l, h, __VA_ARGS__)
#define FLAG_I64_(T, m, n, l, h, ...) FLAG_ROW_(T, m, int64_t, FLAG_I64, n, l, h, __VA_ARGS__)
#define FLAG_BYTES_(T, m, n, l, h, ...) FLAG_ROW_(T, m, int64_t, FLAG_BYTES, n, l, h, __VA_ARGS__)
#define FLAG_NANO_CPUS_(T, m, n, l, h, ...) FLAG_ROW_(T, m, int64_t, FLAG_NANO_CPUS, n, l, h, __VA_ARGS__)
#define FLAG_OPT_BOOL_(T, m, n, l, h, ...) FLAG_ROW_(T, m, struct opt_bool, FLAG_OPT_BOOL, n, l, h, __VA_ARGS__)
#define FLAG_OPT_I64_(T, m, n, l, h, ...) FLAG_ROW_(T, m, struct opt_i64, FLAG_OPT_I64, n, l, h, __VA_ARGS__)
#define FLAG_DURATION_(T, m, n, l, h, ...) FLAG_ROW_(T, m, int64_t, FLAG_DURATION, n, l, h, __VA_ARGS__)
#define FLAG_STRMAP_(T, m, n, l, h, ...) FLAG_ROW_(T, m, struct str_map, FLAG_STRMAP, n, l, h, __VA_ARGS__)
#define FLAG_END { .name = NULL }

#define FLAG_FILTER_HELP "Filter output based on conditions provided"
/* --format of listing commands, and of commands that print one object. */
#define FORMAT_LIST_HELP                                                                                              \
    "Format output using a custom template:\n'table':            Print output in table format with column headers "   \
    "(default)\n'table TEMPLATE':   Print output in table format using the given Go template\n'json':             "   \
    "Print in JSON format\n'TEMPLATE':         Print output using the given Go template.\nRefer to "                  \
    "https://docs.docker.com/go/formatting/ for more information about formatting output with templates"
#define FORMAT_OBJECT_HELP                                                                                            \
    "Format output using a custom template:\n'json':             Print in JSON format\n'TEMPLATE':         Print "    \
    "output using the given Go template.\nRefer to https://docs.docker.com/go/formatting/ for more information "      \
    "about formatting output with templates"

/* Ready-made checks. */
flag_check flag_check_filter; /* "name=value", name lower-cased and trimmed as docker does: .shown = "filter" */
flag_check flag_check_label;  /* "key" or "key=value", key not empty */
flag_check flag_check_env;    /* "NAME" takes the value of the client's environment; an unset one stays "NAME" */

#define ARGS_ANY (-1)
enum command_option {
    COMMAND_STOP_AT_ARG = 1, /* flags end at the first argument: run, create, exec */
    COMMAND_EXIT_125 = 2,    /* failures are "holk: ...", a hint to --help, and 125: run */
    COMMAND_HIDDEN = 4,      /* not listed in help */
};

struct command {
    const char *path;       /* "container ls": the group and the name, or a name alone */
    const char *top;        /* the short form without group: "ps"; NULL = none */
    const char *aliases[3]; /* other last words of the path: "list", "ps" */
    const char *usage;      /* what follows the name: "[OPTIONS] CONTAINER [CONTAINER...]"; a second form after '\n' */
    const char *help;       /* one line */
    const char *long_help;  /* in the command's own help instead of `help`; NULL = help */
    int common;             /* place in "Common Commands" of the top help; 0 = not there */
    unsigned options;       /* enum command_option */
    const struct flag *flags; /* NULL = none; else ends with FLAG_END */
    size_t options_size;
    int min_args, max_args; /* max ARGS_ANY: no limit */
    /* args: NULL-ended, borrowed, may be reordered. Returns the exit code. */
    int (*run)(struct cli *cli, void *options, char **args);
};

struct command_group {
    const char *name, *help;
};

/* commands.c */
extern const struct command *const commands[];      /* ends with NULL; alphabetical by path */
extern const struct command_group command_groups[]; /* ends with a NULL name */
