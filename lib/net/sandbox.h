/* Between endpoint.c and sandbox.c. */
#pragma once
#include "lib/net/net.h"
void endpoint_name_veth(struct net *net, struct net_endpoint *endpoint); /* a fresh host_if */
int endpoint_mac_parse(const char *text, uint8_t ret[6]);                /* 0 or -EINVAL */
