#include "daemon/engine/transfer.h"
#include "lib/base/timefmt.h"
#include "lib/oci/image.h"
#include "lib/oci/reference.h"

#include <stdio.h>

static void image_labels(const struct store_image *image, struct str_map *ret)
{
    struct holder {
        struct str_map labels;
    } holder = { 0 };
    static const struct codec_field holder_fields[] = { F_STRMAP(struct holder, labels, "l", 0), F_END };
    static const struct codec_type holder_type = { .name = "labels", .size = sizeof(struct holder), .fields = holder_fields };
    struct err ignored = { 0 };
    *ret = (struct str_map){ 0 };
    if (str_empty(image->labels))
        return;
    AUTO_FREE char *text = str_format("{\"l\":%s}", image->labels);
    if (codec_decode(&holder_type, text, strlen(text), &holder, &ignored) == 0)
        *ret = holder.labels;
}

void image_event_locked(struct engine *engine, const char *action, const char *id, const char *name)
{
    struct str_map attributes = { 0 };
    const struct store_image *image = store_image_get(engine->store, id);
    if (image)
        image_labels(image, &attributes);
    str_map_set(&attributes, "name", name ? name : id);
    event_publish_locked(engine, "image", action, id, &attributes, NULL, 0);
    str_map_clear(&attributes);
}

size_t image_users_locked(struct engine *engine, const char *image_id, struct container **ret_one, bool running_only)
{
    size_t count = 0;
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        struct container *container = value;
        if (!str_eq(container->record.image_id, image_id) || (running_only && !container_is_running(container)))
            continue;
        count++;
        if (ret_one)
            *ret_one = container;
    }
    return count;
}

/* ---- inspect ---- */

static struct image_config *run_config(const struct image_config_config *from)
{
    struct image_config *to = xcalloc(1, sizeof *to);
    if (!from)
        return to;
    *to = (struct image_config){
        .exposed_ports = strv_dup(from->exposed_ports), .env = strv_dup(from->env), .cmd = strv_dup(from->cmd), .args_escaped = from->args_escaped,
        .volumes = strv_dup(from->volumes), .user = xstrdup(from->user), .working_dir = xstrdup(from->working_dir), .entrypoint = strv_dup(from->entrypoint),
        .on_build = strv_dup(from->on_build), .stop_signal = xstrdup(from->stop_signal), .shell = strv_dup(from->shell),
    };
    str_map_copy(&to->labels, &from->labels);
    if (from->healthcheck) {
        const struct oci_health_config *health = from->healthcheck;
        to->healthcheck = xcalloc(1, sizeof *to->healthcheck);
        *to->healthcheck = (struct health_config){ strv_dup(health->test), health->interval, health->timeout, health->start_period, health->start_interval, health->retries };
    }
    return to;
}

static char *digest_lower(struct engine *engine, char *const *diff_ids)
{
    char **dirs = layer_dirs_top_first(engine, diff_ids);
    char *joined = dirs && dirs[0] ? strv_join(dirs + 1, ":") : xstrdup("");
    strv_free(dirs);
    return joined;
}

static void fill_graph(struct engine *engine, char *const *diff_ids, struct graph_driver_data *ret)
{
    size_t count = strv_length(diff_ids);
    AUTO_FREE char *lower = digest_lower(engine, diff_ids);
    AUTO_FREE char *upper = count ? store_layer_path(engine->store, diff_ids[count - 1]) : xstrdup("");
    ret->name = xstrdup("overlay2");
    if (*lower)
        str_map_set(&ret->data, "LowerDir", lower);
    str_map_set(&ret->data, "UpperDir", upper);
}

static void fill_inspect(struct engine *engine, const struct store_image *image, const struct oci_image *config, struct image_inspect *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->id = xstrdup(image->id);
    ret->repo_tags = store_image_repo_tags(image);
    ret->repo_digests = store_image_repo_digests(image);
    ret->parent = xstrdup(image->parent ? image->parent : "");
    size_t records = config->history.count;
    const char *comment = str_empty(config->comment) && records ? config->history.items[records - 1].comment : config->comment;
    ret->comment = xstrdup(comment ? comment : "");
    ret->created = xstrdup(config->created);
    ret->docker_version = xstrdup(config->docker_version ? config->docker_version : "");
    ret->author = xstrdup(config->author ? config->author : "");
    ret->config = run_config(config->config);
    ret->architecture = xstrdup(config->architecture);
    ret->variant = xstrdup(config->variant);
    ret->os = xstrdup(config->os);
    ret->os_version = xstrdup(config->os_version);
    ret->size = image->size;
    fill_graph(engine, image->diff_ids, &ret->graph_driver);
    ret->root_fs.type = xstrdup("layers");
    ret->root_fs.layers = strv_dup(image->diff_ids);
    ret->metadata.last_tag_time = image->tagged_ns;
}

