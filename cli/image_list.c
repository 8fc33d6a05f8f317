/* holk images, holk history. */
#include "cli/command.h"
#include "cli/docker_config.h"
#include "cli/image_records.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"

#include <stdio.h>
#include <time.h>

struct list_options {
    bool all, digests, no_trunc, quiet, tree;
    char **filters;
    char *format;
};
static const struct flag list_flags[] = {
    FLAG_BOOL_(struct list_options, all, "all", 'a', "Show intermediate images too"),
    FLAG_BOOL_(struct list_options, digests, "digests", 0, "Show digests"),
    FLAG_STRV_(struct list_options, filters, "filter", 'f', FLAG_FILTER_HELP, .shown = "filter",
               .check = flag_check_filter),
    FLAG_STR_(struct list_options, format, "format", 0, FORMAT_LIST_HELP),
    FLAG_BOOL_(struct list_options, no_trunc, "no-trunc", 0, "Show whole ids"),
    FLAG_BOOL_(struct list_options, quiet, "quiet", 'q', "Only show image IDs"),
    FLAG_BOOL_(struct list_options, tree, "tree", 0, "Not supported", .hidden = true),
    FLAG_END,
};

typedef CODEC_LIST(struct image_summary) image_list;

static void query_images(const struct list_options *options, const char *reference, struct buf *target)
{
    CLEANUP(strv_free) char **filters = strv_dup(options->filters);
    if (reference)
        strv_append_take(&filters, str_format("reference=%s", reference));
    buf_puts(target, "/images/json");
    api_query_bool(target, "all", options->all);
    api_query_filters(target, filters);
}

/* `holk images ls` lists images named "ls"; there are none, and something else was meant. */
static void hint_at_subcommand(const struct cli *cli, const char *reference)
{
    static const char *const others[] = { "build", "history", "import", "inspect", "list", "load", "ls",
                                          "prune", "pull",    "push",   "rm",      "save", "tag" };
    for (size_t i = 0; i < ARRAY_SIZE(others) && str_eq(cli->name, "images"); i++)
        if (str_eq(reference, others[i]))
            fprintf(stderr, "\nNo images found matching \"%s\": did you mean \"holk image %s\"?\n", reference,
                    reference);
}

static int run_list(struct cli *cli, void *arg, char **args)
{
    const struct list_options *options = arg;
    CLEANUP(docker_config_free) struct docker_config *config = docker_config_load(cli->config_dir);
    AUTO_TARGET(target);
    image_list list = { 0 };
    AUTO_RECORDS struct records records = RECORDS_INIT;
    struct err err = { 0 };
    const char *format = options->format;
    if (options->tree) {
        err_set(&err, ERR_UNSUPPORTED, "--tree is not supported");
        return cli_fail(cli, &err);
    }
    if (str_empty(format) && !options->quiet)
        format = docker_config_text(config, "imagesFormat");
    query_images(options, args[0], &target);
    if (api_get_list(cli, target.data, &image_summary_type, &list, &err) < 0)
        return cli_fail(cli, &err);
    struct image_rows how = { .digests = options->digests || image_needs_digests(format),
                              .no_trunc = options->no_trunc };
    for (size_t i = 0; i < list.count; i++)
        image_records_add(&records, &list.items[i], &how);
    size_t found = list.count;
    api_list_clear(&image_summary_type, &list);
    int code =
        format_print(cli, options->digests ? &image_digests_kind : &image_kind, format, options->quiet, &records);
    (void)fflush(stdout);
    if (!found && args[0])
        hint_at_subcommand(cli, args[0]);
    return code;
}

const struct command command_image_ls = {
    .path = "image ls",
    .top = "images",
    .aliases = { "list" },
    .usage = "[OPTIONS] [REPOSITORY[:TAG]]",
    .help = "List images",
    .common = 7,
    .flags = list_flags,
    .options_size = sizeof(struct list_options),
    .max_args = 1,
    .run = run_list,
};

/* ---- history ---- */

