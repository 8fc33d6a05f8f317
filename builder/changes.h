/* `docker commit --change` and `docker import --change`: instructions that only change an image's configuration,
 * applied to one without a build. */
#pragma once
#include "lib/base/err.h"
#include "lib/oci/image.h"

/* The changes are the lines of one text; each may hold several lines itself. Allowed are CMD ENTRYPOINT ENV EXPOSE
 * HEALTHCHECK LABEL ONBUILD STOPSIGNAL USER VOLUME WORKDIR. Variables are those of the configuration's environment.
 * ERR_INVALID in the words of Docker's own builder: a change that cannot be read, "RUN is not a valid change command",
 * no instruction at all. config may be half changed then. */
int config_changes_apply(struct image_config_config *config, char *const *changes, struct err *err);
