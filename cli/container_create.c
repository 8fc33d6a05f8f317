#include "cli/container.h"
#include "cli/docker_config.h"
#include "cli/pull.h"
#include "cli/reference.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* An image is named by reference or by id; a reference gets its default tag. *ret stays NULL for an id. */
static int image_reference(const char *image, char **ret, struct err *err)
{
    AUTO_REFERENCE struct reference reference = { 0 };
    const char *digits = str_after(image, "sha256:");
    if (str_is_hex(digits ? digits : image, 64))
        return 0;
    if (reference_parse(image, &reference, err) < 0)
        return -1;
    reference_default_tag(&reference);
    *ret = reference_familiar(&reference);
    return 0;
}

static int check_pull(const char *pull, struct err *err)
{
    if (str_eq(pull, "always") || str_eq(pull, "missing") || str_eq(pull, "never") || str_empty(pull))
        return 0;
    return err_set(err, ERR_INVALID, "invalid pull option: '%s': must be one of \"always\", \"missing\" or \"never\"", pull);
}

/* ---- --cidfile ---- */

static int cid_file_open(const char *path, int *ret_fd, struct err *err)
{
    if (!path)
        return 0;
    *ret_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (*ret_fd >= 0)
        return 0;
    if (errno == EEXIST)
        return err_set(err, ERR_INVALID, "container ID file found, make sure the other container isn't running or delete %s", path);
    (void)cli_path_error(err, "open", path, errno);
    return err_wrap(err, "failed to create the container ID file");
}

static int cid_file_write(const char *path, int fd, const char *id, struct err *err)
{
    if (fd < 0)
        return 0;
    int ret = io_write_all(fd, id, strlen(id));
    return ret < 0 ? err_sys(err, ret, "write the container ID to %s", path) : 0;
}

/* ---- create ---- */

static int post_create(struct cli *cli, const struct create_options *options, const char *platform,
                       const struct container_create_request *request, struct container_create_response *ret, struct err *err)
{
    AUTO_TARGET(target);
    buf_puts(&target, "/containers/create");
    http_query_add(&target, "name", str_empty(options->name) ? NULL : options->name);
    http_query_add(&target, "platform", platform);
    return api_call(cli, "POST", target.data, &container_create_request_type, request, &container_create_response_type, ret, err);
}

static bool image_is_missing(const struct err *err)
{
    return err->kind == ERR_NOT_FOUND && strstr(err->text, "No such image");
}

static int create_pulling(struct cli *cli, const struct create_options *options, const struct container_create_request *request,
                          struct container_create_response *ret, struct err *err)
{
    const char *image = request->config.image, *from_environment = getenv("DOCKER_DEFAULT_PLATFORM");
    const char *platform = !str_empty(options->platform) ? options->platform : str_empty(from_environment) ? NULL : from_environment;
    AUTO_FREE char *tagged = NULL;
    if (image_reference(image, &tagged, err) < 0)
        return -1;
    if (str_eq(options->pull, "always") && pull_image(cli, image, platform, options->quiet, STDERR_FILENO, err) < 0)
        return -1;
    if (post_create(cli, options, platform, request, ret, err) == 0)
        return 0;
    if (!tagged || !image_is_missing(err) || !(str_empty(options->pull) || str_eq(options->pull, "missing")))
        return -1;
    if (!options->quiet)
        fprintf(stderr, "Unable to find image '%s' locally\n", tagged);
    err_clear(err);
    if (pull_image(cli, image, platform, options->quiet, STDERR_FILENO, err) < 0)
        return -1;
    return post_create(cli, options, platform, request, ret, err);
}

int container_create(struct cli *cli, const struct create_options *options, const struct container_create_request *request,
                     char **ret_id, struct err *err)
{
    struct container_create_response response = { 0 };
    int cid_fd = -1;
    if (check_pull(options->pull, err) < 0 || cid_file_open(options->cid_file, &cid_fd, err) < 0)
        return -1;
    int ret = create_pulling(cli, options, request, &response, err);
    if (ret == 0)
        ret = cid_file_write(options->cid_file, cid_fd, response.id, err);
    else if (cid_fd >= 0)
        (void)unlink(options->cid_file);
    if (cid_fd >= 0)
        (void)close(cid_fd);
    for (char **warning = response.warnings; ret == 0 && warning && *warning; warning++)
        fprintf(stderr, "WARNING: %s\n", *warning);
    if (ret == 0)
        *ret_id = take_ptr(&response.id);
    codec_clear(&container_create_response_type, &response);
    return ret;
}

void create_add_proxies(const struct cli *cli, struct create_options *options)
{
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(cli->config_dir);
    CLEANUP(strv_free) char **proxies = docker_config_proxies(config, cli->host);
    for (char **proxy = proxies; proxy && *proxy; proxy++) {
        AUTO_FREE char *name = xstrndup(*proxy, strcspn(*proxy, "="));
        if (!strv_contains(options->env, name) && !strv_env_get(options->env, name))
            strv_append(&options->env, *proxy);
    }
}

/* ---- the command ---- */

struct create_command_options {
    struct create_options create;
};

static const struct flag create_flags[] = {
    CREATE_FLAGS(struct create_command_options, create.),
    FLAG_STR_(struct create_command_options, create.pull, "pull", 0, CREATE_PULL_HELP("creating"), .initial = "missing"),
    FLAG_END,
};

static int run_create(struct cli *cli, void *arg, char **args)
{
    struct create_command_options *options = arg;
    struct container_create_request request = { 0 };
    struct err err = { 0 };
    AUTO_FREE char *id = NULL;
    create_add_proxies(cli, &options->create);
    if (create_request_make(&options->create, args, &request, &err) < 0) {
        fprintf(stderr, "holk: %s\n\nRun 'holk %s --help' for more information\n", err.text, cli->name);
        return 125;
    }
    int ret = container_create(cli, &options->create, &request, &id, &err);
    codec_clear(&container_create_request_type, &request);
    if (ret < 0)
        return cli_fail(cli, &err);
    puts(id);
    return 0;
}

const struct command command_container_create = {
    .path = "container create",
    .top = "create",
    .usage = "[OPTIONS] IMAGE [COMMAND] [ARG...]",
    .help = "Create a new container",
    .options = COMMAND_STOP_AT_ARG,
    .flags = create_flags,
    .options_size = sizeof(struct create_command_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_create,
};
