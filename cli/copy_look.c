/* What stands at a path of the host before something is copied from or to it. */
#include "cli/api.h"
#include "cli/copy_files.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 10

static int read_link(const char *path, char **ret, struct err *err)
{
    char target[PATH_MAX];
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return cli_path_error(err, "readlink", path, errno);
    target[length] = 0;
    *ret = copy_link_target(path, target);
    return 0;
}

/* lstat of the thing itself: a trailing slash or "/." would follow a link. */
static int look(const char *path, struct stat *ret)
{
    AUTO_FREE char *bare = path_clean(path);
    return lstat(bare, ret) < 0 ? -errno : 0;
}

static int check_parent(const char *path, struct err *err)
{
    AUTO_FREE char *dir = NULL, *base = NULL;
    struct stat status;
    copy_split(path, &dir, &base);
    if (stat(dir, &status) < 0)
        return cli_path_error(err, "stat", dir, errno);
    return S_ISDIR(status.st_mode) ? 0 : err_set(err, ERR_INVALID, "not a directory");
}

int copy_look_destination(const char *path, struct copy_end *ret, struct err *err)
{
    AUTO_FREE char *at = xstrdup(path);
    struct stat status;
    int found = look(at, &status);
    for (int links = 0; found == 0 && S_ISLNK(status.st_mode); links++) {
        char *target;
        if (links >= LINKS_MAX)
            return err_set(err, ERR_INVALID, "too many symlinks in %s", path);
        AUTO_FREE char *bare = path_clean(at);
        if (read_link(bare, &target, err) < 0)
            return -1;
        free(at);
        at = target;
        found = look(at, &status);
    }
    if (found < 0 && found != -ENOENT)
        return cli_path_error(err, "lstat", at, found);
    if (found < 0 && check_parent(at, err) < 0)
        return -1;
    *ret = (struct copy_end){ .exists = found == 0, .is_dir = found == 0 && S_ISDIR(status.st_mode), .path = take_ptr(&at) };
    return 0;
}

static int resolve(const char *path, char **ret, struct err *err)
{
    *ret = realpath(path, NULL);
    if (*ret)
        return 0;
    if (errno == ENOTDIR)
        return err_set(err, ERR_INVALID, "not a directory");
    AUTO_FREE char *clean = path_clean(path);
    return cli_path_error(err, "lstat", clean, errno);
}

int copy_look_source(const char *path, bool follow, struct copy_end *ret, struct err *err)
{
    AUTO_COPY_END struct copy_end end = { .exists = true };
    AUTO_FREE char *resolved = NULL, *dir = NULL, *base = NULL;
    struct stat status;
    if (follow || copy_means_dir(path)) { /* a slash behind a link means what it leads to */
        if (resolve(path, &resolved, err) < 0)
            return -1;
        end.path = copy_followed(path, resolved, &end.rebase_name);
    } else {
        copy_split(path, &dir, &base);
        if (resolve(dir, &resolved, err) < 0)
            return -1;
        end.path = path_join(resolved, str_eq(base, "/") ? "" : base);
    }
    int found = look(end.path, &status);
    if (found < 0) {
        AUTO_FREE char *clean = path_clean(end.path);
        return cli_path_error(err, "lstat", clean, found);
    }
    end.is_dir = S_ISDIR(status.st_mode);
    *ret = end;
    end = (struct copy_end){ 0 };
    return 0;
}

int copy_check_output(const char *path, struct err *err)
{
    AUTO_FREE char *clean = path_clean(path);
    AUTO_FREE char *dir = xstrndup(clean, (size_t)(path_base(clean) - clean));
    AUTO_FREE char *clean_dir = path_clean(dir);
    struct stat status;
    if (stat(clean_dir, &status) < 0 && errno == ENOENT)
        return err_set(err, ERR_INVALID, "invalid output path: directory \"%s\" does not exist", clean_dir);
    if (stat(path, &status) < 0)
        return errno == ENOENT ? 0 : cli_path_error(err, "stat", path, errno);
    if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode))
        return 0;
    return err_set(err, ERR_INVALID, "invalid output path: \"%s\" must be a directory or a regular file: got a %s", path,
                   S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ? "irregular file" : "device");
}
