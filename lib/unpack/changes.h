/* What an upper directory changes against the tree below it, as `docker diff` counts: a file that was only copied up is no change, nor is a
 * directory's new time; what changed makes every directory above it a changed one. */
#pragma once
#include "lib/base/err.h"
#include <stddef.h>

enum change_kind { CHANGE_MODIFIED, CHANGE_ADDED, CHANGE_DELETED };
struct change {
    char *path; /* absolute in the container */
    enum change_kind kind;
};
struct change_list {
    struct change *items; /* sorted by path */
    size_t count, capacity;
};
void change_list_done(struct change_list *list);
/* lower_fd: root of the merged tree below (-1: there is none). opaque: sorted paths (opaque_find). */
int changes_find(int upper_fd, int lower_fd, char *const *opaque, struct change_list *ret, struct err *err);