struct history_options {
    char *format, *platform;
    bool human, no_trunc, quiet;
};
static const struct flag history_flags[] = {
    FLAG_STR_(struct history_options, format, "format", 0, FORMAT_LIST_HELP),
    FLAG_BOOL_(struct history_options, human, "human", 'H', "Sizes and dates for people to read", .initial = "true"),
    FLAG_BOOL_(struct history_options, no_trunc, "no-trunc", 0, "Show whole ids and commands"),
    FLAG_STR_(struct history_options, platform, "platform", 0, "Of that variant: \"os[/arch[/variant]]\""),
    FLAG_BOOL_(struct history_options, quiet, "quiet", 'q', "Only show image IDs"),
    FLAG_END,
};

static const struct format_member history_members[] = {
    { "Comment", "COMMENT" },
    { "CreatedAt", "CREATED AT" },
    { "CreatedBy", "CREATED BY" },
    { "CreatedSince", "CREATED" },
    { "ID", "IMAGE" },
    { "Size", "SIZE" },
    { NULL, NULL },
};
static const struct format_kind history_kind = {
    .go_type = "*image.historyContext",
    .members = history_members,
    .table = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    .quiet = "{{.ID}}",
};
static const struct format_kind exact_history_kind = {
    .go_type = "*image.historyContext",
    .members = history_members,
    .table = "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    .quiet = "{{.ID}}",
};

static char *local_rfc3339(int64_t seconds)
{
    struct tm tm;
    time_t when = (time_t)seconds;
    char date[40], zone[16];
    if (!localtime_r(&when, &tm))
        return xstrdup("");
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof zone, "%z", &tm);
    return tm.tm_gmtoff ? str_format("%s%.3s:%s", date, zone, zone + 3) : str_format("%sZ", date);
}

static char *one_line(const char *text)
{
    char *line = xstrdup(text ? text : "");
    for (char *c = line; *c; c++)
        if (*c == '\t')
            *c = ' ';
    return line;
}

static void fill_history(struct record *record, const struct image_history_item *item,
                         const struct history_options *options)
{
    bool human = options->human, dated = item->created > INT64_C(-62135596800);
    AUTO_FREE char *by = one_line(item->created_by);
    record_text(record, "Comment", item->comment);
    record_take(record, "CreatedAt", dated ? local_rfc3339(item->created) : xstrdup("N/A"));
    record_take(record, "CreatedBy", options->no_trunc ? xstrdup(by) : units_ellipsis(by, 45));
    record_take(record, "CreatedSince",
                !dated  ? xstrdup("N/A")
                : human ? units_ago(item->created)
                        : local_rfc3339(item->created));
    record_take(record, "ID", options->no_trunc ? xstrdup(item->id) : units_short_id(item->id));
    record_take(record, "Size", human ? units_size((double)item->size, 3) : str_format("%lld", (long long)item->size));
}

static int run_history(struct cli *cli, void *arg, char **args)
{
    const struct history_options *options = arg;
    AUTO_TARGET(target);
    CODEC_LIST(struct image_history_item) list = { 0 };
    AUTO_RECORDS struct records records = RECORDS_INIT;
    struct err err = { 0 };
    api_path(&target, "/images/%s/history", args[0]);
    image_query_platform(&target, "platform", options->platform);
    if (api_get_list(cli, target.data, &image_history_item_type, &list, &err) < 0)
        return cli_fail(cli, &err);
    for (size_t i = 0; i < list.count; i++)
        fill_history(records_add(&records), &list.items[i], options);
    api_list_clear(&image_history_item_type, &list);
    return format_print(cli, options->human ? &history_kind : &exact_history_kind, options->format, options->quiet,
                        &records);
}

const struct command command_image_history = {
    .path = "image history",
    .top = "history",
    .usage = "[OPTIONS] IMAGE",
    .help = "Show how an image came to be, layer by layer",
    .flags = history_flags,
    .options_size = sizeof(struct history_options),
    .min_args = 1,
    .max_args = 1,
    .run = run_history,
};
