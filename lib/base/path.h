/* Paths as text (never resolved here) and small file-system chores by directory fd. 0 or -errno. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

char *path_join(const char *a, const char *b); /* one slash between; caller frees */
/* Lexical Clean as Go's path.Clean: caller frees. */
char *path_clean(const char *path);
const char *path_base(const char *path); /* pointer into path after the last slash */
int path_mkdirs_at(int dir_fd, const char *path, mode_t mode); /* mkdir -p, existing is fine */
int path_mkdir_open_at(int dir_fd, const char *name, mode_t mode); /* creates if missing, opens: fd or -errno */
/* Removes a tree by dirfd walk: no symlink followed, no mount entered (-EBUSY or -EXDEV, also for a bind of the same disk). Missing is 0. */
int path_remove_tree_at(int dir_fd, const char *name);
/* Bytes (blocks*512) and entries below; no other file system entered. */
int path_disk_usage_at(int dir_fd, const char *name, unsigned long long *ret_bytes, unsigned long long *ret_entries);
/* Tells ext4 that the directories made in this one have nothing in common, so that each goes to a part of the disk of its own. Without that a
 * new tree lands where one was just deleted, and ext4 steps over every inode freed in the last minutes, one by one, at each new file (20
 * times slower, measured). Other file systems know nothing of it: no error. */
void path_spread(int dir_fd);
