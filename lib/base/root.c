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

#define DANGLING_MAX 40

static int make_steps(int root_fd, const char *path, mode_t mode, int links);

/* name in at (whose path is before) is a link to what is not there: that is made, inside the root like all else. */
static int make_link_target(int root_fd, int at, const char *before, const char *name, mode_t mode, int links)
{
    char target[4096];
    ssize_t length = readlinkat(at, name, target, sizeof target - 1);
    if (length < 0)
        return errno == EINVAL ? -ENOENT : -errno;
    if (links == 0)
        return -ENOENT;
    target[length] = '\0';
    AUTO_FREE char *path = str_format("%s/%s", target[0] == '/' ? "" : before, target);
    return make_steps(root_fd, path, mode, links - 1);
}

/* One step: the directory `name` of `at`; done is its path, before that of at. */
static int make_step(int root_fd, int at, const char *before, const char *name, mode_t mode, int links)
{
    AUTO_FREE char *done = str_format("%s/%s", before, name);
    int fd = root_open(root_fd, done, O_PATH | O_DIRECTORY, 0);
    if (fd != -ENOENT)
        return fd;
    if (mkdirat(at, name, mode) < 0) {
        if (errno != EEXIST)
            return -errno;
        fd = root_open(root_fd, done, O_PATH | O_DIRECTORY, 0); /* somebody else was quicker */
        return fd == -ENOENT ? make_link_target(root_fd, at, before, name, mode, links) : fd;
    }
    return root_open(root_fd, done, O_PATH | O_DIRECTORY, 0);
}

static int make_steps(int root_fd, const char *path, mode_t mode, int links)
{
    AUTO_FREE char *before = xstrdup("");
    AUTO_FD int at = root_open(root_fd, ".", O_PATH | O_DIRECTORY, 0);
    while (at >= 0 && *path) {
        size_t length = strcspn(path, "/");
        if (length == 0) {
            path++;
            continue;
        }
        AUTO_FREE char *name = xstrndup(path, length);
        int next = make_step(root_fd, at, before, name, mode, links);
        if (next < 0)
            return next;
        fd_close(at);
        at = next;
        char *longer = str_format("%s/%s", before, name);
        free(before);
        before = longer;
        path += length;
    }
    return take_fd(&at);
}

/* Each step is resolved inside the root by the kernel, so an existing link is followed there and a missing directory is made on a
 * verified parent. */
int root_mkdirs(int root_fd, const char *path, mode_t mode)
{
    return make_steps(root_fd, path, mode, 0);
}

int root_mkdirs_behind_links(int root_fd, const char *path, mode_t mode)
{
    return make_steps(root_fd, path, mode, DANGLING_MAX);
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
