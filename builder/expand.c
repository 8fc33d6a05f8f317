#include "builder/expand.h"

#include "builder/parse.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <ctype.h>
#include <stdio.h>

#define STEPS_MAX ((uint64_t)1 << 26)

/* Where characters go: the whole text, and (for expand_words) the word at hand. */
struct output {
    struct buf text, word;
    char **words;
    bool splitting, in_word;
};
struct scan {
    const struct expand_scope *scope;
    const char *at;
    unsigned depth;
    uint64_t budget;
    bool raw_escapes; /* a pattern: keep the escapes for the matcher */
};
#define NO_STOP (-1)

static int scan_until(struct scan *scan, int stop, struct output *out, struct err *err);

static void output_init(struct output *out, bool splitting)
{
    *out = (struct output){ .text = BUF_INIT(EXPAND_BYTES_MAX),
                            .word = BUF_INIT(EXPAND_BYTES_MAX),
                            .splitting = splitting };
}

static void output_done(struct output *out)
{
    buf_done(&out->text);
    buf_done(&out->word);
    strv_free(out->words);
}

static void end_word(struct output *out)
{
    if (out->in_word)
        strv_append(&out->words, out->word.length ? out->word.data : "");
    buf_clear(&out->word);
    out->in_word = false;
}

/* quoted: white space does not end the word */
static void put(struct output *out, char c, bool quoted)
{
    buf_putc(&out->text, c);
    if (!out->splitting)
        return;
    if (!quoted && is_space(c)) {
        end_word(out);
        return;
    }
    out->in_word = true;
    buf_putc(&out->word, c);
}

static void put_text(struct output *out, const char *text, bool quoted)
{
    for (; *text; text++)
        put(out, *text, quoted);
    if (quoted)
        out->in_word = true;
}

/* ---- ${...} ---- */

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static char *read_name(struct scan *scan)
{
    const char *start = scan->at;
    if (isdigit((unsigned char)*start))
        while (isdigit((unsigned char)*scan->at))
            scan->at++;
    else if (*start && strchr("@*#?-$!", *start))
        scan->at++;
    else
        while (is_name_char(*scan->at))
            scan->at++;
    return xstrndup(start, (size_t)(scan->at - start));
}

static const char *lookup(const struct scan *scan, const char *name)
{
    return scan->scope->get ? scan->scope->get(scan->scope->arg, name) : NULL;
}

/* The text up to `stop` as an owned string, expanded. */
static int inner_word(struct scan *scan, int stop, bool raw, char **ret, struct err *err)
{
    struct output out;
    bool outer = scan->raw_escapes;
    output_init(&out, false);
    scan->raw_escapes = raw;
    int r = scan_until(scan, stop, &out, err);
    scan->raw_escapes = outer;
    if (r == 0 && buf_failed(&out.text))
        r = err_set(err, ERR_INVALID, "the value is larger than %zu bytes", EXPAND_BYTES_MAX);
    if (r == 0)
        *ret = buf_take(&out.text);
    output_done(&out);
    if (r < 0 && !*scan->at && err->kind == ERR_INVALID && str_starts(err->text, "unexpected end"))
        r = err_set(err, ERR_INVALID, "syntax error: missing '%c'%s", stop, stop == '/' ? " in ${}" : "");
    return r;
}

struct modifier {
    char kind; /* - + ? # % / */
    bool null_is_unset;
    const char *name;
    const char *value; /* NULL = unset */
};

static int unset_or_empty(const struct modifier *mod, const char *word, struct err *err)
{
    const char *why = mod->value ? "is not allowed to be empty" : "is not allowed to be unset";
    return err_set(err, ERR_INVALID, "%s: %s", mod->name, *word ? word : why);
}

