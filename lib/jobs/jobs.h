/* The worker protocol: how holkd gives one job to a holk-worker process, hears of its progress, answers its requests, gets its result.
 * Also the builder's backend: what a build worker asks of the engine goes over the same frames.
 *
 * The worker is posix_spawned with argv {"holk-worker", <kind name>} and fd 3 = a stream socketpair. Frames both ways:
 *   struct job_frame { magic, type, id, json_length, fd_count } + JSON text (object) + fds by SCM_RIGHTS beside the frame header.
 * JOB_HELLO from the worker carries its build id; holkd refuses another one. Then JOB_RUN (params + fds), any number of JOB_PROGRESS /
 * JOB_REQUEST(id) -> JOB_REPLY(id) / JOB_OUTPUT, and one JOB_DONE (result) or JOB_FAILED (struct err as JSON). The end of the socket before
 * that is a failure "worker ended without a result". holkd closing the socket is cancellation: the worker exits at once. */
#pragma once
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/json/codec.h"
#include <stdint.h>

#define JOB_JSON_MAX ((size_t)32 << 20)
#define JOB_FDS_MAX 16
enum job_frame_type { JOB_HELLO = 1, JOB_RUN, JOB_PROGRESS, JOB_REQUEST, JOB_REPLY, JOB_REPLY_ERR, JOB_DONE, JOB_FAILED };
struct job_message {
    uint32_t type, id; /* id: of a request and its reply; 0 else */
    char *json;        /* owned */
    size_t json_length;
    int fds[JOB_FDS_MAX]; /* owned; -1 behind fd_count */
    size_t fd_count;
};
#define JOB_MESSAGE_INIT { .fd_count = 0 }
void job_message_done(struct job_message *message); /* frees json, closes fds not taken */
#define AUTO_JOB_MESSAGE __attribute__((cleanup(job_message_done)))
/* Blocking. ERR_INTERNAL on a broken peer; ERR_CANCELLED when the other side is gone. value NULL = "{}". fds stay the caller's. */
int job_send(int sock, uint32_t type, uint32_t id, const struct codec_type *type_of_value, const void *value, const int *fds, size_t fd_count, struct err *err);
int job_send_err(int sock, uint32_t type /* JOB_FAILED or JOB_REPLY_ERR */, uint32_t id, const struct err *failure, struct err *err);
int job_recv(int sock, struct job_message *ret, struct err *err);
/* Turns JOB_FAILED / JOB_REPLY_ERR into the err it carries (returns -1 always). */
int job_message_err(const struct job_message *message, struct err *err);
int job_decode(const struct job_message *message, const struct codec_type *type, void *ret, struct err *err);
const char *job_build_id(void); /* version + compile-time id shared by holkd and holk-worker */
