/* POST /build: the build worker asks, this answers. One verb is one function; a scratch layer is a directory of the job; RUN is a hidden container
 * over it; what it wrote becomes a layer of the store. */
#include "builder/backend.h"
#include "daemon/engine/transfer.h"
#include "daemon/engine/worker_run.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"
#include "lib/oci/reference.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch {
    char *id, *name; /* name: directory relative to the data root */
    char **diff_ids;
    struct scratch *next;
};
struct building {
    struct engine *engine;
    struct progress progress;
    struct store_lease *lease;
    const struct job_build *params;
    char *job_name; /* tmp/build-... relative to the data root */
    struct scratch *scratches;
    int64_t exit_code;
};
typedef int (*verb_fn)(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err);

static struct scratch *find_scratch(struct building *building, const char *id, struct err *err)
{
    for (struct scratch *scratch = building->scratches; scratch; scratch = scratch->next)
        if (str_eq(scratch->id, id))
            return scratch;
    err_set(err, ERR_INTERNAL, "the build asked for an unknown scratch layer %s", id ? id : "");
    return NULL;
}

static void drop_scratch(struct building *building, struct scratch *scratch)
{
    struct scratch **link = &building->scratches;
    while (*link != scratch)
        link = &(*link)->next;
    *link = scratch->next;
    (void)store_trash_put(building->engine->store, building->engine->data_fd, scratch->name);
    strv_free(scratch->diff_ids);
    free(scratch->id);
    free(scratch->name);
    free(scratch);
}

/* ---- resolve ---- */

static int find_image(struct building *building, const char *ref, struct build_resolved *ret, struct err *err)
{
    struct engine *engine = building->engine;
    struct store_image *image;
    mutex_lock(&engine->lock);
    int found = store_image_find(engine->store, ref, &image, err);
    if (found == 0) {
        ret->image_id = xstrdup(image->id);
        ret->diff_ids = strv_dup(image->diff_ids);
        store_lease_pin(building->lease, image->id);
        store_lease_pin_all(building->lease, image->diff_ids);
    }
    mutex_unlock(&engine->lock);
    size_t length;
    return found < 0 ? -1 : store_image_config(engine->store, ret->image_id, &ret->config, &length, err);
}

struct quiet_sink {
    struct sink sink;
    struct building *building;
    struct buf failure;
};

/* Lines of the pull inside a build go to the build's own stream; an error line is kept for the build's error. */
static int pull_line(struct sink *sink, const void *bytes, size_t length)
{
    struct quiet_sink *quiet = sink->arg;
    if (memmem(bytes, length, "\"errorDetail\"", 13)) {
        buf_append(&quiet->failure, bytes, length);
        return 0;
    }
    quiet->building->progress.begun = true;
    return quiet->building->progress.sink->write(quiet->building->progress.sink, bytes, length);
}

static int pull_image(struct building *building, const char *text, const char *platform, struct err *err)
{
    struct quiet_sink quiet = { .building = building, .failure = BUF_INIT(1 << 20) };
    AUTO_REFERENCE struct reference ref;
    if (reference_parse(text, &ref, err) < 0)
        return -1;
    reference_tag_default(&ref);
    AUTO_FREE char *full = reference_string(&ref);
    quiet.sink = (struct sink){ .write = pull_line, .client_fd = building->progress.sink->client_fd, .arg = &quiet };
    int result = engine_image_pull(building->engine, full, NULL, platform, NULL, &quiet.sink, err);
    if (result == 0 && quiet.failure.length) {
        struct error_holder {
            char *error;
        } holder;
        static const struct codec_field fields[] = { F_STR(struct error_holder, error, "error", 0), F_END };
        static const struct codec_type type = { .name = "error", .size = sizeof(struct error_holder), .fields = fields };
        result = codec_decode(&type, quiet.failure.data, quiet.failure.length, &holder, err) == 0 ? err_set(err, ERR_NOT_FOUND, "%s", holder.error ? holder.error : "pull failed") : -1;
        if (result < 0 && holder.error)
            codec_clear(&type, &holder);
        result = -1;
    }
    buf_done(&quiet.failure);
    return result;
}

