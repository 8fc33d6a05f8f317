/* The `filters` query parameter, in both dialects: {"label":["a=b"]} and {"label":{"a=b":true}}. Order of
 * keys and values is kept. A key without values counts as absent, as in Docker. */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filters_entry {
    char *key;
    char **values;
};
struct filters {
    struct filters_entry *entries;
    size_t count;
};
/* text NULL or "": no filters. ERR_INVALID "invalid filter" for anything else. */
int filters_parse(const char *text, struct filters *ret, struct err *err);
void filters_clear(struct filters *filters);
#define AUTO_FILTERS __attribute__((cleanup(filters_clear)))
void filters_add(struct filters *filters, const char *key, const char *value);
void filters_remove(struct filters *filters, const char *key);
char *filters_encode(const struct filters *filters); /* {"k":{"v":true}}; caller frees; "{}" for none */
bool filters_has(const struct filters *filters, const char *key);
/* Values of the key, NULL when there are none. Borrowed. */
char *const *filters_get(const struct filters *filters, const char *key);
/* True when the key is absent or one of its values equals... */
bool filters_match_exact(const struct filters *filters, const char *key, const char *text);
/* ...is a substring of, or a regular expression matching... (Docker's "name" and "id" filters) */
bool filters_match_any(const struct filters *filters, const char *key, const char *text);
/* ...is a prefix of the text. */
bool filters_match_prefix(const struct filters *filters, const char *key, const char *text);
struct str_map;
/* "label" style: every value "k" or "k=v" must be there. Absent key: true. */
bool filters_match_labels(const struct filters *filters, const char *key, const struct str_map *labels);
/* "label!" style for prune: true when every value "k" or "k=v" is there, as Docker reads it. Absent key: false. */
bool filters_excludes_labels(const struct filters *filters, const char *key, const struct str_map *labels);
/* A boolean key: 1/true or 0/false, once or contradicting -> ERR_INVALID "invalid filter 'dangling=[x]'". */
int filters_get_bool(const struct filters *filters, const char *key, bool absent, bool *ret, struct err *err);
/* ERR_INVALID "invalid filter 'x'" for the first key outside the NULL-ended list. */
int filters_check(const struct filters *filters, const char *const *allowed, struct err *err);
