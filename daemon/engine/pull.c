/* Pull, auth, distribution. The fetch worker speaks to the registry as nobody; each verified blob it reports goes to an unpack worker, on a
 * thread of its own, while others are still on their way; the engine adopts what they made and commits image and name in one transaction.
 * Nothing the fetch worker says is believed: a blob is taken out of its reach first, and hashed again by the unpack worker. */
#include "daemon/engine/progress.h"
#include "daemon/engine/transfer.h"
#include "daemon/engine/worker_run.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/oci/digest.h"
#include "lib/oci/image.h"
#include "lib/oci/platform.h"
#include "lib/oci/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534

/* ---- auth ---- */

static int base64url_value(char c)
{
    if (c == '-')
        c = '+';
    if (c == '_')
        c = '/';
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(letters, c) : NULL;
    return found ? (int)(found - letters) : -1;
}

/* X-Registry-Auth: base64url of {"username":...}; an unreadable one counts as none, as in Docker. */
int auth_decode(const char *text, struct job_auth *ret)
{
    AUTO_BUF struct buf json = BUF_INIT(1 << 20);
    struct auth_config config;
    struct err ignored = { 0 };
    unsigned bits = 0, count = 0;
    *ret = (struct job_auth){ 0 };
    for (; text && *text; text++) {
        int value = base64url_value(*text);
        if (value < 0)
            continue;
        bits = bits << 6 | (unsigned)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_putc(&json, (char)(bits >> count & 255));
        }
    }
    if (!json.length || codec_decode(&auth_config_type, json.data, json.length, &config, &ignored) < 0)
        return 0;
    *ret = (struct job_auth){ .username = config.username, .password = config.password, .identity_token = config.identity_token,
                              .registry_token = config.registry_token, .server_address = config.server_address };
    free(config.auth);
    free(config.email);
    explicit_bzero(json.data, json.length);
    return 0;
}

/* ---- pull ---- */

struct pulling {
    struct engine *engine;
    struct progress progress;
    struct store_lease *lease;
    char *tmp;            /* relative to the data root; root's own */
    int tmp_fd, spool_fd; /* the spool, a directory in tmp, is the fetch worker's */
    int reply_fd;         /* the worker's socket, for the threads */
    struct mutex output_lock, reply_lock, lock;
    struct cond idle;
    unsigned working; /* threads that unpack a blob; lock */
    struct reference name;
    struct job_pull_manifest manifest; /* of the tag in work */
    bool has_manifest, anything_new;
    struct platform platform; /* of the image pulled last */
};

static void short_id(const char *digest, char ret[13])
{
    const char *hex = strchr(digest, ':');
    str_copy(ret, 13, hex ? hex + 1 : digest);
}

/* Image and names as the manifest tells them. */
static int fill_info(const struct pulling *pulling, struct store_image_info *ret, struct err *err)
{
    const struct job_pull_manifest *manifest = &pulling->manifest;
    struct reference tagged, digested;
    char digest[72];
    if (store_image_info_decode(manifest->config, strlen(manifest->config), ret, err) < 0)
        return -1;
    store_digest(manifest->manifest, strlen(manifest->manifest), digest);
    ret->manifest = xstrdup(digest);
    ret->manifest_type = xstrdup(manifest->manifest_media_type);
    reference_copy(&tagged, &pulling->name);
    reference_copy(&digested, &pulling->name);
    free(take_ptr(&digested.tag));
    if (!tagged.digest && !str_empty(manifest->tag)) {
        free(tagged.tag);
        tagged.tag = xstrdup(manifest->tag);
    }
    free(digested.digest);
    digested.digest = xstrdup(manifest->digest);
    if (!tagged.digest)
        strv_append_take(&ret->refs, reference_string(&tagged));
    strv_append_take(&ret->refs, reference_string(&digested));
    reference_clear(&tagged);
    reference_clear(&digested);
    return 0;
}

/* Is all of it here already, under these names? */
static bool is_up_to_date_locked(struct engine *engine, const struct store_image_info *info)
{
    const struct store_image *image = store_image_get(engine->store, info->id);
    bool same = image && str_eq(image->manifest, info->manifest);
    for (size_t i = 0; same && info->refs[i]; i++)
        same = store_image_by_ref(engine->store, info->refs[i]) == image;
    return same;
}

