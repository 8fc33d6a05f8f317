/* The client's side of the Engine API: where the daemon is, one call and its answer, streams, hijacked connections.
 *
 * Paths are sent without a version (the daemon's newest), so a command costs exactly its own requests: no ping, no
 * negotiation. DOCKER_API_VERSION in the environment puts /vX.Y in front. Connections are opened at the first call
 * and kept for the next one; a call made while an earlier answer is still being read opens its own.
 *
 * Failures: the text is ready to be printed. What the daemon refused is "Error response from daemon: <message>" with
 * the kind of its status (404 ERR_NOT_FOUND, 409 ERR_CONFLICT, 304 ERR_NOT_MODIFIED ...); a daemon that does not
 * answer is ERR_UNAVAILABLE. A command ends with `return cli_fail(cli, &err);`. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/http/http.h"
#include "lib/json/codec.h"
#include <stdbool.h>
#include <stdint.h>

struct command;
struct json;

struct cli {
    const char *host;            /* -H, HOLK_HOST, DOCKER_HOST; NULL = the default sockets */
    char *config_dir;            /* --config, DOCKER_CONFIG, ~/.docker; never NULL */
    const char *api_version;     /* DOCKER_API_VERSION or NULL */
    const struct command *command;
    const char *name;            /* as typed, without "holk": "ps", "container ls" */
    size_t flags_given;          /* flags on the command line of the command */
    bool debug;
    struct http *http;           /* kept between calls */
    bool http_busy;              /* its answer is still being read, or belongs to a stream */
};

/* ---- ends of commands ---- */
/* Prints the error as docker does and returns the exit code: 1, or "holk: ..." and 125 for COMMAND_EXIT_125. */
int cli_fail(struct cli *cli, const struct err *err);
/* "holk: 'holk rm' requires ..." style refusals of arguments: the text, a blank line, usage, where to read more. */
int cli_usage_error(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Calls one() for every argument. Success prints the argument (unless quiet), a failure its error; 1 if any failed. */
int cli_each(struct cli *cli, char **args, bool quiet, int (*one)(struct cli *cli, const char *arg, void *ctx, struct err *err),
             void *ctx);
/* Fills err with "open /x: no such file or directory", as Go's programs say it; returns -1. */
int cli_path_error(struct err *err, const char *verb, const char *path, int sys_errno);
/* Prints the warning and "Are you sure you want to continue? [y/N] " on stdout; true for y or Y (a line of stdin). */
bool cli_confirm(const char *warning);
/* Columns of the terminal of that fd; 0 = not a terminal. */
int cli_columns(int fd);

/* ---- targets ---- */
#define API_TARGET_MAX ((size_t)1 << 20)
/* Appends the format, where only %s is known and its text is escaped as a path: api_path(&target, "/containers/%s/top", name).
 * Then http_query_add(&target, "ps_args", "aux"). */
void api_path(struct buf *target, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define AUTO_TARGET(name) AUTO_BUF struct buf name = BUF_INIT(API_TARGET_MAX)
void api_query_bool(struct buf *target, const char *key, bool value); /* "key=1" when true */
void api_query_i64(struct buf *target, const char *key, int64_t value);
/* "filters=..." made of "key=value" texts (flag_check_filter has seen them); nothing when there are none. */
void api_query_filters(struct buf *target, char *const *filters);

/* ---- one call, one JSON answer ---- */
/* body_type/body may be NULL (no body), type/ret may be NULL (the answer is read and dropped). ret is cleared on failure. */
int api_call(struct cli *cli, const char *method, const char *target, const struct codec_type *body_type, const void *body,
             const struct codec_type *type, void *ret, struct err *err);
#define api_get(cli, target, type, ret, err) api_call(cli, "GET", target, NULL, NULL, type, ret, err)
#define api_post(cli, target, err) api_call(cli, "POST", target, NULL, NULL, NULL, NULL, err)
#define api_delete(cli, target, err) api_call(cli, "DELETE", target, NULL, NULL, NULL, NULL, err)
/* An answer that is a list: ret_list points at a CODEC_LIST of the type; free with api_list_clear. */
int api_get_list(struct cli *cli, const char *target, const struct codec_type *type, void *ret_list, struct err *err);
void api_list_clear(const struct codec_type *type, void *list);
/* The answer's text as it came / parsed (json_free). */
int api_get_text(struct cli *cli, const char *method, const char *target, struct buf *out, struct err *err);
int api_get_json(struct cli *cli, const char *target, struct json **ret, struct err *err);

/* ---- streams ---- */
struct api_stream {
    struct http *http; /* borrowed when it is the kept one */
    struct http_response response;
    bool own;
    struct cli *cli;
};
#define API_STREAM_INIT { .response = HTTP_RESPONSE_INIT }
/* Sends the request (method, target, body and extra headers; the target gets its version here) and reads the head. A status
 * of 400 and more becomes an error. Then http_read(stream->http, ...) until 0. */
int api_stream_open(struct cli *cli, const struct http_request *request, struct api_stream *ret, struct err *err);
void api_stream_close(struct api_stream *stream);
#define AUTO_STREAM __attribute__((cleanup(api_stream_close)))
/* A call with the codec's body that answers with a stream (wait, for one). */
int api_stream_post(struct cli *cli, const char *target, struct api_stream *ret, struct err *err);

/* Writes the rest of the body to fd. count: bytes written, may be NULL. */
int stream_to_fd(struct http *http, int fd, uint64_t *ret_count, struct err *err);

/* ---- hijacked connections (attach, exec start) ---- */
struct api_hijack {
    int fd;
    struct buf early;  /* bytes that came with the head */
    bool multiplexed;  /* frames (stream_frames_next), else raw bytes */
};
#define API_HIJACK_INIT { .fd = -1, .early = BUF_INIT((size_t)64 << 20) }
/* POST with "Connection: Upgrade, Upgrade: tcp"; body as in api_call. tty tells what to expect of a daemon that does not
 * name the media type. */
int api_hijack_open(struct cli *cli, const char *target, const struct codec_type *body_type, const void *body, bool tty,
                    struct api_hijack *ret, struct err *err);
void api_hijack_close(struct api_hijack *hijack);
#define AUTO_HIJACK __attribute__((cleanup(api_hijack_close)))
/* A connection of its own; http_close. */
int api_connect(struct cli *cli, struct http **ret, struct err *err);
