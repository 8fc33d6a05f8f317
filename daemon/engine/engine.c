#include "daemon/engine/internal.h"
#include "daemon/engine/monitor_link.h"
#include "daemon/engine/schema.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"
#include "lib/volume/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- directories ---- */

static int open_dir(const char *path, mode_t mode, int *ret_fd, struct err *err)
{
    int failed = path_mkdirs_at(AT_FDCWD, path, mode);
    if (failed < 0)
        return err_sys(err, failed, "make %s", path);
    *ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*ret_fd < 0)
        return err_sys(err, errno, "open %s", path);
    return fchmod(*ret_fd, mode) < 0 ? err_sys(err, errno, "set the mode of %s", path) : 0;
}

static int lock_data_root(struct engine *engine, struct err *err)
{
    char text[32] = { 0 };
    engine->lock_fd = openat(engine->data_fd, "holkd.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (engine->lock_fd < 0)
        return err_sys(err, errno, "open the lock of %s", engine->options.data_root);
    /* a lock of the process: one of the open file would live on in a child that has not come to its exec yet */
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    if (fcntl(engine->lock_fd, F_SETLK, &whole) < 0) {
        ssize_t got = pread(engine->lock_fd, text, sizeof text - 1, 0);
        return err_set(err, ERR_CONFLICT, "data root %s is in use by another holkd (pid %s)", engine->options.data_root, got > 0 ? str_trim(text) : "unknown");
    }
    int length = snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(engine->lock_fd, 0) < 0 || pwrite(engine->lock_fd, text, (size_t)length, 0) != length)
        return err_sys(err, errno, "write the lock of %s", engine->options.data_root);
    return 0;
}

/* What Docker keeps in an "init layer": shown where the image has nothing itself. */
static int make_init_layer(struct engine *engine, struct err *err)
{
    static const char *const dirs[] = { "init", "init/diff", "init/diff/dev", "init/diff/dev/pts", "init/diff/dev/shm", "init/diff/proc", "init/diff/sys", "init/diff/etc" };
    static const char *const files[] = { "init/diff/.dockerenv", "init/diff/etc/hosts", "init/diff/etc/hostname", "init/diff/etc/resolv.conf", "init/diff/dev/console" };
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
        if (mkdirat(engine->data_fd, dirs[i], 0755) < 0 && errno != EEXIST)
            return err_sys(err, errno, "make %s", dirs[i]);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        AUTO_FD int fd = openat(engine->data_fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0755);
        if (fd < 0)
            return err_sys(err, errno, "make %s", files[i]);
    }
    if (symlinkat("/proc/mounts", engine->data_fd, "init/diff/etc/mtab") < 0 && errno != EEXIST)
        return err_sys(err, errno, "make init/diff/etc/mtab");
    return 0;
}

/* ---- meta ---- */

struct meta {
    char instance[9];
    char *id;
};

static int read_meta(const struct db_row *row, void *arg, struct err *err)
{
    struct meta *meta = arg;
    (void)err;
    if (str_eq(db_row_text(row, 0), "instance"))
        str_copy(meta->instance, sizeof meta->instance, db_row_text(row, 1));
    if (str_eq(db_row_text(row, 0), "id"))
        meta->id = xstrdup(db_row_text(row, 1));
    return 0;
}

static int load_meta(struct engine *engine, struct err *err)
{
    struct meta meta = { 0 };
    char part[5][13];
    if (db_each(engine->db, "SELECT key, value FROM meta", read_meta, &meta, err) < 0)
        return -1;
    if (!meta.instance[0]) {
        id_random_hex(meta.instance, 8);
        id_random_hex(part[0], 8);
        for (int i = 1; i < 4; i++)
            id_random_hex(part[i], 4);
        id_random_hex(part[4], 12);
        meta.id = str_format("%s-%s-%s-%s-%s", part[0], part[1], part[2], part[3], part[4]);
        db_queue(engine->db, DB_FULL, "INSERT OR REPLACE INTO meta(key, value) VALUES('instance', ?)", "s", meta.instance);
        uint64_t ticket = db_queue(engine->db, DB_FULL, "INSERT OR REPLACE INTO meta(key, value) VALUES('id', ?)", "s", meta.id);
        if (db_wait(engine->db, ticket, err) < 0)
            return -1;
    }
    memcpy(engine->instance, meta.instance, sizeof engine->instance);
    engine->engine_id = meta.id;
    return 0;
}

/* ---- open ---- */

static int open_network(struct engine *engine, struct err *err)
{
    AUTO_FREE char *bridge = str_format("holk-%s", engine->instance);
    struct net_options options = { .instance = engine->instance, .bridge = engine->options.bridge, .default_bridge = bridge, .bip = engine->options.bip };
    return net_open(&options, &engine->net, err);
}

static void pin_layers(struct engine *engine)
{
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        struct container *container = value;
        container->lease = store_lease_new(engine->store, "container");
        store_lease_pin_all(container->lease, container->record.diff_ids);
    }
}

