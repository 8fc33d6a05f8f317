/* One tree copied into an empty directory: owners, modes, times, links, devices, attributes; data by reflink where the file system has
 * it. Overlay's 0:0 devices are copied with keep_marks and left out without. The caller has set umask(0). */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct copy_options {
    bool keep_marks, living;
    uint64_t content_size; /* out: files (once per inode) and symlink texts */
    uint64_t entries;      /* out */
};
int copy_tree(int from_fd, int to_fd, struct copy_options *options, struct err *err);
/* Owner, mode and times of one directory given to another. */
int copy_dir_metadata(int from_fd, int to_fd, struct err *err);
/* What is left of one file to the end of another: by reflink where the file system has it. */
int copy_data(int from_fd, int to_fd, struct err *err);
