/* cp between a container and the host. */
#include "cli/base64.h"
#include "cli/container.h"
#include "cli/copy_files.h"
#include "cli/units.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define GO_MODE_DIR (1LL << 31)
#define GO_MODE_LINK (1LL << 27)
#define GO_MODE_DEVICE (1LL << 26)
#define GO_MODE_IRREGULAR (1LL << 19)
#define PROGRESS_EVERY_NS 100000000LL

struct cp_options {
    bool archive, follow_link, quiet;
};

struct cp {
    struct cli *cli;
    const struct cp_options *options;
    const char *container, *source, *destination; /* paths as typed */
    bool show;                                    /* progress, on a terminal */
    int64_t shown_at_ns;
    struct http *http;         /* from the container */
    uint64_t received;
    struct copy_source *files; /* to it */
};

/* ---- progress ---- */

static void show_progress(struct cp *cp, const char *what, uint64_t bytes)
{
    int64_t now = time_monotonic_ns();
    if (!cp->show || now - cp->shown_at_ns < PROGRESS_EVERY_NS)
        return;
    AUTO_FREE char *size = units_size((double)bytes, 3);
    fprintf(stderr, "\r\033[KCopying %s container - %s", what, size);
    cp->shown_at_ns = now;
}

static void show_result(const struct cp *cp, uint64_t bytes, const char *to)
{
    AUTO_FREE char *size = units_size((double)bytes, 3);
    if (cp->show)
        fprintf(stderr, "\r\033[KSuccessfully copied %s to %s\n", size, to);
}

/* ---- looking into the container ---- */

static int stat_of_header(const struct api_stream *stream, struct path_stat *ret, struct err *err)
{
    const char *header = http_response_header(&stream->response, "X-Docker-Container-Path-Stat");
    size_t length = 0;
    AUTO_FREE char *text = header ? base64_decode(header, &length) : NULL;
    if (!text)
        return err_set(err, ERR_INTERNAL, "unable to decode container path stat header");
    return codec_decode(&path_stat_type, text, length, ret, err);
}

static int stat_in_container(struct cp *cp, const char *path, struct path_stat *ret, struct err *err)
{
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    AUTO_TARGET(target);
    api_path(&target, "/containers/%s/archive", cp->container);
    http_query_add(&target, "path", path);
    struct http_request request = { .method = "HEAD", .target = target.data };
    return api_stream_open(cp->cli, &request, &stream, err) < 0 ? -1 : stat_of_header(&stream, ret, err);
}

/* ---- from the container ---- */

/* With -L a source that is a link is replaced by what it leads to, under the name that was asked for. */
static void follow_source(struct cp *cp, struct copy_end *source)
{
    struct path_stat stat;
    struct err ignored = { 0 };
    if (stat_in_container(cp, source->path, &stat, &ignored) < 0)
        return;
    if (stat.mode & GO_MODE_LINK) {
        AUTO_FREE char *target = copy_link_target(source->path, stat.link_target);
        char *followed = copy_followed(source->path, target, &source->rebase_name);
        free(source->path);
        source->path = followed;
    }
    codec_clear(&path_stat_type, &stat);
}

static ssize_t read_archive(void *arg, void *bytes, size_t size, struct err *err)
{
    struct cp *cp = arg;
    show_progress(cp, "from", cp->received);
    ssize_t got = http_read(cp->http, bytes, size, err);
    cp->received += got > 0 ? (uint64_t)got : 0;
    return got;
}

static int unpack(struct cp *cp, const struct copy_end *source, const char *local, struct err *err)
{
    AUTO_COPY_END struct copy_end destination = { 0 };
    AUTO_COPY_PLAN struct copy_plan plan = { 0 };
    AUTO_TAR_READER struct tar_reader reader = { .read = read_archive, .arg = cp };
    if (copy_look_destination(local, &destination, err) < 0 || copy_plan_make(source, &destination, &plan, err) < 0 ||
        copy_unpack(&reader, &plan, err) < 0)
        return -1;
    show_result(cp, reader.count, local);
    return 0;
}

static int copy_from(struct cp *cp, struct err *err)
{
    AUTO_COPY_END struct copy_end source = { .path = xstrdup(cp->source) };
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    AUTO_TARGET(target);
    struct path_stat stat;
    bool to_stdout = str_eq(cp->destination, "-");
    AUTO_FREE char *local = to_stdout ? NULL : copy_local_path(cp->destination);
    if (local && copy_check_output(local, err) < 0)
        return -1;
    if (cp->options->follow_link)
        follow_source(cp, &source);
    api_path(&target, "/containers/%s/archive", cp->container);
    http_query_add(&target, "path", source.path);
    struct http_request request = { .method = "GET", .target = target.data };
    if (api_stream_open(cp->cli, &request, &stream, err) < 0)
        return -1;
    if (to_stdout)
        return stream_to_fd(stream.http, STDOUT_FILENO, NULL, err);
    if (stat_of_header(&stream, &stat, err) < 0)
        return -1;
    source.exists = true;
    source.is_dir = stat.mode & GO_MODE_DIR;
    codec_clear(&path_stat_type, &stat);
    cp->http = stream.http;
    return unpack(cp, &source, local, err);
}

/* ---- to the container ---- */

static int check_mode(const struct cp *cp, int64_t mode, struct err *err)
{
    const char *got = mode & GO_MODE_DEVICE ? "a device" : mode & GO_MODE_IRREGULAR ? "an irregular file" : NULL;
    if (!got)
        return 0;
    return err_set(err, ERR_INVALID, "destination \"%s:%s\" must be a directory or a regular file: got %s", cp->container,
                   cp->destination, got);
}

