/* Theory of operation. Entries stand in an array in insertion order (removed ones leave a hole until the next rebuild); an open-addressing
 * table of indexes finds them. */
#include "lib/base/map.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"

#include <stdint.h>

struct entry {
    char *key; /* NULL: a hole */
    void *value;
    uint32_t hash;
};
struct map {
    struct entry *entries;
    size_t used, capacity, live; /* used: entries and holes */
    uint32_t *slots;             /* index + 1; 0 free */
    size_t slot_count;           /* power of two */
};

static uint32_t hash_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    return hash;
}

struct map *map_new(void)
{
    return xcalloc(1, sizeof(struct map));
}

void map_free(struct map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i < map->used; i++)
        free(map->entries[i].key);
    free(map->entries);
    free(map->slots);
    free(map);
}

static void place(struct map *map, size_t index)
{
    size_t slot = map->entries[index].hash & (map->slot_count - 1);
    while (map->slots[slot])
        slot = (slot + 1) & (map->slot_count - 1);
    map->slots[slot] = (uint32_t)index + 1;
}

static void rebuild(struct map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->used; i++)
        if (map->entries[i].key)
            map->entries[kept++] = map->entries[i];
    map->used = kept;
    map->capacity = MAX((size_t)8, kept * 2);
    map->entries = xreallocarray(map->entries, map->capacity, sizeof *map->entries);
    map->slot_count = 16;
    while (map->slot_count < map->capacity * 2)
        map->slot_count *= 2;
    free(map->slots);
    map->slots = xcalloc(map->slot_count, sizeof *map->slots);
    for (size_t i = 0; i < kept; i++)
        place(map, i);
}

/* A hole keeps its slot (the key is NULL), so probing goes on past it. */
static struct entry *find(const struct map *map, const char *key)
{
    if (!map->slot_count)
        return NULL;
    uint32_t hash = hash_of(key);
    for (size_t slot = hash & (map->slot_count - 1); map->slots[slot]; slot = (slot + 1) & (map->slot_count - 1)) {
        struct entry *entry = &map->entries[map->slots[slot] - 1];
        if (entry->hash == hash && entry->key && str_eq(entry->key, key))
            return entry;
    }
    return NULL;
}

void *map_get(const struct map *map, const char *key)
{
    const struct entry *entry = find(map, key);
    return entry ? entry->value : NULL;
}

void *map_set(struct map *map, const char *key, void *value)
{
    struct entry *entry = find(map, key);
    if (entry) {
        void *old = entry->value;
        entry->value = value;
        return old;
    }
    if (map->used == map->capacity)
        rebuild(map);
    map->entries[map->used] = (struct entry){ xstrdup(key), value, hash_of(key) };
    place(map, map->used++);
    map->live++;
    return NULL;
}

void *map_remove(struct map *map, const char *key)
{
    struct entry *entry = find(map, key);
    if (!entry)
        return NULL;
    free(take_ptr(&entry->key));
    map->live--;
    return take_ptr(&entry->value);
}

size_t map_count(const struct map *map)
{
    return map->live;
}

bool map_next(const struct map *map, size_t *cursor, const char **ret_key, void **ret_value)
{
    while (*cursor < map->used && !map->entries[*cursor].key)
        (*cursor)++;
    if (*cursor >= map->used)
        return false;
    const struct entry *entry = &map->entries[(*cursor)++];
    if (ret_key)
        *ret_key = entry->key;
    if (ret_value)
        *ret_value = entry->value;
    return true;
}
