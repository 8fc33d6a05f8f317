/* holk volume create|ls|inspect|rm. */
#include "cli/volume.h"

#include "cli/command.h"
#include "cli/docker_config.h"
#include "cli/inspect.h"
#include "cli/natural.h"
#include "lib/base/str.h"

#include <stdio.h>

void pairs_to_map(struct str_map *map, char *const *pairs)
{
    for (; pairs && *pairs; pairs++) {
        size_t length = strcspn(*pairs, "=");
        AUTO_FREE char *key = xstrndup(*pairs, length);
        str_map_set(map, key, (*pairs)[length] ? *pairs + length + 1 : "");
    }
}

struct create_options {
    char *driver, *name;
    char **labels;
    struct str_map opts;
};
static const struct flag create_flags[] = {
    FLAG_STR_(struct create_options, driver, "driver", 'd', "The volume's driver", .initial = "local"),
    FLAG_STRV_(struct create_options, labels, "label", 0, "Set metadata for a volume", .shown = "list",
               .check = flag_check_label),
    FLAG_STR_(struct create_options, name, "name", 0, "The volume's name", .hidden = true),
    FLAG_STRMAP_(struct create_options, opts, "opt", 'o', "Options of the driver"),
    FLAG_END,
};

static int run_create(struct cli *cli, void *arg, char **args)
{
    const struct create_options *options = arg;
    struct volume volume = { 0 };
    struct err err = { 0 };
    if (args[0] && options->name) {
        err_set(&err, ERR_INVALID,
                "conflicting options: cannot specify a volume-name through both --name and as a positional arg");
        return cli_fail(cli, &err);
    }
    struct volume_create_request request = { .driver = xstrdup(options->driver),
                                             .name = xstrdup(args[0] ? args[0] : options->name) };
    pairs_to_map(&request.labels, options->labels);
    str_map_copy(&request.driver_opts, &options->opts);
    int status =
        api_call(cli, "POST", "/volumes/create", &volume_create_request_type, &request, &volume_type, &volume, &err);
    codec_clear(&volume_create_request_type, &request);
    if (status < 0)
        return cli_fail(cli, &err);
    puts(volume.name ? volume.name : "");
    codec_clear(&volume_type, &volume);
    return 0;
}

const struct command command_volume_create = {
    .path = "volume create",
    .usage = "[OPTIONS] [VOLUME]",
    .help = "Create a volume",
    .flags = create_flags,
    .options_size = sizeof(struct create_options),
    .max_args = 1,
    .run = run_create,
};

/* ---- ls ---- */

struct list_options {
    char **filters;
    char *format;
    bool quiet;
};
static const struct flag list_flags[] = {
    FLAG_STRV_(struct list_options, filters, "filter", 'f', FLAG_FILTER_HELP, .shown = "filter",
               .check = flag_check_filter),
    FLAG_STR_(struct list_options, format, "format", 0, FORMAT_LIST_HELP),
    FLAG_BOOL_(struct list_options, quiet, "quiet", 'q', "Only display volume names"),
    FLAG_END,
};
static const struct format_member volume_members[] = {
    { "Availability", "AVAILABILITY" },
    { "Driver", "DRIVER" },
    { "Group", "GROUP" },
    { "Labels", "LABELS" },
    { "Links", "LINKS" },
    { "Mountpoint", "MOUNTPOINT" },
    { "Name", "VOLUME NAME" },
    { "Scope", "SCOPE" },
    { "Size", "SIZE" },
    { "Status", "STATUS" },
    { NULL, NULL },
};
const struct format_kind volume_kind = {
    .go_type = "*formatter.volumeContext",
    .members = volume_members,
    .table = "{{.Driver}}\t{{.Name}}",
    .raw = "name: {{.Name}}\ndriver: {{.Driver}}\n",
    .quiet = "{{.Name}}",
    .quiet_raw = "name: {{.Name}}",
    .has_label = true,
};

void volume_record_fill(struct record *record, const struct volume *volume)
{
    const struct volume_usage_data *usage = volume->usage_data;
    record_text(record, "Availability", "N/A");
    record_text(record, "Driver", volume->driver);
    record_text(record, "Group", "N/A");
    record_labels(record, &volume->labels);
    record_take(record, "Links", usage ? str_format("%lld", (long long)usage->ref_count) : xstrdup("N/A"));
    record_text(record, "Mountpoint", volume->mountpoint);
    record_text(record, "Name", volume->name);
    record_text(record, "Scope", volume->scope);
    record_take(record, "Size", usage ? units_size((double)usage->size, 4) : xstrdup("N/A"));
    record_text(record, "Status", "N/A");
}

static int compare_volumes(const void *a, const void *b)
{
    return natural_compare(((const struct volume *)a)->name, ((const struct volume *)b)->name);
}

static int run_list(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct list_options *options = arg;
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(cli->config_dir);
    AUTO_TARGET(target);
    AUTO_RECORDS struct records records = RECORDS_INIT;
    struct volume_list_response list;
    struct err err = { 0 };
    const char *format = options->format;
    if (str_empty(format) && !options->quiet)
        format = docker_config_text(config, "volumesFormat");
    buf_puts(&target, "/volumes");
    api_query_filters(&target, options->filters);
    if (api_get(cli, target.data, &volume_list_response_type, &list, &err) < 0)
        return cli_fail(cli, &err);
    if (list.volumes.count)
        qsort(list.volumes.items, list.volumes.count, sizeof *list.volumes.items, compare_volumes);
    for (size_t i = 0; i < list.volumes.count; i++)
        volume_record_fill(records_add(&records), &list.volumes.items[i]);
    codec_clear(&volume_list_response_type, &list);
    return format_print(cli, &volume_kind, format, options->quiet, &records);
}

const struct command command_volume_ls = {
    .path = "volume ls",
    .aliases = { "list" },
    .usage = "[OPTIONS]",
    .help = "List volumes",
    .flags = list_flags,
    .options_size = sizeof(struct list_options),
    .run = run_list,
};

/* ---- inspect, rm ---- */

static const struct flag inspect_flags[] = {
    INSPECT_FORMAT_FLAG,
    FLAG_END,
};

static int run_inspect(struct cli *cli, void *options, char **args)
{
    static const struct inspect_kind *const kinds[] = { &inspect_volume, NULL };
    return inspect_run(cli, args, kinds, options);
}

const struct command command_volume_inspect = {
    .path = "volume inspect",
    .usage = "[OPTIONS] VOLUME [VOLUME...]",
    .help = "Display detailed information on one or more volumes",
    .flags = inspect_flags,
    .options_size = sizeof(struct inspect_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_inspect,
};

struct remove_options {
    bool force;
};
static const struct flag remove_flags[] = {
    FLAG_BOOL_(struct remove_options, force, "force", 'f', "One that is not there is no failure"),
    FLAG_END,
};

static int remove_one(struct cli *cli, const char *name, void *ctx, struct err *err)
{
    const struct remove_options *options = ctx;
    AUTO_TARGET(target);
    api_path(&target, "/volumes/%s", name);
    api_query_bool(&target, "force", options->force);
    return api_delete(cli, target.data, err);
}

static int run_remove(struct cli *cli, void *options, char **args)
{
    return cli_each(cli, args, false, remove_one, options);
}

const struct command command_volume_rm = {
    .path = "volume rm",
    .aliases = { "remove" },
    .usage = "[OPTIONS] VOLUME [VOLUME...]",
    .help = "Remove one or more volumes that no container uses",
    .flags = remove_flags,
    .options_size = sizeof(struct remove_options),
    .min_args = 1,
    .max_args = ARGS_ANY,
    .run = run_remove,
};
