/* Theory of operation. Start = namespace and ports (ours), plan (pure), monitor (spawned), START (the monitor's answer comes after execve).
 * On failure everything taken here is given back; nothing half-started remains. */
#include "daemon/engine/plan_parts.h"
#include "daemon/engine/monitor_link.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/proc.h"
#include "lib/base/timefmt.h"
#include "lib/net/hostfiles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NS_SLOTS 4

struct launching {
    struct container *container;
    struct engine *engine;
    int netns_fd, sock;
    int ns_fds[NS_SLOTS];
    size_t ns_count;
    char **lowers;
    char *owner_dir;
    struct buf plan;
    struct container_start_extra extra;
};

static void launching_done(struct launching *l)
{
    fd_close(l->netns_fd);
    fd_close(l->sock);
    for (size_t i = 0; i < l->ns_count; i++)
        fd_close(l->ns_fds[i]);
    strv_free(l->lowers);
    free(l->owner_dir);
    buf_done(&l->plan);
}

/* A namespace of another container, from its monitor. */
static int join_namespace(struct launching *l, const char *mode, uint32_t bit, const char *what, struct err *err)
{
    const char *ref = str_after(mode ? mode : "", "container:");
    struct mon_get_fds wanted = { .bits = bit };
    struct monitor_reply reply;
    if (!ref)
        return 0;
    CLEANUP(container_unref) struct container *other = container_get(l->engine, ref, err);
    if (!other)
        return -1;
    if (!container_is_running(other))
        return err_set(err, ERR_CONFLICT, "cannot join %s namespace of a non running container: container %s is %s", what, other->record.id,
                       container_status_name((enum container_status_code)other->status.code));
    if (monitor_request(l->engine->options.exec_root, other->record.id, MON_GET_FDS, &wanted, sizeof wanted, NULL, 0, &reply, err) < 0)
        return -1;
    if (reply.fd_count != 1) {
        monitor_reply_done(&reply);
        return err_set(err, ERR_INTERNAL, "cannot join %s namespace of container %s", what, other->record.id);
    }
    l->ns_fds[l->ns_count++] = reply.fds[0];
    if (bit == MON_FDS_NS_NET)
        l->owner_dir = container_dir(l->engine, other->record.id);
    return 0;
}

/* In the order in which plan_make numbers the slots. */
static int join_namespaces(struct launching *l, struct err *err)
{
    const struct host_config *host = &l->container->record.host_config;
    if (join_namespace(l, host->pid_mode, MON_FDS_NS_PID, "PID", err) < 0 || join_namespace(l, host->ipc_mode, MON_FDS_NS_IPC, "IPC", err) < 0 ||
        join_namespace(l, host->uts_mode, MON_FDS_NS_UTS, "UTS", err) < 0)
        return -1;
    return join_namespace(l, host->network_mode, MON_FDS_NS_NET, "network", err);
}

/* ---- hosts, hostname, resolv.conf ---- */

/* Made anew by every start, so a half-written one harms nobody: in place, without the detour over a temporary name. */
static int write_file(const char *dir, const char *name, struct buf *content, struct err *err)
{
    AUTO_FREE char *path = path_join(dir, name);
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    int failed = fd < 0 ? -errno : io_write_all(fd, content->data ? content->data : "", content->length);
    if (failed == 0 && fchmod(fd, 0644) < 0)
        failed = -errno;
    return failed < 0 ? err_sys(err, failed, "write %s", path) : 0;
}

static int write_hosts(struct container *container, const char *dir, bool host_network, struct err *err)
{
    const struct container_record *record = &container->record;
    AUTO_BUF struct buf hosts = BUF_INIT(1 << 20);
    struct hostfiles_name addresses[16];
    size_t count = 0;
    const char *gateway = "";
    for (size_t i = 0; i < obj_map_count(&record->networks) && count < ARRAY_SIZE(addresses); i++) {
        const struct endpoint_settings *settings = record->networks.values[i];
        if (!settings || str_empty(settings->ip_address))
            continue;
        addresses[count++] = (struct hostfiles_name){ settings->ip_address, NULL };
        gateway = str_empty(gateway) && settings->gateway ? settings->gateway : gateway;
    }
    if (host_network) {
        AUTO_FREE char *text = NULL;
        size_t length = 0;
        if (io_read_file_at(AT_FDCWD, "/etc/hosts", 1 << 20, &text, &length) == 0)
            buf_append(&hosts, text, length);
        return write_file(dir, "hosts", &hosts, err);
    }
    struct hostfiles_hosts in = { .hostname = record->config.hostname ? record->config.hostname : "", .domainname = record->config.domainname ? record->config.domainname : "",
                                  .addresses = addresses, .address_count = count, .extra_hosts = (const char *const *)record->host_config.extra_hosts,
                                  .host_gateway = str_empty(gateway) ? NULL : gateway };
    if (hostfiles_hosts(&in, &hosts, err) < 0)
        return -1;
    return write_file(dir, "hosts", &hosts, err);
}

