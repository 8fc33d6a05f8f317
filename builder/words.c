/* How the rest of an instruction's line falls into words. */
#include "builder/parse.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <ctype.h>

#define WORD_MAX (DOCKERFILE_BYTES_MAX + 1)

char **words_whitespace(const char *rest)
{
    char **list = NULL;
    for (rest = skip_space(rest); *rest; rest = skip_space(rest)) {
        const char *end = rest;
        while (*end && !is_space(*end))
            end++;
        strv_append_take(&list, xstrndup(rest, (size_t)(end - rest)));
        rest = end;
    }
    return list;
}

/* One word with its quotes and escapes as they are; returns what is behind it. */
static const char *quoted_word(const char *rest, char escape, struct buf *word)
{
    char quote = '\0';
    for (; *rest && (quote || !is_space(*rest)); rest++) {
        if (*rest == escape && quote != '\'') {
            if (!rest[1])
                continue; /* a lone escape at the end */
            buf_putc(word, *rest++);
        } else if (quote && *rest == quote) {
            quote = '\0';
        } else if (!quote && (*rest == '\'' || *rest == '"')) {
            quote = *rest;
        }
        buf_putc(word, *rest);
    }
    return rest;
}

char **words_quoted(const char *rest, char escape)
{
    char **list = NULL;
    for (rest = skip_space(rest); *rest; rest = skip_space(rest)) {
        AUTO_BUF struct buf word = BUF_INIT(WORD_MAX);
        rest = quoted_word(rest, escape, &word);
        if (word.length)
            strv_append(&list, word.data);
    }
    return list;
}

/* A flag's word: quotes go, a backslash keeps the next character. */
static const char *flag_word(const char *rest, struct buf *word)
{
    char quote = '\0';
    for (; *rest && (quote || !is_space(*rest)); rest++) {
        if (*rest == '\\') {
            if (!rest[1])
                continue;
            buf_putc(word, *++rest);
        } else if (quote && *rest == quote) {
            quote = '\0';
        } else if (!quote && (*rest == '\'' || *rest == '"')) {
            quote = *rest;
        } else {
            buf_putc(word, *rest);
        }
    }
    return rest;
}

char **words_flags(const char *rest, const char **ret_rest)
{
    char **list = NULL;
    for (rest = skip_space(rest); str_starts(rest, "--"); rest = skip_space(rest)) {
        AUTO_BUF struct buf word = BUF_INIT(WORD_MAX);
        rest = flag_word(rest, &word);
        if (str_eq(word.data, "--"))
            break;
        strv_append(&list, word.data);
    }
    *ret_rest = skip_space(rest);
    return list;
}

/* 1: args filled; 0: not a JSON list; -1: a list of other things than strings */
static int split_json(struct instruction *insn, const char *rest, struct err *err)
{
    CLEANUP(strv_free) char **words = NULL;
    int r = json_words(rest, &words, err);
    strv_extend(&insn->args, words);
    insn->json = r == 1;
    return r;
}

int split_json_or_text(struct instruction *insn, const char *rest, char escape, struct err *err)
{
    (void)escape;
    int r = split_json(insn, rest, err);
    if (r == 0 && *rest)
        strv_append(&insn->args, rest);
    return r < 0 ? -1 : 0;
}

int split_json_or_words(struct instruction *insn, const char *rest, char escape, struct err *err)
{
    (void)escape;
    int r = split_json(insn, rest, err);
    if (r == 0)
        insn->args = words_whitespace(rest);
    return r < 0 ? -1 : 0;
}

int split_text(struct instruction *insn, const char *rest, char escape, struct err *err)
{
    (void)escape;
    (void)err;
    if (*rest)
        strv_append(&insn->args, rest);
    return 0;
}

int split_words(struct instruction *insn, const char *rest, char escape, struct err *err)
{
    (void)escape;
    (void)err;
    insn->args = words_whitespace(rest);
    return 0;
}

int split_names(struct instruction *insn, const char *rest, char escape, struct err *err)
{
    (void)err;
    insn->args = words_quoted(rest, escape);
    return 0;
}

