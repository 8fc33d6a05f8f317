/* The state of one connection; for this room alone. */
#pragma once
#include "lib/http/http.h"

#define HTTP_BUFFER_MAX ((size_t)64 << 20) /* an early answer while we still send */
#define HTTP_PIECE ((size_t)64 << 10)

enum http_body { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_CLOSE };

struct http {
    int fd;
    char *host; /* of the Host header */
    int timeout_ms;
    struct buf in;
    size_t pos; /* consumed of in */
    enum http_body body;
    uint64_t left;      /* of the body, or of the current chunk */
    bool chunk_open;    /* inside a chunk: its CRLF is still to come */
    bool body_done, keep, broken, ended;
};

/* Reads more into the buffer. 1: got some, 0: end of stream, -1. */
int http_fill(struct http *http, struct err *err);
/* A line up to CRLF (or LF) taken from the stream, at most HTTP_HEAD_MAX; caller frees. */
int http_line(struct http *http, size_t max, char **ret, struct err *err);
int http_body_start(struct http *http, struct http_response *response, bool no_body, struct err *err);
