/* start, stop, restart, kill, pause, unpause, rename, wait, resize: what Docker's verbs mean for our state machine. */
#include "daemon/engine/internal.h"
#include "daemon/engine/monitor_link.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Somebody has killed the monitor this moment: its container ends, and the caller finds it ended. */
static void wait_if_monitor_is_gone(struct container *container)
{
    struct err ignored = { 0 };
    AUTO_FD int sock = monitor_connect(container->engine->options.exec_root, container->record.id, &ignored);
    if (sock < 0)
        (void)container_wait_stopped(container, 5000, -1);
}

static int tell_monitor(struct container *container, uint16_t verb, const void *body, size_t length, struct err *err)
{
    struct monitor_reply reply;
    int result = monitor_request(container->engine->options.exec_root, container->record.id, verb, body, length, NULL, 0, &reply, err);
    monitor_reply_done(&reply);
    if (result < 0)
        wait_if_monitor_is_gone(container);
    return result;
}

/* The caller's claim. A container that was to remove itself goes when it cannot even start, as with Docker. */
static int launch_claimed(struct container *container, struct err *err)
{
    struct err ignored = { 0 };
    if (container_launch(container, err) == 0)
        return 0;
    if (!container->record.host_config.auto_remove)
        return -1;
    mutex_lock(&container->engine->lock);
    container->claim = CLAIM_REMOVE;
    mutex_unlock(&container->engine->lock);
    (void)container_remove_claimed(container, true, &ignored);
    return -1;
}

static int start_claimed(struct container *container, struct err *err)
{
    int64_t code = container->status.code;
    if (code == STATUS_PAUSED)
        return err_set(err, ERR_CONFLICT, "cannot start a paused container, try unpause instead");
    if (code == STATUS_RUNNING || code == STATUS_RESTARTING)
        return err_set(err, ERR_NOT_MODIFIED, "container already started");
    if (code == STATUS_REMOVING || code == STATUS_DEAD)
        return err_set(err, ERR_CONFLICT, "container is marked for removal and cannot be started");
    return launch_claimed(container, err);
}

int engine_container_start(struct engine *engine, const char *ref, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    mutex_lock(&engine->lock);
    int result = container_claim_locked(container, CLAIM_START, "start", err);
    mutex_unlock(&engine->lock);
    if (result < 0)
        return -1;
    result = start_claimed(container, err);
    mutex_lock(&engine->lock);
    container_release_locked(container);
    mutex_unlock(&engine->lock);
    return result;
}

#define TIMEOUT_DEFAULT INT64_MIN

static int stop_running(struct container *container, int signal, int64_t timeout_s, struct err *err)
{
    struct engine *engine = container->engine;
    if (timeout_s == TIMEOUT_DEFAULT)
        timeout_s = container->record.config.stop_timeout.present ? container->record.config.stop_timeout.value : 10;
    int64_t timeout_ms = timeout_s < 0 ? -1 : MIN(timeout_s, 86400 * 20) * 1000;
    struct mon_stop stop = { .signal = signal, .timeout_ms = (int32_t)timeout_ms };
    mutex_lock(&engine->lock);
    container->status.stopped_by_user = true;
    mutex_unlock(&engine->lock);
    if (tell_monitor(container, MON_STOP, &stop, sizeof stop, err) < 0 && container_is_running(container))
        return -1;
    err_clear(err);
    (void)container_wait_stopped(container, -1, -1);
    return 0;
}

static void note_stop(struct container *container)
{
    mutex_lock(&container->engine->lock);
    container->status.stopped_by_user = true;
    container_event_locked(container, "stop", NULL, 0);
    container_changed_locked(container);
    mutex_unlock(&container->engine->lock);
}

static int stop_signal(const char *text, int *ret, struct err *err)
{
    *ret = 0;
    return str_empty(text) ? 0 : signal_parse(text, ret, err);
}

