#include "daemon/worker/build_copy_view.h"

#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/unpack/copytree.h"
#include "lib/unpack/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LINKS_MAX 255
#define LINK_TEXT_MAX 4096
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

static bool is_whiteout(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

char *view_path(const struct view_dir *dir, const char *name)
{
    if (!dir->parent)
        return str_format("/%s", name ? name : "");
    AUTO_FREE char *own = view_path(dir->parent, dir->name);
    return name ? str_format("%s/%s", own, name) : take_ptr(&own);
}

static bool is_hidden(const struct view *view, const struct view_dir *dir, const char *name)
{
    if (!view->hidden)
        return false;
    AUTO_FREE char *path = view_path(dir, name);
    return map_get(view->hidden, path + 1) != NULL;
}

int view_lookup(const struct view *view, const struct view_dir *dir, const char *name, struct stat *ret, int *ret_dir_fd, struct err *err)
{
    const int fds[] = { dir->upper_fd, dir->lower_fd };
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        if (fds[i] < 0)
            continue;
        if (fstatat(fds[i], name, ret, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT)
                continue;
            return err_set(err, errno == ENAMETOOLONG ? ERR_INVALID : ERR_INTERNAL, "lstat %s: %s", name, err_strerror(errno));
        }
        if (is_whiteout(ret) || is_hidden(view, dir, name))
            return 0;
        if (ret_dir_fd)
            *ret_dir_fd = fds[i];
        return 1;
    }
    return 0;
}

/* A directory's fd below parent_fd, -1 when something else or nothing is there (*ret_blocks: something else, which hides what is under it). */
static int open_part(int parent_fd, const char *name, bool *ret_blocks)
{
    int fd = parent_fd < 0 ? -1 : openat(parent_fd, name, DIR_FLAGS);
    *ret_blocks = fd < 0 && parent_fd >= 0 && errno != ENOENT;
    return fd;
}

int view_enter(struct view_dir *dir, const char *name, struct view_dir **ret, struct err *err)
{
    bool blocks = false, ignored;
    struct view_dir *child = xcalloc(1, sizeof *child);
    *child = (struct view_dir){ .parent = dir, .name = xstrdup(name), .lower_fd = -1 };
    child->upper_fd = open_part(dir->upper_fd, name, &blocks);
    if (!blocks)
        child->lower_fd = open_part(dir->lower_fd, name, &ignored);
    if (child->upper_fd < 0 && child->lower_fd < 0) {
        err_sys(err, errno, "open directory %s", name);
        view_leave(child, dir);
        return -1;
    }
    *ret = child;
    return 0;
}

void view_leave(struct view_dir *dir, const struct view_dir *until)
{
    while (dir && dir != until && dir->parent) {
        struct view_dir *parent = dir->parent;
        fd_close(dir->upper_fd);
        fd_close(dir->lower_fd);
        free(dir->name);
        free(dir);
        dir = parent;
    }
}

void view_at_done(struct view_at *at)
{
    view_leave(at->dir, NULL);
    strv_free(at->rest);
    *at = (struct view_at){ 0 };
}

/* ---- resolving ---- */

struct resolving {
    const struct view *view;
    struct view_at at;
    char *todo; /* what is left of the path */
    int links;
};

static void go_up(struct resolving *r)
{
    size_t count = strv_length(r->at.rest);
    if (count > 0) {
        free(r->at.rest[count - 1]);
        r->at.rest[count - 1] = NULL;
        r->at.exists = r->at.exists && count > 1;
    } else if (r->at.dir->parent) {
        struct view_dir *parent = r->at.dir->parent;
        view_leave(r->at.dir, parent);
        r->at.dir = parent;
    }
}

static int follow(struct resolving *r, int dir_fd, const char *name, struct err *err)
{
    char text[LINK_TEXT_MAX];
    ssize_t length = readlinkat(dir_fd, name, text, sizeof text - 1);
    if (length < 0)
        return err_sys(err, errno, "read link %s", name);
    text[length] = '\0';
    if (++r->links > LINKS_MAX)
        return err_set(err, ERR_INVALID, "too many links");
    if (text[0] == '/') {
        struct view_dir *dir = r->at.dir;
        while (dir->parent)
            dir = dir->parent;
        view_leave(r->at.dir, NULL);
        r->at.dir = dir;
    }
    char *joined = str_format("%s/%s", text, r->todo);
    free(r->todo);
    r->todo = joined;
    return 0;
}

static int step(struct resolving *r, const char *name, bool last, bool follow_last, struct err *err)
{
    int dir_fd = -1;
    if (r->at.rest && r->at.rest[0]) { /* below what is not there, or no directory: only text */
        strv_append(&r->at.rest, name);
        return 0;
    }
    int found = view_lookup(r->view, r->at.dir, name, &r->at.stat, &dir_fd, err);
    if (found < 0)
        return -1;
    if (found && S_ISDIR(r->at.stat.st_mode))
        return view_enter(r->at.dir, name, &r->at.dir, err);
    if (found && S_ISLNK(r->at.stat.st_mode) && (!last || follow_last))
        return follow(r, dir_fd, name, err);
    r->at.exists = found;
    strv_append(&r->at.rest, name);
    return 0;
}

