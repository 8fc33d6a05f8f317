/* cp, export, diff: reaching into a container's files. Running: through the root that its monitor holds. Stopped: a worker mounts root and volumes. */
#include "daemon/engine/monitor_link.h"
#include "daemon/engine/transfer.h"
#include "daemon/engine/worker_run.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void put_mounts(struct container *container, struct job_mount_spec *spec)
{
    for (size_t i = 0; i < container->record.mounts.count; i++) {
        const struct mount_record *mount = &container->record.mounts.items[i];
        if (str_eq(mount->type, "tmpfs"))
            continue;
        strv_append(&spec->bind_sources, mount->source);
        strv_append(&spec->bind_targets, mount->destination);
    }
}

/* hosts and its kin, as of the last start, unless something is mounted there. */
static void put_host_files(const char *dir, struct job_mount_spec *spec)
{
    static const char *const names[] = { "hostname", "hosts", "resolv.conf" };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO_FREE char *source = str_format("%s/%s", dir, names[i]);
        AUTO_FREE char *target = str_format("/etc/%s", names[i]);
        if (access(source, F_OK) < 0 || strv_contains(spec->bind_targets, target))
            continue;
        strv_append(&spec->bind_sources, source);
        strv_append(&spec->bind_targets, target);
    }
}

static void put_tree(struct container *container, bool writable, struct job_mount_spec *spec)
{
    AUTO_FREE char *dir = container_dir(container->engine, container->record.id);
    spec->lowers = container_lowers(container->engine, container->record.diff_ids);
    if (writable) {
        spec->upper = str_format("%s/diff", dir);
        spec->work = str_format("%s/work", dir);
    } else { /* read-only: the upper is the topmost lower */
        char **with_upper = NULL;
        strv_append_take(&with_upper, str_format("%s/diff", dir));
        strv_extend(&with_upper, spec->lowers);
        strv_free(spec->lowers);
        spec->lowers = with_upper;
    }
    put_mounts(container, spec);
    put_host_files(dir, spec);
}

/* fd of a running container's root, or -1 and the tree to mount. */
static int reach(struct container *container, bool writable, struct job_cp *params, struct err *err)
{
    struct mon_get_fds wanted = { .bits = MON_FDS_ROOT };
    struct monitor_reply reply;
    if (container_is_running(container) &&
        monitor_request(container->engine->options.exec_root, container->record.id, MON_GET_FDS, &wanted, sizeof wanted, NULL, 0, &reply, err) == 0 && reply.fd_count == 1) {
        params->has_root_fd = true;
        return reply.fds[0];
    }
    err_clear(err);
    put_tree(container, writable, &params->root);
    return -1;
}

static char *stat_json(const struct job_path_stat *stat)
{
    struct path_stat out = { .name = stat->name, .size = stat->size, .mode = stat->mode, .mtime = stat->mtime, .link_target = stat->link_target };
    return codec_encode_dup(&path_stat_type, &out);
}

static int check_path(const char *path, struct err *err)
{
    return str_empty(path) ? err_set(err, ERR_INVALID, "bad parameter: path cannot be empty") : 0;
}

/* Docker's sentence names path and container, as the client said them. */
static int not_found(struct err *err, const char *ref, const char *path)
{
    if (err->kind == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "Could not find the file %s in container %s", path, ref);
    return -1;
}

/* May files be put there? A volume decides by itself, whatever the rootfs. */
static int check_writable(const struct container *container, const char *path, struct err *err)
{
    AUTO_FREE char *rooted = str_format("/%s", path);
    AUTO_FREE char *clean = path_clean(rooted);
    for (size_t i = container->record.mounts.count; i-- > 0;) {
        const struct mount_record *mount = &container->record.mounts.items[i];
        const char *rest = str_after(clean, mount->destination);
        if (rest && (*rest == '\0' || *rest == '/'))
            return mount->rw ? 0 : err_set(err, ERR_INVALID, "mounted volume is marked read-only");
    }
    return container->record.host_config.readonly_rootfs ? err_set(err, ERR_INVALID, "container rootfs is marked read-only") : 0;
}

int engine_archive_stat(struct engine *engine, const char *ref, const char *path, char **ret_stat_json, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    struct job_cp params = { .stat_only = true };
    struct job_path_stat stat;
    if (!container || check_path(path, err) < 0)
        return -1;
    AUTO_FD int root = reach(container, false, &params, err);
    params.path = xstrdup(path);
    int fds[] = { -1, root };
    struct worker_call call = { .kind = "cp-out", .params = &params, .fds = &fds[1], .fd_count = root >= 0 ? 1 : 0, .client_fd = -1 };
    int result = worker_run(engine, &call, &stat, err);
    codec_clear(&job_cp_type, &params);
    if (result < 0)
        return not_found(err, ref, path);
    *ret_stat_json = stat_json(&stat);
    codec_clear(&job_path_stat_type, &stat);
    return 0;
}

