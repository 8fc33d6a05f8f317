#include "lib/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [ERR_NONE] = "none",           [ERR_INTERNAL] = "internal",   [ERR_INVALID] = "invalid",           [ERR_UNAUTHORIZED] = "unauthorized",
    [ERR_FORBIDDEN] = "forbidden", [ERR_NOT_FOUND] = "not-found", [ERR_CONFLICT] = "conflict",         [ERR_NOT_MODIFIED] = "not-modified",
    [ERR_UNSUPPORTED] = "unsupported", [ERR_UNAVAILABLE] = "unavailable", [ERR_CANCELLED] = "cancelled",
};

const char *err_kind_name(enum err_kind kind)
{
    size_t index = (size_t)kind;
    return index < sizeof kind_names / sizeof kind_names[0] && kind_names[index] ? kind_names[index] : "unknown";
}

/* Where musl's words differ from those that users know and search for. */
static const struct {
    int number;
    const char *words;
} common_words[] = {
    { EBUSY, "device or resource busy" },
    { ENOMEM, "cannot allocate memory" },
    { EMFILE, "too many open files" },
    { ENFILE, "too many open files in system" },
    { ELOOP, "too many levels of symbolic links" },
    { ENAMETOOLONG, "file name too long" },
    { EIO, "input/output error" },
    { EXDEV, "invalid cross-device link" },
    { ENOTTY, "inappropriate ioctl for device" },
    { EOPNOTSUPP, "operation not supported" },
    { ECHILD, "no child processes" },
    { EDQUOT, "disk quota exceeded" },
    { ETIMEDOUT, "connection timed out" },
    { EADDRINUSE, "address already in use" },
    { EADDRNOTAVAIL, "cannot assign requested address" },
    { ENETUNREACH, "network is unreachable" },
    { EHOSTUNREACH, "no route to host" },
    { EOVERFLOW, "value too large for defined data type" },
    { ERANGE, "numerical result out of range" },
};

const char *err_strerror(int sys_errno)
{
    static _Thread_local char text[128];
    int number = sys_errno < 0 ? -sys_errno : sys_errno;
    for (size_t i = 0; i < sizeof common_words / sizeof common_words[0]; i++)
        if (common_words[i].number == number)
            return common_words[i].words;
#ifdef __GLIBC__
    (void)snprintf(text, sizeof text, "%s", strerror_r(number, (char[128]){ 0 }, 128));
#else
    strerror_r(number, text, sizeof text);
#endif
    if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
        text[0] = (char)(text[0] - 'A' + 'a');
    return text;
}

static void __attribute__((format(printf, 2, 0))) put_text(struct err *err, const char *format, va_list args, const char *tail)
{
    char text[sizeof err->text] = { 0 }; /* the whole value crosses pipes: no bytes of our stack in its tail */
    int length = vsnprintf(text, sizeof text, format, args);
    if (tail && length >= 0 && (size_t)length < sizeof text)
        snprintf(text + length, sizeof text - (size_t)length, ": %s", tail);
    memcpy(err->text, text, sizeof text);
}

int err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_text(err, format, args, NULL);
    va_end(args);
    err->kind = kind;
    err->sys_errno = 0;
    return -1;
}

int err_sys(struct err *err, int sys_errno, const char *format, ...)
{
    va_list args;
    int positive = sys_errno < 0 ? -sys_errno : sys_errno;
    va_start(args, format);
    put_text(err, format, args, err_strerror(positive));
    va_end(args);
    err->kind = ERR_INTERNAL;
    err->sys_errno = positive;
    return -1;
}

int err_wrap(struct err *err, const char *format, ...)
{
    va_list args;
    char old[sizeof err->text];
    memcpy(old, err->text, sizeof old);
    va_start(args, format);
    put_text(err, format, args, old);
    va_end(args);
    return -1;
}

void err_clear(struct err *err)
{
    err->kind = ERR_NONE;
    err->sys_errno = 0;
    err->text[0] = '\0';
}