static int write_etc(struct container *container, struct err *err)
{
    const struct container_record *record = &container->record;
    const struct host_config *host = &record->host_config;
    AUTO_FREE char *dir = container_dir(container->engine, record->id);
    AUTO_FREE char *host_text = hostfiles_read_host_resolv();
    AUTO_BUF struct buf hostname = BUF_INIT(4096), resolv = BUF_INIT(1 << 20);
    bool host_network = str_eq(host->network_mode, "host");
    if (str_starts(host->network_mode ? host->network_mode : "", "container:"))
        return 0;
    hostfiles_hostname(record->config.hostname ? record->config.hostname : "", &hostname);
    const char *const *dns = host->dns && host->dns[0] ? (const char *const *)host->dns : (const char *const *)container->engine->options.dns;
    struct hostfiles_resolv in = { .dns = dns, .search = (const char *const *)host->dns_search, .options = (const char *const *)host->dns_options, .host_network = host_network };
    if (hostfiles_resolv(&in, host_text, &resolv, err) < 0 || write_file(dir, "hostname", &hostname, err) < 0 || write_file(dir, "resolv.conf", &resolv, err) < 0)
        return -1;
    return write_hosts(container, dir, host_network, err);
}

/* ---- plan ---- */

char **container_lowers(struct engine *engine, char *const *diff_ids)
{
    char **lowers = layer_dirs_top_first(engine, diff_ids);
    strv_append_take(&lowers, str_format("%s/init/diff", engine->options.data_root)); /* below all: gives only what the image lacks */
    return lowers;
}

static int make_plan(struct launching *l, struct err *err)
{
    struct container *container = l->container;
    struct plan_inputs inputs = { .record = &container->record, .engine = l->engine, .network_owner_dir = l->owner_dir,
                                  .upper = l->extra.upper, .work = l->extra.work, .root_volatile = l->extra.root_volatile };
    uint64_t caps;
    if (plan_caps(&container->record.host_config, &caps, err) < 0)
        return -1;
    if (seccomp_get(l->engine, &container->record.host_config, caps, &inputs.seccomp, &inputs.seccomp_length, err) < 0)
        return err_wrap(err, "prepare the seccomp filter");
    l->lowers = l->extra.lowers ? strv_dup(l->extra.lowers) : container_lowers(l->engine, container->record.diff_ids);
    inputs.lowers = l->lowers;
    return plan_make(&inputs, &l->plan, err);
}

/* ---- monitor ---- */

static int prepare_state_dir(struct launching *l, struct err *err)
{
    const char *id = l->container->record.id;
    (void)path_remove_tree_at(l->engine->exec_fd, id);
    if (mkdirat(l->engine->exec_fd, id, 0700) < 0)
        return err_sys(err, errno, "make the state directory of %.12s", id);
    int fd = openat(l->engine->exec_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, errno, "open the state directory of %.12s", id) : fd;
}

