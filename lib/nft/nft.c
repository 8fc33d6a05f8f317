/* The socket, the questions, and the watch. */
#include "lib/nft/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int nft_open(struct nft **ret)
{
    struct nft *nft = calloc(1, sizeof(*nft));
    if (!nft)
        return -ENOMEM;
    nft->sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!nft->sock || mnl_socket_bind(nft->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
        int failed = -errno;
        nft_close(nft);
        return failed;
    }
    struct timeval limit = { .tv_sec = 10 };
    setsockopt(mnl_socket_get_fd(nft->sock), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    int on = 1; /* a refused batch is answered without a copy of all its bytes */
    mnl_socket_setsockopt(nft->sock, NETLINK_CAP_ACK, &on, sizeof(on));
    nft->portid = mnl_socket_get_portid(nft->sock);
    *ret = nft;
    return 0;
}

void nft_close(struct nft *nft)
{
    if (!nft)
        return;
    if (nft->sock)
        mnl_socket_close(nft->sock);
    free(nft);
}

int nft_request(struct nft *nft, struct nlmsghdr *head, mnl_cb_t fn, void *arg)
{
    char answer[8192], stale[64];
    while (recv(mnl_socket_get_fd(nft->sock), stale, sizeof(stale), MSG_DONTWAIT) > 0)
        ;
    if (mnl_socket_sendto(nft->sock, head, head->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(nft->sock, answer, sizeof(answer));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        int more = mnl_cb_run(answer, (size_t)got, head->nlmsg_seq, nft->portid, fn, arg);
        if (more < 0)
            return -errno;
        if (more == MNL_CB_STOP)
            return 0;
    }
}

#define TYPE(subsystem, type) ((uint16_t)((subsystem) << 8 | (type)))

static int exists(struct nft *nft, struct nlmsghdr *head)
{
    int failed = nft_request(nft, head, NULL, NULL);
    return failed == -ENOENT ? 0 : failed ? failed : 1;
}

int nft_table_exists(struct nft *nft, uint8_t family, const char *table)
{
    char room[1024] = { 0 };
    struct nlmsghdr *head = nft_message(room, TYPE(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE), NLM_F_ACK, family, 1);
    mnl_attr_put_strz(head, NFTA_TABLE_NAME, table);
    return exists(nft, head);
}

int nft_set_exists(struct nft *nft, uint8_t family, const char *table, const char *set)
{
    char room[1024] = { 0 };
    struct nlmsghdr *head = nft_message(room, TYPE(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETSET), NLM_F_ACK, family, 1);
    mnl_attr_put_strz(head, NFTA_SET_TABLE, table);
    mnl_attr_put_strz(head, NFTA_SET_NAME, set);
    return exists(nft, head);
}

struct rule_count {
    const char *table;
    int count;
};

static int rule_counted(const struct nlmsghdr *head, void *arg)
{
    struct rule_count *count = arg;
    struct nlattr *attr;
    mnl_attr_for_each(attr, head, sizeof(struct nfgenmsg))
        if (mnl_attr_get_type(attr) == NFTA_RULE_TABLE && strcmp(mnl_attr_get_str(attr), count->table) == 0)
            count->count++;
    return MNL_CB_OK;
}

int nft_rule_count(struct nft *nft, uint8_t family, const char *table)
{
    char room[1024] = { 0 };
    struct rule_count count = { .table = table };
    struct nlmsghdr *head = nft_message(room, TYPE(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETRULE), NLM_F_DUMP, family, 1);
    mnl_attr_put_strz(head, NFTA_RULE_TABLE, table);
    int failed = nft_request(nft, head, rule_counted, &count);
    return failed ? failed : count.count;
}

struct chain_each {
    nft_chain_fn fn;
    void *arg;
};

static int chain_seen(const struct nlmsghdr *head, void *arg)
{
    const struct chain_each *each = arg;
    const char *table = "", *name = "";
    uint32_t hook = 0, policy = 0;
    int32_t priority = 0;
    bool base = false;
    struct nlattr *attr, *inner;
    mnl_attr_for_each(attr, head, sizeof(struct nfgenmsg)) {
        uint16_t type = mnl_attr_get_type(attr);
        if (type == NFTA_CHAIN_TABLE)
            table = mnl_attr_get_str(attr);
        else if (type == NFTA_CHAIN_NAME)
            name = mnl_attr_get_str(attr);
        else if (type == NFTA_CHAIN_POLICY)
            policy = ntohl(mnl_attr_get_u32(attr));
        else if (type == NFTA_CHAIN_HOOK) {
            base = true;
            mnl_attr_for_each_nested(inner, attr) {
                if (mnl_attr_get_type(inner) == NFTA_HOOK_HOOKNUM)
                    hook = ntohl(mnl_attr_get_u32(inner));
                else if (mnl_attr_get_type(inner) == NFTA_HOOK_PRIORITY)
                    priority = (int32_t)ntohl(mnl_attr_get_u32(inner));
            }
        }
    }
    if (base)
        each->fn(table, name, hook, priority, policy, each->arg);
    return MNL_CB_OK;
}

int nft_chains_each(struct nft *nft, uint8_t family, nft_chain_fn fn, void *arg)
{
    char room[1024] = { 0 };
    struct chain_each each = { .fn = fn, .arg = arg };
    struct nlmsghdr *head = nft_message(room, TYPE(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN), NLM_F_DUMP, family, 1);
    return nft_request(nft, head, chain_seen, &each);
}

int nft_watch_open(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
    if (fd < 0)
        return -errno;
    struct sockaddr_nl address = { .nl_family = AF_NETLINK };
    int group = NFNLGRP_NFTABLES;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
        int failed = -errno;
        close(fd);
        return failed;
    }
    return fd;
}

static bool generation_is_ours(const struct nlmsghdr *head)
{
    uint32_t process = 0;
    struct nlattr *attr;
    mnl_attr_for_each(attr, head, sizeof(struct nfgenmsg))
        if (mnl_attr_get_type(attr) == NFTA_GEN_PROC_PID)
            process = ntohl(mnl_attr_get_u32(attr));
    return process == (uint32_t)getpid();
}

int nft_watch_read(int watch_fd)
{
    char event[8192];
    int foreign = 0;
    for (;;) {
        ssize_t got = recv(watch_fd, event, sizeof(event), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? foreign : -errno;
        int left = (int)got;
        for (struct nlmsghdr *head = (void *)event; mnl_nlmsg_ok(head, left); head = mnl_nlmsg_next(head, &left))
            if (head->nlmsg_type == TYPE(NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWGEN) && !generation_is_ours(head))
                foreign = 1;
    }
}

/* ---- connection tracking ---- */

struct flow {
    uint32_t reply_source;
    uint16_t reply_port;
    uint8_t proto;
};
struct forget {
    struct flow wanted;
    char *doomed; /* CT_DELETE messages one behind the other */
    size_t length, capacity;
    int count;
};

static void tuple_read(const struct nlattr *tuple, struct flow *ret)
{
    struct nlattr *part, *inner;
    mnl_attr_for_each_nested(part, tuple)
        mnl_attr_for_each_nested(inner, part) {
            if (mnl_attr_get_type(part) == CTA_TUPLE_IP && mnl_attr_get_type(inner) == CTA_IP_V4_SRC)
                ret->reply_source = mnl_attr_get_u32(inner);
            else if (mnl_attr_get_type(part) == CTA_TUPLE_PROTO && mnl_attr_get_type(inner) == CTA_PROTO_NUM)
                ret->proto = mnl_attr_get_u8(inner);
            else if (mnl_attr_get_type(part) == CTA_TUPLE_PROTO && mnl_attr_get_type(inner) == CTA_PROTO_SRC_PORT)
                ret->reply_port = mnl_attr_get_u16(inner);
        }
}

static int flow_seen(const struct nlmsghdr *head, void *arg)
{
    struct forget *forget = arg;
    struct flow flow = { 0 };
    const struct nlattr *original = NULL;
    struct nlattr *attr;
    mnl_attr_for_each(attr, head, sizeof(struct nfgenmsg)) {
        if (mnl_attr_get_type(attr) == CTA_TUPLE_ORIG)
            original = attr;
        else if (mnl_attr_get_type(attr) == CTA_TUPLE_REPLY)
            tuple_read(attr, &flow);
    }
    if (!original || flow.reply_source != forget->wanted.reply_source || flow.proto != forget->wanted.proto ||
        flow.reply_port != forget->wanted.reply_port)
        return MNL_CB_OK;
    if (forget->capacity - forget->length < 512) {
        size_t capacity = forget->capacity * 2 + 8192;
        char *bytes = realloc(forget->doomed, capacity);
        if (!bytes)
            return MNL_CB_OK;
        forget->doomed = bytes;
        forget->capacity = capacity;
    }
    char *room = forget->doomed + forget->length;
    memset(room, 0, 512);
    struct nlmsghdr *kill = nft_message(room, TYPE(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE), NLM_F_ACK, AF_INET, 1);
    mnl_attr_put(kill, CTA_TUPLE_ORIG | NLA_F_NESTED, mnl_attr_get_payload_len(original), mnl_attr_get_payload(original));
    forget->length += NLMSG_ALIGN(kill->nlmsg_len);
    forget->count++;
    return MNL_CB_OK;
}

int nft_conntrack_forget(uint8_t proto, uint32_t address, uint16_t port)
{
    struct nft *nft;
    int failed = nft_open(&nft);
    if (failed)
        return failed;
    char room[256] = { 0 };
    struct forget forget = { .wanted = { .reply_source = address, .reply_port = port, .proto = proto } };
    struct nlmsghdr *head = nft_message(room, TYPE(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET), NLM_F_DUMP, AF_INET, 1);
    failed = nft_request(nft, head, flow_seen, &forget);
    for (size_t at = 0; at < forget.length; at += NLMSG_ALIGN(((struct nlmsghdr *)(void *)(forget.doomed + at))->nlmsg_len))
        nft_request(nft, (struct nlmsghdr *)(void *)(forget.doomed + at), NULL, NULL);
    free(forget.doomed);
    nft_close(nft);
    return failed ? failed : forget.count;
}
