/* Directories of WORKDIR; mount points that a RUN needs and that are no part of its layer. */
#include "daemon/worker/build_copy.h"

#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

int copy_mkdir(struct copying *copying, struct err *err)
{
    AUTO_VIEW_AT struct view_at at = { 0 };
    AUTO_FREE char *target = copy_target(copying->params);
    struct view_new_dir like = copy_new_dir(copying);
    if (view_resolve(&copying->dest, target, true, &at, err) < 0)
        return -1;
    copying->files = (int64_t)strv_length(at.rest);
    return view_make_dirs(&at, &like, err);
}

static int probe_one(struct view *view, const char *path, char ***missing, struct err *err)
{
    AUTO_VIEW_AT struct view_at at = { 0 };
    if (view_resolve(view, path, true, &at, err) < 0)
        return -1;
    if (at.exists || view_at_is_dir(&at))
        return 0;
    AUTO_FREE char *whole = view_path(at.dir, NULL);
    for (size_t i = 0; at.rest[i]; i++) {
        char *next = path_join(whole, at.rest[i]);
        free(whole);
        whole = next;
        if (!strv_contains(*missing, whole))
            strv_append(missing, whole);
    }
    return 0;
}

int copy_probe(struct copying *copying, char ***ret_missing, struct err *err)
{
    for (size_t i = 0; copying->params->sources && copying->params->sources[i]; i++)
        if (probe_one(&copying->dest, copying->params->sources[i], ret_missing, err) < 0)
            return -1;
    return 0;
}

/* ---- afterwards ---- */

bool copy_dir_is_empty(int dir_fd)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        fd_close(fd);
        return false;
    }
    while (count < 3 && readdir(dir))
        count++;
    closedir(dir);
    return count < 3;
}

static bool same_directory(const struct view_dir *dir)
{
    struct stat upper, lower;
    char value[2];
    return dir->lower_fd >= 0 && fstat(dir->upper_fd, &upper) == 0 && fstat(dir->lower_fd, &lower) == 0 && upper.st_mode == lower.st_mode &&
           upper.st_uid == lower.st_uid && upper.st_gid == lower.st_gid && fgetxattr(dir->upper_fd, "trusted.overlay.opaque", value, sizeof value) < 0;
}

/* Directories that are in the layer for nothing else go, too; they are below as they were. */
static void drop_traces(struct view_dir *dir)
{
    for (; dir->parent && dir->upper_fd >= 0; dir = dir->parent)
        if (!copy_dir_is_empty(dir->upper_fd) || !same_directory(dir) || unlinkat(dir->parent->upper_fd, dir->name, AT_REMOVEDIR) < 0)
            return;
}

static int unstub_one(struct view *view, const char *path, struct err *err)
{
    AUTO_VIEW_AT struct view_at at = { 0 };
    struct stat st;
    const char *name;
    struct view_dir *parent;
    if (view_resolve(view, path, false, &at, err) < 0)
        return -1;
    AUTO_FREE char *real = view_at_is_dir(&at) ? view_path(at.dir, NULL) : view_path(at.dir, at.rest[0]);
    if (!view_at_found(&at) || !str_eq(real, path)) /* gone, or behind a link that the command has made */
        return 0;
    parent = view_at_is_dir(&at) ? at.dir->parent : at.dir;
    name = view_at_is_dir(&at) ? at.dir->name : at.rest[0];
    if (!parent || parent->upper_fd < 0 || fstatat(parent->upper_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (!S_ISDIR(st.st_mode) && !(S_ISREG(st.st_mode) && st.st_size == 0))
        return 0;
    if (unlinkat(parent->upper_fd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
        return errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT ? 0 : err_sys(err, errno, "remove the mount point %s", path);
    drop_traces(parent);
    return 0;
}

int copy_unstub(struct copying *copying, struct err *err)
{
    char *const *paths = copying->params->sources;
    for (size_t i = strv_length(paths); i > 0; i--)
        if (unstub_one(&copying->dest, paths[i - 1], err) < 0)
            return -1;
    return 0;
}
