/* Theory of operation. Each blob walks through steps, one exchange at a time: is it there (CHECK), can it be mounted
 * from another repository (MOUNT), get it from the engine (WANT), open an upload (BEGIN), send it at once (PUT) or, to
 * registries that want it so, in pieces (PATCH) with a closing PUT (COMMIT). Blobs come from registry_supply() on any
 * thread; everything else happens on the pushing thread. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"
#include "lib/oci/digest.h"
#include "registry/internal.h"
#include "registry/refusal.h"
#include "registry/sha256.h"

#include <stdio.h>

#define PARALLEL 5
#define STEP_MS 1000
#define IDLE_SECONDS 300 /* a registry may take its time to store what was sent */
#define CHUNK_USUALLY ((uint64_t)64 << 20)

enum step {
    STEP_WAITING,
    STEP_CHECK,
    STEP_MOUNT,
    STEP_WANT,
    STEP_BEGIN,
    STEP_PUT,
    STEP_PATCH,
    STEP_COMMIT,
    STEP_PAUSED,
    STEP_DONE
};
struct upload {
    struct push *push;
    size_t index;
    struct push_blob *blob;
    enum step step;
    struct exchange exchange;
    char *location, *scope;              /* scope: of a mount */
    uint64_t at, chunk;                  /* in pieces: sent so far; how much at once */
    bool has_data, mount_tried, is_open; /* is_open: location is a fresh upload */
    int fd, attempts;
    int64_t resume_ns;
};
struct push {
    struct registry *registry;
    const struct push_source *source;
    struct upload *uploads;
    size_t count, running, finished;
    bool failed, chunked; /* chunked: the registry takes blobs in pieces only */
    struct err err;
    struct supply { /* under registry->push_lock */
        bool fresh;
        char *digest, *media_type;
        int64_t size;
        int fd;
    } * supplies;
};

static void tell(struct upload *upload, const char *status)
{
    const struct push_source *source = upload->push->source;
    if (source->status)
        source->status(source->arg, upload->index, status);
}

static void fail(struct push *push, const struct err *err)
{
    if (!push->failed)
        push->err = *err;
    push->failed = true;
}

static void finish(struct upload *upload, const char *status)
{
    upload->step = STEP_DONE;
    upload->push->running--;
    upload->push->finished++;
    tell(upload, status);
}

static void on_step_done(struct exchange *exchange);

static struct exchange *new_exchange(struct upload *upload, enum step step, const char *method)
{
    struct exchange *exchange = &upload->exchange;
    exchange_done(exchange);
    upload->step = step;
    exchange->method = method;
    exchange->endpoint = registry_endpoint(upload->push->registry);
    exchange->scope = upload->push->registry->scope;
    exchange->arg = upload;
    exchange->on_done = on_step_done;
    exchange->idle_seconds = IDLE_SECONDS;
    return exchange;
}

static void ask(struct upload *upload, const char *rest)
{
    struct registry *registry = upload->push->registry;
    upload->exchange.url = registry_url(registry, upload->exchange.endpoint, rest);
    http_start(registry->http, &upload->exchange);
}

static void do_check(struct upload *upload)
{
    AUTO_FREE char *rest = str_format("/blobs/%s", upload->blob->digest);
    new_exchange(upload, STEP_CHECK, "HEAD");
    ask(upload, rest);
}

/* The repository part of "host/repository"; both forms are known as mount_from. */
static const char *mount_repository(const struct upload *upload)
{
    const char *after = str_after(upload->blob->mount_from, upload->push->registry->domain);
    return after && *after == '/' ? after + 1 : upload->blob->mount_from;
}

static void do_mount(struct upload *upload)
{
    struct exchange *exchange = new_exchange(upload, STEP_MOUNT, "POST");
    const char *from = mount_repository(upload);
    AUTO_FREE char *with_digest = url_with_query("/blobs/uploads/", "mount", upload->blob->digest);
    AUTO_FREE char *rest = url_with_query(with_digest, "from", from);
    upload->mount_tried = true;
    free(upload->scope);
    upload->scope = str_format("%s repository:%s:pull", upload->push->registry->scope, from);
    exchange->scope = upload->scope;
    ask(upload, rest);
}

static void do_begin(struct upload *upload)
{
    new_exchange(upload, STEP_BEGIN, "POST");
    ask(upload, "/blobs/uploads/");
}

static void on_bytes_sent(struct exchange *exchange, uint64_t sent)
{
    struct upload *upload = exchange->arg;
    const struct push_source *source = upload->push->source;
    if (source->bytes)
        source->bytes(source->arg, upload->index, (int64_t)(upload->at + sent), upload->blob->size);
}

