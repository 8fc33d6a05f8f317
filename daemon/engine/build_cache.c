/* What builds remember: results of steps under their keys, and directories of RUN --mount=type=cache. An entry keeps its layer from being
 * collected. Beyond a tenth of the disk, what has not been used for longest is forgotten. */
#include "daemon/engine/build.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ENTRIES_MAX 20000
#define NOTE_SECONDS 3600
#define DISK_SHARE 10 /* of the file system, 1/n */

struct cache_entry {
    struct build_cache_value value;
    char *description;
    int64_t used_unix_ns, noted_unix_ns, use_count; /* noted: the use that the database knows */
};

static void entry_free(struct cache_entry *entry)
{
    if (!entry)
        return;
    codec_clear(&build_cache_value_type, &entry->value);
    free(entry->description);
    free(entry);
}

static bool is_whole(const struct engine *engine, const struct cache_entry *entry)
{
    return str_empty(entry->value.diff_id) || store_layer_has(engine->store, entry->value.diff_id);
}

/* On the disk it is written once an hour at most. */
static void note_use_locked(struct engine *engine, const char *key, struct cache_entry *entry)
{
    int64_t now = time_now_unix_ns();
    if (now - entry->noted_unix_ns > NOTE_SECONDS * NANOS_PER_SECOND) {
        db_queue(engine->db, DB_NORMAL, "UPDATE build_cache SET used = ? WHERE key = ?", "is", now, key);
        entry->noted_unix_ns = now;
    }
    entry->used_unix_ns = now;
    entry->use_count++;
}

BUILD_VERB(verb_cache_get)
{
    struct building *building = call->building;
    struct engine *engine = building->engine;
    const struct build_cache_get *ask = call->request;
    (void)err;
    mutex_lock(&engine->lock);
    struct cache_entry *entry = map_get(engine->build_cache, ask->key ? ask->key : "");
    if (entry && is_whole(engine, entry)) {
        codec_copy(&build_cache_value_type, call->reply, &entry->value);
        note_use_locked(engine, ask->key, entry);
        if (!str_empty(entry->value.diff_id))
            store_lease_pin(building->lease, entry->value.diff_id);
    }
    mutex_unlock(&engine->lock);
    return 0;
}

BUILD_VERB(verb_cache_put)
{
    struct building *building = call->building;
    struct engine *engine = building->engine;
    const struct build_cache_put *ask = call->request;
    if (!str_is_hex(ask->key, 64))
        return err_set(err, ERR_INTERNAL, "the build gave a malformed cache key");
    struct cache_entry *entry = xcalloc(1, sizeof *entry);
    entry->value = (struct build_cache_value){ .found = true, .diff_id = xstrdup(ask->diff_id), .size = ask->size, .created_unix_ns = ask->created_unix_ns,
                                               .extra = xstrdup(ask->extra) };
    entry->description = xstrdup(ask->description);
    entry->used_unix_ns = entry->noted_unix_ns = time_now_unix_ns();
    mutex_lock(&engine->lock);
    struct cache_entry *old = map_set(engine->build_cache, ask->key, entry);
    if (!str_empty(ask->diff_id)) {
        store_lease_pin(engine->cache_lease, ask->diff_id);
        strv_append(&building->kept, ask->diff_id);
    }
    db_queue(engine->db, DB_NORMAL, "INSERT OR REPLACE INTO build_cache(key, diff_id, size, created, used, extra, description) VALUES(?, ?, ?, ?, ?, ?, ?)", "ssiiiss",
             ask->key, ask->diff_id, ask->size, ask->created_unix_ns, entry->used_unix_ns, ask->extra, ask->description);
    mutex_unlock(&engine->lock);
    entry_free(old);
    return 0;
}

/* ---- directories ---- */

bool is_cache_dir(const struct engine *engine, const char *path)
{
    AUTO_FREE char *all = path_join(engine->options.data_root, "build-cache/");
    const char *key = str_after(path ? path : "", all);
    return key && str_is_hex(key, 64);
}

