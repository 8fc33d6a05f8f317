/* Files from an archive that a container sent. The container is not trusted: names are taken apart here, parents are opened
 * beneath the destination by the kernel, and nothing is opened through a link that the archive itself may have made. */
#include "cli/api.h"
#include "cli/copy_files.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)

/* Times of directories are set last: what is made inside changes them. */
struct dir_time {
    char *path;
    int64_t mtime;
    mode_t mode;
};

struct unpack {
    struct tar_reader *reader;
    const struct copy_plan *plan;
    char *dir; /* plan's, clean, for messages */
    int root_fd;
    char *piece;
    struct dir_time *dirs;
    size_t dir_count;
};

/* "./a//b/" -> "a/b"; "" is the destination itself. ERR_INVALID for "..". */
static int clean_name(const char *name, char **ret, struct err *err)
{
    CLEANUP(strv_free) char **parts = strv_split(name, '/', true);
    CLEANUP(strv_free) char **kept = NULL;
    for (char **part = parts; *part; part++) {
        if (str_eq(*part, ".."))
            return err_set(err, ERR_INVALID, "archive holds the name \"%s\", which leads out of the destination", name);
        if (!str_eq(*part, "."))
            strv_append(&kept, *part);
    }
    *ret = strv_join(kept, "/");
    return 0;
}

/* The directory that holds the name; missing ones are made. */
static int open_parent(struct unpack *unpack, const char *name, const char **ret_base, struct err *err)
{
    *ret_base = path_base(name);
    AUTO_FREE char *dir = xstrndup(name, (size_t)(*ret_base - name));
    int fd = root_open_beneath(unpack->root_fd, *dir ? dir : ".", O_PATH | O_DIRECTORY, 0);
    if (fd == -ENOENT && path_mkdirs_at(unpack->root_fd, dir, 0777) == 0)
        fd = root_open_beneath(unpack->root_fd, dir, O_PATH | O_DIRECTORY, 0);
    if (fd == -EXDEV)
        return err_set(err, ERR_INVALID, "%s: a link on the way leads out of the destination", name);
    return fd < 0 ? cli_path_error(err, "open", dir, fd) : fd;
}

static int make_room(const struct unpack *unpack, int parent_fd, const char *base, const char *name, bool is_dir, struct err *err)
{
    struct stat status;
    if (fstatat(parent_fd, base, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : cli_path_error(err, "lstat", name, errno);
    if (S_ISDIR(status.st_mode) && !is_dir)
        return err_set(err, ERR_CONFLICT, "cannot overwrite directory \"%s\" with non-directory \"%s\"", name, unpack->dir);
    if (!S_ISDIR(status.st_mode) && is_dir)
        return err_set(err, ERR_CONFLICT, "cannot overwrite non-directory \"%s\" with directory \"%s\"", name, unpack->dir);
    if (!is_dir && unlinkat(parent_fd, base, 0) < 0)
        return cli_path_error(err, "remove", name, errno);
    return 0;
}

static void set_times(int parent_fd, const char *base, int64_t mtime)
{
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = mtime } };
    (void)utimensat(parent_fd, base, times, AT_SYMLINK_NOFOLLOW);
}

