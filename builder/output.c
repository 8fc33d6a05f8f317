/* The lines of the build's answer. In a quiet build they wait for a failure. A client that left is noticed by the
 * engine, not here. */
#include "builder/stage.h"
#include "lib/base/str.h"

#include <stdarg.h>

static char nothing[] = "";

static void send_line(struct builder *builder, const struct job_progress *line)
{
    struct err ignored = { 0 };
    (void)builder->backend->progress(builder->backend->arg, line, &ignored);
}

static void send_stream(struct builder *builder, char *text)
{
    struct job_progress line = { .id = nothing, .status = nothing, .stream = text };
    send_line(builder, &line);
}

void say_bytes(struct builder *builder, const char *bytes, size_t length)
{
    if (builder->params->quiet) {
        buf_append(&builder->held_back, bytes, length);
        return;
    }
    AUTO_FREE char *text = xstrndup(bytes, length);
    send_stream(builder, text);
}

void say(struct builder *builder, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    say_bytes(builder, text, strlen(text));
}

void say_held_back(struct builder *builder)
{
    if (builder->held_back.length)
        send_stream(builder, builder->held_back.data);
    buf_clear(&builder->held_back);
}

void say_aux(struct builder *builder, const char *json)
{
    AUTO_FREE char *copy = xstrdup(json);
    struct job_progress line = { .id = nothing, .status = nothing, .stream = nothing, .aux = copy };
    if (!builder->params->quiet)
        send_line(builder, &line);
}

void say_exit_code(struct builder *builder, int64_t code)
{
    char status[] = "exit-code";
    struct job_progress line = { .id = nothing, .status = status, .stream = nothing, .current = code };
    send_line(builder, &line);
}
