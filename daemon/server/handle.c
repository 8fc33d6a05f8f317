/* Theory of operation. The library calls server_access once with the head, then with pieces of the body, then once more at its end.
 * Ordinary routes collect the body and run their handler at the end, on this thread. ROUTE_BODY routes start a thread for the handler at the
 * head; this thread then feeds the pipe, and at the end waits for the handler. A handler that has failed early lets the rest of the body drain away.
 * So does a request that is refused by its head: a client that still sends would find a broken connection in place of the answer. */
#include "daemon/server/internal.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const struct {
    const char *name;
    enum http_method method;
} methods[] = {
    { "GET", HTTP_GET }, { "HEAD", HTTP_HEAD }, { "POST", HTTP_POST }, { "PUT", HTTP_PUT }, { "DELETE", HTTP_DELETE }, { "OPTIONS", HTTP_OPTIONS },
};

static int parse_method(const char *name, enum http_method *ret, struct err *err)
{
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (str_eq(methods[i].name, name)) {
            *ret = methods[i].method;
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "page not found");
}

static int run_handler(struct request *req, struct err *err)
{
    int result = req->route->handler(req->server->options.engine, req, &req->res, err);
    if (result < 0 && err->kind == ERR_NONE)
        err_set(err, ERR_INTERNAL, "request failed without a reason");
    return result;
}

/* An error after the head was sent can only be seen in the log: streams carry their own error lines. */
static enum MHD_Result answer(struct request *req, int result, const struct err *err)
{
    req->phase = PHASE_ANSWERED;
    log_debug("request id=%s path=%s result=%d took_ms=%lld%s%s", req->id, req->path ? req->path : "-", result,
              (long long)((time_monotonic_ns() - req->started_ns) / 1000000), result < 0 ? " error=" : "",
              result < 0 ? err->text : "");
    if (result < 0 && req->res.kind != RES_STREAM)
        response_error(&req->res, err);
    return response_finish(&req->res);
}

static void *handler_thread(void *arg)
{
    struct request *req = arg;
    struct err err = { 0 };
    int result = run_handler(req, &err);
    mutex_lock(&req->lock);
    req->handler_result = result;
    req->handler_err = err;
    fd_close(req->body_read_fd);
    req->body_read_fd = -1;
    req->handler_done = true;
    cond_broadcast(&req->changed);
    mutex_unlock(&req->lock);
    return NULL;
}

static int start_feeding(struct request *req, struct err *err)
{
    int pair[2];
    int failed = fd_pipe(pair);
    if (failed < 0)
        return err_sys(err, failed, "make a pipe for the request body");
    (void)fcntl(pair[1], F_SETPIPE_SZ, 256 * 1024);
    req->body_read_fd = pair[0];
    req->body_write_fd = pair[1];
    req->has_thread = true;
    failed = thread_spawn(handler_thread, req);
    if (failed < 0) {
        req->has_thread = false;
        return err_sys(err, failed, "start a thread for the request");
    }
    req->phase = PHASE_FEED;
    return 0;
}

static int begin(struct request *req, const char *method, const char *version, struct err *err)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    req->client_fd = info ? info->connect_fd : -1;
    req->http10 = str_eq(version, "HTTP/1.0");
    if (parse_method(method, &req->method, err) < 0 || router_split_uri(req, err) < 0)
        return -1;
    req->route = router_match(req->server, req, err);
    if (!req->route)
        return -1;
    if (req->route->flags & ROUTE_BODY)
        return start_feeding(req, err);
    req->phase = PHASE_COLLECT;
    return 0;
}

/* Refused by its head. Whoever waits for "100 Continue" has not sent anything yet, and where a broken head ends nobody knows. */
static enum MHD_Result refuse(struct request *req, const struct err *err, bool is_framed)
{
    if (!is_framed || request_header(req, MHD_HTTP_HEADER_EXPECT))
        return answer(req, -1, err);
    req->early = *err;
    req->phase = PHASE_DRAIN;
    return MHD_YES;
}

static void mark_body_arrived(struct request *req)
{
    if (req->body_arrived)
        return;
    mutex_lock(&req->lock);
    req->body_arrived = true;
    cond_broadcast(&req->changed);
    mutex_unlock(&req->lock);
}

static void feed(struct request *req, const char *bytes, size_t length)
{
    mark_body_arrived(req);
    if (req->body_write_fd >= 0 && io_write_all(req->body_write_fd, bytes, length) < 0) {
        fd_close(req->body_write_fd); /* the handler has what it wanted, or failed */
        req->body_write_fd = -1;
    }
}

static void end_feeding(struct request *req)
{
    fd_close(req->body_write_fd);
    req->body_write_fd = -1;
    mark_body_arrived(req);
    mutex_lock(&req->lock);
    while (!req->handler_done)
        cond_wait(&req->changed, &req->lock);
    mutex_unlock(&req->lock);
}

enum MHD_Result server_access(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                              const char *upload_data, size_t *upload_data_size, void **con_cls)
{
    struct request *req = *con_cls;
    struct err err = { 0 };
    (void)cls;
    (void)url;
    (void)connection;
    if (!req)
        return MHD_NO;
    switch (req->phase) {
    case PHASE_HEAD:
        if (request_check_head(req, &err) < 0)
            return refuse(req, &err, false);
        return begin(req, method, version, &err) == 0 ? MHD_YES : refuse(req, &err, true);
    case PHASE_COLLECT:
        if (*upload_data_size > 0) {
            buf_append(&req->body, upload_data, *upload_data_size);
            *upload_data_size = 0;
            return MHD_YES;
        }
        if (buf_failed(&req->body)) {
            err_set(&err, ERR_INVALID, "request body is larger than %zu bytes", BODY_MAX);
            return answer(req, -1, &err);
        }
        return answer(req, run_handler(req, &err), &err);
    case PHASE_FEED:
        if (*upload_data_size > 0) {
            feed(req, upload_data, *upload_data_size);
            *upload_data_size = 0;
            return MHD_YES;
        }
        end_feeding(req);
        return answer(req, req->handler_result, &req->handler_err);
    case PHASE_DRAIN:
        if (*upload_data_size > 0) {
            req->drained += *upload_data_size;
            *upload_data_size = 0;
            return req->drained > DRAIN_MAX ? MHD_NO : MHD_YES;
        }
        return answer(req, -1, &req->early);
    case PHASE_ANSWERED:
    default:
        *upload_data_size = 0;
        return MHD_YES;
    }
}

void server_request_completed(struct request *req)
{
    if (req->phase == PHASE_FEED) /* the client left in the middle of its body */
        end_feeding(req);
    if (req->res.kind == RES_HIJACK && req->res.hijack) /* the upgrade never happened: the callback frees its argument */
        req->res.hijack(req->res.hijack_arg, -1, "", 0);
    request_free(req);
}
