#include "registry/endpoint.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/oci/reference.h"
#include "registry/url.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdint.h>
#include <sys/socket.h>

#define HUB_HOST "registry-1.docker.io"

/* ---- addresses ---- */

struct address {
    unsigned char bytes[16];
    int family;
};

static void from_sockaddr(const struct sockaddr *from, struct address *ret)
{
    *ret = (struct address){ .family = from->sa_family };
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        memcpy(ret->bytes, &in.sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof in6);
        memcpy(ret->bytes, &in6.sin6_addr, 16);
    }
}

static bool in_range(const struct address *address, const char *cidr)
{
    char text[64];
    struct address net = { .family = strchr(cidr, ':') ? AF_INET6 : AF_INET };
    size_t size = net.family == AF_INET ? 4 : 16;
    const char *slash = strchr(cidr, '/');
    uint64_t bits;
    if (!slash || (size_t)(slash - cidr) >= sizeof text || str_to_u64(slash + 1, &bits) < 0 || bits > size * 8)
        return false;
    memcpy(text, cidr, (size_t)(slash - cidr));
    text[slash - cidr] = '\0';
    if (net.family != address->family || inet_pton(net.family, text, net.bytes) != 1)
        return false;
    for (size_t i = 0; i < size && bits; i++) {
        unsigned take = bits >= 8 ? 8 : (unsigned)bits;
        if ((net.bytes[i] ^ address->bytes[i]) >> (8 - take))
            return false;
        bits -= take;
    }
    return true;
}

/* The host of host[:port] or [v6]:port. */
static char *host_of(const char *host_port)
{
    if (*host_port == '[')
        return xstrndup(host_port + 1, strcspn(host_port + 1, "]"));
    return xstrndup(host_port, strcspn(host_port, ":"));
}

static bool address_insecure(const struct address *address, char *const *list)
{
    if (in_range(address, "127.0.0.0/8") || in_range(address, "::1/128"))
        return true;
    for (size_t i = 0; list && list[i]; i++)
        if (in_range(address, list[i]))
            return true;
    return false;
}

bool endpoint_insecure(const char *host_port, char *const *insecure_registries)
{
    AUTO_FREE char *host = host_of(host_port);
    for (size_t i = 0; insecure_registries && insecure_registries[i]; i++)
        if (str_eq(insecure_registries[i], host_port))
            return true;
    if (str_eq(host, "localhost"))
        return true;
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *found = NULL;
    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return false;
    bool insecure = false;
    for (const struct addrinfo *info = found; info && !insecure; info = info->ai_next) {
        struct address address;
        from_sockaddr(info->ai_addr, &address);
        insecure = address_insecure(&address, insecure_registries);
    }
    freeaddrinfo(found);
    return insecure;
}

/* ---- the list ---- */

void endpoints_done(struct endpoints *endpoints)
{
    for (size_t i = 0; i < endpoints->count; i++) {
        free(endpoints->items[i].base);
        free(endpoints->items[i].host);
    }
    free(endpoints->items);
    *endpoints = (struct endpoints){ .count = 0 };
}

static struct endpoint *add(struct endpoints *endpoints)
{
    endpoints->items = xreallocarray(endpoints->items, endpoints->count + 1, sizeof *endpoints->items);
    struct endpoint *endpoint = &endpoints->items[endpoints->count++];
    *endpoint = (struct endpoint){ .verify = true };
    return endpoint;
}

static void add_mirror(struct endpoints *endpoints, const char *text, char *const *insecure_registries)
{
    AUTO_URL struct url url = URL_INIT;
    struct err ignored = { 0 };
    AUTO_FREE char *with_scheme = strstr(text, "://") ? xstrdup(text) : str_format("https://%s", text);
    if (url_parse(with_scheme, &url, &ignored) < 0)
        return;
    const char *written = strstr(url.text, "://") + 3;
    AUTO_FREE char *host_port = xstrndup(written, strcspn(written, "/?"));
    bool insecure = endpoint_insecure(host_port, insecure_registries);
    if (!url_is_https(&url) && !insecure)
        return;
    struct endpoint *endpoint = add(endpoints);
    *endpoint = (struct endpoint){ .base = xstrdup(url.text),
                                   .host = take_ptr(&host_port),
                                   .https = url_is_https(&url),
                                   .verify = !insecure,
                                   .mirror = true };
    for (size_t length = strlen(endpoint->base); length && endpoint->base[length - 1] == '/';)
        endpoint->base[--length] = '\0';
}

int endpoints_make(const char *domain, char *const *mirrors, char *const *insecure_registries, bool insecure,
                   struct endpoints *ret, struct err *err)
{
    AUTO_URL struct url url = URL_INIT;
    bool hub = str_eq(domain, REFERENCE_DEFAULT_DOMAIN);
    const char *host = hub ? HUB_HOST : domain;
    AUTO_FREE char *base = str_format("https://%s", host);
    *ret = (struct endpoints){ .count = 0 };
    if (url_parse(base, &url, err) < 0)
        return err_wrap(err, "registry %s", domain);
    for (size_t i = 0; hub && mirrors && mirrors[i]; i++)
        add_mirror(ret, mirrors[i], insecure_registries);
    insecure = !hub && (insecure || endpoint_insecure(domain, insecure_registries));
    *add(ret) = (struct endpoint){ .base = take_ptr(&base), .host = xstrdup(host), .https = true, .verify = !insecure };
    if (insecure)
        *add(ret) = (struct endpoint){ .base = str_format("http://%s", host), .host = xstrdup(host) };
    return 0;
}

char *endpoint_domain(const char *server_address)
{
    const char *start = server_address ? strstr(server_address, "://") : NULL;
    start = start ? start + 3 : server_address ? server_address : "";
    AUTO_FREE char *host = xstrndup(start, strcspn(start, "/"));
    if (str_empty(host) || str_eq(host, "index.docker.io") || str_eq(host, "docker.io") || str_eq(host, HUB_HOST))
        return xstrdup(REFERENCE_DEFAULT_DOMAIN);
    return take_ptr(&host);
}
