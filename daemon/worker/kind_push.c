/* "push". Layers go up top first, five at a time; what the registry does not have is asked of holkd by a second thread
 * (it may have to pack a layer first), while others are on their way. */
#include "daemon/worker/registry_job.h"
#include "daemon/worker/worker_kinds.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/sync.h"
#include "registry/meter.h"
#include "registry/sha256.h"

struct push_job {
    struct worker *worker;
    struct registry *registry;
    struct reference ref;
    struct job_push params;
    struct push_blob *blobs; /* distinct layers, top first, and the config behind them */
    size_t layer_count;      /* of the blobs */
    size_t *blob_of;         /* params.layers[i] is blobs[blob_of[i]] */
    const char **diff_ids;   /* of the blobs */
    char (*ids)[SHORT_ID_SIZE];
    struct meter *meter;
    /* the queue to holkd */
    struct mutex lock;
    struct cond moved;
    size_t *wanted, wanted_count, taken;
    bool failed;
    struct err err;
};

/* ---- asking holkd ---- */

static int ask_layer(struct push_job *push, size_t index, struct err *err)
{
    struct job_message reply = JOB_MESSAGE_INIT;
    struct job_layer layer;
    char request[] = "layer";
    AUTO_FREE char *diff_id = xstrdup(push->diff_ids[index]);
    struct job_push_want want = { .request = request, .diff_id = diff_id };
    if (worker_request(push->worker, &job_push_want_type, &want, &reply, err) < 0)
        return -1;
    int r = job_decode(&reply, &job_layer_type, &layer, err);
    int fd = reply.fd_count ? take_fd(&reply.fds[0]) : -1; /* open until the process ends */
    job_message_done(&reply);
    if (r < 0)
        return -1;
    if (fd < 0) {
        codec_clear(&job_layer_type, &layer);
        return err_set(err, ERR_INTERNAL, "holkd gave layer %s without its bytes", diff_id);
    }
    registry_supply(push->registry, index, take_ptr(&layer.digest), take_ptr(&layer.media_type), layer.size, fd);
    codec_clear(&job_layer_type, &layer);
    return 0;
}

static void *run_queue(void *arg)
{
    struct push_job *push = arg;
    mutex_lock(&push->lock);
    while (!push->failed) {
        if (push->taken == push->wanted_count) {
            cond_wait(&push->moved, &push->lock);
            continue;
        }
        size_t index = push->wanted[push->taken++];
        struct err err = { 0 };
        mutex_unlock(&push->lock);
        int r = ask_layer(push, index, &err);
        mutex_lock(&push->lock);
        if (r < 0) {
            push->failed = true;
            push->err = err;
        }
    }
    mutex_unlock(&push->lock);
    registry_wake(push->registry);
    return NULL;
}

static void source_want(void *arg, size_t index)
{
    struct push_job *push = arg;
    mutex_lock(&push->lock);
    push->wanted[push->wanted_count++] = index;
    cond_broadcast(&push->moved);
    mutex_unlock(&push->lock);
}

static int source_check(void *arg, struct err *err)
{
    struct push_job *push = arg;
    mutex_lock(&push->lock);
    bool failed = push->failed;
    if (failed)
        *err = push->err;
    mutex_unlock(&push->lock);
    return failed ? -1 : 0;
}

/* ---- lines ---- */

static void source_bytes(void *arg, size_t index, int64_t current, int64_t total)
{
    struct push_job *push = arg;
    if (index < push->layer_count)
        meter_bytes(push->meter, index, current, total);
}

static void source_status(void *arg, size_t index, const char *status)
{
    struct push_job *push = arg;
    if (index < push->layer_count)
        meter_status(push->meter, index, status);
}

static void emit_line(void *arg, size_t index, const char *status, int64_t current, int64_t total)
{
    const struct push_job *push = arg;
    if (total > 0)
        registry_job_bytes(push->worker, push->ids[index], status, current, total);
    else
        registry_job_line(push->worker, push->ids[index], status, NULL);
}

/* ---- blobs ---- */

static size_t find_blob(const struct push_job *push, const char *diff_id)
{
    for (size_t i = 0; i < push->layer_count; i++)
        if (str_eq(push->diff_ids[i], diff_id))
            return i;
    return SIZE_MAX;
}

