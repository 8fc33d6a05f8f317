/* Create and remove. Create: check, merge image and request, claim the name, make directories and volumes, commit the row; each step is undone
 * when a later one fails. Remove: out of the maps and the database first, then the files by rename into the trash. */
#include "daemon/engine/config.h"
#include "daemon/engine/mounts.h"
#include "daemon/engine/plan_parts.h"
#include "lib/base/fd.h"
#include "lib/base/id.h"
#include "lib/base/path.h"
#include "lib/base/timefmt.h"
#include "lib/oci/image.h"
#include "lib/oci/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- merging ---- */

/* [""] as entrypoint: the client wants none. */
static void normalise_entrypoint(struct container_config *config)
{
    if (config->entrypoint && config->entrypoint[0] && !config->entrypoint[0][0] && !config->entrypoint[1]) {
        free(config->entrypoint[0]);
        config->entrypoint[0] = NULL;
    }
}

static int merge_image(struct container_config *config, const struct image_config_config *image, struct err *err)
{
    config_merge(config, image);
    normalise_entrypoint(config);
    if (!config->shell)
        config->shell = strv_dup(image->shell);
    if ((!config->cmd || !config->cmd[0]) && (!config->entrypoint || !config->entrypoint[0]))
        return err_set(err, ERR_INVALID, "no command specified");
    return 0;
}

static void split_command(struct container_record *record)
{
    char **all = NULL;
    strv_extend(&all, record->config.entrypoint);
    strv_extend(&all, record->config.cmd);
    record->path = xstrdup(all[0]);
    record->args = strv_dup(all + 1);
    strv_free(all);
}

static void clean_working_dir(struct container_record *record)
{
    if (str_empty(record->config.working_dir))
        return;
    char *clean = path_clean(record->config.working_dir);
    free(record->config.working_dir);
    record->config.working_dir = clean;
}

static void put_text(char **slot, const char *text)
{
    if (str_empty(*slot)) {
        free(*slot);
        *slot = xstrdup(text);
    }
}

void container_host_defaults(struct engine *engine, struct host_config *host)
{
    put_text(&host->network_mode, "bridge");
    if (str_eq(host->network_mode, "default")) {
        free(host->network_mode);
        host->network_mode = xstrdup("bridge");
    }
    put_text(&host->restart_policy.name, "no");
    put_text(&host->log_config.type, "json-file");
    put_text(&host->ipc_mode, "private");
    put_text(&host->runtime, "runc");
    put_text(&host->cgroupns_mode, engine->cgroups.pure_v2 ? "private" : "host");
    if (host->shm_size <= 0)
        host->shm_size = 67108864;
    if (host->resources.memory > 0 && host->resources.memory_swap == 0)
        host->resources.memory_swap = host->resources.memory * 2;
    struct plan_security security;
    struct err ignored = { 0 };
    bool open = host->privileged || (plan_security_opts(host, &security, &ignored) == 0 && security.systempaths_unconfined);
    if (!open && !host->masked_paths)
        for (size_t i = 0; plan_masked_paths[i]; i++)
            strv_append(&host->masked_paths, plan_masked_paths[i]);
    if (!open && !host->readonly_paths)
        for (size_t i = 0; plan_readonly_paths[i]; i++)
            strv_append(&host->readonly_paths, plan_readonly_paths[i]);
    host_config_complete(host);
}

/* With another container's network comes its host name, as its /etc/hostname does. */
static int shared_host_name(struct engine *engine, struct container_record *record, const char *ref, struct err *err)
{
    mutex_lock(&engine->lock);
    const struct container *other = container_find_locked(engine, ref, err);
    if (other) {
        free(record->config.hostname);
        record->config.hostname = xstrdup(other->record.config.hostname);
        free(record->config.domainname);
        record->config.domainname = xstrdup(other->record.config.domainname);
    }
    mutex_unlock(&engine->lock);
    return other ? 0 : err_wrap(err, "joining network namespace of container");
}

static int host_name(struct engine *engine, struct container_record *record, struct err *err)
{
    struct utsname host;
    const struct host_config *config = &record->host_config;
    const char *owner = str_after(config->network_mode, "container:");
    if (owner)
        return shared_host_name(engine, record, owner, err);
    if (!str_empty(record->config.hostname))
        return 0;
    free(record->config.hostname);
    if ((str_eq(config->network_mode, "host") || str_eq(config->uts_mode, "host")) && uname(&host) == 0)
        record->config.hostname = xstrdup(host.nodename);
    else
        record->config.hostname = xstrndup(record->id, ID_SHORT_LENGTH);
    return 0;
}

