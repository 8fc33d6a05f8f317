#include "daemon/routes/routes.h"

#include "lib/base/str.h"
#include "lib/base/timefmt.h"

static int ping(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)req;
    (void)err;
    response_header(res, "Builder-Version", "1");
    response_header(res, "Swarm", "inactive");
    response_header(res, "Cache-Control", "no-cache, no-store, must-revalidate");
    response_header(res, "Pragma", "no-cache");
    return response_bytes(res, 200, "text/plain; charset=utf-8", "OK", 2);
}

static int version(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct version answer;
    (void)req;
    (void)err;
    engine_version(engine, &answer);
    int result = response_json(res, 200, &version_type, &answer);
    codec_clear(&version_type, &answer);
    return result;
}

static int info(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct info answer;
    (void)err;
    engine_info(engine, &answer);
    compat_info(request_version(req), &answer);
    int result = response_json(res, 200, &info_type, &answer);
    codec_clear(&info_type, &answer);
    return result;
}

static int time_query(struct request *req, const char *name, int64_t *ret, bool *ret_present, struct err *err)
{
    const char *text = request_query(req, name);
    *ret = 0;
    *ret_present = !str_empty(text);
    if (*ret_present && time_parse_docker(text, time_now_unix_ns(), ret) < 0)
        return err_set(err, ERR_INVALID, "invalid value for \"%s\": %s", name, text);
    return 0;
}

static int events(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_FILTERS struct filters filters = { 0 };
    int64_t since, until;
    bool has_since, has_until;
    struct response_sink sink;
    if (request_filters(req, &filters, err) < 0 || time_query(req, "since", &since, &has_since, err) < 0 || time_query(req, "until", &until, &has_until, err) < 0)
        return -1;
    response_sink_init(&sink, req, res, "application/json");
    return engine_events(engine, &filters, since, until, has_since, has_until, &sink.sink, err);
}

/* Leaves out what the client did not ask for (since 1.42). */
static int keep_types(struct request *req, struct disk_usage *usage, struct err *err)
{
    static const char *const names[] = { "image", "container", "volume", "build-cache" };
    CLEANUP(strv_free) char **types = request_query_all(req, "type");
    bool wanted[ARRAY_SIZE(names)] = { false };
    for (char **type = types; *type; type++) {
        size_t i = 0;
        while (i < ARRAY_SIZE(names) && !str_eq(*type, names[i]))
            i++;
        if (i == ARRAY_SIZE(names))
            return err_set(err, ERR_INVALID, "unknown object type: %s", *type);
        wanted[i] = true;
    }
    size_t *const counts[] = { &usage->images.count, &usage->containers.count, &usage->volumes.count, &usage->build_cache.count };
    for (size_t i = 0; *types && i < ARRAY_SIZE(names); i++)
        if (!wanted[i])
            *counts[i] = 0;
    if (*types && !wanted[0])
        usage->layers_size = 0;
    return 0;
}

static int disk_usage(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    struct disk_usage usage;
    if (engine_disk_usage(engine, &out, err) < 0 || codec_decode(&disk_usage_type, out.data, out.length, &usage, err) < 0)
        return -1;
    struct disk_usage shown = usage; /* the counts are cut, the items still belong to usage */
    int result = api_before(request_version(req), 42) ? 0 : keep_types(req, &shown, err);
    compat_disk_usage(request_version(req), &shown);
    if (result == 0)
        result = response_json(res, 200, &disk_usage_type, &shown);
    codec_clear(&disk_usage_type, &usage);
    return result;
}

static int auth(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct auth_config body;
    struct auth_response answer;
    if (request_json(req, &auth_config_type, &body, err) < 0)
        return -1;
    int result = engine_auth(engine, &body, &answer, err);
    codec_clear(&auth_config_type, &body);
    if (result < 0)
        return -1;
    result = response_json(res, 200, &auth_response_type, &answer);
    codec_clear(&auth_response_type, &answer);
    return result;
}

static int no_swarm(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)req;
    (void)res;
    return err_set(err, ERR_UNAVAILABLE, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.");
}

static int no_swarm_to_leave(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)req;
    (void)res;
    return err_set(err, ERR_UNAVAILABLE, "This node is not part of a swarm");
}

static int no_swarm_here(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)req;
    (void)res;
    return err_set(err, ERR_UNSUPPORTED, "swarm mode is not supported");
}

/* Browsers ask before they ask. */
static int options(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)req;
    (void)err;
    return response_status(res, 200);
}

static int no_plugins(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)req;
    (void)err;
    return response_bytes(res, 200, "application/json", "[]\n", 3);
}

const struct route system_routes[] = {
    { HTTP_OPTIONS, "/{any:.*}", options, 0 },
    { HTTP_GET, "/_ping", ping, 0 },
    { HTTP_GET, "/version", version, 0 },
    { HTTP_GET, "/info", info, 0 },
    { HTTP_GET, "/events", events, 0 },
    { HTTP_GET, "/system/df", disk_usage, 0 },
    { HTTP_POST, "/auth", auth, 0 },
    { HTTP_GET, "/plugins", no_plugins, 0 },
    { HTTP_GET, "/swarm", no_swarm, 0 },
    { HTTP_POST, "/swarm/leave", no_swarm_to_leave, 0 },
    { HTTP_POST, "/swarm/init", no_swarm_here, 0 },
    { HTTP_POST, "/swarm/join", no_swarm_here, 0 },
    { HTTP_POST, "/swarm/update", no_swarm, 0 },
    { HTTP_POST, "/swarm/unlock", no_swarm, 0 },
    { HTTP_GET, "/swarm/unlockkey", no_swarm, 0 },
    { HTTP_GET, "/nodes", no_swarm, 0 },
    { HTTP_GET, "/nodes/{id}", no_swarm, 0 },
    { HTTP_DELETE, "/nodes/{id}", no_swarm, 0 },
    { HTTP_POST, "/nodes/{id}/update", no_swarm, 0 },
    { HTTP_GET, "/services", no_swarm, 0 },
    { HTTP_POST, "/services/create", no_swarm, 0 },
    { HTTP_GET, "/services/{id}", no_swarm, 0 },
    { HTTP_DELETE, "/services/{id}", no_swarm, 0 },
    { HTTP_POST, "/services/{id}/update", no_swarm, 0 },
    { HTTP_GET, "/services/{id}/logs", no_swarm, 0 },
    { HTTP_GET, "/tasks", no_swarm, 0 },
    { HTTP_GET, "/tasks/{id}", no_swarm, 0 },
    { HTTP_GET, "/tasks/{id}/logs", no_swarm, 0 },
    { HTTP_GET, "/secrets", no_swarm, 0 },
    { HTTP_POST, "/secrets/create", no_swarm, 0 },
    { HTTP_GET, "/secrets/{id}", no_swarm, 0 },
    { HTTP_DELETE, "/secrets/{id}", no_swarm, 0 },
    { HTTP_POST, "/secrets/{id}/update", no_swarm, 0 },
    { HTTP_GET, "/configs", no_swarm, 0 },
    { HTTP_POST, "/configs/create", no_swarm, 0 },
    { HTTP_GET, "/configs/{id}", no_swarm, 0 },
    { HTTP_DELETE, "/configs/{id}", no_swarm, 0 },
    { HTTP_POST, "/configs/{id}/update", no_swarm, 0 },
    { 0, NULL, NULL, 0 },
};
