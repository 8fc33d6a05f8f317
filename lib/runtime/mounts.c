#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"
#include "lib/sys/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/vfs.h>
#include <unistd.h>

unsigned mount_attributes(uint32_t flags)
{
    static const struct {
        uint32_t flag;
        unsigned attr;
    } table[] = {
        { PLAN_MF_RDONLY, MOUNT_ATTR_RDONLY },   { PLAN_MF_RRDONLY, MOUNT_ATTR_RDONLY },
        { PLAN_MF_NOSUID, MOUNT_ATTR_NOSUID },   { PLAN_MF_NODEV, MOUNT_ATTR_NODEV },
        { PLAN_MF_NOEXEC, MOUNT_ATTR_NOEXEC },   { PLAN_MF_NOATIME, MOUNT_ATTR_NOATIME },
        { PLAN_MF_STRICTATIME, MOUNT_ATTR_STRICTATIME },
    };
    unsigned attr = 0;
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (flags & table[i].flag)
            attr |= table[i].attr;
    return attr;
}

/* Files that programs like lxcfs put over proc; nothing else may cover it. */
static bool may_cover_proc(const char *target)
{
    static const char *const allowed[] = { "/proc/cpuinfo", "/proc/diskstats", "/proc/meminfo", "/proc/stat",
                                           "/proc/swaps",   "/proc/uptime",    "/proc/loadavg", "/proc/slabinfo",
                                           "/proc/net/dev", "/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled" };
    for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
        if (strcmp(target, allowed[i]) == 0)
            return true;
    return false;
}

/* Judged by what the resolved target is, not by its name: a link in the image could lead to /proc. */
static int check_target(const struct plan_mount *mount, int target_fd, struct err *err)
{
    struct statfs fs;
    if (fstatfs(target_fd, &fs) < 0)
        return err_sys(err, errno, "look at mount target %s", mount->target);
    if (fs.f_type == SYS_MAGIC_PROC && !may_cover_proc(mount->target))
        return err_set(err, ERR_INVALID, "%s cannot be mounted because it is inside /proc", mount->target);
    return 0;
}

static int open_target(struct child *child, const struct plan_mount *mount, bool directory, struct err *err)
{
    bool special = mount->kind == PLAN_MOUNT_PROC || mount->kind == PLAN_MOUNT_SYSFS || mount->kind == PLAN_MOUNT_DEVTMPFS_LIKE;
    int fd;
    if (special)
        fd = target_real_directory(child->root_fd, mount->target);
    else
        fd = directory ? target_directory(child->root_fd, mount->target) : target_file(child->root_fd, mount->target);
    if (special && (fd == -ELOOP || fd == -ENOTDIR))
        return err_set(err, ERR_INVALID, "mount target %s of the image is not a directory", mount->target);
    if (fd < 0)
        return err_sys(err, fd, "make mount target %s", mount->target);
    if (!special && check_target(mount, fd, err) < 0) {
        fd_close(fd);
        return -1;
    }
    return fd;
}

static int put_mount(struct child *child, const struct plan_mount *mount, int mount_fd, struct err *err)
{
    struct stat st;
    if (fstat(mount_fd, &st) < 0)
        return err_sys(err, errno, "look at mount for %s", mount->target);
    AUTO_FD int target_fd = open_target(child, mount, S_ISDIR(st.st_mode), err);
    if (target_fd < 0)
        return -1;
    int r = sys_move_mount(mount_fd, target_fd, "", MOVE_MOUNT_T_EMPTY_PATH);
    if (r == -ENOTDIR)
        return err_set(err, ERR_INVALID,
                       "mount %s: not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if "
                       "the specified host path exists and is the expected type",
                       mount->target);
    if (r < 0)
        return err_sys(err, r, "mount %s", mount->target);
    return 0;
}

static const char *const fs_names[] = {
    [PLAN_MOUNT_PROC] = "proc",     [PLAN_MOUNT_SYSFS] = "sysfs",   [PLAN_MOUNT_DEVTMPFS_LIKE] = "tmpfs",
    [PLAN_MOUNT_DEVPTS] = "devpts", [PLAN_MOUNT_MQUEUE] = "mqueue", [PLAN_MOUNT_TMPFS] = "tmpfs",
};

static int mount_file_system(struct child *child, const struct plan_mount *mount, struct err *err)
{
    const char *name = fs_names[mount->kind];
    AUTO_FD int fd = sys_detached_mount(name, mount->source, mount->data, mount_attributes(mount->flags));
    if (fd < 0)
        return err_sys(err, fd, "make %s mount for %s", name, mount->target);
    if (put_mount(child, mount, fd, err) < 0)
        return -1;
    if (mount->kind == PLAN_MOUNT_DEVPTS && child->pts_fd < 0)
        child->pts_fd = take_fd(&fd);
    if (mount->kind != PLAN_MOUNT_DEVTMPFS_LIKE)
        return 0;
    child->dev_fd = take_fd(&fd);
    return dev_populate(child, err);
}

int rootfs_mounts(struct child *child, struct err *err)
{
    umask(0);
    for (size_t i = 0; i < child->plan->mount_count; i++) {
        const struct plan_mount *mount = &child->plan->mounts[i];
        if (!mount->target || mount->target[0] != '/' || strspn(mount->target, "/") == strlen(mount->target))
            return err_set(err, ERR_INVALID, "mount target %s is not a path below /", mount->target ? mount->target : "");
        int r;
        if (mount->kind == PLAN_MOUNT_BIND)
            r = put_mount(child, mount, child->bind_fds[i], err);
        else if (mount->kind == PLAN_MOUNT_CGROUP)
            r = mount_cgroups(child, mount, err);
        else if (mount->kind < ARRAY_SIZE(fs_names) && fs_names[mount->kind])
            r = mount_file_system(child, mount, err);
        else
            r = err_set(err, ERR_UNSUPPORTED, "mount kind %u is unknown", mount->kind);
        if (r < 0)
            return -1;
        fd_close(take_fd(&child->bind_fds[i]));
    }
    return 0;
}