static void add_layer(struct push_job *push, size_t index)
{
    const struct job_layer *layer = &push->params.layers.items[index];
    size_t found = find_blob(push, layer->diff_id);
    if (found == SIZE_MAX) {
        found = push->layer_count++;
        push->diff_ids[found] = layer->diff_id;
        push->blobs[found] = (struct push_blob){ .digest = xstrdup(layer->digest),
                                                 .media_type = xstrdup(layer->media_type),
                                                 .size = layer->size };
        registry_job_short_id(layer->diff_id, push->ids[found]);
        if (index < strv_length(push->params.mount_from))
            push->blobs[found].mount_from = push->params.mount_from[index];
        registry_job_line(push->worker, push->ids[found], "Preparing", NULL);
    }
    push->blob_of[index] = found;
}

static void list_blobs(struct push_job *push)
{
    size_t count = push->params.layers.count;
    char digest[SHA256_TEXT_SIZE];
    push->blobs = xcalloc(count + 1, sizeof *push->blobs);
    push->blob_of = xcalloc(count + 1, sizeof *push->blob_of);
    push->diff_ids = xcalloc(count + 1, sizeof *push->diff_ids);
    push->ids = xcalloc(count + 1, sizeof *push->ids);
    push->wanted = xcalloc(count * 2 + 1, sizeof *push->wanted);
    for (size_t i = count; i-- > 0;)
        add_layer(push, i);
    sha256_bytes(push->params.config, strlen(push->params.config), digest);
    push->blobs[push->layer_count] = (struct push_blob){ .digest = xstrdup(digest),
                                                         .size = (int64_t)strlen(push->params.config),
                                                         .bytes = push->params.config };
}

static int push_blobs(struct push_job *push, struct err *err)
{
    struct push_source source = {
        .arg = push, .want = source_want, .bytes = source_bytes, .status = source_status, .check = source_check
    };
    push->meter = meter_new(push->layer_count, "Pushing", emit_line, push);
    int failed = push->meter ? thread_spawn(run_queue, push) : -1;
    if (failed < 0)
        return err_set(err, ERR_INTERNAL, "start a thread");
    int r = registry_push_blobs(push->registry, push->blobs, push->layer_count + 1, &source, err);
    meter_free(take_ptr(&push->meter));
    return r;
}

/* ---- the manifest ---- */

/* May the bytes that holkd has be used: do they tell of exactly what was pushed? */
static bool is_same_image(const struct push_job *push)
{
    struct oci_manifest manifest;
    struct err ignored = { 0 };
    const char *text = push->params.manifest;
    if (str_empty(text) || oci_manifest_decode(text, strlen(text), &manifest, &ignored) < 0)
        return false;
    bool same = str_eq(manifest.config.digest, push->blobs[push->layer_count].digest) &&
                manifest.layers.count == push->params.layers.count;
    for (size_t i = 0; same && i < manifest.layers.count; i++)
        same = str_eq(manifest.layers.items[i].digest, push->blobs[push->blob_of[i]].digest);
    codec_clear(&oci_manifest_type, &manifest);
    return same;
}

/* Docker's own form as long as every layer has one, else OCI. */
static bool wants_oci(const struct push_job *push)
{
    for (size_t i = 0; i < push->layer_count; i++)
        if (!media_is_docker(push->blobs[i].media_type) ||
            media_compression_of(push->blobs[i].media_type) == COMPRESSION_ZSTD)
            return true;
    return false;
}

static void put_descriptor(struct buf *out, const char *media_type, const struct push_blob *blob, const char *indent)
{
    buf_printf(out, "{\n%s   \"mediaType\": \"%s\",\n%s   \"size\": %lld,\n%s   \"digest\": \"%s\"\n%s}", indent,
               media_type, indent, (long long)blob->size, indent, blob->digest, indent);
}

