/* update, prune, info, version, disk usage. */
#include "daemon/engine/monitor_link.h"
#include "daemon/engine/plan_parts.h"
#include "lib/base/fd.h"
#include "lib/base/io.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

char *container_cgroup_path(const struct container *container)
{
    const char *parent = container->record.host_config.resources.cgroup_parent;
    if (str_empty(parent))
        parent = container->engine->options.cgroup_parent;
    return str_format("%s%s/%s", parent[0] == '/' ? "" : "/", parent, container->record.id);
}

/* ---- update ---- */

static int write_limits(struct container *container, const struct host_config *host, struct err *err)
{
    struct plan_build *build = xcalloc(1, sizeof *build);
    AUTO_BUF struct buf body = BUF_INIT(65536);
    struct monitor_reply reply;
    int result = plan_resources(build, &container->engine->cgroups, host, NULL, err);
    for (size_t i = 0; result == 0 && i < build->plan.cgroup_write_count; i++) {
        const struct plan_cgroup_write *write = &build->plan.cgroup_writes[i];
        buf_append(&body, write->controller, strlen(write->controller) + 1);
        buf_append(&body, write->file, strlen(write->file) + 1);
        buf_append(&body, write->value, strlen(write->value) + 1);
    }
    strv_free(build->texts);
    free(build);
    if (result < 0 || !body.length)
        return result;
    result = monitor_request(container->engine->options.exec_root, container->record.id, MON_CGROUP, body.data, body.length, NULL, 0, &reply, err);
    monitor_reply_done(&reply);
    return result;
}

static void merge_limits(struct resources *to, const struct resources *from)
{
    int64_t *const own[] = { &to->cpu_shares, &to->memory, &to->nano_cpus, &to->cpu_period, &to->cpu_quota, &to->memory_reservation, &to->memory_swap };
    const int64_t theirs[] = { from->cpu_shares, from->memory, from->nano_cpus, from->cpu_period, from->cpu_quota, from->memory_reservation, from->memory_swap };
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        if (theirs[i])
            *own[i] = theirs[i];
    if (from->pids_limit.present)
        to->pids_limit = from->pids_limit;
    if (!str_empty(from->cpuset_cpus)) {
        free(to->cpuset_cpus);
        to->cpuset_cpus = xstrdup(from->cpuset_cpus);
    }
    if (!str_empty(from->cpuset_mems)) {
        free(to->cpuset_mems);
        to->cpuset_mems = xstrdup(from->cpuset_mems);
    }
}

int engine_container_update(struct engine *engine, const char *ref, const struct container_update_request *request, struct container_update_response *ret, struct err *err)
{
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    struct host_config host;
    struct mon_policy policy;
    uint64_t ticket;
    if (!container)
        return -1;
    codec_copy(&host_config_type, &host, &container->record.host_config);
    merge_limits(&host.resources, &request->resources);
    bool new_policy = !str_empty(request->restart_policy.name);
    if (new_policy) {
        free(host.restart_policy.name);
        host.restart_policy = (struct restart_policy){ xstrdup(request->restart_policy.name), request->restart_policy.maximum_retry_count };
    }
    int result = plan_restart_policy(&host.restart_policy, host.auto_remove, &policy.restart, err);
    policy.restart_max = (uint32_t)host.restart_policy.maximum_retry_count;
    if (result == 0 && container_is_running(container))
        result = write_limits(container, &host, err);
    if (result == 0 && new_policy && container_is_running(container)) {
        struct monitor_reply reply;
        result = monitor_request(engine->options.exec_root, container->record.id, MON_POLICY, &policy, sizeof policy, NULL, 0, &reply, err);
        monitor_reply_done(&reply);
    }
    if (result == 0) {
        mutex_lock(&engine->lock);
        codec_clear(&host_config_type, &container->record.host_config);
        container->record.host_config = host;
        host = (struct host_config){ 0 };
        container_event_locked(container, "update", NULL, 0);
        container_save_record_locked(container, &ticket);
        mutex_unlock(&engine->lock);
        result = db_wait(engine->db, ticket, err);
    }
    codec_clear(&host_config_type, &host);
    *ret = (struct container_update_response){ 0 };
    return result;
}

/* ---- prune ---- */

int engine_container_prune(struct engine *engine, const struct filters *filters, struct container_prune_response *ret, struct err *err)
{
    static const char *const allowed[] = { "label", "label!", "until", NULL };
    char *const *until = filters_get(filters, "until");
    int64_t limit = INT64_MAX;
    char **ids = NULL;
    void *value;
    if (filters_check(filters, allowed, err) < 0)
        return -1;
    if (until && time_parse_docker(until[0], time_now_unix_ns(), &limit) < 0)
        return err_set(err, ERR_INVALID, "failed to parse value as time or duration: \"%s\"", until[0]);
    *ret = (struct container_prune_response){ 0 };
    mutex_lock(&engine->lock);
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        const struct container *container = value;
        if (!container_is_running(container) && !container->record.hidden && container->record.created_unix_ns < limit &&
            filters_match_labels(filters, "label", &container->record.config.labels) && !filters_excludes_labels(filters, "label!", &container->record.config.labels))
            strv_append(&ids, container->record.id);
    }
    mutex_unlock(&engine->lock);
    for (size_t i = 0; ids && ids[i]; i++) {
        struct err failure = { 0 };
        unsigned long long bytes = 0, entries = 0;
        AUTO_FREE char *diff = str_format("containers/%s/diff", ids[i]);
        (void)path_disk_usage_at(engine->data_fd, diff, &bytes, &entries);
        if (engine_container_remove(engine, ids[i], false, false, false, &failure) < 0)
            continue;
        strv_append(&ret->containers_deleted, ids[i]);
        ret->space_reclaimed += entries > 1 ? (int64_t)bytes : 0;
    }
    strv_free(ids);
    return 0;
}

