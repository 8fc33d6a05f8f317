#include "cli/prune.h"

#include "cli/units.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/value.h"

#include <stdio.h>

/* A text, or an image's {"Untagged": ...} or {"Deleted": ...}. */
static void print_item(const struct json *item)
{
    const char *text = json_text(item), *untagged = json_text(json_get(item, "Untagged")),
               *deleted = json_text(json_get(item, "Deleted"));
    if (text)
        puts(text);
    else if (!str_empty(untagged))
        printf("untagged: %s\n", untagged);
    else if (deleted)
        printf("deleted: %s\n", deleted);
}

int prune_one(struct cli *cli, const struct prune_kind *kind, char *const *filters, int64_t *reclaimed, struct err *err)
{
    AUTO_TARGET(target);
    AUTO_BUF struct buf answer = BUF_INIT(BUF_TEXT_MAX);
    CLEANUP(json_free) struct json *json = NULL;
    CLEANUP(strv_free) char **all = strv_dup(filters);
    if (kind->extra)
        strv_append(&all, kind->extra);
    buf_puts(&target, kind->target);
    api_query_filters(&target, all);
    if (api_get_text(cli, "POST", target.data, &answer, err) < 0)
        return -1;
    if (json_parse(answer.data ? answer.data : "", answer.length, &json, err) < 0)
        return err_wrap(err, "POST %s: unexpected answer", kind->target);
    const struct json *list = json_get(json, kind->list);
    if (json_count(list)) {
        puts(kind->title);
        for (size_t i = 0; i < json_count(list); i++)
            print_item(json_at(list, i));
        puts("");
    }
    *reclaimed += json_int(json_get(json, "SpaceReclaimed"));
    return 0;
}

int prune_run(struct cli *cli, const struct prune_options *options, const char *warning, const struct prune_kind *kind,
              bool sum)
{
    struct err err = { 0 };
    int64_t reclaimed = 0;
    if (!options->force && !cli_confirm(warning))
        return 0;
    if (prune_one(cli, kind, options->filters, &reclaimed, &err) < 0)
        return cli_fail(cli, &err);
    AUTO_FREE char *size = units_size((double)reclaimed, 4);
    if (sum)
        printf("Total reclaimed space: %s\n", size);
    return 0;
}

/* ---- the plain ones ---- */

static const struct flag image_flags[] = {
    PRUNE_ALL_FLAG("Every image that no container uses, not just those without a name"),
    PRUNE_COMMON_FLAGS,
    FLAG_END,
};

static int run_image(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct prune_options *options = arg;
    struct prune_kind kind = { "/images/prune", "ImagesDeleted",
                               "Deleted Images:", options->all ? "dangling=false" : "dangling=true" };
    return prune_run(cli, options,
                     options->all
                         ? "WARNING! This will remove all images without at least one container associated to them."
                         : "WARNING! This will remove all dangling images.",
                     &kind, true);
}

const struct command command_image_prune = {
    .path = "image prune",
    .usage = "[OPTIONS]",
    .help = "Remove unused images",
    .flags = image_flags,
    .options_size = sizeof(struct prune_options),
    .run = run_image,
};

static const struct flag volume_flags[] = {
    PRUNE_ALL_FLAG("Every volume that no container uses, not just those without a name of their own"),
    PRUNE_COMMON_FLAGS,
    FLAG_END,
};

static int run_volume(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct prune_options *options = arg;
    struct prune_kind kind = { "/volumes/prune", "VolumesDeleted", "Deleted Volumes:", options->all ? "all=1" : NULL };
    return prune_run(cli, options,
                     options->all
                         ? "WARNING! This will remove all local volumes not used by at least one container."
                         : "WARNING! This will remove anonymous local volumes not used by at least one container.",
                     &kind, true);
}

const struct command command_volume_prune = {
    .path = "volume prune",
    .usage = "[OPTIONS]",
    .help = "Remove unused local volumes",
    .flags = volume_flags,
    .options_size = sizeof(struct prune_options),
    .run = run_volume,
};

static const struct flag network_flags[] = {
    PRUNE_COMMON_FLAGS,
    FLAG_END,
};
static const struct prune_kind networks = { "/networks/prune", "NetworksDeleted", "Deleted Networks:", NULL };

