/* Every command of the client, one line each, alphabetical inside its group. A command lives in its own file and exports
 * `const struct command command_<name>`; adding the line here makes it known to parser, help and completion. */
#include "cli/command.h"

#define COMMANDS(X)      \
    X(complete)          \
    X(completion)

#define DECLARE(name) extern const struct command command_##name;
#define POINTER(name) &command_##name,

COMMANDS(DECLARE)

const struct command *const commands[] = { COMMANDS(POINTER) NULL };

const struct command_group command_groups[] = {
    { "builder", "Manage builds" },     { "container", "Manage containers" }, { "image", "Manage images" },
    { "network", "Manage networks" },   { "system", "Manage holk" },          { "volume", "Manage volumes" },
    { NULL, NULL },
};
