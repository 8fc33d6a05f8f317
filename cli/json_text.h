/* JSON as Docker's clients print it: the characters < > & stand as they are, where lib/json writes escapes. */
#pragma once
#include "lib/base/buf.h"
#include "lib/json/value.h"

/* Appends compact JSON, or indented (with prefix) when indent is not NULL. */
void json_text_write(const struct json *json, const char *prefix, const char *indent, struct buf *out);
void json_text_string(const char *text, struct buf *out);
/* Appends JSON text made elsewhere with its HTML escapes undone. */
void json_text_plain(const struct buf *text, struct buf *out);