/* Byte for byte as Docker writes it, so that the same layers give the same digest. */
static char *make_manifest(const struct push_job *push, bool oci)
{
    AUTO_BUF struct buf out = BUF_INIT(MANIFEST_MAX);
    size_t count = push->params.layers.count;
    buf_printf(&out, "{\n   \"schemaVersion\": 2,\n   \"mediaType\": \"%s\",\n   \"config\": ",
               oci ? MEDIA_OCI_MANIFEST : MEDIA_DOCKER_MANIFEST);
    put_descriptor(&out, oci ? MEDIA_OCI_CONFIG : MEDIA_DOCKER_CONFIG, &push->blobs[push->layer_count], "   ");
    buf_puts(&out, ",\n   \"layers\": [");
    for (size_t i = 0; i < count; i++) {
        const struct push_blob *blob = &push->blobs[push->blob_of[i]];
        const char *known = oci ? media_to_oci(blob->media_type) : media_to_docker(blob->media_type);
        buf_puts(&out, i ? ",\n      " : "\n      ");
        put_descriptor(&out, known ? known : oci ? MEDIA_OCI_LAYER_GZIP : MEDIA_DOCKER_LAYER_GZIP, blob, "      ");
    }
    buf_puts(&out, count ? "\n   ]\n}" : "]\n}");
    return buf_take(&out);
}

static int push_manifest(struct push_job *push, struct job_push_result *ret, struct err *err)
{
    bool oci = wants_oci(push), same = is_same_image(push);
    AUTO_FREE char *made = same ? NULL : make_manifest(push, oci);
    const char *bytes = same ? push->params.manifest : made;
    const char *type = same ? push->params.manifest_media_type : oci ? MEDIA_OCI_MANIFEST : MEDIA_DOCKER_MANIFEST;
    char digest[SHA256_TEXT_SIZE];
    if (!bytes)
        return err_set(err, ERR_INTERNAL, "the image's manifest would be too large");
    if (registry_push_manifest(push->registry, push->ref.tag, type, bytes, strlen(bytes), err) < 0)
        return -1;
    sha256_bytes(bytes, strlen(bytes), digest);
    long long size = (long long)strlen(bytes);
    AUTO_FREE char *line = str_format("%s: digest: %s size: %lld", push->ref.tag, digest, size);
    AUTO_FREE char *aux = str_format("{\"Tag\":\"%s\",\"Digest\":\"%s\",\"Size\":%lld}", push->ref.tag, digest, size);
    registry_job_line(push->worker, NULL, line, NULL);
    registry_job_line(push->worker, NULL, NULL, aux);
    *ret = (struct job_push_result){ .digest = xstrdup(digest), .tag = xstrdup(push->ref.tag), .size = size };
    for (size_t i = 0; i < push->params.layers.count; i++) {
        const struct push_blob *blob = &push->blobs[push->blob_of[i]];
        *list_add(&ret->layers) = (struct job_layer){ .digest = xstrdup(blob->digest),
                                                      .media_type = xstrdup(blob->media_type),
                                                      .diff_id = xstrdup(push->params.layers.items[i].diff_id),
                                                      .size = blob->size };
    }
    return 0;
}

/* ---- the whole ---- */

static int open_push(struct push_job *push, struct err *err)
{
    const struct job_push *params = &push->params;
    if (reference_parse(params->reference, &push->ref, err) < 0)
        return -1;
    reference_tag_default(&push->ref);
    if (!push->ref.tag || push->ref.digest)
        return err_set(err, ERR_INVALID, "cannot push a digest reference");
    if (str_empty(params->config))
        return err_set(err, ERR_INTERNAL, "there is no image configuration to push");
    struct registry_options options = { .domain = push->ref.domain,
                                        .repository = push->ref.path,
                                        .insecure_registries = params->insecure_registries,
                                        .insecure = params->insecure,
                                        .push = true,
                                        .certs_dir = params->certs_dir,
                                        .auth = &params->auth };
    push->registry = registry_new(&options, err);
    return push->registry ? worker_seal(push->worker, NULL, 0, err) : -1;
}

int kind_push(struct worker *worker, const struct job_message *run, struct err *err)
{
    struct push_job *push = xcalloc(1, sizeof *push); /* never freed: the asking thread lives as long as the process */
    struct job_push_result result = { 0 };
    push->worker = worker;
    mutex_init(&push->lock);
    cond_init(&push->moved);
    if (job_decode(run, &job_push_type, &push->params, err) < 0 || open_push(push, err) < 0)
        return -1;
    list_blobs(push);
    if (push_blobs(push, err) < 0 || push_manifest(push, &result, err) < 0)
        return -1;
    int r = worker_done(worker, &job_push_result_type, &result, err);
    codec_clear(&job_push_result_type, &result);
    return r;
}
