#include "lib/archive/stream.h"

#include "lib/base/io.h"
#include "lib/base/mem.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#define CHUNK_SIZE ((size_t)256 << 10)

struct chunk_buffer {
    struct reader from;
    size_t start, end; /* bytes not yet given */
    unsigned char bytes[CHUNK_SIZE];
};

ssize_t reader_fd(void *arg, void *bytes, size_t size, struct err *err)
{
    const int *fd = arg;
    ssize_t n;
    do {
        n = read(*fd, bytes, size);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? err_sys(err, errno, "read the stream") : n;
}

int writer_fd(void *arg, const void *bytes, size_t length, struct err *err)
{
    const int *fd = arg;
    int r = io_write_all(*fd, bytes, length);
    if (r == -EPIPE || r == -ECONNRESET)
        return err_set(err, ERR_CANCELLED, "the reader of the stream is gone");
    return r < 0 ? err_sys(err, r, "write the stream") : 0;
}

struct chunk_buffer *chunk_buffer_new(struct reader from)
{
    struct chunk_buffer *buffer = xmalloc(sizeof *buffer);
    buffer->from = from;
    buffer->start = buffer->end = 0;
    return buffer;
}

void chunk_buffer_free(struct chunk_buffer *buffer)
{
    free(buffer);
}

static ssize_t fill(struct chunk_buffer *buffer, struct err *err)
{
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
    ssize_t n = buffer->from.read(buffer->from.arg, buffer->bytes + buffer->end, CHUNK_SIZE - buffer->end, err);
    if (n > 0)
        buffer->end += (size_t)n;
    return n;
}

static int next_chunk(void *arg, const unsigned char **ret_bytes, size_t *ret_length, struct err *err)
{
    struct chunk_buffer *buffer = arg;
    if (buffer->start == buffer->end) {
        ssize_t n = fill(buffer, err);
        if (n <= 0)
            return (int)n;
    }
    *ret_bytes = buffer->bytes + buffer->start;
    *ret_length = buffer->end - buffer->start;
    buffer->start = buffer->end;
    return 1;
}

struct chunker chunk_buffer_chunker(struct chunk_buffer *buffer)
{
    return (struct chunker){ next_chunk, buffer };
}

ssize_t chunk_buffer_peek(struct chunk_buffer *buffer, const unsigned char **ret_bytes, size_t want, struct err *err)
{
    assert(want <= 4096 && CHUNK_SIZE - buffer->start >= want);
    while (buffer->end - buffer->start < want) {
        ssize_t n = fill(buffer, err);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
    }
    *ret_bytes = buffer->bytes + buffer->start;
    return (ssize_t)MIN(want, buffer->end - buffer->start);
}

ssize_t chunk_buffer_read(void *arg, void *bytes, size_t size, struct err *err)
{
    struct chunk_buffer *buffer = arg;
    if (buffer->start == buffer->end)
        return buffer->from.read(buffer->from.arg, bytes, size, err);
    size_t length = MIN(size, buffer->end - buffer->start);
    memcpy(bytes, buffer->bytes + buffer->start, length);
    buffer->start += length;
    return (ssize_t)length;
}
