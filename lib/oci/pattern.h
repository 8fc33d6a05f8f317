/* Shell patterns as Go's path.Match knows them: '*' and '?' never match '/', classes negate with '^',
 * backslash quotes. The whole text must match. */
#pragma once
#include "lib/base/err.h"
#include <stdbool.h>

/* ERR_INVALID "syntax error in pattern". */
int pattern_match(const char *pattern, const char *text, bool *ret, struct err *err);
