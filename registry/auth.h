/* Credentials and tokens of one registry. Nobody, basic, bearer tokens (anonymous, by user name, or by an identity
 * token through OAuth2), or a ready registry token. Tokens are kept per endpoint and scope until they expire. Nothing
 * here is ever logged, and errors carry no secret. */
#pragma once
#include "lib/jobs/kinds.h"
#include "registry/http.h"

struct auth;
/* given: copied; may be all NULL. */
struct auth *auth_new(struct http *http, const struct job_auth *given);
void auth_free(struct auth *auth);
CLEANUP_FN(struct auth, auth_free)
/* For http_set_auth(). */
struct http_auth auth_handler(struct auth *auth);
/* For a login: a token of no scope is asked for, and an identity token beside it. *ret_identity is the caller's, maybe
 * NULL. answer: a 401 of the endpoint's /v2/. */
int auth_login(struct auth *auth, const struct endpoint *endpoint, const struct exchange *answer, char **ret_identity,
               struct err *err);
bool auth_has_user(const struct auth *auth);

/* ERR_FORBIDDEN unless tokens may be fetched from the realm: https, or http for an endpoint that is http itself, and
 * then from its own host only. */
int auth_check_realm(const struct endpoint *endpoint, const struct url *realm, struct err *err);
