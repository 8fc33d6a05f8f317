/* New images out of a tar (import) and out of a container (commit). */
#include "daemon/engine/config.h"
#include "daemon/engine/transfer.h"
#include "daemon/engine/worker_run.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"
#include "lib/oci/image.h"
#include "lib/oci/platform.h"
#include "lib/oci/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The name a new image gets: none or one. */
static int name_of(const char *repo, const char *tag, char ***ret, struct err *err)
{
    AUTO_REFERENCE struct reference ref = { 0 };
    *ret = NULL;
    if (str_empty(repo))
        return 0;
    AUTO_FREE char *text = str_empty(tag) ? xstrdup(repo) : str_format("%s:%s", repo, tag);
    if (reference_parse(text, &ref, err) < 0)
        return -1;
    reference_tag_default(&ref);
    strv_append_take(ret, reference_string(&ref));
    return 0;
}

static void set_created(struct oci_image *config)
{
    char stamp[TIME_TEXT_SIZE];
    time_format_rfc3339nano(time_now_unix_ns(), stamp);
    free(config->created);
    config->created = xstrdup(stamp);
}

static struct oci_history *add_history(struct oci_image *config, const char *created_by, const char *author, const char *comment)
{
    struct oci_history *entry = list_add(&config->history);
    *entry = (struct oci_history){ .created = xstrdup(config->created), .created_by = xstrdup(created_by), .author = xstrdup(author), .comment = xstrdup(comment) };
    return entry;
}

/* ---- import ---- */

