/* The whole room in a network namespace of its own: bridge, sandboxes, published ports seen from everywhere. Needs root (else 77). */
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/net/net.h"
#include "lib/nft/nft.h"
#include "lib/sys/rtnl.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HERE (-1)
#define LAN_GATEWAY "10.77.0.1"

static struct net *net;
static struct network *bridge;
static int lan = -1;
static struct err err;

/* ---- moving about ---- */

struct errand {
    int ns, domain, type;
    int result;
    void (*run)(struct errand *errand);
};

static void make_socket(struct errand *errand)
{
    errand->result = socket(errand->domain, errand->type | SOCK_CLOEXEC, 0);
}

static void make_namespace(struct errand *errand)
{
    unshare(CLONE_NEWNET);
    errand->result = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void *errand_run(void *arg)
{
    struct errand *errand = arg;
    if (errand->ns >= 0 && setns(errand->ns, CLONE_NEWNET) < 0)
        errand->result = -1;
    else
        errand->run(errand);
    return NULL;
}

static int errand_send(struct errand errand)
{
    pthread_t thread;
    pthread_create(&thread, NULL, errand_run, &errand);
    pthread_join(thread, NULL);
    return errand.result;
}

static int socket_in(int ns, int domain, int type)
{
    return errand_send((struct errand){ .ns = ns, .domain = domain, .type = type, .run = make_socket });
}

static socklen_t address_fill(struct sockaddr_storage *ret, const char *ip, uint16_t port)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof(*ret));
    if (inet_pton(AF_INET, ip, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof(*v4);
    }
    inet_pton(AF_INET6, ip, &v6->sin6_addr);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof(*v6);
}