/* A destination that is a link means what it leads to. One that cannot be looked at is left to the daemon's answer. */
static int look_in_container(struct cp *cp, struct copy_end *destination, struct err *err)
{
    struct path_stat stat;
    struct err ignored = { 0 };
    if (stat_in_container(cp, destination->path, &stat, &ignored) < 0)
        return 0;
    if (stat.mode & GO_MODE_LINK) {
        char *target = copy_link_target(destination->path, stat.link_target);
        free(destination->path);
        destination->path = target;
        codec_clear(&path_stat_type, &stat);
        if (stat_in_container(cp, target, &stat, &ignored) < 0)
            return 0;
    }
    int ret = check_mode(cp, stat.mode, err);
    destination->exists = true;
    destination->is_dir = stat.mode & GO_MODE_DIR;
    codec_clear(&path_stat_type, &stat);
    return ret;
}

static ssize_t read_files(void *arg, void *bytes, size_t size, struct err *err)
{
    struct cp *cp = arg;
    show_progress(cp, "to", copy_source_count(cp->files));
    return copy_source_read(cp->files, bytes, size, err);
}

static int put_archive(struct cp *cp, const char *dir, bool from_stdin, struct err *err)
{
    static char tar_header[] = "Content-Type: application/x-tar";
    char *headers[] = { tar_header, NULL };
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    AUTO_TARGET(target);
    api_path(&target, "/containers/%s/archive", cp->container);
    http_query_add(&target, "path", dir);
    http_query_add(&target, "noOverwriteDirNonDir", "true");
    if (cp->options->archive)
        http_query_add(&target, "copyUIDGID", "true");
    struct http_request request = {
        .method = "PUT", .target = target.data, .headers = headers, .has_body_fd = from_stdin, .body_fd = STDIN_FILENO,
        .body_fd_size = -1, .body_read = from_stdin ? NULL : read_files, .body_arg = cp,
    };
    return api_stream_open(cp->cli, &request, &stream, err);
}

static int copy_files_to(struct cp *cp, const struct copy_end *destination, struct err *err)
{
    AUTO_COPY_END struct copy_end source = { 0 };
    AUTO_COPY_PLAN struct copy_plan plan = { 0 };
    CLEANUP(copy_source_close) struct copy_source *files = NULL;
    AUTO_FREE char *local = copy_local_path(cp->source);
    if (copy_look_source(local, cp->options->follow_link, &source, err) < 0 ||
        copy_plan_make(&source, destination, &plan, err) < 0 ||
        copy_source_open(source.path, plan.to ? plan.to : plan.from, &files, err) < 0)
        return -1;
    cp->files = files;
    if (put_archive(cp, plan.dir, false, err) < 0)
        return -1;
    AUTO_FREE char *to = str_format("%s:%s", cp->container, destination->path);
    show_result(cp, copy_source_count(files), to);
    return 0;
}

static int copy_to(struct cp *cp, struct err *err)
{
    AUTO_COPY_END struct copy_end destination = { .path = xstrdup(cp->destination) };
    if (look_in_container(cp, &destination, err) < 0)
        return -1;
    if (!str_eq(cp->source, "-"))
        return copy_files_to(cp, &destination, err);
    if (!destination.is_dir)
        return err_set(err, ERR_INVALID, "destination \"%s:%s\" must be a directory", cp->container, cp->destination);
    return put_archive(cp, destination.path, true, err);
}

/* ---- the command ---- */

static const struct flag cp_flags[] = {
    FLAG_BOOL_(struct cp_options, archive, "archive", 'a', "Archive mode (copy all uid/gid information)"),
    FLAG_BOOL_(struct cp_options, follow_link, "follow-link", 'L', "Always follow symbol link in SRC_PATH"),
    FLAG_BOOL_(struct cp_options, quiet, "quiet", 'q',
               "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached"),
    FLAG_END,
};

static int run_cp(struct cli *cli, void *options, char **args)
{
    AUTO_FREE char *from = NULL, *source = NULL, *to = NULL, *destination = NULL;
    struct err err = { 0 };
    int ret;
    if (!*args[0] || !*args[1]) {
        fprintf(stderr, "%s can not be empty\n", *args[0] ? "destination" : "source");
        return 1;
    }
    copy_argument(args[0], &from, &source);
    copy_argument(args[1], &to, &destination);
    struct cp cp = { .cli = cli, .options = options, .container = from ? from : to, .source = source, .destination = destination };
    cp.show = !cp.options->quiet && isatty(STDERR_FILENO);
    if (from && to)
        ret = err_set(&err, ERR_INVALID, "copying between containers is not supported");
    else if (!from && !to)
        ret = err_set(&err, ERR_INVALID, "must specify at least one container source");
    else
        ret = from ? copy_from(&cp, &err) : copy_to(&cp, &err);
    if (ret < 0 && cp.show && cp.shown_at_ns)
        fprintf(stderr, "\r\033[K");
    return ret < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_container_cp = {
    .path = "container cp",
    .top = "cp",
    .usage = "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
    .help = "Copy files/folders between a container and the local filesystem",
    .long_help = "Copy files/folders between a container and the local filesystem\n\n"
                 "Use '-' as the source to read a tar archive from stdin\n"
                 "and extract it to a directory destination in a container.\n"
                 "Use '-' as the destination to stream a tar archive of a\n"
                 "container source to stdout.",
    .flags = cp_flags,
    .options_size = sizeof(struct cp_options),
    .min_args = 2,
    .max_args = 2,
    .run = run_cp,
};
