/* Theory of operation: every request is one message built in a fixed buffer on the stack, sent and acknowledged before the
 * function returns. A socket is used by one thread at a time (the caller's lock). Sequence numbers drop answers of requests that
 * an earlier error left unread. */
#include "lib/sys/rtnl.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX 1024
#define ANSWER_MAX 12288 /* the kernel fills at most 8 KiB for a reader of this size */

struct request {
    union {
        struct nlmsghdr head;
        char bytes[REQUEST_MAX];
    };
};

int rtnl_open(void)
{
    int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (sock < 0)
        return -errno;
    struct timeval limit = { .tv_sec = 10 };
    int buffer = 256 << 10;
    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    struct sockaddr_nl address = { .nl_family = AF_NETLINK };
    if (bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int failed = -errno;
        close(sock);
        return failed;
    }
    return sock;
}

int rtnl_open_in(int netns_fd)
{
    int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (here < 0)
        return -errno;
    int sock = -EINVAL;
    if (setns(netns_fd, CLONE_NEWNET) < 0) {
        sock = -errno;
    } else {
        sock = rtnl_open();
        if (setns(here, CLONE_NEWNET) < 0) { /* a thread in a foreign namespace must not go on */
            int failed = -errno;
            if (sock >= 0)
                close(sock);
            sock = failed;
        }
    }
    close(here);
    return sock;
}

static void *request_begin(struct request *request, uint16_t type, uint16_t flags, size_t body)
{
    memset(request, 0, sizeof(*request));
    request->head.nlmsg_type = type;
    request->head.nlmsg_flags = NLM_F_REQUEST | flags;
    request->head.nlmsg_len = NLMSG_LENGTH(body);
    return NLMSG_DATA(&request->head);
}

/* Room is never short: every message here is small and of known shape. */
static struct rtattr *request_put(struct request *request, uint16_t type, const void *bytes, size_t length)
{
    size_t at = NLMSG_ALIGN(request->head.nlmsg_len);
    if (at + RTA_SPACE(length) > sizeof(request->bytes))
        return NULL;
    struct rtattr *attr = (struct rtattr *)(void *)(request->bytes + at);
    attr->rta_type = type;
    attr->rta_len = (uint16_t)RTA_LENGTH(length);
    if (length && bytes)
        memcpy(RTA_DATA(attr), bytes, length);
    request->head.nlmsg_len = (uint32_t)(at + RTA_SPACE(length));
    return attr;
}

static void request_put_u32(struct request *request, uint16_t type, uint32_t value)
{
    request_put(request, type, &value, sizeof(value));
}

static void request_put_str(struct request *request, uint16_t type, const char *text)
{
    request_put(request, type, text, strlen(text) + 1);
}

static void request_nest_end(struct request *request, struct rtattr *nest)
{
    nest->rta_len = (uint16_t)(request->bytes + request->head.nlmsg_len - (char *)nest);
}

