#include "lib/sys/kernel.h"
#include "lib/sys/sys.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { SET_FLAG = 0, SET_STRING = 1, CMD_CREATE = 6 }; /* fsconfig(2) */
#define FSOPEN_CLOSE_ON_EXEC 1
#define FSMOUNT_CLOSE_ON_EXEC 1

struct mount_attributes { /* struct mount_attr of mount_setattr(2) */
    uint64_t set, clear, propagation, userns_fd;
};
struct open_how_bytes {
    uint64_t flags, mode, resolve;
};

static int result(long value)
{
    return value < 0 ? -errno : (int)value;
}

int sys_fsopen(const char *fstype)
{
    return result(syscall(SYS_fsopen, fstype, FSOPEN_CLOSE_ON_EXEC));
}

int sys_fsconfig_string(int fs_fd, const char *key, const char *value)
{
    return result(syscall(SYS_fsconfig, fs_fd, SET_STRING, key, value, 0));
}

int sys_fsconfig_flag(int fs_fd, const char *key)
{
    return result(syscall(SYS_fsconfig, fs_fd, SET_FLAG, key, NULL, 0));
}

int sys_fsconfig_create(int fs_fd)
{
    return result(syscall(SYS_fsconfig, fs_fd, CMD_CREATE, NULL, NULL, 0));
}

int sys_fsmount(int fs_fd, unsigned attr)
{
    return result(syscall(SYS_fsmount, fs_fd, FSMOUNT_CLOSE_ON_EXEC, attr));
}

int sys_open_tree(int dir_fd, const char *path, unsigned flags)
{
    return result(syscall(SYS_open_tree, dir_fd, path, flags | OPEN_TREE_CLOEXEC));
}

int sys_move_mount(int from_fd, int to_dir_fd, const char *to_path, unsigned flags)
{
    return result(syscall(SYS_move_mount, from_fd, "", to_dir_fd, to_path, flags | MOVE_MOUNT_F_EMPTY_PATH));
}

int sys_mount_setattr(int dir_fd, const char *path, unsigned flags, uint64_t set, uint64_t clear, uint64_t propagation)
{
    struct mount_attributes attributes = { .set = set, .clear = clear, .propagation = propagation };
    return result(syscall(SYS_mount_setattr, dir_fd, path, flags, &attributes, sizeof attributes));
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
    return result(syscall(SYS_pivot_root, new_root, put_old));
}

int sys_openat2(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
    struct open_how_bytes how = { .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC), .mode = mode, .resolve = resolve };
    for (int tries = 0;; tries++) {
        int fd = result(syscall(SYS_openat2, dir_fd, path, &how, sizeof how));
        if (fd != -EAGAIN || tries == 100) /* EAGAIN: a rename raced with ".." */
            return fd;
    }
}

static int apply_option(int fs_fd, char *option)
{
    char *equals = strchr(option, '=');
    if (!equals)
        return sys_fsconfig_flag(fs_fd, option);
    *equals = '\0';
    return sys_fsconfig_string(fs_fd, option, equals + 1);
}

static int apply_options(int fs_fd, const char *options)
{
    char option[512];
    while (*options) {
        size_t length = strcspn(options, ",");
        if (length >= sizeof option)
            return -ENAMETOOLONG;
        memcpy(option, options, length);
        option[length] = '\0';
        int r = length ? apply_option(fs_fd, option) : 0;
        if (r < 0)
            return r;
        options += length;
        options += *options == ',';
    }
    return 0;
}

int sys_detached_mount(const char *fstype, const char *source, const char *options, unsigned attr)
{
    int fs_fd = sys_fsopen(fstype);
    if (fs_fd < 0)
        return fs_fd;
    int r = sys_fsconfig_string(fs_fd, "source", source ? source : fstype);
    if (r == 0 && options)
        r = apply_options(fs_fd, options);
    if (r == 0)
        r = sys_fsconfig_create(fs_fd);
    if (r == 0)
        r = sys_fsmount(fs_fd, attr);
    close(fs_fd);
    return r;
}
