#include "daemon/routes/routes.h"

#include "lib/api/create_check.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <limits.h>

static int list_containers(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    AUTO_FILTERS struct filters filters = { 0 };
    int64_t limit;
    if (request_filters(req, &filters, err) < 0 || request_query_int(req, "limit", 0, &limit, err) < 0 ||
        engine_container_list(engine, request_query_bool(req, "all", false), limit, request_query_bool(req, "size", false), &filters, &out, err) < 0)
        return -1;
    compat_container_list(request_version(req), &out);
    return response_json_text(res, 200, &out);
}

static int create_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct container_create_request body;
    struct container_create_response answer;
    size_t length;
    (void)request_body(req, &length);
    if (length == 0)
        return err_set(err, ERR_INVALID, "invalid JSON: got EOF while reading request body");
    if (request_json(req, &container_create_request_type, &body, err) < 0)
        return -1;
    CLEANUP(strv_free) char **warnings = NULL;
    const char *platform = api_before(request_version(req), 41) ? NULL : request_query(req, "platform");
    int result = create_config_is_empty(&body) ? err_set(err, ERR_INVALID, "config cannot be empty in order to create a container")
                                               : compat_create_request(request_version(req), &body, &warnings, err);
    if (result == 0)
        result = create_check(&body, err);
    if (result == 0)
        result = engine_container_create(engine, request_query(req, "name"), platform, &body, &answer, err);
    codec_clear(&container_create_request_type, &body);
    if (result < 0)
        return -1;
    strv_extend(&answer.warnings, warnings);
    result = response_json(res, 201, &container_create_response_type, &answer);
    codec_clear(&container_create_response_type, &answer);
    return result;
}

static int inspect_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct container_inspect inspect;
    if (engine_container_inspect(engine, request_param(req, "id"), request_query_bool(req, "size", false), &inspect, err) < 0)
        return -1;
    compat_container_inspect(request_version(req), &inspect);
    int result = response_json(res, 200, &container_inspect_type, &inspect);
    codec_clear(&container_inspect_type, &inspect);
    return result;
}

static int start_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    size_t length;
    (void)request_body(req, &length);
    if (length > 7) /* "null" and "{}" are fine */
        return err_set(err, ERR_INVALID, "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24");
    return engine_container_start(engine, request_param(req, "id"), err) < 0 ? -1 : response_status(res, 204);
}

/* Which signal ends it could be said since 1.42. */
static const char *signal_of(const struct request *req)
{
    return api_before(request_version(req), 42) ? NULL : request_query(req, "signal");
}

static int timeout_of(struct request *req, int64_t *ret, struct err *err)
{
    return request_query_int(req, "t", INT64_MIN, ret, err);
}

static int stop_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    int64_t timeout;
    if (timeout_of(req, &timeout, err) < 0)
        return -1;
    if (engine_container_stop(engine, request_param(req, "id"), signal_of(req), timeout, err) < 0)
        return str_starts(err->text, "invalid signal") ? err_wrap(err, "cannot stop container: %s", request_param(req, "id")) : -1;
    return response_status(res, 204);
}

static int restart_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    int64_t timeout;
    if (timeout_of(req, &timeout, err) < 0 || engine_container_restart(engine, request_param(req, "id"), signal_of(req), timeout, err) < 0)
        return -1;
    return response_status(res, 204);
}

static int kill_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    if (engine_container_kill(engine, request_param(req, "id"), request_query(req, "signal"), err) < 0)
        return err_wrap(err, "cannot kill container: %s", request_param(req, "id"));
    return response_status(res, 204);
}

static int pause_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    return engine_container_pause(engine, request_param(req, "id"), err) < 0 ? -1 : response_status(res, 204);
}

static int unpause_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    return engine_container_unpause(engine, request_param(req, "id"), err) < 0 ? -1 : response_status(res, 204);
}

static int rename_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    if (engine_container_rename(engine, request_param(req, "id"), request_query(req, "name"), err) == 0)
        return response_status(res, 204);
    bool about_name = str_starts(err->text, "Conflict. ") || str_starts(err->text, "Invalid container name");
    return about_name ? err_wrap(err, "Error when allocating new name") : -1;
}

