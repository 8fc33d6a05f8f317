/* holk events: a line for everything that happens, until it is interrupted or until a time. */
#include "cli/command.h"
#include "cli/json_text.h"
#include "cli/template.h"
#include "lib/api/system.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/timefmt.h"

#include <stdio.h>
#include <time.h>

#define EVENT_MAX ((size_t)4 << 20)
#define BAD_FORMAT 64

struct options {
    char **filters;
    char *format, *since, *until;
};
static const struct flag flags[] = {
    FLAG_STRV_(struct options, filters, "filter", 'f', FLAG_FILTER_HELP, .shown = "filter", .check = flag_check_filter),
    FLAG_STR_(struct options, format, "format", 0, FORMAT_OBJECT_HELP),
    FLAG_STR_(struct options, since, "since", 0, "Begin with what has happened since that time"),
    FLAG_STR_(struct options, until, "until", 0, "End at that time"),
    FLAG_END,
};

/* "10m", "2026-01-02" or seconds, as seconds and nanoseconds. */
static int query_time(struct buf *target, const char *key, const char *text, struct err *err)
{
    int64_t ns;
    if (str_empty(text))
        return 0;
    if (time_parse_docker(text, time_now_unix_ns(), &ns) < 0)
        return err_set(err, ERR_INVALID, "failed to parse value as time or duration: \"%s\"", text);
    AUTO_FREE char *value =
        str_format("%lld.%09lld", (long long)(ns / NANOS_PER_SECOND), (long long)(ns % NANOS_PER_SECOND));
    http_query_add(target, key, value);
    return 0;
}

static void put_time(const struct event_message *event, struct buf *out)
{
    int64_t ns = event->time_nano ? event->time_nano : event->time * NANOS_PER_SECOND;
    time_t seconds = (time_t)(ns / NANOS_PER_SECOND);
    struct tm tm;
    char date[40], zone[16];
    if (!ns || !localtime_r(&seconds, &tm))
        return;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    strftime(zone, sizeof zone, "%z", &tm);
    buf_printf(out, "%s.%09lld", date, (long long)(ns % NANOS_PER_SECOND));
    if (tm.tm_gmtoff)
        buf_printf(out, "%.3s:%s ", zone, zone + 3);
    else
        buf_puts(out, "Z ");
}

static void put_event(const struct event_message *event, struct buf *out)
{
    CLEANUP(strv_free) char **pairs = NULL;
    const struct str_map *attributes = &event->actor.attributes;
    put_time(event, out);
    buf_printf(out, "%s %s %s", event->type, event->action, event->actor.id ? event->actor.id : "");
    for (size_t i = 0; i < str_map_count(attributes); i++)
        strv_append_take(&pairs, str_format("%s=%s", attributes->keys[i], attributes->values[i]));
    if (pairs) {
        strv_sort(pairs);
        AUTO_FREE char *text = strv_join(pairs, ", ");
        buf_printf(out, " (%s)", text);
    }
    buf_putc(out, '\n');
}

static int print_line(const char *line, size_t length, const struct template *template, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    int status = 0;
    if (template) {
        CLEANUP(json_free) struct json *json = NULL;
        if (json_parse(line, length, &json, err) < 0)
            return -1;
        struct template_data data = { .json = json, .go_type = "*events.Message", .type = &event_message_type };
        status = template_execute(template, &data, &out, err);
        buf_putc(&out, '\n');
    } else {
        struct event_message event;
        if (codec_decode(&event_message_type, line, length, &event, err) < 0)
            return -1;
        put_event(&event, &out);
        codec_clear(&event_message_type, &event);
    }
    if (!status)
        fwrite(out.data, 1, out.length, stdout);
    return status;
}

/* On an event without anything, so that a wrong name is told before the first real one. */
static int try_template(const struct template *template, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(BUF_TEXT_MAX);
    CLEANUP(json_free) struct json *json = json_new_map();
    struct template_data data = { .json = json, .go_type = "*events.Message", .type = &event_message_type };
    return template_execute(template, &data, &out, err);
}

/* Lines as they come; each is shown before the next read. */
static int follow(struct http *http, const struct template *template, struct err *err)
{
    AUTO_BUF struct buf pending = BUF_INIT(EVENT_MAX);
    ssize_t got;
    for (;;) {
        char *room = buf_reserve(&pending, 16384);
        if (!room)
            return err_set(err, ERR_INVALID, "an event is longer than %zu bytes", EVENT_MAX);
        if ((got = http_read(http, room, 16384, err)) <= 0)
            return got < 0 ? -1 : 0;
        buf_grew(&pending, (size_t)got);
        size_t start = 0;
        for (char *end; (end = memchr(pending.data + start, '\n', pending.length - start)) != NULL;) {
            size_t length = (size_t)(end - pending.data) - start;
            if (length && print_line(pending.data + start, length, template, err) < 0)
                return -1;
            start += length + 1;
        }
        buf_consume(&pending, start);
        (void)fflush(stdout);
        if (ferror(stdout))
            return 0; /* nobody reads any more */
    }
}

static int run_events(struct cli *cli, void *arg, char **args)
{
    (void)args;
    const struct options *options = arg;
    CLEANUP(template_free) struct template *template = NULL;
    AUTO_STREAM struct api_stream stream = API_STREAM_INIT;
    AUTO_TARGET(target);
    struct err err = { 0 };
    const char *format = str_eq(options->format, "json") ? "{{json .}}" : options->format;
    if (!str_empty(format) && (template_parse("", format, &template, &err) < 0 || try_template(template, &err) < 0)) {
        fprintf(stderr, "Error parsing format: %s\n", err.text);
        return BAD_FORMAT;
    }
    buf_puts(&target, "/events");
    if (query_time(&target, "since", options->since, &err) < 0 ||
        query_time(&target, "until", options->until, &err) < 0)
        return cli_fail(cli, &err);
    api_query_filters(&target, options->filters);
    struct http_request request = { .method = "GET", .target = target.data };
    if (api_stream_open(cli, &request, &stream, &err) < 0 || follow(stream.http, template, &err) < 0)
        return cli_fail(cli, &err);
    return 0;
}

const struct command command_system_events = {
    .path = "system events",
    .top = "events",
    .usage = "[OPTIONS]",
    .help = "Show what happens in the daemon, as it happens",
    .flags = flags,
    .options_size = sizeof(struct options),
    .run = run_events,
};
