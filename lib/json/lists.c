#include "lib/base/str.h"
#include "lib/json/codec.h"

static size_t find_key(char *const *keys, const char *key)
{
    size_t i = 0;
    while (keys && keys[i] && !str_eq(keys[i], key))
        i++;
    return i;
}

const char *str_map_get(const struct str_map *map, const char *key)
{
    size_t i = find_key(map->keys, key);
    return map->keys && map->keys[i] ? map->values[i] : NULL;
}

void str_map_set(struct str_map *map, const char *key, const char *value)
{
    size_t i = find_key(map->keys, key);
    if (map->keys && map->keys[i]) {
        char *copy = xstrdup(value ? value : "");
        free(map->values[i]);
        map->values[i] = copy;
        return;
    }
    strv_append(&map->keys, key);
    strv_append(&map->values, value ? value : "");
}

void str_map_remove(struct str_map *map, const char *key)
{
    size_t i = find_key(map->keys, key);
    if (!map->keys || !map->keys[i])
        return;
    free(map->keys[i]);
    free(map->values[i]);
    for (; map->keys[i]; i++) {
        map->keys[i] = map->keys[i + 1];
        map->values[i] = map->values[i + 1];
    }
}

size_t str_map_count(const struct str_map *map)
{
    return strv_length(map->keys);
}

void str_map_copy(struct str_map *dst, const struct str_map *src)
{
    *dst = (struct str_map){ strv_dup(src->keys), strv_dup(src->values) };
}

void str_map_clear(struct str_map *map)
{
    strv_free(map->keys);
    strv_free(map->values);
    *map = (struct str_map){ 0 };
}

void *obj_map_get(const struct obj_map *map, const char *key)
{
    size_t i = find_key(map->keys, key);
    return map->keys && map->keys[i] ? map->values[i] : NULL;
}

size_t obj_map_count(const struct obj_map *map)
{
    return strv_length(map->keys);
}

static void **slot_of(struct obj_map *map, const char *key)
{
    size_t i = find_key(map->keys, key);
    if (!map->keys || !map->keys[i]) {
        strv_append(&map->keys, key);
        map->values = xreallocarray(map->values, i + 2, sizeof *map->values);
        map->values[i] = map->values[i + 1] = NULL;
    }
    return &map->values[i];
}

void *obj_map_add(struct obj_map *map, const char *key, size_t size)
{
    void **slot = slot_of(map, key);
    if (!*slot)
        *slot = xcalloc(1, size);
    return *slot;
}

void obj_map_add_null(struct obj_map *map, const char *key)
{
    (void)slot_of(map, key);
}

void *codec_list_add(void *list, size_t item_size)
{
    struct any_list *any = list;
    any->items = xreallocarray(any->items, any->count + 1, item_size);
    void *item = (char *)any->items + any->count * item_size;
    memset(item, 0, item_size);
    any->count++;
    return item;
}
