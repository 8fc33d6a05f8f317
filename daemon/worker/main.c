/* holk-worker <kind>, holk-fetch <kind>: with a stream socket as fd 3. See worker.h. */
#include "daemon/worker/worker.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORKER_SOCKET 3

struct hello {
    char *build;
};
static const struct codec_field hello_fields[] = {
    F_STR(struct hello, build, "build", 0),
    F_END,
};
static const struct codec_type hello_type = { .name = "hello", .size = sizeof(struct hello), .fields = hello_fields };

int worker_progress(struct worker *worker, const struct job_progress *progress, struct err *err)
{
    pthread_mutex_lock(&worker->send_lock);
    int r = job_send(worker->sock, JOB_PROGRESS, 0, &job_progress_type, progress, NULL, 0, err);
    pthread_mutex_unlock(&worker->send_lock);
    return r;
}

static int send_request(struct worker *worker, uint32_t id, const struct codec_type *type, const void *value, const int *fds,
                        size_t fd_count, struct err *err)
{
    pthread_mutex_lock(&worker->send_lock);
    int r = job_send(worker->sock, JOB_REQUEST, id, type, value, fds, fd_count, err);
    pthread_mutex_unlock(&worker->send_lock);
    return r;
}

struct waiting {
    uint32_t id;
    struct job_message *reply;
    bool done, failed;
    struct err err; /* when failed */
    struct waiting *next;
};

static void unlink_waiting(struct worker *worker, struct waiting *own)
{
    struct waiting **link = &worker->waiting;
    while (*link != own)
        link = &(*link)->next;
    *link = own->next;
}

/* Gives a frame to whom it is for; without a frame nobody will get one any more. */
static void deliver(struct worker *worker, struct job_message *message, const struct err *failure)
{
    for (struct waiting *waiting = worker->waiting; waiting; waiting = waiting->next) {
        if (!failure && waiting->id != message->id)
            continue;
        waiting->done = true;
        waiting->failed = failure != NULL;
        if (failure) {
            waiting->err = *failure;
            continue;
        }
        *waiting->reply = *message;
        *message = (struct job_message)JOB_MESSAGE_INIT;
        return;
    }
}

static void read_for_all(struct worker *worker)
{
    AUTO_JOB_MESSAGE struct job_message message = JOB_MESSAGE_INIT;
    struct err err = { 0 };
    worker->reading = true;
    pthread_mutex_unlock(&worker->request_lock);
    int r = job_recv(worker->sock, &message, &err);
    if (r == 0 && message.type != JOB_REPLY && message.type != JOB_REPLY_ERR)
        r = err_set(&err, ERR_INTERNAL, "holkd answered something that was not asked");
    pthread_mutex_lock(&worker->request_lock);
    worker->reading = false;
    deliver(worker, &message, r < 0 ? &err : NULL);
    pthread_cond_broadcast(&worker->arrived);
}

static int wait_reply(struct worker *worker, struct waiting *own, struct err *err)
{
    while (!own->done) {
        if (worker->reading)
            pthread_cond_wait(&worker->arrived, &worker->request_lock);
        else
            read_for_all(worker);
    }
    if (own->failed)
        *err = own->err;
    if (own->failed)
        return -1;
    return own->reply->type == JOB_REPLY ? 0 : job_message_err(own->reply, err);
}

int worker_request_fds(struct worker *worker, const struct codec_type *type, const void *value, const int *fds, size_t fd_count,
                       struct job_message *reply, struct err *err)
{
    struct waiting own = { .reply = reply };
    *reply = (struct job_message)JOB_MESSAGE_INIT;
    pthread_mutex_lock(&worker->request_lock);
    own.id = ++worker->next_request;
    own.next = worker->waiting;
    worker->waiting = &own;
    int r = send_request(worker, own.id, type, value, fds, fd_count, err);
    if (r == 0)
        r = wait_reply(worker, &own, err);
    unlink_waiting(worker, &own);
    pthread_mutex_unlock(&worker->request_lock);
    if (r < 0)
        job_message_done(reply);
    return r;
}