static int remove_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    if (engine_container_remove(engine, request_param(req, "id"), request_query_bool(req, "force", false), request_query_bool(req, "v", false),
                                request_query_bool(req, "link", false), err) < 0)
        return -1;
    return response_status(res, 204);
}

static int size_of(struct request *req, const char *key, const char *what, unsigned *ret, struct err *err)
{
    const char *text = request_query(req, key);
    uint64_t number;
    if (str_empty(text) || str_to_u64(text, &number) < 0)
        return err_set(err, ERR_INVALID, "invalid resize %s \"%s\": invalid syntax", what, text ? text : "");
    if (number > UINT16_MAX)
        return err_set(err, ERR_INVALID, "invalid resize %s \"%s\": value out of range", what, text);
    *ret = (unsigned)number;
    return 0;
}

static int sizes(struct request *req, unsigned *ret_rows, unsigned *ret_cols, struct err *err)
{
    return size_of(req, "h", "height", ret_rows, err) < 0 || size_of(req, "w", "width", ret_cols, err) < 0 ? -1 : 0;
}

static int resize_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    unsigned rows = 0, cols = 0;
    if (sizes(req, &rows, &cols, err) < 0 || engine_container_resize(engine, request_param(req, "id"), rows, cols, err) < 0)
        return -1;
    return response_status(res, 200);
}

static void begin_wait(void *arg)
{
    (void)response_stream_begin(arg, 200, "application/json");
}

static int wait_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct container_wait_response answer;
    bool flush = !api_before(request_version(req), 30); /* with the conditions came the early head */
    if (engine_container_wait(engine, request_param(req, "id"), flush ? request_query(req, "condition") : NULL, flush ? begin_wait : NULL, res, request_client_fd(req), &answer, err) < 0)
        return -1;
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    codec_encode(&container_wait_response_type, &answer, &out);
    buf_putc(&out, '\n');
    codec_clear(&container_wait_response_type, &answer);
    return flush ? response_write(res, out.data, out.length) : response_json_text(res, 200, &out);
}

static int top_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct container_top_response answer;
    if (engine_container_top(engine, request_param(req, "id"), request_query(req, "ps_args"), &answer, err) < 0)
        return -1;
    int result = response_json(res, 200, &container_top_response_type, &answer);
    codec_clear(&container_top_response_type, &answer);
    return result;
}

static int container_changes(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    return engine_container_changes(engine, request_param(req, "id"), &out, err) < 0 ? -1 : response_json_text(res, 200, &out);
}

static int update_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct container_update_request body;
    struct container_update_response answer;
    if (request_json(req, &container_update_request_type, &body, err) < 0)
        return -1;
    int result = update_check(&body, err);
    if (result == 0)
        result = engine_container_update(engine, request_param(req, "id"), &body, &answer, err);
    codec_clear(&container_update_request_type, &body);
    return result < 0 ? -1 : response_json(res, 200, &container_update_response_type, &answer);
}

static int prune_containers(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_FILTERS struct filters filters = { 0 };
    struct container_prune_response answer;
    if (request_filters(req, &filters, err) < 0 || engine_container_prune(engine, &filters, &answer, err) < 0)
        return -1;
    int result = response_json(res, 200, &container_prune_response_type, &answer);
    codec_clear(&container_prune_response_type, &answer);
    return result;
}

static int stats_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    bool tty; /* who asks about a container that is not there hears that first */
    (void)res;
    if (engine_container_has_tty(engine, request_param(req, "id"), &tty, err) < 0)
        return -1;
    return err_set(err, ERR_UNSUPPORTED, "container statistics are not supported yet");
}

/* ---- logs and attach ---- */

#define RAW_STREAM "application/vnd.docker.raw-stream"
#define MULTIPLEXED_STREAM "application/vnd.docker.multiplexed-stream"

static const char *stream_type(const struct request *req, bool raw)
{
    return raw || api_before(request_version(req), 42) ? RAW_STREAM : MULTIPLEXED_STREAM;
}

