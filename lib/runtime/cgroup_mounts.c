/* The container's view of its cgroups: never writable by default, in its own cgroup namespace or, without one, its own directory
 * only. */
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/runtime/internal.h"
#include "lib/sys/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int hierarchy_mount(const struct cgroup_hierarchy *h, unsigned attr)
{
    if (h->v2)
        return sys_detached_mount("cgroup2", NULL, NULL, attr);
    char options[96];
    snprintf(options, sizeof options, "%s%s", strncmp(h->controllers, "name=", 5) == 0 ? "none," : "", h->controllers);
    return sys_detached_mount("cgroup", NULL, options, attr);
}

static int group_mount(struct child *child, const struct cgroup_hierarchy *h, unsigned attr)
{
    char path[1024];
    int n = snprintf(path, sizeof path, "%s%s", h->mount, child->plan->cgroup_path);
    if (n < 0 || (size_t)n >= sizeof path)
        return -ENAMETOOLONG;
    int fd = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);
    if (fd < 0)
        return fd;
    int r = sys_mount_setattr(fd, "", AT_EMPTY_PATH, attr, 0, MS_PRIVATE);
    if (r < 0) {
        fd_close(fd);
        return r;
    }
    return fd;
}

static int open_hierarchy(struct child *child, const struct cgroup_hierarchy *h, unsigned attr)
{
    bool own_view = child->plan->ns_mode[PLAN_NS_CGROUP] != PLAN_NS_HOST;
    return own_view ? hierarchy_mount(h, attr) : group_mount(child, h, attr);
}

/* "cpu" and "cpuacct" beside the directory "cpu,cpuacct" */
static void link_controllers(int dir_fd, const char *controllers, const char *name)
{
    for (const char *at = controllers; *at;) {
        char one[64];
        size_t length = strcspn(at, ",");
        snprintf(one, sizeof one, "%.*s", (int)length, at);
        if (strcmp(one, name) != 0 && strncmp(one, "name=", 5) != 0)
            (void)!symlinkat(name, dir_fd, one); /* two controllers of one mount may share a link */
        at += length + (at[length] == ',');
    }
}

static int mount_v1(struct child *child, int tmpfs_fd, unsigned attr, struct err *err)
{
    for (size_t i = 0; i < child->layout->count; i++) {
        const struct cgroup_hierarchy *h = &child->layout->items[i];
        if (h->v2)
            continue;
        const char *name = path_base(h->mount);
        AUTO_FD int fd = open_hierarchy(child, h, attr);
        if (fd < 0)
            return err_sys(err, fd, "make cgroup mount of %s", h->controllers);
        if (mkdirat(tmpfs_fd, name, 0755) < 0)
            return err_sys(err, errno, "make cgroup directory %s", name);
        int r = sys_move_mount(fd, tmpfs_fd, name, 0);
        if (r < 0)
            return err_sys(err, r, "mount cgroup %s", name);
        link_controllers(tmpfs_fd, h->controllers, name);
    }
    return 0;
}

int mount_cgroups(struct child *child, const struct plan_mount *mount, struct err *err)
{
    if (child_wait_attached(child, err) < 0)
        return -1;
    unsigned attr = mount_attributes(mount->flags);
    AUTO_FD int target_fd = target_directory(child->root_fd, mount->target);
    if (target_fd < 0)
        return err_sys(err, target_fd, "make mount target %s", mount->target);
    const struct cgroup_layout *layout = child->layout;
    AUTO_FD int fd = layout->pure_v2 ? open_hierarchy(child, &layout->items[layout->v2], attr)
                                     : sys_detached_mount("tmpfs", NULL, "mode=755", attr & ~(unsigned)MOUNT_ATTR_RDONLY);
    int r = fd < 0 ? fd : sys_move_mount(fd, target_fd, "", MOVE_MOUNT_T_EMPTY_PATH);
    if (r < 0)
        return err_sys(err, r, "mount %s", mount->target);
    if (layout->pure_v2)
        return 0;
    if (mount_v1(child, fd, attr, err) < 0)
        return -1;
    r = attr & MOUNT_ATTR_RDONLY ? sys_mount_setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0) : 0;
    return r < 0 ? err_sys(err, r, "make %s read-only", mount->target) : 0;
}
