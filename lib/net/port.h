/* One port mapping, wanted or bound, and the texts it is written in. Pure. */
#pragma once
#include "lib/base/err.h"
#include <stdint.h>

struct net_port {
    int proto;         /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
    char host_ip[48];  /* "" = not given */
    uint16_t host_port, host_port_end; /* 0 = ephemeral; host_port_end > host_port: any free one of the range */
    uint16_t container_port;
};
/* "80/tcp", "53/udp", "80" (= tcp). ERR_INVALID as Docker says it. */
int net_port_parse(const char *port_proto, int *ret_proto, uint16_t *ret_port, struct err *err);
/* HostIp and HostPort ("", "8080", "8000-8010") of a port binding. */
int net_port_parse_host(const char *host_ip, const char *host_port, struct net_port *into, struct err *err);
const char *net_proto_name(int proto); /* "tcp" */
int net_proto_parse(const char *name); /* or -1 */
/* "80/tcp" */
void net_port_key(const struct net_port *port, char ret[16]);
