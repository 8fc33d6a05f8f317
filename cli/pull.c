/* holk pull, holk push: images come and go, with the credentials of their registry. */
#include "cli/pull.h"

#include "cli/command.h"
#include "cli/docker_config.h"
#include "cli/image_records.h"
#include "cli/progress.h"
#include "cli/reference.h"
#include "lib/base/str.h"

#include <stdio.h>
#include <unistd.h>

/* A POST that answers with progress. */
static int transfer(struct cli *cli, const char *target, const char *domain, int out_fd, struct err *err)
{
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    AUTO_FREE char *auth = docker_config_auth_header(cli->config_dir, domain);
    char *headers[] = { auth, NULL };
    struct http_request request = { .method = "POST", .target = target, .headers = headers };
    if (api_stream_open(cli, &request, &stream, err) < 0)
        return -1;
    return progress_run(stream.http, out_fd, NULL, NULL, NULL, err);
}

static int pull_parsed(struct cli *cli, const struct reference *reference, const char *platform, int out_fd,
                       struct err *err)
{
    AUTO_TARGET(target);
    AUTO_FREE char *name = str_format("%s/%s", reference->domain, reference->path);
    buf_puts(&target, "/images/create");
    http_query_add(&target, "fromImage", name);
    http_query_add(&target, "tag", reference->digest ? reference->digest : reference->tag);
    http_query_add(&target, "platform", str_empty(platform) ? NULL : platform);
    return transfer(cli, target.data, reference->domain, out_fd, err);
}

int pull_image(struct cli *cli, const char *name, const char *platform, bool quiet, int out_fd, struct err *err)
{
    AUTO_REFERENCE struct reference reference = { 0 };
    if (reference_parse(name, &reference, err) < 0)
        return -1;
    reference_default_tag(&reference);
    return pull_parsed(cli, &reference, platform, quiet ? -1 : out_fd, err);
}

struct transfer_options {
    bool all_tags, quiet, trust;
    char *platform;
};

/* The name as typed; without a tag "latest", said aloud. */
static int read_name(const struct transfer_options *options, const char *name, struct reference *ret, struct err *err)
{
    if (reference_parse(name, ret, err) < 0)
        return -1;
    if (options->all_tags && (ret->tag || ret->digest))
        return err_set(err, ERR_INVALID, "tag can't be used with --all-tags/-a");
    if (options->all_tags || ret->tag || ret->digest)
        return 0;
    reference_default_tag(ret);
    if (!options->quiet)
        puts("Using default tag: latest");
    return 0;
}

/* ---- pull ---- */

static const struct flag pull_flags[] = {
    FLAG_BOOL_(struct transfer_options, all_tags, "all-tags", 'a', "Download every tag of the repository"),
    FLAG_BOOL_(struct transfer_options, trust, "disable-content-trust", 0, "Accepted and without effect",
               .hidden = true, .initial = "true"),
    FLAG_STR_(struct transfer_options, platform, "platform", 0, "Take that variant: \"os[/arch[/variant]]\""),
    FLAG_BOOL_(struct transfer_options, quiet, "quiet", 'q', "Print nothing but the name"),
    FLAG_END,
};

static int run_pull(struct cli *cli, void *arg, char **args)
{
    const struct transfer_options *options = arg;
    AUTO_REFERENCE struct reference reference = { 0 };
    struct err err = { 0 };
    if (read_name(options, args[0], &reference, &err) < 0)
        return cli_fail(cli, &err);
    if (pull_parsed(cli, &reference, options->platform, options->quiet ? -1 : STDOUT_FILENO, &err) < 0)
        return cli_fail(cli, &err);
    AUTO_FREE char *full = reference_full(&reference);
    puts(full);
    return 0;
}

const struct command command_image_pull = {
    .path = "image pull",
    .top = "pull",
    .usage = "[OPTIONS] NAME[:TAG|@DIGEST]",
    .help = "Download an image from a registry",
    .common = 5,
    .flags = pull_flags,
    .options_size = sizeof(struct transfer_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_pull,
};

/* ---- push ---- */

static const struct flag push_flags[] = {
    FLAG_BOOL_(struct transfer_options, all_tags, "all-tags", 'a', "Push every tag of the repository"),
    FLAG_BOOL_(struct transfer_options, trust, "disable-content-trust", 0, "Accepted and without effect",
               .hidden = true, .initial = "true"),
    FLAG_STR_(struct transfer_options, platform, "platform", 0, "Push that variant alone: \"os[/arch[/variant]]\""),
    FLAG_BOOL_(struct transfer_options, quiet, "quiet", 'q', "Print nothing but the name"),
    FLAG_END,
};

static int run_push(struct cli *cli, void *arg, char **args)
{
    const struct transfer_options *options = arg;
    AUTO_REFERENCE struct reference reference = { 0 };
    AUTO_TARGET(target);
    struct err err = { 0 };
    if (read_name(options, args[0], &reference, &err) < 0)
        return cli_fail(cli, &err);
    AUTO_FREE char *name = str_format("%s/%s", reference.domain, reference.path), *full = reference_full(&reference);
    api_path(&target, "/images/%s/push", name);
    http_query_add(&target, "tag", reference.tag);
    image_query_platform(&target, "platform", options->platform);
    if (transfer(cli, target.data, reference.domain, options->quiet ? -1 : STDOUT_FILENO, &err) < 0)
        return cli_fail(cli, &err);
    if (options->quiet)
        puts(full);
    return 0;
}

const struct command command_image_push = {
    .path = "image push",
    .top = "push",
    .usage = "[OPTIONS] NAME[:TAG]",
    .help = "Upload an image to a registry",
    .common = 6,
    .flags = push_flags,
    .options_size = sizeof(struct transfer_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_push,
};