/* Answers every connection with "hello"; ends when the socket is shut down. */
static void *serve(void *arg)
{
    int sock = (int)(intptr_t)arg, client;
    while ((client = accept4(sock, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        ssize_t ignored = write(client, "hello", 5);
        (void)ignored;
        close(client);
    }
    close(sock);
    return NULL;
}

static int server_start(int ns, uint16_t port)
{
    struct sockaddr_storage address;
    pthread_t thread;
    int on = 1, sock = socket_in(ns, AF_INET, SOCK_STREAM);
    setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(sock, (struct sockaddr *)&address, address_fill(&address, "0.0.0.0", port)) < 0 || listen(sock, 16) < 0)
        return -1;
    pthread_create(&thread, NULL, serve, (void *)(intptr_t)sock);
    pthread_detach(thread);
    return sock;
}

static bool reach(int ns, const char *ip, uint16_t port, int timeout_ms)
{
    struct sockaddr_storage address;
    char answer[8] = "";
    AUTO_FD int sock = socket_in(ns, strchr(ip, ':') ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK);
    struct pollfd ready = { .fd = sock, .events = POLLIN };
    socklen_t length = address_fill(&address, ip, port);
    if (connect(sock, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS)
        return false;
    if (poll(&ready, 1, timeout_ms) != 1)
        return false;
    return read(sock, answer, sizeof(answer) - 1) == 5 && strcmp(answer, "hello") == 0;
}
#define REACHED(ns, ip, port) CHECK(reach(ns, ip, port, 2000))
#define BLOCKED(ns, ip, port) CHECK(!reach(ns, ip, port, 300))

/* ---- the stage: our own "host" and a neighbour on its LAN ---- */

static void lan_make(void)
{
    static const uint8_t mac[6] = { 2, 0, 0, 0, 0, 77 };
    struct in_addr here, there;
    inet_pton(AF_INET, LAN_GATEWAY, &here);
    inet_pton(AF_INET, "10.77.0.2", &there);
    lan = errand_send((struct errand){ .ns = HERE, .run = make_namespace });
    AUTO_FD int host = rtnl_open();
    rtnl_link_up(host, 1);
    rtnl_veth_create(host, "lan0", 0, "eth0", mac, lan, 0);
    rtnl_addr_add(host, rtnl_link_index(host, "lan0"), AF_INET, &here, 24);
    AUTO_FD int inside = rtnl_open_in(lan);
    int index = rtnl_link_index(inside, "eth0");
    rtnl_addr_add(inside, index, AF_INET, &there, 24);
    rtnl_link_up(inside, index);
    CHECK_INT(rtnl_route_add_default(inside, index, AF_INET, &here), 0);
}

__attribute__((constructor)) static void stage(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
        puts("1..0 # SKIP needs root and network namespaces");
        exit(77);
    }
    AUTO_FD int fd = open("/proc/sys/net/ipv4/ip_forward", O_WRONLY | O_CLOEXEC); /* a new namespace may inherit the machine's */
    CHECK_INT(write(fd, "0", 1), 1);
}

static void open_all(void)
{
    static const struct net_options options = { .instance = "test", .default_bridge = "holktest0" };
    const struct network_spec spec = { .id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", .name = "bridge", .is_default = true };
    err_clear(&err);
    CHECK_INT(net_open(&options, &net, &err), 0);
    CHECK_INT(network_create(net, &spec, &bridge, &err), 0);
    CHECK_STR(err.text, "");
}

struct box {
    struct net_endpoint endpoint;
    int ns;
};

static struct box box_on(struct network *network)
{
    struct box box = { .ns = -1 };
    struct net_endpoint_spec spec = { .id = "feedfacefeedfacefeedfacefeedfacefeedfacefeedfacefeedfacefeedface" };
    struct net_endpoint *list[] = { &box.endpoint };
    CHECK_INT(net_endpoint_create(network, &spec, &box.endpoint, &err), 0);
    CHECK_INT(net_sandbox_create(net, list, 1, NULL, &box.ns, &err), 0);
    CHECK_STR(err.text, "");
    return box;
}

static void box_close(struct box *box)
{
    fd_close(box->ns);
    net_endpoint_release(&box->endpoint);
}

static struct net_publication *publish(struct box *box, const char *host_ip, const char *host_port, uint16_t port, int proto)
{
    static const struct net_publish_owner owner = { "abc", "web" };
    struct net_publication *publication = NULL;
    struct net_port wanted = { .proto = proto, .container_port = port };
    err_clear(&err);
    CHECK_INT(net_port_parse_host(host_ip, host_port, &wanted, &err), 0);
    net_ports_publish(&box->endpoint, &owner, &wanted, 1, &publication, &err);
    return publication;
}

static struct box web, other;
static struct net_publication *web_ports;
static char web_address[NET_TEXT], web_if[NET_IFNAME];

TEST(bridge_is_made)
{
    lan_make();
    open_all();
    CHECK_STR(bridge->subnet, "172.17.0.0/16");
    CHECK_STR(bridge->gateway, "172.17.0.1");
    CHECK(net_ip_forward_changed(net));
    CHECK_INT(net_restore_done(net, &err), 0);
    CHECK_STR(err.text, "");
}

TEST(sandboxes)
{
    web = box_on(bridge);
    other = box_on(bridge);
    CHECK_STR(web.endpoint.address, "172.17.0.2");
    CHECK_STR(web.endpoint.mac, "02:42:ac:11:00:02");
    CHECK_STR(other.endpoint.address, "172.17.0.3");
    CHECK(server_start(web.ns, 80) >= 0);
    REACHED(HERE, "172.17.0.2", 80);
    REACHED(other.ns, "172.17.0.2", 80);
    struct net_counters counters;
    CHECK_INT(net_endpoint_counters(&web.endpoint, &counters), 0);
    CHECK(counters.rx_packets > 0 && counters.tx_packets > 0);
}

TEST(outward_traffic_is_masqueraded)
{
    int server = server_start(lan, 7000); /* the LAN has no route back to containers but by its gateway: see the peer */
    REACHED(web.ns, "10.77.0.2", 7000);
    shutdown(server, SHUT_RDWR);
}

TEST(published_port)
{
    web_ports = publish(&web, "", "8080", 80, IPPROTO_TCP);
    CHECK_STR(err.text, "");
    size_t count;
    const struct net_port *ports = net_publication_ports(web_ports, &count);
    CHECK_INT(count, 2);
    CHECK_STR(ports[0].host_ip, "0.0.0.0");
    CHECK_STR(ports[1].host_ip, "::");
    REACHED(HERE, "127.0.0.1", 8080);
    REACHED(HERE, LAN_GATEWAY, 8080);
    REACHED(HERE, "172.17.0.1", 8080);
    REACHED(HERE, "::1", 8080);
    REACHED(lan, LAN_GATEWAY, 8080);
    REACHED(other.ns, LAN_GATEWAY, 8080);
    REACHED(other.ns, "172.17.0.1", 8080);
    REACHED(web.ns, LAN_GATEWAY, 8080); /* its own port */
    REACHED(web.ns, "172.17.0.1", 8080);
}

TEST(unpublished_port_is_not_reached_from_outside)
{
    BLOCKED(lan, "172.17.0.2", 80);
    server_start(web.ns, 81);
    BLOCKED(lan, "172.17.0.2", 81);
    REACHED(other.ns, "172.17.0.2", 81);
}

TEST(loopback_binding_stays_on_the_host)
{
    struct net_publication *local = publish(&web, "127.0.0.1", "9090", 80, IPPROTO_TCP);
    CHECK_STR(err.text, "");
    REACHED(HERE, "127.0.0.1", 9090);
    BLOCKED(lan, LAN_GATEWAY, 9090);
    BLOCKED(other.ns, "172.17.0.1", 9090);
    net_ports_release(local);
    BLOCKED(HERE, "127.0.0.1", 9090);
}

TEST(clashes)
{
    CHECK(publish(&other, "", "8080", 80, IPPROTO_TCP) == NULL);
    CHECK(strstr(err.text, "driver failed programming external connectivity on endpoint web (feedface"));
    CHECK(strstr(err.text, "Bind for 0.0.0.0:8080 failed: port is already allocated"));
    int foreign = server_start(HERE, 8181);
    CHECK(publish(&other, "", "8181", 80, IPPROTO_TCP) == NULL);
    CHECK(strstr(err.text, "failed to bind host port for 0.0.0.0:8181:172.17.0.3:80/tcp: address already in use by net_root_test (pid "));
    shutdown(foreign, SHUT_RDWR);
    CHECK(publish(&other, "1.2.3.4", "80", 80, IPPROTO_TCP) == NULL);
    CHECK(strstr(err.text, "failed to bind host port for 1.2.3.4:80:172.17.0.3:80/tcp: cannot assign requested address"));
    CHECK(publish(&other, "::1", "5353", 53, IPPROTO_UDP) == NULL);
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
}

TEST(ephemeral_and_range)
{
    size_t count;
    struct net_publication *first = publish(&web, "", "", 80, IPPROTO_TCP), *second = publish(&web, "", "", 80, IPPROTO_TCP);
    CHECK_INT(net_publication_ports(first, &count)->host_port, 32768);
    CHECK_INT(net_publication_ports(second, &count)->host_port, 32769);
    REACHED(lan, LAN_GATEWAY, 32769);
    struct net_publication *ranged = publish(&web, "", "8080-8082", 80, IPPROTO_TCP);
    CHECK_INT(net_publication_ports(ranged, &count)->host_port, 8081);
    net_ports_release(first);
    net_ports_release(second);
    net_ports_release(ranged);
}

TEST(udp)
{
    struct sockaddr_storage address;
    char got[8] = "";
    size_t count;
    struct net_publication *dns = publish(&web, "", "5300", 53, IPPROTO_UDP);
    CHECK_STR(err.text, "");
    net_publication_ports(dns, &count);
    CHECK_INT(count, 1);
    AUTO_FD int server = socket_in(web.ns, AF_INET, SOCK_DGRAM);
    AUTO_FD int client = socket_in(lan, AF_INET, SOCK_DGRAM);
    CHECK_INT(bind(server, (struct sockaddr *)&address, address_fill(&address, "0.0.0.0", 53)), 0);
    socklen_t length = address_fill(&address, LAN_GATEWAY, 5300);
    CHECK_INT(sendto(client, "ask", 3, 0, (struct sockaddr *)&address, length), 3);
    struct pollfd ready = { .fd = server, .events = POLLIN };
    CHECK_INT(poll(&ready, 1, 2000), 1);
    length = sizeof(address);
    CHECK_INT(recvfrom(server, got, sizeof(got), MSG_DONTWAIT, (struct sockaddr *)&address, &length), 3);
    net_ports_release(dns);
    length = address_fill(&address, LAN_GATEWAY, 5300); /* the tracked flow is forgotten with the port */
    sendto(client, "ask", 3, 0, (struct sockaddr *)&address, length);
    CHECK_INT(poll(&ready, 1, 200), 0);
}

static bool wait_until_reached(const char *ip, uint16_t port)
{
    for (int i = 0; i < 20; i++)
        if (reach(lan, ip, port, 100))
            return true;
    return false;
}

TEST(flushed_table_comes_back)
{
    pid_t child = fork(); /* another process: its change is not ours */
    if (child == 0) {
        struct nft *nft;
        struct nft_batch *batch = nft_batch_new(NFPROTO_IPV4, "holk-test");
        nft_table_delete(batch);
        _exit(nft_open(&nft) < 0 || nft_batch_commit(nft, batch) < 0);
    }
    CHECK(child > 0);
    CHECK(wait_until_reached(LAN_GATEWAY, 8080));
    BLOCKED(lan, "172.17.0.2", 81);
}

TEST(networks_of_users)
{
    static const char *const no_icc[] = { "com.docker.network.bridge.enable_icc=false", NULL };
    static const char *const unknown[] = { "com.docker.network.bridge.gateway_mode_ipv4=routed", NULL };
    struct network *apart = NULL, *inner = NULL, *bad = NULL;
    struct network_spec spec = { .id = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", .name = "apart", .options = no_icc };
    err_clear(&err);
    bool filters = network_create(net, &spec, &apart, &err) == 0;
    if (!filters && err.sys_errno == EOPNOTSUPP) {
        puts("# SKIP enable_icc=false: this kernel has no nftables for bridges");
        err_clear(&err);
        spec.options = NULL;
        CHECK_INT(network_create(net, &spec, &apart, &err), 0);
    }
    CHECK_STR(err.text, "");
    CHECK_STR(apart->subnet, "172.18.0.0/16");
    CHECK_STR(apart->bridge, "br-aaaaaaaaaaaa");
    struct network_spec internal = { .id = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", .name = "inner", .internal = true,
                                     .subnet = "10.99.0.0/24" };
    CHECK_INT(network_create(net, &internal, &inner, &err), 0);
    struct network_spec overlapping = { .id = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", .name = "x", .subnet = "10.99.0.0/25" };
    CHECK_INT(network_create(net, &overlapping, &bad, &err), -1);
    CHECK_STR(err.text, "invalid pool request: Pool overlaps with other one on this address space");
    overlapping.options = unknown;
    overlapping.subnet = "10.98.0.0/24";
    CHECK_INT(network_create(net, &overlapping, &bad, &err), -1);
    CHECK_INT(err.kind, ERR_UNSUPPORTED);
    err_clear(&err);

    struct box a = box_on(apart), b = box_on(apart), c = box_on(inner), d = box_on(inner);
    int sockets[] = { server_start(a.ns, 80), server_start(c.ns, 80), server_start(lan, 7001) };
    if (filters)
        BLOCKED(b.ns, a.endpoint.address, 80); /* icc=false */
    BLOCKED(web.ns, a.endpoint.address, 80);   /* from one network into another */
    REACHED(HERE, a.endpoint.address, 80);
    REACHED(d.ns, c.endpoint.address, 80);
    BLOCKED(c.ns, "10.77.0.2", 7001);          /* internal: no way out */
    REACHED(a.ns, "10.77.0.2", 7001);
    CHECK_INT(network_remove(apart, &err), -1);
    /* connect: a second interface while it runs */
    struct net_endpoint_spec second = { .id = "dddd", .if_number = 1 };
    struct net_endpoint joined;
    CHECK_INT(net_endpoint_create(inner, &second, &joined, &err), 0);
    CHECK_INT(net_sandbox_attach(net, web.ns, &joined, false, &err), 0);
    REACHED(web.ns, c.endpoint.address, 80);
    CHECK_INT(net_sandbox_detach(net, &joined, &err), 0);
    net_endpoint_release(&joined);
    for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
        shutdown(sockets[i], SHUT_RDWR);
    box_close(&a);
    box_close(&b);
    box_close(&c);
    box_close(&d);
    err_clear(&err);
    CHECK_INT(network_remove(apart, &err), 0);
    CHECK_INT(network_remove(inner, &err), 0);
    CHECK_STR(err.text, "");
}

TEST(daemon_restart)
{
    str_copy(web_address, sizeof(web_address), web.endpoint.address);
    str_copy(web_if, sizeof(web_if), web.endpoint.host_if);
    net_close(net); /* as a crash: nothing is taken down */
    REACHED(lan, LAN_GATEWAY, 8080);
    open_all();
    CHECK(net_ip_forward_changed(net));
    CHECK_STR(bridge->gateway, "172.17.0.1");
    const struct net_endpoint_spec spec = { .id = "feedface", .address = web_address, .host_if = web_if };
    CHECK_INT(net_endpoint_restore(bridge, &spec, &web.endpoint, &err), 0);
    web_ports = publish(&web, "", "8080", 80, IPPROTO_TCP);
    CHECK_STR(err.text, "");
    CHECK_INT(net_restore_done(net, &err), 0);
    REACHED(lan, LAN_GATEWAY, 8080);
    REACHED(HERE, "::1", 8080);
    struct box fresh = box_on(bridge); /* .3 was not announced again */
    CHECK_STR(fresh.endpoint.address, "172.17.0.3");
    box_close(&fresh);
}

TEST(nothing_is_left)
{
    struct nft *nft;
    net_ports_release(web_ports);
    BLOCKED(lan, LAN_GATEWAY, 8080);
    net_endpoint_release(&web.endpoint);
    CHECK_INT(network_endpoint_count(bridge), 0);
    net_teardown(net);
    net_close(net);
    CHECK_INT(nft_open(&nft), 0);
    CHECK_INT(nft_table_exists(nft, NFPROTO_IPV4, "holk-test"), 0);
    CHECK_INT(nft_table_exists(nft, NFPROTO_BRIDGE, "holk-test"), 0);
    nft_close(nft);
    AUTO_FD int sock = rtnl_open();
    CHECK_INT(rtnl_link_index(sock, "br-aaaaaaaaaaaa"), -ENODEV);
}

TESTS(T(bridge_is_made), T(sandboxes), T(outward_traffic_is_masqueraded), T(published_port), T(unpublished_port_is_not_reached_from_outside),
      T(loopback_binding_stays_on_the_host), T(clashes), T(ephemeral_and_range), T(udp), T(flushed_table_comes_back), T(networks_of_users),
      T(daemon_restart), T(nothing_is_left))
