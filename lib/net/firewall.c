/* Theory of operation. One table per instance holds a fixed set of rules; everything that changes is an element of a set or map:
 *
 *   pub_any   (protocol, port) -> (container, port)            bindings of 0.0.0.0
 *   pub_addr  (host address, protocol, port) -> (...)          bindings of one address
 *   bridges   names of our bridges; internal: those without a way out; icc: (bridge, bridge) where containers may talk
 *   masq      (subnet, anywhere): leaves with the host's address; pairs: (subnet, same subnet)
 *
 * A container that calls its own published port is recognised by addresses, not interfaces: with bridge-nf-call-iptables the
 * packet never passes the interfaces that one expects. The raw guard must stay: route_localnet on a bridge would open the host's
 * 127.0.0.1 to every container that sets a route (tried). icc=false is a rule of the bridge family, because bridged packets pass
 * the ip family only with br_netfilter.
 *
 * firewall_rebuild replaces the table in one transaction, so there is no moment without rules and nothing stale is left. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/net/private.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <errno.h>
#include <linux/if.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_bridge.h>
#include <linux/netfilter_ipv4.h>
#include <linux/rtnetlink.h>

#define REG(n) (NFT_REG32_00 + (n))
#define PAIR_TYPE(a, b) ((a) << 6 | (b))
#define IP_SADDR 12
#define IP_DADDR 16
#define ETHERTYPE_ARP 0x0806
#define STATE_ESTABLISHED_RELATED (NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED))
#define IPV4_RAW_PRIORITY (-300)

static const struct nft_set sets[] = {
    { "pub_any", 1, PAIR_TYPE(NFT_TYPE_INET_PROTO, NFT_TYPE_INET_SERVICE), 8, { 0 }, PAIR_TYPE(NFT_TYPE_IPV4, NFT_TYPE_INET_SERVICE), 8, false },
    { "pub_addr", 2, NFT_TYPE_IPV4 << 12 | NFT_TYPE_INET_PROTO << 6 | NFT_TYPE_INET_SERVICE, 12, { 0 },
      PAIR_TYPE(NFT_TYPE_IPV4, NFT_TYPE_INET_SERVICE), 8, false },
    { "bridges", 3, NFT_TYPE_IFNAME, IFNAMSIZ, { 0 }, 0, 0, false },
    { "internal", 4, NFT_TYPE_IFNAME, IFNAMSIZ, { 0 }, 0, 0, false },
    { "icc", 5, PAIR_TYPE(NFT_TYPE_IFNAME, NFT_TYPE_IFNAME), 2 * IFNAMSIZ, { 0 }, 0, 0, false },
    { "masq", 6, PAIR_TYPE(NFT_TYPE_IPV4, NFT_TYPE_IPV4), 8, { 4, 4 }, 0, 0, true },
    { "pairs", 7, PAIR_TYPE(NFT_TYPE_IPV4, NFT_TYPE_IPV4), 8, { 4, 4 }, 0, 0, true },
};
/* An empty set that only says: holk switched ip_forward on. It lives as long as that setting may matter. */
static const struct nft_set forward_mark = { "ip_forward_was_off", 8, NFT_TYPE_INET_SERVICE, 2, { 0 }, 0, 0, false };