static int verb_resolve(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    const struct build_resolve *ask = request;
    struct err pull_err = { 0 };
    (void)message;
    (void)ret_fd;
    if (!ask->pull && find_image(building, ask->reference, reply, err) == 0)
        return 0;
    if (!ask->pull && err->kind != ERR_NOT_FOUND)
        return -1;
    if (pull_image(building, ask->reference, ask->platform, &pull_err) == 0) {
        err_clear(err);
        return find_image(building, ask->reference, reply, err);
    }
    err_clear(err);
    if (ask->pull && find_image(building, ask->reference, reply, err) == 0 && id_valid(ask->reference))
        return 0;
    *err = pull_err;
    return -1;
}

static int verb_layers(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    (void)message;
    (void)ret_fd;
    (void)err;
    ((struct build_layers_reply *)reply)->lowers = layer_dirs_top_first(building->engine, ((const struct build_layers *)request)->diff_ids);
    return 0;
}

/* ---- scratch layers ---- */

static int verb_layer_begin(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    struct engine *engine = building->engine;
    struct build_scratch *out = reply;
    char id[17];
    (void)message;
    (void)ret_fd;
    id_random_hex(id, 16);
    struct scratch *scratch = xcalloc(1, sizeof *scratch);
    scratch->id = xstrdup(id);
    scratch->name = str_format("%s/s-%s", building->job_name, id);
    scratch->diff_ids = strv_dup(((const struct build_layer_begin *)request)->diff_ids);
    scratch->next = building->scratches;
    building->scratches = scratch;
    static const char *const parts[] = { "", "/diff", "/work" };
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        AUTO_FREE char *path = str_format("%s%s", scratch->name, parts[i]);
        if (mkdirat(engine->data_fd, path, 0755) < 0)
            return err_sys(err, errno, "make %s", path);
    }
    size_t count = strv_length(scratch->diff_ids);
    AUTO_FREE char *top = count ? store_layer_path(engine->store, scratch->diff_ids[count - 1]) : NULL;
    AUTO_FREE char *diff = str_format("%s/diff", scratch->name);
    struct stat info;
    if (top && stat(top, &info) == 0 && (fchmodat(engine->data_fd, diff, info.st_mode & 07777, 0) < 0 || fchownat(engine->data_fd, diff, info.st_uid, info.st_gid, 0) < 0))
        return err_sys(err, errno, "set the mode of %s", diff);
    *out = (struct build_scratch){ .id = xstrdup(id), .lowers = layer_dirs_top_first(engine, scratch->diff_ids),
                                   .upper = str_format("%s/%s/diff", engine->options.data_root, scratch->name),
                                   .work = str_format("%s/%s/work", engine->options.data_root, scratch->name) };
    return 0;
}

static int verb_layer_drop(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    struct scratch *scratch = find_scratch(building, ((const struct build_layer_commit *)request)->id, err);
    (void)message;
    (void)reply;
    (void)ret_fd;
    if (!scratch)
        return -1;
    drop_scratch(building, scratch);
    return 0;
}

static int verb_layer_commit(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    struct engine *engine = building->engine;
    struct build_layer_committed *out = reply;
    struct scratch *scratch = find_scratch(building, ((const struct build_layer_commit *)request)->id, err);
    char none[] = "none";
    (void)message;
    (void)ret_fd;
    if (!scratch)
        return -1;
    AUTO_FREE char *diff = str_format("%s/diff", scratch->name);
    AUTO_FD int dir_fd = openat(engine->data_fd, diff, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0)
        return err_sys(err, errno, "open %s", diff);
    struct job_pack params = { .compression = none, .hash_only = true };
    struct job_pack_result packed;
    struct worker_call call = { .kind = "pack", .params = &params, .fds = &dir_fd, .fd_count = 1, .client_fd = building->progress.sink->client_fd };
    if (worker_run(engine, &call, &packed, err) < 0)
        return -1;
    unsigned long long bytes = 0, entries = 0;
    bool empty = path_disk_usage_at(engine->data_fd, diff, &bytes, &entries) == 0 && entries <= 1;
    mutex_lock(&engine->lock);
    store_lease_pin(building->lease, packed.diff_id);
    mutex_unlock(&engine->lock);
    int result = store_layer_adopt(engine->store, engine->data_fd, diff, packed.diff_id, NULL, err);
    if (result == 0) {
        struct store_layer_info info = { .diff_id = packed.diff_id, .size = packed.content_size };
        mutex_lock(&engine->lock);
        (void)store_layer_add(engine->store, &info);
        mutex_unlock(&engine->lock);
        *out = (struct build_layer_committed){ .diff_id = xstrdup(packed.diff_id), .size = packed.content_size, .empty = empty };
        drop_scratch(building, scratch);
    }
    codec_clear(&job_pack_result_type, &packed);
    return result;
}

