/* Theory of operation. A monitor appends numbered facts; the daemon applies each exactly once, in order (status.facts_applied is stored with
 * the state it led to). A notice, a reply or the end of the monitor's socket are only hints to look. The end of the socket without an end in
 * the facts means that the monitor was killed: its container dies with it. */
#include "daemon/engine/internal.h"

#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"
#include "daemon/engine/monitor_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct applying {
    struct container *container;
    bool ended;
};

static void event_with(struct container *container, const char *action, const char *key, int64_t value, const char *key2, const char *text, int64_t time_ns)
{
    struct str_map more = { 0 };
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)value);
    str_map_set(&more, key, number);
    if (key2)
        str_map_set(&more, key2, text);
    container_event_locked(container, action, &more, time_ns);
    str_map_clear(&more);
}

static void apply_start(struct container *container, const struct mon_fact *fact)
{
    struct container_status *status = &container->status;
    status->code = STATUS_RUNNING;
    status->pid = fact->pid;
    status->start_ticks = (int64_t)fact->start_ticks;
    status->started_unix_ns = fact->time_unix_ns;
    status->restart_count = fact->restart_count;
    status->has_started = true;
    status->exit_code = 0;
    status->oom_killed = false;
    free(take_ptr(&status->error));
    container_event_locked(container, "start", NULL, fact->time_unix_ns);
}

static void apply_exit(struct container *container, const struct mon_fact *fact)
{
    struct container_status *status = &container->status;
    bool again = fact->flags & MON_EXIT_RESTARTING;
    char seconds[24];
    if (fact->flags & MON_EXIT_BETWEEN) {
        status->code = STATUS_EXITED;
        obj_map_clear_ports(&status->ports);
        container->start_generation++;
        return;
    }
    snprintf(seconds, sizeof seconds, "%lld", (long long)((fact->time_unix_ns - status->started_unix_ns) / NANOS_PER_SECOND));
    status->pid = 0;
    status->exit_code = fact->exit_code;
    status->finished_unix_ns = fact->time_unix_ns;
    status->oom_killed = fact->flags & MON_EXIT_OOM;
    status->code = again ? STATUS_RESTARTING : STATUS_EXITED;
    if (again)
        status->restart_count = fact->restart_count;
    else
        obj_map_clear_ports(&status->ports);
    container->start_generation++;
    event_with(container, "die", "exitCode", fact->exit_code, "execDuration", seconds, fact->time_unix_ns);
}

static void apply_start_failed(struct container *container, const struct mon_fact *fact)
{
    struct container_status *status = &container->status;
    status->pid = 0;
    status->exit_code = fact->exit_code;
    status->finished_unix_ns = fact->time_unix_ns;
    if (container_is_running(container))
        status->code = STATUS_EXITED;
    free(status->error);
    status->error = xstrndup(fact->text, sizeof fact->text);
    container->start_generation++;
}

static void apply_exec(struct container *container, const struct mon_fact *fact)
{
    struct exec *exec = map_get(container->engine->execs, fact->exec_id);
    if (exec && fact->kind == MON_FACT_EXEC_START) {
        exec->running = exec->started = true;
        exec->pid = fact->pid;
    } else if (exec) {
        exec->running = false;
        exec->has_exit = true;
        exec->exit_code = fact->exit_code;
        exec->pid = 0;
    }
    if (exec)
        exec_save_locked(exec);
    if (fact->kind == MON_FACT_EXEC_EXIT)
        event_with(container, "exec_die", "exitCode", fact->exit_code, "execID", fact->exec_id, fact->time_unix_ns);
}

