#include "lib/base/io.h"

#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int io_write_all(int fd, const void *bytes, size_t length)
{
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = write(fd, at, length);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd waiting = { .fd = fd, .events = POLLOUT };
            (void)poll(&waiting, 1, -1);
            continue;
        }
        if (sent < 0)
            return -errno;
        at += sent;
        length -= (size_t)sent;
    }
    return 0;
}

ssize_t io_read_full(int fd, void *bytes, size_t length)
{
    size_t done = 0;
    while (done < length) {
        ssize_t got = read(fd, (char *)bytes + done, length - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

int io_read_fd(int fd, size_t max, char **ret, size_t *ret_length)
{
    size_t length = 0, capacity = 4096;
    AUTO_FREE char *data = xmalloc(capacity + 1);
    for (;;) {
        ssize_t got = read(fd, data + length, capacity - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        length += (size_t)got;
        if (length > max)
            return -EFBIG;
        if (length == capacity) {
            capacity *= 2;
            data = xrealloc(data, capacity + 1);
        }
    }
    data[length] = '\0';
    *ret = take_ptr(&data);
    if (ret_length)
        *ret_length = length;
    return 0;
}

int io_read_file_at(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_length)
{
    AUTO_FD int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : io_read_fd(fd, max, ret, ret_length);
}

int io_write_control_at(int dir_fd, const char *path, const char *text)
{
    AUTO_FD int fd = openat(dir_fd, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t sent = write(fd, text, strlen(text));
    return sent < 0 ? -errno : 0;
}

int io_replace_file_at(int dir_fd, const char *path, const void *bytes, size_t length, mode_t mode, bool sync)
{
    char suffix[13];
    id_random_hex(suffix, 12);
    AUTO_FREE char *temp = str_format("%s.tmp-%s", path, suffix);
    AUTO_FD int fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    int failed = io_write_all(fd, bytes, length);
    if (failed == 0 && fchmod(fd, mode) < 0)
        failed = -errno;
    if (failed == 0 && sync && fsync(fd) < 0)
        failed = -errno;
    if (failed == 0 && renameat(dir_fd, temp, dir_fd, path) < 0)
        failed = -errno;
    if (failed < 0)
        unlinkat(dir_fd, temp, 0);
    return failed;
}

static ssize_t copy_some(int from_fd, int to_fd, bool *use_range, char **chunk)
{
    enum { CHUNK = 256 * 1024 };
    if (*use_range) {
        ssize_t moved = copy_file_range(from_fd, NULL, to_fd, NULL, (size_t)1 << 30, 0);
        if (moved > 0)
            return moved;
        *use_range = false; /* at 0 some file systems (proc) still have bytes to read */
    }
    if (!*chunk)
        *chunk = xmalloc(CHUNK);
    ssize_t got = read(from_fd, *chunk, CHUNK);
    if (got <= 0)
        return got < 0 ? -errno : 0;
    int failed = io_write_all(to_fd, *chunk, (size_t)got);
    return failed < 0 ? failed : got;
}

int io_copy(int from_fd, int to_fd, uint64_t *ret_copied)
{
    AUTO_FREE char *chunk = NULL;
    bool use_range = true;
    uint64_t copied = 0;
    for (;;) {
        ssize_t moved = copy_some(from_fd, to_fd, &use_range, &chunk);
        if (moved == -EINTR)
            continue;
        if (moved < 0)
            return (int)moved;
        if (moved == 0)
            break;
        copied += (uint64_t)moved;
    }
    if (ret_copied)
        *ret_copied = copied;
    return 0;
}

int io_poll2(int fd, short events, int fd2, short events2, int timeout_ms, short *ret_revents, short *ret_revents2)
{
    struct pollfd fds[2] = { { .fd = fd, .events = events }, { .fd = fd2, .events = events2 } };
    int ready;
    do {
        ready = poll(fds, 2, timeout_ms);
    } while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return -errno;
    *ret_revents = fds[0].revents;
    *ret_revents2 = fds[1].revents;
    return (fds[0].revents ? 1 : 0) | (fds[1].revents ? 2 : 0);
}
