#include "cli/api.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/json/value.h"
#include <errno.h>
#include <stdarg.h>

#define ANSWER_MAX ((size_t)256 << 20)
#define ERROR_BODY_MAX ((size_t)1 << 20)
#define DEFAULT_SOCKET "unix:///run/holk.sock"
#define DOCKER_SOCKET "unix:///var/run/docker.sock"
#define DEFAULT_PORT "2375"

/* ---- connecting ---- */

static int connect_failed(const char *host, struct err *err)
{
    if (err->sys_errno == EACCES || err->sys_errno == EPERM)
        return err_set(err, ERR_UNAVAILABLE, "permission denied while trying to connect to the daemon socket at %s", host);
    if (err->kind == ERR_UNAVAILABLE && err->sys_errno)
        return err_set(err, ERR_UNAVAILABLE, "Cannot connect to the holk daemon at %s. Is holkd running?", host);
    return err_wrap(err, "error during connect");
}

/* "foo" and "tcp://foo" mean port 2375, as docker's -H. */
static char *with_port(const char *host)
{
    if (strstr(host, "://") ? !str_starts(host, "tcp://") && !str_starts(host, "http://") : host[0] == '/')
        return xstrdup(host);
    const char *scheme = strstr(host, "://"), *name = scheme ? scheme + 3 : host;
    const char *bracket = strrchr(name, ']'), *colon = strchr(bracket ? bracket : name, ':');
    if (colon == name)
        return str_format("tcp://localhost%s", name);
    return str_format("tcp://%s%s", name, colon ? "" : ":" DEFAULT_PORT);
}

int api_connect(struct cli *cli, struct http **ret, struct err *err)
{
    if (cli->host) {
        static const char *const unknown[] = { "ssh://", "npipe://", "fd://", "https://" };
        for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
            if (str_starts(cli->host, unknown[i]))
                return err_set(err, ERR_UNSUPPORTED, "host %s: %s is not supported; use unix:// or tcp://", cli->host, unknown[i]);
        }
        AUTO_FREE char *address = with_port(cli->host);
        return http_connect(address, ret, err) < 0 ? connect_failed(cli->host, err) : 0;
    }
    struct err second = { 0 };
    if (http_connect(DEFAULT_SOCKET, ret, err) == 0)
        return 0;
    if (err->sys_errno == ENOENT || err->sys_errno == ECONNREFUSED) {
        if (http_connect(DOCKER_SOCKET, ret, &second) == 0)
            return 0;
        if (second.sys_errno == EACCES) {
            *err = second;
            return connect_failed(DOCKER_SOCKET, err);
        }
    }
    return connect_failed(DEFAULT_SOCKET, err);
}

static int acquire(struct cli *cli, struct api_stream *stream, struct err *err)
{
    stream->cli = cli;
    stream->own = cli->http_busy;
    if (stream->own)
        return api_connect(cli, &stream->http, err);
    if (cli->http && !http_can_reuse(cli->http)) {
        http_close(cli->http);
        cli->http = NULL;
    }
    if (!cli->http && api_connect(cli, &cli->http, err) < 0)
        return -1;
    stream->http = cli->http;
    cli->http_busy = true;
    return 0;
}

void api_stream_close(struct api_stream *stream)
{
    http_response_done(&stream->response);
    if (!stream->http)
        return;
    if (stream->own) {
        http_close(stream->http);
    } else {
        stream->cli->http_busy = false;
        if (!http_can_reuse(stream->http)) {
            http_close(stream->http);
            stream->cli->http = NULL;
        }
    }
    stream->http = NULL;
}

/* ---- targets ---- */

void api_path(struct buf *target, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (; *format; format++) {
        if (format[0] == '%' && format[1] == 's') {
            http_escape_path(target, va_arg(args, const char *));
            format++;
        } else {
            buf_putc(target, *format);
        }
    }
    va_end(args);
}

void api_query_bool(struct buf *target, const char *key, bool value)
{
    if (value)
        http_query_add(target, key, "1");
}

void api_query_i64(struct buf *target, const char *key, int64_t value)
{
    AUTO_FREE char *text = str_format("%lld", (long long)value);
    http_query_add(target, key, text);
}

/* ---- answers ---- */

