/* A growing byte buffer with a declared maximum; data always ends with a NUL beyond length.
 * Over the maximum or out of memory it becomes "failed": later appends do nothing, buf_failed()
 * tells. Zero value with BUF_INIT(max). */
#pragma once
#include "lib/base/mem.h"
#include <stdbool.h>
#include <stdint.h>

struct buf {
    char *data;
    size_t length, capacity, max;
    bool failed;
};
#define BUF_INIT(limit)   \
    {                     \
        .max = (limit)    \
    }
#define BUF_TEXT_MAX ((size_t)64 << 20)

void buf_done(struct buf *buf);
#define AUTO_BUF __attribute__((cleanup(buf_done)))
void buf_append(struct buf *buf, const void *bytes, size_t length);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);
/* One character up to U+10FFFF; the caller has checked that it is one. */
void buf_put_utf8(struct buf *buf, uint32_t code);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Room for at least `more` bytes behind data+length, or NULL (failed). Then buf_grew(). */
char *buf_reserve(struct buf *buf, size_t more);
void buf_grew(struct buf *buf, size_t by);
void buf_consume(struct buf *buf, size_t from_front);
void buf_clear(struct buf *buf); /* keeps the memory */
static inline bool buf_failed(const struct buf *buf)
{
    return buf->failed;
}
char *buf_take(struct buf *buf); /* moves the (NUL-ended) data out; NULL when failed; "" when empty */
