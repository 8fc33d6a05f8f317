/* A stream of progress lines (pull, push, load, import, build): one JSON object a line. On a terminal every id has its
 * own line whose bar is redrawn in place; elsewhere bars are left out and the other lines stay. An error in the stream
 * ends it and becomes the error here. */
#pragma once
#include "lib/api/jsonmessage.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/http/http.h"

#include <stdbool.h>

#define PROGRESS_LINE_MAX ((size_t)8 << 20)

struct progress {
    int columns;                                 /* of the terminal; 0: not one */
    char **ids;                                  /* lines that can be redrawn, top to bottom */
    struct buf line;                             /* not yet ended */
    struct buf *out;                             /* what is to be written; the caller empties it */
    int64_t code;                                /* of an error, e.g. the exit code of a build's step; 0: none said */
    void (*on_aux)(void *arg, const char *json); /* results; NULL: dropped */
    void *arg;
};
void progress_init(struct progress *ret, int columns, struct buf *out);
void progress_done(struct progress *progress);
#define AUTO_PROGRESS __attribute__((cleanup(progress_done)))
/* Takes bytes as they come. ERR_INVALID when they are no such stream, ERR_INTERNAL for an error told by it. */
int progress_feed(struct progress *progress, const char *bytes, size_t length, struct err *err);
int progress_end(struct progress *progress, struct err *err);

/* Reads the whole body. out_fd -1: shows nothing. on_aux may be NULL. *ret_code as above, may be NULL. */
int progress_run(struct http *http, int out_fd, void (*on_aux)(void *arg, const char *json), void *arg,
                 int64_t *ret_code, struct err *err);

/* The bar alone, for a terminal of that many columns: "[====>      ]  1.2MB/4.5MB". Appends to out. */
void progress_bar(const struct progress_detail *detail, int columns, int64_t now_seconds, struct buf *out);
