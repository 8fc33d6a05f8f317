#include "lib/net/hostfiles.h"
#include "lib/base/io.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <arpa/inet.h>
#include <fcntl.h>

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLVED_UPSTREAM "/run/systemd/resolve/resolv.conf"
#define RESOLV_MAX (64 << 10)

static const struct hostfiles_name v6_names[] = {
    { "::1", "localhost ip6-localhost ip6-loopback" },
    { "fe00::", "ip6-localnet" },
    { "ff00::", "ip6-mcastprefix" },
    { "ff02::1", "ip6-allnodes" },
    { "ff02::2", "ip6-allrouters" },
};

static void hosts_line(struct buf *out, const char *address, const char *names)
{
    buf_printf(out, "%s\t%s\n", address, names);
}

static bool is_address(const char *text)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, text, &ignored) == 1 || inet_pton(AF_INET6, text, &ignored) == 1;
}

static int extra_host(const struct hostfiles_hosts *in, const char *entry, struct buf *out, struct err *err)
{
    size_t length = strcspn(entry, ":=");
    if (length == 0 || !entry[length])
        return err_set(err, ERR_INVALID, "bad format for add-host: \"%s\"", entry);
    AUTO_FREE char *name = xstrndup(entry, length);
    AUTO_FREE char *address = xstrdup(entry + length + 1);
    size_t end = strlen(address);
    char *plain = address;
    if (end > 2 && address[0] == '[' && address[end - 1] == ']') { /* name=[::1] */
        address[end - 1] = 0;
        plain = address + 1;
    }
    if (str_eq(plain, "host-gateway")) {
        if (str_empty(in->host_gateway))
            return err_set(err, ERR_INVALID, "unable to derive the IP value for host-gateway");
        hosts_line(out, in->host_gateway, name);
        return 0;
    }
    if (!is_address(plain) || strpbrk(name, " \t\r\n"))
        return err_set(err, ERR_INVALID, "invalid IP address in add-host: \"%s\"", plain);
    hosts_line(out, plain, name);
    return 0;
}

/* "name.domain name": the full name, then the short one. */
static char *own_names(const struct hostfiles_hosts *in)
{
    const char *dot = strchr(in->hostname, '.');
    if (!str_empty(in->domainname))
        return str_format("%s.%s %s", in->hostname, in->domainname, in->hostname);
    if (dot && dot != in->hostname)
        return str_format("%s %.*s", in->hostname, (int)(dot - in->hostname), in->hostname);
    return xstrdup(in->hostname);
}

int hostfiles_hosts(const struct hostfiles_hosts *in, struct buf *out, struct err *err)
{
    hosts_line(out, "127.0.0.1", "localhost");
    for (size_t i = 0; i < ARRAY_SIZE(v6_names) && !in->no_ipv6; i++)
        hosts_line(out, v6_names[i].address, v6_names[i].names);
    for (const char *const *entry = in->extra_hosts; entry && *entry; entry++)
        if (extra_host(in, *entry, out, err) < 0)
            return -1;
    for (size_t i = 0; i < in->link_count; i++)
        hosts_line(out, in->links[i].address, in->links[i].names);
    AUTO_FREE char *own = own_names(in);
    for (size_t i = 0; i < in->address_count; i++)
        hosts_line(out, in->addresses[i].address, in->addresses[i].names ? in->addresses[i].names : own);
    return buf_failed(out) ? err_set(err, ERR_INVALID, "the hosts file would be too long") : 0;
}

void hostfiles_hostname(const char *hostname, struct buf *out)
{
    buf_printf(out, "%s\n", hostname);
}

/* ---- resolv.conf ---- */

struct resolv {
    char **servers, **search, **options;
};

static void resolv_done(struct resolv *resolv)
{
    strv_free(resolv->servers);
    strv_free(resolv->search);
    strv_free(resolv->options);
}

static void resolv_line(struct resolv *resolv, char *line)
{
    line[strcspn(line, "#;")] = 0;
    for (char *c = line; *c; c++)
        if (*c == '\t' || *c == '\r')
            *c = ' ';
    CLEANUP(strv_free) char **words = strv_split(line, ' ', true);
    size_t count = strv_length(words);
    if (count < 2)
        return;
    if (str_eq(words[0], "nameserver")) {
        strv_append(&resolv->servers, words[1]);
    } else if (str_eq(words[0], "search") || str_eq(words[0], "domain")) {
        strv_free(resolv->search); /* the last line counts */
        resolv->search = NULL;
        strv_extend(&resolv->search, words + 1);
    } else if (str_eq(words[0], "options")) {
        strv_extend(&resolv->options, words + 1);
    }
}

