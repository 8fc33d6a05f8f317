/* The daemon's one struct net: options, sockets, the thread, ip_forward. */
#include "lib/net/net.h"
#include "lib/base/io.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/net/private.h"
#include "lib/sys/rtnl.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"

int net_sysctl_write(const char *path, const char *value)
{
    return io_write_control_at(AT_FDCWD, path, value);
}

int net_sysctl_read(const char *path, char *ret, size_t size)
{
    AUTO_FREE char *text = NULL;
    size_t length;
    int failed = io_read_file_at(AT_FDCWD, path, 4096, &text, &length);
    if (failed < 0)
        return failed;
    str_copy(ret, size, str_trim(text));
    return 0;
}

int net_sysctl_interface(int family_version, const char *interface, const char *key, const char *value)
{
    char path[128];
    snprintf(path, sizeof(path), "/proc/sys/net/ipv%d/conf/%s/%s", family_version, interface, key);
    return net_sysctl_write(path, value);
}

static int instance_check(const char *instance, struct err *err)
{
    size_t length = instance ? strlen(instance) : 0;
    if (length == 0 || length > 8 || strspn(instance, "abcdefghijklmnopqrstuvwxyz0123456789") != length)
        return err_set(err, ERR_INVALID, "invalid network instance name: 1 to 8 lower-case letters and digits");
    return 0;
}

static int pools_take(struct net *net, const struct net_options *options, struct err *err)
{
    if (!options->pool_count)
        return 0;
    net->bases = xcalloc(options->pool_count, sizeof(*net->bases));
    for (size_t i = 0; i < options->pool_count; i++) {
        struct ipam_base *base = &net->bases[i];
        if (ipam_parse_prefix(options->pools[i].base, &base->base) < 0)
            return err_set(err, ERR_INVALID, "invalid base pool \"%s\"", options->pools[i].base);
        base->size = options->pools[i].size;
        if (base->size < base->base.length || base->size > 30)
            return err_set(err, ERR_INVALID, "invalid pools size: %d", base->size);
    }
    net->base_count = options->pool_count;
    return 0;
}

static int options_take(struct net *net, const struct net_options *options, struct err *err)
{
    struct ipam_prefix prefix;
    if (instance_check(options->instance, err) < 0)
        return -1;
    str_copy(net->instance, sizeof(net->instance), options->instance);
    snprintf(net->table, sizeof(net->table), "holk-%s", net->instance);
    const char *bridge = str_empty(options->default_bridge) ? "holk0" : options->default_bridge;
    net->no_default_bridge = str_eq(options->bridge, "none");
    if (!str_empty(options->bridge) && !net->no_default_bridge) {
        net->bridge_must_exist = !str_eq(options->bridge, bridge);
        bridge = options->bridge;
    }
    if (!str_copy(net->default_bridge, sizeof(net->default_bridge), bridge) || strchr(bridge, '/'))
        return err_set(err, ERR_INVALID, "invalid bridge name %s", bridge);
    if (!str_empty(options->bip) && ipam_parse_prefix(options->bip, &prefix) < 0)
        return err_set(err, ERR_INVALID, "invalid CIDR address: %s", options->bip);
    if (!str_empty(options->fixed_cidr) && ipam_parse_prefix(options->fixed_cidr, &prefix) < 0)
        return err_set(err, ERR_INVALID, "invalid CIDR address: %s", options->fixed_cidr);
    str_copy(net->bip, sizeof(net->bip), options->bip ? options->bip : "");
    str_copy(net->fixed_cidr, sizeof(net->fixed_cidr), options->fixed_cidr ? options->fixed_cidr : "");
    str_copy(net->default_host_ip, sizeof(net->default_host_ip), options->default_host_ip ? options->default_host_ip : "");
    net->default_mtu = options->mtu ? options->mtu : 1500;
    net->no_icc = options->no_icc;
    net->no_ip_forward = options->no_ip_forward;
    net->no_ip_masq = options->no_ip_masq;
    net->no_nft = options->no_nft;
    return pools_take(net, options, err);
}

