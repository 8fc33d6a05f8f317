#include "lib/unpack/nodes.h"

#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>

#define XATTR_NAMES_MAX 65536

struct link_slot {
    dev_t device;
    ino_t inode;
    char *path; /* NULL: free */
};

int node_open(int dir_fd, const char *name)
{
    const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(dir_fd, name, flags | O_NOATIME);
    return fd < 0 && errno == EPERM ? openat(dir_fd, name, flags) : fd; /* another's file */
}

void xattrs_free(struct tar_xattr *xattrs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(xattrs[i].name);
        free(xattrs[i].value);
    }
    free(xattrs);
}

static bool wanted(const char *name)
{
    return str_eq(name, "security.capability") || (str_starts(name, "user.") && !str_starts(name, "user.overlay."));
}

static int compare(const void *a, const void *b)
{
    const struct tar_xattr *first = a, *second = b;
    return strcmp(first->name, second->name);
}

static int read_one(int fd, const char *name, struct tar_xattr **list, size_t *count, struct err *err)
{
    AUTO_FREE char *value = xmalloc(TAR_XATTR_MAX);
    ssize_t n = fgetxattr(fd, name, value, TAR_XATTR_MAX);
    if (n < 0)
        return errno == ENODATA ? 0 : err_sys(err, errno, "read attribute %s", name);
    *list = xreallocarray(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = (struct tar_xattr){ xstrdup(name), xmemdup(value, (size_t)n), (size_t)n };
    return 0;
}

int xattrs_read(int fd, struct tar_xattr **ret, size_t *ret_count, struct err *err)
{
    char some[1024];
    AUTO_FREE char *more = NULL;
    char *names = some;
    *ret = NULL;
    *ret_count = 0;
    ssize_t n = flistxattr(fd, some, sizeof some);
    if (n < 0 && errno == ERANGE) {
        names = more = xmalloc(XATTR_NAMES_MAX);
        n = flistxattr(fd, more, XATTR_NAMES_MAX);
    }
    if (n < 0)
        return errno == ENOTSUP ? 0 : err_sys(err, errno, "list attributes");
    for (const char *name = names; name < names + n; name += strlen(name) + 1)
        if (wanted(name) && read_one(fd, name, ret, ret_count, err) < 0)
            return -1;
    if (*ret_count > 1)
        qsort(*ret, *ret_count, sizeof **ret, compare);
    return 0;
}

int xattrs_copy(int from_fd, int to_fd, struct err *err)
{
    struct tar_xattr *list;
    size_t count;
    int r = xattrs_read(from_fd, &list, &count, err);
    for (size_t i = 0; r == 0 && i < count; i++)
        if (fsetxattr(to_fd, list[i].name, list[i].value, list[i].length, 0) < 0 && errno != ENOTSUP && errno != EPERM)
            r = err_sys(err, errno, "set attribute %s", list[i].name);
    xattrs_free(list, count);
    return r;
}

static struct link_slot *find_slot(struct link_slot *slots, size_t capacity, dev_t device, ino_t inode)
{
    size_t at = (size_t)((inode ^ device << 7) * 0x9e3779b97f4a7c15ULL >> 16) & (capacity - 1);
    while (slots[at].path && (slots[at].inode != inode || slots[at].device != device))
        at = (at + 1) & (capacity - 1);
    return &slots[at];
}

static void grow(struct link_table *table)
{
    size_t capacity = table->capacity ? table->capacity * 2 : 256;
    struct link_slot *slots = xcalloc(capacity, sizeof *slots);
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].path)
            *find_slot(slots, capacity, table->slots[i].device, table->slots[i].inode) = table->slots[i];
    free(table->slots);
    table->slots = slots;
    table->capacity = capacity;
}

const char *link_table_seen(struct link_table *table, const struct stat *stat, const char *path)
{
    if (table->count * 2 >= table->capacity)
        grow(table);
    struct link_slot *slot = find_slot(table->slots, table->capacity, stat->st_dev, stat->st_ino);
    if (slot->path)
        return slot->path;
    *slot = (struct link_slot){ stat->st_dev, stat->st_ino, xstrdup(path) };
    table->count++;
    return NULL;
}

void link_table_done(struct link_table *table)
{
    for (size_t i = 0; i < table->capacity; i++)
        free(table->slots[i].path);
    free(table->slots);
    *table = (struct link_table){ 0 };
}
