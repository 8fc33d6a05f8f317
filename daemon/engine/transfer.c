/* load, save, export, diff: each a worker's stream and the engine's records. */
#include "daemon/engine/transfer.h"

#include "daemon/engine/config.h"
#include "daemon/engine/plan_parts.h"
#include "daemon/engine/worker_run.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"
#include "lib/oci/image.h"
#include "lib/oci/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int image_commit(struct engine *engine, const char *config, size_t length, char *const *refs, const char *parent, bool local, char ret_id[72], struct err *err)
{
    AUTO_STORE_IMAGE_INFO struct store_image_info info = { 0 };
    uint64_t ticket = 0;
    if (store_image_info_decode(config, length, &info, err) < 0)
        return -1;
    info.parent = str_empty(parent) ? NULL : xstrdup(parent);
    info.local = local;
    info.refs = strv_dup(refs);
    mutex_lock(&engine->lock); /* another job's end must not sweep the config away before the image has it */
    struct store_lease *lease = store_lease_new(engine->store, "image commit");
    store_lease_pin(lease, info.id);
    mutex_unlock(&engine->lock);
    int result = store_blob_write(engine->store, info.id, config, length, err) < 0 || store_sync(engine->store, err) < 0 ? -1 : 0;
    mutex_lock(&engine->lock);
    if (result == 0)
        result = store_image_add(engine->store, &info, NULL, &ticket, err);
    store_lease_free(lease);
    mutex_unlock(&engine->lock);
    if (result == 0)
        result = db_wait(engine->db, ticket, err);
    memcpy(ret_id, info.id, 72);
    return result;
}

char *image_config_text(const struct oci_image *config)
{
    return codec_encode_dup(&oci_image_type, config);
}

struct store_lease *lease_begin(struct engine *engine, const char *what)
{
    mutex_lock(&engine->lock);
    struct store_lease *lease = store_lease_new(engine->store, what);
    mutex_unlock(&engine->lock);
    return lease;
}

void lease_end(struct engine *engine, struct store_lease *lease)
{
    mutex_lock(&engine->lock);
    store_lease_free(lease);
    (void)store_collect(engine->store, NULL);
    mutex_unlock(&engine->lock);
    store_sweep(engine->store);
}

void lease_pin(struct engine *engine, struct store_lease *lease, const char *digest)
{
    mutex_lock(&engine->lock);
    store_lease_pin(lease, digest);
    mutex_unlock(&engine->lock);
}

/* ---- load ---- */

struct loading {
    struct engine *engine;
    struct progress progress;
    struct store_lease *lease;
    int spool_fd;
    bool quiet;
};

static int on_have(struct loading *loading, int sock, const struct job_message *message, struct err *err)
{
    struct job_load_have ask;
    struct job_pull_have reply = { 0 };
    if (job_decode(message, &job_load_have_type, &ask, err) < 0)
        return -1;
    mutex_lock(&loading->engine->lock);
    store_lease_pin_all(loading->lease, ask.diff_ids);
    for (size_t i = 0; ask.diff_ids && ask.diff_ids[i]; i++)
        if (store_layer_has(loading->engine->store, ask.diff_ids[i]))
            strv_append(&reply.have, ask.diff_ids[i]);
    mutex_unlock(&loading->engine->lock);
    int result = job_send(sock, JOB_REPLY, message->id, &job_pull_have_type, &reply, NULL, 0, err);
    codec_clear(&job_pull_have_type, &reply);
    codec_clear(&job_load_have_type, &ask);
    return result;
}

static int on_layer(struct loading *loading, int sock, const struct job_message *message, struct err *err)
{
    struct engine *engine = loading->engine;
    struct job_load_layer layer;
    if (job_decode(message, &job_load_layer_type, &layer, err) < 0)
        return -1;
    AUTO_FREE char *diff = path_join(layer.dir, "diff");
    lease_pin(engine, loading->lease, layer.diff_id);
    int result = store_layer_adopt(engine->store, loading->spool_fd, diff, layer.diff_id, layer.opaque, err);
    if (result == 0 && !str_empty(layer.recipe_file))
        result = store_recipe_adopt(engine->store, loading->spool_fd, layer.recipe_file, layer.diff_id, err);
    bool has_blob = result == 0 && !str_empty(layer.blob_file) && !str_empty(layer.blob_digest);
    if (has_blob) {
        lease_pin(engine, loading->lease, layer.blob_digest);
        result = store_blob_adopt(engine->store, loading->spool_fd, layer.blob_file, layer.blob_digest, err);
    }
    if (result == 0) {
        struct store_layer_info info = { layer.diff_id, layer.size, has_blob ? layer.blob_digest : NULL, layer.media_type, layer.blob_size };
        mutex_lock(&engine->lock);
        (void)store_layer_add(engine->store, &info);
        mutex_unlock(&engine->lock);
        result = job_send(sock, JOB_REPLY, message->id, NULL, NULL, NULL, 0, err);
    }
    codec_clear(&job_load_layer_type, &layer);
    return result;
}

