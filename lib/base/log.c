#include "lib/base/log.h"

#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    int fd;
    enum log_level least;
    char tag[32];
} sink = { .fd = 2, .least = LOG_INFO, .tag = "holk" };

static const char *const level_names[] = { "debug", "info", "warn", "error" };

void log_setup(int fd, enum log_level least, const char *tag)
{
    sink.fd = fd;
    sink.least = least;
    str_copy(sink.tag, sizeof sink.tag, tag);
}

void log_set_level(enum log_level least)
{
    sink.least = least;
}

enum log_level log_get_level(void)
{
    return sink.least;
}

int log_level_parse(const char *text, enum log_level *ret)
{
    static const struct {
        const char *name;
        enum log_level level;
    } names[] = { { "debug", LOG_DEBUG }, { "info", LOG_INFO }, { "warn", LOG_WARN }, { "warning", LOG_WARN }, { "error", LOG_ERROR }, { "fatal", LOG_ERROR } };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (str_eq(names[i].name, text)) {
            *ret = names[i].level;
            return 0;
        }
    }
    return -EINVAL;
}

void log_write(enum log_level level, const char *format, ...)
{
    char line[2048], stamp[TIME_TEXT_SIZE];
    va_list args;
    if (level < sink.least)
        return;
    int saved = errno;
    time_format_rfc3339nano_fixed(time_now_unix_ns(), stamp);
    int head = snprintf(line, sizeof line, "%s %s %s: ", stamp, level_names[level], sink.tag);
    va_start(args, format);
    int body = vsnprintf(line + head, sizeof line - (size_t)head, format, args);
    va_end(args);
    size_t length = (size_t)head + (body > 0 ? (size_t)body : 0);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    for (size_t i = (size_t)head; i < length; i++)
        if (line[i] == '\n' || line[i] == '\r')
            line[i] = ' ';
    line[length++] = '\n';
    if (write(sink.fd, line, length) < 0) {
        /* there is nobody left to tell */
    }
    errno = saved;
}