/* NAME VALUE of the old form, or NAME=VALUE words. */
int split_pairs(struct instruction *insn, const char *rest, char escape, struct err *err)
{
    CLEANUP(strv_free) char **words = words_quoted(rest, escape);
    if (!words)
        return 0;
    if (!strchr(words[0], '=')) {
        const char *end = rest;
        while (*end && !is_space(*end))
            end++;
        if (!*end)
            return err_set(err, ERR_INVALID, "%s must have two arguments", insn->kind->name);
        strv_append_take(&insn->args, xstrndup(rest, (size_t)(end - rest)));
        strv_append(&insn->args, skip_space(end));
        return 0;
    }
    for (char **word = words; *word; word++) {
        const char *equals = strchr(*word, '=');
        if (!equals)
            return err_set(err, ERR_INVALID, "Syntax error - can't find = in \"%s\". Must be of the form: name=value",
                           *word);
        strv_append_take(&insn->args, xstrndup(*word, (size_t)(equals - *word)));
        strv_append(&insn->args, equals + 1);
    }
    return 0;
}

/* "CMD ..." or "NONE": the type, then its command. */
int split_health(struct instruction *insn, const char *rest, char escape, struct err *err)
{
    const char *end = rest;
    while (*end && !is_space(*end))
        end++;
    if (end == rest)
        return 0;
    strv_append_take(&insn->args, xstrndup(rest, (size_t)(end - rest)));
    return split_json_or_text(insn, skip_space(end), escape, err);
}

/* ---- heredocs ---- */

/* The word without its quotes; *ret_quoted tells whether there were any. NULL for an unbalanced one, or when there are
 * two words. */
static char *unquote(const char *word, bool *ret_quoted)
{
    AUTO_BUF struct buf out = BUF_INIT(WORD_MAX);
    char quote = '\0';
    *ret_quoted = false;
    for (; *word; word++) {
        if (quote ? *word == quote : *word == '\'' || *word == '"') {
            quote = quote ? '\0' : *word;
            *ret_quoted = true;
            continue;
        }
        if (!quote && is_space(*word))
            return *skip_space(word) ? NULL : buf_take(&out);
        bool kept = quote == '\'' || (quote == '"' && word[1] != '"' && word[1] != '$' && word[1] != '\\');
        if (*word == '\\' && !kept) {
            if (!word[1])
                break;
            word++;
        }
        buf_putc(&out, *word);
    }
    return quote ? NULL : buf_take(&out);
}

struct heredoc *heredoc_parse(const char *word)
{
    while (isdigit((unsigned char)*word))
        word++;
    if (!str_starts(word, "<<"))
        return NULL;
    word += 2;
    bool chomp = *word == '-', quoted;
    word = skip_space(word + chomp);
    if (!*word || strchr(word, '<'))
        return NULL;
    char *name = unquote(word, &quoted);
    if (str_empty(name)) {
        free(name);
        return NULL;
    }
    struct heredoc *heredoc = xcalloc(1, sizeof *heredoc);
    *heredoc = (struct heredoc){ .name = name, .expand = !quoted, .chomp = chomp };
    return heredoc;
}

void heredoc_free(struct heredoc *heredoc)
{
    if (!heredoc)
        return;
    free(heredoc->name);
    free(heredoc->content);
    free(heredoc);
}

char *heredoc_text(const struct heredoc *heredoc)
{
    if (!heredoc->chomp)
        return xstrdup(heredoc->content);
    AUTO_BUF struct buf out = BUF_INIT(WORD_MAX);
    bool at_start = true;
    for (const char *c = heredoc->content; *c; c++) {
        if (at_start && *c == '\t')
            continue;
        at_start = *c == '\n';
        buf_putc(&out, *c);
    }
    return buf_take(&out);
}

const struct heredoc *heredoc_find(const struct instruction *insn, const char *name)
{
    for (size_t i = insn->heredoc_count; i-- > 0;)
        if (str_eq(insn->heredocs[i].name, name))
            return &insn->heredocs[i];
    return NULL;
}
