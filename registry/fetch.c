/* Theory of operation. Up to PARALLEL downloads run at once on one thread. Each hashes what it hands to the sink and
 * knows how far it has come; after a broken connection it goes on there by Range, and begins anew when the registry
 * will not. Only sizes and digests that are exactly right end in sink->done. A blob that a mirror cannot give is asked
 * of the next endpoint. */
#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"
#include "registry/internal.h"
#include "registry/refusal.h"
#include "registry/sha256.h"

#include <stdio.h>

#define PARALLEL 3
#define PROGRESS_BYTES ((uint64_t)1 << 20) /* a try that got so much was worth it */
#define STEP_MS 1000

/* Why a callback of ours ended an exchange. */
enum verdict {
    VERDICT_NONE,
    VERDICT_SINK /* the sink's word */,
    VERDICT_SIZE /* not what the manifest says */,
    VERDICT_RANGE /* another part than asked for */
};
enum download_state { DOWNLOAD_WAITING, DOWNLOAD_RUNNING, DOWNLOAD_PAUSED, DOWNLOAD_DONE };
struct fetch;
struct download {
    struct fetch *fetch;
    size_t index;
    const struct blob_want *want;
    enum download_state state;
    enum verdict verdict;
    struct exchange exchange;
    struct sha256 sha;
    uint64_t have, had; /* bytes so far; had: when this try began */
    bool begun, no_range;
    int attempts;
    size_t endpoint;
    int64_t resume_ns;
};
struct fetch {
    struct registry *registry;
    const struct blob_sink *sink;
    struct download *downloads;
    size_t count, running, finished;
    bool failed;
    struct err err;
};

static void tell(struct download *download, const char *status)
{
    const struct blob_sink *sink = download->fetch->sink;
    if (sink->status)
        sink->status(sink->arg, download->index, status);
}

static int restart(struct download *download, struct err *err)
{
    const struct blob_sink *sink = download->fetch->sink;
    download->have = download->had = 0;
    download->begun = true;
    sha256_init(&download->sha);
    if (sink->start(sink->arg, download->index, err) == 0)
        return 0;
    download->verdict = VERDICT_SINK;
    return -1;
}

/* Where a 206 begins; -1 when it does not say. */
static int64_t range_start(const struct exchange *exchange)
{
    const char *text = exchange->content_range ? str_after(exchange->content_range, "bytes ") : NULL;
    AUTO_FREE char *number = text ? xstrndup(text, strcspn(text, "-")) : NULL;
    int64_t start;
    return number && str_to_i64(number, &start) == 0 ? start : -1;
}

static int on_blob_head(struct exchange *exchange, struct err *err)
{
    struct download *download = exchange->arg;
    if (exchange->status == 206) {
        if (range_start(exchange) != (int64_t)download->have || !download->begun) {
            download->no_range = true;
            download->verdict = VERDICT_RANGE;
            return err_set(err, ERR_INTERNAL, "the registry answered another part of %s than was asked for",
                           download->want->digest);
        }
    } else if (restart(download, err) < 0) {
        return -1;
    }
    uint64_t total = download->have + (uint64_t)MAX(exchange->content_length, 0);
    if (exchange->content_length < 0 || total == (uint64_t)download->want->size)
        return 0;
    download->verdict = VERDICT_SIZE;
    return err_set(err, ERR_INTERNAL, "size mismatch: blob %s has %llu bytes, the manifest says %lld",
                   download->want->digest, (unsigned long long)total, (long long)download->want->size);
}

static int on_blob_data(struct exchange *exchange, const void *bytes, size_t length, struct err *err)
{
    struct download *download = exchange->arg;
    const struct blob_sink *sink = download->fetch->sink;
    if (length > (uint64_t)download->want->size - download->have) {
        download->verdict = VERDICT_SIZE;
        return err_set(err, ERR_INTERNAL, "size mismatch: blob %s is larger than the %lld bytes the manifest says",
                       download->want->digest, (long long)download->want->size);
    }
    if (sink->write(sink->arg, download->index, bytes, length, download->have, err) < 0) {
        download->verdict = VERDICT_SINK;
        return -1;
    }
    sha256_add(&download->sha, bytes, length);
    download->have += length;
    if (sink->bytes)
        sink->bytes(sink->arg, download->index, (int64_t)download->have, download->want->size);
    return 0;
}

static void on_blob_done(struct exchange *exchange);

static const struct endpoint *endpoint_of(const struct download *download)
{
    return &download->fetch->registry->endpoints.items[download->endpoint];
}

static void begin(struct download *download)
{
    struct registry *registry = download->fetch->registry;
    struct exchange *exchange = &download->exchange;
    AUTO_FREE char *rest = str_format("/blobs/%s", download->want->digest);
    exchange_done(exchange);
    exchange->method = "GET";
    exchange->endpoint = endpoint_of(download);
    exchange->scope = registry->scope;
    exchange->url = registry_url(registry, exchange->endpoint, rest);
    exchange->arg = download;
    exchange->on_head = on_blob_head;
    exchange->on_data = on_blob_data;
    exchange->on_done = on_blob_done;
    if (download->no_range)
        download->have = 0;
    if (download->have)
        strv_append_take(&exchange->headers, str_format("Range: bytes=%llu-", (unsigned long long)download->have));
    download->had = download->have;
    download->verdict = VERDICT_NONE;
    download->state = DOWNLOAD_RUNNING;
    download->fetch->running++;
    http_start(registry->http, exchange);
}

