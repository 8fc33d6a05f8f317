/* Theory of operation. The wanted way is the new mount API with one lowerdir+ per layer: no length limit, no escaping, nothing in
 * any mount table. Kernels before 6.7 refuse lowerdir+ when the superblock is made, and a path over 255 bytes does not fit into
 * fsconfig at all. The other way then is mount(2) inside a throw-away mount namespace of a forked helper: the directories are opened,
 * the working directory is /proc/self/fd, and so a layer's name is its fd number ("lowerdir=5:6:7"), which keeps 500 layers well
 * within mount(2)'s page. The helper clones the mount (now detached) and hands its fd back. */
#include "lib/base/fd.h"
#include "lib/sys/kernel.h"
#include "lib/sys/sys.h"
#include <sys/socket.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FSCONFIG_STRING_MAX 255
#define LAYERS_MAX 500

/* A copied-up file must be whole and a renamed directory must be listed as new, or diff and commit would be wrong. */
static const char *const fixed_options[][2] = {
    { "index", "off" },
    { "xino", "off" },
    { "metacopy", "off" },
    { "redirect_dir", "off" },
};

static bool fits_fsconfig(const struct sys_overlay *overlay)
{
    for (size_t i = 0; overlay->lowers[i]; i++)
        if (strlen(overlay->lowers[i]) > FSCONFIG_STRING_MAX)
            return false;
    return !overlay->upper ||
           (strlen(overlay->upper) <= FSCONFIG_STRING_MAX && strlen(overlay->work) <= FSCONFIG_STRING_MAX);
}

static int configure(int fs_fd, const struct sys_overlay *overlay)
{
    int r = sys_fsconfig_string(fs_fd, "source", "overlay");
    for (size_t i = 0; i < sizeof fixed_options / sizeof *fixed_options; i++)
        (void)sys_fsconfig_string(fs_fd, fixed_options[i][0], fixed_options[i][1]); /* unknown to this kernel: not there */
    for (size_t i = 0; r >= 0 && overlay->lowers[i]; i++)
        r = sys_fsconfig_string(fs_fd, "lowerdir+", overlay->lowers[i]);
    if (r >= 0 && overlay->upper)
        r = sys_fsconfig_string(fs_fd, "upperdir", overlay->upper);
    if (r >= 0 && overlay->upper)
        r = sys_fsconfig_string(fs_fd, "workdir", overlay->work);
    if (r >= 0 && overlay->volatile_mount)
        r = sys_fsconfig_flag(fs_fd, "volatile");
    return r >= 0 ? sys_fsconfig_create(fs_fd) : r;
}

static int mount_by_fsconfig(const struct sys_overlay *overlay, unsigned attr)
{
    int fs_fd = sys_fsopen("overlay");
    if (fs_fd < 0)
        return fs_fd;
    int r = configure(fs_fd, overlay);
    if (r >= 0)
        r = sys_fsmount(fs_fd, attr);
    close(fs_fd);
    return r;
}

struct option_text {
    char text[4096];
    size_t length;
    bool full;
};

static void option_add_fd(struct option_text *out, const char *prefix, const char *path, int *error)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        *error = *error ? *error : -errno;
        return;
    }
    int n = snprintf(out->text + out->length, sizeof out->text - out->length, "%s%d", prefix, fd);
    if (n < 0 || (size_t)n >= sizeof out->text - out->length)
        out->full = true;
    else
        out->length += (size_t)n;
}

/* In the helper: its fds, working directory and mounts end with it. */
static int mount_in_helper(const struct sys_overlay *overlay, unsigned attr)
{
    struct option_text options = { .length = 0 };
    int error = 0;
    /* first of all: overlay takes only mounts of the caller's own namespace */
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;
    for (size_t i = 0; overlay->lowers[i]; i++)
        option_add_fd(&options, i ? ":" : "lowerdir=", overlay->lowers[i], &error);
    if (overlay->upper)
        option_add_fd(&options, ",upperdir=", overlay->upper, &error);
    if (overlay->upper)
        option_add_fd(&options, ",workdir=", overlay->work, &error);
    if (error)
        return error;
    int n = snprintf(options.text + options.length, sizeof options.text - options.length,
                     ",index=off,xino=off,metacopy=off,redirect_dir=off%s", overlay->volatile_mount ? ",volatile" : "");
    if (options.full || n < 0 || (size_t)n >= sizeof options.text - options.length)
        return -E2BIG;
    if (chdir("/proc/self/fd") < 0 || mount("overlay", "/proc", "overlay", 0, options.text) < 0)
        return -errno;
    int fd = sys_open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE);
    if (fd < 0)
        return fd;
    int r = attr ? sys_mount_setattr(fd, "", AT_EMPTY_PATH, attr, 0, 0) : 0;
    return r < 0 ? r : fd;
}

static void helper_main(int sock, const struct sys_overlay *overlay, unsigned attr)
{
    int fd = mount_in_helper(overlay, attr);
    int code = fd < 0 ? fd : 0;
    fd_send(sock, &code, sizeof code, &fd, fd < 0 ? 0 : 1);
    _exit(0);
}

static int mount_by_helper(const struct sys_overlay *overlay, unsigned attr)
{
    int pair[2];
    int r = fd_socketpair(SOCK_SEQPACKET, pair);
    if (r < 0)
        return r;
    struct sys_clone_args args = { .exit_signal = SIGCHLD };
    pid_t pid = sys_clone3(&args);
    if (pid == 0)
        helper_main(pair[1], overlay, attr);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return pid;
    }
    int code = -EIO, fd = -1;
    size_t fd_count = 1;
    ssize_t n = fd_recv(pair[0], &code, sizeof code, &fd, &fd_count);
    close(pair[0]);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (n != (ssize_t)sizeof code)
        return n < 0 ? (int)n : -EIO;
    return code < 0 || fd_count != 1 ? (code < 0 ? code : -EIO) : fd;
}

int sys_overlay_mount(const struct sys_overlay *overlay, unsigned attr)
{
    size_t layers = 0;
    while (overlay->lowers[layers])
        layers++;
    if (layers > LAYERS_MAX)
        return -E2BIG;
    int r = fits_fsconfig(overlay) ? mount_by_fsconfig(overlay, attr) : -ENAMETOOLONG;
    if (r == -EINVAL || r == -ENAMETOOLONG || r == -ENOSYS)
        return mount_by_helper(overlay, attr);
    return r;
}
