/* Theory of operation. An exchange is asked through an easy handle in the multi handle. When curl says it is over,
 * settle() looks at what came: a redirect or a 401 that can be met starts the same exchange again, anything else is the
 * answer. Bodies of answers other than 2xx never reach on_data; a few KiB of them are kept for the error's sake. */
#include "registry/http.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"
#include "registry/trouble.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define KEEP_USUALLY ((size_t)64 << 10)
#define READ_BUFFER (512L << 10)
#define SEND_BUFFER (1L << 20)
#define IDLE_SECONDS 30L
#define CONNECT_SECONDS 30L
#define CHALLENGES_MET_MAX 2

struct http {
    CURLM *multi;
    struct http_auth auth;
    const struct certs *certs;
    size_t cert_count;
    char *agent;
};

struct http *http_new(const struct certs *certs, size_t cert_count, struct err *err)
{
    CLEANUP(http_free) struct http *http = xcalloc(1, sizeof *http);
    *http =
        (struct http){ .certs = certs, .cert_count = cert_count, .agent = str_format("holk/%s (linux)", HOLK_VERSION) };
    if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK || !(http->multi = curl_multi_init())) {
        err_set(err, ERR_INTERNAL, "start the HTTP client");
        return NULL;
    }
    curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return take_ptr(&http);
}

void http_free(struct http *http)
{
    curl_multi_cleanup(http->multi);
    free(http->agent);
    free(http);
}

void http_set_auth(struct http *http, const struct http_auth *auth)
{
    http->auth = *auth;
}

void http_wake(struct http *http)
{
    curl_multi_wakeup(http->multi);
}

/* ---- the answer as it comes ---- */

static void clear_answer(struct exchange *exchange)
{
    char **const texts[] = { &exchange->content_type, &exchange->location, &exchange->link,
                             &exchange->digest,       &exchange->range,    &exchange->content_range,
                             &exchange->authenticate, &exchange->chunk_min };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(take_ptr(texts[i]));
    exchange->status = 0;
    exchange->reason[0] = '\0';
    exchange->content_length = exchange->retry_after_s = -1;
    exchange->head_told = false;
    buf_done(&exchange->kept);
    exchange->kept = (struct buf)BUF_INIT(exchange->keep_max ? exchange->keep_max : KEEP_USUALLY);
}

static void take_status_line(struct exchange *exchange, char *line)
{
    uint64_t status = 0;
    clear_answer(exchange);
    char *code = strchr(line, ' ');
    if (!code)
        return;
    code = str_trim(code);
    str_copy(exchange->reason, sizeof exchange->reason, code);
    code[strcspn(code, " ")] = '\0';
    if (str_to_u64(code, &status) == 0 && status < 1000)
        exchange->status = (int)status;
}

static void take_number(const char *value, int64_t *slot)
{
    int64_t number;
    if (str_to_i64(value, &number) == 0 && number >= 0)
        *slot = number;
}

static void take_header(struct exchange *exchange, const char *name, const char *value)
{
    const struct {
        const char *name;
        char **slot;
    } rows[] = {
        { "content-type", &exchange->content_type },
        { "location", &exchange->location },
        { "link", &exchange->link },
        { "docker-content-digest", &exchange->digest },
        { "range", &exchange->range },
        { "content-range", &exchange->content_range },
        { "oci-chunk-min-length", &exchange->chunk_min },
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strcasecmp(rows[i].name, name) == 0 && !*rows[i].slot) {
            *rows[i].slot = xstrdup(value);
            return;
        }
    }
    if (strcasecmp(name, "content-length") == 0)
        take_number(value, &exchange->content_length);
    else if (strcasecmp(name, "retry-after") == 0)
        take_number(value, &exchange->retry_after_s);
    else if (strcasecmp(name, "www-authenticate") == 0) {
        char *before = exchange->authenticate;
        exchange->authenticate = before ? str_format("%s, %s", before, value) : xstrdup(value);
        free(before);
    }
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct exchange *exchange = arg;
    AUTO_FREE char *line = xstrndup(bytes, size * count);
    char *text = str_trim(line);
    if (str_starts(text, "HTTP/")) {
        take_status_line(exchange, text);
    } else if (*text) {
        char *colon = strchr(text, ':');
        if (colon) {
            *colon = '\0';
            take_header(exchange, text, str_trim(colon + 1));
        }
    }
    return size * count;
}

static bool is_success(const struct exchange *exchange)
{
    return exchange->status >= 200 && exchange->status < 300;
}

