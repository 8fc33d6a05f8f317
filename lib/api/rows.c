#include "lib/api/rows.h"

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/codec.h"
#include "lib/json/value.h"

void rows_add(char **raw, char *const *row)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    size_t length = *raw ? strlen(*raw) : 0;
    bool fresh = length <= 2 || str_eq(*raw, "null"); /* nothing yet, or "[]" */
    buf_append(&out, fresh ? "[" : *raw, fresh ? 1 : length - 1);
    buf_puts(&out, fresh ? "[" : ",[");
    for (size_t i = 0; row && row[i]; i++) {
        buf_puts(&out, i ? "," : "");
        json_put_string(&out, row[i], strlen(row[i]));
    }
    buf_puts(&out, "]]");
    free(*raw);
    *raw = buf_take(&out);
}

void rows_add_pair(char **raw, const char *name, const char *value)
{
    CLEANUP(strv_free) char **row = NULL;
    strv_append(&row, name);
    strv_append(&row, value);
    rows_add(raw, row);
}

static bool decode_row(const struct json *row, char ***ret)
{
    if (json_kind_of(row) != JSON_LIST && json_kind_of(row) != JSON_NOTHING)
        return false;
    *ret = xcalloc(json_count(row) + 1, sizeof **ret);
    for (size_t i = 0; i < json_count(row); i++) {
        const char *text = json_text(json_at(row, i));
        if (!text)
            return false;
        (*ret)[i] = xstrdup(text);
    }
    return true;
}

int rows_decode(const char *raw, struct string_rows *ret, struct err *err)
{
    CLEANUP(json_free) struct json *json = NULL;
    struct string_rows rows = { 0 };
    if (raw && json_parse(raw, strlen(raw), &json, err) < 0)
        return -1;
    bool fits = json_kind_of(json) == JSON_LIST || json_kind_of(json) == JSON_NOTHING;
    size_t count = fits ? json_count(json) : 0;
    rows.rows = count ? xcalloc(count, sizeof *rows.rows) : NULL;
    while (fits && rows.count < count) {
        fits = decode_row(json_at(json, rows.count), &rows.rows[rows.count]);
        rows.count++;
    }
    if (!fits) {
        rows_clear(&rows);
        return err_set(err, ERR_INVALID, "expected a list of lists of strings");
    }
    *ret = rows;
    return 0;
}

void rows_clear(struct string_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        strv_free(rows->rows[i]);
    free(rows->rows);
    *rows = (struct string_rows){ 0 };
}
