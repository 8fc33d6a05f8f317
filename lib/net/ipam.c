#include "lib/net/ipam.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

int ipam_parse_address(const char *text, uint32_t *ret)
{
    struct in_addr address;
    if (!text || inet_pton(AF_INET, text, &address) != 1)
        return -EINVAL;
    *ret = ntohl(address.s_addr);
    return 0;
}

int ipam_parse_prefix(const char *text, struct ipam_prefix *ret)
{
    char address[16];
    uint64_t length;
    const char *slash = text ? strchr(text, '/') : NULL;
    if (!slash || (size_t)(slash - text) >= sizeof(address))
        return -EINVAL;
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = 0;
    if (str_to_u64(slash + 1, &length) < 0 || length > 32 || ipam_parse_address(address, &ret->address) < 0)
        return -EINVAL;
    ret->length = (int)length;
    return 0;
}

void ipam_format_address(uint32_t address, char ret[16])
{
    snprintf(ret, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

void ipam_format_prefix(struct ipam_prefix prefix, char ret[20])
{
    char address[16];
    ipam_format_address(prefix.address, address);
    snprintf(ret, 20, "%s/%u", address, (unsigned)prefix.length & 63);
}

uint32_t ipam_mask(int length)
{
    return length <= 0 ? 0 : ~(uint32_t)0 << (32 - length);
}

struct ipam_prefix ipam_network(struct ipam_prefix prefix)
{
    prefix.address &= ipam_mask(prefix.length);
    return prefix;
}

uint32_t ipam_last(struct ipam_prefix prefix)
{
    return prefix.address | ~ipam_mask(prefix.length);
}

bool ipam_contains(struct ipam_prefix prefix, uint32_t address)
{
    return ((prefix.address ^ address) & ipam_mask(prefix.length)) == 0;
}

bool ipam_overlap(struct ipam_prefix a, struct ipam_prefix b)
{
    return ((a.address ^ b.address) & ipam_mask(MIN(a.length, b.length))) == 0;
}

void ipam_pool_init(struct ipam_pool *pool, struct ipam_prefix subnet, const struct ipam_prefix *range)
{
    *pool = (struct ipam_pool){ .subnet = ipam_network(subnet) };
    struct ipam_prefix from = range ? ipam_network(*range) : pool->subnet;
    pool->first = from.address;
    pool->last = ipam_last(from);
    if (subnet.length < 31) { /* RFC 3021: a /31 has neither */
        if (pool->first == pool->subnet.address)
            pool->first++;
        if (pool->last == ipam_last(pool->subnet))
            pool->last--;
    }
}

void ipam_pool_done(struct ipam_pool *pool)
{
    free(pool->used);
    *pool = (struct ipam_pool){ 0 };
}

/* Index of the first used address that is not below. */
static size_t lower_bound(const struct ipam_pool *pool, uint32_t address)
{
    size_t low = 0, high = pool->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pool->used[middle] < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(struct ipam_pool *pool, size_t at, uint32_t address)
{
    if (pool->count == pool->capacity) {
        pool->capacity = pool->capacity * 2 + 8;
        pool->used = xreallocarray(pool->used, pool->capacity, sizeof(*pool->used));
    }
    memmove(pool->used + at + 1, pool->used + at, (pool->count - at) * sizeof(*pool->used));
    pool->used[at] = address;
    pool->count++;
}

int ipam_take(struct ipam_pool *pool, uint32_t address)
{
    bool edge = pool->subnet.length < 31 && (address == pool->subnet.address || address == ipam_last(pool->subnet));
    if (!ipam_contains(pool->subnet, address) || edge)
        return -ERANGE;
    size_t at = lower_bound(pool, address);
    if (at < pool->count && pool->used[at] == address)
        return -EEXIST;
    insert(pool, at, address);
    return 0;
}

int ipam_take_any(struct ipam_pool *pool, uint32_t *ret)
{
    uint64_t candidate = pool->first; /* 64 bits: 255.255.255.255 + 1 must not wrap */
    size_t at = lower_bound(pool, pool->first);
    while (at < pool->count && pool->used[at] == candidate) {
        at++;
        candidate++;
    }
    if (candidate > pool->last)
        return -ENOSPC;
    insert(pool, at, (uint32_t)candidate);
    *ret = (uint32_t)candidate;
    return 0;
}

void ipam_give(struct ipam_pool *pool, uint32_t address)
{
    size_t at = lower_bound(pool, address);
    if (at == pool->count || pool->used[at] != address)
        return;
    pool->count--;
    memmove(pool->used + at, pool->used + at + 1, (pool->count - at) * sizeof(*pool->used));
}

const struct ipam_base ipam_default_bases[] = {
    { { 0xac110000, 16 }, 16 }, /* 172.17.0.0/16 */
    { { 0xac120000, 15 }, 16 }, /* 172.18.0.0/15 */
    { { 0xac140000, 14 }, 16 }, /* 172.20.0.0/14 */
    { { 0xac180000, 13 }, 16 }, /* 172.24.0.0/13 */
    { { 0xc0a80000, 16 }, 20 }, /* 192.168.0.0/16 */
};
const size_t ipam_default_base_count = ARRAY_SIZE(ipam_default_bases);

int ipam_choose(const struct ipam_base *bases, size_t count, const struct ipam_prefix *busy, size_t busy_count, struct ipam_prefix *ret)
{
    for (size_t i = 0; i < count; i++) {
        struct ipam_prefix base = ipam_network(bases[i].base);
        if (bases[i].size < base.length || bases[i].size > 30)
            continue;
        uint64_t step = (uint64_t)1 << (32 - bases[i].size);
        for (uint64_t at = base.address; at <= ipam_last(base); at += step) {
            struct ipam_prefix subnet = { (uint32_t)at, bases[i].size };
            bool taken = false;
            for (size_t j = 0; j < busy_count && !taken; j++)
                taken = ipam_overlap(subnet, busy[j]);
            if (!taken) {
                *ret = subnet;
                return 0;
            }
        }
    }
    return -ENOSPC;
}
