/* Printing lists as Docker's listing commands do: a table with titles, a table of one's own ("table
 * {{.ID}}\t{{.Size}}"), one JSON object a line ("json"), or any template run once for each record.
 *
 *     static const struct format_member volume_members[] = { { "Driver", "DRIVER" }, { "Name", "VOLUME NAME" }, ..., {
 * NULL } }; static const struct format_kind volume_kind = { .go_type = "*formatter.volumeContext", .members =
 * volume_members, .table = "{{.Driver}}\t{{.Name}}", .quiet = "{{.Name}}", .has_label = true,
 *     };
 *     AUTO_RECORDS struct records records = RECORDS_INIT;
 *     struct record *record = records_add(&records);
 *     record_text(record, "Name", volume->name);
 *     return format_print(cli, &volume_kind, options->format, options->quiet, &records);
 *
 * Every member must be set in every record; json prints them in alphabetical order. */
#pragma once
#include "cli/json_text.h"
#include "cli/template.h"
#include "cli/units.h"

#include <stdbool.h>
#include <stdint.h>

struct cli;

struct record {
    struct json *members;
    struct json *labels; /* what .Label "key" looks in; NULL: none */
};
struct records {
    struct record *items;
    size_t count;
};
#define RECORDS_INIT                                                                                                   \
    {                                                                                                                  \
        .items = NULL                                                                                                  \
    }
struct record *records_add(struct records *records); /* valid until the next one is added */
void records_done(struct records *records);
#define AUTO_RECORDS __attribute__((cleanup(records_done)))
void record_text(struct record *record, const char *member, const char *text);   /* NULL is "" */
void record_take(struct record *record, const char *member, char *text);         /* frees text */
void record_json(struct record *record, const char *member, struct json *value); /* takes value */
void record_labels(struct record *record,
                   const struct str_map *labels); /* members Labels ("a=b,c=d", sorted) and .Label */
void record_label_map(struct record *record, const struct str_map *labels); /* .Label alone */

struct format_member {
    const char *name;
    const char *title; /* NULL: has no title in a table */
};
struct format_kind {
    const char *go_type;                 /* as Docker's messages name the record */
    const struct format_member *members; /* ends with a NULL name */
    const char *table;                   /* template of --format table (the default) */
    const char *raw;                     /* of --format raw; NULL: no such word */
    const char *quiet;                   /* with -q; NULL: there is no -q */
    const char *quiet_raw;               /* with -q and --format raw */
    const char *failure;                 /* before a message about running it; NULL = "template parsing error: " */
    bool has_label;                      /* .Label "key" exists */
};
/* template NULL or "": table. Appends to out. ERR_INVALID with the text to print. */
int format_write(const struct format_kind *kind, const char *template, bool quiet, const struct records *records,
                 struct buf *out, struct err *err);
/* The same onto stdout; the exit code (the failure is printed). */
int format_print(struct cli *cli, const struct format_kind *kind, const char *template, bool quiet,
                 const struct records *records);

/* One record at a time, for streams (events, stats). */
struct format_stream {
    const struct format_kind *kind;
    struct template *template;
    bool is_table;
};
int format_stream_init(struct format_stream *ret, const struct format_kind *kind, const char *template, bool quiet,
                       struct err *err);
void format_stream_done(struct format_stream *stream);
#define AUTO_FORMAT_STREAM __attribute__((cleanup(format_stream_done)))
/* The line of titles (only when is_table: then pass everything through table_layout) and one record with its newline.
 */
int format_stream_titles(const struct format_stream *stream, struct buf *out, struct err *err);
int format_stream_record(const struct format_stream *stream, const struct record *record, struct buf *out,
                         struct err *err);

/* One object that is not a record: system info, version, inspect. --format TEMPLATE or "json"; json is printed by the
 * template function; type: its table, or NULL. go_type as in template_data. Adds the newline. */
int format_object(const char *name, const char *template, const struct json *json, const char *go_type,
                  const struct codec_type *type, struct buf *out, struct err *err);
