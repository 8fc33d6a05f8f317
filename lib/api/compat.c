/* Every difference between API versions in one place. The rules follow what Docker 28 does when it is asked with
 * an old version in the path; each block names the version that brought the change. */
#include "lib/api/compat.h"

#include "lib/api/image_tables.h"
#include "lib/base/str.h"

#include <stdio.h>

#define NUMBER_MAX 99999L

/* ---- versions ---- */

static bool take_number(const char **at, int *ret)
{
    const char *p = *at;
    long value = 0;
    for (; *p >= '0' && *p <= '9'; p++)
        value = MIN(value * 10 + (*p - '0'), NUMBER_MAX);
    bool found = p != *at;
    *at = p;
    *ret = (int)value;
    return found;
}

/* A missing minor is 0 and further numbers say nothing, as in Docker: "1" and "1.24.1" are versions. */
int api_version_parse(const char *text, struct api_version *ret, struct err *err)
{
    struct api_version version = { 0 };
    int ignored;
    const char *p = text;
    bool good = take_number(&p, &version.major);
    for (int part = 0; good && *p == '.'; part++) {
        p++;
        good = take_number(&p, part ? &ignored : &version.minor);
    }
    if (!good || *p)
        return err_set(err, ERR_INVALID, "invalid API version: %s", text);
    *ret = version;
    return 0;
}

int api_version_check(struct api_version version, struct err *err)
{
    char text[16];
    api_version_format(version, text);
    if (api_version_compare(version, API_VERSION_MIN) < 0)
        return err_set(err, ERR_INVALID, "client version %s is too old. Minimum supported API version is " API_VERSION_MIN_TEXT
                       ", please upgrade your client to a newer version", text);
    if (api_version_compare(version, API_VERSION_MAX) > 0)
        return err_set(err, ERR_INVALID, "client version %s is too new. Maximum supported API version is " API_VERSION_MAX_TEXT, text);
    return 0;
}

int api_version_compare(struct api_version a, struct api_version b)
{
    if (a.major != b.major)
        return a.major < b.major ? -1 : 1;
    return a.minor < b.minor ? -1 : a.minor > b.minor;
}

bool api_before(struct api_version version, int minor)
{
    return api_version_compare(version, (struct api_version){ 1, minor }) < 0;
}

void api_version_format(struct api_version version, char ret[16])
{
    snprintf(ret, 16, "%d.%d", version.major, version.minor);
}

/* ---- create ---- */

static void forget_string(char **slot)
{
    free(*slot);
    *slot = NULL;
}

static void forget_object(const struct codec_type *type, void *slot)
{
    void **object = slot;
    if (*object)
        codec_clear(type, *object);
    free(*object);
    *object = NULL;
}

/* Members that came later than the client's version, and the defaults of its time. */
static void forget_newer(struct api_version version, struct container_create_request *request)
{
    struct host_config *host = request->host_config;
    if (api_before(version, 25)) /* then the client itself removed the container */
        host->auto_remove = false;
    if (api_before(version, 40)) {
        host->resources.kernel_memory_tcp = 0;
        if (str_empty(host->ipc_mode)) {
            forget_string(&host->ipc_mode);
            host->ipc_mode = xstrdup("shareable");
        }
    }
    if (api_before(version, 42)) {
        free(host->console_size.items);
        host->console_size = (struct i64_list){ 0 };
    } else {
        host->resources.kernel_memory = 0; /* went away in 1.42 */
    }
    if (api_before(version, 43))
        str_map_clear(&host->annotations);
    if (api_before(version, 44) && request->config.healthcheck)
        request->config.healthcheck->start_interval = 0;
    if (host->resources.pids_limit.present && host->resources.pids_limit.value <= 0)
        host->resources.pids_limit = (struct opt_i64){ 0 };
}

static void forget_newer_in_mount(struct api_version version, struct mount *mount)
{
    if (mount->bind_options && api_before(version, 40))
        mount->bind_options->non_recursive = false;
    if (!api_before(version, 42))
        return;
    if (mount->bind_options)
        mount->bind_options->create_mountpoint = false;
    /* Never valid, but let pass in those days. */
    if (str_eq(mount->type, "tmpfs"))
        forget_object(&volume_options_type, &mount->volume_options);
    if (str_eq(mount->type, "bind") || str_eq(mount->type, "volume"))
        forget_object(&tmpfs_options_type, &mount->tmpfs_options);
}

