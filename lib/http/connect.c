#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/http/internal.h"
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A path that is too long for sockaddr_un is reached through its directory's fd. */
static int unix_address(const char *path, struct sockaddr_un *ret, int *ret_dir_fd)
{
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    *ret_dir_fd = -1;
    if (str_copy(ret->sun_path, sizeof ret->sun_path, path))
        return 0;
    const char *base = path_base(path);
    AUTO_FREE char *dir = xstrndup(path, (size_t)(base - path));
    *ret_dir_fd = open(*dir ? dir : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*ret_dir_fd < 0)
        return -errno;
    int length = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%s", *ret_dir_fd, base);
    return length < (int)sizeof ret->sun_path ? 0 : -ENAMETOOLONG;
}

static int connect_unix(const char *path, struct err *err)
{
    struct sockaddr_un address;
    AUTO_FD int dir_fd = -1;
    int ret = unix_address(path, &address, &dir_fd);
    AUTO_FD int fd = ret < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ret == 0 && (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0))
        ret = -errno;
    if (ret < 0) {
        err_sys(err, -ret, "connect to %s", path);
        err->kind = ERR_UNAVAILABLE;
        return -1;
    }
    return take_fd(&fd);
}

static int connect_list(const struct addrinfo *list, const char *where, struct err *err)
{
    int failure = ECONNREFUSED;
    for (; list; list = list->ai_next) {
        AUTO_FD int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) == 0) {
            int on = 1;
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return take_fd(&fd);
        }
        failure = errno;
    }
    err_sys(err, failure, "connect to %s", where);
    err->kind = ERR_UNAVAILABLE;
    return -1;
}

static int connect_tcp(const char *where, struct err *err)
{
    AUTO_FREE char *host = xstrdup(where);
    char *slash = strchr(host, '/');
    if (slash)
        *slash = 0;
    char *port = strrchr(host, ':');
    if (!port || port == host || !port[1])
        return err_set(err, ERR_INVALID, "address %s: missing port", where);
    *port++ = 0;
    char *name = host;
    size_t length = strlen(name);
    if (name[0] == '[' && name[length - 1] == ']') {
        name[length - 1] = 0;
        name++;
    }
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list = NULL;
    int failure = getaddrinfo(*name ? name : "localhost", port, &hints, &list);
    if (failure)
        return err_set(err, ERR_UNAVAILABLE, "lookup %s: %s", name, gai_strerror(failure));
    int fd = connect_list(list, where, err);
    freeaddrinfo(list);
    return fd;
}

int http_connect(const char *address, struct http **ret, struct err *err)
{
    const char *path = str_after(address, "unix://");
    const char *tcp = str_after(address, "tcp://");
    if (!tcp)
        tcp = str_after(address, "http://");
    if (!path && !tcp && address[0] == '/')
        path = address;
    if (!path && !tcp) {
        if (strstr(address, "://") || !strchr(address, ':'))
            return err_set(err, ERR_INVALID, "unable to parse address %s", address);
        tcp = address;
    }
    CLEANUP(http_close) struct http *http = xcalloc(1, sizeof *http);
    http->in = (struct buf)BUF_INIT(HTTP_BUFFER_MAX);
    http->fd = path ? connect_unix(path, err) : connect_tcp(tcp, err);
    if (http->fd < 0)
        return -1;
    http->host = path ? xstrdup("localhost") : xstrndup(tcp, strcspn(tcp, "/"));
    http->keep = http->body_done = true;
    *ret = take_ptr(&http);
    return 0;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    fd_close(http->fd);
    buf_done(&http->in);
    free(http->host);
    free(http);
}

void http_cut(struct http *http)
{
    if (http->fd >= 0)
        (void)shutdown(http->fd, SHUT_RDWR);
}

int http_fd(const struct http *http)
{
    return http->fd;
}

void http_set_timeout(struct http *http, int timeout_ms)
{
    http->timeout_ms = timeout_ms;
}

static int wait_readable(struct http *http, struct err *err)
{
    struct pollfd poll_fd = { .fd = http->fd, .events = POLLIN };
    int ready = http->timeout_ms > 0 ? 0 : 1;
    while (!ready) {
        ready = poll(&poll_fd, 1, http->timeout_ms);
        if (ready == 0)
            return err_set(err, ERR_UNAVAILABLE, "timeout awaiting response");
        if (ready < 0 && errno != EINTR)
            return err_sys(err, errno, "poll");
        ready = ready > 0;
    }
    return 0;
}

int http_fill(struct http *http, struct err *err)
{
    if (http->pos == http->in.length) {
        buf_clear(&http->in);
        http->pos = 0;
    }
    if (http->ended)
        return 0;
    char *room = buf_reserve(&http->in, HTTP_PIECE);
    if (!room)
        return err_set(err, ERR_INVALID, "response is too long");
    if (wait_readable(http, err) < 0)
        return -1;
    ssize_t got;
    do
        got = recv(http->fd, room, HTTP_PIECE, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        http->broken = true;
        err_sys(err, errno, "read response");
        err->kind = ERR_UNAVAILABLE;
        return -1;
    }
    buf_grew(&http->in, (size_t)got);
    http->ended = got == 0;
    return got > 0;
}

int http_line(struct http *http, size_t max, char **ret, struct err *err)
{
    size_t seen = 0;
    for (;;) {
        const char *start = http->in.data ? http->in.data + http->pos : "";
        size_t have = http->in.length - http->pos;
        const char *end = have > seen ? memchr(start + seen, '\n', have - seen) : NULL;
        if (end) {
            size_t length = (size_t)(end - start);
            http->pos += length + 1;
            if (length && start[length - 1] == '\r')
                length--;
            if (memchr(start, 0, length))
                return err_set(err, ERR_INVALID, "malformed HTTP response");
            *ret = xstrndup(start, length);
            return 0;
        }
        if (have > max)
            return err_set(err, ERR_INVALID, "malformed HTTP response: line too long");
        seen = have;
        int got = http_fill(http, err);
        if (got < 0)
            return -1;
        if (got == 0)
            return err_set(err, ERR_UNAVAILABLE, "unexpected EOF");
        if (have == 0)
            seen = 0;
    }
}
