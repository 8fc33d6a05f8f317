/* POST /build: the build worker asks, this answers. Theory of operation. One verb is one function. Those that wait for something (a pull, a
 * container, another worker) run on threads of their own, so that stages may be built side by side; the rest is answered at once. All of
 * them watch one pipe that hangs up when the build is over, whoever ended it: the client left, the worker died, the engine stops. Then
 * everything that the build made and nobody keeps goes: its scratch layers, its directory, its lease. */
#include "daemon/engine/build.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"

#include <errno.h>

static const struct {
    verb_fn fn;
    bool waits;
} verbs[BUILD_VERB_COUNT] = {
    [BUILD_RESOLVE] = { verb_resolve, true },     [BUILD_LAYERS] = { verb_layers },
    [BUILD_LAYER_BEGIN] = { verb_layer_begin },   [BUILD_LAYER_COMMIT] = { verb_layer_commit, true },
    [BUILD_LAYER_DROP] = { verb_layer_drop },     [BUILD_RUN] = { verb_run, true },
    [BUILD_COPY] = { verb_copy, true },           [BUILD_FETCH] = { verb_fetch, true },
    [BUILD_CACHE_GET] = { verb_cache_get },       [BUILD_CACHE_PUT] = { verb_cache_put },
    [BUILD_CACHE_DIR] = { verb_cache_dir },       [BUILD_IMAGE] = { verb_image },
};

/* ---- one verb ---- */

struct asked {
    struct building *building;
    enum build_verb verb;
    uint32_t id;
    void *request;
    int fd;
};

static void asked_free(struct asked *asked)
{
    codec_clear(build_verb_get(asked->verb)->request, asked->request);
    free(asked->request);
    fd_close(asked->fd);
    free(asked);
}

static int send_reply(const struct asked *asked, const void *reply, int fd, const struct err *failure, struct err *err)
{
    struct building *building = asked->building;
    mutex_lock(&building->reply_lock);
    int result = failure ? job_send_err(building->reply_fd, JOB_REPLY_ERR, asked->id, failure, err) :
                           job_send(building->reply_fd, JOB_REPLY, asked->id, build_verb_get(asked->verb)->reply, reply, &fd, fd >= 0 ? 1 : 0, err);
    mutex_unlock(&building->reply_lock);
    return result;
}

static int answer(struct asked *asked, struct err *err)
{
    const struct build_verb_row *row = build_verb_get(asked->verb);
    AUTO_FREE void *reply = xcalloc(1, row->reply->size);
    struct verb_call call = { .building = asked->building, .request = asked->request, .reply = reply, .fd = asked->fd, .reply_fd = -1 };
    struct err failure = { 0 };
    int done = verbs[asked->verb].fn(&call, &failure);
    int result = send_reply(asked, reply, call.reply_fd, done < 0 ? &failure : NULL, err);
    fd_close(call.reply_fd);
    codec_clear(row->reply, reply);
    asked_free(asked);
    return result;
}

static void *answer_later(void *arg)
{
    struct asked *asked = arg;
    struct building *building = asked->building;
    struct err ignored = { 0 };
    (void)answer(asked, &ignored); /* a worker that is gone is noticed by who reads from it */
    mutex_lock(&building->lock);
    building->working--;
    cond_broadcast(&building->idle);
    mutex_unlock(&building->lock);
    return NULL;
}

static int answer_on_thread(struct asked *asked, struct err *err)
{
    struct building *building = asked->building;
    mutex_lock(&building->lock);
    building->working++;
    mutex_unlock(&building->lock);
    int failed = thread_spawn(answer_later, asked);
    if (failed == 0)
        return 0;
    mutex_lock(&building->lock);
    building->working--;
    mutex_unlock(&building->lock);
    asked_free(asked);
    return err_sys(err, failed, "start a thread");
}

static int peek_verb(const struct job_message *message, enum build_verb *ret, struct err *err)
{
    struct peek {
        char *request;
    } peek;
    static const struct codec_field fields[] = { F_STR(struct peek, request, "request", 0), F_END };
    static const struct codec_type type = { .name = "peek", .size = sizeof(struct peek), .fields = fields };
    if (codec_decode(&type, message->json, message->json_length, &peek, err) < 0)
        return -1;
    *ret = build_verb_find(peek.request);
    codec_clear(&type, &peek);
    return *ret == BUILD_VERB_COUNT ? err_set(err, ERR_INTERNAL, "the build asked for an unknown verb") : 0;
}

/* The socket's number is the worker's caller's and goes with it; replies may still be under way then. */
static int keep_socket(struct building *building, int sock, struct err *err)
{
    if (building->reply_fd < 0)
        building->reply_fd = fd_dup(sock);
    return building->reply_fd < 0 ? err_sys(err, building->reply_fd, "keep the worker's socket") : 0;
}

