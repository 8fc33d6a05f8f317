/* The client's configuration, shared with Docker's: DIR/config.json with credentials (in the file, in a store, in a
 * helper for one registry), default formats, detach keys and proxies. What holk does not know in it is kept when it
 * writes. Writing replaces the file as a whole, mode 0600, through a symbolic link onto what it points at. Secrets of a
 * store pass only through the pipes of its program docker-credential-NAME. */
#pragma once
#include "lib/api/system.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <stdbool.h>

#define INDEX_SERVER "https://index.docker.io/v1/"

struct docker_config;
/* A missing file is an empty configuration; one that cannot be read or parsed is a warning on stderr and empty too. */
struct docker_config *docker_config_load(const char *dir);
void docker_config_free(struct docker_config *config);
CLEANUP_FN(struct docker_config, docker_config_free)
const char *docker_config_path(const struct docker_config *config);
/* A text at the top level ("psFormat", "imagesFormat", "detachKeys"); NULL when absent or empty. Borrowed. */
const char *docker_config_text(const struct docker_config *config, const char *key);
/* "HTTP_PROXY=..." and "http_proxy=..." and so on for containers and builds of that daemon (host may be NULL).
 * NULL-ended; NULL for none; strv_free. */
char **docker_config_proxies(const struct docker_config *config, const char *host);

/* The key under which a registry's credentials are kept: the index server for docker.io. */
const char *docker_config_registry_key(const char *domain);
/* Credentials of a registry; all members NULL when there are none. codec_clear(&auth_config_type). ERR_INTERNAL when a
 * helper fails. */
int docker_config_get(const struct docker_config *config, const char *registry, struct auth_config *ret,
                      struct err *err);
/* {"registry": {...}, ...} of all that are known, for builds; caller frees. Helpers that fail are left out. */
char *docker_config_all(const struct docker_config *config);
/* *ret_plain: they went into the file unencrypted. */
int docker_config_store(struct docker_config *config, const struct auth_config *auth, bool *ret_plain, struct err *err);
/* Forgets; a registry that is not known is not an error. */
int docker_config_erase(struct docker_config *config, const char *registry, struct err *err);
bool docker_config_knows(const struct docker_config *config, const char *registry); /* in the file */

/* The X-Registry-Auth header's line for an image's registry ("X-Registry-Auth: ..."); caller frees. Failures of a
 * helper are warnings on stderr. dir as in docker_config_load. */
char *docker_config_auth_header(const char *dir, const char *domain);