static void fail(struct fetch *fetch, const struct err *err)
{
    if (!fetch->failed)
        fetch->err = *err;
    fetch->failed = true;
}

/* Nothing more is to be had from this endpoint. */
static void give_up(struct download *download, const struct err *err)
{
    struct fetch *fetch = download->fetch;
    if (!endpoint_of(download)->mirror || download->endpoint + 1 >= fetch->registry->endpoints.count) {
        fail(fetch, err);
        return;
    }
    download->endpoint++;
    download->attempts = 0;
    download->no_range = false;
    download->have = 0;
    download->state = DOWNLOAD_WAITING;
}

static void pause_or_give_up(struct download *download, const struct err *err)
{
    char text[64];
    if (download->have >= download->had + PROGRESS_BYTES)
        download->attempts = 0;
    if (download->attempts + 1 >= HTTP_ATTEMPTS) {
        give_up(download, err);
        return;
    }
    int64_t pause = http_pause_ms(&download->exchange, download->attempts++);
    download->resume_ns = time_monotonic_ns() + pause * 1000000;
    download->state = DOWNLOAD_PAUSED;
    if (pause >= 1000) {
        (void)snprintf(text, sizeof text, "Retrying in %lld second%s", (long long)(pause / 1000),
                       pause / 1000 == 1 ? "" : "s");
        tell(download, text);
    }
}

static void verify(struct download *download)
{
    struct err err = { 0 };
    const struct blob_sink *sink = download->fetch->sink;
    char digest[SHA256_TEXT_SIZE];
    tell(download, "Verifying Checksum");
    sha256_text(&download->sha, digest);
    if (!str_eq(digest, download->want->digest)) {
        err_set(&err, ERR_INTERNAL, "filesystem layer verification failed for digest %s", download->want->digest);
        give_up(download, &err);
        return;
    }
    download->state = DOWNLOAD_DONE;
    download->fetch->finished++;
    tell(download, "Download complete");
    if (sink->done(sink->arg, download->index, &err) < 0)
        fail(download->fetch, &err);
}

static void on_blob_done(struct exchange *exchange)
{
    struct download *download = exchange->arg;
    struct err err = exchange->failure;
    download->fetch->running--;
    if (download->verdict == VERDICT_SINK) {
        fail(download->fetch, &err);
    } else if (exchange->trouble != TROUBLE_NONE) {
        bool again =
            http_worth_retry(exchange) || download->verdict == VERDICT_RANGE || exchange->trouble == TROUBLE_CONNECT;
        (again ? pause_or_give_up : give_up)(download, &err);
    } else if (exchange->status == 416 && download->have) {
        download->no_range = true;
        err_set(&err, ERR_INTERNAL, "the registry has no rest of %s", download->want->digest);
        pause_or_give_up(download, &err);
    } else if (exchange->status < 200 || exchange->status >= 300) {
        (void)refusal_err(exchange, NULL, &err);
        (http_worth_retry(exchange) ? pause_or_give_up : give_up)(download, &err);
    } else if (download->have < (uint64_t)download->want->size) {
        err_set(&err, ERR_INTERNAL, "unexpected EOF");
        pause_or_give_up(download, &err);
    } else {
        verify(download);
    }
}

/* Starts what may start; the time until something is due. */
static int start_due(struct fetch *fetch)
{
    int64_t now = time_monotonic_ns(), soonest = now + (int64_t)STEP_MS * 1000000;
    for (size_t i = 0; i < fetch->count && !fetch->failed; i++) {
        struct download *download = &fetch->downloads[i];
        bool due =
            download->state == DOWNLOAD_WAITING || (download->state == DOWNLOAD_PAUSED && download->resume_ns <= now);
        if (due && fetch->running < PARALLEL)
            begin(download);
        else if (download->state == DOWNLOAD_PAUSED && !due)
            soonest = MIN(soonest, download->resume_ns);
    }
    return (int)((soonest - now) / 1000000) + 1;
}

static int run(struct fetch *fetch)
{
    while (!fetch->failed && fetch->finished < fetch->count) {
        struct err err = { 0 };
        int timeout_ms = start_due(fetch);
        if (fetch->failed || fetch->finished == fetch->count)
            break;
        if (http_step(fetch->registry->http, timeout_ms, &err) < 0 ||
            (fetch->sink->check && fetch->sink->check(fetch->sink->arg, &err) < 0))
            fail(fetch, &err);
    }
    return fetch->failed ? -1 : 0;
}

int registry_fetch(struct registry *registry, const struct blob_want *wants, size_t count, const struct blob_sink *sink,
                   struct err *err)
{
    struct fetch fetch = { .registry = registry, .sink = sink, .count = count };
    if (registry_open(registry, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (!digest_is_sha256(wants[i].digest) || wants[i].size < 0)
            return err_set(err, ERR_UNSUPPORTED, "unsupported layer digest %.80s: only sha256 is", wants[i].digest);
    fetch.downloads = xcalloc(count + 1, sizeof *fetch.downloads);
    for (size_t i = 0; i < count; i++) {
        fetch.downloads[i] = (struct download){
            .fetch = &fetch, .index = i, .want = &wants[i], .exchange = EXCHANGE_INIT, .endpoint = registry->current
        };
        if (i >= PARALLEL)
            tell(&fetch.downloads[i], "Waiting");
    }
    int r = run(&fetch);
    for (size_t i = 0; i < count; i++) {
        exchange_done(&fetch.downloads[i].exchange);
        sha256_done(&fetch.downloads[i].sha);
    }
    free(fetch.downloads);
    if (r < 0)
        *err = fetch.err;
    return r;
}
