#include "lib/oci/pattern.h"

#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#include <stdint.h>

/* The character at p and its length; a byte that is no UTF-8 counts as one of its own. */
static size_t rune_at(const char *p, uint32_t *ret)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : 0;
    uint32_t rune = length < 2 ? s[0] : s[0] & (0x7fU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            length = 0;
            break;
        }
        rune = rune << 6 | (s[i] & 0x3fU);
    }
    *ret = length ? rune : 0xdc00U + s[0];
    return length ? length : 1;
}

/* One end of a range in a class; NULL for bad syntax. */
static const char *class_end(const char *p, uint32_t *ret)
{
    if (!*p || *p == '-' || *p == ']' || (*p == '\\' && !*++p))
        return NULL;
    return p + rune_at(p, ret);
}

/* One class behind '['. Returns the pattern behind ']', NULL for bad syntax. */
static const char *class_match(const char *p, uint32_t c, bool *ret)
{
    bool negate = *p == '^', matched = false;
    if (negate)
        p++;
    for (int entries = 0; *p != ']' || entries == 0; entries++) {
        uint32_t low = 0, high;
        p = class_end(p, &low);
        if (!p)
            return NULL;
        high = low;
        if (*p == '-' && !(p = class_end(p + 1, &high)))
            return NULL;
        matched |= low <= c && c <= high;
    }
    *ret = matched != negate;
    return p + 1;
}

/* One element other than '*' against the first character of text. Returns the pattern behind the element, NULL for bad syntax. */
static const char *element_match(const char *p, const char *text, bool *ret, size_t *ret_length)
{
    uint32_t c, wanted;
    *ret_length = rune_at(text, &c);
    switch (*p) {
    case '?':
        *ret = c && c != '/';
        return p + 1;
    case '[':
        p = class_match(p + 1, c, ret);
        *ret = *ret && c;
        return p;
    case '\\':
        if (!*++p)
            return NULL;
        break;
    default:
        break;
    }
    size_t length = rune_at(p, &wanted);
    *ret = c && c == wanted;
    return p + length;
}

static bool well_formed(const char *p)
{
    while (p && *p) {
        bool ignored = false;
        size_t length;
        p = *p == '*' ? p + 1 : element_match(p, "x", &ignored, &length);
    }
    return p != NULL;
}

int pattern_match(const char *pattern, const char *text, bool *ret, struct err *err)
{
    *ret = false;
    if (!well_formed(pattern))
        return err_set(err, ERR_INVALID, "syntax error in pattern");
    const char *star = NULL, *resume = NULL; /* behind the last '*', and where its match would end */
    while (*text || *pattern) {
        bool matched = false;
        const char *next = NULL;
        size_t length = 0;
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
            continue;
        }
        if (*pattern)
            next = element_match(pattern, text, &matched, &length);
        if (matched) {
            pattern = next;
            text += length;
            continue;
        }
        if (!star || !*resume || *resume == '/')
            return 0;
        pattern = star;
        text = ++resume;
    }
    *ret = true;
    return 0;
}

bool pattern_has_wildcards(const char *text)
{
    for (; *text; text++) {
        if (*text == '*' || *text == '?' || *text == '[')
            return true;
        if (*text == '\\' && !*++text)
            return false;
    }
    return false;
}

char *pattern_unquote(const char *text)
{
    char *out = xmalloc(strlen(text) + 1), *to = out;
    for (; *text; text++) {
        if (*text == '\\' && text[1])
            text++;
        *to++ = *text;
    }
    *to = '\0';
    return out;
}

/* ---- lists ---- */

enum step_kind { STEP_RUNE, STEP_ONE /* ? */, STEP_CLASS, STEP_STAR, STEP_DIRS /* "**" + "/" */, STEP_REST /* "**" at the end */ };
struct step {
    enum step_kind kind;
    uint32_t rune;
    const char *class; /* behind '[', in the pattern's text */
};
struct pattern {
    char *text;
    bool exception;
    const char *suffix; /* of a pattern that is "**" and plain text */
    struct step *steps; /* NULL: plain text */
    size_t count;
};
struct pattern_set {
    struct pattern *patterns;
    size_t count;
    bool exceptions;
};

static const char *compile_stars(struct pattern *pattern, const char *p)
{
    struct step *step = &pattern->steps[pattern->count++];
    if (p[1] != '*') {
        step->kind = STEP_STAR;
        return p + 1;
    }
    p += p[2] == '/' ? 3 : 2;
    step->kind = *p ? STEP_DIRS : STEP_REST;
    return p;
}

static const char *compile_class(struct step *step, const char *p)
{
    bool ignored;
    step->kind = STEP_CLASS;
    step->class = p + 1;
    return class_match(p + 1, 0, &ignored);
}

/* The text has been found well formed. */
static void compile(struct pattern *pattern)
{
    const char *p = pattern->text;
    if (!pattern_has_wildcards(p) && !strchr(p, '\\'))
        return;
    if (str_starts(p, "**") && !pattern_has_wildcards(p + 2) && !strchr(p, '\\'))
        pattern->suffix = p + 2;
    pattern->steps = xcalloc(strlen(p), sizeof *pattern->steps);
    while (*p) {
        if (*p == '*') {
            p = compile_stars(pattern, p);
            continue;
        }
        struct step *step = &pattern->steps[pattern->count++];
        if (*p == '[') {
            p = compile_class(step, p);
        } else if (*p == '?') {
            step->kind = STEP_ONE;
            p++;
        } else {
            p += *p == '\\';
            p += rune_at(p, &step->rune);
        }
    }
}

static void activate(const struct pattern *pattern, unsigned char *active, size_t at)
{
    for (active[at] = 1; at < pattern->count && pattern->steps[at].kind >= STEP_STAR; at++)
        active[at + 1] = 1;
}

