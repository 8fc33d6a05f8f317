#include "lib/unpack/copytree.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/unpack/nodes.h"
#include "lib/unpack/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct copy {
    int to_fd;
    struct copy_options *options;
    struct link_table links;
    char *parent_path;
    int parent_fd;
};

static int open_parent(struct copy *copy, const char *path, int *ret_fd, struct err *err)
{
    const char *slash = strrchr(path, '/'), *name;
    AUTO_FREE char *parent = xstrndup(path, slash ? (size_t)(slash - path) : 0);
    if (!copy->parent_path || !str_eq(copy->parent_path, parent)) {
        fd_close(copy->parent_fd);
        free(copy->parent_path);
        copy->parent_path = NULL;
        copy->parent_fd = root_open_parent(copy->to_fd, path, false, &name);
        if (copy->parent_fd < 0)
            return err_sys(err, copy->parent_fd, "open the copy's directory");
        copy->parent_path = take_ptr(&parent);
    }
    *ret_fd = copy->parent_fd;
    return 0;
}

static int dress(int fd, const struct stat *st, struct err *err)
{
    const struct timespec times[2] = { st->st_atim, st->st_mtim };
    if (fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0 || futimens(fd, times) < 0)
        return err_sys(err, errno, "copy owner, mode and times");
    return 0;
}

int copy_dir_metadata(int from_fd, int to_fd, struct err *err)
{
    struct stat st;
    if (fstat(from_fd, &st) < 0)
        return err_sys(err, errno, "look at a directory");
    return dress(to_fd, &st, err);
}

int copy_data(int from_fd, int to_fd, struct err *err)
{
    if (ioctl(to_fd, FICLONE, from_fd) == 0)
        return 0;
    int r = io_copy(from_fd, to_fd, NULL);
    return r < 0 ? err_sys(err, r, "copy") : 0;
}

static int copy_file(struct copy *copy, const struct walk_entry *entry, int parent_fd, struct err *err)
{
    const char *first = entry->stat.st_nlink > 1 ? link_table_seen(&copy->links, &entry->stat, entry->path) : NULL;
    struct stat st;
    if (first) {
        const char *name;
        AUTO_FD int dir_fd = root_open_parent(copy->to_fd, first, false, &name);
        if (dir_fd < 0 || linkat(dir_fd, name, parent_fd, entry->name, 0) < 0)
            return err_sys(err, dir_fd < 0 ? dir_fd : errno, "make a hard link");
        return 0;
    }
    AUTO_FD int from_fd = node_open(entry->dir_fd, entry->name);
    if (from_fd < 0 && errno == ENOENT && copy->options->living)
        return 0;
    if (from_fd < 0 || fstat(from_fd, &st) < 0)
        return err_sys(err, errno, "open");
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INTERNAL, "it turned into something else while it was copied");
    AUTO_FD int to_fd = openat(parent_fd, entry->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to_fd < 0)
        return err_sys(err, errno, "create");
    copy->options->content_size += (uint64_t)st.st_size;
    if (copy_data(from_fd, to_fd, err) < 0)
        return -1;
    const struct timespec times[2] = { st.st_atim, st.st_mtim };
    if (fchown(to_fd, st.st_uid, st.st_gid) < 0 || fchmod(to_fd, st.st_mode & 07777) < 0)
        return err_sys(err, errno, "copy owner and mode");
    if (xattrs_copy(from_fd, to_fd, err) < 0)
        return -1;
    return futimens(to_fd, times) < 0 ? err_sys(err, errno, "copy times") : 0;
}

static int copy_special(struct copy *copy, const struct walk_entry *entry, int parent_fd, struct err *err)
{
    const struct stat *st = &entry->stat;
    const struct timespec times[2] = { st->st_atim, st->st_mtim };
    char target[4097];
    bool link = S_ISLNK(st->st_mode), mark = S_ISCHR(st->st_mode) && st->st_rdev == 0;
    if (S_ISSOCK(st->st_mode) || (mark && !copy->options->keep_marks))
        return 0;
    if (link) {
        ssize_t n = readlinkat(entry->dir_fd, entry->name, target, sizeof target - 1);
        if (n < 0)
            return copy->options->living && errno == ENOENT ? 0 : err_sys(err, errno, "read the link");
        target[n] = '\0';
        copy->options->content_size += (uint64_t)n;
    }
    int r = link ? symlinkat(target, parent_fd, entry->name) : mknodat(parent_fd, entry->name, st->st_mode, st->st_rdev);
    if (r < 0)
        return err_sys(err, errno, "create");
    /* no chmod, which would follow a link that somebody put there meanwhile: mknod has given the mode */
    if (fchownat(parent_fd, entry->name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(parent_fd, entry->name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, errno, "copy owner, mode and times");
    return 0;
}

static int visit(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct copy *copy = arg;
    int parent_fd = -1, r;
    copy->options->entries++;
    if (open_parent(copy, entry->path, &parent_fd, err) < 0)
        return err_wrap(err, "copy /%.300s", entry->path);
    if (S_ISDIR(entry->stat.st_mode))
        r = mkdirat(parent_fd, entry->name, 0700) < 0 ? err_sys(err, errno, "create") : 0;
    else if (S_ISREG(entry->stat.st_mode))
        r = copy_file(copy, entry, parent_fd, err);
    else
        r = copy_special(copy, entry, parent_fd, err);
    return r < 0 ? err_wrap(err, "copy /%.300s", entry->path) : 0;
}

static int leave(void *arg, const struct walk_entry *entry, struct err *err)
{
    struct copy *copy = arg;
    AUTO_FD int fd = root_open(copy->to_fd, entry->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0)
        return err_sys(err, fd, "open the copy of /%.300s", entry->path);
    if (xattrs_copy(entry->fd, fd, err) < 0 || dress(fd, &entry->stat, err) < 0)
        return err_wrap(err, "copy /%.300s", entry->path);
    return 0;
}

int copy_tree(int from_fd, int to_fd, struct copy_options *options, struct err *err)
{
    struct copy copy = { .to_fd = to_fd, .options = options, .parent_fd = -1 };
    struct walk_options walk = { .visit = visit, .leave = leave, .arg = &copy, .missing_is_fine = options->living };
    int r = walk_tree(from_fd, &walk, err);
    fd_close(copy.parent_fd);
    free(copy.parent_path);
    link_table_done(&copy.links);
    return r;
}
