#include "daemon/routes/routes.h"

#include "lib/base/str.h"
#include "lib/base/timefmt.h"
#include "lib/jobs/kinds.h"
#include "lib/oci/platform.h"

/* ?platform={"os":...,"architecture":...}: an image here has one platform, which must be it. Asked for since the given version. */
static int check_platform(struct engine *engine, struct request *req, int since_minor, const char *name, struct err *err)
{
    const char *text = api_before(request_version(req), since_minor) ? NULL : request_query(req, "platform");
    struct distribution_platform asked;
    struct image_inspect inspect;
    struct platform wanted, own;
    char wanted_text[128], own_text[128];
    if (str_empty(text))
        return 0;
    if (codec_decode(&distribution_platform_type, text, strlen(text), &asked, err) < 0)
        return err_wrap(err, "failed to parse platform");
    platform_from(asked.os, asked.architecture, asked.variant, &wanted);
    codec_clear(&distribution_platform_type, &asked);
    if (!name) /* of an archive that is still to come */
        return 0;
    if (engine_image_inspect(engine, name, &inspect, err) < 0)
        return -1;
    platform_from(inspect.os, inspect.architecture, inspect.variant, &own);
    codec_clear(&image_inspect_type, &inspect);
    if (platform_match(&wanted, &own))
        return 0;
    platform_format(&wanted, wanted_text, sizeof wanted_text);
    platform_format(&own, own_text, sizeof own_text);
    return err_set(err, ERR_NOT_FOUND, "image with reference %s was found but its platform (%s) does not match the specified platform (%s)", name, own_text, wanted_text);
}

static int list_images(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    AUTO_FILTERS struct filters filters = { 0 };
    const char *old = request_query(req, "filter"); /* before 1.41: a reference */
    if (request_filters(req, &filters, err) < 0)
        return -1;
    if (!str_empty(old) && api_before(request_version(req), 41))
        filters_add(&filters, "reference", old);
    if (engine_image_list(engine, request_query_bool(req, "all", false), request_query_bool(req, "digests", false), request_query_bool(req, "shared-size", false), &filters, &out, err) < 0)
        return -1;
    compat_image_list(request_version(req), &out);
    return response_json_text(res, 200, &out);
}

static int create_image(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct response_sink sink;
    const char *from = request_query(req, "fromImage"), *source = request_query(req, "fromSrc");
    const char *platform = api_before(request_version(req), 32) ? NULL : request_query(req, "platform");
    response_sink_init(&sink, req, res, "application/json");
    if (!str_empty(from))
        return engine_image_pull(engine, from, request_query(req, "tag"), platform, request_header(req, "X-Registry-Auth"), &sink.sink, err);
    if (str_empty(source))
        return err_set(err, ERR_INVALID, "fromImage or fromSrc is needed");
    struct platform ignored;
    if (!str_empty(platform) && platform_parse(platform, &ignored, err) < 0)
        return -1;
    char **changes = request_query_all(req, "changes");
    int result = engine_image_import(engine, source, request_query(req, "repo"), request_query(req, "tag"), request_query(req, "message"), changes,
                                     platform, request_body_fd(req), &sink.sink, err);
    strv_free(changes);
    return result;
}

static int load_images(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct response_sink sink;
    if (check_platform(engine, req, 48, NULL, err) < 0)
        return -1;
    response_sink_init(&sink, req, res, "application/json");
    return engine_image_load(engine, request_body_fd(req), request_query_bool(req, "quiet", false), &sink.sink, err);
}

static int save_named(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct response_sink sink;
    char **names = NULL;
    if (check_platform(engine, req, 48, request_param(req, "name"), err) < 0)
        return -1;
    strv_append(&names, request_param(req, "name"));
    response_sink_init(&sink, req, res, "application/x-tar");
    int result = engine_image_save(engine, names, &sink.sink, err);
    strv_free(names);
    return result;
}

