/* RUN: a hidden container over a scratch layer. It has no image and no row in the database, is in no list and makes no event; its output goes to
 * the build's pipe. What it needs below its root that the image lacks comes from the init layer, so no mount point gets into the layer. */
#include "daemon/engine/build.h"
#include "daemon/engine/monitor_link.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUTPUT_CHUNK 65536
#define FORGET_SECONDS 10

/* ---- the record ---- */

static int network_of(const struct building *building, const struct build_run *ask, char **ret, struct err *err)
{
    const char *whole = building->params->network_mode, *own = ask->network;
    bool by_step = !str_empty(own) && !str_eq(own, "default");
    if (by_step && str_eq(own, "host") && !str_eq(whole, "host"))
        return err_set(err, ERR_FORBIDDEN, "granting entitlement network.host is not allowed by build daemon configuration");
    const char *network = by_step ? own : whole;
    *ret = xstrdup(str_empty(network) || str_eq(network, "default") ? "bridge" : network);
    return 0;
}

static int take_ulimits(const char *json, struct resources *ret, struct err *err)
{
    struct holder {
        CODEC_LIST(struct ulimit) ulimits;
    } holder;
    static const struct codec_field fields[] = { F_LIST(struct holder, ulimits, "u", 0, ulimit), F_END };
    static const struct codec_type type = { .name = "ulimits", .size = sizeof(struct holder), .fields = fields };
    if (str_empty(json))
        return 0;
    AUTO_FREE char *text = str_format("{\"u\":%s}", json);
    if (codec_decode(&type, text, strlen(text), &holder, err) < 0)
        return -1;
    ret->ulimits.items = holder.ulimits.items;
    ret->ulimits.count = holder.ulimits.count;
    return 0;
}

static int fill_host(const struct building *building, const struct build_run *ask, struct host_config *host, struct err *err)
{
    const struct job_build *job = building->params;
    struct resources *limits = &host->resources;
    host->extra_hosts = strv_dup(job->extra_hosts);
    host->shm_size = job->shm_size;
    host->log_config.type = xstrdup("none");
    limits->memory = job->memory_bytes;
    limits->memory_swap = job->memory_swap_bytes;
    limits->cpu_shares = job->cpu_shares;
    limits->cpu_period = job->cpu_period;
    limits->cpu_quota = job->cpu_quota;
    limits->cpuset_cpus = xstrdup(job->cpuset_cpus);
    limits->cpuset_mems = xstrdup(job->cpuset_mems);
    limits->cgroup_parent = xstrdup(job->cgroup_parent);
    if (str_eq(ask->security, "insecure"))
        return err_set(err, ERR_FORBIDDEN, "granting entitlement security.insecure is not allowed by build daemon configuration");
    return network_of(building, ask, &host->network_mode, err) < 0 ? -1 : take_ulimits(job->ulimits, limits, err);
}

/* A directory or file of the build's own, or a cache: nothing else of the host. */
static int add_mount(struct building *building, const struct build_mount *in, struct container_record *record, struct err *err)
{
    bool tmpfs = str_eq(in->type, "tmpfs");
    AUTO_FREE char *source = NULL;
    if (!tmpfs && is_cache_dir(building->engine, in->source))
        source = xstrdup(in->source);
    else if (!tmpfs && job_path(building, in->source, &source, err) < 0)
        return -1;
    struct mount_record *mount = list_add(&record->mounts);
    *mount = (struct mount_record){ .type = xstrdup(tmpfs ? "tmpfs" : "bind"), .source = source ? take_ptr(&source) : xstrdup(""),
                                    .destination = xstrdup(in->target), .rw = !in->readonly };
    if (tmpfs)
        mount->tmpfs_options = in->size > 0 ? str_format("mode=1777,size=%lld", (long long)in->size) : xstrdup("mode=1777");
    return 0;
}