static int put_file(struct unpack *unpack, int parent_fd, const char *base, const struct tar_member *member, struct err *err)
{
    AUTO_FD int fd = openat(parent_fd, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return cli_path_error(err, "open", base, errno);
    ssize_t got;
    while ((got = tar_content(unpack->reader, unpack->piece, PIECE, err)) > 0) {
        int ret = io_write_all(fd, unpack->piece, (size_t)got);
        if (ret < 0)
            return cli_path_error(err, "write", base, ret);
    }
    if (got < 0)
        return -1;
    if (fchmod(fd, member->mode) < 0)
        return cli_path_error(err, "chmod", base, errno);
    return 0;
}

static int put_hard_link(struct unpack *unpack, int parent_fd, const char *base, const struct tar_member *member, struct err *err)
{
    AUTO_FREE char *renamed = copy_entry_name(unpack->plan, member->link);
    AUTO_FREE char *target = NULL;
    const char *target_base;
    if (clean_name(renamed, &target, err) < 0)
        return -1;
    AUTO_FD int target_fd = open_parent(unpack, target, &target_base, err);
    if (target_fd < 0)
        return -1;
    if (linkat(target_fd, target_base, parent_fd, base, 0) < 0)
        return cli_path_error(err, "link", base, errno);
    return 0;
}

static int put_dir(struct unpack *unpack, int parent_fd, const char *base, const char *name, const struct tar_member *member,
                   struct err *err)
{
    if (*base && mkdirat(parent_fd, base, 0700) < 0 && errno != EEXIST)
        return cli_path_error(err, "mkdir", name, errno);
    unpack->dirs = xreallocarray(unpack->dirs, unpack->dir_count + 1, sizeof *unpack->dirs);
    unpack->dirs[unpack->dir_count++] = (struct dir_time){ xstrdup(name), member->mtime, member->mode };
    return 0;
}

static int put_other(int parent_fd, const char *base, const char *name, const struct tar_member *member, struct err *err)
{
    int ret;
    if (member->type == '2') {
        ret = symlinkat(member->link, parent_fd, base);
    } else {
        mode_t kind = member->type == '3' ? S_IFCHR : member->type == '4' ? S_IFBLK : S_IFIFO;
        ret = mknodat(parent_fd, base, kind | member->mode, makedev(member->major, member->minor));
    }
    return ret < 0 ? cli_path_error(err, member->type == '2' ? "symlink" : "mknod", name, errno) : 0;
}

static int put_member(struct unpack *unpack, const struct tar_member *member, struct err *err)
{
    AUTO_FREE char *renamed = copy_entry_name(unpack->plan, member->name);
    AUTO_FREE char *name = NULL;
    const char *base;
    if (clean_name(renamed, &name, err) < 0)
        return -1;
    if (!*name && member->type != '5')
        return err_set(err, ERR_INVALID, "archive holds an entry without name");
    AUTO_FD int parent_fd = open_parent(unpack, name, &base, err);
    if (parent_fd < 0 || (*base && make_room(unpack, parent_fd, base, name, member->type == '5', err) < 0))
        return -1;
    switch (member->type) {
    case '0':
        if (put_file(unpack, parent_fd, base, member, err) < 0)
            return -1;
        break;
    case '1':
        return put_hard_link(unpack, parent_fd, base, member, err);
    case '5':
        return put_dir(unpack, parent_fd, base, name, member, err);
    default:
        if (put_other(parent_fd, base, name, member, err) < 0)
            return -1;
    }
    set_times(parent_fd, base, member->mtime);
    return 0;
}

/* Modes and times of directories, the deepest first; the destination itself, when it was there, keeps its own. */
static void finish_dirs(struct unpack *unpack)
{
    while (unpack->dir_count > 0) {
        struct dir_time *dir = &unpack->dirs[--unpack->dir_count];
        AUTO_FD int fd = *dir->path ? root_open_beneath(unpack->root_fd, dir->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0) : -1;
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = dir->mtime } };
        if (fd >= 0) {
            (void)fchmod(fd, dir->mode);
            (void)futimens(fd, times);
        }
        free(dir->path);
    }
    free(unpack->dirs);
}

int copy_unpack(struct tar_reader *reader, const struct copy_plan *plan, struct err *err)
{
    AUTO_FD int root_fd = open(plan->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return cli_path_error(err, "open", plan->dir, errno);
    AUTO_FREE char *piece = xmalloc(PIECE);
    AUTO_FREE char *dir = path_clean(plan->dir);
    struct unpack unpack = { .reader = reader, .plan = plan, .dir = dir, .root_fd = root_fd, .piece = piece };
    const struct tar_member *member;
    int ret;
    while ((ret = tar_next(reader, &member, err)) == 1) {
        if (put_member(&unpack, member, err) < 0) {
            ret = -1;
            break;
        }
    }
    finish_dirs(&unpack);
    return ret < 0 ? -1 : tar_drain(reader, err);
}
