/* A RUN: mounts, the command with its output, and no trace of the mount points afterwards. */
#include "builder/make.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <unistd.h>

/* ---- output ---- */

struct pump {
    struct build_stage *stage;
    int fd;
};
#define PUMP_SIZE 8192
#define UTF8_MAX 4

/* Bytes at the end that begin a character whose rest has not come yet. */
static size_t unfinished(const char *bytes, size_t length)
{
    for (size_t back = 1; back <= MIN(length, (size_t)UTF8_MAX - 1); back++) {
        unsigned char c = (unsigned char)bytes[length - back];
        if ((c & 0xc0) == 0x80)
            continue;
        size_t want = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        return want > back ? back : 0;
    }
    return 0;
}

static void *pump_output(void *arg)
{
    struct pump *pump = arg;
    char bytes[PUMP_SIZE + UTF8_MAX];
    size_t kept = 0;
    for (;;) {
        ssize_t got = read(pump->fd, bytes + kept, PUMP_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        size_t length = kept + (got > 0 ? (size_t)got : 0);
        kept = got > 0 ? unfinished(bytes, length) : 0;
        if (length > kept)
            stage_say_bytes(pump->stage, bytes, length - kept);
        if (got <= 0)
            return NULL;
        memmove(bytes, bytes + length - kept, kept);
    }
}

/* ---- mount points ---- */

static int copy_op(struct making *making, char *op, char **paths, struct job_build_copy_result *ret, struct err *err)
{
    struct job_build_copy job;
    copy_job_init(&job, &making->scratch);
    job.op = op;
    job.sources = paths;
    return copy_job(making->builder, &job, ret, err);
}

/* The mount points that are missing. A container's own (/proc, /etc/hosts and the like) are never: the engine has them
 * below the layers. */
static int probe(struct making *making, const struct run_mounts *mounts, char ***ret, struct err *err)
{
    static char probe_op[] = "probe";
    struct job_build_copy_result result = { 0 };
    if (!mounts->targets)
        return 0;
    if (copy_op(making, probe_op, mounts->targets, &result, err) < 0)
        return -1;
    *ret = take_ptr(&result.paths);
    codec_clear(&job_build_copy_result_type, &result);
    return 0;
}

static int unstub(struct making *making, char **paths, struct err *err)
{
    static char unstub_op[] = "unstub";
    struct job_build_copy_result result = { 0 };
    if (!paths)
        return 0;
    int r = copy_op(making, unstub_op, paths, &result, err);
    codec_clear(&job_build_copy_result_type, &result);
    return r;
}

/* ---- the command ---- */

static char **environment(const struct making *making)
{
    const struct run_step *run = &making->step->run;
    char **list = args_proxies(making->builder);
    for (char **item = run->env; item && *item; item++)
        strv_env_set(&list, *item);
    for (size_t i = 0; i < run->mount_count; i++)
        if (run->mounts[i].kind == MOUNT_SECRET &&
            run->mounts[i].env) { /* a secret that was not given is an empty one */
            AUTO_FREE char *assignment = str_format("%s=", run->mounts[i].env);
            strv_env_set(&list, assignment);
        }
    return list;
}

static int start_pump(struct pump *pump, pthread_t *ret, int *ret_write_fd, struct err *err)
{
    int pair[2];
    int r = fd_pipe(pair);
    if (r < 0)
        return err_sys(err, r, "make a pipe");
    pump->fd = pair[0];
    *ret_write_fd = pair[1];
    r = pthread_create(ret, NULL, pump_output, pump);
    if (r == 0)
        return 0;
    fd_close(pair[0]);
    fd_close(pair[1]);
    return err_sys(err, r, "start a thread");
}

static int run_command(struct making *making, const struct run_mounts *mounts, struct build_ran *ret, struct err *err)
{
    struct run_step *run = &making->step->run;
    struct pump pump = { .stage = making->stage };
    pthread_t thread;
    int write_fd = -1;
    if (start_pump(&pump, &thread, &write_fd, err) < 0)
        return -1;
    AUTO_FREE char *verb = verb_name(BUILD_RUN);
    CLEANUP(strv_free) char **env = environment(making);
    char security[] = "";
    struct build_run request = { .request = verb,
                                 .scratch_id = making->scratch.id,
                                 .argv = run->argv,
                                 .env = env,
                                 .cwd = run->cwd,
                                 .user = run->user,
                                 .network = run->network,
                                 .security = security };
    request.mounts.items = mounts->list.items;
    request.mounts.count = mounts->list.count;
    int r =
        making->builder->backend->call(making->builder->backend->arg, BUILD_RUN, &request, write_fd, ret, NULL, err);
    fd_close(write_fd);
    pthread_join(thread, NULL);
    fd_close(pump.fd);
    return r;
}

static int judge(struct making *making, const struct build_ran *ran, struct err *err)
{
    const char *shown = making->step->run.shown;
    if (ran->started && ran->exit_code == 0)
        return 0;
    making->stage->failed_command = true;
    making->stage->exit_code = ran->exit_code;
    if (ran->started)
        return err_set(err, ERR_INVALID, "The command '%.800s' returned a non-zero code: %" PRId64, shown,
                       ran->exit_code);
    return err_set(err, ERR_INVALID, "The command '%.400s' could not be started: %s", shown,
                   ran->error ? ran->error : "");
}

int run_work(struct making *making, struct err *err)
{
    struct run_mounts mounts;
    CLEANUP(strv_free) char **stubs = NULL;
    if (run_mounts_open(making, &mounts, err) < 0)
        return -1;
    struct build_ran ran = { 0 };
    int r = probe(making, &mounts, &stubs, err);
    if (r == 0)
        r = run_command(making, &mounts, &ran, err);
    run_mounts_close(&mounts);
    if (r == 0)
        r = judge(making, &ran, err);
    codec_clear(&build_ran_type, &ran);
    return r < 0 ? -1 : unstub(making, stubs, err);
}
