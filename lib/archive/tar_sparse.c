#include "lib/archive/private.h"

int sparse_add(struct sparse_map *map, uint64_t offset, uint64_t length, struct err *err)
{
    if (map->count == TAR_SPARSE_MAX)
        return err_set(err, ERR_INVALID, "more than %d sparse regions", TAR_SPARSE_MAX);
    if (map->count == map->capacity) {
        map->capacity = map->capacity ? map->capacity * 2 : 16;
        map->regions = xreallocarray(map->regions, map->capacity, sizeof *map->regions);
    }
    map->regions[map->count++] = (struct sparse_region){ offset, length };
    return 0;
}

int sparse_check(const struct sparse_map *map, uint64_t real_size, uint64_t stored, struct err *err)
{
    uint64_t end = 0, sum = 0;
    for (size_t i = 0; i < map->count; i++) {
        const struct sparse_region *region = &map->regions[i];
        if (region->offset < end || region->offset > real_size || region->length > real_size - region->offset)
            return err_set(err, ERR_INVALID, "a sparse region outside of its file");
        end = region->offset + region->length;
        sum += region->length;
    }
    return sum == stored ? 0 : err_set(err, ERR_INVALID, "sparse regions do not add up to the stored bytes");
}

int sparse_parse_list(struct sparse_map *map, const char *text, struct err *err)
{
    uint64_t pair[2] = { 0 };
    size_t have = 0;
    while (*text) {
        size_t digits = strcspn(text, ",");
        if (tar_decimal(text, digits, &pair[have]) < 0)
            return err_set(err, ERR_INVALID, "a broken sparse map");
        have = (have + 1) % 2;
        if (have == 0 && sparse_add(map, pair[0], pair[1], err) < 0)
            return -1;
        text += digits + (text[digits] == ',');
    }
    return have ? err_set(err, ERR_INVALID, "a broken sparse map") : 0;
}
