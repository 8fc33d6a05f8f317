/* Networks: their subnet, their bridge. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/net/private.h"
#include "lib/sys/rtnl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#define OPTION_PREFIX "com.docker.network."

/* ---- options ---- */

static int option_bool(const char *key, const char *value, bool *ret, struct err *err)
{
    if (str_to_bool(value, ret) < 0)
        return err_set(err, ERR_INVALID, "failed to parse " OPTION_PREFIX "%s value: %s (strconv.ParseBool: parsing \"%s\": invalid syntax)",
                       key, value, value);
    return 0;
}

static int option_icc(struct network *network, const char *value, struct err *err)
{
    return option_bool("bridge.enable_icc", value, &network->icc, err);
}

static int option_masquerade(struct network *network, const char *value, struct err *err)
{
    return option_bool("bridge.enable_ip_masquerade", value, &network->masquerade, err);
}

static int option_name(struct network *network, const char *value, struct err *err)
{
    if (str_empty(value) || strchr(value, '/') || strchr(value, ' ') || str_eq(value, ".") || str_eq(value, "..") ||
        !str_copy(network->bridge, sizeof(network->bridge), value))
        return err_set(err, ERR_INVALID, "invalid bridge name: %s", value);
    return 0;
}

static int option_mtu(struct network *network, const char *value, struct err *err)
{
    int64_t mtu;
    if (str_to_i64(value, &mtu) < 0)
        return err_set(err, ERR_INVALID, "failed to parse " OPTION_PREFIX "driver.mtu value: %s (strconv.Atoi: parsing \"%s\": invalid syntax)",
                       value, value);
    if (mtu != 0 && (mtu < 68 || mtu > 65535))
        return err_set(err, ERR_INVALID, "invalid MTU number: %s", value);
    if (mtu)
        network->mtu = (int)mtu;
    return 0;
}

static int option_host_binding(struct network *network, const char *value, struct err *err)
{
    uint32_t address;
    if (ipam_parse_address(value, &address) < 0)
        return err_set(err, ERR_INVALID, "failed to parse " OPTION_PREFIX "bridge.host_binding_ipv4 value: %s (invalid ip)", value);
    str_copy(network->host_binding, sizeof(network->host_binding), address ? value : "");
    return 0;
}

static int option_default_bridge(struct network *network, const char *value, struct err *err)
{
    bool ignored;
    return option_bool("bridge.default_bridge", value, &ignored, err); /* is_default says it */
}

static int option_iface_prefix(struct network *network, const char *value, struct err *err)
{
    if (str_empty(value) || strchr(value, '/') || !str_copy(network->iface_prefix, sizeof(network->iface_prefix), value))
        return err_set(err, ERR_INVALID, "invalid interface prefix: %s", value);
    return 0;
}

static const struct {
    const char *key;
    int (*take)(struct network *network, const char *value, struct err *err);
} known_options[] = {
    { "bridge.name", option_name },
    { "bridge.enable_icc", option_icc },
    { "bridge.enable_ip_masquerade", option_masquerade },
    { "bridge.host_binding_ipv4", option_host_binding },
    { "bridge.default_bridge", option_default_bridge },
    { "driver.mtu", option_mtu },
    { "container_iface_prefix", option_iface_prefix },
};

static int option_take(struct network *network, const char *option, struct err *err)
{
    const char *key = str_after(option, OPTION_PREFIX);
    const char *equals = strchr(option, '=');
    if (!key || !equals)
        return 0; /* somebody's label */
    for (size_t i = 0; i < ARRAY_SIZE(known_options); i++) {
        const char *rest = str_after(key, known_options[i].key);
        if (rest && *rest == '=')
            return known_options[i].take(network, equals + 1, err);
    }
    return err_set(err, ERR_UNSUPPORTED, "network option %.*s is not supported", (int)(equals - option), option);
}