/* ---- checks ---- */

struct refusal {
    bool present;
    const char *name;
};

static int refuse_missing(const struct host_config *host, const struct container_config *config, struct err *err)
{
    const struct refusal fields[] = {
        { host->links && host->links[0], "HostConfig.Links" },
        { str_map_count(&host->storage_opt) > 0, "HostConfig.StorageOpt" },
        { !str_empty(host->userns_mode) && !str_eq(host->userns_mode, "host"), "HostConfig.UsernsMode" },
        { !str_empty(host->isolation) && !str_eq(host->isolation, "default"), "HostConfig.Isolation" },
        { !str_empty(host->volume_driver) && !str_eq(host->volume_driver, "local"), "HostConfig.VolumeDriver" },
        { !str_empty(host->cgroup), "HostConfig.Cgroup" },
        { config->network_disabled, "NetworkDisabled" },
        { !str_empty(host->runtime) && !str_eq(host->runtime, "runc") && !str_eq(host->runtime, "io.containerd.runc.v2"), "HostConfig.Runtime" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (fields[i].present)
            return err_set(err, ERR_UNSUPPORTED, "%s is not supported yet", fields[i].name);
    return 0;
}

static int check_config(const struct container_config *config, struct err *err)
{
    int signal, proto;
    uint16_t port;
    if (!str_empty(config->working_dir) && config->working_dir[0] != '/')
        return err_set(err, ERR_INVALID, "the working directory '%s' is invalid, it needs to be an absolute path", config->working_dir);
    if (!str_empty(config->stop_signal) && signal_parse(config->stop_signal, &signal, err) < 0)
        return -1;
    if (config->stop_timeout.present && config->stop_timeout.value < -1)
        return err_set(err, ERR_INVALID, "invalid StopTimeout: %lld", (long long)config->stop_timeout.value);
    for (size_t i = 0; config->env && config->env[i]; i++)
        if (!config->env[i][0] || config->env[i][0] == '=')
            return err_set(err, ERR_INVALID, "invalid environment variable: %s", config->env[i]);
    for (size_t i = 0; config->exposed_ports && config->exposed_ports[i]; i++)
        if (net_port_parse(config->exposed_ports[i], &proto, &port, err) < 0)
            return -1;
    if (!str_empty(config->hostname) && strlen(config->hostname) > 63)
        return err_set(err, ERR_INVALID, "invalid hostname '%s': longer than 63 characters", config->hostname);
    return 0;
}

static int check_networks(struct engine *engine, struct container_record *record, const struct networking_config *config, struct err *err)
{
    const char *own = network_of_mode(record->host_config.network_mode);
    size_t count = config ? obj_map_count(&config->endpoints_config) : 0;
    if (!own && count > 0)
        return err_set(err, ERR_CONFLICT, "conflicting options: container type network can't be used with links or endpoints");
    if (own && (str_eq(own, "host") || str_eq(own, "none")) && record->config.mac_address && record->config.mac_address[0] && str_eq(own, "host"))
        return err_set(err, ERR_INVALID, "conflicting options: mac-address and the network mode");
    for (size_t i = 0; i < count; i++) {
        const struct endpoint_settings *asked = config->endpoints_config.values[i];
        mutex_lock(&engine->lock);
        struct network_record *network = network_find_locked(engine, config->endpoints_config.keys[i], err);
        AUTO_FREE char *name = network ? xstrdup(network->record.name) : NULL;
        mutex_unlock(&engine->lock);
        if (!name && !(i == 0 && str_eq(config->endpoints_config.keys[i], "default")))
            return -1;
        err_clear(err);
        struct endpoint_settings *mine = obj_map_add(&record->networks, name ? name : "bridge", sizeof *mine);
        if (asked) {
            codec_clear(&endpoint_settings_type, mine);
            codec_copy(&endpoint_settings_type, mine, asked);
        }
    }
    if (!own)
        return 0;
    mutex_lock(&engine->lock);
    struct network_record *network = network_find_locked(engine, own, err);
    AUTO_FREE char *name = network ? xstrdup(network->record.name) : NULL;
    mutex_unlock(&engine->lock);
    if (!name) {
        err_clear(err); /* Docker finds that out at start */
        name = xstrdup(own);
    }
    (void)obj_map_add(&record->networks, name, sizeof(struct endpoint_settings));
    if (!str_empty(record->config.mac_address)) {
        struct endpoint_settings *mine = obj_map_get(&record->networks, name);
        if (str_empty(mine->mac_address)) {
            free(mine->mac_address);
            mine->mac_address = xstrdup(record->config.mac_address);
        }
    }
    return 0;
}

/* ---- names ---- */

static void draw_name(char ret[40])
{
    static const char *const moods[] = { "able", "brisk", "calm", "daring", "eager", "fair", "glad", "hardy", "keen", "lively", "merry", "neat", "proud", "quick", "ready", "steady", "tidy", "upright", "vivid", "warm", "young", "zesty" };
    static const char *const ships[] = { "anchor", "bowsprit", "capstan", "deck", "ensign", "forestay", "galley", "halyard", "jib", "keel", "lantern", "mast", "oar", "pennant", "quay", "rudder", "sail", "tiller", "wake", "yard" };
    unsigned char random[4];
    char hex[9];
    uint64_t bits = 0;
    id_random_hex(hex, 8);
    (void)str_to_u64_base(hex, 16, &bits);
    memcpy(random, &bits, sizeof random);
    snprintf(ret, 40, "%s_%s", moods[random[0] % ARRAY_SIZE(moods)], ships[random[1] % ARRAY_SIZE(ships)]);
}

static int claim_name_locked(struct engine *engine, struct container *container, const char *wanted, struct err *err)
{
    const char *bare = wanted && wanted[0] == '/' ? wanted + 1 : wanted;
    char drawn[48];
    if (!str_empty(bare)) {
        struct container *holder = map_get(engine->container_names, bare);
        if (holder)
            return err_set(err, ERR_CONFLICT, "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or rename) that container to be able to reuse that name.",
                           bare, holder->record.id);
        container->record.name = xstrdup(bare);
    } else {
        for (unsigned n = 0;; n++) {
            draw_name(drawn);
            if (n > 4)
                snprintf(drawn + strlen(drawn), 8, "%u", n % 100000);
            if (!map_get(engine->container_names, drawn))
                break;
        }
        container->record.name = xstrdup(drawn);
    }
    map_set(engine->container_names, container->record.name, container);
    return 0;
}

/* ---- create ---- */

int container_make_dirs(struct container *container, struct err *err)
{
    struct engine *engine = container->engine;
    static const char *const names[] = { "", "/diff", "/work" };
    static const mode_t modes[] = { 0710, 0755, 0700 };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        AUTO_FREE char *path = str_format("containers/%s%s", container->record.id, names[i]);
        if (mkdirat(engine->data_fd, path, modes[i]) < 0)
            return err_sys(err, errno, "make %s", path);
    }
    return 0;
}

/* The root directory's own mode and owner come from the image's topmost layer that has them: overlay takes the upper's. */
static void copy_root_mode(struct container *container)
{
    struct stat info;
    char *const *ids = container->record.diff_ids;
    size_t count = strv_length(ids);
    AUTO_FREE char *diff = str_format("containers/%s/diff", container->record.id);
    AUTO_FREE char *top = count ? store_layer_path(container->engine->store, ids[count - 1]) : NULL;
    if (top && stat(top, &info) == 0 && (fchmodat(container->engine->data_fd, diff, info.st_mode & 07777, 0) < 0 ||
                                         fchownat(container->engine->data_fd, diff, info.st_uid, info.st_gid, 0) < 0))
        log_warn("container=%.12s the root directory's mode cannot be set", container->record.id);
}

/* One platform per name: the image that is there must be it. */
static int check_platform(const char *reference, const struct platform *wanted, const struct oci_image *image, struct err *err)
{
    struct platform own;
    char own_text[128], wanted_text[128];
    platform_from(image->os, image->architecture, image->variant, &own);
    if (platform_equal(wanted, &own) || platform_match(wanted, &own))
        return 0;
    platform_format(&own, own_text, sizeof own_text);
    platform_format(wanted, wanted_text, sizeof wanted_text);
    return err_set(err, ERR_NOT_FOUND, "image with reference %s was found but its platform (%s) does not match the specified platform (%s)", reference, own_text, wanted_text);
}

static int from_image(struct engine *engine, struct container *container, const char *reference, const char *platform, struct err *err)
{
    struct store_image *image;
    AUTO_FREE char *id = NULL, *text = NULL;
    size_t length = 0;
    struct platform wanted = { 0 };
    if (!str_empty(platform) && platform_parse(platform, &wanted, err) < 0)
        return -1;
    if (str_empty(reference))
        return err_set(err, ERR_INVALID, "no image specified");
    mutex_lock(&engine->lock);
    int found = store_image_find(engine->store, reference, &image, err);
    if (found == 0) {
        id = xstrdup(image->id);
        container->record.diff_ids = strv_dup(image->diff_ids);
        container->lease = store_lease_new(engine->store, "container");
        store_lease_pin(container->lease, image->id);
        store_lease_pin_all(container->lease, image->diff_ids);
    }
    mutex_unlock(&engine->lock);
    if (found < 0 || store_image_config(engine->store, id, &text, &length, err) < 0)
        return -1;
    struct oci_image config;
    if (oci_image_decode(text, length, &config, err) < 0)
        return err_wrap(err, "image %s", reference);
    if (!str_empty(platform) && check_platform(reference, &wanted, &config, err) < 0) {
        codec_clear(&oci_image_type, &config);
        return -1;
    }
    container->record.image_id = xstrdup(id);
    container->record.image_ref = xstrdup(reference);
    container->record.platform = xstrdup(str_empty(config.os) ? "linux" : config.os);
    static const struct image_config_config nothing;
    int merged = merge_image(&container->record.config, config.config ? config.config : &nothing, err);
    codec_clear(&oci_image_type, &config);
    return merged;
}

static void drop_created(struct container *container, char **volumes)
{
    struct engine *engine = container->engine;
    AUTO_FREE char *path = str_format("containers/%s", container->record.id);
    struct err ignored = { 0 };
    mutex_lock(&engine->lock);
    if (container->record.name)
        container_forget_locked(container);
    mutex_unlock(&engine->lock);
    (void)path_remove_tree_at(engine->data_fd, path);
    for (size_t i = 0; volumes && volumes[i]; i++)
        (void)engine_volume_remove(engine, volumes[i], true, &ignored);
    mutex_lock(&engine->lock);
    store_lease_free(container->lease);
    container->removed = true;
    container_unref_locked(container);
    mutex_unlock(&engine->lock);
}

static int fill(struct engine *engine, struct container *container, const char *name, const char *platform, const struct container_create_request *request,
                char ***volumes, char ***warnings, struct err *err)
{
    struct container_record *record = &container->record;
    char id[ID_LENGTH + 1];
    id_new(id);
    record->id = xstrdup(id);
    record->created_unix_ns = time_now_unix_ns();
    codec_copy(&container_config_type, &record->config, &request->config);
    if (request->host_config)
        codec_copy(&host_config_type, &record->host_config, request->host_config);
    container_host_defaults(engine, &record->host_config);
    if (!str_empty(name) && container_name_check(name, err) < 0)
        return -1;
    if (check_config(&record->config, err) < 0 || refuse_missing(&record->host_config, &record->config, err) < 0)
        return -1;
    if (from_image(engine, container, record->config.image, platform, err) < 0)
        return -1;
    split_command(record);
    clean_working_dir(record);
    if (host_name(engine, record, err) < 0 || container_check_ports(record, err) < 0 || check_networks(engine, record, request->networking_config, err) < 0 || plan_check(engine, record, warnings, err) < 0)
        return -1;
    mutex_lock(&engine->lock);
    int named = claim_name_locked(engine, container, name, err);
    mutex_unlock(&engine->lock);
    if (named < 0 || container_make_dirs(container, err) < 0)
        return -1;
    copy_root_mode(container);
    if (mounts_resolve(engine, record, volumes, err) < 0)
        return -1;
    return plan_check(engine, record, NULL, err);
}

int container_create_internal(struct engine *engine, const char *name, const char *platform, const struct container_create_request *request, bool hidden,
                              struct container **ret, char ***warnings, struct err *err)
{
    struct container *container = xcalloc(1, sizeof *container);
    char **volumes = NULL;
    uint64_t ticket;
    container->engine = engine;
    container->monitor_sock = -1;
    container->refs = 1;
    container->record.hidden = hidden;
    mutex_init(&container->facts_lock);
    if (fill(engine, container, name, platform, request, &volumes, warnings, err) < 0) {
        drop_created(container, volumes);
        strv_free(volumes);
        return -1;
    }
    strv_free(volumes);
    mutex_lock(&engine->lock);
    map_set(engine->containers, container->record.id, container);
    container_save_record_locked(container, &ticket);
    container_event_locked(container, "create", NULL, 0);
    mutex_unlock(&engine->lock);
    if (db_wait(engine->db, ticket, err) < 0) {
        drop_created(container, NULL);
        return -1;
    }
    *ret = container;
    return 0;
}

int engine_container_create(struct engine *engine, const char *name, const char *platform, const struct container_create_request *request,
                            struct container_create_response *ret, struct err *err)
{
    CLEANUP(container_unref) struct container *container = NULL;
    char **warnings = NULL;
    if (container_create_internal(engine, name, platform, request, false, &container, &warnings, err) < 0) {
        strv_free(warnings);
        return -1;
    }
    *ret = (struct container_create_response){ .id = xstrdup(container->record.id), .warnings = warnings ? warnings : xcalloc(1, sizeof *warnings) };
    return 0;
}

/* ---- remove ---- */

static void remove_volumes(struct container *container)
{
    struct err ignored = { 0 };
    for (size_t i = 0; i < container->record.mounts.count; i++) {
        const struct mount_record *mount = &container->record.mounts.items[i];
        mutex_lock(&container->engine->lock);
        bool free_now = str_eq(mount->type, "volume") && mount->anonymous && volume_users_locked(container->engine, mount->name, container) == 0;
        mutex_unlock(&container->engine->lock);
        if (free_now)
            (void)engine_volume_remove(container->engine, mount->name, true, &ignored);
    }
}

int container_remove_claimed(struct container *container, bool volumes, struct err *err)
{
    struct engine *engine = container->engine;
    AUTO_FREE char *path = str_format("containers/%s", container->record.id);
    container_network_down(container);
    mutex_lock(&engine->lock);
    int64_t deadline = time_monotonic_ns() + 10 * NANOS_PER_SECOND;
    while (container->monitor_alive && !container->monitor_ended && cond_wait_until(&engine->changed, &engine->lock, deadline)) {
    }
    parked_free(container);
    if (container->execs)
        db_queue(engine->db, DB_NORMAL, "DELETE FROM execs WHERE container = ?", "s", container->record.id);
    uint64_t ticket = db_queue(engine->db, DB_NORMAL, "DELETE FROM containers WHERE id = ?", "s", container->record.id);
    container_forget_locked(container);
    container_event_locked(container, "destroy", NULL, 0);
    store_lease_free(take_ptr(&container->lease));
    container_changed_locked(container);
    mutex_unlock(&engine->lock);
    if (volumes)
        remove_volumes(container);
    int failed = store_trash_put(engine->store, engine->data_fd, path);
    if (failed < 0)
        log_warn("container=%.12s files stay behind error=%s", container->record.id, err_strerror(-failed));
    (void)path_remove_tree_at(engine->exec_fd, container->record.id);
    return db_wait(engine->db, ticket, err);
}

int engine_container_remove(struct engine *engine, const char *ref, bool force, bool volumes, bool link, struct err *err)
{
    if (link)
        return err_set(err, ERR_INVALID, "link removal is not supported: legacy links do not exist here");
    CLEANUP(container_unref) struct container *container = container_get(engine, ref, err);
    if (!container)
        return -1;
    if (container_is_running(container) && !force) {
        bool paused = container->status.code == STATUS_PAUSED;
        return err_set(err, ERR_CONFLICT, "cannot remove container \"%s\": container is %s%s", ref, container_status_name((enum container_status_code)container->status.code),
                       paused ? " and must be unpaused first" : ": stop the container before removing or force remove");
    }
    if (container_is_running(container) && engine_container_kill(engine, container->record.id, "KILL", err) < 0 && container_is_running(container))
        return err_wrap(err, "cannot remove container \"%s\": could not kill", container->record.name);
    err_clear(err);
    mutex_lock(&engine->lock);
    int claimed = container_claim_locked(container, CLAIM_REMOVE, "remove", err);
    mutex_unlock(&engine->lock);
    return claimed < 0 ? (err->kind == ERR_NOT_FOUND && container->record.host_config.auto_remove ? 0 : -1) : container_remove_claimed(container, volumes, err);
}
