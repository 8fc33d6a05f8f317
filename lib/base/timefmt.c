#include "lib/base/timefmt.h"

#include "lib/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define ZERO_TIME "0001-01-01T00:00:00Z"

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * NANOS_PER_SECOND + now.tv_nsec;
}

int64_t time_now_unix_ns(void)
{
    return clock_ns(CLOCK_REALTIME);
}

int64_t time_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static size_t put_seconds(int64_t unix_ns, char ret[TIME_TEXT_SIZE], int64_t *ret_nanos)
{
    int64_t seconds = unix_ns / NANOS_PER_SECOND, nanos = unix_ns % NANOS_PER_SECOND;
    if (nanos < 0) {
        nanos += NANOS_PER_SECOND;
        seconds--;
    }
    struct tm parts;
    time_t at = (time_t)seconds;
    gmtime_r(&at, &parts);
    *ret_nanos = nanos;
    return (size_t)snprintf(ret, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                            parts.tm_hour, parts.tm_min, parts.tm_sec);
}

void time_format_rfc3339nano(int64_t unix_ns, char ret[TIME_TEXT_SIZE])
{
    int64_t nanos;
    if (unix_ns == 0) {
        str_copy(ret, TIME_TEXT_SIZE, ZERO_TIME);
        return;
    }
    size_t length = put_seconds(unix_ns, ret, &nanos);
    if (nanos) {
        length += (size_t)snprintf(ret + length, TIME_TEXT_SIZE - length, ".%09lld", (long long)nanos);
        while (ret[length - 1] == '0')
            length--;
    }
    str_copy(ret + length, TIME_TEXT_SIZE - length, "Z");
}

void time_format_rfc3339nano_fixed(int64_t unix_ns, char ret[TIME_TEXT_SIZE])
{
    int64_t nanos;
    size_t length = put_seconds(unix_ns, ret, &nanos);
    snprintf(ret + length, TIME_TEXT_SIZE - length, ".%09lldZ", (long long)nanos);
}

static bool take_number(const char **at, int digits, int *ret)
{
    int value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (!isdigit((unsigned char)**at))
            return false;
        value = value * 10 + (**at - '0');
    }
    *ret = value;
    return true;
}

static bool take_char(const char **at, const char *any)
{
    if (!**at || !strchr(any, **at))
        return false;
    (*at)++;
    return true;
}

static int64_t take_fraction(const char **at)
{
    int64_t nanos = 0, unit = NANOS_PER_SECOND / 10;
    for (; isdigit((unsigned char)**at); (*at)++, unit /= 10)
        nanos += (**at - '0') * unit;
    return nanos;
}

