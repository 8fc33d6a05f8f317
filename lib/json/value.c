#include "lib/json/value.h"

#include "lib/json/internal.h"

#include <stdio.h>
#include <strings.h>

/* struct json is jansson's value under a name of our own. */
static json_t *raw(const struct json *json)
{
    json_t *value;
    memcpy(&value, &json, sizeof value);
    return value;
}

static struct json *wrap(json_t *json)
{
    struct json *value;
    memcpy(&value, &json, sizeof value);
    return value;
}

static bool too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        if (quoted) {
            if (text[i] == '\\')
                i++;
            else if (text[i] == '"')
                quoted = false;
            continue;
        }
        if (text[i] == '"')
            quoted = true;
        else if ((text[i] == '{' || text[i] == '[') && ++depth > JSON_DEPTH_MAX)
            return true;
        else if (text[i] == '}' || text[i] == ']')
            depth--;
    }
    return false;
}

int json_load_text(const char *text, size_t length, json_t **ret, struct err *err)
{
    json_error_t where;
    if (too_deep(text, length))
        return err_set(err, ERR_INVALID, "invalid JSON: nested deeper than %d levels", JSON_DEPTH_MAX);
    *ret = json_loadb(text, length, JSON_DECODE_ANY, &where);
    if (!*ret && json_error_code(&where) == json_error_null_character) /* no text of ours may end early */
        return err_set(err, ERR_INVALID, "invalid JSON: string with a NUL character at line %d column %d", where.line, where.column);
    if (!*ret)
        return err_set(err, ERR_INVALID, "invalid JSON: %s at line %d column %d", where.text, where.line, where.column);
    return 0;
}

int json_parse(const char *text, size_t length, struct json **ret, struct err *err)
{
    json_t *value;
    if (json_load_text(text, length, &value, err) < 0)
        return -1;
    *ret = wrap(value);
    return 0;
}

int json_check_unique(const char *text, size_t length, struct err *err)
{
    json_error_t where;
    json_t *value = json_loadb(text, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &where);
    if (!value)
        return err_set(err, ERR_INVALID, "invalid JSON: %s at line %d column %d", where.text, where.line, where.column);
    json_decref(value);
    return 0;
}

void json_free(struct json *json)
{
    json_decref(raw(json));
}

enum json_kind json_kind_of(const struct json *json)
{
    if (!json)
        return JSON_NOTHING;
    switch (json_typeof(raw(json))) {
    case JSON_OBJECT:
        return JSON_MAP;
    case JSON_ARRAY:
        return JSON_LIST;
    case JSON_STRING:
        return JSON_TEXT;
    case JSON_INTEGER:
        return JSON_INT;
    case JSON_REAL:
        return JSON_DOUBLE;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_BOOL;
    case JSON_NULL:
    default:
        return JSON_NOTHING;
    }
}

const struct json *json_get(const struct json *map, const char *key)
{
    return map ? wrap(json_object_get(raw(map), key)) : NULL;
}

const struct json *json_get_nocase(const struct json *map, const char *key)
{
    const char *name;
    json_t *value;
    const struct json *exact = json_get(map, key);
    if (exact || !map)
        return exact;
    json_object_foreach(raw(map), name, value)
        if (!strcasecmp(name, key))
            return wrap(value);
    return NULL;
}

const struct json *json_at(const struct json *list, size_t index)
{
    return list ? wrap(json_array_get(raw(list), index)) : NULL;
}

size_t json_count(const struct json *json)
{
    if (!json)
        return 0;
    return json_is_object(raw(json)) ? json_object_size(raw(json)) : json_array_size(raw(json));
}

const char *json_text(const struct json *json)
{
    return json ? json_string_value(raw(json)) : NULL;
}

int64_t json_int(const struct json *json)
{
    if (!json)
        return 0;
    return json_is_real(raw(json)) ? (int64_t)json_real_value(raw(json)) : json_integer_value(raw(json));
}

double json_double(const struct json *json)
{
    return json ? json_number_value(raw(json)) : 0;
}

