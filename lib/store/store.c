#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/oci/digest.h"
#include "lib/store/internal.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

const char *hex_of(const char *digest)
{
    const char *hex = digest_is_sha256(digest) ? digest_hex(digest) : NULL;
    assert(hex);
    return hex;
}

static int open_directories(struct store *store, struct err *err)
{
    const struct {
        const char *name;
        int *fd;
    } rows[] = {
        { "layers", &store->layers_fd },
        { "blobs/sha256", &store->blobs_fd },
        { "tmp", &store->tmp_fd },
        { "trash", &store->trash_fd },
    };
    store->root_fd = open(store->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store->root_fd < 0)
        return err_sys(err, errno, "open %s", store->root);
    int ret = path_mkdirs_at(store->root_fd, "blobs", 0700);
    for (size_t i = 0; ret >= 0 && i < ARRAY_SIZE(rows); i++) {
        ret = path_mkdir_open_at(store->root_fd, rows[i].name, 0700);
        if (ret < 0)
            return err_sys(err, -ret, "open %s/%s", store->root, rows[i].name);
        *rows[i].fd = ret;
        path_spread(ret);
    }
    return ret < 0 ? err_sys(err, -ret, "make directories below %s", store->root) : 0;
}

int store_open(const char *data_root, struct db *db, struct store **ret, struct err *err)
{
    CLEANUP(store_close) struct store *store = xcalloc(1, sizeof *store);
    store->root_fd = store->layers_fd = store->blobs_fd = store->tmp_fd = store->trash_fd = -1;
    store->root = xstrdup(data_root);
    store->db = db;
    store->images = map_new();
    store->refs = map_new();
    store->layers = map_new();
    store->pins = map_new();
    store->doomed = map_new();
    mutex_init(&store->disk_lock);
    if (open_directories(store, err) < 0 || store_load(store, err) < 0 || store_sweep_orphans(store, err) < 0)
        return -1;
    *ret = take_ptr(&store);
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    size_t cursor = 0;
    void *value;
    const char *key;
    for (size_t i = 0; i < store->image_count; i++)
        image_free(store->order[i]);
    while (map_next(store->layers, &cursor, &key, &value))
        layer_forget(store, value);
    map_free(store->images);
    map_free(store->refs);
    map_free(store->layers);
    map_free(store->pins);
    map_free(store->doomed);
    strv_free(store->fresh);
    free(store->order);
    free(store->root);
    mutex_done(&store->disk_lock);
    int fds[] = { store->root_fd, store->layers_fd, store->blobs_fd, store->tmp_fd, store->trash_fd };
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fd_close(fds[i]);
    free(store);
}

static int on_layer_row(const struct db_row *row, void *arg, struct err *err)
{
    struct store *store = arg;
    const char *diff_id = db_row_text(row, 0);
    struct stat status;
    if (!digest_is_sha256(diff_id))
        return err_set(err, ERR_INTERNAL, "database holds a bad layer id");
    char path[80];
    snprintf(path, sizeof path, "%s/diff", hex_of(diff_id));
    if (fstatat(store->layers_fd, path, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode)) {
        log_warn("layer is missing on disk diff_id=%s", diff_id);
        return 0;
    }
    struct store_layer *layer = store_layer_add(store, &(struct store_layer_info){
        .diff_id = diff_id,
        .size = db_row_int(row, 1),
        .blob = db_row_text(row, 2),
        .media_type = db_row_text(row, 3),
        .blob_size = db_row_int(row, 4),
    });
    layer->saved = true;
    return 0;
}

static int on_image_row(const struct db_row *row, void *arg, struct err *err)
{
    struct store *store = arg;
    const char *id = db_row_text(row, 0), *diff_ids = db_row_text(row, 12);
    if (!digest_is_sha256(id) || !diff_ids)
        return err_set(err, ERR_INTERNAL, "database holds a bad image id");
    struct store_image *image = xcalloc(1, sizeof *image);
    str_copy(image->id, sizeof image->id, id);
    image->parent = xstrdup(db_row_text(row, 1));
    image->created_ns = db_row_int(row, 2);
    image->size = db_row_int(row, 3);
    image->tagged_ns = db_row_int(row, 4);
    image->local = db_row_int(row, 5) != 0;
    image->os = xstrdup(db_row_text(row, 6));
    image->architecture = xstrdup(db_row_text(row, 7));
    image->variant = xstrdup(db_row_text(row, 8));
    image->labels = xstrdup(db_row_text(row, 9));
    image->manifest = xstrdup(db_row_text(row, 10));
    image->manifest_type = xstrdup(db_row_text(row, 11));
    image->diff_ids = strv_split(diff_ids, ',', true);
    image_insert(store, image);
    return 0;
}

static int on_ref_row(const struct db_row *row, void *arg, struct err *err)
{
    struct store *store = arg;
    struct store_image *image = store_image_get(store, db_row_text(row, 1));
    if (!image || map_get(store->refs, db_row_text(row, 0)))
        return 0;
    map_set(store->refs, db_row_text(row, 0), image);
    strv_append(&image->refs, db_row_text(row, 0));
    return 0;
}

static int on_distribution_row(const struct db_row *row, void *arg, struct err *err)
{
    struct store *store = arg;
    struct layer *layer = layer_of(store, db_row_text(row, 0));
    if (!layer)
        return 0;
    layer->rows = xreallocarray(layer->rows, layer->row_count + 1, sizeof *layer->rows);
    layer->rows[layer->row_count++] = (struct distribution_row){
        .blob = xstrdup(db_row_text(row, 1)),
        .repository = xstrdup(db_row_text(row, 2)),
        .media_type = xstrdup(db_row_text(row, 3)),
        .blob_size = db_row_int(row, 4),
    };
    return 0;
}

int store_load(struct store *store, struct err *err)
{
    static const struct {
        const char *sql;
        db_row_fn fn;
    } steps[] = {
        { "SELECT diff_id, size, blob, media_type, blob_size FROM layers", on_layer_row },
        { "SELECT id, parent, created, size, tagged, local, os, architecture, variant, labels, manifest, manifest_type, diff_ids "
          "FROM images ORDER BY created",
          on_image_row },
        { "SELECT ref, image FROM image_refs ORDER BY ref", on_ref_row },
        { "SELECT diff_id, blob, repository, media_type, blob_size FROM distribution ORDER BY repository", on_distribution_row },
    };
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (db_each(store->db, steps[i].sql, steps[i].fn, store, err) < 0)
            return err_wrap(err, "load images");
    }
    for (size_t i = 0; i < store->image_count; i++)
        image_link(store, store->order[i]);
    return 0;
}

int store_data_fd(const struct store *store)
{
    return store->root_fd;
}
