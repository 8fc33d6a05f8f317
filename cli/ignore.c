/* A pattern becomes a list of elements, and a path is run through them with the set of all places it may be at; so no
 * pattern takes more than length times elements. */
#include "cli/ignore.h"

#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

enum element_kind {
    ELEMENT_BYTE,
    ELEMENT_ONE,   /* ?: any but '/' */
    ELEMENT_CLASS, /* [a-z] */
    ELEMENT_STAR,  /* *: any number but '/' */
    ELEMENT_DEEP,  /* two stars: nothing, or anything up to a '/' */
    ELEMENT_REST,  /* two stars at the end: anything */
};
struct element {
    enum element_kind kind;
    unsigned char byte;
    unsigned char set[32]; /* of a class: one bit a byte */
};
struct pattern {
    char *text;
    bool takes_back;
    bool literal; /* nothing but bytes */
    struct element *elements;
    size_t count;
};
struct ignore {
    struct pattern *patterns;
    size_t count;
};

char **ignore_read(const char *text, size_t length)
{
    AUTO_FREE char *copy = xstrndup(text, length);
    CLEANUP(strv_free) char **lines = strv_split(str_starts(copy, "\xef\xbb\xbf") ? copy + 3 : copy, '\n', true);
    char **patterns = NULL;
    for (char **line = lines; *line; line++) {
        if (**line == '#')
            continue;
        char *pattern = str_trim(*line);
        bool back = *pattern == '!';
        if (back)
            pattern = str_trim(pattern + 1);
        if (!*pattern && !back)
            continue;
        AUTO_FREE char *clean = *pattern ? path_clean(pattern) : xstrdup("");
        const char *start = clean[0] == '/' && clean[1] ? clean + 1 : clean;
        strv_append_take(&patterns, str_format("%s%s", back ? "!" : "", start));
    }
    return patterns;
}

static struct element *add_element(struct pattern *pattern, enum element_kind kind)
{
    pattern->elements = xreallocarray(pattern->elements, pattern->count + 1, sizeof *pattern->elements);
    struct element *element = &pattern->elements[pattern->count++];
    *element = (struct element){ .kind = kind };
    return element;
}

/* [a-z], [^a-z]. Returns what follows the bracket, NULL when there is none. */
static const char *read_class(const char *at, struct element *element)
{
    bool negated = *++at == '^', first = true;
    at += negated;
    for (; *at && (*at != ']' || first); first = false) {
        unsigned char low = (unsigned char)(*at == '\\' && at[1] ? *++at : *at), high = low;
        at++;
        if (*at == '-' && at[1] && at[1] != ']') {
            at++;
            high = (unsigned char)(*at == '\\' && at[1] ? *++at : *at);
            at++;
        }
        if (high < low)
            return NULL;
        for (unsigned c = low; c <= high; c++)
            element->set[c / 8] |= (unsigned char)(1u << c % 8);
    }
    for (size_t i = 0; negated && i < sizeof element->set; i++)
        element->set[i] = (unsigned char)~element->set[i];
    return *at ? at + 1 : NULL;
}

static int compile(const char *text, struct pattern *pattern, struct err *err)
{
    pattern->takes_back = *text == '!';
    pattern->text = xstrdup(text + pattern->takes_back);
    pattern->literal = !strpbrk(pattern->text, "*?[\\");
    if (!*pattern->text)
        return err_set(err, ERR_INVALID, "illegal exclusion pattern: \"!\"");
    for (const char *at = pattern->text; at && *at;) {
        if (at[0] == '*' && at[1] == '*') {
            at += at[2] == '/' ? 3 : 2;
            add_element(pattern, *at ? ELEMENT_DEEP : ELEMENT_REST);
        } else if (*at == '[') {
            at = read_class(at, add_element(pattern, ELEMENT_CLASS));
            if (!at)
                return err_set(err, ERR_INVALID, "syntax error in pattern: %s", pattern->text);
        } else if (*at == '*' || *at == '?') {
            add_element(pattern, *at++ == '*' ? ELEMENT_STAR : ELEMENT_ONE);
        } else {
            if (*at == '\\' && at[1])
                at++;
            add_element(pattern, ELEMENT_BYTE)->byte = (unsigned char)*at++;
        }
    }
    return 0;
}

