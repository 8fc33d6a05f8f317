/* Theory of operation: messages are written one behind the other into a buffer that always has MESSAGE_ROOM free bytes before a
 * message begins; no single message of ours comes near that. The commit wraps them between BATCH_BEGIN and BATCH_END, sends one
 * datagram, and reads the acknowledgement of every message; the first error is the answer (the kernel has then undone all). */
#include "lib/nft/internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_ROOM 4096

struct nft_batch *nft_batch_new(uint8_t family, const char *table)
{
    struct nft_batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return NULL;
    batch->family = family;
    strncpy(batch->table, table, sizeof(batch->table) - 1);
    return batch;
}

void nft_batch_free(struct nft_batch *batch)
{
    if (!batch)
        return;
    free(batch->bytes);
    free(batch);
}

void nft_batch_set_family(struct nft_batch *batch, uint8_t family)
{
    batch->family = family;
}

struct nlmsghdr *nft_message(void *room, uint16_t type, uint16_t flags, uint8_t family, uint32_t seq)
{
    struct nlmsghdr *head = mnl_nlmsg_put_header(room);
    head->nlmsg_type = type;
    head->nlmsg_flags = NLM_F_REQUEST | flags;
    head->nlmsg_seq = seq;
    struct nfgenmsg *generic = mnl_nlmsg_put_extra_header(head, sizeof(*generic));
    generic->nfgen_family = family;
    generic->version = NFNETLINK_V0;
    return head;
}

/* NULL when out of memory; the callers then do nothing. */
static struct nlmsghdr *begin(struct nft_batch *batch, uint16_t type, uint16_t flags)
{
    batch->head = NULL;
    if (batch->failed)
        return NULL;
    if (batch->capacity - batch->length < MESSAGE_ROOM) {
        size_t capacity = batch->capacity * 2 + 4 * MESSAGE_ROOM;
        char *bytes = realloc(batch->bytes, capacity);
        if (!bytes) {
            batch->failed = true;
            return NULL;
        }
        batch->bytes = bytes;
        batch->capacity = capacity;
    }
    memset(batch->bytes + batch->length, 0, MESSAGE_ROOM);
    batch->messages++;
    batch->head = nft_message(batch->bytes + batch->length, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                              (uint16_t)(flags | NLM_F_ACK), batch->family, ++batch->seq);
    return batch->head;
}

static void end(struct nft_batch *batch)
{
    batch->length += NLMSG_ALIGN(batch->head->nlmsg_len);
    batch->head = NULL;
}

static void put_u32(struct nlmsghdr *head, uint16_t type, uint32_t value)
{
    mnl_attr_put_u32(head, type, htonl(value));
}