static int fill_record(struct building *building, const struct build_run *ask, struct container_record *record, struct err *err)
{
    char id[ID_LENGTH + 1];
    id_new(id);
    record->id = xstrdup(id);
    record->name = str_format("build-%.12s", id);
    record->hidden = true;
    record->created_unix_ns = time_now_unix_ns();
    record->image_id = xstrdup("");
    record->image_ref = xstrdup("");
    record->config = (struct container_config){ .hostname = xstrdup("buildkitsandbox"), .user = xstrdup(ask->user), .env = strv_dup(ask->env),
                                                .working_dir = xstrdup(str_empty(ask->cwd) ? "/" : ask->cwd) };
    record->path = xstrdup(ask->argv[0]);
    record->args = strv_dup(ask->argv + 1);
    if (fill_host(building, ask, &record->host_config, err) < 0)
        return -1;
    container_host_defaults(building->engine, &record->host_config);
    const char *network = network_of_mode(record->host_config.network_mode);
    if (network)
        (void)obj_map_add(&record->networks, network, sizeof(struct endpoint_settings));
    for (size_t i = 0; i < ask->mounts.count; i++)
        if (add_mount(building, &ask->mounts.items[i], record, err) < 0)
            return -1;
    return 0;
}

static struct container *make_hidden(struct building *building, const struct build_run *ask, struct err *err)
{
    struct container *container = xcalloc(1, sizeof *container);
    container->engine = building->engine;
    container->monitor_sock = -1;
    container->refs = 1;
    mutex_init(&container->facts_lock);
    if (fill_record(building, ask, &container->record, err) == 0)
        return container;
    container->removed = true;
    container_unref(container);
    return NULL;
}

/* ---- its life ---- */

/* The pipe's write end stands behind a socket: the monitor serves sockets, this thread copies to the pipe. -1: cancelled. */
static int copy_output(int sock, int pipe_fd, int cancel_fd)
{
    AUTO_FREE char *chunk = xmalloc(OUTPUT_CHUNK);
    for (;;) {
        short ready = 0, cancelled = 0;
        int mask = io_poll2(sock, POLLIN, cancel_fd, 0, -1, &ready, &cancelled);
        if (mask < 0 || cancelled)
            return -1;
        ssize_t got = read(sock, chunk, OUTPUT_CHUNK);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0 || io_write_all(pipe_fd, chunk, (size_t)got) < 0)
            return 0;
    }
}

static void park_output(struct container *container, int fd)
{
    struct parked_attach *parked = xcalloc(1, sizeof *parked);
    *parked = (struct parked_attach){ .fd = fd, .attach.flags = MON_ATTACH_STDOUT | MON_ATTACH_STDERR | MON_ATTACH_RAW };
    container->parked = parked;
}

/* Gone from everywhere, once its monitor has ended: then nothing holds the layer any more. */
static void forget_hidden(struct container *container)
{
    struct engine *engine = container->engine;
    int64_t deadline = time_monotonic_ns() + FORGET_SECONDS * NANOS_PER_SECOND;
    mutex_lock(&engine->lock);
    while (container->monitor_alive && cond_wait_until(&engine->changed, &engine->lock, deadline)) {
    }
    parked_free(container);
    container_forget_locked(container);
    mutex_unlock(&engine->lock);
    AUTO_FREE char *path = str_format("containers/%s", container->record.id);
    (void)store_trash_put(engine->store, engine->data_fd, path);
    container_unref(container);
}

static int launch_hidden(struct container *container, const struct scratch *scratch, struct container_start_extra *extra, struct err *err)
{
    struct engine *engine = container->engine;
    AUTO_FREE char *upper = str_format("%s/%s/diff", engine->options.data_root, scratch->name);
    AUTO_FREE char *work = str_format("%s/%s/work", engine->options.data_root, scratch->name);
    AUTO_FREE char *dir = str_format("containers/%s", container->record.id);
    CLEANUP(strv_free) char **lowers = container_lowers(engine, scratch->diff_ids);
    *extra = (struct container_start_extra){ .lowers = lowers, .upper = upper, .work = work, .root_volatile = true };
    mutex_lock(&engine->lock);
    map_set(engine->containers, container->record.id, container);
    mutex_unlock(&engine->lock);
    if (mkdirat(engine->data_fd, dir, 0710) < 0)
        return err_sys(err, errno, "make %s", dir);
    return container_launch_extra(container, extra, err);
}

static int follow_hidden(struct building *building, struct container *container, int sock, int output_fd, struct build_ran *ret, struct err *err)
{
    struct engine *engine = building->engine;
    struct err ignored = { 0 };
    int result = copy_output(sock, output_fd, building->cancel_fd);
    if (result < 0 || container_wait_stopped(container, -1, building->cancel_fd) < 0) {
        (void)engine_container_kill(engine, container->record.id, "KILL", &ignored);
        return err_set(err, ERR_CANCELLED, "context canceled");
    }
    mutex_lock(&engine->lock);
    *ret = (struct build_ran){ .exit_code = container->status.exit_code, .started = true, .error = xstrdup("") };
    mutex_unlock(&engine->lock);
    return 0;
}

