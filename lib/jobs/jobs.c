#include "lib/jobs/jobs.h"

#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/str.h"
#include "lib/jobs/private.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#define JOB_MAGIC 0x486f6c6bU

struct job_frame {
    uint32_t magic, type, id, json_length, fd_count;
};
/* struct err as it crosses the socket */
struct job_failure {
    char *text;
    int64_t kind, sys_errno;
};
static const struct codec_field job_failure_fields[] = {
    F_STR(struct job_failure, text, "text", 0),
    F_I64(struct job_failure, kind, "kind", 0),
    F_I64(struct job_failure, sys_errno, "errno", 0),
    F_END,
};
static const struct codec_type job_failure_type = {
    .name = "job_failure", .size = sizeof(struct job_failure), .fields = job_failure_fields,
};

void job_message_done(struct job_message *message)
{
    free(message->json);
    for (size_t i = 0; i < message->fd_count; i++)
        fd_close(message->fds[i]);
    *message = (struct job_message)JOB_MESSAGE_INIT;
}

static int lost(int result, struct err *err)
{
    if (result == -EPIPE || result == -ECONNRESET || result == 0)
        return err_set(err, ERR_CANCELLED, "the other side of the job is gone");
    return err_sys(err, result, "talk to the other side of the job");
}

static int send_text(int sock, uint32_t type, uint32_t id, const char *text, size_t length, const int *fds, size_t fd_count,
                     struct err *err)
{
    if (length > JOB_JSON_MAX || fd_count > JOB_FDS_MAX)
        return err_set(err, ERR_INTERNAL, "a job message of %zu bytes and %zu fds is too large", length, fd_count);
    struct job_frame frame = { JOB_MAGIC, type, id, (uint32_t)length, (uint32_t)fd_count };
    ssize_t n = fd_send(sock, &frame, sizeof frame, fds, fd_count);
    if (n < 0)
        return lost((int)n, err);
    if ((size_t)n < sizeof frame) {
        int r = io_write_all(sock, (const char *)&frame + n, sizeof frame - (size_t)n);
        if (r < 0)
            return lost(r, err);
    }
    int r = io_write_all(sock, text, length);
    return r < 0 ? lost(r, err) : 0;
}

int job_send(int sock, uint32_t type, uint32_t id, const struct codec_type *type_of_value, const void *value, const int *fds,
             size_t fd_count, struct err *err)
{
    if (!value || !type_of_value)
        return send_text(sock, type, id, "{}", 2, fds, fd_count, err);
    AUTO_BUF struct buf text = BUF_INIT(JOB_JSON_MAX);
    codec_encode(type_of_value, value, &text);
    if (buf_failed(&text))
        return err_set(err, ERR_INTERNAL, "a job message is too large");
    return send_text(sock, type, id, text.data, text.length, fds, fd_count, err);
}

int job_send_err(int sock, uint32_t type, uint32_t id, const struct err *failure, struct err *err)
{
    char text[sizeof failure->text];
    str_copy(text, sizeof text, failure->text);
    struct job_failure value = { .text = text, .kind = (int64_t)failure->kind, .sys_errno = failure->sys_errno };
    return job_send(sock, type, id, &job_failure_type, &value, NULL, 0, err);
}

/* The header with its fds, which may come in pieces: the fds ride beside the first byte. */
static int recv_frame(int sock, struct job_frame *ret, struct job_message *message, struct err *err)
{
    size_t fd_count = JOB_FDS_MAX;
    ssize_t n = fd_recv(sock, ret, sizeof *ret, message->fds, &fd_count);
    if (n <= 0)
        return lost((int)n, err);
    message->fd_count = fd_count;
    if ((size_t)n < sizeof *ret) {
        ssize_t rest = io_read_full(sock, (char *)ret + n, sizeof *ret - (size_t)n);
        if (rest != (ssize_t)(sizeof *ret - (size_t)n))
            return lost(rest < 0 ? (int)rest : 0, err);
    }
    if (ret->magic != JOB_MAGIC || ret->json_length > JOB_JSON_MAX || ret->fd_count != message->fd_count)
        return err_set(err, ERR_INTERNAL, "a broken job frame (type %u, %u bytes, %u of %zu fds)", ret->type, ret->json_length,
                       ret->fd_count, message->fd_count);
    return 0;
}

static int recv_body(int sock, struct job_message *message, size_t length, struct err *err)
{
    message->json = malloc(length + 1);
    if (!message->json)
        return err_sys(err, ENOMEM, "receive a job message of %zu bytes", length);
    ssize_t n = io_read_full(sock, message->json, length);
    if (n != (ssize_t)length)
        return lost(n < 0 ? (int)n : 0, err);
    message->json[length] = '\0';
    message->json_length = length;
    return 0;
}

int job_recv(int sock, struct job_message *ret, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message message = JOB_MESSAGE_INIT;
    struct job_frame frame = { 0 };
    for (size_t i = 0; i < JOB_FDS_MAX; i++)
        message.fds[i] = -1;
    if (recv_frame(sock, &frame, &message, err) < 0 || recv_body(sock, &message, frame.json_length, err) < 0)
        return -1;
    message.type = frame.type;
    message.id = frame.id;
    for (size_t i = message.fd_count; i < JOB_FDS_MAX; i++)
        message.fds[i] = -1;
    *ret = message;
    message = (struct job_message)JOB_MESSAGE_INIT;
    return 0;
}

int job_message_err(const struct job_message *message, struct err *err)
{
    struct job_failure failure;
    if (codec_decode(&job_failure_type, message->json, message->json_length, &failure, err) < 0)
        return err_wrap(err, "read the error of a job");
    enum err_kind kind = failure.kind > ERR_NONE && failure.kind <= ERR_CANCELLED ? (enum err_kind)failure.kind : ERR_INTERNAL;
    err_set(err, kind, "%s", failure.text ? failure.text : "a job failed without a word");
    err->sys_errno = (int)failure.sys_errno;
    codec_clear(&job_failure_type, &failure);
    return -1;
}

int job_decode(const struct job_message *message, const struct codec_type *type, void *ret, struct err *err)
{
    return codec_decode(type, message->json, message->json_length, ret, err);
}

static char build_id[80];
static void make_build_id(void)
{
    (void)snprintf(build_id, sizeof build_id, "%s+%016llx", HOLK_VERSION, (unsigned long long)job_kinds_hash());
}

const char *job_build_id(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_build_id);
    return build_id;
}
