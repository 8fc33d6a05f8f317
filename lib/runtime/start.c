#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"
#include "lib/sys/kernel.h"

#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const child_phase start_phases[] = {
    rootfs_namespaces, rootfs_own_mounts, rootfs_open_binds,      rootfs_attach, rootfs_mounts,
    rootfs_masks,      rootfs_console,    rootfs_pivot,           child_wait_attached,
    drop_names_and_sysctls, tty_and_stdio, drop_limits,           drop_user_and_cwd, drop_ids,
    drop_last,
};

static int check_namespaces(const struct plan *plan, size_t ns_count, struct err *err)
{
    if (plan->ns_mode[PLAN_NS_USER] != PLAN_NS_HOST)
        return err_set(err, ERR_UNSUPPORTED, "user namespaces are not supported");
    if (plan->ns_mode[PLAN_NS_MNT] != PLAN_NS_NEW)
        return err_set(err, ERR_UNSUPPORTED, "a container needs a mount namespace of its own");
    for (int i = 0; i < PLAN_NS_COUNT; i++)
        if (plan->ns_mode[i] == PLAN_NS_JOIN && plan->ns_slot[i] >= ns_count)
            return err_set(err, ERR_INVALID, "the plan joins a namespace that was not given");
    return 0;
}

static int check_plan(const struct plan *plan, size_t ns_count, struct err *err)
{
    if (!plan->process.argv || !plan->process.argv[0])
        return err_set(err, ERR_INVALID, "no command specified");
    if (!plan->cgroup_path || plan->cgroup_path[0] != '/' || !plan->cgroup_path[1])
        return err_set(err, ERR_INVALID, "the plan has no cgroup path");
    return check_namespaces(plan, ns_count, err);
}

struct starting {
    const struct plan *plan;
    struct cgroup_layout layout;
    int root_fd, cgroup_fd, pidfd, sync[2];
    int own_pid_ns_fd;
    pid_t pid;
};

static void starting_done(struct starting *s)
{
    int *fds[] = { &s->root_fd, &s->cgroup_fd, &s->pidfd, &s->sync[0], &s->sync[1], &s->own_pid_ns_fd };
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fd_close(take_fd(fds[i]));
}

static void starting_abort(struct starting *s)
{
    if (s->pid > 0) {
        (void)kill(s->pid, SIGKILL);
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    starting_done(s);
    runtime_cleanup(s->plan);
}

static uint64_t clone_flags(const struct plan *plan, int netns_fd)
{
    static const struct {
        enum plan_ns ns;
        uint64_t flag;
    } table[] = { { PLAN_NS_PID, CLONE_NEWPID }, { PLAN_NS_IPC, CLONE_NEWIPC }, { PLAN_NS_UTS, CLONE_NEWUTS } };
    uint64_t flags = CLONE_NEWNS | CLONE_PIDFD;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (plan->ns_mode[table[i].ns] == PLAN_NS_NEW)
            flags |= table[i].flag;
    if (plan->ns_mode[PLAN_NS_NET] == PLAN_NS_NEW && netns_fd < 0)
        flags |= CLONE_NEWNET;
    return flags;
}

/* Only the namespace of later children changes, and only for one clone. */
static int enter_pid_namespace(struct starting *s, int ns_fd, struct err *err)
{
    s->own_pid_ns_fd = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    if (s->own_pid_ns_fd < 0 || setns(ns_fd, CLONE_NEWPID) < 0)
        return err_sys(err, errno, "join pid namespace");
    return 0;
}

static _Noreturn void child_main(struct starting *s, struct child *child)
{
    int keep[28] = { s->sync[1], s->root_fd, child->netns_fd, child->stdio.stdin_fd, child->stdio.stdout_fd,
                     child->stdio.stderr_fd };
    size_t count = 6;
    for (size_t i = 0; i < child->ns_count && count < ARRAY_SIZE(keep); i++)
        keep[count++] = child->ns_fds[i];
    child_reset_signals();
    child_keep_only(keep, count);
    child->sync_fd = s->sync[1];
    child->root_fd = s->root_fd;
    child->layout = &s->layout;
    child->apparmor_on = !str_empty(child->process->apparmor) && access("/sys/module/apparmor/parameters/enabled", F_OK) == 0;
    child_run(child, start_phases, ARRAY_SIZE(start_phases));
}

static int spawn(struct starting *s, struct child *child, struct err *err)
{
    const struct plan *plan = s->plan;
    struct sys_clone_args args = { .flags = clone_flags(plan, child->netns_fd), .pidfd = (uint64_t)(uintptr_t)&s->pidfd,
                                   .exit_signal = SIGCHLD };
    if (s->cgroup_fd >= 0) {
        args.flags |= SYS_CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)s->cgroup_fd;
    }
    bool join = plan->ns_mode[PLAN_NS_PID] == PLAN_NS_JOIN;
    if (join && enter_pid_namespace(s, child->ns_fds[plan->ns_slot[PLAN_NS_PID]], err) < 0)
        return -1;
    pid_t pid = sys_clone3(&args);
    if (pid == 0)
        child_main(s, child);
    if (join && setns(s->own_pid_ns_fd, CLONE_NEWPID) < 0)
        err_sys(err, errno, "return to the pid namespace");
    if (pid < 0)
        return err_sys(err, pid, "clone the container's first process");
    s->pid = pid;
    fd_close(take_fd(&s->sync[1]));
    return err->kind == ERR_NONE ? 0 : -1;
}