static int read_config(struct engine *engine, const char *id, struct oci_image *ret, struct err *err)
{
    AUTO_FREE char *text = NULL;
    size_t length = 0;
    if (store_image_config(engine->store, id, &text, &length, err) < 0)
        return -1;
    return oci_image_decode(text, length, ret, err);
}

static int find_id(struct engine *engine, const char *ref, char **ret_id, struct err *err)
{
    struct store_image *image;
    mutex_lock(&engine->lock);
    int found = store_image_find(engine->store, ref, &image, err);
    *ret_id = found == 0 ? xstrdup(image->id) : NULL;
    mutex_unlock(&engine->lock);
    return found;
}

int engine_image_inspect(struct engine *engine, const char *ref, struct image_inspect *ret, struct err *err)
{
    AUTO_FREE char *id = NULL;
    struct oci_image config;
    if (find_id(engine, ref, &id, err) < 0 || read_config(engine, id, &config, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    const struct store_image *image = store_image_get(engine->store, id);
    if (image)
        fill_inspect(engine, image, &config, ret);
    mutex_unlock(&engine->lock);
    codec_clear(&oci_image_type, &config);
    return image ? 0 : err_set(err, ERR_NOT_FOUND, "No such image: %s", ref);
}

/* ---- history ---- */

static void history_item(struct engine *engine, const struct oci_history *entry, const char *diff_id, struct image_history_item *ret)
{
    int64_t created = 0;
    if (entry->created)
        (void)time_parse_rfc3339(entry->created, &created);
    const struct store_layer *layer = diff_id ? store_layer_get(engine->store, diff_id) : NULL;
    *ret = (struct image_history_item){ .comment = xstrdup(entry->comment ? entry->comment : ""), .created = created / NANOS_PER_SECOND,
                                        .created_by = xstrdup(entry->created_by ? entry->created_by : ""), .id = xstrdup("<missing>"), .size = layer ? layer->size : 0 };
}

int engine_image_history(struct engine *engine, const char *ref, struct buf *out, struct err *err)
{
    AUTO_FREE char *id = NULL;
    struct oci_image config;
    if (find_id(engine, ref, &id, err) < 0 || read_config(engine, id, &config, err) < 0)
        return -1;
    size_t layers = strv_length(config.rootfs.diff_ids);
    buf_putc(out, '[');
    mutex_lock(&engine->lock);
    const struct store_image *image = store_image_get(engine->store, id);
    for (size_t i = config.history.count; i > 0; i--) {
        const struct oci_history *entry = &config.history.items[i - 1];
        struct image_history_item item;
        history_item(engine, entry, entry->empty_layer || layers == 0 ? NULL : config.rootfs.diff_ids[--layers], &item);
        if (i == config.history.count && image) {
            free(item.id);
            item.id = xstrdup(image->id);
            item.tags = store_image_repo_tags(image);
        } else {
            buf_putc(out, ',');
        }
        codec_encode(&image_history_item_type, &item, out);
        codec_clear(&image_history_item_type, &item);
    }
    mutex_unlock(&engine->lock);
    buf_putc(out, ']');
    codec_clear(&oci_image_type, &config);
    return 0;
}

/* ---- list ---- */

struct image_listing {
    struct engine *engine;
    const struct filters *filters;
    bool all, has_dangling, dangling;
    int64_t before_ns, since_ns, until_ns;
};

/* "busybox", "busybox:1.*", "reg/x": each of path and tag as a shell pattern, as Docker's reference filter. */
static bool name_matches(char *const *patterns, const char *name)
{
    struct reference ref;
    struct err ignored = { 0 };
    bool found = false;
    if (reference_parse(name, &ref, &ignored) < 0)
        return false;
    for (size_t i = 0; patterns[i] && !found; i++)
        (void)reference_familiar_match(patterns[i], &ref, &found, &ignored);
    reference_clear(&ref);
    return found;
}

static bool matches_reference(const struct image_listing *listing, const struct store_image *image)
{
    char *const *patterns = filters_get(listing->filters, "reference");
    bool found = !patterns;
    for (size_t n = 0; image->refs && image->refs[n] && !found; n++)
        found = name_matches(patterns, image->refs[n]);
    return found;
}

/* Of an image that has more names, the list shows those that were asked for. */
static void keep_matching(char *const *patterns, char **names)
{
    size_t kept = 0;
    for (size_t i = 0; names && names[i]; i++) {
        if (name_matches(patterns, names[i]))
            names[kept++] = names[i];
        else
            free(names[i]);
    }
    if (names)
        names[kept] = NULL;
}

static bool image_matches(const struct image_listing *listing, const struct store_image *image)
{
    bool dangling = store_image_is_dangling(image), untagged = !image->refs || !image->refs[0];
    struct str_map labels;
    if (listing->has_dangling ? dangling != listing->dangling : untagged && !dangling && !listing->all)
        return false;
    if ((listing->before_ns && image->created_ns >= listing->before_ns) || (listing->since_ns && image->created_ns <= listing->since_ns) ||
        (listing->until_ns && image->created_ns > listing->until_ns))
        return false;
    image_labels(image, &labels);
    bool fits = filters_match_labels(listing->filters, "label", &labels);
    str_map_clear(&labels);
    return fits && matches_reference(listing, image);
}

static int prepare_images(struct image_listing *listing, struct err *err)
{
    static const char *const allowed[] = { "before", "dangling", "label", "label!", "reference", "since", "until", NULL };
    static const char *const keys[] = { "before", "since" };
    int64_t *const bounds[] = { &listing->before_ns, &listing->since_ns };
    char *const *until = filters_get(listing->filters, "until");
    listing->has_dangling = filters_has(listing->filters, "dangling");
    if (filters_check(listing->filters, allowed, err) < 0 || filters_get_bool(listing->filters, "dangling", false, &listing->dangling, err) < 0)
        return -1;
    char *const *patterns = filters_get(listing->filters, "reference");
    const struct reference any = { .domain = xstrdup("a"), .path = xstrdup("a") };
    bool ignored, well_formed = true;
    for (size_t i = 0; patterns && patterns[i] && well_formed; i++)
        well_formed = reference_familiar_match(patterns[i], &any, &ignored, err) == 0;
    free(any.domain);
    free(any.path);
    if (!well_formed)
        return -1;
    if (until && time_parse_docker(until[0], time_now_unix_ns(), &listing->until_ns) < 0)
        return err_set(err, ERR_INVALID, "failed to parse value as time or duration: \"%s\"", until[0]);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        char *const *named = filters_get(listing->filters, keys[i]);
        struct store_image *image;
        if (named && store_image_find(listing->engine->store, named[0], &image, err) < 0)
            return -1;
        if (named)
            *bounds[i] = image->created_ns;
    }
    return 0;
}

static void image_summary_fill(struct engine *engine, const struct store_image *image, bool shared, struct image_summary *ret)
{
    *ret = (struct image_summary){ .containers = -1, .created = image->created_ns / NANOS_PER_SECOND, .id = xstrdup(image->id),
                                   .parent_id = xstrdup(image->parent ? image->parent : ""), .repo_digests = store_image_repo_digests(image),
                                   .repo_tags = store_image_repo_tags(image), .shared_size = -1, .size = image->size };
    image_labels(image, &ret->labels);
    ret->containers = (int64_t)image_users_locked(engine, image->id, NULL, false);
    if (!shared)
        return;
    ret->shared_size = 0;
    for (size_t i = 0; image->diff_ids && image->diff_ids[i]; i++) {
        const struct store_layer *layer = store_layer_get(engine->store, image->diff_ids[i]);
        if (layer && layer->image_count > 1)
            ret->shared_size += layer->size;
    }
}

int engine_image_list(struct engine *engine, bool all, bool digests, bool shared_size, const struct filters *filters, struct buf *out, struct err *err)
{
    struct image_listing listing = { .engine = engine, .filters = filters, .all = all };
    size_t count;
    bool first = true;
    (void)digests; /* RepoDigests are always there */
    mutex_lock(&engine->lock);
    int result = prepare_images(&listing, err);
    struct store_image *const *images = store_images(engine->store, &count);
    char *const *patterns = filters_get(filters, "reference");
    buf_putc(out, '[');
    for (size_t i = 0; result == 0 && i < count; i++) {
        struct image_summary summary;
        if (!image_matches(&listing, images[i]))
            continue;
        image_summary_fill(engine, images[i], shared_size, &summary);
        if (patterns) {
            keep_matching(patterns, summary.repo_tags);
            keep_matching(patterns, summary.repo_digests);
        }
        if (!first)
            buf_putc(out, ',');
        first = false;
        codec_encode(&image_summary_type, &summary, out);
        codec_clear(&image_summary_type, &summary);
    }
    mutex_unlock(&engine->lock);
    buf_putc(out, ']');
    return result;
}

/* ---- tag, delete, prune ---- */

int engine_image_tag(struct engine *engine, const char *ref, const char *repo, const char *tag, struct err *err)
{
    struct reference name;
    struct store_image *image;
    uint64_t ticket = 0;
    AUTO_FREE char *text = str_empty(tag) ? xstrdup(repo) : str_format("%s:%s", repo, tag);
    if (str_empty(repo))
        return err_set(err, ERR_INVALID, "repo is required");
    if (!str_empty(tag) && !reference_tag_valid(tag))
        return err_set(err, ERR_INVALID, "invalid tag format");
    if (reference_parse(text, &name, err) < 0)
        return -1;
    if (name.digest) {
        reference_clear(&name);
        return err_set(err, ERR_INVALID, "cannot import digest reference");
    }
    reference_tag_default(&name);
    mutex_lock(&engine->lock);
    int result = store_image_find(engine->store, ref, &image, err);
    if (result == 0)
        result = store_tag(engine->store, &name, image->id, &ticket, err);
    if (result == 0) {
        AUTO_FREE char *familiar = reference_familiar_string(&name);
        image_event_locked(engine, "tag", image->id, familiar);
    }
    mutex_unlock(&engine->lock);
    reference_clear(&name);
    return result < 0 ? -1 : db_wait(engine->db, ticket, err);
}

static const char *used_by(void *arg, const char *image_id, bool running)
{
    struct engine *engine = arg;
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        const struct container *container = value;
        if (str_eq(container->record.image_id, image_id) && container_is_running(container) == running)
            return container->record.id;
    }
    return NULL;
}

