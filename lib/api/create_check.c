#include "lib/api/create_check.h"

#include "lib/base/str.h"

#include <arpa/inet.h>
#include <unistd.h>

#define INVALID(...) err_set(err, ERR_INVALID, __VA_ARGS__)
#define CONFLICTING(what) INVALID("conflicting options: " what)

bool create_config_is_empty(const struct container_create_request *request)
{
    static const struct container_config nothing;
    return codec_equal(&container_config_type, &request->config, &nothing);
}

static bool has(char *const *list)
{
    return list && list[0];
}

static bool joins_container(const char *mode)
{
    return mode && str_starts(mode, "container:");
}

/* ---- network modes and what does not go with them ---- */

static int check_joined_network(const struct container_config *config, const struct host_config *host, struct err *err)
{
    if (host->network_mode[strlen("container:")] == '\0')
        return INVALID("invalid network mode: invalid container format container:<name|id>");
    if (!str_empty(config->hostname))
        return CONFLICTING("hostname and the network mode");
    if (has(host->links))
        return CONFLICTING("container type network can't be used with links. This would result in undefined behavior");
    if (has(host->dns))
        return CONFLICTING("dns and the network mode");
    if (has(host->extra_hosts))
        return CONFLICTING("custom host-to-IP mapping and the network mode");
    if (obj_map_count(&host->port_bindings) || host->publish_all_ports)
        return CONFLICTING("port publishing and the container type network mode");
    if (has(config->exposed_ports))
        return CONFLICTING("port exposing and the container type network mode");
    return 0;
}

static int check_network_mode(const struct container_config *config, const struct host_config *host, struct err *err)
{
    if (joins_container(host->network_mode) && check_joined_network(config, host, err) < 0)
        return -1;
    if (str_eq(host->uts_mode, "host") && !str_empty(config->hostname))
        return CONFLICTING("hostname and the UTS mode");
    if (str_eq(host->network_mode, "host") && has(host->links))
        return CONFLICTING("host type networking can't be used with links. This would result in undefined behavior");
    if (!str_empty(host->isolation) && strcasecmp(host->isolation, "default") != 0)
        return INVALID("invalid isolation (%s): linux only supports 'default'", host->isolation);
    return 0;
}

/* ---- the container's own config ---- */

static int check_health(const struct health_config *health, struct err *err)
{
    const struct {
        const char *name;
        int64_t nanos;
    } times[] = { { "Interval", health->interval }, { "Timeout", health->timeout }, { "StartPeriod", health->start_period }, { "StartInterval", health->start_interval } };
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        if (i == 2 && health->retries < 0)
            return INVALID("Retries in Healthcheck cannot be negative");
        if (times[i].nanos != 0 && times[i].nanos < 1000000)
            return INVALID("%s in Healthcheck cannot be less than 1ms", times[i].name);
    }
    return 0;
}

/* ---- host config ---- */

static int check_ports(const struct obj_map *ports, struct err *err)
{
    for (size_t i = 0; i < obj_map_count(ports); i++) {
        AUTO_FREE char *port = xstrndup(ports->keys[i], strcspn(ports->keys[i], "/"));
        const struct port_binding_list *bindings = ports->values[i];
        int64_t number;
        if (str_to_i64(port, &number) < 0 || number < 0 || number > 65535)
            return INVALID("invalid port specification: \"%s\"", port);
        for (size_t j = 0; bindings && j < bindings->count; j++) {
            const char *wanted = bindings->items[j].host_port;
            AUTO_FREE char *first = xstrndup(wanted ? wanted : "", wanted ? strcspn(wanted, "-") : 0);
            if (!str_empty(wanted) && (str_to_i64(first, &number) < 0 || number < 0 || number > 65535))
                return INVALID("invalid port specification: \"%s\"", wanted);
        }
    }
    return 0;
}

static int check_restart(const struct restart_policy *policy, bool auto_remove, struct err *err)
{
    static const char *const names[] = { "", "no", "always", "unless-stopped", "on-failure" };
    const char *name = policy->name ? policy->name : "";
    size_t i = 0;
    while (i < ARRAY_SIZE(names) && !str_eq(name, names[i]))
        i++;
    if (auto_remove && i > 1)
        return INVALID("can't create 'AutoRemove' container with restart policy");
    if (i == ARRAY_SIZE(names))
        return INVALID("invalid restart policy: unknown policy '%s'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'", name);
    if (policy->maximum_retry_count < 0)
        return INVALID("invalid restart policy: maximum retry count cannot be negative");
    if (policy->maximum_retry_count > 0 && !str_eq(name, "on-failure"))
        return INVALID("invalid restart policy: maximum retry count can only be used with 'on-failure'");
    return 0;
}

static bool is_address(const char *text)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, text, &ignored) == 1 || inet_pton(AF_INET6, text, &ignored) == 1;
}

