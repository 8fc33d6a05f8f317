/* Bytes that are pulled. A reader fills the caller's memory, a chunker lends its own. Both are borrowed pairs of function and argument:
 * whoever made the argument frees it. */
#pragma once
#include "lib/base/err.h"
#include <stddef.h>
#include <sys/types.h>

struct reader {
    /* >0 bytes, 0 end, -1 err. May be short. */
    ssize_t (*read)(void *arg, void *bytes, size_t size, struct err *err);
    void *arg;
};
struct chunker {
    /* 1: *ret_bytes (at least one byte) is valid until the next call; 0 end; -1 err */
    int (*next)(void *arg, const unsigned char **ret_bytes, size_t *ret_length, struct err *err);
    void *arg;
};
struct writer {
    int (*write)(void *arg, const void *bytes, size_t length, struct err *err); /* all of it, or -1 */
    void *arg;
};

/* arg is an int * */
ssize_t reader_fd(void *arg, void *bytes, size_t size, struct err *err);
int writer_fd(void *arg, const void *bytes, size_t length, struct err *err);

/* Lends 256 KiB pieces of a reader. */
struct chunk_buffer;
struct chunk_buffer *chunk_buffer_new(struct reader from);
void chunk_buffer_free(struct chunk_buffer *buffer);
struct chunker chunk_buffer_chunker(struct chunk_buffer *buffer);
/* The first bytes of the stream (at most want <= 4096, less only at its end) stay to be read. -1 on err. */
ssize_t chunk_buffer_peek(struct chunk_buffer *buffer, const unsigned char **ret_bytes, size_t want, struct err *err);
/* Reads through the buffer (a struct reader's function; arg is the chunk_buffer). */
ssize_t chunk_buffer_read(void *arg, void *bytes, size_t size, struct err *err);