static void resolv_parse(const char *text, struct resolv *ret)
{
    CLEANUP(strv_free) char **lines = strv_split(text, '\n', true);
    for (char **line = lines; *line; line++)
        resolv_line(ret, *line);
}

static bool is_loopback(const char *server)
{
    return str_starts(server, "127.") || str_eq(server, "::1") || str_starts(server, "::1%");
}

/* What an IPv4 container cannot reach. */
static void servers_filter(struct resolv *resolv)
{
    char **kept = NULL;
    for (char **server = resolv->servers; server && *server; server++)
        if (!is_loopback(*server) && !strchr(*server, ':'))
            strv_append(&kept, *server);
    strv_free(resolv->servers);
    resolv->servers = kept;
    if (strv_length(kept) == 0) {
        strv_append(&resolv->servers, "8.8.8.8");
        strv_append(&resolv->servers, "8.8.4.4");
    }
}

static void list_replace(char ***list, const char *const *by)
{
    if (!by || !*by)
        return;
    strv_free(*list);
    *list = NULL;
    for (; *by; by++)
        strv_append(list, *by);
}

static int words_check(const char *const *list, const char *what, struct err *err)
{
    for (; list && *list; list++)
        if (!**list || strpbrk(*list, " \t\r\n"))
            return err_set(err, ERR_INVALID, "invalid %s: \"%s\"", what, *list);
    return 0;
}

static int servers_check(const char *const *list, struct err *err)
{
    for (; list && *list; list++) {
        AUTO_FREE char *plain = xstrndup(*list, strcspn(*list, "%"));
        if (!is_address(plain) || strpbrk(*list, " \t\r\n"))
            return err_set(err, ERR_INVALID, "invalid nameserver address: \"%s\"", *list);
    }
    return 0;
}

static void list_write(struct buf *out, const char *key, char *const *list)
{
    if (strv_length(list) == 0)
        return;
    buf_puts(out, key);
    for (; *list; list++)
        buf_printf(out, " %s", *list);
    buf_putc(out, '\n');
}

static void embedded_set(struct resolv *resolv, const char *embedded)
{
    strv_free(resolv->servers);
    resolv->servers = NULL;
    strv_append(&resolv->servers, embedded);
    for (char **option = resolv->options; option && *option; option++)
        if (str_starts(*option, "ndots:"))
            return;
    strv_append(&resolv->options, "ndots:0"); /* short names are ours to answer */
}

int hostfiles_resolv(const struct hostfiles_resolv *in, const char *host_text, struct buf *out, struct err *err)
{
    if (servers_check(in->dns, err) < 0 || words_check(in->search, "DNS search domain", err) < 0 ||
        words_check(in->options, "DNS option", err) < 0)
        return -1;
    struct resolv resolv __attribute__((cleanup(resolv_done))) = { 0 };
    resolv_parse(host_text, &resolv);
    list_replace(&resolv.servers, in->dns);
    list_replace(&resolv.search, in->search);
    list_replace(&resolv.options, in->options);
    if (strv_length(resolv.search) == 1 && str_eq(resolv.search[0], ".")) { /* "no search domain" */
        strv_free(resolv.search);
        resolv.search = NULL;
    }
    if (in->embedded)
        embedded_set(&resolv, in->embedded);
    else if (!in->host_network && !(in->dns && *in->dns))
        servers_filter(&resolv);
    for (char **server = resolv.servers; server && *server; server++)
        buf_printf(out, "nameserver %s\n", *server);
    list_write(out, "search", resolv.search);
    list_write(out, "options", resolv.options);
    return buf_failed(out) ? err_set(err, ERR_INVALID, "the resolv.conf would be too long") : 0;
}

char *hostfiles_read_host_resolv(void)
{
    char *text = NULL;
    size_t length;
    if (io_read_file_at(AT_FDCWD, RESOLV_CONF, RESOLV_MAX, &text, &length) < 0)
        return xstrdup("");
    struct resolv resolv __attribute__((cleanup(resolv_done))) = { 0 };
    resolv_parse(text, &resolv);
    if (strv_length(resolv.servers) != 1 || !str_eq(resolv.servers[0], "127.0.0.53"))
        return text;
    char *upstream = NULL;
    if (io_read_file_at(AT_FDCWD, RESOLVED_UPSTREAM, RESOLV_MAX, &upstream, &length) < 0)
        return text;
    free(text);
    return upstream;
}
