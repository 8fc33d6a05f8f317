#include "daemon/engine/internal.h"
#include "lib/base/id.h"
#include "lib/base/timefmt.h"
#include "lib/volume/volume.h"

#include <stdio.h>

static char **option_pairs(const struct str_map *map)
{
    char **pairs = NULL;
    for (size_t i = 0; i < str_map_count(map); i++)
        strv_append_take(&pairs, str_format("%s=%s", map->keys[i], map->values[i]));
    return pairs;
}

static int load_row(const struct db_row *row, void *arg, struct err *err)
{
    struct engine *engine = arg;
    struct named_volume *volume = xcalloc(1, sizeof *volume);
    const char *json = db_row_text(row, 0);
    if (!json || codec_decode(&volume_type, json, strlen(json), &volume->volume, err) < 0) {
        free(volume);
        return err_wrap(err, "load a volume");
    }
    volume->anonymous = db_row_int(row, 1);
    map_set(engine->volumes, volume->volume.name, volume);
    return 0;
}

int volumes_load(struct engine *engine, struct err *err)
{
    if (volume_store_open(engine->options.data_root, &engine->volume_store, err) < 0)
        return -1;
    volume_trash_empty(engine->volume_store);
    return db_each(engine->db, "SELECT record, anonymous FROM volumes ORDER BY rowid", load_row, engine, err);
}

size_t volume_users_locked(struct engine *engine, const char *name, const struct container *except)
{
    size_t users = 0;
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        const struct container *container = value;
        for (size_t i = 0; container != except && i < container->record.mounts.count; i++)
            users += str_eq(container->record.mounts.items[i].name, name) && str_eq(container->record.mounts.items[i].type, "volume");
    }
    return users;
}

static void volume_event_locked(struct engine *engine, const char *action, const struct volume *volume)
{
    struct str_map attributes = { 0 };
    str_map_set(&attributes, "driver", volume->driver);
    event_publish_locked(engine, "volume", action, volume->name, &attributes, NULL, 0);
    str_map_clear(&attributes);
}

static struct named_volume *record_of(const struct local_volume *local, const struct str_map *options, const struct str_map *labels, bool anonymous)
{
    struct named_volume *volume = xcalloc(1, sizeof *volume);
    char stamp[TIME_TEXT_SIZE];
    time_format_rfc3339nano(time_now_unix_ns() / NANOS_PER_SECOND * NANOS_PER_SECOND, stamp);
    volume->anonymous = anonymous;
    volume->volume = (struct volume){ .created_at = xstrdup(stamp), .driver = xstrdup("local"), .mountpoint = xstrdup(local->mountpoint),
                                      .name = xstrdup(local->name), .scope = xstrdup("local") };
    if (options)
        str_map_copy(&volume->volume.options, options);
    if (labels)
        str_map_copy(&volume->volume.labels, labels);
    if (anonymous)
        str_map_set(&volume->volume.labels, "com.docker.volume.anonymous", "");
    return volume;
}

