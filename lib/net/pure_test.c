/* The parts of the network room that touch no kernel: addresses, port texts, the three files. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/net/hostfiles.h"
#include "lib/net/ipam.h"
#include "lib/net/port.h"

#include <errno.h>
#include <netinet/in.h>

static struct ipam_prefix prefix(const char *text)
{
    struct ipam_prefix got = { 0 };
    CHECK_INT(ipam_parse_prefix(text, &got), 0);
    return got;
}

TEST(prefixes)
{
    static const char *const bad[] = { "", "1.2.3.4", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3/8", "1.2.3.4/", "/8", "a/8", "1.2.3.4.5.6.7.8.9/8", "1.2.3.4/8 ", "::1/64" };
    char text[20], address[16];
    struct ipam_prefix got;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_INT(ipam_parse_prefix(bad[i], &got), -EINVAL);
    CHECK_INT(ipam_parse_prefix(NULL, &got), -EINVAL);
    ipam_format_prefix(prefix("10.1.2.3/24"), text);
    CHECK_STR(text, "10.1.2.3/24");
    ipam_format_prefix(ipam_network(prefix("10.1.2.3/24")), text);
    CHECK_STR(text, "10.1.2.0/24");
    ipam_format_address(ipam_last(prefix("10.1.2.3/20")), address);
    CHECK_STR(address, "10.1.15.255");
    ipam_format_address(ipam_last(prefix("0.0.0.0/0")), address);
    CHECK_STR(address, "255.255.255.255");
    CHECK(ipam_contains(prefix("10.1.2.3/24"), prefix("10.1.2.200/32").address));
    CHECK(!ipam_contains(prefix("10.1.2.3/24"), prefix("10.1.3.0/32").address));
    CHECK(ipam_overlap(prefix("10.0.0.0/8"), prefix("10.9.9.0/24")));
    CHECK(ipam_overlap(prefix("10.9.9.0/24"), prefix("10.0.0.0/8")));
    CHECK(ipam_overlap(prefix("0.0.0.0/0"), prefix("10.0.0.0/8")));
    CHECK(!ipam_overlap(prefix("10.1.0.0/16"), prefix("10.2.0.0/16")));
}

static void takes(struct ipam_pool *pool, const char *want)
{
    uint32_t address;
    char text[16] = "none";
    if (ipam_take_any(pool, &address) == 0)
        ipam_format_address(address, text);
    CHECK_STR(text, want);
}

TEST(pools_give_the_lowest_free_address)
{
    struct ipam_pool pool;
    ipam_pool_init(&pool, prefix("10.0.0.1/29"), NULL);
    CHECK_INT(ipam_take(&pool, prefix("10.0.0.1/32").address), 0);
    CHECK_INT(ipam_take(&pool, prefix("10.0.0.1/32").address), -EEXIST);
    CHECK_INT(ipam_take(&pool, prefix("10.0.0.0/32").address), -ERANGE);
    CHECK_INT(ipam_take(&pool, prefix("10.0.0.7/32").address), -ERANGE);
    CHECK_INT(ipam_take(&pool, prefix("10.0.0.8/32").address), -ERANGE);
    takes(&pool, "10.0.0.2");
    takes(&pool, "10.0.0.3");
    takes(&pool, "10.0.0.4");
    ipam_give(&pool, prefix("10.0.0.3/32").address);
    ipam_give(&pool, prefix("10.0.0.99/32").address);
    takes(&pool, "10.0.0.3");
    takes(&pool, "10.0.0.5");
    takes(&pool, "10.0.0.6");
    takes(&pool, "none");
    ipam_pool_done(&pool);
}

TEST(small_and_edge_subnets)
{
    struct ipam_pool pool;
    ipam_pool_init(&pool, prefix("10.0.0.0/31"), NULL);
    takes(&pool, "10.0.0.0");
    takes(&pool, "10.0.0.1");
    takes(&pool, "none");
    ipam_pool_done(&pool);
    ipam_pool_init(&pool, prefix("255.255.255.252/30"), NULL);
    takes(&pool, "255.255.255.253");
    takes(&pool, "255.255.255.254");
    takes(&pool, "none");
    ipam_pool_done(&pool);
    struct ipam_prefix range = prefix("10.0.0.128/30");
    ipam_pool_init(&pool, prefix("10.0.0.0/24"), &range);
    takes(&pool, "10.0.0.128");
    takes(&pool, "10.0.0.129");
    takes(&pool, "10.0.0.130");
    takes(&pool, "10.0.0.131");
    takes(&pool, "none");
    CHECK_INT(ipam_take(&pool, prefix("10.0.0.5/32").address), 0); /* asked for by name: the whole subnet */
    ipam_pool_done(&pool);
}

