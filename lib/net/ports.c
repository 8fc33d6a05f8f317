/* Publishing ports: wanted ports become bindings, each reserved by a socket, then redirected by the firewall (IPv4) or served by the
 * proxy (IPv6). All or nothing. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/net/private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#define ADDRESSES_MAX 2

struct publish { /* one call's state */
    struct net *net;
    struct net_endpoint *endpoint;
    const struct net_publish_owner *owner;
    struct net_publication *publication;
    uint32_t container;
};

static bool same_address(const struct binding *a, const struct binding *b)
{
    static const struct in6_addr any6;
    if (a->is_ipv6 != b->is_ipv6)
        return false;
    if (!a->is_ipv6)
        return a->host == b->host || a->host == 0 || b->host == 0;
    return memcmp(&a->host6, &b->host6, 16) == 0 || memcmp(&a->host6, &any6, 16) == 0 || memcmp(&b->host6, &any6, 16) == 0;
}

/* Which publication of ours has the port. */
static const struct net_publication *taken_by(const struct publish *publish, const struct binding *wanted)
{
    for (const struct net_publication *at = publish->net->publications; at; at = at->next)
        for (size_t i = 0; i < at->count; i++) {
            const struct binding *have = &at->bindings[i];
            if (have->port.proto == wanted->port.proto && have->port.host_port == wanted->port.host_port && same_address(have, wanted))
                return at;
        }
    return NULL;
}

static void address_text(const struct binding *binding, char *ret, size_t size)
{
    snprintf(ret, size, binding->is_ipv6 ? "[%s]" : "%s", binding->port.host_ip);
}

static int clash_ours(const struct publish *publish, const struct binding *binding, const struct net_publication *holder, struct err *err)
{
    char address[64];
    address_text(binding, address, sizeof(address));
    return err_set(err, ERR_INTERNAL, "driver failed programming external connectivity on endpoint %s (%s): Bind for %s:%u failed: port is "
                   "already allocated (by container %s)", publish->owner->container_name, publish->endpoint->id, address,
                   binding->port.host_port, holder->container_name[0] ? holder->container_name : holder->container_id);
}

static const char *bind_failure(int failed)
{
    return failed == -EADDRINUSE ? "address already in use" : failed == -EADDRNOTAVAIL ? "cannot assign requested address" :
           failed == -EACCES ? "permission denied" : err_strerror(-failed);
}

static int clash_foreign(const struct publish *publish, const struct binding *binding, int failed, struct err *err)
{
    char address[64], owner[96] = "";
    address_text(binding, address, sizeof(address));
    if (failed == -EADDRINUSE)
        reserve_find_owner(binding, owner, sizeof(owner));
    err_set(err, ERR_INTERNAL, "driver failed programming external connectivity on endpoint %s (%s): failed to bind host port for %s:%u:%s:%u/%s: %s%s%s",
            publish->owner->container_name, publish->endpoint->id, address, binding->port.host_port, publish->endpoint->address,
            binding->port.container_port, net_proto_name(binding->port.proto), bind_failure(failed), owner[0] ? " by " : "", owner);
    err->sys_errno = -failed;
    return -1;
}

static int binding_init(const struct publish *publish, const struct net_port *port, const char *host_ip, struct binding *ret, struct err *err)
{
    struct in_addr v4;
    *ret = (struct binding){ .port = *port, .sock = -1, .container = publish->container };
    str_copy(ret->port.host_ip, sizeof(ret->port.host_ip), host_ip);
    ret->port.host_port_end = 0;
    if (inet_pton(AF_INET, host_ip, &v4) == 1) {
        ret->host = ntohl(v4.s_addr);
        return 0;
    }
    if (inet_pton(AF_INET6, host_ip, &ret->host6) != 1)
        return err_set(err, ERR_INVALID, "invalid IP address: %s", host_ip);
    ret->is_ipv6 = true;
    if (port->proto != IPPROTO_TCP)
        return err_set(err, ERR_UNSUPPORTED, "publishing %s ports on IPv6 address %s is not supported", net_proto_name(port->proto), host_ip);
    return 0;
}

static bool host_has_ipv6(void)
{
    return access("/proc/net/if_inet6", F_OK) == 0;
}

