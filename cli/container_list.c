/* ps: the list of containers. */
#include "cli/container.h"
#include "cli/docker_config.h"
#include "cli/format.h"
#include "cli/json_text.h"
#include "cli/reference.h"
#include "cli/units.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include <errno.h>
#include <stdio.h>

#define COMMAND_WIDTH 20
#define MOUNT_WIDTH 15

struct list_options {
    bool all, latest, no_trunc, quiet, size;
    char **filter;
    char *format;
    int64_t last;
};

static const struct flag list_flags[] = {
    FLAG_BOOL_(struct list_options, all, "all", 'a', "Show all containers (default shows just running)"),
    FLAG_STRV_(struct list_options, filter, "filter", 'f', FLAG_FILTER_HELP, .shown = "filter", .check = flag_check_filter),
    FLAG_STR_(struct list_options, format, "format", 0, FORMAT_LIST_HELP),
    FLAG_I64_(struct list_options, last, "last", 'n', "Show n last created containers (includes all states)", .initial = "-1"),
    FLAG_BOOL_(struct list_options, latest, "latest", 'l', "Show the latest created container (includes all states)"),
    FLAG_BOOL_(struct list_options, no_trunc, "no-trunc", 0, "Don't truncate output"),
    FLAG_BOOL_(struct list_options, quiet, "quiet", 'q', "Only display container IDs"),
    FLAG_BOOL_(struct list_options, size, "size", 's', "Display total file sizes"),
    FLAG_END,
};

static const struct format_member list_members[] = {
    { "Command", "COMMAND" },   { "CreatedAt", "CREATED AT" }, { "ID", "CONTAINER ID" }, { "Image", "IMAGE" },
    { "Labels", "LABELS" },     { "LocalVolumes", "LOCAL VOLUMES" }, { "Mounts", "MOUNTS" }, { "Names", "NAMES" },
    { "Networks", "NETWORKS" }, { "Platform", "PLATFORM" },    { "Ports", "PORTS" },     { "RunningFor", "CREATED" },
    { "Size", "SIZE" },         { "State", "STATE" },          { "Status", "STATUS" },   { NULL, NULL },
};

#define LIST_TABLE "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
#define LIST_RAW                                                                                                        \
    "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\n"                     \
    "state: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\nlabels: {{- pad .Labels 1 0}}\n"    \
    "ports: {{- pad .Ports 1 0}}\n"

const struct format_kind container_kind = {
    .go_type = "*formatter.ContainerContext", .members = list_members, .table = LIST_TABLE, .raw = LIST_RAW,
    .quiet = "{{.ID}}", .quiet_raw = "container_id: {{.ID}}", .failure = "failed to execute template", .has_label = true,
};
static const struct format_kind list_kind_size = {
    .go_type = "*formatter.ContainerContext", .members = list_members, .table = LIST_TABLE "\t{{.Size}}",
    .raw = LIST_RAW "size: {{.Size}}\n", .quiet = "{{.ID}}", .quiet_raw = "container_id: {{.ID}}",
    .failure = "failed to execute template", .has_label = true,
};

/* ---- columns ---- */

/* Names of links have a second slash and are left out, unless nothing else is there. */
static char *names_text(const struct container_summary *item, bool trunc)
{
    CLEANUP(strv_free) char **names = NULL;
    for (char **name = item->names; name && *name; name++)
        strv_append(&names, **name == '/' ? *name + 1 : *name);
    for (char **name = names; trunc && name && *name; name++) {
        if (!strchr(*name, '/'))
            return xstrdup(*name);
    }
    return strv_join(names, ",");
}

/* A digest beside a tag says nothing to the eye; a bare id is cut as ids are. */
static char *image_text(const struct container_summary *item, bool trunc)
{
    AUTO_REFERENCE struct reference reference = { 0 };
    struct err ignored = { 0 };
    if (str_empty(item->image))
        return xstrdup("<no image>");
    if (!trunc)
        return xstrdup(item->image);
    AUTO_FREE char *id = units_short_id(item->image_id ? item->image_id : "");
    AUTO_FREE char *name = units_short_id(item->image);
    if (*id && str_eq(id, name))
        return take_ptr(&id);
    if (reference_parse(item->image, &reference, &ignored) < 0)
        return xstrdup(item->image);
    free(reference.digest);
    reference.digest = NULL;
    return reference_familiar(&reference);
}

