/* logs and attach: what flows between a client and a container. The bytes of an attach never pass through here: the client's socket is
 * handed to the monitor. */
#include "daemon/engine/attach.h"
#include "daemon/engine/log_file.h"
#include "daemon/engine/monitor_link.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

int engine_container_has_tty(struct engine *engine, const char *ref, bool *ret, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    *ret = container->record.config.tty;
    return 0;
}

/* ---- logs ---- */

struct log_sending {
    const struct log_options *options;
    struct sink *sink;
    bool tty;
    struct buf out;
};

static void put_log_line(struct log_sending *sending, const struct log_line *line)
{
    struct buf *out = &sending->out;
    char stamp[TIME_TEXT_SIZE];
    size_t stamp_length = 0;
    if (sending->options->timestamps) {
        time_format_rfc3339nano_fixed(line->time_unix_ns, stamp);
        stamp_length = strlen(stamp) + 1;
    }
    if (!sending->tty) {
        size_t length = stamp_length + line->length;
        unsigned char head[8] = { line->is_stderr ? 2 : 1, 0, 0, 0, (unsigned char)(length >> 24), (unsigned char)(length >> 16), (unsigned char)(length >> 8), (unsigned char)length };
        buf_append(out, head, sizeof head);
    }
    if (stamp_length)
        buf_printf(out, "%s ", stamp);
    buf_append(out, line->text, line->length);
}

static int flush_log(struct log_sending *sending)
{
    int result = sending->out.length ? sending->sink->write(sending->sink, sending->out.data, sending->out.length) : 0;
    buf_clear(&sending->out);
    return result;
}

/* 0: no more lines now, 1: past `until`, -1: the client is gone or the file is unreadable */
static int send_available(struct log_file *file, struct log_sending *sending, struct err *err)
{
    const struct log_options *options = sending->options;
    struct log_line line;
    int got;
    while ((got = log_file_next(file, &line, err)) == 1) {
        if (options->until_ns && line.time_unix_ns > options->until_ns)
            return flush_log(sending) < 0 ? -1 : 1;
        if ((options->since_ns && line.time_unix_ns < options->since_ns) || !(line.is_stderr ? options->want_stderr : options->want_stdout))
            continue;
        put_log_line(sending, &line);
        if (sending->out.length > 128 * 1024 && flush_log(sending) < 0)
            return -1;
    }
    return got < 0 || flush_log(sending) < 0 ? -1 : 0;
}

