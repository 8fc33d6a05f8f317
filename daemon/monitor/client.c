/* Clients of the protocol: holkd, usually one long-lived connection that hears notices and short ones that ask. A verb is a row. A client that
 * does not take its packets is dropped; nothing here ever waits for one. */
#include "daemon/monitor/monitor.h"

#include "lib/base/fd.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <unistd.h>

struct call {
    struct monitor *monitor;
    struct client *client;
    const void *body;
    size_t length;
    int *fds; /* taken ones become -1 */
    size_t fd_count;
    /* reply */
    uint8_t reply[3072];
    size_t reply_length;
    int reply_fds[FD_PASS_MAX];
    size_t reply_fd_count;
    int32_t exit_code;
};
typedef int (*verb_fn)(struct call *call, struct err *err);

static void client_drop(struct client *client)
{
    if (client->dead)
        return;
    client->dead = true;
    watch_remove(client->watch);
    fd_close(take_fd(&client->sock));
}

static void clients_bury(struct monitor *monitor)
{
    bool spawner_gone = false;
    for (struct client **link = &monitor->clients; *link;) {
        struct client *client = *link;
        if (!client->dead) {
            link = &client->next;
            continue;
        }
        *link = client->next;
        spawner_gone = spawner_gone || client->is_spawner;
        free(client);
    }
    if (spawner_gone && !monitor->ever_started) /* the daemon died before it said START */
        monitor_end(monitor);
}

void clients_notice(struct monitor *monitor)
{
    struct mon_notice notice = { .facts = monitor->fact_count };
    for (struct client *client = monitor->clients; client; client = client->next)
        if (!client->dead && mon_send(client->sock, MON_NOTICE, 0, &notice, sizeof notice, NULL, 0, NULL, 0) < 0)
            client_drop(client);
}

void clients_close(struct monitor *monitor)
{
    for (struct client *client = monitor->clients; client; client = client->next)
        client_drop(client);
    watch_remove(monitor->listen_watch);
    monitor->listen_watch = NULL;
    fd_close(take_fd(&monitor->listen_fd));
}

static int take_call_fd(struct call *call, size_t index, struct err *err)
{
    if (index >= call->fd_count || call->fds[index] < 0)
        return err_set(err, ERR_INVALID, "the message lacks a descriptor");
    return take_fd(&call->fds[index]);
}

static void put_reply(struct call *call, const void *bytes, size_t length)
{
    memcpy(call->reply, bytes, length);
    call->reply_length = length;
}

static int verb_hello(struct call *call, struct err *err)
{
    struct mon_hello hello = { .protocol = MON_PROTOCOL, .pid = (uint32_t)getpid() };
    (void)err;
    str_copy(hello.build, sizeof hello.build, HOLK_VERSION);
    put_reply(call, &hello, sizeof hello);
    return 0;
}

static int verb_start(struct call *call, struct err *err)
{
    struct monitor *monitor = call->monitor;
    struct mon_start start;
    memcpy(&start, call->body, sizeof start);
    if (monitor->ever_started)
        return err_set(err, ERR_CONFLICT, "the container was started already");
    if (start.ns_slots > ARRAY_SIZE(monitor->ns_fds) || call->fd_count != start.ns_slots + (start.has_netns ? 1 : 0))
        return err_set(err, ERR_INVALID, "START came with %zu descriptors", call->fd_count);
    for (size_t i = 0; i < start.ns_slots; i++)
        monitor->ns_fds[monitor->ns_count++] = take_fd(&call->fds[i]);
    if (start.has_netns)
        monitor->netns_fd = take_fd(&call->fds[start.ns_slots]);
    if (container_start(monitor, &call->exit_code, err) < 0)
        return -1;
    struct mon_started started = { .pid = monitor->container.pid, .start_ticks = monitor->container.start_ticks };
    put_reply(call, &started, sizeof started);
    return 0;
}

static int verb_signal(struct call *call, struct err *err)
{
    struct mon_signal message;
    memcpy(&message, call->body, sizeof message);
    if (!call->monitor->running)
        return err_set(err, ERR_CONFLICT, "the container is not running");
    int failed = proc_pidfd_signal(call->monitor->container.pidfd, message.signal);
    return failed < 0 ? err_sys(err, failed, "send signal %d", message.signal) : 0;
}