/* ---- run ---- */

static int run_request(struct building *building, const struct build_run *ask, struct container_create_request *ret, struct err *err)
{
    const struct job_build *job = building->params;
    if (str_eq(ask->security, "insecure"))
        return err_set(err, ERR_FORBIDDEN, "granting entitlement security.insecure is not allowed by build daemon configuration");
    *ret = (struct container_create_request){ 0 };
    struct host_config *host = ret->host_config = xcalloc(1, sizeof *host);
    const char *network = str_empty(ask->network) || str_eq(ask->network, "default") ? job->network_mode : ask->network;
    if (str_eq(ask->network, "host") && !str_eq(job->network_mode, "host"))
        return err_set(err, ERR_FORBIDDEN, "granting entitlement network.host is not allowed by build daemon configuration");
    host->network_mode = xstrdup(str_empty(network) || str_eq(network, "default") ? "bridge" : network);
    host->extra_hosts = strv_dup(job->extra_hosts);
    host->shm_size = job->shm_size;
    host->log_config.type = xstrdup("none");
    struct resources *limits = &host->resources;
    limits->memory = job->memory_bytes;
    limits->memory_swap = job->memory_swap_bytes;
    limits->cpu_shares = job->cpu_shares;
    limits->cpu_period = job->cpu_period;
    limits->cpu_quota = job->cpu_quota;
    limits->cpuset_cpus = xstrdup(job->cpuset_cpus);
    limits->cpuset_mems = xstrdup(job->cpuset_mems);
    limits->cgroup_parent = xstrdup(job->cgroup_parent);
    ret->config = (struct container_config){ .hostname = xstrdup("buildkitsandbox"), .user = xstrdup(ask->user), .env = strv_dup(ask->env), .working_dir = xstrdup(str_empty(ask->cwd) ? "/" : ask->cwd) };
    return 0;
}

/* A container record of its own making: no image, the scratch layer as its root, output to the build's pipe through a parked attach. */
static struct container *make_hidden(struct building *building, const struct build_run *ask, struct container_create_request *request)
{
    struct container *container = xcalloc(1, sizeof *container);
    char id[ID_LENGTH + 1];
    id_new(id);
    container->engine = building->engine;
    container->monitor_sock = -1;
    container->refs = 1;
    mutex_init(&container->facts_lock);
    struct container_record *record = &container->record;
    record->id = xstrdup(id);
    record->name = str_format("build-%.12s", id);
    record->hidden = true;
    record->created_unix_ns = time_now_unix_ns();
    record->image_id = xstrdup("");
    record->image_ref = xstrdup("");
    record->config = request->config;
    request->config = (struct container_config){ 0 };
    codec_copy(&host_config_type, &record->host_config, request->host_config);
    container_host_defaults(building->engine, &record->host_config);
    record->path = xstrdup(ask->argv[0]);
    record->args = strv_dup(ask->argv + 1);
    const char *network = network_of_mode(record->host_config.network_mode);
    if (network)
        (void)obj_map_add(&record->networks, network, sizeof(struct endpoint_settings));
    for (size_t i = 0; i < ask->mounts.count; i++) {
        const struct build_mount *in = &ask->mounts.items[i];
        struct mount_record *mount = list_add(&record->mounts);
        *mount = (struct mount_record){ .type = xstrdup(in->type), .source = xstrdup(in->source), .destination = xstrdup(in->target), .rw = !in->readonly };
        if (str_eq(in->type, "tmpfs"))
            mount->tmpfs_options = in->size > 0 ? str_format("mode=1777,size=%lld", (long long)in->size) : xstrdup("mode=1777");
    }
    return container;
}

/* The pipe's write end stands behind a socket: the monitor serves sockets, this thread copies to the pipe. */
static void copy_output(int sock, int pipe_fd)
{
    AUTO_FREE char *chunk = xmalloc(65536);
    for (;;) {
        ssize_t got = read(sock, chunk, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || io_write_all(pipe_fd, chunk, (size_t)got) < 0)
            return;
    }
}

static void park_output(struct container *container, int fd)
{
    struct parked_attach *parked = xcalloc(1, sizeof *parked);
    *parked = (struct parked_attach){ .fd = fd, .attach.flags = MON_ATTACH_STDOUT | MON_ATTACH_STDERR | MON_ATTACH_RAW };
    container->parked = parked;
}

