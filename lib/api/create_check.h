/* What is wrong with a create request as such: all that can be said without knowing images, networks, containers or the
 * machine's disks. In Docker's order and words; always ERR_INVALID. Runs after compat_create_request(). What needs the
 * engine's knowledge is checked there. */
#pragma once
#include "lib/api/container.h"

/* No member of the container's own config at all ("{}", "null", a HostConfig alone). */
bool create_config_is_empty(const struct container_create_request *request);
int create_check(const struct container_create_request *request, struct err *err);
int update_check(const struct container_update_request *request, struct err *err);
