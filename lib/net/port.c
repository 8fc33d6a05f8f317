#include "lib/net/port.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static const struct {
    const char *name;
    int proto;
} protocols[] = {
    { "tcp", IPPROTO_TCP },
    { "udp", IPPROTO_UDP },
    { "sctp", IPPROTO_SCTP },
};

const char *net_proto_name(int proto)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (protocols[i].proto == proto)
            return protocols[i].name;
    return "?";
}

int net_proto_parse(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (strcasecmp(protocols[i].name, name) == 0)
            return protocols[i].proto;
    return -1;
}

static int port_number(const char *text, uint16_t *ret)
{
    uint64_t number;
    if (str_to_u64(text, &number) < 0 || number > 65535)
        return -1;
    *ret = (uint16_t)number;
    return 0;
}

int net_port_parse(const char *port_proto, int *ret_proto, uint16_t *ret_port, struct err *err)
{
    char number[8] = "";
    const char *slash = strchr(port_proto, '/');
    size_t length = slash ? (size_t)(slash - port_proto) : strlen(port_proto);
    *ret_proto = slash && slash[1] ? net_proto_parse(slash + 1) : IPPROTO_TCP;
    if (*ret_proto < 0)
        return err_set(err, ERR_INVALID, "invalid proto: %s", slash + 1);
    if (length && length < sizeof(number))
        memcpy(number, port_proto, length);
    if (port_number(number, ret_port) < 0 || *ret_port == 0)
        return err_set(err, ERR_INVALID, "invalid containerPort: %.*s", (int)MIN(length, (size_t)100), port_proto);
    return 0;
}

int net_port_parse_host(const char *host_ip, const char *host_port, struct net_port *into, struct err *err)
{
    struct in6_addr address;
    into->host_port = into->host_port_end = 0;
    into->host_ip[0] = 0;
    if (!str_empty(host_ip)) {
        if (inet_pton(AF_INET, host_ip, &address) != 1 && inet_pton(AF_INET6, host_ip, &address) != 1)
            return err_set(err, ERR_INVALID, "invalid IP address: %.100s", host_ip);
        str_copy(into->host_ip, sizeof(into->host_ip), host_ip);
    }
    if (str_empty(host_port))
        return 0;
    char first[8];
    const char *dash = strchr(host_port, '-');
    size_t length = dash ? (size_t)(dash - host_port) : strlen(host_port);
    if (length == 0 || length >= sizeof(first))
        return err_set(err, ERR_INVALID, "invalid port specification: \"%.100s\"", host_port);
    memcpy(first, host_port, length);
    first[length] = 0;
    if (port_number(first, &into->host_port) < 0 || (dash && port_number(dash + 1, &into->host_port_end) < 0) ||
        (dash && into->host_port_end < into->host_port))
        return err_set(err, ERR_INVALID, "invalid port specification: \"%.100s\"", host_port);
    if (into->host_port_end == into->host_port)
        into->host_port_end = 0;
    return 0;
}

void net_port_key(const struct net_port *port, char ret[16])
{
    snprintf(ret, 16, "%u/%s", port->container_port, net_proto_name(port->proto));
}
