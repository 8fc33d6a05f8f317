/* From the root mount to a pivoted root. The overlay is made detached by the parent (which keeps it alive past the container's
 * exit), then mounted over "/" of the child's own mount namespace: names still resolve on the host below it until the pivot, and no
 * staging directory is needed. */
#include "lib/base/fd.h"
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/runtime/internal.h"
#include "lib/sys/kernel.h"

#include <sys/sysmacros.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const no_names[] = { NULL };

int root_mount_make(const struct plan *plan, int *ret_fd, struct err *err)
{
    const char *const *lowers = plan->lowers ? plan->lowers : no_names;
    if (lowers[0] && (plan->upper || lowers[1])) {
        struct sys_overlay overlay = {
            .lowers = lowers, .upper = plan->upper, .work = plan->work, .volatile_mount = plan->root_volatile
        };
        int fd = sys_overlay_mount(&overlay, plan->upper ? 0 : MOUNT_ATTR_RDONLY);
        if (fd < 0)
            return err_sys(err, fd, "mount the container's layers");
        *ret_fd = fd;
        return 0;
    }
    const char *path = lowers[0] ? lowers[0] : plan->rootfs;
    if (!path)
        return err_set(err, ERR_INVALID, "the plan names no root file system");
    AUTO_FD int fd = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE);
    if (fd < 0)
        return err_sys(err, fd, "open root file system %s", path);
    int r = sys_mount_setattr(fd, "", AT_EMPTY_PATH, lowers[0] ? MOUNT_ATTR_RDONLY : 0, 0, MS_PRIVATE);
    if (r < 0)
        return err_sys(err, r, "make root file system %s private", path);
    *ret_fd = take_fd(&fd);
    return 0;
}

static int loopback_up(struct err *err)
{
    AUTO_FD int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
    if (sock < 0 || ioctl(sock, SIOCSIFFLAGS, &request) < 0)
        return err_sys(err, errno, "bring up the loopback interface");
    return 0;
}

int rootfs_namespaces(struct child *child, struct err *err)
{
    const struct plan *plan = child->plan;
    static const enum plan_ns joinable[] = { PLAN_NS_NET, PLAN_NS_IPC, PLAN_NS_UTS };
    for (size_t i = 0; i < ARRAY_SIZE(joinable); i++) {
        if (plan->ns_mode[joinable[i]] != PLAN_NS_JOIN)
            continue;
        if (setns(child->ns_fds[plan->ns_slot[joinable[i]]], 0) < 0)
            return err_sys(err, errno, "join namespace of another container");
    }
    if (plan->ns_mode[PLAN_NS_NET] != PLAN_NS_NEW)
        return 0;
    if (child->netns_fd < 0)
        return loopback_up(err);
    if (setns(child->netns_fd, CLONE_NEWNET) < 0)
        return err_sys(err, errno, "enter the container's network namespace");
    return 0;
}

/* The container's code can neither see nor replace them. */
int rootfs_own_mounts(struct child *child, struct err *err)
{
    unsigned attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    child->proc_fd = sys_detached_mount("proc", NULL, NULL, attr | MOUNT_ATTR_NODEV);
    if (child->proc_fd < 0)
        return err_sys(err, child->proc_fd, "make a proc mount");
    child->scratch_fd = sys_detached_mount("tmpfs", NULL, "mode=755,size=64k", attr);
    if (child->scratch_fd < 0)
        return err_sys(err, child->scratch_fd, "make a tmpfs mount");
    if (mknodat(child->scratch_fd, "null", S_IFCHR | 0666, makedev(1, 3)) < 0 ||
        mkdirat(child->scratch_fd, "empty", 0755) < 0 || fchmodat(child->scratch_fd, "null", 0666, 0) < 0)
        return err_sys(err, errno, "make the null device for masks");
    return 0;
}

/* The weakest separation that any mount asks for: a slave or shared bind of a tree that was made private first would be neither. */
static uint32_t wanted_propagation(const struct plan *plan)
{
    uint32_t wanted = plan->root_propagation;
    for (size_t i = 0; i < plan->mount_count; i++)
        if (plan->mounts[i].kind == PLAN_MOUNT_BIND)
            wanted = MAX(wanted, plan->mounts[i].propagation);
    return wanted;
}

static int make_host_directory(const char *path, struct err *err)
{
    char part[4096];
    if (!str_copy(part, sizeof part, path))
        return err_set(err, ERR_INVALID, "mount source %s is too long", path);
    for (char *slash = part + 1;; slash++) {
        slash += strcspn(slash, "/");
        char kept = *slash;
        *slash = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return err_sys(err, errno, "make mount source %s", path);
        *slash = kept;
        if (!kept)
            return 0;
    }
}