static int store_info(struct pulling *pulling, const struct store_image_info *info, struct err *err)
{
    struct engine *engine = pulling->engine;
    const struct job_pull_manifest *manifest = &pulling->manifest;
    AUTO_FREE char *repository = reference_name(&pulling->name);
    uint64_t ticket = 0;
    if (store_blob_write(engine->store, info->id, manifest->config, strlen(manifest->config), err) < 0 ||
        store_blob_write(engine->store, info->manifest, manifest->manifest, strlen(manifest->manifest), err) < 0 || store_sync(engine->store, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    for (size_t i = 0; i < manifest->layers.count; i++) {
        const struct job_layer *layer = &manifest->layers.items[i];
        struct store_distribution row = { repository, layer->digest, layer->media_type, layer->size };
        store_distribution_add(engine->store, layer->diff_id, &row);
    }
    int result = store_image_add(engine->store, info, NULL, &ticket, err);
    mutex_unlock(&engine->lock);
    return result < 0 ? -1 : db_wait(engine->db, ticket, err);
}

static int commit_image(struct pulling *pulling, struct err *err)
{
    struct engine *engine = pulling->engine;
    AUTO_STORE_IMAGE_INFO struct store_image_info info = { 0 };
    if (fill_info(pulling, &info, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    bool up_to_date = is_up_to_date_locked(engine, &info);
    mutex_unlock(&engine->lock);
    if (!up_to_date && store_info(pulling, &info, err) < 0)
        return -1;
    pulling->anything_new |= !up_to_date;
    platform_from(info.os, info.architecture, info.variant, &pulling->platform);
    return progress_status(&pulling->progress, NULL, "Digest: %s", pulling->manifest.digest) < 0 ? err_set(err, ERR_CANCELLED, "context canceled") : 0;
}

static int on_manifest(struct pulling *pulling, int sock, const struct job_message *message, struct err *err)
{
    struct engine *engine = pulling->engine;
    struct job_pull_have reply = { 0 };
    if (pulling->has_manifest)
        return err_set(err, ERR_INTERNAL, "the fetch worker begins an image before the one before is complete");
    if (job_decode(message, &job_pull_manifest_type, &pulling->manifest, err) < 0)
        return -1;
    pulling->has_manifest = true;
    mutex_lock(&engine->lock);
    store_lease_pin(pulling->lease, pulling->manifest.config_digest);
    for (size_t i = 0; i < pulling->manifest.layers.count; i++) {
        const struct job_layer *layer = &pulling->manifest.layers.items[i];
        store_lease_pin(pulling->lease, layer->diff_id);
        store_lease_pin(pulling->lease, layer->digest);
        if (store_layer_has(engine->store, layer->diff_id) && !strv_contains(reply.have, layer->diff_id))
            strv_append(&reply.have, layer->diff_id);
    }
    if (store_image_get(engine->store, pulling->manifest.config_digest))
        strv_append(&reply.have, pulling->manifest.config_digest);
    mutex_unlock(&engine->lock);
    int result = job_send(sock, JOB_REPLY, message->id, &job_pull_have_type, &reply, NULL, 0, err);
    codec_clear(&job_pull_have_type, &reply);
    return result;
}

struct unpacking {
    struct pulling *pulling;
    char id[13];
    int64_t total;
};

static int on_unpack_progress(void *arg, const struct job_progress *job)
{
    struct unpacking *unpacking = arg;
    mutex_lock(&unpacking->pulling->output_lock);
    int result = progress_bytes(&unpacking->pulling->progress, unpacking->id, "Extracting", job->current, unpacking->total);
    mutex_unlock(&unpacking->pulling->output_lock);
    return result;
}

/* Makes a layer in the store from a verified compressed blob. */
static int layer_from_blob(struct pulling *pulling, int blob_fd, const struct job_unpack *params, struct job_unpack_result *ret, struct err *err)
{
    struct engine *engine = pulling->engine;
    AUTO_FREE char *tmp = NULL;
    struct unpacking unpacking = { .pulling = pulling, .total = params->size };
    short_id(params->digest, unpacking.id);
    if (store_tmp_make(engine->store, "layer", &tmp, err) < 0)
        return -1;
    AUTO_FREE char *diff = path_join(tmp, "diff");
    if (mkdirat(engine->data_fd, diff, 0755) < 0)
        return err_sys(err, errno, "make a layer directory");
    AUTO_FD int layer_fd = openat(engine->data_fd, diff, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fds[] = { blob_fd, layer_fd };
    struct worker_call call = { .kind = "unpack", .params = params, .fds = fds, .fd_count = 2, .arg = &unpacking, .on_progress = on_unpack_progress,
                                .client_fd = pulling->progress.sink->client_fd };
    int result = worker_run(engine, &call, ret, err);
    if (result == 0) {
        result = store_layer_adopt(engine->store, engine->data_fd, diff, ret->diff_id, ret->opaque, err);
        if (result < 0)
            codec_clear(&job_unpack_result_type, ret);
    }
    (void)store_trash_put(engine->store, engine->data_fd, tmp);
    return result;
}

/* Takes a file out of the fetch worker's reach: nobody writes to it any more, here or later. Returns it open for reading. */
static int take_blob(struct pulling *pulling, const struct job_pull_blob *blob, int *ret_fd, struct err *err)
{
    const char *hex = digest_is_sha256(blob->digest) ? digest_hex(blob->digest) : NULL;
    struct stat st;
    if (!hex || !str_eq(blob->file, hex))
        return err_set(err, ERR_INTERNAL, "the fetch worker named a file that is no layer");
    AUTO_FD int fd = openat(pulling->spool_fd, hex, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0 || renameat(pulling->spool_fd, hex, pulling->tmp_fd, hex) < 0 || fchown(fd, 0, 0) < 0 || fchmod(fd, 0600) < 0)
        return err_sys(err, errno, "take a fetched layer");
    /* A lease is given only for a file that nobody has open for writing. Where there are none the second hash must do. */
    bool alone = fcntl(fd, F_SETLEASE, F_RDLCK) == 0 || errno != EAGAIN;
    (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    if (!alone || !S_ISREG(st.st_mode) || st.st_nlink != 1)
        return err_set(err, ERR_INTERNAL, "the fetch worker keeps a hand on layer %s", blob->digest);
    *ret_fd = take_fd(&fd);
    return 0;
}

static int blob_to_layer(struct pulling *pulling, const struct job_pull_blob *blob, struct err *err)
{
    struct engine *engine = pulling->engine;
    struct job_unpack_result made;
    AUTO_FD int fd = -1;
    struct job_unpack params = { .digest = blob->digest, .diff_id = blob->diff_id, .media_type = blob->media_type, .size = blob->size };
    if (take_blob(pulling, blob, &fd, err) < 0 || layer_from_blob(pulling, fd, &params, &made, err) < 0)
        return -1;
    int result = store_blob_adopt(engine->store, pulling->tmp_fd, blob->file, blob->digest, err);
    struct store_layer_info info = { made.diff_id, made.size, result == 0 ? blob->digest : NULL, blob->media_type, blob->size };
    mutex_lock(&engine->lock);
    (void)store_layer_add(engine->store, &info);
    mutex_unlock(&engine->lock);
    codec_clear(&job_unpack_result_type, &made);
    if (result < 0)
        return -1;
    char id[13];
    short_id(blob->digest, id);
    mutex_lock(&pulling->output_lock);
    result = progress_status(&pulling->progress, id, "Pull complete");
    mutex_unlock(&pulling->output_lock);
    return result < 0 ? err_set(err, ERR_CANCELLED, "context canceled") : 0;
}

struct blob_work {
    struct pulling *pulling;
    struct job_pull_blob blob;
    uint32_t id;
};

static void *run_blob(void *arg)
{
    struct blob_work *work = arg;
    struct pulling *pulling = work->pulling;
    struct err err = { 0 }, ignored = { 0 }; /* a worker that is gone is noticed by who reads from it */
    int result = blob_to_layer(pulling, &work->blob, &err);
    mutex_lock(&pulling->reply_lock);
    if (result < 0)
        (void)job_send_err(pulling->reply_fd, JOB_REPLY_ERR, work->id, &err, &ignored);
    else
        (void)job_send(pulling->reply_fd, JOB_REPLY, work->id, NULL, NULL, NULL, 0, &ignored);
    mutex_unlock(&pulling->reply_lock);
    codec_clear(&job_pull_blob_type, &work->blob);
    free(work);
    mutex_lock(&pulling->lock);
    pulling->working--;
    cond_broadcast(&pulling->idle);
    mutex_unlock(&pulling->lock);
    return NULL;
}

static void count_work(struct pulling *pulling, int more)
{
    mutex_lock(&pulling->lock);
    pulling->working += (unsigned)more;
    mutex_unlock(&pulling->lock);
}

static int on_blob(struct pulling *pulling, int sock, const struct job_message *message, struct err *err)
{
    if (pulling->reply_fd < 0)
        pulling->reply_fd = fd_dup(sock);
    if (pulling->reply_fd < 0)
        return err_sys(err, pulling->reply_fd, "keep the worker's socket");
    struct blob_work *work = xcalloc(1, sizeof *work);
    *work = (struct blob_work){ .pulling = pulling, .id = message->id };
    if (job_decode(message, &job_pull_blob_type, &work->blob, err) < 0) {
        free(work);
        return -1;
    }
    count_work(pulling, 1);
    int failed = thread_spawn(run_blob, work);
    if (failed == 0)
        return 0;
    count_work(pulling, -1);
    codec_clear(&job_pull_blob_type, &work->blob);
    free(work);
    return err_sys(err, failed, "start a thread");
}

/* All layers of the image have been handed over and answered. */
static int on_commit(struct pulling *pulling, int sock, const struct job_message *message, struct err *err)
{
    if (!pulling->has_manifest)
        return err_set(err, ERR_INTERNAL, "the fetch worker ends an image that it never began");
    if (commit_image(pulling, err) < 0)
        return -1;
    codec_clear(&job_pull_manifest_type, &pulling->manifest);
    pulling->has_manifest = false;
    return job_send(sock, JOB_REPLY, message->id, NULL, NULL, NULL, 0, err);
}

static int on_pull_request(void *arg, int sock, const struct job_message *message, struct err *err)
{
    if (str_starts(message->json, "{\"request\":\"manifest\""))
        return on_manifest(arg, sock, message, err);
    return str_starts(message->json, "{\"request\":\"commit\"") ? on_commit(arg, sock, message, err) : on_blob(arg, sock, message, err);
}

static int on_pull_progress(void *arg, const struct job_progress *job)
{
    struct pulling *pulling = arg;
    mutex_lock(&pulling->output_lock);
    int result = progress_job(&pulling->progress, job);
    mutex_unlock(&pulling->output_lock);
    return result;
}

static void wait_idle(struct pulling *pulling)
{
    mutex_lock(&pulling->lock);
    while (pulling->working)
        cond_wait(&pulling->idle, &pulling->lock);
    mutex_unlock(&pulling->lock);
}

static int pull_with(struct pulling *pulling, const struct job_pull *params, struct job_pull_result *result, struct err *err)
{
    struct engine *engine = pulling->engine;
    if (store_tmp_make(engine->store, "pull", &pulling->tmp, err) < 0)
        return -1;
    pulling->tmp_fd = openat(engine->data_fd, pulling->tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (pulling->tmp_fd < 0 || mkdirat(pulling->tmp_fd, "spool", 0700) < 0)
        return err_sys(err, errno, "prepare the spool directory");
    pulling->spool_fd = openat(pulling->tmp_fd, "spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (pulling->spool_fd < 0 || fchown(pulling->spool_fd, NOBODY, NOBODY) < 0)
        return err_sys(err, errno, "prepare the spool directory");
    struct worker_call call = { .kind = "pull", .params = params, .fds = &pulling->spool_fd, .fd_count = 1, .arg = pulling, .on_progress = on_pull_progress,
                                .on_request = on_pull_request, .client_fd = pulling->progress.sink->client_fd };
    int done = worker_run(engine, &call, result, err);
    wait_idle(pulling);
    return done;
}

/* A manifest that is no list is taken as it is; whoever asked for a platform hears when it is another one. */
static int warn_of_platform(struct pulling *pulling, const char *asked, const char *familiar)
{
    struct platform wanted;
    struct err ignored = { 0 };
    char wanted_text[128], found_text[128];
    if (str_empty(asked) || platform_parse(asked, &wanted, &ignored) < 0 || platform_match(&wanted, &pulling->platform))
        return 0;
    platform_format(&wanted, wanted_text, sizeof wanted_text);
    platform_format(&pulling->platform, found_text, sizeof found_text);
    return progress_status(&pulling->progress, NULL,
                           "WARNING: image with reference %s was found but its platform (%s) does not match the specified platform (%s)", familiar,
                           found_text, wanted_text);
}

static int finish_pull(struct pulling *pulling, const struct job_pull *params)
{
    struct engine *engine = pulling->engine;
    AUTO_FREE char *bare = reference_familiar_name(&pulling->name);
    AUTO_FREE char *familiar = params->all_tags ? xstrdup(bare) : reference_familiar_string(&pulling->name);
    mutex_lock(&engine->lock);
    image_event_locked(engine, "pull", familiar, bare);
    mutex_unlock(&engine->lock);
    if (progress_status(&pulling->progress, NULL, pulling->anything_new ? "Status: Downloaded newer image for %s" : "Status: Image is up to date for %s", familiar) < 0)
        return -1;
    return params->all_tags ? 0 : warn_of_platform(pulling, params->platform, familiar);
}

static void pulling_begin(struct pulling *pulling)
{
    mutex_init(&pulling->output_lock);
    mutex_init(&pulling->reply_lock);
    mutex_init(&pulling->lock);
    cond_init(&pulling->idle);
    mutex_lock(&pulling->engine->lock);
    pulling->lease = store_lease_new(pulling->engine->store, "pull");
    mutex_unlock(&pulling->engine->lock);
}

static void pulling_end(struct pulling *pulling)
{
    struct engine *engine = pulling->engine;
    if (pulling->tmp)
        (void)store_trash_put(engine->store, engine->data_fd, pulling->tmp);
    mutex_lock(&engine->lock);
    store_lease_free(pulling->lease);
    (void)store_collect(engine->store, NULL);
    mutex_unlock(&engine->lock);
    store_sweep(engine->store);
    fd_close(pulling->tmp_fd);
    fd_close(pulling->spool_fd);
    fd_close(pulling->reply_fd);
    free(pulling->tmp);
    reference_clear(&pulling->name);
    codec_clear(&job_pull_manifest_type, &pulling->manifest);
    mutex_done(&pulling->output_lock);
    mutex_done(&pulling->reply_lock);
    mutex_done(&pulling->lock);
    cond_done(&pulling->idle);
}

int engine_image_pull(struct engine *engine, const char *from_image, const char *tag, const char *platform, const char *auth_b64, struct sink *sink, struct err *err)
{
    struct pulling pulling = { .engine = engine, .progress = { .sink = sink }, .tmp_fd = -1, .spool_fd = -1, .reply_fd = -1 };
    struct job_pull params = { 0 };
    struct job_pull_result result = { 0 };
    if (reference_parse(from_image, &pulling.name, err) < 0)
        return -1;
    bool digest = tag && strchr(tag, ':');
    int named = str_empty(tag) ? 0 : digest ? reference_with_digest(&pulling.name, tag, err) : reference_with_tag(&pulling.name, tag, err);
    if (named < 0) {
        reference_clear(&pulling.name);
        return -1;
    }
    params.all_tags = str_empty(tag) && !pulling.name.tag && !pulling.name.digest;
    params.reference = reference_string(&pulling.name);
    params.platform = xstrdup(platform ? platform : "");
    params.insecure_registries = engine_list_setting(engine, &engine->settings.insecure_registries);
    if (str_eq(pulling.name.domain, REFERENCE_DEFAULT_DOMAIN))
        params.mirrors = engine_list_setting(engine, &engine->settings.registry_mirrors);
    (void)auth_decode(auth_b64, &params.auth);
    pulling_begin(&pulling);
    int done = pull_with(&pulling, &params, &result, err);
    if (done == 0)
        done = finish_pull(&pulling, &params);
    else if (err->kind != ERR_CANCELLED)
        done = progress_failed(&pulling.progress, 0, err);
    pulling_end(&pulling);
    codec_clear(&job_pull_type, &params);
    codec_clear(&job_pull_result_type, &result);
    return done;
}

/* ---- auth and distribution ---- */

int engine_auth(struct engine *engine, const struct auth_config *auth, struct auth_response *ret, struct err *err)
{
    struct job_registry_auth params = { .auth = { auth->username, auth->password, auth->identity_token, auth->registry_token, auth->server_address } };
    struct job_registry_auth_result result;
    char **insecure = engine_list_setting(engine, &engine->settings.insecure_registries);
    params.insecure_registries = insecure;
    struct worker_call call = { .kind = "registry-auth", .params = &params, .client_fd = -1 };
    int done = worker_run(engine, &call, &result, err);
    strv_free(insecure);
    if (done == 0)
        *ret = (struct auth_response){ .identity_token = result.identity_token ? result.identity_token : xstrdup(""), .status = result.status };
    return done;
}

int engine_distribution(struct engine *engine, const char *name, const char *auth_b64, struct buf *out, struct err *err)
{
    AUTO_REFERENCE struct reference ref;
    struct job_pull params = { 0 };
    struct job_raw_result result;
    if (reference_parse(name, &ref, err) < 0)
        return -1;
    reference_tag_default(&ref);
    params.reference = reference_string(&ref);
    params.insecure_registries = engine_list_setting(engine, &engine->settings.insecure_registries);
    (void)auth_decode(auth_b64, &params.auth);
    struct worker_call call = { .kind = "distribution", .params = &params, .client_fd = -1 };
    int done = worker_run(engine, &call, &result, err);
    if (done == 0) {
        buf_puts(out, result.json);
        codec_clear(&job_raw_result_type, &result);
    }
    codec_clear(&job_pull_type, &params);
    return done;
}
