/* Networks of one daemon: bridges, addresses, sandboxes (network namespaces), published ports.
 *
 *   net_open -> network_create (default bridge and every stored network) -> net_endpoint_restore and net_ports_publish for
 *   containers that still run -> net_restore_done (one atomic firewall transaction: nothing stale survives) -> normal work:
 *   net_endpoint_create -> net_sandbox_create -> (monitor starts the container in the netns fd) -> net_ports_publish
 *   -> ... container exits, its netns fd is closed everywhere -> net_ports_release -> net_endpoint_release.
 *
 * All functions are thread-safe; none is quick enough to be called under the engine's lock. Nothing here knows containers:
 * ids and names that come in are for error sentences. One thread of the room's own serves the [::] proxy and watches the
 * firewall: when somebody flushes our table it is made again within milliseconds, elements included. */
#pragma once
#include "lib/base/err.h"
#include "lib/net/port.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NET_TEXT 48 /* any address or prefix as text */
#define NET_IFNAME 16

struct net;

struct net_address_pool { /* --default-address-pool base=10.10.0.0/16,size=24 */
    const char *base;
    int size;
};
struct net_options {
    const char *instance;       /* [a-z0-9]{1,8}: nft tables "holk-<instance>", veths "hv<instance>..." */
    const char *bridge;         /* NULL or "": our default bridge, made when missing; "none": no default bridge; else: must exist */
    const char *default_bridge; /* name of our default bridge; NULL = "holk0" */
    const char *bip;            /* "192.168.5.1/24" or NULL */
    const char *fixed_cidr;     /* range of the default bridge or NULL */
    const struct net_address_pool *pools; /* NULL: Docker's (172.17/16 ... 172.31/16, 192.168/20 ...) */
    size_t pool_count;
    int mtu;                    /* of the default bridge; 0 = 1500 */
    bool no_icc, no_ip_forward, no_ip_masq, no_nft; /* all false = Docker's defaults. no_nft: publish is refused */
    const char *default_host_ip; /* --ip: address for bindings without one; NULL: 0.0.0.0 and [::] */
};
int net_open(const struct net_options *options, struct net **ret, struct err *err);
/* Closes sockets and threads. Bridges, tables and published ports stay: containers outlive the daemon. */
void net_close(struct net *net);
/* Removes our nft tables and the bridges this daemon made (uninstall, tests). Call before net_close. */
void net_teardown(struct net *net);
/* After everything that still runs has been announced: the tables are rebuilt in one transaction. Until then publishing
 * binds sockets but touches no rule (old rules go on working). Must be called once even if there was nothing. */
int net_restore_done(struct net *net, struct err *err);
/* Checks tables now and rebuilds them when needed (also done by the room's thread). */
int net_check(struct net *net, struct err *err);
bool net_ip_forward_changed(const struct net *net); /* we switched it on (by this instance's table: survives a restart) */
/* "" or one sentence about a foreign forward policy that drops our traffic, with the line that fixes it. */
void net_foreign_firewall_hint(struct net *net, char *ret, size_t size);

/* ---- networks ---- */

/* What a driver can do; rows in drivers.c. */
struct net_driver {
    const char *name;
    bool has_addresses;  /* endpoints get an address and a veth */
    bool user_creatable; /* `network create -d` allowed */
    bool shares_host;    /* the host's namespace */
};
/* ERR_NOT_FOUND: could not find plugin NAME in v1 plugin registry: plugin not found */
int net_driver_find(const char *name, const struct net_driver **ret, struct err *err);

struct network_spec { /* borrowed strings; NULL or "" = choose */
    const char *id, *name, *driver; /* driver "" = bridge */
    const char *subnet, *gateway, *ip_range;
    const char *const *aux_addresses; /* NULL-ended plain addresses, kept free */
    const char *const *options;       /* NULL-ended "key=value"; unknown com.docker.network.* keys are refused by name */
    bool internal, enable_ipv6 /* refused */, is_default /* the default bridge: name, address from net_options */;
};
struct network { /* read only for others; valid until network_remove/network_forget */
    struct net *net;
    char id[65];
    char name[256];
    const struct net_driver *driver;
    char subnet[NET_TEXT], gateway[NET_TEXT], ip_range[NET_TEXT]; /* "" when not used ("host", "none"), ip_range only if given */
    char bridge[NET_IFNAME];
    char host_binding[NET_TEXT]; /* com.docker.network.bridge.host_binding_ipv4 or "" */
    char iface_prefix[12];       /* "eth" */
    bool internal, icc, masquerade, is_default, bridge_made;
    int mtu;
    int bridge_index;
    struct network_private *priv;
};
/* Also at start for every stored network (give subnet and gateway as stored): existing bridges are taken over as they are.
 * Errors: ERR_INVALID texts as Docker's, ERR_FORBIDDEN "Pool overlaps with other one on this address space",
 * ERR_NOT_FOUND unknown driver. */
