/* Go's way to quote, which histories and messages of Docker's builder use. */
#include "builder/parse.h"
#include "lib/base/buf.h"

static void put_char(struct buf *out, unsigned char c, char quote)
{
    static const char named[] = "abtnvfr"; /* 7 to 13 */
    if (c == (unsigned char)quote || c == '\\')
        buf_printf(out, "\\%c", c);
    else if (c >= 7 && c <= 13)
        buf_printf(out, "\\%c", named[c - 7]);
    else if (c < 0x20 || c == 0x7f)
        buf_printf(out, "\\x%02x", c);
    else
        buf_putc(out, (char)c);
}

void text_quote(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    for (; *text; text++)
        put_char(out, (unsigned char)*text, '"');
    buf_putc(out, '"');
}

void text_quote_char(struct buf *out, uint32_t c)
{
    buf_putc(out, '\'');
    if (c < 0x80)
        put_char(out, (unsigned char)c, '\'');
    else if (c < 0x10000)
        buf_printf(out, "\\u%04x", c);
    else
        buf_printf(out, "\\U%08x", c);
    buf_putc(out, '\'');
}