static bool take_zone(const char **at, int *ret_offset_seconds)
{
    int hours, minutes;
    *ret_offset_seconds = 0;
    if (take_char(at, "Zz"))
        return true;
    int sign = **at == '-' ? -1 : 1;
    if (!take_char(at, "+-") || !take_number(at, 2, &hours) || !take_char(at, ":") || !take_number(at, 2, &minutes))
        return false;
    *ret_offset_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* lenient: time of day, seconds and zone may be missing (zone then UTC). */
static int parse_date(const char *text, bool lenient, int64_t *ret)
{
    struct tm parts = { 0 };
    int64_t nanos = 0;
    int offset = 0;
    const char *at = text;
    bool ok = take_number(&at, 4, &parts.tm_year) && take_char(&at, "-") && take_number(&at, 2, &parts.tm_mon) && take_char(&at, "-") &&
              take_number(&at, 2, &parts.tm_mday);
    if (ok && (*at || !lenient)) {
        ok = take_char(&at, "Tt ") && take_number(&at, 2, &parts.tm_hour);
        if (ok && (!lenient || *at == ':'))
            ok = take_char(&at, ":") && take_number(&at, 2, &parts.tm_min);
        if (ok && (!lenient || *at == ':'))
            ok = take_char(&at, ":") && take_number(&at, 2, &parts.tm_sec);
        if (ok && take_char(&at, "."))
            nanos = take_fraction(&at);
        if (ok && (*at || !lenient))
            ok = take_zone(&at, &offset);
    }
    if (!ok || *at || parts.tm_mon < 1 || parts.tm_mon > 12 || parts.tm_mday < 1 || parts.tm_mday > 31 || parts.tm_hour > 23 || parts.tm_min > 59 || parts.tm_sec > 60)
        return -EINVAL;
    if (parts.tm_year == 1 && parts.tm_mon == 1 && parts.tm_mday == 1) {
        *ret = 0;
        return 0;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    int day = parts.tm_mday;
    int64_t seconds = (int64_t)timegm(&parts) - offset;
    if (parts.tm_mday != day && parts.tm_sec < 60)
        return -EINVAL; /* 30 February */
    /* years beyond what 64 bits of nanoseconds hold (1678 to 2262) stand at the edge */
    if (__builtin_mul_overflow(seconds, NANOS_PER_SECOND, ret) || __builtin_add_overflow(*ret, nanos, ret))
        *ret = seconds < 0 ? INT64_MIN : INT64_MAX;
    return 0;
}

int time_parse_rfc3339(const char *text, int64_t *ret_unix_ns)
{
    return parse_date(text, false, ret_unix_ns);
}

int time_parse_duration(const char *text, int64_t *ret_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = { { "ns", 1 }, { "us", 1e3 }, { "\xc2\xb5s", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 }, { "h", 3600e9 } };
    const char *at = text;
    double total = 0, sign = 1;
    if (*at == '-' || *at == '+')
        sign = *at++ == '-' ? -1 : 1;
    if (str_eq(at, "0")) {
        *ret_ns = 0;
        return 0;
    }
    if (!*at)
        return -EINVAL;
    while (*at) {
        double whole = 0, scale = 1;
        const char *start = at;
        for (; isdigit((unsigned char)*at); at++)
            whole = whole * 10 + (*at - '0');
        if (*at == '.')
            for (at++; isdigit((unsigned char)*at); at++)
                whole += (*at - '0') * (scale /= 10);
        size_t i = 0, n = sizeof units / sizeof units[0];
        if (at == start)
            return -EINVAL;
        for (; i < n; i++) {
            size_t length = strlen(units[i].name);
            if (!strncmp(at, units[i].name, length) && !isalpha((unsigned char)at[length]))
                break;
        }
        if (i == n)
            return -EINVAL;
        total += whole * units[i].ns;
        at += strlen(units[i].name);
    }
    if (total > 9.2e18)
        return -EINVAL;
    *ret_ns = (int64_t)(sign * total);
    return 0;
}

static int parse_unix(const char *text, int64_t *ret)
{
    const char *point = strchr(text, '.');
    char whole[24];
    int64_t seconds, nanos = 0;
    size_t length = point ? (size_t)(point - text) : strlen(text);
    if (length >= sizeof whole)
        return -EINVAL;
    memcpy(whole, text, length);
    whole[length] = '\0';
    if (str_to_i64(whole, &seconds) < 0 || seconds >= INT64_MAX / NANOS_PER_SECOND || seconds <= INT64_MIN / NANOS_PER_SECOND)
        return -EINVAL;
    if (point) {
        const char *at = point + 1;
        nanos = take_fraction(&at);
        if (*at)
            return -EINVAL;
    }
    *ret = seconds * NANOS_PER_SECOND + (seconds < 0 ? -nanos : nanos);
    return 0;
}

int time_parse_docker(const char *text, int64_t now_unix_ns, int64_t *ret_unix_ns)
{
    int64_t duration;
    if (parse_unix(text, ret_unix_ns) == 0 || parse_date(text, true, ret_unix_ns) == 0)
        return 0;
    if (time_parse_duration(text, &duration) < 0)
        return -EINVAL;
    *ret_unix_ns = now_unix_ns - duration;
    return 0;
}