int network_create(struct net *net, const struct network_spec *spec, struct network **ret, struct err *err);
/* Deletes the bridge and frees the pool; refused (ERR_FORBIDDEN) with endpoints. Frees *network on success. */
int network_remove(struct network *network, struct err *err);
size_t network_endpoint_count(const struct network *network);
/* Default labels of inspect's Options for the default bridge: NULL-ended "key=value"; strv_free it. */
char **network_default_options(const struct network *network);

/* ---- endpoints: one container on one network ---- */

struct net_endpoint_spec {
    const char *id;      /* endpoint id, 64 hex */
    const char *address; /* requested IPv4 or NULL */
    const char *mac;     /* requested or NULL (then 02:42 and the address: a reused address needs no new ARP) */
    const char *host_if; /* restore only: the veth's stored host name */
    int if_number;       /* eth<N> inside */
};
struct net_endpoint {
    struct network *network;
    char id[65];
    char address[NET_TEXT], gateway[NET_TEXT], mac[18]; /* gateway "" on internal networks */
    int prefix;
    char host_if[NET_IFNAME], container_if[NET_IFNAME];
};
/* Takes an address. ERR_INVALID / ERR_FORBIDDEN "Address already in use" / ERR_UNAVAILABLE "no available IPv4 addresses on
 * this network's address pools: NAME (ID)". *ret is the caller's storage. For host and none: nothing but the ids are filled. */
int net_endpoint_create(struct network *network, const struct net_endpoint_spec *spec, struct net_endpoint *ret, struct err *err);
/* At daemon start: the same, with the stored address, mac and host_if. */
int net_endpoint_restore(struct network *network, const struct net_endpoint_spec *spec, struct net_endpoint *ret, struct err *err);
/* Frees the address (call when the netns fd is closed by all, or was never made). Idempotent. */
void net_endpoint_release(struct net_endpoint *endpoint);

/* ---- sandboxes ---- */

struct net_sandbox_options {
    size_t gateway_endpoint;    /* index of the endpoint whose gateway becomes the default route */
};
/* A new namespace with lo up and every endpoint in it as eth<N>, addressed, routed. count 0 = network "none".
 * *ret_netns_fd is the caller's; the kernel removes the veths when the last fd/process of the namespace is gone. */
int net_sandbox_create(struct net *net, struct net_endpoint *const *endpoints, size_t count,
                       const struct net_sandbox_options *options, int *ret_netns_fd, struct err *err);
/* network connect/disconnect of a running container. default_route: it has none yet. */
int net_sandbox_attach(struct net *net, int netns_fd, struct net_endpoint *endpoint, bool default_route, struct err *err);
int net_sandbox_detach(struct net *net, struct net_endpoint *endpoint, struct err *err); /* deletes the veth; then release */
/* Interface counters of an endpoint from its host end (rx and tx as the container sees them). 0 or -errno. */
struct net_counters {
    uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped;
};
int net_endpoint_counters(const struct net_endpoint *endpoint, struct net_counters *ret);

/* ---- published ports (struct net_port in port.h) ---- */

struct net_publication; /* the bindings of one endpoint */
struct net_publish_owner {
    const char *container_id, *container_name;
};
/* All or nothing. Each wanted port becomes one or two bindings (0.0.0.0 and [::] when no address is given). Clash:
 *   ERR_INTERNAL "driver failed programming external connectivity on endpoint NAME (ID): Bind for 0.0.0.0:8080 failed:
 *   port is already allocated" (another container of ours; its name is added), or "...: failed to bind host port for
 *   0.0.0.0:8080:172.17.0.2:80/tcp: address already in use" (a process; its name and pid are added).
 * [::] and other IPv6 host addresses: tcp is served by a proxy thread of this process, which does not survive the daemon: publish
 * again at start for running containers. udp on IPv6 is not served: left out for "no address given", refused when asked for. */
int net_ports_publish(struct net_endpoint *endpoint, const struct net_publish_owner *owner, const struct net_port *ports, size_t count,
                      struct net_publication **ret, struct err *err);
/* What is bound, host_port filled (host_port_end 0), sorted by container port; borrowed. For NetworkSettings.Ports and ps. */
const struct net_port *net_publication_ports(const struct net_publication *publication, size_t *ret_count);
void net_ports_release(struct net_publication *publication); /* NULL is fine; frees it */
