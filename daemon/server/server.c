/* Theory of operation. One accept thread watches the listening sockets and the connections that have not yet said anything. When the first
 * bytes are there it looks at them without taking them: a long head (X-Registry-Config may exceed 32 KiB) goes to the library instance with a
 * large pool, all others to the small one. From then on the connection has a thread of its own until it closes. */
#include "daemon/server/internal.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SMALL_POOL (32 * 1024)
#define LARGE_POOL (1024 * 1024)
#define LONG_HEAD (16 * 1024)
#define HEAD_TIMEOUT_NS (30 * NANOS_PER_SECOND)
#define PENDING_MAX 1024

static void *on_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    return request_new(cls, uri, connection);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode code)
{
    (void)cls;
    (void)connection;
    (void)code;
    if (*con_cls)
        server_request_completed(*con_cls);
    *con_cls = NULL;
}

/* Paths and queries are decoded by the router from the text as received. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static struct MHD_Daemon *start_instance(struct server *server, size_t pool)
{
    unsigned limit = server->options.connection_limit ? server->options.connection_limit : 4096;
    return MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_NO_LISTEN_SOCKET |
                                MHD_USE_ITC | MHD_ALLOW_UPGRADE | MHD_USE_POLL,
                            0, NULL, NULL, server_access, server, MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool,
                            MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_THREAD_STACK_SIZE, (size_t)512 * 1024,
                            MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
                            MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_END);
}

int server_new(const struct server_options *options, struct server **ret, struct err *err)
{
    struct server *server = xcalloc(1, sizeof *server);
    server->options = *options;
    server->epoll_fd = server->stop_fd = -1;
    mutex_init(&server->lock);
    snprintf(server->server_header, sizeof server->server_header, "Docker/28.5.2+holk%s (linux)", HOLK_VERSION);
    server->small = start_instance(server, SMALL_POOL);
    server->large = start_instance(server, LARGE_POOL);
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!server->small || !server->large || server->epoll_fd < 0 || server->stop_fd < 0) {
        server_free(server);
        return err_set(err, ERR_INTERNAL, "cannot start the HTTP server");
    }
    *ret = server;
    return 0;
}

static int fill_unix_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (path[0] != '/' || !str_copy(ret->sun_path, sizeof ret->sun_path, path))
        return err_set(err, ERR_INVALID, "socket path \"%s\" must be absolute and shorter than %zu bytes", path, sizeof ret->sun_path);
    return 0;
}

#define PROBE_TRIES 50
#define PROBE_PAUSE_NS 20000000L

/* A monitor that ends at this moment may hold the old socket a little longer. */
static bool somebody_listens(const struct sockaddr_un *address)
{
    for (int i = 0; i < PROBE_TRIES; i++) {
        AUTO_FD int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (probe < 0 || connect(probe, (const struct sockaddr *)address, sizeof *address) < 0)
            return false;
        nanosleep(&(struct timespec){ .tv_nsec = PROBE_PAUSE_NS }, NULL);
    }
    return true;
}

/* Somebody answers there: it is not ours to take. A dead socket file is removed. */
static int clear_old_socket(const struct sockaddr_un *address, struct err *err)
{
    struct stat info;
    if (lstat(address->sun_path, &info) < 0)
        return 0;
    if (!S_ISSOCK(info.st_mode))
        return err_set(err, ERR_INVALID, "%s exists and is not a socket", address->sun_path);
    if (somebody_listens(address))
        return err_set(err, ERR_CONFLICT, "another daemon is listening on %s", address->sun_path);
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return err_sys(err, errno, "remove the old socket %s", address->sun_path);
    return 0;
}

static int listen_unix(const char *path, struct err *err)
{
    struct sockaddr_un address;
    if (fill_unix_address(path, &address, err) < 0 || clear_old_socket(&address, err) < 0)
        return -1;
    AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old_mask = umask(0177);
    int bound = bind(fd, (struct sockaddr *)&address, sizeof address);
    int bind_errno = errno;
    umask(old_mask);
    if (bound < 0)
        return err_sys(err, bind_errno, "bind %s", path);
    struct group group, *found = NULL;
    char names[4096];
    gid_t gid = getgrnam_r("docker", &group, names, sizeof names, &found) == 0 && found ? found->gr_gid : 0;
    if (chown(path, 0, gid) < 0 || chmod(path, 0660) < 0 || listen(fd, 4096) < 0)
        return err_sys(err, errno, "listen on %s", path);
    return take_fd(&fd);
}