static const struct nft_chain chains[] = {
    { "guard", "filter", NF_INET_PRE_ROUTING, IPV4_RAW_PRIORITY },
    { "prerouting", "nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST },
    { "output", "nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST },
    { "postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC },
    { "inbound", NULL, 0, 0 },
    { "forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER },
};

static void load_addresses(struct nft_batch *batch)
{
    nft_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, IP_SADDR, 4, REG(0));
    nft_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, IP_DADDR, 4, REG(1));
}

static void match_loopback(struct nft_batch *batch, uint32_t offset)
{
    static const uint8_t net = 127; /* the first byte is the /8 */
    nft_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, offset, 1, REG(0));
    nft_cmp(batch, NFT_CMP_EQ, REG(0), &net, 1);
}

static void match_ct(struct nft_batch *batch, uint32_t key, uint32_t bits)
{
    static const uint32_t zero;
    nft_ct(batch, key, REG(0));
    nft_bitwise(batch, REG(0), &bits, sizeof(bits));
    nft_cmp(batch, NFT_CMP_NEQ, REG(0), &zero, sizeof(zero));
}

static void rules_dnat(struct nft_batch *batch, const char *chain)
{
    static const uint32_t local = RTN_LOCAL;
    for (int with_address = 1; with_address >= 0; with_address--) { /* the exact address wins over 0.0.0.0 */
        nft_rule_begin(batch, chain);
        nft_fib_daddr_type(batch, REG(0));
        nft_cmp(batch, NFT_CMP_EQ, REG(0), &local, sizeof(local));
        uint32_t at = 0;
        if (with_address)
            nft_payload(batch, NFT_PAYLOAD_NETWORK_HEADER, IP_DADDR, 4, REG(at++));
        nft_meta(batch, NFT_META_L4PROTO, REG(at++));
        nft_payload(batch, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, REG(at));
        nft_lookup(batch, with_address ? "pub_addr" : "pub_any", REG(0), REG(0), false);
        nft_dnat(batch, NFPROTO_IPV4, REG(0), REG(1));
        nft_rule_end(batch);
    }
}

static void rules_nat(struct nft_batch *batch)
{
    static const char lo[IFNAMSIZ] = "lo";
    nft_rule_begin(batch, "guard");
    match_loopback(batch, IP_DADDR);
    nft_meta(batch, NFT_META_IIFNAME, REG(0));
    nft_cmp(batch, NFT_CMP_NEQ, REG(0), lo, sizeof(lo));
    nft_counter(batch);
    nft_verdict(batch, NF_DROP, NULL);
    nft_rule_end(batch);

    rules_dnat(batch, "prerouting");
    rules_dnat(batch, "output");

    nft_rule_begin(batch, "postrouting");
    load_addresses(batch);
    nft_lookup(batch, "pairs", REG(0), 0, false);
    match_ct(batch, NFT_CT_STATUS, IPS_DST_NAT);
    nft_masquerade(batch);
    nft_rule_end(batch);
    nft_rule_begin(batch, "postrouting");
    load_addresses(batch);
    nft_lookup(batch, "pairs", REG(0), 0, false);
    nft_verdict(batch, NFT_RETURN, NULL);
    nft_rule_end(batch);
    nft_rule_begin(batch, "postrouting");
    load_addresses(batch);
    nft_lookup(batch, "masq", REG(0), 0, false);
    nft_masquerade(batch);
    nft_rule_end(batch);
    nft_rule_begin(batch, "postrouting");
    match_loopback(batch, IP_SADDR);
    nft_meta(batch, NFT_META_OIFNAME, REG(0));
    nft_lookup(batch, "bridges", REG(0), 0, false);
    nft_masquerade(batch);
    nft_rule_end(batch);
}

static void rule_interface(struct nft_batch *batch, uint32_t meta, const char *set, int32_t verdict, const char *chain)
{
    nft_rule_begin(batch, "forward");
    nft_meta(batch, meta, REG(0));
    nft_lookup(batch, set, REG(0), 0, false);
    nft_verdict(batch, verdict, chain);
    nft_rule_end(batch);
}

/* A host that routes only because of us must not become a router between its own networks. Other people's bridges (virtual
 * machines, other engines) go on as before. The kind of a plain card cannot be read and ends the rule: hence no "is not". */
static void rules_no_router(struct nft_batch *batch)
{
    static const char bridge[IFNAMSIZ] = "bridge";
    static const uint32_t kinds[] = { NFT_META_IIFKIND, NFT_META_OIFKIND };
    rule_interface(batch, NFT_META_IIFNAME, "bridges", NF_ACCEPT, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        nft_rule_begin(batch, "forward");
        nft_meta(batch, kinds[i], REG(0));
        nft_cmp(batch, NFT_CMP_EQ, REG(0), bridge, sizeof(bridge));
        nft_verdict(batch, NF_ACCEPT, NULL);
        nft_rule_end(batch);
    }
    nft_rule_begin(batch, "forward");
    nft_counter(batch);
    nft_verdict(batch, NF_DROP, NULL);
    nft_rule_end(batch);
}

static void rules_forward(struct nft_batch *batch, bool no_router)
{
    nft_rule_begin(batch, "inbound");
    match_ct(batch, NFT_CT_STATUS, IPS_DST_NAT);
    nft_verdict(batch, NF_ACCEPT, NULL);
    nft_rule_end(batch);
    nft_rule_begin(batch, "inbound");
    nft_counter(batch);
    nft_verdict(batch, NF_DROP, NULL);
    nft_rule_end(batch);

    nft_rule_begin(batch, "forward");
    match_ct(batch, NFT_CT_STATE, STATE_ESTABLISHED_RELATED);
    nft_verdict(batch, NF_ACCEPT, NULL);
    nft_rule_end(batch);
    nft_rule_begin(batch, "forward");
    nft_meta(batch, NFT_META_IIFNAME, REG(0));
    nft_meta(batch, NFT_META_OIFNAME, REG(4));
    nft_lookup(batch, "icc", REG(0), 0, false);
    nft_verdict(batch, NF_ACCEPT, NULL);
    nft_rule_end(batch);
    rule_interface(batch, NFT_META_IIFNAME, "internal", NF_DROP, NULL);
    rule_interface(batch, NFT_META_OIFNAME, "bridges", NFT_JUMP, "inbound");
    if (no_router)
        rules_no_router(batch);
}

static void element(struct nft_batch *batch, bool add, const char *set, const void *key, const void *key_end, uint32_t length)
{
    struct nft_element one = { .key = key, .key_end = key_end, .key_length = length };
    if (add)
        nft_element_add(batch, set, &one);
    else
        nft_element_delete(batch, set, &one);
}

static void network_elements(struct nft_batch *batch, const struct network *network, bool add)
{
    char names[2 * IFNAMSIZ] = { 0 };
    str_copy(names, IFNAMSIZ, network->bridge);
    str_copy(names + IFNAMSIZ, IFNAMSIZ, network->bridge);
    element(batch, add, "bridges", names, NULL, IFNAMSIZ);
    if (network->internal)
        element(batch, add, "internal", names, NULL, IFNAMSIZ);
    if (network->icc)
        element(batch, add, "icc", names, NULL, sizeof(names));
    struct ipam_prefix subnet = network->priv->pool.subnet;
    uint32_t first = htonl(subnet.address), last = htonl(ipam_last(subnet));
    uint32_t from[2] = { first, first }, to[2] = { last, last };
    element(batch, add, "pairs", from, to, sizeof(from));
    if (network->masquerade && !network->internal) {
        from[1] = 0;
        to[1] = 0xffffffff;
        element(batch, add, "masq", from, to, sizeof(from));
    }
}

static void binding_element(struct nft_batch *batch, const struct binding *binding, bool add)
{
    if (binding->is_ipv6)
        return;
    struct {
        uint32_t address;
        uint8_t proto, pad[3];
        uint16_t port, pad2;
    } key = { htonl(binding->host), (uint8_t)binding->port.proto, { 0 }, htons(binding->port.host_port), 0 };
    struct {
        uint32_t address;
        uint16_t port, pad;
    } data = { htonl(binding->container), htons(binding->port.container_port), 0 };
    bool any = binding->host == 0;
    struct nft_element one = { .key = any ? (const void *)&key.proto : &key, .key_length = any ? 8 : 12, .data = &data, .data_length = 8 };
    if (add)
        nft_element_add(batch, any ? "pub_any" : "pub_addr", &one);
    else
        nft_element_delete(batch, any ? "pub_any" : "pub_addr", &one);
}

static bool is_bridged(const struct network *network)
{
    return network->driver->has_addresses;
}

/* Containers of a bridge without icc: no frame from port to port but ARP. */
static void bridge_family(struct nft_batch *batch, const struct net *net)
{
    static const struct nft_set no_icc = { "no_icc", 1, NFT_TYPE_IFNAME, IFNAMSIZ, { 0 }, 0, 0, false };
    static const struct nft_chain forward = { "forward", "filter", NF_BR_FORWARD, NF_BR_PRI_FILTER_BRIDGED };
    const uint16_t arp = htons(ETHERTYPE_ARP);
    nft_set_add(batch, &no_icc);
    for (size_t i = 0; i < net->network_count; i++) {
        const struct network *network = net->networks[i];
        char name[IFNAMSIZ] = { 0 };
        str_copy(name, sizeof(name), network->bridge);
        if (is_bridged(network) && !network->icc)
            element(batch, true, "no_icc", name, NULL, sizeof(name));
    }
    nft_chain_add(batch, &forward);
    nft_rule_begin(batch, "forward");
    nft_meta(batch, NFT_META_BRI_IIFNAME, REG(0));
    nft_lookup(batch, "no_icc", REG(0), 0, false);
    nft_meta(batch, NFT_META_PROTOCOL, REG(0));
    nft_cmp(batch, NFT_CMP_NEQ, REG(0), &arp, sizeof(arp));
    nft_verdict(batch, NF_DROP, NULL);
    nft_rule_end(batch);
}

static bool any_without_icc(const struct net *net)
{
    for (size_t i = 0; i < net->network_count; i++)
        if (is_bridged(net->networks[i]) && !net->networks[i]->icc)
            return true;
    return false;
}

static void table_fresh(struct nft_batch *batch)
{
    nft_table_add(batch); /* so that the delete finds one */
    nft_table_delete(batch);
    nft_table_add(batch);
}

static void table_fill(struct nft_batch *batch, const struct net *net)
{
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        nft_set_add(batch, &sets[i]);
    if (net->ip_forward_changed)
        nft_set_add(batch, &forward_mark);
    for (size_t i = 0; i < net->network_count; i++)
        if (is_bridged(net->networks[i]))
            network_elements(batch, net->networks[i], true);
    for (const struct net_publication *publication = net->publications; publication; publication = publication->next)
        for (size_t i = 0; i < publication->count; i++)
            binding_element(batch, &publication->bindings[i], true);
    for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
        nft_chain_add(batch, &chains[i]);
    rules_nat(batch);
    rules_forward(batch, net->ip_forward_changed);
}

int firewall_rebuild(struct net *net, struct err *err)
{
    mutex_assert_held(&net->lock);
    if (net->no_nft)
        return 0;
    struct nft_batch *batch = nft_batch_new(NFPROTO_IPV4, net->table);
    bool without_icc = any_without_icc(net);
    bool stale = !without_icc && nft_table_exists(net->nft, NFPROTO_BRIDGE, net->table) == 1;
    if (batch) {
        table_fresh(batch);
        table_fill(batch, net);
        nft_batch_set_family(batch, NFPROTO_BRIDGE);
        if (without_icc) {
            table_fresh(batch);
            bridge_family(batch, net);
        } else if (stale) {
            nft_table_delete(batch);
        }
    }
    int failed = nft_batch_commit(net->nft, batch);
    nft_batch_free(batch);
    if (failed)
        return err_sys(err, failed, "make nftables table %s", net->table);
    net->bridge_table = without_icc;
    net->rule_count = nft_rule_count(net->nft, NFPROTO_IPV4, net->table);
    return 0;
}

/* A change of elements; a table that somebody removed meanwhile is made again instead. */
static int commit_change(struct net *net, struct nft_batch *batch, bool add, struct err *err)
{
    int failed = nft_batch_commit(net->nft, batch);
    nft_batch_free(batch);
    if (failed == -ENOENT)
        return add ? firewall_rebuild(net, err) : 0;
    return failed ? err_sys(err, failed, "change nftables table %s", net->table) : 0;
}

int firewall_network(struct net *net, const struct network *network, bool add, struct err *err)
{
    mutex_assert_held(&net->lock);
    if (net->no_nft || !net->restored || !is_bridged(network))
        return 0;
    if (!network->icc)
        return firewall_rebuild(net, err);
    struct nft_batch *batch = nft_batch_new(NFPROTO_IPV4, net->table);
    if (batch)
        network_elements(batch, network, add);
    return commit_change(net, batch, add, err);
}

int firewall_bindings(struct net *net, const struct binding *bindings, size_t count, bool add, struct err *err)
{
    mutex_assert_held(&net->lock);
    if (net->no_nft || !net->restored)
        return 0;
    struct nft_batch *batch = nft_batch_new(NFPROTO_IPV4, net->table);
    for (size_t i = 0; batch && i < count; i++)
        binding_element(batch, &bindings[i], add);
    return commit_change(net, batch, add, err);
}

int firewall_intact(struct net *net)
{
    mutex_assert_held(&net->lock);
    if (net->no_nft)
        return 1;
    int exists = nft_table_exists(net->nft, NFPROTO_IPV4, net->table);
    if (exists <= 0)
        return exists;
    if (net->bridge_table && (exists = nft_table_exists(net->nft, NFPROTO_BRIDGE, net->table)) <= 0)
        return exists;
    int rules = nft_rule_count(net->nft, NFPROTO_IPV4, net->table);
    return rules < 0 ? rules : rules == net->rule_count;
}

void firewall_delete(struct net *net)
{
    static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_BRIDGE };
    for (size_t i = 0; i < ARRAY_SIZE(families) && net->nft; i++) {
        if (nft_table_exists(net->nft, families[i], net->table) != 1)
            continue;
        struct nft_batch *batch = nft_batch_new(families[i], net->table);
        if (batch)
            nft_table_delete(batch);
        nft_batch_commit(net->nft, batch);
        nft_batch_free(batch);
    }
}

