/* Where a registry is spoken to, and how strictly. A domain becomes a list of endpoints to try in order: mirrors,
 * then the registry itself by https, and by http too when it is loopback or listed as insecure. */
#pragma once
#include "lib/base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct endpoint {
    char *base; /* "https://registry-1.docker.io"; a mirror's may have a path; no slash at the end */
    char *host; /* host[:port] as written: the name of its directory in certs.d */
    bool https;
    bool verify; /* its certificate must be good */
    bool mirror; /* asked without credentials; any failure goes on to the next endpoint */
};
struct endpoints {
    struct endpoint *items;
    size_t count;
};
void endpoints_done(struct endpoints *endpoints);
/* May ask DNS for the domain's addresses. A mirror that is http and not insecure is left out. ERR_INVALID for a domain
 * that gives no URL. */
int endpoints_make(const char *domain, char *const *mirrors, char *const *insecure_registries, bool insecure,
                   struct endpoints *ret, struct err *err);
/* Is host[:port] in the list (itself, its host's address or address range), or loopback? */
bool endpoint_insecure(const char *host_port, char *const *insecure_registries);
/* The host:port of what a client calls its server: "https://index.docker.io/v1/", "http://x:5000/", "x". Caller frees.
 */
char *endpoint_domain(const char *server_address);
