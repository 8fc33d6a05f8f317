/* nf_tables over netlink: a transaction of tables, chains, sets, elements and rules, committed whole or not at all. The exact
 * messages and nothing else: no policy, no names of our own. 0 or -errno.
 *
 * A batch grows in memory; a failed allocation makes the commit fail (-ENOMEM). Registers: NFT_REG32_00 (8) and following hold
 * four bytes each; concatenated keys are loaded into consecutive ones. */
#pragma once
#include <netinet/in.h> /* before the kernel headers, which then leave out their own */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nft; /* a socket in the network namespace of nft_open; used by one thread at a time */
int nft_open(struct nft **ret);
void nft_close(struct nft *nft);

struct nft_batch;
struct nft_batch *nft_batch_new(uint8_t family /* NFPROTO_* */, const char *table /* of all that follows; copied */);
void nft_batch_free(struct nft_batch *batch);
int nft_batch_commit(struct nft *nft, struct nft_batch *batch); /* the batch may be committed again after a failure */

void nft_batch_set_family(struct nft_batch *batch, uint8_t family);
void nft_table_add(struct nft_batch *batch);    /* existing is fine */
void nft_table_delete(struct nft_batch *batch); /* must exist: add, then delete, then add makes a fresh one */

struct nft_chain {
    const char *name;
    const char *type; /* "filter", "nat", NULL: no base chain */
    uint32_t hook;    /* NF_INET_* or NF_BR_* */
    int32_t priority;
};
void nft_chain_add(struct nft_batch *batch, const struct nft_chain *chain);

struct nft_set {
    const char *name;
    uint32_t id;                   /* any number of the batch's own, unique in it */
    uint32_t key_type, key_length; /* type: what nft(8) prints; 6 bits per part */
    uint8_t fields[4];             /* lengths of the parts of a concatenated key, 0 ends; needed with intervals */
    uint32_t data_type, data_length; /* a map when data_length is not 0 */
    bool interval;
};
/* Numbers of nft(8)'s data types; a concatenation is (first << 6 | second) ... */
enum { NFT_TYPE_IPV4 = 7, NFT_TYPE_INET_PROTO = 12, NFT_TYPE_INET_SERVICE = 13, NFT_TYPE_IFNAME = 41 };
void nft_set_add(struct nft_batch *batch, const struct nft_set *set);
struct nft_element {
    const void *key, *key_end /* intervals, else NULL */, *data; /* lengths as the set's */
    uint32_t key_length, data_length;
};
void nft_element_add(struct nft_batch *batch, const char *set, const struct nft_element *element);
void nft_element_delete(struct nft_batch *batch, const char *set, const struct nft_element *element);
void nft_set_flush(struct nft_batch *batch, const char *set);

/* One rule: begin, expressions in order, end. */
void nft_rule_begin(struct nft_batch *batch, const char *chain);
void nft_rule_end(struct nft_batch *batch);
void nft_meta(struct nft_batch *batch, uint32_t key /* NFT_META_* */, uint32_t reg);
void nft_payload(struct nft_batch *batch, uint32_t base /* NFT_PAYLOAD_* */, uint32_t offset, uint32_t length, uint32_t reg);
void nft_cmp(struct nft_batch *batch, uint32_t op /* NFT_CMP_* */, uint32_t reg, const void *bytes, uint32_t length);
void nft_bitwise(struct nft_batch *batch, uint32_t reg, const void *mask, uint32_t length); /* reg &= mask */
void nft_ct(struct nft_batch *batch, uint32_t key /* NFT_CT_* */, uint32_t reg);
void nft_fib_daddr_type(struct nft_batch *batch, uint32_t reg);
void nft_lookup(struct nft_batch *batch, const char *set, uint32_t reg, uint32_t data_reg /* 0: no data */, bool invert);
void nft_dnat(struct nft_batch *batch, uint8_t family, uint32_t addr_reg, uint32_t port_reg);
void nft_masquerade(struct nft_batch *batch);
void nft_counter(struct nft_batch *batch);
void nft_verdict(struct nft_batch *batch, int32_t verdict /* NF_ACCEPT, NF_DROP, NFT_RETURN, NFT_JUMP */, const char *chain);

/* Questions. */
int nft_table_exists(struct nft *nft, uint8_t family, const char *table); /* 1, 0, -errno */
int nft_set_exists(struct nft *nft, uint8_t family, const char *table, const char *set);
int nft_rule_count(struct nft *nft, uint8_t family, const char *table);   /* rules or -errno */
/* Every base chain of a family: fn(table, chain, hook, priority, policy). */
typedef void (*nft_chain_fn)(const char *table, const char *chain, uint32_t hook, int32_t priority, uint32_t policy, void *arg);
int nft_chains_each(struct nft *nft, uint8_t family, nft_chain_fn fn, void *arg);

/* A socket that becomes readable when the ruleset changes. nft_watch_read: 1 a change by another process, 0 only ours, -errno
 * (-ENOBUFS: changes were missed, look yourself). */
int nft_watch_open(void);
int nft_watch_read(int watch_fd);

/* Forgets tracked IPv4 flows of one protocol that were redirected to address:port (both in network order). Flows deleted or -errno. */
int nft_conntrack_forget(uint8_t proto, uint32_t address, uint16_t port);