int volume_ensure(struct engine *engine, const char *name, const char *driver, const struct str_map *options, const struct str_map *labels,
                  bool anonymous, char **ret_source, bool *ret_created, struct err *err)
{
    if (volume_driver_check(driver ? driver : "", err) < 0)
        return err_wrap(err, "create %s", name);
    if (volume_name_check(name, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    struct named_volume *known = map_get(engine->volumes, name);
    *ret_source = known ? xstrdup(known->volume.mountpoint) : NULL;
    mutex_unlock(&engine->lock);
    *ret_created = false;
    if (known)
        return 0;
    CLEANUP(volume_free) struct local_volume *local = NULL;
    char **pairs = options ? option_pairs(options) : NULL;
    int made = volume_create(engine->volume_store, name, (const char *const *)pairs, &local, err);
    strv_free(pairs);
    if (made < 0)
        return str_starts(err->text, "create ") ? -1 : err_wrap(err, "create %s", name);
    if (local->kind != VOLUME_PLAIN) {
        struct err ignored = { 0 };
        volume_remove(engine->volume_store, name, &ignored);
        return err_set(err, ERR_UNSUPPORTED, "create %s: mount options of the local driver (type, o, device) are not supported yet", name);
    }
    struct named_volume *volume = record_of(local, options, labels, anonymous);
    AUTO_FREE char *json = codec_encode_dup(&volume_type, &volume->volume);
    mutex_lock(&engine->lock);
    map_set(engine->volumes, name, volume);
    uint64_t ticket = db_queue(engine->db, anonymous ? DB_NORMAL : DB_FULL, "INSERT OR REPLACE INTO volumes(name, record, anonymous) VALUES(?, ?, ?)",
                               "ssi", name, json, (int64_t)anonymous);
    volume_event_locked(engine, "create", &volume->volume);
    mutex_unlock(&engine->lock);
    *ret_source = xstrdup(local->mountpoint);
    *ret_created = true;
    return anonymous ? 0 : db_wait(engine->db, ticket, err);
}

int engine_volume_create(struct engine *engine, const struct volume_create_request *request, struct volume *ret, struct err *err)
{
    char id[ID_LENGTH + 1];
    AUTO_FREE char *source = NULL;
    bool created, anonymous = str_empty(request->name);
    id_new(id);
    const char *name = anonymous ? id : request->name;
    if (request->cluster_volume_spec)
        return err_set(err, ERR_UNAVAILABLE, "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.");
    if (volume_ensure(engine, name, request->driver, &request->driver_opts, &request->labels, anonymous, &source, &created, err) < 0)
        return -1;
    return engine_volume_inspect(engine, name, ret, err);
}

int engine_volume_inspect(struct engine *engine, const char *name, struct volume *ret, struct err *err)
{
    mutex_lock(&engine->lock);
    const struct named_volume *volume = map_get(engine->volumes, name);
    if (volume)
        codec_copy(&volume_type, ret, &volume->volume);
    mutex_unlock(&engine->lock);
    return volume ? 0 : err_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
}

int engine_volume_list(struct engine *engine, const struct filters *filters, struct volume_list_response *ret, struct err *err)
{
    static const char *const allowed[] = { "dangling", "driver", "label", "name", NULL };
    bool dangling = false;
    void *value;
    if (filters_check(filters, allowed, err) < 0 || filters_get_bool(filters, "dangling", false, &dangling, err) < 0)
        return -1;
    *ret = (struct volume_list_response){ 0 };
    mutex_lock(&engine->lock);
    for (size_t cursor = 0; map_next(engine->volumes, &cursor, NULL, &value);) {
        const struct volume *volume = &((struct named_volume *)value)->volume;
        bool unused = volume_users_locked(engine, volume->name, NULL) == 0;
        if ((filters_has(filters, "dangling") && unused != dangling) || !filters_match_any(filters, "name", volume->name) ||
            !filters_match_exact(filters, "driver", volume->driver) || !filters_match_labels(filters, "label", &volume->labels))
            continue;
        codec_copy(&volume_type, list_add(&ret->volumes), volume);
    }
    mutex_unlock(&engine->lock);
    return 0;
}

int engine_volume_remove(struct engine *engine, const char *name, bool force, struct err *err)
{
    mutex_lock(&engine->lock);
    struct named_volume *volume = map_get(engine->volumes, name);
    void *value;
    if (volume && volume_users_locked(engine, name, NULL) > 0) {
        AUTO_FREE char *users = NULL;
        char **ids = NULL;
        for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
            const struct container *container = value;
            for (size_t i = 0; i < container->record.mounts.count; i++)
                if (str_eq(container->record.mounts.items[i].name, name))
                    strv_append(&ids, container->record.id);
        }
        users = strv_join(ids, ", ");
        strv_free(ids);
        mutex_unlock(&engine->lock);
        return err_set(err, ERR_CONFLICT, "remove %s: volume is in use - [%s]", name, users);
    }
    uint64_t ticket = 0;
    if (volume) {
        map_remove(engine->volumes, name);
        ticket = db_queue(engine->db, volume->anonymous ? DB_NORMAL : DB_FULL, "DELETE FROM volumes WHERE name = ?", "s", name);
        volume_event_locked(engine, "destroy", &volume->volume);
    }
    mutex_unlock(&engine->lock);
    if (!volume)
        return force ? 0 : err_set(err, ERR_NOT_FOUND, "get %s: no such volume", name);
    AUTO_FREE char *owned = xstrdup(name);
    codec_clear(&volume_type, &volume->volume);
    free(volume);
    if (db_wait(engine->db, ticket, err) < 0)
        return -1;
    return volume_remove(engine->volume_store, owned, err);
}

int engine_volume_prune(struct engine *engine, const struct filters *filters, struct volume_prune_response *ret, struct err *err)
{
    static const char *const allowed[] = { "all", "label", "label!", NULL };
    bool all = false;
    char **names = NULL;
    void *value;
    if (filters_check(filters, allowed, err) < 0 || filters_get_bool(filters, "all", false, &all, err) < 0)
        return -1;
    *ret = (struct volume_prune_response){ 0 };
    mutex_lock(&engine->lock);
    for (size_t cursor = 0; map_next(engine->volumes, &cursor, NULL, &value);) {
        const struct named_volume *volume = value;
        if ((all || volume->anonymous) && volume_users_locked(engine, volume->volume.name, NULL) == 0 &&
            filters_match_labels(filters, "label", &volume->volume.labels) && !filters_excludes_labels(filters, "label!", &volume->volume.labels))
            strv_append(&names, volume->volume.name);
    }
    mutex_unlock(&engine->lock);
    for (size_t i = 0; names && names[i]; i++) {
        struct err failure = { 0 };
        uint64_t bytes = 0;
        (void)volume_usage(engine->volume_store, names[i], &bytes, &failure);
        if (engine_volume_remove(engine, names[i], false, &failure) < 0)
            continue;
        strv_append(&ret->volumes_deleted, names[i]);
        ret->space_reclaimed += (int64_t)bytes;
    }
    strv_free(names);
    return 0;
}
