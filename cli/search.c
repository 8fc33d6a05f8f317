/* holk search: what Docker Hub has. */
#include "cli/command.h"
#include "cli/docker_config.h"
#include "cli/format.h"
#include "lib/api/image.h"
#include "lib/base/str.h"

#define DESCRIPTION_WIDTH 45

struct options {
    char **filters;
    char *format;
    int64_t limit;
    bool no_trunc;
};
static const struct flag flags[] = {
    FLAG_STRV_(struct options, filters, "filter", 'f', FLAG_FILTER_HELP, .shown = "filter", .check = flag_check_filter),
    FLAG_STR_(struct options, format, "format", 0, FORMAT_LIST_HELP),
    FLAG_I64_(struct options, limit, "limit", 0, "At most so many results"),
    FLAG_BOOL_(struct options, no_trunc, "no-trunc", 0, "Show whole descriptions"),
    FLAG_END,
};
static const struct format_member members[] = {
    { "Description", "DESCRIPTION" }, { "IsAutomated", "AUTOMATED" },
    { "IsOfficial", "OFFICIAL" },     { "Name", "NAME" },
    { "StarCount", "STARS" },         { NULL, NULL },
};
static const struct format_kind kind = {
    .go_type = "*registry.searchContext",
    .members = members,
    .table = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
};

static void fill(struct record *record, const struct image_search_result *result, bool no_trunc)
{
    AUTO_FREE char *line = xstrdup(result->description ? result->description : "");
    for (char *c = line; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    record_take(record, "Description", no_trunc ? xstrdup(line) : units_ellipsis(line, DESCRIPTION_WIDTH));
    record_text(record, "IsAutomated", result->is_automated ? "[OK]" : "");
    record_text(record, "IsOfficial", result->is_official ? "[OK]" : "");
    record_text(record, "Name", result->name);
    record_take(record, "StarCount", str_format("%lld", (long long)result->star_count));
}

static int run_search(struct cli *cli, void *arg, char **args)
{
    const struct options *options = arg;
    AUTO_TARGET(target);
    AUTO_RECORDS struct records records = RECORDS_INIT;
    CODEC_LIST(struct image_search_result) list = { 0 };
    struct err err = { 0 };
    buf_puts(&target, "/images/search");
    http_query_add(&target, "term", args[0]);
    if (options->limit)
        api_query_i64(&target, "limit", options->limit);
    api_query_filters(&target, options->filters);
    if (api_get_list(cli, target.data, &image_search_result_type, &list, &err) < 0)
        return cli_fail(cli, &err);
    for (size_t i = 0; i < list.count; i++)
        fill(records_add(&records), &list.items[i], options->no_trunc);
    api_list_clear(&image_search_result_type, &list);
    return format_print(cli, &kind, options->format, false, &records);
}

const struct command command_search = {
    .path = "search",
    .usage = "[OPTIONS] TERM",
    .help = "Search Docker Hub for images",
    .common = 10,
    .flags = flags,
    .options_size = sizeof(struct options),
    .min_args = 1,
    .max_args = 1,
    .run = run_search,
};