int ignore_compile(char *const *patterns, struct ignore **ret, struct err *err)
{
    CLEANUP(ignore_free) struct ignore *ignore = xcalloc(1, sizeof *ignore);
    ignore->patterns = xcalloc(strv_length(patterns) + 1, sizeof *ignore->patterns);
    for (; patterns && *patterns; patterns++)
        if (compile(*patterns, &ignore->patterns[ignore->count++], err) < 0)
            return -1;
    *ret = take_ptr(&ignore);
    return 0;
}

void ignore_free(struct ignore *ignore)
{
    if (!ignore)
        return;
    for (size_t i = 0; i < ignore->count; i++) {
        free(ignore->patterns[i].text);
        free(ignore->patterns[i].elements);
    }
    free(ignore->patterns);
    free(ignore);
}

size_t ignore_count(const struct ignore *ignore)
{
    return ignore->count;
}

/* Places that cost nothing to reach: behind a star or a deep one. */
static void spread(const struct pattern *pattern, bool *places)
{
    for (size_t i = 0; i < pattern->count; i++)
        if (places[i] && pattern->elements[i].kind >= ELEMENT_STAR)
            places[i + 1] = true;
}

static bool takes(const struct element *element, unsigned char c)
{
    switch (element->kind) {
    case ELEMENT_BYTE:
        return c == element->byte;
    case ELEMENT_ONE:
        return c != '/';
    case ELEMENT_CLASS:
        return element->set[c / 8] >> c % 8 & 1;
    case ELEMENT_STAR:
    case ELEMENT_DEEP:
    case ELEMENT_REST:
        break;
    }
    return false;
}

/* A place inside a deep element (bytes taken, no '/' yet) is kept apart: it may not be left but through a '/'. */
static bool match_pattern(const struct pattern *pattern, const char *path)
{
    size_t count = pattern->count;
    if (pattern->literal)
        return str_eq(pattern->text, path);
    AUTO_FREE bool *places = xcalloc(4 * (count + 1), sizeof *places);
    bool *now = places, *next = now + count + 1, *inside = next + count + 1, *inside_next = inside + count + 1;
    now[0] = true;
    spread(pattern, now);
    for (; *path; path++) {
        unsigned char c = (unsigned char)*path;
        memset(next, 0, (count + 1) * sizeof *next);
        memset(inside_next, 0, (count + 1) * sizeof *inside_next);
        for (size_t i = 0; i < count; i++) {
            enum element_kind kind = pattern->elements[i].kind;
            if (now[i] && (kind == ELEMENT_REST || (kind == ELEMENT_STAR && c != '/')))
                next[i] = true;
            if (kind == ELEMENT_DEEP && (now[i] || inside[i])) {
                inside_next[i] = true;
                next[i + 1] |= c == '/';
            }
            if (now[i] && takes(&pattern->elements[i], c))
                next[i + 1] = true;
        }
        bool *swap = now;
        now = next;
        next = swap;
        swap = inside;
        inside = inside_next;
        inside_next = swap;
        spread(pattern, now);
    }
    return now[count];
}

bool ignore_match(const struct ignore *ignore, const char *path, const bool *parent, bool *ret)
{
    bool stays = false;
    for (size_t i = 0; i < ignore->count; i++) {
        ret[i] = (parent && parent[i]) || match_pattern(&ignore->patterns[i], path);
        if (ret[i])
            stays = !ignore->patterns[i].takes_back;
    }
    return stays;
}

bool ignore_match_path(const struct ignore *ignore, const char *path)
{
    AUTO_FREE bool *above = xcalloc(ignore->count + 1, sizeof *above);
    AUTO_FREE bool *own = xcalloc(ignore->count + 1, sizeof *own);
    AUTO_FREE char *part = xstrdup(path);
    for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)ignore_match(ignore, part, above, own);
        memcpy(above, own, ignore->count * sizeof *own);
        *slash = '/';
    }
    return ignore_match(ignore, path, above, own);
}

bool ignore_may_return(const struct ignore *ignore, const char *directory)
{
    size_t length = strlen(directory);
    for (size_t i = 0; i < ignore->count; i++) {
        const struct pattern *pattern = &ignore->patterns[i];
        if (pattern->takes_back && str_starts(pattern->text, directory) &&
            (pattern->text[length] == '/' || !pattern->text[length]))
            return true;
    }
    return false;
}
