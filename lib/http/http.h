/* A small blocking HTTP/1.1 client over a unix socket or TCP, for the command line client and the tests. One
 * connection carries one request at a time, kept alive between them when the server allows. It knows nothing of
 * TLS, redirects, cookies, proxies or compression, and says so by failing.
 *
 * What a server may send is bounded: a head of at most HTTP_HEAD_MAX bytes with HTTP_HEADERS_MAX fields; a
 * response with two different Content-Length, Content-Length beside Transfer-Encoding, or an unknown
 * Transfer-Encoding is refused. Not thread-safe per connection, except that http_cut() may come from elsewhere. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HTTP_HEAD_MAX ((size_t)256 << 10)
#define HTTP_HEADERS_MAX 256

struct http; /* one connection */

/* "unix:///path", "/path", "tcp://host:port", "http://host:port", "host:port" ("[::1]:80"). ERR_INVALID for another form;
 * ERR_UNAVAILABLE when nobody answers there (err->sys_errno has the reason). */
int http_connect(const char *address, struct http **ret, struct err *err);
void http_close(struct http *http);
CLEANUP_FN(struct http, http_close)
/* Shuts the socket down: a blocked read or write on it ends. From any thread. */
void http_cut(struct http *http);
int http_fd(const struct http *http); /* borrowed; for poll */
/* Read timeout in ms for everything after it; 0 = none (the default). A timeout is ERR_UNAVAILABLE. */
void http_set_timeout(struct http *http, int timeout_ms);

/* The body, at most one of: bytes; an fd read to its end (with its size when known, else chunked); a source called
 * until it returns 0 (chunked), -1 = give up (err filled). With none, POST and PUT send Content-Length: 0. */
struct http_request {
    const char *method; /* "GET" */
    const char *target; /* "/v1.47/info?x=y", already escaped */
    char *const *headers; /* "Name: value" lines, NULL-ended or NULL. Host, Content-Length, Transfer-Encoding are added here */
    const void *body;
    size_t body_length;
    bool has_body_fd;
    int body_fd;          /* borrowed */
    int64_t body_fd_size; /* -1: unknown */
    ssize_t (*body_read)(void *arg, void *bytes, size_t size, struct err *err);
    void *body_arg;
};
struct http_response {
    int status;
    char *reason;
    char **headers;    /* "Name: value", as received but trimmed */
    int64_t length;    /* of the body; -1: not said */
    bool upgraded;     /* 101, or a 200 that answers a request to upgrade without length: the connection is a raw stream */
    bool chunked, until_close;
};
#define HTTP_RESPONSE_INIT { .length = -1 }
void http_response_done(struct http_response *response);
#define AUTO_HTTP_RESPONSE __attribute__((cleanup(http_response_done)))
/* Borrowed; first field of that name, case ignored; NULL when absent. */
const char *http_response_header(const struct http_response *response, const char *name);

/* Sends the request and reads the head of the response (1xx other than 101 are skipped). What is left unread of an earlier
 * body is dropped first. When the server answers before it has taken the whole body, sending stops and its answer is
 * returned. ret is overwritten. ERR_UNAVAILABLE when the connection breaks. */
int http_call(struct http *http, const struct http_request *request, struct http_response *ret, struct err *err);
/* The decoded body: >0 bytes, 0 at its end, -1. A body shorter than promised is ERR_UNAVAILABLE "unexpected EOF". */
ssize_t http_read(struct http *http, void *bytes, size_t size, struct err *err);
/* Whole body, appended to out (whose max bounds it: ERR_INVALID over it). */
int http_read_all(struct http *http, struct buf *out, struct err *err);
/* Bytes that http_read would give without touching the socket: ask before poll(). */
bool http_has_buffered(const struct http *http);
bool http_can_reuse(const struct http *http); /* body read to its end and the server keeps the connection */
/* After the head: takes the socket out (caller's fd) and appends to `early` what was read beyond the head. */
int http_hijack(struct http *http, struct buf *early, int *ret_fd, struct err *err);

/* ---- text for targets ---- */
void http_escape(struct buf *out, const char *text);      /* everything but unreserved characters becomes %XX */
void http_escape_path(struct buf *out, const char *text); /* the same, '/' and ':' stay */
/* Appends '?' or '&' and "key=value", escaped. value NULL: nothing is added. */
void http_query_add(struct buf *target, const char *key, const char *value);

/* ---- the frames of attach and logs: 1 byte stream, 3 zero bytes, 4 bytes length big endian, payload ---- */
struct stream_frames { /* zero value is ready */
    unsigned char head[8];
    unsigned have;  /* bytes of head seen */
    uint32_t left;  /* payload still to come */
};
/* Takes from *inout_bytes; 1: *ret_piece (borrowed from the input) holds payload of *ret_stream (0 stdin, 1 stdout, 2 stderr,
 * 3 system error); 0: the input is used up; -1: not a frame (ERR_INVALID "Unrecognized input header: N"). */
int stream_frames_next(struct stream_frames *frames, const char **inout_bytes, size_t *inout_length, int *ret_stream,
                       const char **ret_piece, size_t *ret_length, struct err *err);
void stream_frame_head(unsigned char ret[8], int stream, uint32_t length);
