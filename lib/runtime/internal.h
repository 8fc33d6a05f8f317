/* Private to lib/runtime. Theory of operation:
 *
 * The parent makes the cgroups, the root mount (detached) and a SEQPACKET pair, then clones the child. Both work at once: the parent
 * attaches the child to its cgroups and says SYNC_ATTACHED, the child builds the root; the child waits for that word only before it
 * enters a cgroup namespace. Each phase of the child is one function that fails with a struct err; the driver sends it as SYNC_FAILED.
 * SYNC_EXECING followed by the end of the pair means that execve has happened; an end without it means that the child died. */
#pragma once
#include "lib/base/err.h"
#include "lib/plan/plan.h"
#include "lib/runtime/runtime.h"
#include "lib/sys/cgroup.h"
#include "lib/sys/sys.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { EXIT_ENGINE = 125, EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127 };

enum sync_kind { SYNC_ATTACHED = 1, SYNC_TTY, SYNC_WARNING, SYNC_PID, SYNC_EXECING, SYNC_FAILED };
struct sync_message {
    uint32_t kind;
    int32_t value; /* exit code, or the pid of SYNC_PID */
    struct err err;
};
int sync_send(int sock, enum sync_kind kind, int value, const char *text, int fd);
/* Length, 0 at the end, -errno. ret_fd may be NULL: then a sent fd is closed. */
int sync_recv(int sock, struct sync_message *ret, int *ret_fd);

#define USER_GROUPS_MAX 256
struct user {
    uid_t uid;
    gid_t gid;
    gid_t groups[USER_GROUPS_MAX];
    size_t group_count;
    char home[256];
};
/* What a "user" text and the files of the image (may be NULL) mean. Pure. Docker's words in errors, all ERR_INVALID. */
int user_resolve(const char *spec, const char *const *group_add, const char *passwd, const char *group, struct user *ret,
                 struct err *err);
/* The same with the files below root_fd. */
int user_lookup(int root_fd, const char *spec, const char *const *group_add, struct user *ret, struct err *err);

struct child {
    const struct plan *plan;
    const struct plan_process *process;
    struct runtime_stdio stdio;
    const int *ns_fds;
    size_t ns_count;
    int netns_fd;
    const struct cgroup_layout *layout;
    int sync_fd;
    int root_fd;    /* the root mount */
    int old_root_fd;
    int proc_fd;    /* a proc of our own, in no tree: never the container's */
    int scratch_fd; /* a tmpfs of our own with "null" and "empty" */
    int dev_fd, pts_fd; /* mounted by us, or -1 */
    int tty_slave;
    int apparmor_fd;
    int *bind_fds; /* by mount index, opened before the root is attached */
    bool is_exec, attached, apparmor_on;
    struct user user;
    const char **env;
    char executable[4096];
    int exit_code; /* of the failure that is being reported */
};
#define CHILD_INIT                                                                                                        \
    .netns_fd = -1, .sync_fd = -1, .root_fd = -1, .old_root_fd = -1, .proc_fd = -1, .scratch_fd = -1, .dev_fd = -1,       \
    .pts_fd = -1, .tty_slave = -1, .apparmor_fd = -1, .exit_code = EXIT_ENGINE
typedef int (*child_phase)(struct child *child, struct err *err);

void child_warn(struct child *child, const char *format, ...) __attribute__((format(printf, 2, 3)));
int child_wait_attached(struct child *child, struct err *err);
/* Runs the phases, then execve; never returns. */
_Noreturn void child_run(struct child *child, const child_phase *phases, size_t count);
/* Closes every fd but these (-1 ignored). */
void child_keep_only(const int *keep, size_t count);
void child_reset_signals(void);

/* rootfs.c, mounts.c, dev.c, masks.c: in this order */
int root_mount_make(const struct plan *plan, int *ret_fd, struct err *err); /* in the parent */
int rootfs_namespaces(struct child *child, struct err *err);
int rootfs_own_mounts(struct child *child, struct err *err);
int rootfs_open_binds(struct child *child, struct err *err);
int rootfs_attach(struct child *child, struct err *err);
int rootfs_mounts(struct child *child, struct err *err);
int rootfs_masks(struct child *child, struct err *err);
int rootfs_console(struct child *child, struct err *err);
int rootfs_pivot(struct child *child, struct err *err);
int mount_cgroups(struct child *child, const struct plan_mount *mount, struct err *err);
int dev_populate(struct child *child, struct err *err);
unsigned mount_attributes(uint32_t flags);
/* O_PATH fds of mount targets inside the root, made when missing. -errno. */
int target_directory(int root_fd, const char *path);
int target_file(int root_fd, const char *path);
/* A real directory reached through no link (/proc, /sys, /dev). */
int target_real_directory(int root_fd, const char *path);

/* tty.c */
int tty_open(struct child *child, struct err *err);
int tty_and_stdio(struct child *child, struct err *err);

/* drop.c, execute.c */
int drop_names_and_sysctls(struct child *child, struct err *err);
int drop_limits(struct child *child, struct err *err);
int drop_user_and_cwd(struct child *child, struct err *err);
int drop_ids(struct child *child, struct err *err);
int drop_last(struct child *child, struct err *err); /* capabilities, no_new_privs, seccomp */
int execute_find(struct child *child, struct err *err);
_Noreturn void execute(struct child *child);
_Noreturn void init_loop(pid_t payload, const char *const *argv, int proc_fd);
int init_title_prepare(int proc_fd);

/* cgroups.c */
int cgroups_prepare(const struct plan *plan, const struct cgroup_layout *layout, struct runtime_container *warnings,
                    struct err *err);
void container_warn(struct runtime_container *container, const char *text);

/* wait.c: the parent's half. Reads until the child has exec'd or failed. 0, or -1 with *ret_exit_code. */
struct wait_result {
    int tty_master, pidfd;
    pid_t pid;
};
int wait_for_exec(int sock, struct wait_result *ret, struct runtime_container *warnings, int *ret_exit_code, struct err *err);
/* After a failure: the process may have said so before its helper could name it. Waits a moment for the name. */
void wait_for_pid(int sock, struct wait_result *ret);
