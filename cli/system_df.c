/* holk system df: what images, containers, volumes and the build cache take, and what could be had back. */
#include "cli/command.h"
#include "cli/container.h"
#include "cli/format.h"
#include "cli/image_records.h"
#include "cli/volume.h"
#include "lib/api/system.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"

#include <stdio.h>

struct options {
    bool verbose;
    char *format;
};
static const struct flag flags[] = {
    FLAG_STR_(struct options, format, "format", 0, FORMAT_LIST_HELP),
    FLAG_BOOL_(struct options, verbose, "verbose", 'v', "Show every image, container, volume and cache entry"),
    FLAG_END,
};

/* ---- the sums ---- */

static const struct format_member sum_members[] = {
    { "Active", "ACTIVE" }, { "Reclaimable", "RECLAIMABLE" },
    { "Size", "SIZE" },     { "TotalCount", "TOTAL" },
    { "Type", "TYPE" },     { NULL, NULL },
};
static const struct format_kind sum_kind = {
    .go_type = "*formatter.diskUsageImagesContext",
    .members = sum_members,
    .table = "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
    .raw = "type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: "
           "{{.Reclaimable}}\n",
};

struct sum {
    const char *type;
    size_t count, active;
    int64_t size, reclaimable;
    bool percent;
};

static void add_sum(struct records *records, const struct sum *sum)
{
    struct record *record = records_add(records);
    AUTO_FREE char *reclaimable = units_size((double)sum->reclaimable, 4);
    record_text(record, "Type", sum->type);
    record_take(record, "TotalCount", str_format("%zu", sum->count));
    record_take(record, "Active", str_format("%zu", sum->active));
    record_take(record, "Size", units_size((double)sum->size, 4));
    if (sum->percent && sum->size > 0)
        record_take(record, "Reclaimable",
                    str_format("%s (%lld%%)", reclaimable, (long long)(sum->reclaimable * 100 / sum->size)));
    else
        record_text(record, "Reclaimable", reclaimable);
}

static struct sum sum_images(const struct disk_usage *usage)
{
    struct sum sum = { "Images", usage->images.count, 0, usage->layers_size, usage->layers_size, true };
    for (size_t i = 0; i < usage->images.count; i++) {
        const struct image_summary *image = &usage->images.items[i];
        sum.active += image->containers > 0;
        if (image->containers && image->size != -1 && image->shared_size != -1)
            sum.reclaimable -= image->size - image->shared_size;
    }
    return sum;
}

static struct sum sum_containers(const struct disk_usage *usage)
{
    struct sum sum = { "Containers", usage->containers.count, 0, 0, 0, true };
    for (size_t i = 0; i < usage->containers.count; i++) {
        const struct container_summary *container = &usage->containers.items[i];
        bool active = str_eq(container->state, "running") || str_eq(container->state, "paused") ||
                      str_eq(container->state, "restarting");
        sum.active += active;
        sum.size += container->size_rw;
        sum.reclaimable += active ? 0 : container->size_rw;
    }
    return sum;
}

static struct sum sum_volumes(const struct disk_usage *usage)
{
    struct sum sum = { "Local Volumes", usage->volumes.count, 0, 0, 0, true };
    for (size_t i = 0; i < usage->volumes.count; i++) {
        const struct volume_usage_data *data = usage->volumes.items[i].usage_data;
        int64_t size = data && data->size != -1 ? data->size : 0;
        sum.active += data && data->ref_count > 0;
        sum.size += size;
        sum.reclaimable += data && !data->ref_count ? size : 0;
    }
    return sum;
}

static struct sum sum_cache(const struct disk_usage *usage)
{
    struct sum sum = { "Build Cache", usage->build_cache.count, 0, 0, 0, false };
    for (size_t i = 0; i < usage->build_cache.count; i++) {
        const struct build_cache_record *entry = &usage->build_cache.items[i];
        sum.active += entry->in_use;
        sum.size += entry->shared ? 0 : entry->size;
        sum.reclaimable += entry->shared || entry->in_use ? 0 : entry->size;
    }
    return sum;
}

static int print_sums(struct cli *cli, const struct disk_usage *usage, const char *format)
{
    AUTO_RECORDS struct records records = RECORDS_INIT;
    struct sum sums[] = { sum_images(usage), sum_containers(usage), sum_volumes(usage), sum_cache(usage) };
    for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
        add_sum(&records, &sums[i]);
    return format_print(cli, &sum_kind, format, false, &records);
}

/* ---- everything ---- */

static const struct format_member cache_members[] = {
    { "CacheType", "CACHE TYPE" },
    { "CreatedAt", "CREATED AT" },
    { "CreatedSince", "CREATED" },
    { "Description", "DESCRIPTION" },
    { "ID", "CACHE ID" },
    { "InUse", "IN USE" },
    { "LastUsedAt", "LAST USED AT" },
    { "LastUsedSince", "LAST USED" },
    { "Parent", "PARENT" },
    { "Shared", "SHARED" },
    { "Size", "SIZE" },
    { "UsageCount", "USAGE" },
    { NULL, NULL },
};
static const struct format_kind cache_kind = {
    .go_type = "*formatter.buildCacheContext",
    .members = cache_members,
    .table = "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}",
};

struct detail {
    struct records images, containers, volumes, cache;
};

