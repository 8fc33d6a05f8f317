#include "lib/unpack/changes.h"

#include "lib/base/fd.h"
#include "lib/base/map.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/unpack/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CHANGES_MAX 4000000
#define CAPABILITY "security.capability"
#define CAPABILITY_MAX 64

struct finder {
    int upper_fd, lower_fd;
    char *const *opaque;
    struct change_list list;
    struct map *listed_dirs;
};

void change_list_done(struct change_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].path);
    free(list->items);
    *list = (struct change_list){ 0 };
}

static int add(struct finder *finder, const char *path, enum change_kind kind, struct err *err)
{
    struct change_list *list = &finder->list;
    if (list->count == CHANGES_MAX)
        return err_set(err, ERR_INTERNAL, "more than %d changes", CHANGES_MAX);
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->items = xreallocarray(list->items, list->capacity, sizeof *list->items);
    }
    list->items[list->count++] = (struct change){ str_format("/%s", path), kind };
    return 0;
}

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* O_PATH fd of what is below, or -1. */
static int open_below(const struct finder *finder, const char *path, struct stat *ret)
{
    AUTO_FD int fd = finder->lower_fd < 0 ? -1 : root_open(finder->lower_fd, path, O_PATH | O_NOFOLLOW, 0);
    return fd >= 0 && fstat(fd, ret) == 0 ? take_fd(&fd) : -1;
}

/* Archives cut times to seconds. */
static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && (a->tv_nsec == b->tv_nsec || a->tv_nsec == 0 || b->tv_nsec == 0);
}

static ssize_t read_capability(int fd, char ret[CAPABILITY_MAX])
{
    ssize_t n = fd < 0 ? -1 : fgetxattr(fd, CAPABILITY, ret, CAPABILITY_MAX);
    return n < 0 ? 0 : n;
}

static bool same_capability(const struct finder *finder, const struct walk_entry *entry)
{
    char above[CAPABILITY_MAX], below[CAPABILITY_MAX];
    if (!S_ISREG(entry->stat.st_mode))
        return true;
    AUTO_FD int upper = openat(entry->dir_fd, entry->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    AUTO_FD int lower = root_open(finder->lower_fd, entry->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    ssize_t length = read_capability(upper, above);
    return length == read_capability(lower, below) && memcmp(above, below, (size_t)length) == 0;
}

static bool differs(const struct finder *finder, const struct walk_entry *entry, const struct stat *below)
{
    const struct stat *above = &entry->stat;
    if (above->st_mode != below->st_mode || above->st_uid != below->st_uid || above->st_gid != below->st_gid ||
        above->st_rdev != below->st_rdev)
        return true;
    if (S_ISDIR(above->st_mode))
        return false;
    return above->st_size != below->st_size || !same_time(&above->st_mtim, &below->st_mtim) || !same_capability(finder, entry);
}

/* Every directory above a change. */
static int list_parents(struct finder *finder, const char *path, struct err *err)
{
    AUTO_FREE char *parent = xstrdup(path);
    char *slash;
    while ((slash = strrchr(parent, '/'))) {
        *slash = '\0';
        if (map_get(finder->listed_dirs, parent))
            return 0; /* and so are those above it */
        map_set(finder->listed_dirs, parent, finder);
        if (add(finder, parent, CHANGE_MODIFIED, err) < 0)
            return -1;
    }
    return 0;
}

static int change(struct finder *finder, const char *path, bool dir, enum change_kind kind, struct err *err)
{
    if (dir && map_set(finder->listed_dirs, path, finder))
        return 0;
    return add(finder, path, kind, err) < 0 || list_parents(finder, path, err) < 0 ? -1 : 0;
}

/* A directory that was removed and made again: what was in it is gone unless it is there again. */
static int list_hidden(struct finder *finder, const struct walk_entry *entry, struct err *err)
{
    int below = root_open(finder->lower_fd, entry->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0), r = 0;
    DIR *dir = below < 0 ? NULL : fdopendir(below);
    if (!dir) {
        fd_close(below);
        return 0;
    }
    struct dirent *name;
    while (r == 0 && (name = readdir(dir))) {
        struct stat st;
        bool itself = str_eq(name->d_name, ".") || str_eq(name->d_name, "..");
        if (itself || fstatat(entry->fd, name->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        AUTO_FREE char *path = str_format("%s/%s", entry->path, name->d_name);
        r = change(finder, path, false, CHANGE_DELETED, err);
    }
    closedir(dir);
    return r;
}

static int visit(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct finder *finder = arg;
    struct stat below;
    AUTO_FD int below_fd = open_below(finder, entry->path, &below);
    bool existed = below_fd >= 0, dir = S_ISDIR(entry->stat.st_mode);
    if (is_whiteout(&entry->stat))
        return existed ? change(finder, entry->path, false, CHANGE_DELETED, err) : 0;
    if (!existed)
        return change(finder, entry->path, dir, CHANGE_ADDED, err);
    if (differs(finder, entry, &below) && change(finder, entry->path, dir, CHANGE_MODIFIED, err) < 0)
        return -1;
    return dir && strv_contains(finder->opaque, entry->path) ? list_hidden(finder, entry, err) : 0;
}

static int compare(const void *a, const void *b)
{
    const struct change *first = a, *second = b;
    return strcmp(first->path, second->path);
}

int changes_find(int upper_fd, int lower_fd, char *const *opaque, struct change_list *ret, struct err *err)
{
    struct finder finder = { .upper_fd = upper_fd, .lower_fd = lower_fd, .opaque = opaque, .listed_dirs = map_new() };
    struct walk_options walk = { .visit = visit, .arg = &finder, .missing_is_fine = true };
    int r = walk_tree(upper_fd, &walk, err);
    map_free(finder.listed_dirs);
    if (r < 0) {
        change_list_done(&finder.list);
        return -1;
    }
    if (finder.list.count)
        qsort(finder.list.items, finder.list.count, sizeof *finder.list.items, compare);
    *ret = finder.list;
    return 0;
}
