/* "pull". Theory of operation: the main thread resolves names and moves bytes; a blob that is whole goes into a queue,
 * from which a few threads hand blobs to holkd, each one at a time (it unpacks a blob before it answers). So
 * downloading goes on while holkd works. Lines of progress have a thread of their own too (registry/meter.h). */
#include "daemon/worker/registry_job.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/sync.h"
#include "registry/meter.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define HANDS_MAX 4

struct wanted_layer {
    const struct job_layer *layer; /* borrowed from the manifest */
    char id[SHORT_ID_SIZE];
    int fd;
};
struct pull {
    struct worker *worker;
    struct registry *registry;
    struct reference ref;
    struct platform platform;
    int spool_fd;
    struct job_pull_result result;
    /* of the image in work */
    struct job_pull_manifest manifest;
    struct wanted_layer *layers;
    size_t layer_count;
    struct meter *meter;
    /* the queue to holkd */
    struct mutex lock;
    struct cond moved;
    size_t *ready, ready_count, taken;
    bool closed, failed;
    struct err err;
};

/* ---- resolving ---- */

static int check_layer(const struct oci_descriptor *layer, struct err *err)
{
    enum media_kind kind = media_kind_of(layer->media_type);
    if (kind == MEDIA_LAYER_FOREIGN)
        return err_set(err, ERR_UNSUPPORTED,
                       "layer %s is kept outside of the registry (foreign layer), which is not supported",
                       layer->digest);
    if (kind != MEDIA_LAYER)
        return err_set(err, ERR_UNSUPPORTED, "unsupported layer media type %.100s",
                       layer->media_type ? layer->media_type : "(none)");
    return 0;
}

static int fill_layers(struct job_pull_manifest *ret, const struct oci_manifest *manifest,
                       const struct oci_image *image, struct err *err)
{
    size_t diff_ids = strv_length(image->rootfs.diff_ids);
    if (manifest->layers.count != diff_ids)
        return err_set(err, ERR_INTERNAL, "the image's manifest has %zu layers, its configuration %zu",
                       manifest->layers.count, diff_ids);
    for (size_t i = 0; i < diff_ids; i++) {
        const struct oci_descriptor *layer = &manifest->layers.items[i];
        if (check_layer(layer, err) < 0)
            return -1;
        for (size_t k = 0; k < i; k++)
            if (str_eq(ret->layers.items[k].digest, layer->digest) &&
                !str_eq(ret->layers.items[k].diff_id, image->rootfs.diff_ids[i]))
                return err_set(err, ERR_INTERNAL, "the image's configuration gives one layer two contents (%s)",
                               layer->digest);
        *list_add(&ret->layers) = (struct job_layer){ .digest = xstrdup(layer->digest),
                                                      .media_type = xstrdup(layer->media_type),
                                                      .diff_id = xstrdup(image->rootfs.diff_ids[i]),
                                                      .size = layer->size };
    }
    return 0;
}

static int check_os(const struct oci_image *image, struct err *err)
{
    if (str_empty(image->os) || str_eq(image->os, "linux"))
        return 0;
    return err_set(
        err, ERR_INVALID,
        "image operating system \"%.32s\" cannot be used on this platform: operating system is not supported",
        image->os);
}

static int fill_manifest(struct pull *pull, const struct document *document, struct err *err)
{
    struct job_pull_manifest *ret = &pull->manifest;
    struct oci_manifest manifest;
    struct oci_image image;
    if (!utf8_valid(document->bytes, document->length))
        return err_set(err, ERR_INTERNAL, "the image's manifest is not UTF-8 text");
    if (oci_manifest_decode(document->bytes, document->length, &manifest, err) < 0) {
        err->kind = err->kind == ERR_INVALID ? ERR_INTERNAL : err->kind;
        return -1;
    }
    int r = registry_job_config(pull->registry, &manifest, &ret->config, &image, err);
    if (r == 0) {
        ret->manifest = xstrdup(document->bytes);
        ret->manifest_media_type = xstrdup(document->media_type);
        ret->config_digest = xstrdup(manifest.config.digest);
        r = check_os(&image, err) < 0 ? -1 : fill_layers(ret, &manifest, &image, err);
        codec_clear(&oci_image_type, &image);
    }
    codec_clear(&oci_manifest_type, &manifest);
    return r;
}

