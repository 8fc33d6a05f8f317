/* A container's or image's tree, put together in the worker's own mount namespace. Nothing of it is ever in another's mount table. */
#include "daemon/worker/worker.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/sys/kernel.h"
#include "lib/sys/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the tree is hung when something must be mounted over it: nobody keeps data there. */
static const char *const staging[] = { "/sys", "/mnt", "/srv" };

/* A volatile mount is not synced when it ends, which would write out the whole file system. The kernel's mark of one, which would refuse the
 * next mount, goes at once: nobody counts on these bytes before the daemon's own sync. */
static int unmark_volatile(const char *work, struct err *err)
{
    AUTO_FREE char *mark = path_join(work, "work/incompat");
    int r = path_remove_tree_at(AT_FDCWD, mark);
    return r < 0 ? err_sys(err, r, "remove %s", mark) : 0;
}

static int mount_layers(char *const *lowers, const char *upper, const char *work, struct err *err)
{
    size_t count = strv_length(lowers);
    const char **list = xcalloc(count + 1, sizeof *list);
    for (size_t i = 0; i < count; i++)
        list[i] = lowers[i];
    struct sys_overlay overlay = { .lowers = list, .upper = upper, .work = work, .volatile_mount = upper != NULL };
    AUTO_FD int fd = sys_overlay_mount(&overlay, upper ? 0 : MOUNT_ATTR_RDONLY);
    free(list);
    if (fd < 0)
        return err_sys(err, fd, "mount the layers");
    return upper && unmark_volatile(work, err) < 0 ? -1 : take_fd(&fd);
}

/* Overlay wants two trees at least. */
static int mount_single(const char *dir, bool writable, struct err *err)
{
    AUTO_FD int fd = sys_open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    int r = fd < 0 || writable ? fd : sys_mount_setattr(fd, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0, 0);
    return r < 0 ? err_sys(err, r, "open the layer %s", dir) : take_fd(&fd);
}

static int mount_base(const struct job_mount_spec *spec, bool writable, struct err *err)
{
    bool has_upper = !str_empty(spec->upper);
    if (writable && (!has_upper || str_empty(spec->work)))
        return err_set(err, ERR_INTERNAL, "a writable tree needs an upper and a work directory");
    CLEANUP(strv_free) char **lowers = NULL;
    if (has_upper && !writable)
        strv_append(&lowers, spec->upper);
    strv_extend(&lowers, spec->lowers);
    size_t count = strv_length(lowers);
    if (count == 0 && !writable)
        return err_set(err, ERR_INTERNAL, "a tree of no layers");
    if (count == 0)
        return mount_single(spec->upper, true, err);
    if (count == 1 && !writable)
        return mount_single(lowers[0], false, err);
    return mount_layers(lowers, writable ? spec->upper : NULL, writable ? spec->work : NULL, err);
}

static int hang(int tree_fd, struct err *err)
{
    int r = -ENOENT;
    for (size_t i = 0; i < ARRAY_SIZE(staging) && r < 0; i++)
        r = sys_move_mount(tree_fd, AT_FDCWD, staging[i], MOVE_MOUNT_F_EMPTY_PATH);
    return r < 0 ? err_sys(err, r, "attach the tree") : 0;
}

/* Docker makes a missing mount point in the writable layer, too. */
static int open_target(int root_fd, const char *target, bool is_dir, bool writable)
{
    int fd = root_open(root_fd, target, O_PATH, 0);
    if (fd != -ENOENT || !writable)
        return fd;
    if (is_dir)
        return root_mkdirs(root_fd, target, 0755);
    const char *name;
    AUTO_FD int dir_fd = root_open_parent(root_fd, target, true, &name);
    if (dir_fd < 0)
        return dir_fd;
    AUTO_FD int made = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    return made < 0 ? -errno : root_open(root_fd, target, O_PATH, 0);
}

static int mount_bind(int root_fd, int source_fd, const char *target, bool writable, struct err *err)
{
    struct stat st;
    if (fstat(source_fd, &st) < 0)
        return err_sys(err, errno, "look at the source of %s", target);
    AUTO_FD int target_fd = open_target(root_fd, target, S_ISDIR(st.st_mode), writable);
    if (target_fd < 0)
        return err_sys(err, target_fd, "open the mount point %s", target);
    int r = sys_move_mount(source_fd, target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    return r < 0 ? err_sys(err, r, "mount over %s", target) : 0;
}

static int mount_binds(const struct job_mount_spec *spec, int root_fd, bool writable, struct err *err)
{
    size_t count = strv_length(spec->bind_sources);
    if (count != strv_length(spec->bind_targets))
        return err_set(err, ERR_INTERNAL, "sources and targets of binds do not pair");
    int *fds = xcalloc(count + 1, sizeof *fds);
    int r = 0;
    /* every source first: a mount must not hide one */
    for (size_t i = 0; i < count; i++) {
        fds[i] = sys_open_tree(AT_FDCWD, spec->bind_sources[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (fds[i] < 0 && r == 0)
            r = err_sys(err, fds[i], "open %s", spec->bind_sources[i]);
    }
    if (r == 0 && count)
        r = hang(root_fd, err);
    for (size_t i = 0; i < count && r == 0; i++)
        r = mount_bind(root_fd, fds[i], spec->bind_targets[i], writable, err);
    for (size_t i = 0; i < count; i++)
        fd_close(fds[i]);
    free(fds);
    return r;
}

static bool lacks_target(const struct job_mount_spec *spec, int root_fd)
{
    for (char **target = spec->bind_targets; target && *target; target++) {
        AUTO_FD int fd = root_open(root_fd, *target, O_PATH, 0);
        if (fd == -ENOENT)
            return true;
    }
    return false;
}

/* The layers below an upper directory in memory, where missing mount points of a tree that is only read can be made. */
static int mount_over_scratch(const struct job_mount_spec *spec, struct err *err)
{
    static const char *const dirs[] = { "/sys/upper", "/sys/work" };
    CLEANUP(strv_free) char **lowers = NULL;
    AUTO_FD int memory = sys_detached_mount("tmpfs", NULL, "mode=0700", 0);
    int r = memory < 0 ? memory : sys_move_mount(memory, AT_FDCWD, "/sys", MOVE_MOUNT_F_EMPTY_PATH);
    for (size_t i = 0; i < ARRAY_SIZE(dirs) && r >= 0; i++)
        r = mkdir(dirs[i], 0755) < 0 ? -errno : 0;
    if (r < 0)
        return err_sys(err, r, "make a scratch directory");
    if (!str_empty(spec->upper))
        strv_append(&lowers, spec->upper);
    strv_extend(&lowers, spec->lowers);
    return mount_layers(lowers, dirs[0], dirs[1], err);
}

int worker_mount_tree(const struct job_mount_spec *spec, bool writable, int *ret_root_fd, struct err *err)
{
    AUTO_FD int root_fd = mount_base(spec, writable, err);
    if (root_fd >= 0 && !writable && lacks_target(spec, root_fd)) {
        fd_close(root_fd);
        root_fd = mount_over_scratch(spec, err);
        writable = true;
    }
    if (root_fd < 0 || mount_binds(spec, root_fd, writable, err) < 0)
        return -1;
    *ret_root_fd = take_fd(&root_fd);
    return 0;
}
