/* One file of the web, without credentials (ADD https://...). http and https, at most 10 redirects; addresses of link-local networks (where
 * clouds keep their secrets) are refused, also behind a redirect. */
#pragma once
#include "lib/base/err.h"
#include <stddef.h>
#include <stdint.h>

struct download {
    const char *url;
    uint64_t max_bytes; /* 0: no limit */
    /* The body piece by piece, of a good answer only; -1 with err ends it. */
    int (*on_data)(void *arg, const void *bytes, size_t length, struct err *err);
    void *arg;
};
struct download_result {
    int64_t mtime_unix; /* Last-Modified, 0 = unknown */
    uint64_t size;
};
/* ERR_INVALID "invalid response status 404" for what is no success, `Get "URL": why` for what never answered. */
int download_run(const struct download *request, struct download_result *ret, struct err *err);
