/* Pid 1 of a container with --init: passes signals on, reaps what is orphaned, ends as its child ended. It is the cloned child
 * itself, without another exec: it holds no fd, has the container's own rights, cannot be dumped, and its memory holds nothing but
 * this container's plan. */
#include "lib/base/buf.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STAT_ARG_START = 48, STAT_ARG_END = 49 };

static char *title_memory;
static size_t title_size;

/* Where our own argv lies, so that "ps" shows an init and not the monitor. Must run while we may still read our own stat. */
int init_title_prepare(int proc_fd)
{
    char path[32], text[1024] = "";
    unsigned long values[2] = { 0, 0 };
    snprintf(path, sizeof path, "%d/stat", (int)getpid());
    int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t n = io_read_full(fd, text, sizeof text - 1);
    close(fd);
    char *at = n > 0 ? strrchr(text, ')') : NULL;
    for (int field = 2; at && field < STAT_ARG_END; field++) {
        at = strchr(at + 1, ' ');
        if (at && field + 1 >= STAT_ARG_START)
            values[field + 1 - STAT_ARG_START] = strtoul(at + 1, NULL, 10);
    }
    if (!values[0] || values[1] <= values[0])
        return -ENODATA;
    title_memory = (char *)values[0]; /* NOLINT(performance-no-int-to-ptr): the kernel's word for it */
    title_size = values[1] - values[0];
    return 0;
}

static void set_title(const char *const *argv)
{
    AUTO_BUF struct buf title = BUF_INIT(64 * 1024);
    (void)prctl(PR_SET_NAME, "docker-init", 0, 0, 0);
    if (!title_memory)
        return;
    buf_append(&title, "/sbin/docker-init\0--", sizeof "/sbin/docker-init\0--");
    for (; *argv; argv++)
        buf_append(&title, *argv, strlen(*argv) + 1);
    if (buf_failed(&title))
        return;
    size_t length = MIN(title.length, title_size - 1);
    memset(title_memory, 0, title_size);
    memcpy(title_memory, title.data, length);
}

/* Exits when the payload has; other children are only reaped. */
static void reap(pid_t payload)
{
    int status;
    for (;;) {
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return;
        if (pid != payload)
            continue;
        _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
    }
}

_Noreturn void init_loop(pid_t payload, const char *const *argv, int proc_fd)
{
    sigset_t all;
    (void)proc_fd;
    if (payload < 0)
        _exit(EXIT_ENGINE);
    syscall(SYS_close_range, 0, ~0U, 0);
    set_title(argv);
    sigfillset(&all);
    for (;;) {
        siginfo_t info;
        int signal = sigwaitinfo(&all, &info);
        if (signal == SIGCHLD)
            reap(payload);
        else if (signal > 0 && signal != SIGTTIN && signal != SIGTTOU)
            (void)kill(payload, signal);
    }
}
