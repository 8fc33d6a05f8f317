#include "lib/volume/volume.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRASH ".trash" /* no volume is called so: a name begins with a letter or digit */
#define NAME_MAX_LENGTH 255
#define NANO 1000000000LL

struct volume_store {
    int dir_fd;
    char *path;
};

static const char alphanumeric[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

int volume_name_check(const char *name, struct err *err)
{
    size_t length = strlen(name);
    size_t rest = length ? strspn(name + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") : 0;
    if (length == 1)
        return err_set(err, ERR_INVALID, "create %s: volume name is too short, names should be at least two alphanumeric characters", name);
    if (length == 0 || !strchr(alphanumeric, name[0]) || rest + 1 != length)
        return err_set(err, ERR_INVALID, "create %.300s: \"%.300s\" includes invalid characters for a local volume name, only "
                       "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path", name, name);
    if (length > NAME_MAX_LENGTH)
        return err_set(err, ERR_INVALID, "create %.100s...: volume name is too long, at most %d characters", name, NAME_MAX_LENGTH);
    return 0;
}

int volume_driver_check(const char *driver, struct err *err)
{
    if (str_empty(driver) || str_eq(driver, "local"))
        return 0;
    return err_set(err, ERR_NOT_FOUND, "error looking up volume plugin %s: plugin \"%s\" not found", driver, driver);
}

int volume_store_open(const char *data_root, struct volume_store **ret, struct err *err)
{
    AUTO_FREE char *path = path_join(data_root, "volumes");
    AUTO_FREE char *trash = path_join(path, TRASH);
    int failed = path_mkdirs_at(AT_FDCWD, path, 0701);
    if (failed == 0)
        failed = path_mkdirs_at(AT_FDCWD, trash, 0700);
    if (failed < 0)
        return err_sys(err, failed, "create directory %s", path);
    int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_sys(err, errno, "open %s", path);
    path_spread(dir_fd);
    struct volume_store *store = xcalloc(1, sizeof(*store));
    store->dir_fd = dir_fd;
    store->path = take_ptr(&path);
    *ret = store;
    return 0;
}

void volume_store_close(struct volume_store *store)
{
    if (!store)
        return;
    fd_close(store->dir_fd);
    free(store->path);
    free(store);
}

void volume_free(struct local_volume *volume)
{
    if (!volume)
        return;
    free(volume->name);
    free(volume->mountpoint);
    strv_free(volume->options);
    free(volume->device);
    free(volume->mount_data);
    free(volume);
}

/* ---- driver options ---- */

struct driver_options {
    const char *type, *o, *device; /* borrowed */
};

static int options_read(const char *name, const char *const *options, struct driver_options *ret, struct err *err)
{
    for (; options && *options; options++) {
        const char *equals = strchr(*options, '=');
        const char *value;
        if ((value = str_after(*options, "type=")))
            ret->type = value;
        else if ((value = str_after(*options, "o=")))
            ret->o = value;
        else if ((value = str_after(*options, "device=")))
            ret->device = value;
        else if (str_after(*options, "size="))
            return err_set(err, ERR_UNSUPPORTED, "create %s: quota size requested but no quota support", name);
        else
            return err_set(err, ERR_INVALID, "create %s: invalid option: \"%.*s\"", name,
                           (int)(equals ? equals - *options : (ptrdiff_t)strlen(*options)), *options);
    }
    return 0;
}

static int bind_option(struct local_volume *volume, const char *word, bool *ret_bind)
{
    if (str_eq(word, "bind") || str_eq(word, "rbind"))
        *ret_bind = true;
    else if (str_eq(word, "ro"))
        volume->readonly = true;
    else
        return str_eq(word, "rw") ? 0 : -1;
    return 0;
}

static int tmpfs_option(struct local_volume *volume, const char *word)
{
    static const char *const data[] = { "size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=" };
    if (str_eq(word, "ro"))
        volume->readonly = true;
    if (str_eq(word, "ro") || str_eq(word, "rw"))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
        if (!str_starts(word, data[i]))
            continue;
        char *joined = str_format("%s%s%s", volume->mount_data, volume->mount_data[0] ? "," : "", word);
        free(volume->mount_data);
        volume->mount_data = joined;
        return 0;
    }
    return -1;
}

static int options_bind(struct local_volume *volume, const struct driver_options *options, char *const *words, struct err *err)
{
    bool bind = false;
    for (; *words; words++)
        if (bind_option(volume, *words, &bind) < 0)
            return err_set(err, ERR_UNSUPPORTED, "create %s: mount option \"%s\" is not supported", volume->name, *words);
    if (!bind)
        return err_set(err, ERR_UNSUPPORTED, "create %s: type \"none\" is supported with o=bind only", volume->name);
    if (options->device[0] != '/')
        return err_set(err, ERR_INVALID, "create %s: device \"%s\" must be an absolute path", volume->name, options->device);
    volume->kind = VOLUME_BIND;
    volume->device = path_clean(options->device);
    return 0;
}

static int options_tmpfs(struct local_volume *volume, char *const *words, struct err *err)
{
    volume->kind = VOLUME_TMPFS;
    for (; *words; words++)
        if (tmpfs_option(volume, *words) < 0)
            return err_set(err, ERR_UNSUPPORTED, "create %s: mount option \"%s\" is not supported", volume->name, *words);
    return 0;
}

static int options_apply(struct local_volume *volume, const char *const *given, struct err *err)
{
    struct driver_options options = { 0 };
    if (options_read(volume->name, given, &options, err) < 0)
        return -1;
    if (!given || !*given)
        return 0;
    if (str_empty(options.device))
        return err_set(err, ERR_INVALID, "create %s: missing required option: \"device\"", volume->name);
    if (str_empty(options.type))
        return err_set(err, ERR_INVALID, "create %s: missing required option: \"type\"", volume->name);
    CLEANUP(strv_free) char **words = strv_split(options.o ? options.o : "", ',', true);
    if (str_eq(options.type, "none") || str_eq(options.type, "bind"))
        return options_bind(volume, &options, words, err);
    if (str_eq(options.type, "tmpfs"))
        return options_tmpfs(volume, words, err);
    return err_set(err, ERR_UNSUPPORTED, "create %s: file system type \"%s\" is not supported for volumes", volume->name, options.type);
}

int volume_describe(struct volume_store *store, const char *name, const char *const *options, struct local_volume **ret, struct err *err)
{
    if (volume_name_check(name, err) < 0)
        return -1;
    CLEANUP(volume_free) struct local_volume *volume = xcalloc(1, sizeof(*volume));
    volume->name = xstrdup(name);
    volume->mountpoint = str_format("%s/%s/_data", store->path, name);
    volume->mount_data = xstrdup("");
    for (const char *const *option = options; option && *option; option++)
        strv_append(&volume->options, *option);
    if (options_apply(volume, options, err) < 0)
        return -1;
    *ret = take_ptr(&volume);
    return 0;
}

/* ---- directories ---- */

static int64_t birth(int dir_fd)
{
    struct statx status;
    if (statx(dir_fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_CTIME, &status) < 0)
        return 0;
    const struct statx_timestamp *when = status.stx_mask & STATX_BTIME ? &status.stx_btime : &status.stx_ctime;
    return when->tv_sec * NANO + when->tv_nsec;
}

int volume_create(struct volume_store *store, const char *name, const char *const *options, struct local_volume **ret, struct err *err)
{
    CLEANUP(volume_free) struct local_volume *volume = NULL;
    if (volume_describe(store, name, options, &volume, err) < 0)
        return -1;
    AUTO_FD int dir = path_mkdir_open_at(store->dir_fd, name, 0701);
    if (dir < 0)
        return err_sys(err, dir, "create volume directory of %s", name);
    AUTO_FD int data = path_mkdir_open_at(dir, "_data", 0755);
    if (data < 0)
        return err_sys(err, data, "create %s", volume->mountpoint);
    volume->created = birth(dir);
    *ret = take_ptr(&volume);
    return 0;
}

static int trash_remove(struct volume_store *store, const char *name)
{
    AUTO_FD int trash = openat(store->dir_fd, TRASH, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return trash < 0 ? -errno : path_remove_tree_at(trash, name);
}

int volume_remove(struct volume_store *store, const char *name, struct err *err)
{
    char doomed[33], to[64];
    struct err wrong = { 0 };
    if (volume_name_check(name, &wrong) < 0)
        return err_set(err, ERR_INVALID, "remove %.100s: invalid volume name", name);
    id_random_hex(doomed, 32);
    snprintf(to, sizeof(to), TRASH "/%s", doomed);
    if (renameat(store->dir_fd, name, store->dir_fd, to) < 0)
        return errno == ENOENT ? 0 : err_sys(err, errno, "remove volume %s", name);
    int failed = trash_remove(store, doomed);
    return failed < 0 ? err_sys(err, failed, "remove the data of volume %s", name) : 0;
}

/* Entries of a directory but "." and "..". */
static char **names_below(int dir_fd, const char *name)
{
    char **names = NULL;
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        fd_close(fd);
        return NULL;
    }
    struct dirent *entry;
    while ((entry = readdir(dir)))
        if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
            strv_append(&names, entry->d_name);
    closedir(dir);
    return names;
}

int volume_scan(struct volume_store *store, char ***ret_names, struct err *err)
{
    CLEANUP(strv_free) char **all = names_below(store->dir_fd, ".");
    char **names = NULL;
    struct err wrong = { 0 };
    for (char **name = all; name && *name; name++) {
        AUTO_FREE char *data = path_join(*name, "_data");
        struct stat status;
        if (volume_name_check(*name, &wrong) == 0 && fstatat(store->dir_fd, data, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode))
            strv_append(&names, *name);
    }
    (void)err;
    *ret_names = names;
    return 0;
}

void volume_trash_empty(struct volume_store *store)
{
    CLEANUP(strv_free) char **names = names_below(store->dir_fd, TRASH);
    for (char **name = names; name && *name; name++)
        trash_remove(store, *name);
}

int volume_usage(struct volume_store *store, const char *name, uint64_t *ret_bytes, struct err *err)
{
    unsigned long long bytes = 0, entries = 0;
    struct err wrong = { 0 };
    if (volume_name_check(name, &wrong) < 0)
        return err_set(err, ERR_INVALID, "invalid volume name %.100s", name);
    AUTO_FREE char *data = path_join(name, "_data");
    int failed = path_disk_usage_at(store->dir_fd, data, &bytes, &entries);
    if (failed < 0)
        return err_sys(err, failed, "measure volume %s", name);
    *ret_bytes = bytes;
    return 0;
}

int volume_open(struct volume_store *store, const struct local_volume *volume, int *ret_fd, struct err *err)
{
    AUTO_FD int dir = -1;
    int fd = -1;
    switch (volume->kind) {
    case VOLUME_BIND:
        fd = open(volume->device, O_PATH | O_CLOEXEC);
        break;
    case VOLUME_PLAIN:
    case VOLUME_TMPFS:
        dir = openat(store->dir_fd, volume->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        fd = dir < 0 ? -1 : openat(dir, "_data", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        break;
    }
    if (fd < 0)
        return err_sys(err, errno, "failed to mount local volume: %s", volume->kind == VOLUME_BIND ? volume->device : volume->mountpoint);
    *ret_fd = fd;
    return 0;
}
