/* Theory of operation. A whole response goes through the library and keeps the connection. A stream is written by ourselves to the
 * connection's socket while the handler runs on the connection's thread; the library has written nothing by then, and is told to close
 * afterwards (MHD_NO). A hijack is the library's upgrade, or, without an Upgrade header, a pump on this thread. */
#include "daemon/server/internal.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITE_STALL_MS (10 * 60 * 1000)

void response_done(struct response *res)
{
    for (size_t i = 0; i < res->header_count; i++) {
        free(res->headers[i].key);
        free(res->headers[i].value);
    }
    res->header_count = 0;
    free(res->body);
    res->body = NULL;
}

int response_header(struct response *res, const char *name, const char *value)
{
    if (res->header_count == ARRAY_SIZE(res->headers) || !value || strpbrk(value, "\r\n"))
        return -1;
    res->headers[res->header_count++] = (struct text_pair){ xstrdup(name), xstrdup(value) };
    return 0;
}

int response_bytes(struct response *res, unsigned status, const char *content_type, const void *bytes, size_t length)
{
    if (content_type)
        response_header(res, "Content-Type", content_type);
    free(res->body);
    res->body = xmemdup(length ? bytes : "", length ? length : 1);
    res->body_length = length;
    res->status = status;
    res->kind = RES_WHOLE;
    return 0;
}

int response_status(struct response *res, unsigned status)
{
    return response_bytes(res, status, NULL, NULL, 0);
}

int response_json_text(struct response *res, unsigned status, struct buf *json)
{
    json_plain_html(json);
    if (!buf_failed(json) && (json->length == 0 || json->data[json->length - 1] != '\n'))
        buf_putc(json, '\n');
    return response_bytes(res, status, "application/json", json->data, json->length);
}

int response_json(struct response *res, unsigned status, const struct codec_type *type, const void *value)
{
    AUTO_BUF struct buf json = BUF_INIT(BUF_TEXT_MAX);
    codec_encode(type, value, &json);
    return response_json_text(res, status, &json);
}

void response_error(struct response *res, const struct err *err)
{
    unsigned status = router_status(err);
    if (status == 304) {
        response_status(res, status);
        return;
    }
    AUTO_BUF struct buf json = BUF_INIT(BUF_TEXT_MAX);
    if (api_before(res->req->version, API_VERSION_MIN.minor)) { /* clients of that age expect no JSON */
        buf_printf(&json, "%s\n", err->text);
        response_bytes(res, status, "text/plain; charset=utf-8", json.data, json.length);
        return;
    }
    buf_puts(&json, "{\"message\":");
    json_put_string(&json, err->text, strlen(err->text));
    buf_putc(&json, '}');
    response_json_text(res, status, &json);
}

/* Sends everything on a non-blocking socket; -1 when the peer is gone or takes nothing for WRITE_STALL_MS. */
int socket_send_all(int fd, struct iovec *parts, size_t count)
{
    while (count > 0) {
        struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
            if (poll(&poll_fd, 1, WRITE_STALL_MS) == 0 || (poll_fd.revents & (POLLERR | POLLNVAL)))
                return -1;
            continue;
        }
        if (sent < 0)
            return -1;
        size_t done = (size_t)sent;
        while (count > 0 && done >= parts->iov_len) {
            done -= parts->iov_len;
            parts++;
            count--;
        }
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= done;
        }
    }
    return 0;
}

static const char *reason_of(unsigned status)
{
    return status == 200 ? "OK" : status == 201 ? "Created" : "Status";
}

static void put_head(struct response *res, struct buf *head, unsigned status)
{
    buf_printf(head, "HTTP/1.1 %u %s\r\n", status, reason_of(status));
    buf_printf(head, "Api-Version: %d.%d\r\nDocker-Experimental: false\r\nOstype: linux\r\nServer: %s\r\n",
               API_VERSION_MAX.major, API_VERSION_MAX.minor, res->req->server->server_header);
    for (size_t i = 0; i < res->header_count; i++)
        buf_printf(head, "%s: %s\r\n", res->headers[i].key, res->headers[i].value);
}

/* A handler on its own thread must not answer before the library has sent its "100 Continue". */
static void wait_for_body(struct request *req)
{
    if (!req->has_thread)
        return;
    mutex_lock(&req->lock);
    while (!req->body_arrived)
        cond_wait(&req->changed, &req->lock);
    mutex_unlock(&req->lock);
}

int response_stream_begin(struct response *res, unsigned status, const char *content_type)
{
    if (res->kind == RES_STREAM)
        return 0;
    wait_for_body(res->req);
    AUTO_BUF struct buf head = BUF_INIT(BUF_TEXT_MAX);
    put_head(res, &head, status);
    res->stream_chunked = !res->req->http10;
    buf_printf(&head, "Content-Type: %s\r\nConnection: close\r\n%s\r\n", content_type,
               res->stream_chunked ? "Transfer-Encoding: chunked\r\n" : "");
    res->kind = RES_STREAM;
    res->status = status;
    struct iovec part = { head.data, head.length };
    if (buf_failed(&head) || socket_send_all(res->req->client_fd, &part, 1) < 0) {
        res->stream_broken = true;
        return -1;
    }
    return 0;
}

int response_write(struct response *res, const void *bytes, size_t length)
{
    if (res->stream_broken)
        return -1;
    if (length == 0 || res->req->method == HTTP_HEAD)
        return 0;
    char size[24], tail[] = "\r\n", *data;
    memcpy(&data, &bytes, sizeof data); /* iovec is not const-correct */
    int size_length = snprintf(size, sizeof size, "%zx\r\n", length);
    struct iovec chunked[] = { { size, (size_t)size_length }, { data, length }, { tail, 2 } };
    struct iovec plain[] = { { data, length } };
    int sent = res->stream_chunked ? socket_send_all(res->req->client_fd, chunked, 3)
                                   : socket_send_all(res->req->client_fd, plain, 1);
    if (sent < 0)
        res->stream_broken = true;
    return sent;
}

