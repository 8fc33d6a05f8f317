/* One line of a progress stream (pull, push, load, import, build): a JSON object and CR LF. Which members
 * are set says what the line is; build output is `stream`, results come in `aux`. */
#pragma once
#include "lib/json/codec.h"

struct progress_detail {
    int64_t current, total, start;
    bool hide_counts;
    char *units;
};
struct error_detail {
    int64_t code;
    char *message;
};
struct json_message {
    char *stream, *status;
    struct progress_detail *progress_detail;
    char *progress; /* the bar as text; Docker's own progress lines carry it too */
    char *id, *from;
    int64_t time, time_nano;
    struct error_detail *error_detail;
    char *error;
    char *aux; /* raw */
};
/* Appends the line with its CR LF. */
void json_message_write(const struct json_message *message, struct buf *out);
/* {"errorDetail":{"message":...},"error":...} and CR LF. */
void json_message_write_error(const char *text, int64_t code, struct buf *out);

CODEC_DECLARE(progress_detail);
CODEC_DECLARE(error_detail);
CODEC_DECLARE(json_message);