static enum err_kind kind_of_status(int status)
{
    static const struct {
        int status;
        enum err_kind kind;
    } kinds[] = {
        { 304, ERR_NOT_MODIFIED }, { 400, ERR_INVALID },     { 401, ERR_UNAUTHORIZED }, { 403, ERR_FORBIDDEN },
        { 404, ERR_NOT_FOUND },    { 409, ERR_CONFLICT },    { 501, ERR_UNSUPPORTED },  { 503, ERR_UNAVAILABLE },
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].status == status)
            return kinds[i].kind;
    }
    return status < 500 ? ERR_INVALID : ERR_INTERNAL;
}

static int refused(struct api_stream *stream, const char *target, struct err *err)
{
    AUTO_BUF struct buf body = BUF_INIT(ERROR_BODY_MAX);
    CLEANUP(json_free) struct json *json = NULL;
    int status = stream->response.status;
    struct err ignored = { 0 };
    if (http_read_all(stream->http, &body, err) < 0)
        return -1;
    const char *message = NULL;
    if (body.length && json_parse(body.data, body.length, &json, &ignored) == 0)
        message = json_text(json_get(json, "message"));
    else if (body.length)
        message = str_trim(body.data);
    if (str_empty(message))
        return err_set(err, kind_of_status(status),
                       "request returned %d %s for API route %s, check if the server supports the requested API version", status,
                       stream->response.reason, target);
    return err_set(err, kind_of_status(status), "Error response from daemon: %s", message);
}

static char *versioned(const struct cli *cli, const char *target)
{
    return cli->api_version ? str_format("/v%s%s", cli->api_version, target) : xstrdup(target);
}

/* A connection that breaks in the middle of an answer. */
static int broke(struct err *err)
{
    return err->kind == ERR_UNAVAILABLE ? err_wrap(err, "error during connect") : -1;
}

static int send_request(struct cli *cli, const struct http_request *request, struct api_stream *stream, struct err *err)
{
    AUTO_FREE char *target = versioned(cli, request->target);
    AUTO_FREE char **headers = NULL;
    size_t count = strv_length(request->headers);
    headers = xcalloc(count + 2, sizeof *headers);
    if (count)
        memcpy(headers, request->headers, count * sizeof *headers);
    AUTO_FREE char *agent = xstrdup("User-Agent: holk/" HOLK_VERSION " (linux)");
    headers[count] = agent;
    struct http_request sent = *request;
    sent.target = target;
    sent.headers = headers;
    if (acquire(cli, stream, err) < 0)
        return -1;
    return http_call(stream->http, &sent, &stream->response, err) < 0 ? broke(err) : 0;
}

int api_stream_open(struct cli *cli, const struct http_request *request, struct api_stream *ret, struct err *err)
{
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    if (send_request(cli, request, &stream, err) < 0)
        return -1;
    int status = stream.response.status;
    if (status == 304)
        return err_set(err, ERR_NOT_MODIFIED, "not modified");
    if (status >= 400)
        return refused(&stream, request->target, err);
    *ret = stream;
    stream = (struct api_stream)API_STREAM_INIT;
    return 0;
}

int api_stream_post(struct cli *cli, const char *target, struct api_stream *ret, struct err *err)
{
    return api_stream_open(cli, &(struct http_request){ .method = "POST", .target = target }, ret, err);
}

#define PIECE ((size_t)256 << 10)

int stream_to_fd(struct http *http, int fd, uint64_t *ret_count, struct err *err)
{
    AUTO_FREE char *piece = xmalloc(PIECE);
    uint64_t count = 0;
    ssize_t got;
    while ((got = http_read(http, piece, PIECE, err)) > 0) {
        int ret = io_write_all(fd, piece, (size_t)got);
        if (ret < 0)
            return err_sys(err, ret, "write output");
        count += (uint64_t)got;
    }
    if (ret_count)
        *ret_count = count;
    return got < 0 ? broke(err) : 0;
}

static int call_text(struct cli *cli, const char *method, const char *target, const struct codec_type *body_type,
                     const void *body, struct buf *out, struct err *err)
{
    static char json_header[] = "Content-Type: application/json";
    char *headers[] = { json_header, NULL };
    AUTO_BUF struct buf text = BUF_INIT(ANSWER_MAX);
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    if (body_type)
        codec_encode(body_type, body, &text);
    struct http_request request = {
        .method = method,
        .target = target,
        .headers = body_type ? headers : NULL,
        .body = text.data,
        .body_length = text.length,
    };
    if (api_stream_open(cli, &request, &stream, err) < 0)
        return -1;
    return http_read_all(stream.http, out, err) < 0 ? broke(err) : 0;
}