static int save_images(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct response_sink sink;
    char **names = request_query_all(req, "names");
    response_sink_init(&sink, req, res, "application/x-tar");
    int result = engine_image_save(engine, names, &sink.sink, err);
    strv_free(names);
    return result;
}

static int inspect_image(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct image_inspect inspect;
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    if (check_platform(engine, req, 49, request_param(req, "name"), err) < 0 || engine_image_inspect(engine, request_param(req, "name"), &inspect, err) < 0)
        return -1;
    compat_image_inspect(request_version(req), &inspect);
    compat_image_inspect_encode(request_version(req), &inspect, &out);
    codec_clear(&image_inspect_type, &inspect);
    return response_json_text(res, 200, &out);
}

static int history_image(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    if (check_platform(engine, req, 48, request_param(req, "name"), err) < 0)
        return -1;
    return engine_image_history(engine, request_param(req, "name"), &out, err) < 0 ? -1 : response_json_text(res, 200, &out);
}

static int push_image(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct response_sink sink;
    if (check_platform(engine, req, 46, request_param(req, "name"), err) < 0)
        return -1;
    response_sink_init(&sink, req, res, "application/json");
    return engine_image_push(engine, request_param(req, "name"), request_query(req, "tag"), request_header(req, "X-Registry-Auth"), &sink.sink, err);
}

static int tag_image(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    if (engine_image_tag(engine, request_param(req, "name"), request_query(req, "repo"), request_query(req, "tag"), err) < 0)
        return -1;
    return response_status(res, 201);
}

static int delete_image(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    if (engine_image_delete(engine, request_param(req, "name"), request_query_bool(req, "force", false), request_query_bool(req, "noprune", false), &out, err) < 0)
        return -1;
    return response_json_text(res, 200, &out);
}

static int prune_images(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    AUTO_FILTERS struct filters filters = { 0 };
    if (request_filters(req, &filters, err) < 0 || engine_image_prune(engine, &filters, &out, err) < 0)
        return -1;
    return response_json_text(res, 200, &out);
}

static int search_images(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)req;
    (void)res;
    return err_set(err, ERR_UNSUPPORTED, "image search is not supported yet");
}

static int commit_container(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct container_config config;
    if (request_json(req, &container_config_type, &config, err) < 0)
        return -1;
    char **changes = request_query_all(req, "changes");
    AUTO_FREE char *id = NULL;
    const char *container = request_query(req, "container");
    int result = str_empty(container) ? err_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"") : 0;
    if (result == 0)
        result = engine_commit(engine, container, request_query(req, "repo"), request_query(req, "tag"), request_query(req, "author"), request_query(req, "comment"),
                               request_query_bool(req, "pause", true), changes, &config, &id, err);
    strv_free(changes);
    codec_clear(&container_config_type, &config);
    struct id_response answer = { .id = id };
    return result < 0 ? -1 : response_json(res, 201, &id_response_type, &answer);
}

static int distribution(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    if (engine_distribution(engine, request_param(req, "name"), request_header(req, "X-Registry-Auth"), &out, err) < 0)
        return -1;
    return response_json_text(res, 200, &out);
}

const struct route image_routes[] = {
    { HTTP_GET, "/images/json", list_images, 0 },
    { HTTP_POST, "/images/create", create_image, ROUTE_BODY },
    { HTTP_POST, "/images/load", load_images, ROUTE_BODY },
    { HTTP_POST, "/images/prune", prune_images, 0 },
    { HTTP_GET, "/images/search", search_images, 0 },
    { HTTP_GET, "/images/get", save_images, 0 },
    { HTTP_GET, "/images/{name:.*}/get", save_named, 0 },
    { HTTP_GET, "/images/{name:.*}/json", inspect_image, 0 },
    { HTTP_GET, "/images/{name:.*}/history", history_image, 0 },
    { HTTP_POST, "/images/{name:.*}/push", push_image, 0 },
    { HTTP_POST, "/images/{name:.*}/tag", tag_image, 0 },
    { HTTP_DELETE, "/images/{name:.*}", delete_image, 0 },
    { HTTP_POST, "/commit", commit_container, 0 },
    { HTTP_GET, "/distribution/{name:.*}/json", distribution, 0 },
    { 0, NULL, NULL, 0 },
};

