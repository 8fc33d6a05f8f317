#include "cli/progress.h"

#include "cli/api.h"
#include "cli/units.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 50
#define BAR_COLUMNS 110 /* narrower terminals have numbers alone */

void progress_init(struct progress *ret, int columns, struct buf *out)
{
    *ret = (struct progress){ .columns = columns, .line = BUF_INIT(PROGRESS_LINE_MAX), .out = out };
}

void progress_done(struct progress *progress)
{
    strv_free(progress->ids);
    buf_done(&progress->line);
}

/* ---- bars ---- */

static void put_amount(const struct progress_detail *detail, struct buf *out)
{
    if (!str_empty(detail->units)) {
        buf_printf(out, "%lld", (long long)detail->current);
        if (detail->current <= detail->total)
            buf_printf(out, "/%lld", (long long)detail->total);
        buf_printf(out, " %s", detail->units);
        return;
    }
    AUTO_FREE char *current = units_size((double)detail->current, 4);
    AUTO_FREE char *total = units_size((double)detail->total, 4);
    buf_printf(out, "%8s", current);
    if (detail->current <= detail->total)
        buf_printf(out, "/%s", total);
}

static void put_time_left(const struct progress_detail *detail, int64_t now_seconds, struct buf *out)
{
    int64_t elapsed_ns = (now_seconds - detail->start) * NANOS_PER_SECOND;
    int64_t left_ns = elapsed_ns / detail->current * (detail->total - detail->current);
    AUTO_FREE char *left = units_go_duration(left_ns / NANOS_PER_SECOND * NANOS_PER_SECOND);
    buf_printf(out, " %s", left);
}

void progress_bar(const struct progress_detail *detail, int columns, int64_t now_seconds, struct buf *out)
{
    if (detail->current <= 0 && detail->total <= 0)
        return;
    if (detail->total <= 0) {
        AUTO_FREE char *size = units_size((double)detail->current, 4);
        if (str_empty(detail->units))
            buf_printf(out, "%8s", size);
        else
            buf_printf(out, "%lld %s", (long long)detail->current, detail->units);
        return;
    }
    double share = (double)detail->current / (double)detail->total * BAR_WIDTH * 2;
    int filled = share >= BAR_WIDTH * 2 ? BAR_WIDTH : (int)share / 2;
    if (columns > BAR_COLUMNS) {
        buf_putc(out, '[');
        for (int i = 0; i < filled; i++)
            buf_putc(out, '=');
        buf_printf(out, ">%*s] ", BAR_WIDTH - filled, "");
    }
    if (!detail->hide_counts)
        put_amount(detail, out);
    if (detail->current > 0 && detail->start > 0 && filled < BAR_WIDTH)
        put_time_left(detail, now_seconds, out);
}

/* ---- lines ---- */

static bool has_bar(const struct json_message *message)
{
    const struct progress_detail *detail = message->progress_detail;
    return detail && (detail->current > 0 || detail->total > 0);
}

static void put_message(struct progress *progress, const struct json_message *message)
{
    struct buf *out = progress->out;
    bool terminal = progress->columns > 0,
         in_place = terminal && str_empty(message->stream) && message->progress_detail;
    char when[TIME_TEXT_SIZE];
    if (in_place)
        buf_puts(out, "\x1b[2K\r");
    else if (has_bar(message))
        return;
    if (message->time_nano || message->time) {
        time_format_rfc3339nano_fixed(message->time_nano ? message->time_nano : message->time * NANOS_PER_SECOND, when);
        buf_printf(out, "%s ", when);
    }
    if (!str_empty(message->id))
        buf_printf(out, "%s: ", message->id);
    if (!str_empty(message->from))
        buf_printf(out, "(from %s) ", message->from);
    const char *status = message->status ? message->status : "";
    if (message->progress_detail && terminal) {
        buf_printf(out, "%s ", status);
        progress_bar(message->progress_detail, progress->columns, time_now_unix_ns() / NANOS_PER_SECOND, out);
        buf_puts(out, in_place ? "\r" : "");
    } else if (!str_empty(message->progress)) {
        buf_printf(out, "%s %s", status, message->progress);
    } else if (!str_empty(message->stream)) {
        buf_puts(out, message->stream);
    } else {
        buf_printf(out, "%s%s\n", status, in_place ? "\r" : "");
    }
}

