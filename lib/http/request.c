/* Sending a request. While a body goes out, the socket is also read: a server that refuses a body half way (or that
 * talks while it takes one) must not leave both sides blocked in write. */
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/http/internal.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SEND_PIECE ((size_t)256 << 10)

/* 1: the server has already refused what we are sending. */
static bool refused_early(const struct http *http)
{
    const char *head = http->in.data ? http->in.data + http->pos : NULL;
    size_t have = http->in.length - http->pos;
    return have > 12 && memcmp(head, "HTTP/1.", 7) == 0 && head[9] >= '3' && memmem(head, have, "\r\n\r\n", 4);
}

static int take_early_bytes(struct http *http)
{
    char *room = buf_reserve(&http->in, HTTP_PIECE);
    if (!room)
        return 1;
    ssize_t got = recv(http->fd, room, HTTP_PIECE, MSG_DONTWAIT);
    if (got > 0)
        buf_grew(&http->in, (size_t)got);
    if (got == 0)
        http->ended = true;
    return got == 0 || refused_early(http);
}

/* 0 sent, 1 the other side wants no more, -1. */
static int send_bytes(struct http *http, const char *bytes, size_t length, struct err *err)
{
    while (length > 0) {
        struct pollfd poll_fd = { .fd = http->fd, .events = (short)(POLLOUT | (http->ended ? 0 : POLLIN)) };
        if (poll(&poll_fd, 1, -1) < 0) {
            if (errno == EINTR)
                continue;
            return err_sys(err, errno, "poll");
        }
        if ((poll_fd.revents & POLLIN) && take_early_bytes(http))
            return 1;
        if (!(poll_fd.revents & (POLLOUT | POLLERR | POLLHUP)))
            continue;
        ssize_t sent = send(http->fd, bytes, MIN(length, SEND_PIECE), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EAGAIN || errno == EINTR)
                continue;
            if (errno == EPIPE || errno == ECONNRESET)
                return 1;
            http->broken = true;
            err_sys(err, errno, "write request");
            err->kind = ERR_UNAVAILABLE;
            return -1;
        }
        bytes += sent;
        length -= (size_t)sent;
    }
    return 0;
}

static int send_chunk(struct http *http, const char *bytes, size_t length, struct err *err)
{
    char head[32];
    int head_length = snprintf(head, sizeof head, "%zx\r\n", length);
    int ret = send_bytes(http, head, (size_t)head_length, err);
    if (ret == 0 && length)
        ret = send_bytes(http, bytes, length, err);
    return ret ? ret : send_bytes(http, "\r\n", 2, err);
}

static ssize_t body_next(const struct http_request *request, char *bytes, size_t size, struct err *err)
{
    if (request->body_read)
        return request->body_read(request->body_arg, bytes, size, err);
    ssize_t got;
    do
        got = read(request->body_fd, bytes, size);
    while (got < 0 && errno == EINTR);
    return got < 0 ? err_sys(err, errno, "read request body") : got;
}

/* A source that promised `left` bytes gives exactly those. */
static int send_stream(struct http *http, const struct http_request *request, bool chunked, struct err *err)
{
    AUTO_FREE char *piece = xmalloc(SEND_PIECE);
    uint64_t left = chunked ? UINT64_MAX : (uint64_t)request->body_fd_size;
    while (left > 0) {
        ssize_t got = body_next(request, piece, (size_t)MIN(left, (uint64_t)SEND_PIECE), err);
        if (got < 0) {
            http->broken = true;
            return -1;
        }
        if (got == 0)
            break;
        int ret = chunked ? send_chunk(http, piece, (size_t)got, err) : send_bytes(http, piece, (size_t)got, err);
        if (ret)
            return ret;
        left -= chunked ? 0 : (uint64_t)got;
    }
    if (chunked)
        return send_chunk(http, NULL, 0, err);
    if (left) {
        http->broken = true;
        return err_set(err, ERR_INTERNAL, "request body is shorter than said");
    }
    return 0;
}

static bool is_stream(const struct http_request *request)
{
    return request->has_body_fd || request->body_read;
}

static void put_head(const struct http *http, const struct http_request *request, bool chunked, struct buf *head)
{
    bool takes_body = str_eq(request->method, "POST") || str_eq(request->method, "PUT") || str_eq(request->method, "PATCH");
    buf_printf(head, "%s %s HTTP/1.1\r\nHost: %s\r\n", request->method, request->target, http->host);
    for (char *const *line = request->headers; line && *line; line++)
        buf_printf(head, "%s\r\n", *line);
    if (chunked)
        buf_puts(head, "Transfer-Encoding: chunked\r\n");
    else if (request->has_body_fd)
        buf_printf(head, "Content-Length: %lld\r\n", (long long)request->body_fd_size);
    else if (request->body || takes_body)
        buf_printf(head, "Content-Length: %zu\r\n", request->body ? request->body_length : 0);
    buf_puts(head, "\r\n");
}