static int check_extra_hosts(char *const *entries, struct err *err)
{
    for (; entries && *entries; entries++) {
        size_t length = strcspn(*entries, ":=");
        if (length == 0 || !(*entries)[length])
            return INVALID("bad format for add-host: \"%s\"", *entries);
        AUTO_FREE char *address = xstrdup(*entries + length + 1);
        char *bare = address;
        if (bare[0] == '[' && str_ends(bare, "]")) {
            bare[strlen(bare) - 1] = '\0';
            bare++;
        }
        if (!str_eq(bare, "host-gateway") && !is_address(bare))
            return INVALID("invalid IP address in add-host: \"%s\"", bare);
    }
    return 0;
}

/* ---- namespaces and limits ---- */

static int check_modes(const struct host_config *host, struct err *err)
{
    const struct {
        const char *what, *mode;
        bool joins, shares;
    } modes[] = { { "IPC mode", host->ipc_mode, true, true }, { "PID mode", host->pid_mode, true, false }, { "UTS mode", host->uts_mode, false, false },
                  { "cgroup namespace mode", host->cgroupns_mode, false, false } };
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        const char *mode = modes[i].mode;
        bool is_private = str_eq(mode, "private") && (modes[i].shares || i == 3);
        bool is_shared = modes[i].shares && (str_eq(mode, "shareable") || str_eq(mode, "none"));
        if (!str_empty(mode) && !str_eq(mode, "host") && !is_private && !is_shared && !(modes[i].joins && joins_container(mode)))
            return INVALID("invalid %s: %s", modes[i].what, mode);
    }
    return 0;
}

/* "0-3,5": the highest number, or -1 for another form. */
static int64_t highest_of_set(const char *text)
{
    int64_t highest = -1;
    CLEANUP(strv_free) char **parts = strv_split(text, ',', false);
    for (char **part = parts; *part; part++) {
        char *dash = strchr(*part, '-');
        int64_t low, high;
        if (dash)
            *dash = '\0';
        if (str_to_i64(*part, &low) < 0 || low < 0 || (dash && (str_to_i64(dash + 1, &high) < 0 || high < low)))
            return -1;
        highest = MAX(highest, dash ? high : low);
    }
    return highest;
}

static int check_cpusets(const struct resources *resources, struct err *err)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    if (!str_empty(resources->cpuset_cpus)) {
        int64_t highest = highest_of_set(resources->cpuset_cpus);
        if (highest < 0)
            return INVALID("Invalid value %s for cpuset cpus: invalid format: %s", resources->cpuset_cpus, resources->cpuset_cpus);
        if (highest >= cpus)
            return INVALID("Requested CPUs are not available - requested %s, available: %s%ld", resources->cpuset_cpus, cpus > 1 ? "0-" : "", cpus - 1);
    }
    if (!str_empty(resources->cpuset_mems) && highest_of_set(resources->cpuset_mems) < 0)
        return INVALID("Invalid value %s for cpuset mems: invalid format: %s", resources->cpuset_mems, resources->cpuset_mems);
    return 0;
}

static int check_resources(const struct resources *resources, struct err *err)
{
    if (resources->cpu_shares < 0)
        return INVALID("invalid CPU shares (%lld): value must be a positive integer", (long long)resources->cpu_shares);
    if (resources->memory && resources->memory < 6 << 20)
        return INVALID("Minimum memory limit allowed is 6MB");
    if (resources->memory_reservation && resources->memory_reservation < 6 << 20)
        return INVALID("Minimum memory reservation allowed is 6MB");
    return check_cpusets(resources, err);
}

static int check_limits(const struct host_config *host, struct err *err)
{
    if (check_resources(&host->resources, err) < 0)
        return -1;
    if (host->oom_score_adj < -1000 || host->oom_score_adj > 1000)
        return INVALID("Invalid value %lld, range for oom score adj is [-1000, 1000]", (long long)host->oom_score_adj);
    if (host->shm_size < 0)
        return INVALID("SHM size can not be less than 0");
    return 0;
}

/* ---- mounts ---- */

#define MOUNT_INVALID(...) mount_invalid(mount, err, __VA_ARGS__)

__attribute__((format(printf, 3, 4))) static int mount_invalid(const struct mount *mount, struct err *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    AUTO_FREE char *text = str_vformat(format, args);
    va_end(args);
    return INVALID("invalid mount config for type \"%s\": %s", mount->type ? mount->type : "", text);
}

static int check_bind_mount(const struct mount *mount, struct err *err)
{
    static const char *const modes[] = { "private", "rprivate", "shared", "rshared", "slave", "rslave" };
    const char *propagation = mount->bind_options ? mount->bind_options->propagation : NULL;
    bool known = str_empty(propagation);
    if (str_empty(mount->source))
        return MOUNT_INVALID("field Source must not be empty");
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        known = known || str_eq(propagation, modes[i]);
    if (!known)
        return MOUNT_INVALID("invalid propagation mode: %s", propagation);
    if (mount->volume_options)
        return MOUNT_INVALID("field VolumeOptions must not be specified");
    if (mount->image_options)
        return MOUNT_INVALID("field ImageOptions must not be specified");
    if (mount->source[0] != '/')
        return MOUNT_INVALID("invalid mount path: '%s' mount path must be absolute", mount->source);
    return 0;
}

