#include "daemon/routes/routes.h"

#include "lib/base/str.h"

const struct route_table all_routes[] = { { system_routes }, { container_routes }, { exec_routes }, { image_routes }, { network_routes }, { volume_routes }, { build_routes }, { NULL } };

static int sink_begin(struct sink *sink)
{
    struct response_sink *self = sink->arg;
    return response_stream_begin(self->res, 200, self->content_type);
}

static int sink_write(struct sink *sink, const void *bytes, size_t length)
{
    struct response_sink *self = sink->arg;
    if (!response_started(self->res) && sink_begin(sink) < 0)
        return -1;
    return response_write(self->res, bytes, length);
}

void response_sink_init(struct response_sink *sink, struct request *req, struct response *res, const char *content_type)
{
    *sink = (struct response_sink){ .res = res, .content_type = content_type };
    sink->sink = (struct sink){ .write = sink_write, .begin = sink_begin, .client_fd = request_client_fd(req), .arg = sink };
}

int request_filters(struct request *req, struct filters *ret, struct err *err)
{
    return filters_parse(request_query(req, "filters"), ret, err);
}

struct known_check {
    const char *const *known;
    const char *unknown;
};

static void check_known(void *arg, const char *key, const char *value)
{
    struct known_check *check = arg;
    (void)value;
    for (const char *const *name = check->known; *name; name++)
        if (str_eq(*name, key))
            return;
    check->unknown = key;
}

int request_known_queries(struct request *req, const char *const *known, struct err *err)
{
    struct known_check check = { known, NULL };
    request_query_each(req, check_known, &check);
    return check.unknown ? err_set(err, ERR_INVALID, "query parameter %s is not supported", check.unknown) : 0;
}
