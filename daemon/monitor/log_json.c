#include "daemon/monitor/monitor.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/base/timefmt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define LINE_SPLIT 16384 /* Docker's copier splits longer lines */

void log_open(struct log *log, struct monitor *monitor)
{
    const struct plan *plan = &monitor->view.plan;
    struct stat info;
    *log = (struct log){ .monitor = monitor, .fd = -1, .max_size = plan->log_max_size, .max_files = plan->log_max_files ? plan->log_max_files : 1,
                         .path = plan->log_path, .attrs = plan->log_attrs, .out = BUF_INIT((size_t)8 << 20) };
    if (plan->log_kind != PLAN_LOG_JSON_FILE || !plan->log_path)
        return;
    log->fd = open(plan->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (log->fd < 0)
        fact_text(monitor, MON_FACT_LOG_LOSS, "the log file cannot be opened");
    else if (fstat(log->fd, &info) == 0)
        log->size = (uint64_t)info.st_size;
}

/* How many bytes from s need no escape. */
static size_t plain_run(const unsigned char *s, size_t length)
{
    size_t i = 0;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), less = _mm_set1_epi8('<'), more = _mm_set1_epi8('>'),
                  amp = _mm_set1_epi8('&'), space = _mm_set1_epi8(0x20);
    for (; i + 16 <= length; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(s + i));
        /* signed compare: control characters and everything from 0x80 are below 0x20 */
        __m128i special = _mm_or_si128(_mm_cmplt_epi8(bytes, space), _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash)));
        special = _mm_or_si128(special, _mm_or_si128(_mm_cmpeq_epi8(bytes, less), _mm_or_si128(_mm_cmpeq_epi8(bytes, more), _mm_cmpeq_epi8(bytes, amp))));
        int mask = _mm_movemask_epi8(special);
        if (mask)
            return i + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    while (i < length && s[i] >= 0x20 && s[i] < 0x80 && !strchr("\"\\<>&", s[i]))
        i++;
    return i;
}

static size_t put_special(struct buf *out, const unsigned char *s, size_t length)
{
    static const char hex[] = "0123456789abcdef", plain[] = "\"\\\n\r\t", letters[] = "\"\\nrt";
    const char *found = *s && *s < 0x80 ? strchr(plain, *s) : NULL;
    if (found) {
        char text[2] = { '\\', letters[found - plain] };
        buf_append(out, text, 2);
        return 1;
    }
    if (*s < 0x80) {
        char text[6] = { '\\', 'u', '0', '0', hex[*s >> 4], hex[*s & 15] };
        buf_append(out, text, 6);
        return 1;
    }
    size_t step = *s >= 0xf0 ? 4 : *s >= 0xe0 ? 3 : 2;
    if (step > length || !utf8_valid((const char *)s, step)) {
        buf_puts(out, "\\ufffd");
        return 1;
    }
    if (step == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] & 0xfe) == 0xa8)
        buf_puts(out, s[2] == 0xa8 ? "\\u2028" : "\\u2029");
    else
        buf_append(out, s, step);
    return step;
}

static void put_escaped(struct buf *out, const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    while (length > 0) {
        size_t run = plain_run(s, length);
        buf_append(out, s, run);
        s += run;
        length -= run;
        if (length > 0) {
            size_t step = put_special(out, s, length);
            s += step;
            length -= step;
        }
    }
}

static void put_line(struct log *log, int stream, const char *stamp, const char *head, size_t head_length, const char *text, size_t length)
{
    buf_puts(&log->out, "{\"log\":\"");
    put_escaped(&log->out, head, head_length);
    put_escaped(&log->out, text, length);
    buf_puts(&log->out, stream == 2 ? "\",\"stream\":\"stderr\"" : "\",\"stream\":\"stdout\"");
    if (log->attrs) {
        buf_puts(&log->out, ",\"attrs\":");
        buf_puts(&log->out, log->attrs);
    }
    buf_puts(&log->out, ",\"time\":\"");
    buf_puts(&log->out, stamp);
    buf_puts(&log->out, "\"}\n");
}

static void rotate(struct log *log)
{
    fd_close(log->fd);
    for (unsigned n = log->max_files - 1; n > 0; n--) {
        AUTO_FREE char *from = n == 1 ? xstrdup(log->path) : str_format("%s.%u", log->path, n - 1);
        AUTO_FREE char *to = str_format("%s.%u", log->path, n);
        (void)rename(from, to);
    }
    log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    log->size = 0;
}

static void write_out(struct log *log)
{
    if (log->out.failed || !log->out.length) {
        buf_done(&log->out);
        return;
    }
    if (log->max_size && log->size && log->size + log->out.length > log->max_size)
        rotate(log);
    int failed = io_write_all(log->fd, log->out.data, log->out.length);
    if (failed < 0 && !log->failing)
        fact_text(log->monitor, MON_FACT_LOG_LOSS, err_strerror(-failed));
    log->failing = failed < 0;
    log->size += log->out.length;
    if (log->out.capacity > 65536 * 4)
        buf_done(&log->out);
    else
        buf_clear(&log->out);
}

static void keep_partial(struct log_stream *partial, const char *bytes, size_t length)
{
    if (!length)
        return;
    partial->bytes = xrealloc(partial->bytes, LINE_SPLIT + 1);
    memcpy(partial->bytes + partial->length, bytes, length);
    partial->length += length;
}

void log_append(struct log *log, int stream, const char *bytes, size_t length)
{
    struct log_stream *partial = &log->partial[stream];
    char stamp[TIME_TEXT_SIZE];
    if (log->fd < 0)
        return;
    time_format_rfc3339nano(time_now_unix_ns(), stamp);
    while (length > 0) {
        const char *newline = memchr(bytes, '\n', length);
        size_t line = newline ? (size_t)(newline - bytes) + 1 : length;
        bool split = partial->length + line > LINE_SPLIT || (!newline && partial->length + line == LINE_SPLIT);
        if (split)
            line = LINE_SPLIT - partial->length;
        if (!newline && !split) {
            keep_partial(partial, bytes, line);
            break;
        }
        put_line(log, stream, stamp, partial->bytes ? partial->bytes : "", partial->length, bytes, line);
        partial->length = 0;
        bytes += line;
        length -= line;
        if (log->max_size && log->out.length > 65536)
            write_out(log);
    }
    write_out(log);
}

void log_finish(struct log *log)
{
    char stamp[TIME_TEXT_SIZE];
    time_format_rfc3339nano(time_now_unix_ns(), stamp);
    for (int stream = 1; stream <= 2 && log->fd >= 0; stream++) {
        struct log_stream *partial = &log->partial[stream];
        if (partial->length)
            put_line(log, stream, stamp, partial->bytes, partial->length, "", 0);
        free(take_ptr(&partial->bytes));
        partial->length = 0;
    }
    if (log->fd >= 0)
        write_out(log);
}

void log_close(struct log *log)
{
    log_finish(log);
    fd_close(take_fd(&log->fd));
    buf_done(&log->out);
}
