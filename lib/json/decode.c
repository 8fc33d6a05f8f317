#include "lib/base/str.h"
#include "lib/base/timefmt.h"
#include "lib/json/internal.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

/* Where we are, for the error sentence: "HostConfig.PortBindings". */
struct place {
    const struct place *above;
    const char *name;
};

static void write_place(const struct place *place, struct buf *out)
{
    if (!place || !place->name)
        return;
    write_place(place->above, out);
    if (out->length)
        buf_putc(out, '.');
    buf_puts(out, place->name);
}

static int wrong(const struct place *place, const char *expected, const json_t *got, struct err *err)
{
    static const char *const names[] = { "object", "array", "string", "integer", "number", "boolean", "boolean", "null" };
    AUTO_BUF struct buf path = BUF_INIT(512);
    write_place(place, &path);
    return err_set(err, ERR_INVALID, "%s: expected %s, got %s", path.length && !buf_failed(&path) ? path.data : "JSON", expected, names[json_typeof(got)]);
}

static int decode_object(const struct codec_type *type, const json_t *json, void *ret, const struct place *place, struct err *err);

static int take_text(const json_t *json, char **ret, const struct place *place, struct err *err)
{
    if (!json_is_string(json))
        return wrong(place, "string", json, err);
    free(*ret);
    *ret = xstrdup(json_string_value(json));
    return 0;
}

static int take_i64(const json_t *json, int64_t *ret, const struct place *place, struct err *err)
{
    if (json_is_integer(json)) {
        *ret = json_integer_value(json);
        return 0;
    }
    double real = json_is_real(json) ? json_real_value(json) : 0.5;
    if (real != floor(real) || fabs(real) > 9.2e18)
        return wrong(place, "integer", json, err);
    *ret = (int64_t)real;
    return 0;
}

static int take_bool(const json_t *json, bool *ret, const struct place *place, struct err *err)
{
    if (!json_is_boolean(json))
        return wrong(place, "boolean", json, err);
    *ret = json_is_true(json);
    return 0;
}

static int take_list(const json_t *json, char ***ret, const struct place *place, struct err *err)
{
    if (!json_is_array(json))
        return wrong(place, "array", json, err);
    strv_free(*ret);
    *ret = xcalloc(json_array_size(json) + 1, sizeof **ret);
    for (size_t i = 0; i < json_array_size(json); i++) {
        const json_t *item = json_array_get(json, i);
        if (!json_is_string(item) && !json_is_null(item))
            return wrong(place, "string", item, err);
        (*ret)[i] = xstrdup(json_is_null(item) ? "" : json_string_value(item));
    }
    return 0;
}

static int take_cmd(const json_t *json, char ***ret, const struct place *place, struct err *err)
{
    if (!json_is_string(json))
        return take_list(json, ret, place, err);
    strv_free(*ret);
    *ret = NULL;
    strv_append(ret, json_string_value(json));
    return 0;
}

/* jansson's iteration is not const-correct */
static json_t *unconst(const json_t *json)
{
    json_t *same;
    memcpy(&same, &json, sizeof same);
    return same;
}

/* Room for all names at once: jansson has made them unique, and a search per name would be quadratic in what a stranger sends. */
static char **new_names(const json_t *object)
{
    return xcalloc(json_object_size(object) + 1, sizeof(char *));
}

static int take_set(const json_t *json, char ***ret, const struct place *place, struct err *err)
{
    const char *key;
    json_t *value;
    if (json_is_array(json))
        return take_list(json, ret, place, err);
    if (!json_is_object(json))
        return wrong(place, "object", json, err);
    strv_free(*ret);
    *ret = new_names(json);
    size_t count = 0;
    json_object_foreach(unconst(json), key, value)
        (*ret)[count++] = xstrdup(key);
    return 0;
}

static int take_strmap(const json_t *json, struct str_map *ret, const struct place *place, struct err *err)
{
    const char *key;
    json_t *value;
    size_t count = 0;
    if (!json_is_object(json))
        return wrong(place, "object", json, err);
    str_map_clear(ret);
    *ret = (struct str_map){ new_names(json), new_names(json) };
    json_object_foreach(unconst(json), key, value) {
        struct place here = { place, key };
        if (!json_is_string(value) && !json_is_null(value))
            return wrong(&here, "string", value, err);
        ret->keys[count] = xstrdup(key);
        ret->values[count++] = xstrdup(json_is_null(value) ? "" : json_string_value(value));
    }
    return 0;
}

static int take_objects(const struct codec_type *type, const json_t *json, struct any_list *ret, const struct place *place, struct err *err)
{
    if (!json_is_array(json))
        return wrong(place, "array", json, err);
    size_t count = json_array_size(json);
    ret->items = xcalloc(count + 1, type->size);
    for (size_t i = 0; i < count; i++) {
        ret->count = i + 1;
        if (decode_object(type, json_array_get(json, i), (char *)ret->items + i * type->size, place, err) < 0)
            return -1;
    }
    return 0;
}