static void chooses(const char *const *busy_texts, size_t count, const char *want)
{
    struct ipam_prefix busy[8], got;
    char text[20] = "none";
    for (size_t i = 0; i < count; i++)
        busy[i] = prefix(busy_texts[i]);
    if (ipam_choose(ipam_default_bases, ipam_default_base_count, busy, count, &got) == 0)
        ipam_format_prefix(got, text);
    CHECK_STR(text, want);
}

TEST(default_subnets_follow_dockers_order)
{
    static const char *const busy[] = { "172.17.0.0/16", "172.18.5.0/24", "172.16.0.0/12", "192.168.0.0/20", "192.168.0.0/16" };
    chooses(busy, 0, "172.17.0.0/16");
    chooses(busy, 1, "172.18.0.0/16");
    chooses(busy, 2, "172.19.0.0/16");
    chooses(busy, 3, "192.168.0.0/20");
    chooses(busy, 4, "192.168.16.0/20");
    chooses(busy, 5, "none");
}

TEST(container_ports)
{
    static const struct {
        const char *text;
        int proto, port;
    } good[] = { { "80/tcp", IPPROTO_TCP, 80 }, { "53/udp", IPPROTO_UDP, 53 }, { "80", IPPROTO_TCP, 80 }, { "9/SCTP", IPPROTO_SCTP, 9 }, { "65535/tcp", IPPROTO_TCP, 65535 } };
    static const char *const bad[] = { "", "/tcp", "0/tcp", "65536/tcp", "80/icmp", "-1/tcp", "x/tcp", "80-90/tcp", "123456789/tcp", "8 0/tcp" };
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct err err = { 0 };
        int proto = 0;
        uint16_t port = 0;
        CHECK_INT(net_port_parse(good[i].text, &proto, &port, &err), 0);
        CHECK_INT(proto, good[i].proto);
        CHECK_INT(port, good[i].port);
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct err err = { 0 };
        int proto;
        uint16_t port;
        CHECK_INT(net_port_parse(bad[i], &proto, &port, &err), -1);
        CHECK_INT(err.kind, ERR_INVALID);
        CHECK(err.text[0]);
    }
    char key[16];
    net_port_key(&(struct net_port){ .proto = IPPROTO_UDP, .container_port = 53 }, key);
    CHECK_STR(key, "53/udp");
    CHECK_INT(net_proto_parse("icmp"), -1);
}