bool response_started(const struct response *res)
{
    return res->kind == RES_STREAM;
}

int response_copy_fd(struct response *res, int fd)
{
    AUTO_FREE char *chunk = xmalloc(64 * 1024);
    for (;;) {
        short ready = 0, client = 0;
        int mask = io_poll2(fd, POLLIN, res->req->client_fd, 0, -1, &ready, &client);
        if (mask < 0 || (client & (POLLHUP | POLLERR)))
            return -1;
        ssize_t got = read(fd, chunk, 64 * 1024);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return got < 0 ? -1 : 0;
        if (response_write(res, chunk, (size_t)got) < 0)
            return -1;
    }
}

int response_hijack(struct response *res, const char *content_type, hijack_fn fn, void *arg)
{
    response_header(res, "Content-Type", content_type);
    res->kind = RES_HIJACK;
    res->hijack = fn;
    res->hijack_arg = arg;
    return 0;
}

static void on_upgrade(void *cls, struct MHD_Connection *connection, void *con_cls, const char *extra_in,
                       size_t extra_in_size, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
    struct response *res = cls;
    (void)connection;
    (void)con_cls;
    int fd = fd_dup(sock);
    res->hijack(res->hijack_arg, fd, extra_in, extra_in_size);
    res->hijack = NULL;
    MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
}

static enum MHD_Result finish_upgrade(struct response *res)
{
    struct MHD_Response *answer = MHD_create_response_for_upgrade(on_upgrade, res);
    if (!answer)
        return MHD_NO;
    for (size_t i = 0; i < res->header_count; i++)
        MHD_add_response_header(answer, res->headers[i].key, res->headers[i].value);
    MHD_add_response_header(answer, "Upgrade", "tcp");
    enum MHD_Result queued = MHD_queue_response(res->req->connection, MHD_HTTP_SWITCHING_PROTOCOLS, answer);
    MHD_destroy_response(answer);
    return queued;
}

/* Moves what is there from one socket to the other; false at the end of the stream or of the peer. */
static bool pump_once(int from, int to, char *chunk, size_t size)
{
    ssize_t got = recv(from, chunk, size, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (got <= 0)
        return false;
    struct iovec part = { chunk, (size_t)got };
    return socket_send_all(to, &part, 1) == 0;
}

static void pump(int client, int stream)
{
    AUTO_FREE char *chunk = xmalloc(64 * 1024);
    struct pollfd fds[2] = { { .fd = client, .events = POLLIN }, { .fd = stream, .events = POLLIN } };
    while (poll(fds, 2, -1) > 0 || errno == EINTR) {
        if ((fds[1].revents & (POLLIN | POLLHUP)) && !pump_once(stream, client, chunk, 64 * 1024))
            return;
        if (fds[0].revents & (POLLERR | POLLHUP))
            return;
        if ((fds[0].revents & POLLIN) && !pump_once(client, stream, chunk, 64 * 1024)) {
            shutdown(stream, SHUT_WR); /* half-close: end of stdin, not of the stream */
            fds[0].events = 0;
        }
    }
}

static enum MHD_Result finish_raw(struct response *res)
{
    int pair[2];
    if (fd_socketpair(SOCK_STREAM, pair) < 0)
        return MHD_NO;
    AUTO_BUF struct buf head = BUF_INIT(BUF_TEXT_MAX);
    put_head(res, &head, 200);
    buf_puts(&head, "Connection: close\r\n\r\n");
    struct iovec part = { head.data, head.length };
    if (socket_send_all(res->req->client_fd, &part, 1) == 0) {
        res->hijack(res->hijack_arg, pair[1], "", 0);
        res->hijack = NULL;
        pump(res->req->client_fd, pair[0]);
    } else {
        fd_close(pair[1]);
    }
    fd_close(pair[0]);
    return MHD_NO;
}

static enum MHD_Result finish_whole(struct response *res)
{
    struct MHD_Response *answer = MHD_create_response_from_buffer(res->body_length, res->body, MHD_RESPMEM_MUST_FREE);
    if (!answer)
        return MHD_NO;
    res->body = NULL;
    char version[16];
    snprintf(version, sizeof version, "%d.%d", API_VERSION_MAX.major, API_VERSION_MAX.minor);
    MHD_add_response_header(answer, "Api-Version", version);
    MHD_add_response_header(answer, "Docker-Experimental", "false");
    MHD_add_response_header(answer, "Ostype", "linux");
    MHD_add_response_header(answer, "Server", res->req->server->server_header);
    for (size_t i = 0; i < res->header_count; i++)
        MHD_add_response_header(answer, res->headers[i].key, res->headers[i].value);
    enum MHD_Result queued = MHD_queue_response(res->req->connection, res->status, answer);
    MHD_destroy_response(answer);
    return queued;
}

static enum MHD_Result finish_stream(struct response *res)
{
    if (!res->stream_broken && res->stream_chunked) {
        char end[] = "0\r\n\r\n";
        struct iovec part = { end, 5 };
        socket_send_all(res->req->client_fd, &part, 1);
    }
    return MHD_NO; /* the library closes; there is nothing left to answer */
}

enum MHD_Result response_finish(struct response *res)
{
    switch (res->kind) {
    case RES_STREAM:
        return finish_stream(res);
    case RES_HIJACK:
        return request_wants_upgrade(res->req) ? finish_upgrade(res) : finish_raw(res);
    case RES_NONE:
        response_status(res, 200);
        return finish_whole(res);
    case RES_WHOLE:
    default:
        return finish_whole(res);
    }
}
