/* /dev and what must never be seen. Device nodes and links are made on our own fresh tmpfs, before anything of the image or of a
 * volume is mounted into it. */
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
#include <sys/sysmacros.h>
#include <unistd.h>

static int make_device(struct child *child, const struct plan_device *device, struct err *err)
{
    const char *name;
    AUTO_FD int parent = root_open_parent(child->root_fd, device->path, true, &name);
    if (parent < 0)
        return err_sys(err, parent, "make directory for device %s", device->path);
    mode_t type = device->type == 'b' ? S_IFBLK : S_IFCHR;
    mode_t mode = device->mode & 07777;
    if (mknodat(parent, name, type | mode, makedev(device->major, device->minor)) < 0)
        return err_sys(err, errno, "make device %s", device->path);
    /* umask is 0, so only another owner needs more */
    if ((device->uid || device->gid) && fchownat(parent, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(err, errno, "set owner of device %s", device->path);
    return 0;
}

int dev_populate(struct child *child, struct err *err)
{
    static const char *const links[][2] = {
        { "/proc/self/fd", "fd" },         { "/proc/self/fd/0", "stdin" }, { "/proc/self/fd/1", "stdout" },
        { "/proc/self/fd/2", "stderr" },   { "pts/ptmx", "ptmx" },         { "/proc/kcore", "core" },
    };
    for (size_t i = 0; i < child->plan->device_count; i++)
        if (make_device(child, &child->plan->devices[i], err) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        if (symlinkat(links[i][0], child->dev_fd, links[i][1]) < 0 && errno != EEXIST)
            return err_sys(err, errno, "make link /dev/%s", links[i][1]);
    return 0;
}

static bool is_missing(int error)
{
    return error == -ENOENT || error == -ENOTDIR;
}

static int mask_path(struct child *child, const char *path, struct err *err)
{
    struct stat st;
    AUTO_FD int target = root_open(child->root_fd, path, O_PATH, 0);
    if (is_missing(target))
        return 0;
    if (target < 0 || fstat(target, &st) < 0)
        return err_sys(err, target < 0 ? target : errno, "mask path %s", path);
    AUTO_FD int mask = sys_open_tree(child->scratch_fd, S_ISDIR(st.st_mode) ? "empty" : "null", OPEN_TREE_CLONE);
    int r = mask;
    if (r >= 0 && S_ISDIR(st.st_mode))
        r = sys_mount_setattr(mask, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0);
    if (r >= 0)
        r = sys_move_mount(mask, target, "", MOVE_MOUNT_T_EMPTY_PATH);
    return r < 0 ? err_sys(err, r, "mask path %s", path) : 0;
}

static int readonly_path(struct child *child, const char *path, struct err *err)
{
    AUTO_FD int target = root_open(child->root_fd, path, O_PATH, 0);
    if (is_missing(target))
        return 0;
    AUTO_FD int tree = target < 0 ? target : sys_open_tree(target, "", OPEN_TREE_CLONE | AT_RECURSIVE | AT_EMPTY_PATH);
    int r = tree;
    if (r >= 0)
        r = sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0);
    if (r >= 0)
        r = sys_move_mount(tree, target, "", MOVE_MOUNT_T_EMPTY_PATH);
    return r < 0 ? err_sys(err, r, "make %s read-only", path) : 0;
}

int rootfs_masks(struct child *child, struct err *err)
{
    const char *const *readonly = child->plan->readonly_paths, *const *masked = child->plan->masked_paths;
    for (; readonly && *readonly; readonly++)
        if (readonly_path(child, *readonly, err) < 0)
            return -1;
    for (; masked && *masked; masked++)
        if (mask_path(child, *masked, err) < 0)
            return -1;
    return 0;
}

/* The terminal is bound by its fd onto a file that we make new on our own tmpfs: no name of the image takes part. */
int rootfs_console(struct child *child, struct err *err)
{
    if (!child->process->tty)
        return 0;
    if (tty_open(child, err) < 0)
        return -1;
    if (child->dev_fd < 0)
        return 0;
    AUTO_FD int file = openat(child->dev_fd, "console", O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    AUTO_FD int target = file < 0 ? -errno : openat(child->dev_fd, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (target < 0)
        return err_sys(err, errno, "make /dev/console");
    AUTO_FD int tree = sys_open_tree(child->tty_slave, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
    int r = tree < 0 ? tree : sys_move_mount(tree, target, "", MOVE_MOUNT_T_EMPTY_PATH);
    return r < 0 ? err_sys(err, r, "mount /dev/console") : 0;
}