static void put_deletions(struct engine *engine, const struct store_deletions *list, struct buf *out, bool *first)
{
    for (size_t i = 0; i < list->count; i++) {
        struct image_delete_item item = { .deleted = list->items[i].deleted, .untagged = list->items[i].untagged };
        if (!*first)
            buf_putc(out, ',');
        *first = false;
        codec_encode(&image_delete_item_type, &item, out);
        bool is_image = item.untagged || str_eq(item.deleted, list->items[i].image);
        if (is_image && list->items[i].image)
            image_event_locked(engine, item.untagged ? "untag" : "delete", list->items[i].image, NULL);
    }
}

static int delete_one(struct engine *engine, const char *ref, bool force, bool prune, struct buf *out, bool *first, int64_t *bytes, struct err *err)
{
    struct store_deletions list = { 0 };
    struct store_delete request = { .text = ref, .force = force, .prune = prune, .used_by = used_by, .arg = engine };
    uint64_t ticket = 0;
    mutex_lock(&engine->lock);
    int result = store_image_delete(engine->store, &request, &list, &ticket, err);
    put_deletions(engine, &list, out, first);
    (void)store_collect(engine->store, bytes);
    mutex_unlock(&engine->lock);
    store_deletions_done(&list);
    struct err failure = { 0 };
    if (ticket && db_wait(engine->db, ticket, &failure) < 0 && result == 0) {
        *err = failure;
        result = -1;
    }
    store_sweep(engine->store);
    return result;
}

