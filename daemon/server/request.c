#include "daemon/server/internal.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

struct request *request_new(struct server *server, const char *uri, struct MHD_Connection *connection)
{
    struct request *req = xcalloc(1, sizeof *req);
    req->server = server;
    req->connection = connection;
    req->uri = xstrdup(uri);
    req->body = (struct buf)BUF_INIT(BODY_MAX);
    req->body_read_fd = req->body_write_fd = req->client_fd = -1;
    req->started_ns = time_monotonic_ns();
    req->version = API_VERSION_MAX;
    req->res.req = req;
    id_random_hex(req->id, sizeof req->id - 1);
    mutex_init(&req->lock);
    cond_init(&req->changed);
    mutex_lock(&server->lock);
    req->next = server->in_flight;
    if (req->next)
        req->next->prev = req;
    server->in_flight = req;
    mutex_unlock(&server->lock);
    return req;
}

void request_free(struct request *req)
{
    if (!req)
        return;
    mutex_lock(&req->server->lock);
    if (req->prev)
        req->prev->next = req->next;
    else
        req->server->in_flight = req->next;
    if (req->next)
        req->next->prev = req->prev;
    mutex_unlock(&req->server->lock);
    for (size_t i = 0; i < req->param_count; i++) {
        free(req->params[i].key);
        free(req->params[i].value);
    }
    for (size_t i = 0; i < req->query_count; i++) {
        free(req->query[i].key);
        free(req->query[i].value);
    }
    free(req->query);
    free(req->uri);
    free(req->path);
    buf_done(&req->body);
    fd_close(req->body_read_fd);
    fd_close(req->body_write_fd);
    response_done(&req->res);
    cond_done(&req->changed);
    mutex_done(&req->lock);
    free(req);
}

/* What the library lets pass and a front end may read differently (security A5). */
struct head_check {
    unsigned content_lengths, transfer_encodings, hosts;
    bool unknown_coding;
};

static enum MHD_Result check_header(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct head_check *check = cls;
    (void)kind;
    if (!strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH)) {
        check->content_lengths++;
    } else if (!strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
        check->transfer_encodings++;
        check->unknown_coding |= !value || strcasecmp(value, "chunked") != 0;
    } else if (!strcasecmp(key, MHD_HTTP_HEADER_HOST)) {
        check->hosts++;
    }
    return MHD_YES;
}

int request_check_head(struct request *req, struct err *err)
{
    struct head_check check = { 0 };
    MHD_get_connection_values(req->connection, MHD_HEADER_KIND, check_header, &check);
    if (check.content_lengths > 1)
        return err_set(err, ERR_INVALID, "more than one Content-Length header");
    if (check.content_lengths && check.transfer_encodings)
        return err_set(err, ERR_INVALID, "both Content-Length and Transfer-Encoding headers");
    if (check.transfer_encodings > 1 || check.unknown_coding)
        return err_set(err, ERR_INVALID, "unsupported Transfer-Encoding");
    if (check.hosts > 1)
        return err_set(err, ERR_INVALID, "more than one Host header");
    return 0;
}

const char *request_path(const struct request *req)
{
    return req->path;
}

enum http_method request_method(const struct request *req)
{
    return req->method;
}

const char *request_param(const struct request *req, const char *name)
{
    for (size_t i = 0; i < req->param_count; i++)
        if (str_eq(req->params[i].key, name))
            return req->params[i].value;
    return "";
}

const char *request_query(const struct request *req, const char *name)
{
    for (size_t i = 0; i < req->query_count; i++)
        if (str_eq(req->query[i].key, name))
            return req->query[i].value;
    return NULL;
}

char **request_query_all(const struct request *req, const char *name)
{
    char **list = xcalloc(1, sizeof *list);
    for (size_t i = 0; i < req->query_count; i++)
        if (str_eq(req->query[i].key, name))
            strv_append(&list, req->query[i].value);
    return list;
}

bool request_query_bool(const struct request *req, const char *name, bool absent)
{
    static const char *const no[] = { "", "0", "no", "false", "none" };
    const char *text = request_query(req, name);
    if (!text)
        return absent;
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (!strcasecmp(text, no[i]))
            return false;
    return true;
}

int request_query_int(const struct request *req, const char *name, int64_t absent, int64_t *ret, struct err *err)
{
    const char *text = request_query(req, name);
    if (str_empty(text)) {
        *ret = absent;
        return 0;
    }
    if (str_to_i64(text, ret) < 0)
        return err_set(err, ERR_INVALID, "invalid value \"%s\" for query parameter %s: expected an integer", text, name);
    return 0;
}

void request_query_each(const struct request *req, void (*fn)(void *arg, const char *key, const char *value), void *arg)
{
    for (size_t i = 0; i < req->query_count; i++)
        fn(arg, req->query[i].key, req->query[i].value);
}

const char *request_header(const struct request *req, const char *name)
{
    return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
}

struct api_version request_version(const struct request *req)
{
    return req->version;
}

/* The media type without parameters must be application/json. */
static int check_json_type(const struct request *req, struct err *err)
{
    static const char wanted[] = "application/json";
    const char *header = request_header(req, MHD_HTTP_HEADER_CONTENT_TYPE);
    AUTO_FREE char *type = xstrdup(header ? header : "");
    type[strcspn(type, ";")] = 0;
    const char *bare = str_trim(type);
    if (!*bare)
        return err_set(err, ERR_INVALID, "malformed Content-Type header (%s): mime: no media type", header ? header : "");
    if (strcasecmp(bare, wanted) != 0)
        return err_set(err, ERR_INVALID, "unsupported Content-Type header (%s): must be '%s'", header, wanted);
    return 0;
}

int request_json(struct request *req, const struct codec_type *type, void *ret, struct err *err)
{
    if (req->body.length == 0)
        return codec_decode(type, "{}", 2, ret, err);
    if (check_json_type(req, err) < 0)
        return -1;
    if (codec_decode(type, req->body.data, req->body.length, ret, err) == 0)
        return 0;
    if (strstr(err->text, ": end of file expected near "))
        return err_set(err, ERR_INVALID, "unexpected content after JSON");
    return str_starts(err->text, "invalid JSON: ") ? -1 : err_wrap(err, "invalid JSON");
}

const char *request_body(const struct request *req, size_t *ret_length)
{
    *ret_length = req->body.length;
    return req->body.data ? req->body.data : "";
}

int request_body_fd(struct request *req)
{
    return req->body_read_fd;
}

int request_client_fd(const struct request *req)
{
    return req->client_fd;
}

bool request_client_gone(const struct request *req)
{
    struct pollfd poll_fd = { .fd = req->client_fd, .events = 0 };
    return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR | POLLNVAL));
}

bool request_wants_upgrade(const struct request *req)
{
    const char *upgrade = request_header(req, "Upgrade");
    return !str_empty(upgrade) && !req->http10;
}

const char *request_id(const struct request *req)
{
    return req->id;
}