static void ruleset_changed(struct net *net)
{
    struct err ignored = { 0 };
    net_check(net, &ignored);
}

static int forward_on(struct net *net, struct err *err)
{
    char now[8] = "";
    net->ip_forward_changed = firewall_marked(net);
    if (net->no_ip_forward)
        return 0;
    int failed = net_sysctl_read(IP_FORWARD, now, sizeof(now));
    if (failed < 0)
        return err_sys(err, failed, "read %s", IP_FORWARD);
    if (str_eq(now, "1"))
        return 0;
    failed = net_sysctl_write(IP_FORWARD, "1");
    if (failed < 0)
        return err_sys(err, failed, "switch on IPv4 forwarding in %s", IP_FORWARD);
    net->ip_forward_changed = true;
    return 0;
}

int net_open(const struct net_options *options, struct net **ret, struct err *err)
{
    struct net *net = xcalloc(1, sizeof(*net));
    struct timespec now;
    net->rtnl = -1;
    mutex_init(&net->lock);
    mutex_init(&net->rtnl_lock);
    clock_gettime(CLOCK_REALTIME, &now);
    net->veth_next = (uint32_t)(now.tv_sec * 64 + now.tv_nsec / 16000000);
    int failed = options_take(net, options, err);
    if (failed == 0 && (net->rtnl = rtnl_open()) < 0)
        failed = err_sys(err, net->rtnl, "open a netlink socket");
    int status = 0;
    if (failed == 0 && !net->no_nft && (status = nft_open(&net->nft)) < 0)
        failed = err_sys(err, status, "open nftables");
    if (failed == 0)
        failed = forward_on(net, err);
    if (failed == 0 && (status = proxy_open(net, net->no_nft ? NULL : ruleset_changed, &net->proxy)) < 0)
        failed = err_sys(err, status, "start the network thread");
    if (failed < 0) {
        net_close(net);
        return -1;
    }
    *ret = net;
    return 0;
}

void net_close(struct net *net)
{
    if (!net)
        return;
    proxy_close(net->proxy);
    for (struct net_publication *at = net->publications, *next; at; at = next) {
        next = at->next;
        for (size_t i = 0; i < at->count; i++)
            if (at->bindings[i].sock >= 0)
                close(at->bindings[i].sock);
        free(at->bindings);
        free(at->ports);
        free(at);
    }
    for (size_t i = 0; i < net->network_count; i++)
        network_drop(net->networks[i]);
    free(net->networks);
    nft_close(net->nft);
    if (net->rtnl >= 0)
        close(net->rtnl);
    free(net->bases);
    mutex_done(&net->rtnl_lock);
    mutex_done(&net->lock);
    free(net);
}

void net_teardown(struct net *net)
{
    mutex_lock(&net->lock);
    net->restored = false; /* the thread must not make it again */
    firewall_delete(net);
    for (size_t i = 0; i < net->network_count; i++) {
        const struct network *network = net->networks[i];
        if (!network->priv->delete_bridge && !(network->is_default && network->bridge_made))
            continue;
        mutex_lock(&net->rtnl_lock);
        rtnl_link_delete(net->rtnl, network->bridge_index);
        mutex_unlock(&net->rtnl_lock);
    }
    mutex_unlock(&net->lock);
}

int net_restore_done(struct net *net, struct err *err)
{
    mutex_lock(&net->lock);
    net->restored = true;
    int failed = firewall_rebuild(net, err);
    mutex_unlock(&net->lock);
    return failed;
}

int net_check(struct net *net, struct err *err)
{
    int failed = 0;
    mutex_lock(&net->lock);
    if (net->restored && firewall_intact(net) != 1)
        failed = firewall_rebuild(net, err);
    mutex_unlock(&net->lock);
    return failed;
}

bool net_ip_forward_changed(const struct net *net)
{
    return net->ip_forward_changed;
}
