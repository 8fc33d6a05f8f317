/* Shared by the files of this room. Lock order: net->lock, then net->rtnl_lock, then the proxy's. */
#pragma once
#include "lib/base/sync.h"
#include "lib/net/ipam.h"
#include "lib/net/net.h"
#include "lib/nft/nft.h"

struct network_private {
    struct ipam_pool pool;
    uint32_t gateway; /* host order */
    size_t endpoints;
    bool delete_bridge; /* with the network */
};

struct binding { /* one host address and port that leads to a container */
    struct net_port port;
    struct in6_addr host6;
    uint32_t host, container; /* host order; host: 0 = any */
    int sock;                 /* reservation, or -1 (served by the proxy, or a protocol without sockets here) */
    bool is_ipv6;
    struct proxy_listener *listener;
};
struct net_publication {
    struct net_publication *next;
    struct net *net;
    char container_id[65], container_name[256];
    struct binding *bindings;
    struct net_port *ports; /* what others see */
    size_t count;
};

struct net {
    struct mutex lock;
    char instance[9], table[24];
    char default_bridge[NET_IFNAME], bip[NET_TEXT], fixed_cidr[NET_TEXT], default_host_ip[NET_TEXT];
    bool bridge_must_exist, no_default_bridge, no_icc, no_ip_forward, no_ip_masq, no_nft;
    int default_mtu;
    struct ipam_base *bases; /* NULL: Docker's */
    size_t base_count;
    struct network **networks;
    size_t network_count;
    struct net_publication *publications;
    bool restored, ip_forward_changed;
    uint16_t ephemeral_next[2]; /* tcp, others */
    uint32_t veth_next;
    struct nft *nft; /* under lock */
    int rule_count;  /* of our table when it was whole */
    bool bridge_table;
    struct mutex rtnl_lock;
    int rtnl; /* in the host's namespace, under rtnl_lock */
    struct proxy *proxy;
};

/* net.c */
int net_sysctl_write(const char *path, const char *value); /* 0 or -errno */
int net_sysctl_read(const char *path, char *ret, size_t size);
int net_sysctl_interface(int family_version, const char *interface, const char *key, const char *value);

/* network.c */
void network_drop(struct network *network); /* memory only */

/* firewall.c; all with net->lock held. */
int firewall_rebuild(struct net *net, struct err *err);
int firewall_network(struct net *net, const struct network *network, bool add, struct err *err);
int firewall_bindings(struct net *net, const struct binding *bindings, size_t count, bool add, struct err *err);
int firewall_intact(struct net *net); /* 1, 0, -errno */
void firewall_delete(struct net *net);
bool firewall_marked(struct net *net); /* we switched ip_forward on in an earlier life */

/* reserve.c */
int reserve_port(struct binding *binding, bool serve); /* sets sock; serve: a real listener for the proxy. 0 or -errno */
/* "name (pid N)" of the process that holds the port, or "". */
void reserve_find_owner(const struct binding *binding, char *ret, size_t size);
void reserve_ephemeral_range(uint16_t *ret_first, uint16_t *ret_last);

/* proxy.c: one thread; net_watch is called on it when somebody else changed the ruleset. */
struct proxy;
struct proxy_listener;
int proxy_open(struct net *net, void (*on_ruleset)(struct net *net), struct proxy **ret);
void proxy_close(struct proxy *proxy);
/* Takes the listening socket. NULL: no memory or no epoll (the socket is closed). */
struct proxy_listener *proxy_listen(struct proxy *proxy, int sock, uint32_t container /* host order */, uint16_t port);
void proxy_unlisten(struct proxy *proxy, struct proxy_listener *listener); /* the port is free when this returns */
