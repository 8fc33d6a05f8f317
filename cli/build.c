/* holk build: the context goes up while the daemon waits, then its output comes down. */
#include "cli/base64.h"
#include "cli/build_options.h"
#include "cli/context.h"
#include "cli/docker_config.h"
#include "cli/progress.h"
#include "cli/reference.h"
#include "cli/tar.h"
#include "cli/units.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"
#include "lib/json/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCKERFILE_MAX ((size_t)16 << 20)
#define SHOW_EVERY ((uint64_t)512 << 10)
#define SHOW_PAUSE_NS (NANOS_PER_SECOND / 10)

/* Where the body comes from: a context walked here, stdin that holds a tar already, or a place that the daemon fetches.
 */
struct upload {
    struct context *context;
    struct buf head; /* of stdin, read to see what it is */
    size_t head_pos;
    const char *remote;
    bool quiet, terminal;
    uint64_t sent, shown;
    int64_t shown_ns;
};

static void show_sent(const struct upload *upload, const char *end)
{
    AUTO_FREE char *size = units_size((double)upload->sent, 4);
    fprintf(upload->quiet ? stderr : stdout, "Sending build context to holk daemon %8s\r%s", size, end);
    (void)fflush(stdout);
}

/* On a terminal now and then; elsewhere once, at the end. */
static void count_sent(struct upload *upload, ssize_t got)
{
    upload->sent += (uint64_t)got;
    if (upload->quiet)
        return;
    if (got == 0) {
        show_sent(upload, "\r\n");
        return;
    }
    if (!upload->terminal || upload->sent - upload->shown < SHOW_EVERY ||
        time_monotonic_ns() - upload->shown_ns < SHOW_PAUSE_NS)
        return;
    upload->shown = upload->sent;
    upload->shown_ns = time_monotonic_ns();
    show_sent(upload, "");
}

static ssize_t read_stdin(struct upload *upload, void *bytes, size_t size, struct err *err)
{
    size_t ready = MIN(upload->head.length - upload->head_pos, size);
    ssize_t got;
    if (ready) {
        memcpy(bytes, upload->head.data + upload->head_pos, ready);
        upload->head_pos += ready;
        return (ssize_t)ready;
    }
    do
        got = read(STDIN_FILENO, bytes, size);
    while (got < 0 && errno == EINTR);
    return got < 0 ? err_sys(err, errno, "read the context from stdin") : got;
}

static ssize_t upload_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct upload *upload = arg;
    ssize_t got =
        upload->context ? context_read(upload->context, bytes, size, err) : read_stdin(upload, bytes, size, err);
    if (got >= 0)
        count_sent(upload, got);
    return got;
}

/* ---- choosing ---- */

static int read_dockerfile(struct buf *out, struct err *err)
{
    char *text;
    size_t length;
    int got = io_read_fd(STDIN_FILENO, DOCKERFILE_MAX, &text, &length);
    if (got < 0)
        return err_sys(err, got, "read the Dockerfile from stdin");
    buf_append(out, text, length);
    free(text);
    return 0;
}

/* A tar (packed or not) is the context, anything else is a Dockerfile. */
static int open_stdin(struct upload *upload, struct err *err)
{
    char *room = buf_reserve(&upload->head, TAR_SNIFF);
    ssize_t got = io_read_full(STDIN_FILENO, room, TAR_SNIFF);
    if (got < 0)
        return err_sys(err, (int)got, "read the context from stdin");
    buf_grew(&upload->head, (size_t)got);
    if (tar_looks_like(upload->head.data, upload->head.length))
        return 0;
    if (read_dockerfile(&upload->head, err) < 0)
        return -1;
    if (!upload->head.length)
        return err_set(err, ERR_INVALID, "unable to prepare context: the Dockerfile (%s) cannot be empty",
                       "Dockerfile");
    context_open_text(upload->head.data, upload->head.length, &upload->context);
    return 0;
}

