/* Start, exit, restart, stop. The exit path: reap, drain the pipes, finish the log, then the fact; so whoever hears of the exit finds the log whole. */
#include "daemon/monitor/monitor.h"

#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 60000
#define LONG_RUN_NS (10 * NANOS_PER_SECOND)
#define LINGER_MS (10 * 60 * 1000)

static void on_exit_event(struct loop *loop, struct watch *watch, uint32_t events, void *arg);

static void close_child_ends(const struct runtime_stdio *child)
{
    fd_close(child->stdin_fd);
    fd_close(child->stdout_fd);
    fd_close(child->stderr_fd);
}

static void tell_warnings(struct monitor *monitor)
{
    for (int i = 0; i < monitor->container.warning_count && i < (int)ARRAY_SIZE(monitor->container.warnings); i++)
        fact_text(monitor, MON_FACT_WARNING, monitor->container.warnings[i]);
}

int container_start(struct monitor *monitor, int32_t *ret_exit_code, struct err *err)
{
    const struct plan *plan = &monitor->view.plan;
    struct runtime_stdio child;
    int exit_code = 0;
    int failed = io_prepare(&monitor->io, &plan->process, &child);
    *ret_exit_code = 125;
    if (failed < 0) {
        io_close(&monitor->io);
        return err_sys(err, failed, "make the container's pipes");
    }
    monitor->container = (struct runtime_container)RUNTIME_CONTAINER_INIT;
    int result = runtime_start(plan, &child, monitor->ns_fds, monitor->ns_count, monitor->netns_fd, &monitor->container, &exit_code, err);
    close_child_ends(&child);
    if (result < 0) {
        *ret_exit_code = exit_code ? exit_code : 125;
        io_close(&monitor->io);
        return -1;
    }
    monitor->running = monitor->ever_started = true;
    monitor->started_ns = time_monotonic_ns();
    monitor->oom_before = runtime_oom_kills(plan);
    monitor->exit_watch = loop_watch_fd(monitor->loop, monitor->container.pidfd, EPOLLIN, on_exit_event, monitor);
    io_started(&monitor->io, take_fd(&monitor->container.tty_master_fd));
    struct mon_fact fact = { .kind = MON_FACT_START, .pid = monitor->container.pid, .start_ticks = monitor->container.start_ticks,
                             .restart_count = monitor->restart_count };
    fact_append(monitor, &fact);
    tell_warnings(monitor);
    *ret_exit_code = 0;
    return 0;
}

static bool wants_restart(const struct monitor *monitor, int exit_code)
{
    if (monitor->stop_wanted)
        return false;
    switch ((enum plan_restart)monitor->restart) {
    case PLAN_RESTART_ALWAYS:
    case PLAN_RESTART_UNLESS_STOPPED:
        return true;
    case PLAN_RESTART_ON_FAILURE:
        return exit_code != 0 && (!monitor->restart_max || monitor->restart_count < monitor->restart_max);
    case PLAN_RESTART_NO:
    default:
        return false;
    }
}

static void on_restart(struct loop *loop, struct watch *timer, void *arg)
{
    struct monitor *monitor = arg;
    struct err err = { 0 };
    int32_t exit_code;
    (void)loop;
    (void)timer;
    if (monitor->stop_wanted || monitor->ended)
        return;
    if (container_start(monitor, &exit_code, &err) == 0)
        return;
    struct mon_fact fact = { .kind = MON_FACT_START_FAILED, .exit_code = exit_code };
    str_copy(fact.text, sizeof fact.text, err.text);
    fact_append(monitor, &fact);
    monitor_end(monitor);
}

static void schedule_restart(struct monitor *monitor, int64_t ran_ns)
{
    if (ran_ns >= LONG_RUN_NS || !monitor->backoff_ms)
        monitor->backoff_ms = BACKOFF_FIRST_MS;
    else
        monitor->backoff_ms = MIN(monitor->backoff_ms * 2, BACKOFF_MAX_MS);
    if (!monitor->restart_timer)
        monitor->restart_timer = loop_timer(monitor->loop, -1, on_restart, monitor);
    timer_arm(monitor->restart_timer, monitor->backoff_ms);
}

static void end_execs(struct monitor *monitor)
{
    for (struct exec *exec = monitor->execs; exec; exec = exec->next)
        if (!exec->ended && exec->pidfd >= 0)
            (void)proc_pidfd_signal(exec->pidfd, SIGKILL);
}

