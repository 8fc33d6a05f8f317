#include "cli/units.h"

#include "lib/base/mem.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

/* 999.9 with three digits is "1e+03", as Docker prints it. */
static char *scaled(double bytes, double base, const char *const *names, size_t count, int digits)
{
    size_t i = 0;
    while (bytes >= base && i + 1 < count) {
        bytes /= base;
        i++;
    }
    return str_format("%.*g%s", digits, bytes, names[i]);
}

char *units_size(double bytes, int digits)
{
    static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB" };
    return scaled(bytes, 1000, names, ARRAY_SIZE(names), digits);
}

char *units_bytes(double bytes, int digits)
{
    static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB" };
    return scaled(bytes, 1024, names, ARRAY_SIZE(names), digits);
}

char *units_duration(int64_t ns)
{
    int64_t seconds = ns / NANOS_PER_SECOND, minutes = seconds / 60;
    double exact_hours = (double)ns / 3600e9;
    int64_t hours = (int64_t)(exact_hours + 0.5);
    if (seconds < 1)
        return xstrdup("Less than a second");
    if (seconds == 1)
        return xstrdup("1 second");
    if (seconds < 60)
        return str_format("%lld seconds", (long long)seconds);
    if (minutes == 1)
        return xstrdup("About a minute");
    if (minutes < 60)
        return str_format("%lld minutes", (long long)minutes);
    if (hours == 1)
        return xstrdup("About an hour");
    if (hours < 48)
        return str_format("%lld hours", (long long)hours);
    if (hours < 24 * 7 * 2)
        return str_format("%lld days", (long long)hours / 24);
    if (hours < 24 * 30 * 2)
        return str_format("%lld weeks", (long long)hours / 24 / 7);
    if (hours < 24 * 365 * 2)
        return str_format("%lld months", (long long)hours / 24 / 30);
    return str_format("%lld years", (long long)exact_hours / 24 / 365);
}

char *units_ago(int64_t unix_seconds)
{
    AUTO_FREE char *text = units_duration(time_now_unix_ns() - unix_seconds * NANOS_PER_SECOND);
    return str_format("%s ago", text);
}

char *units_go_duration(int64_t ns)
{
    uint64_t left = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    const char *sign = ns < 0 ? "-" : "";
    if (!left)
        return xstrdup("0s");
    static const struct {
        uint64_t size;
        const char *name;
    } small[] = { { 1, "ns" }, { 1000, "\xc2\xb5s" }, { 1000000, "ms" }, { 1000000000, "s" } };
    size_t unit = left >= 1000000000 ? 3 : left >= 1000000 ? 2 : left >= 1000 ? 1 : 0;
    uint64_t seconds = left / 1000000000, hours = seconds / 3600, minutes = seconds / 60 % 60;
    uint64_t whole = unit == 3 ? seconds % 60 : left / small[unit].size, rest = left % small[unit].size;
    char fraction[16] = "";
    if (rest) {
        int digits = unit == 3 ? 9 : unit == 2 ? 6 : 3;
        int length = snprintf(fraction, sizeof fraction, ".%0*llu", digits, (unsigned long long)rest);
        while (length > 0 && fraction[length - 1] == '0')
            fraction[--length] = '\0';
    }
    AUTO_FREE char *tail = str_format("%llu%s%s", (unsigned long long)whole, fraction, small[unit].name);
    if (hours)
        return str_format("%s%lluh%llum%s", sign, (unsigned long long)hours, (unsigned long long)minutes, tail);
    if (minutes)
        return str_format("%s%llum%s", sign, (unsigned long long)minutes, tail);
    return str_format("%s%s", sign, tail);
}

static char *time_text(int64_t unix_seconds, int64_t nanos, bool local)
{
    struct tm tm;
    time_t when = (time_t)unix_seconds;
    char date[64], zone[16], fraction[16] = "";
    if (!(local ? localtime_r(&when, &tm) : gmtime_r(&when, &tm)))
        return xstrdup("");
    strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm);
    strftime(zone, sizeof zone, "%z", &tm);
    if (nanos) {
        int length = snprintf(fraction, sizeof fraction, ".%09lld", (long long)nanos);
        while (length > 0 && fraction[length - 1] == '0')
            fraction[--length] = '\0';
    }
    return str_format("%s%s %s %s", date, fraction, zone, local ? tm.tm_zone : "UTC");
}

char *units_go_time(int64_t unix_ns)
{
    int64_t seconds = unix_ns / NANOS_PER_SECOND, nanos = unix_ns % NANOS_PER_SECOND;
    if (nanos < 0) {
        nanos += NANOS_PER_SECOND;
        seconds--;
    }
    return time_text(seconds, nanos, false);
}

char *units_local_time(int64_t unix_seconds)
{
    return time_text(unix_seconds, 0, true);
}

char *units_short_id(const char *id)
{
    const char *colon = strchr(id, ':');
    return xstrndup(colon ? colon + 1 : id, 12);
}

/* Code point at *at, which moves on. Malformed bytes count as one character each. */
static uint32_t next_character(const char **at)
{
    unsigned char first = (unsigned char)*(*at)++;
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    uint32_t code = more ? first & (0x3fu >> more) : first;
    while (more-- && ((unsigned char)**at & 0xc0) == 0x80)
        code = code << 6 | ((unsigned char)*(*at)++ & 0x3f);
    return code;
}

static size_t character_width(uint32_t code)
{
    static const uint32_t wide[][2] = { { 0x1100, 0x115f },  { 0x2e80, 0x303e }, { 0x3041, 0xa4cf },
                                        { 0xac00, 0xd7a3 },  { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },
                                        { 0xff00, 0xff60 },  { 0xffe0, 0xffe6 }, { 0x1f300, 0x1faff },
                                        { 0x20000, 0x3fffd } };
    for (size_t i = 0; i < ARRAY_SIZE(wide); i++)
        if (code >= wide[i][0] && code <= wide[i][1])
            return 2;
    return 1;
}

char *units_ellipsis(const char *text, size_t width)
{
    size_t used = 0;
    const char *at = text, *cut = NULL;
    if (!width)
        return xstrdup("");
    while (*at) {
        const char *before = at;
        used += character_width(next_character(&at));
        if (!cut && used > width - 1)
            cut = before;
    }
    if (used <= width)
        return xstrdup(text);
    return str_format("%.*s\xe2\x80\xa6", cut ? (int)(cut - text) : 0, text);
}
