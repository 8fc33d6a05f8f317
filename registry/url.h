/* URLs of registries and of the places they send us to: http and https only, no user names, no fragments. Where a
 * redirect may lead is decided here, in one place. */
#pragma once
#include "lib/base/err.h"

#include <stdbool.h>

#define URL_HOPS_MAX 5

struct url {
    char *text;   /* the whole, without a fragment */
    char *scheme; /* "http" or "https" */
    char *host;   /* a name, an address, or "[...]" */
    char *port;   /* never empty: the scheme's own when none was written */
};
#define URL_INIT                                                                                                       \
    {                                                                                                                  \
        .text = NULL                                                                                                   \
    }
void url_done(struct url *url);
#define AUTO_URL __attribute__((cleanup(url_done)))

/* *ret is overwritten. ERR_INVALID. */
int url_parse(const char *text, struct url *ret, struct err *err);
/* A Location header, absolute or relative, as seen from base. */
int url_resolve(const struct url *base, const char *location, struct url *ret, struct err *err);
bool url_is_https(const struct url *url);
/* Scheme, host and port alike: what credentials are bound to. */
bool url_same_origin(const struct url *a, const struct url *b);
bool url_same_host(const struct url *a, const struct url *b); /* the port may differ */
/* hops: redirects followed already. ERR_INVALID when there were too many or https would become http. */
int url_check_redirect(const struct url *from, const struct url *to, int hops, struct err *err);
/* Text as part of a query, caller frees. */
char *url_escape(const char *text);
/* "url?name=value" or "url&name=value", caller frees. */
char *url_with_query(const char *url, const char *name, const char *value);
