#include "lib/base/str.h"
#include "lib/oci/digest.h"
#include "lib/store/internal.h"
#include <assert.h>

struct layer *layer_of(struct store *store, const char *diff_id)
{
    return diff_id ? map_get(store->layers, diff_id) : NULL;
}

struct store_layer *store_layer_get(struct store *store, const char *diff_id)
{
    struct layer *layer = layer_of(store, diff_id);
    return layer ? &layer->base : NULL;
}

bool store_layer_has(struct store *store, const char *diff_id)
{
    return layer_of(store, diff_id) != NULL;
}

struct store_layer *store_layer_next(struct store *store, size_t *cursor)
{
    const char *key;
    void *value;
    return map_next(store->layers, cursor, &key, &value) ? &((struct layer *)value)->base : NULL;
}

static void layer_set_blob(struct store_layer *layer, const struct store_layer_info *info)
{
    free(layer->blob);
    free(layer->media_type);
    layer->blob = xstrdup(info->blob);
    layer->media_type = str_empty(info->media_type) ? NULL : xstrdup(info->media_type);
    layer->blob_size = info->blob_size;
}

struct store_layer *store_layer_add(struct store *store, const struct store_layer_info *info)
{
    assert(digest_is_sha256(info->diff_id));
    struct layer *layer = layer_of(store, info->diff_id);
    if (!layer) {
        layer = xcalloc(1, sizeof *layer);
        str_copy(layer->base.diff_id, sizeof layer->base.diff_id, info->diff_id);
        layer->base.size = info->size;
        map_set(store->layers, info->diff_id, layer);
    }
    if (!layer->base.blob && !str_empty(info->blob)) {
        layer_set_blob(&layer->base, info);
        layer->base.saved = false;
    }
    return &layer->base;
}

static void row_done(struct distribution_row *row)
{
    free(row->repository);
    free(row->blob);
    free(row->media_type);
}

void layer_forget(struct store *store, struct layer *layer)
{
    map_remove(store->layers, layer->base.diff_id);
    for (size_t i = 0; i < layer->row_count; i++)
        row_done(&layer->rows[i]);
    free(layer->rows);
    free(layer->base.blob);
    free(layer->base.media_type);
    free(layer);
}

static void queue_distribution(struct store *store, const char *diff_id, const struct distribution_row *row)
{
    db_queue(store->db, DB_FULL, "INSERT OR REPLACE INTO distribution VALUES (?, ?, ?, ?, ?)", "ssssi", diff_id, row->blob,
             row->repository, row->media_type, row->blob_size);
}

void layer_rows_queue(struct store *store, struct layer *layer)
{
    struct store_layer *base = &layer->base;
    if (base->saved)
        return;
    base->saved = true;
    db_queue(store->db, DB_FULL, "INSERT OR REPLACE INTO layers VALUES (?, ?, ?, ?, ?)", "sissi", base->diff_id, base->size, base->blob,
             base->media_type, base->blob_size);
    for (size_t i = 0; i < layer->row_count; i++)
        queue_distribution(store, base->diff_id, &layer->rows[i]);
}

void store_layer_keep(struct store *store, const char *diff_id)
{
    struct layer *layer = layer_of(store, diff_id);
    if (layer)
        layer_rows_queue(store, layer);
}

void store_distribution_add(struct store *store, const char *diff_id, const struct store_distribution *row)
{
    struct layer *layer = layer_of(store, diff_id);
    if (!layer || str_empty(row->repository) || str_empty(row->blob))
        return;
    struct distribution_row made = {
        .repository = xstrdup(row->repository),
        .blob = xstrdup(row->blob),
        .media_type = xstrdup(row->media_type),
        .blob_size = row->blob_size,
    };
    size_t at = 0;
    while (at < layer->row_count && !str_eq(layer->rows[at].repository, row->repository))
        at++;
    if (at < layer->row_count) {
        row_done(&layer->rows[at]);
    } else {
        layer->rows = xreallocarray(layer->rows, ++layer->row_count, sizeof *layer->rows);
    }
    memmove(layer->rows + 1, layer->rows, at * sizeof *layer->rows); /* the newest stands first */
    layer->rows[0] = made;
    if (layer->base.saved)
        queue_distribution(store, diff_id, &made);
}

bool store_distribution_at(struct store *store, const char *diff_id, size_t index, struct store_distribution *ret)
{
    struct layer *layer = layer_of(store, diff_id);
    if (!layer || index >= layer->row_count)
        return false;
    const struct distribution_row *row = &layer->rows[index];
    *ret = (struct store_distribution){
        .repository = row->repository, .blob = row->blob, .media_type = row->media_type, .blob_size = row->blob_size
    };
    return true;
}