static void apply_locked(struct applying *applying, const struct mon_fact *fact)
{
    struct container *container = applying->container;
    switch ((enum mon_fact_kind)fact->kind) {
    case MON_FACT_START:
        apply_start(container, fact);
        break;
    case MON_FACT_EXIT:
        apply_exit(container, fact);
        break;
    case MON_FACT_OOM:
        container_event_locked(container, "oom", NULL, fact->time_unix_ns);
        break;
    case MON_FACT_PAUSE:
        container->status.code = STATUS_PAUSED;
        container_event_locked(container, "pause", NULL, fact->time_unix_ns);
        break;
    case MON_FACT_UNPAUSE:
        container->status.code = STATUS_RUNNING;
        container_event_locked(container, "unpause", NULL, fact->time_unix_ns);
        break;
    case MON_FACT_EXEC_START:
    case MON_FACT_EXEC_EXIT:
        apply_exec(container, fact);
        break;
    case MON_FACT_START_FAILED:
        apply_start_failed(container, fact);
        break;
    case MON_FACT_LOG_LOSS:
    case MON_FACT_WARNING:
        log_warn("container=%.12s %.*s", container->record.id, (int)sizeof fact->text, fact->text);
        break;
    case MON_FACT_DETACH:
        container_event_locked(container, fact->exec_id[0] ? "exec_detach" : "detach", NULL, fact->time_unix_ns);
        break;
    case MON_FACT_END:
        container->monitor_ended = true;
        applying->ended = true;
        break;
    }
}

static void auto_remove(struct engine *engine, void *arg)
{
    struct container *container = arg;
    struct err err = { 0 };
    mutex_lock(&engine->lock);
    bool wanted = container->record.host_config.auto_remove && !container->removed && !container_is_running(container) &&
                  container_claim_locked(container, CLAIM_REMOVE, "auto-remove", &err) == 0;
    mutex_unlock(&engine->lock);
    if (wanted && container_remove_claimed(container, true, &err) < 0)
        log_warn("cannot remove container=%.12s error=%s", container->record.id, err.text);
    container_unref(container);
}

static void on_fact(const struct mon_fact *fact, void *arg)
{
    struct applying *applying = arg;
    struct container *container = applying->container;
    struct engine *engine = container->engine;
    bool final_exit = (fact->kind == MON_FACT_EXIT && !(fact->flags & MON_EXIT_RESTARTING)) || fact->kind == MON_FACT_START_FAILED;
    if (final_exit) /* ports and addresses are free before anybody hears of the exit */
        container_network_down(container);
    mutex_lock(&engine->lock);
    apply_locked(applying, fact);
    container->status.facts_applied = (int64_t)fact->number + 1;
    container_changed_locked(container);
    bool remove = final_exit && container->status.has_started && container->record.host_config.auto_remove && !engine->stopping;
    if (remove)
        container_ref_locked(container);
    mutex_unlock(&engine->lock);
    if (remove)
        engine_call_later(engine, auto_remove, container);
}

