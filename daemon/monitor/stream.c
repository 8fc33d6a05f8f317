/* Theory of operation. What cannot be sent at once is queued: first in 256 KiB of memory, then in an unlinked file of the container's
 * directory, so that a slow reader loses nothing and stalls nobody. Order is kept: once the file has bytes, new ones go there. */
#include "daemon/monitor/monitor.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MEMORY_MAX ((size_t)256 * 1024)
#define SPILL_MAX ((uint64_t)1 << 30)
#define CHUNK ((size_t)64 * 1024)

static void stream_drop(struct stream *stream)
{
    if (stream->dead)
        return;
    stream->dead = true;
    watch_remove(stream->watch);
    stream->watch = NULL;
    fd_close(take_fd(&stream->fd));
    fd_close(take_fd(&stream->spill_fd));
    free(take_ptr(&stream->memory));
}

static bool queue_empty(const struct stream *stream)
{
    return stream->head == stream->tail && stream->spill_read == stream->spill_write;
}

static int spill(struct stream *stream, const char *bytes, size_t length)
{
    if (stream->spill_fd < 0)
        stream->spill_fd = openat(stream->io->monitor->container_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (stream->spill_fd < 0)
        return -errno;
    if (stream->spill_write - stream->spill_read + length > SPILL_MAX)
        return -EFBIG;
    while (length > 0) {
        ssize_t put = pwrite(stream->spill_fd, bytes, length, (off_t)stream->spill_write);
        if (put < 0)
            return -errno;
        stream->spill_write += (uint64_t)put;
        bytes += put;
        length -= (size_t)put;
    }
    return 0;
}

static void queue(struct stream *stream, const char *bytes, size_t length)
{
    size_t fits = 0;
    if (!stream->memory)
        stream->memory = xmalloc(MEMORY_MAX);
    if (stream->spill_read == stream->spill_write) {
        if (stream->head > 0) {
            memmove(stream->memory, stream->memory + stream->head, stream->tail - stream->head);
            stream->tail -= stream->head;
            stream->head = 0;
        }
        fits = MIN(length, MEMORY_MAX - stream->tail);
        memcpy(stream->memory + stream->tail, bytes, fits);
        stream->tail += fits;
    }
    if (fits < length && spill(stream, bytes + fits, length - fits) < 0) {
        fact_text(stream->io->monitor, MON_FACT_LOG_LOSS, "an attached client reads too slowly: its stream was ended");
        stream_drop(stream);
    }
}

/* Fills the memory from the file when it has run empty. */
static void refill(struct stream *stream)
{
    if (stream->head != stream->tail || stream->spill_read == stream->spill_write)
        return;
    stream->head = stream->tail = 0;
    ssize_t got = pread(stream->spill_fd, stream->memory, MEMORY_MAX, (off_t)stream->spill_read);
    if (got <= 0) {
        stream_drop(stream);
        return;
    }
    stream->tail = (size_t)got;
    stream->spill_read += (uint64_t)got;
    if (stream->spill_read == stream->spill_write) {
        stream->spill_read = stream->spill_write = 0;
        if (ftruncate(stream->spill_fd, 0) < 0) {
            /* the space comes back when the file is closed */
        }
    }
}

static void flush(struct stream *stream)
{
    while (!stream->dead && !stream->hold && !queue_empty(stream)) {
        refill(stream);
        if (stream->dead)
            return;
        ssize_t sent = send(stream->fd, stream->memory + stream->head, stream->tail - stream->head, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0) {
            stream_drop(stream);
            return;
        }
        stream->head += (size_t)sent;
    }
    if (!stream->dead && queue_empty(stream)) {
        free(take_ptr(&stream->memory));
        stream->head = stream->tail = 0;
        if (stream->finishing) {
            shutdown(stream->fd, SHUT_RDWR);
            stream_drop(stream);
        }
    }
}

void stream_update(struct stream *stream)
{
    bool wants_input = (stream->flags & MON_ATTACH_STDIN) && !stream->input_ended && !io_stdin_busy(stream->io) && !stream->finishing;
    bool watch_end = !(stream->flags & MON_ATTACH_STDIN) && !stream->input_ended; /* reads only to see the end */
    uint32_t events = (wants_input || watch_end ? (uint32_t)EPOLLIN : 0) | (!stream->hold && !queue_empty(stream) ? (uint32_t)EPOLLOUT : 0);
    if (!stream->dead && stream->watch)
        (void)watch_modify(stream->watch, events);
}

/* Passes input on byte run by byte run. The first keys of a detach sequence are held back until it is whole (true: detach) or broken. */
static bool pass_input(struct stream *stream, const char *bytes, size_t length)
{
    size_t start = 0;
    for (size_t i = 0; stream->key_count && i < length; i++) {
        if ((uint8_t)bytes[i] == stream->keys[stream->keys_seen]) {
            if (stream->keys_seen++ == 0) {
                io_stdin(stream->io, bytes + start, i - start);
            }
            start = i + 1;
            if (stream->keys_seen == stream->key_count)
                return true;
        } else if (stream->keys_seen) {
            io_stdin(stream->io, (const char *)stream->keys, stream->keys_seen);
            stream->keys_seen = 0;
            start = i--; /* the byte that broke it may begin a new sequence */
        }
    }
    io_stdin(stream->io, bytes + start, length - start);
    return false;
}

static void note_detach(struct stream *stream)
{
    struct mon_fact fact = { .kind = MON_FACT_DETACH };
    if (stream->io->exec)
        memcpy(fact.exec_id, stream->io->exec->id, sizeof fact.exec_id);
    fact_append(stream->io->monitor, &fact);
}

static void on_input(struct stream *stream)
{
    char *bytes = xmalloc(CHUNK);
    ssize_t got = recv(stream->fd, bytes, CHUNK, MSG_DONTWAIT);
    bool wants = stream->flags & MON_ATTACH_STDIN;
    if (got > 0 && wants) {
        bool detach = pass_input(stream, bytes, (size_t)got);
        if (detach) {
            note_detach(stream);
            stream_drop(stream);
        }
    } else if (got == 0) {
        stream->input_ended = true;
        if (wants)
            io_stdin_end(stream->io);
        if (!(stream->flags & (MON_ATTACH_STDOUT | MON_ATTACH_STDERR)))
            stream_finish(stream);
    } else if (got < 0 && errno != EAGAIN && errno != EINTR) {
        if (wants)
            io_stdin_end(stream->io);
        stream_drop(stream);
    }
    free(bytes);
}

static void on_stream(struct loop *loop, struct watch *watch, uint32_t events, void *arg)
{
    struct stream *stream = arg;
    struct io_set *io = stream->io;
    (void)loop;
    (void)watch;
    if (!stream->dead && (events & EPOLLOUT))
        flush(stream);
    if (!stream->dead && (events & EPOLLIN))
        on_input(stream);
    else if (!stream->dead && (events & (EPOLLHUP | EPOLLERR))) {
        if ((stream->flags & MON_ATTACH_STDIN) && !stream->input_ended)
            io_stdin_end(io);
        stream_drop(stream);
    }
    stream_update(stream);
    streams_bury(io);
}

struct stream *stream_add(struct io_set *io, int fd, uint32_t flags, const uint8_t *keys, size_t key_count)
{
    static const uint8_t default_keys[] = { 16, 17 }; /* ctrl-p ctrl-q */
    struct stream *stream = xcalloc(1, sizeof *stream);
    *stream = (struct stream){ .io = io, .fd = fd, .id = ++io->monitor->next_attach, .flags = flags, .spill_fd = -1, .hold = flags & MON_ATTACH_HOLD };
    if (io->tty && (flags & MON_ATTACH_STDIN)) {
        stream->key_count = key_count ? MIN(key_count, sizeof stream->keys) : sizeof default_keys;
        memcpy(stream->keys, key_count ? keys : default_keys, stream->key_count);
    }
    (void)fd_set_nonblock(fd, true);
    stream->watch = loop_watch_fd(io->monitor->loop, fd, 0, on_stream, stream);
    stream->next = io->streams;
    io->streams = stream;
    stream_update(stream);
    return stream;
}

void stream_output(struct stream *stream, int number, const char *bytes, size_t length)
{
    uint32_t wanted = number == 2 ? MON_ATTACH_STDERR : MON_ATTACH_STDOUT;
    if (stream->dead || stream->finishing || !(stream->flags & wanted))
        return;
    if (!(stream->flags & MON_ATTACH_RAW)) {
        unsigned char head[8] = { (unsigned char)number, 0, 0, 0, (unsigned char)(length >> 24), (unsigned char)(length >> 16),
                                  (unsigned char)(length >> 8), (unsigned char)length };
        struct iovec parts[2] = { { head, sizeof head }, { NULL, length } };
        memcpy(&parts[1].iov_base, &bytes, sizeof bytes);
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
        ssize_t sent = stream->hold || !queue_empty(stream) ? 0 : sendmsg(stream->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        size_t done = sent > 0 ? (size_t)sent : 0;
        if (done < sizeof head)
            queue(stream, (const char *)head + done, sizeof head - done);
        size_t body = done > sizeof head ? done - sizeof head : 0;
        if (!stream->dead && body < length)
            queue(stream, bytes + body, length - body);
    } else {
        ssize_t sent = stream->hold || !queue_empty(stream) ? 0 : send(stream->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        size_t done = sent > 0 ? (size_t)sent : 0;
        if (done < length)
            queue(stream, bytes + done, length - done);
    }
    stream_update(stream);
}

void stream_go(struct stream *stream)
{
    stream->hold = false;
    flush(stream);
    stream_update(stream);
}

void stream_finish(struct stream *stream)
{
    stream->finishing = true;
    stream->hold = false;
    flush(stream);
    stream_update(stream);
}

void streams_bury(struct io_set *io)
{
    for (struct stream **link = &io->streams; *link;) {
        struct stream *stream = *link;
        if (!stream->dead) {
            link = &stream->next;
            continue;
        }
        *link = stream->next;
        free(stream);
    }
    monitor_maybe_exit(io->monitor);
}