static int run_network(struct cli *cli, void *arg, char **args)
{
    (void)args;
    return prune_run(cli, arg, "WARNING! This will remove all custom networks not used by at least one container.",
                     &networks, false);
}

const struct command command_network_prune = {
    .path = "network prune",
    .usage = "[OPTIONS]",
    .help = "Remove unused networks",
    .flags = network_flags,
    .options_size = sizeof(struct prune_options),
    .run = run_network,
};

static const struct flag builder_flags[] = {
    PRUNE_ALL_FLAG("The whole build cache, not just what nothing refers to"),
    PRUNE_COMMON_FLAGS,
    FLAG_END,
};

static int run_builder(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct prune_options *options = arg;
    struct prune_kind kind = { options->all ? "/build/prune?all=1" : "/build/prune", "CachesDeleted",
                               "Deleted build cache objects:", NULL };
    return prune_run(cli, options,
                     options->all ? "WARNING! This will remove all build cache."
                                  : "WARNING! This will remove all dangling build cache.",
                     &kind, true);
}

const struct command command_builder_prune = {
    .path = "builder prune",
    .usage = "[OPTIONS]",
    .help = "Remove build cache",
    .flags = builder_flags,
    .options_size = sizeof(struct prune_options),
    .run = run_builder,
};

/* ---- everything ---- */

static const struct flag system_flags[] = {
    PRUNE_ALL_FLAG("Every image that no container uses, not just those without a name"),
    PRUNE_COMMON_FLAGS,
    FLAG_BOOL_(struct prune_options, volumes, "volumes", 0, "Volumes without a name of their own, too"),
    FLAG_END,
};

static char *system_warning(const struct prune_options *options)
{
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    buf_puts(&text, "WARNING! This will remove:\n  - all stopped containers\n  - all networks not used by at least one "
                    "container\n");
    if (options->volumes)
        buf_puts(&text, "  - all anonymous volumes not used by at least one container\n");
    buf_puts(&text, options->all
                        ? "  - all images without at least one container associated to them\n  - all build cache\n"
                        : "  - all dangling images\n  - unused build cache\n");
    if (options->filters) {
        CLEANUP(strv_free) char **sorted = strv_dup(options->filters);
        strv_sort(sorted);
        buf_puts(&text, "\n  Items to be pruned will be filtered with:\n");
        for (char **filter = sorted; *filter; filter++)
            buf_printf(&text, "  - %s\n", *filter);
    }
    return buf_take(&text);
}

static int run_system(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct prune_options *options = arg;
    const struct prune_kind steps[] = {
        { "/containers/prune", "ContainersDeleted", "Deleted Containers:", NULL },
        networks,
        { options->volumes ? "/volumes/prune" : NULL, "VolumesDeleted", "Deleted Volumes:", NULL },
        { "/images/prune", "ImagesDeleted", "Deleted Images:", options->all ? "dangling=false" : "dangling=true" },
        { options->all ? "/build/prune?all=1" : "/build/prune", "CachesDeleted", "Deleted build cache objects:", NULL },
    };
    AUTO_FREE char *warning = system_warning(options);
    struct err err = { 0 };
    int64_t reclaimed = 0;
    for (char **filter = options->filters; options->volumes && filter && *filter; filter++)
        if (str_starts(*filter, "until=")) {
            err_set(&err, ERR_INVALID, "ERROR: The \"until\" filter is not supported with \"--volumes\"");
            return cli_fail(cli, &err);
        }
    if (!options->force && !cli_confirm(warning))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (!steps[i].target || prune_one(cli, &steps[i], options->filters, &reclaimed, &err) == 0)
            continue;
        bool no_cache = i + 1 == ARRAY_SIZE(steps) && (err.kind == ERR_NOT_FOUND || err.kind == ERR_UNSUPPORTED);
        if (!no_cache)
            return cli_fail(cli, &err);
    }
    AUTO_FREE char *size = units_size((double)reclaimed, 4);
    printf("Total reclaimed space: %s\n", size);
    return 0;
}

const struct command command_system_prune = {
    .path = "system prune",
    .usage = "[OPTIONS]",
    .help = "Remove unused data",
    .flags = system_flags,
    .options_size = sizeof(struct prune_options),
    .run = run_system,
};
