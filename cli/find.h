/* From words to a command. */
#pragma once
#include "cli/command.h"

struct found {
    const struct command *command;     /* NULL: see group */
    const struct command_group *group; /* a group named alone or with an unknown second word */
    char *name;                        /* "ps", "container ls": as help says it; caller frees */
    size_t words;                      /* of the words that were used */
};
/* words: NULL-ended. False when the first word is neither command nor group. */
bool command_find(char *const *words, struct found *ret);
/* Names near a mistyped word ("pss" -> "ps"), at most three, one per line with a tab in front; "" when none. group NULL: top.
 * Caller frees. */
char *command_suggest(const char *word, const struct command_group *group);