TEST(host_ports)
{
    static const struct {
        const char *ip, *port;
        int first, last; /* -1: refused */
    } cases[] = {
        { "", "", 0, 0 },
        { NULL, NULL, 0, 0 },
        { "", "8080", 8080, 0 },
        { "127.0.0.1", "0", 0, 0 },
        { "::1", "80", 80, 0 },
        { "", "8000-8010", 8000, 8010 },
        { "", "8000-8000", 8000, 0 },
        { "", "8010-8000", -1, -1 },
        { "", "-80", -1, -1 },
        { "", "80-", -1, -1 },
        { "", "65536", -1, -1 },
        { "", "http", -1, -1 },
        { "", "8000-80000", -1, -1 },
        { "localhost", "80", -1, -1 },
        { "1.2.3", "80", -1, -1 },
        { "[::1]", "80", -1, -1 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct net_port port = { 0 };
        struct err err = { 0 };
        CHECK_INT(net_port_parse_host(cases[i].ip, cases[i].port, &port, &err), cases[i].first < 0 ? -1 : 0);
        if (cases[i].first < 0) {
            CHECK_INT(err.kind, ERR_INVALID);
            continue;
        }
        CHECK_INT(port.host_port, cases[i].first);
        CHECK_INT(port.host_port_end, cases[i].last);
        CHECK_STR(port.host_ip, cases[i].ip ? cases[i].ip : "");
    }
}

#define V6 "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n"

TEST(hosts)
{
    static const char *const extra[] = { "a:1.2.3.4", "b=[::1]", "c:::2", "gw:host-gateway", NULL };
    static const struct hostfiles_name own[] = { { "172.17.0.2", NULL }, { "10.0.0.2", NULL } };
    AUTO_BUF struct buf out = BUF_INIT(65536), plain = BUF_INIT(65536);
    struct err err = { 0 };
    struct hostfiles_hosts in = { .hostname = "box", .domainname = "example.com", .addresses = own, .address_count = 2, .extra_hosts = extra, .host_gateway = "172.17.0.1" };
    CHECK_INT(hostfiles_hosts(&in, &out, &err), 0);
    CHECK_STR(out.data, "127.0.0.1\tlocalhost\n" V6 "1.2.3.4\ta\n::1\tb\n::2\tc\n172.17.0.1\tgw\n172.17.0.2\tbox.example.com box\n10.0.0.2\tbox.example.com box\n");
    in = (struct hostfiles_hosts){ .hostname = "a.b.c", .addresses = own, .address_count = 1, .no_ipv6 = true };
    CHECK_INT(hostfiles_hosts(&in, &plain, &err), 0);
    CHECK_STR(plain.data, "127.0.0.1\tlocalhost\n172.17.0.2\ta.b.c a\n");
}

TEST(bad_extra_hosts_are_named)
{
    static const char *const bad[] = { "a", ":1.2.3.4", "a:", "a:name", "a b:1.2.3.4", "a:1.2.3.4\nevil", "gw:host-gateway" };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *const extra[] = { bad[i], NULL };
        AUTO_BUF struct buf out = BUF_INIT(65536);
        struct err err = { 0 };
        struct hostfiles_hosts in = { .hostname = "box", .extra_hosts = extra };
        CHECK_INT(hostfiles_hosts(&in, &out, &err), -1);
        CHECK_INT(err.kind, ERR_INVALID);
    }
}

static void resolv(const struct hostfiles_resolv *in, const char *host, const char *want)
{
    AUTO_BUF struct buf out = BUF_INIT(65536);
    struct err err = { 0 };
    if (hostfiles_resolv(in, host, &out, &err) < 0)
        buf_puts(&out, err.text);
    CHECK_STR(out.data, want);
}

TEST(resolv_conf)
{
    static const char host[] = "# comment\nnameserver 127.0.0.53\nnameserver 10.1.1.1\nnameserver fe80::1%eth0\nsearch old\nsearch a.example b.example\noptions edns0\n";
    static const char *const dns[] = { "127.0.0.1", "9.9.9.9", NULL }, *const search[] = { ".", NULL }, *const options[] = { "ndots:3", NULL };
    static const char *const bad_dns[] = { "name", NULL }, *const bad_search[] = { "a b", NULL };
    resolv(&(struct hostfiles_resolv){ 0 }, host, "nameserver 10.1.1.1\nsearch a.example b.example\noptions edns0\n");
    resolv(&(struct hostfiles_resolv){ 0 }, "nameserver 127.0.0.1\n", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    resolv(&(struct hostfiles_resolv){ 0 }, "", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n");
    resolv(&(struct hostfiles_resolv){ .host_network = true }, "nameserver 127.0.0.53", "nameserver 127.0.0.53\n");
    resolv(&(struct hostfiles_resolv){ .dns = dns, .search = search, .options = options }, host, "nameserver 127.0.0.1\nnameserver 9.9.9.9\noptions ndots:3\n");
    resolv(&(struct hostfiles_resolv){ .embedded = "127.0.0.11" }, host, "nameserver 127.0.0.11\nsearch a.example b.example\noptions edns0 ndots:0\n");
    resolv(&(struct hostfiles_resolv){ .embedded = "127.0.0.11", .options = options }, host, "nameserver 127.0.0.11\nsearch a.example b.example\noptions ndots:3\n");
    resolv(&(struct hostfiles_resolv){ .dns = bad_dns }, host, "invalid nameserver address: \"name\"");
    resolv(&(struct hostfiles_resolv){ .search = bad_search }, host, "invalid DNS search domain: \"a b\"");
}

TESTS(T(prefixes), T(pools_give_the_lowest_free_address), T(small_and_edge_subnets), T(default_subnets_follow_dockers_order), T(container_ports), T(host_ports),
      T(hosts), T(bad_extra_hosts_are_named), T(resolv_conf))
