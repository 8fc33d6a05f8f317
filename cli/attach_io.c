/* Theory of operation. One loop, two directions. Output is written with blocking writes straight from the receive buffer:
 * nothing is read from the connection while the terminal or pipe behind stdout is slow, which is the flow control we want.
 * Input must never block the loop, or `holk run -i cat` with more input than the pipes hold would stop for ever: it waits
 * in a small buffer until the socket takes it, and stdin is read only while that buffer is empty. */
#include "cli/attach_io.h"
#include "cli/docker_config.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)

/* ---- detach keys ---- */

static int parse_key(const char *text, unsigned char *ret)
{
    const char *control = str_after(text, "ctrl-");
    if (text[0] && !text[1]) {
        *ret = (unsigned char)text[0];
        return 0;
    }
    if (!control || !control[0] || control[1])
        return -EINVAL;
    if (control[0] >= 'a' && control[0] <= 'z')
        *ret = (unsigned char)(control[0] - 'a' + 1);
    else if (control[0] == '@')
        *ret = 0;
    else if (control[0] >= '[' && control[0] <= '_')
        *ret = (unsigned char)(control[0] - '[' + 27);
    else
        return -EINVAL;
    return 0;
}

int detach_keys_parse(const char *text, struct detach_keys *ret, struct err *err)
{
    CLEANUP(strv_free) char **names = strv_split(str_empty(text) ? "ctrl-p,ctrl-q" : text, ',', false);
    ret->count = 0;
    for (char **name = names; *name; name++) {
        if (ret->count == DETACH_KEYS_MAX || parse_key(*name, &ret->keys[ret->count]) < 0)
            return err_set(err, ERR_INVALID, "invalid detach keys (%s): Unknown character: '%s'", text ? text : "", *name);
        ret->count++;
    }
    return 0;
}

void detach_keys_default(const struct cli *cli, char **inout_keys)
{
    CLEANUP(docker_config_free) struct docker_config *config = str_empty(*inout_keys) ? docker_config_load(cli->config_dir) : NULL;
    const char *keys = config ? docker_config_text(config, "detachKeys") : NULL;
    if (!keys)
        return;
    free(*inout_keys);
    *inout_keys = xstrdup(keys);
}

bool detach_scan_feed(struct detach_scan *scan, const char *bytes, size_t length, struct buf *out)
{
    const struct detach_keys *keys = scan->keys;
    for (size_t i = 0; i < length; i++) {
        unsigned char key = (unsigned char)bytes[i];
        if (key == keys->keys[scan->matched]) {
            if (++scan->matched == keys->count)
                return true;
            continue;
        }
        buf_append(out, keys->keys, scan->matched); /* was not the sequence after all */
        scan->matched = key == keys->keys[0];
        if (!scan->matched)
            buf_putc(out, bytes[i]);
        else if (keys->count == 1)
            return true;
    }
    return false;
}

/* ---- the loop ---- */

struct pump {
    const struct attach_io *io;
    struct buf input; /* read from stdin, not yet sent */
    struct stream_frames frames;
    struct detach_keys keys;
    struct detach_scan scan;
    bool in_open, send_open, detached;
    char *piece;
};

static int write_out(int fd, const char *bytes, size_t length, struct err *err)
{
    if (fd < 0)
        return 0;
    int ret = io_write_all(fd, bytes, length);
    return ret < 0 ? err_sys(err, ret, "write output") : 0;
}

static int put_output(struct pump *pump, const char *bytes, size_t length, struct err *err)
{
    const struct attach_io *io = pump->io;
    if (!io->hijack->multiplexed)
        return write_out(io->out_fd, bytes, length, err);
    int stream, ret;
    const char *piece;
    size_t piece_length;
    while ((ret = stream_frames_next(&pump->frames, &bytes, &length, &stream, &piece, &piece_length, err)) == 1) {
        if (stream == 3)
            return err_set(err, ERR_INTERNAL, "error from daemon in stream: %.*s", (int)MIN(piece_length, (size_t)900), piece);
        if (write_out(stream == 2 ? io->err_fd : io->out_fd, piece, piece_length, err) < 0)
            return -1;
    }
    return ret;
}

/* 0: the connection is at its end. */
static int receive(struct pump *pump, struct err *err)
{
    ssize_t got = recv(pump->io->hijack->fd, pump->piece, PIECE, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return 1;
    if (got < 0 && errno != ECONNRESET)
        return err_sys(err, errno, "read stream");
    if (got <= 0)
        return 0;
    return put_output(pump, pump->piece, (size_t)got, err) < 0 ? -1 : 1;
}

static void close_sending(struct pump *pump)
{
    if (pump->send_open)
        (void)shutdown(pump->io->hijack->fd, SHUT_WR);
    pump->send_open = false;
}

static void read_input(struct pump *pump)
{
    ssize_t got = read(pump->io->in_fd, pump->piece, PIECE);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) {
        pump->in_open = false;
        buf_append(&pump->input, pump->keys.keys, pump->scan.matched);
        pump->scan.matched = 0;
    } else if (!pump->io->tty) {
        buf_append(&pump->input, pump->piece, (size_t)got);
    } else if (detach_scan_feed(&pump->scan, pump->piece, (size_t)got, &pump->input)) {
        pump->detached = true;
    }
}

/* A container that reads no more is no failure: what it writes still counts. */
static void send_input(struct pump *pump)
{
    struct buf *input = &pump->input;
    ssize_t sent = send(pump->io->hijack->fd, input->data, input->length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent < 0) {
        buf_clear(input);
        pump->in_open = pump->send_open = false;
        return;
    }
    buf_consume(input, (size_t)sent);
}

static bool has_output(const struct attach_io *io)
{
    return io->out_fd >= 0 || io->err_fd >= 0;
}

static int step(struct pump *pump, struct err *err)
{
    const struct attach_io *io = pump->io;
    bool sending = pump->input.length > 0, reading = pump->in_open && !sending;
    struct pollfd fds[2] = {
        { .fd = io->hijack->fd, .events = (short)(POLLIN | (sending ? POLLOUT : 0)) },
        { .fd = reading ? io->in_fd : -1, .events = POLLIN },
    };
    if (poll(fds, 2, -1) < 0)
        return errno == EINTR ? 1 : err_sys(err, errno, "poll");
    if (fds[1].revents)
        read_input(pump);
    if (pump->input.length)
        send_input(pump);
    if (!pump->in_open && !pump->input.length) {
        close_sending(pump);
        if (!has_output(io))
            return 0;
    }
    if (pump->detached)
        return 0;
    return fds[0].revents & (POLLIN | POLLHUP | POLLERR) ? receive(pump, err) : 1;
}

int attach_io_run(const struct attach_io *io, enum attach_end *ret, struct err *err)
{
    struct pump pump = { .io = io, .input = BUF_INIT(PIECE * 4), .in_open = io->in_fd >= 0, .send_open = true };
    int going = 1;
    if (detach_keys_parse(io->detach_keys, &pump.keys, err) < 0)
        return -1;
    pump.scan.keys = &pump.keys;
    pump.piece = xmalloc(PIECE);
    if (io->hijack->early.length)
        going = put_output(&pump, io->hijack->early.data, io->hijack->early.length, err) < 0 ? -1 : 1;
    while (going == 1)
        going = step(&pump, err);
    *ret = pump.detached ? ATTACH_DETACHED : ATTACH_CLOSED;
    free(pump.piece);
    buf_done(&pump.input);
    return going;
}