int worker_request(struct worker *worker, const struct codec_type *type, const void *value, struct job_message *reply, struct err *err)
{
    return worker_request_fds(worker, type, value, NULL, 0, reply, err);
}

int worker_done(struct worker *worker, const struct codec_type *type, const void *value, struct err *err)
{
    if (!worker->sealed)
        return err_set(err, ERR_INTERNAL, "the job never closed its sandbox");
    pthread_mutex_lock(&worker->send_lock);
    int r = job_send(worker->sock, JOB_DONE, 0, type, value, NULL, 0, err);
    worker->answered = true;
    pthread_mutex_unlock(&worker->send_lock);
    return r;
}

int worker_fd(const struct job_message *run, size_t index, struct err *err)
{
    if (index >= run->fd_count)
        return err_set(err, ERR_INTERNAL, "the job needs fd %zu and got %zu", index, run->fd_count);
    return run->fds[index];
}

static int seal_at_start(struct worker *worker, const struct job_message *run, struct err *err)
{
    int dirs[JOB_FDS_MAX];
    size_t count = 0;
    struct stat st;
    for (size_t i = 0; i < run->fd_count; i++)
        if (fstat(run->fds[i], &st) == 0 && S_ISDIR(st.st_mode))
            dirs[count++] = run->fds[i];
    return worker_seal(worker, dirs, count, err);
}

static int own_mounts(struct err *err)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return err_sys(err, errno, "make a mount namespace");
    return 0;
}

static int run_job(struct worker *worker, const struct worker_kind *kind, struct err *err)
{
    AUTO_JOB_MESSAGE struct job_message run = JOB_MESSAGE_INIT;
    char build[128];
    str_copy(build, sizeof build, job_build_id());
    struct hello hello = { .build = build };
    if (job_send(worker->sock, JOB_HELLO, 0, &hello_type, &hello, NULL, 0, err) < 0 || job_recv(worker->sock, &run, err) < 0)
        return -1;
    if (run.type != JOB_RUN)
        return err_set(err, ERR_INTERNAL, "the first frame of a job is of type %u", run.type);
    worker->sandbox = kind->sandbox;
    if (kind->sandbox == JOB_SANDBOX_MOUNT && own_mounts(err) < 0)
        return -1;
    bool at_start = (kind->sandbox == JOB_SANDBOX_FETCH || kind->sandbox == JOB_SANDBOX_UNPACK) && !kind->opens_first;
    if (at_start && seal_at_start(worker, &run, err) < 0)
        return -1;
    if (kind->fn(worker, &run, err) < 0)
        return -1;
    return worker->answered ? 0 : err_set(err, ERR_INTERNAL, "the job %s ended without an answer", kind->name);
}

const struct worker_kind *worker_kind_find(const char *name)
{
    for (const struct worker_kind *kind = worker_kinds; kind->name; kind++)
        if (str_eq(kind->name, name))
            return kind;
    return NULL;
}

int main(int argc, char **argv)
{
    struct worker worker = { .sock = WORKER_SOCKET, .send_lock = PTHREAD_MUTEX_INITIALIZER, .request_lock = PTHREAD_MUTEX_INITIALIZER,
                             .arrived = PTHREAD_COND_INITIALIZER };
    struct err err = { 0 }, lost = { 0 };
    struct stat st;
    const struct worker_kind *kind = argc == 2 ? worker_kind_find(argv[1]) : NULL;
    if (!kind || fstat(WORKER_SOCKET, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        fprintf(stderr, "this program is started by holkd, for one job\n");
        return 2;
    }
    fd_set_cloexec(WORKER_SOCKET, true);
    prctl(PR_SET_NAME, "holk-worker");
    signal(SIGPIPE, SIG_IGN);
    umask(0);
    int r = run_job(&worker, kind, &err);
    if (r < 0) {
        pthread_mutex_lock(&worker.send_lock); /* a progress frame may be on its way */
        if (!worker.answered)
            (void)job_send_err(worker.sock, JOB_FAILED, 0, &err, &lost);
    }
    /* Threads of the job may still run: leave without tearing anything down under them. */
    _exit(r < 0);
}