BUILD_VERB(verb_cache_dir)
{
    struct engine *engine = call->building->engine;
    const struct build_cache_dir *ask = call->request;
    if (!str_is_hex(ask->key, 64))
        return err_set(err, ERR_INTERNAL, "the build gave a malformed cache key");
    (void)mkdirat(engine->data_fd, "build-cache", 0700);
    AUTO_FREE char *name = str_format("build-cache/%s", ask->key);
    mode_t mode = (mode_t)ask->mode & 07777;
    bool created = mkdirat(engine->data_fd, name, mode) == 0;
    if (!created && errno != EEXIST)
        return err_sys(err, errno, "make a cache directory");
    call->reply_fd = openat(engine->data_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (call->reply_fd < 0)
        return err_sys(err, errno, "open a cache directory");
    if (created && (fchown(call->reply_fd, (uid_t)ask->uid, (gid_t)ask->gid) < 0 || fchmod(call->reply_fd, mode) < 0))
        return err_sys(err, errno, "set the mode of a cache directory");
    *(struct build_cache_dir_reply *)call->reply = (struct build_cache_dir_reply){ .path = path_join(engine->options.data_root, name), .created = created };
    return 0;
}

/* ---- all of it ---- */

static int load_row(const struct db_row *row, void *arg, struct err *err)
{
    struct engine *engine = arg;
    const char *diff_id = db_row_text(row, 1);
    (void)err;
    if (!str_empty(diff_id) && !store_layer_has(engine->store, diff_id)) { /* a build that never made an image */
        db_queue(engine->db, DB_NORMAL, "DELETE FROM build_cache WHERE key = ?", "s", db_row_text(row, 0));
        return 0;
    }
    struct cache_entry *entry = xcalloc(1, sizeof *entry);
    entry->value = (struct build_cache_value){ .found = true, .diff_id = xstrdup(diff_id), .size = db_row_int(row, 2), .created_unix_ns = db_row_int(row, 3),
                                               .extra = xstrdup(db_row_text(row, 4)) };
    entry->used_unix_ns = entry->noted_unix_ns = db_row_int(row, 5);
    entry->description = xstrdup(db_row_text(row, 6));
    map_set(engine->build_cache, db_row_text(row, 0), entry);
    if (!str_empty(diff_id))
        store_lease_pin(engine->cache_lease, diff_id);
    return 0;
}

int build_cache_load(struct engine *engine, struct err *err)
{
    engine->build_cache = map_new();
    engine->cache_lease = store_lease_new(engine->store, "build cache");
    return db_each(engine->db, "SELECT key, diff_id, size, created, extra, used, description FROM build_cache", load_row, engine, err);
}

void build_cache_free(struct engine *engine)
{
    void *value;
    if (!engine->build_cache)
        return;
    for (size_t cursor = 0; map_next(engine->build_cache, &cursor, NULL, &value);)
        entry_free(value);
    map_free(engine->build_cache);
    store_lease_free(engine->cache_lease);
}

/* ---- forgetting ---- */

struct aged {
    const char *key; /* the map's */
    struct cache_entry *entry;
};

static int older_first(const void *a, const void *b)
{
    const struct aged *first = a, *second = b;
    return first->entry->used_unix_ns < second->entry->used_unix_ns ? -1 : first->entry->used_unix_ns > second->entry->used_unix_ns;
}

/* All entries by their last use, the oldest first; caller frees. */
static struct aged *by_age_locked(struct engine *engine, size_t *ret_count)
{
    struct aged *all = xcalloc(map_count(engine->build_cache) + 1, sizeof *all);
    const char *key;
    void *value;
    *ret_count = 0;
    for (size_t cursor = 0; map_next(engine->build_cache, &cursor, &key, &value);)
        all[(*ret_count)++] = (struct aged){ key, value };
    if (*ret_count)
        qsort(all, *ret_count, sizeof *all, older_first);
    return all;
}

static void forget_locked(struct engine *engine, const char *key)
{
    AUTO_FREE char *copy = xstrdup(key);
    db_queue(engine->db, DB_NORMAL, "DELETE FROM build_cache WHERE key = ?", "s", copy);
    entry_free(map_remove(engine->build_cache, copy));
}

/* The lease holds what the entries that are left stand for. */
static void renew_lease_locked(struct engine *engine)
{
    struct store_lease *lease = store_lease_new(engine->store, "build cache");
    void *value;
    for (size_t cursor = 0; map_next(engine->build_cache, &cursor, NULL, &value);) {
        const struct cache_entry *entry = value;
        if (!str_empty(entry->value.diff_id))
            store_lease_pin(lease, entry->value.diff_id);
    }
    store_lease_free(engine->cache_lease);
    engine->cache_lease = lease;
}

/* What the cache alone keeps on the disk, a layer once. */
static int64_t own_bytes_locked(struct engine *engine)
{
    struct map *seen = map_new();
    int64_t bytes = 0;
    void *value;
    for (size_t cursor = 0; map_next(engine->build_cache, &cursor, NULL, &value);) {
        const struct cache_entry *entry = value;
        const struct store_layer *layer = str_empty(entry->value.diff_id) ? NULL : store_layer_get(engine->store, entry->value.diff_id);
        if (layer && layer->image_count == 0 && !map_set(seen, entry->value.diff_id, seen))
            bytes += layer->size;
    }
    map_free(seen);
    return bytes;
}

void build_cache_trim(struct engine *engine)
{
    struct statvfs disk;
    int64_t limit = fstatvfs(engine->data_fd, &disk) == 0 ? (int64_t)(disk.f_blocks * disk.f_frsize / DISK_SHARE) : INT64_MAX;
    mutex_lock(&engine->lock);
    int64_t bytes = own_bytes_locked(engine);
    size_t count = map_count(engine->build_cache), at = 0, all;
    if (bytes > limit || count > ENTRIES_MAX) {
        AUTO_FREE struct aged *aged = by_age_locked(engine, &all);
        for (; at < all && (bytes > limit || count > ENTRIES_MAX); at++, count--) {
            const struct build_cache_value *value = &aged[at].entry->value;
            const struct store_layer *layer = str_empty(value->diff_id) ? NULL : store_layer_get(engine->store, value->diff_id);
            if (layer && layer->image_count == 0)
                bytes -= layer->size;
            forget_locked(engine, aged[at].key);
        }
        renew_lease_locked(engine);
    }
    mutex_unlock(&engine->lock);
}

/* ---- prune and list ---- */

static bool is_in_use(const struct engine *engine, const struct cache_entry *entry)
{
    const struct store_layer *layer = str_empty(entry->value.diff_id) ? NULL : store_layer_get(engine->store, entry->value.diff_id);
    return layer && layer->image_count > 0;
}

int engine_build_prune(struct engine *engine, const struct build_prune_options *options, struct build_prune_response *ret, struct err *err)
{
    int64_t before = time_now_unix_ns() - options->unused_for_ns;
    size_t count;
    *ret = (struct build_prune_response){ 0 };
    (void)err;
    mutex_lock(&engine->lock);
    struct aged *aged = by_age_locked(engine, &count);
    int64_t bytes = own_bytes_locked(engine);
    for (size_t i = 0; i < count; i++) {
        const struct cache_entry *entry = aged[i].entry;
        bool in_use = is_in_use(engine, entry);
        int64_t size = entry->value.size;
        if ((in_use && !options->all) || entry->used_unix_ns > before || (options->keep_bytes > 0 && bytes <= options->keep_bytes))
            continue;
        if (!in_use)
            bytes -= size;
        strv_append(&ret->caches_deleted, aged[i].key);
        forget_locked(engine, aged[i].key);
    }
    free(aged);
    renew_lease_locked(engine);
    (void)store_collect(engine->store, &ret->space_reclaimed);
    mutex_unlock(&engine->lock);
    store_sweep(engine->store);
    return 0;
}

void build_cache_list(struct engine *engine, struct buf *out)
{
    char used[TIME_TEXT_SIZE], created[TIME_TEXT_SIZE];
    size_t count;
    mutex_lock(&engine->lock);
    AUTO_FREE struct aged *aged = by_age_locked(engine, &count);
    buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        const struct cache_entry *entry = aged[i].entry;
        time_format_rfc3339nano(entry->used_unix_ns, used);
        time_format_rfc3339nano(entry->value.created_unix_ns, created);
        buf_printf(out, "%s{\"ID\":\"%s\",\"Type\":\"regular\",\"Description\":", i ? "," : "", aged[i].key);
        json_put_string(out, entry->description ? entry->description : "", entry->description ? strlen(entry->description) : 0);
        buf_printf(out, ",\"InUse\":false,\"Shared\":%s,\"Size\":%lld,\"CreatedAt\":\"%s\",\"LastUsedAt\":\"%s\",\"UsageCount\":%lld}",
                   is_in_use(engine, entry) ? "true" : "false", (long long)entry->value.size, created, used, (long long)entry->use_count);
    }
    buf_putc(out, ']');
    mutex_unlock(&engine->lock);
}
