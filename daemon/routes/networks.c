#include "daemon/routes/routes.h"

#include "lib/base/str.h"

static int list_networks(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    AUTO_FILTERS struct filters filters = { 0 };
    if (request_filters(req, &filters, err) < 0 || engine_network_list(engine, &filters, &out, err) < 0)
        return -1;
    return response_json_text(res, 200, &out);
}

static int create_network(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct network_create_request body;
    struct network_create_response answer;
    if (request_json(req, &network_create_request_type, &body, err) < 0)
        return -1;
    int result = str_empty(body.name) || strspn(body.name, " \t\r\n") == strlen(body.name) ? err_set(err, ERR_INVALID, "invalid name: name is empty")
                                                                                             : engine_network_create(engine, &body, &answer, err);
    codec_clear(&network_create_request_type, &body);
    if (result < 0)
        return -1;
    result = response_json(res, 201, &network_create_response_type, &answer);
    codec_clear(&network_create_response_type, &answer);
    return result;
}

static int inspect_network(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct network_inspect inspect;
    if (engine_network_inspect(engine, request_param(req, "id"), request_query(req, "scope"), request_query_bool(req, "verbose", false), &inspect, err) < 0)
        return -1;
    int result = response_json(res, 200, &network_inspect_type, &inspect);
    codec_clear(&network_inspect_type, &inspect);
    return result;
}

static int remove_network(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    return engine_network_remove(engine, request_param(req, "id"), err) < 0 ? -1 : response_status(res, 204);
}

static int connect_network(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct network_connect_request body;
    if (request_json(req, &network_connect_request_type, &body, err) < 0)
        return -1;
    int result = str_empty(body.container) ? err_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"")
                                           : engine_network_connect(engine, request_param(req, "id"), body.container, body.endpoint_config, err);
    codec_clear(&network_connect_request_type, &body);
    return result < 0 ? -1 : response_status(res, 200);
}

static int disconnect_network(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct network_disconnect_request body;
    if (request_json(req, &network_disconnect_request_type, &body, err) < 0)
        return -1;
    int result = str_empty(body.container) ? err_set(err, ERR_INVALID, "invalid name or ID supplied: \"\"")
                                           : engine_network_disconnect(engine, request_param(req, "id"), body.container, body.force, err);
    codec_clear(&network_disconnect_request_type, &body);
    return result < 0 ? -1 : response_status(res, 200);
}

static int prune_networks(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    AUTO_FILTERS struct filters filters = { 0 };
    if (request_filters(req, &filters, err) < 0 || engine_network_prune(engine, &filters, &out, err) < 0)
        return -1;
    return response_json_text(res, 200, &out);
}

const struct route network_routes[] = {
    { HTTP_GET, "/networks", list_networks, 0 },
    { HTTP_POST, "/networks/create", create_network, 0 },
    { HTTP_POST, "/networks/prune", prune_networks, 0 },
    { HTTP_POST, "/networks/{id}/connect", connect_network, 0 },
    { HTTP_POST, "/networks/{id}/disconnect", disconnect_network, 0 },
    { HTTP_GET, "/networks/{id}", inspect_network, 0 },
    { HTTP_DELETE, "/networks/{id}", remove_network, 0 },
    { 0, NULL, NULL, 0 },
};

/* ---- volumes ---- */

static int list_volumes(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_FILTERS struct filters filters = { 0 };
    struct volume_list_response answer;
    if (request_filters(req, &filters, err) < 0)
        return err_wrap(err, "error reading volume filters");
    if (engine_volume_list(engine, &filters, &answer, err) < 0)
        return -1;
    int result = response_json(res, 200, &volume_list_response_type, &answer);
    codec_clear(&volume_list_response_type, &answer);
    return result;
}

static int answer_volume(struct response *res, unsigned status, struct volume *volume)
{
    int result = response_json(res, status, &volume_type, volume);
    codec_clear(&volume_type, volume);
    return result;
}

static int create_volume(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct volume_create_request body;
    struct volume volume;
    if (request_json(req, &volume_create_request_type, &body, err) < 0)
        return -1;
    int result = engine_volume_create(engine, &body, &volume, err);
    codec_clear(&volume_create_request_type, &body);
    return result < 0 ? -1 : answer_volume(res, 201, &volume);
}

static int inspect_volume(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    struct volume volume;
    return engine_volume_inspect(engine, request_param(req, "name"), &volume, err) < 0 ? -1 : answer_volume(res, 200, &volume);
}

static int remove_volume(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    return engine_volume_remove(engine, request_param(req, "name"), request_query_bool(req, "force", false), err) < 0 ? -1 : response_status(res, 204);
}

static int prune_volumes(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    AUTO_FILTERS struct filters filters = { 0 };
    struct volume_prune_response answer;
    if (request_filters(req, &filters, err) < 0)
        return -1;
    if (api_before(request_version(req), 42)) /* then all unused ones, not only anonymous */
        filters_add(&filters, "all", "true");
    if (engine_volume_prune(engine, &filters, &answer, err) < 0)
        return -1;
    int result = response_json(res, 200, &volume_prune_response_type, &answer);
    codec_clear(&volume_prune_response_type, &answer);
    return result;
}

static int update_volume(struct engine *engine, struct request *req, struct response *res, struct err *err)
{
    (void)engine;
    (void)req;
    (void)res;
    return err_set(err, ERR_UNAVAILABLE, "volume update only valid for cluster volumes, but swarm is unavailable");
}

const struct route volume_routes[] = {
    { HTTP_GET, "/volumes", list_volumes, 0 },
    { HTTP_POST, "/volumes/create", create_volume, 0 },
    { HTTP_POST, "/volumes/prune", prune_volumes, 0 },
    { HTTP_GET, "/volumes/{name}", inspect_volume, 0 },
    { HTTP_PUT, "/volumes/{name}", update_volume, 0 },
    { HTTP_DELETE, "/volumes/{name}", remove_volume, 0 },
    { 0, NULL, NULL, 0 },
};