/* ---- version and info ---- */

void engine_version(struct engine *engine, struct version *ret)
{
    struct utsname host;
    (void)engine;
    uname(&host);
    memset(ret, 0, sizeof *ret);
    ret->platform.name = xstrdup("holk");
    ret->version = xstrdup("28.5.2+holk" HOLK_VERSION);
    ret->api_version = xstrdup("1.51");
    ret->min_api_version = xstrdup("1.24");
    ret->git_commit = xstrdup(HOLK_VERSION);
    ret->go_version = xstrdup("none (C)");
    ret->os = xstrdup("linux");
    ret->arch = xstrdup("amd64");
    ret->kernel_version = xstrdup(host.release);
    ret->build_time = xstrdup("1970-01-01T00:00:00.000000000+00:00");
    struct version_component *component = list_add(&ret->components);
    *component = (struct version_component){ .name = xstrdup("Engine"), .version = xstrdup(ret->version) };
    const char *const details[][2] = { { "ApiVersion", "1.51" }, { "Arch", "amd64" }, { "BuildTime", ret->build_time }, { "Experimental", "false" }, { "GitCommit", HOLK_VERSION },
                                       { "GoVersion", ret->go_version }, { "KernelVersion", ret->kernel_version }, { "MinAPIVersion", "1.24" }, { "Os", "linux" } };
    for (size_t i = 0; i < ARRAY_SIZE(details); i++)
        str_map_set(&component->details, details[i][0], details[i][1]);
}

static char *os_name(void)
{
    AUTO_FREE char *text = NULL;
    if (io_read_file_at(AT_FDCWD, "/etc/os-release", 65536, &text, NULL) < 0)
        return xstrdup("Linux");
    char *at = strstr(text, "PRETTY_NAME=\"");
    if (!at)
        return xstrdup("Linux");
    at += strlen("PRETTY_NAME=\"");
    return xstrndup(at, strcspn(at, "\""));
}

static void count_containers(struct engine *engine, struct info *ret)
{
    void *value;
    mutex_lock(&engine->lock);
    for (size_t cursor = 0; map_next(engine->containers, &cursor, NULL, &value);) {
        const struct container *container = value;
        if (container->record.hidden)
            continue;
        ret->containers++;
        if (container->status.code == STATUS_PAUSED)
            ret->containers_paused++;
        else if (container_is_running(container))
            ret->containers_running++;
        else
            ret->containers_stopped++;
    }
    size_t images;
    (void)store_images(engine->store, &images);
    ret->images = (int64_t)images;
    ret->n_events_listener = (int64_t)engine->events.listener_count;
    mutex_unlock(&engine->lock);
}

static void fill_plugins(struct info *ret)
{
    static const char *const networks[] = { "bridge", "host", "null" }, *const logs[] = { "json-file" };
    strv_append(&ret->plugins.volume, "local");
    for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
        strv_append(&ret->plugins.network, networks[i]);
    for (size_t i = 0; i < ARRAY_SIZE(logs); i++)
        strv_append(&ret->plugins.log, logs[i]);
}

static void fill_registry(struct engine *engine, struct info *ret)
{
    struct index_info *index = obj_map_add(&ret->registry_config.index_configs, "docker.io", sizeof *index);
    *index = (struct index_info){ .mirrors = engine_list_setting(engine, &engine->settings.registry_mirrors), .name = xstrdup("docker.io"), .official = true, .secure = true };
    strv_append(&ret->registry_config.insecure_registry_cidrs, "::1/128");
    strv_append(&ret->registry_config.insecure_registry_cidrs, "127.0.0.0/8");
    ret->registry_config.mirrors = engine_list_setting(engine, &engine->settings.registry_mirrors);
    ret->index_server_address = xstrdup("https://index.docker.io/v1/");
}

/* Docker's names for what the data root lies on. */
static const char *backing_file_system(int dir_fd)
{
    static const struct {
        long magic;
        const char *name;
    } known[] = { { 0xef53, "extfs" }, { 0x58465342, "xfs" }, { 0x9123683e, "btrfs" }, { 0x2fc12fc1, "zfs" }, { 0x01021994, "tmpfs" }, { (long)0xf2f52010, "f2fs" } };
    struct statfs info;
    for (size_t i = 0; fstatfs(dir_fd, &info) == 0 && i < ARRAY_SIZE(known); i++)
        if (info.f_type == known[i].magic)
            return known[i].name;
    return "<unknown>";
}

