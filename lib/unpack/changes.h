/* What an upper directory changes against the layers below it, as `docker diff` counts: a directory that only passes through is not a
 * change, a changed entry makes its directory one. */
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
/* lower_fds: top first. opaque: sorted paths (opaque_find). */
int changes_find(int upper_fd, const int *lower_fds, size_t lower_count, char *const *opaque, struct change_list *ret, struct err *err);