void nft_table_add(struct nft_batch *batch)
{
    struct nlmsghdr *head = begin(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
    if (!head)
        return;
    mnl_attr_put_strz(head, NFTA_TABLE_NAME, batch->table);
    put_u32(head, NFTA_TABLE_FLAGS, 0);
    end(batch);
}

void nft_table_delete(struct nft_batch *batch)
{
    struct nlmsghdr *head = begin(batch, NFT_MSG_DELTABLE, 0);
    if (!head)
        return;
    mnl_attr_put_strz(head, NFTA_TABLE_NAME, batch->table);
    end(batch);
}

void nft_chain_add(struct nft_batch *batch, const struct nft_chain *chain)
{
    struct nlmsghdr *head = begin(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    if (!head)
        return;
    mnl_attr_put_strz(head, NFTA_CHAIN_TABLE, batch->table);
    mnl_attr_put_strz(head, NFTA_CHAIN_NAME, chain->name);
    if (chain->type) {
        struct nlattr *hook = mnl_attr_nest_start(head, NFTA_CHAIN_HOOK);
        put_u32(head, NFTA_HOOK_HOOKNUM, chain->hook);
        put_u32(head, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
        mnl_attr_nest_end(head, hook);
        mnl_attr_put_strz(head, NFTA_CHAIN_TYPE, chain->type);
        put_u32(head, NFTA_CHAIN_POLICY, NF_ACCEPT);
    }
    end(batch);
}

void nft_set_add(struct nft_batch *batch, const struct nft_set *set)
{
    struct nlmsghdr *head = begin(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
    if (!head)
        return;
    uint32_t flags = set->data_length ? NFT_SET_MAP : 0;
    if (set->interval)
        flags |= NFT_SET_INTERVAL | NFT_SET_CONCAT;
    mnl_attr_put_strz(head, NFTA_SET_TABLE, batch->table);
    mnl_attr_put_strz(head, NFTA_SET_NAME, set->name);
    put_u32(head, NFTA_SET_FLAGS, flags);
    put_u32(head, NFTA_SET_KEY_TYPE, set->key_type);
    put_u32(head, NFTA_SET_KEY_LEN, set->key_length);
    if (set->data_length) {
        put_u32(head, NFTA_SET_DATA_TYPE, set->data_type);
        put_u32(head, NFTA_SET_DATA_LEN, set->data_length);
    }
    put_u32(head, NFTA_SET_ID, set->id);
    if (set->interval) {
        struct nlattr *desc = mnl_attr_nest_start(head, NFTA_SET_DESC);
        struct nlattr *concat = mnl_attr_nest_start(head, NFTA_SET_DESC_CONCAT);
        for (size_t i = 0; i < sizeof(set->fields) && set->fields[i]; i++) {
            struct nlattr *field = mnl_attr_nest_start(head, NFTA_LIST_ELEM);
            put_u32(head, NFTA_SET_FIELD_LEN, set->fields[i]);
            mnl_attr_nest_end(head, field);
        }
        mnl_attr_nest_end(head, concat);
        mnl_attr_nest_end(head, desc);
    }
    end(batch);
}

static void put_value(struct nlmsghdr *head, uint16_t type, const void *bytes, uint32_t length)
{
    struct nlattr *nest = mnl_attr_nest_start(head, type);
    mnl_attr_put(head, NFTA_DATA_VALUE, length, bytes);
    mnl_attr_nest_end(head, nest);
}

static void element(struct nft_batch *batch, uint16_t type, uint16_t flags, const char *set, const struct nft_element *element)
{
    struct nlmsghdr *head = begin(batch, type, flags);
    if (!head)
        return;
    mnl_attr_put_strz(head, NFTA_SET_ELEM_LIST_TABLE, batch->table);
    mnl_attr_put_strz(head, NFTA_SET_ELEM_LIST_SET, set);
    if (element) {
        struct nlattr *list = mnl_attr_nest_start(head, NFTA_SET_ELEM_LIST_ELEMENTS);
        struct nlattr *one = mnl_attr_nest_start(head, NFTA_LIST_ELEM);
        put_value(head, NFTA_SET_ELEM_KEY, element->key, element->key_length);
        if (element->key_end)
            put_value(head, NFTA_SET_ELEM_KEY_END, element->key_end, element->key_length);
        if (element->data)
            put_value(head, NFTA_SET_ELEM_DATA, element->data, element->data_length);
        mnl_attr_nest_end(head, one);
        mnl_attr_nest_end(head, list);
    }
    end(batch);
}

void nft_element_add(struct nft_batch *batch, const char *set, const struct nft_element *one)
{
    element(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, one);
}

void nft_element_delete(struct nft_batch *batch, const char *set, const struct nft_element *one)
{
    struct nft_element key = { .key = one->key, .key_end = one->key_end, .key_length = one->key_length };
    element(batch, NFT_MSG_DELSETELEM, 0, set, &key);
}

void nft_set_flush(struct nft_batch *batch, const char *set)
{
    element(batch, NFT_MSG_DELSETELEM, 0, set, NULL);
}

/* ---- rules ---- */

void nft_rule_begin(struct nft_batch *batch, const char *chain)
{
    struct nlmsghdr *head = begin(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    if (!head)
        return;
    mnl_attr_put_strz(head, NFTA_RULE_TABLE, batch->table);
    mnl_attr_put_strz(head, NFTA_RULE_CHAIN, chain);
    batch->expressions = mnl_attr_nest_start(head, NFTA_RULE_EXPRESSIONS);
}

void nft_rule_end(struct nft_batch *batch)
{
    if (!batch->head)
        return;
    mnl_attr_nest_end(batch->head, batch->expressions);
    end(batch);
}

static struct nlmsghdr *expression(struct nft_batch *batch, const char *name)
{
    if (!batch->head)
        return NULL;
    batch->expression = mnl_attr_nest_start(batch->head, NFTA_LIST_ELEM);
    mnl_attr_put_strz(batch->head, NFTA_EXPR_NAME, name);
    batch->data = mnl_attr_nest_start(batch->head, NFTA_EXPR_DATA);
    return batch->head;
}

static void expression_end(struct nft_batch *batch)
{
    mnl_attr_nest_end(batch->head, batch->data);
    mnl_attr_nest_end(batch->head, batch->expression);
}

/* Most expressions are a name and some 32-bit attributes. */
struct word {
    uint16_t type;
    uint32_t value;
};

static void words(struct nft_batch *batch, const char *name, const struct word *list, size_t count)
{
    struct nlmsghdr *head = expression(batch, name);
    if (!head)
        return;
    for (size_t i = 0; i < count; i++)
        put_u32(head, list[i].type, list[i].value);
    expression_end(batch);
}
#define WORDS(batch, name, ...)                                        \
    do {                                                               \
        const struct word list_[] = { __VA_ARGS__ };                   \
        words(batch, name, list_, sizeof(list_) / sizeof(list_[0]));   \
    } while (0)

void nft_meta(struct nft_batch *batch, uint32_t key, uint32_t reg)
{
    WORDS(batch, "meta", { NFTA_META_KEY, key }, { NFTA_META_DREG, reg });
}

void nft_payload(struct nft_batch *batch, uint32_t base, uint32_t offset, uint32_t length, uint32_t reg)
{
    WORDS(batch, "payload", { NFTA_PAYLOAD_DREG, reg }, { NFTA_PAYLOAD_BASE, base }, { NFTA_PAYLOAD_OFFSET, offset },
          { NFTA_PAYLOAD_LEN, length });
}

void nft_cmp(struct nft_batch *batch, uint32_t op, uint32_t reg, const void *bytes, uint32_t length)
{
    struct nlmsghdr *head = expression(batch, "cmp");
    if (!head)
        return;
    put_u32(head, NFTA_CMP_SREG, reg);
    put_u32(head, NFTA_CMP_OP, op);
    put_value(head, NFTA_CMP_DATA, bytes, length);
    expression_end(batch);
}

void nft_bitwise(struct nft_batch *batch, uint32_t reg, const void *mask, uint32_t length)
{
    static const uint8_t zero[16];
    struct nlmsghdr *head = expression(batch, "bitwise");
    if (!head || length > sizeof(zero))
        return;
    put_u32(head, NFTA_BITWISE_SREG, reg);
    put_u32(head, NFTA_BITWISE_DREG, reg);
    put_u32(head, NFTA_BITWISE_LEN, length);
    put_value(head, NFTA_BITWISE_MASK, mask, length);
    put_value(head, NFTA_BITWISE_XOR, zero, length);
    expression_end(batch);
}

void nft_ct(struct nft_batch *batch, uint32_t key, uint32_t reg)
{
    WORDS(batch, "ct", { NFTA_CT_KEY, key }, { NFTA_CT_DREG, reg });
}

void nft_fib_daddr_type(struct nft_batch *batch, uint32_t reg)
{
    WORDS(batch, "fib", { NFTA_FIB_DREG, reg }, { NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE }, { NFTA_FIB_FLAGS, NFTA_FIB_F_DADDR });
}

void nft_lookup(struct nft_batch *batch, const char *set, uint32_t reg, uint32_t data_reg, bool invert)
{
    struct nlmsghdr *head = expression(batch, "lookup");
    if (!head)
        return;
    mnl_attr_put_strz(head, NFTA_LOOKUP_SET, set);
    put_u32(head, NFTA_LOOKUP_SREG, reg);
    if (data_reg)
        put_u32(head, NFTA_LOOKUP_DREG, data_reg);
    if (invert)
        put_u32(head, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
    expression_end(batch);
}

void nft_dnat(struct nft_batch *batch, uint8_t family, uint32_t addr_reg, uint32_t port_reg)
{
    WORDS(batch, "nat", { NFTA_NAT_TYPE, NFT_NAT_DNAT }, { NFTA_NAT_FAMILY, family }, { NFTA_NAT_REG_ADDR_MIN, addr_reg },
          { NFTA_NAT_REG_PROTO_MIN, port_reg });
}

void nft_masquerade(struct nft_batch *batch)
{
    words(batch, "masq", NULL, 0);
}

void nft_counter(struct nft_batch *batch)
{
    words(batch, "counter", NULL, 0);
}

void nft_verdict(struct nft_batch *batch, int32_t verdict, const char *chain)
{
    struct nlmsghdr *head = expression(batch, "immediate");
    if (!head)
        return;
    put_u32(head, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    struct nlattr *data = mnl_attr_nest_start(head, NFTA_IMMEDIATE_DATA);
    struct nlattr *nest = mnl_attr_nest_start(head, NFTA_DATA_VERDICT);
    put_u32(head, NFTA_VERDICT_CODE, (uint32_t)verdict);
    if (chain)
        mnl_attr_put_strz(head, NFTA_VERDICT_CHAIN, chain);
    mnl_attr_nest_end(head, nest);
    mnl_attr_nest_end(head, data);
    expression_end(batch);
}

/* ---- commit ---- */

static void marker(char *room, uint16_t type, uint32_t seq)
{
    struct nlmsghdr *head = nft_message(room, type, 0, NFPROTO_UNSPEC, seq);
    ((struct nfgenmsg *)mnl_nlmsg_get_payload(head))->res_id = htons(NFNL_SUBSYS_NFTABLES);
}

/* Acknowledgements of all messages; the first error wins (an error of the commit itself answers with the end's number). */
static int acknowledgements(struct nft *nft, uint32_t first, uint32_t last)
{
    char answer[8192];
    int result = 0;
    uint32_t seen = 0, wanted = last - first + 1;
    struct pollfd ready = { .fd = mnl_socket_get_fd(nft->sock), .events = POLLIN };
    while (seen < wanted) {
        int polled = poll(&ready, 1, 10000); /* the kernel answers before sendto returns; only a lost answer waits */
        if (polled < 0 && errno == EINTR)
            continue;
        if (polled <= 0)
            return result ? result : -ETIMEDOUT;
        ssize_t got = mnl_socket_recvfrom(nft->sock, answer, sizeof(answer));
        if (got < 0)
            return errno == ENOBUFS ? (result ? result : -ENOBUFS) : -errno;
        int left = (int)got;
        for (struct nlmsghdr *head = (void *)answer; mnl_nlmsg_ok(head, left); head = mnl_nlmsg_next(head, &left)) {
            if (head->nlmsg_type != NLMSG_ERROR || head->nlmsg_seq < first - 1 || head->nlmsg_seq > last + 1)
                continue;
            int error = ((struct nlmsgerr *)mnl_nlmsg_get_payload(head))->error;
            if (error && !result)
                result = error;
            if (head->nlmsg_seq == first - 1 || head->nlmsg_seq == last + 1)
                return result; /* the batch as a whole was refused */
            seen++;
        }
    }
    return result;
}

/* Answers that an earlier failure left behind. */
static void drain(struct nft *nft)
{
    char answer[64]; /* the rest of each datagram is dropped */
    while (recv(mnl_socket_get_fd(nft->sock), answer, sizeof(answer), MSG_DONTWAIT) > 0)
        ;
}

int nft_batch_commit(struct nft *nft, struct nft_batch *batch)
{
    if (!batch || batch->failed)
        return -ENOMEM;
    if (!batch->messages)
        return 0;
    char first[64] = { 0 }, last[64] = { 0 };
    marker(first, NFNL_MSG_BATCH_BEGIN, 0);
    marker(last, NFNL_MSG_BATCH_END, batch->seq + 1);
    struct iovec parts[] = {
        { .iov_base = first, .iov_len = ((struct nlmsghdr *)(void *)first)->nlmsg_len },
        { .iov_base = batch->bytes, .iov_len = batch->length },
        { .iov_base = last, .iov_len = ((struct nlmsghdr *)(void *)last)->nlmsg_len },
    };
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct msghdr message = { .msg_name = &kernel, .msg_namelen = sizeof(kernel), .msg_iov = parts, .msg_iovlen = 3 };
    int fd = mnl_socket_get_fd(nft->sock);
    int need = (int)batch->length * 2 + 65536;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &need, sizeof(need));
    need = (int)batch->messages * 1024 + 65536; /* an acknowledgement costs about 768 bytes of buffer */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &need, sizeof(need));
    drain(nft);
    if (sendmsg(fd, &message, 0) < 0)
        return -errno;
    return acknowledgements(nft, 1, batch->seq);
}