/* 1: the monitor has ended, 0: it goes on, -1: there is no facts file */
int facts_sync(struct container *container)
{
    struct engine *engine = container->engine;
    AUTO_FREE char *path = str_format("%s/facts", container->record.id);
    mutex_lock(&container->facts_lock);
    AUTO_FD int fd = openat(engine->exec_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct applying applying = { container, false };
    int64_t count = fd < 0 ? -errno : mon_facts_read(fd, (uint64_t)container->status.facts_applied, on_fact, &applying);
    mutex_unlock(&container->facts_lock);
    return count < 0 ? -1 : applying.ended;
}

#define END_TRIES 200
#define END_PAUSE_NS 10000000L

/* Nobody is their parent any more: the groups can go once the kernel has let go of the last process. */
static void end_processes(struct container *container)
{
    struct engine *engine = container->engine;
    AUTO_FREE char *cgroup = container_cgroup_path(container);
    for (int i = 0; i < END_TRIES; i++) {
        (void)cgroup_kill(&engine->cgroups, cgroup);
        if (cgroup_remove(&engine->cgroups, cgroup) != -EBUSY)
            return;
        nanosleep(&(struct timespec){ .tv_nsec = END_PAUSE_NS }, NULL);
    }
    log_error("container=%.12s some processes outlive their killed monitor", container->record.id);
}

static void died_with_monitor(struct container *container)
{
    struct engine *engine = container->engine;
    end_processes(container);
    container_network_down(container);
    mutex_lock(&engine->lock);
    struct mon_fact fact = { .kind = MON_FACT_EXIT, .exit_code = 137, .time_unix_ns = time_now_unix_ns() };
    apply_exit(container, &fact);
    execs_lost_locked(container, 137);
    free(container->status.error);
    container->status.error = xstrdup("the container's monitor was killed");
    container_changed_locked(container);
    mutex_unlock(&engine->lock);
}

void container_monitor_gone(struct container *container)
{
    struct engine *engine = container->engine;
    struct err ignored = { 0 };
    (void)facts_sync(container);
    if (container_is_running(container))
        died_with_monitor(container);
    mutex_lock(&engine->lock);
    uint64_t ticket = container_changed_locked(container);
    mutex_unlock(&engine->lock);
    /* the facts may go once the row tells them all; and before the next monitor may come */
    (void)db_wait(engine->db, ticket, &ignored);
    (void)path_remove_tree_at(engine->exec_fd, container->record.id);
    mutex_lock(&engine->lock);
    container->monitor_alive = false;
    container_changed_locked(container);
    bool remove = container->record.host_config.auto_remove && container->status.has_started && !container->removed &&
                  container->claim == CLAIM_NONE && !engine->stopping;
    if (remove)
        container_ref_locked(container);
    mutex_unlock(&engine->lock);
    if (remove)
        engine_call_later(engine, auto_remove, container);
}

/* ---- the housekeeping thread ---- */

struct loop_call {
    void (*fn)(struct container *container);
    struct container *container;
    struct loop_call *next;
};

/* A monitor closes its socket a moment before it has ended. */
#define REAP_DELAY_MS 100

static void on_reap(struct loop *loop, struct watch *timer, void *arg)
{
    (void)loop;
    watch_remove(timer);
    monitors_reap(arg);
}

static void on_monitor(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    struct container *container = arg;
    char packet[2048];
    ssize_t got = 1;
    while (got > 0)
        got = recv(container->monitor_sock, packet, sizeof packet, MSG_DONTWAIT);
    bool gone = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR) || (events & (EPOLLHUP | EPOLLERR));
    if (!gone) {
        (void)facts_sync(container);
        return;
    }
    watch_remove(watch);
    container->monitor_watch = NULL;
    fd_close(container->monitor_sock);
    container->monitor_sock = -1;
    container_monitor_gone(container);
    (void)loop_timer(loop, REAP_DELAY_MS, on_reap, container->engine);
    container_unref(container);
}

static void watch_now(struct container *container)
{
    container->monitor_watch = loop_watch_fd(container->engine->loop, container->monitor_sock, EPOLLIN, on_monitor, container);
}

/* The reference goes to the watch. */
void facts_watch(struct container *container, int monitor_sock)
{
    struct engine *engine = container->engine;
    struct loop_call *call = xcalloc(1, sizeof *call);
    *call = (struct loop_call){ watch_now, container, NULL };
    (void)fd_set_nonblock(monitor_sock, true);
    mutex_lock(&engine->lock);
    container_ref_locked(container);
    container->monitor_sock = monitor_sock;
    container->monitor_alive = true;
    struct loop_call **last = &engine->calls;
    while (*last)
        last = &(*last)->next;
    *last = call;
    mutex_unlock(&engine->lock);
    loop_wake(engine->loop);
}

void housekeeping_empty_trash(struct engine *engine)
{
    mutex_lock(&engine->lock);
    engine->trash_waits = true;
    mutex_unlock(&engine->lock);
    loop_wake(engine->loop);
}

/* true: there is something in the trash that need not stay there for long */
static bool run_calls(struct engine *engine)
{
    mutex_lock(&engine->lock);
    struct loop_call *calls = take_ptr(&engine->calls);
    bool trash = engine->trash_waits;
    engine->trash_waits = false;
    mutex_unlock(&engine->lock);
    while (calls) {
        struct loop_call *call = calls;
        calls = call->next;
        call->fn(call->container);
        free(call);
    }
    return trash;
}