static int tell_head(struct exchange *exchange)
{
    if (exchange->head_told || !is_success(exchange))
        return 0;
    exchange->head_told = true;
    return exchange->on_head ? exchange->on_head(exchange, &exchange->failure) : 0;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct exchange *exchange = arg;
    size_t length = size * count;
    if (tell_head(exchange) < 0) {
        exchange->trouble = TROUBLE_CALLER;
        return 0;
    }
    if (is_success(exchange) && exchange->on_data) {
        if (exchange->on_data(exchange, bytes, length, &exchange->failure) < 0) {
            exchange->trouble = TROUBLE_CALLER;
            return 0;
        }
        return length;
    }
    size_t room = exchange->kept.max > exchange->kept.length ? exchange->kept.max - exchange->kept.length : 0;
    if (length > room && is_success(exchange)) {
        exchange->trouble = TROUBLE_REFUSED;
        err_set(&exchange->failure, ERR_INVALID, "the answer of the registry is larger than %zu bytes (%s)",
                exchange->kept.max, exchange->at.text);
        return 0;
    }
    buf_append(&exchange->kept, bytes, MIN(length, room));
    return length;
}

/* ---- the question as it goes ---- */

static uint64_t send_size(const struct exchange *exchange)
{
    return exchange->body_fd >= 0 ? exchange->body_size : exchange->body_length;
}

static size_t on_send(char *bytes, size_t size, size_t count, void *arg)
{
    struct exchange *exchange = arg;
    uint64_t left = send_size(exchange) - exchange->sent;
    size_t want = (size_t)MIN((uint64_t)(size * count), left);
    if (exchange->body_fd >= 0 && want) {
        ssize_t got = pread(exchange->body_fd, bytes, want, (off_t)(exchange->body_offset + exchange->sent));
        if (got <= 0)
            return CURL_READFUNC_ABORT;
        want = (size_t)got;
    } else if (want) {
        memcpy(bytes, (const char *)exchange->body + exchange->sent, want);
    }
    exchange->sent += want;
    if (exchange->on_sent)
        exchange->on_sent(exchange, exchange->sent);
    return want;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct exchange *exchange = arg;
    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > send_size(exchange))
        return CURL_SEEKFUNC_CANTSEEK;
    exchange->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* Still at the endpoint, or led away by a redirect or an upload's location? */
static bool is_at_home(const struct exchange *exchange)
{
    AUTO_URL struct url home = URL_INIT;
    struct err ignored = { 0 };
    return exchange->endpoint && url_parse(exchange->endpoint->base, &home, &ignored) == 0 &&
           url_same_origin(&home, &exchange->at);
}

/* Leniency about certificates is for the host that was named insecure, on any port of it. */
static bool is_same_host(const struct exchange *exchange)
{
    AUTO_URL struct url home = URL_INIT;
    struct err ignored = { 0 };
    return exchange->endpoint && url_parse(exchange->endpoint->base, &home, &ignored) == 0 &&
           url_same_host(&home, &exchange->at);
}

static const char *env_of(const char *upper, const char *lower)
{
    const char *value = getenv(upper);
    return str_empty(value) ? getenv(lower) : value;
}

static void set_proxy(CURL *easy, const struct url *url)
{
    bool https = url_is_https(url);
    const char *proxy = https ? env_of("HTTPS_PROXY", "https_proxy") : env_of("HTTP_PROXY", "http_proxy");
    const char *direct = env_of("NO_PROXY", "no_proxy");
    bool local = str_eq(url->host, "localhost") || str_starts(url->host, "127.") || str_eq(url->host, "[::1]");
    curl_easy_setopt(easy, CURLOPT_PROXY, local || !proxy ? "" : proxy);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, direct ? direct : "");
}

static void set_blob(CURL *easy, CURLoption option, char *text)
{
    struct curl_blob blob = { .data = text, .len = strlen(text), .flags = CURL_BLOB_NOCOPY };
    curl_easy_setopt(easy, option, &blob);
}

static void set_tls(const struct http *http, CURL *easy, const struct exchange *exchange)
{
    bool same_host = is_same_host(exchange);
    bool verify = !exchange->endpoint || exchange->endpoint->verify || !same_host;
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    for (size_t i = 0; i < http->cert_count && exchange->endpoint; i++) {
        const struct certs *certs = &http->certs[i];
        if (!str_eq(certs->host, exchange->endpoint->host))
            continue;
        if (!str_empty(certs->authorities))
            set_blob(easy, CURLOPT_CAINFO_BLOB, certs->authorities); /* CURLOPT_CAPATH, the system's, holds besides */
        if (same_host && certs->certificate && certs->key) {
            set_blob(easy, CURLOPT_SSLCERT_BLOB, certs->certificate);
            set_blob(easy, CURLOPT_SSLKEY_BLOB, certs->key);
        }
    }
}