static int verb_stop(struct call *call, struct err *err)
{
    struct mon_stop message;
    memcpy(&message, call->body, sizeof message);
    (void)err;
    container_stop(call->monitor, message.signal, message.timeout_ms);
    return 0;
}

static int verb_pause(struct call *call, struct err *err)
{
    return container_pause(call->monitor, true, err);
}

static int verb_unpause(struct call *call, struct err *err)
{
    return container_pause(call->monitor, false, err);
}

static int verb_resize(struct call *call, struct err *err)
{
    struct mon_resize message;
    memcpy(&message, call->body, sizeof message);
    message.exec_id[sizeof message.exec_id - 1] = '\0';
    struct exec *exec = message.exec_id[0] ? exec_find(call->monitor, message.exec_id) : NULL;
    if (message.exec_id[0] && !exec)
        return err_set(err, ERR_NOT_FOUND, "No such exec instance: %s", message.exec_id);
    const struct io_set *io = exec ? &exec->io : &call->monitor->io;
    struct winsize size = { .ws_row = (unsigned short)message.rows, .ws_col = (unsigned short)message.cols };
    if (!io->tty || io->out.fd < 0)
        return err_set(err, ERR_CONFLICT, "there is no terminal to resize");
    return ioctl(io->out.fd, TIOCSWINSZ, &size) < 0 ? err_sys(err, errno, "resize the terminal") : 0;
}

static int verb_attach(struct call *call, struct err *err)
{
    struct monitor *monitor = call->monitor;
    struct mon_attach message;
    memcpy(&message, call->body, sizeof message);
    if (message.early_length > call->length - sizeof message)
        return err_set(err, ERR_INVALID, "ATTACH is cut");
    int fd = take_call_fd(call, 0, err);
    if (fd < 0)
        return -1;
    struct mon_attached attached = { 0 };
    struct stat info;
    struct stream *stream = stream_add(&monitor->io, fd, message.flags, message.detach_keys, MIN(message.detach_count, sizeof message.detach_keys));
    attached.attach_id = stream->id;
    if (monitor->log.fd >= 0 && fstat(monitor->log.fd, &info) == 0) {
        attached.log_size = (uint64_t)info.st_size;
        attached.log_inode = info.st_ino;
    }
    if (message.flags & MON_ATTACH_STDIN)
        io_stdin(&monitor->io, (const char *)call->body + sizeof message, message.early_length);
    put_reply(call, &attached, sizeof attached);
    return 0;
}

static int verb_attach_go(struct call *call, struct err *err)
{
    struct mon_attach_go message;
    memcpy(&message, call->body, sizeof message);
    (void)err;
    for (struct stream *stream = call->monitor->io.streams; stream; stream = stream->next)
        if (stream->id == message.attach_id && !stream->dead)
            stream_go(stream);
    return 0;
}

static int verb_exec(struct call *call, struct err *err)
{
    struct mon_exec message;
    struct plan_process_view view;
    struct exec *exec;
    memcpy(&message, call->body, sizeof message);
    const char *early = (const char *)call->body + sizeof message;
    size_t rest = call->length - sizeof message;
    if (message.early_length > rest)
        return err_set(err, ERR_INVALID, "EXEC is cut");
    AUTO_FREE void *process = xmemdup(early + message.early_length, rest - message.early_length);
    if (plan_process_decode(process, rest - message.early_length, &view, err) < 0)
        return -1;
    int fd = message.has_client ? take_call_fd(call, 0, err) : -1;
    int result = message.has_client && fd < 0 ? -1 : exec_start(call->monitor, &message, &view.process, fd, early, message.early_length, &exec, &call->exit_code, err);
    if (result == 0) {
        struct mon_started started = { .pid = exec->pid };
        put_reply(call, &started, sizeof started);
    }
    plan_process_done(&view);
    return result;
}

static int verb_exec_signal(struct call *call, struct err *err)
{
    struct mon_exec_signal message;
    memcpy(&message, call->body, sizeof message);
    message.exec_id[sizeof message.exec_id - 1] = '\0';
    struct exec *exec = exec_find(call->monitor, message.exec_id);
    if (!exec || exec->ended)
        return err_set(err, ERR_NOT_FOUND, "No such exec instance: %s", message.exec_id);
    int failed = proc_pidfd_signal(exec->pidfd, message.signal);
    return failed < 0 ? err_sys(err, failed, "send signal %d", message.signal) : 0;
}

