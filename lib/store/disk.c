/* What waits for the disk. Only the store's directory fds, the set of the doomed and the fresh list are touched here, the
 * latter two under disk_lock. A thing that is doomed and adopted again before the sweep is simply not doomed any more. */
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/root.h"
#include "lib/base/str.h"
#include "lib/oci/digest.h"
#include "lib/store/internal.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CONFIG_MAX ((size_t)8 << 20)

char *store_layer_path(const struct store *store, const char *diff_id)
{
    return str_format("%s/layers/%s/diff", store->root, hex_of(diff_id));
}

int store_trash_put(struct store *store, int dir_fd, const char *name)
{
    char target[33];
    id_random_hex(target, 32);
    if (renameat2(dir_fd, name, store->trash_fd, target, RENAME_NOREPLACE) == 0 || errno == ENOENT)
        return 0;
    return -errno;
}

int store_tmp_make(struct store *store, const char *prefix, char **ret_name, struct err *err)
{
    char random[17];
    id_random_hex(random, 16);
    AUTO_FREE char *name = str_format("tmp/%s-%s", prefix, random);
    if (mkdirat(store->root_fd, name, 0700) < 0)
        return err_sys(err, errno, "make %s/%s", store->root, name);
    *ret_name = take_ptr(&name);
    return 0;
}

int store_sync(struct store *store, struct err *err)
{
    return syncfs(store->root_fd) < 0 ? err_sys(err, errno, "sync %s", store->root) : 0;
}

