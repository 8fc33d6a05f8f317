/* Straight from the table into the buffer, escaping as Go's encoder does (HTML characters included), because Docker's API does. */
#include "lib/base/str.h"
#include "lib/base/timefmt.h"
#include "lib/json/internal.h"

#include <math.h>
#include <stdio.h>

static const char hex[] = "0123456789abcdef";

/* Length of the valid UTF-8 character at s, 0 when there is none. */
static size_t character(const char *s, size_t left)
{
    size_t length = (unsigned char)*s < 0x80 ? 1 : (unsigned char)*s < 0xe0 ? 2 : (unsigned char)*s < 0xf0 ? 3 : 4;
    return length <= left && utf8_valid(s, length) ? length : 0;
}

static void put_escape(struct buf *out, unsigned char c)
{
    static const char plain[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
    const char *found = c ? strchr(plain, c) : NULL;
    char text[] = { '\\', found ? letters[found - plain] : 'u', '0', '0', hex[c >> 4], hex[c & 15] };
    buf_append(out, text, found ? 2 : 6);
}

void json_plain_html(struct buf *json)
{
    static const struct {
        char escape[7], plain;
    } rows[] = { { "\\u003c", '<' }, { "\\u003e", '>' }, { "\\u0026", '&' } };
    char *to = json->data, *end = json->data + json->length;
    for (const char *from = json->data; from && from < end;) {
        const char *next = memchr(from, '\\', (size_t)(end - from));
        size_t run = (size_t)((next ? next : end) - from), row = 0;
        memmove(to, from, run);
        to += run;
        if (!next)
            break;
        while (row < ARRAY_SIZE(rows) && (end - next < 6 || memcmp(next, rows[row].escape, 6) != 0))
            row++;
        if (row < ARRAY_SIZE(rows)) {
            *to++ = rows[row].plain;
            from = next + 6;
        } else { /* a pair: the second byte may be a backslash itself */
            *to++ = next[0];
            if (end - next > 1)
                *to++ = next[1];
            from = next + 2;
        }
    }
    if (to)
        json->length = (size_t)(to - json->data);
    if (to)
        *to = '\0';
}

void json_put_string(struct buf *out, const char *text, size_t length)
{
    size_t start = 0, i = 0;
    buf_putc(out, '"');
    while (i < length) {
        unsigned char c = (unsigned char)text[i];
        size_t step = character(text + i, length - i);
        bool separator = step == 3 && !memcmp(text + i, "\xe2\x80", 2) && ((unsigned char)text[i + 2] & 0xfe) == 0xa8;
        if (step && !separator && c >= 0x20 && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&') {
            i += step;
            continue;
        }
        buf_append(out, text + start, i - start);
        if (!step)
            buf_puts(out, "\\ufffd");
        else if (separator)
            buf_puts(out, (unsigned char)text[i + 2] == 0xa8 ? "\\u2028" : "\\u2029");
        else
            put_escape(out, c);
        i += step ? step : 1;
        start = i;
    }
    buf_append(out, text + start, length - start);
    buf_putc(out, '"');
}

static void put_text(struct buf *out, const char *text)
{
    json_put_string(out, text, strlen(text));
}

static void put_double(struct buf *out, double value)
{
    char text[40];
    if (!isfinite(value))
        value = 0; /* JSON has no such number */
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    buf_puts(out, text);
}

static void put_list(struct buf *out, char *const *list)
{
    buf_putc(out, '[');
    for (size_t i = 0; list && list[i]; i++) {
        if (i)
            buf_putc(out, ',');
        put_text(out, list[i]);
    }
    buf_putc(out, ']');
}

static void put_set(struct buf *out, char *const *list)
{
    buf_putc(out, '{');
    for (size_t i = 0; list && list[i]; i++) {
        if (i)
            buf_putc(out, ',');
        put_text(out, list[i]);
        buf_puts(out, ":{}");
    }
    buf_putc(out, '}');
}

static void put_strmap(struct buf *out, const struct str_map *map)
{
    buf_putc(out, '{');
    for (size_t i = 0; map->keys && map->keys[i]; i++) {
        if (i)
            buf_putc(out, ',');
        put_text(out, map->keys[i]);
        buf_putc(out, ':');
        put_text(out, map->values[i]);
    }
    buf_putc(out, '}');
}

static void put_map(struct buf *out, const struct codec_field *field, const struct obj_map *map)
{
    buf_putc(out, '{');
    for (size_t i = 0; map->keys && map->keys[i]; i++) {
        const struct any_list *list = map->values[i];
        if (i)
            buf_putc(out, ',');
        put_text(out, map->keys[i]);
        buf_putc(out, ':');
        if (!map->values[i])
            buf_puts(out, "null");
        else if (field->kind == CODEC_LISTMAP)
            codec_encode_list(field->type, list->items, list->count, out);
        else
            codec_encode(field->type, map->values[i], out);
    }
    buf_putc(out, '}');
}

static void put_ints(struct buf *out, const struct i64_list *list)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < list->count; i++)
        buf_printf(out, "%s%lld", i ? "," : "", (long long)list->items[i]);
    buf_putc(out, ']');
}