char **network_default_options(const struct network *network)
{
    char **list = NULL;
    const char *binding = network->host_binding[0] ? network->host_binding : "0.0.0.0";
    strv_append(&list, "com.docker.network.bridge.default_bridge=true");
    strv_append_take(&list, str_format("com.docker.network.bridge.enable_icc=%s", network->icc ? "true" : "false"));
    strv_append_take(&list, str_format("com.docker.network.bridge.enable_ip_masquerade=%s", network->masquerade ? "true" : "false"));
    strv_append_take(&list, str_format("com.docker.network.bridge.host_binding_ipv4=%s", binding));
    strv_append_take(&list, str_format("com.docker.network.bridge.name=%s", network->bridge));
    strv_append_take(&list, str_format("com.docker.network.driver.mtu=%d", network->mtu));
    return list;
}

/* ---- what is busy ---- */

struct host_view {
    struct ipam_prefix *busy;
    size_t count;
    int wanted_index; /* whose address to note */
    struct ipam_prefix address;
    bool has_address;
};

static void route_seen(int family, const void *dst, int length, int ifindex, void *arg)
{
    struct host_view *view = arg;
    if (family != AF_INET || length == 0)
        return;
    struct ipam_prefix prefix = { .length = length };
    memcpy(&prefix.address, dst, 4);
    prefix.address = ntohl(prefix.address);
    if (ifindex == view->wanted_index && length < 32 && ipam_network(prefix).address != prefix.address && !view->has_address) {
        view->address = prefix; /* host bits: an address, not a route */
        view->has_address = true;
    }
    view->busy = xreallocarray(view->busy, view->count + 1, sizeof(*view->busy));
    view->busy[view->count++] = prefix;
}

/* Routes and addresses of the host. */
static void host_look(struct net *net, int wanted_index, struct host_view *view)
{
    *view = (struct host_view){ .wanted_index = wanted_index };
    mutex_lock(&net->rtnl_lock);
    rtnl_routes_each(net->rtnl, route_seen, view);
    mutex_unlock(&net->rtnl_lock);
}

static int subnet_choose(struct net *net, struct ipam_prefix *ret, struct err *err)
{
    struct host_view view;
    host_look(net, 0, &view);
    AUTO_FREE struct ipam_prefix *busy = view.busy;
    for (size_t i = 0; i < net->network_count; i++) {
        if (!net->networks[i]->driver->has_addresses)
            continue;
        busy = xreallocarray(busy, view.count + 1, sizeof(*busy));
        busy[view.count++] = net->networks[i]->priv->pool.subnet;
    }
    const struct ipam_base *bases = net->bases ? net->bases : ipam_default_bases;
    size_t count = net->bases ? net->base_count : ipam_default_base_count;
    if (ipam_choose(bases, count, busy, view.count, ret) < 0)
        return err_set(err, ERR_FORBIDDEN, "all predefined address pools have been fully subnetted");
    return 0;
}

static int overlap_check(const struct net *net, struct ipam_prefix subnet, struct err *err)
{
    for (size_t i = 0; i < net->network_count; i++)
        if (net->networks[i]->driver->has_addresses && ipam_overlap(net->networks[i]->priv->pool.subnet, subnet))
            return err_set(err, ERR_FORBIDDEN, "invalid pool request: Pool overlaps with other one on this address space");
    return 0;
}

/* ---- subnet, range, gateway ---- */

struct plan { /* of a network's addresses */
    struct ipam_prefix subnet, range;
    bool has_range;
    uint32_t gateway; /* 0: first free */
};

static int plan_default_bridge(struct network *network, const struct network_spec *spec, struct plan *plan, struct err *err)
{
    struct net *net = network->net;
    struct ipam_prefix bip;
    const char *wanted = net->bip[0] ? net->bip : NULL;
    if (wanted && ipam_parse_prefix(wanted, &bip) == 0) {
        plan->subnet = ipam_network(bip);
        plan->gateway = bip.address;
    }
    mutex_lock(&net->rtnl_lock);
    int index = rtnl_link_index(net->rtnl, network->bridge);
    mutex_unlock(&net->rtnl_lock);
    if (index < 0 && net->bridge_must_exist)
        return err_set(err, ERR_INVALID, "bridge device with non default name %s must be created manually", network->bridge);
    if (index > 0 && !wanted) {
        struct host_view view;
        host_look(net, index, &view);
        if (view.has_address) {
            plan->subnet = ipam_network(view.address);
            plan->gateway = view.address.address;
        }
        free(view.busy);
    }
    if (net->fixed_cidr[0] && ipam_parse_prefix(net->fixed_cidr, &plan->range) == 0)
        plan->has_range = true;
    if (!plan->gateway && !str_empty(spec->subnet) && ipam_parse_prefix(spec->subnet, &plan->subnet) == 0)
        ipam_parse_address(spec->gateway, &plan->gateway); /* as it was last time */
    return 0;
}