static int apply_word(struct scan *scan, const struct modifier *mod, const char *word, char **ret, struct err *err)
{
    bool absent = !mod->value || (mod->null_is_unset && !*mod->value);
    const char *value = mod->value ? mod->value : "";
    switch (mod->kind) {
    case '-':
        *ret = xstrdup(absent ? word : value);
        return 0;
    case '+':
        *ret = xstrdup(absent ? "" : word);
        return 0;
    case '?':
        if (absent)
            return unset_or_empty(mod, word, err);
        *ret = xstrdup(value);
        return 0;
    default:
        break;
    }
    bool longest = *word == mod->kind;
    struct expand_pattern pattern = { word + longest, &scan->budget };
    return expand_trim(&pattern, value, mod->kind == '%', longest, ret, err);
}

static int apply_replace(struct scan *scan, const struct modifier *mod, char **ret, struct err *err)
{
    AUTO_FREE char *pattern_text = NULL, *with = NULL;
    bool all = *scan->at == '/';
    scan->at += all;
    if (inner_word(scan, '/', true, &pattern_text, err) < 0 || inner_word(scan, '}', true, &with, err) < 0)
        return -1;
    struct expand_pattern pattern = { pattern_text, &scan->budget };
    return expand_replace(&pattern, mod->value ? mod->value : "", with, all, ret, err);
}

static int bad_modifier(const char *start, size_t length, struct err *err)
{
    return err_set(err, ERR_INVALID, "unsupported modifier (%.*s) in substitution", (int)length, start);
}

/* Behind "${". */
static int braced(struct scan *scan, char **ret, struct err *err)
{
    if (!*scan->at)
        return err_set(err, ERR_INVALID, "syntax error: missing '}'");
    if (strchr("{}:", *scan->at))
        return err_set(err, ERR_INVALID, "syntax error: bad substitution");
    AUTO_FREE char *name = read_name(scan);
    struct modifier mod = { .name = name, .value = lookup(scan, name) };
    const char *start = scan->at;
    if (*start == '}') {
        scan->at++;
        *ret = xstrdup(mod.value ? mod.value : "");
        return 0;
    }
    mod.null_is_unset = *start == ':';
    mod.kind = start[mod.null_is_unset];
    if (!*start || !mod.kind)
        return err_set(err, ERR_INVALID, "syntax error: missing '}'");
    scan->at += mod.null_is_unset + 1;
    if (mod.kind == '/' && !mod.null_is_unset)
        return apply_replace(scan, &mod, ret, err);
    bool pattern = mod.kind == '#' || mod.kind == '%';
    if (!strchr("-+?#%", mod.kind) || (pattern && mod.null_is_unset))
        return bad_modifier(start, mod.null_is_unset + 1U, err);
    AUTO_FREE char *word = NULL;
    if (inner_word(scan, '}', pattern, &word, err) < 0)
        return -1;
    return apply_word(scan, &mod, word, ret, err);
}

static int dollar(struct scan *scan, char **ret, struct err *err)
{
    scan->at++;
    if (*scan->at != '{') {
        AUTO_FREE char *name = read_name(scan);
        const char *value = *name ? lookup(scan, name) : "$";
        *ret = xstrdup(value ? value : "");
        return 0;
    }
    scan->at++;
    if (++scan->depth > EXPAND_DEPTH_MAX)
        return err_set(err, ERR_INVALID, "substitutions are nested more than %d deep", EXPAND_DEPTH_MAX);
    int r = braced(scan, ret, err);
    scan->depth--;
    return r;
}

/* ---- quotes ---- */

static int single_quoted(struct scan *scan, struct output *out, struct err *err)
{
    const char *end = strchr(++scan->at, '\'');
    if (!end) {
        scan->at += strlen(scan->at);
        return err_set(err, ERR_INVALID, "unexpected end of statement while looking for matching single-quote");
    }
    out->in_word = true;
    while (scan->at < end)
        put(out, *scan->at++, true);
    scan->at++;
    return 0;
}