bool store_distribution_find(struct store *store, const char *diff_id, const char *repository, struct store_distribution *ret)
{
    struct store_distribution row;
    for (size_t i = 0; store_distribution_at(store, diff_id, i, &row); i++) {
        if (!str_eq(row.repository, repository))
            continue;
        *ret = row;
        return true;
    }
    return false;
}

/* ---- leases ---- */

struct store_lease {
    struct store *store;
    char *what;
    char **pins;
};

struct store_lease *store_lease_new(struct store *store, const char *what)
{
    struct store_lease *lease = xcalloc(1, sizeof *lease);
    lease->store = store;
    lease->what = xstrdup(what);
    return lease;
}

static intptr_t pin_count(const struct store *store, const char *digest)
{
    return (intptr_t)map_get(store->pins, digest);
}

bool store_pinned(const struct store *store, const char *digest)
{
    return pin_count(store, digest) > 0;
}

void store_lease_pin(struct store_lease *lease, const char *digest)
{
    if (str_empty(digest) || strv_contains(lease->pins, digest))
        return;
    strv_append(&lease->pins, digest);
    map_set(lease->store->pins, digest, (void *)(pin_count(lease->store, digest) + 1));
}

void store_lease_pin_all(struct store_lease *lease, char *const *digests)
{
    for (; digests && *digests; digests++)
        store_lease_pin(lease, *digests);
}

void store_lease_free(struct store_lease *lease)
{
    if (!lease)
        return;
    for (char **pin = lease->pins; pin && *pin; pin++) {
        intptr_t count = pin_count(lease->store, *pin);
        if (count > 1)
            map_set(lease->store->pins, *pin, (void *)(count - 1));
        else
            map_remove(lease->store->pins, *pin);
    }
    strv_free(lease->pins);
    free(lease->what);
    free(lease);
}

/* ---- garbage ---- */

void doom(struct store *store, const char *kind, const char *digest)
{
    AUTO_FREE char *name = str_format("%s/%s", kind, hex_of(digest));
    mutex_lock(&store->disk_lock);
    map_set(store->doomed, name, store);
    mutex_unlock(&store->disk_lock);
}

void blob_maybe_unused(struct store *store, const char *digest)
{
    if (!digest || !digest_is_sha256(digest))
        return;
    mutex_lock(&store->disk_lock);
    if (!strv_contains(store->fresh, digest))
        strv_append(&store->fresh, digest);
    mutex_unlock(&store->disk_lock);
}

static bool blob_in_use(struct store *store, const char *digest)
{
    size_t cursor = 0;
    const struct store_layer *layer;
    if (map_get(store->images, digest))
        return true;
    for (size_t i = 0; i < store->image_count; i++) {
        if (str_eq(store->order[i]->manifest, digest))
            return true;
    }
    while ((layer = store_layer_next(store, &cursor))) {
        if (str_eq(layer->blob, digest))
            return true;
    }
    return false;
}

static void collect_blobs(struct store *store)
{
    mutex_lock(&store->disk_lock);
    char **list = take_ptr(&store->fresh);
    mutex_unlock(&store->disk_lock);
    for (char **digest = list; digest && *digest; digest++) {
        if (store_pinned(store, *digest))
            blob_maybe_unused(store, *digest);
        else if (!blob_in_use(store, *digest))
            doom(store, "blobs", *digest);
    }
    strv_free(list);
}

static void collect_layer(struct store *store, struct layer *layer)
{
    const char *diff_id = layer->base.diff_id;
    if (layer->base.saved) {
        db_queue(store->db, DB_FULL, "DELETE FROM layers WHERE diff_id = ?", "s", diff_id);
        db_queue(store->db, DB_FULL, "DELETE FROM distribution WHERE diff_id = ?", "s", diff_id);
    }
    doom(store, "layers", diff_id);
    blob_maybe_unused(store, layer->base.blob);
    layer_forget(store, layer);
}

size_t store_collect(struct store *store, int64_t *ret_bytes)
{
    size_t cursor = 0, count = 0;
    struct store_layer *layer;
    db_group_begin(store->db);
    while ((layer = store_layer_next(store, &cursor))) {
        if (layer->image_count || store_pinned(store, layer->diff_id))
            continue;
        count++;
        if (ret_bytes)
            *ret_bytes += layer->size;
        collect_layer(store, container_of(layer, struct layer, base));
    }
    collect_blobs(store);
    (void)db_group_end(store->db, DB_FULL);
    return count;
}
