#include "cli/network_ipam.h"

#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <arpa/inet.h>

struct block {
    int family;
    unsigned char address[16];
    unsigned bits;
};

static bool parse_address(const char *text, struct block *ret)
{
    *ret = (struct block){ .family = strchr(text, ':') ? AF_INET6 : AF_INET };
    ret->bits = ret->family == AF_INET6 ? 128 : 32;
    return inet_pton(ret->family, text, ret->address) == 1;
}

static bool parse_block(const char *text, struct block *ret)
{
    const char *slash = strchr(text, '/');
    AUTO_FREE char *address = xstrndup(text, slash ? (size_t)(slash - text) : 0);
    uint64_t bits;
    if (!slash || !parse_address(address, ret) || str_to_u64(slash + 1, &bits) < 0 || bits > ret->bits)
        return false;
    ret->bits = (unsigned)bits;
    return true;
}

/* Docker's word for a text that is no subnet. */
static int bad_block(const char *text, struct err *err)
{
    return err_set(err, ERR_INVALID, "invalid CIDR address: %s", text);
}

static bool holds(const struct block *outer, const struct block *inner)
{
    if (outer->family != inner->family || inner->bits < outer->bits)
        return false;
    for (unsigned bit = 0; bit < outer->bits; bit++) {
        unsigned char mask = (unsigned char)(0x80u >> bit % 8);
        if ((outer->address[bit / 8] & mask) != (inner->address[bit / 8] & mask))
            return false;
    }
    return true;
}

/* Does the subnet hold the address (or range)? */
static int subnet_holds(const char *subnet, const char *text, bool *ret, struct err *err)
{
    struct block outer, inner;
    if (!parse_block(subnet, &outer))
        return bad_block(subnet, err);
    if (!(strchr(text, '/') ? parse_block(text, &inner) : parse_address(text, &inner)))
        return err_set(err, ERR_INVALID, "invalid IP address: %s", text);
    *ret = holds(&outer, &inner);
    return 0;
}

static int check_overlaps(char *const *subnets, struct err *err)
{
    for (char *const *one = subnets; one && *one; one++) {
        struct block first, second;
        bool readable = parse_block(*one, &first);
        for (char *const *two = subnets; two < one; two++) {
            if (!readable || !parse_block(*two, &second))
                return bad_block(readable ? *two : *one, err);
            if (holds(&first, &second) || holds(&second, &first))
                return err_set(err, ERR_INVALID, "multiple overlapping subnet configuration is not supported");
        }
    }
    return 0;
}

/* Gives every text to the first subnet that holds it. offset: of the member in ipam_config. */
static int assign(char *const *texts, size_t offset, const char *what, struct ipam *ipam, struct err *err)
{
    for (; texts && *texts; texts++) {
        bool found = false;
        for (size_t i = 0; i < ipam->config.count && !found; i++) {
            struct ipam_config *config = &ipam->config.items[i];
            char **slot = (char **)((char *)config + offset);
            if (subnet_holds(config->subnet, *texts, &found, err) < 0)
                return -1;
            if (found && *slot)
                return err_set(err, ERR_INVALID, "cannot configure multiple %ss (%s, %s) %s the same subnet (%s)", what,
                               *texts, *slot, str_eq(what, "range") ? "on" : "for", config->subnet);
            if (found)
                *slot = xstrdup(*texts);
        }
        if (!found)
            return err_set(err, ERR_INVALID, "no matching subnet for %s %s", what, *texts);
    }
    return 0;
}

static int assign_aux(const struct str_map *aux, struct ipam *ipam, struct err *err)
{
    for (size_t k = 0; k < str_map_count(aux); k++) {
        bool found = false;
        for (size_t i = 0; i < ipam->config.count && !found; i++) {
            struct ipam_config *config = &ipam->config.items[i];
            if (subnet_holds(config->subnet, aux->values[k], &found, err) < 0)
                return -1;
            if (found)
                str_map_set(&config->aux_addresses, aux->keys[k], aux->values[k]);
        }
        if (!found)
            return err_set(err, ERR_INVALID, "no matching subnet for aux-address %s", aux->values[k]);
    }
    return 0;
}

int ipam_consolidate(const struct ipam_input *input, struct ipam *ret, struct err *err)
{
    size_t subnets = strv_length(input->subnets);
    if (subnets < strv_length(input->ranges) || subnets < strv_length(input->gateways))
        return err_set(err, ERR_INVALID, "every ip-range or gateway must have a corresponding subnet");
    if (check_overlaps(input->subnets, err) < 0)
        return -1;
    for (char *const *subnet = input->subnets; subnet && *subnet; subnet++)
        list_add(&ret->config)->subnet = xstrdup(*subnet);
    if (assign(input->ranges, offsetof(struct ipam_config, ip_range), "range", ret, err) < 0)
        return -1;
    if (assign(input->gateways, offsetof(struct ipam_config, gateway), "gateway", ret, err) < 0)
        return -1;
    return assign_aux(input->aux, ret, err);
}