static int open_bind(const struct plan_mount *mount, int *ret_fd, struct err *err)
{
    unsigned flags = OPEN_TREE_CLONE | (mount->flags & PLAN_MF_NONRECURSIVE ? 0 : AT_RECURSIVE);
    if (!mount->source || mount->source[0] != '/')
        return err_set(err, ERR_INVALID, "mount source for %s is not an absolute path", mount->target);
    AUTO_FD int fd = sys_open_tree(AT_FDCWD, mount->source, flags);
    if (fd == -ENOENT && mount->flags & PLAN_MF_MKSOURCE) {
        if (make_host_directory(mount->source, err) < 0)
            return -1;
        fd = sys_open_tree(AT_FDCWD, mount->source, flags);
    }
    if (fd < 0)
        return err_sys(err, fd, "open mount source %s", mount->source);
    static const uint64_t propagation[] = { [PLAN_PROP_PRIVATE] = MS_PRIVATE, [PLAN_PROP_SLAVE] = MS_SLAVE,
                                            [PLAN_PROP_SHARED] = MS_SHARED };
    if (mount->propagation >= ARRAY_SIZE(propagation))
        return err_set(err, ERR_INVALID, "mount of %s has an unknown propagation", mount->target);
    int r = sys_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, 0, 0, propagation[mount->propagation]);
    unsigned set = mount_attributes(mount->flags);
    if (r == 0 && set) {
        uint64_t clear = set & MOUNT_ATTR__ATIME || mount->flags & PLAN_MF_RELATIME ? MOUNT_ATTR__ATIME : 0;
        r = sys_mount_setattr(fd, "", AT_EMPTY_PATH, set, clear, 0);
    }
    if (r == 0 && mount->flags & PLAN_MF_RRDONLY)
        r = sys_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, 0);
    if (r < 0)
        return err_sys(err, r, "set options of mount %s", mount->target);
    *ret_fd = take_fd(&fd);
    return 0;
}

int rootfs_open_binds(struct child *child, struct err *err)
{
    const struct plan *plan = child->plan;
    uint32_t propagation = wanted_propagation(plan);
    if (propagation != PLAN_PROP_SHARED &&
        mount(NULL, "/", NULL, MS_REC | (propagation == PLAN_PROP_SLAVE ? MS_SLAVE : MS_PRIVATE), NULL) < 0)
        return err_sys(err, errno, "set propagation of the mount namespace");
    child->bind_fds = xcalloc(plan->mount_count + 1, sizeof *child->bind_fds);
    for (size_t i = 0; i < plan->mount_count; i++) {
        child->bind_fds[i] = -1;
        if (plan->mounts[i].kind == PLAN_MOUNT_BIND && open_bind(&plan->mounts[i], &child->bind_fds[i], err) < 0)
            return -1;
    }
    return 0;
}

int rootfs_attach(struct child *child, struct err *err)
{
    child->old_root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    /* neither our root nor what we mount in it may propagate to the host */
    if (child->old_root_fd < 0 || mount(NULL, "/", NULL, MS_PRIVATE, NULL) < 0)
        return err_sys(err, errno, "make / private");
    /* Masks are clones of the scratch mount; before Linux 6.15 only what is attached can be cloned. It covers the host's /proc, which the
     * child does not use, and goes with the old root. (On "/" itself it would be what the pivot's umount hits, and the host would stay.) */
    AUTO_FD int spot = openat(child->old_root_fd, "proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    int r = spot < 0 ? -errno : mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) < 0 ? -errno : 0;
    if (r == 0)
        r = sys_move_mount(child->scratch_fd, spot, "", MOVE_MOUNT_T_EMPTY_PATH);
    if (r == 0)
        r = sys_move_mount(child->root_fd, child->old_root_fd, "", MOVE_MOUNT_T_EMPTY_PATH);
    if (r < 0)
        return err_sys(err, r, "attach the root mount");
    return 0;
}

int rootfs_pivot(struct child *child, struct err *err)
{
    if (child->plan->root_readonly) {
        int r = sys_mount_setattr(child->root_fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0);
        if (r < 0)
            return err_sys(err, r, "make the root file system read-only");
    }
    if (fchdir(child->root_fd) < 0)
        return err_sys(err, errno, "enter the root mount");
    int r = sys_pivot_root(".", ".");
    if (r < 0)
        return err_sys(err, r, "pivot_root");
    /* the old root now covers ours; as a slave its unmounting stays here */
    if (fchdir(child->old_root_fd) < 0 || mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 ||
        umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        return err_sys(err, errno, "leave the old root");
    fd_close(take_fd(&child->old_root_fd));
    if (child->plan->root_propagation == PLAN_PROP_SHARED || child->plan->root_propagation == PLAN_PROP_SLAVE) {
        unsigned long type = child->plan->root_propagation == PLAN_PROP_SHARED ? MS_SHARED : MS_SLAVE;
        if (mount(NULL, "/", NULL, type, NULL) < 0)
            return err_sys(err, errno, "set propagation of the container's root");
    }
    return 0;
}