int api_call(struct cli *cli, const char *method, const char *target, const struct codec_type *body_type, const void *body,
             const struct codec_type *type, void *ret, struct err *err)
{
    AUTO_BUF struct buf answer = BUF_INIT(ANSWER_MAX);
    if (call_text(cli, method, target, body_type, body, &answer, err) < 0)
        return -1;
    if (type && codec_decode(type, answer.data ? answer.data : "", answer.length, ret, err) < 0)
        return err_wrap(err, "%s %s: unexpected answer", method, target);
    return 0;
}

/* The codec decodes objects; a list becomes the only member of one. */
struct list_holder {
    struct any_list items;
};

int api_get_list(struct cli *cli, const char *target, const struct codec_type *type, void *ret_list, struct err *err)
{
    const struct codec_field fields[] = {
        { .name = "items", .kind = CODEC_LIST_KIND, .offset = offsetof(struct list_holder, items), .type = type },
        F_END,
    };
    const struct codec_type holder_type = { .name = "list", .size = sizeof(struct list_holder), .fields = fields };
    struct list_holder holder = { 0 };
    AUTO_BUF struct buf answer = BUF_INIT(ANSWER_MAX + 16);
    buf_puts(&answer, "{\"items\":");
    if (call_text(cli, "GET", target, NULL, NULL, &answer, err) < 0)
        return -1;
    buf_puts(&answer, "}");
    if (codec_decode(&holder_type, answer.data, answer.length, &holder, err) < 0)
        return err_wrap(err, "GET %s: unexpected answer", target);
    memcpy(ret_list, &holder.items, sizeof holder.items);
    return 0;
}

void api_list_clear(const struct codec_type *type, void *list)
{
    struct any_list *items = list;
    for (size_t i = 0; i < items->count; i++)
        codec_clear(type, (char *)items->items + i * type->size);
    free(items->items);
    *items = (struct any_list){ 0 };
}

int api_get_text(struct cli *cli, const char *method, const char *target, struct buf *out, struct err *err)
{
    return call_text(cli, method, target, NULL, NULL, out, err);
}

int api_get_json(struct cli *cli, const char *target, struct json **ret, struct err *err)
{
    AUTO_BUF struct buf answer = BUF_INIT(ANSWER_MAX);
    if (call_text(cli, "GET", target, NULL, NULL, &answer, err) < 0)
        return -1;
    if (json_parse(answer.data ? answer.data : "", answer.length, ret, err) < 0)
        return err_wrap(err, "GET %s: unexpected answer", target);
    return 0;
}

/* ---- hijack ---- */

void api_hijack_close(struct api_hijack *hijack)
{
    fd_close(hijack->fd);
    hijack->fd = -1;
    buf_done(&hijack->early);
}

int api_hijack_open(struct cli *cli, const char *target, const struct codec_type *body_type, const void *body, bool tty,
                    struct api_hijack *ret, struct err *err)
{
    char content_type[] = "Content-Type: application/json", connection[] = "Connection: Upgrade", upgrade[] = "Upgrade: tcp";
    char *headers[] = { connection, upgrade, body_type ? content_type : NULL, NULL };
    AUTO_BUF struct buf text = BUF_INIT(ANSWER_MAX);
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    if (body_type)
        codec_encode(body_type, body, &text);
    struct http_request request = {
        .method = "POST", .target = target, .headers = headers, .body = text.data, .body_length = text.length,
    };
    if (api_stream_open(cli, &request, &stream, err) < 0)
        return -1;
    if (!stream.response.upgraded)
        return err_set(err, ERR_INTERNAL, "unable to upgrade to tcp, received %d", stream.response.status);
    const char *media = http_response_header(&stream.response, "Content-Type");
    ret->multiplexed = !tty || (media && strstr(media, "multiplexed-stream")); /* before API 1.42 every stream is called raw */
    return http_hijack(stream.http, &ret->early, &ret->fd, err);
}