/* ---- build ---- */


/* {"A":"1","B":null}: names with null are declared without a value. */
static int map_query(struct request *req, const char *name, struct str_map *ret, char ***ret_null, struct err *err)
{
    struct holder {
        struct str_map map;
    } holder;
    static const struct codec_field fields[] = { F_STRMAP(struct holder, map, "m", 0), F_END };
    static const struct codec_type type = { .name = "map", .size = sizeof(struct holder), .fields = fields };
    const char *text = request_query(req, name);
    if (str_empty(text) || str_eq(text, "null"))
        return 0;
    AUTO_FREE char *wrapped = str_format("{\"m\":%s}", text);
    if (codec_decode(&type, wrapped, strlen(wrapped), &holder, err) < 0)
        return err_wrap(err, "error reading %s", str_eq(name, "buildargs") ? "build args" : name);
    *ret = holder.map;
    for (size_t i = 0; ret_null && i < str_map_count(ret); i++) {
        AUTO_BUF struct buf key = BUF_INIT(65536);
        json_put_string(&key, ret->keys[i], strlen(ret->keys[i]));
        buf_puts(&key, ":null");
        if (!ret->values[i][0] && strstr(text, key.data))
            strv_append(ret_null, ret->keys[i]);
    }
    for (size_t i = 0; ret_null && *ret_null && (*ret_null)[i]; i++)
        str_map_remove(ret, (*ret_null)[i]);
    return 0;
}

static int list_query(struct request *req, const char *name, char ***ret, struct err *err)
{
    struct holder {
        char **list;
    } holder;
    static const struct codec_field fields[] = { F_STRV(struct holder, list, "l", 0), F_END };
    static const struct codec_type type = { .name = "list", .size = sizeof(struct holder), .fields = fields };
    const char *text = request_query(req, name);
    if (str_empty(text) || str_eq(text, "null"))
        return 0;
    AUTO_FREE char *wrapped = str_format("{\"l\":%s}", text);
    if (text[0] != '[') {
        *ret = strv_split(text, ',', true);
        return 0;
    }
    if (codec_decode(&type, wrapped, strlen(wrapped), &holder, err) < 0)
        return err_wrap(err, "query parameter %s", name);
    *ret = holder.list;
    return 0;
}

static int build_params(struct request *req, struct job_build *ret, struct err *err)
{
    const struct {
        const char *name;
        int64_t *slot;
    } numbers[] = { { "memory", &ret->memory_bytes }, { "memswap", &ret->memory_swap_bytes }, { "cpushares", &ret->cpu_shares },
                    { "cpuperiod", &ret->cpu_period }, { "cpuquota", &ret->cpu_quota }, { "shmsize", &ret->shm_size } };
    const struct {
        const char *name;
        char **slot;
    } texts[] = { { "dockerfile", &ret->dockerfile }, { "target", &ret->target }, { "platform", &ret->platform }, { "networkmode", &ret->network_mode }, { "remote", &ret->remote },
                  { "cpusetcpus", &ret->cpuset_cpus }, { "cpusetmems", &ret->cpuset_mems }, { "cgroupparent", &ret->cgroup_parent }, { "isolation", &ret->isolation }, { "ulimits", &ret->ulimits } };
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        if (request_query_int(req, numbers[i].name, 0, numbers[i].slot, err) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *text = request_query(req, texts[i].name);
        *texts[i].slot = xstrdup(text ? text : "");
    }
    ret->no_cache = request_query_bool(req, "nocache", false);
    ret->pull = request_query_bool(req, "pull", false);
    ret->squash = request_query_bool(req, "squash", false);
    ret->quiet = request_query_bool(req, "q", false);
    ret->remove = request_query_bool(req, "rm", true);
    ret->force_remove = request_query_bool(req, "forcerm", false);
    ret->apply_dockerignore = true;
    ret->tags = request_query_all(req, "t");
    return map_query(req, "buildargs", &ret->build_args, &ret->null_build_args, err) < 0 || map_query(req, "labels", &ret->labels, NULL, err) < 0 ||
                   list_query(req, "cachefrom", &ret->cache_from, err) < 0 || list_query(req, "extrahosts", &ret->extra_hosts, err) < 0 ? -1 : 0;
}