static char **canonical_names(char *const *names)
{
    char **refs = NULL;
    for (size_t i = 0; names && names[i]; i++) {
        struct reference ref;
        struct err ignored = { 0 };
        if (reference_parse(names[i], &ref, &ignored) < 0)
            continue;
        reference_tag_default(&ref);
        strv_append_take(&refs, reference_string(&ref));
        reference_clear(&ref);
    }
    return refs;
}

static int on_image(struct loading *loading, int sock, const struct job_message *message, struct err *err)
{
    struct engine *engine = loading->engine;
    struct job_load_image image;
    char id[72];
    if (job_decode(message, &job_load_image_type, &image, err) < 0)
        return -1;
    char **refs = canonical_names(image.tags);
    lease_pin(engine, loading->lease, image.config_digest);
    int result = image_commit(engine, image.config, strlen(image.config), refs, image.parent, false, id, err);
    for (size_t i = 0; result == 0 && refs && refs[i]; i++) {
        AUTO_REFERENCE struct reference name;
        struct err ignored = { 0 };
        if (reference_parse(refs[i], &name, &ignored) < 0)
            continue;
        AUTO_FREE char *familiar = reference_familiar_string(&name);
        AUTO_FREE char *text = str_format("Loaded image: %s\n", familiar);
        result = progress_stream(&loading->progress, text);
    }
    if (result == 0 && !refs) {
        AUTO_FREE char *text = str_format("Loaded image ID: %s\n", id);
        result = progress_stream(&loading->progress, text);
    }
    if (result == 0) {
        mutex_lock(&engine->lock);
        image_event_locked(engine, "load", id, id);
        mutex_unlock(&engine->lock);
        result = job_send(sock, JOB_REPLY, message->id, NULL, NULL, NULL, 0, err);
    }
    strv_free(refs);
    codec_clear(&job_load_image_type, &image);
    return result;
}

static int on_load_request(void *arg, int sock, const struct job_message *message, struct err *err)
{
    if (strstr(message->json, "\"request\":\"have\""))
        return on_have(arg, sock, message, err);
    return strstr(message->json, "\"request\":\"layer\"") ? on_layer(arg, sock, message, err) : on_image(arg, sock, message, err);
}

static int on_load_progress(void *arg, const struct job_progress *job)
{
    struct loading *loading = arg;
    return loading->quiet ? 0 : progress_job(&loading->progress, job);
}