static int import_layer(struct engine *engine, int body_fd, struct store_lease *lease, struct job_unpack_result *made, struct err *err)
{
    AUTO_FREE char *tmp = NULL;
    if (store_tmp_make(engine->store, "import", &tmp, err) < 0)
        return -1;
    AUTO_FREE char *diff = path_join(tmp, "diff");
    if (mkdirat(engine->data_fd, diff, 0755) < 0)
        return err_sys(err, errno, "make a layer directory");
    AUTO_FREE char *recipe = path_join(tmp, "recipe");
    AUTO_FD int layer_fd = openat(engine->data_fd, diff, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int recipe_fd = openat(engine->data_fd, recipe, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (layer_fd < 0 || recipe_fd < 0)
        return err_sys(err, errno, "make a layer directory");
    int fds[] = { body_fd, layer_fd, recipe_fd };
    struct job_unpack params = { 0 };
    struct worker_call call = { .kind = "import", .params = &params, .fds = fds, .fd_count = 3, .client_fd = -1 };
    int result = worker_run(engine, &call, made, err);
    if (result == 0) {
        lease_pin(engine, lease, made->diff_id);
        result = store_layer_adopt(engine->store, engine->data_fd, diff, made->diff_id, made->opaque, err);
        if (result == 0 && made->has_recipe)
            result = store_recipe_adopt(engine->store, engine->data_fd, recipe, made->diff_id, err);
        struct store_layer_info info = { .diff_id = made->diff_id, .size = made->size };
        mutex_lock(&engine->lock);
        if (result == 0)
            (void)store_layer_add(engine->store, &info);
        mutex_unlock(&engine->lock);
    }
    (void)store_trash_put(engine->store, engine->data_fd, tmp);
    return result;
}

static char *import_config(const char *diff_id, const char *message, const struct platform *platform, const struct image_config_config *config)
{
    struct oci_image image = { .architecture = xstrdup(platform->arch), .os = xstrdup(platform->os), .comment = xstrdup(message), .rootfs.type = xstrdup("layers") };
    image.variant = platform->variant[0] ? xstrdup(platform->variant) : NULL;
    image.config = xcalloc(1, sizeof *image.config);
    codec_copy(&image_config_config_type, image.config, config);
    strv_append(&image.rootfs.diff_ids, diff_id);
    set_created(&image);
    add_history(&image, NULL, NULL, message);
    char *text = image_config_text(&image);
    codec_clear(&oci_image_type, &image);
    return text;
}

/* The archive behind a URL, in a directory of its own below tmp/. */
static int fetch_archive(struct engine *engine, char *url, const char *dir, int client_fd, int *ret_fd, struct err *err)
{
    struct job_fetch_url params = { .url = url };
    struct job_fetch_url_result result = { 0 };
    AUTO_FD int dir_fd = openat(engine->data_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct worker_call call = { .kind = "fetch-url", .params = &params, .fds = &dir_fd, .fd_count = 1, .client_fd = client_fd };
    if (dir_fd < 0)
        return err_sys(err, errno, "open %s", dir);
    if (worker_run(engine, &call, &result, err) < 0)
        return -1;
    bool plain = !str_empty(result.file) && !strchr(result.file, '/');
    *ret_fd = plain ? openat(dir_fd, result.file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    int done = *ret_fd >= 0 ? 0 : plain ? err_sys(err, errno, "open what was fetched") : err_set(err, ERR_INTERNAL, "a worker named a strange file");
    codec_clear(&job_fetch_url_result_type, &result);
    return done;
}

struct importing {
    struct engine *engine;
    struct progress progress;
    struct store_lease *lease;
    const char *message;
    struct platform platform;
    struct image_config_config config;
    char **refs;
};

static int import_archive(struct importing *importing, int fd, struct err *err)
{
    struct engine *engine = importing->engine;
    struct job_unpack_result made = { 0 };
    char id[72];
    if (import_layer(engine, fd, importing->lease, &made, err) < 0)
        return -1;
    AUTO_FREE char *text = import_config(made.diff_id, importing->message, &importing->platform, &importing->config);
    codec_clear(&job_unpack_result_type, &made);
    if (image_commit(engine, text, strlen(text), importing->refs, NULL, true, id, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    image_event_locked(engine, "import", id, id);
    mutex_unlock(&engine->lock);
    return progress_status(&importing->progress, NULL, "%s", id);
}

static int import_url(struct importing *importing, const char *source, struct err *err)
{
    struct engine *engine = importing->engine;
    AUTO_FREE char *url = strstr(source, "://") ? xstrdup(source) : str_format("http://%s", source);
    AUTO_FREE char *tmp = NULL;
    AUTO_FD int fd = -1;
    if (store_tmp_make(engine->store, "fetch", &tmp, err) < 0)
        return -1;
    int result = progress_status(&importing->progress, NULL, "Downloading from %s", url);
    if (result == 0)
        result = fetch_archive(engine, url, tmp, importing->progress.sink->client_fd, &fd, err);
    if (result == 0)
        result = import_archive(importing, fd, err);
    (void)store_trash_put(engine->store, engine->data_fd, tmp);
    if (result < 0 && err->kind != ERR_CANCELLED && err->kind != ERR_NONE)
        result = progress_failed(&importing->progress, 0, err);
    return result;
}

int engine_image_import(struct engine *engine, const char *from_src, const char *repo, const char *tag, const char *message, char *const *changes,
                        const char *platform, int body_fd, struct sink *sink, struct err *err)
{
    struct importing importing = { .engine = engine, .progress = { .sink = sink } };
    bool from_body = str_eq(from_src, "-");
    AUTO_FREE char *usual = str_format("Imported from %s", from_src);
    CLEANUP(strv_free) char **refs = NULL;
    platform_host(&importing.platform);
    if (!str_empty(platform) && platform_parse(platform, &importing.platform, err) < 0)
        return -1;
    if (name_of(repo, tag, &refs, err) < 0 || config_change(engine, &importing.config, changes, err) < 0)
        return -1;
    importing.refs = refs;
    importing.message = str_empty(message) ? usual : message;
    importing.lease = lease_begin(engine, "import");
    int result = from_body ? import_archive(&importing, body_fd, err) : import_url(&importing, from_src, err);
    codec_clear(&image_config_config_type, &importing.config);
    lease_end(engine, importing.lease);
    return result;
}

/* ---- commit ---- */

static int commit_layer(struct engine *engine, struct container *container, struct store_lease *lease, struct job_unpack_result *made, struct err *err)
{
    AUTO_FREE char *tmp = NULL;
    if (store_tmp_make(engine->store, "commit", &tmp, err) < 0)
        return -1;
    AUTO_FREE char *diff = path_join(tmp, "diff");
    AUTO_FREE char *upper = str_format("containers/%s/diff", container->record.id);
    if (mkdirat(engine->data_fd, diff, 0755) < 0)
        return err_sys(err, errno, "make a layer directory");
    AUTO_FD int layer_fd = openat(engine->data_fd, diff, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int upper_fd = openat(engine->data_fd, upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fds[] = { upper_fd, layer_fd };
    struct job_unpack params = { 0 };
    struct worker_call call = { .kind = "commit-layer", .params = &params, .fds = fds, .fd_count = 2, .client_fd = -1 };
    int result = worker_run(engine, &call, made, err);
    if (result == 0 && made->entries) { /* nothing written: the image has no layer more than its parent */
        lease_pin(engine, lease, made->diff_id);
        result = store_layer_adopt(engine->store, engine->data_fd, diff, made->diff_id, made->opaque, err);
        struct store_layer_info info = { .diff_id = made->diff_id, .size = made->size };
        mutex_lock(&engine->lock);
        if (result == 0)
            (void)store_layer_add(engine->store, &info);
        mutex_unlock(&engine->lock);
    }
    (void)store_trash_put(engine->store, engine->data_fd, tmp);
    return result;
}

static void put_config(struct image_config_config **slot, const struct codec_type *type, const void *config)
{
    AUTO_FREE char *text = codec_encode_dup(type, config);
    struct err ignored = { 0 };
    if (*slot)
        codec_clear(&image_config_config_type, *slot);
    else
        *slot = xcalloc(1, sizeof **slot);
    (void)codec_decode(&image_config_config_type, text, strlen(text), *slot, &ignored); /* the same members */
}

static int commit_config(struct engine *engine, struct container *container, const struct image_config_config *config, const char *author, const char *comment,
                         const char *diff_id, char **ret, struct err *err)
{
    AUTO_FREE char *base = NULL;
    size_t length;
    struct oci_image image;
    if (store_image_config(engine->store, container->record.image_id, &base, &length, err) < 0 || oci_image_decode(base, length, &image, err) < 0)
        return -1;
    put_config(&image.config, &image_config_config_type, config);
    put_config(&image.container_config, &container_config_type, &container->record.config);
    free(image.container);
    image.container = xstrdup(container->record.id);
    free(take_ptr(&image.comment)); /* the history has this one's */
    set_created(&image);
    free(image.author);
    image.author = str_empty(author) ? NULL : xstrdup(author);
    AUTO_FREE char *command = strv_join(container->record.config.cmd, " ");
    struct oci_history *record = add_history(&image, command, author, comment);
    record->empty_layer = !diff_id;
    if (diff_id)
        strv_append(&image.rootfs.diff_ids, diff_id);
    *ret = image_config_text(&image);
    codec_clear(&oci_image_type, &image);
    return 0;
}

static void commit_event(struct container *container, const char *id, const char *name)
{
    struct str_map more = { 0 };
    str_map_set(&more, "imageID", id);
    str_map_set(&more, "imageRef", name ? name : "");
    mutex_lock(&container->engine->lock);
    container_event_locked(container, "commit", &more, 0);
    mutex_unlock(&container->engine->lock);
    str_map_clear(&more);
}

int engine_commit(struct engine *engine, const char *ref, const char *repo, const char *tag, const char *author, const char *comment, bool pause,
                  char *const *changes, const struct container_config *own, char **ret_id, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    CLEANUP(strv_free) char **refs = NULL;
    AUTO_FREE char *text = NULL;
    char id[72];
    struct err ignored = { 0 };
    struct image_config_config config;
    if (!container || name_of(repo, tag, &refs, err) < 0 || config_for_commit(engine, &container->record.config, own, changes, &config, err) < 0)
        return -1;
    bool freeze = pause && container->status.code == STATUS_RUNNING;
    if (freeze)
        (void)engine_container_pause(engine, container->record.id, &ignored);
    struct store_lease *lease = lease_begin(engine, "commit");
    struct job_unpack_result made = { 0 };
    int result = commit_layer(engine, container, lease, &made, err);
    if (freeze)
        (void)engine_container_unpause(engine, container->record.id, &ignored);
    if (result == 0)
        result = commit_config(engine, container, &config, author, comment, made.entries ? made.diff_id : NULL, &text, err);
    if (result == 0)
        result = image_commit(engine, text, strlen(text), refs, container->record.image_id, true, id, err);
    if (result == 0) {
        commit_event(container, id, refs ? refs[0] : NULL);
        *ret_id = xstrdup(id);
    }
    codec_clear(&job_unpack_result_type, &made);
    codec_clear(&image_config_config_type, &config);
    lease_end(engine, lease);
    return result;
}
