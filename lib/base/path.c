#include "lib/base/path.h"

#include "lib/base/fd.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

char *path_join(const char *a, const char *b)
{
    while (*b == '/')
        b++;
    size_t length = strlen(a);
    while (length > 0 && a[length - 1] == '/')
        length--;
    return str_format("%.*s/%s", (int)length, a, b);
}

char *path_clean(const char *path)
{
    bool rooted = path[0] == '/';
    char **parts = strv_split(path, '/', true), **kept = NULL;
    for (size_t i = 0; parts[i]; i++) {
        size_t count = strv_length(kept);
        if (str_eq(parts[i], "."))
            continue;
        if (!str_eq(parts[i], "..")) {
            strv_append(&kept, parts[i]);
        } else if (count > 0 && !str_eq(kept[count - 1], "..")) {
            free(kept[count - 1]);
            kept[count - 1] = NULL;
        } else if (!rooted) {
            strv_append(&kept, "..");
        }
    }
    AUTO_FREE char *joined = strv_join(kept, "/");
    strv_free(parts);
    strv_free(kept);
    return rooted ? str_format("/%s", joined) : xstrdup(*joined ? joined : ".");
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int path_mkdirs_at(int dir_fd, const char *path, mode_t mode)
{
    AUTO_FREE char *copy = xstrdup(path);
    for (char *c = copy + 1; *copy && *c; c++) {
        if (*c != '/')
            continue;
        *c = '\0';
        if (mkdirat(dir_fd, copy, mode) < 0 && errno != EEXIST)
            return -errno;
        *c = '/';
    }
    return mkdirat(dir_fd, copy, mode) < 0 && errno != EEXIST ? -errno : 0;
}

int path_mkdir_open_at(int dir_fd, const char *name, mode_t mode)
{
    if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Theory of operation of the removal. Each directory is opened with RESOLVE_NO_XDEV, so that neither a link nor a mount (not even a bind of
 * the same disk) is ever entered. Below DEPTH_MAX levels a directory is not entered but moved up into the top of the tree, and the top is
 * swept until it is empty: neither the stack nor the number of open fds grows with the tree, and a walk cut short leaves nothing outside. */
#define DEPTH_MAX 32
#define SWEEPS_MAX 1000000

struct removal {
    int top_fd;
    unsigned long counter;
};

static int open_here(int dir_fd, const char *name)
{
    struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
                            .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
    long fd;
    do {
        fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof how);
    } while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    return fd < 0 ? -errno : (int)fd;
}

static DIR *list_dir(int dir_fd)
{
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* its own position, unlike a dup */
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir)
        fd_close(copy);
    return dir;
}