static void restart_by_policy(struct engine *engine, void *arg)
{
    AUTO_FREE char *id = arg;
    struct err err = { 0 };
    if (engine_container_start(engine, id, &err) < 0 && err.kind != ERR_NOT_MODIFIED)
        log_warn("container=%.12s cannot be restarted error=%s", id, err.text);
}

/* After a reboot: whoever policy says, unless a person stopped it. Monitors restart all others by themselves. */
static void start_by_policy(struct engine *engine)
{
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        struct container *container = value;
        const char *policy = container->record.host_config.restart_policy.name;
        bool wanted = str_eq(policy, "always") || (str_eq(policy, "unless-stopped") && !container->status.stopped_by_user) ||
                      (str_eq(policy, "on-failure") && container->status.exit_code == 255);
        if (wanted && container->status.has_started && !container_is_running(container) && !container->monitor_alive)
            engine_call_later(engine, restart_by_policy, xstrdup(container->record.id));
        else if (container->record.host_config.auto_remove && container->status.has_started && !container_is_running(container)) {
            struct err ignored = { 0 };
            (void)engine_container_remove(engine, container->record.id, true, true, false, &ignored);
            cursor = 0;
        }
    }
}

static int load_all(struct engine *engine, struct err *err)
{
    AUTO_FREE char *path = path_join(engine->options.data_root, "holk.db");
    if (db_open(path, engine_migrations, engine_migration_count, &engine->db, err) < 0 || load_meta(engine, err) < 0 ||
        store_open(engine->options.data_root, engine->db, &engine->store, err) < 0 || build_cache_load(engine, err) < 0 || volumes_load(engine, err) < 0 ||
        open_network(engine, err) < 0 || networks_load(engine, err) < 0 || container_load_all(engine, err) < 0 || execs_load(engine, err) < 0)
        return -1;
    pin_layers(engine);
    containers_reconnect(engine);
    build_sweep_strays(engine);
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);)
        if (container_is_running(value))
            container_network_restore(value);
    return net_restore_done(engine->net, err);
}

static int read_cgroups(struct engine *engine, struct err *err)
{
    int failed = cgroup_layout_read(&engine->cgroups);
    return failed < 0 ? err_sys(err, failed, "read the cgroup hierarchies (are they mounted below /sys/fs/cgroup?)") : 0;
}

void engine_reload(struct engine *engine, const struct engine_settings *settings)
{
    char *const *const fresh[] = { settings->insecure_registries, settings->registry_mirrors, settings->labels };
    char ***const slots[] = { &engine->settings.insecure_registries, &engine->settings.registry_mirrors, &engine->settings.labels };
    mutex_lock(&engine->lock);
    for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
        strv_free(*slots[i]);
        *slots[i] = fresh[i] ? strv_dup(fresh[i]) : NULL;
    }
    engine->settings.debug = settings->debug;
    mutex_unlock(&engine->lock);
}

char **engine_list_setting(struct engine *engine, char **const *setting)
{
    mutex_lock(&engine->lock);
    char **copy = strv_dup(*setting);
    mutex_unlock(&engine->lock);
    return copy;
}

static struct engine *engine_new(const struct engine_options *options)
{
    struct engine *engine = xcalloc(1, sizeof *engine);
    engine->options = *options;
    if (!engine->options.cgroup_parent)
        engine->options.cgroup_parent = "/holk";
    engine->data_fd = engine->exec_fd = engine->lock_fd = -1;
    mutex_init(&engine->lock);
    mutex_init(&engine->seccomp_lock);
    cond_init(&engine->changed);
    struct map **const maps[] = { &engine->containers, &engine->container_names, &engine->execs, &engine->networks, &engine->volumes, &engine->kept_listeners, &engine->seccomp };
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
        *maps[i] = map_new();
    engine->loading = true;
    engine->started_ns = time_now_unix_ns();
    engine_reload(engine, &options->settings);
    return engine;
}

int engine_open(const struct engine_options *options, struct engine **ret, struct err *err)
{
    struct engine *engine = engine_new(options);
    AUTO_FREE char *containers = path_join(options->data_root, "containers");
    int containers_fd = -1, result = -1;
    engine->loop = loop_new();
    if (!engine->loop)
        err_sys(err, errno, "make the event loop");
    else if (open_dir(options->data_root, 0710, &engine->data_fd, err) == 0 && lock_data_root(engine, err) == 0 &&
             open_dir(options->exec_root, 0711, &engine->exec_fd, err) == 0 && open_dir(containers, 0710, &containers_fd, err) == 0 &&
             make_init_layer(engine, err) == 0 && read_cgroups(engine, err) == 0 && load_all(engine, err) == 0)
        result = housekeeping_start(engine, err);
    path_spread(containers_fd);
    fd_close(containers_fd);
    mutex_lock(&engine->lock);
    engine->loading = false;
    cond_broadcast(&engine->changed);
    mutex_unlock(&engine->lock);
    if (result < 0) {
        engine_close(engine);
        return -1;
    }
    start_by_policy(engine);
    *ret = engine;
    return 0;
}

static void free_containers(struct engine *engine)
{
    void *value;
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        struct container *container = value;
        fd_close(container->monitor_sock);
        store_lease_free(container->lease);
        container_free(container);
    }
}

