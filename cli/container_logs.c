/* logs: the stream says by its media type whether it is framed, so nothing is asked before. */
#include "cli/container.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)

struct logs_options {
    bool details, follow, timestamps;
    char *since, *until, *tail;
};

static const struct flag logs_flags[] = {
    FLAG_BOOL_(struct logs_options, details, "details", 0, "Show extra details provided to logs"),
    FLAG_BOOL_(struct logs_options, follow, "follow", 'f', "Follow log output"),
    FLAG_STR_(struct logs_options, since, "since", 0,
              "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"),
    FLAG_STR_(struct logs_options, tail, "tail", 'n', "Number of lines to show from the end of the logs", .initial = "all"),
    FLAG_BOOL_(struct logs_options, timestamps, "timestamps", 't', "Show timestamps"),
    FLAG_STR_(struct logs_options, until, "until", 0,
              "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or relative (e.g. \"42m\" for 42 minutes)"),
    FLAG_END,
};

static int put_time(struct buf *target, const char *name, const char *text, struct err *err)
{
    int64_t unix_ns;
    if (str_empty(text))
        return 0;
    if (time_parse_docker(text, time_now_unix_ns(), &unix_ns) < 0)
        return err_set(err, ERR_INVALID, "invalid value for \"%s\": failed to parse value as time or duration: \"%s\"", name, text);
    AUTO_FREE char *stamp = str_format("%lld.%09lld", (long long)(unix_ns / NANOS_PER_SECOND), (long long)(unix_ns % NANOS_PER_SECOND));
    http_query_add(target, name, stamp);
    return 0;
}

static int put_target(const struct logs_options *options, const char *name, struct buf *target, struct err *err)
{
    api_path(target, "/containers/%s/logs", name);
    http_query_add(target, "stdout", "1");
    http_query_add(target, "stderr", "1");
    api_query_bool(target, "follow", options->follow);
    api_query_bool(target, "timestamps", options->timestamps);
    api_query_bool(target, "details", options->details);
    if (!str_empty(options->tail))
        http_query_add(target, "tail", options->tail);
    return put_time(target, "since", options->since, err) < 0 ? -1 : put_time(target, "until", options->until, err);
}

static int write_out(int fd, const char *bytes, size_t length, struct err *err)
{
    int ret = io_write_all(fd, bytes, length);
    return ret < 0 ? err_sys(err, ret, "write output") : 0;
}

static int put_frames(struct stream_frames *frames, const char *bytes, size_t length, struct err *err)
{
    int stream, ret;
    const char *piece;
    size_t piece_length;
    while ((ret = stream_frames_next(frames, &bytes, &length, &stream, &piece, &piece_length, err)) == 1) {
        if (stream == 3)
            return err_set(err, ERR_INTERNAL, "error from daemon in stream: %.*s", (int)MIN(piece_length, (size_t)900), piece);
        if (write_out(stream == 2 ? STDERR_FILENO : STDOUT_FILENO, piece, piece_length, err) < 0)
            return -1;
    }
    return ret;
}

static int copy_logs(struct http *http, bool multiplexed, struct err *err)
{
    AUTO_FREE char *piece = xmalloc(PIECE);
    struct stream_frames frames = { 0 };
    ssize_t got;
    while ((got = http_read(http, piece, PIECE, err)) > 0) {
        int ret = multiplexed ? put_frames(&frames, piece, (size_t)got, err) : write_out(STDOUT_FILENO, piece, (size_t)got, err);
        if (ret < 0)
            return -1;
    }
    return (int)got;
}

/* Daemons before API 1.42 do not name the media type: then the container tells. */
static int is_multiplexed(struct cli *cli, const struct api_stream *stream, const char *name, bool *ret, struct err *err)
{
    const char *media = http_response_header(&stream->response, "Content-Type");
    struct container_inspect container;
    *ret = media && strstr(media, "multiplexed-stream");
    if (media && strstr(media, "application/vnd.docker."))
        return 0;
    if (container_inspect_get(cli, name, &container, err) < 0)
        return -1;
    *ret = !container.config.tty;
    codec_clear(&container_inspect_type, &container);
    return 0;
}

static int run_logs(struct cli *cli, void *arg, char **args)
{
    const struct logs_options *options = arg;
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    AUTO_TARGET(target);
    struct err err = { 0 };
    bool multiplexed;
    if (put_target(options, args[0], &target, &err) < 0)
        return cli_fail(cli, &err);
    struct http_request request = { .method = "GET", .target = target.data };
    if (api_stream_open(cli, &request, &stream, &err) < 0 || is_multiplexed(cli, &stream, args[0], &multiplexed, &err) < 0 ||
        copy_logs(stream.http, multiplexed, &err) < 0)
        return cli_fail(cli, &err);
    return 0;
}

const struct command command_container_logs = {
    .path = "container logs",
    .top = "logs",
    .usage = "[OPTIONS] CONTAINER",
    .help = "Fetch the logs of a container",
    .flags = logs_flags,
    .options_size = sizeof(struct logs_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_logs,
};