static int prepare(struct starting *s, struct runtime_container *ret, struct err *err)
{
    int r = cgroup_layout_read(&s->layout);
    if (r < 0)
        return err_sys(err, r, "find the cgroup hierarchies");
    if (cgroups_prepare(s->plan, &s->layout, ret, err) < 0)
        return -1;
    if (s->layout.pure_v2) {
        char path[1024];
        r = cgroup_dir(&s->layout, "", s->plan->cgroup_path, path, sizeof path);
        s->cgroup_fd = r < 0 ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (s->cgroup_fd < 0)
            return err_sys(err, r < 0 ? r : errno, "open cgroup %s", s->plan->cgroup_path);
    }
    if (root_mount_make(s->plan, &s->root_fd, err) < 0)
        return -1;
    r = fd_socketpair(SOCK_SEQPACKET, s->sync);
    return r < 0 ? err_sys(err, r, "make a socket pair") : 0;
}

static int attach(struct starting *s, struct err *err)
{
    int r = s->cgroup_fd >= 0 ? 0 : cgroup_attach(&s->layout, s->plan->cgroup_path, s->pid);
    if (r == -ESRCH || r == -ENODEV)
        return 0; /* it has failed already; its message says why */
    if (r < 0)
        return err_sys(err, r, "attach to cgroup %s", s->plan->cgroup_path);
    (void)sync_send(s->sync[0], SYNC_ATTACHED, 0, NULL, -1);
    return 0;
}

int runtime_start(const struct plan *plan, const struct runtime_stdio *stdio, const int *ns_fds, size_t ns_count, int netns_fd,
                  struct runtime_container *ret, int *ret_exit_code, struct err *err)
{
    struct starting s = { .plan = plan, .root_fd = -1, .cgroup_fd = -1, .pidfd = -1, .sync = { -1, -1 }, .own_pid_ns_fd = -1 };
    struct child child = { .plan = plan, .process = &plan->process, .stdio = *stdio, .ns_fds = ns_fds, .ns_count = ns_count,
                           CHILD_INIT };
    struct wait_result wait = { .tty_master = -1, .pidfd = -1 };
    *ret_exit_code = EXIT_ENGINE;
    err_clear(err);
    child.netns_fd = netns_fd;
    if (check_plan(plan, ns_count, err) < 0)
        return -1;
    /* inherited: no process of a container may look into ours, nor into a child on its way in */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (prepare(&s, ret, err) < 0 || spawn(&s, &child, err) < 0 || attach(&s, err) < 0 ||
        wait_for_exec(s.sync[0], &wait, ret, ret_exit_code, err) < 0) {
        starting_abort(&s);
        fd_close(wait.tty_master);
        fd_close(wait.pidfd);
        return -1;
    }
    fd_close(wait.pidfd);
    ret->pid = s.pid;
    ret->pidfd = take_fd(&s.pidfd);
    ret->tty_master_fd = wait.tty_master;
    ret->start_ticks = proc_start_ticks(s.pid);
    ret->root_fd = fd_dup(s.root_fd);
    ret->root_mount_fd = take_fd(&s.root_fd);
    starting_done(&s);
    return 0;
}

void runtime_container_close(struct runtime_container *container)
{
    int *fds[] = { &container->pidfd, &container->root_fd, &container->root_mount_fd, &container->tty_master_fd };
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fd_close(take_fd(fds[i]));
    container->pid = -1;
}