static int resolve(struct resolving *r, bool follow_last, struct err *err)
{
    for (;;) {
        size_t skip = strspn(r->todo, "/"), length = strcspn(r->todo + skip, "/");
        if (length == 0)
            return 0;
        AUTO_FREE char *name = xstrndup(r->todo + skip, length);
        char *left = xstrdup(r->todo + skip + length);
        free(r->todo);
        r->todo = left;
        if (str_eq(name, ".."))
            go_up(r);
        else if (!str_eq(name, ".") && step(r, name, left[strspn(left, "/")] == '\0', follow_last, err) < 0)
            return -1;
    }
}

int view_resolve(struct view *view, const char *path, bool follow_last, struct view_at *ret, struct err *err)
{
    struct resolving r = { .view = view, .at.dir = &view->root, .todo = xstrdup(path) };
    int result = resolve(&r, follow_last, err);
    free(r.todo);
    if (result == 0 && view_at_is_dir(&r.at)) {
        int fd = r.at.dir->upper_fd >= 0 ? r.at.dir->upper_fd : r.at.dir->lower_fd;
        if (fd < 0)
            r.at.stat = (struct stat){ .st_mode = S_IFDIR | 0755 };
        else if (fstat(fd, &r.at.stat) < 0)
            result = err_sys(err, errno, "look at %s", path);
    }
    if (result < 0)
        view_at_done(&r.at);
    else
        *ret = r.at;
    return result;
}

int view_open(const struct view *view, const struct view_at *at, struct err *err)
{
    struct stat st;
    int dir_fd = -1, flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    if (view_at_is_dir(at)) {
        int own = at->dir->upper_fd >= 0 ? at->dir->upper_fd : at->dir->lower_fd;
        int fd = openat(own, ".", DIR_FLAGS);
        return fd < 0 ? err_sys(err, errno, "open a directory") : fd;
    }
    int found = view_lookup(view, at->dir, at->rest[0], &st, &dir_fd, err);
    if (found <= 0)
        return found < 0 ? -1 : err_set(err, ERR_INTERNAL, "%s went away", at->rest[0]);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "%s is not a regular file", at->rest[0]);
    int fd = openat(dir_fd, at->rest[0], flags);
    return fd < 0 ? err_sys(err, errno, "open %s", at->rest[0]) : fd;
}

/* ---- making ---- */

int view_copy_up(struct view_dir *dir, struct err *err)
{
    if (dir->upper_fd >= 0)
        return 0;
    if (!dir->parent)
        return err_set(err, ERR_INTERNAL, "the tree cannot be written");
    if (view_copy_up(dir->parent, err) < 0)
        return -1;
    if (mkdirat(dir->parent->upper_fd, dir->name, 0700) < 0 && errno != EEXIST)
        return err_sys(err, errno, "copy up %s", dir->name);
    dir->upper_fd = openat(dir->parent->upper_fd, dir->name, DIR_FLAGS);
    if (dir->upper_fd < 0)
        return err_sys(err, errno, "copy up %s", dir->name);
    if (dir->lower_fd < 0)
        return 0;
    if (xattrs_copy(dir->lower_fd, dir->upper_fd, err) < 0 || copy_dir_metadata(dir->lower_fd, dir->upper_fd, err) < 0)
        return err_wrap(err, "copy up %s", dir->name);
    return 0;
}

int view_make_dir(struct view_dir *dir, const char *name, mode_t mode, struct view_dir **ret, struct err *err)
{
    if (view_copy_up(dir, err) < 0)
        return -1;
    if (mkdirat(dir->upper_fd, name, mode) < 0) {
        AUTO_FREE char *path = view_path(dir, name);
        return err_sys(err, errno, "mkdir %s", path);
    }
    if (view_enter(dir, name, ret, err) < 0)
        return -1;
    fd_close((*ret)->lower_fd); /* nothing of it may show through */
    (*ret)->lower_fd = -1;
    return 0;
}

static int make_next(struct view_at *at, const char *name, const struct view_new_dir *like, struct err *err)
{
    struct view_dir *child = NULL;
    if (view_make_dir(at->dir, name, like->mode, &child, err) < 0)
        return -1;
    at->dir = child;
    if (like->made)
        strv_append_take(like->made, view_path(child, NULL));
    if (fchown(child->upper_fd, like->uid, like->gid) < 0 || fchmod(child->upper_fd, like->mode) < 0)
        return err_sys(err, errno, "mkdir %s", name);
    return 0;
}

int view_make_dirs(struct view_at *at, const struct view_new_dir *like, struct err *err)
{
    if (at->exists && at->rest && at->rest[0]) {
        AUTO_FREE char *path = view_path(at->dir, at->rest[0]);
        return err_set(err, ERR_INVALID, "mkdir %s: not a directory", path);
    }
    for (size_t i = 0; at->rest && at->rest[i]; i++)
        if (make_next(at, at->rest[i], like, err) < 0)
            return -1;
    strv_free(at->rest);
    at->rest = NULL;
    return 0;
}