/* Everything about the image that `what`, a tag or digest, names. */
static int resolve(struct pull *pull, const char *what, struct err *err)
{
    AUTO_DOCUMENT struct document top;
    AUTO_DOCUMENT struct document member = { .kind = MEDIA_OTHER };
    struct job_pull_manifest *ret = &pull->manifest;
    AUTO_FREE char *line = str_format("Pulling from %s", pull->ref.path);
    if (registry_document(pull->registry, what, true, &top, err) < 0)
        return -1;
    registry_job_line(pull->worker, what, line, NULL);
    bool is_index = top.kind == MEDIA_INDEX;
    if (is_index && !utf8_valid(top.bytes, top.length))
        return err_set(err, ERR_INTERNAL, "the manifest list is not UTF-8 text");
    if (is_index && registry_member(pull->registry, &top, &pull->platform, &member, err) < 0)
        return -1;
    *ret = (struct job_pull_manifest){
        .request = xstrdup("manifest"),
        .reference = reference_string(&pull->ref),
        .tag = xstrdup(strchr(what, ':') ? "" : what),
        .digest = xstrdup(top.digest),
        .index = xstrdup(is_index ? top.bytes : ""),
        .index_media_type = xstrdup(is_index ? top.media_type : ""),
    };
    return fill_manifest(pull, is_index ? &member : &top, err);
}

/* ---- from spool to holkd ---- */

static int hand_over(struct pull *pull, size_t index, struct err *err)
{
    const struct job_layer *layer = pull->layers[index].layer;
    AUTO_JOB_MESSAGE struct job_message reply = JOB_MESSAGE_INIT;
    AUTO_FREE char *file = xstrdup(strchr(layer->digest, ':') + 1);
    char request[] = "blob";
    struct job_pull_blob blob = { .request = request,
                                  .digest = layer->digest,
                                  .diff_id = layer->diff_id,
                                  .media_type = layer->media_type,
                                  .file = file,
                                  .size = layer->size };
    return worker_request(pull->worker, &job_pull_blob_type, &blob, &reply, err);
}

/* Every layer has been handed over and answered: the image may get its name. */
static int commit(struct pull *pull, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message reply = JOB_MESSAGE_INIT;
    char request[] = "commit";
    struct job_pull_blob blob = { .request = request };
    return worker_request(pull->worker, &job_pull_blob_type, &blob, &reply, err);
}

static void *run_queue(void *arg)
{
    struct pull *pull = arg;
    mutex_lock(&pull->lock);
    while (!pull->failed) {
        if (pull->taken < pull->ready_count) {
            size_t index = pull->ready[pull->taken++];
            struct err err = { 0 };
            mutex_unlock(&pull->lock);
            meter_sync(pull->meter); /* "Download complete" stands before what holkd says of the layer */
            int r = hand_over(pull, index, &err);
            mutex_lock(&pull->lock);
            if (r < 0) {
                pull->failed = true;
                pull->err = err;
            }
        } else if (pull->closed) {
            break;
        } else {
            cond_wait(&pull->moved, &pull->lock);
        }
    }
    mutex_unlock(&pull->lock);
    registry_wake(pull->registry);
    return NULL;
}

static int check_queue(void *arg, struct err *err)
{
    struct pull *pull = arg;
    mutex_lock(&pull->lock);
    bool failed = pull->failed;
    if (failed)
        *err = pull->err;
    mutex_unlock(&pull->lock);
    return failed ? -1 : 0;
}

/* ---- the blob sink ---- */

