/* Files inside somebody else's tree. Every path given by an image, container or client goes through
 * here: openat2 with RESOLVE_IN_ROOT|RESOLVE_NO_MAGICLINKS, so that symlinks resolve inside the root
 * (security.md rule 1). Returned fds are O_CLOEXEC. fd or -errno. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

int root_open(int root_fd, const char *path, int flags, mode_t mode);
/* RESOLVE_BENEATH: for build contexts and volume subpaths; -EXDEV when it would leave. */
int root_open_beneath(int root_fd, const char *path, int flags, mode_t mode);
/* Opens (O_PATH) the directory that holds the last component, links in parents followed inside the
 * root; *ret_name points into path ("" for the root itself). -EINVAL for a path that ends in ".." or a slash. make: missing parents are created 0755 root:root step by step. */
int root_open_parent(int root_fd, const char *path, bool make, const char **ret_name);
/* mkdir -p inside the root; returns an O_PATH fd of the directory. */
int root_mkdirs(int root_fd, const char *path, mode_t mode);
/* The same, and where a link leads to what is not there, that is made, inside the root (ADD of an archive); else -ENOENT. */
int root_mkdirs_behind_links(int root_fd, const char *path, mode_t mode);
