/* A tree in the one order that everything here is written in: a directory before its entries, entries sorted by their bytes. No link is
 * followed. Memory: the names of the directories on the way down. */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>
#include <sys/stat.h>

struct walk_entry {
    const char *path; /* from the top, without a leading slash; "" for the top itself */
    const char *name;
    int dir_fd;       /* the directory that holds it; AT_FDCWD-like -1 for the top */
    int fd;           /* of directories only: readable */
    struct stat stat;
};
/* 0: go on, 1: do not enter this directory, -1 err */
typedef int (*walk_fn)(void *arg, const struct walk_entry *entry, struct err *err);
struct walk_options {
    walk_fn visit;
    walk_fn leave; /* NULL, or called behind the last entry of a directory */
    void *arg;
    bool one_file_system;
    bool missing_is_fine; /* a living tree: what vanishes between listing and looking is left out */
};
/* Visits the entries below top_fd, not the top. */
int walk_tree(int top_fd, const struct walk_options *options, struct err *err);