static int sink_start(void *arg, size_t index, struct err *err)
{
    struct pull *pull = arg;
    struct wanted_layer *wanted = &pull->layers[index];
    const char *file = strchr(wanted->layer->digest, ':') + 1;
    fd_close(take_fd(&wanted->fd));
    wanted->fd = openat(pull->spool_fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    return wanted->fd < 0 ? err_sys(err, errno, "make a file for layer %s", wanted->id) : 0;
}

static int sink_write(void *arg, size_t index, const void *bytes, size_t length, uint64_t offset, struct err *err)
{
    const struct wanted_layer *wanted = &((struct pull *)arg)->layers[index];
    const char *at = bytes;
    while (length) {
        ssize_t n = pwrite(wanted->fd, at, length, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_sys(err, n < 0 ? errno : EIO, "write layer %s", wanted->id);
        at += n;
        length -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

static int sink_done(void *arg, size_t index, struct err *err)
{
    struct pull *pull = arg;
    fd_close(take_fd(&pull->layers[index].fd));
    mutex_lock(&pull->lock);
    pull->ready[pull->ready_count++] = index;
    cond_broadcast(&pull->moved);
    mutex_unlock(&pull->lock);
    return 0;
}

static void sink_bytes(void *arg, size_t index, int64_t current, int64_t total)
{
    meter_bytes(((struct pull *)arg)->meter, index, current, total);
}

static void sink_status(void *arg, size_t index, const char *status)
{
    meter_status(((struct pull *)arg)->meter, index, status);
}

static void emit_line(void *arg, size_t index, const char *status, int64_t current, int64_t total)
{
    const struct pull *pull = arg;
    if (total > 0)
        registry_job_bytes(pull->worker, pull->layers[index].id, status, current, total);
    else
        registry_job_line(pull->worker, pull->layers[index].id, status, NULL);
}

/* ---- layers ---- */

/* One blob that is several layers comes once. Two blobs said to hold the same tree both come: it may be a lie. */
static bool is_wanted(const struct pull *pull, const struct job_layer *layer)
{
    for (size_t i = 0; i < pull->layer_count; i++)
        if (str_eq(pull->layers[i].layer->digest, layer->digest))
            return true;
    return false;
}

/* Which layers are to come; says so. have: what holkd has, diff ids, and the config's digest when it knows the image.
 */
static void choose_layers(struct pull *pull, char *const *have)
{
    const struct job_pull_manifest *manifest = &pull->manifest;
    bool known = strv_contains(have, manifest->config_digest);
    pull->layers = xcalloc(manifest->layers.count + 1, sizeof *pull->layers);
    pull->layer_count = 0;
    for (size_t i = 0; i < manifest->layers.count; i++) {
        const struct job_layer *layer = &manifest->layers.items[i];
        struct wanted_layer wanted = { .layer = layer, .fd = -1 };
        registry_job_short_id(layer->digest, wanted.id);
        bool has = strv_contains(have, layer->diff_id) || is_wanted(pull, layer);
        if (!has)
            pull->layers[pull->layer_count++] = wanted;
        if (!known || !has)
            registry_job_line(pull->worker, wanted.id, has ? "Already exists" : "Pulling fs layer", NULL);
    }
}

/* How many blobs holkd may unpack side by side: each keeps about a core and a half busy. */
static size_t hands(const struct pull *pull)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return MIN(pull->layer_count, (size_t)(cores < 2 ? 2 : cores > HANDS_MAX ? HANDS_MAX : cores));
}

/* No more will come: what is left of the queue is handed over, or of no use after a failure. */
static void close_queue(struct pull *pull, const struct err *failure)
{
    mutex_lock(&pull->lock);
    pull->closed = true;
    if (failure && !pull->failed) {
        pull->failed = true;
        pull->err = *failure;
    }
    cond_broadcast(&pull->moved);
    mutex_unlock(&pull->lock);
}

static int fetch_all(struct pull *pull, struct err *err)
{
    struct blob_sink sink = { .arg = pull,
                              .start = sink_start,
                              .write = sink_write,
                              .done = sink_done,
                              .bytes = sink_bytes,
                              .status = sink_status,
                              .check = check_queue };
    AUTO_FREE struct blob_want *wants = xcalloc(pull->layer_count + 1, sizeof *wants);
    pthread_t threads[HANDS_MAX];
    size_t started = 0, wanted = hands(pull);
    for (size_t i = 0; i < pull->layer_count; i++)
        wants[i] = (struct blob_want){ .digest = pull->layers[i].layer->digest, .size = pull->layers[i].layer->size };
    while (started < wanted && pthread_create(&threads[started], NULL, run_queue, pull) == 0)
        started++;
    if (!started)
        return err_set(err, ERR_INTERNAL, "start a thread");
    int r = registry_fetch(pull->registry, wants, pull->layer_count, &sink, err);
    close_queue(pull, r < 0 ? err : NULL);
    if (r < 0)
        return -1; /* the other threads may wait for holkd, which waits for our end */
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return check_queue(pull, err);
}

static int fetch_layers(struct pull *pull, struct err *err)
{
    if (!pull->layer_count)
        return 0;
    pull->ready = xcalloc(pull->layer_count, sizeof *pull->ready);
    pull->ready_count = pull->taken = 0;
    pull->closed = pull->failed = false;
    pull->meter = meter_new(pull->layer_count, "Downloading", emit_line, pull);
    if (!pull->meter)
        return err_set(err, ERR_INTERNAL, "start a thread");
    int r = fetch_all(pull, err);
    if (r < 0)
        meter_sync(pull->meter); /* kept: other threads may still look at it */
    else
        meter_free(take_ptr(&pull->meter));
    return r;
}

/* ---- the whole ---- */

static int pull_one(struct pull *pull, const char *what, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message reply = JOB_MESSAGE_INIT;
    struct job_pull_have have = { 0 };
    if (resolve(pull, what, err) < 0 ||
        worker_request(pull->worker, &job_pull_manifest_type, &pull->manifest, &reply, err) < 0 ||
        job_decode(&reply, &job_pull_have_type, &have, err) < 0)
        return -1;
    choose_layers(pull, have.have);
    codec_clear(&job_pull_have_type, &have);
    if (fetch_layers(pull, err) < 0 || commit(pull, err) < 0)
        return -1; /* nothing is freed: another thread may still look at it, and the process ends */
    strv_append(&pull->result.digests, pull->manifest.digest);
    strv_append(&pull->result.tags, pull->manifest.tag);
    free(take_ptr(&pull->layers));
    free(take_ptr(&pull->ready));
    codec_clear(&job_pull_manifest_type, &pull->manifest);
    return 0;
}

static int pull_all_tags(struct pull *pull, struct err *err)
{
    CLEANUP(strv_free) char **tags = NULL;
    if (registry_tags(pull->registry, &tags, err) < 0)
        return -1;
    for (size_t i = 0; tags && tags[i]; i++)
        if (pull_one(pull, tags[i], err) < 0)
            return -1;
    return 0;
}

static int open_pull(struct pull *pull, const struct job_message *run, const struct job_pull *params, struct err *err)
{
    pull->spool_fd = worker_fd(run, 0, err);
    if (pull->spool_fd < 0 || reference_parse(params->reference, &pull->ref, err) < 0)
        return -1;
    platform_host(&pull->platform);
    if (!str_empty(params->platform) && platform_parse(params->platform, &pull->platform, err) < 0)
        return -1;
    struct registry_options options = { .domain = pull->ref.domain,
                                        .repository = pull->ref.path,
                                        .mirrors = params->mirrors,
                                        .insecure_registries = params->insecure_registries,
                                        .insecure = params->insecure,
                                        .certs_dir = params->certs_dir,
                                        .auth = &params->auth };
    pull->registry = registry_new(&options, err);
    return pull->registry ? worker_seal(pull->worker, &pull->spool_fd, 1, err) : -1;
}

int kind_pull(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct pull *pull = xcalloc(1, sizeof *pull); /* never freed: other threads may outlive a failure by a moment */
    struct job_pull params;
    pull->worker = worker;
    mutex_init(&pull->lock);
    cond_init(&pull->moved);
    if (job_decode(run, &job_pull_type, &params, err) < 0)
        return -1;
    int r = open_pull(pull, run, &params, err);
    if (r == 0 && params.all_tags) {
        r = pull_all_tags(pull, err);
    } else if (r == 0) {
        reference_tag_default(&pull->ref);
        r = pull_one(pull, pull->ref.digest ? pull->ref.digest : pull->ref.tag, err);
    }
    codec_clear(&job_pull_type, &params);
    return r < 0 ? -1 : worker_done(worker, &job_pull_result_type, &pull->result, err);
}
