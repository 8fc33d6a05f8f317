/* What a file carries besides its bytes, and a memory of hard links. */
#pragma once
#include "lib/archive/tar.h"
#include <sys/stat.h>

/* A file for reading, not followed and not waited for; its access time stays, which saves a write. fd or -1 with errno. */
int node_open(int dir_fd, const char *name);
/* security.capability and user.* (not user.overlay.*), sorted by name. */
int xattrs_read(int fd, struct tar_xattr **ret, size_t *ret_count, struct err *err);
void xattrs_free(struct tar_xattr *xattrs, size_t count);
/* Gives them to another file; what its file system does not take is left out. */
int xattrs_copy(int from_fd, int to_fd, struct err *err);

struct link_table {
    struct link_slot *slots;
    size_t count, capacity;
};
/* The path under which this inode was seen first, or NULL and it is remembered now. */
const char *link_table_seen(struct link_table *table, const struct stat *stat, const char *path);
void link_table_done(struct link_table *table);
