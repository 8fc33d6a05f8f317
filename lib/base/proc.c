#include "lib/base/proc.h"

#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int proc_wait(pid_t pid, int *ret_status)
{
    pid_t got;
    do {
        got = waitpid(pid, ret_status, 0);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : 0;
}

unsigned long long proc_start_ticks(pid_t pid)
{
    char path[40], text[1024];
    unsigned long long ticks = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (at)
        sscanf(at, " %llu", &ticks);
    return ticks;
}

int proc_pidfd_open(pid_t pid)
{
    long fd = syscall(SYS_pidfd_open, pid, 0);
    return fd < 0 ? -errno : (int)fd;
}

int proc_pidfd_signal(int pidfd, int signal)
{
    return syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) < 0 ? -errno : 0;
}

#ifdef __GLIBC__ /* the daemon's side only: musl programs fork where they must */
/* Numbers clear of the wanted ones first, so that moving one fd never overwrites another. */
static bool is_named(const struct proc_spec *spec, int fd)
{
    for (size_t i = 0; i < spec->fd_count; i++)
        if (spec->fds[i].to == fd)
            return true;
    return false;
}

static int add_fds(posix_spawn_file_actions_t *actions, const struct proc_spec *spec, int *copies)
{
    int highest = 2;
    for (size_t i = 0; i < spec->fd_count; i++)
        highest = MAX(highest, spec->fds[i].to);
    for (size_t i = 0; i < spec->fd_count; i++) {
        copies[i] = fcntl(spec->fds[i].from, F_DUPFD_CLOEXEC, highest + 1);
        if (copies[i] < 0)
            return -errno;
    }
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
    for (size_t i = 0; i < spec->fd_count; i++)
        posix_spawn_file_actions_adddup2(actions, copies[i], spec->fds[i].to);
    for (int fd = 3; fd <= highest; fd++)
        if (!is_named(spec, fd))
            posix_spawn_file_actions_addclose(actions, fd);
    posix_spawn_file_actions_addclosefrom_np(actions, highest + 1);
    return 0;
}

int proc_spawn(const struct proc_spec *spec, pid_t *ret_pid, int *ret_pidfd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    char *empty[] = { NULL }, path[64];
    const char *own = str_after(spec->path, "/proc/self/fd/");
    /* by our own number: the child has closed its copy when it comes to exec */
    if (own)
        snprintf(path, sizeof path, "/proc/%d/fd/%s", (int)getpid(), own);
    AUTO_FREE int *copies = xmalloc(sizeof *copies * (spec->fd_count + 1));
    for (size_t i = 0; i < spec->fd_count; i++)
        copies[i] = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (spec->new_session)
        flags |= POSIX_SPAWN_SETSID;
    posix_spawnattr_setflags(&attributes, flags);
    int failed = add_fds(&actions, spec, copies);
    if (failed == 0)
        failed = -posix_spawn(ret_pid, own ? path : spec->path, &actions, &attributes, spec->argv, spec->env ? spec->env : empty);
    for (size_t i = 0; i < spec->fd_count; i++)
        fd_close(copies[i]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed < 0 || !ret_pidfd)
        return failed;
    *ret_pidfd = proc_pidfd_open(*ret_pid);
    if (*ret_pidfd >= 0)
        return 0;
    kill(*ret_pid, SIGKILL);
    (void)proc_wait(*ret_pid, NULL);
    return *ret_pidfd;
}
#endif
