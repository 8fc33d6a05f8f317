/* Lists of lists of strings, which the codec carries as raw JSON (driver status, ps rows, device
 * capabilities, tmpfs options, firewall info): building them row by row and taking them apart. */
#pragma once
#include "lib/base/err.h"
#include <stddef.h>

struct string_rows {
    char ***rows; /* count NULL-ended lists */
    size_t count;
};
/* Appends a row to the raw text *raw (NULL = empty list). */
void rows_add(char **raw, char *const *row);
void rows_add_pair(char **raw, const char *name, const char *value);
/* ERR_INVALID when raw is not a list of lists of strings; NULL and "null" are empty. */
int rows_decode(const char *raw, struct string_rows *ret, struct err *err);
void rows_clear(struct string_rows *rows);
