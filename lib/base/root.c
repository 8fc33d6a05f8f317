#include "lib/base/root.h"

#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_how(int root_fd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
    struct open_how how = { .flags = (uint64_t)flags | O_CLOEXEC, .resolve = resolve | RESOLVE_NO_MAGICLINKS };
    if (flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)))
        how.mode = mode;
    for (int attempt = 0; attempt < 128; attempt++) {
        long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
    return -EAGAIN; /* somebody renames in the tree without end */
}

int root_open(int root_fd, const char *path, int flags, mode_t mode)
{
    return open_how(root_fd, *path ? path : ".", flags, mode, RESOLVE_IN_ROOT);
}

int root_open_beneath(int root_fd, const char *path, int flags, mode_t mode)
{
    return open_how(root_fd, *path ? path : ".", flags, mode, RESOLVE_BENEATH);
}

/* Each step is resolved inside the root by the kernel, so an existing link is followed there and a missing directory is made on a
 * verified parent. */
int root_mkdirs(int root_fd, const char *path, mode_t mode)
{
    AUTO_FREE char *done = xcalloc(1, strlen(path) * 2 + 2);
    AUTO_FD int at = root_open(root_fd, ".", O_PATH | O_DIRECTORY, 0);
    if (at < 0)
        return at;
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 0) {
            path++;
            continue;
        }
        size_t used = strlen(done);
        AUTO_FREE char *name = xstrndup(path, length);
        done[used] = '/';
        memcpy(done + used + 1, path, length);
        done[used + 1 + length] = '\0';
        int next = root_open(root_fd, done, O_PATH | O_DIRECTORY, 0);
        if (next == -ENOENT && mkdirat(at, name, mode) < 0 && errno != EEXIST)
            return -errno;
        if (next == -ENOENT)
            next = root_open(root_fd, done, O_PATH | O_DIRECTORY, 0);
        if (next < 0)
            return next;
        fd_close(at);
        at = next;
        path += length;
    }
    return take_fd(&at);
}

int root_open_parent(int root_fd, const char *path, bool make, const char **ret_name)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    /* As a last component ".." would lead out again and "link/" would be followed by the caller's *at call. */
    if (str_eq(name, "..") || (!*name && strspn(path, "/") != strlen(path)))
        return -EINVAL;
    AUTO_FREE char *parent = xstrndup(path, (size_t)(name - path));
    *ret_name = name;
    if (make)
        return root_mkdirs(root_fd, parent, 0755);
    return root_open(root_fd, parent, O_PATH | O_DIRECTORY, 0);
}
