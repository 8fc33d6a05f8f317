/* Strings, characters and numbers as they are written in a template. */
#include "cli/template_internal.h"
#include "lib/base/str.h"

/* The numeric escapes \x41 \u0041 \U00000041 \101. Returns the characters read, 0 when malformed (or NUL). */
static size_t unquote_number(const char *at, struct buf *out)
{
    size_t digits = *at == 'x' ? 2 : *at == 'u' ? 4 : *at == 'U' ? 8 : 3, skip = digits == 3 ? 0 : 1;
    AUTO_FREE char *text = xstrndup(at + skip, digits);
    uint64_t code;
    if (strlen(text) != digits || str_to_u64_base(text, skip ? 16 : 8, &code) < 0 || !code || code > 0x10ffff)
        return 0;
    if (digits == 4 || digits == 8)
        buf_put_utf8(out, (uint32_t)code);
    else if (code < 256)
        buf_putc(out, (char)code);
    else
        return 0;
    return skip + digits;
}

/* The inside of quotes. False when an escape is malformed. */
static bool unquote(const char *text, size_t length, char quote, struct buf *out)
{
    static const char letters[] = "abfnrtv\\'\"", meanings[] = "\a\b\f\n\r\t\v\\'\"";
    for (size_t i = 0; i < length; i++) {
        if (text[i] != '\\') {
            buf_putc(out, text[i]);
            continue;
        }
        const char *letter = i + 1 < length ? strchr(letters, text[++i]) : NULL;
        if (letter && *letter && !((*letter == '\'' || *letter == '"') && *letter != quote)) {
            buf_putc(out, meanings[letter - letters]);
            continue;
        }
        size_t used = i < length && strchr("xuU01234567", text[i]) ? unquote_number(text + i, out) : 0;
        if (!used || i + used > length)
            return false;
        i += used - 1;
    }
    return !buf_failed(out);
}

struct node *literal_string(const struct token *token)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    size_t length = strlen(token->text);
    if (token->kind == TOKEN_RAW_STRING)
        buf_append(&text, token->text + 1, length - 2);
    else if (!unquote(token->text + 1, length - 2, '"', &text))
        return NULL;
    struct node *node = node_new(NODE_STRING, token->pos);
    node->quoted = xstrdup(token->text);
    node->text = buf_take(&text);
    return node;
}

static bool one_character(const char *bytes, size_t length, int64_t *ret)
{
    unsigned char first = (unsigned char)*bytes;
    size_t need = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (length != need || !length)
        return false;
    uint32_t code = need == 1 ? first : first & (0x7fu >> need);
    for (size_t i = 1; i < need; i++)
        code = code << 6 | ((unsigned char)bytes[i] & 0x3f);
    *ret = code;
    return true;
}

static bool parse_integer(const char *text, int64_t *ret)
{
    bool minus = *text == '-';
    const char *digits = text + (minus || *text == '+');
    int base = 10;
    uint64_t number;
    if (*digits == '0' && digits[1]) {
        base = strchr("xX", digits[1]) ? 16 : strchr("bB", digits[1]) ? 2 : 8;
        digits += strchr("xXbBoO", digits[1]) ? 2 : 1;
    }
    if (str_to_u64_base(digits, base, &number) < 0 || number > (uint64_t)INT64_MAX + minus)
        return false;
    *ret = minus ? (int64_t)(0 - number) : (int64_t)number;
    return true;
}

static bool parse_char(const char *quoted, int64_t *ret)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    return unquote(quoted + 1, strlen(quoted) - 2, '\'', &text) && text.length &&
           one_character(text.data, text.length, ret);
}

static char *without_underscores(const char *text)
{
    AUTO_BUF struct buf digits = BUF_INIT(BUF_TEXT_MAX);
    for (; *text; text++)
        if (*text != '_')
            buf_putc(&digits, *text);
    return buf_take(&digits);
}

struct node *literal_number(const struct token *token, char **ret_wrong)
{
    CLEANUP(node_free) struct node *node = node_new(NODE_NUMBER, token->pos);
    AUTO_FREE char *digits = without_underscores(token->text);
    node->text = xstrdup(token->text);
    if (token->kind == TOKEN_CHAR) {
        if (!parse_char(token->text, &node->integer)) {
            *ret_wrong = str_format("malformed character constant: %s", token->text);
            return NULL;
        }
    } else if (!parse_integer(digits, &node->integer)) {
        node->is_float = true;
        if (!strpbrk(digits, ".eEpP") || str_to_double(digits, &node->real) < 0) {
            bool whole = digits[strspn(digits, "+-0123456789")] == '\0' && digits[0] && digits[1];
            *ret_wrong = str_format("%s: \"%s\"", whole ? "integer overflow" : "illegal number syntax", token->text);
            return NULL;
        }
    }
    return take_ptr(&node);
}
