#include "daemon/engine/progress.h"

#include "lib/api/jsonmessage.h"
#include "lib/base/str.h"

#include <stdarg.h>
#include <stdio.h>

static int send_line(struct progress *progress, const struct json_message *message)
{
    AUTO_BUF struct buf line = BUF_INIT(BUF_TEXT_MAX);
    json_message_write(message, &line);
    progress->begun = true;
    return progress->sink->write(progress->sink, line.data, line.length);
}

int progress_status(struct progress *progress, const char *id, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    AUTO_FREE char *owned = xstrdup(id);
    struct progress_detail none = { 0 };
    struct json_message message = { .status = text, .id = owned, .progress_detail = id ? &none : NULL };
    return send_line(progress, &message);
}

/* go-units' four significant digits: "1.234MB" */
static void human_size(int64_t bytes, char ret[24])
{
    static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1000 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1000;
        unit++;
    }
    snprintf(ret, 24, "%.4g%s", value, units[unit]);
}

/* "[=====>          ]  12.3MB/45.6MB": fifty cells and the tip; without a known end only what came. */
static char *bar(int64_t current, int64_t total)
{
    char have[24], all[24], cells[51];
    human_size(current, have);
    human_size(total, all);
    if (total <= 0)
        return str_format("%8s", have);
    int filled = (int)MIN(current * 50 / total, 50);
    memset(cells, '=', 50);
    cells[filled] = '\0';
    /* More than was announced (a guess): the end is left out. */
    return current > total ? str_format("[%s>%*s] %8s", cells, 50 - filled, "", have) : str_format("[%s>%*s] %8s/%s", cells, 50 - filled, "", have, all);
}

int progress_bytes(struct progress *progress, const char *id, const char *status, int64_t current, int64_t total)
{
    AUTO_FREE char *text = bar(current, total);
    AUTO_FREE char *owned_id = xstrdup(id);
    AUTO_FREE char *owned_status = xstrdup(status);
    struct progress_detail detail = { .current = current, .total = total };
    struct json_message message = { .status = owned_status, .id = owned_id, .progress_detail = &detail, .progress = text };
    return send_line(progress, &message);
}

int progress_stream(struct progress *progress, const char *text)
{
    AUTO_FREE char *owned = xstrdup(text);
    struct json_message message = { .stream = owned };
    return send_line(progress, &message);
}

int progress_aux(struct progress *progress, const char *json, bool with_detail)
{
    AUTO_FREE char *owned = xstrdup(json);
    struct progress_detail none = { 0 };
    struct json_message message = { .aux = owned, .progress_detail = with_detail ? &none : NULL };
    return send_line(progress, &message);
}

int progress_job(struct progress *progress, const struct job_progress *job)
{
    if (!str_empty(job->stream))
        return progress_stream(progress, job->stream);
    if (!str_empty(job->aux))
        return progress_aux(progress, job->aux, false);
    if (job->total > 0)
        return progress_bytes(progress, job->id, job->status, job->current, job->total);
    if (str_empty(job->status))
        return 0;
    struct progress_detail detail = { 0 };
    AUTO_FREE char *id = str_empty(job->id) ? NULL : xstrdup(job->id);
    AUTO_FREE char *status = xstrdup(job->status);
    struct json_message message = { .status = status, .id = id, .progress_detail = id ? &detail : NULL };
    return send_line(progress, &message);
}

int progress_failed(struct progress *progress, int64_t code, const struct err *err)
{
    if (!progress->begun)
        return -1;
    AUTO_BUF struct buf line = BUF_INIT(BUF_TEXT_MAX);
    json_message_write_error(err->text, code, &line);
    (void)progress->sink->write(progress->sink, line.data, line.length);
    return 0;
}