/* "ip:port", "[ip6]:port", "localhost:port", ":port" (loopback). *ret is freeaddrinfo()'s. */
static int find_tcp_address(const char *host_port, struct addrinfo **ret, struct err *err)
{
    const char *colon = strrchr(host_port, ':');
    if (!colon)
        return err_set(err, ERR_INVALID, "tcp address \"%s\" needs a port", host_port);
    bool brackets = host_port[0] == '[' && colon > host_port + 1 && colon[-1] == ']';
    AUTO_FREE char *host = xstrndup(host_port + brackets, (size_t)(colon - host_port) - (brackets ? 2 : 0));
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
    const char *name = str_empty(host) || str_eq(host, "localhost") ? "127.0.0.1" : host;
    if (getaddrinfo(name, colon + 1, &hints, ret) != 0)
        return err_set(err, ERR_INVALID, "tcp address \"%s\" is not an IP address and port", host_port);
    return 0;
}

static int listen_tcp(const char *host_port, struct err *err)
{
    struct addrinfo *found;
    if (find_tcp_address(host_port, &found, err) < 0)
        return -1;
    AUTO_FD int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int failed = bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 4096) < 0;
    freeaddrinfo(found);
    if (failed)
        return err_sys(err, errno, "listen on tcp://%s", host_port);
    return take_fd(&fd);
}

int server_check_address(const char *address, struct err *err)
{
    const char *path = str_after(address, "unix://"), *host_port = str_after(address, "tcp://");
    struct sockaddr_un socket_path;
    struct addrinfo *found;
    if (path)
        return fill_unix_address(path, &socket_path, err);
    if (!host_port)
        return err_set(err, ERR_INVALID, "host \"%s\": expected unix:///path or tcp://ip:port", address);
    if (find_tcp_address(host_port, &found, err) < 0)
        return -1;
    freeaddrinfo(found);
    return 0;
}

int server_listen(struct server *server, const char *address, int inherited_fd, struct err *err)
{
    if (server->listener_count == ARRAY_SIZE(server->listeners))
        return err_set(err, ERR_INVALID, "more than %zu hosts to listen on", ARRAY_SIZE(server->listeners));
    int fd = inherited_fd;
    const char *rest;
    if (fd < 0 && (rest = str_after(address, "unix://")))
        fd = listen_unix(rest, err);
    else if (fd < 0 && (rest = str_after(address, "tcp://")))
        fd = listen_tcp(rest, err);
    else if (fd < 0)
        err_set(err, ERR_INVALID, "host \"%s\": expected unix:///path or tcp://ip:port", address);
    if (fd < 0)
        return -1;
    (void)fd_set_nonblock(fd, true);
    server->listeners[server->listener_count++] = (struct listener){ xstrdup(address), fd };
    return 0;
}

size_t server_listener_count(const struct server *server)
{
    return server->listener_count;
}

int server_listener_fd(const struct server *server, size_t index, const char **ret_address)
{
    *ret_address = server->listeners[index].address;
    return server->listeners[index].fd;
}

/* ---- the accept thread ---- */

struct pending {
    int fd; /* -1: free slot */
    int64_t since_ns;
};

struct acceptor {
    struct server *server;
    struct pending pending[PENDING_MAX];
    char head[LONG_HEAD];
};

static void watch_add(struct server *server, int fd, uint64_t tag)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.u64 = tag };
    (void)epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

#define TAG_STOP UINT64_MAX
#define TAG_LISTENER ((uint64_t)1 << 32)

static void accept_all(struct acceptor *acceptor, int listen_fd)
{
    for (;;) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        size_t slot = 0;
        while (slot < PENDING_MAX && acceptor->pending[slot].fd >= 0)
            slot++;
        if (slot == PENDING_MAX) {
            fd_close(fd);
            continue;
        }
        acceptor->pending[slot] = (struct pending){ fd, time_monotonic_ns() };
        watch_add(acceptor->server, fd, slot);
    }
}