static void forget_hidden(struct container *container)
{
    struct engine *engine = container->engine;
    mutex_lock(&engine->lock);
    int64_t deadline = time_monotonic_ns() + 10 * NANOS_PER_SECOND;
    while (container->monitor_alive && cond_wait_until(&engine->changed, &engine->lock, deadline)) {
    }
    container_forget_locked(container);
    mutex_unlock(&engine->lock);
    AUTO_FREE char *path = str_format("containers/%s", container->record.id);
    (void)path_remove_tree_at(engine->data_fd, path);
    container_unref(container);
}

static int run_hidden(struct building *building, struct container *container, struct scratch *scratch, int output_fd, struct build_ran *ret, struct err *err)
{
    struct engine *engine = building->engine;
    AUTO_FREE char *upper = str_format("%s/%s/diff", engine->options.data_root, scratch->name);
    AUTO_FREE char *work = str_format("%s/%s/work", engine->options.data_root, scratch->name);
    char **lowers = container_lowers(engine, scratch->diff_ids);
    struct container_start_extra extra = { .lowers = lowers, .upper = upper, .work = work, .root_volatile = true };
    int pair[2];
    int failed = fd_socketpair(SOCK_STREAM, pair);
    if (failed < 0) {
        strv_free(lowers);
        return err_sys(err, failed, "make a socket");
    }
    park_output(container, pair[1]);
    mutex_lock(&engine->lock);
    map_set(engine->containers, container->record.id, container);
    mutex_unlock(&engine->lock);
    int result = container_make_dirs(container, err);
    if (result == 0)
        result = container_launch_extra(container, &extra, err);
    strv_free(lowers);
    if (result < 0 && (extra.exit_code == 126 || extra.exit_code == 127)) {
        *ret = (struct build_ran){ .exit_code = extra.exit_code, .error = xstrdup(err->text) };
        result = 0;
    } else if (result == 0) {
        copy_output(pair[0], output_fd);
        int stopped = container_wait_stopped(container, -1, building->progress.sink->client_fd);
        if (stopped < 0) {
            struct err ignored = { 0 };
            (void)engine_container_kill(engine, container->record.id, "KILL", &ignored);
            result = err_set(err, ERR_CANCELLED, "context canceled");
        }
        *ret = (struct build_ran){ .exit_code = container->status.exit_code, .started = true, .error = xstrdup("") };
    }
    fd_close(pair[0]);
    return result;
}

static int verb_run(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    const struct build_run *ask = request;
    struct container_create_request create;
    struct scratch *scratch = find_scratch(building, ask->scratch_id, err);
    (void)ret_fd;
    if (!scratch)
        return -1;
    if (message->fd_count != 1 || !ask->argv || !ask->argv[0])
        return err_set(err, ERR_INTERNAL, "the build's run request lacks its output pipe or command");
    if (run_request(building, ask, &create, err) < 0)
        return -1;
    struct container *container = make_hidden(building, ask, &create);
    codec_clear(&container_create_request_type, &create);
    int result = run_hidden(building, container, scratch, message->fds[0], reply, err);
    forget_hidden(container);
    return result;
}

/* ---- copy, fetch ---- */

static int verb_copy(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    (void)message;
    (void)ret_fd;
    struct worker_call call = { .kind = "build-copy", .params = &((const struct build_copy *)request)->copy, .client_fd = building->progress.sink->client_fd };
    return worker_run(building->engine, &call, reply, err);
}

static int verb_fetch(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    (void)message;
    (void)ret_fd;
    (void)reply;
    (void)building;
    return err_set(err, ERR_UNSUPPORTED, "ADD of the URL %s is not supported yet: copy a local file", ((const struct build_fetch *)request)->url);
}

/* ---- cache ---- */

static int verb_cache_get(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    struct engine *engine = building->engine;
    const struct build_cache_get *ask = request;
    (void)message;
    (void)ret_fd;
    (void)err;
    mutex_lock(&engine->lock);
    const struct build_cache_value *known = map_get(engine->build_cache, ask->key ? ask->key : "");
    bool whole = known && (str_empty(known->diff_id) || store_layer_has(engine->store, known->diff_id));
    if (whole) {
        codec_copy(&build_cache_value_type, reply, known);
        if (!str_empty(known->diff_id))
            store_lease_pin(building->lease, known->diff_id);
    }
    mutex_unlock(&engine->lock);
    return 0;
}