static int check_mount(const struct mount *mount, struct err *err)
{
    bool is_volume = str_eq(mount->type, "volume"), is_tmpfs = str_eq(mount->type, "tmpfs"), is_image = str_eq(mount->type, "image");
    if (str_empty(mount->target))
        return MOUNT_INVALID("field Target must not be empty");
    if (str_eq(mount->target, "/"))
        return MOUNT_INVALID("invalid specification: destination can't be '/'");
    if (mount->target[0] != '/')
        return MOUNT_INVALID("invalid mount path: '%s' mount path must be absolute", mount->target);
    if (str_eq(mount->type, "bind"))
        return check_bind_mount(mount, err);
    if (!is_volume && !is_tmpfs && !is_image)
        return MOUNT_INVALID("mount type unknown");
    if (mount->bind_options)
        return MOUNT_INVALID("field BindOptions must not be specified");
    if (mount->image_options && !is_image)
        return MOUNT_INVALID("field ImageOptions must not be specified");
    if (mount->volume_options && !is_volume)
        return MOUNT_INVALID("field VolumeOptions must not be specified");
    if (is_tmpfs && !str_empty(mount->source))
        return MOUNT_INVALID("field Source must not be specified");
    return 0;
}

/* ---- endpoints ---- */

static bool is_mac(const char *text)
{
    for (size_t i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[i] != ':' && text[i] != '-' : !strchr("0123456789abcdefABCDEF", text[i]) || !text[i])
            return false;
    return text[17] == '\0';
}

static void add_complaint(struct buf *out, const char *format, const char *value)
{
    buf_puts(out, "\n* ");
    for (; *format; format++)
        if (*format == '$')
            buf_puts(out, value);
        else
            buf_putc(out, *format);
}

static int check_endpoint(const char *network, const struct endpoint_settings *endpoint, struct err *err)
{
    AUTO_BUF struct buf out = BUF_INIT(65536);
    const struct endpoint_ipam_config *ipam = endpoint->ipam_config;
    bool predefined = str_eq(network, "bridge") || str_eq(network, "default") || str_eq(network, "host") || str_eq(network, "none");
    const char *address = ipam && !str_empty(ipam->ipv4_address) ? ipam->ipv4_address : NULL;
    const char *address6 = ipam && !str_empty(ipam->ipv6_address) ? ipam->ipv6_address : NULL;
    unsigned char bytes[16];
    if (!str_empty(endpoint->mac_address) && !is_mac(endpoint->mac_address))
        return INVALID("invalid config for network %s: invalid MAC address %s", network, endpoint->mac_address);
    if (predefined && (address || address6))
        add_complaint(&out, "user specified IP address is supported on user defined networks only", "");
    if (address && inet_pton(AF_INET, address, bytes) != 1)
        add_complaint(&out, "invalid IPv4 address: $", address);
    if (address6 && inet_pton(AF_INET6, address6, bytes) != 1)
        add_complaint(&out, "invalid IPv6 address: $", address6);
    for (char **local = ipam ? ipam->link_local_ips : NULL; local && *local; local++)
        if (!is_address(*local))
            add_complaint(&out, "invalid link-local IP address: $", *local);
    if (predefined && (address || address6))
        add_complaint(&out, "user specified IP address is supported only when connecting to networks with user configured subnets", "");
    return out.length ? INVALID("invalid config for network %s: invalid endpoint settings:%s", network, out.data) : 0;
}

static int check_endpoints(const struct networking_config *networking, struct err *err)
{
    for (size_t i = 0; networking && i < obj_map_count(&networking->endpoints_config); i++)
        if (networking->endpoints_config.values[i] && check_endpoint(networking->endpoints_config.keys[i], networking->endpoints_config.values[i], err) < 0)
            return -1;
    return 0;
}

/* ---- */

int create_check(const struct container_create_request *request, struct err *err)
{
    static const struct host_config nothing;
    const struct host_config *host = request->host_config ? request->host_config : &nothing;
    if (check_network_mode(&request->config, host, err) < 0)
        return -1;
    if (request->config.healthcheck && check_health(request->config.healthcheck, err) < 0)
        return -1;
    for (size_t i = 0; i < host->mounts.count; i++)
        if (check_mount(&host->mounts.items[i], err) < 0)
            return -1;
    if (check_ports(&host->port_bindings, err) < 0 || check_restart(&host->restart_policy, host->auto_remove, err) < 0 || check_extra_hosts(host->extra_hosts, err) < 0)
        return -1;
    if (str_map_get(&host->annotations, ""))
        return INVALID("invalid Annotations: the empty string is not permitted as an annotation key");
    if (check_modes(host, err) < 0 || check_limits(host, err) < 0)
        return -1;
    return check_endpoints(request->networking_config, err);
}

int update_check(const struct container_update_request *request, struct err *err)
{
    return check_restart(&request->restart_policy, false, err) < 0 ? -1 : check_resources(&request->resources, err);
}
