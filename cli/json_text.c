#include "cli/json_text.h"

#include "lib/base/str.h"
#include "lib/json/codec.h"

void json_text_plain(const struct buf *text, struct buf *out)
{
    static const struct {
        const char *escape, *plain;
    } escapes[] = { { "\\u003c", "<" }, { "\\u003e", ">" }, { "\\u0026", "&" } };
    for (size_t i = 0; i < text->length;) {
        size_t take = text->data[i] == '\\' ? 2 : 1; /* so that an escaped backslash does not begin anything */
        for (size_t e = 0; take == 2 && e < ARRAY_SIZE(escapes); e++)
            if (str_starts(text->data + i, escapes[e].escape)) {
                buf_puts(out, escapes[e].plain);
                i += strlen(escapes[e].escape);
                take = 0;
            }
        if (!take)
            continue;
        take = MIN(take, text->length - i);
        buf_append(out, text->data + i, take);
        i += take;
    }
    out->failed |= text->failed;
}

void json_text_write(const struct json *json, const char *prefix, const char *indent, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    if (indent)
        json_write_indented(json, prefix, indent, &text);
    else
        json_write(json, &text);
    json_text_plain(&text, out);
}

void json_text_string(const char *string, struct buf *out)
{
    AUTO_BUF struct buf text = BUF_INIT(BUF_TEXT_MAX);
    json_put_string(&text, string, strlen(string));
    json_text_plain(&text, out);
}
