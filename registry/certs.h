/* certs.d as Docker lays it out: DIR/<host[:port]>/ holds *.crt, authorities to trust besides the system's, and pairs
 * NAME.cert and NAME.key, a client certificate to show. Read into memory at once, while the job may still read root's
 * files. */
#pragma once
#include "lib/base/err.h"

#include <stddef.h>

struct certs {
    char *host;              /* host[:port] they belong to */
    char *authorities;       /* PEM, "" = none of its own */
    char *certificate, *key; /* PEM, NULL = none */
};
void certs_done(struct certs *certs);
/* dir NULL or "": /etc/holk/certs.d, else /etc/docker/certs.d, whichever has a directory for the host. No directory is
 * no certificates. ERR_INVALID for half a pair. */
int certs_load(const char *dir, const char *host, struct certs *ret, struct err *err);
