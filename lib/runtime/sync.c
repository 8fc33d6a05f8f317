#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* Longer than any honest mount of a slow network volume, shorter than for ever. */
#define SETUP_TIMEOUT_MS 120000

int sync_send(int sock, enum sync_kind kind, int value, const char *text, int fd)
{
    struct sync_message message = { .kind = kind, .value = value };
    if (text)
        str_copy(message.err.text, sizeof message.err.text, text);
    ssize_t n = fd_send(sock, &message, sizeof message, &fd, fd >= 0 ? 1 : 0);
    return n < 0 ? (int)n : 0;
}

int sync_recv(int sock, struct sync_message *ret, int *ret_fd)
{
    int fd = -1;
    size_t count = 1;
    ssize_t n = fd_recv(sock, ret, sizeof *ret, &fd, &count);
    if (n <= 0 || count == 0)
        fd = -1;
    if (n > 0 && n != (ssize_t)sizeof *ret) {
        fd_close(fd);
        return -EBADMSG;
    }
    if (n > 0)
        ret->err.text[sizeof ret->err.text - 1] = '\0';
    if (ret_fd)
        *ret_fd = fd;
    else
        fd_close(fd);
    return n == -ECONNRESET ? 0 : (int)n;
}

void container_warn(struct runtime_container *container, const char *text)
{
    size_t max = sizeof container->warnings / sizeof *container->warnings;
    if (container && (size_t)container->warning_count < max)
        str_copy(container->warnings[container->warning_count++], sizeof *container->warnings, text);
}

#define PID_GRACE_MS 1000

/* 1 there is something to read, 0 too late, -errno */
static int wait_readable(int sock)
{
    struct pollfd poll_fd = { .fd = sock, .events = POLLIN };
    int r;
    do
        r = poll(&poll_fd, 1, SETUP_TIMEOUT_MS);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

static int keep_message(const struct sync_message *message, int fd, struct wait_result *ret, struct runtime_container *warnings)
{
    int *slot = NULL;
    if (message->kind == SYNC_TTY)
        slot = &ret->tty_master;
    if (message->kind == SYNC_PID) {
        slot = &ret->pidfd;
        ret->pid = message->value;
    }
    if (message->kind == SYNC_WARNING)
        container_warn(warnings, message->err.text);
    if (slot && *slot < 0)
        *slot = fd;
    else
        fd_close(fd);
    return message->kind == SYNC_EXECING;
}

int wait_for_exec(int sock, struct wait_result *ret, struct runtime_container *warnings, int *ret_exit_code, struct err *err)
{
    bool execing = false;
    *ret_exit_code = EXIT_ENGINE;
    for (;;) {
        struct sync_message message;
        int fd = -1, r = wait_readable(sock);
        if (r == 0)
            return err_set(err, ERR_INTERNAL, "container setup did not end within %d s", SETUP_TIMEOUT_MS / 1000);
        r = r < 0 ? r : sync_recv(sock, &message, &fd);
        if (r < 0)
            return err_sys(err, r, "read from the container's setup");
        if (r == 0 && execing) {
            *ret_exit_code = 0;
            return 0;
        }
        if (r == 0)
            return err_set(err, ERR_INTERNAL, "the container's setup died before it could run the command");
        if (message.kind == SYNC_FAILED) {
            fd_close(fd);
            *err = message.err;
            *ret_exit_code = message.value;
            return -1;
        }
        execing |= keep_message(&message, fd, ret, warnings);
    }
}

void wait_for_pid(int sock, struct wait_result *ret)
{
    while (ret->pid <= 0) {
        struct pollfd poll_fd = { .fd = sock, .events = POLLIN };
        struct sync_message message;
        int fd = -1, r = poll(&poll_fd, 1, PID_GRACE_MS);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0 || sync_recv(sock, &message, &fd) <= 0)
            return;
        (void)keep_message(&message, fd, ret, NULL);
    }
}
