/* Shell patterns over paths: Go's filepath.Match for the sources of COPY and for references, and lists of patterns with "**" and "!" as
 * Docker reads them in .dockerignore, --exclude and --parents. Everything is text; nothing is looked up. */
#pragma once
#include "lib/base/mem.h"
#include "lib/base/err.h"
#include <stdbool.h>

/* '*' and '?' never match '/', classes negate with '^', backslash quotes; characters are UTF-8. The whole text must match.
 * ERR_INVALID "syntax error in pattern". */
int pattern_match(const char *pattern, const char *text, bool *ret, struct err *err);
bool pattern_has_wildcards(const char *text); /* an unquoted '*', '?' or '[' */
/* The text without its quoting backslashes; caller frees. */
char *pattern_unquote(const char *text);

/* A list where the last pattern that matches a path or one of its parents decides; "!" in front takes the path out again. "**" matches
 * any number of directories. Immutable: may be used by several threads. */
struct pattern_set;
/* Blank patterns are skipped, others cleaned as paths. ERR_INVALID "syntax error in pattern" or `illegal exclusion pattern: "!"`. */
int pattern_set_new(char *const *patterns, struct pattern_set **ret, struct err *err);
void pattern_set_free(struct pattern_set *set);
CLEANUP_FN(struct pattern_set, pattern_set_free)
size_t pattern_set_count(const struct pattern_set *set);
/* Has it a "!" pattern that may match something below dir, which itself is matched? Then dir must be entered all the same. */
bool pattern_set_may_except(const struct pattern_set *set, const char *dir);
/* path: clean, relative. parent: what the match of its directory gave in ret_matched (as in a walk), or NULL: the parents are looked at
 * here. ret_matched (may be NULL) has pattern_set_count() elements. */
bool pattern_set_match(const struct pattern_set *set, const char *path, const bool *parent, bool *ret_matched);

/* The patterns of a .dockerignore: comments, blanks, slashes at either end and a byte order mark are taken off. *ret is a strv. */
int ignore_file_parse(const char *text, size_t length, char ***ret, struct err *err);