/* The addresses that a wanted port stands for. */
static int bindings_expand(const struct publish *publish, const struct net_port *port, struct binding ret[ADDRESSES_MAX], size_t *ret_count,
                           struct err *err)
{
    const struct network *network = publish->endpoint->network;
    const char *address = port->host_ip;
    if (!address[0])
        address = network->host_binding[0] ? network->host_binding : publish->net->default_host_ip;
    *ret_count = 1;
    if (address[0])
        return binding_init(publish, port, address, &ret[0], err);
    if (binding_init(publish, port, "0.0.0.0", &ret[0], err) < 0)
        return -1;
    if (port->proto != IPPROTO_TCP || !host_has_ipv6())
        return 0;
    *ret_count = 2;
    return binding_init(publish, port, "::", &ret[1], err);
}

static void bindings_close(struct binding *bindings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bindings[i].sock >= 0)
            close(bindings[i].sock);
        bindings[i].sock = -1;
    }
}

/* All addresses of one wanted port on one host port number. */
static int try_number(const struct publish *publish, struct binding *bindings, size_t count, uint16_t number, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        bindings[i].port.host_port = number;
        const struct net_publication *holder = taken_by(publish, &bindings[i]);
        if (holder) {
            bindings_close(bindings, i);
            return clash_ours(publish, &bindings[i], holder, err);
        }
        int failed = reserve_port(&bindings[i], bindings[i].is_ipv6);
        if (failed) {
            bindings_close(bindings, i);
            return clash_foreign(publish, &bindings[i], failed, err);
        }
    }
    return 0;
}

static int try_range(const struct publish *publish, struct binding *bindings, size_t count, uint16_t first, uint16_t last, uint16_t start,
                     uint16_t *ret_number, struct err *err)
{
    struct err attempt = { 0 };
    unsigned span = (unsigned)(last - first) + 1;
    for (unsigned i = 0; i < span; i++) {
        uint16_t number = (uint16_t)(first + ((unsigned)(start - first) + i) % span);
        attempt = (struct err){ 0 };
        if (try_number(publish, bindings, count, number, &attempt) == 0) {
            *ret_number = number;
            return 0;
        }
        if (attempt.sys_errno && attempt.sys_errno != EADDRINUSE)
            break; /* another number will not help */
    }
    *err = attempt;
    return -1;
}

static int port_reserve(struct publish *publish, const struct net_port *port, struct binding *bindings, size_t count, struct err *err)
{
    uint16_t number, first, last;
    if (port->host_port_end > port->host_port && port->host_port)
        return try_range(publish, bindings, count, port->host_port, port->host_port_end, port->host_port, &number, err);
    if (port->host_port)
        return try_number(publish, bindings, count, port->host_port, err);
    uint16_t *next = &publish->net->ephemeral_next[port->proto != IPPROTO_TCP];
    reserve_ephemeral_range(&first, &last);
    if (*next < first || *next > last)
        *next = first;
    if (try_range(publish, bindings, count, first, last, *next, &number, err) < 0)
        return -1;
    *next = (uint16_t)(number == last ? first : number + 1);
    return 0;
}

static int port_publish(struct publish *publish, const struct net_port *port, struct err *err)
{
    struct net_publication *publication = publish->publication;
    struct binding bindings[ADDRESSES_MAX];
    size_t count;
    if (bindings_expand(publish, port, bindings, &count, err) < 0 || port_reserve(publish, port, bindings, count, err) < 0)
        return -1;
    publication->bindings = xreallocarray(publication->bindings, publication->count + count, sizeof(*bindings));
    memcpy(publication->bindings + publication->count, bindings, count * sizeof(*bindings));
    publication->count += count;
    return 0;
}

static int proxies_start(struct net *net, struct net_publication *publication, struct err *err)
{
    for (size_t i = 0; i < publication->count; i++) {
        struct binding *binding = &publication->bindings[i];
        if (!binding->is_ipv6)
            continue;
        binding->listener = proxy_listen(net->proxy, binding->sock, binding->container, binding->port.container_port);
        binding->sock = -1;
        if (!binding->listener)
            return err_set(err, ERR_INTERNAL, "serve [%s]:%u: no memory", binding->port.host_ip, binding->port.host_port);
    }
    return 0;
}

