#include "cli/image_records.h"

#include "cli/reference.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/http/http.h"

#define NONE "<none>"

static const struct format_member image_members[] = {
    { "Containers", "CONTAINERS" },
    { "CreatedAt", "CREATED AT" },
    { "CreatedSince", "CREATED" },
    { "Digest", "DIGEST" },
    { "ID", "IMAGE ID" },
    { "Repository", "REPOSITORY" },
    { "SharedSize", "SHARED SIZE" },
    { "Size", "SIZE" },
    { "Tag", "TAG" },
    { "UniqueSize", "UNIQUE SIZE" },
    { "VirtualSize", "SIZE" },
    { NULL, NULL },
};

#define RAW_START "repository: {{.Repository}}\n{{if .Tag}}tag: {{.Tag}}\n"
#define RAW_END "image_id: {{.ID}}\ncreated_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n"

const struct format_kind image_kind = {
    .go_type = "*formatter.imageContext",
    .members = image_members,
    .table = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}",
    .raw = RAW_START "{{end}}" RAW_END,
    .quiet = "{{.ID}}",
    .quiet_raw = "image_id: {{.ID}}",
};
const struct format_kind image_digests_kind = {
    .go_type = "*formatter.imageContext",
    .members = image_members,
    .table = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{if .CreatedSince "
             "}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}",
    .raw = RAW_START "{{end}}{{if .Digest}}digest: {{.Digest}}\n{{end}}" RAW_END,
    .quiet = "{{.ID}}",
    .quiet_raw = "image_id: {{.ID}}",
};

bool image_needs_digests(const char *template)
{
    return !str_empty(template) && strstr(template, "{{.Digest}}");
}

char *image_repository(const char *text)
{
    AUTO_REFERENCE struct reference reference = { 0 };
    struct err err = { 0 };
    return reference_parse(text, &reference, &err) < 0 ? NULL : reference_familiar_name(&reference);
}

void image_query_platform(struct buf *target, const char *key, const char *platform)
{
    static const char *const names[] = { "os", "architecture", "variant" };
    if (str_empty(platform))
        return;
    CLEANUP(strv_free) char **parts = strv_split(platform, '/', false);
    CLEANUP(json_free) struct json *json = json_new_map();
    AUTO_BUF struct buf text = BUF_INIT(4096);
    for (size_t i = 0; i < ARRAY_SIZE(names) && parts[i]; i++)
        json_set_take(json, names[i], json_new_text(parts[i]));
    json_write(json, &text);
    http_query_add(target, key, text.data);
}

static void put_size(struct record *record, const char *member, int64_t size, bool known, int digits)
{
    record_take(record, member, known ? units_size((double)size, digits) : xstrdup("N/A"));
}

void image_record_fill(struct record *record, const struct image_summary *image, const char *repository,
                       const char *tag, const char *digest, bool no_trunc)
{
    bool has_date = image->created != INT64_C(-62135596800); /* Go's zero time */
    record_take(record, "Containers",
                image->containers < 0 ? xstrdup("N/A") : str_format("%lld", (long long)image->containers));
    record_take(record, "CreatedAt", units_local_time(image->created));
    record_take(record, "CreatedSince", has_date ? units_ago(image->created) : xstrdup(""));
    record_text(record, "Digest", digest ? digest : NONE);
    record_take(record, "ID", no_trunc ? xstrdup(image->id) : units_short_id(image->id));
    record_text(record, "Repository", repository);
    put_size(record, "SharedSize", image->shared_size, image->shared_size != -1, 4);
    put_size(record, "Size", image->size, true, 3);
    record_text(record, "Tag", tag);
    put_size(record, "UniqueSize", image->size - image->shared_size, image->shared_size != -1 && image->size != -1, 4);
    put_size(record, "VirtualSize", image->size, true, 4);
}

static void add(struct records *records, const struct image_summary *image, const struct image_rows *how,
                const char *repository, const char *tag, const char *digest)
{
    image_record_fill(records_add(records), image, repository, tag, digest, how->no_trunc);
}

static const char *part_of(const char *reference, char separator)
{
    const char *at = strrchr(reference, separator);
    return at ? at + 1 : NONE;
}

/* A tag's rows: one, or one for every digest of the same repository. */
static void add_tag(struct records *records, const struct image_summary *image, const struct image_rows *how,
                    const char *tag)
{
    AUTO_FREE char *repository = image_repository(tag);
    bool any = false;
    if (!repository)
        return;
    for (char **digest = image->repo_digests; how->digests && digest && *digest; digest++) {
        AUTO_FREE char *of = image_repository(*digest);
        if (!str_eq(of, repository))
            continue;
        add(records, image, how, repository, part_of(tag, ':'), part_of(*digest, '@'));
        any = true;
    }
    if (!any)
        add(records, image, how, repository, part_of(tag, ':'), NULL);
}

static bool has_tag(const struct image_summary *image, const char *repository)
{
    for (char **tag = image->repo_tags; tag && *tag; tag++) {
        AUTO_FREE char *of = image_repository(*tag);
        if (str_eq(of, repository))
            return true;
    }
    return false;
}

/* Digests of repositories that have no tag. Without digests to show, one row for each repository. */
static void add_digests(struct records *records, const struct image_summary *image, const struct image_rows *how)
{
    CLEANUP(strv_free) char **seen = NULL;
    for (char **digest = image->repo_digests; digest && *digest; digest++) {
        AUTO_FREE char *repository = image_repository(*digest);
        if (!repository || has_tag(image, repository) || (!how->digests && strv_contains(seen, repository)))
            continue;
        strv_append(&seen, repository);
        add(records, image, how, repository, NONE, how->digests ? part_of(*digest, '@') : NULL);
    }
}

void image_records_add(struct records *records, const struct image_summary *image, const struct image_rows *how)
{
    size_t tags = strv_length(image->repo_tags), digests = strv_length(image->repo_digests);
    bool dangling = (!tags && !digests) || (tags == 1 && digests == 1 && str_eq(image->repo_tags[0], NONE ":" NONE) &&
                                            str_eq(image->repo_digests[0], NONE "@" NONE));
    if (dangling) {
        add(records, image, how, NONE, NONE, NULL);
        return;
    }
    for (char **tag = image->repo_tags; tag && *tag; tag++)
        add_tag(records, image, how, *tag);
    add_digests(records, image, how);
}