int engine_image_delete(struct engine *engine, const char *ref, bool force, bool no_prune, struct buf *out, struct err *err)
{
    bool first = true;
    buf_putc(out, '[');
    int result = delete_one(engine, ref, force, !no_prune, out, &first, NULL, err);
    buf_putc(out, ']');
    return result;
}

int engine_image_prune(struct engine *engine, const struct filters *filters, struct buf *out, struct err *err)
{
    struct image_listing listing = { .engine = engine, .filters = filters, .all = true };
    bool dangling_only = true, first = true;
    char **ids = NULL;
    size_t count;
    int64_t bytes = 0;
    if (filters_get_bool(filters, "dangling", true, &dangling_only, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    int result = prepare_images(&listing, err);
    listing.has_dangling = dangling_only;
    listing.dangling = true;
    struct store_image *const *images = store_images(engine->store, &count);
    for (size_t i = 0; result == 0 && i < count; i++)
        if (image_matches(&listing, images[i]) && image_users_locked(engine, images[i]->id, NULL, false) == 0)
            strv_append(&ids, images[i]->id);
    mutex_unlock(&engine->lock);
    buf_puts(out, "{\"ImagesDeleted\":[");
    for (size_t i = 0; ids && ids[i]; i++) {
        struct err failure = { 0 };
        (void)delete_one(engine, ids[i], true, true, out, &first, &bytes, &failure);
    }
    strv_free(ids);
    if (first) { /* nothing went: Docker says null */
        buf_clear(out);
        buf_puts(out, "{\"ImagesDeleted\":null");
    } else {
        buf_putc(out, ']');
    }
    buf_printf(out, ",\"SpaceReclaimed\":%lld}", (long long)bytes);
    return result;
}