static const struct dirent *next_entry(DIR *dir)
{
    const struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(dir);
    } while (entry && (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..")));
    return entry;
}

static int remove_entries(struct removal *removal, int dir_fd, int depth);

static int move_up(struct removal *removal, int parent_fd, const char *name)
{
    char moved[40];
    for (;;) {
        snprintf(moved, sizeof moved, ".removing-%lu", removal->counter++);
        if (renameat(parent_fd, name, removal->top_fd, moved) == 0 || errno == ENOENT)
            return 0;
        if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
            return -errno;
    }
}

static int remove_below(struct removal *removal, int parent_fd, const char *name, int depth)
{
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return -errno;
    if (depth >= DEPTH_MAX)
        return move_up(removal, parent_fd, name);
    AUTO_FD int fd = open_here(parent_fd, name);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    int failed = remove_entries(removal, fd, depth + 1);
    return failed == 0 && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : failed;
}

static int remove_entries(struct removal *removal, int dir_fd, int depth)
{
    const struct dirent *entry;
    int failed = 0;
    DIR *dir = list_dir(dir_fd);
    if (!dir)
        return -errno;
    while (failed == 0 && (entry = next_entry(dir))) {
        bool directory = entry->d_type == DT_DIR;
        if (!directory && unlinkat(dir_fd, entry->d_name, 0) < 0 && errno != ENOENT) {
            failed = errno == EISDIR ? 0 : -errno;
            directory = failed == 0;
        }
        if (directory)
            failed = remove_below(removal, dir_fd, entry->d_name, depth);
    }
    if (failed == 0 && !entry && errno)
        failed = -errno;
    closedir(dir);
    return failed;
}

int path_remove_tree_at(int dir_fd, const char *name)
{
    const char *base = path_base(name);
    AUTO_FREE char *parent = base == name ? xstrdup(".") : xstrndup(name, (size_t)(base - name));
    if (!*base || str_eq(base, ".") || str_eq(base, ".."))
        return -EINVAL;
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    AUTO_FD int parent_fd = openat(dir_fd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent_fd < 0)
        return -errno;
    AUTO_FD int top = open_here(parent_fd, base);
    if (top < 0)
        return top == -ENOENT ? 0 : top;
    struct removal removal = { .top_fd = top };
    for (int sweep = 0; sweep < SWEEPS_MAX; sweep++) {
        int failed = remove_entries(&removal, top, 0);
        if (failed < 0)
            return failed;
        if (unlinkat(parent_fd, base, AT_REMOVEDIR) == 0 || errno == ENOENT)
            return 0;
        if (errno != ENOTEMPTY && errno != EEXIST)
            return -errno;
    }
    return -ENOTEMPTY; /* somebody fills it as fast as we empty it */
}

/* Theory of operation of the count. One directory is open at a time; what is left to visit on each level above it is kept as names, and the
 * way up is "..", checked against the inode that was left, so that memory grows with the depth but neither fds nor time do. A file of several
 * names counts once: the others are recognised by their inode. */
struct level {
    dev_t device;
    ino_t inode;
    char **names; /* subdirectories not yet visited, the last first */
    size_t count, capacity;
};
struct usage {
    unsigned long long bytes, entries;
    struct level *levels;
    size_t depth, capacity;
    struct map *seen;
};

static void count_entry(struct usage *usage, const struct stat *info)
{
    char key[24];
    usage->entries++;
    if (!S_ISDIR(info->st_mode) && info->st_nlink > 1) {
        snprintf(key, sizeof key, "%llu", (unsigned long long)info->st_ino);
        if (map_set(usage->seen, key, usage))
            return;
    }
    usage->bytes += (unsigned long long)info->st_blocks * 512;
}

static void add_name(struct level *level, const char *name)
{
    if (level->count == level->capacity) {
        level->capacity = level->capacity ? level->capacity * 2 : 8;
        level->names = xreallocarray(level->names, level->capacity, sizeof *level->names);
    }
    level->names[level->count++] = xstrdup(name);
}

/* Counts the entries of a directory and puts a level with its subdirectories on the stack. */
static int enter_level(struct usage *usage, int dir_fd)
{
    const struct dirent *entry;
    struct stat info;
    DIR *dir = fstat(dir_fd, &info) < 0 ? NULL : list_dir(dir_fd);
    if (!dir)
        return -errno;
    if (usage->depth == usage->capacity) {
        usage->capacity = usage->capacity ? usage->capacity * 2 : 16;
        usage->levels = xreallocarray(usage->levels, usage->capacity, sizeof *usage->levels);
    }
    struct level *level = &usage->levels[usage->depth++];
    *level = (struct level){ .device = info.st_dev, .inode = info.st_ino };
    while ((entry = next_entry(dir))) {
        if (fstatat(dir_fd, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0)
            continue; /* gone meanwhile */
        count_entry(usage, &info);
        if (S_ISDIR(info.st_mode))
            add_name(level, entry->d_name);
    }
    int failed = -errno;
    closedir(dir);
    return failed;
}

static void leave_level(struct usage *usage)
{
    struct level *level = &usage->levels[--usage->depth];
    while (level->count > 0)
        free(level->names[--level->count]);
    free(level->names);
}

static int go_up(const struct level *level, int *inout_fd)
{
    struct stat info;
    int above = openat(*inout_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (above < 0)
        return -errno;
    fd_close(*inout_fd);
    *inout_fd = above;
    if (fstat(above, &info) < 0)
        return -errno;
    return info.st_dev == level->device && info.st_ino == level->inode ? 0 : -ESTALE; /* moved under our feet */
}

static int walk(struct usage *usage, int *inout_fd)
{
    int failed = enter_level(usage, *inout_fd);
    while (failed == 0 && usage->depth > 0) {
        struct level *level = &usage->levels[usage->depth - 1];
        if (level->count == 0) {
            leave_level(usage);
            failed = usage->depth ? go_up(&usage->levels[usage->depth - 1], inout_fd) : 0;
            continue;
        }
        AUTO_FREE char *name = level->names[--level->count];
        int fd = open_here(*inout_fd, name);
        if (fd == -ENOENT || fd == -EXDEV || fd == -ENOTDIR || fd == -ELOOP)
            continue; /* gone, changed, or a mount */
        if (fd < 0)
            return fd;
        fd_close(*inout_fd);
        *inout_fd = fd;
        failed = enter_level(usage, fd);
    }
    return failed;
}

int path_disk_usage_at(int dir_fd, const char *name, unsigned long long *ret_bytes, unsigned long long *ret_entries)
{
    struct stat info;
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0)
        return -errno;
    struct usage usage = { .seen = map_new() };
    count_entry(&usage, &info);
    int failed = walk(&usage, &fd);
    while (usage.depth > 0)
        leave_level(&usage);
    free(usage.levels);
    map_free(usage.seen);
    if (failed < 0)
        return failed;
    *ret_bytes = usage.bytes;
    *ret_entries = usage.entries;
    return 0;
}

void path_spread(int dir_fd)
{
    int flags = 0;
    if (ioctl(dir_fd, FS_IOC_GETFLAGS, &flags) < 0 || (flags & FS_TOPDIR_FL))
        return;
    flags |= FS_TOPDIR_FL;
    (void)ioctl(dir_fd, FS_IOC_SETFLAGS, &flags);
}