static int time_query(struct request *req, const char *name, int64_t *ret, struct err *err)
{
    const char *text = request_query(req, name);
    *ret = 0;
    if (str_empty(text) || str_eq(text, "0"))
        return 0;
    return time_parse_docker(text, time_now_unix_ns(), ret) < 0 ? err_set(err, ERR_INVALID, "invalid value for \"%s\": %s", name, text) : 0;
}

static int logs_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct log_options options = { .follow = request_query_bool(req, "follow", false), .want_stdout = request_query_bool(req, "stdout", false),
                                   .want_stderr = request_query_bool(req, "stderr", false), .timestamps = request_query_bool(req, "timestamps", false),
                                   .details = request_query_bool(req, "details", false), .tail = -1 };
    const char *tail = request_query(req, "tail");
    bool tty;
    if (!str_empty(tail) && !str_eq(tail, "all") && str_to_i64(tail, &options.tail) < 0)
        options.tail = -1;
    if (time_query(req, "since", &options.since_ns, err) < 0 || time_query(req, "until", &options.until_ns, err) < 0 ||
        engine_container_has_tty(engine, request_param(req, "id"), &tty, err) < 0)
        return -1;
    struct response_sink sink;
    response_sink_init(&sink, req, res, stream_type(req, tty));
    return engine_container_logs(engine, request_param(req, "id"), &options, &sink.sink, err);
}

static void on_hijack(void *arg, int fd, const void *early, size_t early_length)
{
    engine_attach_connect(arg, fd, early, early_length);
}

static int attach_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct attach_options options = { .want_stdin = request_query_bool(req, "stdin", false), .want_stdout = request_query_bool(req, "stdout", false),
                                      .want_stderr = request_query_bool(req, "stderr", false), .logs = request_query_bool(req, "logs", false),
                                      .stream = request_query_bool(req, "stream", false), .detach_keys = request_query(req, "detachKeys") };
    struct attach *attach;
    bool raw;
    if (engine_attach_prepare(engine, request_param(req, "id"), &options, &attach, &raw, err) < 0)
        return -1;
    return response_hijack(res, stream_type(req, raw || !request_wants_upgrade(req)), on_hijack, attach);
}

static int attach_websocket(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)req;
    (void)res;
    return err_set(err, ERR_UNSUPPORTED, "attach over WebSocket is not supported yet");
}

/* ---- archive ---- */

static void encode_base64(const char *text, struct buf *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i += 3) {
        unsigned bits = (unsigned)(unsigned char)text[i] << 16 | (i + 1 < length ? (unsigned)(unsigned char)text[i + 1] << 8 : 0) |
                        (i + 2 < length ? (unsigned char)text[i + 2] : 0);
        buf_putc(out, letters[bits >> 18]);
        buf_putc(out, letters[bits >> 12 & 63]);
        buf_putc(out, i + 1 < length ? letters[bits >> 6 & 63] : '=');
        buf_putc(out, i + 2 < length ? letters[bits & 63] : '=');
    }
}

static void put_stat(void *arg, const char *stat_json)
{
    AUTO_BUF struct buf text = BUF_INIT(65536);
    encode_base64(stat_json, &text);
    (void)response_header(arg, "X-Docker-Container-Path-Stat", text.data ? text.data : "");
}

static int head_archive(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_FREE char *json = NULL;
    if (engine_archive_stat(engine, request_param(req, "id"), request_query(req, "path"), &json, err) < 0)
        return -1;
    put_stat(res, json);
    return response_status(res, 200);
}

static int get_archive(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct response_sink sink;
    response_sink_init(&sink, req, res, "application/x-tar");
    return engine_archive_get(engine, request_param(req, "id"), request_query(req, "path"), put_stat, res, &sink.sink, err);
}

static int put_archive(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    if (engine_archive_put(engine, request_param(req, "id"), request_query(req, "path"), request_query_bool(req, "noOverwriteDirNonDir", false),
                           request_query_bool(req, "copyUIDGID", false), request_body_fd(req), err) < 0)
        return -1;
    return response_status(res, 200);
}

static int export_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct response_sink sink;
    response_sink_init(&sink, req, res, "application/octet-stream");
    return engine_container_export(engine, request_param(req, "id"), &sink.sink, err);
}