/* How many lines above the cursor the id's line is; a new id gets one. */
static size_t line_of(struct progress *progress, const char *id)
{
    size_t count = strv_length(progress->ids), index = 0;
    while (index < count && !str_eq(progress->ids[index], id))
        index++;
    if (index == count) {
        strv_append(&progress->ids, id);
        count++;
        if (progress->columns)
            buf_putc(progress->out, '\n');
    }
    return count - index;
}

static int failed(struct progress *progress, const struct json_message *message, struct err *err)
{
    const struct error_detail *detail = message->error_detail;
    const char *text = detail && !str_empty(detail->message) ? detail->message : message->error;
    progress->code = detail ? detail->code : 0;
    if (progress->code == 401)
        return err_set(err, ERR_UNAUTHORIZED, "authentication is required");
    return err_set(err, ERR_INTERNAL, "%s", text ? text : "");
}

static int show(struct progress *progress, const struct json_message *message, struct err *err)
{
    size_t up = 0;
    if (message->error_detail || !str_empty(message->error))
        return failed(progress, message, err);
    if (message->aux && !str_eq(message->aux, "null")) {
        if (progress->on_aux)
            progress->on_aux(progress->arg, message->aux);
        return 0;
    }
    if (!str_empty(message->id) && (message->progress_detail || !str_empty(message->progress))) {
        up = line_of(progress, message->id);
        if (progress->columns)
            buf_printf(progress->out, "\x1b[%zuA", up);
    } else {
        strv_free(progress->ids); /* what comes now scrolls the old lines away */
        progress->ids = NULL;
    }
    put_message(progress, message);
    if (progress->columns && up)
        buf_printf(progress->out, "\x1b[%zuB", up);
    return 0;
}

static int take_line(struct progress *progress, struct err *err)
{
    struct buf *line = &progress->line;
    struct json_message message;
    size_t blank = line->length ? strspn(line->data, " \t\r\n") : 0;
    if (blank == line->length) {
        buf_clear(line);
        return 0;
    }
    if (codec_decode(&json_message_type, line->data, line->length, &message, err) < 0)
        return err_wrap(err, "unexpected progress line");
    int status = show(progress, &message, err);
    codec_clear(&json_message_type, &message);
    buf_clear(line);
    return status;
}

int progress_feed(struct progress *progress, const char *bytes, size_t length, struct err *err)
{
    while (length) {
        const char *newline = memchr(bytes, '\n', length);
        size_t part = newline ? (size_t)(newline - bytes) + 1 : length;
        buf_append(&progress->line, bytes, part);
        if (buf_failed(&progress->line))
            return err_set(err, ERR_INVALID, "a progress line is longer than %zu bytes", PROGRESS_LINE_MAX);
        if (newline && take_line(progress, err) < 0)
            return -1;
        bytes += part;
        length -= part;
    }
    return 0;
}

int progress_end(struct progress *progress, struct err *err)
{
    return take_line(progress, err);
}

int progress_run(struct http *http, int out_fd, void (*on_aux)(void *arg, const char *json), void *arg,
                 int64_t *ret_code, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(PROGRESS_LINE_MAX * 8);
    AUTO_PROGRESS struct progress progress;
    AUTO_FREE char *bytes = xmalloc(65536);
    ssize_t got;
    int status = 0;
    (void)fflush(stdout);
    progress_init(&progress, out_fd >= 0 && isatty(out_fd) ? MAX(cli_columns(out_fd), 1) : 0,
                  &out); /* one may not know its width */
    progress.on_aux = on_aux;
    progress.arg = arg;
    while (!status && (got = http_read(http, bytes, 65536, err)) != 0) {
        status = got < 0 ? -1 : progress_feed(&progress, bytes, (size_t)got, err);
        if (out_fd >= 0 && out.length)
            (void)io_write_all(out_fd, out.data, out.length);
        buf_clear(&out);
    }
    if (!status) {
        status = progress_end(&progress, err);
        if (out_fd >= 0 && out.length)
            (void)io_write_all(out_fd, out.data, out.length);
    }
    if (ret_code)
        *ret_code = progress.code;
    return status;
}
