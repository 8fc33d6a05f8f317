#include "cli/format.h"

#include "cli/api.h"
#include "cli/table.h"
#include "lib/base/str.h"

#include <stdio.h>

/* ---- records ---- */

struct record *records_add(struct records *records)
{
    records->items = xreallocarray(records->items, records->count + 1, sizeof *records->items);
    struct record *record = &records->items[records->count++];
    *record = (struct record){ .members = json_new_map() };
    return record;
}

void records_done(struct records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        json_free(records->items[i].members);
        if (records->items[i].labels)
            json_free(records->items[i].labels);
    }
    free(records->items);
    *records = (struct records)RECORDS_INIT;
}

void record_text(struct record *record, const char *member, const char *text)
{
    json_set_take(record->members, member, json_new_text(text ? text : ""));
}

void record_take(struct record *record, const char *member, char *text)
{
    record_text(record, member, text);
    free(text);
}

void record_json(struct record *record, const char *member, struct json *value)
{
    json_set_take(record->members, member, value);
}

void record_label_map(struct record *record, const struct str_map *labels)
{
    record->labels = json_new_map();
    for (size_t i = 0; i < str_map_count(labels); i++)
        json_set_take(record->labels, labels->keys[i], json_new_text(labels->values[i]));
}

void record_labels(struct record *record, const struct str_map *labels)
{
    CLEANUP(strv_free) char **pairs = NULL;
    for (size_t i = 0; i < str_map_count(labels); i++)
        strv_append_take(&pairs, str_format("%s=%s", labels->keys[i], labels->values[i]));
    strv_sort(pairs);
    record_take(record, "Labels", strv_join(pairs, ","));
    record_label_map(record, labels);
}

/* ---- templates ---- */

/* In formats, \t and \n may be written as two characters. */
static char *unescape(const char *text)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    for (; *text; text++) {
        if (*text == '\\' && (text[1] == 't' || text[1] == 'n'))
            buf_putc(&out, *++text == 't' ? '\t' : '\n');
        else
            buf_putc(&out, *text);
    }
    return buf_take(&out);
}

static char *without_blanks(const char *text)
{
    size_t length = strlen(text), start = strspn(text, " ");
    while (length > start && text[length - 1] == ' ')
        length--;
    return xstrndup(text + start, length - start);
}

static const char *chosen_template(const struct format_kind *kind, const char *template, bool quiet)
{
    if (str_empty(template) || str_eq(template, "table"))
        return quiet && kind->quiet ? kind->quiet : NULL;
    if (str_eq(template, "raw") && kind->raw)
        return quiet && kind->quiet_raw ? kind->quiet_raw : kind->raw;
    return str_eq(template, "json") ? "{{json .}}" : template;
}

int format_stream_init(struct format_stream *ret, const struct format_kind *kind, const char *template, bool quiet,
                       struct err *err)
{
    const char *chosen = chosen_template(kind, template, quiet);
    AUTO_FREE char *table = NULL;
    *ret = (struct format_stream){ .kind = kind };
    if (!chosen)
        chosen = table = str_format("table %s", kind->table);
    ret->is_table = str_starts(chosen, "table");
    AUTO_FREE char *trimmed = without_blanks(chosen + (ret->is_table ? 5 : 0));
    AUTO_FREE char *text = unescape(trimmed);
    if (template_parse("", text, &ret->template, err) < 0)
        return err_wrap(err, "%s", kind->failure ? "failed to parse template" : "template parsing error");
    return 0;
}

void format_stream_done(struct format_stream *stream)
{
    template_free(stream->template);
    stream->template = NULL;
}

int format_stream_titles(const struct format_stream *stream, struct buf *out, struct err *err)
{
    CLEANUP(json_free) struct json *titles = json_new_map();
    for (const struct format_member *member = stream->kind->members; member->name; member++)
        if (member->title)
            json_set_take(titles, member->name, json_new_text(member->title));
    struct template_data data = { .json = titles, .is_header = true };
    if (template_execute(stream->template, &data, out, err) < 0)
        return err_wrap(err, "template parsing error");
    buf_putc(out, '\n');
    return 0;
}

int format_stream_record(const struct format_stream *stream, const struct record *record, struct buf *out,
                         struct err *err)
{
    const struct format_kind *kind = stream->kind;
    CLEANUP(json_free) struct json *none = kind->has_label && !record->labels ? json_new_map() : NULL;
    struct template_data data = {
        .json = record->members,
        .go_type = kind->go_type,
        .labels = !kind->has_label ? NULL
                  : record->labels ? record->labels
                                   : none,
    };
    if (template_execute(stream->template, &data, out, err) < 0)
        return err_wrap(err, "%s", kind->failure ? kind->failure : "template parsing error");
    buf_putc(out, '\n');
    return 0;
}

int format_write(const struct format_kind *kind, const char *template, bool quiet, const struct records *records,
                 struct buf *out, struct err *err)
{
    AUTO_FORMAT_STREAM struct format_stream stream;
    AUTO_BUF struct buf lines = BUF_INIT(BUF_TEXT_MAX);
    if (format_stream_init(&stream, kind, template, quiet, err) < 0)
        return -1;
    if (stream.is_table && format_stream_titles(&stream, &lines, err) < 0)
        return -1;
    for (size_t i = 0; i < records->count; i++)
        if (format_stream_record(&stream, &records->items[i], &lines, err) < 0)
            return -1;
    if (buf_failed(&lines))
        return err_set(err, ERR_INVALID, "the output is larger than %zu bytes", lines.max);
    if (stream.is_table)
        table_layout(lines.data ? lines.data : "", lines.length, TABLE_MIN_WIDTH, TABLE_PADDING, out);
    else
        buf_append(out, lines.data, lines.length);
    return 0;
}

int format_print(struct cli *cli, const struct format_kind *kind, const char *template, bool quiet,
                 const struct records *records)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX * 2);
    struct err err = { 0 };
    if (format_write(kind, template, quiet, records, &out, &err) < 0)
        return cli_fail(cli, &err);
    fwrite(out.data ? out.data : "", 1, out.length, stdout);
    return 0;
}

int format_object(const char *name, const char *template, const struct json *json, const char *go_type,
                  const struct codec_type *type, struct buf *out, struct err *err)
{
    CLEANUP(template_free) struct template *parsed = NULL;
    if (template_parse(name, str_eq(template, "json") ? "{{json .}}" : template, &parsed, err) < 0)
        return -1;
    struct template_data data = { .json = json, .go_type = go_type, .type = type };
    int status = template_execute(parsed, &data, out, err);
    buf_putc(out, '\n');
    return status;
}