static int exec_create(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct exec_create_request body;
    char id[65];
    if (request_json(req, &exec_create_request_type, &body, err) < 0)
        return -1;
    int result = engine_exec_create(engine, request_param(req, "id"), &body, id, err);
    codec_clear(&exec_create_request_type, &body);
    struct id_response answer = { .id = id };
    return result < 0 ? -1 : response_json(res, 201, &id_response_type, &answer);
}

const struct route container_routes[] = {
    { HTTP_GET, "/containers/json", list_containers, 0 },
    { HTTP_POST, "/containers/create", create_container, 0 },
    { HTTP_POST, "/containers/prune", prune_containers, 0 },
    { HTTP_GET, "/containers/{id}/json", inspect_container, 0 },
    { HTTP_GET, "/containers/{id}/top", top_container, 0 },
    { HTTP_GET, "/containers/{id}/logs", logs_container, 0 },
    { HTTP_GET, "/containers/{id}/changes", container_changes, 0 },
    { HTTP_GET, "/containers/{id}/export", export_container, 0 },
    { HTTP_GET, "/containers/{id}/stats", stats_container, 0 },
    { HTTP_GET, "/containers/{id}/attach/ws", attach_websocket, 0 },
    { HTTP_POST, "/containers/{id}/start", start_container, 0 },
    { HTTP_POST, "/containers/{id}/stop", stop_container, 0 },
    { HTTP_POST, "/containers/{id}/restart", restart_container, 0 },
    { HTTP_POST, "/containers/{id}/kill", kill_container, 0 },
    { HTTP_POST, "/containers/{id}/pause", pause_container, 0 },
    { HTTP_POST, "/containers/{id}/unpause", unpause_container, 0 },
    { HTTP_POST, "/containers/{id}/rename", rename_container, 0 },
    { HTTP_POST, "/containers/{id}/update", update_container, 0 },
    { HTTP_POST, "/containers/{id}/wait", wait_container, 0 },
    { HTTP_POST, "/containers/{id}/resize", resize_container, 0 },
    { HTTP_POST, "/containers/{id}/attach", attach_container, ROUTE_HIJACK },
    { HTTP_POST, "/containers/{id}/exec", exec_create, 0 },
    { HTTP_HEAD, "/containers/{id}/archive", head_archive, 0 },
    { HTTP_GET, "/containers/{id}/archive", get_archive, 0 },
    { HTTP_PUT, "/containers/{id}/archive", put_archive, ROUTE_BODY },
    { HTTP_DELETE, "/containers/{id}", remove_container, 0 },
    { 0, NULL, NULL, 0 },
};

/* ---- execs ---- */

static int exec_start(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct exec_start_request body;
    struct attach *attach;
    bool raw;
    if (request_json(req, &exec_start_request_type, &body, err) < 0)
        return -1;
    int result = body.detach ? engine_exec_start_detached(engine, request_param(req, "id"), &body, err)
                             : engine_exec_prepare(engine, request_param(req, "id"), &body, &attach, &raw, err);
    bool detached = body.detach;
    codec_clear(&exec_start_request_type, &body);
    if (result < 0)
        return -1;
    return detached ? response_status(res, 200) : response_hijack(res, stream_type(req, raw || !request_wants_upgrade(req)), on_hijack, attach);
}

static int exec_resize(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    unsigned rows = 0, cols = 0;
    if (sizes(req, &rows, &cols, err) < 0 || engine_exec_resize(engine, request_param(req, "id"), rows, cols, err) < 0)
        return -1;
    return response_status(res, 200);
}

static int exec_inspect(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct exec_inspect inspect;
    if (engine_exec_inspect(engine, request_param(req, "id"), &inspect, err) < 0)
        return -1;
    int result = response_json(res, 200, &exec_inspect_type, &inspect);
    codec_clear(&exec_inspect_type, &inspect);
    return result;
}

const struct route exec_routes[] = {
    { HTTP_POST, "/exec/{id}/start", exec_start, ROUTE_HIJACK },
    { HTTP_POST, "/exec/{id}/resize", exec_resize, 0 },
    { HTTP_GET, "/exec/{id}/json", exec_inspect, 0 },
    { 0, NULL, NULL, 0 },
};
