#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/runtime/internal.h"

#include <sched.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KEEP_MAX 32

void child_warn(struct child *child, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)sync_send(child->sync_fd, SYNC_WARNING, 0, text, -1);
}

int child_wait_attached(struct child *child, struct err *err)
{
    struct sync_message message;
    if (child->attached)
        return 0;
    int r = sync_recv(child->sync_fd, &message, NULL);
    if (r <= 0 || message.kind != SYNC_ATTACHED)
        _exit(EXIT_ENGINE); /* the parent has failed or died and knows why */
    child->attached = true;
    if (child->plan->ns_mode[PLAN_NS_CGROUP] == PLAN_NS_NEW && unshare(CLONE_NEWCGROUP) < 0)
        return err_sys(err, errno, "make a cgroup namespace");
    if (child->plan->ns_mode[PLAN_NS_CGROUP] == PLAN_NS_JOIN &&
        setns(child->ns_fds[child->plan->ns_slot[PLAN_NS_CGROUP]], CLONE_NEWCGROUP) < 0)
        return err_sys(err, errno, "join cgroup namespace");
    return 0;
}

/* The monitor ignores SIGPIPE and blocks what it reads from a signalfd; both would survive execve. */
void child_reset_signals(void)
{
    sigset_t none;
    struct sigaction action = { .sa_handler = SIG_DFL };
    for (int signal = 1; signal <= SIGRTMAX; signal++)
        (void)sigaction(signal, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int compare_fds(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* What is opened from here on must not get the numbers of the standard streams, which are laid over it at the end. */
static void occupy_standard_streams(void)
{
    int fd = 0;
    while (fd >= 0 && fd <= 2)
        fd = eventfd(0, EFD_CLOEXEC);
    fd_close(fd);
}

void child_keep_only(const int *keep, size_t count)
{
    int sorted[KEEP_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count && n < KEEP_MAX; i++)
        if (keep[i] >= 0)
            sorted[n++] = keep[i];
    qsort(sorted, n, sizeof *sorted, compare_fds);
    unsigned from = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned fd = (unsigned)sorted[i];
        if (fd > from)
            syscall(SYS_close_range, from, fd - 1, 0);
        from = MAX(from, fd + 1);
    }
    syscall(SYS_close_range, from, ~0U, 0);
    occupy_standard_streams();
}

_Noreturn void child_run(struct child *child, const child_phase *phases, size_t count)
{
    struct sync_message failure = { .kind = SYNC_FAILED };
    for (size_t i = 0; i < count; i++) {
        if (phases[i](child, &failure.err) == 0)
            continue;
        failure.value = child->exit_code;
        (void)fd_send(child->sync_fd, &failure, sizeof failure, NULL, 0);
        _exit(child->exit_code);
    }
    execute(child);
}
