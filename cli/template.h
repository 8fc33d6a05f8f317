/* The language of --format: Go's text/template over JSON values, with the functions that Docker's clients add
 * (json split join title lower upper pad truncate). Parsing and running fail in Go's words, because scripts
 * and people read them: "template: :1:2: executing "" at <.Foo>: map has no entry for key "Foo"". Callers put
 * "template parsing error: " in front, where Docker does.
 *
 * What a name means depends on what it is looked up in:
 *   - a record (go_type set): one of its members or an error; .Label "key" looks into the member labels;
 *   - a struct described by a codec table: a member, its zero value when the JSON left it out, or an error;
 *   - any other JSON map: a key; when absent "<no value>", or an error with missing_is_error.
 * Running is bounded: by the output buffer's maximum, by the depth of nested templates, by what a pad or a
 * width may ask for. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/json/codec.h"
#include "lib/json/value.h"

#include <stdbool.h>

struct template;

struct template_data {
    const struct json *json;
    const char *go_type;           /* "*formatter.imageContext": a record */
    const struct json *labels;     /* of a record: what .Label "x" finds; NULL: there is no such method */
    const struct codec_type *type; /* a struct described by its table; NULL: not known */
    bool missing_is_error;
    bool is_header; /* a row of column titles: json, upper and the like answer what they are given; .Label "a.b" is b */
};

/* name stands in messages; Docker leaves it empty, except in `version`. ERR_INVALID "template: :1: unclosed action".
 * *ret is the caller's, freed by template_free. It is read-only afterwards and may be run any number of times. */
int template_parse(const char *name, const char *text, struct template **ret, struct err *err);
void template_free(struct template *template);
CLEANUP_FN(struct template, template_free)

/* Appends to out; what was written before an error stays there, as with Go. ERR_INVALID. */
int template_execute(const struct template *template, const struct template_data *data, struct buf *out,
                     struct err *err);