bool firewall_marked(struct net *net)
{
    return net->nft && nft_set_exists(net->nft, NFPROTO_IPV4, net->table, forward_mark.name) == 1;
}

/* ---- foreign firewalls ---- */

struct foreign {
    const char *ours;
    char table[64], chain[64];
};

static void foreign_seen(const char *table, const char *chain, uint32_t hook, int32_t priority, uint32_t policy, void *arg)
{
    struct foreign *foreign = arg;
    (void)priority;
    if (hook != NF_INET_FORWARD || policy != NF_DROP || str_starts(table, "holk-"))
        return;
    str_copy(foreign->table, sizeof(foreign->table), table);
    str_copy(foreign->chain, sizeof(foreign->chain), chain);
}

void net_foreign_firewall_hint(struct net *net, char *ret, size_t size)
{
    static const struct {
        uint8_t family;
        const char *name;
    } families[] = { { NFPROTO_IPV4, "ip" }, { NFPROTO_INET, "inet" } };
    ret[0] = 0;
    mutex_lock(&net->lock);
    for (size_t i = 0; i < ARRAY_SIZE(families) && net->nft && !ret[0]; i++) {
        struct foreign foreign = { .ours = net->table };
        if (nft_chains_each(net->nft, families[i].family, foreign_seen, &foreign) == 0 && foreign.table[0])
            snprintf(ret, size, "the firewall chain %s %s %s drops forwarded traffic of containers; allow it with: "
                     "nft insert rule %s %s %s iifname \"%s\" accept; nft insert rule %s %s %s oifname \"%s\" accept",
                     families[i].name, foreign.table, foreign.chain, families[i].name, foreign.table, foreign.chain,
                     net->default_bridge, families[i].name, foreign.table, foreign.chain, net->default_bridge);
    }
    mutex_unlock(&net->lock);
}
