/* A string-keyed hash map of borrowed pointers; keys are copied. Iteration order is insertion order. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
struct map;
struct map *map_new(void);
void map_free(struct map *map); /* keys only; values are the caller's */
void *map_get(const struct map *map, const char *key);           /* NULL when absent */
void *map_set(struct map *map, const char *key, void *value);    /* returns the old value or NULL */
void *map_remove(struct map *map, const char *key);              /* returns the value or NULL */
size_t map_count(const struct map *map);
/* Visits entries; *cursor starts at 0. False at the end. Removing the current entry is allowed. */
bool map_next(const struct map *map, size_t *cursor, const char **ret_key, void **ret_value);