static void set_body(struct upload *upload, uint64_t offset, uint64_t size)
{
    struct exchange *exchange = &upload->exchange;
    strv_append(&exchange->headers, "Content-Type: application/octet-stream");
    exchange->on_sent = on_bytes_sent;
    if (upload->blob->bytes) {
        exchange->body = (const char *)upload->blob->bytes + offset;
        exchange->body_length = (size_t)size;
    } else {
        exchange->body_fd = upload->fd;
        exchange->body_offset = offset;
        exchange->body_size = size;
    }
}

static void do_put(struct upload *upload)
{
    struct exchange *exchange = new_exchange(upload, STEP_PUT, "PUT");
    upload->at = 0;
    exchange->url = url_with_query(upload->location, "digest", upload->blob->digest);
    set_body(upload, 0, (uint64_t)upload->blob->size);
    http_start(upload->push->registry->http, exchange);
}

static void do_patch(struct upload *upload)
{
    struct exchange *exchange = new_exchange(upload, STEP_PATCH, "PATCH");
    uint64_t size = MIN(upload->chunk, (uint64_t)upload->blob->size - upload->at);
    exchange->url = xstrdup(upload->location);
    strv_append_take(&exchange->headers, str_format("Content-Range: %llu-%llu", (unsigned long long)upload->at,
                                                    (unsigned long long)(upload->at + size - 1)));
    set_body(upload, upload->at, size);
    http_start(upload->push->registry->http, exchange);
}

static void do_commit(struct upload *upload)
{
    struct exchange *exchange = new_exchange(upload, STEP_COMMIT, "PUT");
    exchange->url = url_with_query(upload->location, "digest", upload->blob->digest);
    http_start(upload->push->registry->http, exchange);
}

static void do_want(struct upload *upload)
{
    const struct push_source *source = upload->push->source;
    upload->step = STEP_WANT;
    source->want(source->arg, upload->index);
}

static void send_open(struct upload *upload)
{
    upload->is_open = false;
    upload->at = 0;
    if (upload->push->chunked && upload->blob->size > 0)
        do_patch(upload);
    else
        do_put(upload);
}

static void send_or_want(struct upload *upload)
{
    if (upload->has_data && upload->is_open)
        send_open(upload);
    else if (upload->has_data || upload->blob->bytes)
        do_begin(upload);
    else
        do_want(upload);
}

/* ---- what the answers lead to ---- */

static void pause_or_fail(struct upload *upload, const struct err *err)
{
    char text[64];
    if (upload->attempts + 1 >= HTTP_ATTEMPTS) {
        fail(upload->push, err);
        return;
    }
    int64_t pause = http_pause_ms(&upload->exchange, upload->attempts++);
    upload->resume_ns = time_monotonic_ns() + pause * 1000000;
    upload->step = STEP_PAUSED;
    if (pause >= 1000) {
        (void)snprintf(text, sizeof text, "Retrying in %lld second%s", (long long)(pause / 1000),
                       pause / 1000 == 1 ? "" : "s");
        tell(upload, text);
    }
}

static bool is_success(const struct exchange *exchange)
{
    return exchange->trouble == TROUBLE_NONE && exchange->status >= 200 && exchange->status < 300;
}

/* Where the upload goes on; a registry that does not say is broken. */
static int take_location(struct upload *upload)
{
    struct err err = { 0 };
    AUTO_URL struct url to = URL_INIT;
    const struct exchange *exchange = &upload->exchange;
    if (!exchange->location)
        err_set(&err, ERR_INTERNAL, "the registry opened an upload without saying where");
    else if (url_resolve(&exchange->at, exchange->location, &to, &err) == 0 &&
             url_check_redirect(&exchange->at, &to, 0, &err) == 0) {
        free(upload->location);
        upload->location = take_ptr(&to.text);
        return 0;
    }
    fail(upload->push, &err);
    return -1;
}

static void on_refused(struct upload *upload)
{
    struct err err = upload->exchange.failure;
    struct refusal refusal = { .code = "" };
    if (upload->exchange.trouble == TROUBLE_NONE)
        (void)refusal_err(&upload->exchange, &refusal, &err);
    bool lost = str_eq(refusal.code, "BLOB_UPLOAD_UNKNOWN") || str_eq(refusal.code, "BLOB_UPLOAD_INVALID");
    if (http_worth_retry(&upload->exchange) || upload->exchange.trouble == TROUBLE_CONNECT || lost)
        pause_or_fail(upload, &err);
    else
        fail(upload->push, &err);
}