static int check_mount(struct api_version version, const struct mount *mount, struct err *err)
{
    const struct {
        const char *type, *name;
        const void *options;
    } options[] = {
        { "volume", "VolumeOptions", mount->volume_options },
        { "bind", "BindOptions", mount->bind_options },
        { "tmpfs", "TmpfsOptions", mount->tmpfs_options },
    };
    for (size_t i = 0; !api_before(version, 42) && i < ARRAY_SIZE(options); i++)
        if (options[i].options && !str_eq(mount->type, options[i].type))
            return err_set(err, ERR_INVALID, "%s must not be specified on mount type \"%s\"", options[i].name, mount->type ? mount->type : "");
    if (api_before(version, 44) && str_eq(mount->type, "bind") && mount->bind_options && mount->bind_options->read_only_force_recursive)
        return err_set(err, ERR_INVALID, "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
    if (api_before(version, 45) && mount->volume_options && !str_empty(mount->volume_options->subpath))
        return err_set(err, ERR_INVALID, "VolumeOptions.Subpath needs API v1.45 or newer");
    if (api_before(version, 48) && str_eq(mount->type, "image"))
        return err_set(err, ERR_INVALID, "Mount type \"Image\" needs API v1.48 or newer");
    return 0;
}

static int check_endpoints(struct api_version version, const struct networking_config *networking, struct err *err)
{
    size_t count = networking ? obj_map_count(&networking->endpoints_config) : 0;
    if (api_before(version, 44) && count > 1) {
        AUTO_FREE char *names = strv_join(networking->endpoints_config.keys, ", ");
        return err_set(err, ERR_INVALID, "Container cannot be created with multiple network endpoints: %s", names);
    }
    for (size_t i = 0; api_before(version, 48) && i < count; i++) {
        struct endpoint_settings *endpoint = networking->endpoints_config.values[i];
        if (endpoint)
            endpoint->gw_priority = 0;
    }
    return 0;
}

/* ---- create: the container-wide MAC address, which moved to the endpoints in 1.44 ---- */

static bool network_mode_has_mac(const char *mode)
{
    return !(str_eq(mode, "none") || str_eq(mode, "host") || (mode && str_starts(mode, "container:")));
}

/* The endpoint of the container's main network, made when the request names no endpoint at all. */
static struct endpoint_settings *main_endpoint(struct api_version version, struct container_create_request *request)
{
    const char *mode = request->host_config->network_mode;
    const char *name = str_empty(mode) || str_eq(mode, "default") ? "bridge" : mode;
    if (!request->networking_config)
        request->networking_config = xcalloc(1, sizeof *request->networking_config);
    struct obj_map *endpoints = &request->networking_config->endpoints_config;
    size_t count = obj_map_count(endpoints);
    for (size_t i = 0; i < count; i++) {
        bool fits = str_eq(endpoints->keys[i], name) || api_before(version, 44);
        if (fits && !endpoints->values[i])
            endpoints->values[i] = xcalloc(1, sizeof(struct endpoint_settings));
        if (fits)
            return endpoints->values[i];
    }
    return count ? NULL : obj_map_add(endpoints, name, sizeof(struct endpoint_settings));
}

static void forget_endpoint_macs(struct networking_config *networking)
{
    for (size_t i = 0; networking && i < obj_map_count(&networking->endpoints_config); i++) {
        struct endpoint_settings *endpoint = networking->endpoints_config.values[i];
        if (endpoint)
            forget_string(&endpoint->mac_address);
    }
}

static int move_mac_old(struct api_version version, struct container_create_request *request, struct err *err)
{
    const char *mac = request->config.mac_address;
    if (str_empty(mac)) {
        forget_endpoint_macs(request->networking_config);
        return 0;
    }
    if (!network_mode_has_mac(request->host_config->network_mode))
        return err_set(err, ERR_INVALID, "conflicting options: mac-address and the network mode");
    struct endpoint_settings *endpoint = main_endpoint(version, request);
    forget_string(&endpoint->mac_address);
    endpoint->mac_address = xstrdup(mac);
    return 0;
}

static int move_mac(struct api_version version, struct container_create_request *request, char ***warnings, struct err *err)
{
    if (api_before(version, 44))
        return move_mac_old(version, request, err);
    const char *mac = request->config.mac_address;
    if (str_empty(mac))
        return 0;
    if (network_mode_has_mac(request->host_config->network_mode)) {
        struct endpoint_settings *endpoint = main_endpoint(version, request);
        if (!endpoint)
            return err_set(err, ERR_INVALID, "unable to migrate container-wide MAC address to a specific network: "
                           "HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks");
        if (!str_empty(endpoint->mac_address) && !str_eq(endpoint->mac_address, mac))
            return err_set(err, ERR_INVALID, "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty");
        if (str_empty(endpoint->mac_address)) {
            forget_string(&endpoint->mac_address);
            endpoint->mac_address = xstrdup(mac);
        }
    }
    strv_append(warnings, "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.");
    forget_string(&request->config.mac_address);
    return 0;
}

int compat_create_request(struct api_version version, struct container_create_request *request, char ***warnings, struct err *err)
{
    if (!request->host_config)
        request->host_config = xcalloc(1, sizeof *request->host_config);
    forget_newer(version, request);
    for (size_t i = 0; i < request->host_config->mounts.count; i++) {
        struct mount *mount = &request->host_config->mounts.items[i];
        forget_newer_in_mount(version, mount);
        if (check_mount(version, mount, err) < 0)
            return -1;
    }
    if (check_endpoints(version, request->networking_config, err) < 0)
        return -1;
    return move_mac(version, request, warnings, err);
}

/* ---- containers ---- */

static void add_alias(struct endpoint_settings *endpoint, const char *name)
{
    if (!str_empty(name) && !strv_contains(endpoint->aliases, name))
        strv_append(&endpoint->aliases, name);
}

void compat_container_inspect(struct api_version version, struct container_inspect *inspect)
{
    struct obj_map *networks = &inspect->network_settings.networks;
    AUTO_FREE char *short_id = inspect->id ? xstrndup(inspect->id, 12) : NULL;
    for (size_t i = 0; api_before(version, 45) && i < obj_map_count(networks); i++) {
        static const char *const built_in[] = { "bridge", "default", "host", "none" };
        bool user_defined = networks->values[i] != NULL;
        for (size_t j = 0; j < ARRAY_SIZE(built_in); j++)
            user_defined = user_defined && !str_eq(networks->keys[i], built_in[j]);
        if (user_defined) { /* since 1.45 these names stand in DNSNames alone */
            add_alias(networks->values[i], short_id);
            add_alias(networks->values[i], inspect->config.hostname);
        }
    }
}

void compat_container_summary(struct api_version version, struct container_summary *summary)
{
    if (api_before(version, 46))
        str_map_clear(&summary->host_config.annotations);
}

/* ---- lists that are text already ---- */

struct list_holder {
    CODEC_LIST(char) items; /* of any table's struct */
};

/* Decodes a JSON list, lets `shape` change each item, and writes it back. */
static void reshape(const struct codec_type *type, struct buf *json, void (*shape)(struct api_version version, void *item), struct api_version version)
{
    const struct codec_field fields[] = { { .name = "l", .kind = CODEC_LIST_KIND, .offset = offsetof(struct list_holder, items), .type = type }, F_END };
    const struct codec_type holder_type = { .name = "list", .size = sizeof(struct list_holder), .fields = fields };
    struct list_holder holder;
    struct err err = { 0 };
    AUTO_FREE char *wrapped = str_format("{\"l\":%s}", json->data ? json->data : "[]");
    if (codec_decode(&holder_type, wrapped, strlen(wrapped), &holder, &err) < 0)
        return; /* our own text: cannot happen */
    for (size_t i = 0; i < holder.items.count; i++)
        shape(version, holder.items.items + i * type->size);
    buf_clear(json);
    codec_encode_list(type, holder.items.items, holder.items.count, json);
    codec_clear(&holder_type, &holder);
}

static void shape_container(struct api_version version, void *item)
{
    compat_container_summary(version, item);
}

void compat_container_list(struct api_version version, struct buf *json)
{
    if (api_before(version, 46))
        reshape(&container_summary_type, json, shape_container, version);
}

static void shape_image(struct api_version version, void *item)
{
    compat_image_summary(version, item);
}

void compat_image_list(struct api_version version, struct buf *json)
{
    if (api_before(version, 51))
        reshape(&image_summary_type, json, shape_image, version);
}

/* ---- images ---- */

void compat_image_inspect(struct api_version version, struct image_inspect *inspect)
{
    if (api_before(version, 44)) {
        inspect->virtual_size = inspect->size;
        if (str_empty(inspect->created)) {
            forget_string(&inspect->created);
            inspect->created = xstrdup("0001-01-01T00:00:00Z");
        }
    }
    if (!api_before(version, 45))
        forget_object(&container_config_type, &inspect->container_config);
    else if (!inspect->container_config)
        inspect->container_config = xcalloc(1, sizeof *inspect->container_config);
}

/* Borrows: the two structs print the same members, the older one more of them. */
static struct container_config widen(const struct image_config *config)
{
    return (struct container_config){
        .user = config->user,
        .exposed_ports = config->exposed_ports,
        .env = config->env,
        .cmd = config->cmd,
        .healthcheck = config->healthcheck,
        .args_escaped = config->args_escaped,
        .volumes = config->volumes,
        .working_dir = config->working_dir,
        .entrypoint = config->entrypoint,
        .on_build = config->on_build,
        .labels = config->labels,
        .stop_signal = config->stop_signal,
        .shell = config->shell,
    };
}

void compat_image_inspect_encode(struct api_version version, const struct image_inspect *inspect, struct buf *out)
{
    if (!api_before(version, 50)) {
        codec_encode(&image_inspect_type, inspect, out);
        return;
    }
    struct container_config config = inspect->config ? widen(inspect->config) : (struct container_config){ 0 };
    struct image_inspect_legacy legacy = { .inspect = *inspect, .config = inspect->config ? &config : NULL };
    codec_encode(&image_inspect_legacy_type, &legacy, out);
}

void compat_image_summary(struct api_version version, struct image_summary *summary)
{
    if (api_before(version, 44))
        summary->virtual_size = summary->size;
    if (api_before(version, 43) && strv_length(summary->repo_tags) == 0 && strv_length(summary->repo_digests) == 0) {
        strv_append(&summary->repo_tags, "<none>:<none>");
        strv_append(&summary->repo_digests, "<none>@<none>");
    }
    if (api_before(version, 51)) /* nobody counted them before */
        summary->containers = -1;
}

/* ---- the daemon ---- */

/* "name=seccomp,profile=builtin" -> "seccomp" */
static void bare_security_options(char **options)
{
    for (size_t i = 0; options && options[i]; i++) {
        const char *name = str_after(options[i], "name=");
        if (!name)
            continue;
        char *bare = xstrndup(name, strcspn(name, ","));
        free(options[i]);
        options[i] = bare;
    }
}

static void expect_same_commit(struct commit_info *commit)
{
    forget_string(&commit->expected);
    if (!str_empty(commit->id))
        commit->expected = xstrdup(commit->id);
}

/* What newer clients see and older ones must not. */
static void forget_newer_info(struct api_version version, struct info *info)
{
    for (size_t i = 0; api_before(version, 44) && i < obj_map_count(&info->runtimes); i++) {
        struct runtime_info *runtime = info->runtimes.values[i];
        if (runtime)
            str_map_clear(&runtime->status);
    }
    if (api_before(version, 46))
        forget_object(&containerd_info_type, &info->containerd);
    if (api_before(version, 49))
        forget_object(&firewall_info_type, &info->firewall_backend);
}

void compat_info(struct api_version version, struct info *info)
{
    struct registry_service_config *registry = &info->registry_config;
    forget_newer_info(version, info);
    if (api_before(version, 25))
        bare_security_options(info->security_options);
    info->kernel_memory = api_before(version, 42) && info->kernel_memory_tcp;
    forget_string(&registry->allow_nondistributable_artifacts_cidrs);
    forget_string(&registry->allow_nondistributable_artifacts_hostnames);
    if (api_before(version, 47)) {
        registry->allow_nondistributable_artifacts_cidrs = xstrdup("null");
        registry->allow_nondistributable_artifacts_hostnames = xstrdup("null");
    }
    if (api_before(version, 49)) {
        expect_same_commit(&info->containerd_commit);
        expect_same_commit(&info->runc_commit);
        expect_same_commit(&info->init_commit);
    }
    info->bridge_nf_iptables = info->bridge_nf_ip6tables = (struct opt_bool){ .present = api_before(version, 50) };
}

void compat_disk_usage(struct api_version version, struct disk_usage *usage)
{
    for (size_t i = 0; i < usage->images.count; i++) {
        int64_t containers = usage->images.items[i].containers; /* counted here in every version */
        compat_image_summary(version, &usage->images.items[i]);
        usage->images.items[i].containers = containers;
    }
    for (size_t i = 0; i < usage->containers.count; i++)
        compat_container_summary(version, &usage->containers.items[i]);
    usage->builder_size = 0;
    for (size_t i = 0; api_before(version, 42) && i < usage->build_cache.count; i++)
        usage->builder_size += usage->build_cache.items[i].size;
}
