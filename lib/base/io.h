/* Whole reads and writes over fds, retried on EINTR. 0 or -errno unless said. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int io_write_all(int fd, const void *bytes, size_t length);
ssize_t io_read_full(int fd, void *bytes, size_t length); /* short only at end of file */
/* Whole small file (or until end of stream); NUL added. -EFBIG over max. *ret is the caller's. */
int io_read_file_at(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_length);
int io_read_fd(int fd, size_t max, char **ret, size_t *ret_length);
/* Writes an existing control file (cgroup, proc): open O_WRONLY, one write. */
int io_write_control_at(int dir_fd, const char *path, const char *text);
/* temp name, write, optional fsync, rename: the file is whole or the old one. */
int io_replace_file_at(int dir_fd, const char *path, const void *bytes, size_t length, mode_t mode, bool sync);
int io_copy(int from_fd, int to_fd, uint64_t *ret_copied); /* to end; copy_file_range, splice or read/write */
/* poll of one or two fds; timeout_ms -1 for ever. Returns mask: 1 first ready, 2 second ready, 0 timeout, -errno. */
int io_poll2(int fd, short events, int fd2, short events2, int timeout_ms, short *ret_revents, short *ret_revents2);