static void set_method(CURL *easy, struct exchange *exchange)
{
    uint64_t size = send_size(exchange);
    if (str_eq(exchange->method, "HEAD")) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (!str_eq(exchange->method, "GET")) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, exchange->method);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)size);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
        curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, exchange);
        if (size > (uint64_t)READ_BUFFER)
            curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, SEND_BUFFER);
    }
}

static struct curl_slist *header_list(const struct http *http, struct exchange *exchange, bool at_home)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (size_t i = 0; exchange->headers && exchange->headers[i]; i++)
        list = curl_slist_append(list, exchange->headers[i]);
    AUTO_FREE char *credentials = exchange->scope && at_home && http->auth.header
                                      ? http->auth.header(http->auth.arg, exchange->endpoint, exchange->scope)
                                      : NULL;
    exchange->authorized = credentials != NULL;
    if (credentials) {
        AUTO_FREE char *line = str_format("Authorization: %s", credentials);
        list = curl_slist_append(list, line);
        explicit_bzero(line, strlen(line));
        explicit_bzero(credentials, strlen(credentials));
    }
    return list;
}

static void drop_easy(struct exchange *exchange)
{
    if (exchange->easy && exchange->http)
        curl_multi_remove_handle(exchange->http->multi, exchange->easy);
    curl_easy_cleanup(exchange->easy);
    curl_slist_free_all(exchange->header_list);
    exchange->easy = exchange->header_list = NULL;
}

static void prepare(struct http *http, struct exchange *exchange)
{
    drop_easy(exchange);
    clear_answer(exchange);
    CURL *easy = curl_easy_init();
    bool at_home = is_at_home(exchange);
    bool big = exchange->on_data || send_size(exchange) > (uint64_t)READ_BUFFER;
    if (!easy)
        abort(); /* out of memory */
    exchange->http = http;
    exchange->easy = easy;
    exchange->sent = 0;
    exchange->curl_error[0] = '\0';
    exchange->header_list = header_list(http, exchange, at_home);
    curl_easy_setopt(easy, CURLOPT_URL, exchange->at.text);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
                     (long)CURL_HTTP_VERSION_1_1); /* several connections move more than one */
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, http->agent);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->header_list);
    curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, big ? READ_BUFFER : 64L << 10);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                     exchange->idle_seconds ? (long)exchange->idle_seconds : IDLE_SECONDS);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->curl_error);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
    set_method(easy, exchange);
    set_proxy(easy, &exchange->at);
    set_tls(http, easy, exchange);
}

/* ---- from question to answer ---- */

static void finish(struct exchange *exchange)
{
    drop_easy(exchange);
    exchange->finished = true;
    if (exchange->on_done)
        exchange->on_done(exchange);
}

static bool is_redirect(const struct exchange *exchange)
{
    int status = exchange->status;
    bool asks = str_eq(exchange->method, "GET") || str_eq(exchange->method, "HEAD");
    return exchange->location &&
           (status == 307 || status == 308 || (asks && (status == 301 || status == 302 || status == 303)));
}

static int follow(struct exchange *exchange)
{
    AUTO_URL struct url to = URL_INIT;
    if (url_resolve(&exchange->at, exchange->location, &to, &exchange->failure) < 0 ||
        url_check_redirect(&exchange->at, &to, exchange->hops, &exchange->failure) < 0) {
        exchange->trouble = TROUBLE_REFUSED;
        exchange->failure.kind = ERR_INTERNAL;
        return err_wrap(&exchange->failure, "%s \"%s\"", trouble_method(exchange->method), exchange->url);
    }
    exchange->hops++;
    url_done(&exchange->at);
    exchange->at = to;
    to = (struct url)URL_INIT;
    return 1;
}

/* 1: ask again, 0: this is the answer, -1: trouble */
static int judge(struct exchange *exchange)
{
    struct http *http = exchange->http;
    if (is_redirect(exchange))
        return follow(exchange);
    if (exchange->status != 401 || exchange->once || !exchange->scope || !http->auth.challenged ||
        exchange->challenges >= CHALLENGES_MET_MAX || !is_at_home(exchange))
        return 0;
    exchange->challenges++;
    int again =
        http->auth.challenged(http->auth.arg, exchange->endpoint, exchange->scope, exchange, &exchange->failure);
    if (again < 0)
        exchange->trouble = TROUBLE_REFUSED;
    return again;
}

