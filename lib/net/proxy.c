/* Theory of operation: one thread, one epoll. A listener accepts, a link joins the client with a connection to the container through
 * two pipes (splice: no byte is copied here). Every socket is edge-triggered in both directions, so any event just pumps both
 * directions until nothing moves. Only the thread frees things; a listener that another thread gives up is closed and marked at once
 * and freed at the next wake. The same thread watches the ruleset. */
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/net/private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define THREAD_STACK (256 << 10)
#define EVENTS 64
#define CHUNK (64 << 10)
#define LINKS_MAX 8192

enum source_kind { SOURCE_WAKE, SOURCE_RULESET, SOURCE_LISTENER, SOURCE_LINK };
struct source {
    enum source_kind kind;
};
struct proxy_listener {
    struct source source;
    struct proxy_listener *next;
    int sock; /* -1: given up */
    uint32_t container;
    uint16_t port;
};
struct direction {
    int from, to, pipe[2];
    size_t inside; /* bytes in the pipe */
    bool ended, shut;
};
struct link {
    struct source source;
    struct link *next, *previous, *next_dead;
    int client, server;
    bool connected, dead;
    struct direction up, down;
};
struct proxy {
    struct net *net;
    void (*on_ruleset)(struct net *net);
    pthread_t thread;
    int epoll, wake, ruleset;
    struct source wake_source, ruleset_source;
    struct mutex lock; /* listeners, stop */
    struct proxy_listener *listeners;
    bool stop;
    struct link *links, *dead; /* the thread's own */
    size_t link_count;
};

static void pipe_close(int pair[2])
{
    fd_close(pair[0]);
    fd_close(pair[1]);
}

static void link_free(struct link *link)
{
    fd_close(link->client);
    fd_close(link->server);
    pipe_close(link->up.pipe);
    pipe_close(link->down.pipe);
    free(link);
}

static void link_kill(struct proxy *proxy, struct link *link)
{
    if (link->dead)
        return;
    link->dead = true;
    if (link->previous)
        link->previous->next = link->next;
    else
        proxy->links = link->next;
    if (link->next)
        link->next->previous = link->previous;
    link->next_dead = proxy->dead;
    proxy->dead = link;
    proxy->link_count--;
}

