/* --publish and --expose: "[[ip:][host]:]container[/proto]" with ranges, and the long form "target=80,published=8080". */
#include "cli/create_options.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <arpa/inet.h>
#include <errno.h>
#include <strings.h>

#define PORT_MAX 65535

struct range {
    uint64_t first, last;
};

struct spec {
    char *ip, *host, *container, *proto; /* borrowed from one text */
};

static int port_number(const char *text, uint64_t *ret)
{
    int failure = str_to_u64(text, ret);
    return failure ? failure : *ret > PORT_MAX ? -ERANGE : 0;
}

static int range_parse(const char *text, struct range *ret, struct err *err)
{
    AUTO_FREE char *copy = xstrdup(text);
    char *dash = strchr(copy, '-'), *second = dash ? dash + 1 : copy;
    if (dash)
        *dash = 0;
    if (!*text)
        return err_set(err, ERR_INVALID, "empty string specified for ports");
    for (int i = 0; i < 2; i++) {
        const char *number = i ? second : copy;
        int failure = port_number(number, i ? &ret->last : &ret->first);
        if (failure)
            return err_set(err, ERR_INVALID, "strconv.ParseUint: parsing \"%s\": %s", number,
                           failure == -ERANGE ? "value out of range" : "invalid syntax");
    }
    if (ret->last < ret->first)
        return err_set(err, ERR_INVALID, "Invalid range specified for the Port: %s", text);
    return 0;
}

/* Cuts "/proto" off; lower-case, "tcp" when there is none. */
static const char *cut_proto(char *text)
{
    char *slash = strchr(text, '/');
    if (!slash)
        return "tcp";
    *slash = 0;
    return slash[1] ? str_lower(slash + 1) : "tcp";
}

static int check_ip(const char *ip, struct err *err)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (!*ip || inet_pton(AF_INET, ip, address) == 1 || inet_pton(AF_INET6, ip, address) == 1)
        return 0;
    return err_set(err, ERR_INVALID, "Invalid ip address: %s", ip);
}

/* "1.2.3.4" or "[::1]"; the brackets go. */
static int unbracket(char **inout_ip, struct err *err)
{
    char *ip = *inout_ip;
    size_t length = strlen(ip);
    if (length > 1 && ip[0] == '[' && ip[length - 1] == ']') {
        ip[length - 1] = 0;
        *inout_ip = ip + 1;
    } else if (strchr(ip, ':')) {
        return err_set(err, ERR_INVALID, "Invalid ip address %s: address %s:: too many colons in address", ip, ip);
    }
    return check_ip(*inout_ip, err);
}

static int spec_split(char *text, struct spec *ret, struct err *err)
{
    static char empty[] = "";
    char *last = strrchr(text, ':'), *before = NULL;
    ret->ip = ret->host = empty;
    ret->container = last ? last + 1 : text;
    if (last) {
        *last = 0;
        before = strrchr(text, ':');
        ret->host = before ? before + 1 : text;
    }
    if (before) {
        *before = 0;
        ret->ip = text;
    }
    return unbracket(&ret->ip, err);
}

static int check_spec(const struct spec *spec, const char *original, struct range *ret_container, struct range *ret_host,
                      struct err *err)
{
    struct err ignored = { 0 };
    if (!*spec->container)
        return err_set(err, ERR_INVALID, "No port specified: %s<empty>", original);
    if (range_parse(spec->container, ret_container, &ignored) < 0)
        return err_set(err, ERR_INVALID, "Invalid containerPort: %s", spec->container);
    if (*spec->host && range_parse(spec->host, ret_host, &ignored) < 0)
        return err_set(err, ERR_INVALID, "Invalid hostPort: %s", spec->host);
    /* A range of host ports for one container port lets the daemon choose. */
    if (*spec->host && ret_container->last - ret_container->first != ret_host->last - ret_host->first &&
        ret_container->first != ret_container->last)
        return err_set(err, ERR_INVALID, "Invalid ranges specified for container and host Ports: %s and %s", spec->container,
                       spec->host);
    if (!str_eq(spec->proto, "tcp") && !str_eq(spec->proto, "udp") && !str_eq(spec->proto, "sctp"))
        return err_set(err, ERR_INVALID, "Invalid proto: %s", spec->proto);
    return 0;
}

