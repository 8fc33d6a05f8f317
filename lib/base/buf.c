#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdio.h>

void buf_done(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){ .max = buf->max };
}

char *buf_reserve(struct buf *buf, size_t more)
{
    size_t needed = buf->length + more + 1;
    if (buf->failed || more > buf->max || buf->length > buf->max - more) {
        buf->failed = true;
        return NULL;
    }
    if (needed > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity : 64;
        while (capacity < needed)
            capacity *= 2;
        char *grown = realloc(buf->data, capacity);
        if (!grown) {
            buf->failed = true;
            return NULL;
        }
        buf->data = grown;
        buf->capacity = capacity;
        buf->data[buf->length] = '\0'; /* also when nothing comes of the reservation */
    }
    return buf->data + buf->length;
}

void buf_grew(struct buf *buf, size_t by)
{
    buf->length += by;
    buf->data[buf->length] = '\0';
}

void buf_append(struct buf *buf, const void *bytes, size_t length)
{
    char *room = buf_reserve(buf, length);
    if (!room)
        return;
    if (length)
        memcpy(room, bytes, length);
    buf_grew(buf, length);
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
    buf_append(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *room = length < 0 ? NULL : buf_reserve(buf, (size_t)length);
    if (room) {
        vsnprintf(room, (size_t)length + 1, format, again);
        buf_grew(buf, (size_t)length);
    } else {
        buf->failed = true;
    }
    va_end(again);
    va_end(args);
}

void buf_consume(struct buf *buf, size_t from_front)
{
    if (from_front >= buf->length) {
        buf_clear(buf);
        return;
    }
    memmove(buf->data, buf->data + from_front, buf->length - from_front + 1);
    buf->length -= from_front;
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

char *buf_take(struct buf *buf)
{
    char *data = buf->failed ? NULL : buf->data ? buf->data : xstrdup("");
    if (buf->failed)
        free(buf->data);
    *buf = (struct buf){ .max = buf->max };
    return data;
}

void buf_put_utf8(struct buf *buf, uint32_t code)
{
    if (code < 0x80) {
        buf_putc(buf, (char)code);
    } else if (code < 0x800) {
        buf_putc(buf, (char)(0xc0 | code >> 6));
        buf_putc(buf, (char)(0x80 | (code & 0x3f)));
    } else if (code < 0x10000) {
        buf_putc(buf, (char)(0xe0 | code >> 12));
        buf_putc(buf, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_putc(buf, (char)(0x80 | (code & 0x3f)));
    } else {
        buf_putc(buf, (char)(0xf0 | code >> 18));
        buf_putc(buf, (char)(0x80 | (code >> 12 & 0x3f)));
        buf_putc(buf, (char)(0x80 | (code >> 6 & 0x3f)));
        buf_putc(buf, (char)(0x80 | (code & 0x3f)));
    }
}
