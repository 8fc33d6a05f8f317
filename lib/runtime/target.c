/* Where a mount goes: O_PATH fds inside the container's root, resolved by the kernel only (openat2 IN_ROOT), made when missing. */
#include "lib/base/fd.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"
#include "lib/sys/kernel.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40

/* path becomes where the dangling link at its end points to. */
static int follow_link(int parent_fd, const char *name, char *path, size_t size)
{
    char link[PATH_MAX], next[PATH_MAX];
    ssize_t length = readlinkat(parent_fd, name, link, sizeof link - 1);
    if (length < 0)
        return errno == EINVAL ? -EEXIST : -errno;
    link[length] = '\0';
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    while (end > 0 && path[end - 1] != '/')
        end--;
    int n = snprintf(next, sizeof next, "%.*s%s", link[0] == '/' ? 0 : (int)end, path, link);
    if (n < 0 || (size_t)n >= sizeof next || !str_copy(path, size, next))
        return -ENAMETOOLONG;
    return 0;
}

static int make_leaf(int parent_fd, const char *name, bool directory)
{
    if (directory)
        return mkdirat(parent_fd, name, 0755) < 0 ? -errno : 0;
    int fd = openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

/* Images ship links whose target only exists later (/etc/resolv.conf -> ../run/...): the link is followed by hand, still inside the
 * root, until the name can be made. */
static int target_make(int root_fd, const char *path, bool directory)
{
    char at[PATH_MAX];
    if (!str_copy(at, sizeof at, path))
        return -ENAMETOOLONG;
    for (int i = 0; i < LINKS_MAX; i++) {
        int fd = root_open(root_fd, at, O_PATH | (directory ? O_DIRECTORY : 0), 0);
        if (fd != -ENOENT)
            return fd;
        const char *name;
        AUTO_FD int parent = root_open_parent(root_fd, at, true, &name);
        if (parent < 0)
            return parent;
        int r = make_leaf(parent, name, directory);
        if (r == -EEXIST)
            r = follow_link(parent, name, at, sizeof at);
        if (r < 0)
            return r;
    }
    return -ELOOP;
}

int target_directory(int root_fd, const char *path)
{
    return target_make(root_fd, path, true);
}

int target_file(int root_fd, const char *path)
{
    return target_make(root_fd, path, false);
}

int target_real_directory(int root_fd, const char *path)
{
    uint64_t resolve = SYS_RESOLVE_IN_ROOT | SYS_RESOLVE_NO_SYMLINKS | SYS_RESOLVE_NO_MAGICLINKS;
    int fd = sys_openat2(root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, resolve);
    if (fd != -ENOENT)
        return fd;
    fd_close(root_mkdirs(root_fd, path, 0755));
    return sys_openat2(root_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, resolve);
}
