/* Between the files of lib/json. */
#pragma once
#include "lib/json/codec.h"
#include <jansson.h>

#define JSON_DEPTH_MAX 64
/* Parses with jansson; ERR_INVALID with line and column; depth checked. */
int json_load_text(const char *text, size_t length, json_t **ret, struct err *err);
void json_write_jansson(const json_t *json, const char *prefix, const char *indent, struct buf *out);
static inline void cleanup_json_decref(json_t **json)
{
    json_decref(*json);
}
#define AUTO_JSON __attribute__((cleanup(cleanup_json_decref)))
static inline void *codec_member(void *value, const struct codec_field *field)
{
    return (char *)value + field->offset;
}
static inline const void *codec_member_const(const void *value, const struct codec_field *field)
{
    return (const char *)value + field->offset;
}
