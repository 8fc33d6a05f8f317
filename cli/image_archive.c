/* holk load, holk save, holk import: images as files. */
#include "cli/command.h"
#include "cli/image_records.h"
#include "cli/progress.h"
#include "cli/reference.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* "open x: no such file or directory", the system's words as Docker prints them. */
static int path_failed(const char *what, const char *path, int error, struct err *err)
{
    AUTO_FREE char *text = xstrdup(err_strerror(error));
    text[0] = (char)tolower((unsigned char)text[0]);
    return err_set(err, ERR_INVALID, "%s %s: %s", what, path, text);
}

static int open_failed(const char *path, int error, struct err *err)
{
    return path_failed("open", path, error, err);
}

/* The file, or stdin for NULL and "-". */
static int open_input(const char *path, struct err *err)
{
    bool is_stdin = str_empty(path) || str_eq(path, "-");
    int fd = is_stdin ? fd_dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? open_failed(path ? path : "stdin", is_stdin ? -fd : errno, err) : fd;
}

static void set_body(struct http_request *request, int fd)
{
    struct stat st;
    off_t at = lseek(fd, 0, SEEK_CUR);
    request->has_body_fd = true;
    request->body_fd = fd;
    request->body_fd_size =
        fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && at >= 0 && st.st_size >= at ? st.st_size - at : -1;
}

static int send_archive(struct cli *cli, const char *target, int fd, int out_fd, struct err *err)
{
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    char type[] = "Content-Type: application/x-tar", *headers[] = { type, NULL };
    struct http_request request = { .method = "POST", .target = target, .headers = headers };
    set_body(&request, fd);
    if (api_stream_open(cli, &request, &stream, err) < 0)
        return -1;
    return progress_run(stream.http, out_fd, NULL, NULL, NULL, err);
}

/* ---- load ---- */

struct load_options {
    char *input, *platform;
    bool quiet;
};
static const struct flag load_flags[] = {
    FLAG_STR_(struct load_options, input, "input", 'i', "Read that tar file, not stdin"),
    FLAG_STR_(struct load_options, platform, "platform", 0, "Load that variant alone: \"os[/arch[/variant]]\""),
    FLAG_BOOL_(struct load_options, quiet, "quiet", 'q', "Show no progress"),
    FLAG_END,
};

static int run_load(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct load_options *options = arg;
    AUTO_TARGET(target);
    struct err err = { 0 };
    if (str_empty(options->input) && isatty(STDIN_FILENO)) {
        err_set(&err, ERR_INVALID, "requested load from stdin, but stdin is empty");
        return cli_fail(cli, &err);
    }
    AUTO_FD int fd = open_input(options->input, &err);
    if (fd < 0)
        return cli_fail(cli, &err);
    buf_puts(&target, "/images/load");
    http_query_add(&target, "quiet", options->quiet || !isatty(STDOUT_FILENO) ? "1" : "0");
    image_query_platform(&target, "platform", options->platform);
    return send_archive(cli, target.data, fd, STDOUT_FILENO, &err) < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_image_load = {
    .path = "image load",
    .top = "load",
    .usage = "[OPTIONS]",
    .help = "Load images from a tar archive or stdin",
    .flags = load_flags,
    .options_size = sizeof(struct load_options),
    .run = run_load,
};

/* ---- save ---- */

struct save_options {
    char *output, *platform;
};
static const struct flag save_flags[] = {
    FLAG_STR_(struct save_options, output, "output", 'o', "Write to that file, not stdout"),
    FLAG_STR_(struct save_options, platform, "platform", 0, "Save that variant alone: \"os[/arch[/variant]]\""),
    FLAG_END,
};

static int copy_body(struct http *http, int fd, struct err *err)
{
    const size_t size = (size_t)1 << 20;
    AUTO_FREE char *bytes = xmalloc(size);
    ssize_t got;
    while ((got = http_read(http, bytes, size, err)) > 0) {
        int written = io_write_all(fd, bytes, (size_t)got);
        if (written < 0)
            return err_sys(err, written, "write");
    }
    return got < 0 ? -1 : 0;
}

/* The directory must be there before anything is asked of the daemon. */
static int check_output(const char *path, struct err *err)
{
    struct stat st;
    AUTO_FREE char *dir = xstrdup(path);
    char *slash = strrchr(dir, '/');
    if (slash)
        slash[slash == dir] = '\0';
    if (stat(slash ? dir : ".", &st) < 0)
        return path_failed("failed to save image: invalid output path: stat", dir, errno, err);
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID, "failed to save image: cannot write to a directory");
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode))
        return err_set(err, ERR_INVALID, "failed to save image: invalid output path: \"%s\" must be a regular file",
                       path);
    return 0;
}

