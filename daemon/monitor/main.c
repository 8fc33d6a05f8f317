#include "daemon/monitor/monitor.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/log.h"
#include "lib/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void on_connection(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    struct monitor *monitor = arg;
    struct ucred peer;
    socklen_t length = sizeof peer;
    (void)loop;
    (void)watch;
    (void)events;
    int sock = accept4(monitor->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (sock < 0)
        return;
    if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.uid != 0) {
        fd_close(sock);
        return;
    }
    client_add(monitor, sock, false);
}

/* bind() takes no directory fd: the path goes through /proc/self/fd of the state directory. */
static int listen_here(struct monitor *monitor)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/sock", monitor->state_fd);
    monitor->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0177);
    int failed = bind(monitor->listen_fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(monitor->listen_fd, 64) < 0;
    umask(old);
    if (failed)
        return -errno;
    monitor->listen_watch = loop_watch_fd(monitor->loop, monitor->listen_fd, EPOLLIN, on_connection, monitor);
    return monitor->listen_watch ? 0 : -errno;
}

static int read_plan(struct monitor *monitor, struct err *err)
{
    struct stat info;
    if (fstat(MON_FD_PLAN, &info) < 0)
        return err_sys(err, errno, "read the plan");
    monitor->plan_length = (size_t)info.st_size;
    monitor->plan_bytes = mmap(NULL, monitor->plan_length, PROT_READ, MAP_PRIVATE, MON_FD_PLAN, 0);
    if (monitor->plan_bytes == MAP_FAILED)
        return err_sys(err, errno, "map the plan");
    fd_close(MON_FD_PLAN);
    return plan_decode(monitor->plan_bytes, monitor->plan_length, &monitor->view, err);
}

static void calm_signals(void)
{
    static const int ignored[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT, SIGUSR1, SIGUSR2, SIGTTOU, SIGTTIN, SIGTSTP };
    for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
        (void)signal(ignored[i], SIG_IGN);
}

static int set_up(struct monitor *monitor, struct err *err)
{
    char pid_text[64];
    for (int fd = MON_FD_SPAWNER; fd <= MON_FD_CONTAINER; fd++)
        (void)fd_set_cloexec(fd, true);
    monitor->state_fd = MON_FD_STATE;
    monitor->container_fd = MON_FD_CONTAINER;
    if (read_plan(monitor, err) < 0)
        return -1;
    monitor->loop = loop_new();
    if (!monitor->loop)
        return err_sys(err, errno, "make the event loop");
    monitor->facts_fd = openat(monitor->state_fd, "facts", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (monitor->facts_fd < 0)
        return err_sys(err, errno, "make the facts file");
    snprintf(pid_text, sizeof pid_text, "%d %llu\n", (int)getpid(), proc_start_ticks(getpid()));
    int failed = io_replace_file_at(monitor->state_fd, "pid", pid_text, strlen(pid_text), 0600, false);
    if (failed == 0)
        failed = listen_here(monitor);
    return failed < 0 ? err_sys(err, failed, "make the monitor's socket") : 0;
}

int main(int argc, char **argv)
{
    struct monitor *monitor = xcalloc(1, sizeof *monitor);
    struct err err = { 0 };
    (void)argc;
    (void)argv;
    calm_signals();
    (void)prctl(PR_SET_NAME, "holk-monitor"); /* started from a memfd, it would be called by the number of that */
    log_setup(2, LOG_WARN, "holk-monitor");
    monitor->netns_fd = monitor->listen_fd = monitor->facts_fd = -1;
    monitor->container = (struct runtime_container)RUNTIME_CONTAINER_INIT;
    (void)io_write_control_at(AT_FDCWD, "/proc/self/oom_score_adj", "-999");
    if (chdir("/") < 0 || set_up(monitor, &err) < 0) {
        log_error("cannot start error=%s", err.text);
        return 1;
    }
    const struct plan *plan = &monitor->view.plan;
    monitor->restart = plan->restart;
    monitor->restart_max = plan->restart_max;
    monitor->io = (struct io_set){ .monitor = monitor, .stdin_fd = -1, .stdin_once = plan->stdin_once, .tty = plan->process.tty, .log = &monitor->log,
                                   .stdin_pending = BUF_INIT((size_t)256 * 1024) };
    monitor->io.out.fd = monitor->io.err.fd = -1;
    log_open(&monitor->log, monitor);
    client_add(monitor, MON_FD_SPAWNER, true);
    int failed = loop_run(monitor->loop);
    return failed < 0;
}
