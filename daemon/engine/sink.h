/* Where a long engine call writes what the client reads: a stream of bytes, and a way to notice that the client has left.
 * The routes make one over a response; tests make one over a buffer. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
struct sink {
    /* 0, or -1: the client is gone. The first call flushes the head. */
    int (*write)(struct sink *sink, const void *bytes, size_t length);
    /* Called once before the first write when the work has begun well (head may be flushed with 200); may be NULL. */
    int (*begin)(struct sink *sink);
    int client_fd; /* poll for POLLHUP; -1: none */
    void *arg;
};