static void refuse_head(int fd, const struct head_refusal *refusal)
{
    AUTO_FREE char *body = str_format("{\"message\":\"%s\"}\n", refusal->message);
    AUTO_FREE char *answer = str_format("HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                                        refusal->status, refusal->reason, strlen(body), body);
    (void)send(fd, answer, strlen(answer), MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    fd_close(fd);
}

static void hand_over(struct acceptor *acceptor, size_t slot)
{
    struct server *server = acceptor->server;
    int fd = acceptor->pending[slot].fd;
    acceptor->pending[slot].fd = -1;
    (void)epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    ssize_t got = recv(fd, acceptor->head, sizeof acceptor->head, MSG_PEEK | MSG_DONTWAIT);
    if (got <= 0) {
        fd_close(fd);
        return;
    }
    struct head_refusal refusal;
    if (head_is_refused(acceptor->head, (size_t)got, &refusal)) {
        refuse_head(fd, &refusal);
        return;
    }
    bool is_long = got == (ssize_t)sizeof acceptor->head && !memmem(acceptor->head, sizeof acceptor->head, "\r\n\r\n", 4);
    struct sockaddr_storage peer = { .ss_family = AF_UNIX };
    socklen_t length = sizeof peer;
    (void)getpeername(fd, (struct sockaddr *)&peer, &length);
    if (MHD_add_connection(is_long ? server->large : server->small, fd, (struct sockaddr *)&peer, length) != MHD_YES)
        log_warn("connection refused by the HTTP library errno=%d", errno);
}

static void drop_silent(struct acceptor *acceptor)
{
    int64_t now = time_monotonic_ns();
    for (size_t slot = 0; slot < PENDING_MAX; slot++) {
        if (acceptor->pending[slot].fd < 0 || now - acceptor->pending[slot].since_ns < HEAD_TIMEOUT_NS)
            continue;
        fd_close(acceptor->pending[slot].fd);
        acceptor->pending[slot].fd = -1;
    }
}

static void *accept_loop(void *arg)
{
    struct acceptor *acceptor = arg;
    struct server *server = acceptor->server;
    struct epoll_event events[64];
    for (;;) {
        int count = epoll_wait(server->epoll_fd, events, (int)ARRAY_SIZE(events), 10000);
        for (int i = 0; i < count; i++) {
            uint64_t tag = events[i].data.u64;
            if (tag == TAG_STOP) {
                for (size_t slot = 0; slot < PENDING_MAX; slot++)
                    fd_close(acceptor->pending[slot].fd);
                free(acceptor);
                return NULL;
            }
            if (tag & TAG_LISTENER)
                accept_all(acceptor, server->listeners[tag & ~TAG_LISTENER].fd);
            else if (acceptor->pending[tag].fd >= 0)
                hand_over(acceptor, (size_t)tag);
        }
        drop_silent(acceptor);
    }
}

int server_run(struct server *server, struct err *err)
{
    struct acceptor *acceptor = xcalloc(1, sizeof *acceptor);
    acceptor->server = server;
    for (size_t slot = 0; slot < PENDING_MAX; slot++)
        acceptor->pending[slot].fd = -1;
    for (size_t i = 0; i < server->listener_count; i++)
        watch_add(server, server->listeners[i].fd, TAG_LISTENER | i);
    watch_add(server, server->stop_fd, TAG_STOP);
    int failed = pthread_create(&server->accept_thread, NULL, accept_loop, acceptor);
    if (failed) {
        free(acceptor);
        return err_sys(err, failed, "start the accept thread");
    }
    server->running = true;
    return 0;
}

void server_stop(struct server *server)
{
    if (!server->running)
        return;
    uint64_t one = 1;
    if (write(server->stop_fd, &one, sizeof one) < 0)
        log_warn("cannot wake the accept thread errno=%d", errno);
    pthread_join(server->accept_thread, NULL);
    server->running = false;
    /* Handlers that block on their client see it leave. */
    mutex_lock(&server->lock);
    for (struct request *req = server->in_flight; req; req = req->next)
        if (req->client_fd >= 0)
            shutdown(req->client_fd, SHUT_RDWR);
    mutex_unlock(&server->lock);
}

void server_free(struct server *server)
{
    if (!server)
        return;
    server_stop(server);
    if (server->small)
        MHD_stop_daemon(server->small);
    if (server->large)
        MHD_stop_daemon(server->large);
    for (size_t i = 0; i < server->listener_count; i++) {
        fd_close(server->listeners[i].fd);
        free(server->listeners[i].address);
    }
    fd_close(server->epoll_fd);
    fd_close(server->stop_fd);
    mutex_done(&server->lock);
    free(server);
}

void server_dump(const struct server *const_server, struct buf *out)
{
    struct server *server;
    memcpy(&server, &const_server, sizeof server); /* only the lock changes */
    mutex_lock(&server->lock);
    for (struct request *req = server->in_flight; req; req = req->next)
        buf_printf(out, "request id=%s path=%s age_ms=%lld phase=%d stream=%d\n", req->id, req->path ? req->path : req->uri,
                   (long long)((time_monotonic_ns() - req->started_ns) / 1000000), (int)req->phase, req->res.kind == RES_STREAM);
    mutex_unlock(&server->lock);
}