static int on_request(void *arg, int sock, const struct job_message *message, struct err *err)
{
    struct building *building = arg;
    enum build_verb verb;
    if (keep_socket(building, sock, err) < 0 || peek_verb(message, &verb, err) < 0)
        return -1;
    const struct codec_type *type = build_verb_get(verb)->request;
    struct asked *asked = xcalloc(1, sizeof *asked);
    *asked = (struct asked){ .building = building, .verb = verb, .id = message->id, .request = xcalloc(1, type->size), .fd = -1 };
    if (message->fd_count)
        asked->fd = fd_dup(message->fds[0]);
    if (job_decode(message, type, asked->request, err) < 0) {
        asked_free(asked);
        return -1;
    }
    return verbs[verb].waits ? answer_on_thread(asked, err) : answer(asked, err);
}

static int on_progress(void *arg, const struct job_progress *job)
{
    struct building *building = arg;
    if (str_eq(job->status, "exit-code")) {
        building->exit_code = job->current;
        return 0;
    }
    mutex_lock(&building->output_lock);
    int result = progress_job(&building->progress, job);
    mutex_unlock(&building->output_lock);
    return result;
}

/* ---- the whole ---- */

static int building_begin(struct building *building, struct err *err)
{
    struct engine *engine = building->engine;
    int pair[2];
    mutex_init(&building->lock);
    mutex_init(&building->output_lock);
    mutex_init(&building->reply_lock);
    cond_init(&building->idle);
    mutex_lock(&engine->lock);
    building->lease = store_lease_new(engine->store, "build");
    mutex_unlock(&engine->lock);
    int failed = fd_pipe(pair);
    if (failed < 0)
        return err_sys(err, failed, "make a pipe");
    building->cancel_fd = pair[0];
    building->cancel_write_fd = pair[1];
    if (store_tmp_make(engine->store, "build", &building->job_name, err) < 0)
        return -1;
    building->job_dir = path_join(engine->options.data_root, building->job_name);
    return 0;
}

static int run_worker(struct building *building, int context_fd, struct err *err)
{
    struct job_build params = *building->params; /* borrowed but for job_dir */
    struct job_build_result result = { 0 };
    params.job_dir = building->job_dir;
    struct worker_call call = { .kind = "build", .params = &params, .fds = &context_fd, .fd_count = 1, .arg = building, .on_progress = on_progress,
                                .on_request = on_request, .client_fd = building->progress.sink->client_fd };
    int done = worker_run(building->engine, &call, &result, err);
    codec_clear(&job_build_result_type, &result);
    return done;
}

static void wait_idle(struct building *building)
{
    fd_close(take_fd(&building->cancel_write_fd)); /* the hang-up that all verbs watch for */
    mutex_lock(&building->lock);
    while (building->working)
        cond_wait(&building->idle, &building->lock);
    mutex_unlock(&building->lock);
}

static void building_end(struct building *building)
{
    struct engine *engine = building->engine;
    wait_idle(building);
    scratch_drop_all(building);
    if (building->job_name)
        (void)store_trash_put(engine->store, engine->data_fd, building->job_name);
    mutex_lock(&engine->lock);
    store_lease_free(building->lease);
    mutex_unlock(&engine->lock);
    build_cache_trim(engine);
    mutex_lock(&engine->lock);
    (void)store_collect(engine->store, NULL);
    mutex_unlock(&engine->lock);
    store_sweep(engine->store);
    housekeeping_empty_trash(engine); /* a context may be large */
    free(building->job_name);
    free(building->job_dir);
    strv_free(building->kept);
    fd_close(building->reply_fd);
    fd_close(building->cancel_fd);
    mutex_done(&building->lock);
    mutex_done(&building->output_lock);
    mutex_done(&building->reply_lock);
    cond_done(&building->idle);
}

int engine_build(struct engine *engine, const struct job_build *params, int context_fd, struct sink *sink, struct err *err)
{
    struct building building = { .engine = engine, .params = params, .progress = { .sink = sink }, .reply_fd = -1, .cancel_fd = -1, .cancel_write_fd = -1 };
    int done = building_begin(&building, err);
    AUTO_FD int remote_fd = -1;
    if (done == 0 && !str_empty(params->remote))
        done = build_fetch_context(&building, &remote_fd, err);
    if (done == 0) /* the head goes out with the first line: what is wrong with the text is answered by a status of its own */
        done = run_worker(&building, remote_fd >= 0 ? remote_fd : context_fd, err);
    wait_idle(&building);
    if (done < 0 && err->kind != ERR_CANCELLED)
        done = progress_failed(&building.progress, building.exit_code, err);
    building_end(&building);
    return done;
}
