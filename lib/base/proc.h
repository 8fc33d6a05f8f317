/* Processes without fork: posix_spawn with exactly the fds that are named. 0/pid or -errno. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
struct proc_fd {
    int from; /* ours */
    int to;   /* number in the child */
};
struct proc_spec {
    const char *path; /* absolute, or /proc/self/fd/N of a sealed memfd */
    char *const *argv;
    char *const *env;   /* NULL: empty environment */
    const struct proc_fd *fds; /* 0,1,2 not named become /dev/null */
    size_t fd_count;
    bool new_session;
};
/* All other fds are closed in the child, signals are default and unblocked. *ret_pidfd (may be NULL) is the caller's. */
int proc_spawn(const struct proc_spec *spec, pid_t *ret_pid, int *ret_pidfd);
int proc_wait(pid_t pid, int *ret_status); /* waitpid, EINTR retried */
/* Field 22 of /proc/PID/stat (clock ticks since boot): guards against pid reuse. 0 when there is no such process. */
unsigned long long proc_start_ticks(pid_t pid);
int proc_pidfd_open(pid_t pid);
int proc_pidfd_signal(int pidfd, int signal);
