#include "lib/api/filters.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/json/codec.h"
#include "lib/json/value.h"

#include <regex.h>

static struct filters_entry *find(const struct filters *filters, const char *key)
{
    for (size_t i = 0; i < filters->count; i++)
        if (str_eq(filters->entries[i].key, key))
            return &filters->entries[i];
    return NULL;
}

/* The entry of the key, made when there is none. */
static struct filters_entry *entry_for(struct filters *filters, const char *key)
{
    struct filters_entry *entry = find(filters, key);
    if (entry)
        return entry;
    filters->entries = xreallocarray(filters->entries, filters->count + 1, sizeof *filters->entries);
    entry = &filters->entries[filters->count++];
    *entry = (struct filters_entry){ .key = xstrdup(key) };
    return entry;
}

/* One key of either dialect: a list of texts, or a map from text to boolean. The boolean itself says nothing. */
static bool take_values(struct filters_entry *entry, const struct json *value, bool want_list)
{
    const char *text;
    const struct json *flag;
    if (json_kind_of(value) == JSON_NOTHING)
        return true;
    if (json_kind_of(value) != (want_list ? JSON_LIST : JSON_MAP))
        return false;
    for (size_t i = 0; want_list && i < json_count(value); i++) {
        text = json_text(json_at(value, i));
        if (!text)
            return false;
        if (!strv_contains(entry->values, text))
            strv_append(&entry->values, text);
    }
    for (void *cursor = NULL; !want_list && json_map_next(value, &cursor, &text, &flag);) {
        if (json_kind_of(flag) != JSON_BOOL && json_kind_of(flag) != JSON_NOTHING)
            return false;
        strv_append(&entry->values, text);
    }
    return true;
}

static bool take_all(struct filters *filters, const struct json *map)
{
    const char *key;
    const struct json *value;
    enum json_kind dialect = JSON_NOTHING;
    for (void *cursor = NULL; json_map_next(map, &cursor, &key, &value);) {
        if (dialect == JSON_NOTHING)
            dialect = json_kind_of(value);
        if (!take_values(entry_for(filters, key), value, dialect == JSON_LIST))
            return false;
    }
    return true;
}

int filters_parse(const char *text, struct filters *ret, struct err *err)
{
    CLEANUP(json_free) struct json *json = NULL;
    struct filters filters = { 0 };
    struct err ignored = { 0 };
    if (str_empty(text)) {
        *ret = filters;
        return 0;
    }
    if (json_parse(text, strlen(text), &json, &ignored) < 0)
        return err_set(err, ERR_INVALID, "invalid filter");
    enum json_kind kind = json_kind_of(json);
    if ((kind != JSON_MAP && kind != JSON_NOTHING) || !take_all(&filters, json)) {
        filters_clear(&filters);
        return err_set(err, ERR_INVALID, "invalid filter");
    }
    *ret = filters;
    return 0;
}

static void entry_done(struct filters_entry *entry)
{
    free(entry->key);
    strv_free(entry->values);
}

void filters_clear(struct filters *filters)
{
    for (size_t i = 0; i < filters->count; i++)
        entry_done(&filters->entries[i]);
    free(filters->entries);
    *filters = (struct filters){ 0 };
}

void filters_add(struct filters *filters, const char *key, const char *value)
{
    struct filters_entry *entry = entry_for(filters, key);
    if (!strv_contains(entry->values, value))
        strv_append(&entry->values, value);
}

void filters_remove(struct filters *filters, const char *key)
{
    struct filters_entry *entry = find(filters, key);
    if (!entry)
        return;
    entry_done(entry);
    size_t after = (size_t)(filters->entries + filters->count - (entry + 1));
    memmove(entry, entry + 1, after * sizeof *entry);
    filters->count--;
}

char *filters_encode(const struct filters *filters)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    buf_putc(&out, '{');
    for (size_t i = 0; i < filters->count; i++) {
        const struct filters_entry *entry = &filters->entries[i];
        buf_puts(&out, i ? "," : "");
        json_put_string(&out, entry->key, strlen(entry->key));
        buf_puts(&out, ":{");
        for (size_t j = 0; entry->values && entry->values[j]; j++) {
            buf_puts(&out, j ? "," : "");
            json_put_string(&out, entry->values[j], strlen(entry->values[j]));
            buf_puts(&out, ":true");
        }
        buf_putc(&out, '}');
    }
    buf_putc(&out, '}');
    return buf_take(&out);
}

bool filters_has(const struct filters *filters, const char *key)
{
    return filters_get(filters, key) != NULL;
}

char *const *filters_get(const struct filters *filters, const char *key)
{
    const struct filters_entry *entry = find(filters, key);
    return entry && strv_length(entry->values) > 0 ? entry->values : NULL;
}

bool filters_match_exact(const struct filters *filters, const char *key, const char *text)
{
    char *const *values = filters_get(filters, key);
    return !values || (text && strv_contains(values, text));
}

static bool regex_finds(const char *pattern, const char *text)
{
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

bool filters_match_any(const struct filters *filters, const char *key, const char *text)
{
    char *const *values = filters_get(filters, key);
    if (!values)
        return true;
    for (size_t i = 0; text && values[i]; i++)
        if (strstr(text, values[i]) || regex_finds(values[i], text))
            return true;
    return false;
}

bool filters_match_prefix(const struct filters *filters, const char *key, const char *text)
{
    char *const *values = filters_get(filters, key);
    if (!values)
        return true;
    for (size_t i = 0; text && values[i]; i++)
        if (str_starts(text, values[i]))
            return true;
    return false;
}

/* wanted: "k" or "k=v" */
static bool has_label(const struct str_map *labels, const char *wanted)
{
    const char *equals = strchr(wanted, '=');
    AUTO_FREE char *name = equals ? xstrndup(wanted, (size_t)(equals - wanted)) : xstrdup(wanted);
    const char *value = str_map_get(labels, name);
    return value && (!equals || str_eq(value, equals + 1));
}

bool filters_match_labels(const struct filters *filters, const char *key, const struct str_map *labels)
{
    char *const *values = filters_get(filters, key);
    for (size_t i = 0; values && values[i]; i++)
        if (!has_label(labels, values[i]))
            return false;
    return true;
}

bool filters_excludes_labels(const struct filters *filters, const char *key, const struct str_map *labels)
{
    return filters_has(filters, key) && filters_match_labels(filters, key, labels);
}

int filters_get_bool(const struct filters *filters, const char *key, bool absent, bool *ret, struct err *err)
{
    const struct filters_entry *entry = find(filters, key);
    if (!entry) {
        *ret = absent;
        return 0;
    }
    if (strv_length(entry->values) == 0)
        return err_set(err, ERR_INVALID, "invalid filter '%s'", key);
    bool yes = strv_contains(entry->values, "1") || strv_contains(entry->values, "true");
    bool no = strv_contains(entry->values, "0") || strv_contains(entry->values, "false");
    if (yes == no) {
        AUTO_FREE char *joined = strv_join(entry->values, " ");
        return err_set(err, ERR_INVALID, "invalid filter '%s=[%s]'", key, joined);
    }
    *ret = yes;
    return 0;
}

int filters_check(const struct filters *filters, const char *const *allowed, struct err *err)
{
    for (size_t i = 0; i < filters->count; i++) {
        const char *const *name = allowed;
        while (*name && !str_eq(*name, filters->entries[i].key))
            name++;
        if (!*name)
            return err_set(err, ERR_INVALID, "invalid filter '%s'", filters->entries[i].key);
    }
    return 0;
}
