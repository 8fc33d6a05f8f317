/* Bytes, headers, streams, hijack: the HTTP side of holkd. Knows nothing of containers; libmicrohttpd lives behind it.
 *
 * Theory of operation. Own accept loop; each connection gets its own thread (libmicrohttpd, thread per connection, MHD_add_connection).
 * A handler runs blocking on that thread and answers in one of four ways:
 *   response_json / response_status / response_bytes   a whole body, keep-alive goes on;
 *   response_stream_begin + response_write ...         head and chunks are written at once to the connection's socket by us (HTTP/1.1
 *                                                      chunked, Connection: close), so headers and first bytes are flushed immediately;
 *   response_hijack                                     101 (client sent Upgrade) or a raw 200: the socket is given to a callback;
 *   return -1 with err                                  the router maps err->kind to a status and {"message": ...}.
 * Routes with ROUTE_BODY get the request body as a pipe (request_body_fd): their handler runs on a second thread while the
 * connection's thread feeds the pipe. All other bodies are collected up to 4 MiB before the handler runs. */
#pragma once
#include "lib/api/compat.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/json/codec.h"
#include <stdbool.h>
#include <stdint.h>

struct engine;
struct server;
struct request;
struct response;

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OPTIONS };
enum route_flag {
    ROUTE_HIJACK = 1, /* may hijack */
    ROUTE_BODY = 2,   /* body is streamed: request_body_fd() */
    ROUTE_BUILD = 4,  /* long request heads allowed (X-Registry-Config) */
};
typedef int (*route_fn)(struct engine *engine, struct request *req, struct response *res, struct err *err);
/* Patterns: "/containers/{id}/start"; a last "{name:.*}" segment spans slashes when followed by a fixed tail ("/images/{name:.*}/json"). */
struct route {
    enum http_method method;
    const char *pattern;
    route_fn handler;
    unsigned flags;
};
struct route_table {
    const struct route *routes; /* ends with pattern NULL */
};

struct server_options {
    struct engine *engine;
    const struct route_table *tables; /* ends with routes NULL */
    unsigned connection_limit;        /* 0: 4096 */
};
int server_new(const struct server_options *options, struct server **ret, struct err *err);
/* Is it one that server_listen() takes? Nothing is opened: for a start that must fail before anything is made. ERR_INVALID. */
int server_check_address(const char *address, struct err *err);
/* Opens unix:///path (0660, group docker when it exists, made under umask 0177) or tcp://host:port, or adopts an inherited listening fd
 * (>= 0, of a monitor) for the same address. The fd stays the server's; server_listener_fd() borrows it. */
int server_listen(struct server *server, const char *address, int inherited_fd, struct err *err);
size_t server_listener_count(const struct server *server);
int server_listener_fd(const struct server *server, size_t index, const char **ret_address);
int server_run(struct server *server, struct err *err); /* starts the accept thread(s); returns at once */
void server_stop(struct server *server); /* stops accepting, ends connections; leaves unix socket files in place if keep_sockets */
void server_free(struct server *server);
void server_dump(const struct server *server, struct buf *out); /* requests in flight with ages, for SIGUSR1 */

/* ---- request ---- */
const char *request_path(const struct request *req);
enum http_method request_method(const struct request *req);
const char *request_param(const struct request *req, const char *name); /* from the pattern, percent-decoded; never NULL for a named one */
const char *request_query(const struct request *req, const char *name); /* first value or NULL */
char **request_query_all(const struct request *req, const char *name);  /* caller frees; never NULL */
bool request_query_bool(const struct request *req, const char *name, bool absent); /* Docker's: "" 0 no false none are false */
int request_query_int(const struct request *req, const char *name, int64_t absent, int64_t *ret, struct err *err);
/* Calls fn for every query pair in order (for refusing unknown ones by name). */
void request_query_each(const struct request *req, void (*fn)(void *arg, const char *key, const char *value), void *arg);
const char *request_header(const struct request *req, const char *name);
struct api_version request_version(const struct request *req);
int request_json(struct request *req, const struct codec_type *type, void *ret, struct err *err); /* empty body = {} ; checks Content-Type as Docker */
const char *request_body(const struct request *req, size_t *ret_length); /* collected body */
int request_body_fd(struct request *req); /* ROUTE_BODY: read end, borrowed until the handler returns */
int request_client_fd(const struct request *req); /* for polling POLLHUP: the client is gone */
bool request_client_gone(const struct request *req);
bool request_wants_upgrade(const struct request *req);
const char *request_id(const struct request *req); /* short id for logs */

/* ---- response ---- each returns 0, or -1 (with err only where there is one; else the client is gone) ---- */
int response_header(struct response *res, const char *name, const char *value); /* before any of the below */
int response_status(struct response *res, unsigned status); /* no body */
int response_bytes(struct response *res, unsigned status, const char *content_type, const void *bytes, size_t length);
int response_json(struct response *res, unsigned status, const struct codec_type *type, const void *value);
int response_json_text(struct response *res, unsigned status, struct buf *json); /* buf's bytes are sent; buf stays the caller's */
/* Head is written now. content_type e.g. "application/json". After that errors can only go into the stream. */
int response_stream_begin(struct response *res, unsigned status, const char *content_type);
int response_write(struct response *res, const void *bytes, size_t length); /* -1: client gone */
bool response_started(const struct response *res);
/* Sends a regular file or pipe until its end as the stream's body. */
int response_copy_fd(struct response *res, int fd);
/* Called with the client's socket (blocking, close-on-exec, the callee's to close) and the bytes it sent early. Runs on the request's thread
 * after the handler has returned 0. `arg` is freed by the callback. */
/* fd -1: the client left before the upgrade; only free arg. */
typedef void (*hijack_fn)(void *arg, int fd, const void *early, size_t early_length);
int response_hijack(struct response *res, const char *content_type, hijack_fn fn, void *arg);
