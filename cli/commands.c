/* Every command of the client, one line each, alphabetical inside its group. A command lives in its own file and exports
 * `const struct command command_<name>`; adding the line here makes it known to parser, help and completion. */
#include "cli/command.h"

#define COMMANDS(X)      \
    X(complete)           \
    X(completion)         \
    X(container_attach)   \
    X(container_commit)   \
    X(container_create)   \
    X(container_diff)     \
    X(container_exec)     \
    X(container_export)   \
    X(container_inspect)  \
    X(container_kill)     \
    X(container_logs)     \
    X(container_ls)       \
    X(container_pause)    \
    X(container_port)     \
    X(container_prune)    \
    X(container_rename)   \
    X(container_restart)  \
    X(container_rm)       \
    X(container_run)      \
    X(container_start)    \
    X(container_stop)     \
    X(container_top)      \
    X(container_unpause)  \
    X(container_update)   \
    X(container_wait)     \
    X(inspect)

#define DECLARE(name) extern const struct command command_##name;
#define POINTER(name) &command_##name,

COMMANDS(DECLARE)

const struct command *const commands[] = { COMMANDS(POINTER) NULL };

const struct command_group command_groups[] = {
    { "builder", "Manage builds" },     { "container", "Manage containers" }, { "image", "Manage images" },
    { "network", "Manage networks" },   { "system", "Manage holk" },          { "volume", "Manage volumes" },
    { NULL, NULL },
};
