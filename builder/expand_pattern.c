/* Patterns of ${v#p} and its kin. The text is matched as characters (UTF-8), by the set of pattern positions that are
 * alive after each of them: one pass tells every length at which the pattern matches. */
#include "builder/expand.h"
#include "lib/base/buf.h"

#define ANY (-1)  /* '?' */
#define STAR (-2) /* '*' */

struct marks { /* characters, or pattern elements */
    int32_t *items;
    size_t count;
};

static int32_t next_char(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    size_t more = *s >= 0xf0 ? 3 : *s >= 0xe0 ? 2 : *s >= 0xc0 ? 1 : 0, used = 1;
    int32_t c = more ? *s & (0x3f >> more) : *s;
    for (; used <= more; used++) {
        if ((s[used] & 0xc0) != 0x80) {
            *text += 1;
            return *s; /* not UTF-8: a byte is a character */
        }
        c = c << 6 | (s[used] & 0x3f);
    }
    *text += used;
    return c;
}

static struct marks marks_of(const char *text, bool pattern, size_t **ret_offsets)
{
    struct marks marks = { xcalloc(strlen(text) + 1, sizeof *marks.items), 0 };
    size_t *offsets = ret_offsets ? xcalloc(strlen(text) + 1, sizeof *offsets) : NULL;
    for (const char *at = text; *at;) {
        if (offsets)
            offsets[marks.count] = (size_t)(at - text);
        bool literal = false;
        if (pattern && *at == '\\' && at[1]) {
            at++;
            literal = true;
        }
        int32_t c = next_char(&at);
        if (pattern && !literal && (c == '*' || c == '?'))
            c = c == '*' ? STAR : ANY;
        marks.items[marks.count++] = c;
    }
    if (offsets) {
        offsets[marks.count] = strlen(text);
        *ret_offsets = offsets;
    }
    return marks;
}

static void reverse(struct marks *marks)
{
    for (size_t i = 0, j = marks->count; i + 1 < j; i++) {
        int32_t kept = marks->items[i];
        marks->items[i] = marks->items[--j];
        marks->items[j] = kept;
    }
}

static void close_stars(const struct marks *pattern, bool *alive)
{
    for (size_t i = 0; i < pattern->count; i++)
        if (alive[i] && pattern->items[i] == STAR)
            alive[i + 1] = true;
}

/* How many characters from `from` on the pattern matches: the fewest or the most; -1 for no match, -2 when the budget
 * ends. */
static long match_length(const struct marks *pattern, const struct marks *text, size_t from, bool longest,
                         uint64_t *budget)
{
    size_t width = pattern->count + 1;
    bool *alive = xcalloc(width, sizeof *alive), *next = xcalloc(width, sizeof *next);
    long found = -1;
    alive[0] = true;
    close_stars(pattern, alive);
    for (size_t i = from;; i++) {
        bool any = false;
        if (alive[pattern->count])
            found = (long)(i - from);
        if (i == text->count || (found >= 0 && !longest))
            break;
        if (*budget < width) {
            found = -2;
            break;
        }
        *budget -= width;
        memset(next, 0, width);
        for (size_t p = 0; p < pattern->count; p++) {
            int32_t element = pattern->items[p];
            if (alive[p] && (element == STAR || element == ANY || element == text->items[i]))
                next[element == STAR ? p : p + 1] = any = true;
        }
        if (!any)
            break;
        close_stars(pattern, next);
        bool *kept = alive;
        alive = next;
        next = kept;
    }
    free(alive);
    free(next);
    return found;
}

static int too_much(struct err *err)
{
    return err_set(err, ERR_INVALID, "the pattern takes too many steps");
}

int expand_trim(const struct expand_pattern *pattern, const char *text, bool suffix, bool longest, char **ret,
                struct err *err)
{
    size_t *offsets;
    struct marks marks = marks_of(pattern->pattern, true, NULL), chars = marks_of(text, false, &offsets);
    if (suffix) {
        reverse(&marks);
        reverse(&chars);
    }
    long cut = match_length(&marks, &chars, 0, longest, pattern->budget);
    if (cut >= 0 && suffix)
        *ret = xstrndup(text, offsets[chars.count - (size_t)cut]);
    else
        *ret = xstrdup(text + (cut > 0 ? offsets[cut] : 0));
    free(marks.items);
    free(chars.items);
    free(offsets);
    if (cut != -2)
        return 0;
    free(take_ptr(ret));
    return too_much(err);
}

int expand_replace(const struct expand_pattern *pattern, const char *text, const char *with, bool all, char **ret,
                   struct err *err)
{
    size_t *offsets, at = 0;
    struct buf out = BUF_INIT(EXPAND_BYTES_MAX);
    struct marks marks = marks_of(pattern->pattern, true, NULL), chars = marks_of(text, false, &offsets);
    long length = 0;
    bool replacing = true;
    while (at < chars.count && length != -2) {
        length = replacing ? match_length(&marks, &chars, at, true, pattern->budget) : -1;
        if (length > 0) {
            buf_puts(&out, with);
            at += (size_t)length;
            replacing = all;
            continue;
        }
        buf_append(&out, text + offsets[at], offsets[at + 1] - offsets[at]);
        at++;
    }
    free(marks.items);
    free(chars.items);
    free(offsets);
    if (length != -2 && !buf_failed(&out)) {
        *ret = buf_take(&out);
        return 0;
    }
    bool large = buf_failed(&out);
    buf_done(&out);
    return large ? err_set(err, ERR_INVALID, "the value is larger than %zu bytes", EXPAND_BYTES_MAX) : too_much(err);
}