static int reap(struct monitor *monitor)
{
    int status = 0;
    pid_t got;
    do {
        got = waitpid(monitor->container.pid, &status, __WALL);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return 255;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void container_exited(struct monitor *monitor)
{
    const struct plan *plan = &monitor->view.plan;
    struct err ignored = { 0 };
    struct mon_fact fact = { .kind = MON_FACT_EXIT };
    fact.exit_code = monitor->last_exit_code = reap(monitor);
    fact.time_unix_ns = time_now_unix_ns();
    fact.signal = fact.exit_code > 128 ? fact.exit_code - 128 : 0;
    watch_remove(monitor->exit_watch);
    monitor->exit_watch = NULL;
    monitor->running = monitor->paused = false;
    end_execs(monitor);
    if (plan->ns_mode[PLAN_NS_PID] != PLAN_NS_NEW)
        (void)runtime_kill_all(plan, &ignored); /* no namespace took its other processes along */
    io_drain(&monitor->io);
    log_finish(&monitor->log);
    if (runtime_oom_kills(plan) > monitor->oom_before) {
        struct mon_fact oom = { .kind = MON_FACT_OOM, .time_unix_ns = fact.time_unix_ns };
        fact.flags |= MON_EXIT_OOM;
        fact_append(monitor, &oom);
    }
    bool again = wants_restart(monitor, fact.exit_code);
    if (again) {
        monitor->restart_count++;
        schedule_restart(monitor, time_monotonic_ns() - monitor->started_ns);
        fact.flags |= MON_EXIT_RESTARTING;
        fact.delay_ms = monitor->backoff_ms;
    }
    fact.flags |= monitor->stop_wanted ? MON_EXIT_STOPPED : 0;
    fact.restart_count = monitor->restart_count;
    fact_append(monitor, &fact);
    io_finish_streams(&monitor->io);
    io_close(&monitor->io);
    streams_bury(&monitor->io);
    if (again)
        runtime_container_close(&monitor->container);
    else
        monitor_end(monitor);
}

static void on_exit_event(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    (void)loop;
    (void)watch;
    (void)events;
    container_exited(arg);
}

static void on_stop_timeout(struct loop *loop, struct watch *timer, void *arg)
{
    struct monitor *monitor = arg;
    struct err ignored = { 0 };
    (void)loop;
    (void)timer;
    if (!monitor->running)
        return;
    (void)proc_pidfd_signal(monitor->container.pidfd, SIGKILL);
    if (monitor->paused)
        (void)container_pause(monitor, false, &ignored);
}

void container_stop(struct monitor *monitor, int signal, int timeout_ms)
{
    struct err ignored = { 0 };
    const struct plan *plan = &monitor->view.plan;
    monitor->stop_wanted = true;
    if (!monitor->running) { /* between two runs: it never starts again */
        if (!monitor->ever_started || monitor->ended)
            return;
        struct mon_fact fact = { .kind = MON_FACT_EXIT, .flags = MON_EXIT_STOPPED | MON_EXIT_BETWEEN, .exit_code = monitor->last_exit_code,
                                 .restart_count = monitor->restart_count };
        fact_append(monitor, &fact);
        monitor_end(monitor);
        return;
    }
    if (timeout_ms == -2)
        timeout_ms = (int)MIN(plan->stop_timeout_s, 2000000u) * 1000;
    (void)proc_pidfd_signal(monitor->container.pidfd, signal ? signal : (int)plan->stop_signal);
    if (monitor->paused)
        (void)container_pause(monitor, false, &ignored);
    if (!monitor->stop_timer)
        monitor->stop_timer = loop_timer(monitor->loop, -1, on_stop_timeout, monitor);
    timer_arm(monitor->stop_timer, timeout_ms);
}

int container_pause(struct monitor *monitor, bool pause, struct err *err)
{
    if (!monitor->running)
        return err_set(err, ERR_CONFLICT, "the container is not running");
    if (runtime_freeze(&monitor->view.plan, pause, err) < 0)
        return -1;
    if (monitor->paused != pause) {
        struct mon_fact fact = { .kind = pause ? MON_FACT_PAUSE : MON_FACT_UNPAUSE };
        monitor->paused = pause;
        fact_append(monitor, &fact);
    }
    return 0;
}

/* No client hears from us any more; only streams that still have something to send keep the process. */
static void on_linger(struct loop *loop, struct watch *timer, void *arg)
{
    (void)timer;
    (void)arg;
    loop_stop(loop);
}

/* An ended monitor may stay for a slow client, but is no longer asked for sockets: what it keeps would only be in the next daemon's way. */
static void drop_listeners(struct monitor *monitor)
{
    for (struct kept_listener *kept; (kept = monitor->listeners);) {
        monitor->listeners = kept->next;
        fd_close(kept->fd);
        free(kept);
    }
}

void monitor_end(struct monitor *monitor)
{
    struct mon_fact fact = { .kind = MON_FACT_END };
    if (monitor->ended)
        return;
    drop_listeners(monitor);
    log_close(&monitor->log);
    runtime_cleanup(&monitor->view.plan);
    fd_close(take_fd(&monitor->netns_fd));
    for (; monitor->ns_count > 0; monitor->ns_count--)
        fd_close(monitor->ns_fds[monitor->ns_count - 1]);
    fact_append(monitor, &fact);
    /* The last reference to the root's mount: its end syncs the upper file system, which may take long. Whoever removes the container need not
     * wait for it; whoever starts it again does, by our sockets. */
    runtime_container_close(&monitor->container);
    monitor->ended = true;
    if (!monitor->serving) /* else the one that asked hears the answer first */
        clients_close(monitor);
    monitor->linger_timer = loop_timer(monitor->loop, LINGER_MS, on_linger, monitor);
    monitor_maybe_exit(monitor);
}

void monitor_maybe_exit(struct monitor *monitor)
{
    if (!monitor->ended || monitor->serving || monitor->io.streams)
        return;
    for (struct exec *exec = monitor->execs; exec; exec = exec->next)
        if (!exec->ended || exec->io.streams)
            return;
    loop_stop(monitor->loop);
}
