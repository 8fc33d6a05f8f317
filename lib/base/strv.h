/* NULL-ended lists of owned strings. A NULL strv is an empty list everywhere. */
#pragma once
#include "lib/base/mem.h"
#include <stdbool.h>

size_t strv_length(char *const *list);
void strv_free(char **list);
CLEANUP_FN(char *, strv_free)
char **strv_dup(char *const *list); /* NULL stays NULL */
void strv_append(char ***list, const char *text);      /* copies */
void strv_append_take(char ***list, char *text);       /* takes */
void strv_extend(char ***list, char *const *more);     /* copies */
bool strv_contains(char *const *list, const char *text);
bool strv_remove(char **list, const char *text);       /* first match; true when there was one */
/* Splits at each separator; empty pieces are kept unless skip_empty. Never NULL. */
char **strv_split(const char *text, char separator, bool skip_empty);
char *strv_join(char *const *list, const char *separator); /* "" for an empty list */
void strv_sort(char **list);
bool strv_equal(char *const *a, char *const *b);
/* Environment lists "NAME=value": value of NAME or NULL (borrowed); set replaces or appends. */
const char *strv_env_get(char *const *list, const char *name);
void strv_env_set(char ***list, const char *assignment);