static void free_maps(struct engine *engine)
{
    void *value;
    for (size_t cursor = 0; map_next(engine->volumes, &cursor, NULL, &value);) {
        codec_clear(&volume_type, &((struct named_volume *)value)->volume);
        free(value);
    }
    for (size_t cursor = 0; map_next(engine->seccomp, &cursor, NULL, &value);) {
        buf_done(value);
        free(value);
    }
    for (size_t cursor = 0; map_next(engine->kept_listeners, &cursor, NULL, &value);)
        fd_close((int)(intptr_t)value - 1);
    struct map *const maps[] = { engine->containers, engine->container_names, engine->execs, engine->networks, engine->volumes, engine->kept_listeners, engine->seccomp };
    for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
        map_free(maps[i]);
}

void engine_stopping(struct engine *engine)
{
    uint64_t one = 1;
    void *value;
    mutex_lock(&engine->lock);
    engine->stopping = true;
    cond_broadcast(&engine->changed);
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);)
        for (struct state_waiter *waiter = ((struct container *)value)->waiters; waiter; waiter = waiter->next)
            if (write(waiter->wake_fd, &one, sizeof one) < 0)
                log_debug("state waiter cannot be woken errno=%d", errno);
    mutex_unlock(&engine->lock);
}

void engine_close(struct engine *engine)
{
    if (!engine)
        return;
    engine_stopping(engine);
    housekeeping_stop(engine);
    mutex_lock(&engine->lock);
    int64_t deadline = time_monotonic_ns() + 20 * NANOS_PER_SECOND;
    while (engine->later_count && cond_wait_until(&engine->changed, &engine->lock, deadline)) {
    }
    mutex_unlock(&engine->lock);
    free_containers(engine);
    networks_free(engine);
    build_cache_free(engine);
    event_ring_done(&engine->events);
    if (engine->net)
        net_close(engine->net);
    volume_store_close(engine->volume_store);
    store_close(engine->store);
    db_close(engine->db);
    free_maps(engine);
    loop_free(engine->loop);
    free(engine->engine_id);
    engine_reload(engine, &(struct engine_settings){ 0 }); /* frees them */
    fd_close(engine->exec_fd);
    fd_close(engine->data_fd);
    fd_close(engine->lock_fd);
    mutex_done(&engine->lock);
    free(engine->monitors);
    free(engine);
}

/* ---- the listening sockets ---- */

void engine_keep_listener(struct engine *engine, const char *address, int fd)
{
    struct mon_listener message = { 0 };
    void *value;
    char **ids = NULL;
    str_copy(message.path, sizeof message.path, address);
    mutex_lock(&engine->lock);
    int old = (int)(intptr_t)map_set(engine->kept_listeners, address, (void *)(intptr_t)(fd_dup(fd) + 1));
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);)
        if (((struct container *)value)->monitor_alive)
            strv_append(&ids, ((struct container *)value)->record.id);
    mutex_unlock(&engine->lock);
    fd_close(old - 1);
    for (size_t i = 0; ids && ids[i]; i++) {
        struct monitor_reply reply;
        struct err ignored = { 0 };
        if (monitor_request(engine->options.exec_root, ids[i], MON_LISTENER, &message, sizeof message, &fd, 1, &reply, &ignored) == 0)
            monitor_reply_done(&reply);
    }
    strv_free(ids);
}

/* From the first monitor that kept one for this address and whose socket file is still the one bound to it. */
int engine_take_listener(struct engine *engine, const char *address)
{
    const char *path = str_after(address, "unix://");
    void *value;
    int taken = -1;
    if (!path || access(path, F_OK) < 0)
        return -1;
    for (size_t cursor = 0; taken < 0 && map_next(engine->containers, &cursor, NULL, &value);) {
        struct monitor_reply reply;
        struct err ignored = { 0 };
        if (!((struct container *)value)->monitor_alive ||
            monitor_request(engine->options.exec_root, ((struct container *)value)->record.id, MON_LISTENER_TAKE, NULL, 0, NULL, 0, &reply, &ignored) < 0)
            continue;
        const char *name = (const char *)reply.body, *end = name + reply.length;
        for (size_t i = 0; i < reply.fd_count && name < end; i++, name += strlen(name) + 1)
            if (taken < 0 && str_eq(name, address))
                taken = take_fd(&reply.fds[i]);
        monitor_reply_done(&reply);
    }
    return taken;
}

void engine_dump(struct engine *engine, struct buf *out)
{
    void *value;
    mutex_lock(&engine->lock);
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        const struct container *container = value;
        buf_printf(out, "container id=%.12s name=%s state=%s claim=%s refs=%zu monitor=%d facts=%lld\n", container->record.id, container->record.name,
                   container_status_name((enum container_status_code)container->status.code), container->claim == CLAIM_NONE ? "-" : container->claim_what,
                   container->refs, container->monitor_alive, (long long)container->status.facts_applied);
    }
    buf_printf(out, "event_listeners=%zu later=%zu\n", engine->events.listener_count, engine->later_count);
    mutex_unlock(&engine->lock);
}
