/* Users and groups as an image's own /etc/passwd and /etc/group name them, read by our own parser. */
#pragma once
#include "lib/base/err.h"
#include <sys/types.h>

/* "user", "user:group", names or numbers; without a group it is the user's of /etc/passwd, else 0. ERR_INVALID with Docker's words for a
 * name that is not there and for a number out of range. */
int user_lookup(int root_fd, const char *text, uid_t *ret_uid, gid_t *ret_gid, struct err *err);