static int mark_opaque(int tree_fd, char *const *opaque, struct err *err)
{
    for (; opaque && *opaque; opaque++) {
        AUTO_FD int fd = root_open_beneath(tree_fd, *opaque, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        if (fd < 0)
            return err_sys(err, -fd, "open opaque directory %s", *opaque);
        if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
            return err_sys(err, errno, "mark %s opaque", *opaque);
    }
    return 0;
}

/* disk_lock held. The name of a thing in layers/ or blobs/ is decided here, so that sweep and adoption never cross. */
static int settle(struct store *store, const char *kind, const char *from, int to_fd, const char *hex)
{
    AUTO_FREE char *name = str_format("%s/%s", kind, hex);
    (void)map_remove(store->doomed, name);
    if (renameat2(store->tmp_fd, from, to_fd, hex, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EEXIST ? store_trash_put(store, store->tmp_fd, from) : -errno;
}

int store_layer_adopt(struct store *store, int dir_fd, const char *name, const char *diff_id, char *const *opaque, struct err *err)
{
    char holder[32] = "adopt-", path[48];
    if (!digest_is_sha256(diff_id))
        return err_set(err, ERR_INVALID, "invalid layer id %s", diff_id);
    AUTO_FD int tree_fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (tree_fd < 0)
        return err_sys(err, errno, "open layer %s", diff_id);
    if (mark_opaque(tree_fd, opaque, err) < 0)
        return err_wrap(err, "layer %s", diff_id);
    id_random_hex(holder + 6, 16);
    snprintf(path, sizeof path, "%s/diff", holder);
    if (mkdirat(store->tmp_fd, holder, 0700) < 0 || renameat(dir_fd, name, store->tmp_fd, path) < 0)
        return err_sys(err, errno, "adopt layer %s", diff_id);
    mutex_lock(&store->disk_lock);
    int ret = settle(store, "layers", holder, store->layers_fd, hex_of(diff_id));
    mutex_unlock(&store->disk_lock);
    return ret < 0 ? err_sys(err, -ret, "adopt layer %s", diff_id) : 0;
}

/* The file comes from an unprivileged worker's spool: nothing but a plain file with one name is taken. */
static int claim_file(int dir_fd, const char *name)
{
    struct stat status;
    AUTO_FD int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
        return -EBADF;
    if (status.st_uid != geteuid() && fchown(fd, geteuid(), getegid()) < 0)
        return -errno;
    return fchmod(fd, 0600) < 0 ? -errno : 0;
}

int store_recipe_adopt(struct store *store, int dir_fd, const char *name, const char *diff_id, struct err *err)
{
    if (!digest_is_sha256(diff_id))
        return err_set(err, ERR_INVALID, "invalid layer id %s", diff_id);
    AUTO_FREE char *path = str_format("%s/recipe", hex_of(diff_id));
    int ret = claim_file(dir_fd, name);
    if (ret == 0 && renameat2(dir_fd, name, store->layers_fd, path, RENAME_NOREPLACE) < 0)
        ret = errno == EEXIST ? store_trash_put(store, dir_fd, name) : -errno;
    return ret < 0 ? err_sys(err, -ret, "adopt the recipe of layer %s", diff_id) : 0;
}

char *store_recipe_path(const struct store *store, const char *diff_id)
{
    AUTO_FREE char *path = str_format("%s/layers/%s/recipe", store->root, hex_of(diff_id));
    return faccessat(AT_FDCWD, path, F_OK, 0) == 0 ? take_ptr(&path) : NULL;
}

int store_blob_adopt(struct store *store, int dir_fd, const char *name, const char *digest, struct err *err)
{
    char holder[32] = "blob-";
    if (!digest_is_sha256(digest))
        return err_set(err, ERR_INVALID, "invalid digest %s", digest);
    int ret = claim_file(dir_fd, name);
    if (ret < 0)
        return err_sys(err, -ret, "adopt blob %s", digest);
    id_random_hex(holder + 5, 16);
    if (renameat(dir_fd, name, store->tmp_fd, holder) < 0)
        return err_sys(err, errno, "adopt blob %s", digest);
    mutex_lock(&store->disk_lock);
    ret = settle(store, "blobs", holder, store->blobs_fd, hex_of(digest));
    if (!strv_contains(store->fresh, digest))
        strv_append(&store->fresh, digest);
    mutex_unlock(&store->disk_lock);
    return ret < 0 ? err_sys(err, -ret, "adopt blob %s", digest) : 0;
}

int store_blob_write(struct store *store, const char *digest, const void *bytes, size_t length, struct err *err)
{
    char actual[72], name[32] = "write-";
    store_digest(bytes, length, actual);
    if (!str_eq(actual, digest))
        return err_set(err, ERR_INVALID, "digest of the content is %s, not %s", actual, digest);
    id_random_hex(name + 6, 16);
    AUTO_FD int fd = openat(store->tmp_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_sys(err, errno, "write blob %s", digest);
    int ret = io_write_all(fd, bytes, length);
    if (ret < 0) {
        (void)unlinkat(store->tmp_fd, name, 0);
        return err_sys(err, -ret, "write blob %s", digest);
    }
    return store_blob_adopt(store, store->tmp_fd, name, digest, err);
}

int store_blob_open(struct store *store, const char *digest, int *ret_fd, uint64_t *ret_size, struct err *err)
{
    struct stat status;
    if (!digest_is_sha256(digest))
        return err_set(err, ERR_INVALID, "invalid digest %s", digest);
    AUTO_FD int fd = openat(store->blobs_fd, hex_of(digest), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, ERR_NOT_FOUND, "blob %s is not in the store", digest);
    if (fd < 0 || fstat(fd, &status) < 0)
        return err_sys(err, errno, "open blob %s", digest);
    *ret_fd = take_fd(&fd);
    if (ret_size)
        *ret_size = (uint64_t)status.st_size;
    return 0;
}

bool store_blob_has(struct store *store, const char *digest)
{
    return digest_is_sha256(digest) && faccessat(store->blobs_fd, hex_of(digest), F_OK, 0) == 0;
}

int store_blob_read(struct store *store, const char *digest, size_t max, char **ret, size_t *ret_length, struct err *err)
{
    AUTO_FD int fd = -1;
    if (store_blob_open(store, digest, &fd, NULL, err) < 0)
        return -1;
    int failure = io_read_fd(fd, max, ret, ret_length);
    return failure < 0 ? err_sys(err, -failure, "read blob %s", digest) : 0;
}

int store_image_config(struct store *store, const char *id, char **ret, size_t *ret_length, struct err *err)
{
    return store_blob_read(store, id, CONFIG_MAX, ret, ret_length, err);
}

/* disk_lock held: one name of the set, taken out of it. */
static char *next_doomed(struct store *store)
{
    size_t cursor = 0;
    const char *key;
    void *value;
    if (!map_next(store->doomed, &cursor, &key, &value))
        return NULL;
    char *name = xstrdup(key);
    (void)map_remove(store->doomed, name);
    return name;
}

void store_sweep(struct store *store)
{
    for (;;) {
        mutex_lock(&store->disk_lock);
        AUTO_FREE char *name = next_doomed(store);
        const char *blob = name ? str_after(name, "blobs/") : NULL;
        if (blob)
            (void)store_trash_put(store, store->blobs_fd, blob);
        else if (name)
            (void)store_trash_put(store, store->layers_fd, str_after(name, "layers/"));
        mutex_unlock(&store->disk_lock);
        if (!name)
            return;
    }
}

/* ---- at start ---- */

static struct map *used_blobs(struct store *store)
{
    struct map *used = map_new();
    size_t cursor = 0;
    const struct store_layer *layer;
    for (size_t i = 0; i < store->image_count; i++) {
        map_set(used, hex_of(store->order[i]->id), store);
        if (store->order[i]->manifest && digest_is_sha256(store->order[i]->manifest))
            map_set(used, hex_of(store->order[i]->manifest), store);
    }
    while ((layer = store_layer_next(store, &cursor))) {
        if (layer->blob && digest_is_sha256(layer->blob))
            map_set(used, hex_of(layer->blob), store);
    }
    return used;
}

static struct map *used_layers(struct store *store)
{
    struct map *used = map_new();
    size_t cursor = 0;
    const struct store_layer *layer;
    while ((layer = store_layer_next(store, &cursor)))
        map_set(used, hex_of(layer->diff_id), store);
    return used;
}

static int trash_others(struct store *store, int dir_fd, const struct map *used)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        fd_close(fd);
        return -errno;
    }
    int ret = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) { // NOLINT(concurrency-mt-unsafe): own DIR
        if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") || (used && map_get(used, entry->d_name)))
            continue;
        int failure = store_trash_put(store, dir_fd, entry->d_name);
        ret = failure < 0 ? failure : ret;
    }
    closedir(dir);
    return ret;
}

int store_sweep_orphans(struct store *store, struct err *err)
{
    struct map *blobs = used_blobs(store), *layers = used_layers(store);
    int ret = trash_others(store, store->blobs_fd, blobs);
    if (ret == 0)
        ret = trash_others(store, store->layers_fd, layers);
    if (ret == 0)
        ret = trash_others(store, store->tmp_fd, NULL);
    map_free(blobs);
    map_free(layers);
    return ret < 0 ? err_sys(err, -ret, "clean %s", store->root) : 0;
}