static void add_exposed(struct container_create_request *request, const char *port)
{
    if (!strv_contains(request->config.exposed_ports, port))
        strv_append(&request->config.exposed_ports, port);
}

static void add_binding(struct container_create_request *request, const char *port, const char *ip, const char *host_port)
{
    struct obj_map *map = &request->host_config->port_bindings;
    struct port_binding_list *list = obj_map_add(map, port, sizeof *list);
    struct port_binding *binding = list_add(list);
    binding->host_ip = xstrdup(ip);
    binding->host_port = xstrdup(host_port);
    add_exposed(request, port);
}

static int put_short(struct container_create_request *request, const char *text, struct err *err)
{
    AUTO_FREE char *copy = xstrdup(text);
    struct range container, host = { 0 };
    struct spec spec = { 0 };
    if (spec_split(copy, &spec, err) < 0)
        return -1;
    AUTO_FREE char *original = xstrdup(text); /* with its protocol, for the message */
    spec.proto = xstrdup(cut_proto(spec.container));
    AUTO_FREE char *proto = spec.proto;
    if (check_spec(&spec, original, &container, &host, err) < 0)
        return -1;
    bool one = container.first == container.last && host.first != host.last;
    for (uint64_t port = container.first; port <= container.last; port++) {
        AUTO_FREE char *name = str_format("%llu/%s", (unsigned long long)port, proto);
        AUTO_FREE char *number = !*spec.host ? xstrdup("")
                                 : one       ? xstrdup(spec.host)
                                             : str_format("%llu", (unsigned long long)(host.first + port - container.first));
        add_binding(request, name, spec.ip, number);
    }
    return 0;
}

static int put_long(struct container_create_request *request, const char *text, struct err *err)
{
    CLEANUP(strv_free) char **pairs = strv_split(text, ',', false);
    const char *target = "", *published = "", *protocol = "tcp";
    for (char **pair = pairs; *pair; pair++) {
        char *value = strchr(*pair, '=');
        if (!value)
            return err_set(err, ERR_INVALID, "invalid publish opts format (should be name=value but got '%s')", *pair);
        *value++ = 0;
        target = str_eq(*pair, "target") ? value : target;
        published = str_eq(*pair, "published") ? value : published;
        protocol = str_eq(*pair, "protocol") ? value : protocol;
    }
    AUTO_FREE char *spec = *published ? str_format("%s:%s/%s", published, target, protocol) : str_format("%s/%s", target, protocol);
    return put_short(request, spec, err);
}

static int put_expose(struct container_create_request *request, const char *text, struct err *err)
{
    AUTO_FREE char *copy = xstrdup(text);
    struct range range;
    if (strchr(text, ':'))
        return err_set(err, ERR_INVALID, "invalid port format for --expose: %s", text);
    AUTO_FREE char *proto = xstrdup(cut_proto(copy));
    if (range_parse(copy, &range, err) < 0)
        return err_wrap(err, "invalid range format for --expose: %s, error", text);
    for (uint64_t port = range.first; port <= range.last; port++) {
        AUTO_FREE char *name = str_format("%llu/%s", (unsigned long long)port, proto);
        add_exposed(request, name);
    }
    return 0;
}

int create_put_ports(const struct create_options *options, struct container_create_request *request, struct err *err)
{
    for (char **text = options->publish; text && *text; text++) {
        int ret = strchr(*text, '=') ? put_long(request, *text, err) : put_short(request, *text, err);
        if (ret < 0)
            return -1;
    }
    for (char **text = options->expose; text && *text; text++) {
        if (put_expose(request, *text, err) < 0)
            return -1;
    }
    request->host_config->publish_all_ports = options->publish_all;
    return 0;
}
