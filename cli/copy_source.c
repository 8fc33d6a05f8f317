/* A walk by directory descriptors that gives one piece of tar at a time. */
#include "cli/api.h"
#include "cli/copy_files.h"
#include "cli/tar.h"
#include "lib/base/fd.h"
#include "lib/base/map.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DEPTH_MAX 512

struct level {
    DIR *dir;
    char *name; /* in the archive */
};

struct copy_source {
    struct level levels[DEPTH_MAX];
    size_t depth;
    struct map *links; /* "device:inode" -> name of the first one */
    struct buf out;    /* headers not yet given */
    int file_fd;
    char *file_name;
    uint64_t file_left, file_size, count;
    bool ended;
};

void copy_source_close(struct copy_source *source)
{
    size_t cursor = 0;
    const char *key;
    void *value;
    if (!source)
        return;
    while (source->depth > 0) {
        (void)closedir(source->levels[--source->depth].dir);
        free(source->levels[source->depth].name);
    }
    while (source->links && map_next(source->links, &cursor, &key, &value))
        free(value);
    if (source->links)
        map_free(source->links);
    buf_done(&source->out);
    fd_close(source->file_fd);
    free(source->file_name);
    free(source);
}

static char type_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return '0';
    case S_IFLNK:
        return '2';
    case S_IFCHR:
        return '3';
    case S_IFBLK:
        return '4';
    case S_IFDIR:
        return '5';
    case S_IFIFO:
        return '6';
    default:
        return 0;
    }
}

/* The name under which the same file is in the archive already, else NULL and remembered. */
static const char *earlier_link(struct copy_source *source, const struct stat *status, const char *name)
{
    if (S_ISDIR(status->st_mode) || status->st_nlink < 2)
        return NULL;
    AUTO_FREE char *key = str_format("%llu:%llu", (unsigned long long)status->st_dev, (unsigned long long)status->st_ino);
    const char *known = map_get(source->links, key);
    if (!known)
        (void)map_set(source->links, key, xstrdup(name));
    return known;
}

static int push(struct copy_source *source, int at_fd, const char *entry, const char *name, struct err *err)
{
    if (source->depth == DEPTH_MAX)
        return err_set(err, ERR_INVALID, "directories are more than %d deep: %s", DEPTH_MAX, name);
    int fd = openat(at_fd, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        (void)cli_path_error(err, "open", name, errno);
        fd_close(fd);
        return -1;
    }
    source->levels[source->depth++] = (struct level){ dir, xstrdup(name) };
    return 0;
}

static int open_content(struct copy_source *source, int at_fd, const char *entry, const char *name, uint64_t size, struct err *err)
{
    if (!size)
        return 0;
    source->file_fd = openat(at_fd, entry, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (source->file_fd < 0)
        return cli_path_error(err, "open", name, errno);
    free(source->file_name);
    source->file_name = xstrdup(name);
    source->file_left = source->file_size = size;
    return 0;
}

static int put_entry(struct copy_source *source, int at_fd, const char *entry, const char *name, struct err *err)
{
    struct stat status;
    char target[PATH_MAX];
    if (fstatat(at_fd, entry, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return cli_path_error(err, "lstat", name, errno);
    char type = type_of(status.st_mode);
    if (!type)
        return 0; /* a socket means nothing elsewhere */
    const char *link = earlier_link(source, &status, name);
    if (link)
        type = '1';
    if (type == '2') {
        ssize_t length = readlinkat(at_fd, entry, target, sizeof target - 1);
        if (length < 0)
            return cli_path_error(err, "readlink", name, errno);
        target[length] = 0;
        link = target;
    }
    uint64_t size = type == '0' ? (uint64_t)status.st_size : 0;
    tar_put_header(&source->out, &(struct tar_entry){
                                     .name = name, .link = link, .type = type, .mode = status.st_mode & 07777, .size = size,
                                     .mtime = status.st_mtime, .uid = status.st_uid, .gid = status.st_gid,
                                     .major = major(status.st_rdev), .minor = minor(status.st_rdev),
                                 });
    if (type == '5')
        return push(source, at_fd, entry, name, err);
    return open_content(source, at_fd, entry, name, size, err);
}

/* One more entry in `out`, or the end. */
static int advance(struct copy_source *source, struct err *err)
{
    while (source->depth > 0) {
        struct level *level = &source->levels[source->depth - 1];
        errno = 0;
        const struct dirent *entry = readdir(level->dir);
        if (!entry && errno)
            return cli_path_error(err, "read", level->name, errno);
        if (!entry) {
            (void)closedir(level->dir);
            free(level->name);
            source->depth--;
        } else if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..")) {
            AUTO_FREE char *name = str_format("%s%s%s", level->name, str_ends(level->name, "/") ? "" : "/", entry->d_name);
            return put_entry(source, dirfd(level->dir), entry->d_name, name, err);
        }
    }
    tar_put_end(&source->out);
    source->ended = true;
    return 0;
}

static ssize_t read_content(struct copy_source *source, void *bytes, size_t size, struct err *err)
{
    ssize_t got = read(source->file_fd, bytes, (size_t)MIN(source->file_left, (uint64_t)size));
    if (got < 0)
        return cli_path_error(err, "read", source->file_name, errno);
    if (got == 0)
        return err_set(err, ERR_INVALID, "%s: the file became shorter while it was read", source->file_name);
    source->file_left -= (uint64_t)got;
    if (!source->file_left) {
        fd_close(take_fd(&source->file_fd));
        tar_put_padding(&source->out, source->file_size);
    }
    return got;
}

ssize_t copy_source_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct copy_source *source = arg;
    ssize_t got = 0;
    while (!source->out.length && source->file_fd < 0 && !source->ended) {
        if (advance(source, err) < 0)
            return -1;
    }
    if (source->out.length) {
        got = (ssize_t)MIN(size, source->out.length);
        memcpy(bytes, source->out.data, (size_t)got);
        buf_consume(&source->out, (size_t)got);
    } else if (source->file_fd >= 0) {
        got = read_content(source, bytes, size, err);
    }
    source->count += got > 0 ? (uint64_t)got : 0;
    return got;
}

uint64_t copy_source_count(const struct copy_source *source)
{
    return source->count;
}

int copy_source_open(const char *path, const char *root_name, struct copy_source **ret, struct err *err)
{
    AUTO_FREE char *dir = NULL, *base = NULL;
    CLEANUP(copy_source_close) struct copy_source *source = xcalloc(1, sizeof *source);
    source->file_fd = -1;
    source->links = map_new();
    source->out = (struct buf)BUF_INIT(BUF_TEXT_MAX);
    copy_split(path, &dir, &base);
    AUTO_FD int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return cli_path_error(err, "open", dir, errno);
    if (put_entry(source, dir_fd, str_eq(base, "/") ? "." : base, root_name, err) < 0)
        return -1;
    *ret = take_ptr(&source);
    return 0;
}