/* 1: ask again; 0: over */
static int settle(struct exchange *exchange, CURLcode code)
{
    if (code == CURLE_OK && tell_head(exchange) < 0)
        exchange->trouble = TROUBLE_CALLER;
    if (exchange->trouble != TROUBLE_NONE)
        return 0;
    if (code != CURLE_OK) {
        trouble_from_curl(exchange, (int)code);
        return 0;
    }
    return judge(exchange) > 0;
}

static int begin(struct http *http, struct exchange *exchange)
{
    exchange->http = http;
    exchange->finished = false;
    exchange->trouble = TROUBLE_NONE;
    exchange->hops = exchange->challenges = 0;
    err_clear(&exchange->failure);
    clear_answer(exchange);
    url_done(&exchange->at);
    if (url_parse(exchange->url, &exchange->at, &exchange->failure) == 0)
        return 0;
    exchange->trouble = TROUBLE_REFUSED;
    return -1;
}

void http_start(struct http *http, struct exchange *exchange)
{
    if (begin(http, exchange) < 0) {
        finish(exchange);
        return;
    }
    prepare(http, exchange);
    curl_multi_add_handle(http->multi, exchange->easy);
}

static void on_message(struct http *http, const CURLMsg *message)
{
    char *private = NULL;
    CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
    struct exchange *exchange = (struct exchange *)(void *)private;
    if (settle(exchange, code)) {
        prepare(http, exchange);
        curl_multi_add_handle(http->multi, exchange->easy);
    } else {
        finish(exchange);
    }
}

int http_step(struct http *http, int timeout_ms, struct err *err)
{
    int running, queued;
    CURLMcode code = curl_multi_perform(http->multi, &running);
    bool moved = false;
    for (const CURLMsg *message; code == CURLM_OK && (message = curl_multi_info_read(http->multi, &queued));) {
        if (message->msg != CURLMSG_DONE)
            continue;
        on_message(http, message);
        moved = true;
    }
    if (code == CURLM_OK && !moved)
        code = curl_multi_poll(http->multi, NULL, 0, timeout_ms, NULL);
    return code == CURLM_OK ? 0 : err_set(err, ERR_INTERNAL, "HTTP client: %s", curl_multi_strerror(code));
}

static int outcome(const struct exchange *exchange, struct err *err)
{
    if (exchange->trouble == TROUBLE_NONE)
        return 0;
    *err = exchange->failure;
    return -1;
}

int http_do(struct http *http, struct exchange *exchange, struct err *err)
{
    http_start(http, exchange);
    while (!exchange->finished)
        if (http_step(http, 1000, err) < 0)
            return -1;
    return outcome(exchange, err);
}

int http_do_alone(struct http *http, struct exchange *exchange, struct err *err)
{
    int again = begin(http, exchange) == 0;
    while (again) {
        prepare(http, exchange);
        again = settle(exchange, curl_easy_perform(exchange->easy));
    }
    finish(exchange);
    return outcome(exchange, err);
}

bool http_worth_retry(const struct exchange *exchange)
{
    if (exchange->trouble != TROUBLE_NONE)
        return exchange->trouble == TROUBLE_BROKEN;
    if (exchange->status == 429)
        return exchange->retry_after_s >= 0; /* without it, the quota of an hour is used up */
    return exchange->status == 500 || (exchange->status >= 502 && exchange->status <= 504);
}

int64_t http_pause_ms(const struct exchange *exchange, int attempt)
{
    if (exchange->retry_after_s >= 0)
        return MIN(exchange->retry_after_s, 60) * 1000;
    int64_t pause = (int64_t)250 << MIN(attempt, 7);
    return pause + time_monotonic_ns() % (pause / 4 + 1); /* not all at the same moment */
}

static void pause_ms(int64_t ms)
{
    struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}

int http_do_patiently(struct http *http, struct exchange *exchange, struct err *err)
{
    for (int attempt = 0;; attempt++) {
        int r = http_do(http, exchange, err);
        if (attempt + 1 >= HTTP_ATTEMPTS || !http_worth_retry(exchange))
            return r;
        pause_ms(http_pause_ms(exchange, attempt));
    }
}

void exchange_done(struct exchange *exchange)
{
    drop_easy(exchange);
    clear_answer(exchange);
    buf_done(&exchange->kept);
    url_done(&exchange->at);
    free(exchange->url);
    strv_free(exchange->headers);
    *exchange = (struct exchange)EXCHANGE_INIT;
}
