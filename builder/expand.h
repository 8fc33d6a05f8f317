/* Variables in a Dockerfile's words: $name, ${name}, the modifiers
 *     ${v:-w} ${v-w} ${v:+w} ${v+w} ${v:?w} ${v?w} ${v#p} ${v##p} ${v%p} ${v%%p} ${v/p/w} ${v//p/w}
 * and the quotes and escapes around them, which vanish. Patterns know * and ? and the backslash. Pure; the work for one word is bounded
 * (size of the result, nesting, steps of pattern matching): ERR_INVALID over a limit. */
#pragma once
#include "lib/base/err.h"
#include "lib/base/strv.h"
#include <stddef.h>
#include <stdint.h>

#define EXPAND_BYTES_MAX ((size_t)1 << 20)
#define EXPAND_DEPTH_MAX 64

struct expand_scope {
    const char *(*get)(const void *arg, const char *name); /* NULL = unset */
    const void *arg;
    char escape;      /* '\\' or '`' */
    bool keep_quotes; /* quotes are ordinary characters (the text of a heredoc) */
};
/* ERR_INVALID: `failed to process "<word>": ...`. *ret is the caller's. */
int expand_word(const struct expand_scope *scope, const char *word, char **ret, struct err *err);
/* What is left of the word falls apart at white space outside of quotes. */
int expand_words(const struct expand_scope *scope, const char *word, char ***ret, struct err *err);
/* A scope's get over a "NAME=value" list (arg: char *const *). */
const char *expand_env_get(const void *arg, const char *name);

/* expand_pattern.c: pattern over text. budget counts steps down; ERR_INVALID when it is used up. *ret is the caller's. */
struct expand_pattern {
    const char *pattern;
    uint64_t *budget;
};
int expand_trim(const struct expand_pattern *pattern, const char *text, bool suffix, bool longest, char **ret, struct err *err);
int expand_replace(const struct expand_pattern *pattern, const char *text, const char *with, bool all, char **ret, struct err *err);