static void on_checked(struct upload *upload)
{
    const struct exchange *exchange = &upload->exchange;
    if (is_success(exchange))
        finish(upload, "Layer already exists");
    else if (exchange->trouble != TROUBLE_NONE || exchange->status == 401 || exchange->status == 403 ||
             http_worth_retry(exchange))
        on_refused(upload);
    else if (!str_empty(upload->blob->mount_from) && !upload->mount_tried && *mount_repository(upload))
        do_mount(upload);
    else
        send_or_want(upload);
}

static void on_mounted(struct upload *upload)
{
    if (is_success(&upload->exchange) && upload->exchange.status == 201) {
        AUTO_FREE char *text = str_format("Mounted from %s", mount_repository(upload));
        finish(upload, text);
        return;
    }
    /* No access there, not there, or not done by this registry: all the same. A 202 is an upload already open. */
    if (is_success(&upload->exchange) && upload->exchange.location && take_location(upload) == 0)
        upload->is_open = true;
    if (!upload->push->failed)
        send_or_want(upload);
}

static void on_begun(struct upload *upload)
{
    uint64_t least = 0;
    if (!is_success(&upload->exchange)) {
        on_refused(upload);
        return;
    }
    if (take_location(upload) < 0)
        return;
    if (upload->exchange.chunk_min && str_to_u64(upload->exchange.chunk_min, &least) == 0)
        upload->chunk = MAX(CHUNK_USUALLY, least);
    send_open(upload);
}

static void on_put(struct upload *upload)
{
    int status = upload->exchange.status;
    bool at_once_refused =
        upload->exchange.trouble == TROUBLE_NONE && (status == 405 || status == 411 || status == 413 || status == 501);
    if (is_success(&upload->exchange)) {
        finish(upload, "Pushed");
    } else if (at_once_refused && upload->step == STEP_PUT) {
        upload->push->chunked = true;
        do_begin(upload);
    } else {
        on_refused(upload);
    }
}

static void on_patched(struct upload *upload)
{
    if (!is_success(&upload->exchange)) {
        on_refused(upload);
        return;
    }
    upload->at += upload->exchange.body_fd >= 0 ? upload->exchange.body_size : upload->exchange.body_length;
    if (take_location(upload) < 0)
        return;
    if (upload->at < (uint64_t)upload->blob->size)
        do_patch(upload);
    else
        do_commit(upload);
}

static void on_step_done(struct exchange *exchange)
{
    struct upload *upload = exchange->arg;
    switch (upload->step) {
    case STEP_CHECK:
        on_checked(upload);
        break;
    case STEP_MOUNT:
        on_mounted(upload);
        break;
    case STEP_BEGIN:
        on_begun(upload);
        break;
    case STEP_PUT:
    case STEP_COMMIT:
        on_put(upload);
        break;
    case STEP_PATCH:
        on_patched(upload);
        break;
    case STEP_WAITING:
    case STEP_WANT:
    case STEP_PAUSED:
    case STEP_DONE:
        break;
    }
}

/* ---- the loop ---- */

static void start(struct upload *upload)
{
    if (upload->step == STEP_WAITING)
        upload->push->running++;
    if (upload->step == STEP_PAUSED)
        send_or_want(upload);
    else if (!str_empty(upload->blob->digest))
        do_check(upload);
    else
        do_want(upload);
}

static void take_supply(struct upload *upload)
{
    struct push *push = upload->push;
    struct push_blob *blob = upload->blob;
    mutex_lock(&push->registry->push_lock);
    struct supply supply = push->supplies[upload->index];
    push->supplies[upload->index] = (struct supply){ .fd = -1 };
    mutex_unlock(&push->registry->push_lock);
    if (!supply.fresh)
        return;
    struct err err = { 0 };
    bool news = !str_eq(blob->digest, supply.digest);
    free(blob->digest);
    free(blob->media_type);
    blob->digest = supply.digest;
    blob->media_type = supply.media_type;
    blob->size = supply.size;
    upload->fd = supply.fd;
    upload->has_data = true;
    if (!digest_is_sha256(blob->digest) || blob->size < 0) {
        err_set(&err, ERR_INTERNAL, "a layer to push has no digest");
        fail(push, &err);
    } else if (news) {
        do_check(upload);
    } else {
        send_or_want(upload);
    }
}

static int start_due(struct push *push)
{
    int64_t now = time_monotonic_ns(), soonest = now + (int64_t)STEP_MS * 1000000;
    for (size_t i = 0; i < push->count && !push->failed; i++) {
        struct upload *upload = &push->uploads[i];
        if (upload->step == STEP_WANT)
            take_supply(upload);
        else if (upload->step == STEP_WAITING && push->running < PARALLEL)
            start(upload);
        else if (upload->step == STEP_PAUSED && upload->resume_ns <= now)
            start(upload);
        else if (upload->step == STEP_PAUSED)
            soonest = MIN(soonest, upload->resume_ns);
    }
    return (int)((soonest - now) / 1000000) + 1;
}

