/* The contents of /etc/hosts, /etc/hostname and /etc/resolv.conf of a container. Pure but for reading the host's resolv.conf. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include <stdbool.h>

struct hostfiles_name { /* one line of hosts: address, tab, names */
    const char *address, *names;
};
struct hostfiles_hosts {
    const char *hostname, *domainname;     /* "" = none */
    const struct hostfiles_name *addresses; /* own addresses; names NULL = hostname (with domain) */
    size_t address_count;
    const char *const *extra_hosts;        /* NULL-ended "name:address" or "name=address"; address may be host-gateway */
    const char *host_gateway;              /* what host-gateway means; NULL: such an entry is an error */
    const struct hostfiles_name *links;    /* legacy links and the like */
    size_t link_count;
    bool no_ipv6;                          /* leave out the ::1 family */
};
int hostfiles_hosts(const struct hostfiles_hosts *in, struct buf *out, struct err *err);
void hostfiles_hostname(const char *hostname, struct buf *out);

struct hostfiles_resolv {
    const char *const *dns, *const *search, *const *options; /* NULL-ended or NULL: from the host's file */
    const char *embedded; /* "127.0.0.11" to put our own server in front; NULL = none */
    bool host_network;    /* loopback name servers of the host stay */
};
/* host_text: the host's resolv.conf (hostfiles_read_host_resolv). No name server left: 8.8.8.8 and 8.8.4.4, as Docker. */
int hostfiles_resolv(const struct hostfiles_resolv *in, const char *host_text, struct buf *out, struct err *err);
/* /etc/resolv.conf, or systemd-resolved's upstream list if that names only its loopback stub. "" when there is none. */
char *hostfiles_read_host_resolv(void);