static bool is_empty(const struct codec_field *field, const void *slot)
{
    switch (field->kind) {
    case CODEC_STR:
    case CODEC_RAW:
        return str_empty(*(char *const *)slot);
    case CODEC_BOOL:
        return !*(const bool *)slot;
    case CODEC_I64:
    case CODEC_TIME:
        return *(const int64_t *)slot == 0;
    case CODEC_DOUBLE:
        return *(const double *)slot == 0;
    case CODEC_STRV:
    case CODEC_CMD:
    case CODEC_STRSET:
        return strv_length(*(char **const *)slot) == 0;
    case CODEC_STRMAP:
        return str_map_count(slot) == 0;
    case CODEC_OBJ:
        return false;
    case CODEC_OBJP:
        return *(void *const *)slot == NULL;
    case CODEC_LIST_KIND:
    case CODEC_I64LIST:
        return ((const struct any_list *)slot)->count == 0;
    case CODEC_OBJMAP:
    case CODEC_LISTMAP:
        return obj_map_count(slot) == 0;
    case CODEC_OPT_BOOL:
        return !((const struct opt_bool *)slot)->present;
    case CODEC_OPT_I64:
        return !((const struct opt_i64 *)slot)->present;
    }
    return false;
}

/* A nil pointer prints null under NULL_EMPTY; a list that is there but empty prints []. */
static bool is_nil(const struct codec_field *field, const void *slot)
{
    switch ((int)field->kind) {
    case CODEC_RAW:
        return str_empty(*(char *const *)slot);
    case CODEC_OBJP:
        return *(void *const *)slot == NULL;
    case CODEC_OPT_BOOL:
    case CODEC_OPT_I64:
        return is_empty(field, slot);
    case CODEC_STRV:
    case CODEC_CMD:
    case CODEC_STRSET:
        return (field->flags & NULL_EMPTY) && *(void *const *)slot == NULL;
    default:
        return (field->flags & NULL_EMPTY) && is_empty(field, slot);
    }
}

static void put_value(struct buf *out, const struct codec_field *field, const void *slot)
{
    const struct any_list *list = slot;
    char stamp[TIME_TEXT_SIZE];
    switch (field->kind) {
    case CODEC_STR:
        put_text(out, *(char *const *)slot ? *(char *const *)slot : "");
        break;
    case CODEC_RAW:
        buf_puts(out, *(char *const *)slot);
        break;
    case CODEC_BOOL:
        buf_puts(out, *(const bool *)slot ? "true" : "false");
        break;
    case CODEC_I64:
        buf_printf(out, "%lld", (long long)*(const int64_t *)slot);
        break;
    case CODEC_DOUBLE:
        put_double(out, *(const double *)slot);
        break;
    case CODEC_TIME:
        time_format_rfc3339nano(*(const int64_t *)slot, stamp);
        put_text(out, stamp);
        break;
    case CODEC_STRV:
    case CODEC_CMD:
        put_list(out, *(char **const *)slot);
        break;
    case CODEC_STRSET:
        put_set(out, *(char **const *)slot);
        break;
    case CODEC_STRMAP:
        put_strmap(out, slot);
        break;
    case CODEC_OBJ:
        codec_encode(field->type, slot, out);
        break;
    case CODEC_OBJP:
        codec_encode(field->type, *(void *const *)slot, out);
        break;
    case CODEC_LIST_KIND:
        codec_encode_list(field->type, list->items, list->count, out);
        break;
    case CODEC_OBJMAP:
    case CODEC_LISTMAP:
        put_map(out, field, slot);
        break;
    case CODEC_OPT_BOOL:
        buf_puts(out, ((const struct opt_bool *)slot)->value ? "true" : "false");
        break;
    case CODEC_OPT_I64:
        buf_printf(out, "%lld", (long long)((const struct opt_i64 *)slot)->value);
        break;
    case CODEC_I64LIST:
        put_ints(out, slot);
        break;
    }
}

void codec_encode(const struct codec_type *type, const void *value, struct buf *out)
{
    bool first = true;
    buf_putc(out, '{');
    for (const struct codec_field *field = type->fields; field->name; field++) {
        const void *slot = codec_member_const(value, field);
        if ((field->flags & OMIT_EMPTY) && is_empty(field, slot))
            continue;
        if (!first)
            buf_putc(out, ',');
        first = false;
        put_text(out, field->name);
        buf_putc(out, ':');
        if (is_nil(field, slot))
            buf_puts(out, "null");
        else
            put_value(out, field, slot);
    }
    buf_putc(out, '}');
}

char *codec_encode_dup(const struct codec_type *type, const void *value)
{
    struct buf out = BUF_INIT(BUF_TEXT_MAX);
    codec_encode(type, value, &out);
    char *text = buf_take(&out);
    return text ? text : xstrdup("{}");
}

void codec_encode_list(const struct codec_type *type, const void *items, size_t count, struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_putc(out, ',');
        codec_encode(type, (const char *)items + i * type->size, out);
    }
    buf_putc(out, ']');
}

void codec_encode_ptr_list(const struct codec_type *type, void *const *items, size_t count, struct buf *out)
{
    buf_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_putc(out, ',');
        codec_encode(type, items[i], out);
    }
    buf_putc(out, ']');
}
