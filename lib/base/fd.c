#include "lib/base/fd.h"

#include "lib/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#endif
#ifndef MFD_ALLOW_SEALING
#define MFD_ALLOW_SEALING 2u
#endif

void fd_close(int fd)
{
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
}

int fd_dup(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

static int change_flag(int fd, int get, int set, int flag, bool on)
{
    int flags = fcntl(fd, get);
    if (flags < 0)
        return -errno;
    int wanted = on ? flags | flag : flags & ~flag;
    return wanted != flags && fcntl(fd, set, wanted) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, bool on)
{
    return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
    return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_pipe(int ret_pair[2])
{
    return pipe2(ret_pair, O_CLOEXEC) < 0 ? -errno : 0;
}

int fd_socketpair(int type, int ret_pair[2])
{
    return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret_pair) < 0 ? -errno : 0;
}

static int seal(int fd)
{
    return fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0 ? -errno : 0;
}

int fd_memfd(const char *name, const void *bytes, size_t length)
{
    AUTO_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int failed = io_write_all(fd, bytes, length);
    if (failed == 0 && lseek(fd, 0, SEEK_SET) < 0)
        failed = -errno;
    if (failed == 0)
        failed = seal(fd);
    return failed < 0 ? failed : take_fd(&fd);
}

int fd_memfd_of_file(const char *name, const char *path)
{
    AUTO_FD int source = open(path, O_RDONLY | O_CLOEXEC);
    if (source < 0)
        return -errno;
    AUTO_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    int failed = io_copy(source, fd, NULL);
    if (failed == 0)
        failed = seal(fd);
    return failed < 0 ? failed : take_fd(&fd);
}

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int) * FD_PASS_MAX)];
};

ssize_t fd_send(int sock, const void *bytes, size_t length, const int *fds, size_t fd_count)
{
    union control control;
    struct iovec part;
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    if (fd_count > FD_PASS_MAX)
        return -EMFILE;
    memcpy(&part.iov_base, &bytes, sizeof bytes);
    part.iov_len = length;
    if (fd_count) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * fd_count);
    }
    ssize_t sent;
    do {
        sent = sendmsg(sock, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

static int collect(struct msghdr *message, int *ret_fds, size_t room, size_t *ret_count)
{
    bool too_many = message->msg_flags & MSG_CTRUNC;
    size_t count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            if (count < room) {
                ret_fds[count++] = fd;
                continue;
            }
            fd_close(fd);
            too_many = true;
        }
    }
    *ret_count = count;
    if (!too_many)
        return 0;
    while (count > 0)
        fd_close(ret_fds[--count]);
    *ret_count = 0;
    return -EMFILE;
}

ssize_t fd_recv(int sock, void *bytes, size_t size, int *ret_fds, size_t *inout_fd_count)
{
    union control control;
    struct iovec part = { bytes, size };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
    size_t room = *inout_fd_count;
    ssize_t got;
    *inout_fd_count = 0;
    do {
        got = recvmsg(sock, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    int failed = collect(&message, ret_fds, room, inout_fd_count);
    return failed < 0 ? failed : got;
}