static int request_send(int sock, struct request *request, uint32_t *ret_seq)
{
    struct timespec now; /* any number that the last request did not have */
    clock_gettime(CLOCK_MONOTONIC, &now);
    request->head.nlmsg_seq = (uint32_t)now.tv_nsec;
    *ret_seq = request->head.nlmsg_seq;
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    ssize_t sent;
    do
        sent = sendto(sock, request->bytes, request->head.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

typedef void (*answer_fn)(struct nlmsghdr *head, void *arg);

/* Reads until the acknowledgement (or the end of a dump) of seq. */
static int answers_read(int sock, uint32_t seq, answer_fn fn, void *arg)
{
    union {
        struct nlmsghdr align;
        char bytes[ANSWER_MAX];
    } answer;
    for (;;) {
        struct iovec part = { .iov_base = answer.bytes, .iov_len = sizeof(answer.bytes) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        ssize_t got = recvmsg(sock, &message, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (message.msg_flags & MSG_TRUNC)
            return -EMSGSIZE;
        unsigned left = (unsigned)got;
        for (struct nlmsghdr *head = &answer.align; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
            if (head->nlmsg_seq != seq)
                continue;
            if (head->nlmsg_type == NLMSG_DONE)
                return 0;
            if (head->nlmsg_type == NLMSG_ERROR)
                return ((struct nlmsgerr *)NLMSG_DATA(head))->error;
            if (fn)
                fn(head, arg);
        }
    }
}

static int request_run(int sock, struct request *request, answer_fn fn, void *arg)
{
    uint32_t seq;
    if ((request->head.nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP) /* one of its two bits is NLM_F_EXCL too */
        request->head.nlmsg_flags |= NLM_F_ACK;
    int failed = request_send(sock, request, &seq);
    return failed ? failed : answers_read(sock, seq, fn, arg);
}

static void link_index_answer(struct nlmsghdr *head, void *arg)
{
    if (head->nlmsg_type == RTM_NEWLINK)
        *(int *)arg = ((struct ifinfomsg *)NLMSG_DATA(head))->ifi_index;
}

int rtnl_link_index(int sock, const char *name)
{
    struct request request;
    int index = 0;
    if (strlen(name) >= IFNAMSIZ)
        return -ENODEV;
    request_begin(&request, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    request_put_str(&request, IFLA_IFNAME, name);
    int failed = request_run(sock, &request, link_index_answer, &index);
    return failed ? failed : index ? index : -ENODEV;
}

static void link_stats_answer(struct nlmsghdr *head, void *arg)
{
    if (head->nlmsg_type != RTM_NEWLINK)
        return;
    int left = (int)IFLA_PAYLOAD(head);
    for (struct rtattr *attr = IFLA_RTA(NLMSG_DATA(head)); RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
        if (attr->rta_type == IFLA_STATS64)
            memcpy(arg, RTA_DATA(attr), sizeof(struct rtnl_link_stats64) < RTA_PAYLOAD(attr) ? sizeof(struct rtnl_link_stats64) : RTA_PAYLOAD(attr));
}

int rtnl_link_counters(int sock, const char *name, struct rtnl_counters *ret)
{
    struct request request;
    struct rtnl_link_stats64 stats = { 0 };
    if (strlen(name) >= IFNAMSIZ)
        return -ENODEV;
    request_begin(&request, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    request_put_str(&request, IFLA_IFNAME, name);
    int failed = request_run(sock, &request, link_stats_answer, &stats);
    *ret = (struct rtnl_counters){ stats.rx_bytes, stats.rx_packets, stats.rx_errors, stats.rx_dropped,
                                   stats.tx_bytes, stats.tx_packets, stats.tx_errors, stats.tx_dropped };
    return failed;
}

int rtnl_bridge_create(int sock, const char *name, const uint8_t mac[6])
{
    struct request request;
    if (strlen(name) >= IFNAMSIZ)
        return -EINVAL;
    request_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    request_put_str(&request, IFLA_IFNAME, name);
    if (mac)
        request_put(&request, IFLA_ADDRESS, mac, 6);
    struct rtattr *info = request_put(&request, IFLA_LINKINFO, NULL, 0);
    request_put_str(&request, IFLA_INFO_KIND, "bridge");
    request_nest_end(&request, info);
    int failed = request_run(sock, &request, NULL, NULL);
    return failed ? failed : rtnl_link_index(sock, name);
}

/* A bridge port that may send a frame back where it came from: a container calling its own published port. */
static int port_set_hairpin(int sock, int index)
{
    struct request request;
    uint8_t on = 1;
    struct ifinfomsg *link = request_begin(&request, RTM_SETLINK, 0, sizeof(struct ifinfomsg));
    link->ifi_family = AF_BRIDGE;
    link->ifi_index = index;
    struct rtattr *port = request_put(&request, IFLA_PROTINFO | NLA_F_NESTED, NULL, 0);
    request_put(&request, IFLA_BRPORT_MODE, &on, 1);
    request_nest_end(&request, port);
    return request_run(sock, &request, NULL, NULL);
}

int rtnl_veth_create(int sock, const char *name, int bridge_index, const char *peer_name, const uint8_t mac[6], int netns_fd, int mtu)
{
    struct request request;
    if (strlen(name) >= IFNAMSIZ || strlen(peer_name) >= IFNAMSIZ)
        return -EINVAL;
    struct ifinfomsg *link = request_begin(&request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    link->ifi_flags = IFF_UP; /* this end only: asking it of the peer fails with ENOTCONN after a slow unwinding */
    link->ifi_change = IFF_UP;
    request_put_str(&request, IFLA_IFNAME, name);
    if (bridge_index)
        request_put_u32(&request, IFLA_MASTER, (uint32_t)bridge_index);
    if (mtu)
        request_put_u32(&request, IFLA_MTU, (uint32_t)mtu);
    struct rtattr *info = request_put(&request, IFLA_LINKINFO, NULL, 0);
    request_put_str(&request, IFLA_INFO_KIND, "veth");
    struct rtattr *data = request_put(&request, IFLA_INFO_DATA, NULL, 0);
    struct rtattr *peer = request_put(&request, VETH_INFO_PEER, NULL, sizeof(struct ifinfomsg));
    request_put_str(&request, IFLA_IFNAME, peer_name);
    if (mac)
        request_put(&request, IFLA_ADDRESS, mac, 6);
    if (mtu)
        request_put_u32(&request, IFLA_MTU, (uint32_t)mtu);
    request_put_u32(&request, IFLA_NET_NS_FD, (uint32_t)netns_fd);
    request_nest_end(&request, peer);
    request_nest_end(&request, data);
    request_nest_end(&request, info);
    int failed = request_run(sock, &request, NULL, NULL);
    if (failed || !bridge_index)
        return failed;
    int index = rtnl_link_index(sock, name);
    if (index < 0)
        return index;
    port_set_hairpin(sock, index); /* without it only a self-call through a published port is lost */
    return 0;
}

static int link_flags(int sock, int index, unsigned flags)
{
    struct request request;
    struct ifinfomsg *link = request_begin(&request, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
    link->ifi_index = index;
    link->ifi_flags = flags;
    link->ifi_change = IFF_UP;
    return request_run(sock, &request, NULL, NULL);
}

int rtnl_link_up(int sock, int index)
{
    return link_flags(sock, index, IFF_UP);
}

int rtnl_link_down(int sock, int index)
{
    return link_flags(sock, index, 0);
}

int rtnl_link_delete(int sock, int index)
{
    struct request request;
    struct ifinfomsg *link = request_begin(&request, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
    link->ifi_index = index;
    return request_run(sock, &request, NULL, NULL);
}

int rtnl_link_set_mtu(int sock, int index, int mtu)
{
    struct request request;
    struct ifinfomsg *link = request_begin(&request, RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
    link->ifi_index = index;
    request_put_u32(&request, IFLA_MTU, (uint32_t)mtu);
    return request_run(sock, &request, NULL, NULL);
}

static size_t address_size(int family)
{
    return family == AF_INET ? 4 : family == AF_INET6 ? 16 : 0;
}

int rtnl_addr_add(int sock, int index, int family, const void *addr, int prefix)
{
    struct request request;
    size_t size = address_size(family);
    if (!size || prefix < 0 || (size_t)prefix > size * 8)
        return -EINVAL;
    struct ifaddrmsg *head = request_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifaddrmsg));
    head->ifa_family = (uint8_t)family;
    head->ifa_prefixlen = (uint8_t)prefix;
    head->ifa_index = (uint32_t)index;
    request_put(&request, IFA_LOCAL, addr, size);
    request_put(&request, IFA_ADDRESS, addr, size);
    if (family == AF_INET && prefix < 31) {
        uint8_t broadcast[4];
        for (int i = 0; i < 4; i++) {
            int host_bits = 8 * (i + 1) - prefix;
            unsigned mask = host_bits <= 0 ? 0 : host_bits >= 8 ? 0xff : (1u << host_bits) - 1;
            broadcast[i] = (uint8_t)(((const uint8_t *)addr)[i] | mask);
        }
        request_put(&request, IFA_BROADCAST, broadcast, 4);
    }
    return request_run(sock, &request, NULL, NULL);
}

int rtnl_route_add_default(int sock, int index, int family, const void *gateway)
{
    struct request request;
    size_t size = address_size(family);
    if (!size)
        return -EINVAL;
    struct rtmsg *route = request_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct rtmsg));
    route->rtm_family = (uint8_t)family;
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_BOOT;
    route->rtm_scope = RT_SCOPE_UNIVERSE;
    route->rtm_type = RTN_UNICAST;
    request_put(&request, RTA_GATEWAY, gateway, size);
    request_put_u32(&request, RTA_OIF, (uint32_t)index);
    return request_run(sock, &request, NULL, NULL);
}

struct each {
    rtnl_route_fn fn;
    void *arg;
};

static void route_answer(struct nlmsghdr *head, void *arg)
{
    const struct each *each = arg;
    static const uint8_t nothing[16];
    if (head->nlmsg_type != RTM_NEWROUTE)
        return;
    struct rtmsg *route = NLMSG_DATA(head);
    if (route->rtm_table != RT_TABLE_MAIN || (route->rtm_type != RTN_UNICAST && route->rtm_type != RTN_BLACKHOLE))
        return;
    const void *dst = nothing;
    int oif = 0;
    int left = (int)RTM_PAYLOAD(head);
    for (struct rtattr *attr = RTM_RTA(route); RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
        if (attr->rta_type == RTA_DST)
            dst = RTA_DATA(attr);
        else if (attr->rta_type == RTA_OIF)
            memcpy(&oif, RTA_DATA(attr), sizeof(oif));
    }
    each->fn(route->rtm_family, dst, route->rtm_dst_len, oif, each->arg);
}

static void address_answer(struct nlmsghdr *head, void *arg)
{
    const struct each *each = arg;
    if (head->nlmsg_type != RTM_NEWADDR)
        return;
    struct ifaddrmsg *address = NLMSG_DATA(head);
    const void *local = NULL;
    int left = (int)IFA_PAYLOAD(head);
    for (struct rtattr *attr = IFA_RTA(address); RTA_OK(attr, left); attr = RTA_NEXT(attr, left))
        if (attr->rta_type == IFA_LOCAL || (attr->rta_type == IFA_ADDRESS && !local))
            local = RTA_DATA(attr);
    if (local)
        each->fn(address->ifa_family, local, address->ifa_prefixlen, (int)address->ifa_index, each->arg);
}

int rtnl_routes_each(int sock, rtnl_route_fn fn, void *arg)
{
    struct request request;
    struct each each = { .fn = fn, .arg = arg };
    request_begin(&request, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg));
    int failed = request_run(sock, &request, route_answer, &each);
    if (failed)
        return failed;
    request_begin(&request, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
    return request_run(sock, &request, address_answer, &each);
}
