/* Every command of the client, one line each, alphabetical inside its group. A command lives in its own file and exports
 * `const struct command command_<name>`; adding the line here makes it known to parser, help and completion. */
#include "cli/command.h"

#define COMMANDS(X)        \
    X(builder_build)        \
    X(builder_prune)        \
    X(complete)             \
    X(completion)           \
    X(container_attach)     \
    X(container_commit)     \
    X(container_cp)         \
    X(container_create)     \
    X(container_diff)       \
    X(container_exec)       \
    X(container_export)     \
    X(container_inspect)    \
    X(container_kill)       \
    X(container_logs)       \
    X(container_ls)         \
    X(container_pause)      \
    X(container_port)       \
    X(container_prune)      \
    X(container_rename)     \
    X(container_restart)    \
    X(container_rm)         \
    X(container_run)        \
    X(container_start)      \
    X(container_stats)    \
    X(container_stop)       \
    X(container_top)        \
    X(container_unpause)    \
    X(container_update)     \
    X(container_wait)       \
    X(image_build)          \
    X(image_history)        \
    X(image_import)         \
    X(image_inspect)        \
    X(image_load)           \
    X(image_ls)             \
    X(image_prune)          \
    X(image_pull)           \
    X(image_push)           \
    X(image_rm)             \
    X(image_save)           \
    X(image_tag)            \
    X(inspect)              \
    X(login)                \
    X(logout)               \
    X(network_connect)      \
    X(network_create)       \
    X(network_disconnect)   \
    X(network_inspect)      \
    X(network_ls)           \
    X(network_prune)        \
    X(network_rm)           \
    X(search)               \
    X(system_df)            \
    X(system_events)        \
    X(system_info)          \
    X(system_prune)         \
    X(version)              \
    X(volume_create)        \
    X(volume_inspect)       \
    X(volume_ls)            \
    X(volume_prune)         \
    X(volume_rm)

#define DECLARE(name) extern const struct command command_##name;
#define POINTER(name) &command_##name,

COMMANDS(DECLARE)

const struct command *const commands[] = { COMMANDS(POINTER) NULL };

const struct command_group command_groups[] = {
    { "builder", "Manage builds" },     { "container", "Manage containers" }, { "image", "Manage images" },
    { "network", "Manage networks" },   { "system", "Manage holk" },          { "volume", "Manage volumes" },
    { NULL, NULL },
};