static void advance(const struct pattern *pattern, size_t at, uint32_t c, unsigned char *next)
{
    const struct step *step = &pattern->steps[at];
    bool passes = false;
    switch (step->kind) {
    case STEP_RUNE:
        passes = c == step->rune;
        break;
    case STEP_ONE:
        passes = c != '/';
        break;
    case STEP_CLASS:
        class_match(step->class, c, &passes);
        break;
    case STEP_STAR:
        if (c != '/')
            activate(pattern, next, at);
        return;
    case STEP_DIRS: /* stays inside the directories; behind a slash the rest may begin */
        next[at] = 1;
        passes = c == '/';
        break;
    case STEP_REST:
        activate(pattern, next, at);
        return;
    }
    if (passes)
        activate(pattern, next, at + 1);
}

/* All ways of matching at once, so that no pattern takes more than its length times the path's. */
static bool steps_match(const struct pattern *pattern, const char *path)
{
    AUTO_FREE unsigned char *memory = xcalloc(pattern->count + 1, 2);
    unsigned char *now = memory, *next = memory + pattern->count + 1;
    activate(pattern, now, 0);
    while (*path) {
        uint32_t c;
        path += rune_at(path, &c);
        memset(next, 0, pattern->count + 1);
        for (size_t i = 0; i < pattern->count; i++)
            if (now[i])
                advance(pattern, i, c, next);
        unsigned char *swap = now;
        now = next;
        next = swap;
    }
    return now[pattern->count];
}

static bool pattern_is(const struct pattern *pattern, const char *path)
{
    if (!pattern->steps)
        return str_eq(pattern->text, path);
    if (pattern->suffix)
        return str_ends(path, pattern->suffix) || (*pattern->suffix == '/' && str_eq(path, pattern->suffix + 1));
    return steps_match(pattern, path);
}

static bool matches_parent(const struct pattern *pattern, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        AUTO_FREE char *parent = xstrndup(path, (size_t)(slash - path));
        if (pattern_is(pattern, parent))
            return true;
    }
    return false;
}

bool pattern_set_match(const struct pattern_set *set, const char *path, const bool *parent, bool *ret_matched)
{
    bool matched = false;
    for (size_t i = 0; i < set->count; i++) {
        const struct pattern *pattern = &set->patterns[i];
        bool match = parent && parent[i];
        if (!match && pattern->exception == matched) /* else it could change nothing */
            match = pattern_is(pattern, path) || (!parent && matches_parent(pattern, path));
        if (ret_matched)
            ret_matched[i] = match;
        if (match)
            matched = !pattern->exception;
    }
    return matched;
}

bool pattern_set_may_except(const struct pattern_set *set, const char *dir)
{
    size_t length = strlen(dir);
    for (size_t i = 0; i < set->count; i++) {
        const struct pattern *pattern = &set->patterns[i];
        if (!pattern->exception)
            continue;
        if (pattern->steps || length == 0 || (strncmp(pattern->text, dir, length) == 0 && pattern->text[length] == '/'))
            return true;
    }
    return false;
}

size_t pattern_set_count(const struct pattern_set *set)
{
    return set->count;
}

static int add_pattern(struct pattern_set *set, const char *text, struct err *err)
{
    AUTO_FREE char *copy = xstrdup(text), *clean = NULL;
    const char *trimmed = str_trim(copy);
    if (!*trimmed)
        return 0;
    clean = path_clean(trimmed);
    bool exception = *clean == '!';
    if (exception && !clean[1])
        return err_set(err, ERR_INVALID, "illegal exclusion pattern: \"!\"");
    if (!well_formed(clean + exception))
        return err_set(err, ERR_INVALID, "syntax error in pattern");
    struct pattern *pattern = &set->patterns[set->count++];
    pattern->exception = exception;
    pattern->text = xstrdup(clean + exception);
    set->exceptions |= exception;
    compile(pattern);
    return 0;
}

int pattern_set_new(char *const *patterns, struct pattern_set **ret, struct err *err)
{
    CLEANUP(pattern_set_free) struct pattern_set *set = xcalloc(1, sizeof *set);
    set->patterns = xcalloc(strv_length(patterns) + 1, sizeof *set->patterns);
    for (size_t i = 0; patterns && patterns[i]; i++)
        if (add_pattern(set, patterns[i], err) < 0)
            return -1;
    *ret = take_ptr(&set);
    return 0;
}

void pattern_set_free(struct pattern_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++) {
        free(set->patterns[i].text);
        free(set->patterns[i].steps);
    }
    free(set->patterns);
    free(set);
}

/* ---- .dockerignore ---- */

static void ignore_line(char *line, char ***list)
{
    if (*line == '#')
        return;
    line = str_trim(line);
    bool exception = *line == '!';
    if (exception)
        line = str_trim(line + 1);
    if (!*line && !exception)
        return;
    AUTO_FREE char *clean = *line ? path_clean(line) : xstrdup("");
    strv_append_take(list, str_format("%s%s", exception ? "!" : "", clean + (clean[0] == '/' && clean[1])));
}

int ignore_file_parse(const char *text, size_t length, char ***ret, struct err *err)
{
    CLEANUP(strv_free) char **list = NULL;
    if (memchr(text, '\0', length))
        return err_set(err, ERR_INVALID, "the ignore file is not a text file");
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    AUTO_FREE char *copy = xstrndup(text, length);
    CLEANUP(strv_free) char **lines = strv_split(copy, '\n', true);
    for (size_t i = 0; lines[i]; i++)
        ignore_line(lines[i], &list);
    *ret = take_ptr(&list);
    return 0;
}
