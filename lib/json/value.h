/* A JSON value whose shape is not known before (inspect output for templates, labels, filters).
 * Read-only after parsing; borrowed accessors never fail, they answer NULL/0/false for a wrong kind. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct json;
enum json_kind { JSON_NOTHING, JSON_BOOL, JSON_INT, JSON_DOUBLE, JSON_TEXT, JSON_LIST, JSON_MAP };
/* ERR_INVALID with line and column; depth <= 64. *ret freed by json_free. */
int json_parse(const char *text, size_t length, struct json **ret, struct err *err);
/* ERR_INVALID when an object names a member twice: parsers differ about which one counts. The text has been parsed before. */
int json_check_unique(const char *text, size_t length, struct err *err);
void json_free(struct json *json);
CLEANUP_FN(struct json, json_free)
enum json_kind json_kind_of(const struct json *json); /* NULL -> JSON_NOTHING */
const struct json *json_get(const struct json *map, const char *key);
const struct json *json_get_nocase(const struct json *map, const char *key);
const struct json *json_at(const struct json *list, size_t index);
size_t json_count(const struct json *list_or_map);
const char *json_text(const struct json *json); /* NULL unless JSON_TEXT */
int64_t json_int(const struct json *json);
double json_double(const struct json *json);
bool json_bool(const struct json *json);
/* *cursor starts NULL. False at the end. */
bool json_map_next(const struct json *map, void **cursor, const char **ret_key, const struct json **ret_value);
void json_write(const struct json *json, struct buf *out);                 /* compact, order kept */
void json_write_indented(const struct json *json, const char *prefix, const char *indent, struct buf *out);
/* Builders for the few shapes made by hand; each *_take gives the child away. */
struct json *json_new_map(void);
struct json *json_new_list(void);
struct json *json_new_text(const char *text);
struct json *json_new_int(int64_t value);
struct json *json_new_bool(bool value);
void json_set_take(struct json *map, const char *key, struct json *child);
void json_add_take(struct json *list, struct json *child);
