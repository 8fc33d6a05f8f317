/* Theory of operation. A process in a container's pid namespace is visible to the container from its first instant, and one with
 * CAP_SYS_PTRACE may read its fds. So a helper that is still outside closes every fd of the monitor, enters all namespaces, and only
 * then clones the process, which therefore never owned anything of the host. CLONE_PARENT makes it the monitor's child. */
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"
#include "lib/sys/kernel.h"

#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)

static int exec_own_proc(struct child *child, struct err *err)
{
    child->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (child->root_fd < 0)
        return err_sys(err, errno, "open the container's root");
    child->proc_fd = sys_detached_mount("proc", NULL, NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV);
    return child->proc_fd < 0 ? err_sys(err, child->proc_fd, "make a proc mount") : 0;
}

static const child_phase exec_phases[] = {
    exec_own_proc, tty_and_stdio, drop_limits, drop_user_and_cwd, drop_ids, drop_last,
};

static int helper_enter(struct child *child, int container_pidfd, struct err *err)
{
    int r = cgroup_attach(child->layout, child->plan->cgroup_path, 0); /* 0: the writer itself; its child inherits */
    if (r < 0)
        return err_sys(err, r, "attach to cgroup %s", child->plan->cgroup_path);
    child->apparmor_on = !str_empty(child->process->apparmor) && access("/sys/module/apparmor/parameters/enabled", F_OK) == 0;
    if (setns(container_pidfd, ALL_NAMESPACES) < 0) {
        int error = errno;
        if (error == ESRCH)
            return err_set(err, ERR_CONFLICT, "the container is not running");
        return err_sys(err, error, "enter the container");
    }
    return 0;
}

static int helper_spawn(struct child *child, struct err *err)
{
    int pidfd = -1;
    struct sys_clone_args args = { .flags = CLONE_PARENT | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd };
    pid_t pid = sys_clone3(&args);
    if (pid == 0)
        child_run(child, exec_phases, ARRAY_SIZE(exec_phases));
    if (pid < 0)
        return err_sys(err, pid, "clone a process in the container");
    int r = sync_send(child->sync_fd, SYNC_PID, pid, NULL, pidfd);
    return r < 0 ? err_sys(err, r, "report the process") : 0;
}

static _Noreturn void helper_main(struct child *child, int container_pidfd)
{
    const int keep[] = { child->sync_fd, container_pidfd, child->stdio.stdin_fd, child->stdio.stdout_fd, child->stdio.stderr_fd };
    struct sync_message failure = { .kind = SYNC_FAILED, .value = EXIT_ENGINE };
    child_reset_signals();
    child_keep_only(keep, ARRAY_SIZE(keep));
    int r = helper_enter(child, container_pidfd, &failure.err);
    if (r == 0) {
        close(container_pidfd);
        r = helper_spawn(child, &failure.err);
    }
    if (r < 0)
        (void)fd_send(child->sync_fd, &failure, sizeof failure, NULL, 0);
    _exit(0);
}

static void reap_failed(struct wait_result *wait)
{
    if (wait->pid > 0) {
        (void)kill(wait->pid, SIGKILL);
        while (waitpid(wait->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    fd_close(wait->pidfd);
    fd_close(wait->tty_master);
}

int runtime_exec(const struct plan *plan, const struct runtime_container *container, const struct plan_process *process,
                 const struct runtime_stdio *stdio, pid_t *ret_pid, int *ret_pidfd, int *ret_tty_master, int *ret_exit_code,
                 struct err *err)
{
    struct cgroup_layout layout;
    struct wait_result wait = { .tty_master = -1, .pidfd = -1 };
    *ret_exit_code = EXIT_ENGINE;
    err_clear(err);
    if (!process->argv || !process->argv[0])
        return err_set(err, ERR_INVALID, "No exec command specified");
    int pair[2], r = cgroup_layout_read(&layout);
    if (r < 0 || (r = fd_socketpair(SOCK_SEQPACKET, pair)) < 0)
        return err_sys(err, r, "prepare an exec");
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    struct child child = { .plan = plan, .process = process, .stdio = *stdio, .layout = &layout, .is_exec = true,
                           .attached = true, CHILD_INIT };
    child.sync_fd = pair[1];
    struct sys_clone_args args = { .exit_signal = SIGCHLD }; /* CLONE_PARENT hands this signal down */
    pid_t helper = sys_clone3(&args);
    if (helper == 0)
        helper_main(&child, container->pidfd);
    fd_close(pair[1]);
    AUTO_FD int sync = pair[0];
    if (helper < 0)
        return err_sys(err, helper, "clone an exec helper");
    r = wait_for_exec(sync, &wait, NULL, ret_exit_code, err);
    if (r < 0) { /* a process nobody reaps would keep the container's pid namespace from ending */
        wait_for_pid(sync, &wait);
        (void)kill(helper, SIGKILL);
    }
    while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
        ;
    if (r < 0) {
        reap_failed(&wait);
        return -1;
    }
    *ret_pid = wait.pid;
    *ret_pidfd = wait.pidfd;
    *ret_tty_master = wait.tty_master;
    return 0;
}
