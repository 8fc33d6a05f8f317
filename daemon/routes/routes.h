/* Where HTTP meets the engine: one table per resource, one short handler per row. */
#pragma once
#include "daemon/engine/engine.h"
#include "daemon/server/server.h"

extern const struct route container_routes[], exec_routes[], image_routes[], network_routes[], volume_routes[], build_routes[], system_routes[];
extern const struct route_table all_routes[]; /* ends with NULL */

/* A sink over a response: begin writes the head with the content type. */
struct response_sink {
    struct sink sink;
    struct response *res;
    const char *content_type;
};
void response_sink_init(struct response_sink *sink, struct request *req, struct response *res, const char *content_type);
/* filters query parameter */
int request_filters(struct request *req, struct filters *ret, struct err *err);
/* Refuses query parameters outside of the list by name. */
int request_known_queries(struct request *req, const char *const *known, struct err *err);
