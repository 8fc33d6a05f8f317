/* What the prune commands share: asking first, one request, what was removed. */
#pragma once
#include "cli/command.h"

struct prune_options {
    bool all, force, volumes;
    char **filters;
};
#define PRUNE_ALL_FLAG(help) FLAG_BOOL_(struct prune_options, all, "all", 'a', help)
#define PRUNE_COMMON_FLAGS                                                                                             \
    FLAG_STRV_(struct prune_options, filters, "filter", 0,                                                             \
               "Only what these conditions allow (\"until=24h\", \"label=a=b\")", .shown = "filter",                   \
               .check = flag_check_filter),                                                                            \
        FLAG_BOOL_(struct prune_options, force, "force", 'f', "Do not ask first")

struct prune_kind {
    const char *target; /* "/images/prune" */
    const char *list;   /* member of the answer: "ImagesDeleted" */
    const char *title;  /* "Deleted Images:" */
    const char *extra;  /* one more filter, "dangling=false"; NULL: none */
};
/* Prints the list and a blank line when something was removed; adds to *reclaimed. */
int prune_one(struct cli *cli, const struct prune_kind *kind, char *const *filters, int64_t *reclaimed,
              struct err *err);
/* A whole command: asks with that warning (unless forced), prunes, prints the sum when `sum`. Returns the exit code. */
int prune_run(struct cli *cli, const struct prune_options *options, const char *warning, const struct prune_kind *kind,
              bool sum);
