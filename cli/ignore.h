/* .dockerignore: which files of a build context stay behind. Patterns are tried in order, the last one that matches a
 * path or one of its directories decides; "!" takes back. "*" and "?" stay inside one name, "**" crosses directories.
 */
#pragma once
#include "lib/base/err.h"
#include "lib/base/mem.h"

#include <stdbool.h>
#include <stddef.h>

struct ignore;

/* Lines of the file: comments and blanks are skipped, "./" "//" ".." and leading slashes cleaned away. Caller frees. */
char **ignore_read(const char *text, size_t length);
/* ERR_INVALID for a pattern that cannot be read. *ret freed by ignore_free. */
int ignore_compile(char *const *patterns, struct ignore **ret, struct err *err);
void ignore_free(struct ignore *ignore);
CLEANUP_FN(struct ignore, ignore_free)
size_t ignore_count(const struct ignore *ignore);
/* Does the path stay behind? parent: what was matched for its directory (NULL at the top), count flags; ret: the same
 * for this path, to be passed on to what is in it. */
bool ignore_match(const struct ignore *ignore, const char *path, const bool *parent, bool *ret);
/* The path alone, its directories looked at too. */
bool ignore_match_path(const struct ignore *ignore, const char *path);
/* A directory that stays behind: may something in it be taken back by "!"? */
bool ignore_may_return(const struct ignore *ignore, const char *directory);
