/* HTTP requests of the registry protocol. All exchanges of one http share a curl multi handle and so its connections;
 * everything runs on the thread that calls http_step or http_do. Redirects and 401s are followed here, by our own
 * rules (url.h, struct http_auth): credentials go to the endpoint's origin and nowhere else. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "registry/certs.h"
#include "registry/endpoint.h"
#include "registry/url.h"

#include <stdbool.h>
#include <stdint.h>

enum http_trouble {
    TROUBLE_NONE = 0,
    TROUBLE_CONNECT,     /* nobody there, or nobody we can talk to: no name, no route, no TLS */
    TROUBLE_CERTIFICATE, /* it is not who it should be */
    TROUBLE_BROKEN,      /* the answer ended early or stalled */
    TROUBLE_REFUSED,     /* we do not want to: redirects, credentials */
    TROUBLE_CALLER,      /* on_head or on_data said so */
};
struct http;
struct exchange {
    /* ---- the question ---- */
    const char *method; /* static text: GET HEAD POST PUT PATCH */
    char *url;          /* owned, as are the headers "Name: value" */
    char **headers;
    const struct endpoint *endpoint; /* borrowed: whose TLS rules and credentials hold */
    const char *scope;               /* borrowed: what a token must allow; NULL = no credentials at all */
    const void *body;                /* borrowed; sent by POST, PUT and PATCH */
    size_t body_length;
    int body_fd; /* borrowed; instead of body: body_size bytes from body_offset on */
    uint64_t body_offset, body_size;
    size_t keep_max;  /* how much of an answer's body is kept in `kept`; 0 = 64 KiB */
    bool once;        /* a 401 is the answer, not a question */
    int idle_seconds; /* silence that counts as a stall; 0 = the usual */
    void *arg;
    /* All may be NULL. on_head: a 2xx has begun. on_data: bytes of a 2xx, else they are kept. -1 with err ends the
     * exchange. */
    int (*on_head)(struct exchange *exchange, struct err *err);
    int (*on_data)(struct exchange *exchange, const void *bytes, size_t length, struct err *err);
    void (*on_sent)(struct exchange *exchange, uint64_t bytes);
    void (*on_done)(struct exchange *exchange); /* may start other exchanges */
    /* ---- the answer ---- */
    bool finished;
    enum http_trouble trouble;
    struct err failure; /* of a trouble; the text names method and URL, but not when a 401 could not be met */
    int status;
    char reason[64]; /* "404 Not Found" as the server wrote it */
    char *content_type, *location, *link, *digest, *range, *content_range, *authenticate, *chunk_min;
    int64_t content_length, retry_after_s; /* -1 = not said */
    struct buf kept;
    struct url at; /* where the answer came from */
    /* ---- of http.c ---- */
    struct http *http;
    void *easy, *header_list;
    int hops, challenges;
    bool head_told, authorized; /* authorized: credentials went with the question */
    uint64_t sent;
    char curl_error[256];
};
#define EXCHANGE_INIT                                                                                                  \
    {                                                                                                                  \
        .body_fd = -1, .content_length = -1, .retry_after_s = -1                                                       \
    }
void exchange_done(struct exchange *exchange); /* also takes a running one back */
#define AUTO_EXCHANGE __attribute__((cleanup(exchange_done)))

/* Where credentials come from. header: an Authorization value to send or NULL (caller frees). challenged: after a 401;
 * 1 = ask again with the new header, 0 = the 401 stands, -1 with err. */
struct http_auth {
    void *arg;
    char *(*header)(void *arg, const struct endpoint *endpoint, const char *scope);
    int (*challenged)(void *arg, const struct endpoint *endpoint, const char *scope, const struct exchange *answer,
                      struct err *err);
};

/* certs: one per host, borrowed. */
struct http *http_new(const struct certs *certs, size_t cert_count, struct err *err);
void http_free(struct http *http); /* no exchange may run any more */
CLEANUP_FN(struct http, http_free)
void http_set_auth(struct http *http, const struct http_auth *auth); /* copied */

/* Asks and returns; the answer comes by on_done from http_step. What was answered before is forgotten. */
void http_start(struct http *http, struct exchange *exchange);
/* Moves all exchanges on, waiting at most timeout_ms for something to happen. */
int http_step(struct http *http, int timeout_ms, struct err *err);
/* From any thread: ends the wait of http_step. */
void http_wake(struct http *http);
/* Asks and waits. 0 when there is an answer, of whatever status; -1 with exchange->failure copied to err. */
int http_do(struct http *http, struct exchange *exchange, struct err *err);
/* The same for GET and HEAD, again and again with growing pauses after 429, 5xx and broken answers. */
int http_do_patiently(struct http *http, struct exchange *exchange, struct err *err);
/* The same as http_do without the multi handle: nothing else moves meanwhile. For tokens. */
int http_do_alone(struct http *http, struct exchange *exchange, struct err *err);

#define HTTP_ATTEMPTS 5
/* Is another try likely to help? And how long to wait before attempt 1, 2, ...; never more than a minute. */
bool http_worth_retry(const struct exchange *exchange);
int64_t http_pause_ms(const struct exchange *exchange, int attempt);