static int take_map(const struct codec_field *field, const json_t *json, struct obj_map *ret, const struct place *place, struct err *err)
{
    const char *key;
    json_t *value;
    bool lists = field->kind == CODEC_LISTMAP;
    size_t count = 0;
    if (!json_is_object(json))
        return wrong(place, "object", json, err);
    ret->keys = new_names(json);
    ret->values = xcalloc(json_object_size(json) + 1, sizeof *ret->values);
    json_object_foreach(unconst(json), key, value) {
        struct place here = { place, key };
        ret->keys[count++] = xstrdup(key);
        if (json_is_null(value))
            continue;
        void *item = ret->values[count - 1] = xcalloc(1, lists ? sizeof(struct any_list) : field->type->size);
        int taken = lists ? take_objects(field->type, value, item, &here, err) : decode_object(field->type, value, item, &here, err);
        if (taken < 0)
            return -1;
    }
    return 0;
}

static int take_ints(const json_t *json, struct i64_list *ret, const struct place *place, struct err *err)
{
    if (!json_is_array(json))
        return wrong(place, "array", json, err);
    for (size_t i = 0; i < json_array_size(json); i++)
        if (take_i64(json_array_get(json, i), list_add(ret), place, err) < 0)
            return -1;
    return 0;
}

static int take_time(const json_t *json, int64_t *ret, const struct place *place, struct err *err)
{
    if (!json_is_string(json))
        return wrong(place, "string", json, err);
    const char *text = json_string_value(json);
    if (*text && time_parse_rfc3339(text, ret) < 0)
        return wrong(place, "RFC 3339 time", json, err);
    return 0;
}

static int take_raw(const json_t *json, char **ret)
{
    struct buf text = BUF_INIT(BUF_TEXT_MAX);
    json_write_jansson(json, NULL, NULL, &text);
    free(*ret);
    *ret = buf_take(&text);
    return 0;
}

static int decode_field(const struct codec_field *field, const json_t *json, void *slot, const struct place *place, struct err *err)
{
    switch (field->kind) {
    case CODEC_STR:
        return take_text(json, slot, place, err);
    case CODEC_BOOL:
        return take_bool(json, slot, place, err);
    case CODEC_I64:
        return take_i64(json, slot, place, err);
    case CODEC_DOUBLE:
        if (!json_is_number(json))
            return wrong(place, "number", json, err);
        *(double *)slot = json_number_value(json);
        return 0;
    case CODEC_STRV:
        return take_list(json, slot, place, err);
    case CODEC_CMD:
        return take_cmd(json, slot, place, err);
    case CODEC_STRSET:
        return take_set(json, slot, place, err);
    case CODEC_STRMAP:
        return take_strmap(json, slot, place, err);
    case CODEC_OBJ:
        return decode_object(field->type, json, slot, place, err);
    case CODEC_OBJP:
        if (!*(void **)slot)
            *(void **)slot = xcalloc(1, field->type->size);
        return decode_object(field->type, json, *(void **)slot, place, err);
    case CODEC_LIST_KIND:
        return take_objects(field->type, json, slot, place, err);
    case CODEC_OBJMAP:
    case CODEC_LISTMAP:
        return take_map(field, json, slot, place, err);
    case CODEC_RAW:
        return take_raw(json, slot);
    case CODEC_OPT_BOOL:
        ((struct opt_bool *)slot)->present = true;
        return take_bool(json, &((struct opt_bool *)slot)->value, place, err);
    case CODEC_OPT_I64:
        ((struct opt_i64 *)slot)->present = true;
        return take_i64(json, &((struct opt_i64 *)slot)->value, place, err);
    case CODEC_I64LIST:
        return take_ints(json, slot, place, err);
    case CODEC_TIME:
        return take_time(json, slot, place, err);
    }
    return err_set(err, ERR_INTERNAL, "table row %s has no kind", field->name);
}

static const json_t *find_nocase(const json_t *json, const char *name)
{
    const char *key;
    json_t *value;
    const json_t *found = NULL;
    json_object_foreach(unconst(json), key, value)
        if (!strcasecmp(key, name))
            found = value;
    return found;
}

static int decode_object(const struct codec_type *type, const json_t *json, void *ret, const struct place *place, struct err *err)
{
    if (json_is_null(json))
        return 0;
    if (!json_is_object(json))
        return wrong(place, "object", json, err);
    for (const struct codec_field *field = type->fields; field->name; field++) {
        struct place here = { place, field->name };
        const json_t *value = json_object_get(json, field->name);
        if (!value)
            value = find_nocase(json, field->name);
        if (!value && (field->flags & REQUIRED)) {
            AUTO_BUF struct buf path = BUF_INIT(512);
            write_place(&here, &path);
            return err_set(err, ERR_INVALID, "%s is missing", path.data ? path.data : field->name);
        }
        if (value && !json_is_null(value) && decode_field(field, value, codec_member(ret, field), &here, err) < 0)
            return -1;
    }
    return 0;
}

int codec_decode(const struct codec_type *type, const char *text, size_t length, void *ret, struct err *err)
{
    AUTO_JSON json_t *json = NULL;
    memset(ret, 0, type->size);
    if (json_load_text(text, length, &json, err) < 0)
        return -1;
    if (json_is_null(json) || !json_is_object(json)) {
        if (json_is_null(json))
            return 0;
        return wrong(NULL, "object", json, err);
    }
    if (decode_object(type, json, ret, NULL, err) < 0) {
        codec_clear(type, ret);
        return -1;
    }
    return 0;
}
