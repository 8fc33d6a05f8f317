/* One job in a holk-worker process: spawn, hand over, hear progress, answer requests, take the result. */
#pragma once
#include "lib/jobs/jobs.h"
#include "lib/jobs/kinds.h"
#include <stdbool.h>

struct engine;
struct worker; /* a process that waits for its job */
/* Starts a process for a job that is sure to come soon, so that it has loaded by then. NULL when that fails: worker_run() will tell why. */
struct worker *worker_prepare(struct engine *engine, const char *kind);
void worker_drop(struct worker *worker); /* one that was never used; NULL ok */
struct worker_call {
    const char *kind;
    const void *params; /* of the kind's params type */
    const int *fds;
    size_t fd_count;
    void *arg;
    /* each may be NULL. progress: -1 cancels the job (client gone). request: answers with job_send(sock, JOB_REPLY, message->id, ...). */
    int (*on_progress)(void *arg, const struct job_progress *progress);
    int (*on_request)(void *arg, int sock, const struct job_message *message, struct err *err);
    int client_fd; /* -1, or cancels when its peer has gone */
    struct worker *prepared; /* NULL, or of this kind; taken */
};
/* result: storage of the kind's result type, or NULL to drop it; the caller clears it. fds of the result are closed. */
int worker_run(struct engine *engine, const struct worker_call *call, void *result, struct err *err);