static int verb_cache_put(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    struct engine *engine = building->engine;
    const struct build_cache_put *ask = request;
    (void)message;
    (void)ret_fd;
    (void)reply;
    if (!str_is_hex(ask->key, 64))
        return err_set(err, ERR_INTERNAL, "the build gave a malformed cache key");
    struct build_cache_value *value = xcalloc(1, sizeof *value);
    *value = (struct build_cache_value){ .found = true, .diff_id = xstrdup(ask->diff_id), .size = ask->size, .created_unix_ns = ask->created_unix_ns, .extra = xstrdup(ask->extra) };
    mutex_lock(&engine->lock);
    struct build_cache_value *old = map_set(engine->build_cache, ask->key, value);
    if (!str_empty(ask->diff_id))
        store_lease_pin(engine->cache_lease, ask->diff_id);
    db_queue(engine->db, DB_NORMAL, "INSERT OR REPLACE INTO build_cache(key, diff_id, size, created, used, extra, description) VALUES(?, ?, ?, ?, ?, ?, ?)", "ssiiiss",
             ask->key, ask->diff_id, ask->size, ask->created_unix_ns, time_now_unix_ns(), ask->extra, ask->description);
    mutex_unlock(&engine->lock);
    if (old)
        codec_clear(&build_cache_value_type, old);
    free(old);
    return 0;
}