static int plan_spec(const struct network_spec *spec, struct plan *plan, struct err *err)
{
    if (!str_empty(spec->subnet)) {
        if (ipam_parse_prefix(spec->subnet, &plan->subnet) < 0)
            return err_set(err, ERR_INVALID, "invalid network config:\ninvalid subnet %s: invalid CIDR block notation", spec->subnet);
        char proper[20];
        ipam_format_prefix(ipam_network(plan->subnet), proper);
        if (ipam_network(plan->subnet).address != plan->subnet.address)
            return err_set(err, ERR_INVALID, "invalid network config:\ninvalid subnet %s: it should be %s", spec->subnet, proper);
        if (plan->subnet.length > 30)
            return err_set(err, ERR_INVALID, "invalid network config:\ninvalid subnet %s: it is too small", spec->subnet);
    } else if (!str_empty(spec->gateway) || !str_empty(spec->ip_range)) {
        return err_set(err, ERR_INVALID, "invalid network config:\nno matching subnet for %s %s", str_empty(spec->gateway) ? "range" : "gateway",
                       str_empty(spec->gateway) ? spec->ip_range : spec->gateway);
    }
    if (!str_empty(spec->ip_range)) {
        if (ipam_parse_prefix(spec->ip_range, &plan->range) < 0)
            return err_set(err, ERR_INVALID, "invalid network config:\ninvalid ip-range %s: invalid CIDR block notation", spec->ip_range);
        if (!ipam_contains(plan->subnet, plan->range.address) || plan->range.length < plan->subnet.length)
            return err_set(err, ERR_INVALID, "invalid network config:\ninvalid ip-range %s: parent subnet %s doesn't contain ip-range",
                           spec->ip_range, spec->subnet);
        plan->has_range = true;
    }
    if (!str_empty(spec->gateway)) {
        if (ipam_parse_address(spec->gateway, &plan->gateway) < 0)
            return err_set(err, ERR_INVALID, "invalid network config:\ninvalid gateway %s: invalid address", spec->gateway);
        if (!ipam_contains(plan->subnet, plan->gateway))
            return err_set(err, ERR_INVALID, "invalid network config:\ninvalid gateway %s: parent subnet %s doesn't contain this address",
                           spec->gateway, spec->subnet);
    }
    return 0;
}

static int aux_take(struct ipam_pool *pool, const char *const *list, struct err *err)
{
    for (; list && *list; list++) {
        uint32_t address;
        if (ipam_parse_address(*list, &address) < 0)
            return err_set(err, ERR_INVALID, "invalid network config:\ninvalid auxiliary address %s: invalid address", *list);
        if (ipam_take(pool, address) == -ERANGE)
            return err_set(err, ERR_INVALID, "invalid network config:\nauxiliary address %s: not in the subnet", *list);
    }
    return 0;
}