static void fill_cache(struct record *record, const struct build_cache_record *entry, bool trunc)
{
    AUTO_FREE char *id = trunc ? units_short_id(entry->id) : xstrdup(entry->id),
                   *parents = strv_join(entry->parents, ", ");
    int64_t used = 0;
    bool was_used = !str_empty(entry->last_used_at) && time_parse_rfc3339(entry->last_used_at, &used) == 0;
    record_text(record, "CacheType", entry->type);
    record_take(record, "CreatedAt", units_go_time(entry->created_at));
    record_take(record, "CreatedSince", units_ago(entry->created_at / NANOS_PER_SECOND));
    record_text(record, "Description", entry->description);
    record_take(record, "ID", str_format("%s%s", id, entry->in_use ? "*" : ""));
    record_text(record, "InUse", entry->in_use ? "true" : "false");
    record_take(record, "LastUsedAt", was_used ? units_go_time(used) : xstrdup(""));
    record_take(record, "LastUsedSince", was_used ? units_ago(used / NANOS_PER_SECOND) : xstrdup(""));
    record_text(record, "Parent", parents);
    record_text(record, "Shared", entry->shared ? "true" : "false");
    record_take(record, "Size", units_size((double)entry->size, 4));
    record_take(record, "UsageCount", str_format("%lld", (long long)entry->usage_count));
}

static void fill_image(struct record *record, const struct image_summary *image, bool trunc)
{
    const char *tag = image->repo_tags ? image->repo_tags[0] : NULL;
    AUTO_FREE char *repository = tag && !str_eq(tag, "<none>:<none>") ? image_repository(tag) : NULL;
    image_record_fill(record, image, repository ? repository : "<none>", repository ? strrchr(tag, ':') + 1 : "<none>",
                      "", !trunc);
}

static void collect(struct disk_usage *usage, bool trunc, struct detail *ret)
{
    for (size_t i = 0; i < usage->images.count; i++)
        fill_image(records_add(&ret->images), &usage->images.items[i], trunc);
    for (size_t i = 0; i < usage->containers.count; i++) {
        usage->containers.items[i].size_root_fs = 0; /* only its own part counts here */
        container_record_fill(records_add(&ret->containers), &usage->containers.items[i], trunc);
    }
    for (size_t i = 0; i < usage->volumes.count; i++)
        volume_record_fill(records_add(&ret->volumes), &usage->volumes.items[i]);
    for (size_t i = 0; i < usage->build_cache.count; i++)
        fill_cache(records_add(&ret->cache), &usage->build_cache.items[i], trunc);
}

static void detail_done(struct detail *detail)
{
    records_done(&detail->images);
    records_done(&detail->containers);
    records_done(&detail->volumes);
    records_done(&detail->cache);
}

static int print_tables(struct cli *cli, const struct disk_usage *usage, const struct detail *detail)
{
    AUTO_FREE char *cache_size = units_size((double)sum_cache(usage).size, 4);
    AUTO_FREE char *cache_title = str_format("\nBuild cache usage: %s\n\n", cache_size);
    const struct {
        const char *title, *table;
        const struct format_kind *kind;
        const struct records *records;
    } parts[] = {
        { "Images space usage:\n\n",
          "table "
          "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{."
          "Containers}}",
          &image_kind, &detail->images },
        { "\nContainers space usage:\n\n",
          "table "
          "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}",
          &container_kind, &detail->containers },
        { "\nLocal Volumes space usage:\n\n", "table {{.Name}}\t{{.Links}}\t{{.Size}}", &volume_kind,
          &detail->volumes },
        { cache_title, NULL, &cache_kind, &detail->cache },
    };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        fputs(parts[i].title, stdout);
        int code = format_print(cli, parts[i].kind, parts[i].table, false, parts[i].records);
        if (code)
            return code;
    }
    return 0;
}

/* Moves the records' members into a list. */
static struct json *as_list(struct records *records)
{
    struct json *list = json_new_list();
    for (size_t i = 0; i < records->count; i++) {
        json_add_take(list, records->items[i].members);
        records->items[i].members = json_new_map();
    }
    return list;
}

static int print_object(struct cli *cli, struct detail *detail, const char *format)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    CLEANUP(json_free) struct json *json = json_new_map();
    struct err err = { 0 };
    json_set_take(json, "Images", as_list(&detail->images));
    json_set_take(json, "Containers", as_list(&detail->containers));
    json_set_take(json, "Volumes", as_list(&detail->volumes));
    json_set_take(json, "BuildCache", as_list(&detail->cache));
    if (str_eq(format, "json") || str_eq(format, "{{json .}}")) {
        json_write(json, &out);
    } else if (format_object("", format, json, "*formatter.diskUsageContext", NULL, &out, &err) < 0) {
        return cli_fail(cli, &err);
    }
    bool newline = out.length && out.data[out.length - 1] == '\n'; /* Docker's client writes none here */
    fwrite(out.data, 1, out.length - newline, stdout);
    return 0;
}

static int run_df(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct options *options = arg;
    bool text = str_empty(options->format) || str_eq(options->format, "table");
    struct disk_usage usage;
    struct detail detail = { 0 };
    struct err err = { 0 };
    int code;
    if (api_get(cli, "/system/df", &disk_usage_type, &usage, &err) < 0)
        return cli_fail(cli, &err);
    if (options->verbose)
        collect(&usage, text, &detail);
    if (!options->verbose)
        code = print_sums(cli, &usage, options->format);
    else
        code = text ? print_tables(cli, &usage, &detail) : print_object(cli, &detail, options->format);
    codec_clear(&disk_usage_type, &usage);
    detail_done(&detail);
    return code;
}

const struct command command_system_df = {
    .path = "system df",
    .usage = "[OPTIONS]",
    .help = "Show disk usage",
    .flags = flags,
    .options_size = sizeof(struct options),
    .run = run_df,
};
