/* Push. A fetch worker speaks to the registry; the layers it asks for are the blobs kept from their pulls, or are
 * packed here. */
#include "daemon/engine/progress.h"
#include "daemon/engine/transfer.h"
#include "daemon/engine/worker_run.h"
#include "lib/base/fd.h"
#include "lib/oci/image.h"
#include "lib/oci/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define MANIFEST_MAX ((size_t)4 << 20)

struct pushing {
    struct engine *engine;
    struct progress progress;
};

/* The compressed bytes of a layer: the blob kept from its pull, or packed now into an unlinked file. */
int layer_blob(struct engine *engine, const char *diff_id, struct job_layer *ret, int *ret_fd, struct err *err)
{
    mutex_lock(&engine->lock);
    const struct store_layer *layer = store_layer_get(engine->store, diff_id);
    AUTO_FREE char *blob = layer ? xstrdup(layer->blob) : NULL;
    AUTO_FREE char *media_type = layer ? xstrdup(layer->media_type) : NULL;
    int64_t size = layer ? layer->blob_size : 0;
    mutex_unlock(&engine->lock);
    uint64_t blob_size;
    struct err ignored = { 0 };
    if (blob && store_blob_open(engine->store, blob, ret_fd, &blob_size, &ignored) == 0) {
        *ret = (struct job_layer){
            .digest = take_ptr(&blob), .media_type = take_ptr(&media_type), .diff_id = xstrdup(diff_id), .size = size
        };
        return 0;
    }
    AUTO_FREE char *dir = store_layer_path(engine->store, diff_id);
    AUTO_FREE char *recipe = store_recipe_path(engine->store, diff_id);
    AUTO_FD int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int out = openat(engine->data_fd, "tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    AUTO_FD int recipe_fd = recipe ? open(recipe, O_RDONLY | O_NOFOLLOW | O_CLOEXEC) : -1;
    if (dir_fd < 0 || out < 0 || (recipe && recipe_fd < 0))
        return err_sys(err, errno, "pack layer %s", diff_id);
    char gzip[] = "gzip";
    struct job_pack params = { .compression = gzip, .has_recipe = recipe_fd >= 0 };
    struct job_pack_result packed;
    int fds[] = { dir_fd, out, recipe_fd };
    struct worker_call call = {
        .kind = "pack", .params = &params, .fds = fds, .fd_count = recipe_fd >= 0 ? 3 : 2, .client_fd = -1
    };
    if (worker_run(engine, &call, &packed, err) < 0)
        return -1;
    int result =
        str_eq(packed.diff_id, diff_id)
            ? 0
            : err_set(err, ERR_INTERNAL, "layer %s has changed on disk: its bytes are %s", diff_id, packed.diff_id);
    if (result == 0 && lseek(out, 0, SEEK_SET) < 0)
        result = err_sys(err, errno, "pack layer %s", diff_id);
    if (result == 0) {
        *ret = (struct job_layer){ .digest = xstrdup(packed.digest),
                                   .media_type = xstrdup(MEDIA_DOCKER_LAYER_GZIP),
                                   .diff_id = xstrdup(diff_id),
                                   .size = packed.size };
        *ret_fd = take_fd(&out);
    }
    codec_clear(&job_pack_result_type, &packed);
    return result;
}

static int on_push_request(void *arg, int sock, const struct job_message *message, struct err *err)
{
    struct pushing *pushing = arg;
    struct job_push_want want;
    struct job_layer layer = { 0 };
    AUTO_FD int fd = -1;
    if (job_decode(message, &job_push_want_type, &want, err) < 0)
        return -1;
    int result = layer_blob(pushing->engine, want.diff_id, &layer, &fd, err);
    if (result == 0)
        result = job_send(sock, JOB_REPLY, message->id, &job_layer_type, &layer, &fd, 1, err);
    codec_clear(&job_layer_type, &layer);
    codec_clear(&job_push_want_type, &want);
    return result;
}

static int on_push_progress(void *arg, const struct job_progress *job)
{
    struct progress *progress = &((struct pushing *)arg)->progress;
    return str_empty(job->aux) ? progress_job(progress, job) : progress_aux(progress, job->aux, true);
}

/* Where the layer is known to be: in that repository itself, or in another one of the same registry from which it may
 * be mounted. */
static void fill_layer_locked(struct engine *engine, const struct reference *name, const char *repository,
                              const char *diff_id, struct job_push *params)
{
    struct job_layer *layer = list_add(&params->layers);
    struct store_distribution row;
    const char *mount = "";
    bool found = store_distribution_find(engine->store, diff_id, repository, &row);
    for (size_t n = 0; !found && store_distribution_at(engine->store, diff_id, n, &row); n++) {
        found = str_starts(row.repository, name->domain) && row.repository[strlen(name->domain)] == '/';
        mount = found ? row.repository : "";
    }
    layer->diff_id = xstrdup(diff_id);
    if (found) {
        layer->digest = xstrdup(row.blob);
        layer->media_type = xstrdup(row.media_type);
        layer->size = row.blob_size;
    }
    strv_append(&params->mount_from, mount);
}

/* The manifest it was pulled with, if it is still here: pushed again it keeps its digest. */
static void fill_manifest(struct engine *engine, const char *digest, const char *media_type, struct job_push *params)
{
    size_t length;
    struct err ignored = { 0 };
    if (digest && media_type &&
        store_blob_read(engine->store, digest, MANIFEST_MAX, &params->manifest, &length, &ignored) == 0)
        params->manifest_media_type = xstrdup(media_type);
}

static int fill_push(struct engine *engine, const struct reference *name, struct store_lease *lease,
                     struct job_push *params, char **ret_id, struct err *err)
{
    AUTO_FREE char *text = reference_string(name);
    AUTO_FREE char *familiar = reference_familiar_string(name);
    AUTO_FREE char *repository = reference_name(name);
    mutex_lock(&engine->lock);
    const struct store_image *image = store_image_by_ref(engine->store, text);
    AUTO_FREE char *id = image ? xstrdup(image->id) : NULL;
    AUTO_FREE char *manifest = image ? xstrdup(image->manifest) : NULL;
    AUTO_FREE char *manifest_type = image ? xstrdup(image->manifest_type) : NULL;
    if (image) {
        store_lease_pin(lease, id);
        store_lease_pin(lease, manifest ? manifest : id);
        store_lease_pin_all(lease, image->diff_ids);
    }
    for (size_t i = 0; image && image->diff_ids && image->diff_ids[i]; i++)
        fill_layer_locked(engine, name, repository, image->diff_ids[i], params);
    mutex_unlock(&engine->lock);
    if (!id)
        return err_set(err, ERR_NOT_FOUND, "tag does not exist: %s", familiar);
    size_t length;
    if (store_image_config(engine->store, id, &params->config, &length, err) < 0)
        return -1;
    fill_manifest(engine, manifest, manifest_type, params);
    params->reference = take_ptr(&text);
    *ret_id = take_ptr(&id);
    return 0;
}

static void note_pushed(struct engine *engine, const struct reference *name, const char *image_id,
                        const struct job_push_result *result)
{
    AUTO_FREE char *repository = reference_name(name);
    struct reference digested;
    uint64_t ticket;
    struct err ignored = { 0 };
    reference_copy(&digested, name);
    free(take_ptr(&digested.tag));
    free(digested.digest);
    digested.digest = xstrdup(result->digest);
    mutex_lock(&engine->lock);
    for (size_t i = 0; i < result->layers.count; i++) {
        const struct job_layer *layer = &result->layers.items[i];
        struct store_distribution row = { repository, layer->digest, layer->media_type, layer->size };
        if (!str_empty(layer->digest))
            store_distribution_add(engine->store, layer->diff_id, &row);
    }
    (void)store_tag(engine->store, &digested, image_id, &ticket, &ignored);
    mutex_unlock(&engine->lock);
    reference_clear(&digested);
}

static int push_tag(struct pushing *pushing, const struct reference *name, const char *auth_b64, struct err *err)
{
    struct engine *engine = pushing->engine;
    struct job_push params = { 0 };
    struct job_push_result result = { 0 };
    AUTO_FREE char *id = NULL;
    mutex_lock(&engine->lock);
    struct store_lease *lease = store_lease_new(engine->store, "push");
    mutex_unlock(&engine->lock);
    int done = fill_push(engine, name, lease, &params, &id, err);
    (void)auth_decode(auth_b64, &params.auth);
    params.insecure_registries = engine_list_setting(engine, &engine->settings.insecure_registries);
    struct worker_call call = { .kind = "push",
                                .params = &params,
                                .arg = pushing,
                                .on_progress = on_push_progress,
                                .on_request = on_push_request,
                                .client_fd = pushing->progress.sink->client_fd };
    if (done == 0)
        done = worker_run(engine, &call, &result, err);
    if (done == 0)
        note_pushed(engine, name, id, &result);
    codec_clear(&job_push_type, &params);
    codec_clear(&job_push_result_type, &result);
    mutex_lock(&engine->lock);
    store_lease_free(lease);
    mutex_unlock(&engine->lock);
    return done;
}

/* Every tag the repository has here, sorted. */
static char **tags_of(struct engine *engine, const struct reference *name)
{
    AUTO_FREE char *repository = reference_name(name);
    char **tags = NULL;
    size_t count;
    mutex_lock(&engine->lock);
    struct store_image *const *images = store_images(engine->store, &count);
    for (size_t i = 0; i < count; i++)
        for (char **ref = images[i]->refs; ref && *ref; ref++) {
            const char *after = str_after(*ref, repository);
            if (after && *after == ':' && !strchr(after, '@'))
                strv_append(&tags, after + 1);
        }
    mutex_unlock(&engine->lock);
    strv_sort(tags);
    return tags;
}

static int push_tags(struct pushing *pushing, struct reference *name, char *const *tags, const char *auth_b64,
                     struct err *err)
{
    AUTO_FREE char *familiar = reference_familiar_name(name);
    if (!tags || !tags[0])
        return err_set(err, ERR_NOT_FOUND, "An image does not exist locally with the tag: %s", familiar);
    for (size_t i = 0; tags[i]; i++)
        if (reference_with_tag(name, tags[i], err) < 0 || push_tag(pushing, name, auth_b64, err) < 0)
            return -1;
    return 0;
}

/* Without a tag: all of them, as the API has it (clients name one). Whatever goes wrong stands in the stream, which has
 * begun by then. */
int engine_image_push(struct engine *engine, const char *name_text, const char *tag, const char *auth_b64,
                      struct sink *sink, struct err *err)
{
    struct pushing pushing = { .engine = engine, .progress = { .sink = sink } };
    AUTO_REFERENCE struct reference name;
    if (reference_parse(name_text, &name, err) < 0 || (!str_empty(tag) && reference_with_tag(&name, tag, err) < 0))
        return -1;
    if (name.digest)
        return err_set(err, ERR_INVALID, "cannot push a digest reference");
    AUTO_FREE char *bare = reference_name(&name);
    CLEANUP(strv_free) char **tags = tags_of(engine, &name);
    if (progress_status(&pushing.progress, NULL, "The push refers to repository [%s]", bare) < 0)
        return err_set(err, ERR_CANCELLED, "context canceled");
    bool one = name.tag != NULL;
    AUTO_FREE char *familiar_name = reference_familiar_name(&name);
    AUTO_FREE char *familiar = one ? reference_familiar_string(&name) : xstrdup(familiar_name);
    int done = one && tags ? push_tag(&pushing, &name, auth_b64, err) : push_tags(&pushing, &name, tags, auth_b64, err);
    if (done < 0)
        return err->kind == ERR_CANCELLED ? -1 : progress_failed(&pushing.progress, 0, err);
    mutex_lock(&engine->lock);
    image_event_locked(engine, "push", familiar, familiar_name);
    mutex_unlock(&engine->lock);
    return 0;
}
