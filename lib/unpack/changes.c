#include "lib/unpack/changes.h"

#include "lib/base/fd.h"
#include "lib/base/map.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/unpack/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define CHANGES_MAX 4000000

struct finder {
    const int *lower_fds;
    size_t lower_count;
    char *const *opaque;
    struct change_list list;
    struct map *changed_dirs;
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

/* What the layers below show under this path: the first that has the name decides. */
static bool below(const struct finder *finder, const char *path, struct stat *ret)
{
    for (size_t i = 0; i < finder->lower_count; i++) {
        AUTO_FD int fd = root_open(finder->lower_fds[i], path, O_PATH | O_NOFOLLOW, 0);
        if (fd == -ENOENT)
            continue;
        return fd >= 0 && fstat(fd, ret) == 0 && !is_whiteout(ret);
    }
    return false;
}

static bool same_dir(const struct stat *a, const struct stat *b)
{
    return S_ISDIR(a->st_mode) && S_ISDIR(b->st_mode) && a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int mark_parent(struct finder *finder, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return 0;
    AUTO_FREE char *parent = xstrndup(path, (size_t)(slash - path));
    if (map_get(finder->changed_dirs, parent))
        return 0;
    map_set(finder->changed_dirs, parent, finder);
    return add(finder, parent, CHANGE_MODIFIED, err);
}

static int visit(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct finder *finder = arg;
    struct stat lower;
    bool existed = below(finder, entry->path, &lower), dir = S_ISDIR(entry->stat.st_mode);
    enum change_kind kind = existed ? CHANGE_MODIFIED : CHANGE_ADDED;
    if (is_whiteout(&entry->stat))
        kind = CHANGE_DELETED;
    if (kind == CHANGE_MODIFIED && dir && same_dir(&entry->stat, &lower) && !strv_contains(finder->opaque, entry->path))
        return 0;
    if (dir && map_get(finder->changed_dirs, entry->path))
        return 0;
    if (add(finder, entry->path, kind, err) < 0)
        return -1;
    if (dir)
        map_set(finder->changed_dirs, entry->path, finder);
    return kind == CHANGE_MODIFIED ? 0 : mark_parent(finder, entry->path, err);
}

static int compare(const void *a, const void *b)
{
    const struct change *first = a, *second = b;
    return strcmp(first->path, second->path);
}

int changes_find(int upper_fd, const int *lower_fds, size_t lower_count, char *const *opaque, struct change_list *ret, struct err *err)
{
    struct finder finder = { .lower_fds = lower_fds, .lower_count = lower_count, .opaque = opaque, .changed_dirs = map_new() };
    struct walk_options walk = { .visit = visit, .arg = &finder, .missing_is_fine = true };
    int r = walk_tree(upper_fd, &walk, err);
    map_free(finder.changed_dirs);
    if (r < 0) {
        change_list_done(&finder.list);
        return -1;
    }
    if (finder.list.count)
        qsort(finder.list.items, finder.list.count, sizeof *finder.list.items, compare);
    *ret = finder.list;
    return 0;
}
