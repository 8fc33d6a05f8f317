/* Which range, gateway and auxiliary addresses of `network create` belong to which subnet. */
#pragma once
#include "lib/api/network.h"
#include "lib/base/err.h"

struct ipam_input {
    char *const *subnets, *const *ranges, *const *gateways;
    const struct str_map *aux;
};
/* One config for every subnet, in the order given, appended to ret. ERR_INVALID with Docker's sentences. */
int ipam_consolidate(const struct ipam_input *input, struct ipam *ret, struct err *err);