static int run(struct push *push)
{
    while (!push->failed && push->finished < push->count) {
        struct err err = { 0 };
        int timeout_ms = start_due(push);
        if (push->failed || push->finished == push->count)
            break;
        if (http_step(push->registry->http, timeout_ms, &err) < 0 ||
            (push->source->check && push->source->check(push->source->arg, &err) < 0))
            fail(push, &err);
    }
    return push->failed ? -1 : 0;
}

/* Which endpoint answers, and a token before five exchanges want one. */
static int knock(struct registry *registry, struct err *err)
{
    if (registry->settled)
        return 0;
    for (;;) {
        AUTO_EXCHANGE struct exchange exchange = EXCHANGE_INIT;
        registry_prepare(registry, &exchange, "GET", "");
        free(exchange.url);
        exchange.url = str_format("%s/v2/", exchange.endpoint->base);
        int r = http_do_patiently(registry->http, &exchange, err);
        if (r == 0 && exchange.status == 401)
            return refusal_err(&exchange, NULL, err);
        if (r == 0) {
            registry->settled = true;
            return 0;
        }
        if (!registry_next_endpoint(registry, &exchange))
            return -1;
    }
}

int registry_push_blobs(struct registry *registry, struct push_blob *blobs, size_t count,
                        const struct push_source *source, struct err *err)
{
    struct push push = { .registry = registry, .source = source, .count = count };
    if (registry_open(registry, err) < 0 || knock(registry, err) < 0)
        return -1;
    push.uploads = xcalloc(count + 1, sizeof *push.uploads);
    push.supplies = xcalloc(count + 1, sizeof *push.supplies);
    for (size_t i = 0; i < count; i++) {
        push.uploads[i] = (struct upload){
            .push = &push, .index = i, .blob = &blobs[i], .exchange = EXCHANGE_INIT, .fd = -1, .chunk = CHUNK_USUALLY
        };
        if (i >= PARALLEL && !blobs[i].bytes)
            tell(&push.uploads[i], "Waiting");
    }
    mutex_lock(&registry->push_lock);
    registry->push = &push;
    mutex_unlock(&registry->push_lock);
    int r = run(&push);
    for (size_t i = 0; i < count; i++) {
        exchange_done(&push.uploads[i].exchange);
        free(push.uploads[i].location);
        free(push.uploads[i].scope);
    }
    mutex_lock(&registry->push_lock); /* a supply may be on its way */
    registry->push = NULL;
    mutex_unlock(&registry->push_lock);
    for (size_t i = 0; i < count; i++) {
        free(push.supplies[i].digest);
        free(push.supplies[i].media_type);
    }
    free(push.uploads);
    free(push.supplies);
    if (r < 0)
        *err = push.err;
    return r;
}

void registry_supply(struct registry *registry, size_t index, char *digest, char *media_type, int64_t size, int fd)
{
    mutex_lock(&registry->push_lock);
    if (registry->push) {
        registry->push->supplies[index] =
            (struct supply){ .fresh = true, .digest = digest, .media_type = media_type, .size = size, .fd = fd };
    } else {
        free(digest);
        free(media_type);
    }
    mutex_unlock(&registry->push_lock);
    http_wake(registry->http);
}

int registry_push_manifest(struct registry *registry, const char *tag, const char *media_type, const char *bytes,
                           size_t length, struct err *err)
{
    AUTO_EXCHANGE struct exchange exchange = EXCHANGE_INIT;
    AUTO_FREE char *rest = str_format("/manifests/%s", tag);
    char digest[SHA256_TEXT_SIZE];
    registry_prepare(registry, &exchange, "PUT", rest);
    strv_append_take(&exchange.headers, str_format("Content-Type: %s", media_type));
    exchange.body = bytes;
    exchange.body_length = length;
    exchange.idle_seconds = IDLE_SECONDS;
    int r = http_do_patiently(registry->http, &exchange, err);
    if (r == 0 && (exchange.status < 200 || exchange.status >= 300))
        r = refusal_err(&exchange, NULL, err);
    sha256_bytes(bytes, length, digest);
    if (r == 0 && exchange.digest && !str_eq(exchange.digest, digest))
        r = err_set(err, ERR_INTERNAL, "the registry stored the manifest as %.80s, it is %s", exchange.digest, digest);
    return r;
}
