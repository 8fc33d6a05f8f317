#include "registry/registry.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "registry/internal.h"

#include <stdio.h>

/* Certificates of every host that may be spoken to: known without asking anybody. */
static int load_certs(struct registry *registry, const char *certs_dir, struct err *err)
{
    CLEANUP(strv_free) char **hosts = NULL;
    strv_append(&hosts, registry->domain);
    for (size_t i = 0; registry->mirrors && registry->mirrors[i]; i++) {
        const char *start = strstr(registry->mirrors[i], "://");
        start = start ? start + 3 : registry->mirrors[i];
        strv_append_take(&hosts, xstrndup(start, strcspn(start, "/")));
    }
    registry->certs = xcalloc(strv_length(hosts), sizeof *registry->certs);
    for (size_t i = 0; hosts[i]; i++) {
        if (certs_load(certs_dir, hosts[i], &registry->certs[i], err) < 0)
            return -1;
        registry->cert_count++;
    }
    return 0;
}

struct registry *registry_new(const struct registry_options *options, struct err *err)
{
    CLEANUP(registry_free) struct registry *registry = xcalloc(1, sizeof *registry);
    mutex_init(&registry->push_lock);
    registry->domain = xstrdup(options->domain);
    registry->repository = xstrdup(options->repository ? options->repository : "");
    registry->scope = options->repository
                          ? str_format("repository:%s:%s", options->repository, options->push ? "pull,push" : "pull")
                          : xstrdup("");
    registry->mirrors = strv_dup(options->mirrors);
    registry->insecure_registries = strv_dup(options->insecure_registries);
    registry->insecure = options->insecure;
    if (options->auth)
        codec_copy(&job_auth_type, &registry->given, options->auth);
    if (load_certs(registry, options->certs_dir, err) < 0)
        return NULL;
    return take_ptr(&registry);
}

void registry_free(struct registry *registry)
{
    if (registry->auth)
        auth_free(registry->auth);
    if (registry->http)
        http_free(registry->http);
    endpoints_done(&registry->endpoints);
    for (size_t i = 0; i < registry->cert_count; i++)
        certs_done(&registry->certs[i]);
    free(registry->certs);
    codec_clear(&job_auth_type, &registry->given);
    strv_free(registry->mirrors);
    strv_free(registry->insecure_registries);
    free(registry->domain);
    free(registry->repository);
    free(registry->scope);
    mutex_done(&registry->push_lock);
    free(registry);
}

int registry_open(struct registry *registry, struct err *err)
{
    if (registry->http)
        return 0;
    if (endpoints_make(registry->domain, registry->mirrors, registry->insecure_registries, registry->insecure,
                       &registry->endpoints, err) < 0)
        return -1;
    registry->http = http_new(registry->certs, registry->cert_count, err);
    if (!registry->http)
        return -1;
    registry->auth = auth_new(registry->http, &registry->given);
    struct http_auth handler = auth_handler(registry->auth);
    http_set_auth(registry->http, &handler);
    return 0;
}

const struct endpoint *registry_endpoint(const struct registry *registry)
{
    return &registry->endpoints.items[registry->current];
}

char *registry_url(const struct registry *registry, const struct endpoint *endpoint, const char *rest)
{
    return str_format("%s/v2/%s%s", endpoint->base, registry->repository, rest);
}

void registry_prepare(const struct registry *registry, struct exchange *exchange, const char *method, const char *rest)
{
    exchange->method = method;
    exchange->endpoint = registry_endpoint(registry);
    exchange->scope = registry->scope;
    free(exchange->url);
    exchange->url = registry_url(registry, exchange->endpoint, rest);
}

/* From https to http only when nobody could be talked to; from a mirror on whatever went wrong. */
bool registry_next_endpoint(struct registry *registry, const struct exchange *exchange)
{
    bool may = registry_endpoint(registry)->mirror || (!registry->settled && exchange->trouble == TROUBLE_CONNECT);
    if (!may || registry->current + 1 >= registry->endpoints.count)
        return false;
    registry->current++;
    registry->settled = false;
    return true;
}

void registry_wake(struct registry *registry)
{
    if (registry->http)
        http_wake(registry->http);
}
