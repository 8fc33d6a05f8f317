/* Endpoints: an address, a hardware address, names for the two ends of a veth. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/net/private.h"
#include "lib/sys/rtnl.h"
#include "lib/net/sandbox.h"
#include <errno.h>
#include <stdio.h>

void endpoint_name_veth(struct net *net, struct net_endpoint *endpoint)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint32_t number = __atomic_fetch_add(&net->veth_next, 1, __ATOMIC_RELAXED);
    char tail[6];
    for (int i = 4; i >= 0; i--, number >>= 5)
        tail[i] = digits[number & 31];
    tail[5] = 0;
    snprintf(endpoint->host_if, sizeof(endpoint->host_if), "hv%s%s", net->instance, tail);
}

int endpoint_mac_parse(const char *text, uint8_t ret[6])
{
    unsigned byte[6];
    int end = 0;
    if (strlen(text) != 17 || sscanf(text, "%2x%*[:-]%2x%*[:-]%2x%*[:-]%2x%*[:-]%2x%*[:-]%2x%n", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4],
                                     &byte[5], &end) != 6 || end != 17 || (byte[0] & 1))
        return -EINVAL;
    for (int i = 0; i < 6; i++)
        ret[i] = (uint8_t)byte[i];
    return 0;
}

static int mac_fill(const struct net_endpoint_spec *spec, uint32_t address, struct net_endpoint *ret, struct err *err)
{
    uint8_t mac[6] = { 0x02, 0x42, (uint8_t)(address >> 24), (uint8_t)(address >> 16), (uint8_t)(address >> 8), (uint8_t)address };
    if (!str_empty(spec->mac) && endpoint_mac_parse(spec->mac, mac) < 0)
        return err_set(err, ERR_INVALID, "%s is not a valid mac address", spec->mac);
    snprintf(ret->mac, sizeof(ret->mac), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
    return 0;
}

static int address_take(struct network *network, const char *wanted, uint32_t *ret, struct err *err)
{
    struct ipam_pool *pool = &network->priv->pool;
    if (str_empty(wanted)) {
        if (ipam_take_any(pool, ret) < 0)
            return err_set(err, ERR_UNAVAILABLE, "no available IPv4 addresses on this network's address pools: %s (%s)", network->name,
                           network->id);
        return 0;
    }
    if (ipam_parse_address(wanted, ret) < 0)
        return err_set(err, ERR_INVALID, "invalid endpoint settings:\ninvalid IPv4 address: %s", wanted);
    int failed = ipam_take(pool, *ret);
    if (failed == -EEXIST)
        return err_set(err, ERR_FORBIDDEN, "Address already in use");
    if (failed < 0)
        return err_set(err, ERR_INVALID,
                       "invalid config for network %s: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address %s",
                       network->name, wanted);
    return 0;
}

static int endpoint_take(struct network *network, const struct net_endpoint_spec *spec, struct net_endpoint *ret, struct err *err)
{
    uint32_t address = 0;
    *ret = (struct net_endpoint){ .network = network };
    str_copy(ret->id, sizeof(ret->id), spec->id);
    if (!network->driver->has_addresses) {
        mutex_lock(&network->net->lock);
        network->priv->endpoints++;
        mutex_unlock(&network->net->lock);
        return 0;
    }
    mutex_lock(&network->net->lock);
    int failed = address_take(network, spec->address, &address, err);
    if (failed == 0 && (failed = mac_fill(spec, address, ret, err)) < 0)
        ipam_give(&network->priv->pool, address);
    if (failed == 0)
        network->priv->endpoints++;
    mutex_unlock(&network->net->lock);
    if (failed < 0) {
        ret->network = NULL;
        return -1;
    }
    ipam_format_address(address, ret->address);
    ret->prefix = network->priv->pool.subnet.length;
    if (!network->internal)
        str_copy(ret->gateway, sizeof(ret->gateway), network->gateway);
    snprintf(ret->container_if, sizeof(ret->container_if), "%s%d", network->iface_prefix, spec->if_number);
    return 0;
}

int net_endpoint_create(struct network *network, const struct net_endpoint_spec *spec, struct net_endpoint *ret, struct err *err)
{
    if (network->is_default && !str_empty(spec->address))
        return err_set(err, ERR_INVALID, "invalid config for network bridge: invalid endpoint settings:\n"
                       "* user specified IP address is supported on user defined networks only\n"
                       "* user specified IP address is supported only when connecting to networks with user configured subnets");
    if (endpoint_take(network, spec, ret, err) < 0)
        return -1;
    if (network->driver->has_addresses)
        endpoint_name_veth(network->net, ret);
    return 0;
}

int net_endpoint_restore(struct network *network, const struct net_endpoint_spec *spec, struct net_endpoint *ret, struct err *err)
{
    if (network->driver->has_addresses && (str_empty(spec->address) || str_empty(spec->host_if)))
        return err_set(err, ERR_INVALID, "restore of endpoint %s: no address or interface stored", spec->id);
    if (endpoint_take(network, spec, ret, err) < 0)
        return -1;
    if (network->driver->has_addresses)
        str_copy(ret->host_if, sizeof(ret->host_if), spec->host_if);
    return 0;
}

void net_endpoint_release(struct net_endpoint *endpoint)
{
    struct network *network = endpoint->network;
    uint32_t address;
    if (!network)
        return;
    mutex_lock(&network->net->lock);
    if (network->driver->has_addresses && ipam_parse_address(endpoint->address, &address) == 0)
        ipam_give(&network->priv->pool, address);
    network->priv->endpoints--;
    mutex_unlock(&network->net->lock);
    endpoint->network = NULL;
}

int net_endpoint_counters(const struct net_endpoint *endpoint, struct net_counters *ret)
{
    struct rtnl_counters host;
    if (!endpoint->network || !endpoint->host_if[0])
        return -ENODEV;
    struct net *net = endpoint->network->net;
    mutex_lock(&net->rtnl_lock);
    int failed = rtnl_link_counters(net->rtnl, endpoint->host_if, &host);
    mutex_unlock(&net->rtnl_lock);
    if (failed)
        return failed;
    *ret = (struct net_counters){ /* what the host end sends, the container receives */
        host.tx_bytes, host.tx_packets, host.tx_errors, host.tx_dropped,
        host.rx_bytes, host.rx_packets, host.rx_errors, host.rx_dropped };
    return 0;
}
