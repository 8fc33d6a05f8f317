#include "lib/oci/pattern.h"
#include <stddef.h>

/* One class behind '['. Returns the pattern behind ']', NULL for bad syntax. */
static const char *class_match(const char *p, char c, bool *ret)
{
    bool negate = *p == '^', matched = false;
    if (negate)
        p++;
    for (int entries = 0; *p != ']' || entries == 0; entries++) {
        if (!*p || *p == '-' || *p == ']')
            return NULL;
        if (*p == '\\' && !*++p)
            return NULL;
        unsigned char low = (unsigned char)*p++, high = low;
        if (*p == '-') {
            p++;
            if (!*p || *p == '-' || *p == ']' || (*p == '\\' && !*++p))
                return NULL;
            high = (unsigned char)*p++;
        }
        if (low <= (unsigned char)c && (unsigned char)c <= high)
            matched = true;
    }
    *ret = matched != negate;
    return p + 1;
}

/* One element other than '*'. Returns the pattern behind it, NULL for bad syntax. */
static const char *element_match(const char *p, char c, bool *ret)
{
    switch (*p) {
    case '?':
        *ret = c && c != '/';
        return p + 1;
    case '[':
        p = class_match(p + 1, c, ret);
        *ret = *ret && c && c != '/';
        return p;
    case '\\':
        if (!*++p)
            return NULL;
        break;
    default:
        break;
    }
    *ret = c && *p == c;
    return p + 1;
}

static bool well_formed(const char *p)
{
    while (p && *p) {
        bool ignored = false;
        p = *p == '*' ? p + 1 : element_match(p, 'x', &ignored);
    }
    return p != NULL;
}

int pattern_match(const char *pattern, const char *text, bool *ret, struct err *err)
{
    *ret = false;
    if (!well_formed(pattern))
        return err_set(err, ERR_INVALID, "syntax error in pattern");
    const char *star = NULL, *resume = NULL; /* the last '*', and where its match would end */
    while (*text || *pattern) {
        bool matched = false;
        const char *next = NULL;
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
            continue;
        }
        if (*pattern)
            next = element_match(pattern, *text, &matched);
        if (matched) {
            pattern = next;
            text++;
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
