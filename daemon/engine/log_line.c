#include "daemon/engine/log_file.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <string.h>

struct cursor {
    const char *at, *end;
};

static void skip_space(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r'))
        c->at++;
}

static bool take(struct cursor *c, char expected)
{
    skip_space(c);
    if (c->at >= c->end || *c->at != expected)
        return false;
    c->at++;
    return true;
}

static bool take_hex4(struct cursor *c, uint32_t *ret)
{
    if (c->end - c->at < 4)
        return false;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char d = c->at[i];
        uint32_t digit = d >= '0' && d <= '9' ? (uint32_t)(d - '0') : d >= 'a' && d <= 'f' ? (uint32_t)(d - 'a' + 10) : d >= 'A' && d <= 'F' ? (uint32_t)(d - 'A' + 10) : 16;
        if (digit > 15)
            return false;
        value = value << 4 | digit;
    }
    c->at += 4;
    *ret = value;
    return true;
}

static bool take_escape(struct cursor *c, struct buf *out)
{
    static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
    if (c->at >= c->end)
        return false;
    char kind = *c->at++;
    const char *found = kind ? strchr(plain, kind) : NULL;
    if (found) {
        buf_putc(out, meaning[found - plain]);
        return true;
    }
    uint32_t code, low;
    if (kind != 'u' || !take_hex4(c, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && c->end - c->at >= 6 && c->at[0] == '\\' && c->at[1] == 'u') {
        c->at += 2;
        if (!take_hex4(c, &low))
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    buf_put_utf8(out, code);
    return true;
}

/* A string; unescaped into out when out is given, else *ret_raw covers the bytes between the quotes. */
static bool take_string(struct cursor *c, struct buf *out, const char **ret_raw, size_t *ret_length)
{
    if (!take(c, '"'))
        return false;
    const char *start = c->at;
    while (c->at < c->end && *c->at != '"') {
        const char *stop = c->at;
        while (stop < c->end && *stop != '"' && *stop != '\\')
            stop++;
        if (out)
            buf_append(out, c->at, (size_t)(stop - c->at));
        c->at = stop;
        if (c->at < c->end && *c->at == '\\') {
            c->at++;
            if (out ? !take_escape(c, out) : c->at >= c->end)
                return false;
            if (!out)
                c->at++;
        }
    }
    *ret_raw = start;
    *ret_length = (size_t)(c->at - start);
    return take(c, '"');
}

/* An object whose braces balance outside of strings. */
static bool take_object(struct cursor *c, const char **ret, size_t *ret_length)
{
    const char *start = c->at, *ignored;
    size_t length;
    int depth = 0;
    do {
        if (c->at >= c->end)
            return false;
        if (*c->at == '"') {
            if (!take_string(c, NULL, &ignored, &length))
                return false;
            continue;
        }
        depth += *c->at == '{' ? 1 : *c->at == '}' ? -1 : 0;
        c->at++;
    } while (depth > 0);
    *ret = start;
    *ret_length = (size_t)(c->at - start);
    return true;
}

static bool take_member(struct cursor *c, struct buf *scratch, struct log_line *ret)
{
    const char *key, *value;
    size_t key_length, length;
    if (!take_string(c, NULL, &key, &key_length) || !take(c, ':'))
        return false;
    skip_space(c);
    if (c->at < c->end && *c->at == '{') {
        if (!take_object(c, &value, &length))
            return false;
        if (key_length == 5 && !memcmp(key, "attrs", 5)) {
            ret->attrs = value;
            ret->attrs_length = length;
        }
        return true;
    }
    bool is_log = key_length == 3 && !memcmp(key, "log", 3);
    if (!take_string(c, is_log ? scratch : NULL, &value, &length))
        return false;
    if (key_length == 6 && !memcmp(key, "stream", 6))
        ret->is_stderr = length == 6 && !memcmp(value, "stderr", 6);
    if (key_length == 4 && !memcmp(key, "time", 4)) {
        ret->time = value;
        ret->time_length = length;
    }
    return true;
}

bool log_line_parse(const char *json, size_t length, struct buf *scratch, struct log_line *ret)
{
    struct cursor c = { json, json + length };
    *ret = (struct log_line){ 0 };
    buf_clear(scratch);
    if (!take(&c, '{'))
        return false;
    do {
        if (!take_member(&c, scratch, ret))
            return false;
    } while (take(&c, ','));
    char stamp[TIME_TEXT_SIZE];
    if (!take(&c, '}') || buf_failed(scratch) || ret->time_length >= sizeof stamp)
        return false;
    memcpy(stamp, ret->time ? ret->time : "", ret->time_length);
    stamp[ret->time_length] = '\0';
    ret->text = scratch->data ? scratch->data : "";
    ret->length = scratch->length;
    return time_parse_rfc3339(stamp, &ret->time_unix_ns) == 0;
}