static void dead_free(struct proxy *proxy)
{
    while (proxy->dead) {
        struct link *link = proxy->dead;
        proxy->dead = link->next_dead;
        link_free(link);
    }
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* -1: the connection is broken. */
static int pump(struct direction *d)
{
    for (bool moved = true; moved;) {
        moved = false;
        if (!d->ended && d->inside < CHUNK) {
            ssize_t got = splice(d->from, NULL, d->pipe[1], NULL, CHUNK - d->inside, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
            if (got > 0) {
                d->inside += (size_t)got;
                moved = true;
            } else if (got == 0) {
                d->ended = true;
            } else if (!would_block()) {
                return -1;
            }
        }
        if (d->inside) {
            ssize_t put = splice(d->pipe[0], NULL, d->to, NULL, d->inside, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
            if (put > 0) {
                d->inside -= (size_t)put;
                moved = true;
            } else if (put < 0 && !would_block()) {
                return -1;
            }
        }
        if (d->ended && d->inside == 0 && !d->shut) {
            shutdown(d->to, SHUT_WR);
            d->shut = true;
        }
    }
    return 0;
}

static void link_event(struct proxy *proxy, struct link *link)
{
    if (link->dead)
        return;
    if (!link->connected) {
        struct sockaddr_in peer;
        socklen_t length = sizeof(peer);
        int status = 0;
        socklen_t size = sizeof(status);
        if (getsockopt(link->server, SOL_SOCKET, SO_ERROR, &status, &size) < 0 || status) {
            link_kill(proxy, link);
            return;
        }
        if (getpeername(link->server, (struct sockaddr *)&peer, &length) < 0)
            return; /* still on its way */
        link->connected = true;
    }
    if (pump(&link->up) < 0 || pump(&link->down) < 0 || (link->up.shut && link->down.shut))
        link_kill(proxy, link);
}

static int watch(struct proxy *proxy, int fd, uint32_t events, struct source *source)
{
    struct epoll_event event = { .events = events, .data.ptr = source };
    return epoll_ctl(proxy->epoll, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int server_connect(const struct proxy_listener *listener)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(listener->port), .sin_addr.s_addr = htonl(listener->container) };
    int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock >= 0 && connect(sock, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != EINPROGRESS) {
        close(sock);
        return -1;
    }
    return sock;
}

static void link_new(struct proxy *proxy, const struct proxy_listener *listener, int client)
{
    struct link *link = calloc(1, sizeof(*link));
    int on = 1;
    if (!link || proxy->link_count >= LINKS_MAX) {
        free(link);
        close(client);
        return;
    }
    *link = (struct link){ .source.kind = SOURCE_LINK, .client = client, .server = server_connect(listener),
                           .up.pipe = { -1, -1 }, .down.pipe = { -1, -1 } };
    if (link->server < 0 || pipe2(link->up.pipe, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(link->down.pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        link_free(link);
        return;
    }
    setsockopt(link->client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(link->server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    link->up.from = link->down.to = link->client;
    link->up.to = link->down.from = link->server;
    const uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    if (watch(proxy, link->client, events, &link->source) < 0 || watch(proxy, link->server, events, &link->source) < 0) {
        link_free(link);
        return;
    }
    link->next = proxy->links;
    if (link->next)
        link->next->previous = link;
    proxy->links = link;
    proxy->link_count++;
}

static void listener_event(struct proxy *proxy, struct proxy_listener *listener)
{
    mutex_lock(&proxy->lock);
    for (int i = 0; i < 64 && listener->sock >= 0; i++) { /* level-triggered: the rest comes with the next round */
        int client = accept4(listener->sock, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0)
            break;
        link_new(proxy, listener, client);
    }
    mutex_unlock(&proxy->lock);
}

/* Frees listeners that were given up; true when the proxy ends. Runs when no event of the batch is left. */
static bool woken(struct proxy *proxy)
{
    uint64_t count;
    mutex_lock(&proxy->lock);
    if (read(proxy->wake, &count, sizeof(count)) > 0) {
        for (struct proxy_listener **at = &proxy->listeners; *at;) {
            struct proxy_listener *listener = *at;
            if (listener->sock >= 0) {
                at = &listener->next;
                continue;
            }
            *at = listener->next;
            free(listener);
        }
    }
    bool stop = proxy->stop;
    mutex_unlock(&proxy->lock);
    return stop;
}

static void *proxy_run(void *arg)
{
    struct proxy *proxy = arg;
    struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(proxy->epoll, events, EVENTS, -1);
        bool changed = false;
        for (int i = 0; i < count; i++) {
            struct source *source = events[i].data.ptr;
            switch (source->kind) {
            case SOURCE_WAKE:
                break;
            case SOURCE_RULESET:
                changed = nft_watch_read(proxy->ruleset) != 0;
                break;
            case SOURCE_LISTENER:
                listener_event(proxy, container_of(source, struct proxy_listener, source));
                break;
            case SOURCE_LINK:
                link_event(proxy, container_of(source, struct link, source));
                break;
            }
        }
        dead_free(proxy);
        if (woken(proxy))
            return NULL;
        if (changed)
            proxy->on_ruleset(proxy->net);
    }
}

static void proxy_wake(struct proxy *proxy)
{
    const uint64_t one = 1;
    ssize_t ignored = write(proxy->wake, &one, sizeof(one));
    (void)ignored; /* full means that it is awake */
}

static void proxy_free(struct proxy *proxy)
{
    while (proxy->links)
        link_kill(proxy, proxy->links);
    dead_free(proxy);
    for (struct proxy_listener *at = proxy->listeners, *next; at; at = next) {
        next = at->next;
        fd_close(at->sock);
        free(at);
    }
    fd_close(proxy->epoll);
    fd_close(proxy->wake);
    fd_close(proxy->ruleset);
    mutex_done(&proxy->lock);
    free(proxy);
}

static int proxy_start(struct proxy *proxy)
{
    pthread_attr_t attr;
    if (proxy->epoll < 0 || proxy->wake < 0)
        return -errno;
    int failed = watch(proxy, proxy->wake, EPOLLIN, &proxy->wake_source);
    if (failed == 0 && proxy->ruleset >= 0)
        failed = watch(proxy, proxy->ruleset, EPOLLIN, &proxy->ruleset_source);
    if (failed)
        return failed;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    failed = pthread_create(&proxy->thread, &attr, proxy_run, proxy);
    pthread_attr_destroy(&attr);
    return -failed;
}

int proxy_open(struct net *net, void (*on_ruleset)(struct net *net), struct proxy **ret)
{
    struct proxy *proxy = xcalloc(1, sizeof(*proxy));
    *proxy = (struct proxy){ .net = net, .on_ruleset = on_ruleset, .epoll = epoll_create1(EPOLL_CLOEXEC),
                             .wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .ruleset = on_ruleset ? nft_watch_open() : -1,
                             .wake_source.kind = SOURCE_WAKE, .ruleset_source.kind = SOURCE_RULESET };
    mutex_init(&proxy->lock);
    int failed = proxy_start(proxy);
    if (failed) {
        proxy_free(proxy);
        return failed;
    }
    *ret = proxy;
    return 0;
}

void proxy_close(struct proxy *proxy)
{
    if (!proxy)
        return;
    mutex_lock(&proxy->lock);
    proxy->stop = true;
    mutex_unlock(&proxy->lock);
    proxy_wake(proxy);
    pthread_join(proxy->thread, NULL);
    proxy_free(proxy);
}

struct proxy_listener *proxy_listen(struct proxy *proxy, int sock, uint32_t container, uint16_t port)
{
    struct proxy_listener *listener = xcalloc(1, sizeof(*listener));
    *listener = (struct proxy_listener){ .source.kind = SOURCE_LISTENER, .sock = sock, .container = container, .port = port };
    mutex_lock(&proxy->lock);
    int failed = watch(proxy, sock, EPOLLIN, &listener->source);
    if (failed == 0) {
        listener->next = proxy->listeners;
        proxy->listeners = listener;
    }
    mutex_unlock(&proxy->lock);
    if (failed == 0)
        return listener;
    close(sock);
    free(listener);
    return NULL;
}

void proxy_unlisten(struct proxy *proxy, struct proxy_listener *listener)
{
    mutex_lock(&proxy->lock);
    fd_close(listener->sock);
    listener->sock = -1;
    mutex_unlock(&proxy->lock);
    proxy_wake(proxy);
}
