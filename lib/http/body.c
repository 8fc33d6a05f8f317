#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/http/internal.h"
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>

static int content_length(const struct http_response *response, int64_t *ret, struct err *err)
{
    *ret = -1;
    for (char **line = response->headers; line && *line; line++) {
        int64_t length;
        if (strncasecmp(*line, "Content-Length: ", 16) != 0)
            continue;
        if ((*line)[16] < '0' || (*line)[16] > '9' || str_to_i64(*line + 16, &length) < 0 || (*ret >= 0 && *ret != length))
            return err_set(err, ERR_INVALID, "bad Content-Length \"%.32s\"", *line + 16);
        *ret = length;
    }
    return 0;
}

int http_body_start(struct http *http, struct http_response *response, bool no_body, struct err *err)
{
    const char *encoding = http_response_header(response, "Transfer-Encoding");
    const char *connection = http_response_header(response, "Connection");
    if (content_length(response, &response->length, err) < 0)
        return -1;
    if (encoding && strcasecmp(encoding, "chunked") != 0)
        return err_set(err, ERR_INVALID, "unsupported transfer encoding \"%.32s\"", encoding);
    if (encoding && response->length >= 0)
        return err_set(err, ERR_INVALID, "response has both Transfer-Encoding and Content-Length");
    response->chunked = encoding && !no_body;
    response->until_close = !no_body && !encoding && response->length < 0;
    http->body = no_body ? BODY_NONE : encoding ? BODY_CHUNKED : response->length >= 0 ? BODY_LENGTH : BODY_CLOSE;
    http->left = http->body == BODY_LENGTH ? (uint64_t)response->length : 0;
    http->chunk_open = false;
    http->body_done = no_body || (http->body == BODY_LENGTH && http->left == 0);
    if (http->body == BODY_CLOSE || (connection && strcasecmp(connection, "close") == 0))
        http->keep = false;
    return 0;
}

/* From the buffer, or straight from the socket when the buffer is empty and the caller's room is large. */
static ssize_t raw_read(struct http *http, char *bytes, size_t size, struct err *err)
{
    size_t have = http->in.length - http->pos;
    if (have == 0) {
        int got = http_fill(http, err);
        if (got <= 0)
            return got;
        have = http->in.length - http->pos;
    }
    size_t length = MIN(have, size);
    memcpy(bytes, http->in.data + http->pos, length);
    http->pos += length;
    return (ssize_t)length;
}

static int skip_trailers(struct http *http, struct err *err)
{
    for (size_t count = 0; count < HTTP_HEADERS_MAX; count++) {
        AUTO_FREE char *line = NULL;
        if (http_line(http, HTTP_HEAD_MAX, &line, err) < 0)
            return -1;
        if (!*line) {
            http->body_done = true;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "too many trailers");
}

static int next_chunk(struct http *http, struct err *err)
{
    AUTO_FREE char *line = NULL;
    if (http->chunk_open) {
        AUTO_FREE char *empty = NULL;
        if (http_line(http, 256, &empty, err) < 0)
            return -1;
        if (*empty)
            return err_set(err, ERR_INVALID, "malformed chunked encoding");
    }
    if (http_line(http, 4096, &line, err) < 0)
        return -1;
    line[strcspn(line, ";")] = 0;
    char *digits = str_trim(line);
    if (!*digits || strspn(digits, "0123456789abcdefABCDEF") != strlen(digits) || strlen(digits) > 15 ||
        str_to_u64_base(digits, 16, &http->left) < 0)
        return err_set(err, ERR_INVALID, "malformed chunked encoding");
    http->chunk_open = true;
    return http->left == 0 ? skip_trailers(http, err) : 0;
}

static ssize_t body_read(struct http *http, void *bytes, size_t size, struct err *err)
{
    if (http->body == BODY_CHUNKED && http->left == 0 && next_chunk(http, err) < 0)
        return -1;
    if (http->body_done)
        return 0;
    if (http->body != BODY_CLOSE && size > http->left)
        size = (size_t)http->left;
    ssize_t got = raw_read(http, bytes, size, err);
    if (got < 0)
        return -1;
    if (got == 0 && http->body != BODY_CLOSE)
        return err_set(err, ERR_UNAVAILABLE, "unexpected EOF");
    if (http->body != BODY_CLOSE)
        http->left -= (uint64_t)got;
    http->body_done = http->body == BODY_CLOSE ? got == 0 : http->body == BODY_LENGTH && http->left == 0;
    return got;
}

ssize_t http_read(struct http *http, void *bytes, size_t size, struct err *err)
{
    if (http->body_done)
        return 0;
    if (http->broken)
        return err_set(err, ERR_UNAVAILABLE, "connection is closed");
    ssize_t got = body_read(http, bytes, size, err);
    if (got < 0)
        http->broken = true;
    return got;
}

int http_read_all(struct http *http, struct buf *out, struct err *err)
{
    for (;;) {
        size_t room = MIN(HTTP_PIECE, out->max - out->length);
        char probe;
        char *bytes = room ? buf_reserve(out, room) : &probe;
        if (!bytes)
            return err_set(err, ERR_INVALID, "response is too long");
        ssize_t got = http_read(http, bytes, room ? room : 1, err);
        if (got <= 0)
            return (int)got;
        if (!room)
            return err_set(err, ERR_INVALID, "response is too long");
        buf_grew(out, (size_t)got);
    }
}

bool http_has_buffered(const struct http *http)
{
    return !http->body_done && (http->in.length > http->pos || http->ended);
}

bool http_can_reuse(const struct http *http)
{
    return http->fd >= 0 && http->body_done && http->keep && !http->broken;
}

int http_hijack(struct http *http, struct buf *early, int *ret_fd, struct err *err)
{
    if (http->broken || http->fd < 0)
        return err_set(err, ERR_UNAVAILABLE, "connection is closed");
    if (http->in.length > http->pos)
        buf_append(early, http->in.data + http->pos, http->in.length - http->pos);
    if (buf_failed(early))
        return err_set(err, ERR_INVALID, "response is too long");
    *ret_fd = take_fd(&http->fd);
    http->body_done = http->broken = true;
    return 0;
}
