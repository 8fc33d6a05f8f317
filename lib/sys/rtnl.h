/* rtnetlink: exactly the messages that a container network needs, over a plain socket. No policy. 0 or -errno.
 * Sockets are opened in the current network namespace (or by setns around the open for another: rtnl_open_in). */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
int rtnl_open(void);
int rtnl_open_in(int netns_fd); /* the calling thread enters and leaves netns_fd */
int rtnl_link_index(int sock, const char *name); /* index or -ENODEV */
int rtnl_bridge_create(int sock, const char *name, const uint8_t mac[6] /* NULL: kernel's */);
/* veth pair: host end `name` enslaved to bridge_index and up; peer `peer_name` with mac born inside netns_fd */
int rtnl_veth_create(int sock, const char *name, int bridge_index, const char *peer_name, const uint8_t mac[6], int netns_fd, int mtu);
int rtnl_link_up(int sock, int index);
int rtnl_link_down(int sock, int index);
int rtnl_link_delete(int sock, int index);
int rtnl_link_set_mtu(int sock, int index, int mtu);
int rtnl_addr_add(int sock, int index, int family, const void *addr, int prefix);
int rtnl_route_add_default(int sock, int index, int family, const void *gateway);
/* Host routes and addresses, for pool collision checks: fn(dst network, prefix, ifindex). */
typedef void (*rtnl_route_fn)(int family, const void *dst, int prefix, int ifindex, void *arg);
int rtnl_routes_each(int sock, rtnl_route_fn fn, void *arg);
struct rtnl_counters { /* of a link, as its own end sees them */
    uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped;
};
int rtnl_link_counters(int sock, const char *name, struct rtnl_counters *ret);