void engine_info(struct engine *engine, struct info *ret)
{
    struct utsname host;
    struct sysinfo memory;
    char hint[512] = "";
    uname(&host);
    sysinfo(&memory);
    memset(ret, 0, sizeof *ret);
    count_containers(engine, ret);
    fill_plugins(ret);
    fill_registry(engine, ret);
    const struct cgroup_layout *cgroups = &engine->cgroups;
    ret->id = xstrdup(engine->engine_id);
    ret->driver = xstrdup("overlay2");
    const char *const status[][2] = { { "Backing Filesystem", backing_file_system(engine->data_fd) }, { "Supports d_type", "true" }, { "Using metacopy", "false" }, { "Native Overlay Diff", "true" }, { "userxattr", "false" } };
    for (size_t i = 0; i < ARRAY_SIZE(status); i++)
        rows_add_pair(&ret->driver_status, status[i][0], status[i][1]);
    ret->memory_limit = ret->swap_limit = cgroup_find(cgroups, "memory") != NULL;
    ret->cpu_cfs_period = ret->cpu_cfs_quota = ret->cpu_shares = cgroup_find(cgroups, "cpu") != NULL;
    ret->cpu_set = cgroup_find(cgroups, "cpuset") != NULL;
    ret->pids_limit = cgroup_find(cgroups, "pids") != NULL;
    ret->oom_kill_disable = !cgroups->pure_v2;
    ret->ipv4_forwarding = true;
    ret->debug = engine->settings.debug;
    ret->system_time = time_now_unix_ns();
    ret->logging_driver = xstrdup("json-file");
    ret->cgroup_driver = xstrdup("cgroupfs");
    ret->cgroup_version = xstrdup(cgroups->pure_v2 ? "2" : "1");
    ret->kernel_version = xstrdup(host.release);
    ret->operating_system = os_name();
    ret->os_type = xstrdup("linux");
    ret->architecture = xstrdup(host.machine);
    ret->ncpu = sysconf(_SC_NPROCESSORS_ONLN);
    ret->mem_total = (int64_t)memory.totalram * memory.mem_unit;
    ret->docker_root_dir = xstrdup(engine->options.data_root);
    ret->name = xstrdup(host.nodename);
    ret->labels = engine_list_setting(engine, &engine->settings.labels);
    ret->server_version = xstrdup("28.5.2+holk" HOLK_VERSION);
    struct runtime_info *runtime = obj_map_add(&ret->runtimes, "runc", sizeof *runtime);
    runtime->path = xstrdup("runc");
    ret->default_runtime = xstrdup("runc");
    ret->swarm.local_node_state = xstrdup("inactive");
    ret->live_restore_enabled = true;
    ret->init_binary = xstrdup("docker-init");
    strv_append(&ret->security_options, "name=seccomp,profile=builtin");
    if (cgroups->pure_v2)
        strv_append(&ret->security_options, "name=cgroupns");
    ret->firewall_backend = xcalloc(1, sizeof *ret->firewall_backend);
    ret->firewall_backend->driver = xstrdup("nftables");
    net_foreign_firewall_hint(engine->net, hint, sizeof hint);
    if (hint[0])
        strv_append(&ret->warnings, hint);
}

/* ---- disk usage ---- */

int engine_disk_usage(struct engine *engine, struct buf *out, struct err *err)
{
    int64_t layers_size = 0;
    AUTO_BUF struct buf images = BUF_INIT(BUF_TEXT_MAX), containers = BUF_INIT(BUF_TEXT_MAX);
    struct filters none = { 0 };
    struct volume_list_response volumes;
    if (engine_image_list(engine, false, false, true, &none, &images, err) < 0 || engine_container_list(engine, true, 0, true, &none, &containers, err) < 0 ||
        engine_volume_list(engine, &none, &volumes, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    size_t cursor = 0;
    for (struct store_layer *layer; (layer = store_layer_next(engine->store, &cursor));)
        layers_size += layer->size;
    mutex_unlock(&engine->lock);
    for (size_t i = 0; i < volumes.volumes.count; i++) {
        struct volume *volume = &volumes.volumes.items[i];
        unsigned long long bytes = 0, entries = 0;
        volume->usage_data = xcalloc(1, sizeof *volume->usage_data);
        mutex_lock(&engine->lock);
        volume->usage_data->ref_count = (int64_t)volume_users_locked(engine, volume->name, NULL);
        mutex_unlock(&engine->lock);
        if (path_disk_usage_at(AT_FDCWD, volume->mountpoint, &bytes, &entries) == 0)
            volume->usage_data->size = (int64_t)bytes;
    }
    buf_printf(out, "{\"LayersSize\":%lld,\"Images\":%s,\"Containers\":%s,\"Volumes\":", (long long)layers_size, images.data, containers.data);
    codec_encode_list(&volume_type, volumes.volumes.items, volumes.volumes.count, out);
    buf_puts(out, ",\"BuildCache\":");
    build_cache_list(engine, out);
    buf_putc(out, '}');
    codec_clear(&volume_list_response_type, &volumes);
    return 0;
}
