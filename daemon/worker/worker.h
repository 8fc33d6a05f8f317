/* The inside of a holk-worker or holk-fetch process: one job, then the end. main.c says hello, receives JOB_RUN, closes the sandbox of the kind, calls
 * the kind's function and turns its error into JOB_FAILED. The peer's closing of the socket ends the process at once (a watching
 * thread), so no kind needs to look for cancellation.
 *
 * A kind's function decodes its params (job_decode(run, &job_x_type, ...)), borrows run->fds (they stay open until the process
 * ends; take one by setting a copy aside, never close it), may send progress and requests from any thread, and ends with
 * worker_done(). It returns -1 with err filled otherwise.
 *
 * Sandbox. FETCH and UNPACK kinds find themselves sealed already: directories among run->fds are theirs to write, nothing else is.
 * Kinds with row->opens_first, and all MOUNT and BUILD kinds, run with full privilege until they call worker_seal() themselves:
 * decode, mount, open what is needed, seal, and only then read the first byte of anything foreign. A MOUNT kind already has a mount
 * namespace of its own. main.c refuses the result of a kind that never sealed. */
#pragma once
#include "lib/base/err.h"
#include "lib/jobs/jobs.h"
#include "lib/jobs/kinds.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct worker {
    int sock;
    uint32_t next_request;
    bool sealed, answered;
    enum job_sandbox sandbox;
    pthread_mutex_t send_lock;    /* one frame at a time */
    /* Requests of several threads may be under way; the thread that finds nobody reading reads for all. */
    pthread_mutex_t request_lock;
    pthread_cond_t arrived;
    struct waiting *waiting;
    bool reading;
};
typedef int (*worker_fn)(struct worker *worker, const struct job_message *run, struct err *err);
struct worker_kind {
    const char *name;
    worker_fn fn;
    enum job_sandbox sandbox;
    bool opens_first; /* an UNPACK or FETCH kind that opens paths of its params (certificates) before it calls worker_seal() */
};
extern const struct worker_kind worker_kinds[]; /* kinds_table.c or, of holk-fetch, kinds_fetch.c; ended by a NULL name */
const struct worker_kind *worker_kind_find(const char *name);

/* Thread-safe. Failures mean that holkd is gone: the caller may ignore them, the process is ending. */
int worker_progress(struct worker *worker, const struct job_progress *progress, struct err *err);
/* Sends JOB_REQUEST with a new id and waits for its reply; JOB_REPLY_ERR becomes the err. *reply is the caller's (job_message_done). */
int worker_request(struct worker *worker, const struct codec_type *type, const void *value, struct job_message *reply, struct err *err);
/* The same with fds beside the request. */
int worker_request_fds(struct worker *worker, const struct codec_type *type, const void *value, const int *fds, size_t fd_count,
                       struct job_message *reply, struct err *err);
/* type and value NULL = "{}". Once. */
int worker_done(struct worker *worker, const struct codec_type *type, const void *value, struct err *err);
/* The i-th fd of the job or -1 with ERR_INTERNAL "job needs fd i". Borrowed. */
int worker_fd(const struct job_message *run, size_t index, struct err *err);

/* Closes the sandbox of worker->sandbox: below each of dir_fds files may be read, made and changed; nothing else can be opened
 * (FETCH: everything may be read). Directories among already open fds that are not listed stay closed to path walks where the kernel
 * has landlock. Idempotent. */
int worker_seal(struct worker *worker, const int *dir_fds, size_t count, struct err *err);

/* Before sealing, in MOUNT kinds: the tree of a spec as a directory fd (O_PATH). writable needs spec->upper and work; without upper
 * the tree is read-only. Volumes and binds of the spec are mounted over it, missing targets are made when the tree is writable. */
int worker_mount_tree(const struct job_mount_spec *spec, bool writable, int *ret_root_fd, struct err *err);