struct getting {
    void (*on_stat)(void *arg, const char *stat_json);
    void *arg;
};

static int on_stat_request(void *arg, int sock, const struct job_message *message, struct err *err)
{
    const struct getting *getting = arg;
    struct job_path_stat stat;
    if (job_decode(message, &job_path_stat_type, &stat, err) < 0)
        return -1;
    AUTO_FREE char *json = stat_json(&stat);
    codec_clear(&job_path_stat_type, &stat);
    getting->on_stat(getting->arg, json);
    return job_send(sock, JOB_REPLY, message->id, NULL, NULL, NULL, 0, err);
}

int engine_archive_get(struct engine *engine, const char *ref, const char *path, void (*on_stat)(void *arg, const char *stat_json), void *arg, struct sink *sink, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    struct job_cp params = { 0 };
    struct getting getting = { on_stat, arg };
    if (!container || check_path(path, err) < 0)
        return -1;
    AUTO_FD int root = reach(container, false, &params, err);
    params.path = xstrdup(path);
    struct worker_call call = { .kind = "cp-out", .params = &params, .arg = &getting, .on_request = on_stat_request };
    int result = worker_to_sink(engine, &call, &root, root >= 0 ? 1 : 0, sink, err);
    codec_clear(&job_cp_type, &params);
    if (result < 0)
        return not_found(err, ref, path);
    mutex_lock(&engine->lock);
    container_event_locked(container, "archive-path", NULL, 0);
    mutex_unlock(&engine->lock);
    return 0;
}

int engine_archive_put(struct engine *engine, const char *ref, const char *path, bool no_overwrite_dir_non_dir, bool copy_uid_gid, int body_fd, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    struct job_cp params = { .no_overwrite_dir_non_dir = no_overwrite_dir_non_dir, .copy_uid_gid = copy_uid_gid };
    if (!container || check_path(path, err) < 0 || check_writable(container, path, err) < 0)
        return -1;
    AUTO_FD int root = reach(container, true, &params, err);
    params.path = xstrdup(path);
    if (copy_uid_gid)
        params.uid_gid_user = xstrdup(container->record.config.user ? container->record.config.user : "");
    int fds[] = { body_fd, root };
    struct worker_call call = { .kind = "cp-in", .params = &params, .fds = fds, .fd_count = root >= 0 ? 2 : 1, .client_fd = -1 };
    int result = worker_run(engine, &call, NULL, err);
    codec_clear(&job_cp_type, &params);
    if (result < 0)
        return not_found(err, ref, path);
    mutex_lock(&engine->lock);
    container_event_locked(container, "extract-to-dir", NULL, 0);
    mutex_unlock(&engine->lock);
    return 0;
}

int engine_container_export(struct engine *engine, const char *ref, struct sink *sink, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    struct job_export params = { 0 };
    if (!container)
        return -1;
    put_tree(container, false, &params.root);
    strv_free(params.root.bind_sources);
    strv_free(params.root.bind_targets);
    params.root.bind_sources = params.root.bind_targets = NULL; /* volumes do not belong to an export */
    struct worker_call call = { .kind = "export", .params = &params };
    int result = worker_to_sink(engine, &call, NULL, 0, sink, err);
    codec_clear(&job_export_type, &params);
    mutex_lock(&engine->lock);
    container_event_locked(container, "export", NULL, 0);
    mutex_unlock(&engine->lock);
    return result;
}

int engine_container_changes(struct engine *engine, const char *ref, struct buf *out, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    struct job_diff params = { 0 };
    struct job_diff_result result;
    if (!container)
        return -1;
    AUTO_FREE char *upper = str_format("containers/%s/diff", container->record.id);
    AUTO_FD int upper_fd = openat(engine->data_fd, upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (upper_fd < 0)
        return err_sys(err, errno, "open the container's files");
    params.lowers = container_lowers(engine, container->record.diff_ids);
    struct worker_call call = { .kind = "diff", .params = &params, .fds = &upper_fd, .fd_count = 1, .client_fd = -1 };
    int done = worker_run(engine, &call, &result, err);
    codec_clear(&job_diff_type, &params);
    if (done < 0)
        return -1;
    if (result.changes.count == 0)
        buf_puts(out, "null");
    else
        buf_putc(out, '[');
    for (size_t i = 0; i < result.changes.count; i++) {
        struct filesystem_change change = { .kind = result.changes.items[i].kind, .path = result.changes.items[i].path };
        if (i)
            buf_putc(out, ',');
        codec_encode(&filesystem_change_type, &change, out);
    }
    if (result.changes.count)
        buf_putc(out, ']');
    codec_clear(&job_diff_result_type, &result);
    return 0;
}
