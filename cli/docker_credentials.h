/* Programs that keep credentials: docker-credential-NAME get|store|erase|list, JSON or a server name on stdin, JSON on
 * stdout. */
#pragma once
#include "lib/api/system.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"

/* ERR_NOT_FOUND when the program does not know the server. */
int credentials_get(const char *helper, const char *server, struct auth_config *ret, struct err *err);
int credentials_store(const char *helper, const struct auth_config *auth, struct err *err);
int credentials_erase(const char *helper, const char *server, struct err *err);
/* {"server": "username", ...} */
int credentials_list(const char *helper, struct buf *ret_json, struct err *err);