static int verb_policy(struct call *call, struct err *err)
{
    struct mon_policy message;
    memcpy(&message, call->body, sizeof message);
    (void)err;
    call->monitor->restart = message.restart;
    call->monitor->restart_max = message.restart_max;
    return 0;
}

static const struct {
    uint32_t bit;
    const char *ns;
} ns_files[] = { { MON_FDS_NS_NET, "net" }, { MON_FDS_NS_PID, "pid" }, { MON_FDS_NS_IPC, "ipc" }, { MON_FDS_NS_UTS, "uts" },
                 { MON_FDS_NS_MNT, "mnt" }, { MON_FDS_NS_CGROUP, "cgroup" }, { MON_FDS_NS_USER, "user" } };

static int verb_get_fds(struct call *call, struct err *err)
{
    struct mon_get_fds message;
    char path[64];
    memcpy(&message, call->body, sizeof message);
    if (!call->monitor->running)
        return err_set(err, ERR_CONFLICT, "the container is not running");
    if (message.bits & MON_FDS_INIT_PIDFD)
        call->reply_fds[call->reply_fd_count++] = fd_dup(call->monitor->container.pidfd);
    if (message.bits & MON_FDS_ROOT)
        call->reply_fds[call->reply_fd_count++] = fd_dup(call->monitor->container.root_fd);
    for (size_t i = 0; i < ARRAY_SIZE(ns_files); i++) {
        if (!(message.bits & ns_files[i].bit))
            continue;
        snprintf(path, sizeof path, "/proc/%d/ns/%s", (int)call->monitor->container.pid, ns_files[i].ns);
        call->reply_fds[call->reply_fd_count++] = open(path, O_RDONLY | O_CLOEXEC);
    }
    for (size_t i = 0; i < call->reply_fd_count; i++)
        if (call->reply_fds[i] < 0)
            return err_set(err, ERR_INTERNAL, "a namespace of the container cannot be opened");
    return 0;
}

static int verb_listener(struct call *call, struct err *err)
{
    struct mon_listener message;
    memcpy(&message, call->body, sizeof message);
    message.path[sizeof message.path - 1] = '\0';
    int fd = take_call_fd(call, 0, err);
    if (fd < 0)
        return -1;
    struct kept_listener *kept = call->monitor->listeners;
    while (kept && !str_eq(kept->path, message.path))
        kept = kept->next;
    if (!kept) {
        kept = xcalloc(1, sizeof *kept);
        kept->fd = -1;
        memcpy(kept->path, message.path, sizeof kept->path);
        kept->next = call->monitor->listeners;
        call->monitor->listeners = kept;
    }
    fd_close(kept->fd);
    kept->fd = fd;
    return 0;
}

static int verb_listener_take(struct call *call, struct err *err)
{
    (void)err;
    for (const struct kept_listener *kept = call->monitor->listeners; kept && call->reply_fd_count < 8; kept = kept->next) {
        size_t length = strlen(kept->path) + 1;
        int fd = fd_dup(kept->fd);
        if (fd < 0)
            continue;
        memcpy(call->reply + call->reply_length, kept->path, length);
        call->reply_length += length;
        call->reply_fds[call->reply_fd_count++] = fd;
    }
    return 0;
}

static int verb_cgroup(struct call *call, struct err *err)
{
    const char *at = call->body, *end = at + call->length;
    const char *parts[3];
    while (at < end) {
        for (size_t i = 0; i < 3; i++) {
            const char *stop = at < end ? memchr(at, '\0', (size_t)(end - at)) : NULL;
            if (!stop)
                return err_set(err, ERR_INVALID, "CGROUP is cut");
            parts[i] = at;
            at = stop + 1;
        }
        if (runtime_cgroup_write(&call->monitor->view.plan, parts[0], parts[1], parts[2], err) < 0)
            return -1;
    }
    return 0;
}

static int verb_kill_monitor(struct call *call, struct err *err)
{
    call->monitor->stop_wanted = true;
    if (call->monitor->running)
        return runtime_kill_all(&call->monitor->view.plan, err);
    monitor_end(call->monitor);
    return 0;
}