static int build_image(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    static const char *const known[] = { "t", "dockerfile", "q", "nocache", "cachefrom", "pull", "rm", "forcerm", "memory", "memswap", "cpushares", "cpusetcpus", "cpusetmems",
                                         "cpuperiod", "cpuquota", "buildargs", "shmsize", "squash", "labels", "networkmode", "platform", "target", "version", "extrahosts", "remote",
                                         "isolation", "ulimits", "cgroupparent", "buildid", "session", "securityopt", "outputs", NULL };
    struct job_build params = { 0 };
    const char *version = request_query(req, "version");
    if (request_known_queries(req, known, err) < 0)
        return -1;
    if (!str_empty(version) && !str_eq(version, "1") && !str_eq(version, "2"))
        return err_set(err, ERR_INVALID, "invalid version \"%s\"", version);
    if (str_eq(version, "2"))
        return err_set(err, ERR_UNSUPPORTED, "BuildKit builds (version=2) are not supported yet: use version=1 (DOCKER_BUILDKIT=0)");
    if (!str_empty(request_query(req, "outputs")) || request_query_bool(req, "squash", false) || !str_empty(request_query(req, "securityopt")))
        return err_set(err, ERR_UNSUPPORTED, "build parameters outputs, squash and securityopt are not supported yet");
    struct response_sink sink;
    response_sink_init(&sink, req, res, "application/json");
    int result = build_params(req, &params, err);
    if (result == 0)
        result = engine_build(engine, &params, request_body_fd(req), &sink.sink, err);
    codec_clear(&job_build_type, &params);
    return result;
}

static int prune_options(struct request *req, struct build_prune_options *ret, struct err *err)
{
    static const char *const known[] = { "until", "unused-for", NULL }, *const sizes[] = { "keep-storage", "reserved-space", "max-used-space" };
    AUTO_FILTERS struct filters filters = { 0 };
    *ret = (struct build_prune_options){ .all = request_query_bool(req, "all", false) };
    if (request_filters(req, &filters, err) < 0 || filters_check(&filters, known, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        int64_t bytes = 0;
        if (request_query_int(req, sizes[i], 0, &bytes, err) < 0)
            return -1;
        ret->keep_bytes = MAX(ret->keep_bytes, bytes);
    }
    for (size_t i = 0; known[i]; i++) {
        char *const *values = filters_get(&filters, known[i]);
        if (values && time_parse_duration(values[0], &ret->unused_for_ns) < 0)
            return err_set(err, ERR_INVALID, "invalid value for filter %s: %s is no duration", known[i], values[0]);
    }
    return 0;
}

static int prune_build(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct build_prune_options options;
    struct build_prune_response answer;
    if (prune_options(req, &options, err) < 0 || engine_build_prune(engine, &options, &answer, err) < 0)
        return -1;
    int result = response_json(res, 200, &build_prune_response_type, &answer);
    codec_clear(&build_prune_response_type, &answer);
    return result;
}

static int refuse_build(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)res;
    return err_set(err, ERR_UNSUPPORTED, "%s is not supported yet", request_path(req));
}

const struct route build_routes[] = {
    { HTTP_POST, "/build", build_image, ROUTE_BODY | ROUTE_BUILD },
    { HTTP_POST, "/build/prune", prune_build, 0 },
    { HTTP_POST, "/build/cancel", refuse_build, 0 },
    { HTTP_POST, "/session", refuse_build, 0 },
    { HTTP_POST, "/grpc", refuse_build, 0 },
    { 0, NULL, NULL, 0 },
};
