/* Between the files of the registry room. */
#pragma once
#include "lib/base/sync.h"
#include "registry/auth.h"
#include "registry/http.h"
#include "registry/registry.h"

struct push;
struct registry {
    char *domain, *repository, *scope;
    char **mirrors, **insecure_registries;
    bool insecure;
    struct job_auth given;
    struct certs *certs;
    size_t cert_count;
    struct endpoints endpoints; /* made by the first request */
    size_t current;             /* the endpoint in use */
    bool settled;               /* it has answered */
    struct http *http;
    struct auth *auth;
    struct mutex push_lock;
    struct push *push; /* while one runs; push_lock */
};
/* Makes endpoints and the HTTP client: the first thing every call that asks something does. */
int registry_open(struct registry *registry, struct err *err);
const struct endpoint *registry_endpoint(const struct registry *registry);
/* "https://host/v2/<repository><rest>"; rest begins with a slash. Caller frees. */
char *registry_url(const struct registry *registry, const struct endpoint *endpoint, const char *rest);
/* Sets endpoint, scope, method and URL for the endpoint in use. */
void registry_prepare(const struct registry *registry, struct exchange *exchange, const char *method, const char *rest);
/* After a failed first request: is there another endpoint to try, given this trouble? Moves on to it. */
bool registry_next_endpoint(struct registry *registry, const struct exchange *exchange);

/* document.c: pure checks */
/* wanted: a digest or NULL; header_digest, content_type: of the answer, maybe NULL. */
int document_check(const char *bytes, size_t length, const char *content_type, const char *header_digest,
                   const char *wanted, struct document *ret, struct err *err);
/* Which member of the index; -1 with ERR_NOT_FOUND. */
int document_choose(const struct oci_index *index, const struct platform *wanted, const struct oci_descriptor **ret,
                    struct err *err);
