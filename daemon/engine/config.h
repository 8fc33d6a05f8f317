/* Configurations: what image and container agree on, put together of two, changed by instructions. */
#pragma once
#include "lib/api/container.h"
#include "lib/oci/image.h"

struct engine;
/* What mine leaves open comes from base; lists and maps are united, mine winning. */
void config_merge(struct container_config *mine, const struct image_config_config *base);
/* The instructions of `changes` (docker commit --change, docker import --change) in a worker. No changes: nothing
 * happens. ERR_INVALID */
int config_change(struct engine *engine, struct image_config_config *config, char *const *changes, struct err *err);
/* The configuration of an image that is committed from a container: the client's own (nothing in it: the container's)
 * is changed, then merged with the container's. *ret is overwritten; the caller clears it. */
int config_for_commit(struct engine *engine, const struct container_config *container,
                      const struct container_config *own, char *const *changes, struct image_config_config *ret,
                      struct err *err);