#define TRASH_IDLE_MS 30000
#define TRASH_BUSY_MS 100

static void *housekeeping_run(void *arg)
{
    struct engine *engine = arg;
    int64_t trash_at = time_monotonic_ns();
    while (!engine->stopping) {
        int64_t left = (trash_at - time_monotonic_ns()) / 1000000;
        int failed = loop_step(engine->loop, (int)MAX(left, 0));
        if (failed < 0 && failed != -EINTR)
            log_error("housekeeping error=%s", err_strerror(-failed));
        if (run_calls(engine) || time_monotonic_ns() >= trash_at)
            trash_at = time_monotonic_ns() + (store_trash_step(engine->store) > 0 ? TRASH_BUSY_MS : TRASH_IDLE_MS) * 1000000LL;
    }
    return NULL;
}

int housekeeping_start(struct engine *engine, struct err *err)
{
    int failed = pthread_create(&engine->housekeeping, NULL, housekeeping_run, engine);
    if (failed)
        return err_sys(err, failed, "start the housekeeping thread");
    engine->housekeeping_runs = true;
    return 0;
}

void housekeeping_stop(struct engine *engine)
{
    if (!engine->housekeeping_runs)
        return;
    loop_wake(engine->loop);
    pthread_join(engine->housekeeping, NULL);
    engine->housekeeping_runs = false;
}

struct later {
    struct engine *engine;
    void (*fn)(struct engine *engine, void *arg);
    void *arg;
};

static void *run_later_now(void *arg)
{
    struct later later = *(struct later *)arg;
    free(arg);
    later.fn(later.engine, later.arg);
    mutex_lock(&later.engine->lock);
    later.engine->later_count--;
    cond_broadcast(&later.engine->changed);
    mutex_unlock(&later.engine->lock);
    return NULL;
}

/* While the engine loads, its maps belong to the one thread that fills them. */
static void *run_later(void *arg)
{
    struct engine *engine = ((struct later *)arg)->engine;
    mutex_lock(&engine->lock);
    while (engine->loading)
        cond_wait(&engine->changed, &engine->lock);
    mutex_unlock(&engine->lock);
    return run_later_now(arg);
}

void engine_call_later(struct engine *engine, void (*fn)(struct engine *engine, void *arg), void *arg)
{
    struct later *later = xcalloc(1, sizeof *later);
    *later = (struct later){ engine, fn, arg };
    mutex_lock(&engine->lock);
    engine->later_count++;
    mutex_unlock(&engine->lock);
    int failed = thread_spawn(run_later, later);
    if (failed < 0) { /* no thread to be had: do it here */
        log_warn("cannot start a thread errno=%d", -failed);
        run_later_now(later);
    }
}

/* ---- at start: who is still there? ---- */

static void reconnect(struct container *container)
{
    struct engine *engine = container->engine;
    struct err err = { 0 };
    int sock = monitor_connect(engine->options.exec_root, container->record.id, &err);
    if (sock >= 0) {
        (void)facts_sync(container);
        facts_watch(container, sock);
        return;
    }
    int known = facts_sync(container);
    if (known >= 0) {
        container_monitor_gone(container);
    } else if (container_is_running(container)) { /* the machine was restarted: exec-root is empty */
        mutex_lock(&engine->lock);
        container->status.code = STATUS_EXITED;
        container->status.exit_code = 255;
        container->status.pid = 0;
        container->status.finished_unix_ns = time_now_unix_ns();
        execs_lost_locked(container, 255);
        obj_map_clear_ports(&container->status.ports);
        container_changed_locked(container);
        mutex_unlock(&engine->lock);
    }
}

void containers_reconnect(struct engine *engine)
{
    size_t count = map_count(engine->containers), n = 0;
    AUTO_FREE struct container **all = xcalloc(count + 1, sizeof *all);
    void *value;
    for (size_t cursor = 0; n < count && map_next(engine->containers, &cursor, NULL, &value);)
        all[n++] = value;
    for (size_t i = 0; i < n; i++)
        reconnect(all[i]);
}