int engine_container_stop(struct engine *engine, const char *ref, const char *signal, int64_t timeout_s, struct err *err)
{
    int number;
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container || stop_signal(signal, &number, err) < 0)
        return -1;
    if (!container_is_running(container))
        return err_set(err, ERR_NOT_MODIFIED, "container already stopped");
    if (stop_running(container, number, timeout_s, err) < 0)
        return err_wrap(err, "cannot stop container: %s", ref);
    note_stop(container);
    return 0;
}

int engine_container_restart(struct engine *engine, const char *ref, const char *signal, int64_t timeout_s, struct err *err)
{
    int number;
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container || stop_signal(signal, &number, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    int result = container_claim_locked(container, CLAIM_START, "restart", err);
    bool auto_remove = container->record.host_config.auto_remove;
    container->record.host_config.auto_remove = false; /* the stop in the middle must not remove it */
    mutex_unlock(&engine->lock);
    if (result == 0 && container_is_running(container)) {
        result = stop_running(container, number, timeout_s, err);
        if (result == 0)
            note_stop(container);
    }
    if (result == 0)
        result = start_claimed(container, err);
    mutex_lock(&engine->lock);
    container->record.host_config.auto_remove = auto_remove;
    if (result == 0)
        container_event_locked(container, "restart", NULL, 0);
    container_release_locked(container);
    mutex_unlock(&engine->lock);
    return result < 0 ? err_wrap(err, "Cannot restart container %s", ref) : 0;
}

int engine_container_kill(struct engine *engine, const char *ref, const char *signal, struct err *err)
{
    int number = SIGKILL;
    if (!str_empty(signal) && signal_parse(signal, &number, err) < 0)
        return -1;
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    if (!container_is_running(container))
        return err_set(err, ERR_CONFLICT, "container %s is not running", container->record.id);
    int result;
    if (number == SIGKILL) {
        struct mon_stop stop = { .signal = SIGKILL, .timeout_ms = -1 };
        result = tell_monitor(container, MON_STOP, &stop, sizeof stop, err);
    } else {
        struct mon_signal message = { .signal = number };
        result = tell_monitor(container, MON_SIGNAL, &message, sizeof message, err);
    }
    if (result < 0 && container_is_running(container))
        return err_wrap(err, "cannot kill container: %s", ref);
    err_clear(err);
    struct str_map more = { 0 };
    AUTO_FREE char *text = str_format("%d", number);
    str_map_set(&more, "signal", text);
    mutex_lock(&engine->lock);
    container_event_locked(container, "kill", &more, 0);
    mutex_unlock(&engine->lock);
    str_map_clear(&more);
    if (number == SIGKILL)
        (void)container_wait_stopped(container, 10000, -1);
    return 0;
}

static int freeze(struct engine *engine, const char *ref, bool pause, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    int64_t code = container->status.code;
    if (pause && code == STATUS_PAUSED)
        return err_set(err, ERR_CONFLICT, "Container %s is already paused", container->record.id);
    if (!pause && code != STATUS_PAUSED)
        return err_set(err, ERR_INTERNAL, "Container %s is not paused", container->record.id);
    if (pause && code == STATUS_RESTARTING)
        return err_set(err, ERR_CONFLICT, "Container %s is restarting, wait until the container is running", container->record.id);
    if (pause && code != STATUS_RUNNING)
        return err_set(err, ERR_CONFLICT, "container %s is not running", container->record.id);
    int result = tell_monitor(container, pause ? MON_PAUSE : MON_UNPAUSE, NULL, 0, err);
    (void)facts_sync(container);
    return result < 0 ? err_wrap(err, "Cannot %s container %s", pause ? "pause" : "unpause", ref) : 0;
}

int engine_container_pause(struct engine *engine, const char *ref, struct err *err)
{
    return freeze(engine, ref, true, err);
}

int engine_container_unpause(struct engine *engine, const char *ref, struct err *err)
{
    return freeze(engine, ref, false, err);
}

int engine_container_rename(struct engine *engine, const char *ref, const char *name, struct err *err)
{
    const char *bare = name && name[0] == '/' ? name + 1 : name;
    uint64_t ticket = 0;
    int result = -1;
    if (str_empty(bare))
        return err_set(err, ERR_INVALID, "Neither old nor new names may be empty");
    if (container_name_check(name, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    struct container *container = container_find_locked(engine, ref, err);
    struct container *holder = map_get(engine->container_names, bare);
    if (container && holder == container) {
        err_set(err, ERR_INVALID, "Renaming a container with the same name as its current name");
    } else if (container && holder) {
        err_set(err, ERR_CONFLICT, "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or rename) that container to be able to reuse that name.",
                bare, holder->record.id);
    } else if (container) {
        struct str_map more = { 0 };
        AUTO_FREE char *old = str_format("/%s", container->record.name);
        map_remove(engine->container_names, container->record.name);
        free(container->record.name);
        container->record.name = xstrdup(bare);
        map_set(engine->container_names, bare, container);
        str_map_set(&more, "oldName", old);
        container_event_locked(container, "rename", &more, 0);
        str_map_clear(&more);
        container_save_record_locked(container, &ticket);
        result = 0;
    }
    mutex_unlock(&engine->lock);
    return result < 0 ? -1 : db_wait(engine->db, ticket, err);
}

int engine_container_resize(struct engine *engine, const char *ref, unsigned rows, unsigned cols, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    if (!container_is_running(container))
        return err_set(err, ERR_CONFLICT, "container %s is not running", container->record.id);
    if (!container->record.config.tty)
        return 0; /* nothing to resize, and no failure in Docker */
    struct mon_resize resize = { .cols = cols, .rows = rows };
    return tell_monitor(container, MON_RESIZE, &resize, sizeof resize, err);
}

/* ---- wait ---- */

enum wait_kind { WAIT_NOT_RUNNING, WAIT_NEXT_EXIT, WAIT_REMOVED };

static int wait_kind_of(const char *condition, enum wait_kind *ret, struct err *err)
{
    static const char *const names[] = { "not-running", "next-exit", "removed" };
    *ret = WAIT_NOT_RUNNING;
    if (str_empty(condition))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_eq(names[i], condition)) {
            *ret = (enum wait_kind)i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "invalid condition: \"%s\"", condition);
}

static bool wait_is_over(const struct container *container, enum wait_kind kind, uint64_t generation)
{
    switch (kind) {
    case WAIT_NEXT_EXIT:
        return container->start_generation != generation || container->removed;
    case WAIT_REMOVED:
        return container->removed;
    case WAIT_NOT_RUNNING:
    default:
        return !container_is_running(container);
    }
}

int engine_container_wait(struct engine *engine, const char *ref, const char *condition, void (*begun)(void *arg), void *arg, int client_fd,
                          struct container_wait_response *ret, struct err *err)
{
    enum wait_kind kind;
    struct state_waiter waiter = { .wake_fd = -1 };
    if (wait_kind_of(condition, &kind, err) < 0)
        return -1;
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    waiter.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool gone = false;
    mutex_lock(&engine->lock);
    uint64_t generation = container->start_generation;
    waiter_add_locked(container, &waiter);
    mutex_unlock(&engine->lock);
    if (begun)
        begun(arg);
    mutex_lock(&engine->lock);
    while (!gone && !engine->stopping && !wait_is_over(container, kind, generation)) {
        short ready = 0, client = 0;
        uint64_t drained;
        mutex_unlock(&engine->lock);
        (void)io_poll2(waiter.wake_fd, POLLIN, client_fd, 0, -1, &ready, &client);
        if (read(waiter.wake_fd, &drained, sizeof drained) < 0)
            drained = 0;
        gone = client & (POLLHUP | POLLERR);
        mutex_lock(&engine->lock);
    }
    waiter_remove_locked(container, &waiter);
    *ret = (struct container_wait_response){ .status_code = container->status.exit_code };
    mutex_unlock(&engine->lock);
    fd_close(waiter.wake_fd);
    return gone ? err_set(err, ERR_CANCELLED, "the client has left") : 0;
}