static int spawn_monitor(struct launching *l, struct err *err)
{
    struct container *container = l->container;
    int pair[2];
    AUTO_FREE char *dir = container_dir(l->engine, container->record.id);
    AUTO_FD int state_fd = prepare_state_dir(l, err);
    AUTO_FD int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    AUTO_FD int plan_fd = fd_memfd("plan", l->plan.data, l->plan.length);
    if (state_fd < 0)
        return -1;
    if (dir_fd < 0 || plan_fd < 0)
        return err_sys(err, dir_fd < 0 ? errno : -plan_fd, "prepare the monitor of %.12s", container->record.id);
    int failed = fd_socketpair(SOCK_SEQPACKET, pair);
    if (failed < 0)
        return err_sys(err, failed, "make a socket for the monitor");
    AUTO_FD int theirs = pair[1];
    l->sock = pair[0];
    char name[] = "holk-monitor";
    char *argv[] = { name, container->record.id, container->record.name, NULL }, *env[] = { NULL };
    struct proc_fd fds[] = { { theirs, MON_FD_SPAWNER }, { plan_fd, MON_FD_PLAN }, { state_fd, MON_FD_STATE }, { dir_fd, MON_FD_CONTAINER } };
    struct proc_spec spec = { .path = l->engine->options.monitor_path, .argv = argv, .env = env, .fds = fds, .fd_count = ARRAY_SIZE(fds), .new_session = true };
    pid_t pid;
    failed = proc_spawn(&spec, &pid, NULL);
    if (failed < 0)
        return err_sys(err, failed, "start %s", l->engine->options.monitor_path);
    mutex_lock(&l->engine->lock);
    l->engine->monitors = xreallocarray(l->engine->monitors, l->engine->monitor_count + 1, sizeof pid);
    l->engine->monitors[l->engine->monitor_count++] = pid;
    mutex_unlock(&l->engine->lock);
    return 0;
}

void monitors_reap(struct engine *engine)
{
    mutex_lock(&engine->lock);
    for (size_t i = 0; i < engine->monitor_count;) {
        if (waitpid(engine->monitors[i], NULL, WNOHANG) == 0)
            i++;
        else
            engine->monitors[i] = engine->monitors[--engine->monitor_count];
    }
    mutex_unlock(&engine->lock);
}

static int hello(int sock, struct err *err)
{
    struct mon_hello greeting = { .protocol = MON_PROTOCOL, .pid = (uint32_t)getpid() };
    str_copy(greeting.build, sizeof greeting.build, HOLK_VERSION);
    int failed = mon_send(sock, MON_HELLO, 1, &greeting, sizeof greeting, NULL, 0, NULL, 0);
    return failed < 0 ? err_sys(err, failed, "greet the monitor") : 0;
}

static int send_parked(struct launching *l, struct err *err)
{
    struct container *container = l->container;
    mutex_lock(&l->engine->lock);
    struct parked_attach *parked = take_ptr(&container->parked);
    mutex_unlock(&l->engine->lock);
    int result = 0;
    while (parked) {
        struct parked_attach *next = parked->next;
        struct monitor_reply reply;
        struct err failure = { 0 };
        if (monitor_request_on(l->sock, MON_ATTACH, &parked->attach, sizeof parked->attach, parked->early, parked->attach.early_length, &parked->fd, 1, &reply, &failure) < 0)
            log_warn("container=%.12s attach error=%s", container->record.id, failure.text);
        monitor_reply_done(&reply);
        fd_close(parked->fd);
        free(parked->early);
        free(parked);
        parked = next;
    }
    (void)err;
    return result;
}

static void give_listeners(struct launching *l)
{
    const char *address;
    void *value;
    mutex_lock(&l->engine->lock);
    for (size_t cursor = 0; map_next(l->engine->kept_listeners, &cursor, &address, &value);) {
        struct mon_listener message = { 0 };
        struct monitor_reply reply;
        struct err ignored = { 0 };
        int fd = (int)(intptr_t)value - 1;
        str_copy(message.path, sizeof message.path, address);
        if (monitor_request_on(l->sock, MON_LISTENER, &message, sizeof message, NULL, 0, &fd, 1, &reply, &ignored) == 0)
            monitor_reply_done(&reply);
    }
    mutex_unlock(&l->engine->lock);
}

#define START_PREFIX "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: "

