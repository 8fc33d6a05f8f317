#include "daemon/engine/monitor_link.h"

#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int send_hello(int sock)
{
    struct mon_hello hello = { .protocol = MON_PROTOCOL, .pid = (uint32_t)getpid() };
    str_copy(hello.build, sizeof hello.build, HOLK_VERSION);
    return mon_send(sock, MON_HELLO, 1, &hello, sizeof hello, NULL, 0, NULL, 0);
}

int monitor_connect(const char *exec_root, const char *id, struct err *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    AUTO_FREE char *path = str_format("%s/%s/sock", exec_root, id);
    if (!str_copy(address.sun_path, sizeof address.sun_path, path))
        return err_set(err, ERR_INTERNAL, "monitor socket path %s is too long", path);
    AUTO_FD int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (sock < 0)
        return err_sys(err, errno, "make a socket");
    if (connect(sock, (struct sockaddr *)&address, sizeof address) < 0) {
        err_set(err, ERR_NOT_FOUND, "monitor of container %.12s does not answer: %s", id, err_strerror(errno));
        return -1;
    }
    int failed = send_hello(sock);
    if (failed < 0)
        return err_sys(err, failed, "greet the monitor of %.12s", id);
    return take_fd(&sock);
}

void monitor_reply_done(struct monitor_reply *reply)
{
    for (size_t i = 0; i < reply->fd_count; i++)
        fd_close(reply->fds[i]);
    reply->fd_count = 0;
}

static int take_reply(const void *body, size_t length, struct monitor_reply *ret, struct err *err)
{
    struct mon_reply head;
    if (length < sizeof head)
        return err_set(err, ERR_INTERNAL, "the monitor's reply is too short");
    memcpy(&head, body, sizeof head);
    ret->exit_code = head.exit_code;
    const uint8_t *rest = (const uint8_t *)body + sizeof head;
    length -= sizeof head;
    if (head.failed) {
        struct mon_err failure = { 0 };
        memcpy(&failure, rest, MIN(length, sizeof failure));
        mon_err_unpack(&failure, err);
        return -1;
    }
    ret->length = MIN(length, sizeof ret->body);
    memcpy(ret->body, rest, ret->length);
    return 0;
}

/* Waits for the reply to seq; the answer to HELLO and notices pass by. */
static int await_reply(int sock, uint32_t seq, struct monitor_reply *ret, struct err *err)
{
    AUTO_FREE void *packet = xmalloc(MON_PACKET_MAX);
    for (;;) {
        struct mon_header header;
        const void *body;
        ret->fd_count = ARRAY_SIZE(ret->fds);
        ssize_t length = mon_recv(sock, packet, &header, &body, ret->fds, &ret->fd_count);
        if (length < 0) {
            ret->fd_count = 0;
            return err_set(err, ERR_INTERNAL, "the container's monitor is gone: %s", err_strerror((int)-length));
        }
        if (header.verb == MON_REPLY && header.seq == seq)
            return take_reply(body, (size_t)length, ret, err);
        monitor_reply_done(ret);
    }
}

int monitor_request_on(int sock, uint16_t verb, const void *body, size_t length, const void *more, size_t more_length, const int *fds,
                       size_t fd_count, struct monitor_reply *ret, struct err *err)
{
    enum { SEQ = 2 };
    ret->fd_count = 0;
    ret->length = 0;
    ret->exit_code = 0;
    int failed = mon_send(sock, verb, SEQ, body, length, more, more_length, fds, fd_count);
    if (failed < 0)
        return err_sys(err, failed, "ask the container's monitor");
    return await_reply(sock, SEQ, ret, err);
}

int monitor_request(const char *exec_root, const char *id, uint16_t verb, const void *body, size_t length, const int *fds, size_t fd_count,
                    struct monitor_reply *ret, struct err *err)
{
    AUTO_FD int sock = monitor_connect(exec_root, id, err);
    if (sock < 0) {
        ret->fd_count = 0;
        return -1;
    }
    return monitor_request_on(sock, verb, body, length, NULL, 0, fds, fd_count, ret, err);
}
