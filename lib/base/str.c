#include "lib/base/str.h"

#include "lib/base/mem.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

bool str_eq(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool str_empty(const char *s)
{
    return !s || !*s;
}

bool str_starts(const char *s, const char *prefix)
{
    return str_after(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
    size_t length = s ? strlen(s) : 0, tail = strlen(suffix);
    return s && length >= tail && memcmp(s + length - tail, suffix, tail) == 0;
}

const char *str_after(const char *s, const char *prefix)
{
    size_t length = strlen(prefix);
    return s && strncmp(s, prefix, length) == 0 ? s + length : NULL;
}

char *str_vformat(const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        abort();
    return text;
}

char *str_format(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = str_vformat(format, args);
    va_end(args);
    return text;
}

char *str_lower(char *s)
{
    for (char *c = s; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return s;
}

char *str_trim(char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    char *end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    return s;
}

int str_to_i64(const char *s, int64_t *ret)
{
    char *end;
    if (str_empty(s) || !(isdigit((unsigned char)*s) || ((*s == '-' || *s == '+') && isdigit((unsigned char)s[1]))))
        return -EINVAL;
    errno = 0;
    long long value = strtoll(s, &end, 10);
    if (*end)
        return -EINVAL;
    if (errno)
        return -errno;
    *ret = value;
    return 0;
}

int str_to_u64_base(const char *s, int base, uint64_t *ret)
{
    char *end;
    if (str_empty(s) || !isxdigit((unsigned char)*s))
        return -EINVAL;
    errno = 0;
    unsigned long long value = strtoull(s, &end, base);
    if (*end || end == s)
        return -EINVAL;
    if (errno)
        return -errno;
    *ret = value;
    return 0;
}

int str_to_u64(const char *s, uint64_t *ret)
{
    return str_to_u64_base(s, 10, ret);
}

int str_to_double(const char *s, double *ret)
{
    char *end;
    if (str_empty(s) || isspace((unsigned char)*s))
        return -EINVAL;
    errno = 0;
    double value = strtod(s, &end);
    if (*end || end == s || !isfinite(value))
        return errno == ERANGE ? -ERANGE : -EINVAL;
    *ret = value;
    return 0;
}

int str_to_bool(const char *s, bool *ret)
{
    static const char *const yes[] = { "1", "t", "T", "TRUE", "true", "True" }, *const no[] = { "0", "f", "F", "FALSE", "false", "False" };
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
        if (str_eq(s, yes[i]) || str_eq(s, no[i])) {
            *ret = str_eq(s, yes[i]);
            return 0;
        }
    }
    return -EINVAL;
}

int str_to_bytes(const char *s, int64_t *ret)
{
    static const char units[] = "kmgtp";
    char *end;
    if (str_empty(s) || !(isdigit((unsigned char)*s) || *s == '.' || *s == '-'))
        return -EINVAL;
    double value = strtod(s, &end);
    double factor = 1;
    while (*end == ' ')
        end++;
    const char *unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
    if (unit && *unit) {
        for (long i = 0; i <= unit - units; i++)
            factor *= 1024;
        end++;
        if (*end == 'i' && tolower((unsigned char)end[1]) == 'b')
            end++;
    }
    if (tolower((unsigned char)*end) == 'b')
        end++;
    if (*end || value * factor > 9.2e18 || value < 0)
        return -EINVAL;
    *ret = (int64_t)(value * factor);
    return 0;
}

bool str_is_hex(const char *s, size_t length)
{
    return s && strlen(s) == length && strspn(s, "0123456789abcdef") == length;
}

bool str_copy(char *dst, size_t size, const char *src)
{
    size_t length = strlen(src);
    bool fits = length < size;
    if (!fits)
        length = size - 1;
    memcpy(dst, src, length);
    dst[length] = '\0';
    return fits;
}

static size_t utf8_step(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 : s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;
    if (!length || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    bool surrogate = s[0] == 0xed && s[1] >= 0xa0, beyond = s[0] == 0xf4 && s[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

bool utf8_valid(const char *bytes, size_t length)
{
    const unsigned char *s = (const unsigned char *)bytes;
    while (length > 0) {
        size_t step = utf8_step(s, length);
        if (!step)
            return false;
        s += step;
        length -= step;
    }
    return true;
}
