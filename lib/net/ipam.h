/* IPv4 address arithmetic and the addresses of one subnet. Pure; all numbers in host byte order; the caller locks. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ipam_prefix {
    uint32_t address; /* may have host bits: "10.0.0.1/24" */
    int length;
};
int ipam_parse_address(const char *text, uint32_t *ret);           /* 0 or -EINVAL */
int ipam_parse_prefix(const char *text, struct ipam_prefix *ret);  /* 0 or -EINVAL */
void ipam_format_address(uint32_t address, char ret[16]);
void ipam_format_prefix(struct ipam_prefix prefix, char ret[20]);  /* as given, host bits kept */
uint32_t ipam_mask(int length);
struct ipam_prefix ipam_network(struct ipam_prefix prefix);        /* host bits cleared */
uint32_t ipam_last(struct ipam_prefix prefix);                     /* broadcast address */
bool ipam_contains(struct ipam_prefix prefix, uint32_t address);
bool ipam_overlap(struct ipam_prefix a, struct ipam_prefix b);

/* Which addresses are taken: a sorted list, so that a /8 costs no more than its containers. */
struct ipam_pool {
    struct ipam_prefix subnet;
    uint32_t first, last; /* of what is given out unasked: inside ip_range, without network and broadcast address */
    uint32_t *used;
    size_t count, capacity;
};
void ipam_pool_init(struct ipam_pool *pool, struct ipam_prefix subnet, const struct ipam_prefix *range /* or NULL */);
void ipam_pool_done(struct ipam_pool *pool);
int ipam_take(struct ipam_pool *pool, uint32_t address);     /* 0, -EEXIST, -ERANGE: not an address of the subnet */
int ipam_take_any(struct ipam_pool *pool, uint32_t *ret);    /* the lowest free one, as Docker; -ENOSPC */
void ipam_give(struct ipam_pool *pool, uint32_t address);    /* not taken is fine */

/* The first subnet of `size` bits in the bases that overlaps nothing busy. 0 or -ENOSPC */
struct ipam_base {
    struct ipam_prefix base;
    int size;
};
extern const struct ipam_base ipam_default_bases[]; /* Docker's: 172.17/16 to 172.31/16, then 192.168/16 in /20 */
extern const size_t ipam_default_base_count;
int ipam_choose(const struct ipam_base *bases, size_t count, const struct ipam_prefix *busy, size_t busy_count, struct ipam_prefix *ret);