static int addresses_init(struct network *network, const struct network_spec *spec, struct err *err)
{
    struct plan plan = { 0 };
    struct network_private *priv = network->priv;
    int failed = network->is_default ? plan_default_bridge(network, spec, &plan, err) : plan_spec(spec, &plan, err);
    if (failed < 0)
        return -1;
    if (plan.subnet.length == 0 && subnet_choose(network->net, &plan.subnet, err) < 0)
        return -1;
    if (overlap_check(network->net, plan.subnet, err) < 0)
        return -1;
    if (plan.has_range && !ipam_contains(plan.subnet, plan.range.address))
        return err_set(err, ERR_INVALID, "the address range is not inside the subnet");
    ipam_pool_init(&priv->pool, plan.subnet, plan.has_range ? &plan.range : NULL);
    if (aux_take(&priv->pool, spec->aux_addresses, err) < 0)
        return -1;
    if (plan.gateway && ipam_take(&priv->pool, plan.gateway) < 0)
        return err_set(err, ERR_INVALID, "invalid network config:\ngateway address is not usable in the subnet");
    priv->gateway = plan.gateway;
    if (!plan.gateway && ipam_take_any(&priv->pool, &priv->gateway) < 0)
        return err_set(err, ERR_INVALID, "invalid network config:\nno address left for the gateway");
    ipam_format_prefix(priv->pool.subnet, network->subnet);
    ipam_format_address(priv->gateway, network->gateway);
    if (plan.has_range)
        ipam_format_prefix(plan.range, network->ip_range);
    return 0;
}

/* ---- the bridge ---- */

static void bridge_mac(const struct network *network, uint8_t ret[6])
{
    uint32_t address = htonl(network->priv->gateway); /* fixed: else it changes with the lowest port and neighbours lose it */
    ret[0] = 0x02;
    ret[1] = 0x42;
    memcpy(ret + 2, &address, 4);
}

static int bridge_make(struct net *net, struct network *network, struct err *err)
{
    int index = rtnl_link_index(net->rtnl, network->bridge);
    if (index == -ENODEV) {
        uint8_t mac[6];
        bridge_mac(network, mac);
        index = rtnl_bridge_create(net->rtnl, network->bridge, mac);
        network->bridge_made = index > 0;
        if (index > 0 && network->mtu != 1500)
            rtnl_link_set_mtu(net->rtnl, index, network->mtu);
    }
    if (index < 0)
        return err_sys(err, index, "create bridge %s", network->bridge);
    network->bridge_index = index;
    net_sysctl_interface(6, network->bridge, "accept_ra", "0"); /* no such file without IPv6: then there is nothing to do */
    net_sysctl_interface(6, network->bridge, "disable_ipv6", "1");
    if (!network->internal && net_sysctl_interface(4, network->bridge, "route_localnet", "1") < 0)
        return err_set(err, ERR_INTERNAL, "set route_localnet of bridge %s", network->bridge);
    uint32_t gateway = htonl(network->priv->gateway);
    int failed = rtnl_addr_add(net->rtnl, index, AF_INET, &gateway, network->priv->pool.subnet.length);
    if (failed && failed != -EEXIST)
        return err_sys(err, failed, "give bridge %s the address %s", network->bridge, network->gateway);
    failed = rtnl_link_up(net->rtnl, index);
    return failed ? err_sys(err, failed, "bring up bridge %s", network->bridge) : 0;
}

static void bridge_unmake(struct network *network)
{
    mutex_lock(&network->net->rtnl_lock);
    rtnl_link_delete(network->net->rtnl, network->bridge_index);
    mutex_unlock(&network->net->rtnl_lock);
}

static int bridge_name_check(const struct net *net, const struct network *network, struct err *err)
{
    for (size_t i = 0; i < net->network_count; i++)
        if (str_eq(net->networks[i]->bridge, network->bridge))
            return err_set(err, ERR_FORBIDDEN, "cannot create network %s (%s): conflicts with network %s (%s): networks have same bridge name",
                           network->id, network->bridge, net->networks[i]->id, net->networks[i]->bridge);
    return 0;
}