static char *command_text(const struct container_summary *item, bool trunc)
{
    AUTO_FREE char *shown = trunc ? units_ellipsis(item->command ? item->command : "", COMMAND_WIDTH) : xstrdup(item->command);
    AUTO_BUF struct buf quoted = BUF_INIT(BUF_TEXT_MAX);
    json_text_string(shown ? shown : "", &quoted);
    return buf_take(&quoted);
}

static char *mounts_text(const struct container_summary *item, bool trunc, char **ret_local)
{
    CLEANUP(strv_free) char **mounts = NULL;
    size_t local = 0;
    for (size_t i = 0; i < item->mounts.count; i++) {
        const struct mount_point *mount = &item->mounts.items[i];
        const char *name = str_empty(mount->name) ? mount->source : mount->name;
        strv_append_take(&mounts, trunc ? units_ellipsis(name ? name : "", MOUNT_WIDTH) : xstrdup(name ? name : ""));
        local += str_eq(mount->driver, "local");
    }
    *ret_local = str_format("%zu", local);
    return strv_join(mounts, ",");
}

static char *networks_text(const struct container_summary *item)
{
    CLEANUP(strv_free) char **names = strv_dup(item->network_settings.networks.keys);
    if (names)
        strv_sort(names);
    return strv_join(names, ",");
}

static char *size_text(const struct container_summary *item)
{
    AUTO_FREE char *own = units_size((double)item->size_rw, 3);
    if (item->size_root_fs <= 0)
        return take_ptr(&own);
    AUTO_FREE char *all = units_size((double)item->size_root_fs, 3);
    return str_format("%s (virtual %s)", own, all);
}

void container_record_fill(struct record *record, const struct container_summary *item, bool trunc)
{
    struct json *platform = NULL; /* only daemons with other image stores know it */
    struct err ignored = { 0 };
    char *local;
    record_take(record, "ID", trunc ? units_short_id(item->id) : xstrdup(item->id));
    record_take(record, "Names", names_text(item, trunc));
    record_take(record, "Image", image_text(item, trunc));
    record_take(record, "Command", command_text(item, trunc));
    record_take(record, "CreatedAt", units_local_time(item->created));
    record_take(record, "RunningFor", units_ago(item->created));
    record_take(record, "Ports", ports_text(item));
    record_text(record, "State", item->state);
    record_text(record, "Status", item->status);
    record_take(record, "Size", size_text(item));
    record_labels(record, &item->labels);
    record_take(record, "Mounts", mounts_text(item, trunc, &local));
    record_take(record, "LocalVolumes", local);
    record_take(record, "Networks", networks_text(item));
    if (json_parse("null", 4, &platform, &ignored) == 0)
        record_json(record, "Platform", platform);
}

/* ---- the command ---- */

static void put_target(const struct list_options *options, bool size, struct buf *target)
{
    int64_t limit = options->latest && options->last == -1 ? 1 : options->last;
    buf_puts(target, "/containers/json");
    api_query_bool(target, "all", options->all);
    if (limit > 0)
        api_query_i64(target, "limit", limit);
    api_query_bool(target, "size", size);
    api_query_filters(target, options->filter);
}

static int run_list(struct cli *cli, void *arg, char **args)
{
    const struct list_options *options = arg;
    CODEC_LIST(struct container_summary) list = { 0 };
    AUTO_RECORDS struct records records = RECORDS_INIT;
    AUTO_TARGET(target);
    struct err err = { 0 };
    (void)args;
    CLEANUP(docker_config_free) struct docker_config *config = options->format || options->quiet ? NULL : docker_config_load(cli->config_dir);
    const char *format = config ? docker_config_text(config, "psFormat") : options->format;
    bool own = !str_empty(format) && !str_eq(format, "table") && !str_eq(format, "raw");
    bool size = options->size || (own && !options->quiet && strstr(format, ".Size"));
    if (own && options->quiet) {
        fprintf(stderr, "WARNING: Ignoring custom format, because both --format and --quiet are set.\n");
        format = NULL;
    }
    put_target(options, size, &target);
    if (api_get_list(cli, target.data, &container_summary_type, &list, &err) < 0)
        return cli_fail(cli, &err);
    for (size_t i = 0; i < list.count; i++)
        container_record_fill(records_add(&records), &list.items[i], !options->no_trunc);
    api_list_clear(&container_summary_type, &list);
    return format_print(cli, options->size ? &list_kind_size : &container_kind, format, options->quiet, &records);
}

const struct command command_container_ls = {
    .path = "container ls",
    .top = "ps",
    .aliases = { "list", "ps" },
    .usage = "[OPTIONS]",
    .help = "List containers",
    .common = 3,
    .flags = list_flags,
    .options_size = sizeof(struct list_options),
    .run = run_list,
};