bool json_bool(const struct json *json)
{
    return json && json_is_true(raw(json));
}

bool json_map_next(const struct json *map, void **cursor, const char **ret_key, const struct json **ret_value)
{
    if (!map || !json_is_object(raw(map)))
        return false;
    *cursor = *cursor ? json_object_iter_next(raw(map), *cursor) : json_object_iter(raw(map));
    if (!*cursor)
        return false;
    *ret_key = json_object_iter_key(*cursor);
    *ret_value = wrap(json_object_iter_value(*cursor));
    return true;
}

/* ---- writing ---- */

struct writing {
    struct buf *out;
    const char *prefix, *indent; /* indent NULL: compact */
};

static void new_line(const struct writing *w, int depth)
{
    if (!w->indent)
        return;
    buf_putc(w->out, '\n');
    buf_puts(w->out, w->prefix);
    for (int i = 0; i < depth; i++)
        buf_puts(w->out, w->indent);
}

static void write_value(const struct writing *w, json_t *json, int depth);

static void write_object(const struct writing *w, json_t *json, int depth)
{
    const char *key;
    json_t *value;
    bool first = true;
    buf_putc(w->out, '{');
    json_object_foreach(json, key, value) {
        if (!first)
            buf_putc(w->out, ',');
        first = false;
        new_line(w, depth + 1);
        json_put_string(w->out, key, strlen(key));
        buf_puts(w->out, w->indent ? ": " : ":");
        write_value(w, value, depth + 1);
    }
    if (!first)
        new_line(w, depth);
    buf_putc(w->out, '}');
}

static void write_array(const struct writing *w, json_t *json, int depth)
{
    buf_putc(w->out, '[');
    for (size_t i = 0; i < json_array_size(json); i++) {
        if (i)
            buf_putc(w->out, ',');
        new_line(w, depth + 1);
        write_value(w, json_array_get(json, i), depth + 1);
    }
    if (json_array_size(json))
        new_line(w, depth);
    buf_putc(w->out, ']');
}

static void write_value(const struct writing *w, json_t *json, int depth)
{
    char number[40];
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        write_object(w, json, depth);
        break;
    case JSON_ARRAY:
        write_array(w, json, depth);
        break;
    case JSON_STRING:
        json_put_string(w->out, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER:
        buf_printf(w->out, "%lld", (long long)json_integer_value(json));
        break;
    case JSON_REAL:
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(number, sizeof number, "%.*g", digits, json_real_value(json));
            if (strtod(number, NULL) == json_real_value(json))
                break;
        }
        buf_puts(w->out, number);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        buf_puts(w->out, json_is_true(json) ? "true" : "false");
        break;
    case JSON_NULL:
    default:
        buf_puts(w->out, "null");
        break;
    }
}

void json_write_jansson(const json_t *json, const char *prefix, const char *indent, struct buf *out)
{
    struct writing w = { out, prefix ? prefix : "", indent };
    json_t *value;
    memcpy(&value, &json, sizeof value);
    write_value(&w, value, 0);
}

void json_write(const struct json *json, struct buf *out)
{
    json_write_jansson(raw(json), NULL, NULL, out);
}

void json_write_indented(const struct json *json, const char *prefix, const char *indent, struct buf *out)
{
    json_write_jansson(raw(json), prefix, indent, out);
}

/* ---- builders ---- */

struct json *json_new_map(void)
{
    return wrap(json_object());
}

struct json *json_new_list(void)
{
    return wrap(json_array());
}

struct json *json_new_text(const char *text)
{
    json_t *json = json_string(text);
    return wrap(json ? json : json_string("")); /* not UTF-8 */
}

struct json *json_new_int(int64_t value)
{
    return wrap(json_integer(value));
}

struct json *json_new_bool(bool value)
{
    return wrap(json_boolean(value));
}

void json_set_take(struct json *map, const char *key, struct json *child)
{
    (void)json_object_set_new(raw(map), key, raw(child));
}

void json_add_take(struct json *list, struct json *child)
{
    (void)json_array_append_new(raw(list), raw(child));
}