int engine_image_load(struct engine *engine, int body_fd, bool quiet, struct sink *sink, struct err *err)
{
    struct loading loading = { .engine = engine, .progress = { .sink = sink }, .spool_fd = -1, .quiet = quiet };
    struct job_load params = { .quiet = quiet };
    AUTO_FREE char *tmp = NULL;
    if (store_tmp_make(engine->store, "load", &tmp, err) < 0)
        return -1;
    loading.spool_fd = openat(engine->data_fd, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    loading.lease = lease_begin(engine, "load");
    int fds[] = { body_fd, loading.spool_fd };
    struct worker_call call = { .kind = "load", .params = &params, .fds = fds, .fd_count = 2, .arg = &loading, .on_progress = on_load_progress,
                                .on_request = on_load_request, .client_fd = sink->client_fd };
    int done = worker_run(engine, &call, NULL, err);
    if (done < 0 && err->kind != ERR_CANCELLED)
        done = progress_failed(&loading.progress, 0, err);
    (void)store_trash_put(engine->store, engine->data_fd, tmp);
    lease_end(engine, loading.lease);
    fd_close(loading.spool_fd);
    return done;
}

/* ---- save ---- */

/* What gives the layer's own bytes again: its blob, or its tree with the recipe. No lock. */
static void find_sources(struct engine *engine, struct job_save *params)
{
    for (size_t i = 0; params->layer_diff_ids && params->layer_diff_ids[i]; i++) {
        const char *diff_id = params->layer_diff_ids[i];
        mutex_lock(&engine->lock);
        const struct store_layer *layer = store_layer_get(engine->store, diff_id);
        AUTO_FREE char *blob = layer && layer->blob && store_blob_has(engine->store, layer->blob) ? xstrdup(layer->blob) : NULL;
        mutex_unlock(&engine->lock);
        AUTO_FREE char *recipe = store_recipe_path(engine->store, diff_id);
        strv_append(&params->layer_recipes, recipe ? recipe : "");
        strv_append_take(&params->layer_dirs, blob && !recipe ? str_format("%s/blobs/sha256/%s", engine->options.data_root, blob + strlen("sha256:")) :
                                                                store_layer_path(engine->store, diff_id));
    }
}

static int add_saved(struct engine *engine, const char *name, struct job_save *params, struct store_lease *lease, struct err *err)
{
    struct store_image *image;
    struct job_save_image *saved = NULL;
    AUTO_FREE char *id = NULL;
    mutex_lock(&engine->lock);
    int result = store_image_find(engine->store, name, &image, err);
    if (result == 0) {
        id = xstrdup(image->id);
        store_lease_pin(lease, image->id);
        store_lease_pin_all(lease, image->diff_ids);
        for (size_t i = 0; i < params->images.count && !saved; i++)
            if (str_eq(params->images.items[i].config_digest, id))
                saved = &params->images.items[i];
        if (!saved) {
            saved = list_add(&params->images);
            saved->config_digest = xstrdup(id);
            saved->diff_ids = strv_dup(image->diff_ids);
        }
        struct reference ref;
        struct err ignored = { 0 };
        bool by_id = store_text_is_id_prefix(image, name);
        if (!by_id && reference_parse(name, &ref, &ignored) == 0) {
            reference_tag_default(&ref);
            AUTO_FREE char *familiar = reference_familiar_string(&ref);
            if (!ref.digest && !strv_contains(saved->repo_tags, familiar))
                strv_append(&saved->repo_tags, familiar);
            reference_clear(&ref);
        }
        for (size_t i = 0; image->diff_ids && image->diff_ids[i]; i++)
            if (!strv_contains(params->layer_diff_ids, image->diff_ids[i]))
                strv_append(&params->layer_diff_ids, image->diff_ids[i]);
    }
    mutex_unlock(&engine->lock);
    size_t length;
    if (result == 0 && !saved->config)
        result = store_image_config(engine->store, id, &saved->config, &length, err);
    return result;
}

/* A worker that writes a stream to a pipe which this thread pumps to the client. */
struct pumping {
    struct engine *engine;
    const struct worker_call *call;
    struct err err;
    int result;
};

static void *run_worker(void *arg)
{
    struct pumping *pumping = arg;
    pumping->result = worker_run(pumping->engine, pumping->call, NULL, &pumping->err);
    fd_close(pumping->call->fds[0]);
    return NULL;
}

int worker_to_sink(struct engine *engine, struct worker_call *call, const int *more_fds, size_t more_count, struct sink *sink, struct err *err)
{
    int pair[2], fds[4];
    pthread_t thread;
    int failed = fd_pipe(pair);
    if (failed < 0)
        return err_sys(err, failed, "make a pipe");
    (void)fcntl(pair[0], F_SETPIPE_SZ, 1 << 20);
    fds[0] = pair[1];
    for (size_t i = 0; i < more_count && i < 3; i++)
        fds[i + 1] = more_fds[i];
    call->fds = fds;
    call->fd_count = 1 + more_count;
    call->client_fd = sink->client_fd;
    struct pumping pumping = { .engine = engine, .call = call };
    failed = pthread_create(&thread, NULL, run_worker, &pumping);
    if (failed) {
        fd_close(pair[0]);
        fd_close(pair[1]);
        return err_sys(err, failed, "start a thread");
    }
    AUTO_FREE char *chunk = xmalloc(256 * 1024);
    bool gone = false;
    for (;;) {
        ssize_t got = read(pair[0], chunk, 256 * 1024);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        if (!gone && sink->write(sink, chunk, (size_t)got) < 0)
            gone = true; /* the worker sees the client leave and ends; what it still writes is thrown away */
    }
    pthread_join(thread, NULL);
    fd_close(pair[0]);
    if (pumping.result < 0)
        *err = pumping.err;
    return pumping.result;
}

int engine_image_save(struct engine *engine, char *const *names, struct sink *sink, struct err *err)
{
    struct job_save params = { 0 };
    struct store_lease *lease = lease_begin(engine, "save");
    int result = names && names[0] ? 0 : err_set(err, ERR_INVALID, "no image name given");
    for (size_t i = 0; result == 0 && names[i]; i++)
        result = add_saved(engine, names[i], &params, lease, err);
    struct worker_call call = { .kind = "save", .params = &params };
    if (result == 0)
        find_sources(engine, &params);
    if (result == 0)
        result = worker_to_sink(engine, &call, NULL, 0, sink, err);
    codec_clear(&job_save_type, &params);
    lease_end(engine, lease);
    return result;
}