static int bridge_network_init(struct net *net, struct network *network, const struct network_spec *spec, struct err *err)
{
    char generated[NET_IFNAME];
    snprintf(generated, sizeof(generated), "br-%.12s", network->id);
    str_copy(network->bridge, sizeof(network->bridge), spec->is_default ? net->default_bridge : generated);
    for (const char *const *option = spec->options; option && *option; option++)
        if (option_take(network, *option, err) < 0)
            return -1;
    if (spec->is_default)
        str_copy(network->bridge, sizeof(network->bridge), net->default_bridge);
    if (bridge_name_check(net, network, err) < 0 || addresses_init(network, spec, err) < 0)
        return -1;
    mutex_lock(&net->rtnl_lock);
    int failed = bridge_make(net, network, err);
    mutex_unlock(&net->rtnl_lock);
    /* After a restart a bridge of a name that only we generate is still ours. */
    network->priv->delete_bridge = !network->is_default && (network->bridge_made || str_eq(network->bridge, generated));
    return failed;
}

static struct network *network_new(struct net *net, const struct network_spec *spec)
{
    struct network *network = xcalloc(1, sizeof(*network));
    network->priv = xcalloc(1, sizeof(*network->priv));
    network->net = net;
    str_copy(network->id, sizeof(network->id), spec->id);
    str_copy(network->name, sizeof(network->name), spec->name);
    str_copy(network->iface_prefix, sizeof(network->iface_prefix), "eth");
    network->internal = spec->internal;
    network->is_default = spec->is_default;
    network->icc = !(spec->is_default && net->no_icc);
    network->masquerade = !(spec->is_default && net->no_ip_masq);
    network->mtu = spec->is_default ? net->default_mtu : 1500;
    return network;
}

void network_drop(struct network *network)
{
    ipam_pool_done(&network->priv->pool);
    free(network->priv);
    free(network);
}

static void list_remove(struct net *net, const struct network *network)
{
    for (size_t i = 0; i < net->network_count; i++)
        if (net->networks[i] == network) {
            memmove(net->networks + i, net->networks + i + 1, (net->network_count - i - 1) * sizeof(*net->networks));
            net->network_count--;
            return;
        }
}

static int network_add_locked(struct net *net, struct network *network, const struct network_spec *spec, struct err *err)
{
    if (network->driver->has_addresses && bridge_network_init(net, network, spec, err) < 0) {
        if (network->bridge_made)
            bridge_unmake(network);
        return -1;
    }
    net->networks = xreallocarray(net->networks, net->network_count + 1, sizeof(*net->networks));
    net->networks[net->network_count++] = network;
    if (firewall_network(net, network, true, err) < 0) {
        list_remove(net, network);
        if (network->bridge_made)
            bridge_unmake(network);
        return -1;
    }
    return 0;
}

int network_create(struct net *net, const struct network_spec *spec, struct network **ret, struct err *err)
{
    const struct net_driver *driver;
    if (net_driver_find(spec->driver, &driver, err) < 0)
        return -1;
    if (spec->enable_ipv6)
        return err_set(err, ERR_UNSUPPORTED, "IPv6 networks are not supported");
    if (strlen(spec->id) < 12)
        return err_set(err, ERR_INVALID, "invalid network id");
    if (spec->is_default && net->no_default_bridge)
        return err_set(err, ERR_INVALID, "the default bridge network is switched off");
    struct network *network = network_new(net, spec);
    network->driver = driver;
    mutex_lock(&net->lock);
    int failed = network_add_locked(net, network, spec, err);
    mutex_unlock(&net->lock);
    if (failed < 0) {
        network_drop(network);
        return -1;
    }
    *ret = network;
    return 0;
}

int network_remove(struct network *network, struct err *err)
{
    struct net *net = network->net;
    mutex_lock(&net->lock);
    if (network->priv->endpoints) {
        mutex_unlock(&net->lock);
        return err_set(err, ERR_FORBIDDEN, "error while removing network: network %s id %s has active endpoints", network->name, network->id);
    }
    list_remove(net, network);
    struct err ignored = { 0 }; /* an element too many harms nothing; the next rebuild drops it */
    firewall_network(net, network, false, &ignored);
    mutex_unlock(&net->lock);
    if (network->priv->delete_bridge)
        bridge_unmake(network);
    network_drop(network);
    return 0;
}

size_t network_endpoint_count(const struct network *network)
{
    mutex_lock(&network->net->lock);
    size_t count = network->priv->endpoints;
    mutex_unlock(&network->net->lock);
    return count;
}