static bool is_remote(const char *place)
{
    static const char *const prefixes[] = { "http://", "https://", "git://", "github.com/", "git@" };
    struct stat st;
    if (stat(place, &st) == 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (str_starts(place, prefixes[i]))
            return true;
    return false;
}

static int open_directory(struct upload *upload, const struct build_options *options, const char *place,
                          struct err *err)
{
    if (!str_eq(options->file, "-"))
        return context_open(place, options->file, NULL, 0, &upload->context, err);
    if (read_dockerfile(&upload->head, err) < 0)
        return -1;
    return context_open(place, NULL, upload->head.data ? upload->head.data : "", upload->head.length, &upload->context,
                        err);
}

static int open_upload(struct upload *upload, const struct build_options *options, const char *place, struct err *err)
{
    if (str_eq(place, "-") && str_eq(options->file, "-"))
        return err_set(err, ERR_INVALID, "invalid argument: can't use stdin for both build context and dockerfile");
    if (str_eq(place, "-"))
        return open_stdin(upload, err);
    if (is_remote(place)) {
        upload->remote = place;
        return 0;
    }
    return open_directory(upload, options, place, err);
}

/* ---- the call ---- */

struct result {
    char *image_id;
};

static void on_aux(void *arg, const char *text)
{
    struct result *result = arg;
    CLEANUP(json_free) struct json *json = NULL;
    struct err err = { 0 };
    if (json_parse(text, strlen(text), &json, &err) < 0)
        return;
    const char *id = json_text(json_get(json, "ID"));
    if (!id)
        return;
    free(result->image_id);
    result->image_id = xstrdup(id);
}

static char *registry_config(struct cli *cli)
{
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(cli->config_dir);
    AUTO_FREE char *all = docker_config_all(config);
    AUTO_FREE char *coded = base64_encode(all, strlen(all), true);
    return str_format("X-Registry-Config: %s", coded);
}

/* The text that a quiet build holds back: the image's id when it worked; else shown. */
static void read_held(const struct upload *upload, int fd, bool failed, struct result *result)
{
    AUTO_FREE char *text = NULL;
    size_t length = 0;
    if (fd < 0 || lseek(fd, 0, SEEK_SET) < 0 || io_read_fd(fd, BUF_TEXT_MAX, &text, &length) < 0)
        return;
    if (!failed) {
        free(result->image_id);
        result->image_id = xstrdup(str_trim(text));
        return;
    }
    if (!upload->remote)
        show_sent(upload, "\r\n");
    fwrite(text, 1, length, stderr);
}

static int run_upload(struct cli *cli, struct upload *upload, const char *target, int out_fd, struct result *result,
                      int64_t *ret_code, struct err *err)
{
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    AUTO_FREE char *registries = registry_config(cli);
    char type[] = "Content-Type: application/x-tar", *headers[] = { type, registries, NULL };
    struct http_request request = { .method = "POST", .target = target, .headers = headers };
    if (!upload->remote) {
        request.body_read = upload_read;
        request.body_arg = upload;
    }
    if (api_stream_open(cli, &request, &stream, err) < 0)
        return -1;
    return progress_run(stream.http, out_fd, on_aux, result, ret_code, err);
}

/* The file is there only after a build that worked; a directory that is missing is told before. */
static int prepare_id_file(const struct build_options *options, struct err *err)
{
    if (str_empty(options->iidfile))
        return 0;
    if (unlink(options->iidfile) < 0 && errno != ENOENT)
        return err_sys(err, errno, "removing image ID file");
    return 0;
}

static int write_id_file(const struct build_options *options, const struct result *result, struct err *err)
{
    if (str_empty(options->iidfile))
        return 0;
    if (!result->image_id)
        return err_set(err, ERR_INTERNAL, "server did not provide an image ID. Cannot write %s", options->iidfile);
    int written =
        io_replace_file_at(AT_FDCWD, options->iidfile, result->image_id, strlen(result->image_id), 0666, false);
    return written < 0 ? err_sys(err, written, "write %s", options->iidfile) : 0;
}

static int build(struct cli *cli, const struct build_options *options, struct upload *upload, struct result *result,
                 int64_t *ret_code, struct err *err)
{
    AUTO_TARGET(target);
    const char *dockerfile = upload->context ? context_dockerfile(upload->context) : options->file;
    AUTO_FD int held = upload->quiet ? memfd_create("build-output", MFD_CLOEXEC) : -1; /* what is not shown */
    if (build_query(cli, options, dockerfile, upload->remote, &target, err) < 0 || prepare_id_file(options, err) < 0)
        return -1;
    int status = run_upload(cli, upload, target.data, upload->quiet ? held : STDOUT_FILENO, result, ret_code, err);
    if (upload->quiet && (status < 0 || options->quiet))
        read_held(upload, held, status < 0, result);
    return status < 0 ? -1 : write_id_file(options, result, err);
}

static int run_build(struct cli *cli, void *arg, char **args)
{
    const struct build_options *options = arg;
    struct upload upload = { .head = BUF_INIT(DOCKERFILE_MAX + TAR_SNIFF),
                             .quiet = options->quiet || str_eq(options->progress, "quiet"),
                             .terminal = isatty(STDOUT_FILENO) };
    struct result result = { 0 };
    struct err err = { 0 };
    int64_t code = 0;
    int status = build_check(options, &err);
    if (!status)
        status = open_upload(&upload, options, args[0], &err);
    if (!status)
        status = build(cli, options, &upload, &result, &code, &err);
    if (!status && options->quiet && result.image_id)
        puts(result.image_id);
    context_close(upload.context);
    buf_done(&upload.head);
    free(result.image_id);
    if (!status)
        return 0;
    int exit_code = cli_fail(cli, &err);
    return code > 0 && code < 256 ? (int)code : exit_code;
}

#define BUILD_COMMAND(path_, top_, common_)                                                                            \
    {                                                                                                                  \
        .path = (path_), .top = (top_), .usage = "[OPTIONS] PATH | URL | -",                                           \
        .help = "Build an image from a Dockerfile", .common = (common_), .flags = build_flags,                         \
        .options_size = sizeof(struct build_options), .min_args = 1, .max_args = 1, .run = run_build,                  \
    }
const struct command command_image_build = BUILD_COMMAND("image build", "build", 4);
const struct command command_builder_build = BUILD_COMMAND("builder build", NULL, 0);