/* What runc says, without what dockerd puts around it. */
static char *start_failure(const char *text)
{
    static const char mark[] = "runc create failed: ", tail[] = ": unknown";
    const char *at = strstr(text, mark);
    if (!at)
        return xstrdup(text);
    at += strlen(mark);
    size_t length = strlen(at);
    if (str_ends(at, tail))
        length -= strlen(tail);
    return str_format("runc run failed: %.*s", (int)length, at);
}

static int run_hidden(struct building *building, struct container *container, struct scratch *scratch, int output_fd, struct build_ran *ret,
                      struct err *err)
{
    struct container_start_extra extra;
    int pair[2];
    int failed = fd_socketpair(SOCK_STREAM, pair);
    if (failed < 0)
        return err_sys(err, failed, "make a socket");
    AUTO_FD int sock = pair[0];
    park_output(container, pair[1]);
    if (launch_hidden(container, scratch, &extra, err) == 0) {
        if (!scratch->packer) /* loads while the command runs */
            scratch->packer = worker_prepare(building->engine, "pack");
        return follow_hidden(building, container, sock, output_fd, ret, err);
    }
    if (extra.exit_code != 126 && extra.exit_code != 127)
        return -1;
    *ret = (struct build_ran){ .exit_code = extra.exit_code, .error = start_failure(err->text) };
    return 0;
}

BUILD_VERB(verb_run)
{
    struct building *building = call->building;
    const struct build_run *ask = call->request;
    if (call->fd < 0 || !ask->argv || !ask->argv[0])
        return err_set(err, ERR_INTERNAL, "the build's run request lacks its output pipe or command");
    struct scratch *scratch = scratch_use(building, ask->scratch_id, err);
    if (!scratch)
        return -1;
    struct container *container = make_hidden(building, ask, err);
    int result = container ? run_hidden(building, container, scratch, call->fd, call->reply, err) : -1;
    if (container)
        forget_hidden(container);
    scratch_done(building, scratch);
    return result;
}

/* ---- what a killed daemon leaves ---- */

static void end_stray(struct engine *engine, const char *id)
{
    struct err ignored = { 0 };
    struct monitor_reply reply;
    AUTO_FD int sock = monitor_connect(engine->options.exec_root, id, &ignored);
    if (sock >= 0) {
        char packet[2048];
        (void)monitor_request_on(sock, MON_KILL_MONITOR, NULL, 0, NULL, 0, NULL, 0, &reply, &ignored);
        monitor_reply_done(&reply);
        struct pollfd end = { .fd = sock, .events = POLLIN };
        while (poll(&end, 1, FORGET_SECONDS * 1000) > 0 && recv(sock, packet, sizeof packet, 0) > 0) {
        }
    }
    AUTO_FREE char *cgroup = str_format("%s/%s", engine->options.cgroup_parent, id);
    (void)cgroup_kill(&engine->cgroups, cgroup);
    (void)cgroup_remove(&engine->cgroups, cgroup);
    (void)path_remove_tree_at(engine->exec_fd, id);
    log_info("ended what a build had left container=%.12s", id);
}

static void sweep_dir(struct engine *engine, int dir_fd, void (*fn)(struct engine *engine, const char *id))
{
    DIR *dir = dir_fd < 0 ? NULL : fdopendir(dir_fd);
    CLEANUP(strv_free) char **strays = NULL;
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));)
        if (id_valid(entry->d_name) && !map_get(engine->containers, entry->d_name))
            strv_append(&strays, entry->d_name);
    closedir(dir);
    for (size_t i = 0; strays && strays[i]; i++)
        fn(engine, strays[i]);
}

static void drop_stray_dir(struct engine *engine, const char *id)
{
    AUTO_FREE char *path = str_format("containers/%s", id);
    (void)store_trash_put(engine->store, engine->data_fd, path);
}

void build_sweep_strays(struct engine *engine)
{
    sweep_dir(engine, openat(engine->exec_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), end_stray);
    sweep_dir(engine, openat(engine->data_fd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC), drop_stray_dir);
}