static int check_text(const struct http_request *request, struct err *err)
{
    if (strpbrk(request->target, " \r\n") || strpbrk(request->method, " \r\n"))
        return err_set(err, ERR_INVALID, "request target holds white space");
    for (char *const *line = request->headers; line && *line; line++) {
        if (strpbrk(*line, "\r\n"))
            return err_set(err, ERR_INVALID, "request header holds a line break");
    }
    return 0;
}

static int send_request(struct http *http, const struct http_request *request, struct err *err)
{
    AUTO_BUF struct buf head = BUF_INIT(HTTP_HEAD_MAX * 8);
    bool chunked = is_stream(request) && (request->body_read || request->body_fd_size < 0);
    if (check_text(request, err) < 0)
        return -1;
    put_head(http, request, chunked, &head);
    if (!is_stream(request) && request->body && request->body_length <= HTTP_PIECE)
        buf_append(&head, request->body, request->body_length);
    if (buf_failed(&head))
        return err_set(err, ERR_INVALID, "request headers are too long");
    int ret = send_bytes(http, head.data, head.length, err);
    if (ret == 0 && is_stream(request))
        ret = send_stream(http, request, chunked, err);
    else if (ret == 0 && request->body && request->body_length > HTTP_PIECE)
        ret = send_bytes(http, request->body, request->body_length, err);
    if (ret == 1)
        http->keep = false;
    return ret < 0 ? -1 : 0;
}

static int parse_status(const char *line, struct http_response *ret, struct err *err)
{
    uint64_t status;
    if (!str_starts(line, "HTTP/1.") || strlen(line) < 12 || line[8] != ' ')
        return err_set(err, ERR_INVALID, "malformed HTTP response \"%.64s\"", line);
    char digits[4] = { line[9], line[10], line[11], 0 };
    if (str_to_u64(digits, &status) < 0 || status < 100 || (line[12] && line[12] != ' '))
        return err_set(err, ERR_INVALID, "malformed HTTP status code \"%.64s\"", line + 9);
    ret->status = (int)status;
    ret->reason = xstrdup(line[12] ? line + 13 : "");
    return 0;
}

static int read_fields(struct http *http, struct http_response *ret, struct err *err)
{
    size_t total = 0, count = 0;
    for (;;) {
        AUTO_FREE char *line = NULL;
        if (http_line(http, HTTP_HEAD_MAX, &line, err) < 0)
            return -1;
        if (!*line)
            return 0;
        total += strlen(line) + 2;
        if (total > HTTP_HEAD_MAX || ++count > HTTP_HEADERS_MAX)
            return err_set(err, ERR_INVALID, "server response headers are too long");
        char *colon = strchr(line, ':');
        if (!colon || colon == line || colon[-1] == ' ' || *line == ' ' || *line == '\t')
            return err_set(err, ERR_INVALID, "malformed MIME header line: %.64s", line);
        *colon = 0;
        strv_append_take(&ret->headers, str_format("%s: %s", line, str_trim(colon + 1)));
    }
}

static int read_head(struct http *http, struct http_response *ret, struct err *err)
{
    for (;;) {
        AUTO_FREE char *line = NULL;
        if (http_line(http, HTTP_HEAD_MAX, &line, err) < 0 || parse_status(line, ret, err) < 0 ||
            read_fields(http, ret, err) < 0)
            return -1;
        if (ret->status >= 200 || ret->status == 101)
            return 0;
        http_response_done(ret);
    }
}

static int drain(struct http *http, struct err *err)
{
    char scratch[4096];
    ssize_t got = 1;
    while (!http->body_done && got > 0)
        got = http_read(http, scratch, sizeof scratch, err);
    return got < 0 ? -1 : 0;
}

static bool asks_upgrade(const struct http_request *request)
{
    for (char *const *line = request->headers; line && *line; line++) {
        if (strncasecmp(*line, "Upgrade:", 8) == 0)
            return true;
    }
    return false;
}

int http_call(struct http *http, const struct http_request *request, struct http_response *ret, struct err *err)
{
    struct http_response response = HTTP_RESPONSE_INIT;
    if (drain(http, err) < 0)
        return -1;
    if (http->broken || !http->keep)
        return err_set(err, ERR_UNAVAILABLE, "connection is closed");
    if (send_request(http, request, err) < 0 || read_head(http, &response, err) < 0) {
        http->broken = true;
        http_response_done(&response);
        return -1;
    }
    bool no_body = str_eq(request->method, "HEAD") || response.status == 204 || response.status == 304;
    if (http_body_start(http, &response, no_body, err) < 0) {
        http->broken = true;
        http_response_done(&response);
        return -1;
    }
    response.upgraded = response.status == 101 || (response.status == 200 && asks_upgrade(request) && response.until_close);
    *ret = response;
    return 0;
}

void http_response_done(struct http_response *response)
{
    free(response->reason);
    strv_free(response->headers);
    *response = (struct http_response)HTTP_RESPONSE_INIT;
}

const char *http_response_header(const struct http_response *response, const char *name)
{
    size_t length = strlen(name);
    for (char **line = response->headers; line && *line; line++) {
        if (strncasecmp(*line, name, length) == 0 && (*line)[length] == ':')
            return *line + length + 2;
    }
    return NULL;
}
