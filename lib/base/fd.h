/* File descriptors. All are close-on-exec from birth. Return values: fd or -errno. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

void fd_close(int fd); /* ignores negative; keeps errno */
static inline void cleanup_fd(int *fd)
{
    fd_close(*fd);
}
#define AUTO_FD __attribute__((cleanup(cleanup_fd)))
#define take_fd(slot)          \
    ({                         \
        int taken_ = *(slot);  \
        *(slot) = -1;          \
        taken_;                \
    })
int fd_dup(int fd);                          /* F_DUPFD_CLOEXEC, at least 3 */
int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);
int fd_pipe(int ret_pair[2]);                /* pipe2(O_CLOEXEC) */
int fd_socketpair(int type, int ret_pair[2]); /* AF_UNIX, SOCK_CLOEXEC added */
/* A sealed, read-only memfd holding bytes / a whole file (for posix_spawn by /proc/self/fd/N). */
int fd_memfd(const char *name, const void *bytes, size_t length);
int fd_memfd_of_file(const char *name, const char *path);
/* Sends/receives bytes with up to FD_PASS_MAX fds beside the first byte. recv: -errno, 0 at end,
 * else length; ret_fds are the caller's; too many fds are closed and -EMFILE returned. */
#define FD_PASS_MAX 16
ssize_t fd_send(int sock, const void *bytes, size_t length, const int *fds, size_t fd_count);
ssize_t fd_recv(int sock, void *bytes, size_t size, int *ret_fds, size_t *inout_fd_count);
