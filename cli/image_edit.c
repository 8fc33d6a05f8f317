/* holk tag, holk rmi, holk image inspect. */
#include "cli/command.h"
#include "cli/image_records.h"
#include "cli/inspect.h"
#include "cli/reference.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <stdio.h>

static int run_tag(struct cli *cli, void *options, char **args)
{
    (void)options;
    AUTO_REFERENCE struct reference reference = { 0 };
    AUTO_TARGET(target);
    struct err err = { 0 };
    if (reference_parse(args[1], &reference, &err) < 0) {
        err_wrap(&err, "Error parsing reference: \"%s\" is not a valid repository/tag", args[1]);
        return cli_fail(cli, &err);
    }
    reference_default_tag(&reference);
    AUTO_FREE char *name = str_format("%s/%s", reference.domain, reference.path);
    api_path(&target, "/images/%s/tag", args[0]);
    http_query_add(&target, "repo", name);
    http_query_add(&target, "tag", reference.tag);
    if (reference.digest) {
        err_set(&err, ERR_INVALID, "refusing to create a tag with a digest reference");
        return cli_fail(cli, &err);
    }
    return api_post(cli, target.data, &err) < 0 ? cli_fail(cli, &err) : 0;
}

const struct command command_image_tag = {
    .path = "image tag",
    .top = "tag",
    .usage = "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    .help = "Give an image another name",
    .min_args = 2,
    .max_args = 2,
    .run = run_tag,
};

/* ---- rm ---- */

struct remove_options {
    bool force, no_prune;
    char **platforms;
};
static const struct flag remove_flags[] = {
    FLAG_BOOL_(struct remove_options, force, "force", 'f', "Remove it although it is used or has several names"),
    FLAG_BOOL_(struct remove_options, no_prune, "no-prune", 0, "Keep untagged parents"),
    FLAG_STRV_(struct remove_options, platforms, "platform", 0, "Remove that variant alone: \"os[/arch[/variant]]\"",
               .shown = "strings"),
    FLAG_END,
};

static int remove_one(struct cli *cli, const struct remove_options *options, const char *image, struct err *err)
{
    AUTO_TARGET(target);
    CLEANUP(json_free) struct json *list = NULL;
    AUTO_BUF struct buf answer = BUF_INIT(BUF_TEXT_MAX);
    api_path(&target, "/images/%s", image);
    api_query_bool(&target, "force", options->force);
    api_query_bool(&target, "noprune", options->no_prune);
    for (char **platform = options->platforms; platform && *platform; platform++)
        image_query_platform(&target, "platforms", *platform);
    if (api_get_text(cli, "DELETE", target.data, &answer, err) < 0)
        return -1;
    if (json_parse(answer.data ? answer.data : "", answer.length, &list, err) < 0)
        return err_wrap(err, "DELETE %s: unexpected answer", target.data);
    for (size_t i = 0; i < json_count(list); i++) {
        const char *deleted = json_text(json_get(json_at(list, i), "Deleted"));
        const char *untagged = json_text(json_get(json_at(list, i), "Untagged"));
        printf("%s: %s\n", deleted ? "Deleted" : "Untagged", deleted ? deleted : untagged ? untagged : "");
    }
    return 0;
}

/* What was not there is no failure with --force; all errors come after all results. */
static int run_remove(struct cli *cli, void *arg, char **args)
{
    const struct remove_options *options = arg;
    CLEANUP(strv_free) char **errors = NULL;
    bool failed = false;
    for (; *args; args++) {
        struct err err = { 0 };
        if (remove_one(cli, options, *args, &err) == 0)
            continue;
        strv_append(&errors, err.text);
        failed |= err.kind != ERR_NOT_FOUND || !options->force;
    }
    (void)fflush(stdout);
    for (char **text = errors; text && *text; text++)
        fprintf(stderr, "%s\n", *text);
    return failed ? 1 : 0;
}

const struct command command_image_rm = {
    .path = "image rm",
    .top = "rmi",
    .aliases = { "remove" },
    .usage = "[OPTIONS] IMAGE [IMAGE...]",
    .help = "Remove one or more images",
    .flags = remove_flags,
    .options_size = sizeof(struct remove_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_remove,
};

/* ---- inspect ---- */

static const struct flag inspect_flags[] = {
    INSPECT_FORMAT_FLAG,
    FLAG_END,
};

static int run_inspect(struct cli *cli, void *options, char **args)
{
    static const struct inspect_kind *const kinds[] = { &inspect_image, NULL };
    return inspect_run(cli, args, kinds, options);
}

const struct command command_image_inspect = {
    .path = "image inspect",
    .usage = "[OPTIONS] IMAGE [IMAGE...]",
    .help = "Display detailed information on one or more images",
    .flags = inspect_flags,
    .options_size = sizeof(struct inspect_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_inspect,
};