static const struct {
    verb_fn fn;
    size_t least; /* bytes of body */
} verbs[] = {
    [MON_HELLO] = { verb_hello, sizeof(struct mon_hello) },
    [MON_START] = { verb_start, sizeof(struct mon_start) },
    [MON_SIGNAL] = { verb_signal, sizeof(struct mon_signal) },
    [MON_STOP] = { verb_stop, sizeof(struct mon_stop) },
    [MON_PAUSE] = { verb_pause, 0 },
    [MON_UNPAUSE] = { verb_unpause, 0 },
    [MON_RESIZE] = { verb_resize, sizeof(struct mon_resize) },
    [MON_ATTACH] = { verb_attach, sizeof(struct mon_attach) },
    [MON_ATTACH_GO] = { verb_attach_go, sizeof(struct mon_attach_go) },
    [MON_EXEC] = { verb_exec, sizeof(struct mon_exec) },
    [MON_EXEC_SIGNAL] = { verb_exec_signal, sizeof(struct mon_exec_signal) },
    [MON_POLICY] = { verb_policy, sizeof(struct mon_policy) },
    [MON_GET_FDS] = { verb_get_fds, sizeof(struct mon_get_fds) },
    [MON_LISTENER] = { verb_listener, sizeof(struct mon_listener) },
    [MON_LISTENER_TAKE] = { verb_listener_take, 0 },
    [MON_CGROUP] = { verb_cgroup, 0 },
    [MON_KILL_MONITOR] = { verb_kill_monitor, 0 },
};

static void answer(struct call *call, uint32_t seq, int result, const struct err *err)
{
    struct mon_reply reply = { .failed = result < 0, .exit_code = call->exit_code };
    struct mon_err failure;
    int sent;
    mon_err_pack(err, &failure);
    if (call->client->dead)
        sent = 0;
    else if (result < 0)
        sent = mon_send(call->client->sock, MON_REPLY, seq, &reply, sizeof reply, &failure, sizeof failure, NULL, 0);
    else
        sent = mon_send(call->client->sock, MON_REPLY, seq, &reply, sizeof reply, call->reply, call->reply_length, call->reply_fds, call->reply_fd_count);
    for (size_t i = 0; i < call->reply_fd_count; i++)
        fd_close(call->reply_fds[i]);
    if (sent < 0)
        client_drop(call->client);
}

static void serve(struct client *client, const struct mon_header *header, const void *body, size_t length, int *fds, size_t fd_count)
{
    struct monitor *monitor = client->monitor;
    struct err err = { 0 };
    struct call *call = xcalloc(1, sizeof *call);
    *call = (struct call){ .monitor = monitor, .client = client, .body = body, .length = length, .fds = fds, .fd_count = fd_count };
    int result;
    monitor->serving = true;
    if (header->verb >= ARRAY_SIZE(verbs) || !verbs[header->verb].fn)
        result = err_set(&err, ERR_UNSUPPORTED, "this monitor does not know verb %u", header->verb);
    else if (length < verbs[header->verb].least)
        result = err_set(&err, ERR_INVALID, "verb %u came with %zu bytes", header->verb, length);
    else
        result = verbs[header->verb].fn(call, &err);
    bool start_failed = result < 0 && header->verb == MON_START && !monitor->ever_started;
    answer(call, header->seq, result, &err);
    free(call);
    monitor->serving = false;
    if (start_failed)
        monitor_end(monitor);
    if (monitor->ended)
        clients_close(monitor);
}

static void on_client(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    struct client *client = arg;
    struct monitor *monitor = client->monitor;
    static _Alignas(8) uint8_t packet[MON_PACKET_MAX];
    struct mon_header header;
    const void *body;
    int fds[FD_PASS_MAX];
    size_t count = FD_PASS_MAX;
    (void)loop;
    (void)watch;
    (void)events;
    ssize_t length = mon_recv(client->sock, packet, &header, &body, fds, &count);
    if (length == -EAGAIN || length == -EINTR)
        return;
    if (length < 0) {
        client_drop(client);
    } else {
        serve(client, &header, body, (size_t)length, fds, count);
        for (size_t i = 0; i < count; i++)
            fd_close(fds[i]);
    }
    clients_bury(monitor);
    streams_bury(&monitor->io);
}

void client_add(struct monitor *monitor, int sock, bool is_spawner)
{
    struct client *client = xcalloc(1, sizeof *client);
    *client = (struct client){ .monitor = monitor, .sock = sock, .is_spawner = is_spawner, .next = monitor->clients };
    (void)fd_set_nonblock(sock, true);
    client->watch = loop_watch_fd(monitor->loop, sock, EPOLLIN, on_client, client);
    monitor->clients = client;
}
