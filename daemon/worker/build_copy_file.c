/* One file, link or device, copied. */
#include "daemon/worker/build_copy.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/unpack/copytree.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define SMALL_FILE ((off_t)128 << 10) /* cheaper through memory than by a call that copies in the kernel */

struct file_like copy_like(const struct copying *copying, const struct stat *st)
{
    const struct job_build_copy *params = copying->params;
    struct file_like like = { .uid = st->st_uid, .gid = st->st_gid, .mtime = st->st_mtim };
    if (copying->has_owner || copying->context) {
        like.uid = copying->uid;
        like.gid = copying->gid;
    }
    like.mode = mode_change_apply(&copying->chmod, st->st_mode);
    if (params->file_mode >= 0 && S_ISREG(st->st_mode))
        like.mode = (mode_t)params->file_mode & 07777;
    if (params->mtime_unix >= 0)
        like.mtime = (struct timespec){ .tv_sec = params->mtime_unix };
    return like;
}

int copy_dress_dir(const struct copying *copying, int from_fd, const struct stat *st, int to_fd, struct err *err)
{
    struct file_like like = copy_like(copying, st);
    const struct timespec times[2] = { like.mtime, like.mtime };
    if (!copying->context && xattrs_copy(from_fd, to_fd, err) < 0)
        return -1;
    if (fchown(to_fd, like.uid, like.gid) < 0 || fchmod(to_fd, like.mode) < 0 || futimens(to_fd, times) < 0)
        return err_sys(err, errno, "copy owner, mode and times");
    return 0;
}

/* ---- making way ---- */

static int refuse_directory(struct view_dir *dir, const char *name, struct err *err)
{
    AUTO_FREE char *path = view_path(dir, name);
    return err_set(err, ERR_INVALID, "cannot replace to directory %s with file", path);
}