static int follow_log(struct container *container, struct log_file *file, struct log_sending *sending, struct err *err)
{
    struct engine *engine = container->engine;
    AUTO_FREE char *dir = container_dir(engine, container->record.id);
    AUTO_FD int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    struct state_waiter waiter = { .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
    char drained[4096];
    int result = 0;
    (void)inotify_add_watch(notify, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
    mutex_lock(&engine->lock);
    waiter_add_locked(container, &waiter);
    mutex_unlock(&engine->lock);
    while (result == 0 && !engine->stopping) {
        mutex_lock(&engine->lock);
        bool running = container_is_running(container) && !container->removed;
        mutex_unlock(&engine->lock);
        result = send_available(file, sending, err); /* after the state: the writer is done before the exit is told */
        if (result != 0 || !running)
            break;
        struct pollfd fds[] = { { notify, POLLIN, 0 }, { waiter.wake_fd, POLLIN, 0 }, { sending->sink->client_fd, 0, 0 } };
        int64_t until = sending->options->until_ns;
        int64_t left_ms = until ? (until - time_now_unix_ns()) / 1000000 : 3600000;
        if (left_ms <= 0 || poll(fds, 3, (int)MIN(left_ms, 3600000)) < 0 || (fds[2].revents & (POLLHUP | POLLERR)))
            break;
        while (read(notify, drained, sizeof drained) > 0) {
        }
        while (read(waiter.wake_fd, drained, sizeof(uint64_t)) > 0) {
        }
    }
    mutex_lock(&engine->lock);
    waiter_remove_locked(container, &waiter);
    mutex_unlock(&engine->lock);
    fd_close(waiter.wake_fd);
    return result < 0 ? -1 : 0;
}

int engine_container_logs(struct engine *engine, const char *ref, const struct log_options *options, struct sink *sink, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    if (!options->want_stdout && !options->want_stderr)
        return err_set(err, ERR_INVALID, "Bad parameters: you must choose at least one stream");
    if (str_eq(container->record.host_config.log_config.type, "none"))
        return err_set(err, ERR_UNSUPPORTED, "configured logging driver does not support reading");
    AUTO_FREE char *dir = container_dir(engine, container->record.id);
    AUTO_FREE char *path = str_format("%s/%s-json.log", dir, container->record.id);
    CLEANUP(log_file_close) struct log_file *file = NULL;
    if (log_file_open(path, &file, err) < 0)
        return -1;
    if (options->tail >= 0 && log_file_seek_tail(file, options->tail, err) < 0)
        return -1;
    struct log_sending sending = { .options = options, .sink = sink, .tty = container->record.config.tty, .out = BUF_INIT((size_t)16 << 20) };
    int result = sink->begin ? sink->begin(sink) : 0;
    if (result == 0)
        result = options->follow ? follow_log(container, file, &sending, err) : send_available(file, &sending, err);
    buf_done(&sending.out);
    return result < 0 ? -1 : 0;
}

/* ---- detach keys: "ctrl-p,ctrl-q", "a,ctrl-x" ---- */

int attach_keys(const char *text, uint8_t ret[32], uint32_t *ret_count, struct err *err)
{
    char **parts = strv_split(text ? text : "", ',', true);
    uint32_t count = 0;
    int result = 0;
    for (size_t i = 0; parts[i] && result == 0; i++) {
        const char *control = str_after(parts[i], "ctrl-");
        static const char special[] = "@[\\]^_";
        const char *found = control && control[0] ? strchr(special, control[0]) : NULL;
        uint8_t byte = 0;
        if (control && control[0] >= 'a' && control[0] <= 'z' && !control[1])
            byte = (uint8_t)(control[0] - 'a' + 1);
        else if (found && !control[1])
            byte = found == special ? 0 : (uint8_t)(26 + (found - special));
        else if (!control && parts[i][0] && !parts[i][1])
            byte = (uint8_t)parts[i][0];
        else
            result = err_set(err, ERR_INVALID, "Invalid detach keys (%s) provided", text);
        if (count < 32)
            ret[count++] = byte;
    }
    strv_free(parts);
    *ret_count = count;
    return result;
}

/* ---- attach ---- */

void engine_attach_free(struct attach *attach)
{
    if (!attach)
        return;
    container_unref(attach->container);
    free(attach);
}

uint32_t attach_flags(bool in, bool out, bool error, bool raw)
{
    return (in ? (uint32_t)MON_ATTACH_STDIN : 0) | (out ? (uint32_t)MON_ATTACH_STDOUT : 0) | (error ? (uint32_t)MON_ATTACH_STDERR : 0) | (raw ? (uint32_t)MON_ATTACH_RAW : 0);
}

int engine_attach_prepare(struct engine *engine, const char *ref, const struct attach_options *options, struct attach **ret, bool *ret_raw, struct err *err)
{
    struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    struct attach *attach = xcalloc(1, sizeof *attach);
    *attach = (struct attach){ .engine = engine, .container = container, .replay = options->logs, .stream = options->stream };
    *ret_raw = container->record.config.tty || options->raw;
    bool want_stdin = options->want_stdin && container->record.config.open_stdin;
    attach->message.flags = attach_flags(want_stdin, options->want_stdout, options->want_stderr, *ret_raw);
    int result = attach_keys(options->detach_keys, attach->message.detach_keys, &attach->message.detach_count, err);
    if (result == 0 && container->status.code == STATUS_PAUSED)
        result = err_set(err, ERR_CONFLICT, "container %s is paused, unpause the container before attach", container->record.id);
    if (result == 0 && container->status.code == STATUS_RESTARTING)
        result = err_set(err, ERR_CONFLICT, "container %s is restarting, wait until the container is running", container->record.id);
    if (result < 0) {
        engine_attach_free(attach);
        return -1;
    }
    *ret = attach;
    return 0;
}

struct fd_sink {
    struct sink sink;
    int fd;
};

static int write_fd(struct sink *sink, const void *bytes, size_t length)
{
    return io_write_all(((struct fd_sink *)sink->arg)->fd, bytes, length) < 0 ? -1 : 0;
}

static void replay_log(struct attach *attach, int fd, const struct mon_attached *limit)
{
    struct engine *engine = attach->engine;
    struct fd_sink out = { .fd = fd };
    struct err err = { 0 };
    out.sink = (struct sink){ .write = write_fd, .client_fd = fd, .arg = &out };
    struct log_options options = { .want_stdout = attach->message.flags & MON_ATTACH_STDOUT, .want_stderr = attach->message.flags & MON_ATTACH_STDERR, .tail = -1 };
    struct log_sending sending = { .options = &options, .sink = &out.sink, .tty = attach->message.flags & MON_ATTACH_RAW, .out = BUF_INIT((size_t)16 << 20) };
    AUTO_FREE char *dir = container_dir(engine, attach->container->record.id);
    AUTO_FREE char *path = str_format("%s/%s-json.log", dir, attach->container->record.id);
    CLEANUP(log_file_close) struct log_file *file = NULL;
    if (log_file_open(path, &file, &err) == 0) {
        if (limit)
            log_file_limit(file, limit->log_inode, limit->log_size);
        (void)send_available(file, &sending, &err);
    }
    buf_done(&sending.out);
}

static bool park(struct attach *attach, int fd, const void *early, size_t early_length)
{
    struct container *container = attach->container;
    mutex_lock(&attach->engine->lock);
    bool waits = !container_is_running(container) && !container->removed && (container->status.code == STATUS_CREATED || container->claim == CLAIM_START);
    if (waits) {
        struct parked_attach *parked = xcalloc(1, sizeof *parked);
        *parked = (struct parked_attach){ .fd = fd, .attach = attach->message, .early = early_length ? xmemdup(early, early_length) : NULL, .next = container->parked };
        parked->attach.early_length = (uint32_t)early_length;
        container->parked = parked;
    }
    mutex_unlock(&attach->engine->lock);
    return waits;
}

static void attach_running(struct attach *attach, int fd, const void *early, size_t early_length)
{
    struct monitor_reply reply;
    struct mon_attached attached = { 0 };
    struct err err = { 0 };
    if (attach->replay)
        attach->message.flags |= MON_ATTACH_HOLD;
    attach->message.early_length = (uint32_t)early_length;
    AUTO_FD int sock = monitor_connect(attach->engine->options.exec_root, attach->container->record.id, &err);
    if (sock < 0 || monitor_request_on(sock, MON_ATTACH, &attach->message, sizeof attach->message, early, early_length, &fd, 1, &reply, &err) < 0) {
        log_info("container=%.12s attach error=%s", attach->container->record.id, err.text);
        return;
    }
    memcpy(&attached, reply.body, MIN(reply.length, sizeof attached));
    monitor_reply_done(&reply);
    if (!attach->replay)
        return;
    (void)fd_set_nonblock(fd, false);
    replay_log(attach, fd, &attached);
    (void)fd_set_nonblock(fd, true);
    struct mon_attach_go go = { .attach_id = attached.attach_id };
    if (monitor_request_on(sock, MON_ATTACH_GO, &go, sizeof go, NULL, 0, NULL, 0, &reply, &err) == 0)
        monitor_reply_done(&reply);
}

void engine_attach_connect(struct attach *attach, int fd, const void *early, size_t early_length)
{
    if (fd < 0) {
        engine_attach_free(attach);
        return;
    }
    if (attach->exec) {
        exec_connect(attach, fd, early, early_length);
    } else {
        mutex_lock(&attach->engine->lock);
        container_event_locked(attach->container, "attach", NULL, 0);
        mutex_unlock(&attach->engine->lock);
        if (!attach->stream) {
            if (attach->replay)
                replay_log(attach, fd, NULL);
        } else if (park(attach, fd, early, early_length)) {
            fd = -1;
        } else if (container_is_running(attach->container)) {
            attach_running(attach, fd, early, early_length);
        } else if (attach->replay) {
            replay_log(attach, fd, NULL);
        }
    }
    fd_close(fd);
    engine_attach_free(attach);
}
