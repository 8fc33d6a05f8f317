/* From a plan to a running process, and into one that runs. Entered from the monitor (and holk-runtime) only; libc only.
 * The parent is single-threaded; it clones the child, which follows the named phases and reports failure as
 * {phase, struct err, exit_code} on a close-on-exec pipe; end of the pipe means execve has happened.
 * exit codes of failures: 127 command not found, 126 not executable / permission, 125 anything of the engine. */
#pragma once
#include "lib/base/err.h"
#include "lib/plan/plan.h"
#include <sys/types.h>

struct runtime_stdio {
    int stdin_fd, stdout_fd, stderr_fd; /* the child's ends; -1 = /dev/null; all -1 with a tty */
};
struct runtime_container { /* owned by the caller; fds -1 when absent. RUNTIME_CONTAINER_INIT */
    pid_t pid;
    unsigned long long start_ticks;
    int pidfd;
    int root_mount_fd;  /* the overlay's detached mount: kept open so that exit does not wait for its sync */
    int root_fd;        /* O_PATH of the container's root */
    int tty_master_fd;  /* with a tty */
    int warning_count;
    char warnings[8][256];
};
#define RUNTIME_CONTAINER_INIT { .pid = -1, .pidfd = -1, .root_mount_fd = -1, .root_fd = -1, .tty_master_fd = -1 }

/* ns_fds: JOIN slots; netns_fd: a ready network namespace or -1 (then PLAN_NS_NEW makes one with only lo up).
 * On failure nothing is left (cgroup, child) and *ret_exit_code is 125..127. */
int runtime_start(const struct plan *plan, const struct runtime_stdio *stdio, const int *ns_fds, size_t ns_count, int netns_fd,
                  struct runtime_container *ret, int *ret_exit_code, struct err *err);
/* An exec: joins all namespaces of the container by its pidfd, its cgroup, its root. *ret_tty_master -1 unless tty. */
int runtime_exec(const struct plan *plan, const struct runtime_container *container, const struct plan_process *process,
                 const struct runtime_stdio *stdio, pid_t *ret_pid, int *ret_pidfd, int *ret_tty_master, int *ret_exit_code, struct err *err);
/* Freezer of v1 or v2; returns when frozen/thawed (2 s at most). */
int runtime_freeze(const struct plan *plan, bool freeze, struct err *err);
/* Kills everything in the container's cgroup (v2 cgroup.kill; v1 freeze, kill each, thaw). */
int runtime_kill_all(const struct plan *plan, struct err *err);
/* oom_kill events so far (memory.events / memory.oom_control). */
int64_t runtime_oom_kills(const struct plan *plan);
int runtime_cgroup_write(const struct plan *plan, const char *controller, const char *file, const char *value, struct err *err);
/* Removes the cgroups (retries EBUSY for a short while). */
void runtime_cleanup(const struct plan *plan);
void runtime_container_close(struct runtime_container *container);