static int verb_cache_dir(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    struct engine *engine = building->engine;
    const struct build_cache_dir *ask = request;
    struct build_cache_dir_reply *out = reply;
    (void)message;
    if (!str_is_hex(ask->key, 64))
        return err_set(err, ERR_INTERNAL, "the build gave a malformed cache key");
    (void)mkdirat(engine->data_fd, "build-cache", 0700);
    AUTO_FREE char *name = str_format("build-cache/%s", ask->key);
    bool created = mkdirat(engine->data_fd, name, (mode_t)ask->mode) == 0;
    if (!created && errno != EEXIST)
        return err_sys(err, errno, "make a cache directory");
    if (created && (fchownat(engine->data_fd, name, (uid_t)ask->uid, (gid_t)ask->gid, 0) < 0 || fchmodat(engine->data_fd, name, (mode_t)ask->mode, 0) < 0))
        return err_sys(err, errno, "set the mode of a cache directory");
    *ret_fd = openat(engine->data_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (*ret_fd < 0)
        return err_sys(err, errno, "open a cache directory");
    *out = (struct build_cache_dir_reply){ .path = path_join(engine->options.data_root, name), .created = created };
    return 0;
}

static int load_cache_row(const struct db_row *row, void *arg, struct err *err)
{
    struct engine *engine = arg;
    struct build_cache_value *value = xcalloc(1, sizeof *value);
    (void)err;
    *value = (struct build_cache_value){ .found = true, .diff_id = xstrdup(db_row_text(row, 1)), .size = db_row_int(row, 2), .created_unix_ns = db_row_int(row, 3), .extra = xstrdup(db_row_text(row, 4)) };
    map_set(engine->build_cache, db_row_text(row, 0), value);
    if (!str_empty(value->diff_id))
        store_lease_pin(engine->cache_lease, value->diff_id);
    return 0;
}

int build_cache_load(struct engine *engine, struct err *err)
{
    engine->build_cache = map_new();
    engine->cache_lease = store_lease_new(engine->store, "build cache");
    return db_each(engine->db, "SELECT key, diff_id, size, created, extra FROM build_cache", load_cache_row, engine, err);
}

void build_cache_free(struct engine *engine)
{
    void *value;
    if (!engine->build_cache)
        return;
    for (size_t cursor = 0; map_next(engine->build_cache, &cursor, NULL, &value);) {
        codec_clear(&build_cache_value_type, value);
        free(value);
    }
    map_free(engine->build_cache);
    store_lease_free(engine->cache_lease);
}

/* ---- image ---- */

static int verb_image(struct building *building, const void *request, const struct job_message *message, void *reply, int *ret_fd, struct err *err)
{
    struct engine *engine = building->engine;
    const struct build_image *ask = request;
    char **refs = NULL, id[72];
    int result = 0;
    (void)message;
    (void)ret_fd;
    for (size_t i = 0; ask->tags && ask->tags[i] && result == 0; i++) {
        struct reference ref;
        result = reference_parse(ask->tags[i], &ref, err);
        if (result < 0)
            break;
        reference_tag_default(&ref);
        strv_append_take(&refs, reference_string(&ref));
        reference_clear(&ref);
    }
    if (result == 0)
        result = image_commit(engine, ask->config, strlen(ask->config), refs, ask->parent, true, id, err);
    for (size_t i = 0; result == 0 && refs && refs[i]; i++) {
        mutex_lock(&engine->lock);
        image_event_locked(engine, "tag", id, refs[i]);
        mutex_unlock(&engine->lock);
    }
    strv_free(refs);
    if (result == 0)
        ((struct build_image_committed *)reply)->image_id = xstrdup(id);
    return result;
}

static const verb_fn verbs[BUILD_VERB_COUNT] = {
    [BUILD_RESOLVE] = verb_resolve,           [BUILD_LAYERS] = verb_layers,         [BUILD_LAYER_BEGIN] = verb_layer_begin, [BUILD_LAYER_COMMIT] = verb_layer_commit,
    [BUILD_LAYER_DROP] = verb_layer_drop,     [BUILD_RUN] = verb_run,               [BUILD_COPY] = verb_copy,               [BUILD_FETCH] = verb_fetch,
    [BUILD_CACHE_GET] = verb_cache_get,       [BUILD_CACHE_PUT] = verb_cache_put,   [BUILD_CACHE_DIR] = verb_cache_dir,     [BUILD_IMAGE] = verb_image,
};

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

static int on_build_request(void *arg, int sock, const struct job_message *message, struct err *err)
{
    struct building *building = arg;
    enum build_verb verb;
    if (peek_verb(message, &verb, err) < 0)
        return -1;
    const struct build_verb_row *row = build_verb_get(verb);
    AUTO_FREE void *request = xcalloc(1, row->request->size);
    AUTO_FREE void *reply = xcalloc(1, row->reply->size);
    AUTO_FD int fd = -1;
    if (job_decode(message, row->request, request, err) < 0)
        return -1;
    int result = verbs[verb](building, request, message, reply, &fd, err);
    codec_clear(row->request, request);
    if (result == 0)
        result = job_send(sock, JOB_REPLY, message->id, row->reply, reply, &fd, fd >= 0 ? 1 : 0, err);
    codec_clear(row->reply, reply);
    return result;
}

static int on_build_progress(void *arg, const struct job_progress *job)
{
    struct building *building = arg;
    if (str_eq(job->status, "exit-code")) {
        building->exit_code = job->current;
        return 0;
    }
    return progress_job(&building->progress, job);
}

static int run_build(struct building *building, int context_fd, struct err *err)
{
    struct engine *engine = building->engine;
    struct job_build params = *building->params; /* borrowed but for job_dir */
    struct job_build_result result = { 0 };
    if (store_tmp_make(engine->store, "build", &building->job_name, err) < 0)
        return -1;
    AUTO_FREE char *job_dir = path_join(engine->options.data_root, building->job_name);
    params.job_dir = job_dir;
    struct worker_call call = { .kind = "build", .params = &params, .fds = &context_fd, .fd_count = 1, .arg = building, .on_progress = on_build_progress,
                                .on_request = on_build_request, .client_fd = building->progress.sink->client_fd };
    int done = worker_run(engine, &call, &result, err);
    codec_clear(&job_build_result_type, &result);
    return done;
}

int engine_build(struct engine *engine, const struct job_build *params, int context_fd, struct sink *sink, struct err *err)
{
    struct building building = { .engine = engine, .progress = { .sink = sink }, .params = params };
    mutex_lock(&engine->lock);
    building.lease = store_lease_new(engine->store, "build");
    mutex_unlock(&engine->lock);
    int done = sink->begin ? sink->begin(sink) : 0;
    building.progress.begun = true;
    if (done == 0)
        done = run_build(&building, context_fd, err);
    if (done < 0 && err->kind != ERR_CANCELLED)
        done = progress_failed(&building.progress, building.exit_code, err);
    while (building.scratches)
        drop_scratch(&building, building.scratches);
    if (building.job_name)
        (void)store_trash_put(engine->store, engine->data_fd, building.job_name);
    free(building.job_name);
    mutex_lock(&engine->lock);
    store_lease_free(building.lease);
    (void)store_collect(engine->store, NULL);
    mutex_unlock(&engine->lock);
    store_sweep(engine->store);
    return done;
}
