/* From Binds, Mounts, Tmpfs, VolumesFrom and the image's VOLUMEs to the container's mount records. */
#pragma once
#include "daemon/engine/internal.h"

/* Fills record->mounts (sorted by destination depth at plan time). Makes named and anonymous volumes and copies image content into new
 * ones. created: names of anonymous volumes made here, so that a failed create can take them back. */
int mounts_resolve(struct engine *engine, struct container_record *record, char ***ret_created, struct err *err);