static void publication_undo(struct net *net, struct net_publication *publication)
{
    for (size_t i = 0; i < publication->count; i++)
        if (publication->bindings[i].listener)
            proxy_unlisten(net->proxy, publication->bindings[i].listener);
    bindings_close(publication->bindings, publication->count);
    free(publication->bindings);
    free(publication->ports);
    free(publication);
}

static void ports_list(struct net_publication *publication)
{
    publication->ports = xcalloc(publication->count + 1, sizeof(*publication->ports));
    for (size_t i = 0; i < publication->count; i++) { /* insertion keeps the order of equal ports */
        struct net_port port = publication->bindings[i].port;
        size_t at = i;
        for (; at > 0 && publication->ports[at - 1].container_port > port.container_port; at--)
            publication->ports[at] = publication->ports[at - 1];
        publication->ports[at] = port;
    }
}

static int publish_locked(struct publish *publish, const struct net_port *ports, size_t count, struct err *err)
{
    struct net *net = publish->net;
    struct net_publication *publication = publish->publication;
    /* In the list from the start: two wanted ports of one call may clash with each other. */
    publication->next = net->publications;
    net->publications = publication;
    int failed = 0;
    for (size_t i = 0; i < count && failed == 0; i++)
        failed = port_publish(publish, &ports[i], err);
    if (failed == 0)
        failed = proxies_start(net, publication, err);
    if (failed == 0)
        failed = firewall_bindings(net, publication->bindings, publication->count, true, err);
    if (failed < 0)
        net->publications = publication->next;
    return failed;
}

int net_ports_publish(struct net_endpoint *endpoint, const struct net_publish_owner *owner, const struct net_port *ports, size_t count,
                      struct net_publication **ret, struct err *err)
{
    struct network *network = endpoint->network;
    struct net *net = network->net;
    struct publish publish = { .net = net, .endpoint = endpoint, .owner = owner };
    if (network->internal || !network->driver->has_addresses)
        count = 0; /* nothing of an internal network is reachable from outside; host needs no mapping */
    if (count && net->no_nft)
        return err_set(err, ERR_UNSUPPORTED, "ports cannot be published: packet filtering is switched off");
    if (count && ipam_parse_address(endpoint->address, &publish.container) < 0)
        return err_set(err, ERR_INTERNAL, "endpoint %s has no address", endpoint->id);
    struct net_publication *publication = xcalloc(1, sizeof(*publication));
    publication->net = net;
    str_copy(publication->container_id, sizeof(publication->container_id), owner->container_id);
    str_copy(publication->container_name, sizeof(publication->container_name), owner->container_name);
    publish.publication = publication;
    mutex_lock(&net->lock);
    int failed = publish_locked(&publish, ports, count, err);
    mutex_unlock(&net->lock);
    if (failed < 0) {
        publication_undo(net, publication);
        return -1;
    }
    ports_list(publication);
    *ret = publication;
    return 0;
}

const struct net_port *net_publication_ports(const struct net_publication *publication, size_t *ret_count)
{
    *ret_count = publication ? publication->count : 0;
    return publication ? publication->ports : NULL;
}

void net_ports_release(struct net_publication *publication)
{
    if (!publication)
        return;
    struct net *net = publication->net;
    struct err ignored = { 0 };
    mutex_lock(&net->lock);
    for (struct net_publication **at = &net->publications; *at; at = &(*at)->next)
        if (*at == publication) {
            *at = publication->next;
            break;
        }
    if (publication->count && firewall_bindings(net, publication->bindings, publication->count, false, &ignored) < 0)
        firewall_rebuild(net, &ignored); /* an element must not outlive its port */
    mutex_unlock(&net->lock);
    for (size_t i = 0; i < publication->count; i++) { /* flows of a datagram protocol would go on to the next owner of the address */
        const struct binding *binding = &publication->bindings[i];
        if (!binding->is_ipv6 && binding->port.proto == IPPROTO_UDP)
            nft_conntrack_forget(IPPROTO_UDP, htonl(binding->container), htons(binding->port.container_port));
    }
    publication_undo(net, publication);
}
