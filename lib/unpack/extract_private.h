#pragma once
#include "lib/unpack/extract.h"

#define OPAQUE_MAX 65536
struct dir_time {
    char *path;
    int64_t seconds;
    long nanos;
};
struct extract {
    struct tar_reader *reader;
    int root_fd;
    const struct extract_options *options;
    struct extract_result result;
    char *parent_path; /* of parent_fd; NULL: none cached */
    int parent_fd;
    struct dir_time *dirs;
    size_t dir_count, dir_capacity, dir_bytes;
    size_t opaque_count;
    uint64_t written, next_space_check;
};
/* Where an entry goes: name in an open directory. */
struct place {
    int parent_fd; /* borrowed */
    const char *name;
    const char *path; /* normalized, from the root */
    bool owned, moded; /* born with the right owner, mode */
    ino_t inode;       /* of a file that was born */
};
/* Makes the node of an entry; -EEXIST when something is in the way. Other failures are in err and give -1 (a plain -1 is never an
 * errno here: EPERM comes with err set). */
int node_make(struct extract *extract, const struct place *place, const struct tar_entry *entry, int *ret_error, struct err *err);
/* fd >= 0: through it; else the entry is a symlink, device or fifo named by place. */
int node_set_metadata(struct extract *extract, const struct place *place, const struct tar_entry *entry, int fd, struct err *err);
int extract_parent(struct extract *extract, const char *path, struct place *ret, struct err *err);
void extract_forget_parent(struct extract *extract);
