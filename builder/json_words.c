/* ["a", "b"] as Docker's builder reads it: a list that JSON's grammar takes, with strings only. Lone surrogates become
 * U+FFFD. */
#include "builder/parse.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#include <ctype.h>

#define DEPTH_MAX 100

struct json_reader {
    const char *at;
    bool nul; /* a string had a NUL in it */
};

static void skip_blanks(struct json_reader *reader)
{
    while (*reader->at && strchr(" \t\r\n", *reader->at))
        reader->at++;
}

static bool take(struct json_reader *reader, char c)
{
    skip_blanks(reader);
    if (*reader->at != c)
        return false;
    reader->at++;
    return true;
}

static void put_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(out, (char)c);
        return;
    }
    unsigned more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    buf_putc(out, (char)((0xf0 << (3 - more) & 0xff) | c >> (6 * more)));
    while (more-- > 0)
        buf_putc(out, (char)(0x80 | (c >> (6 * more) & 0x3f)));
}

static bool hex4(const char *text, uint32_t *ret)
{
    char digits[5] = "";
    uint64_t value;
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return false;
        digits[i] = text[i];
    }
    if (str_to_u64_base(digits, 16, &value) < 0)
        return false;
    *ret = (uint32_t)value;
    return true;
}

/* Behind "\u". */
static bool read_unicode(struct json_reader *reader, struct buf *out)
{
    uint32_t c, low;
    if (!hex4(reader->at, &c))
        return false;
    reader->at += 4;
    bool high = c >= 0xd800 && c < 0xdc00;
    if (high && reader->at[0] == '\\' && reader->at[1] == 'u' && hex4(reader->at + 2, &low) && low >= 0xdc00 &&
        low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        reader->at += 6;
    } else if (c >= 0xd800 && c < 0xe000) {
        c = 0xfffd;
    }
    reader->nul = reader->nul || c == 0;
    put_utf8(out, c);
    return true;
}

static bool read_escape(struct json_reader *reader, struct buf *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char c = *reader->at;
    if (!c)
        return false;
    reader->at++;
    if (c == 'u')
        return read_unicode(reader, out);
    const char *found = strchr(names, c);
    if (found)
        buf_putc(out, values[found - names]);
    return found != NULL;
}

/* Behind the opening quote. */
static bool read_string(struct json_reader *reader, struct buf *out)
{
    for (;;) {
        char c = *reader->at;
        if ((unsigned char)c < 0x20)
            return false;
        reader->at++;
        if (c == '"')
            return true;
        if (c != '\\')
            buf_putc(out, c);
        else if (!read_escape(reader, out))
            return false;
    }
}

static bool digits(struct json_reader *reader)
{
    const char *start = reader->at;
    while (isdigit((unsigned char)*reader->at))
        reader->at++;
    return reader->at > start;
}

static bool skip_number(struct json_reader *reader)
{
    reader->at += *reader->at == '-';
    if (*reader->at == '0')
        reader->at++;
    else if (!digits(reader))
        return false;
    if (*reader->at == '.') {
        reader->at++;
        if (!digits(reader))
            return false;
    }
    if (*reader->at != 'e' && *reader->at != 'E')
        return true;
    reader->at++;
    reader->at += *reader->at == '-' || *reader->at == '+';
    return digits(reader);
}

static bool skip_text(struct json_reader *reader)
{
    AUTO_BUF struct buf ignored = BUF_INIT(DOCKERFILE_BYTES_MAX);
    return take(reader, '"') && read_string(reader, &ignored);
}

static bool skip_value(struct json_reader *reader, unsigned depth)
{
    static const char *const names[] = { "null", "true", "false" };
    skip_blanks(reader);
    bool map = *reader->at == '{';
    if (*reader->at == '"')
        return skip_text(reader);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (str_starts(reader->at, names[i])) {
            reader->at += strlen(names[i]);
            return true;
        }
    if (!map && *reader->at != '[')
        return skip_number(reader);
    reader->at++;
    if (take(reader, map ? '}' : ']'))
        return true;
    do {
        if (depth == 0 || (map && (!skip_text(reader) || !take(reader, ':'))) || !skip_value(reader, depth - 1))
            return false;
    } while (take(reader, ','));
    return take(reader, map ? '}' : ']');
}

/* One element; *other is set when it is no string. */
static bool read_element(struct json_reader *reader, char ***list, bool *other)
{
    AUTO_BUF struct buf text = BUF_INIT(DOCKERFILE_BYTES_MAX);
    if (!take(reader, '"')) {
        *other = true;
        return skip_value(reader, DEPTH_MAX);
    }
    if (!read_string(reader, &text))
        return false;
    strv_append(list, text.data ? text.data : "");
    return true;
}

int json_words(const char *text, char ***ret, struct err *err)
{
    struct json_reader reader = { .at = text };
    CLEANUP(strv_free) char **list = NULL;
    bool other = false, good = take(&reader, '[');
    if (good && !take(&reader, ']')) {
        do
            good = read_element(&reader, &list, &other);
        while (good && take(&reader, ','));
        good = good && take(&reader, ']');
    }
    skip_blanks(&reader);
    if (!good || *reader.at)
        return 0;
    if (other)
        return err_set(err, ERR_INVALID, "when using JSON array syntax, arrays must be comprised of strings only");
    if (reader.nul)
        return err_set(err, ERR_INVALID, "a NUL character cannot be part of a word");
    *ret = take_ptr(&list);
    return 1;
}
