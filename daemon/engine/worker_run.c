#include "daemon/engine/worker_run.h"

#include "daemon/engine/internal.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/proc.h"
#include "lib/base/str.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

struct worker {
    pid_t pid;
    int sock;
};

static int spawn(struct engine *engine, const struct job_kind *kind, struct worker *ret, struct err *err)
{
    int pair[2];
    int failed = fd_socketpair(SOCK_STREAM, pair);
    if (failed < 0)
        return err_sys(err, failed, "make a socket for a worker");
    AUTO_FD int theirs = pair[1];
    bool fetches = kind->sandbox == JOB_SANDBOX_FETCH;
    const char *path = fetches ? engine->options.fetch_path : engine->options.worker_path;
    AUTO_FREE char *name = xstrdup(fetches ? "holk-fetch" : "holk-worker"), *kind_arg = xstrdup(kind->name);
    char *argv[] = { name, kind_arg, NULL };
    char **env = NULL;
    strv_append(&env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    static const char *const passed[] = { "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY" };
    for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
        if (getenv(passed[i]))
            strv_append_take(&env, str_format("%s=%s", passed[i], getenv(passed[i])));
    struct proc_fd fds[] = { { theirs, 3 }, { 2, 2 } };
    struct proc_spec spec = { .path = path, .argv = argv, .env = env, .fds = fds, .fd_count = 2 };
    failed = proc_spawn(&spec, &ret->pid, NULL);
    strv_free(env);
    if (failed < 0) {
        fd_close(pair[0]);
        return err_sys(err, failed, "start %s", name);
    }
    ret->sock = pair[0];
    return 0;
}

/* The worker's socket closes first: a worker that still works takes that as cancellation. */
static void reap(struct worker *worker, bool kill_it)
{
    int status;
    fd_close(worker->sock);
    if (kill_it)
        kill(worker->pid, SIGKILL);
    proc_wait(worker->pid, &status);
}

static int check_hello(struct worker *worker, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message hello = JOB_MESSAGE_INIT;
    if (job_recv(worker->sock, &hello, err) < 0)
        return err_wrap(err, "start a worker");
    if (hello.type != JOB_HELLO || !strstr(hello.json, job_build_id()))
        return err_set(err, ERR_INTERNAL, "the worker is of another build than holkd: install both from one release");
    return 0;
}

/* Waits for the worker's next frame or for the client to leave. */
static int wait_readable(const struct worker_call *call, int sock, struct err *err)
{
    short ready = 0, client = 0;
    int mask = io_poll2(sock, POLLIN, call->client_fd, 0, -1, &ready, &client);
    if (mask < 0)
        return err_sys(err, mask, "wait for a worker");
    if (client & (POLLHUP | POLLERR))
        return err_set(err, ERR_CANCELLED, "context canceled");
    return 0;
}

static int on_progress(const struct worker_call *call, const struct job_message *message, struct err *err)
{
    struct job_progress progress;
    if (!call->on_progress)
        return 0;
    if (job_decode(message, &job_progress_type, &progress, err) < 0)
        return -1;
    int result = call->on_progress(call->arg, &progress);
    codec_clear(&job_progress_type, &progress);
    return result < 0 ? err_set(err, ERR_CANCELLED, "context canceled") : 0;
}

static int on_request(const struct worker_call *call, int sock, const struct job_message *message, struct err *err)
{
    struct err failure = { 0 };
    if (!call->on_request)
        return err_set(err, ERR_INTERNAL, "worker %s asked for something unexpected", call->kind);
    if (call->on_request(call->arg, sock, message, &failure) < 0)
        return job_send_err(sock, JOB_REPLY_ERR, message->id, &failure, err);
    return 0;
}

/* 1: done, 0: go on, -1: failed */
static int serve_one(const struct worker_call *call, int sock, const struct codec_type *result_type, void *result, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message message = JOB_MESSAGE_INIT;
    if (wait_readable(call, sock, err) < 0)
        return -1;
    if (job_recv(sock, &message, err) < 0) {
        if (err->kind == ERR_CANCELLED)
            err_set(err, ERR_INTERNAL, "worker %s ended without a result", call->kind);
        return -1;
    }
    switch (message.type) {
    case JOB_PROGRESS:
        return on_progress(call, &message, err);
    case JOB_REQUEST:
        return on_request(call, sock, &message, err);
    case JOB_DONE:
        if (result && result_type && job_decode(&message, result_type, result, err) < 0)
            return -1;
        return 1;
    case JOB_FAILED:
        return job_message_err(&message, err);
    default:
        return err_set(err, ERR_INTERNAL, "worker %s sent an unknown frame %u", call->kind, message.type);
    }
}

struct worker *worker_prepare(struct engine *engine, const char *kind)
{
    struct err ignored = { 0 };
    struct worker *worker = xcalloc(1, sizeof *worker);
    if (spawn(engine, job_kind_find(kind), worker, &ignored) == 0)
        return worker;
    free(worker);
    return NULL;
}

void worker_drop(struct worker *worker)
{
    if (!worker)
        return;
    reap(worker, true);
    free(worker);
}

static int start(struct engine *engine, const struct worker_call *call, const struct job_kind *kind, struct worker *ret, struct err *err)
{
    if (!call->prepared)
        return spawn(engine, kind, ret, err);
    *ret = *call->prepared;
    free(call->prepared);
    return 0;
}

int worker_run(struct engine *engine, const struct worker_call *call, void *result, struct err *err)
{
    const struct job_kind *kind = job_kind_find(call->kind);
    struct worker worker;
    if (!kind)
        return err_set(err, ERR_INTERNAL, "there is no job kind %s", call->kind);
    if (start(engine, call, kind, &worker, err) < 0)
        return -1;
    int state = check_hello(&worker, err);
    if (state == 0)
        state = job_send(worker.sock, JOB_RUN, 0, kind->params, call->params, call->fds, call->fd_count, err);
    while (state == 0)
        state = serve_one(call, worker.sock, kind->result, result, err);
    reap(&worker, state < 0);
    return state < 0 ? -1 : 0;
}
