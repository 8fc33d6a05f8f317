/* The lines of the build's answer. Stages are made side by side, but the answer reads as if they came one after the
 * other: only the first unfinished stage speaks at once, what the others say is kept until it is their turn. In a quiet
 * build all waits for a failure. A client that left is noticed by the engine, not here. */
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

static void send_bytes_locked(struct builder *builder, const char *bytes, size_t length)
{
    AUTO_FREE char *text = xmalloc(length + 1);
    size_t kept = 0;
    if (builder->params->quiet) {
        buf_append(&builder->held_back, bytes, length);
        return;
    }
    for (size_t i = 0; i < length; i++) /* a line is a C string */
        if (bytes[i])
            text[kept++] = bytes[i];
    text[kept] = '\0';
    send_stream(builder, text);
}

void stage_say_bytes(struct build_stage *stage, const char *bytes, size_t length)
{
    struct builder *builder = stage->builder;
    mutex_lock(&builder->lock);
    bool ended = builder->failure.kind != ERR_NONE; /* with that */
    if (!ended && stage->index == builder->front)
        send_bytes_locked(builder, bytes, length);
    else if (!ended)
        buf_append(&stage->output, bytes, length);
    mutex_unlock(&builder->lock);
}

void stage_say_now_locked(struct build_stage *stage)
{
    mutex_assert_held(&stage->builder->lock);
    if (stage->output.length)
        send_bytes_locked(stage->builder, stage->output.data, stage->output.length);
    buf_clear(&stage->output);
}

void stage_say(struct build_stage *stage, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    stage_say_bytes(stage, text, strlen(text));
}

void say(struct builder *builder, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    mutex_lock(&builder->lock);
    send_bytes_locked(builder, text, strlen(text));
    mutex_unlock(&builder->lock);
}

void say_held_back(struct builder *builder)
{
    mutex_lock(&builder->lock);
    if (builder->held_back.length)
        send_stream(builder, builder->held_back.data);
    buf_clear(&builder->held_back);
    mutex_unlock(&builder->lock);
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