static int put_dollar(struct scan *scan, struct output *out, bool quoted, struct err *err)
{
    AUTO_FREE char *value = NULL;
    if (dollar(scan, &value, err) < 0)
        return -1;
    put_text(out, value, quoted);
    return 0;
}

static int double_quoted(struct scan *scan, struct output *out, struct err *err)
{
    char escape = scan->scope->escape;
    scan->at++;
    out->in_word = true;
    while (*scan->at && *scan->at != '"') {
        if (*scan->at == '$') {
            if (put_dollar(scan, out, true, err) < 0)
                return -1;
            continue;
        }
        if (*scan->at == escape && scan->at[1]) {
            char next = scan->at[1];
            bool special = next == '"' || next == '$' || next == escape;
            if (!special || scan->raw_escapes)
                put(out, escape, true);
            scan->at++;
        }
        put(out, *scan->at++, true);
    }
    if (!*scan->at)
        return err_set(err, ERR_INVALID, "unexpected end of statement while looking for matching double-quote");
    scan->at++;
    return 0;
}

static int scan_one(struct scan *scan, struct output *out, struct err *err)
{
    bool quotes = !scan->scope->keep_quotes;
    if (*scan->at == '$')
        return put_dollar(scan, out, false, err);
    if (*scan->at == '\'' && quotes)
        return single_quoted(scan, out, err);
    if (*scan->at == '"' && quotes)
        return double_quoted(scan, out, err);
    if (*scan->at != scan->scope->escape) {
        put(out, *scan->at++, false);
        return 0;
    }
    if (scan->raw_escapes)
        put(out, *scan->at, true);
    if (*++scan->at)
        put(out, *scan->at++, true);
    return 0;
}

/* Up to the character `stop`, which is taken, or to the end. */
static int scan_until(struct scan *scan, int stop, struct output *out, struct err *err)
{
    while (*scan->at) {
        if (*scan->at == stop) {
            scan->at++;
            return 0;
        }
        if (scan_one(scan, out, err) < 0)
            return -1;
        if (buf_failed(&out->text))
            return err_set(err, ERR_INVALID, "the value is larger than %zu bytes", EXPAND_BYTES_MAX);
    }
    return stop == NO_STOP
               ? 0
               : err_set(err, ERR_INVALID, "unexpected end of statement while looking for matching %c", stop);
}

/* ---- entries ---- */

/* As Go's %q shows it, for messages. */
static char *shown(const char *word)
{
    struct buf out = BUF_INIT(512);
    for (; *word && out.length < 300; word++) {
        if (*word == '"' || *word == '\\')
            buf_putc(&out, '\\');
        if (*word == '\n')
            buf_puts(&out, "\\n");
        else if (*word == '\t')
            buf_puts(&out, "\\t");
        else
            buf_putc(&out, *word);
    }
    return buf_take(&out);
}

static int scan_word(const struct expand_scope *scope, const char *word, struct output *out, struct err *err)
{
    struct scan scan = { .scope = scope, .at = word, .budget = STEPS_MAX };
    if (scan_until(&scan, NO_STOP, out, err) == 0)
        return 0;
    AUTO_FREE char *text = shown(word);
    return err_wrap(err, "failed to process \"%s\"", text);
}

int expand_word(const struct expand_scope *scope, const char *word, char **ret, struct err *err)
{
    struct output out;
    output_init(&out, false);
    int r = scan_word(scope, word, &out, err);
    if (r == 0)
        *ret = buf_take(&out.text);
    output_done(&out);
    return r;
}

int expand_words(const struct expand_scope *scope, const char *word, char ***ret, struct err *err)
{
    struct output out;
    output_init(&out, true);
    int r = scan_word(scope, word, &out, err);
    end_word(&out);
    if (r == 0)
        *ret = take_ptr(&out.words);
    output_done(&out);
    return r;
}

const char *expand_env_get(const void *arg, const char *name)
{
    char *const *const *list = arg;
    return strv_env_get(*list, name);
}
