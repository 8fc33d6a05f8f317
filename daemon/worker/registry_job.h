/* What the jobs that speak to registries have in common. */
#pragma once
#include "daemon/worker/worker.h"
#include "lib/oci/reference.h"
#include "registry/registry.h"

#define SHORT_ID_SIZE 13
void registry_job_short_id(const char *digest, char ret[SHORT_ID_SIZE]); /* as progress lines name layers */
/* One line; failures are holkd's leaving, which ends the process anyway. aux: raw JSON or NULL. */
void registry_job_line(struct worker *worker, const char *id, const char *status, const char *aux);
void registry_job_bytes(struct worker *worker, const char *id, const char *status, int64_t current, int64_t total);
/* The image a manifest describes: its config's bytes (owned) and what they say. ERR_UNSUPPORTED for what is no image.
 */
int registry_job_config(struct registry *registry, const struct oci_manifest *manifest, char **ret_config,
                        struct oci_image *ret, struct err *err);
