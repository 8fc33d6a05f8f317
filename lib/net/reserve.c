/* Host ports are reserved by real sockets, so that a clash with any process is found, and no process can take the port later. A tcp
 * reservation listens (else SO_REUSEADDR, needed because of TIME_WAIT, would let others in) but a filter drops every packet before
 * it is answered: what is not redirected by the firewall is not accepted by us either. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/net/private.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static int socket_open(const struct binding *binding)
{
    int proto = binding->port.proto;
    int type = proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM;
    int sock = socket(binding->is_ipv6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
    return sock < 0 ? -errno : sock;
}

static int socket_bind(int sock, const struct binding *binding)
{
    if (binding->is_ipv6) {
        int on = 1;
        struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(binding->port.host_port), .sin6_addr = binding->host6 };
        if (setsockopt(sock, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
            return -errno;
        return bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    }
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(binding->port.host_port), .sin_addr.s_addr = htonl(binding->host) };
    return bind(sock, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static int socket_drop_all(int sock)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = { .len = 1, .filter = &nothing };
    return setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

int reserve_port(struct binding *binding, bool serve)
{
    int on = 1, failed = 0;
    int sock = socket_open(binding);
    binding->sock = -1;
    if (sock == -EPROTONOSUPPORT && binding->port.proto == IPPROTO_SCTP)
        return 0; /* no sctp on this host: nobody can hold the port */
    if (sock < 0)
        return sock;
    bool stream = binding->port.proto != IPPROTO_UDP;
    if (stream && setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        failed = -errno;
    if (failed == 0)
        failed = socket_bind(sock, binding);
    if (failed == 0 && !serve)
        failed = socket_drop_all(sock);
    if (failed == 0 && stream && listen(sock, serve ? 512 : 1) < 0)
        failed = -errno;
    if (failed) {
        close(sock);
        return failed;
    }
    binding->sock = sock;
    return 0;
}

void reserve_ephemeral_range(uint16_t *ret_first, uint16_t *ret_last)
{
    char text[32];
    unsigned first = 0, last = 0;
    if (net_sysctl_read("/proc/sys/net/ipv4/ip_local_port_range", text, sizeof(text)) == 0 && sscanf(text, "%u %u", &first, &last) == 2 &&
        first > 0 && first <= last && last <= 65535) {
        *ret_first = (uint16_t)first;
        *ret_last = (uint16_t)last;
        return;
    }
    *ret_first = 32768;
    *ret_last = 60999;
}

/* ---- who has it ---- */

/* Inode of a socket bound to port in one of /proc/net's tables; 0 when there is none. */
static unsigned long table_inode(const char *path, uint16_t port)
{
    char line[512];
    unsigned long found = 0;
    FILE *table = fopen(path, "re");
    if (!table)
        return 0;
    while (!found && fgets(line, sizeof(line), table)) {
        unsigned local = 0, state = 0;
        unsigned long inode = 0;
        if (sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*u %*u %lu", &local, &state, &inode) == 3 &&
            local == port && (state == 0x0A || state == 0x07)) /* listening tcp, unconnected udp */
            found = inode;
    }
    fclose(table);
    return found;
}

static bool process_has(const char *pid, const char *wanted)
{
    char path[64], link[64];
    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    DIR *dir = opendir(path);
    bool found = false;
    struct dirent *entry;
    while (dir && !found && (entry = readdir(dir))) { /* NOLINT: a directory stream of our own */
        ssize_t length = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link) - 1);
        link[length < 0 ? 0 : length] = 0;
        found = str_eq(link, wanted);
    }
    if (dir)
        closedir(dir);
    return found;
}

void reserve_find_owner(const struct binding *binding, char *ret, size_t size)
{
    static const char *const tables[2][2] = { { "/proc/net/tcp", "/proc/net/tcp6" }, { "/proc/net/udp", "/proc/net/udp6" } };
    unsigned long inode = 0;
    char wanted[48], path[64], name[64];
    ret[0] = 0;
    for (size_t i = 0; i < 2 && !inode; i++)
        inode = table_inode(tables[binding->port.proto == IPPROTO_UDP][i], binding->port.host_port);
    DIR *proc = inode ? opendir("/proc") : NULL;
    if (!proc)
        return;
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    struct dirent *entry;
    while ((entry = readdir(proc))) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !process_has(entry->d_name, wanted))
            continue;
        snprintf(path, sizeof(path), "/proc/%.20s/comm", entry->d_name);
        if (net_sysctl_read(path, name, sizeof(name)) == 0)
            snprintf(ret, size, "%s (pid %.20s)", name, entry->d_name);
        break;
    }
    closedir(proc);
}
