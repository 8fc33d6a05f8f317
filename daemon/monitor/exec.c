#include "daemon/monitor/monitor.h"

#include "lib/base/fd.h"
#include "lib/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

struct exec *exec_find(struct monitor *monitor, const char *id)
{
    for (struct exec *exec = monitor->execs; exec; exec = exec->next)
        if (str_eq(exec->id, id))
            return exec;
    return NULL;
}

static void forget_old(struct monitor *monitor)
{
    for (struct exec **link = &monitor->execs; *link;) {
        struct exec *exec = *link;
        if (!exec->ended || exec->io.streams) {
            link = &exec->next;
            continue;
        }
        *link = exec->next;
        free(exec);
    }
}

static void on_exec_exit(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    struct exec *exec = arg;
    struct mon_fact fact = { .kind = MON_FACT_EXEC_EXIT };
    int status = 0;
    pid_t got;
    (void)loop;
    (void)events;
    do {
        got = waitpid(exec->pid, &status, __WALL);
    } while (got < 0 && errno == EINTR);
    watch_remove(watch);
    exec->watch = NULL;
    io_drain(&exec->io);
    fact.exit_code = got < 0 ? 255 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    fact.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    memcpy(fact.exec_id, exec->id, sizeof fact.exec_id);
    exec->ended = true;
    fact_append(exec->monitor, &fact);
    fd_close(take_fd(&exec->pidfd));
    io_finish_streams(&exec->io);
    io_close(&exec->io);
    streams_bury(&exec->io);
}

int exec_start(struct monitor *monitor, const struct mon_exec *request, const struct plan_process *process, int client_fd, const void *early,
               size_t early_length, struct exec **ret, int32_t *ret_exit_code, struct err *err)
{
    struct runtime_stdio child;
    int tty_master = -1, exit_code = 0;
    *ret_exit_code = 126;
    if (!monitor->running || monitor->paused) {
        fd_close(client_fd);
        return err_set(err, ERR_CONFLICT, "container %s is %s", monitor->view.plan.id, monitor->paused ? "paused" : "not running");
    }
    forget_old(monitor);
    struct exec *exec = xcalloc(1, sizeof *exec);
    exec->monitor = monitor;
    exec->pidfd = -1;
    exec->io = (struct io_set){ .monitor = monitor, .exec = exec, .stdin_once = true };
    memcpy(exec->id, request->exec_id, sizeof exec->id);
    exec->id[sizeof exec->id - 1] = '\0';
    int failed = io_prepare(&exec->io, process, &child);
    int result = failed < 0 ? err_sys(err, failed, "make the pipes of an exec")
                            : runtime_exec(&monitor->view.plan, &monitor->container, process, &child, &exec->pid, &exec->pidfd, &tty_master, &exit_code, err);
    fd_close(child.stdin_fd);
    fd_close(child.stdout_fd);
    fd_close(child.stderr_fd);
    if (result < 0) {
        *ret_exit_code = exit_code ? exit_code : 126;
        io_close(&exec->io);
        fd_close(client_fd);
        free(exec);
        return -1;
    }
    struct mon_fact fact = { .kind = MON_FACT_EXEC_START, .pid = exec->pid };
    memcpy(fact.exec_id, exec->id, sizeof fact.exec_id);
    fact_append(monitor, &fact);
    exec->next = monitor->execs;
    monitor->execs = exec;
    if (client_fd >= 0)
        stream_add(&exec->io, client_fd, request->attach_flags, request->detach_keys, MIN(request->detach_count, sizeof request->detach_keys));
    else if (exec->io.stdin_fd >= 0 && !process->tty)
        io_stdin_end(&exec->io);
    io_started(&exec->io, tty_master);
    io_stdin(&exec->io, early, early_length);
    exec->watch = loop_watch_fd(monitor->loop, exec->pidfd, EPOLLIN, on_exec_exit, exec);
    *ret = exec;
    *ret_exit_code = 0;
    return 0;
}