/* The name is free in the upper afterwards, and nothing but a file shows from the lower. */
static int make_way(struct view_dir *dir, const char *name, struct err *err)
{
    struct stat st;
    bool whiteout = false;
    if (fstatat(dir->upper_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISDIR(st.st_mode))
            return refuse_directory(dir, name, err);
        whiteout = S_ISCHR(st.st_mode) && st.st_rdev == 0;
        if (unlinkat(dir->upper_fd, name, 0) < 0)
            return err_sys(err, errno, "replace %s", name);
    }
    if (!whiteout && dir->lower_fd >= 0 && fstatat(dir->lower_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
        return refuse_directory(dir, name, err);
    return 0;
}

/* ---- regular files ---- */

static int copy_small(struct copying *copying, int from_fd, int to_fd, off_t size, struct err *err)
{
    ssize_t got = io_read_full(from_fd, copying->buffer, (size_t)size);
    int r = got < 0 ? (int)got : io_write_all(to_fd, copying->buffer, (size_t)got);
    return r < 0 ? err_sys(err, r, "copy") : 0;
}

static int copy_bytes(struct copying *copying, int from_fd, int to_fd, off_t size, struct err *err)
{
    copying->bytes += size;
    if (size == 0)
        return 0;
    return size <= SMALL_FILE ? copy_small(copying, from_fd, to_fd, size, err) : copy_data(from_fd, to_fd, err);
}

static int dress_file(const struct copying *copying, int from_fd, int to_fd, const struct file_like *like, struct err *err)
{
    const struct timespec times[2] = { like->mtime, like->mtime };
    if (fchown(to_fd, like->uid, like->gid) < 0)
        return err_sys(err, errno, "copy the owner");
    if (!copying->context && xattrs_copy(from_fd, to_fd, err) < 0)
        return -1;
    if (fchmod(to_fd, like->mode) < 0 || futimens(to_fd, times) < 0)
        return err_sys(err, errno, "copy mode and times");
    return 0;
}

static int copy_regular(struct copying *copying, const struct walk_entry *from, struct view_dir *dir, const char *name, struct err *err)
{
    struct file_like like = copy_like(copying, &from->stat);
    AUTO_FD int from_fd = node_open(from->dir_fd, from->name);
    if (from_fd < 0)
        return err_sys(err, errno, "open");
    AUTO_FD int to_fd = openat(dir->upper_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to_fd < 0)
        return err_sys(err, errno, "create");
    if (copy_bytes(copying, from_fd, to_fd, from->stat.st_size, err) < 0)
        return -1;
    return dress_file(copying, from_fd, to_fd, &like, err);
}

/* A file of the context that is right as it is. Once in a build: in two places it would be two names of one file, which the container sees
 * by its inode and its count of links, also when the places are in different layers. */
static int link_context(struct copying *copying, const struct walk_entry *from, struct view_dir *dir, const char *name)
{
    const struct stat *st = &from->stat;
    struct file_like like = copy_like(copying, st);
    if (!copying->may_link || st->st_nlink > 1 || like.uid != st->st_uid || like.gid != st->st_gid || like.mode != (st->st_mode & 07777) ||
        copying->params->mtime_unix >= 0)
        return -1;
    if (linkat(from->dir_fd, from->name, dir->upper_fd, name, 0) == 0) {
        copying->bytes += st->st_size;
        return 0;
    }
    if (errno != EMLINK && errno != EEXIST)
        copying->may_link = false; /* another file system, or forbidden here */
    return -1;
}

static int link_first(struct copying *copying, const char *first, struct view_dir *dir, const char *name, struct err *err)
{
    AUTO_VIEW_AT struct view_at at = { 0 };
    if (view_resolve(&copying->dest, first, false, &at, err) < 0)
        return -1;
    if (!at.exists || at.dir->upper_fd < 0 || linkat(at.dir->upper_fd, at.rest[0], dir->upper_fd, name, 0) < 0)
        return err_sys(err, errno, "make a hard link to %s", first);
    return 0;
}

static int put_regular(struct copying *copying, const struct walk_entry *from, struct view_dir *dir, const char *name, struct link_table *links,
                       struct err *err)
{
    if (from->stat.st_nlink > 1) {
        AUTO_FREE char *path = view_path(dir, name);
        const char *first = link_table_seen(links, &from->stat, path);
        if (first && !str_eq(first, path))
            return link_first(copying, first, dir, name, err);
    }
    if (link_context(copying, from, dir, name) == 0)
        return 0;
    return copy_regular(copying, from, dir, name, err);
}

/* ---- links, devices, pipes ---- */

static int put_special(struct copying *copying, const struct walk_entry *from, struct view_dir *dir, const char *name, struct err *err)
{
    struct file_like like = copy_like(copying, &from->stat);
    const struct timespec times[2] = { like.mtime, like.mtime };
    char target[4097];
    bool link = S_ISLNK(from->stat.st_mode);
    ssize_t length = link ? readlinkat(from->dir_fd, from->name, target, sizeof target - 1) : 0;
    if (length < 0)
        return err_sys(err, errno, "read the link");
    target[length] = '\0';
    int r = link ? symlinkat(target, dir->upper_fd, name) : mknodat(dir->upper_fd, name, from->stat.st_mode, from->stat.st_rdev);
    if (r < 0)
        return err_sys(err, errno, "create");
    if (fchownat(dir->upper_fd, name, like.uid, like.gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        (!link && fchmodat(dir->upper_fd, name, like.mode, 0) < 0) || utimensat(dir->upper_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, errno, "copy owner, mode and times");
    return 0;
}

static int put_node(struct copying *copying, const struct walk_entry *from, struct view_dir *dir, const char *name, struct link_table *links, struct err *err)
{
    return S_ISREG(from->stat.st_mode) ? put_regular(copying, from, dir, name, links, err) : put_special(copying, from, dir, name, err);
}

/* In a directory that is new nothing is in the way but what this very step has put there: that is found out by trying. */
int copy_node(struct copying *copying, const struct walk_entry *from, struct view_dir *dir, const char *name, struct link_table *links, struct err *err)
{
    if (view_copy_up(dir, err) < 0 || (dir->lower_fd >= 0 && make_way(dir, name, err) < 0))
        return -1;
    copying->files++;
    int r = put_node(copying, from, dir, name, links, err);
    if (r < 0 && err->sys_errno == EEXIST) {
        err_clear(err);
        r = make_way(dir, name, err);
        if (r < 0)
            return -1;
        r = put_node(copying, from, dir, name, links, err);
    }
    if (r == 0)
        return 0;
    AUTO_FREE char *path = view_path(dir, name);
    return err_wrap(err, "copy to %.300s", path);
}

/* A file of its own, as if the source were one of mode 0644 made now. */
int copy_text(struct copying *copying, const char *text, struct view_dir *dir, const char *name, struct err *err)
{
    const struct stat made = { .st_mode = S_IFREG | 0644 };
    struct file_like like = copy_like(copying, &made);
    const struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } }, then[2] = { like.mtime, like.mtime };
    if (view_copy_up(dir, err) < 0 || make_way(dir, name, err) < 0)
        return -1;
    AUTO_FD int fd = openat(dir->upper_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : io_write_all(fd, text, strlen(text));
    if (r == 0 && (fchown(fd, like.uid, like.gid) < 0 || fchmod(fd, like.mode) < 0 || futimens(fd, copying->params->mtime_unix >= 0 ? then : now) < 0))
        r = -errno;
    copying->files++;
    copying->bytes += (int64_t)strlen(text);
    return r < 0 ? err_sys(err, r, "write %s", name) : 0;
}