/* A regular file appears whole or not at all. */
static int save_to(struct http *http, const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        AUTO_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 ? open_failed(path, errno, err) : copy_body(http, fd, err);
    }
    AUTO_FREE char *temporary = str_format("%s.tmp-%d", path, (int)getpid());
    AUTO_FD int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return open_failed(temporary, errno, err);
    if (copy_body(http, fd, err) == 0) {
        if (rename(temporary, path) == 0)
            return 0;
        err_sys(err, errno, "rename %s", temporary);
    }
    (void)unlink(temporary);
    return -1;
}

static int run_save(struct cli *cli, void *arg, char **args)
{
    const struct save_options *options = arg;
    AUTO_TARGET(target);
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    struct err err = { 0 };
    bool to_stdout = str_empty(options->output);
    if (to_stdout && isatty(STDOUT_FILENO)) {
        err_set(&err, ERR_INVALID, "cowardly refusing to save to a terminal. Use the -o flag or redirect");
        return cli_fail(cli, &err);
    }
    if (!to_stdout && check_output(options->output, &err) < 0)
        return cli_fail(cli, &err);
    buf_puts(&target, "/images/get");
    for (char **name = args; *name; name++)
        http_query_add(&target, "names", *name);
    image_query_platform(&target, "platform", options->platform);
    struct http_request request = { .method = "GET", .target = target.data };
    if (api_stream_open(cli, &request, &stream, &err) < 0)
        return cli_fail(cli, &err);
    int status = to_stdout ? copy_body(stream.http, STDOUT_FILENO, &err) : save_to(stream.http, options->output, &err);
    return status < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_image_save = {
    .path = "image save",
    .top = "save",
    .usage = "[OPTIONS] IMAGE [IMAGE...]",
    .help = "Write one or more images as a tar archive, to stdout when no file is named",
    .flags = save_flags,
    .options_size = sizeof(struct save_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_save,
};

/* ---- import ---- */

struct import_options {
    char **changes;
    char *message, *platform;
};
static const struct flag import_flags[] = {
    FLAG_STRV_(struct import_options, changes, "change", 'c', "Apply that Dockerfile instruction to the image",
               .shown = "list"),
    FLAG_STR_(struct import_options, message, "message", 'm', "The image's comment"),
    FLAG_STR_(struct import_options, platform, "platform", 0, "The image's platform: \"os[/arch[/variant]]\""),
    FLAG_END,
};

static bool is_url(const char *text)
{
    return str_starts(text, "http://") || str_starts(text, "https://");
}

static int run_import(struct cli *cli, void *arg, char **args)
{
    const struct import_options *options = arg;
    AUTO_TARGET(target);
    AUTO_REFERENCE struct reference reference = { 0 };
    struct err err = { 0 };
    bool remote = is_url(args[0]);
    AUTO_FD int fd = remote ? -1 : open_input(args[0], &err);
    if (!remote && fd < 0)
        return cli_fail(cli, &err);
    if (args[1] && reference_parse(args[1], &reference, &err) < 0)
        return cli_fail(cli, &err);
    buf_puts(&target, "/images/create");
    http_query_add(&target, "fromSrc", remote ? args[0] : "-");
    http_query_add(&target, "repo", args[1]);
    http_query_add(&target, "message", str_empty(options->message) ? NULL : options->message);
    http_query_add(&target, "platform", str_empty(options->platform) ? NULL : options->platform);
    for (char **change = options->changes; change && *change; change++)
        http_query_add(&target, "changes", *change);
    if (!remote)
        return send_archive(cli, target.data, fd, STDOUT_FILENO, &err) < 0 ? cli_fail(cli, &err) : 0;
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    if (api_stream_post(cli, target.data, &stream, &err) < 0 ||
        progress_run(stream.http, STDOUT_FILENO, NULL, NULL, NULL, &err) < 0)
        return cli_fail(cli, &err);
    return 0;
}

const struct command command_image_import = {
    .path = "image import",
    .top = "import",
    .usage = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",
    .help = "Make an image of one layer from a tar of a file system",
    .flags = import_flags,
    .options_size = sizeof(struct import_options),
    .min_args = 1,
    .max_args = 2,
    .run = run_import,
};
