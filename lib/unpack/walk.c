#include "lib/unpack/walk.h"

#include "lib/base/buf.h"
#include "lib/base/fd.h"
#include "lib/base/strv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PATH_LIMIT 65536 /* deeper trees than any path(7): refuse rather than recurse for ever */
#define DEPTH_LIMIT 2048

struct walk {
    const struct walk_options *options;
    struct buf path;
    dev_t device;
    int depth;
};

static int compare_names(const void *a, const void *b)
{
    const char *const *first = a, *const *second = b;
    return strcmp(*first, *second);
}

struct names {
    char **items;
    size_t count, capacity;
};

static void names_done(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static int list_names(int fd, struct names *ret, struct err *err)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        fd_close(copy);
        return err_sys(err, errno, "read a directory");
    }
    rewinddir(dir);
    struct dirent *entry;
    while (errno = 0, (entry = readdir(dir))) {
        if (entry->d_name[0] == '.' && (!entry->d_name[1] || (entry->d_name[1] == '.' && !entry->d_name[2])))
            continue;
        if (ret->count == ret->capacity) {
            ret->capacity = ret->capacity ? ret->capacity * 2 : 32;
            ret->items = xreallocarray(ret->items, ret->capacity, sizeof *ret->items);
        }
        ret->items[ret->count++] = xstrdup(entry->d_name);
    }
    int failed = errno;
    closedir(dir);
    if (failed)
        return err_sys(err, failed, "read a directory");
    if (ret->count)
        qsort(ret->items, ret->count, sizeof *ret->items, compare_names);
    return 0;
}

static int walk_dir(struct walk *walk, int fd, struct err *err);

static int enter(struct walk *walk, struct walk_entry *entry, struct err *err)
{
    const struct walk_options *options = walk->options;
    int r = options->visit(options->arg, entry, err);
    if (r != 0)
        return r < 0 ? -1 : 0;
    if (!(options->one_file_system && entry->stat.st_dev != walk->device)) {
        if (++walk->depth > DEPTH_LIMIT)
            return err_set(err, ERR_INVALID, "directories are nested more than %d deep", DEPTH_LIMIT);
        r = walk_dir(walk, entry->fd, err);
        walk->depth--;
    }
    entry->path = walk->path.data;
    return r == 0 && options->leave ? options->leave(options->arg, entry, err) : r;
}

static int visit_name(struct walk *walk, int dir_fd, const char *name, struct err *err)
{
    struct walk_entry entry = { .dir_fd = dir_fd, .name = name, .fd = -1, .path = walk->path.data };
    if (fstatat(dir_fd, name, &entry.stat, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT && walk->options->missing_is_fine ? 0 : err_sys(err, errno, "look at /%s", walk->path.data);
    if (!S_ISDIR(entry.stat.st_mode))
        return walk->options->visit(walk->options->arg, &entry, err) < 0 ? -1 : 0;
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT && walk->options->missing_is_fine ? 0 : err_sys(err, errno, "open /%s", walk->path.data);
    entry.fd = fd;
    return enter(walk, &entry, err);
}

static int walk_dir(struct walk *walk, int fd, struct err *err)
{
    __attribute__((cleanup(names_done))) struct names names = { 0 };
    size_t length = walk->path.length;
    if (list_names(fd, &names, err) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        if (length)
            buf_putc(&walk->path, '/');
        buf_puts(&walk->path, names.items[i]);
        if (buf_failed(&walk->path))
            return err_set(err, ERR_INVALID, "a path is too long");
        int r = visit_name(walk, fd, names.items[i], err);
        walk->path.length = length;
        walk->path.data[length] = '\0';
        if (r < 0)
            return -1;
    }
    return 0;
}

int walk_tree(int top_fd, const struct walk_options *options, struct err *err)
{
    struct stat st;
    AUTO_FD int fd = openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(err, errno, "open a tree");
    struct walk walk = { .options = options, .path = BUF_INIT(PATH_LIMIT), .device = st.st_dev };
    int r = walk_dir(&walk, fd, err);
    buf_done(&walk.path);
    return r;
}
