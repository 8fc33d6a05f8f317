#include "daemon/monitor/monitor.h"

#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHUNK ((size_t)64 * 1024)
#define PIPE_SIZE (1024 * 1024)

static int make_pipe(int *ret_ours, int *ret_theirs, bool we_read)
{
    int pair[2];
    int failed = fd_pipe(pair);
    if (failed < 0)
        return failed;
    *ret_ours = pair[we_read ? 0 : 1];
    *ret_theirs = pair[we_read ? 1 : 0];
    (void)fcntl(*ret_ours, F_SETPIPE_SZ, PIPE_SIZE); /* the limit for unprivileged pipes may say no */
    return fd_set_nonblock(*ret_ours, true);
}

int io_prepare(struct io_set *io, const struct plan_process *process, struct runtime_stdio *ret_child)
{
    *ret_child = (struct runtime_stdio){ -1, -1, -1 };
    io->stdin_fd = io->out.fd = io->err.fd = -1;
    io->tty = process->tty;
    if (!io->stdin_pending.data) /* else: what clients typed before the start */
        io->stdin_pending = (struct buf)BUF_INIT(CHUNK * 4);
    io->out.io = io->err.io = io;
    io->out.number = 1;
    io->err.number = 2;
    if (process->tty)
        return 0;
    int failed = process->open_stdin ? make_pipe(&io->stdin_fd, &ret_child->stdin_fd, false) : 0;
    if (failed == 0 && process->want_stdout)
        failed = make_pipe(&io->out.fd, &ret_child->stdout_fd, true);
    if (failed == 0 && process->want_stderr)
        failed = make_pipe(&io->err.fd, &ret_child->stderr_fd, true);
    return failed;
}

static void end_closed(struct io_end *end)
{
    watch_remove(end->watch);
    end->watch = NULL;
    fd_close(take_fd(&end->fd));
}

static void deliver(struct io_set *io, int number, const char *bytes, size_t length)
{
    if (io->log)
        log_append(io->log, number, bytes, length);
    for (struct stream *stream = io->streams; stream; stream = stream->next)
        stream_output(stream, number, bytes, length);
}

/* False at the end of the pipe. */
static bool read_once(struct io_end *end, char *bytes)
{
    ssize_t got = read(end->fd, bytes, CHUNK);
    if (got > 0)
        deliver(end->io, end->number, bytes, (size_t)got);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static void on_output(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    struct io_end *end = arg;
    static char bytes[CHUNK];
    (void)loop;
    (void)watch;
    (void)events;
    if (!read_once(end, bytes))
        end_closed(end);
    streams_bury(end->io);
}

static void on_stdin_room(struct loop *loop, struct watch *watch, uint32_t events, void *arg);

static void watch_stdin(struct io_set *io)
{
    bool wanted = io->stdin_pending.length > 0;
    if (wanted && !io->stdin_watch && io->stdin_fd >= 0) {
        io->stdin_watch = loop_watch_fd(io->monitor->loop, io->stdin_fd, EPOLLOUT, on_stdin_room, io);
    } else if (!wanted && io->stdin_watch) {
        watch_remove(io->stdin_watch);
        io->stdin_watch = NULL;
    }
}

static void close_stdin(struct io_set *io)
{
    watch_remove(io->stdin_watch);
    io->stdin_watch = NULL;
    fd_close(take_fd(&io->stdin_fd));
    buf_done(&io->stdin_pending);
}

static void push_stdin(struct io_set *io)
{
    while (io->stdin_fd >= 0 && io->stdin_pending.length > 0) {
        ssize_t put = write(io->stdin_fd, io->stdin_pending.data, io->stdin_pending.length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0 && errno != EAGAIN)
            close_stdin(io); /* the container reads no more */
        if (put <= 0)
            break;
        buf_consume(&io->stdin_pending, (size_t)put);
    }
    if (io->stdin_fd >= 0 && !io->stdin_pending.length && io->stdin_close_wanted)
        close_stdin(io);
    watch_stdin(io);
}

static void on_stdin_room(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    struct io_set *io = arg;
    (void)loop;
    (void)watch;
    (void)events;
    push_stdin(io);
    for (struct stream *stream = io->streams; stream; stream = stream->next)
        stream_update(stream);
}

void io_stdin(struct io_set *io, const char *bytes, size_t length)
{
    if ((io->stdin_fd < 0 && io->started) || io->stdin_close_wanted || !length)
        return;
    buf_append(&io->stdin_pending, bytes, length);
    push_stdin(io);
}

bool io_stdin_busy(const struct io_set *io)
{
    return io->stdin_pending.length > 0;
}

void io_stdin_end(struct io_set *io)
{
    if (!io->stdin_once || io->tty)
        return;
    io->stdin_close_wanted = true;
    push_stdin(io);
}

void io_started(struct io_set *io, int tty_master)
{
    io->started = true;
    if (tty_master >= 0) {
        io->out.fd = tty_master;
        io->stdin_fd = fd_dup(tty_master);
        (void)fd_set_nonblock(tty_master, true);
    }
    if (io->out.fd >= 0)
        io->out.watch = loop_watch_fd(io->monitor->loop, io->out.fd, EPOLLIN, on_output, &io->out);
    if (io->err.fd >= 0)
        io->err.watch = loop_watch_fd(io->monitor->loop, io->err.fd, EPOLLIN, on_output, &io->err);
    push_stdin(io);
    for (struct stream *stream = io->streams; stream; stream = stream->next)
        stream_update(stream); /* their input waited for a stdin */
}

static void drain_end(struct io_end *end)
{
    char *bytes = xmalloc(CHUNK);
    while (end->fd >= 0) {
        ssize_t got = read(end->fd, bytes, CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        deliver(end->io, end->number, bytes, (size_t)got);
    }
    free(bytes);
}

void io_drain(struct io_set *io)
{
    drain_end(&io->out);
    drain_end(&io->err);
}

void io_close(struct io_set *io)
{
    close_stdin(io);
    end_closed(&io->out);
    end_closed(&io->err);
    io->stdin_close_wanted = io->started = false;
}

void io_finish_streams(struct io_set *io)
{
    for (struct stream *stream = io->streams; stream; stream = stream->next)
        stream_finish(stream);
}
