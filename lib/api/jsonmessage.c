/* Tables of jsonmessage.h and the two ways to write a line. */
#include "lib/api/jsonmessage.h"
#include "lib/api/tables.h"

static const struct codec_field progress_detail_fields[] = {
    F_I64(struct progress_detail, current, "current", OMIT),
    F_I64(struct progress_detail, total, "total", OMIT),
    F_I64(struct progress_detail, start, "start", OMIT),
    F_BOOL(struct progress_detail, hide_counts, "hidecounts", OMIT),
    F_STR(struct progress_detail, units, "units", OMIT),
    F_END,
};
CODEC_DEFINE(progress_detail);

static const struct codec_field error_detail_fields[] = {
    F_I64(struct error_detail, code, "code", OMIT),
    F_STR(struct error_detail, message, "message", 0),
    F_END,
};
CODEC_DEFINE(error_detail);

static const struct codec_field json_message_fields[] = {
    F_STR(struct json_message, stream, "stream", OMIT),
    F_STR(struct json_message, status, "status", OMIT),
    F_OBJP(struct json_message, progress_detail, "progressDetail", OMIT, progress_detail),
    F_STR(struct json_message, progress, "progress", OMIT),
    F_STR(struct json_message, id, "id", OMIT),
    F_STR(struct json_message, from, "from", OMIT),
    F_I64(struct json_message, time, "time", OMIT),
    F_I64(struct json_message, time_nano, "timeNano", OMIT),
    F_OBJP(struct json_message, error_detail, "errorDetail", OMIT, error_detail),
    F_STR(struct json_message, error, "error", OMIT),
    F_RAW(struct json_message, aux, "aux", OMIT),
    F_END,
};
CODEC_DEFINE(json_message);


void json_message_write(const struct json_message *message, struct buf *out)
{
    codec_encode(&json_message_type, message, out);
    buf_puts(out, "\r\n");
}

void json_message_write_error(const char *text, int64_t code, struct buf *out)
{
    AUTO_FREE char *copy = xstrdup(text);
    struct error_detail detail = {.code = code, .message = copy};
    struct json_message message = {.error_detail = &detail, .error = copy};
    json_message_write(&message, out);
}