static int send_start(struct launching *l, struct err *err)
{
    struct mon_start start = { .ns_slots = (uint32_t)l->ns_count, .has_netns = l->netns_fd >= 0 };
    struct monitor_reply reply;
    int fds[NS_SLOTS + 1];
    size_t count = 0;
    for (; count < l->ns_count; count++)
        fds[count] = l->ns_fds[count];
    if (l->netns_fd >= 0)
        fds[count++] = l->netns_fd;
    int result = monitor_request_on(l->sock, MON_START, &start, sizeof start, NULL, 0, fds, count, &reply, err);
    monitor_reply_done(&reply);
    if (result == 0)
        return 0;
    bool by_payload = reply.exit_code == 126 || reply.exit_code == 127;
    l->extra.exit_code = by_payload ? reply.exit_code : 128;
    if (str_starts(err->text, "unable to find ")) /* the user or group: Docker finds that out before it asks the runtime */
        return -1;
    AUTO_FREE char *reason = xstrdup(err->text);
    return err_set(err, by_payload ? ERR_INVALID : err->kind == ERR_NONE ? ERR_INTERNAL : err->kind, START_PREFIX "%s", reason);
}

static void note_failure(struct launching *l, const struct err *err)
{
    struct container *container = l->container;
    container_network_down(container);
    mutex_lock(&l->engine->lock);
    parked_free(container);
    container->monitor_alive = false;
    container->status.code = container->status.has_started ? STATUS_EXITED : STATUS_CREATED;
    container->status.exit_code = l->extra.exit_code ? l->extra.exit_code : 128;
    free(container->status.error);
    container->status.error = xstrdup(err->text);
    container->status.pid = 0;
    container_changed_locked(container);
    mutex_unlock(&l->engine->lock);
    (void)path_remove_tree_at(l->engine->exec_fd, container->record.id);
}

/* A new monitor numbers its facts from zero. That must be on disk before its first fact can be: a daemon killed in between would skip facts. */
static uint64_t forget_facts(struct launching *l)
{
    struct container_status *status = &l->container->status;
    uint64_t ticket = 0;
    mutex_lock(&l->engine->lock);
    if (status->facts_applied || status->stopped_by_user) { /* else the row says so already */
        status->facts_applied = 0;
        status->stopped_by_user = false;
        ticket = container_changed_locked(l->container);
    }
    mutex_unlock(&l->engine->lock);
    return ticket;
}

/* Its addresses and ports must be on disk before it can run: a daemon killed in between would give them to somebody else. */
static int network_up(struct launching *l, uint64_t *ret_ticket, struct err *err)
{
    if (container_network_up(l->container, &l->netns_fd, err) < 0)
        return -1;
    mutex_lock(&l->engine->lock);
    container_save_record_locked(l->container, ret_ticket);
    mutex_unlock(&l->engine->lock);
    return 0;
}

static int launch(struct launching *l, struct err *err)
{
    struct container *container = l->container;
    uint64_t forgotten = forget_facts(l), saved = 0;
    if (join_namespaces(l, err) < 0 || network_up(l, &saved, err) < 0 || write_etc(container, err) < 0 || make_plan(l, err) < 0 ||
        spawn_monitor(l, err) < 0 || hello(l->sock, err) < 0)
        return -1;
    mutex_lock(&l->engine->lock);
    container->monitor_alive = true;
    container->monitor_ended = false;
    mutex_unlock(&l->engine->lock);
    if (send_parked(l, err) < 0 || db_wait(l->engine->db, forgotten, err) < 0 || db_wait(l->engine->db, saved, err) < 0)
        return -1;
    return send_start(l, err);
}

int container_launch_extra(struct container *container, struct container_start_extra *extra, struct err *err)
{
    struct launching l = { .container = container, .engine = container->engine, .netns_fd = -1, .sock = -1, .plan = BUF_INIT(PLAN_MAX), .extra = *extra };
    mutex_lock(&l.engine->lock);
    while (container->monitor_alive) /* the last run's monitor is still flushing */
        cond_wait(&l.engine->changed, &l.engine->lock);
    mutex_unlock(&l.engine->lock);
    int result = launch(&l, err);
    if (result < 0) {
        note_failure(&l, err);
        monitors_reap(l.engine); /* the last failure's: this one is still ending */
    } else {
        if (!container->record.hidden) /* it ends with this daemon */
            give_listeners(&l);
        (void)facts_sync(container);
        facts_watch(container, take_fd(&l.sock));
    }
    extra->exit_code = l.extra.exit_code;
    launching_done(&l);
    return result;
}

int container_launch(struct container *container, struct err *err)
{
    struct container_start_extra extra = { 0 };
    return container_launch_extra(container, &extra, err);
}
